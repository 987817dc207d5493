"""A simulated market in real time: its events happen when their time has come, and orders from outside arrive now.

The market is the same as without a pace: only how long this process waits differs, and a market that is too slow for
its pace falls behind and says by how much, instead of skipping anything.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from simulation.market.engine import RunSummary, SimulationEngine
from simulation.market.protocol import Intent

NS_PER_S: Final = 1_000_000_000


@dataclass(slots=True)
class PacedMarket:
    """Drives a market along a clock.

    Parameters
    ----------
    engine
        The market.
    speed
        Simulated seconds in a real one, > 0.
    tick_ns
        Longest sleep, real nanoseconds: what is put in from outside waits no longer.
    monotonic_ns, sleep
        The clock, nanoseconds, and how to wait, seconds.

    Attributes
    ----------
    lag_max_ns
        Farthest that the market was behind its pace, simulated nanoseconds.
    """

    engine: SimulationEngine
    speed: float = 1.0
    tick_ns: int = 10_000_000
    monotonic_ns: Callable[[], int] = time.monotonic_ns
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    lag_max_ns: int = 0
    _begun_ns: int | None = field(default=None, init=False)
    _from_ns: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not 0.0 < self.speed < float("inf") or self.tick_ns <= 0:
            raise ValueError(f"a speed and a tick above zero, got {self.speed} and {self.tick_ns} ns")

    @property
    def due_ns(self) -> int:
        """Simulated time that it should be now."""
        if self._begun_ns is None:
            return self.engine.now_ns
        return self._from_ns + int((self.monotonic_ns() - self._begun_ns) * self.speed)

    def submit(self, participant: int, intents: Sequence[Intent]) -> int:
        """Let intents of somebody outside reach the market now; gives the simulated instant."""
        at_ns = max(self.engine.now_ns, self.due_ns)
        self.engine.inject(at_ns, participant, intents)
        return at_ns

    async def run(self, until_ns: int) -> RunSummary:
        """Go on to a simulated instant in real time; can be canceled at any wait, and called again.

        Raises
        ------
        ValueError
            If the instant has passed.
        """
        engine = self.engine
        if until_ns < engine.now_ns:
            raise ValueError(f"{until_ns} ns has passed, it is {engine.now_ns}")
        self._begun_ns, self._from_ns = self.monotonic_ns(), engine.now_ns
        summary = engine.run(until_ns=engine.now_ns)
        while engine.now_ns < until_ns:
            summary = engine.run(until_ns=min(self.due_ns, until_ns))
            self.lag_max_ns = max(self.lag_max_ns, min(self.due_ns, until_ns) - engine.now_ns)
            next_ns = until_ns if engine.next_ns is None else min(engine.next_ns, until_ns)
            wait_ns = min(int((next_ns - self.due_ns) / self.speed) + 1, self.tick_ns)
            await self.sleep(max(0, wait_ns) / NS_PER_S)
        self._begun_ns = None
        return summary
