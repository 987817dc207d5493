"""What lies beside the days of an instrument: tables of funding rates and of candles, and the time each spans."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from backtest.dataset.errors import WHOLE_FILE, DataError
from backtest.dataset.gather import Stream

_TIMES: Final = {"funding": "at_ns", "klines": "start_ns"}
"""By the first part of a table's name, the column with its times."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Table:
    """One table beside the days.

    Attributes
    ----------
    kind
        `funding` or `klines-<minutes>m`.
    first_ns, last_ns
        Times of its first and last row; 0 where it has none.
    """

    stream: Stream
    kind: str
    path: Path
    rows: int
    first_ns: int
    last_ns: int


def tables_in(root: Path) -> list[Table]:
    """Every such table of a store, in the order of names.

    Raises
    ------
    DataError
        If one is damaged.
    """
    found = []
    for path in root.glob("venue=*/category=*/symbol=*/*.parquet"):
        column = _TIMES.get(path.stem.partition("-")[0])
        venue, category, symbol = (part.partition("=")[2] for part in path.parts[-4:-1])
        if column is None or not all(map(Stream.is_name, (venue, category, symbol))):
            continue
        try:
            times = pq.read_table(path, columns=[column]).column(column).to_numpy()
        except (pa.ArrowException, OSError, KeyError) as error:
            raise DataError(
                path, f"damaged: {error}", "import it again from its source", allowed=WHOLE_FILE
            ) from error
        found.append(
            Table(
                stream=Stream(venue, category, symbol),
                kind=path.stem,
                path=path,
                rows=len(times),
                first_ns=int(times.min()) if len(times) else 0,
                last_ns=int(times.max()) if len(times) else 0,
            )
        )
    return sorted(found)
