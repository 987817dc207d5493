"""Agents of Python's own in a compiled market: the same events, tape and accounts as the engine gives with them."""

from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from simulation.book.native import NativeBook
from simulation.compiled_market.market import CompiledMarket
from simulation.draws import Draws
from simulation.market.engine import Asset, Latency, SimulationEngine
from simulation.market.events import NONSENSE, RETIRED
from simulation.market.information import Listens, Source
from simulation.market.protocol import NEVER, limit, market, stop, wake_at
from simulation.market.tape import AssetTape, Tape
from simulation.market.values import DividendValue, JumpingValue
from simulation.present_value import Dividend
from tests.simulation.kept_events import MemorySink
from tests.simulation.test_compiled_market import AGENTS, FULL, MS, TERMS, accounts, fees, seat

pytestmark = pytest.mark.timeout(7_200 if FULL else 600)
HUGE = 1 << 80


class Odd:
    """Asks for all kinds of things, sensible or not, by its own draws; now and then it fails."""

    hears_fills = False

    def __init__(self, number, fails):
        self.number, self.fails, self.seen = number, fails, []

    def start(self, draws):
        self.draws = draws
        if self.fails and draws.below(8) == 0:
            raise RuntimeError("does not begin")
        return NEVER if draws.below(8) == 0 else draws.below(10 * MS)

    def on_wakeup(self, view):
        below = self.draws.below
        orders = dict(view.open_orders)
        prices = (view.bid(0), view.ask(0), view.mid2(0), view.last_px(0))
        account = (
            view.cash,
            view.position_qty(0),
            view.in_flight,
            view.refused,
            orders,
            len(view.open_orders),
        )
        public = (
            view.volume_qty(0),
            view.signed_qty(0),
            list(view.depth(0, 1, 3)),
            list(view.depth(0, -1, 3)),
        )
        told = (list(view.told), view.fills, view.scale)
        self.seen.append((view.now_ns, view.participant, *prices, *account, *public, *told))
        side, qty = 2 * below(2) - 1, 1 + below(30)
        px = view.mid2(0) // 2 + below(41) - 20
        asked = []
        for _ in range(below(6)):
            what = below(30)
            if what < 9:
                asked.append(limit(0, side, qty, px, below(4)))
            elif what < 12:
                asked.append(market(0, side, qty))
            elif what < 16:
                asked += [(3, 0, 0, 0, 0, 0, order_id) for order_id in view.open_orders][:2]
            elif what < 18:
                asked.append((3, 0, 0, 0, 0, 0, 1 + below(200)))
            elif what == 18:
                asked.append((6, 0, 0, 0, 0, 0, 0))
            else:
                asked.append(NONSENSICAL[below(len(NONSENSICAL))])
        if self.fails and below(40) == 0:
            return view.bid(1)
        odd = below(40)
        if odd == 0:
            return {"no": "answer"}
        if odd == 1:
            return asked * 400
        return (*asked, wake_at(view.now_ns - 1 if odd == 2 else view.now_ns + 1 + below(4 * MS)))


NONSENSICAL = (
    *((1, 0, 1, 0, 50, 0, 0), (1, 0, -1, 5, 0, 0, 0), (1, 0, 0, 5, 50, 0, 0), (1, 0, 7, 5, 50, 0, 0)),
    *((1, 0, 1, 5, 50, 9, 0), (1, 1, 1, 5, 50, 0, 0), (1, -1, 1, 5, 50, 0, 0), (1, 0, 1, -5, 50, 0, 0)),
    *((1, 0, 1, HUGE, 50, 0, 0), (1, 0, HUGE + 1, 5, 50, 0, 0), (1, 0, 1, 1 << 41, 50, 0, 0), (2, 0, 5, 5, 0, 0, 0)),
    *((9, 0, 1, 5, 50, 0, 0), (7, 0, 0, 0, 0, 0, 5), (0, 0, 0, 0, 0, 0, 0), (3, 0, 0, 0, 0, 0, HUGE)),
    *((True, False, True, 5, 50, False, 0), (1, 0, 1, 5.0, 50, 0, 0), (1, 0, 1, "5", 50, 0, 0), (1, 0, 1)),
    *(None, "limited", (3, 0, 0, 0, 0, 0, 0)),
    *([1, 0, 1, 5, 50, 0, 0], (1, 0, 1, None, 50, 0, 0), (1, 0, 1, float("nan"), 50, 0, 0)),
)  # fmt: skip


def columns(tape: AssetTape):
    return {field.name: getattr(tape, field.name) for field in fields(tape)}


def both(seed, first_px, seats, rules, value=None):
    """Make the same market twice: by the engine, and compiled with some agents of Python's own.

    A seat is (parameters or what makes an agent, cash, lots, latency, is it called, what it listens to).
    """
    tape, other_tape, rows, others = Tape(1), AssetTape(), MemorySink(), MemorySink()
    values = (value() if value else None, value() if value else None)
    engine = SimulationEngine(
        seed,
        [Asset(first_px, values[0])],
        rules=rules,
        book=lambda: NativeBook(TERMS),
        events=rows,
        tape=tape,
    )
    market = CompiledMarket(
        seed, first_px, rules=rules, terms=TERMS, events=others, tape=other_tape, value=values[1]
    )
    pairs = []
    for what, cash, lots, latency, is_called, listens in seats:
        make = AGENTS.get(type(what))
        pairs.append((make(what), make(what)) if make else (what(), what()))
        engine.add_agent(pairs[-1][0], cash=cash, positions_qty=(lots,), latency=latency, listens=listens)
        is_params = make is not None and not is_called and not listens
        market.add_agent(
            what if is_params else pairs[-1][1],
            cash=cash,
            positions_qty=(lots,),
            latency=latency,
            listens=listens,
        )
    return engine, market, pairs, (tape.assets[0], other_tape), (rows, others)


