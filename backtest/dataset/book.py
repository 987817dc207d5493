"""A book rebuilt row by row in the most obvious way; checks use it, and faster books are held against it."""

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from backtest.dataset.rows import BOOK_KINDS, Flag, Kind, Rows

_LEVEL, _CLEAR, _ADD = int(Kind.LEVEL), int(Kind.CLEAR), int(Kind.ADD)
_FROM_LEVEL = frozenset({int(Kind.REDUCE), int(Kind.DELETE), int(Kind.EXECUTE)})
_SNAPSHOT = int(Flag.SNAPSHOT)


@dataclass(slots=True)
class Book:
    """Totals by price, in ticks and lots.

    Attributes
    ----------
    bids, asks
        Quantity by price; no level of zero.
    sound
        Whether a snapshot was the beginning and nothing was missing since.
    """

    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    sound: bool = False
    _best_bids: list[int] = field(default_factory=list)
    _best_asks: list[int] = field(default_factory=list)

    def apply(self, kind: int, side: int, px: int, qty: int, flags: int) -> None:
        """Take in one row; rows that are no part of a book change nothing."""
        if kind == _LEVEL:
            self._set(side, px, qty)
        elif kind == _CLEAR:
            for each in (self.bids, self.asks, self._best_bids, self._best_asks):
                each.clear()
            self.sound = bool(flags & _SNAPSHOT)
        elif kind == _ADD:
            self._set(side, px, (self.bids if side > 0 else self.asks).get(px, 0) + qty)
        elif kind in _FROM_LEVEL:
            self._set(side, px, (self.bids if side > 0 else self.asks).get(px, 0) - qty)

    def apply_all(self, rows: Rows) -> None:
        """Take in rows one after the other."""
        for kind, side, px, qty, flags in zip(
            *(column.tolist() for column in (rows.kind, rows.side, rows.px, rows.qty, rows.flags)),
            strict=True,
        ):
            if kind in BOOK_KINDS:
                self.apply(kind, side, px, qty, flags)

    def _set(self, side: int, px: int, qty: int) -> None:
        levels = self.bids if side > 0 else self.asks
        if qty <= 0:
            levels.pop(px, None)
            return
        if px not in levels:
            heappush(self._best_bids if side > 0 else self._best_asks, -px * side)
            # Prices that came and went stay in the heap until they are on top; far ones never are.
            heap = self._best_bids if side > 0 else self._best_asks
            if len(heap) > 64 + 4 * len(levels):
                heap[:] = {-each * side for each in levels} | {-px * side}
                heapify(heap)
        levels[px] = qty

    @property
    def best_bid(self) -> int | None:
        """Highest price that somebody pays."""
        heap = self._best_bids
        while heap and -heap[0] not in self.bids:
            heappop(heap)
        return -heap[0] if heap else None

    @property
    def best_ask(self) -> int | None:
        """Lowest price that somebody takes."""
        heap = self._best_asks
        while heap and heap[0] not in self.asks:
            heappop(heap)
        return heap[0] if heap else None

    def touch(self) -> tuple[int, int, int, int] | None:
        """Best bid and its size, best ask and its size; None where a side is empty."""
        bid, ask = self.best_bid, self.best_ask
        if bid is None or ask is None:
            return None
        return bid, self.bids[bid], ask, self.asks[ask]
