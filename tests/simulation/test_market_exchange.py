"""The market at one instant: what each kind of message does to book, house and open orders, and what is refused."""

import pytest

from simulation.book.book import OrderBook
from simulation.book.messages import (
    ACCEPTED,
    AMENDED,
    BAD_PX,
    BAD_SIDE,
    CANCELED,
    FILL,
    FOK,
    IOC,
    IS_STOP,
    NOT_FILLABLE,
    NOTHING_LEFT,
    POST_ONLY,
    REJECTED,
    SELF_TRADE,
    TRIGGERED,
    UNKNOWN_ORDER,
    WOULD_TAKE,
)
from simulation.book.native import NativeBook
from simulation.book.twin import TwinBook
from simulation.clearing.house import ClearingHouse
from simulation.clearing.refusals import Refusal
from simulation.market.events import NONSENSE, REFUSED, EventLog
from simulation.market.exchange import Exchange
from simulation.market.information import Board
from simulation.market.protocol import (
    CANCEL_ALL,
    amend,
    cancel,
    cancel_all,
    indicate,
    limit,
    market,
    stop,
)
from simulation.market.tape import Tape
from tests.simulation.kept_events import MemorySink

ANN, BOB, EVE = 0, 1, 2


class Market:
    """Three traders with 10 000 units of money and 100 lots each, one asset, a unit a tick and lot."""

    def __init__(self, book: OrderBook) -> None:
        self.sink = MemorySink()
        self.log = EventLog(self.sink)
        self.house = ClearingHouse(3, 1)
        for who in (ANN, BOB, EVE):
            self.house.deposit(0, who, 10_000)
            self.house.deliver(0, who, 0, 100)
        self.exchange = Exchange(self.house, [book], [Board()], [100], self.log)
        self.now_ns = 0

    def says(self, who: int, *intents: tuple[int, ...]) -> list[tuple[int, int]]:
        """What happens: kind and reason of each event."""
        self.now_ns += 1
        self.exchange.deliver(self.now_ns, who, intents)  # type: ignore[arg-type]
        self.log.digest()
        assert self.house.breaches() == []
        waiting = [set(orders) for orders in self.exchange.open_orders]
        assert waiting == [set(self.house.open_orders(who)) for who in (ANN, BOB, EVE)]
        for orders in self.exchange.open_orders:
            for order_id, order in orders.items():
                assert order[3] == self.exchange.books[0].leaves(order_id) == self.house.reserved(order_id)[0]
        return [(event.kind, event.reason) for event in self.sink.events() if event.at_ns == self.now_ns]


@pytest.fixture(params=[TwinBook, NativeBook])
def place(request: pytest.FixtureRequest) -> Market:
    return Market(request.param())


def test_orders_rest_trade_and_are_taken_back(place: Market) -> None:
    assert place.says(ANN, limit(0, 1, 10, 99), limit(0, -1, 10, 101)) == [(ACCEPTED, 0)] * 2
    assert place.exchange.open_orders[ANN] == {1: (0, 1, 99, 10), 2: (0, -1, 101, 10)}
    assert place.says(BOB, market(0, 1, 4)) == [(ACCEPTED, 0), (FILL, 0)]
    assert place.exchange.open_orders[ANN][2] == (0, -1, 101, 6)
    assert (place.house.cash[BOB], place.house.shares[0][BOB]) == (10_000 - 404, 104)
    assert (place.exchange.last_pxs, place.exchange.volumes_qty, place.exchange.signed_qty) == (
        [101],
        [4],
        [4],
    )
    assert place.says(BOB, limit(0, -1, 12, 99)) == [(ACCEPTED, 0), (FILL, 0)]
    assert place.exchange.open_orders[BOB] == {4: (0, -1, 99, 2)}
    assert place.says(ANN, cancel(2), cancel(2), cancel(4)) == [
        (CANCELED, 16),
        (REJECTED, UNKNOWN_ORDER),
        (REJECTED, UNKNOWN_ORDER),
    ]
    assert place.exchange.refused == [2, 0, 0]
    assert place.exchange.messages == 7


