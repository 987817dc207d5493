"""Volume by the hour out of a store: the trades of recorded days, and candles that have a volume."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.dataset.errors import DataError
from backtest.dataset.faults import Fault
from backtest.dataset.gather import Stream
from backtest.dataset.rows import Ints, Kind
from backtest.dataset.store import DAY_NS, Day, catalogue, day_of, open_day, symbol_folder
from backtest.dataset.tables import tables_in
from executor.domain.timeline import NS_PER_HOUR

SPAN_NS_MIN: Final = 23 * NS_PER_HOUR
"""A recorded day is whole where its trades span so much of it."""
_HOURS: Final = 24
_MINUTES_PER_DAY: Final = 1_440
_PRINTS: Final = (Kind.TRADE, Kind.EXECUTE, Kind.HIDDEN)
_KEY: Final = b"lot_size"
_LISTED_MAX: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyDay:
    """One day, as far as it can be used.

    Attributes
    ----------
    hourly_qty
        Volume of each of its 24 hours, base units; None where it was left out.
    why
        Why it was left out; empty where it was not.
    source
        `trades` or `candles`.
    """

    day: date
    source: str
    hourly_qty: tuple[float, ...] | None
    why: str = ""


def find_stream(root: Path, symbol: str, *, venue: str | None = None, category: str | None = None) -> Stream:
    """Find the one instrument of that name of which days or candles are stored.

    Raises
    ------
    DataError
        If there is none, or more than one.
    """
    stored = {day.stream for day in catalogue(root)}
    stored |= {table.stream for table in tables_in(root) if table.kind.startswith("klines")}
    named = [
        one
        for one in sorted(stored)
        if one.symbol == symbol and venue in {None, one.venue} and category in {None, one.category}
    ]
    if len(named) == 1:
        return named[0]
    names = [f"{one.venue}/{one.category}/{one.symbol}" for one in named or sorted(stored)]
    raise DataError(
        root,
        f"{symbol}, a name that is stored more than once" if named else f"nothing stored of {symbol}",
        "say which: VENUE/CATEGORY/SYMBOL" if named else "correct the name, or import a recording",
        allowed=", ".join(names[:_LISTED_MAX]) or "nothing: the store is empty",
    )


def hourly_days(root: Path, stream: Stream, told: Callable[[int, int], None]) -> Iterator[HourlyDay]:
    """Give the days of an instrument in order, from trades where they were recorded, else from candles.

    Parameters
    ----------
    told
        Called with the days that were read and all that there are.

    Raises
    ------
    DataError
        If a file of the store is damaged.
    """
    found: dict[date, HourlyDay] = {one.day: one for one in _of_candles(root, stream)}
    days = [day for day in catalogue(root) if day.stream == stream]
    for number, day in enumerate(days):
        told(number, len(days))
        ours = _of_trades(day)
        if ours.hourly_qty is not None or day.day not in found:
            found[day.day] = ours
    yield from (found[day] for day in sorted(found))


def _of_trades(day: Day) -> HourlyDay:
    lots = np.zeros(_HOURS, np.int64)
    begin_ns = _day_ns(day.day)
    first_ns, last_ns = begin_ns + DAY_NS, begin_ns
    with open_day(day.path) as (file, info):
        missing = sum(info.faults.get(name, 0) for name in (Fault.GAP, Fault.MISSING_TRADES))
        lot = Fraction(info.lot_size)
        for batch in file.iter_batches(columns=["exch_ns", "kind", "qty"]):
            columns = {name: batch.column(name).to_numpy() for name in batch.schema.names}
            ours = np.isin(columns["kind"], _PRINTS)
            at_ns: Ints = columns["exch_ns"][ours] - begin_ns
            inside = (at_ns >= 0) & (at_ns < DAY_NS)
            if inside.any():
                np.add.at(lots, at_ns[inside] // NS_PER_HOUR, columns["qty"][ours][inside])
                first_ns = min(first_ns, begin_ns + int(at_ns[inside].min()))
                last_ns = max(last_ns, begin_ns + int(at_ns[inside].max()))
    if last_ns - first_ns < SPAN_NS_MIN:
        hours = max(last_ns - first_ns, 0) / NS_PER_HOUR
        return HourlyDay(
            day=day.day, source="trades", hourly_qty=None, why=f"its trades span {hours:.1f} h only"
        )
    if missing:
        return HourlyDay(
            day=day.day, source="trades", hourly_qty=None, why=f"something is missing in {missing} places"
        )
    return HourlyDay(day=day.day, source="trades", hourly_qty=_in_base(lots, lot))


def _of_candles(root: Path, stream: Stream) -> Iterator[HourlyDay]:
    """Days of which every candle is there; the finest table that has volumes."""
    tables = []
    for path in sorted(symbol_folder(root, stream).glob("klines-*m.parquet")):
        written = path.stem.removeprefix("klines-").removesuffix("m")
        if written.isdigit() and 0 < int(written) <= 60 and 60 % int(written) == 0:
            tables.append((int(written), path))
    for minutes, path in sorted(tables):
        try:
            table = pq.read_table(path)
        except (pa.ArrowException, OSError) as error:
            raise DataError(path, f"damaged: {error}", "import the candles again") from error
        metadata = table.schema.metadata or {}
        if "volume" in table.column_names and _KEY in metadata:
            yield from _whole_days(table, minutes, Fraction(metadata[_KEY].decode()))
            return


def _whole_days(table: pa.Table, minutes: int, lot: Fraction) -> Iterator[HourlyDay]:
    start_ns: Ints = table.column("start_ns").to_numpy()
    lots: Ints = table.column("volume").to_numpy()
    days = start_ns // DAY_NS
    for number in np.unique(days).tolist():
        ours = days == number
        begins = np.unique(start_ns[ours])
        day = day_of(number * DAY_NS)
        if len(begins) * minutes < _MINUTES_PER_DAY:
            why = f"{len(begins)} of {_MINUTES_PER_DAY // minutes} candles"
            yield HourlyDay(day=day, source="candles", hourly_qty=None, why=why)
            continue
        sums = np.zeros(_HOURS, np.int64)
        np.add.at(sums, start_ns[ours] % DAY_NS // NS_PER_HOUR, lots[ours])
        yield HourlyDay(day=day, source="candles", hourly_qty=_in_base(sums, lot))


def _in_base(lots: Ints, lot: Fraction) -> tuple[float, ...]:
    return tuple(float(int(count) * lot) for count in lots)


def _day_ns(day: date) -> int:
    return (
        (datetime(day.year, day.month, day.day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC))
        // timedelta(days=1)
        * DAY_NS
    )
