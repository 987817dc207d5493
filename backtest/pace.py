"""How fast recorded answers come back: as they did, at once, or so many times as slowly."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from executor.advice.calls import Failed, Outcome
from executor.adviser.session_tape import Call
from executor.domain.advice import Failure
from executor.domain.timeline import NS_PER_MS
from executor.domain.units import ONE, ZERO, parse_plain

FACTOR_MAX: Final = Decimal(1_000)


@dataclass(frozen=True, slots=True)
class Pace:
    """A factor on the time of every answer: 1 as recorded, 0 at once.

    A call that ran into its deadline has no answer that could have come sooner or later, and keeps its time.
    """

    factor: Decimal

    @property
    def as_recorded(self) -> bool:
        """Whether every answer takes exactly the time that it took."""
        return self.factor == ONE

    def heard(self, call: Call, within_ms: int) -> tuple[Outcome, int]:
        """What comes back at this pace, and after how many nanoseconds; too late is no answer, as it is live."""
        outcome = call.outcome
        gave_up = isinstance(outcome, Failed) and outcome.failure is Failure.TIMEOUT
        if self.as_recorded or gave_up:
            return outcome, call.latency_ns
        within_ns = within_ms * NS_PER_MS
        own_ns = int(outcome.latency_ns * self.factor)
        if own_ns > within_ns:
            detail = f"no whole answer within {within_ms} ms at {self.factor:f} times its latency"
            return Failed(failure=Failure.TIMEOUT, detail=detail, latency_ns=within_ns), within_ns
        return replace(outcome, latency_ns=own_ns), int(call.latency_ns * self.factor)


def read_pace(text: str) -> Pace:
    """Read `taped`, `zero` or a factor such as `x0.5`.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if text in {"taped", "zero"}:
        return Pace(ONE if text == "taped" else ZERO)
    if not text.startswith("x"):
        raise ValueError(f"taped, zero or a factor such as x0.5, not {text}")
    factor = parse_plain(text[1:])
    if not ZERO <= factor <= FACTOR_MAX:
        raise ValueError(f"a factor from 0 to {FACTOR_MAX}, not {text}")
    return Pace(factor)
