"""Several recordings of one instrument as one: piece by piece, in the order of their receivers' times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from backtest.dataset.check import Origin
from backtest.dataset.rows import Ints, Rows, concat


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some rows of one recording and where each came from."""

    rows: Rows
    origin: Origin

    def take(self, which: slice | Ints) -> "Piece":
        """Give some of the rows."""
        origin = self.origin
        return Piece(
            rows=self.rows.take(which),
            origin=Origin(
                sources=origin.sources,
                source=origin.source[which],
                line=origin.line[which],
                ident=origin.ident[which],
            ),
        )


def joined(pieces: Sequence[Piece]) -> Piece:
    """Put pieces with the same sources one after the other."""
    if len(pieces) == 1:
        return pieces[0]
    return Piece(
        rows=concat(piece.rows for piece in pieces),
        origin=Origin(
            sources=pieces[0].origin.sources,
            source=np.concatenate([piece.origin.source for piece in pieces]),
            line=np.concatenate([piece.origin.line for piece in pieces]),
            ident=np.concatenate([piece.origin.ident for piece in pieces]),
        ),
    )


@dataclass(slots=True)
class _Reader:
    """One recording: what of it lies ready, and the key by which it is merged.

    The key never falls: where a receive time does, the rows keep the order of their file.
    """

    pieces: Iterator[Piece]
    ready: Piece | None = None
    keys: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    top: int = -(2**63)

    def fill(self) -> bool:
        """Make sure that something lies ready; False at the end."""
        while self.ready is None or not len(self.ready.rows):
            self.ready = next(self.pieces, None)
            if self.ready is None:
                return False
            self.keys = np.maximum(np.maximum.accumulate(self.ready.rows.recv_ns), self.top)
            if len(self.keys):
                self.top = int(self.keys[-1])
        return True

    def until(self, key: int) -> tuple[Piece, Ints]:
        """Take what lies ready up to a key."""
        assert self.ready is not None, "filled before it is asked"
        count = int(np.searchsorted(self.keys, key, side="right"))
        taken, keys = self.ready.take(slice(0, count)), self.keys[:count]
        self.ready, self.keys = self.ready.take(slice(count, None)), self.keys[count:]
        return taken, keys


def merged(recordings: Sequence[Iterator[Piece]]) -> Iterator[Piece]:
    """Merge by receive time; of equal times the recording named first comes first, and a message is never parted.

    A message shares one receive time, and all rows up to a time are taken together.
    """
    readers = [_Reader(pieces) for pieces in recordings]
    while readers := [reader for reader in readers if reader.fill()]:
        if len(readers) == 1:
            only = readers[0]
            assert only.ready is not None, "filled"
            yield only.ready
            only.ready = None
            continue
        bound = min(int(reader.keys[-1]) for reader in readers)
        taken = [reader.until(bound) for reader in readers]
        keys = np.concatenate([each for _, each in taken])
        yield joined([piece for piece, _ in taken]).take(np.argsort(keys, kind="stable"))
