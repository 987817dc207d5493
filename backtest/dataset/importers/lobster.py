"""LOBSTER: a day of order-level messages and, beside it, the visible levels after each message.

Only messages that touch the kept levels are in the file. A level that comes into view from below them, or that
changed while it was out of view, is told by the book alone; it is handed on as a `LEVEL` row with its new total.
"""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from backtest.dataset.errors import DataError
from backtest.dataset.faults import Fault, Findings
from backtest.dataset.gather import Batch, Stream
from backtest.dataset.importers.columns import tables
from backtest.dataset.importers.protocol import Options
from backtest.dataset.rows import Flag, Kind
from backtest.dataset.sources import members
from executor.domain.instrument import Instrument

EMPTY_PX: Final = 9_999_999_999
PX_SCALE: Final = 4
NEW_YORK: Final = ZoneInfo("America/New_York")
MESSAGE: Final = ("time", "type", "order_id", "size", "price", "direction")
KIND_OF_TYPE: Final = {
    1: Kind.ADD,
    2: Kind.REDUCE,
    3: Kind.DELETE,
    4: Kind.EXECUTE,
    5: Kind.HIDDEN,
    7: Kind.HALT,
}
_NAME: Final = re.compile(r"([A-Z][A-Z.]{0,9})_(\d{4}-\d{2}-\d{2})_\d+_\d+_message_(\d{1,4})\.csv\Z")
_HALTS: Final = {-1: 0, 0: 1, 1: 2}

Levels = dict[int, int]


@dataclass(slots=True)
class Side:
    """What the messages make of one side of the book: totals by price, also of levels that went out of view.

    Attributes
    ----------
    sign
        +1 bids, -1 asks.
    shown
        The visible levels that the book table stated last, and what the message since then made of them.
    floor
        The worst of them when the side was full, None when it reached to the end of the book.
    touched
        Price of the last message.
    """

    sign: int
    levels: Levels
    shown: Levels
    floor: int | None = None
    touched: int = 0

    def apply(self, kind: Kind, px: int, size: int) -> None:
        """Change a level as a message says."""
        if kind not in {Kind.ADD, Kind.REDUCE, Kind.DELETE, Kind.EXECUTE}:
            return
        self.touched = px
        size = size if kind is Kind.ADD else -size
        for levels in (self.levels, self.shown) if px in self.shown else (self.levels,):
            total = levels.get(px, 0) + size
            if total:
                levels[px] = total
            else:
                levels.pop(px, None)

    def meet(self, stated: Levels, depth: int) -> tuple[list[tuple[int, int]], bool]:
        """Compare with the visible levels that the table states after the message, best first, and take over the rest.

        Gives the levels that had to be changed, and whether the message explains everything else: a level may
        differ only where it was out of view before, below the worst level then shown by a full side.
        """
        if stated == self.shown:
            return [], True
        reach = next(reversed(stated)) if len(stated) == depth else None
        changed, explained = [], True
        wider = self.floor is not None and (reach is None or (reach - self.floor) * self.sign < 0)
        for px in {*(self.levels if wider else self.shown), *stated, self.touched}:
            if reach is not None and (px - reach) * self.sign < 0:
                continue
            new = stated.get(px, 0)
            if self.levels.get(px, 0) != new:
                changed.append((px, new))
                explained = explained and self.floor is not None and (px - self.floor) * self.sign < 0
        for px, new in changed:
            if new:
                self.levels[px] = new
            else:
                del self.levels[px]
        self.shown, self.floor = dict(stated), reach
        return sorted(changed, reverse=self.sign > 0), explained


