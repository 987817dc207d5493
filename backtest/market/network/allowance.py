"""How much one seat may say: a bucket that fills with time, counted in whole nanoseconds of the hub's clock."""

from typing import Final

NS_PER_S: Final = 1_000_000_000


class Allowance:
    """So many messages each second, and so many at once after a silence.

    Parameters
    ----------
    per_s
        Messages each second in the long run, 1 to 10⁹.
    burst
        Messages at once, at least 1.
    """

    __slots__ = ("_cost_ns", "_full_ns", "_room_ns", "_since_ns")

    def __init__(self, per_s: int, burst: int) -> None:
        if not 1 <= per_s <= NS_PER_S or burst < 1:
            raise ValueError(
                f"an allowance is 1 to {NS_PER_S} messages/s and at least 1 at once, not {per_s}, {burst}"
            )
        self._cost_ns = NS_PER_S // per_s
        self._full_ns = self._room_ns = self._cost_ns * burst
        self._since_ns = 0

    def take(self, now_ns: int) -> bool:
        """Whether one more message is allowed now; what is refused costs nothing."""
        passed_ns = now_ns - self._since_ns
        if passed_ns > 0:
            self._room_ns = min(self._full_ns, self._room_ns + passed_ns)
            self._since_ns = now_ns
        if self._room_ns < self._cost_ns:
            return False
        self._room_ns -= self._cost_ns
        return True
