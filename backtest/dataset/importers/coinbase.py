"""A folder of Coinbase tables: two sides of a snapshot, level changes, and matches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from backtest.dataset.errors import DataError
from backtest.dataset.faults import Fault, Findings
from backtest.dataset.gather import Batch, Stream
from backtest.dataset.importers.columns import Table, header_of, tables
from backtest.dataset.importers.protocol import Options
from backtest.dataset.rows import Flag, Ints, Kind, Mask
from backtest.dataset.ticks import exact
from executor.domain.instrument import Instrument

SNAPSHOT: Final = ("side", "price", "size")
UPDATES: Final = ("side", "price", "size", "time")
MATCHES: Final = ("price", "product_id", "side", "size", "time", "trade_id", "sequence")
FILES: Final = ("snapshot_bids.csv", "snapshot_asks.csv", "l2update.csv", "match.csv")
_SIDES: Final = {"buy": 1, "sell": -1}


class Coinbase:
    """Reads a folder with `snapshot_bids.csv`, `snapshot_asks.csv`, `l2update.csv` and `match.csv`.

    The snapshot has no time: it takes that of the first change. There are no sequence numbers, so a lost change
    cannot be seen, and no receiver's time. Times are ISO 8601 with a `Z`.
    """

    name = "coinbase"

    def __init__(self) -> None:
        self.instruments: dict[tuple[str, str], Instrument] = {}

    def sniff(self, path: Path) -> bool:
        """Tell by the names of files and columns."""
        return path.is_dir() and tuple(header_of(path / "l2update.csv")) == UPDATES

    def read(self, path: Path, options: Options, found: Findings) -> Iterator[Batch]:
        """Read snapshot and changes, then the matches."""
        lost = [name for name in FILES if not (path / name).is_file()]
        if lost:
            raise DataError(path / lost[0], "there is no such file", "the folder must hold all four tables")
        symbol = options.symbol
        if symbol is None:
            for table in tables(path / "match.csv", Findings(), MATCHES):
                symbol = table.texts("product_id")[0]
                break
        if symbol is None or not Stream.is_name(symbol):
            raise DataError(path / "match.csv", "no match says the symbol", "give --symbol")
        stream = Stream("coinbase", options.category or "spot", symbol)
        begun = False
        for table in tables(path / "l2update.csv", found, UPDATES):
            bad = np.zeros(len(table), np.bool_)
            at_ns = _times(table, found, bad)
            if not begun and not bad.all():
                begun = True
                yield from _snapshot(path, stream, int(at_ns[~bad][0]), found)
            yield _batch(table, stream, at_ns, Kind.LEVEL, bad, found, int(Flag.LAST))
        for table in tables(path / "match.csv", found, MATCHES):
            bad = np.zeros(len(table), np.bool_)
            at_ns = _times(table, found, bad)
            other = np.array([text != symbol for text in table.texts("product_id")], np.bool_)
            table.tell(Fault.WRONG_SYMBOL, "product_id", other, found)
            yield _batch(table, stream, at_ns, Kind.TRADE, bad | other, found, int(Flag.LAST))


def _snapshot(path: Path, stream: Stream, at_ns: int, found: Findings) -> Iterator[Batch]:
    """Give both sides at one moment; the book is consistent after the last row of the second."""
    for name, begins in (("snapshot_bids.csv", True), ("snapshot_asks.csv", False)):
        pieces = list(tables(path / name, found, SNAPSHOT))
        for number, table in enumerate(pieces, start=1):
            times = np.full(len(table), at_ns, np.int64)
            bad = np.zeros(len(table), np.bool_)
            batch = _batch(table, stream, times, Kind.LEVEL, bad, found, int(Flag.SNAPSHOT))
            if len(batch) and begins and number == 1:
                yield _clear(batch)
            if len(batch) and not begins and number == len(pieces):
                batch.flags[-1] |= Flag.LAST
            yield batch


def _clear(like: Batch) -> Batch:
    """Give the row that voids the book before a snapshot."""
    one = slice(0, 1)
    nothing = np.zeros(1, np.int64)
    return Batch(
        stream=like.stream,
        source="l2update.csv",
        exch_ns=like.exch_ns[one],
        recv_ns=like.recv_ns[one],
        kind=np.array([Kind.CLEAR], np.uint8),
        side=np.zeros(1, np.int8),
        px=nothing,
        qty=nothing,
        order_id=nothing,
        seq=nothing,
        flags=np.array([Flag.SNAPSHOT], np.uint8),
        line=like.line[one],
        ident=nothing,
        px_scale=0,
        qty_scale=0,
        recv_known=False,
    )


def _times(table: Table, found: Findings, bad: Mask) -> Ints:
    """Read ISO times; what is none is told and marked."""
    texts = table.texts("time")
    try:
        if all(text.endswith("Z") for text in texts):
            return np.array([text[:-1] for text in texts], "datetime64[ns]").astype(np.int64)
    except ValueError:
        pass
    wrong = np.zeros(len(table), np.bool_)
    at_ns = np.zeros(len(table), np.int64)
    for place, text in enumerate(texts):
        try:
            if not text.endswith("Z"):
                raise ValueError(text)
            at_ns[place] = np.datetime64(text[:-1], "ns").astype(np.int64)
        except ValueError:
            wrong[place] = True
    table.tell(Fault.BAD_NUMBER, "time", wrong, found)
    bad |= wrong
    return at_ns


def _batch(
    table: Table, stream: Stream, at_ns: Ints, kind: Kind, bad: Mask, found: Findings, flags: int
) -> Batch:
    """Turn a piece of a table into rows; a match names the maker's side, so the aggressor's is the other."""
    px, qty = exact(table.texts("price")), exact(table.texts("size"))
    for numbers, name in ((px, "price"), (qty, "size")):
        if numbers.bad is not None:
            table.tell(Fault.BAD_NUMBER, name, numbers.bad, found)
            bad |= numbers.bad
    sign = -1 if kind is Kind.TRADE else 1
    side = np.array([sign * _SIDES.get(text, 0) for text in table.texts("side")], np.int8)
    table.tell(Fault.BAD_SIDE, "side", side == 0, found)
    bad |= side == 0
    seq = table.numbers("trade_id", 0, found, bad) if kind is Kind.TRADE else np.zeros(len(table), np.int64)
    keep = ~bad
    rows = int(keep.sum())
    return Batch(
        stream=stream,
        # Snapshot and changes are one sequence, which a merge by time must not part.
        source=table.source if kind is Kind.TRADE else "l2update.csv",
        exch_ns=at_ns[keep],
        recv_ns=at_ns[keep],
        kind=np.full(rows, kind, np.uint8),
        side=side[keep],
        px=px.values[keep],
        qty=qty.values[keep],
        order_id=np.zeros(rows, np.int64),
        seq=seq[keep],
        flags=np.full(rows, flags, np.uint8),
        line=table.line[keep],
        ident=seq[keep],
        px_scale=px.scale,
        qty_scale=qty.scale,
        recv_known=False,
        trades_numbered=kind is Kind.TRADE,
    )