def same(engine, market, pairs, tapes, sinks, until_ns):
    told = engine.run(until_ns=until_ns)
    market.run(until_ns=until_ns // 3)
    found = market.run(until_ns=until_ns)
    assert sinks[1].events() == sinks[0].events()
    assert replace(found, faults=()) == replace(told, faults=())
    assert [(one.at_ns, one.participant, one.text[:9]) for one in found.faults] == [
        (one.at_ns, one.participant, one.text[:9]) for one in told.faults
    ]
    count = len(pairs)
    assert [market.account(number) for number in range(count)] == accounts(engine, count)
    assert [market.refused(number) for number in range(count)] == engine.exchange.refused
    assert market.book.state_hash() == engine.exchange.books[0].state_hash()
    assert columns(tapes[1]) == columns(tapes[0])
    for one, other in pairs:
        assert getattr(one, "seen", None) == getattr(other, "seen", None)
    return told


signals = st.sampled_from(
    (
        (),
        (),
        (Listens(source=Source.SIGNAL, every_ns=7 * MS, noise_ticks=9.0),),
        (
            Listens(source=Source.NEWS, delay_ns=3 * MS),
            Listens(source=Source.VALUE, every_ns=5 * MS),
        ),
    )
)
seats = st.tuples(seat, st.booleans(), signals).map(lambda drawn: (*drawn[0], drawn[1], drawn[2]))
odd = st.tuples(
    st.booleans().map(lambda fails: lambda: Odd(0, fails)),
    st.sampled_from((10**9, 10**6)),
    st.sampled_from((10_000, 20)),
    st.builds(Latency, feed_ns=st.sampled_from((0, 0, MS)), order_ns=st.sampled_from((0, 0, 9 * MS))),
    st.just(True),
    signals,
)


@settings(max_examples=2_000 if FULL else 40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, (1 << 64) - 1),
    first_px=st.sampled_from((1_000, 1_000, 40)),
    crowd=st.lists(seats, min_size=3, max_size=8),
    others=st.lists(odd, min_size=0, max_size=4),
    rules=fees,
    until_ns=st.integers(50, 150).map(lambda count: count * MS),
)
@pytest.mark.campaign
def test_a_market_that_calls_agents_writes_the_same(seed, first_px, crowd, others, rules, until_ns):
    def value():
        return JumpingValue(px=float(first_px), mean_wait_ns=20 * MS, jump_ticks=9.0, published=True)

    told = same(*both(seed, first_px, crowd + others, rules, value), until_ns)
    event(f"trades {told.trades > 0}, refused {told.refused > 0}, faults {len(told.faults) > 0}")


def test_odd_agents_do_every_odd_thing(monkeypatch):
    """Small rooms: what is written is taken away many times; of forty odd agents some fail."""
    monkeypatch.setattr("simulation.compiled_market.market._ROWS_ROOM", 64)
    monkeypatch.setattr("simulation.compiled_market.market._TAPE_ROOM", 16)
    latencies = (Latency(), Latency(order_ns=2 * MS), Latency(feed_ns=MS))
    crowd = [(lambda: Odd(0, True), 10**8, 500, latency, True, ()) for latency in latencies * 13]
    engine, market, pairs, tapes, sinks = both(5, 1_000, crowd, None)
    told = same(engine, market, pairs, tapes, sinks, 300 * MS)
    kinds = {each.kind for each in sinks[0].events()}
    assert {NONSENSE, RETIRED} <= kinds
    assert told.trades > 100
    assert 5 < len(told.faults) <= 39
    assert any(each.seen for each, _ in pairs)
    assert len(tapes[0].quote_ns) > 100


class Asks:
    """Asks for one thing once."""

    hears_fills = False

    def __init__(self, *intents):
        self.intents = intents

    def start(self, draws: Draws):
        return 1

    def on_wakeup(self, view):
        return self.intents


def test_what_called_agents_cannot_do_is_refused():
    for intent in (stop(0, 1, 5, 90), (1, 0, 1, 5, 90, 0, 2), (4, 0, 0, 5, 90, 0, 1), (8, 0, 1, 5, 0, 0, 0)):
        market = CompiledMarket(1, 100, terms=TERMS)
        market.add_agent(Asks(intent), cash=10**6)
        with pytest.raises(ValueError, match="a Asks sent an order that is not plain"):
            market.run(until_ns=MS)
    market = CompiledMarket(1, 100, terms=TERMS)
    market.add_agent(Asks(limit(0, 1, (1 << 24) + 1, 90)), cash=10**12)
    for _ in range(2):  # it does not go on as if nothing had been
        with pytest.raises(OverflowError, match="more than 16777216 lots"):
            market.run(until_ns=MS)
    market = CompiledMarket(1, 100, terms=TERMS)
    with pytest.raises(ValueError, match="wakes an agent"):
        market.add_agent(Asks(), listens=(Listens(source=Source.NEWS, wakes=True),))
    with pytest.raises(ValueError, match="wakes an agent"):
        market.add_agent(Asks(), listens=(Listens(source=Source.FLOW),))
    hears = Asks()
    hears.hears_fills = True
    with pytest.raises(ValueError, match="hear their fills"):
        market.add_agent(hears)
    dividends = DividendValue(
        dividend=Dividend(base=5.0, variation=1.0), probability=0.5, rate=0.05, period_ns=MS
    )
    with pytest.raises(ValueError, match="dividends"):
        CompiledMarket(1, 100, value=dividends)
