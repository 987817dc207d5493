"""The only place where the exchange server reads the time of the machine; everyone else is handed a clock."""

from __future__ import annotations

import time
from typing import Protocol

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """Source of the exchange's time."""

    def now_ns(self) -> int:
        """Return nanoseconds since 1970, UTC."""

    def monotonic_ns(self) -> int:
        """Return nanoseconds that never run backwards, from an arbitrary origin."""


class SystemClock:
    """The clock of the machine, optionally set wrong by a constant.

    Parameters
    ----------
    offset_ms
        Added to the wall clock; the exchange's clock is never exactly the client's.
    """

    def __init__(self, offset_ms: int = 0) -> None:
        self._offset_ns = offset_ms * NS_PER_MS

    def set_offset_ms(self, offset_ms: int) -> None:
        """Set the clock wrong by another constant."""
        self._offset_ns = offset_ms * NS_PER_MS

    def now_ns(self) -> int:
        """Return the wall clock plus the offset, in nanoseconds."""
        return time.time_ns() + self._offset_ns  # noqa: TID251 - the server's one reading of the wall clock

    def monotonic_ns(self) -> int:
        """Return the machine's monotonic clock, in nanoseconds."""
        return time.monotonic_ns()


class ManualClock:
    """A clock that moves only when told to.

    Parameters
    ----------
    start_ns
        First instant shown, nanoseconds since 1970.
    """

    def __init__(self, start_ns: int = 1_700_000_000 * NS_PER_S) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        """Return the instant last set."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Return the same instant: it never runs backwards."""
        return self._now_ns

    def advance_ms(self, elapsed_ms: int) -> None:
        """Move the clock forward by ``elapsed_ms`` >= 0."""
        assert elapsed_ms >= 0
        self._now_ns += elapsed_ms * NS_PER_MS


def now_ms(clock: Clock) -> int:
    """Return the clock's time in whole milliseconds."""
    return clock.now_ns() // NS_PER_MS
