"""A recorded market on disk: which days there are, the rules of its symbol, and its rows one after the other.

The store is Parquet files of a published layout (docs/data.md); pyarrow is needed from the first look at one.
"""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.bybit_server.instruments import INVERSE, LINEAR, SPOT, Instrument
from sandbox.bybit_server.recorded_rows import Kind, Row, by_level
from sandbox.bybit_server.recorded_rules import RulesError, instrument_of

if TYPE_CHECKING:
    from pyarrow import parquet

BATCH_ROWS: Final = 20_000
PRICE_LOOK_ROWS: Final = 200_000
LISTED_MAX: Final = 8
LIKE_MAX: Final = 3
METADATA: Final = b"executor.rows"
COLUMNS: Final = ("exch_ns", "kind", "side", "px", "qty", "flags")


class RecordingError(Exception):
    """A recording cannot be played; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Day:
    """A stored day, what its rows count in, and the exchange's time of the first and the last of them."""

    path: Path
    tick: Decimal
    lot: Decimal
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The stored days of one symbol.

    Parameters
    ----------
    name
        Venue, category and symbol, for people.
    days
        The files, in order.
    tick, lot
        What the rows count in, as they are given here.
    instrument
        The rules under which it is traded.
    assumed
        What of them the recording does not say, for people.
    """

    name: str
    days: tuple[Day, ...]
    tick: Decimal
    lot: Decimal
    instrument: Instrument
    assumed: tuple[str, ...]

    def rows(self) -> Iterator[Row]:
        """Read all days, piece by piece.

        Raises
        ------
        RecordingError
            If a file turns out to be damaged.
        """
        yield from by_level(_rows(self.days, self.tick, self.lot))


def find_recording(root: Path, symbol: str, *, category: str = "", venue: str = "") -> Recording:
    """Find what a store has of a symbol.

    Parameters
    ----------
    category, venue
        Needed only where the store has the symbol more than once.

    Raises
    ------
    RecordingError
        If there is nothing of that name, more than one, or nothing that this venue can play.
    """
    folder = _folder(root, symbol, category, venue)
    days = tuple(_day(path) for path in sorted(folder.glob("day=*/rows.parquet")))
    # Where steps were derived from the data, two days may disagree; the finer one holds both.
    tick, lot = min(day.tick for day in days), min(day.lot for day in days)
    for day in days:
        if day.tick % tick or day.lot % lot:
            raise RecordingError(f"{day.path}: its steps do not fit the other days; play them one by one")
    names = [part.partition("=")[2] for part in folder.parts[-3:]]
    name = "/".join(names)
    rows = by_level(itertools.islice(_rows(days, tick, lot), PRICE_LOOK_ROWS))
    try:
        px = _first_px(rows) * tick
        instrument, assumed = instrument_of(names[1], symbol, _rules(folder), tick=tick, lot=lot, px=px)
    except RulesError as error:
        raise RecordingError(f"{name}: {error}") from error
    return Recording(name=name, days=days, tick=tick, lot=lot, instrument=instrument, assumed=assumed)


def _rows(days: Iterable[Day], tick: Decimal, lot: Decimal) -> Iterator[Row]:
    for day in days:
        ticks, lots = int(day.tick / tick), int(day.lot / lot)
        for at_ns, kind, side, px, qty, flags in _read(day.path):
            counts_prices = kind != Kind.FUNDING
            counts_lots = kind not in {Kind.HALT, Kind.FUNDING}
            yield Row(
                at_ns,
                kind,
                side,
                px * ticks if counts_prices else px,
                qty * lots if counts_lots else qty,
                flags,
            )


def _first_px(rows: Iterable[Row]) -> int:
    """Return the price of the first trade, or where none is near the first price of any level."""
    seen = 0
    for row in rows:
        if row.kind == Kind.TRADE and row.px > 0:
            return row.px
        if row.kind == Kind.LEVEL:
            seen = seen or row.px
    if not seen:
        raise RulesError(f"no price within the first {PRICE_LOOK_ROWS} rows")
    return seen


def _rules(folder: Path) -> Mapping[str, object]:
    path = folder / "instrument.json"
    try:
        rules = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path} cannot be read: {error}") from error
    if not isinstance(rules, dict):
        raise RecordingError(f"{path} holds no object")
    return rules


def held_in(root: Path, near: str = "") -> str:
    """Say what a store has, for people: all of it while that is little, else what has a name like a given one."""
    labels = [_label(folder) for folder in _folders(root)]
    if len(labels) <= LISTED_MAX:
        return ", ".join(labels) or "nothing"
    symbols = {label.rsplit("/", 1)[1]: label for label in reversed(labels)}
    like = difflib.get_close_matches(near, symbols, n=LIKE_MAX)
    some = f", among them {', '.join(symbols[one] for one in like)}" if like else ""
    return f"{len(labels)} instruments{some} (`executor data info` lists them)"


def _folders(root: Path) -> list[Path]:
    found = sorted(root.glob("venue=*/category=*/symbol=*/day=*/rows.parquet"))
    return list(dict.fromkeys(path.parent.parent for path in found))


def _folder(root: Path, symbol: str, category: str, venue: str) -> Path:
    named = [
        folder
        for folder in _folders(root)
        if folder.name == f"symbol={symbol}"
        and category in {"", folder.parent.name.partition("=")[2]}
        and venue in {"", folder.parent.parent.name.partition("=")[2]}
    ]
    if len(named) == 1:
        folder = named[0]
        if folder.parent.name.partition("=")[2] not in {LINEAR, SPOT, INVERSE}:
            raise RecordingError(f"{_label(folder)}: only linear, inverse and spot symbols can be played")
        return folder
    if named:
        raise RecordingError(
            f"{symbol} is there more than once: {', '.join(map(_label, named))}; name --venue and --category"
        )
    name = "/".join(part for part in (venue, category, symbol) if part)
    raise RecordingError(f"no recording of {name} in {root}: it holds {held_in(root, symbol)}")


def _label(folder: Path) -> str:
    return "/".join(part.partition("=")[2] for part in folder.parts[-3:])


def _day(path: Path) -> Day:
    with _opened(path) as file:
        metadata = {**(file.schema_arrow.metadata or {}), **(file.metadata.metadata or {})}
    try:
        known = json.loads(metadata[METADATA])
        day = Day(
            path,
            Decimal(known["tick_size"]),
            Decimal(known["lot_size"]),
            int(known["first_exch_ns"]),
            int(known["last_exch_ns"]),
        )
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise RecordingError(f"{path} is no file of the store, or of another version") from error
    if not (day.tick > 0 and day.lot > 0):
        raise RecordingError(f"{path}: its steps are not positive")
    return day


def _opened(path: Path) -> parquet.ParquetFile:
    try:
        import pyarrow as pa  # noqa: PLC0415 - playing a recording is the only thing that needs it
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise RecordingError("pyarrow is missing: pip install 'bybit-executor[backtest]'") from error
    try:
        return parquet.ParquetFile(path, memory_map=True)
    except (pa.ArrowException, OSError) as error:
        raise RecordingError(f"{path} cannot be read: {error}") from error


def _read(path: Path) -> Iterator[tuple[int, int, int, int, int, int]]:
    with _opened(path) as file:
        try:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(COLUMNS)):
                yield from zip(*(batch.column(name).to_pylist() for name in COLUMNS), strict=True)
        except (OSError, ValueError, KeyError) as error:  # pyarrow's own errors are among these
            raise RecordingError(f"{path} is damaged: {error}") from error
