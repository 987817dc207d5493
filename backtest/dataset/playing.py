"""Stored days as the replay venue reads them: the columns that say something, a piece read while another is played."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.dataset.rows import Kind
from backtest.dataset.store import Info, open_day
from simulation.replay.layout import Numbers, Rows

_BY_ORDER: Final = tuple(kind.name for kind in (Kind.ADD, Kind.REDUCE, Kind.DELETE, Kind.EXECUTE))
_NEEDED: Final = ("exch_ns", "kind", "side", "px", "qty", "flags")
_GOES_ON: Final = 2
"""Quantity of a HALT row when trading goes on."""


def pieces_of(path: Path) -> Generator[Rows]:
    """Read a stored day, one row group at a time; the next is read meanwhile.

    Raises
    ------
    DataError
        As `read_info`.
    """
    with ThreadPoolExecutor(1) as reader:
        groups = _groups(path)
        coming = reader.submit(next, groups, None)
        while (piece := coming.result()) is not None:
            coming = reader.submit(next, groups, None)
            yield piece


def _groups(path: Path) -> Iterator[Rows]:
    with open_day(path) as (file, info):
        columns = [*_NEEDED, *_further(info)]
        counts = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        nobody = np.zeros(max(counts, default=0), np.int64)
        for number, count in enumerate(counts):
            yield _piece(file, number, columns, nobody[:count])


def _further(info: Info) -> list[str]:
    """Columns that are not the same in every row, or those of another column again."""
    return ["recv_ns"] * info.recv_known + ["order_id"] * any(info.counts.get(kind) for kind in _BY_ORDER)


def _piece(file: pq.ParquetFile, number: int, columns: list[str], nobody: Numbers) -> Rows:
    table: pa.Table = file.read_row_group(number, columns=columns, use_threads=False)
    read: dict[str, Any] = {name: table.column(name).to_numpy() for name in columns}
    halts = read["kind"] == Kind.HALT
    if halts.any():
        # The store says how far trading is restricted, the venue whether it is.
        read["qty"] = np.where(halts, read["qty"] != _GOES_ON, read["qty"]).astype(np.int64)
    return Rows(**{"recv_ns": read["exch_ns"], "order_id": nobody, **read})
