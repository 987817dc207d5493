"""How wrong the clock of a recorder was, and what has to be added to its times so that a delay can be measured with it.

A message cannot arrive before it was sent. Where a recording says so of more than a few, its receiver's clock was
behind, and the difference of the two times is no delay: taken as it is, the feed would be faster than light. The clock
is then moved so that the quickest messages took a stated time. What is left are the differences between messages,
which both clocks agree about.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from backtest.dataset.rows import Flag, Ints
from executor.domain.timeline import NS_PER_MS
from simulation.replay.layout import Rows

QUICKEST_NS: Final = 5 * NS_PER_MS
"""What the quickest messages took where nobody can know, and no other time is stated."""
_QUICKEST_PCT: Final = 1
"""So many of a hundred messages count as the quickest: one alone may have a time of its own that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverClock:
    """What is known of the receiver's clock on one stored day.

    Parameters
    ----------
    early_pct
        Rows that were received before they were sent, by the two clocks, per cent.
    moved_ns
        Added to the receiver's times.
    quickest_ns
        What its quickest messages take by the clock that was moved.
    """

    early_pct: float
    moved_ns: int
    quickest_ns: int

    @property
    def was_behind(self) -> bool:
        """Whether its quickest messages came before they were sent."""
        return self.quickest_ns - self.moved_ns < 0


def receiver_clock(pieces: Iterable[Rows], quickest_ns: int | None) -> ReceiverClock:
    """Judge the clock of a day.

    Parameters
    ----------
    quickest_ns
        Moves the clock so that the quickest messages took so long. None moves it only if it was behind.
    """
    found = [_delays_ns(rows) for rows in pieces]
    delays_ns = np.concatenate(found) if found else np.zeros(0, np.int64)
    if not len(delays_ns):
        return ReceiverClock(early_pct=0.0, moved_ns=0, quickest_ns=0)
    early_pct = float(np.count_nonzero(delays_ns < 0)) * 100 / len(delays_ns)
    rank = len(delays_ns) * _QUICKEST_PCT // 100
    seen_ns = int(np.partition(delays_ns, rank)[rank])
    if quickest_ns is None and seen_ns >= 0:
        return ReceiverClock(early_pct=early_pct, moved_ns=0, quickest_ns=seen_ns)
    wanted_ns = QUICKEST_NS if quickest_ns is None else quickest_ns
    return ReceiverClock(early_pct=early_pct, moved_ns=wanted_ns - seen_ns, quickest_ns=wanted_ns)


def _delays_ns(rows: Rows) -> Ints:
    """Receiver's time less exchange's, of rows without a fault; each by itself, whatever came before it."""
    delays_ns = rows.recv_ns - rows.exch_ns
    sound: Ints = delays_ns[(rows.flags & Flag.SUSPECT) == 0]
    return sound
