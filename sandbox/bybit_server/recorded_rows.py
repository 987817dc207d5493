"""Rows of a recording; one that was made order by order is played as the totals of its levels, and its trades."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final, NamedTuple

LAST: Final = 1


class Kind(IntEnum):
    """What a row says; the numbers are those of the store."""

    LEVEL = 1
    TRADE = 2
    CLEAR = 3
    TOUCH = 4
    ADD = 5
    REDUCE = 6
    DELETE = 7
    EXECUTE = 8
    HIDDEN = 9
    HALT = 10
    FUNDING = 11
    MARK = 12


class Row(NamedTuple):
    """One row: nanoseconds of the exchange's clock, book ticks, lots."""

    at_ns: int
    kind: int
    side: int
    px: int
    qty: int
    flags: int


def by_level(rows: Iterable[Row]) -> Iterator[Row]:
    """Turn what single orders did into new totals of their levels; an order that is hit is a trade, too.

    Rows that tell of levels are passed on.
    """
    totals: dict[tuple[int, int], int] = {}
    for row in rows:
        match row.kind:
            case Kind.LEVEL:
                totals[row.side, row.px] = row.qty
            case Kind.CLEAR:
                totals = {key: lots for key, lots in totals.items() if row.side and key[0] != row.side}
            case Kind.ADD | Kind.REDUCE | Kind.DELETE | Kind.EXECUTE:
                key, sign = (row.side, row.px), 1 if row.kind == Kind.ADD else -1
                lots = totals[key] = max(totals.get(key, 0) + sign * row.qty, 0)
                if row.kind == Kind.EXECUTE:
                    yield row._replace(kind=Kind.TRADE, side=-row.side, flags=row.flags & ~LAST)
                yield row._replace(kind=Kind.LEVEL, qty=lots)
                continue
            case Kind.HIDDEN:
                # The store says whose order was hit; a print says who hit it.
                yield row._replace(side=-row.side)
                continue
            case _:
                pass
        yield row
