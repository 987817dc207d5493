"""Funding rates as a small table of their own, beside the days of an instrument: they outlast many days.

`<root>/venue=<v>/category=<c>/symbol=<s>/funding.parquet` with `at_ns` and `rate_e9`, the rate times 1e9.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.dataset.errors import DataError
from backtest.dataset.gather import Stream
from backtest.dataset.rows import DTYPES, Flag, Ints, Kind, Rows
from backtest.dataset.store import symbol_folder


def funding_path(root: Path, stream: Stream) -> Path:
    """Where the rates of an instrument lie."""
    return symbol_folder(root, stream) / "funding.parquet"


def write_funding(root: Path, stream: Stream, at_ns: Ints, rate: Ints) -> Path:
    """Add settlements (times, rates times 1e9) to those that are there; of one time the new one stays."""
    path = funding_path(root, stream)
    if path.exists():
        before = read_funding(root, stream)
        at_ns, rate = np.concatenate([before.exch_ns, at_ns]), np.concatenate([before.px, rate])
    last = len(at_ns) - 1 - np.unique(at_ns[::-1], return_index=True)[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"at_ns": pa.array(at_ns[last]), "rate_e9": pa.array(rate[last])})
    partial = path.with_suffix(".partial")
    pq.write_table(table, partial, compression="zstd")
    partial.replace(path)
    return path


def read_funding(root: Path, stream: Stream, start_ns: int = 0, end_ns: int = 2**63 - 1) -> Rows:
    """Read the settlements from a time to before another as rows; none where there is no table.

    Raises
    ------
    DataError
        If the table is damaged.
    """
    path = funding_path(root, stream)
    at_ns = rate = np.empty(0, np.int64)
    if path.exists():
        try:
            table = pq.read_table(path)
            at_ns, rate = table.column("at_ns").to_numpy(), table.column("rate_e9").to_numpy()
        except (pa.ArrowException, OSError, KeyError) as error:
            raise DataError(path, f"damaged: {error}", "import the rates again") from error
    within = (at_ns >= start_ns) & (at_ns < end_ns)
    at_ns, rate = at_ns[within], rate[within]
    columns = {name: np.zeros(len(at_ns), dtype) for name, dtype in DTYPES.items()}
    columns |= {"exch_ns": at_ns, "recv_ns": at_ns, "px": rate}
    columns["kind"][:] = Kind.FUNDING
    columns["flags"][:] = Flag.LAST
    return Rows(**columns)
