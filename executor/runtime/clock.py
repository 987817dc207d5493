"""The one place where the daemon reads a clock.

Time is the wall clock at start carried on by the monotonic clock, so a step of the wall clock (NTP, a person) can
neither fire nor delay a timer and never turns time back. Linux's monotonic clock stands still while the machine is
suspended: after that this one is behind by as long, until the process is started again.
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
