"""Results of a sweep as Parquet: one file for each cell, one row for each order, the same columns in all of them.

A file appears under its name when all of it is written, so what is there is whole.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import fsum
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.dataset.errors import DataError
from backtest.grounds import Ground
from backtest.recorded import Worked
from backtest.results import worked_record
from backtest.sweep_cell import Cell, Row
from backtest.sweep_plan import KEYS

_EXACT: Final = pa.decimal128(38, 18)
_TERM: Final = "asked_"
"""Before the names of what was asked for, so that a quantity asked for and that of an order stay apart."""
_OF_REPORT: Final = {
    "status": pa.string(), "reason": pa.string(), "strategy": pa.string(), "order_qty": _EXACT, "cum_qty": _EXACT,
    "leaves_is_dust": pa.bool_(), "arrival_px": _EXACT, "avg_px": _EXACT, "arrival_shortfall_bps": pa.float64(),
    "vwap_slippage_bps": pa.float64(), "twap_slippage_bps": pa.float64(), "spread_captured_bps": pa.float64(),
    "fees_bps": pa.float64(), "maker_share": pa.float64(), "participation_pct": pa.float64(),
    "orders_sent": pa.int64(),
}  # fmt: skip
_OF_ORDER: Final = {
    "number": pa.int64(), "start": pa.timestamp("ns", tz="UTC"), "side": pa.string(), "policy": pa.string(),
    "failure": pa.string(), "venue_state": pa.string(), "fills": pa.int64(), "queue_model_fills": pa.int64(),
    "impact_model_unknown": pa.string(),
}  # fmt: skip
_BESIDE: Final = {
    name: pa.float64()
    for name in (
        "funding_quote", "funding_bps", "impact_model_bps", "impact_model_low_bps", "impact_model_high_bps",
    )
}  # fmt: skip
"""What stands beside the cost of an order."""
SCHEMA: Final = pa.schema(
    [
        ("cell", pa.string()),
        *((f"{_TERM}{key}", pa.string()) for key in KEYS),
        *_OF_ORDER.items(),
        *_OF_REPORT.items(),
        *_BESIDE.items(),
    ]
)


def rows_of(all_worked: Sequence[Worked]) -> list[Row]:
    """Give the figures of every order, of those kinds that a Parquet file has."""
    return [_row(one) for one in all_worked]


def _row(worked: Worked) -> Row:
    record = worked_record(worked)
    report = record["report"]
    assert isinstance(report, dict), "a report has fields"
    modelled = sum(ground is Ground.QUEUE_MODEL for _, ground in worked.fills)
    own: Row = {
        **{name: record.get(name) for name in _OF_ORDER},
        "start": worked.errand.start_ns,
        "side": worked.errand.order.side.name,
        "queue_model_fills": modelled,
    }
    beside = {name: _typed(record[name], kind) for name, kind in _BESIDE.items()}
    return own | {name: _typed(report.get(name), kind) for name, kind in _OF_REPORT.items()} | beside


def _typed(value: object, kind: pa.DataType) -> object:
    if value is None or kind in {pa.string(), pa.bool_()}:
        return value
    if kind == _EXACT:
        return Decimal(str(value))
    return float(str(value)) if kind == pa.float64() else int(str(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the file of a cell says, in short.

    Parameters
    ----------
    ended
        Orders that came to an end that can be measured; the mean is theirs.
    mean_bps
        Cost against the price at arrival, fees included, basis points.
    unfilled, partly_filled
        Of those that ended: without any fill, and filled in part.
    impact_bps
        Mean of what a model of impact charges beside that; None where there is none, or it knows nothing.
    impact_unknown
        Orders of which the model can say nothing.
    """

    orders: int
    ended: int
    mean_bps: float | None
    unfilled: int
    partly_filled: int
    fills: int
    queue_model_fills: int
    impact_bps: float | None
    impact_unknown: int


class Folder:
    """Where the results of a sweep are kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells = path / "cells"

    def make(self) -> None:
        """Make it, unless it is there."""
        self.cells.mkdir(parents=True, exist_ok=True)

    def has(self, cell: Cell) -> bool:
        """Whether the result of a cell is there already."""
        return self._rows(cell).exists()

    def keep(self, cell: Cell, rows: Sequence[Row]) -> None:
        """Write the result of a cell."""
        asked = {f"{_TERM}{key}": cell.terms.get(key) for key in KEYS}
        table = pa.Table.from_pylist([{"cell": cell.name, **asked, **row} for row in rows], SCHEMA)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        _write_whole(self._rows(cell), sink.getvalue().to_pybytes())
        self._fault(cell).unlink(missing_ok=True)

    def note_fault(self, cell: Cell, error: str) -> None:
        """Write down why a cell has no result."""
        found = {"cell": cell.name, "asked": dict(cell.terms), "error": error}
        _write_whole(self._fault(cell), msgspec.json.format(msgspec.json.encode(found), indent=2))

    def write(self, name: str, content: Mapping[str, object]) -> None:
        """Write a file of the sweep as a whole."""
        _write_whole(self.path / name, msgspec.json.format(msgspec.json.encode(content), indent=2))

    def others(self, cells: Sequence[Cell]) -> int:
        """Count results of other cells than these."""
        return len({path.stem for path in self.cells.glob("*.parquet")} - {cell.name for cell in cells})

    def summary(self, cell: Cell) -> Summary:
        """Sum the result of a cell up.

        Raises
        ------
        DataError
            If somebody else has written there.
        """
        path = self._rows(cell)
        names = [
            "arrival_shortfall_bps", "fills", "queue_model_fills", "failure", "impact_model_bps",
            "impact_model_unknown", "cum_qty", "order_qty", "leaves_is_dust",
        ]  # fmt: skip
        try:
            found = pq.read_table(path, columns=names).to_pydict()
        except (OSError, pa.ArrowException, KeyError) as error:
            raise DataError(
                path, str(error), "remove the file: the next sweep works that cell again"
            ) from error
        costs, charged = (
            [one for one in found[name] if one is not None]
            for name in ("arrival_shortfall_bps", "impact_model_bps")
        )
        filled = [
            (cum_qty, cum_qty >= order_qty or is_dust)
            for failure, cum_qty, order_qty, is_dust in zip(
                found["failure"], found["cum_qty"], found["order_qty"], found["leaves_is_dust"], strict=True
            )
            if not failure
        ]
        return Summary(
            orders=len(found["failure"]),
            ended=sum(not failure for failure in found["failure"]),
            mean_bps=fsum(costs) / len(costs) if costs else None,
            unfilled=sum(not cum_qty for cum_qty, _ in filled),
            partly_filled=sum(bool(cum_qty) and not is_whole for cum_qty, is_whole in filled),
            fills=sum(found["fills"]),
            queue_model_fills=sum(found["queue_model_fills"]),
            impact_bps=fsum(charged) / len(charged) if charged else None,
            impact_unknown=sum(one is not None for one in found["impact_model_unknown"]),
        )

    def _rows(self, cell: Cell) -> Path:
        return self.cells / f"{cell.name}.parquet"

    def _fault(self, cell: Cell) -> Path:
        return self.cells / f"{cell.name}.error.json"


def _write_whole(path: Path, content: bytes) -> None:
    """Write under another name first; a file that is there is whole, also after a loss of power."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
