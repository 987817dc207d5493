"""Times that a check has found fault with, put between those of their neighbours.

One trade that says it came from a minute later would carry the replay's clock with it, and all that follows would stand
still until the minute is over. The stored row is kept as it is; only who replays it looks at the neighbours.
"""

from typing import Final

import numpy as np

from backtest.dataset.rows import Flag, Ints, Mask
from simulation.replay.layout import Rows

STALL_NS_MAX: Final = 5_000_000_000
"""Rows that say they are older than one before them by more than this stand still: their real time is not known.

Streams of one exchange overtake each other by a second or two when it is busy.
"""


class RowTimes:
    """Mends the times of a recording's rows, piece by piece."""

    def __init__(self) -> None:
        self._exch_ns: int | None = None
        self._recv_ns: int | None = None

    def mended(self, rows: Rows) -> Rows:
        """Put the times of suspect rows between those of the sound rows around them; others stay as they are."""
        suspect = (rows.flags & Flag.SUSPECT) != 0
        exch_ns, self._exch_ns = _between(rows.exch_ns, suspect, self._exch_ns)
        recv_ns, self._recv_ns = (
            (exch_ns, self._exch_ns)
            if rows.recv_ns is rows.exch_ns
            else _between(rows.recv_ns, suspect, self._recv_ns)
        )
        return rows._replace(exch_ns=exch_ns, recv_ns=recv_ns)


def _between(times: Ints, suspect: Mask, before_ns: int | None) -> tuple[Ints, int | None]:
    """Mend one column; gives the latest sound time too."""
    if not suspect.any():
        if not len(times):
            return times, before_ns
        latest_ns = int(times.max())
        return times, latest_ns if before_ns is None else max(before_ns, latest_ns)
    limits = np.iinfo(np.int64)
    first_ns = limits.min if before_ns is None else before_ns
    earlier = np.maximum(np.maximum.accumulate(np.where(suspect, limits.min, times)), first_ns)
    later = np.minimum.accumulate(np.where(suspect, limits.max, times)[::-1])[::-1]
    later = np.where(later == limits.max, earlier, later)  # behind the last sound row nothing is known
    known = later > limits.min
    mended = np.where(suspect & known, np.clip(times, earlier, np.maximum(earlier, later)), times)
    latest_ns = int(earlier[-1])
    return mended, None if latest_ns == limits.min else latest_ns
