"""The venue of one touch: what it does with orders, on cases made by hand, and what it always keeps."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, PlaceOrder, QueryOrder, Reconcile, ReplaceOrder, Subscribe
from executor.domain.errors import LocalProtocolError
from executor.domain.events import (
    CancelAcked,
    CancelFoundNothing,
    InstrumentLoaded,
    InstrumentMissing,
    OrderAbsent,
    OrderAcked,
    OrderFilled,
    OrderRejected,
    OrderUpdated,
    Reconciled,
    ReplaceAcked,
    ReplaceRejected,
    VenueStatus,
)
from executor.domain.orders import Category, Liquidity, Replacement, Side, TimeInForce
from simulation.frictions import Charges, Latencies
from simulation.moments import PublicTrade
from simulation.taking import levels_taken
from simulation.touch_venue import TouchVenue
from tests.builders import T0, D, instrument, new_order, snapshot

LINEAR = Category.LINEAR
CHARGES = Charges(maker_fee_rate=D("0.0001"), taker_fee_rate=D("0.0005"), walk_ticks=2)


class Stage:
    """A venue with a book of two at 50000.0 and two at 50000.1."""

    def __init__(self, **rules):
        self.venue = TouchVenue(instrument(**rules), CHARGES)
        self.category = rules.get("category", LINEAR)
        self.book()

    def book(self, bid="50000.0", ask="50000.1"):
        return self.venue.follow(snapshot(bid, ask, category=self.category))

    def trade(self, side, px, qty):
        return self.venue.follow(PublicTrade(side=side, px=D(px), qty=D(qty), ts_exchange_ns=T0 + 7))

    def take(self, request):
        return self.venue.take(request, asked_ns=T0 + 1, at_ns=T0 + 5)

    def place(self, name="x-1-1", *, px="50000.0", qty="0.5", ioc=False, **over):
        order = new_order(
            client_order_id=name, px=D(px), qty=D(qty), category=self.category,
            time_in_force=TimeInForce.IOC if ioc else TimeInForce.POST_ONLY, **over,
        )  # fmt: skip
        return self.take(PlaceOrder(approved=Approved(order=order, ticket=1, halt_epoch=0)))

    def amend(self, name="x-1-1", *, px="50000.0", qty="0.5"):
        new = Replacement(
            client_order_id=name, parent_id="P1", category=LINEAR, symbol="BTCUSDT", side=Side.BUY,
            qty=D(qty), px=D(px),
        )  # fmt: skip
        return self.take(ReplaceOrder(approved=Approved(order=new, ticket=2, halt_epoch=0)))

    def cancel(self, name="x-1-1"):
        return self.take(CancelOrder(category=LINEAR, symbol="BTCUSDT", client_order_id=name))

    def read(self, since_ms=0, category=LINEAR):
        return self.take(Reconcile(category=category, symbols=("BTCUSDT", "ETHUSDT"), since_ms=since_ms))


def filled(events):
    return [(one.fill.last_qty, one.fill.last_px) for one in events if isinstance(one, OrderFilled)]


def status(events):
    return [one.status for one in events if isinstance(one, OrderUpdated)]


def test_a_resting_order_is_acknowledged_and_shown():
    acked, shown = Stage().place()
    assert isinstance(acked, OrderAcked)
    assert (shown.status, shown.cum_qty, shown.venue_order_id) == (VenueStatus.NEW, 0, acked.venue_order_id)


@pytest.mark.parametrize(
    ("side", "px", "took"),
    [
        (Side.BUY, "50000.1", True),
        (Side.BUY, "50000.0", False),
        (Side.SELL, "50000.0", True),
        (Side.SELL, "50000.1", False),
    ],
)
def test_post_only_that_would_take_is_acknowledged_and_cancelled(side, px, took):
    stage = Stage()
    told = stage.place(side=side, px=px)
    assert isinstance(told[0], OrderAcked)
    assert status(told) == [VenueStatus.CANCELED if took else VenueStatus.NEW]
    assert not filled(told)
    assert len(stage.read()[-1].open_client_order_ids) == (not took)


def test_the_queue_at_arrival_trades_first():
    stage = Stage()
    stage.place()
    assert not stage.trade(Side.SELL, "50000.0", "1.9")
    assert filled(stage.trade(Side.SELL, "50000.0", "0.3")) == [(D("0.2"), 50_000)]
    told = stage.trade(Side.SELL, "50000.0", "5")
    assert filled(told) == [(D("0.3"), 50_000)]
    assert status(told) == [VenueStatus.FILLED]
    assert not stage.trade(Side.SELL, "50000.0", "5")


def test_trades_of_the_other_kind_do_not_reach_it():
    stage = Stage()
    stage.place()
    assert not stage.trade(Side.BUY, "50000.1", "100")
    assert not stage.trade(Side.BUY, "50000.0", "100")
    assert not stage.trade(Side.SELL, "50000.1", "100")


def test_a_trade_through_its_price_fills_it_whole_at_its_own_price():
    stage = Stage()
    stage.place()
    told = stage.trade(Side.SELL, "49999.9", "0.001")
    assert filled(told) == [(D("0.5"), 50_000)]
    assert told[0].fill.liquidity is Liquidity.MAKER
    assert told[0].fill.fee == D("0.5") * 50_000 * D("0.0001")
    assert told[0].fill.ts_exchange_ns == T0 + 7


def test_a_sell_rests_and_fills_as_a_buy_does():
    stage = Stage()
    stage.place(side=Side.SELL, px="50000.1")
    assert filled(stage.trade(Side.BUY, "50000.1", "2.1")) == [(D("0.1"), D("50000.1"))]
    assert filled(stage.trade(Side.BUY, "50000.2", "0.001")) == [(D("0.4"), D("50000.1"))]


def test_a_book_that_has_reached_its_price_fills_it():
    stage = Stage()
    stage.place()
    assert not stage.book("49999.9", "50000.1")
    assert filled(stage.book("49999.8", "50000.0")) == [(D("0.5"), 50_000)]


def test_inside_the_spread_nobody_is_ahead():
    stage = Stage()
    stage.book("50000.0", "50000.3")
    stage.place(px="50000.1")
    assert filled(stage.trade(Side.SELL, "50000.1", "0.2")) == [(D("0.2"), D("50000.1"))]


def test_one_trade_fills_our_orders_one_after_the_other():
    stage = Stage()
    stage.book("50000.0", "50000.3")
    stage.place("x-1-1", px="50000.1", qty="0.5")
    stage.place("x-1-2", px="50000.1", qty="0.5")
    assert filled(stage.trade(Side.SELL, "50000.1", "0.7")) == [
        (D("0.5"), D("50000.1")),
        (D("0.2"), D("50000.1")),
    ]


def test_what_takes_walks_by_the_rule_and_ends():
    """Two at 50000.1, two at 50000.3 and two at 50000.5, within the limit."""
    stage = Stage()
    told = stage.place(qty="7", px="50000.6", ioc=True)
    assert filled(told) == [(2, D("50000.1")), (2, D("50000.3")), (2, D("50000.5"))]
    assert status(told)[-1] is VenueStatus.CANCELED
    assert told[-1].cum_qty == 6
    assert {one.fill.liquidity for one in told if isinstance(one, OrderFilled)} == {Liquidity.TAKER}
    assert told[1].fill.fee == 2 * D("50000.1") * D("0.0005")


def test_what_was_taken_is_gone_until_the_book_shows_it_again():
    stage = Stage()
    stage.place("x-1-1", qty="1.5", px="50000.1", ioc=True)
    second = stage.place("x-1-2", qty="1.5", px="50000.1", ioc=True)
    assert filled(second) == [(D("0.5"), D("50000.1"))]
    stage.book()
    assert filled(stage.place("x-1-3", qty="1.5", px="50000.1", ioc=True)) == [(D("1.5"), D("50000.1"))]


def test_what_takes_beyond_its_limit_finds_nothing():
    told = Stage().place(px="50000.0", ioc=True)
    assert isinstance(told[0], OrderAcked)
    assert not filled(told)
    assert status(told) == [VenueStatus.CANCELED]


def test_a_cancelled_order_does_not_trade_and_is_not_cancelled_twice():
    stage = Stage()
    stage.place()
    told = stage.cancel()
    assert isinstance(told[0], CancelAcked)
    assert status(told) == [VenueStatus.CANCELED]
    assert not stage.trade(Side.SELL, "49000", "100")
    (nothing,) = stage.cancel()
    assert isinstance(nothing, CancelFoundNothing)
    assert nothing.asked_ns == T0 + 1


def test_an_amendment_keeps_its_place_only_when_it_asks_for_less():
    stage = Stage()
    stage.place()
    stage.trade(Side.SELL, "50000.0", "1.5")
    told = stage.amend(qty="0.4")
    assert isinstance(told[0], ReplaceAcked)
    assert told[1].qty == D("0.4")
    assert filled(stage.trade(Side.SELL, "50000.0", "0.6")) == [(D("0.1"), 50_000)]
    stage.amend(qty="0.6")
    assert not stage.trade(Side.SELL, "50000.0", "2")
    stage.amend(qty="0.6", px="49999.9")
    assert not stage.trade(Side.SELL, "50000.0", "100")


def test_an_amendment_into_the_other_side_ends_the_order():
    stage = Stage()
    stage.place()
    told = stage.amend(px="50000.1")
    assert isinstance(told[0], ReplaceAcked)
    assert status(told) == [VenueStatus.CANCELED]
    assert not stage.read()[-1].open_client_order_ids


def test_an_amendment_below_what_is_filled_or_of_nothing_is_refused():
    stage = Stage()
    stage.place()
    (unchanged,) = stage.amend()
    assert isinstance(unchanged, ReplaceRejected)
    assert not unchanged.gone
    stage.trade(Side.SELL, "50000.0", "2.2")
    (below,) = stage.amend(qty="0.2")
    assert isinstance(below, ReplaceRejected)
    assert not below.gone
    (off,) = stage.amend(qty="0.3005")
    assert isinstance(off, ReplaceRejected)
    stage.cancel()
    (gone,) = stage.amend(qty="0.4")
    assert gone.gone


@pytest.mark.parametrize(
    "over",
    [dict(symbol="ETHUSDT"), dict(position_idx=1), dict(qty="0.0005"), dict(px="50000.05"), dict(qty="0")],
)
def test_what_breaks_the_rules_is_rejected(over):
    (rejected,) = Stage().place(**over)
    assert isinstance(rejected, OrderRejected)


def test_nothing_is_placed_before_there_is_a_market():
    stage = Stage()
    stage.venue = TouchVenue(instrument(), CHARGES)
    (rejected,) = stage.place()
    assert isinstance(rejected, OrderRejected)


def test_the_same_order_twice_is_our_own_fault():
    stage = Stage()
    stage.place()
    with pytest.raises(LocalProtocolError, match="twice"):
        stage.place()


def test_a_question_is_answered_with_everything_or_with_absence():
    stage = Stage()
    stage.place()
    stage.trade(Side.SELL, "50000.0", "2.2")
    ask = QueryOrder(category=LINEAR, symbol="BTCUSDT", client_order_id="x-1-1")
    told = stage.take(ask)
    assert filled(told) == [(D("0.2"), 50_000)]
    assert (told[-1].status, told[-1].asked_ns) == (VenueStatus.PARTIALLY_FILLED, T0 + 1)
    (absent,) = stage.take(QueryOrder(category=LINEAR, symbol="BTCUSDT", client_order_id="x-1-9"))
    assert isinstance(absent, OrderAbsent)
    assert absent.asked_ns == T0 + 1


def test_a_complete_read_shows_executions_open_orders_and_positions():
    stage = Stage()
    stage.place("x-1-1")
    stage.place("x-1-2", px="50000.1", qty="0.3", ioc=True)
    told = stage.read()
    assert filled(told) == [(D("0.3"), D("50000.1"))]
    done = told[-1]
    assert isinstance(done, Reconciled)
    assert (done.asked_ns, done.open_client_order_ids) == (T0 + 1, ("x-1-1",))
    assert [(one.symbol, one.qty) for one in done.positions] == [("BTCUSDT", D("0.3")), ("ETHUSDT", 0)]
    assert not filled(stage.read(since_ms=T0 // 1_000_000 + 1))
    assert stage.read(category=Category.SPOT) == [
        Reconciled(
            at_ns=0,
            category=Category.SPOT,
            asked_ns=T0 + 1,
            open_client_order_ids=(),
            foreign_open_orders=0,
            positions=(),
        )
    ]


def test_rules_are_told_of_the_only_symbol():
    stage = Stage()
    (rules,) = stage.take(Subscribe(category=LINEAR, symbol="BTCUSDT"))
    assert rules == InstrumentLoaded(at_ns=0, instrument=instrument())
    (missing,) = stage.take(Subscribe(category=LINEAR, symbol="ETHUSDT"))
    assert isinstance(missing, InstrumentMissing)


def test_spot_has_no_positions():
    stage = Stage(category=Category.SPOT)
    stage.place(ioc=True, px="50000.1")
    assert stage.read(category=Category.SPOT)[-1].positions == ()


def test_contracts_that_pay_in_coin_are_refused():
    with pytest.raises(ValueError, match="pay in coin"):
        TouchVenue(instrument(category=Category.INVERSE), CHARGES)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Charges(walk_ticks=0),
        lambda: Charges(taker_fee_rate=D(1)),
        lambda: Charges(maker_fee_rate=D("NaN")),
        lambda: Latencies(answer_ns=-1),
    ],
)
def test_frictions_without_a_meaning_are_refused(make):
    with pytest.raises(ValueError, match="must"):
        make()


@given(
    side=st.sampled_from(Side),
    qty=st.integers(1, 60),
    room=st.integers(-3, 12),
    size=st.integers(0, 20),
    gone=st.integers(0, 50),
)
def test_what_is_taken_is_what_was_wanted_or_all_there_is_within_the_limit(side, qty, room, size, gone):
    levels = list(
        levels_taken(
            side=side, qty=Decimal(qty), limit_px=D(100 + side.sign * room), touch_px=D(100), touch_qty=D(size),
            gone_qty=D(gone), step_px=D(1),
        )
    )  # fmt: skip
    there = max(size * max(room + 1, 0) - gone, 0)
    assert sum(taken for _, taken in levels) == min(qty, there)
    assert all(0 < taken <= size for _, taken in levels)
    distances = [side.sign * (px - 100) for px, _ in levels]
    assert distances == sorted(set(distances))
    assert all(0 <= distance <= room for distance in distances)


ACTS = st.one_of(
    st.tuples(st.just("place"), st.integers(-4, 4), st.integers(1, 30), st.sampled_from(Side), st.booleans()),
    st.tuples(st.just("amend"), st.integers(1, 12), st.integers(-4, 4), st.integers(1, 30)),
    st.tuples(st.just("cancel"), st.integers(1, 12)),
    st.tuples(st.just("trade"), st.sampled_from(Side), st.integers(-4, 4), st.integers(1, 80)),
    st.tuples(st.just("book"), st.integers(-4, 4), st.integers(1, 3)),
)


@given(st.lists(ACTS, max_size=40))
def test_no_order_fills_beyond_itself_and_the_position_is_the_sum_of_the_fills(acts):
    stage, told, placed, sides = Stage(), [], 0, {}

    def px(ticks):
        return str(D(50_000) + D("0.1") * ticks)

    for act in acts:
        match act:
            case ("place", ticks, lots, side, ioc):
                placed += 1
                sides[f"x-1-{placed}"] = side
                told += stage.place(
                    f"x-1-{placed}", px=px(ticks), qty=str(D("0.1") * lots), side=side, ioc=ioc
                )
            case ("amend", number, ticks, lots):
                told += stage.amend(f"x-1-{number}", px=px(ticks), qty=str(D("0.1") * lots))
            case ("cancel", number):
                told += stage.cancel(f"x-1-{number}")
            case ("trade", side, ticks, lots):
                told += stage.trade(side, px(ticks), str(D("0.1") * lots))
            case ("book", ticks, spread):
                told += stage.book(px(ticks), px(ticks + spread))
    done, position = {}, D(0)
    for one in told:
        if isinstance(one, OrderFilled):
            done[one.fill.client_order_id] = done.get(one.fill.client_order_id, D(0)) + one.fill.last_qty
            position += one.fill.side.sign * one.fill.last_qty
            assert one.fill.side is sides[one.fill.client_order_id]
        elif isinstance(one, OrderUpdated):
            assert one.cum_qty == done.get(one.client_order_id, 0) <= one.qty
            assert (one.status is VenueStatus.FILLED) == (one.cum_qty == one.qty)
    assert stage.read()[-1].positions[0].qty == position
    ids = [one.fill.exec_id for one in told if isinstance(one, OrderFilled)]
    assert len(set(ids)) == len(ids)