def test_a_market_order_stops_at_its_protection_price(place: Market) -> None:
    place.says(ANN, limit(0, -1, 5, 100), limit(0, -1, 5, 110), limit(0, -1, 5, 111))
    assert place.says(BOB, market(0, 1, 15)) == [
        (ACCEPTED, 0),
        (FILL, 0),
        (FILL, 0),
        (CANCELED, NOTHING_LEFT),
    ]
    assert place.house.shares[0][BOB] == 110
    assert place.says(BOB, market(0, -1, 1)) == [(REJECTED, NOTHING_LEFT)]


def test_times_in_force(place: Market) -> None:
    place.says(ANN, limit(0, -1, 5, 100))
    assert place.says(BOB, limit(0, 1, 9, 100, FOK)) == [(REJECTED, NOT_FILLABLE)]
    assert place.says(BOB, limit(0, 1, 9, 100, POST_ONLY)) == [(REJECTED, WOULD_TAKE)]
    assert place.says(BOB, limit(0, 1, 9, 100, IOC)) == [(ACCEPTED, 0), (FILL, 0), (CANCELED, NOTHING_LEFT)]
    assert place.says(BOB, limit(0, 1, 9, 100, POST_ONLY)) == [(ACCEPTED, 0)]
    assert place.says(BOB, limit(0, 1, 9, 100, 77))[0][0] == REJECTED


def test_an_iceberg_keeps_all_its_lots_reserved(place: Market) -> None:
    place.says(ANN, limit(0, -1, 50, 100, display_qty=10))
    assert place.exchange.books[0].depth(-1, 1) == [(100, 10)]
    assert place.says(BOB, market(0, 1, 25)) == [(ACCEPTED, 0)] + [(FILL, 0)] * 3
    assert place.exchange.open_orders[ANN] == {1: (0, -1, 100, 25)}
    assert place.says(ANN, limit(0, -1, 76, 100)) == [(REFUSED, Refusal.SHARES)]
    assert place.says(ANN, limit(0, -1, 50, 100)) == [(ACCEPTED, 0)]


def test_amendments_reserve_anew_or_change_nothing(place: Market) -> None:
    place.says(ANN, limit(0, 1, 10, 90))
    place.says(BOB, limit(0, -1, 5, 100))
    assert place.says(ANN, amend(1, 95, 20)) == [(AMENDED, 0)]
    assert place.house.free[ANN] == 10_000 - 20 * 95
    assert place.says(ANN, amend(1, 95, 10_000)) == [(REFUSED, Refusal.CASH)]
    assert place.says(BOB, amend(1, 95, 1)) == [(REJECTED, UNKNOWN_ORDER)]
    assert place.says(EVE, limit(0, 1, 5, 94, POST_ONLY), amend(3, 100, 5)) == [
        (ACCEPTED, 0),
        (REJECTED, WOULD_TAKE),
    ]
    assert place.exchange.open_orders[EVE] == {3: (0, 1, 94, 5)}
    assert place.says(ANN, amend(1, 100, 8)) == [(AMENDED, 0), (FILL, 0)]
    assert place.exchange.open_orders[ANN] == {1: (0, 1, 100, 3)}


def test_stops_wait_for_their_price(place: Market) -> None:
    assert place.says(EVE, stop(0, -1, 7, 95)) == [(ACCEPTED, 0)]
    assert place.says(EVE, stop(0, -1, 7, 95, 200), stop(0, 2, 7, 95), stop(0, 1, 7, 0)) == [
        (ACCEPTED, 0),
        (REJECTED, BAD_SIDE),
        (REJECTED, BAD_PX),
    ]
    place.says(ANN, limit(0, 1, 10, 95), limit(0, 1, 10, 90))
    happened = place.says(BOB, limit(0, -1, 1, 95))
    assert happened == [(ACCEPTED, 0), (FILL, 0), (TRIGGERED, 0), (FILL, 0), (TRIGGERED, 0)]
    assert place.house.shares[0][EVE] == 93
    assert list(place.exchange.open_orders[EVE].values()) == [(0, -1, 200, 7)], "the other rests at its limit"


