"""A made recording of any length from a seed: a book of 500 levels around a moving touch, trades, and quotes far away.

No row leaves the book crossed, and a level has at least `SMALLEST_LOTS`, so that two engines with different rules about
crossed books and about self-impact can be held against each other. Run `python -m benchmarks.replay_stream FILE` to
store it as a day.
"""

import argparse
from pathlib import Path
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtest.dataset.rows import Rows as StoredRows
from backtest.dataset.store import GROUP_ROWS, DayWriter, Source
from simulation.replay.layout import Numbers, Rows

START_NS: Final = 1_700_000_000_000_000_000
SMALLEST_LOTS: Final = 6
SIDE_LEVELS: Final = 250
# mypy: disable-error-code="untyped-decorator"

Small = NDArray[Any]
_START_PX: Final = 500_000
_RANGE: Final = 1 << 20
_GAP_NS: Final = 4_000_000.0


@njit(cache=True)
def _fill(  # noqa: C901, PLR0915 - one loop over one market: in pieces it would be handed all of it again and again
    exch_ns: Numbers,
    kind: Small,
    side: Small,
    px: Numbers,
    qty: Numbers,
    flags: Small,
    seed: int,
    levels: int,
) -> None:
    np.random.seed(seed)
    book = np.zeros((2, _RANGE), np.int64)
    count, i, now_ns = len(exch_ns), 0, START_NS
    bid, ask = _START_PX, _START_PX + 1
    for depth in range(levels):
        for b in range(2):
            at = bid - depth if b == 0 else ask + depth
            book[b, at] = SMALLEST_LOTS + int(np.random.exponential(40.0))
            if i < count:
                exch_ns[i], kind[i], side[i], px[i], qty[i] = now_ns, 1, 1 - 2 * b, at, book[b, at]
                flags[i] = 2
                i += 1
    if i:
        flags[i - 1] |= 1
    while i < count:
        now_ns += 1 + int(np.random.exponential(_GAP_NS))
        what = np.random.random()
        b = 1 if np.random.random() < 0.5 else 0
        s = 1 - 2 * b
        first = i
        if what < 0.2:
            # A trade takes from the touch of side b, at times all of it and some of the next level.
            left = 1 + int(np.random.exponential(12.0))
            touch = bid if b == 0 else ask
            at, stop = touch, i
            while left > 0 and i < count and abs(at - touch) < 3:
                lots = min(left, book[b, at] if left >= book[b, at] else max(book[b, at] - SMALLEST_LOTS, 0))
                if lots > 0:
                    exch_ns[i], kind[i], side[i], px[i], qty[i], flags[i] = now_ns, 2, -s, at, lots, 0
                    i += 1
                    book[b, at] -= lots
                left -= max(lots, 1)
                if book[b, at] > 0:
                    break
                at -= s
                while book[b, at] == 0:
                    at -= s
            if i > stop:
                flags[i - 1] = 1
                now_ns += 1 + int(np.random.exponential(50_000.0))
            stop, at = i, touch
            while i < count and (at - touch) * -s <= 3:
                if stop > 0:
                    exch_ns[i], kind[i], side[i], px[i], qty[i], flags[i] = now_ns, 1, s, at, book[b, at], 0
                    i += 1
                if book[b, at] > 0:
                    break
                at -= s
            if b == 0:
                bid = at
            else:
                ask = at
        else:
            for _ in range(1 + int(np.random.exponential(8.0))):
                if i >= count:
                    break
                b = 1 if np.random.random() < 0.5 else 0
                s = 1 - 2 * b
                touch = bid if b == 0 else ask
                draw = np.random.random()
                if draw < 0.002:
                    at = touch - s * (2_000 + int(np.random.random() * 200_000))
                    lots = 0 if np.random.random() < 0.5 else SMALLEST_LOTS + int(np.random.exponential(5.0))
                elif draw < 0.03 and ask - bid > 1:
                    at = touch + s
                    lots = SMALLEST_LOTS + int(np.random.exponential(10.0))
                else:
                    depth = int(np.random.exponential(levels / 10.0))
                    if depth >= levels:
                        continue
                    at = touch - s * depth
                    lots = (
                        0 if np.random.random() < 0.25 else SMALLEST_LOTS + int(np.random.exponential(40.0))
                    )
                    if lots == 0 and depth == 0 and np.random.random() < 0.8:
                        lots = SMALLEST_LOTS
                if not 1_000 < at < _RANGE - 1_000:
                    continue
                book[b, at] = lots
                exch_ns[i], kind[i], side[i], px[i], qty[i], flags[i] = now_ns, 1, s, at, lots, 0
                i += 1
                if b == 0:
                    bid = max(bid, at) if lots > 0 else bid
                    while book[0, bid] == 0:
                        bid -= 1
                else:
                    ask = min(ask, at) if lots > 0 else ask
                    while book[1, ask] == 0:
                        ask += 1
        if i > first:
            flags[i - 1] |= 1


def make_rows(count: int, *, seed: int, levels: int = SIDE_LEVELS) -> Rows:
    """Make a recording.

    Parameters
    ----------
    count
        Rows, about 2 000 for each second.
    levels
        Of each side, near the touch.
    """
    exch_ns, px, qty = (np.zeros(count, np.int64) for _ in range(3))
    kind, flags = np.zeros(count, np.uint8), np.zeros(count, np.uint8)
    side = np.zeros(count, np.int8)
    _fill(exch_ns, kind, side, px, qty, flags, seed, levels)
    return Rows(exch_ns, exch_ns, kind, side, px, qty, np.zeros(0, np.int64), flags)


def write_day(rows: Rows, path: Path, *, feed_ns: int) -> None:
    """Store a recording as a day; the receiver saw everything later by one amount."""
    nobody = np.zeros(len(rows.px), np.int64)
    with DayWriter(path) as writer:
        for start in range(0, len(nobody), GROUP_ROWS):
            part = slice(start, start + GROUP_ROWS)
            writer.write(
                StoredRows(
                    exch_ns=rows.exch_ns[part],
                    recv_ns=rows.exch_ns[part] + feed_ns,
                    kind=rows.kind[part],
                    side=rows.side[part],
                    px=rows.px[part],
                    qty=rows.qty[part],
                    order_id=nobody[part],
                    seq=nobody[part],
                    flags=rows.flags[part],
                )
            )
        source = Source(name="benchmarks.replay_stream", sha256="", importer="none")
        writer.close(
            tick_size="0.1",
            tick_from="rules",
            lot_size="0.001",
            lot_from="rules",
            sources=[source],
            recv_known=True,
        )


def main() -> None:
    """Write a recording."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=8_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--feed-ns", type=int, default=5_000_003)
    options = parser.parse_args()
    rows = make_rows(options.rows, seed=options.seed)
    write_day(rows, options.file, feed_ns=options.feed_ns)


if __name__ == "__main__":
    main()