class Lobster:
    """Reads the zip file with both tables. Prices are USD times 10,000, times are New York's."""

    name = "lobster"

    def __init__(self) -> None:
        self.instruments: dict[tuple[str, str], Instrument] = {}

    def sniff(self, path: Path) -> bool:
        """Tell by the names inside the archive."""
        try:
            return path.is_file() and zipfile.is_zipfile(path) and any(map(_NAME.search, members(path)))
        except (DataError, OSError):
            return False

    def read(self, path: Path, options: Options, found: Findings) -> Iterator[Batch]:
        """Read messages and book side by side; there is no receiver's time."""
        names = members(path)
        message = next(name for name in names if _NAME.search(name))
        named = _NAME.search(message)
        book = message.replace("_message_", "_orderbook_")
        if named is None or book not in names:
            raise DataError(path, f"{book} is missing", "the archive must hold message and orderbook table")
        symbol, day, depth = named[1], date.fromisoformat(named[2]), int(named[3])
        if depth < 1:
            raise DataError(path, "a book of no levels", "use a file with levels")
        midnight = datetime.combine(day, time(), NEW_YORK).astimezone(UTC)
        start_ns = int(midnight.timestamp()) * 1_000_000_000
        stream = Stream("nasdaq", options.category or "spot", options.symbol or symbol)
        header = [f"{name}{level}" for level in range(depth) for name in ("ask", "ask_qty", "bid", "bid_qty")]
        states = _book_rows(path, book, header, found)
        view: dict[int, Side] = {}
        for table in tables(path, found, MESSAGE, header=MESSAGE, member=message):
            bad = np.zeros(len(table), np.bool_)
            columns = [
                table.numbers(name, 9 if name == "time" else 0, found, bad).tolist() for name in MESSAGE
            ]
            rows: list[_Row] = []
            for place, line in enumerate(table.line.tolist()):
                at_ns, type_, order_id, size, px, side = (column[place] for column in columns)
                try:
                    bids, asks = next(states)
                except StopIteration:
                    raise DataError(
                        f"{path}:{line}", "the orderbook table ends before the message table", "get it again"
                    ) from None
                kind = KIND_OF_TYPE.get(type_)
                if bad[place] or kind is None or side not in {1, -1}:
                    found.add(Fault.UNREADABLE, table.source, line, "a message of no known form")
                    continue
                at_ns += start_ns
                if kind is Kind.HALT:
                    rows.append((at_ns, kind, 0, 0, _HALTS.get(px, 0), 0, int(Flag.LAST), line))
                    continue
                if not view:
                    view = _before(bids, asks, kind, side, px, size)
                    rows += _snapshot(view, at_ns, line)
                rows.append((at_ns, kind, side, px, size, order_id, 0, line))
                view[side].apply(kind, px, size)
                for each, stated in ((1, bids), (-1, asks)):
                    changed, explained = view[each].meet(stated, depth)
                    if not explained:
                        found.add(Fault.BOOK_DIFFERS, table.source, line, f"levels {changed[:3]}")
                    rows += [(at_ns, Kind.LEVEL, each, at, total, 0, 0, line) for at, total in changed]
                last = rows[-1]
                rows[-1] = (*last[:6], last[6] | int(Flag.LAST), line)
            if rows:
                yield _batch(stream, table.source, rows)


_Row = tuple[int, int, int, int, int, int, int, int]


def _book_rows(
    path: Path, member: str, header: list[str], found: Findings
) -> Iterator[tuple[Levels, Levels]]:
    """Give bids and asks of each row; prices that stand for no level are left out."""
    for table in tables(path, found, header, header=header, member=member):
        bad = np.zeros(len(table), np.bool_)
        columns = [table.numbers(name, 0, found, bad) for name in header]
        before: list[int] = []
        bids: Levels = {}
        asks: Levels = {}
        for row in np.stack(columns, axis=1).tolist():
            if row != before:
                before = row
                asks = {
                    px: qty
                    for px, qty in zip(row[0::4], row[1::4], strict=True)
                    if qty and abs(px) != EMPTY_PX
                }
                bids = {
                    px: qty
                    for px, qty in zip(row[2::4], row[3::4], strict=True)
                    if qty and abs(px) != EMPTY_PX
                }
            yield bids, asks


def _before(bids: Levels, asks: Levels, kind: Kind, side: int, px: int, size: int) -> dict[int, Side]:
    """Take the first message back from the book after it."""
    view = {1: Side(1, dict(bids), {}), -1: Side(-1, dict(asks), {})}
    undo = {Kind.ADD: Kind.REDUCE, Kind.REDUCE: Kind.ADD, Kind.DELETE: Kind.ADD, Kind.EXECUTE: Kind.ADD}
    if kind in undo:
        view[side].apply(undo[kind], px, size)
    for each in view.values():
        # Whether the book went on below what is shown is not known before the first row.
        each.shown = dict(each.levels)
        each.floor = min(each.levels, key=lambda px: px * each.sign, default=None)
    return view


def _snapshot(view: dict[int, Side], at_ns: int, line: int) -> list[_Row]:
    """Give the book before the first message."""
    snap = int(Flag.SNAPSHOT)
    rows: list[_Row] = [(at_ns, Kind.CLEAR, 0, 0, 0, 0, snap, line)]
    for side in (1, -1):
        levels = sorted(view[side].levels.items(), reverse=side > 0)
        rows += [(at_ns, Kind.LEVEL, side, px, qty, 0, snap, line) for px, qty in levels]
    rows[-1] = (*rows[-1][:6], snap | int(Flag.LAST), line)
    return rows


def _batch(stream: Stream, source: str, rows: list[_Row]) -> Batch:
    at_ns, kind, side, px, qty, order_id, flags, line = np.array(rows, np.int64).T.copy()
    nothing = np.zeros(len(rows), np.int64)
    return Batch(
        stream=stream,
        source=source,
        exch_ns=at_ns,
        recv_ns=at_ns,
        kind=kind.astype(np.uint8),
        side=side.astype(np.int8),
        px=px,
        qty=qty,
        order_id=order_id,
        seq=nothing,
        flags=flags.astype(np.uint8),
        line=line,
        ident=nothing,
        px_scale=PX_SCALE,
        qty_scale=0,
        recv_known=False,
    )
