"""A market in real time: the same events, each at its instant, and orders from outside where they belong."""

import asyncio

import pytest

from backtest.market.pace import PacedMarket
from simulation.agents.noise import NoiseParams, NoiseTrader
from simulation.market.engine import Asset, SimulationEngine
from simulation.market.protocol import limit
from tests.simulation.kept_events import MemorySink

S = 1_000_000_000


class Clock:
    """A clock that sleeping moves, and looking at it a little."""

    def __init__(self, look_ns: int = 1_000) -> None:
        self.now_ns = 5 * S
        self.look_ns = look_ns
        self.at: dict[int, list[object]] = {}

    def monotonic_ns(self) -> int:
        self.now_ns += self.look_ns
        return self.now_ns

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0.0
        self.now_ns += round(seconds * S)


def crowd(sink: MemorySink | None = None) -> SimulationEngine:
    engine = SimulationEngine(3, [Asset(10_000)], events=sink)
    for _ in range(3):
        params = NoiseParams(mean_wait_ns=S // 10)
        engine.add_agent(NoiseTrader(params), cash=10**10, positions_qty=[10**4])
    return engine


@pytest.mark.parametrize("speed", [0.5, 1.0, 20.0])
def test_pace_changes_when_and_not_what(speed: float) -> None:
    clock, engine = Clock(), crowd()
    paced = PacedMarket(engine, speed, monotonic_ns=clock.monotonic_ns, sleep=clock.sleep)
    summary = asyncio.run(paced.run(10 * S))
    assert summary == crowd().run(until_ns=10 * S)
    assert (clock.now_ns - 5 * S) / S == pytest.approx(10 / speed, rel=0.01)
    assert paced.lag_max_ns < S // 100


def test_a_market_that_is_too_slow_says_so_and_skips_nothing() -> None:
    clock, engine = Clock(look_ns=S // 10), crowd()
    paced = PacedMarket(engine, 100.0, monotonic_ns=clock.monotonic_ns, sleep=clock.sleep)
    assert asyncio.run(paced.run(100 * S)) == crowd().run(until_ns=100 * S)
    assert paced.lag_max_ns > S


def test_orders_from_outside_arrive_now() -> None:
    sink = MemorySink()
    clock, engine = Clock(), crowd(sink)
    paced = PacedMarket(engine, monotonic_ns=clock.monotonic_ns, sleep=clock.sleep)
    arrived: list[int] = []

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        if not arrived and clock.now_ns > 7 * S:
            arrived.append(paced.submit(2, [limit(0, 1, 1, 5)]))

    paced.sleep = sleep
    asyncio.run(paced.run(4 * S))
    assert 2 * S < arrived[0] < 2 * S + S // 50
    assert [event.at_ns for event in sink.events() if event.px == 5][:1] == arrived


@pytest.mark.parametrize(
    "wrong", [lambda: PacedMarket(crowd(), 0.0), lambda: PacedMarket(crowd(), 1.0, tick_ns=0)]
)
def test_what_is_no_pace_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="above zero"):
        wrong()  # type: ignore[operator]
    with pytest.raises(ValueError, match="passed"):
        asyncio.run(PacedMarket(crowd()).run(-1))
