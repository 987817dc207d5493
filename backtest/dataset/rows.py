"""One row of recorded market data, as columns: what happened, where in the book, and when for whom.

Prices are whole ticks and quantities whole lots; the steps themselves stand in the metadata of the file.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import IntEnum, IntFlag
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Signs = NDArray[np.int8]
Mask = NDArray[np.bool_]


class Kind(IntEnum):
    """What a row says."""

    LEVEL = 1
    """The new total at a price; quantity 0 removes the level."""
    TRADE = 2
    """A public trade; the side is the aggressor's."""
    CLEAR = 3
    """The whole book is void: begins a snapshot, or follows a gap."""
    TOUCH = 4
    """Best price and size in the venue's own best bid and ask message; no part of the book."""
    ADD = 5
    """A new order, with its id."""
    REDUCE = 6
    """Quantity taken off an order by its owner."""
    DELETE = 7
    """What was left of an order is gone."""
    EXECUTE = 8
    """A visible order was hit; the side is the resting order's."""
    HIDDEN = 9
    """A hidden order was hit: a print, the visible book stays; the side is the resting order's."""
    HALT = 10
    """Trading was halted, or goes on: `qty` 0 halted, 1 quotes only, 2 trading."""
    FUNDING = 11
    """A funding settlement; `px` is the rate times 1e9."""
    MARK = 12
    """The mark price, rounded to the nearest tick."""


class Flag(IntFlag):
    """What else is known of a row."""

    LAST = 1
    """The book is consistent after this row: it is the last of its message."""
    SNAPSHOT = 2
    """Part of a snapshot."""
    GAP = 4
    """Something is missing before this row."""
    SUSPECT = 8
    """A check found fault with this row; it was kept."""


RATE_UNITS: Final = 1_000_000_000
BOOK_KINDS: Final = (
    Kind.LEVEL,
    Kind.CLEAR,
    Kind.ADD,
    Kind.REDUCE,
    Kind.DELETE,
    Kind.EXECUTE,
)
DTYPES: Final = {
    "exch_ns": np.int64,
    "recv_ns": np.int64,
    "kind": np.uint8,
    "side": np.int8,
    "px": np.int64,
    "qty": np.int64,
    "order_id": np.int64,
    "seq": np.int64,
    "flags": np.uint8,
}
"""Columns in the order of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows in the order in which the receiver saw them, one array for each column, all of one length.

    Parameters
    ----------
    exch_ns, recv_ns
        The exchange's and the receiver's time, UTC; equal where the source has no receiver's time.
    kind
        See `Kind`.
    side
        +1 bid or buyer, -1 ask or seller, 0 neither.
    px, qty
        Ticks and lots.
    order_id
        0 where data is by level.
    seq
        Update or trade id as the source has it, 0 where it has none.
    flags
        See `Flag`.
    """

    exch_ns: Ints
    recv_ns: Ints
    kind: Bytes
    side: Signs
    px: Ints
    qty: Ints
    order_id: Ints
    seq: Ints
    flags: Bytes

    def __post_init__(self) -> None:
        """Refuse columns of different lengths or types."""
        for name, dtype in DTYPES.items():
            column = getattr(self, name)
            if column.dtype != dtype or column.shape != self.exch_ns.shape:
                raise ValueError(f"column {name} is {column.dtype}{column.shape}, wanted {np.dtype(dtype)}")

    def __len__(self) -> int:
        return len(self.exch_ns)

    def take(self, which: slice | Mask | Ints) -> "Rows":
        """Rows at some places, as a view where `which` is a slice."""
        return Rows(**{name: getattr(self, name)[which] for name in DTYPES})

    def with_flags(self, flags: Bytes) -> "Rows":
        """Give the same rows with other flags."""
        return replace(self, flags=flags)


def concat(parts: Iterable[Rows]) -> Rows:
    """Put rows one after the other."""
    listed = list(parts)
    if len(listed) == 1:
        return listed[0]
    return Rows(
        **{
            name: np.concatenate([getattr(part, name) for part in listed])
            if listed
            else np.empty(0, dtype=dtype)
            for name, dtype in DTYPES.items()
        }
    )


assert tuple(field.name for field in fields(Rows)) == tuple(DTYPES)
