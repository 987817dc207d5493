"""The store: one Parquet file for each instrument and UTC day, with what is known of it in its metadata.

`<root>/venue=<v>/category=<c>/symbol=<s>/day=<YYYY-MM-DD>/rows.parquet`
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.dataset.errors import DataError
from backtest.dataset.gather import Stream
from backtest.dataset.rows import DTYPES, Kind, Rows, concat

FORMAT: Final = 1
GROUP_ROWS: Final = 500_000
DAY_NS: Final = 86_400_000_000_000
_KEY: Final = b"executor.rows"
_SMALL: Final = ("kind", "side", "flags")
_SCHEMA: Final = pa.schema([(name, pa.from_numpy_dtype(dtype)) for name, dtype in DTYPES.items()])


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A file that rows came from."""

    name: str
    sha256: str
    importer: str


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one stored day.

    Attributes
    ----------
    tick_size, lot_size
        Decimal text: price and quantity of one unit of `px` and `qty`.
    tick_from, lot_from
        Where these units come from: `rules` if they are the steps of the rules, `data` if they are the greatest that
        all numbers are multiples of. The steps of the market, which may be coarser, are in `instrument.json`.
    counts
        Rows by kind.
    first_recv_ns, last_recv_ns, first_exch_ns, last_exch_ns
        Span of times.
    recv_known
        False where the source had no receiver's time and `recv_ns` repeats `exch_ns`.
    trades_numbered
        Whether ids of trades follow on by one.
    void_ids
        Ids of that numbering that are no trades.
    carried_rows
        Rows at the beginning that are the book as it stood at the end of the day before.
    faults
        What the check of these rows found, by name.
    dropped_rows
        Rows that repair took out.
    left_out
        Lines of the whole import that belong to no stored row, by name of the fault.
    """

    format: int = FORMAT
    tick_size: str
    tick_from: str
    lot_size: str
    lot_from: str
    sources: list[Source]
    counts: dict[str, int]
    first_recv_ns: int
    last_recv_ns: int
    first_exch_ns: int
    last_exch_ns: int
    recv_known: bool
    trades_numbered: bool = False
    void_ids: tuple[int, ...] = ()
    carried_rows: int = 0
    dropped_rows: int = 0
    faults: dict[str, int] = msgspec.field(default_factory=dict)
    left_out: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Day:
    """One stored day."""

    stream: Stream
    day: date
    path: Path

    @property
    def name(self) -> str:
        """Name for people."""
        return "/".join((self.stream.venue, self.stream.category, self.stream.symbol, self.day.isoformat()))


def symbol_folder(root: Path, stream: Stream) -> Path:
    """Where everything of one instrument lies."""
    return root / f"venue={stream.venue}" / f"category={stream.category}" / f"symbol={stream.symbol}"


def day_path(root: Path, stream: Stream, day: date) -> Path:
    """Where the rows of one day lie."""
    return symbol_folder(root, stream) / f"day={day.isoformat()}" / "rows.parquet"


def day_of(at_ns: int) -> date:
    """UTC day of a time."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=at_ns // DAY_NS)).date()


def catalogue(root: Path) -> list[Day]:
    """Everything that a store holds, in the order of its names; what is not of its form is passed over."""
    days = []
    for path in root.glob("venue=*/category=*/symbol=*/day=*/rows.parquet"):
        venue, category, symbol, day = (part.partition("=")[2] for part in path.parts[-5:-1])
        try:
            days.append(Day(stream=Stream(venue, category, symbol), day=date.fromisoformat(day), path=path))
        except ValueError:
            continue
    return sorted(days)


