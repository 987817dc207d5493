"""A seat in a market of agents: what our requests become there, what is heard of them and when, and who pays what."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, PlaceOrder, QueryOrder, Reconcile, ReplaceOrder, Subscribe
from executor.domain.errors import InvariantViolation, LocalProtocolError
from executor.domain.events import (
    BookLost,
    BookUpdated,
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
from simulation.agent_seat import EmptySeat, SeatRecord
from simulation.agent_world import AgentWorld, check_account
from simulation.agents.market_maker import MarketMaker, MarketMakerParams
from simulation.agents.noise import NoiseParams, NoiseTrader
from simulation.clearing.refusals import Refusal
from simulation.clearing.rules import ClearingRules
from simulation.draws import Draws
from simulation.frictions import Latencies
from simulation.market.engine import Asset, Latency, SimulationEngine
from simulation.market.protocol import NEVER, Intent, MarketView, cancel_all, limit, market, wake_at
from tests.builders import T0, D, instrument, new_order

MS = 1_000_000
S = 1_000_000_000
RULES = instrument(
    category=Category.SPOT, symbol="AGENTS", base_coin="AGENTS", quote_coin="USD", tick_size=D("0.01"),
    qty_step=D("0.5"), min_order_qty=D("0.5"), min_notional=D(0),
)  # fmt: skip
LATENCIES = Latencies(entry_ns=7 * MS, answer_ns=11 * MS, feed_ns=3 * MS)
MONEY, LOTS = 10**9, 1_000


class Scripted:
    """Does what is written down, when it is written down."""

    hears_fills = False

    def __init__(self, *script: tuple[int, Sequence[Intent]]) -> None:
        self.script = list(script)

    def start(self, draws: Draws) -> int:
        return self.script[0][0] if self.script else NEVER

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        _, intents = self.script.pop(0)
        return [*intents, *([wake_at(self.script[0][0])] if self.script else [])]


BOTH_SIDES = (MS, [limit(0, 1, 4, 9_999), limit(0, -1, 4, 10_001)])


class Seat:
    """A world with a scripted neighbour who quotes 99.99 and 100.01, four lots of half a unit each."""

    def __init__(self, *script, money=MONEY, lots=LOTS, until_ns=10 * MS):
        self.record = SeatRecord(1)
        self.market = SimulationEngine(
            1,
            [Asset(10_000)],
            rules=ClearingRules(taker_fee_ppm=500, maker_fee_ppm=-100),
            events=self.record,
            ledger=self.record,
        )
        self.market.add_agent(Scripted(BOTH_SIDES, *script), cash=MONEY, positions_qty=(LOTS,))
        self.market.add_agent(EmptySeat(), cash=money, positions_qty=(lots,))
        self.before = (money, lots)
        self.market.run(until_ns=until_ns)
        self.world = AgentWorld(
            market=self.market,
            participant=1,
            record=self.record,
            rules=RULES,
            epoch_ns=T0,
            latencies=LATENCIES,
        )

    def heard(self, until_ns):
        """All that is heard until an instant of the market: (instant of hearing, event)."""
        found = []
        while (event := self.world.advance(T0 + until_ns)) is not None:
            found.append((self.world.now_ns - T0, event))
        return found

    def told(self, until_ns):
        """The same without the book and the instants."""
        return [event for _, event in self.heard(until_ns) if not isinstance(event, BookUpdated | BookLost)]

    def ask(self, request, until_ns=None):
        at_ns = self.world.now_ns
        self.world.send(request, at_ns)
        return self.told(at_ns - T0 + 20 * MS if until_ns is None else until_ns)

    def place(self, name="x-1-1", *, px="99.98", qty="1.0", ioc=False, side=Side.BUY, **over):
        order = new_order(
            client_order_id=name, px=D(px), qty=D(qty), category=Category.SPOT, symbol=over.pop("symbol", "AGENTS"),
            side=side, time_in_force=TimeInForce.IOC if ioc else TimeInForce.POST_ONLY, **over,
        )  # fmt: skip
        return self.ask(PlaceOrder(approved=Approved(order=order, ticket=1, halt_epoch=0)))

    def amend(self, name="x-1-1", *, px="99.98", qty="1.0"):
        new = Replacement(
            client_order_id=name, parent_id="P1", category=Category.SPOT, symbol="AGENTS", side=Side.BUY,
            qty=D(qty), px=D(px),
        )  # fmt: skip
        return self.ask(ReplaceOrder(approved=Approved(order=new, ticket=2, halt_epoch=0)))

    def cancel(self, name="x-1-1"):
        return self.ask(CancelOrder(category=Category.SPOT, symbol="AGENTS", client_order_id=name))

    def check(self):
        check_account(self.world, self.market, 1, self.before, RULES)


def filled(events):
    return [(one.fill.last_qty, one.fill.last_px) for one in events if isinstance(one, OrderFilled)]


def kinds(events):
    return [type(one) for one in events]


def test_a_request_takes_its_way_there_and_its_answer_the_way_back():
    seat = Seat()
    sent_ns = seat.world.now_ns - T0
    order = new_order(
        client_order_id="x-1-1", px=D("99.98"), qty=D("1.0"), category=Category.SPOT, symbol="AGENTS"
    )
    seat.world.send(PlaceOrder(approved=Approved(order=order, ticket=1, halt_epoch=0)), seat.world.now_ns)
    heard = [(at, one) for at, one in seat.heard(100 * MS) if not isinstance(one, BookUpdated)]
    assert kinds([one for _, one in heard]) == [OrderAcked, OrderUpdated]
    assert {at for at, _ in heard} == {sent_ns + LATENCIES.entry_ns + LATENCIES.answer_ns}
    assert seat.world.first_arrival_ns == sent_ns + LATENCIES.entry_ns
    assert seat.market.exchange.books[0].depth(1, 5) == [(9_999, 4), (9_998, 2)]


def test_the_book_is_told_with_the_delay_of_the_feed_and_in_its_own_units():
    seat = Seat()
    (at_ns, event), *_ = seat.heard(30 * MS)
    assert at_ns == 13 * MS
    assert isinstance(event, BookUpdated)
    assert (event.market.best_bid, event.market.best_bid_qty) == (D("99.99"), D("2.0"))
    assert (event.market.best_ask, event.market.best_ask_qty) == (D("100.01"), D("2.0"))
    assert event.market.ts_exchange_ns == T0 + 10 * MS


def test_a_book_that_does_not_move_is_told_once_a_second_as_long_as_there_are_messages():
    busy = Seat(*[(k * 400 * MS, [limit(0, 1, 1, 9_900)]) for k in range(1, 8)])
    told = [at for at, one in busy.heard(6 * S) if isinstance(one, BookUpdated)]
    assert told == [13 * MS, 1_013 * MS, 2_013 * MS, 2_803 * MS + 210 * MS]


def test_a_book_without_two_sides_is_lost_and_found_again():
    seat = Seat((S, [cancel_all(0)]), (2 * S, [limit(0, 1, 4, 9_999), limit(0, -1, 4, 10_001)]))
    heard = [(at, type(one)) for at, one in seat.heard(3 * S)]
    assert (S + 3 * MS, BookLost) in heard
    assert [kind for _, kind in heard].count(BookLost) == 1
    assert (2 * S + 3 * MS, BookUpdated) in heard


def test_what_takes_is_filled_at_the_prices_of_the_others_and_the_house_takes_its_fee():
    seat = Seat()
    told = seat.place(px="100.02", qty="3.0", ioc=True)
    assert kinds(told) == [OrderAcked, OrderUpdated, OrderFilled, OrderUpdated, OrderUpdated]
    assert filled(told) == [(D("2.0"), D("100.01"))]
    fill = told[2].fill
    # 500 ppm of 200.02, in whole units of the house: a tick times a lot over its scale.
    assert (fill.liquidity, fill.fee) == (Liquidity.TAKER, D("0.1"))
    assert told[-1].status is VenueStatus.CANCELED
    seat.check()


def test_who_waits_is_filled_when_somebody_comes_and_hears_of_it_later():
    seat = Seat((S, [market(0, -1, 6)]))
    assert kinds(seat.place(px="99.99")) == [OrderAcked, OrderUpdated]
    heard = [(at, one) for at, one in seat.heard(2 * S) if isinstance(one, OrderFilled)]
    ((at_ns, one),) = heard
    # Four lots of the neighbour came first; he does not trade with himself, so these are canceled.
    assert (one.fill.last_qty, one.fill.last_px, one.fill.liquidity) == (
        D("1.0"),
        D("99.99"),
        Liquidity.MAKER,
    )
    assert (at_ns, one.fill.ts_exchange_ns) == (S + LATENCIES.answer_ns, T0 + S)
    assert one.fill.fee == D("-0.01")
    seat.check()


def test_post_only_that_would_take_is_acknowledged_and_ended():
    told = Seat().place(px="100.01")
    assert kinds(told) == [OrderAcked, OrderUpdated]
    assert told[1].status is VenueStatus.CANCELED


def test_the_house_refuses_what_the_account_cannot_pay_or_does_not_own():
    poor = Seat(money=100, lots=1)
    (buy,) = poor.place(px="100.01", qty="50.0", ioc=True)
    (sell,) = poor.place("x-1-2", px="99.99", qty="1.0", ioc=True, side=Side.SELL)
    assert isinstance(buy, OrderRejected)
    assert isinstance(sell, OrderRejected)
    assert (buy.text, sell.text) == (Refusal.CASH.sentence, Refusal.SHARES.sentence)
    assert buy.unfunded
    assert sell.unfunded
    poor.check()


@pytest.mark.parametrize(
    ("over", "text"),
    [({"symbol": "OTHER"}, "no such symbol"), ({"px": "99.985"}, "whole"), ({"qty": "0.25"}, "whole")],
)
def test_what_is_not_of_this_market_never_reaches_it(over, text):
    seat = Seat()
    (told,) = seat.place(**over)
    assert isinstance(told, OrderRejected)
    assert text in told.text
    assert seat.world.first_arrival_ns is None


def test_a_cancel_ends_what_waits_and_finds_nothing_afterwards():
    seat = Seat()
    seat.place()
    acked, ended = seat.cancel()
    assert isinstance(acked, CancelAcked)
    assert (ended.status, ended.cum_qty) == (VenueStatus.CANCELED, 0)
    (nothing,) = seat.cancel()
    assert isinstance(nothing, CancelFoundNothing)
    assert seat.market.exchange.open_orders[1] == {}


def test_an_amendment_moves_what_is_open():
    # The neighbour's own four lots go out of his way, and three of ours are sold to us.
    seat = Seat((S, [market(0, -1, 3)]))
    seat.place(px="99.99", qty="2.0")
    seat.heard(2 * S)
    acked, shown = seat.amend(px="99.97", qty="3.0")
    assert isinstance(acked, ReplaceAcked)
    assert (shown.qty, shown.px, shown.cum_qty) == (D("3.0"), D("99.97"), D("1.5"))
    ((asset, side, px, leaves),) = seat.market.exchange.open_orders[1].values()
    assert (asset, side, px, leaves) == (0, 1, 9_997, 3)


@pytest.mark.parametrize(
    ("terms", "text", "gone"),
    [
        ({"px": "100.01"}, "post-only", False),
        ({"px": "99.98", "qty": "1.0"}, "nothing would change", False),
        ({"px": "99.981"}, "whole", False),
        ({"px": "99.97", "qty": "2000000.0"}, "cash", False),
        ({"name": "x-9-9"}, "no such", True),
    ],
)
def test_an_amendment_that_cannot_be_is_refused_and_changes_nothing(terms, text, gone):
    seat = Seat(money=10**8)
    seat.place()
    (told,) = seat.amend(**terms)
    assert isinstance(told, ReplaceRejected)
    assert text in told.text
    assert told.gone is gone
    ((_, _, px, leaves),) = seat.market.exchange.open_orders[1].values()
    assert (px, leaves) == (9_998, 2)


def test_questions_are_answered_from_what_is_there_when_they_arrive():
    seat = Seat()
    assert kinds(seat.ask(QueryOrder(category=Category.SPOT, symbol="AGENTS", client_order_id="x-1-1"))) == [
        OrderAbsent
    ]
    seat.place(px="100.01", qty="1.0", ioc=True)
    seat.place("x-1-2")
    told = seat.ask(Reconcile(category=Category.SPOT, symbols=("AGENTS",), since_ms=0))
    assert kinds(told) == [OrderFilled, OrderUpdated, Reconciled]
    assert told[-1].open_client_order_ids == ("x-1-2",)
    (rules,) = seat.ask(Subscribe(category=Category.SPOT, symbol="AGENTS"))
    (none,) = seat.ask(Subscribe(category=Category.SPOT, symbol="OTHER"))
    assert isinstance(rules, InstrumentLoaded)
    assert isinstance(none, InstrumentMissing)


def test_one_name_is_one_order():
    seat = Seat()
    seat.place()
    with pytest.raises(LocalProtocolError, match="twice"):
        seat.place()


def test_two_orders_of_ours_never_trade_with_each_other():
    seat = Seat()
    seat.place(px="100.00")
    told = seat.place("x-1-2", px="99.99", qty="1.0", ioc=True, side=Side.SELL)
    ended = [one for one in told if isinstance(one, OrderUpdated) and one.status is VenueStatus.CANCELED]
    assert [one.client_order_id for one in ended] == ["x-1-1"]
    assert filled(told) == [(D("1.0"), D("99.99"))]
    seat.check()


def test_an_account_that_is_not_what_was_told_is_an_alarm():
    seat = Seat()
    seat.place(px="100.01", qty="1.0", ioc=True)
    seat.check()
    seat.before = (MONEY + 1, LOTS)
    with pytest.raises(InvariantViolation, match="disagree"):
        seat.check()


def test_a_cash_account_trades_spot_alone():
    seat = Seat()
    with pytest.raises(ValueError, match="spot"):
        AgentWorld(
            market=seat.market, participant=1, record=seat.record, rules=instrument(), epoch_ns=T0,
            latencies=LATENCIES,
        )  # fmt: skip


def crowd(seed, record=None):
    """Build a small market by chance; the seat is the last one."""
    engine = SimulationEngine(
        seed, [Asset(10_000)], rules=ClearingRules(taker_fee_ppm=300), events=record, ledger=record
    )
    engine.add_agent(
        MarketMaker(MarketMakerParams(base_spread_bps=10.0, levels_count=3, limit_qty=500)),
        cash=10**10,
        positions_qty=(10_000,),
        latency=Latency(feed_ns=MS, order_ns=MS),
    )
    for _ in range(6):
        engine.add_agent(
            NoiseTrader(NoiseParams(mean_wait_ns=S // 4)),
            cash=10**9,
            positions_qty=(1_000,),
            latency=Latency(feed_ns=5 * MS, order_ns=5 * MS, jitter_ns=2 * MS),
        )
    return engine


def test_a_seat_that_is_silent_and_looked_at_from_event_to_event_is_nobody():
    alone = crowd(5)
    alone.run(until_ns=20 * S)
    record = SeatRecord(7)
    beside = crowd(5, record)
    beside.add_agent(EmptySeat(), cash=MONEY, positions_qty=(LOTS,))
    world = AgentWorld(
        market=beside, participant=7, record=record, rules=RULES, epoch_ns=T0, latencies=LATENCIES
    )
    books = 0
    while world.advance(T0 + 20 * S) is not None:
        books += 1
    assert books > 20
    assert beside.summary().event_hash == alone.summary().event_hash


@settings(max_examples=max(settings().max_examples // 5, 1))
@given(
    seed=st.integers(0, 2**32),
    orders=st.lists(
        st.tuples(st.sampled_from(Side), st.integers(9_960, 10_040), st.integers(1, 60), st.booleans()),
        min_size=1,
        max_size=12,
    ),
)
def test_whatever_is_sent_house_and_messages_agree_to_the_last_unit(seed, orders):
    record = SeatRecord(7)
    market_of_crowd = crowd(seed, record)
    market_of_crowd.add_agent(EmptySeat(), cash=10**8, positions_qty=(100,))
    market_of_crowd.run(until_ns=3 * S)
    world = AgentWorld(
        market=market_of_crowd, participant=7, record=record, rules=RULES, epoch_ns=T0, latencies=LATENCIES
    )
    for number, (side, px, lots, takes) in enumerate(orders):
        order = new_order(
            client_order_id=f"x-1-{number}", px=px * D("0.01"), qty=lots * D("0.5"), category=Category.SPOT,
            symbol="AGENTS", side=side, time_in_force=TimeInForce.IOC if takes else TimeInForce.POST_ONLY,
        )  # fmt: skip
        world.send(PlaceOrder(approved=Approved(order=order, ticket=1, halt_epoch=0)), world.now_ns)
        while world.advance(T0 + 3 * S + number * 100 * MS) is not None:
            pass
    while world.advance(world.now_ns + S // 2) is not None:
        pass
    check_account(world, market_of_crowd, 7, (10**8, 100), RULES)
    still_open = {one.order.client_order_id: one.leaves_qty for one in world.orders if one.is_open}
    waiting = market_of_crowd.exchange.open_orders[7].values()
    assert sum(still_open.values()) == sum(leaves for _, _, _, leaves in waiting) * D("0.5")
    assert not record.own
    assert not record.fees
