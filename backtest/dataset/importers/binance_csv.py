"""Archived Binance streams as tables: depth changes one level a row, and trades."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import numpy as np

from backtest.dataset.faults import Fault, Findings
from backtest.dataset.gather import Batch, Stream
from backtest.dataset.importers.columns import Table, header_of, tables
from backtest.dataset.importers.protocol import Options
from backtest.dataset.rows import Bytes, Flag, Ints, Kind, Mask
from backtest.dataset.ticks import exact
from executor.domain.instrument import Instrument

TIMES: Final = ("TimestampOfReceive", "EventTime", "TransactionTime")
IDS: Final = ("FirstUpdateId", "FinalUpdateId", "FinalUpdateIdInLastStream")
DEPTH: Final = (*TIMES, "Stream", "Symbol", *IDS, "IsAsk", "Price", "Quantity")
TRADES: Final = (*TIMES, "Stream", "Symbol", "TradeId", "Price", "Quantity", "IsBuyerMarketMaker")


_VOID: Final = frozenset((kind, zero, zero) for kind in ("", "NA") for zero in ("0", "0.0"))


@dataclass(slots=True)
class _Following:
    """The book of one stream so far: its last update id."""

    last_u: int | None = None


class BinanceCsv:
    """Reads `difference_depth` and `trade` tables.

    The rows of one message repeat its times and ids. Where they differ, the message is read as the rows that agree
    with each other, with the message before, and with the times say; a row that differs is told and marked.
    """

    name = "binance_csv"

    def __init__(self) -> None:
        self.instruments: dict[tuple[str, str], Instrument] = {}
        self._books: dict[Stream, _Following] = {}

    def sniff(self, path: Path) -> bool:
        """Tell by the names of the columns."""
        names = set(header_of(path))
        return set(DEPTH) <= names or set(TRADES) <= names

    def read(self, path: Path, options: Options, found: Findings) -> Iterator[Batch]:
        """Read the rows in order; both times are milliseconds."""
        names = header_of(path)
        depth = "FirstUpdateId" in names
        held: Table | None = None
        for piece in tables(path, found, DEPTH if depth else TRADES):
            if not depth:
                yield self._trades(piece, options, found, contracts="XUnknownParameter" in names)
                continue
            # A message must not be cut: its rows wait for the next piece.
            table = piece if held is None else _joined(held, piece)
            first = table.texts("FirstUpdateId")
            start = len(first) - 1
            while start > 0 and first[start - 1] == first[-1]:
                start -= 1
            held = _cut(table, slice(start, None))
            if start:
                yield self._depth(_cut(table, slice(0, start)), options, found)
        if held is not None:
            yield self._depth(held, options, found)

    def _stream(self, table: Table, options: Options, *, contracts: bool) -> Stream:
        symbol = options.symbol or table.texts("Stream")[0].partition("@")[0].upper()
        kind = "inverse" if "_" in symbol else "linear" if contracts else "spot"
        if not Stream.is_name(symbol):
            symbol = "UNKNOWN"
        return Stream("binance", options.category or kind, symbol)

    def _trades(self, table: Table, options: Options, found: Findings, *, contracts: bool) -> Batch:
        stream = self._stream(table, options, contracts=contracts)
        bad = _strangers(table, stream, found)
        recv = table.numbers("TimestampOfReceive", 6, found, bad)
        exch = table.numbers("TransactionTime", 6, found, bad)
        ids = table.numbers("TradeId", 0, found, bad)
        maker = np.array(
            [{"1": -1, "0": 1}.get(text, 0) for text in table.texts("IsBuyerMarketMaker")], np.int8
        )
        table.tell(Fault.BAD_SIDE, "IsBuyerMarketMaker", maker == 0, found)
        bad |= maker == 0
        flags = np.full(len(table), Flag.LAST, np.uint8)
        void = _void(table)
        void_ids = tuple(ids[void & ~bad].tolist())
        if void_ids:
            found.note("numbered rows of the venue that are no trade", len(void_ids))
        bad |= void
        return _batch(table, stream, recv, exch, Kind.TRADE, maker, ids, ids, flags, bad, found, void_ids)

    def _depth(self, table: Table, options: Options, found: Findings) -> Batch:
        contracts = any(table.texts("FinalUpdateIdInLastStream"))
        stream = self._stream(table, options, contracts=contracts)
        book = self._books.setdefault(stream, _Following())
        bad = _strangers(table, stream, found)
        zeros = np.zeros(len(table), np.int64)
        recv, event, exch = (table.numbers(name, 6, found, bad) for name in TIMES)
        first, final = (table.numbers(name, 0, found, bad) for name in IDS[:2])
        before = table.numbers(IDS[2], 0, found, bad) if contracts else zeros
        side = np.array([{"0": 1, "1": -1}.get(text, 0) for text in table.texts("IsAsk")], np.int8)
        table.tell(Fault.BAD_SIDE, "IsAsk", side == 0, found)
        flags = np.zeros(len(table), np.uint8)
        begins = book.last_u is None
        messages = list(
            zip(recv.tolist(), event.tolist(), exch.tolist(), final.tolist(), before.tolist(), strict=True)
        )
        for start_id, group in groupby(enumerate(first.tolist()), key=itemgetter(1)):
            places = [place for place, _ in group]
            truth = _agreed([messages[place] for place in places], start_id, book.last_u)
            for place in places:
                if messages[place] != truth:
                    flags[place] |= Flag.SUSPECT
                    _tell_difference(table, place, messages[place], truth, found)
            final_id, before_id = truth[3], truth[4]
            follows = book.last_u is not None and (
                before_id == book.last_u if contracts else start_id == book.last_u + 1
            )
            if not follows:
                flags[places[0]] |= Flag.GAP
            book.last_u = final_id
            flags[places[-1]] |= Flag.LAST
        bad |= side == 0
        batch = _batch(table, stream, recv, exch, Kind.LEVEL, side, final, zeros, flags, bad, found)
        # Before the first message there was no book that could be void.
        return _with_voids(batch, np.flatnonzero(batch.flags & Flag.GAP)[int(begins) :])


def _with_voids(batch: Batch, gaps: Ints) -> Batch:
    """Void the book before the rows that something is missing before: these layouts have no snapshots to do it."""
    if not len(gaps):
        return batch

    def put(column: Any, void: int | None = None) -> Any:  # noqa: ANN401 - any column, and it keeps its kind
        return np.insert(column, gaps, column[gaps] if void is None else void)

    flags = batch.flags.copy()
    flags[gaps] &= ~np.uint8(Flag.GAP)
    return replace(
        batch,
        exch_ns=put(batch.exch_ns),
        recv_ns=put(batch.recv_ns),
        kind=put(batch.kind, Kind.CLEAR),
        side=put(batch.side, 0),
        px=put(batch.px, 0),
        qty=put(batch.qty, 0),
        order_id=put(batch.order_id),
        seq=put(batch.seq),
        flags=np.insert(flags, gaps, Flag.GAP),
        line=put(batch.line),
        ident=put(batch.ident),
    )


def _move_marks(flags: Bytes, bad: Mask) -> None:
    """Keep the marks of a message when the rows that bear them are left out."""
    places = np.flatnonzero(bad).tolist()
    for place in places:
        if flags[place] & Flag.GAP and place + 1 < len(flags):
            flags[place + 1] |= Flag.GAP
    for place in reversed(places):
        if flags[place] & Flag.LAST and place and not flags[place - 1] & Flag.LAST:
            flags[place - 1] |= Flag.LAST


def _agreed(
    rows: list[tuple[int, int, int, int, int]], first_id: int, last_u: int | None
) -> tuple[int, int, int, int, int]:
    """Choose what a message says where its rows differ."""

    def credit(row: tuple[int, int, int, int, int]) -> tuple[bool, bool, int, int]:
        recv, event, exch, final_id, before_id = row
        spread_s = (max(recv, event, exch) - min(recv, event, exch)) // 1_000_000_000
        return final_id >= first_id, before_id == last_u, -spread_s, rows.count(row)

    return rows[0] if len(set(rows)) == 1 else max(rows, key=credit)


def _tell_difference(
    table: Table, place: int, row: tuple[int, ...], truth: tuple[int, ...], found: Findings
) -> None:
    names = (*TIMES, *IDS[1:])
    differing = [name for name, one, other in zip(names, row, truth, strict=True) if one != other]
    fault = Fault.BAD_IDS if set(differing) & set(IDS) else Fault.MESSAGE_DIFFERS
    text = ", ".join(f"{name} {table.texts(name)[place][:40]!r}" for name in differing)
    found.add(fault, table.source, int(table.line[place]), text)


def _strangers(table: Table, stream: Stream, found: Findings) -> Mask:
    """Rows of other instruments."""
    other = np.array([text != stream.symbol for text in table.texts("Symbol")], np.bool_)
    table.tell(Fault.WRONG_SYMBOL, "Symbol", other, found)
    return other


def _void(table: Table) -> Mask:
    """Rows that the venue numbers among the trades and that are none: no type, no price, no quantity."""
    if "XUnknownParameter" not in table.columns:
        return np.zeros(len(table), np.bool_)
    rows = zip(*(table.texts(name) for name in ("XUnknownParameter", "Price", "Quantity")), strict=True)
    return np.array([row in _VOID for row in rows], np.bool_)


def _joined(one: Table, other: Table) -> Table:
    return Table(
        source=one.source,
        line=np.concatenate([one.line, other.line]),
        columns={name: one.columns[name] + other.columns[name] for name in one.columns},
    )


def _cut(table: Table, which: slice) -> Table:
    return Table(
        source=table.source,
        line=table.line[which],
        columns={name: texts[which] for name, texts in table.columns.items()},
    )


def _batch(
    table: Table,
    stream: Stream,
    recv: Ints,
    exch: Ints,
    kind: Kind,
    side: np.ndarray[tuple[int], np.dtype[np.int8]],
    seq: Ints,
    ident: Ints,
    flags: Bytes,
    bad: Mask,
    found: Findings,
    void_ids: tuple[int, ...] = (),
) -> Batch:
    """Leave out what has no place in the store, and hand on the rest."""
    px, qty = exact(table.texts("Price")), exact(table.texts("Quantity"))
    for numbers, name in ((px, "Price"), (qty, "Quantity")):
        if numbers.bad is not None:
            table.tell(Fault.BAD_NUMBER, name, numbers.bad, found)
            bad |= numbers.bad
    _move_marks(flags, bad)
    keep = ~bad
    rows = int(keep.sum())
    return Batch(
        stream=stream,
        source=table.source,
        exch_ns=exch[keep],
        recv_ns=recv[keep],
        kind=np.full(rows, kind, np.uint8),
        side=side[keep],
        px=px.values[keep],
        qty=qty.values[keep],
        order_id=np.zeros(rows, np.int64),
        seq=seq[keep],
        flags=flags[keep],
        line=table.line[keep],
        ident=ident[keep],
        px_scale=px.scale,
        qty_scale=qty.scale,
        trades_numbered=kind is Kind.TRADE,
        void_ids=void_ids,
    )