class DayWriter:
    """Writes one day; the file appears under its name when all of it is written.

    Parameters
    ----------
    path
        The file to make.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = path.with_suffix(".partial")
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[Rows] = []
        self._waiting_rows = 0
        self.counts = np.zeros(256, np.int64)
        self.span: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abandon()

    def abandon(self) -> None:
        """Take back what was not closed; nothing where it was."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._partial.unlink(missing_ok=True)

    def write(self, rows: Rows) -> None:
        """Append rows."""
        if not len(rows):
            return
        self.counts += np.bincount(rows.kind, minlength=256)
        ends = [rows.recv_ns[0], rows.recv_ns[-1], rows.exch_ns[0], rows.exch_ns[-1]]
        before = self.span or ends
        self.span = [int(before[0]), int(ends[1]), int(before[2]), int(ends[3])]
        self._waiting.append(rows)
        self._waiting_rows += len(rows)
        if self._waiting_rows >= GROUP_ROWS:
            self.flush()

    def close(self, **known: Any) -> Info:  # noqa: ANN401 - the fields of Info
        """Write what is left and the metadata, and give the file its name."""
        self.flush()
        counts = {Kind(kind).name: int(self.counts[kind]) for kind in np.flatnonzero(self.counts).tolist()}
        first_recv, last_recv, first_exch, last_exch = self.span or [0, 0, 0, 0]
        info = Info(
            counts=counts,
            first_recv_ns=first_recv,
            last_recv_ns=last_recv,
            first_exch_ns=first_exch,
            last_exch_ns=last_exch,
            **known,
        )
        writer = self._opened()
        writer.add_key_value_metadata({_KEY: msgspec.json.encode(info)})
        writer.close()
        self._writer = None
        self._partial.replace(self.path)
        return info

    def _opened(self) -> pq.ParquetWriter:
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(
                self._partial,
                _SCHEMA,
                compression="zstd",
                use_dictionary=list(_SMALL),
                column_encoding={name: "DELTA_BINARY_PACKED" for name in DTYPES if name not in _SMALL},
            )
        return self._writer

    def flush(self) -> None:
        """Write down what waits for a whole row group."""
        writer = self._opened()
        if self._waiting:
            rows = concat(self._waiting)
            arrays = [pa.array(getattr(rows, name)) for name in DTYPES]
            writer.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA), row_group_size=GROUP_ROWS)
        self._waiting, self._waiting_rows = [], 0


def read_info(path: Path) -> Info:
    """Read what is known of a stored day.

    Raises
    ------
    DataError
        If it is no such file, is damaged, or was written by a later version.
    """
    with _parquet(path) as file:
        return _info(path, file)


def read_rows(path: Path) -> Rows:
    """Read a whole day.

    Raises
    ------
    DataError
        As `read_info`.
    """
    with _parquet(path) as file:
        _info(path, file)
        return _rows(file.read(columns=list(DTYPES)))


@contextmanager
def open_day(path: Path) -> Iterator[tuple[pq.ParquetFile, Info]]:
    """Open a stored day to read parts of it; errors of reading are turned into one that names the file.

    Raises
    ------
    DataError
        As `read_info`.
    """
    with _parquet(path) as file:
        yield file, _info(path, file)


def stream_rows(path: Path, rows_max: int = GROUP_ROWS) -> Iterator[Rows]:
    """Read a day piece by piece, each of at most so many rows.

    Raises
    ------
    DataError
        As `read_info`.
    """
    with _parquet(path) as file:
        _info(path, file)
        try:
            for batch in file.iter_batches(batch_size=rows_max, columns=list(DTYPES)):
                yield _rows(pa.Table.from_batches([batch]))
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from error


def _rows(table: pa.Table) -> Rows:
    return Rows(**{name: table.column(name).to_numpy() for name in DTYPES})


def _info(path: Path, file: pq.ParquetFile) -> Info:
    metadata: Mapping[bytes, bytes] = file.schema_arrow.metadata or {}
    metadata = {**metadata, **(file.metadata.metadata or {})}
    if _KEY not in metadata or not file.schema_arrow.equals(_SCHEMA, check_metadata=False):
        raise DataError(
            path,
            "no rows of this store",
            "write it with `executor data import`",
            allowed="a rows.parquet of the store",
        )
    try:
        info = msgspec.json.decode(metadata[_KEY], type=Info)
    except msgspec.DecodeError as error:
        raise DataError(path, f"its metadata cannot be read: {error}", "import it again") from error
    if info.format > FORMAT:
        raise DataError(path, f"format {info.format}, this version reads {FORMAT}", "use a later version")
    return info


class _parquet:  # noqa: N801 - a context manager reads as a verb
    """Open a Parquet file, and turn its errors into one that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: pq.ParquetFile | None = None

    def __enter__(self) -> pq.ParquetFile:
        try:
            self._file = pq.ParquetFile(self._path, memory_map=True)
        except FileNotFoundError:
            raise DataError(
                self._path,
                "there is no such file",
                "`executor data info` lists what is there",
                allowed="a stored day",
            ) from None
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self._path, error) from error
        return self._file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        if isinstance(error, pa.ArrowException | OSError):
            raise _damaged(self._path, error) from error


def _damaged(path: Path, error: BaseException) -> DataError:
    return DataError(
        path,
        f"damaged: {str(error)[:200]}",
        "import it again from its source",
        allowed="a whole file of the store",
    )
