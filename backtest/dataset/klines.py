"""Candles as a small table of their own: start, open, high, low, close; none of them is a row of a book.

`<root>/venue=<v>/category=<c>/symbol=<s>/klines-<minutes>m.parquet`; prices are whole ticks of the size in the
metadata, and volumes, where the source has them, whole lots of the size there.
"""

from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.dataset.errors import DataError
from backtest.dataset.faults import Fault, Findings
from backtest.dataset.gather import Stream
from backtest.dataset.importers.columns import header_of, tables
from backtest.dataset.importers.protocol import Options
from backtest.dataset.store import symbol_folder
from backtest.dataset.ticks import exact, scaled, step_of, step_text

PRICES: Final = ("open", "high", "low", "close")
WANTED: Final = ("symbol", "interval", "start_at", *PRICES)
VOLUME: Final = "volume"
"""Column that not every table of candles has, base units."""


def are_klines(path: Path) -> bool:
    """Tell by the names of the columns."""
    return path.is_file() and set(WANTED) <= set(header_of(path))


def import_klines(
    root: Path | None, path: Path, options: Options, found: Findings
) -> tuple[Path | None, int]:
    """Read a table of candles of one symbol and store it; gives where and how many. None as root only checks.

    Raises
    ------
    DataError
        If it is damaged or says no symbol.
    """
    starts, prices, scales, steps = [], [], [], Fraction(0)
    lots, lot_scales, lot_step = [], [], Fraction(0)
    symbol, minutes = options.symbol, 0
    wanted = (*WANTED, VOLUME) if VOLUME in header_of(path) else WANTED
    for table in tables(path, found, wanted):
        symbol = symbol or table.texts("symbol")[0]
        bad = np.array([text != symbol for text in table.texts("symbol")], np.bool_)
        table.tell(Fault.WRONG_SYMBOL, "symbol", bad, found)
        start = table.numbers("start_at", 9, found, bad)
        minutes = minutes or int(table.numbers("interval", 0, found, bad)[0])
        four = [exact(table.texts(name)) for name in PRICES]
        for name, numbers in zip(PRICES, four, strict=True):
            if numbers.bad is not None:
                table.tell(Fault.BAD_NUMBER, name, numbers.bad, found)
                bad |= numbers.bad
        scale = max(numbers.scale for numbers in four)
        values = np.stack([numbers.at(scale) for numbers in four])
        opens, highs, lows, closes = values
        volumes = exact(table.texts(VOLUME)) if VOLUME in wanted else None
        if volumes is not None:
            for fault, wrong in ((Fault.BAD_NUMBER, volumes.bad), (Fault.NEGATIVE, volumes.values < 0)):
                if wrong is not None:
                    table.tell(fault, VOLUME, wrong & ~bad, found)
                    bad |= wrong
        for fault, wrong in (
            (Fault.ZERO_PRICE, values.min(axis=0) <= 0),
            (Fault.BOOK_DIFFERS, (highs < values.max(axis=0)) | (lows > np.minimum(opens, closes))),
        ):
            table.tell(fault, "open", wrong & ~bad, found)
        starts.append(start[~bad])
        prices.append(values[:, ~bad])
        scales.append(scale)
        steps = step_of(values[:, ~bad].ravel(), scale, steps)
        if volumes is not None:
            lots.append(volumes.values[~bad])
            lot_scales.append(volumes.scale)
            lot_step = step_of(lots[-1], volumes.scale, lot_step)
    if symbol is None or not Stream.is_name(symbol) or not starts or not steps:
        raise DataError(path, "no candle of a symbol in it", "look into the file")
    at_ns = np.concatenate(starts)
    if bool((np.diff(at_ns) <= 0).any()):
        found.add(Fault.TIME_BACK, path.name, 0, "candles are not in the order of their starts")
    ticks = [scaled(values, 1 / (steps * 10**scale)) for values, scale in zip(prices, scales, strict=True)]
    if root is None:
        return None, len(at_ns)
    stream = Stream("bybit", options.category or "linear", symbol)
    target = symbol_folder(root, stream) / f"klines-{minutes}m.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    columns = {"start_ns": pa.array(at_ns)}
    for place, name in enumerate(PRICES):
        columns[name] = pa.array(np.concatenate([each[place] for each in ticks]))
    metadata = {"tick_size": step_text(steps), "source": path.name}
    if lot_step:
        whole = [
            scaled(values, 1 / (lot_step * 10**scale)) for values, scale in zip(lots, lot_scales, strict=True)
        ]
        columns[VOLUME] = pa.array(np.concatenate(whole))
        metadata["lot_size"] = step_text(lot_step)
    stored = pa.table(columns).replace_schema_metadata(metadata)
    pq.write_table(stored, target, compression="zstd")
    return target, len(at_ns)
