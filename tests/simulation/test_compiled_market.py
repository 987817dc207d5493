"""The compiled market writes the same events, and leaves the same accounts, as the engine with Python agents."""

import os
from itertools import starmap

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from simulation.agents.market_maker import MarketMaker, MarketMakerParams
from simulation.agents.momentum import MomentumParams, MomentumTrader
from simulation.agents.noise import NoiseParams, NoiseTrader
from simulation.agents.value import ValueInvestor, ValueParams
from simulation.book.book import BookTerms
from simulation.book.native import NativeBook
from simulation.clearing.rules import ClearingRules
from simulation.compiled_market.market import Account, CompiledMarket
from simulation.market.engine import Asset, Latency, SimulationEngine
from simulation.market.events import NONSENSE
from tests.simulation.kept_events import MemorySink

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
pytestmark = pytest.mark.timeout(7_200 if FULL else 600)
MS = 1_000_000
TERMS = BookTerms(window=1 << 12, orders_max=1 << 12, ids_max=1 << 20, outcomes_max=64)
AGENTS = {
    NoiseParams: NoiseTrader,
    MarketMakerParams: MarketMaker,
    MomentumParams: MomentumTrader,
    ValueParams: ValueInvestor,
}


def plain(seed, first_px, seats, rules=None, terms=TERMS, events=None):
    engine = SimulationEngine(
        seed, [Asset(first_px)], rules=rules, book=lambda: NativeBook(terms), events=events
    )
    for params, cash, lots, latency in seats:
        engine.add_agent(AGENTS[type(params)](params), cash=cash, positions_qty=(lots,), latency=latency)
    return engine


def compiled(seed, first_px, seats, rules=None, terms=TERMS, events=None):
    market = CompiledMarket(seed, first_px, rules=rules, terms=terms, events=events)
    for params, cash, lots, latency in seats:
        market.add_agent(params, cash=cash, positions_qty=(lots,), latency=latency)
    return market


def accounts(engine, count):
    house = engine.exchange.house
    columns = (house.cash, house.free, house.shares[0], house.up[0], house.down[0])
    return list(starmap(Account, zip(*(column[:count] for column in columns), strict=True)))


spans = st.integers(1, 40).map(lambda count: count * MS)
bps = st.integers(1, 60)
noise = st.builds(
    NoiseParams,
    mean_wait_ns=spans,
    orders_count=st.integers(1, 30),
    market_bps=st.integers(0, 4_000),
    cancel_bps=st.integers(0, 6_000),
    reach_ticks=st.sampled_from((1, 20, 20, 3_000)),
    order_max_qty=st.sampled_from((1, 10, 300)),
    open_max_count=st.sampled_from((1, 10, 50)),
)
maker = st.builds(
    MarketMakerParams,
    base_spread_bps=st.floats(0.1, 300.0),
    volatility_ratio=st.floats(0.0, 5.0),
    memory_ratio=st.floats(0.0, 0.999),
    inventory_ratio=st.floats(0.0, 3.0),
    skew_ratio=st.floats(0.0, 3.0),
    quote_qty=st.integers(1, 60),
    levels_count=st.integers(1, 6),
    step_bps=st.floats(0.0, 40.0),
    limit_qty=st.integers(1, 500),
    target_qty=st.sampled_from((-1, 0, 100)),
    every_ns=spans,
    withdraw_bps=st.sampled_from((0.0, 0.0, 5.0, 50.0)),
    away=st.sampled_from(((), ((50 * MS, 100 * MS),), ((10 * MS, 20 * MS), (150 * MS, 151 * MS)))),
)
momentum = st.builds(
    MomentumParams,
    short_count=st.integers(1, 5),
    long_count=st.integers(6, 20),
    entry_bps=bps,
    stop_bps=bps,
    profit_bps=bps,
    cash_bps=st.integers(1, 10_000),
    order_max_qty=st.sampled_from((10, 1_000)),
    every_ns=spans,
    sells_first=st.booleans(),
)
value = st.builds(
    ValueParams,
    discount_bps=bps,
    premium_bps=bps,
    cash_bps=st.integers(1, 10_000),
    belief_bps=st.integers(9_500, 10_500),
    trend_ratio=st.sampled_from((0.0, 0.5, 3.0)),
    order_max_qty=st.sampled_from((10, 1_000)),
    mean_wait_ns=spans,
    patience_ns=spans,
    value_px=st.sampled_from((0.0, 995.0, 1_000.5, 1_010.0)),
)
delays = st.sampled_from((0, 0, 0, 1_000, 3 * MS, 50 * MS))
seat = st.tuples(
    st.one_of(noise, noise, maker, momentum, value),
    st.sampled_from((10**9, 10**9, 10**12, 3_000_000)),
    st.sampled_from((10_000, 10_000, 30, 0)),
    st.builds(Latency, feed_ns=delays, order_ns=delays),
)
fees = st.sampled_from(
    (
        ClearingRules(),
        ClearingRules(taker_fee_ppm=550, maker_fee_ppm=200),
        ClearingRules(taker_fee_ppm=777, maker_fee_ppm=-333, order_qty_max=200),
    )
)