def test_a_stop_that_cannot_be_amended_keeps_what_it_may_cost(place: Market) -> None:
    """Its trigger is what is shown, its limit what is reserved: after the attempt it must still be able to pay that."""
    place.says(EVE, stop(0, 1, 10, 100))
    assert place.house.reserved(1) == (10, 1_100)
    assert place.says(EVE, amend(1, 105, 5)) == [(REJECTED, IS_STOP)]
    assert place.house.reserved(1) == (10, 1_100)
    assert place.exchange.open_orders[EVE] == {1: (0, 1, 100, 10)}
    place.says(ANN, limit(0, -1, 1, 100), limit(0, -1, 10, 108))
    assert place.says(BOB, market(0, 1, 1)) == [(ACCEPTED, 0), (FILL, 0), (TRIGGERED, 0), (FILL, 0)]
    assert place.house.shares[0][EVE] == 110


def test_nobody_trades_with_oneself(place: Market) -> None:
    place.says(ANN, limit(0, -1, 5, 100))
    assert place.says(ANN, limit(0, 1, 5, 100)) == [(ACCEPTED, 0), (CANCELED, SELF_TRADE)]
    assert place.exchange.open_orders[ANN] == {2: (0, 1, 100, 5)}


def test_all_of_ones_orders_can_be_taken_back_at_once(place: Market) -> None:
    place.says(ANN, limit(0, 1, 5, 90), limit(0, -1, 5, 110), stop(0, 1, 1, 120))
    place.says(BOB, limit(0, 1, 5, 91))
    assert place.says(ANN, cancel_all(0)) == [(CANCELED, 16)] * 3
    assert place.exchange.open_orders == [{}, {4: (0, 1, 91, 5)}, {}]


def test_the_tape_sees_amendments_of_every_asset_and_orders_that_are_taken_back() -> None:
    house, tape = ClearingHouse(1, 2), Tape(2)
    house.deposit(0, ANN, 10_000)
    for asset in (0, 1):
        house.deliver(0, ANN, asset, 100)
    exchange = Exchange(
        house, [TwinBook(), TwinBook()], [Board(), Board()], [100, 100], EventLog(), tape=tape
    )
    exchange.deliver(1, ANN, [limit(1, 1, 5, 90), limit(1, -1, 5, 110), limit(1, 1, 5, 80)])
    exchange.deliver(2, ANN, [amend(1, 95, 5)])
    exchange.deliver(3, ANN, [cancel_all(0)])
    exchange.cancel_everything(4, ANN, 0)
    assert (tape.assets[1].quote_ns[-1], tape.assets[1].bid_px[-1]) == (2, 95)
    exchange.deliver(5, ANN, [cancel(1)])
    assert tape.assets[1].mid2_px == 190
    exchange.cancel_everything(6, ANN)
    assert tape.assets[1].mid2_px == 0
    assert tape.assets[0].quote_ns == []


def test_who_has_not_cannot_spend(place: Market) -> None:
    assert place.says(ANN, limit(0, 1, 101, 100)) == [(REFUSED, Refusal.CASH)]
    assert place.says(ANN, limit(0, -1, 101, 100)) == [(REFUSED, Refusal.SHARES)]
    assert place.says(ANN, limit(0, 1, 0, 100)) == [(REFUSED, Refusal.BAD_QTY)]
    assert place.exchange.refusals[REFUSED, Refusal.CASH] == 1


def test_indications_have_no_names(place: Market) -> None:
    place.says(ANN, indicate(0, 1, 30))
    place.says(BOB, indicate(0, -1, 50), (8, 0, 0, 5, 0, 0, 0))
    assert place.exchange.boards[0].posted == [(1, 30.0), (2, -50.0)]
    assert place.exchange.refusals[NONSENSE, 0] == 1


def test_what_is_no_kind_of_message_is_nonsense(place: Market) -> None:
    assert (
        place.says(ANN, (0, 0, 1, 1, 1, 0, 0), (9, 0, 1, 1, 1, 0, 0), (CANCEL_ALL, 3, 0, 0, 0, 0, 0))
        == [(NONSENSE, 0)] * 3
    )
