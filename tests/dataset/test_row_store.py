"""What is written comes back as it was, whole and in pieces; what is damaged says so."""

from datetime import date

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.dataset import store
from backtest.dataset.errors import DataError
from backtest.dataset.gather import Stream
from backtest.dataset.rows import DTYPES, Rows, concat
from backtest.dataset.store import (
    DayWriter,
    Source,
    catalogue,
    day_of,
    day_path,
    read_info,
    read_rows,
    stream_rows,
)
from tests.dataset.written import rows_of

KNOWN = dict(
    tick_size="0.1",
    tick_from="rules",
    lot_size="0.001",
    lot_from="data",
    sources=[Source(name="a.csv", sha256="00", importer="test")],
    recv_known=True,
)
_RANGES = {name: (np.iinfo(dtype).min, np.iinfo(dtype).max) for name, dtype in DTYPES.items()} | {
    "kind": (1, 12)
}
any_rows = st.lists(st.tuples(*(st.integers(*_RANGES[name]) for name in DTYPES)), max_size=40)


def stored(path, pieces):
    with DayWriter(path) as writer:
        for piece in pieces:
            writer.write(piece)
        return writer.close(**KNOWN)


@settings(max_examples=20)
@given(st.lists(any_rows, max_size=4), st.integers(1, 50))
def test_rows_come_back_as_they_were(tmp_path_factory, lists, rows_max):
    path = tmp_path_factory.mktemp("s") / "day=2024-01-01" / "rows.parquet"
    pieces = [rows_of(*each) for each in lists]
    info = stored(path, pieces)
    whole = concat(pieces)
    for read in (read_rows(path), concat(stream_rows(path, rows_max))):
        for name in DTYPES:
            assert getattr(read, name).dtype == DTYPES[name]
            assert getattr(read, name).tolist() == getattr(whole, name).tolist()
    assert read_info(path) == info
    assert list(path.parent.iterdir()) == [path]


def test_columns_of_other_types_or_lengths_are_refused():
    good = rows_of((1, 1, 1, 1, 1, 1, 0, 0, 1))
    columns = {name: getattr(good, name) for name in DTYPES}
    with pytest.raises(ValueError, match="column px"):
        Rows(**{**columns, "px": columns["px"].astype(np.int32)})
    with pytest.raises(ValueError, match="column qty"):
        Rows(**{**columns, "qty": columns["qty"][:0]})


def test_long_days_lie_in_row_groups_and_are_read_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "GROUP_ROWS", 100)
    path = tmp_path / "rows.parquet"
    rows = rows_of(*[(at, at, 1, 1, at, 1, 0, 0, 1) for at in range(1, 351)])
    info = stored(path, [rows.take(slice(start, start + 50)) for start in range(0, 350, 50)])
    assert pq.ParquetFile(path).metadata.num_row_groups == 4
    assert [len(piece) for piece in stream_rows(path, 100)] == [100, 100, 100, 50]
    assert (info.rows, info.first_recv_ns, info.last_recv_ns) == (350, 1, 350)


def begin_and_break_off(path):
    with DayWriter(path) as writer:
        writer.write(rows_of((1, 1, 1, 1, 1, 1, 0, 0, 1)))
        writer.flush()
        assert len(list(path.parent.iterdir())) == 1
        raise RuntimeError("midway")


def test_a_writer_that_is_left_midway_leaves_nothing(tmp_path):
    path = tmp_path / "d" / "rows.parquet"
    with pytest.raises(RuntimeError, match="midway"):
        begin_and_break_off(path)
    assert list(path.parent.iterdir()) == []


def test_the_catalogue_lists_days_and_passes_over_strangers(tmp_path):
    streams = [Stream("bybit", "spot", "BTCUSDT"), Stream("bybit", "linear", "BTCUSDT")]
    for stream in streams:
        for day in (date(2024, 1, 2), date(2024, 1, 1)):
            stored(day_path(tmp_path, stream, day), [])
    stranger = tmp_path / "venue=bybit/category=spot/symbol=X/day=yesterday"
    stranger.mkdir(parents=True)
    (stranger / "rows.parquet").write_bytes(b"")
    assert [day.name for day in catalogue(tmp_path)] == [
        "bybit/linear/BTCUSDT/2024-01-01",
        "bybit/linear/BTCUSDT/2024-01-02",
        "bybit/spot/BTCUSDT/2024-01-01",
        "bybit/spot/BTCUSDT/2024-01-02",
    ]
    assert day_of(1_704_067_199_999_999_999) == date(2023, 12, 31)


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "-x", "a" * 41, "Ünïcode", "a\n"])
def test_names_that_could_leave_the_store_are_refused(name):
    with pytest.raises(ValueError, match="no name"):
        Stream("bybit", "linear", name)


def test_damaged_foreign_and_later_files_say_so(tmp_path):
    path = tmp_path / "rows.parquet"
    with pytest.raises(DataError, match="no such file"):
        read_rows(path)
    stored(path, [rows_of((1, 1, 1, 1, 1, 1, 0, 0, 1))])
    whole = path.read_bytes()
    for damaged in (b"", whole[:50], whole[:-9], b"PAR1" + bytes(200) + b"PAR1"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="damaged"):
            read_rows(path)
    pq.write_table(pq.read_table(_put(path, whole)).replace_schema_metadata(None), tmp_path / "other.parquet")
    with pytest.raises(DataError, match="no rows of this store"):
        read_info(tmp_path / "other.parquet")
    table = pq.read_table(path)
    known = pq.ParquetFile(path).metadata.metadata[b"executor.rows"]
    metadata = {b"executor.rows": known.replace(b'"format":1', b'"format":2')}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    with pytest.raises(DataError, match="format 2, this version reads 1"):
        read_rows(path)


def _put(path, data):
    path.write_bytes(data)
    return path
