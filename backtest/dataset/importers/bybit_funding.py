"""Funding rates of a Bybit contract: a table without header, `YYYYMMDD HH:MM:SS` in UTC and the rate as a fraction."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from backtest.dataset.errors import DataError
from backtest.dataset.faults import Fault, Findings
from backtest.dataset.gather import Batch, Stream
from backtest.dataset.importers.columns import tables
from backtest.dataset.importers.protocol import Options
from backtest.dataset.rows import Flag, Kind
from backtest.dataset.sources import head_of
from backtest.dataset.ticks import exact
from executor.domain.instrument import Instrument

_TIME: Final = re.compile(r"\A(\d{4})(\d\d)(\d\d) (\d\d:\d\d:\d\d)\Z", re.ASCII)


class BybitFunding:
    """Reads `<symbol>.csv`; the symbol stands in the name alone."""

    name = "bybit_funding"

    def __init__(self) -> None:
        self.instruments: dict[tuple[str, str], Instrument] = {}

    def sniff(self, path: Path) -> bool:
        """Tell by the form of the first line."""
        return bool(re.match(rb"\d{8} \d\d:\d\d:\d\d,-?\d", head_of(path, 64)))

    def read(self, path: Path, options: Options, found: Findings) -> Iterator[Batch]:
        """Read the settlements in order."""
        symbol = options.symbol or path.name.split(".", 1)[0].upper()
        if not Stream.is_name(symbol):
            raise DataError(path, f"{symbol[:40]!r} is no symbol", "give --symbol")
        stream = Stream("bybit", options.category or "linear", symbol)
        for table in tables(path, found, ("time", "rate"), header=("time", "rate")):
            at_ns = np.zeros(len(table), np.int64)
            bad = np.zeros(len(table), np.bool_)
            for place, text in enumerate(table.texts("time")):
                words = _TIME.match(text)
                try:
                    if words is None:
                        raise ValueError(text)
                    iso = f"{words[1]}-{words[2]}-{words[3]}T{words[4]}"
                    at_ns[place] = np.datetime64(iso, "ns").astype(np.int64)
                except ValueError:
                    bad[place] = True
            table.tell(Fault.BAD_NUMBER, "time", bad, found)
            rate = exact(table.texts("rate"))
            if rate.bad is not None:
                table.tell(Fault.BAD_NUMBER, "rate", rate.bad, found)
                bad |= rate.bad
            keep = ~bad
            rows = int(keep.sum())
            nothing = np.zeros(rows, np.int64)
            yield Batch(
                stream=stream,
                source=table.source,
                exch_ns=at_ns[keep],
                recv_ns=at_ns[keep],
                kind=np.full(rows, Kind.FUNDING, np.uint8),
                side=np.zeros(rows, np.int8),
                px=rate.values[keep],
                qty=nothing,
                order_id=nothing,
                seq=nothing,
                flags=np.full(rows, Flag.LAST, np.uint8),
                line=table.line[keep],
                ident=nothing,
                px_scale=rate.scale,
                qty_scale=0,
                recv_known=False,
            )
