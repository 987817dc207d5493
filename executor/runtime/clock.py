"""The one place where the daemon reads a clock.

Time is the wall clock at start carried on by the monotonic clock, so a step of the wall clock (NTP, a
person, suspend) can neither fire nor delay a timer and never turns time back.
"""

import time


class Clock:
    """UTC nanoseconds that never go back.

    Parameters
    ----------
    anchor_ns
        UTC at monotonic zero, nanoseconds; read from the system when absent.
    """

    def __init__(self, anchor_ns: int | None = None) -> None:
        if anchor_ns is None:
            anchor_ns = time.time_ns() - time.monotonic_ns()  # noqa: TID251 - the one reading of the wall clock
        self._anchor_ns = anchor_ns

    def now_ns(self) -> int:
        """UTC now, nanoseconds."""
        return self._anchor_ns + time.monotonic_ns()

    def drift_ns(self) -> int:
        """How far the wall clock has moved away from this one since the start, nanoseconds."""
        return time.time_ns() - time.monotonic_ns() - self._anchor_ns  # noqa: TID251 - compares, never acts
