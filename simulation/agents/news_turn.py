"""Whose turn it is after news: first quotes that get out of the way, then those that come closer.

Everybody who quotes hears of a change of value at one instant. If bids rose before asks had, those who were quick would
buy from those who were slow at a price that nobody wants. So at first only the side that retreats is quoted anew, and
the other side when everybody has had the time to do so.
"""

from collections.abc import Sequence

from simulation.market.protocol import Told


class NewsTurn:
    """What one agent has heard of the value, and which sides it may quote.

    Parameters
    ----------
    settle_ns
        Time after news in which only the side that retreats is quoted anew, nanoseconds.

    Attributes
    ----------
    moved_ticks
        By how much the value has changed since it was first heard of, whole ticks.
    """

    def __init__(self, settle_ns: int) -> None:
        self.moved_ticks = 0
        self._settle_ns = settle_ns
        self._first_ticks: float | None = None
        self._retreating = 0
        self._settled_ns = 0

    def hear(self, told: Sequence[Told], now_ns: int) -> None:
        """Take note of values.

        Parameters
        ----------
        told
            What a view says.
        now_ns
            By the clock of who hears it.
        """
        if not told:
            return
        value_ticks = told[-1][3]
        if self._first_ticks is None:
            self._first_ticks = told[0][3]
        moved_ticks = round(value_ticks - self._first_ticks)
        if moved_ticks != self.moved_ticks:
            # Asks retreat from a value that rises, bids from one that falls.
            self._retreating = -1 if moved_ticks > self.moved_ticks else 1
            self._settled_ns = now_ns + self._settle_ns
            self.moved_ticks = moved_ticks

    def sides(self, now_ns: int) -> tuple[int, ...]:
        """Sides that may be quoted at an instant, +1 or -1."""
        return (1, -1) if now_ns >= self._settled_ns else (self._retreating,)

    def next_ns(self, now_ns: int, later_ns: int) -> int:
        """When to look again: when the other side has its turn, if that is before a later instant."""
        return self._settled_ns if now_ns < self._settled_ns < later_ns else later_ns
