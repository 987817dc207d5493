"""What one order did to the price, in the units in which orders of all markets and sizes can be held together."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One order, own or made up from public trades.

    Parameters
    ----------
    ended_ns
        When its last execution was, UTC.
    size
        Executed quantity over the volume of a day, > 0.
    days
        From its first execution to its last, in days of 24 hours, >= 0.
    peak
        How far the mid had moved with the order when it ended, in standard deviations of a day's return; below zero
        is against it. None where it was not seen.
    paid
        How far its mean price was from the mid at its beginning, positive is a cost; in the same unit, or None.
    after
        How far the mid had moved with it some times after it ended: (days since its end, move in the same unit)
        each, in order of time.
    """

    ended_ns: int
    size: float
    days: float
    peak: float | None = None
    paid: float | None = None
    after: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what nothing can be learned from."""
        if not isfinite(self.size) or self.size <= 0.0 or not isfinite(self.days) or self.days < 0.0:
            raise ValueError(f"an order has a size above zero and a time not below it, got {self}")
        moves = (self.peak, self.paid, *(one for pair in self.after for one in pair))
        if not all(isfinite(one) for one in moves if one is not None):
            raise ValueError(f"moves are finite or unknown, got {self}")

    @property
    def later(self) -> float | None:
        """The last move that was seen after its end."""
        return self.after[-1][1] if self.after else None


def newest(orders: Sequence[Observed], count: int) -> list[Observed]:
    """The last so many orders in order of their end: the rolling window of a calibration.

    Raises
    ------
    ValueError
        If the window has no room.
    """
    if count < 1:
        raise ValueError(f"a window of {count} orders")
    return sorted(orders, key=lambda one: one.ended_ns)[-count:]
