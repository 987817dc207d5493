"""Tardis' downloadable tables: `incremental_book_L2` and `trades`.

By its documentation: times are microseconds; rows of one message share `local_timestamp`; a snapshot row after one
that is none voids the book; `amount` is the new total of a level, 0 removes it; `side` of a trade is the taker's.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from backtest.dataset.faults import Fault, Findings
from backtest.dataset.gather import BATCH_ROWS, Batch, Gatherer, Stream, id_hash
from backtest.dataset.importers.columns import Table, header_of, tables
from backtest.dataset.importers.protocol import Options
from backtest.dataset.rows import Flag, Kind
from executor.domain.instrument import Instrument

BOOK: Final = ("exchange", "symbol", "timestamp", "local_timestamp", "is_snapshot", "side", "price", "amount")
TRADES: Final = ("exchange", "symbol", "timestamp", "local_timestamp", "id", "side", "price", "amount")
_BOOK_SIDES: Final = {"bid": 1, "ask": -1}
_TRADE_SIDES: Final = {"buy": 1, "sell": -1, "unknown": 0}
_Key = tuple[str, str, int, int, str, str]


class Tardis:
    """Reads both tables; a file may hold several symbols."""

    name = "tardis"

    def __init__(self) -> None:
        self.instruments: dict[tuple[str, str], Instrument] = {}
        self._into: dict[tuple[Stream, str], Gatherer] = {}
        self._in_snapshot: dict[Stream, bool] = {}
        self._full: list[Batch] = []

    def sniff(self, path: Path) -> bool:
        """Tell by the names of the columns."""
        return tuple(header_of(path)[:8]) in {BOOK, TRADES}

    def read(self, path: Path, options: Options, found: Findings) -> Iterator[Batch]:
        """Read the rows in order; a message lies open until the next receive time."""
        book = header_of(path)[4] == "is_snapshot"
        open_at: dict[Stream, int] = {}
        for table in tables(path, found, BOOK if book else TRADES):
            bad = np.zeros(len(table), np.bool_)
            exch = table.numbers("timestamp", 3, found, bad).tolist()
            recv = table.numbers("local_timestamp", 3, found, bad).tolist()
            marks = table.texts("is_snapshot" if book else "id")
            rows = zip(
                table.texts("exchange"),
                table.texts("symbol"),
                exch,
                recv,
                marks,
                table.texts("side"),
                strict=True,
            )
            for place, (exchange, symbol, exch_ns, recv_ns, mark, word) in enumerate(rows):
                if bad[place]:
                    continue
                row = (exchange, symbol, exch_ns, recv_ns, mark, word)
                if book:
                    self._level(table, place, row, options, found, open_at)
                else:
                    self._trade(table, place, row, options, found)
            yield from self._full
            self._full = []
        for into in self._into.values():
            into.end_message()
            if (batch := into.flush()) is not None:
                yield batch

    def _end_message(self, into: Gatherer) -> None:
        """Hand on what was gathered between two messages only."""
        into.end_message()
        if len(into) >= BATCH_ROWS and (batch := into.flush()) is not None:
            self._full.append(batch)

    def _gatherer(
        self, table: Table, exchange: str, symbol: str, options: Options, found: Findings
    ) -> Gatherer | None:
        if not Stream.is_name(symbol) or not Stream.is_name(exchange):
            return None
        category = options.category or ("spot" if "spot" in exchange or exchange == "binance" else "linear")
        stream = Stream(exchange, category, symbol)
        into = self._into.get((stream, table.source))
        if into is None:
            into = Gatherer(stream=stream, source=table.source, found=found)
            self._into[stream, table.source] = into
        return into

    def _level(
        self,
        table: Table,
        place: int,
        row: _Key,
        options: Options,
        found: Findings,
        open_at: dict[Stream, int],
    ) -> None:
        exchange, symbol, exch_ns, recv_ns, mark, word = row
        line = int(table.line[place])
        side = _BOOK_SIDES.get(word)
        into = self._gatherer(table, exchange, symbol, options, found)
        if into is None or mark not in {"true", "false"}:
            found.add(
                Fault.UNREADABLE, table.source, line, f"{exchange[:20]!r} {symbol[:20]!r} {mark[:20]!r}"
            )
            return
        if side is None:
            found.add(Fault.BAD_SIDE, table.source, line, f"{word[:40]!r}")
            return
        stream, snapshot = into.stream, mark == "true"
        if open_at.get(stream, recv_ns) != recv_ns:
            self._end_message(into)
        open_at[stream] = recv_ns
        was = self._in_snapshot.get(stream)
        if snapshot and not was:
            into.clear(exch_ns=exch_ns, recv_ns=recv_ns, line=line, flags=int(Flag.SNAPSHOT))
        elif was is None:
            into.clear(exch_ns=exch_ns, recv_ns=recv_ns, line=line, flags=int(Flag.GAP))
        self._in_snapshot[stream] = snapshot
        into.add(
            [table.texts("price")[place]],
            [table.texts("amount")[place]],
            exch_ns=exch_ns,
            recv_ns=recv_ns,
            kind=Kind.LEVEL,
            side=side,
            line=line,
            flags=int(Flag.SNAPSHOT) if snapshot else 0,
        )

    def _trade(self, table: Table, place: int, row: _Key, options: Options, found: Findings) -> None:
        exchange, symbol, exch_ns, recv_ns, mark, word = row
        line = int(table.line[place])
        side = _TRADE_SIDES.get(word)
        into = self._gatherer(table, exchange, symbol, options, found)
        if into is None:
            found.add(Fault.UNREADABLE, table.source, line, f"{exchange[:20]!r} {symbol[:20]!r}")
            return
        if side is None:
            found.add(Fault.BAD_SIDE, table.source, line, f"{word[:40]!r}")
            return
        number = int(mark) if mark.isdigit() and len(mark) < 19 else 0
        into.add(
            [table.texts("price")[place]],
            [table.texts("amount")[place]],
            exch_ns=exch_ns,
            recv_ns=recv_ns,
            kind=Kind.TRADE,
            side=side,
            line=line,
            seq=number,
            ident=number or (id_hash(mark) if mark else 0),
        )
        self._end_message(into)
