"""The engine's commands in a recording, and its events out of it: exact numbers, in their order, at their instants."""

import pytest

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, PlaceOrder, QueryOrder, Reconcile, ReplaceOrder, Subscribe
from executor.domain.errors import InvariantViolation, LocalProtocolError
from executor.domain.events import (
    BookLost,
    BookUpdated,
    CancelAcked,
    CancelFoundNothing,
    CancelOutcomeUnknown,
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
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import install_decimal_context
from simulation.frictions import Charges
from simulation.replay import codes
from simulation.replay.layout import Rows
from simulation.replay.terms import Delay, ReplayTerms
from simulation.replay.twin import ReplayTwin
from simulation.replay_venue import RecordedWorld, Steps
from tests.builders import T0, D, instrument, new_order

LINEAR = Category.LINEAR
MS = NS_PER_MS
BOOK = [(0, codes.LEVEL, 1, 500_000, 2_000), (0, codes.LEVEL, -1, 500_001, 2_000)]
"""Two at 50000.0 and two at 50000.1; further rows come later: milliseconds after the start, kind, side, ticks, lots."""


def rows_of(table):
    """Rows, each a message of its own but for the first book."""
    flags = [0] + [codes.LAST] * (len(table) - 1)
    times = [T0 + int(at_ms * MS) for at_ms, *_ in table]
    columns = [[row[i] for row in table] for i in range(1, 5)]
    return Rows(times, times, *columns, [0] * len(table), flags)


class Stage:
    """A recording that is let go on, and what was heard of it."""

    def __init__(
        self, *later, rules=None, charges=None, steps=("0.1", "0.001"), conflate_ms=100, book=(), **terms
    ):
        usual = dict(
            feed=Delay(constant_ns=5 * MS), entry=Delay(constant_ns=10 * MS), answer=Delay(constant_ns=20 * MS),
            prices_only=True, conflate_ns=conflate_ms * MS,
        )  # fmt: skip
        self.terms = ReplayTerms(**{**usual, **terms})
        table = [*(book or BOOK), *later]
        chunks = iter(
            [(rows_of(table[:2]), False), (rows_of([(0, codes.MARK, 0, 500_000, 0), *table[2:]]), True)]
        )
        self.world = RecordedWorld(
            venue=ReplayTwin(self.terms, start_ns=T0), chunks=chunks, terms=self.terms,
            steps=Steps(tick_size=D(steps[0]), lot_size=D(steps[1])), rules=rules or instrument(),
            charges=charges or Charges(maker_fee_rate=D("-0.0001"), taker_fee_rate=D("0.0005")),
            conflate_ns=conflate_ms * MS,
        )  # fmt: skip
        self.heard = []

    def until(self, at_ms, *, books=False):
        """Everything heard until an instant, as (milliseconds, event)."""
        told = []
        while (event := self.world.advance(T0 + int(at_ms * MS))) is not None:
            told.append(((self.world.now_ns - T0) / MS, event))
        return [(at, one) for at, one in told if books or not isinstance(one, BookUpdated)]

    def send(self, request, at_ms):
        self.world.send(request, T0 + int(at_ms * MS))

    def place(self, name="x-1-1", *, at_ms=30, px="50000.0", qty="0.5", ioc=False, **over):
        order = new_order(
            client_order_id=name, px=D(px), qty=D(qty),
            time_in_force=TimeInForce.IOC if ioc else TimeInForce.POST_ONLY, **over,
        )  # fmt: skip
        self.send(PlaceOrder(approved=Approved(order=order, ticket=1, halt_epoch=0)), at_ms)

    def amend(self, name="x-1-1", *, at_ms=80, px="50000.0", qty="0.5", **over):
        whose = {**dict(client_order_id=name, parent_id="P1", category=LINEAR, symbol="BTCUSDT"), **over}
        new = Replacement(**whose, side=Side.BUY, qty=D(qty), px=D(px))
        self.send(ReplaceOrder(approved=Approved(order=new, ticket=2, halt_epoch=0)), at_ms)

    def cancel(self, name="x-1-1", *, at_ms=80):
        self.send(CancelOrder(category=LINEAR, symbol="BTCUSDT", client_order_id=name), at_ms)

    def read(self, at_ms, since_ms=0, category=LINEAR):
        symbols = ("BTCUSDT", "ETHUSDT")
        self.send(Reconcile(category=category, symbols=symbols, since_ms=since_ms), at_ms)


def kinds(told):
    return [(at, type(one)) for at, one in told]


# ---------------------------------------------------------------------- the book


def test_the_book_is_told_in_exact_decimals_and_with_the_exchange_s_time():
    stage = Stage((50, codes.TRADE, 1, 500_001, 1_500))
    told = stage.until(2_000, books=True)
    assert [at for at, _ in told] == [5, 1_005]
    first, second = (one.market for _, one in told)
    assert (first.best_bid, first.best_bid_qty, first.best_ask, first.best_ask_qty) == (
        D("50000.0"), D("2.000"), D("50000.1"), D("2.000"),
    )  # fmt: skip
    assert first.ts_exchange_ns == T0
    assert (second.traded_qty, second.traded_notional) == (D("1.500"), D("75000.15"))


def test_a_touch_that_moves_is_told_at_once_and_not_more_often_than_is_allowed():
    moves = [(at, codes.LEVEL, 1, 500_000 - n, 0) for n, at in enumerate((200, 210, 220, 400))]
    below = [(1, codes.LEVEL, 1, 499_990 + n, 1_000) for n in range(10)]
    told = Stage(*below, *moves).until(900, books=True)
    assert [at for at, _ in told] == [5, 205, 305, 405]
    assert [one.market.best_bid for _, one in told] == [
        D("50000.0"),
        D("49999.9"),
        D("49999.7"),
        D("49999.6"),
    ]


def test_sizes_alone_are_told_once_a_second_and_silence_is_not_told():
    sizes = [(at, codes.LEVEL, 1, 500_000, 1_000 + at) for at in range(100, 2_600, 100)]
    told = Stage(*sizes).until(10_000, books=True)
    assert [at for at, _ in told] == [5, 1_005, 2_005, 3_005]
    assert told[-1][1].market.best_bid_qty == D("3.500")


def test_a_book_that_loses_a_side_is_lost_once_and_found_again():
    stage = Stage(
        (100, codes.LEVEL, -1, 500_001, 0), (200, codes.LEVEL, 1, 499_999, 1), (700, codes.LEVEL, -1, 500_002, 9)
    )  # fmt: skip
    told = stage.until(900, books=True)
    assert kinds(told) == [(5, BookUpdated), (105, BookLost), (705, BookUpdated)]
    assert told[-1][1].market.best_ask == D("50000.2")


def test_a_message_that_only_empties_the_book_is_a_lost_book_until_there_are_levels_again():
    again = [(700, codes.LEVEL, 1, 499_990, 1_000), (900, codes.LEVEL, -1, 499_995, 1_000)]
    stage = Stage((300, codes.CLEAR, 0, 0, 0), (400, codes.TRADE, 1, 500_001, 5), *again)
    told = stage.until(1_500, books=True)
    assert kinds(told) == [(5, BookUpdated), (305, BookLost), (905, BookUpdated)]
    assert (told[-1][1].market.best_bid, told[-1][1].market.best_ask) == (D("49999.0"), D("49999.5"))


def test_what_is_seen_while_a_request_leaves_is_told_all_the_same():
    stage = Stage((200, codes.LEVEL, 1, 500_000, 0), (200, codes.LEVEL, 1, 499_990, 5))
    stage.until(204)
    stage.place(at_ms=205, px="49999.0")
    (told,) = stage.until(206, books=True)
    assert told[0] == 205
    assert told[1].market.best_bid == D("49999.0")


def test_it_never_goes_on_beyond_what_is_heard_nor_back():
    stage = Stage((200, codes.LEVEL, 1, 500_000, 0))
    assert isinstance(stage.world.advance(T0 + NS_PER_S), BookUpdated)
    assert stage.world.now_ns == T0 + 5 * MS
    assert stage.world.advance(T0) is None
    assert stage.world.now_ns == T0 + 5 * MS


# ---------------------------------------------------------------------- orders


def test_an_order_takes_both_ways_of_the_wire_and_its_fills_have_their_fee():
    stage = Stage((100, codes.TRADE, -1, 499_999, 900))
    stage.place()
    told = stage.until(200)
    assert kinds(told) == [(60, OrderAcked), (60, OrderUpdated), (120, OrderFilled), (120, OrderUpdated)]
    fill = told[2][1].fill
    assert (fill.last_qty, fill.last_px, fill.fee) == (D("0.500"), D("50000.0"), D("-2.5"))
    assert (fill.liquidity, fill.ts_exchange_ns) == (Liquidity.MAKER, T0 + 100 * MS)
    assert told[3][1].status is VenueStatus.FILLED


def test_what_takes_walks_the_book_and_the_rest_of_it_ends():
    stage = Stage((1, codes.LEVEL, -1, 500_003, 100))
    stage.place(px="50000.5", qty="3", ioc=True)
    told = stage.until(100)
    fills = [one.fill for _, one in told if isinstance(one, OrderFilled)]
    assert [(one.last_qty, one.last_px, one.fee) for one in fills] == [
        (D("2"), D("50000.1"), D("50.0001")), (D("0.1"), D("50000.3"), D("2.500015")),
    ]  # fmt: skip
    last = told[-1][1]
    assert (last.status, last.cum_qty, last.detail) == (
        VenueStatus.CANCELED, D("2.1"), "nothing more within the limit price",
    )  # fmt: skip


def test_what_we_take_is_printed_and_what_somebody_brings_us_was_already():
    later = [(100, codes.TRADE, -1, 499_999, 10), (1_500, codes.LEVEL, 1, 499_990, 1)]
    stage = Stage(*later)
    stage.place("x-1-1", px="50000.0", qty="0.5")
    stage.place("x-1-2", px="50000.1", qty="0.3", ioc=True)
    *_, (_, last) = stage.until(3_000, books=True)
    assert (last.market.traded_qty, last.market.traded_notional) == (D("0.310"), D("15500.029"))


def test_post_only_that_would_take_is_acknowledged_and_ended():
    stage = Stage()
    stage.place(px="50000.1")
    *_, (_, last) = stage.until(100)
    assert (last.status, last.detail) == (VenueStatus.CANCELED, "post-only would have taken liquidity")


def test_what_the_venue_refuses_is_rejected_with_its_reason():
    stage = Stage((1, codes.HALT, 0, 0, 1))
    stage.place()
    ((at, told),) = stage.until(100)
    assert (at, type(told), told.text, told.fatal) == (60, OrderRejected, "trading is halted", False)


def test_a_cancel_finds_its_order_or_nothing():
    stage = Stage()
    stage.place()
    stage.until(70)
    stage.cancel()
    stage.cancel(at_ms=90)
    told = stage.until(200)
    assert kinds(told) == [(110, CancelAcked), (110, OrderUpdated), (120, CancelFoundNothing)]
    assert told[1][1].status is VenueStatus.CANCELED
    assert told[2][1].asked_ns == T0 + 90 * MS


def test_a_cancel_that_came_too_often_proves_nothing():
    stage = Stage(requests_per_s_max=1)
    stage.place()
    stage.until(70)
    stage.cancel(at_ms=80)
    stage.cancel(at_ms=90)
    told = stage.until(200)
    assert kinds(told)[-1] == (120, CancelOutcomeUnknown)


def test_an_amendment_is_shown_on_its_new_terms_or_refused():
    stage = Stage()
    stage.place()
    stage.until(70)
    stage.amend(qty="0.3", px="49999.9")
    stage.amend(at_ms=81, qty="0.3", px="49999.9")
    told = stage.until(130)
    assert kinds(told) == [(110, ReplaceAcked), (110, OrderUpdated), (111, ReplaceRejected)]
    shown, refused = told[1][1], told[2][1]
    assert (shown.qty, shown.px, shown.status) == (D("0.3"), D("49999.9"), VenueStatus.NEW)
    assert (refused.text, refused.gone) == ("nothing would change", False)
    stage.cancel(at_ms=140)
    stage.amend(at_ms=150, qty="0.2")
    assert stage.until(300)[-1][1].gone


# ---------------------------------------------------------------------- questions


def test_a_question_is_answered_after_both_ways_with_all_that_was_heard_by_then():
    stage = Stage((100, codes.TRADE, -1, 500_000, 2_200))
    stage.place()
    stage.until(110)
    stage.send(QueryOrder(category=LINEAR, symbol="BTCUSDT", client_order_id="x-1-1"), 110)
    stage.send(QueryOrder(category=LINEAR, symbol="BTCUSDT", client_order_id="x-1-9"), 111)
    told = [pair for pair in stage.until(300) if pair[0] > 120]
    assert kinds(told) == [(140, OrderFilled), (140, OrderUpdated), (141, OrderAbsent)]
    update = told[1][1]
    assert (update.status, update.cum_qty, update.asked_ns) == (
        VenueStatus.PARTIALLY_FILLED, D("0.200"), T0 + 110 * MS,
    )  # fmt: skip


def test_a_question_never_overtakes_a_request_that_was_sent_before_it():
    stage = Stage(answer=Delay(samples_ns=(1 * MS, 900 * MS, 900 * MS, 900 * MS)), seed=3)
    for number in range(1, 9):
        stage.place(f"x-1-{number}", at_ms=30, qty="0.1")
        stage.send(QueryOrder(category=LINEAR, symbol="BTCUSDT", client_order_id=f"x-1-{number}"), 30)
    told = stage.until(3_000)
    assert not [one for _, one in told if isinstance(one, OrderAbsent)]
    assert len([one for _, one in told if isinstance(one, OrderUpdated) and one.asked_ns]) == 8


def test_a_complete_read_shows_executions_open_orders_and_positions():
    stage = Stage()
    stage.place("x-1-1")
    stage.place("x-1-2", px="50000.1", qty="0.3", ioc=True)
    stage.until(90)
    stage.read(100)
    told = stage.until(200)
    assert kinds(told) == [(130, OrderFilled), (130, OrderUpdated), (130, Reconciled)]
    done = told[-1][1]
    assert (done.asked_ns, done.open_client_order_ids) == (T0 + 100 * MS, ("x-1-1",))
    assert [(one.symbol, one.qty) for one in done.positions] == [("BTCUSDT", D("0.3")), ("ETHUSDT", 0)]
    stage.read(200, since_ms=T0 // MS + 1_000)
    stage.read(201, category=Category.SPOT)
    told = stage.until(300)
    assert kinds(told) == [(230, OrderUpdated), (230, Reconciled), (231, Reconciled)]
    assert (told[-1][1].positions, told[-1][1].open_client_order_ids) == ((), ())


def test_rules_are_told_of_the_recorded_symbol_alone():
    stage = Stage()
    for symbol in ("BTCUSDT", "ETHUSDT"):
        stage.send(Subscribe(category=LINEAR, symbol=symbol), 10)
    assert kinds(stage.until(100)) == [(40, InstrumentLoaded), (40, InstrumentMissing)]


def test_measured_latencies_carry_questions_too():
    stage = Stage(entry=Delay(measured=True), answer=Delay(measured=True))
    stage.until(50)
    stage.send(Subscribe(category=LINEAR, symbol="BTCUSDT"), 60)
    assert kinds(stage.until(100)) == [(70, InstrumentLoaded)]


# ---------------------------------------------------------------------- what cannot be


def test_what_our_engine_would_never_send_is_a_mistake_of_ours():
    stage = Stage()
    stage.place()
    with pytest.raises(LocalProtocolError, match="twice"):
        stage.place()
    for wrong, why in (
        (dict(px="50000.05"), "price off the steps"),
        (dict(qty="0.0005"), "quantity off the steps"),
        (dict(symbol="ETHUSDT"), "not the recorded symbol"),
    ):
        with pytest.raises(LocalProtocolError, match=why):
            stage.place(f"x-2-{why[0]}", **wrong)
    with pytest.raises(LocalProtocolError, match="never sent"):
        stage.cancel("x-9-9")
    with pytest.raises(LocalProtocolError, match="never sent"):
        stage.amend("x-9-9")


def test_steps_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="multiples"):
        Stage(steps=("0.3", "0.001"))


@pytest.mark.parametrize(
    ("later", "terms", "fee"),
    [
        (((100, codes.TRADE, -1, 499_990, 900),), {}, "-0.000001"),
        ((), dict(px="62500.0", ioc=True), "0.000004"),
    ],
)
def test_the_fee_of_a_contract_that_pays_in_coin_is_coin(later, terms, fee):
    """500 USD are 0.01 BTC at 50000.0, a rebate of 1 bp 0.000001 BTC; at 62500.0 0.008, 5 bp of it 0.000004."""
    install_decimal_context()
    rules = instrument(
        category=Category.INVERSE, symbol="BTCUSD", quote_coin="USD", qty_step=D(1), min_order_qty=D(1),
        max_order_qty=D(1_000_000), min_notional=D(0),
    )  # fmt: skip
    book = [(0, codes.LEVEL, 1, 500_000, 2_000), (0, codes.LEVEL, -1, 625_000, 2_000)]
    stage = Stage(*later, rules=rules, steps=("0.1", "1"), book=book)
    stage.place(**{"qty": "500", "category": Category.INVERSE, "symbol": "BTCUSD", **terms})
    (fill,) = [one.fill for _, one in stage.until(200) if isinstance(one, OrderFilled)]
    assert (fill.last_qty, fill.notional, fill.fee_coin) == (D(500), D(500), "")
    assert fill.fee == D(fee) == fill.coin_qty * D("-0.0001" if later else "0.0005")


def test_coarser_rules_than_the_recording_s_steps_are_exact():
    stage = Stage(steps=("0.05", "0.0005"), rules=instrument())
    stage.place(px="25000.0", qty="0.5")
    told = stage.until(100)
    assert (told[-1][1].px, told[-1][1].qty) == (D("25000.0"), D("0.5"))


def test_a_venue_that_fills_otherwise_than_it_says_is_not_believed():
    stage = Stage((100, codes.TRADE, -1, 499_999, 10))
    stage.place()
    answers = stage.world.venue.answers
    stage.world.venue.answers = lambda: [
        one._replace(leaves=one.leaves + 1) if one.kind == codes.FILLED else one for one in answers()
    ]
    with pytest.raises(InvariantViolation, match="what is left"):
        stage.until(200)
