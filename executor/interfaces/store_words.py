"""What a store of recorded data holds, for people: instruments, under each its days, and the time that each spans."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final

from backtest.dataset.gather import Stream
from backtest.dataset.instruments import read_rules
from backtest.dataset.store import Day, Info
from backtest.dataset.tables import Table
from executor.domain.timeline import NS_PER_S
from executor.interfaces.output import cell, wrapped

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INDENT: Final = " " * 14


def store_words(
    root: Path, days: Sequence[tuple[Day, Info]], tables: Sequence[Table], width: int, *, verbose: bool
) -> str:
    """Tell what a store holds.

    Parameters
    ----------
    width
        Of the page, characters.
    verbose
        Add kinds of rows, units, importers and clocks.

    Raises
    ------
    DataError
        If the rules of an instrument cannot be read.
    """
    lines = []
    streams = sorted({day.stream for day, _ in days} | {table.stream for table in tables})
    by_stream = {
        stream: list(some) for stream, some in groupby(sorted(days, key=_day_of), lambda one: one[0].stream)
    }
    for stream in streams:
        stored = by_stream.get(stream, [])
        lines.append(wrapped(_heading(root, stream, stored), width, "  "))
        for day, info in stored:
            lines.append(wrapped(_day_line(day.day, info), width, _INDENT))
            if verbose:
                lines += [wrapped(f"{_INDENT}{text}", width, _INDENT) for text in _details(info)]
        lines += [wrapped(_table_line(table), width, _INDENT) for table in tables if table.stream == stream]
    return "\n".join(lines)


def _day_of(one: tuple[Day, Info]) -> Day:
    return one[0]


def _heading(root: Path, stream: Stream, stored: Sequence[tuple[Day, Info]]) -> str:
    name = "/".join((stream.venue, stream.category, stream.symbol))
    rules = read_rules(root, stream)
    if rules is not None and rules.tick_size is not None and rules.qty_step is not None:
        steps = f"  tick {rules.tick_size:f} ({rules.tick_from}), lot {rules.qty_step:f} ({rules.tick_from})"
    elif stored:
        info = stored[0][1]
        steps = f"  tick {info.tick_size} ({info.tick_from}), lot {info.lot_size} ({info.lot_from})"
    else:
        steps = ""
    return f"{name}{steps}"


def _day_line(day: date, info: Info) -> str:
    faults = {**info.faults, **info.left_out}
    return (
        f"  {day}  {_clock(info.first_exch_ns, day, up=True)} to {_clock(info.last_exch_ns, day)}"
        f"  {info.rows:>9} rows  {cell(faults) if faults else 'no fault'}"
    )


def _table_line(table: Table) -> str:
    what = "settlements" if table.kind == "funding" else "candles"
    span = f"{_second(table.first_ns)} to {_second(table.last_ns)}  " if table.rows else ""
    return f"  {table.kind:<10}  {span}{table.rows} {what}"


def _details(info: Info) -> list[str]:
    importers = ", ".join(sorted({source.importer for source in info.sources})) or "-"
    clock = "the receiver's times are known" if info.recv_known else "no receiver's times"
    return [
        cell(info.counts),
        f"units: {info.tick_size} ({info.tick_from}) and {info.lot_size} ({info.lot_from}); by {importers}; {clock}",
    ]


def _clock(at_ns: int, day: date, *, up: bool = False) -> str:
    """The whole second within the rows that is nearest to their end; with its date where that is another one."""
    second = -(-at_ns // NS_PER_S) * NS_PER_S if up else at_ns
    text = _second(second)
    return text.removeprefix(f"{day}T")


def _second(at_ns: int) -> str:
    return f"{_EPOCH + timedelta(seconds=at_ns // NS_PER_S):%Y-%m-%dT%H:%M:%SZ}"