@settings(max_examples=5_000 if FULL else 25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, (1 << 64) - 1),
    first_px=st.sampled_from((1_000, 1_000, 40)),
    crowd=st.lists(
        st.tuples(noise, st.just(10**9), st.just(10_000), st.just(Latency())), min_size=2, max_size=3
    ),
    seats=st.lists(seat, min_size=3, max_size=12),
    rules=fees,
    until_ns=st.integers(100, 250).map(lambda count: count * MS),
)
@pytest.mark.campaign
def test_both_markets_write_the_same_events(seed, first_px, crowd, seats, rules, until_ns):
    seats = crowd + seats
    one, other = plain(seed, first_px, seats, rules), compiled(seed, first_px, seats, rules)
    told = one.run(until_ns=until_ns)
    other.run(until_ns=until_ns // 3)
    assert other.run(until_ns=until_ns) == told
    assert [other.account(number) for number in range(len(seats))] == accounts(one, len(seats))
    assert other.account(len(seats)).cash == one.exchange.house.cash[len(seats)]
    assert other.book.state_hash() == one.exchange.books[0].state_hash()
    assert other.last_px == one.exchange.last_pxs[0]
    event(f"trades {told.trades > 0}, refused {told.refused > 0}")
    for each in {type(params).__name__ for params, *_ in seats}:
        event(each)


def test_the_rows_are_the_same_and_rooms_grow(monkeypatch):
    """Slow orders pile up on their way, and more is asked at once than is allowed."""
    monkeypatch.setattr("simulation.compiled_market.market._ROWS_ROOM", 256)
    quotes = MarketMakerParams(levels_count=100, quote_qty=300, limit_qty=50_000, every_ns=MS, step_bps=1.0)
    crowd = NoiseParams(mean_wait_ns=MS // 10, orders_count=100, open_max_count=1_000)
    seats = [
        (quotes, 10**12, 10**6, Latency(order_ns=6 * MS)),
        (crowd, 10**12, 10**6, Latency(feed_ns=2_000, order_ns=30 * MS)),
        (crowd, 10**12, 10**6, Latency()),
    ]
    rows, others = MemorySink(), MemorySink()
    one, other = plain(3, 50_000, seats, events=rows), compiled(3, 50_000, seats, events=others)
    told = one.run(until_ns=40 * MS)
    assert other.run(until_ns=0).messages == 0
    room = sum(block.nbytes for block in other._memory)
    assert other.run(until_ns=40 * MS) == told
    assert sum(block.nbytes for block in other._memory) > room
    assert others.events() == rows.events()
    assert NONSENSE in {each.kind for each in rows.events()}


def test_money_and_lots_are_conserved():
    seats = [(NoiseParams(mean_wait_ns=MS), 10**9, 5_000, Latency()) for _ in range(20)]
    market = compiled(9, 500, seats, ClearingRules(taker_fee_ppm=1_000, maker_fee_ppm=-400))
    told = market.run(until_ns=400 * MS)
    held = [market.account(number) for number in range(20)]
    assert told.trades > 500
    assert sum(each.cash for each in held) + market.account(20).cash == 20 * 10**9
    assert sum(each.shares for each in held) == 20 * 5_000
    assert all(0 <= each.free <= each.cash for each in held)
    assert all(0 <= each.down <= each.shares <= each.up for each in held)


def test_what_compiled_agents_are_not_is_refused():
    market = CompiledMarket(1, 100, terms=TERMS)
    with pytest.raises(ValueError, match="one asset"):
        market.add_agent(NoiseParams(asset=1))
    with pytest.raises(ValueError, match="latency is constant"):
        market.add_agent(NoiseParams(), latency=Latency(jitter_ns=1))
    with pytest.raises(ValueError, match="beyond what"):
        market.add_agent(NoiseParams(), cash=1 << 62)
    with pytest.raises(ValueError, match="averages"):
        market.add_agent(MomentumParams(short_count=300, long_count=400))
    with pytest.raises(ValueError, match="lots at most"):
        market.add_agent(ValueParams(order_max_qty=1 << 30))
    with pytest.raises(ValueError, match="nobody is in"):
        market.run(until_ns=1)
    with pytest.raises(ValueError, match="has not opened"):
        market.account(0)
    assert market.last_px == 100
    market.add_agent(NoiseParams(mean_wait_ns=MS), cash=10**6)
    market.run(until_ns=MS)
    with pytest.raises(ValueError, match="has opened"):
        market.add_agent(NoiseParams())
    with pytest.raises(ValueError, match="has passed"):
        market.run(until_ns=MS - 1)
    for first_px, scale in ((0, 1), (1 << 32, 1), (1, 0)):
        with pytest.raises(ValueError, match="ticks"):
            CompiledMarket(1, first_px, scale=scale)


def test_sums_that_could_outgrow_64_bits_end_the_run():
    market = CompiledMarket(1, 1_000, scale=1 << 30, terms=TERMS)
    market.add_agent(NoiseParams(order_max_qty=60_000, mean_wait_ns=MS, reach_ticks=60_000), cash=10**18)
    with pytest.raises(OverflowError, match=r"a price above \d+ ticks"):
        market.run(until_ns=1_000 * MS)
    market = CompiledMarket(1, 1 << 20, scale=1 << 30, terms=TERMS)
    market.add_agent(NoiseParams(), cash=1)
    with pytest.raises(OverflowError, match="ticks at most here"):
        market.run(until_ns=1)
