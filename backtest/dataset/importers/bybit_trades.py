"""Bybit's archive of public trades: the layout of derivatives, the layout of spot, oldest or newest first."""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from backtest.dataset.errors import DataError
from backtest.dataset.faults import Fault, Findings
from backtest.dataset.gather import Batch, Stream, id_hash
from backtest.dataset.importers.bybit_archive import category_of
from backtest.dataset.importers.columns import Table, header_of, tables
from backtest.dataset.importers.protocol import Options
from backtest.dataset.rows import Flag, Ints, Kind, Mask
from backtest.dataset.ticks import exact
from executor.domain.instrument import Instrument

DERIVATIVE: Final = ("timestamp", "symbol", "side", "size", "price", "trdMatchID")
SPOT: Final = ("id", "timestamp", "price", "volume", "side")
_NAME: Final = re.compile(r"\A([A-Z0-9]{3,30}?)[_-]?\d{4}-\d{2}(?:-\d{2})?\.csv")
_SIDES: Final = {"Buy": 1, "buy": 1, "Sell": -1, "sell": -1}


class BybitTrades:
    """Reads `<symbol><day>.csv.gz` of derivatives and `<symbol>_<day>.csv.gz` of spot."""

    name = "bybit_trades"

    def __init__(self) -> None:
        self.instruments: dict[tuple[str, str], Instrument] = {}

    def sniff(self, path: Path) -> bool:
        """Tell by the names of the columns."""
        names = header_of(path)
        return set(DERIVATIVE) <= set(names) or tuple(names[:5]) == SPOT

    def read(self, path: Path, options: Options, found: Findings) -> Iterator[Batch]:
        """Read the trades in the order of the file; it has no receiver's time."""
        spot = header_of(path)[0] == "id"
        named = _NAME.match(path.name)
        symbol = options.symbol or (named[1] if named else None)
        newest_first: bool | None = None
        for table in tables(path, found, SPOT if spot else DERIVATIVE):
            if symbol is None and not spot:
                symbol = table.texts("symbol")[0]
            if symbol is None or not Stream.is_name(symbol):
                raise DataError(path, "neither the file nor its name says the symbol", "give --symbol")
            category = options.category or ("spot" if spot else category_of(path, symbol))
            bad = np.zeros(len(table), np.bool_)
            # milliseconds of spot, seconds with decimals of derivatives
            at_ns = table.numbers("timestamp", 6 if spot else 9, found, bad)
            if newest_first is None:
                good = at_ns[~bad]
                newest_first = bool(len(good) > 1 and good[0] > good[-1])
            batch = _batch(
                table,
                Stream("bybit", category, symbol),
                at_ns=at_ns,
                bad=bad,
                found=found,
                spot=spot,
                newest_first=newest_first,
            )
            if len(batch):
                yield batch


def _batch(
    table: Table, stream: Stream, *, at_ns: Ints, bad: Mask, found: Findings, spot: bool, newest_first: bool
) -> Batch:
    """Turn a piece of the table into rows; what has no place in the store is told and left out."""
    rows = len(table)
    px, qty = exact(table.texts("price")), exact(table.texts("volume" if spot else "size"))
    for numbers, name in ((px, "price"), (qty, "volume" if spot else "size")):
        if numbers.bad is not None:
            table.tell(Fault.BAD_NUMBER, name, numbers.bad, found)
            bad |= numbers.bad
    side = np.array([_SIDES.get(text, 0) for text in table.texts("side")], np.int8)
    table.tell(Fault.BAD_SIDE, "side", side == 0, found)
    bad |= side == 0
    if spot:
        # Numbers begin again in each file, so the file is a part of what identifies a trade.
        seq = table.numbers("id", 0, found, bad)
        ident = seq + (np.int64(zlib.crc32(table.source.encode())) << np.int64(30))
    else:
        other = np.array([text != stream.symbol for text in table.texts("symbol")], np.bool_)
        table.tell(Fault.WRONG_SYMBOL, "symbol", other, found)
        bad |= other
        seq = np.zeros(rows, np.int64)
        ident = np.array([id_hash(text) for text in table.texts("trdMatchID")], np.int64)
    keep = ~bad
    return Batch(
        stream=stream,
        source=table.source,
        exch_ns=at_ns[keep],
        recv_ns=at_ns[keep],
        kind=np.full(rows, Kind.TRADE, np.uint8)[keep],
        side=side[keep],
        px=px.values[keep],
        qty=qty.values[keep],
        order_id=np.zeros(rows, np.int64)[keep],
        seq=seq[keep],
        flags=np.full(rows, Flag.LAST, np.uint8)[keep],
        line=table.line[keep],
        ident=ident[keep],
        px_scale=px.scale,
        qty_scale=qty.scale,
        recv_known=False,
        newest_first=newest_first,
        trades_numbered=spot,
    )
