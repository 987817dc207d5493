"""A paper order in a book that is seen as it happens: queues, reconnects, and orders that come back after a restart."""

from dataclasses import replace
from decimal import Decimal

import pytest

from executor.domain.orders import Side, TimeInForce
from executor.venues.paper.desk import Desk, Level
from simulation.replay import codes
from simulation.replay.terms import Delay, ReplayTerms
from tests.builders import T0, D, new_order

MS = 1_000_000
TICK = D("0.1")
TERMS = ReplayTerms(
    entry=Delay(constant_ns=20 * MS), answer=Delay(constant_ns=10 * MS), order_qty_max=1 << 200
)
BIDS = [Level(1, D("100.0"), D("5")), Level(1, D("99.9"), D("7"))]
ASKS = [Level(-1, D("100.2"), D("4")), Level(-1, D("100.3"), D("6"))]


class Bench:
    """A desk and a clock."""

    def __init__(self, resting=(), tick_size=TICK):
        self.now_ns = T0
        self.desk = Desk(TERMS, tick_size, resting, at_ns=T0)

    def at(self, ms):
        self.now_ns = T0 + ms * MS
        return self

    def whole(self, *levels):
        self.desk.book(levels or [*BIDS, *ASKS], whole=True, at_ns=self.now_ns)
        return self

    def level(self, side, px, qty):
        self.desk.book([Level(side, D(px), D(qty))], whole=False, at_ns=self.now_ns)
        return self

    def trade(self, side, px, qty):
        self.desk.trade(side, D(px), D(qty), self.now_ns)
        return self

    def heard(self, ms):
        self.now_ns = T0 + ms * MS
        return [(each.kind, each.px, each.qty, each.detail) for each in self.desk.hear(self.now_ns)]

    def fills(self, ms):
        return [(px, qty, detail) for kind, px, qty, detail in self.heard(ms) if kind == codes.FILLED]


def order(**over):
    return new_order(**{**dict(px=D("100.0"), qty=D("2")), **over})


def test_an_order_is_answered_after_both_ways_of_the_wire():
    bench = Bench().whole()
    bench.desk.place(order(), T0)
    assert bench.heard(29) == []
    assert bench.heard(30) == [(codes.ACCEPTED, D("100"), D("2"), codes.NO_REASON)]


def test_it_meets_the_book_that_is_seen_when_it_arrives():
    bench = Bench().whole()
    bench.desk.place(order(px=D("100.2"), time_in_force=TimeInForce.IOC), T0)
    bench.at(19).level(-1, "100.2", "0.5")
    bench.at(21).level(-1, "100.2", "9")
    assert bench.fills(40) == [(D("100.2"), D("0.5"), codes.TAKER)]


def test_trades_use_up_the_queue_first():
    bench = Bench().whole()
    bench.desk.place(order(), T0)
    bench.at(40).trade(-1, "100.0", "4")
    assert bench.fills(60) == []
    bench.at(70).trade(-1, "100.0", "1.5")
    assert bench.fills(90) == [(D("100"), D("0.5"), codes.MAKER)]
    bench.at(100).trade(-1, "99.9", "0.1")
    bench.at(101).trade(-1, "99.9", "4")
    assert bench.fills(120) == [(D("100"), D("0.1"), codes.MAKER), (D("100"), D("1.4"), codes.MAKER)]


def test_without_a_book_nothing_is_taken():
    bench = Bench()
    bench.desk.place(order(), T0)
    assert bench.heard(40) == [(codes.REJECTED, D("100"), D("2"), codes.NO_MARKET)]
    bench.at(50).whole()
    bench.desk.lose(bench.now_ns)
    bench.desk.place(order(client_order_id="x-1-2"), bench.now_ns)
    assert bench.heard(100)[0][3] == codes.NO_MARKET


def test_a_trade_in_the_void_makes_no_market():
    bench = Bench().whole()
    bench.desk.lose(bench.at(1).now_ns)
    bench.at(2).trade(1, "100.2", "0.001")
    bench.desk.place(order(), bench.at(3).now_ns)
    bench.at(50).trade(-1, "100.0", "3")
    assert bench.heard(100) == [(codes.REJECTED, D("100"), D("2"), codes.NO_MARKET)]
    bench.at(110).level(1, "100.0", "5").trade(-1, "100.0", "1")  # one side is no market either
    bench.desk.place(order(client_order_id="x-1-2"), bench.now_ns)
    assert [detail for *_, detail in bench.heard(150)] == [codes.NO_MARKET]
    bench.at(160).whole()
    bench.desk.place(order(client_order_id="x-1-3"), bench.now_ns)
    assert [kind for kind, *_ in bench.heard(200)] == [codes.ACCEPTED]


def test_any_number_of_orders_rests_again():
    limited = replace(TERMS, requests_per_s_max=10)
    resting = [(order(client_order_id=f"x-1-{i}", px=D("100.0") - i * TICK), D(0)) for i in range(40)]
    desk = Desk(limited, TICK, resting, at_ns=T0)
    desk.book([*BIDS, *ASKS], whole=True, at_ns=T0)
    for i in range(10):  # the limit of the first second is still whole
        desk.cancel(f"x-1-{i}", T0 + MS)
        desk.place(order(client_order_id=f"x-2-{i}", px=D("90.0")), T0 + MS)
    assert [each.kind for each in desk.hear(T0 + 40 * MS)] == [codes.ENDED, codes.ACCEPTED] * 10
    desk.trade(-1, D("90.0"), D("1000"), T0 + 50 * MS)
    filled = [each.client_order_id for each in desk.hear(T0 + 70 * MS)]
    assert filled == [f"x-1-{i}" for i in range(10, 40)] + [f"x-2-{i}" for i in range(10)]


def test_a_reconnect_keeps_the_place_in_the_queue():
    bench = Bench().whole()
    bench.desk.place(order(), T0)
    bench.at(40).trade(-1, "100.0", "4")
    bench.desk.lose(bench.at(50).now_ns)
    bench.at(900).whole(Level(1, D("100.0"), D("50")), *ASKS)
    bench.at(910).trade(-1, "100.0", "2")
    assert bench.fills(930) == [(D("100"), D("1"), codes.MAKER)]


@pytest.mark.parametrize(
    ("levels", "filled"),
    [
        ([Level(1, D("100.0"), D("3")), *ASKS], D("1.5")),  # three were ahead at most
        (
            [Level(1, D("100.1"), D("3")), Level(1, D("99.9"), D("3")), *ASKS],
            D("2"),
        ),  # nobody is there any more
        ([Level(1, D("100.1"), D("3")), *ASKS], D("0")),  # beyond what is shown: nobody knows, so nobody left
    ],
)
def test_an_order_that_comes_back_is_behind_everybody_who_is_seen(levels, filled):
    bench = Bench([(order(), D(0))]).at(1).whole(*levels)
    bench.at(10).trade(-1, "100.0", "4.5")
    assert sum((qty for _, qty, _ in bench.fills(30)), D(0)) == filled


def test_what_was_executed_before_counts_on():
    bench = Bench([(order(), D("0.5"))]).at(1).whole(Level(1, D("99.9"), D("1")), *ASKS)
    bench.desk.amend("x-1-1", D("100.0"), D("1.7"), bench.now_ns)
    assert bench.heard(40) == [(codes.AMENDED, D("100"), D("1.7"), codes.NO_REASON)]
    bench.at(50).trade(-1, "99.9", "2")
    assert bench.fills(70) == [(D("100"), D("1.2"), codes.MAKER)]


def test_a_market_that_has_come_to_the_price_meanwhile_trades_at_that_price():
    bench = Bench([(order(), D(0))]).at(1).whole(Level(1, D("99.0"), D("1")), Level(-1, D("99.1"), D("1.5")))
    assert bench.fills(20) == [(D("100"), D("1.5"), codes.MAKER)]
    sell = Bench([(order(side=Side.SELL), D(0))]).at(1).whole(Level(1, D("100.5"), D("9")), *ASKS[:0])
    assert sell.fills(20) == [(D("100"), D("2"), codes.MAKER)]


def test_an_unknown_order_is_said_to_be_unknown():
    bench = Bench().whole()
    bench.desk.cancel("x-9-9", T0)
    bench.desk.amend("x-9-8", D("100"), D("1"), T0)
    assert [(kind, detail) for kind, _, _, detail in bench.heard(40)] == [
        (codes.CANCEL_REJECTED, codes.UNKNOWN_ORDER),
        (codes.AMEND_REJECTED, codes.UNKNOWN_ORDER),
    ]


def test_the_tick_may_become_finer():
    bench = Bench().whole().level(1, "100.05", "3")
    bench.desk.place(order(px=D("100.05"), side=Side.SELL, time_in_force=TimeInForce.IOC), T0)
    assert bench.fills(40) == [(D("100.05"), D("2"), codes.TAKER)]


def test_numbers_with_many_places_stay_what_they_are():
    px, qty = Decimal("0.000000123456789012"), Decimal("123456789.000000000001")
    bench = Bench(tick_size=D("0.000000000000000001")).whole(Level(1, px, qty), Level(-1, px * 2, qty))
    bench.desk.place(order(px=px * 2, qty=qty, time_in_force=TimeInForce.IOC), T0)
    assert bench.fills(40) == [(px * 2, qty, codes.TAKER)]
