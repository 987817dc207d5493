"""Files that are empty, cut short, broken, foreign or made to harm: one clear error, nothing stored, little memory."""

import gzip
import json
import os
import zipfile
from contextlib import suppress

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.dataset import sources
from backtest.dataset.errors import DataError
from backtest.dataset.faults import Fault, Findings
from backtest.dataset.importers.protocol import Options
from backtest.dataset.importers.registry import all_importers
from backtest.dataset.rows import DTYPES, Flag, Kind
from backtest.dataset.sources import blocks, head_of, sha256_of
from backtest.dataset.store import read_rows
from tests.dataset.test_importers import DAY, archive, capture, depth, snapshot
from tests.dataset.written import T0_MS, book_message, taken_in, written

BOOK = archive(
    book_message(7, [["10", "1"]], [["11", "1"]], kind="snapshot"),
    *(book_message(n, [[f"{n % 9 + 1}", f"{n}"]], [], ms=n) for n in range(8, 3_000)),
)
SPOT = "id,timestamp,price,volume,side\n" + "".join(f"{n},{T0_MS + n},1.5,1,buy\n" for n in range(1, 3_000))
CAPTURE = capture(
    snapshot(9, [["10", "2"]], [["12", "1"]]),
    *(depth(n, n, n - 1, [["9", "1"]], ms=n) for n in range(10, 2_000)),
)


def refused(tmp_path, path, match):
    with pytest.raises(DataError, match=match) as raised:
        taken_in(tmp_path, path)
    assert raised.value.next_step
    assert path.name in raised.value.where
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "content", [b"", b"\n\n\n", b"\x00\xff" * 5_000, b"<html>404</html>", b"\xef\xbb\xbf", b"PK\x03\x04"]
)
@pytest.mark.parametrize("name", [f"{DAY}_ABCUSDT_ob500.data", "a.csv", "a.jsonl"])
def test_what_is_no_recording_is_refused(tmp_path, content, name):
    refused(tmp_path, written(tmp_path / name, content), "no importer knows")


@pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
@pytest.mark.parametrize(("name", "text"), [("ABCUSDT_2023-11-14.csv.gz", SPOT), ("a.gz", CAPTURE)])
def test_a_gzip_file_cut_short_is_refused(tmp_path, name, text, share):
    path = written(tmp_path / name, text)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(tmp_path, path, "cut short|no importer knows")


def test_a_gzip_file_with_a_wrong_checksum_is_refused(tmp_path):
    path = written(tmp_path / "a.gz", CAPTURE)
    whole = bytearray(path.read_bytes())
    whole[-6] ^= 1
    path.write_bytes(whole)
    refused(tmp_path, path, "damaged or cut short: CRC")


@pytest.mark.parametrize("share", [0.5, 0.98])
def test_a_zip_file_cut_short_is_refused(tmp_path, share):
    path = written(tmp_path / f"{DAY}_ABCUSDT_ob500.data.zip", BOOK)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(tmp_path, path, "no importer knows")


def test_a_zip_file_damaged_inside_is_refused(tmp_path):
    path = tmp_path / f"{DAY}_ABCUSDT_ob500.data.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("x.data", BOOK)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0x55
    path.write_bytes(whole)
    refused(tmp_path, path, "Bad CRC")


@pytest.mark.parametrize("names", [[], ["folder/"]])
def test_an_archive_without_a_file_is_refused(tmp_path, names):
    path = tmp_path / "empty.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for name in names:
            packed.writestr(name, "")
    refused(tmp_path, path, "no importer knows")


def test_a_file_that_unpacks_without_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "UNPACKED_FREE_BYTES", 1 << 18)
    bomb = tmp_path / "ABCUSDT_2023-11-14.csv.gz"
    bomb.write_bytes(gzip.compress(b"id,timestamp,price,volume,side\n" + b"\n" * (2 << 20)))
    refused(tmp_path, bomb, "unpacks to more than")
    packed = tmp_path / f"{DAY}_ABCUSDT_ob500.data.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive_file:
        archive_file.writestr("x.data", book_message(1, [], [], kind="snapshot") + "\n" * (2 << 20))
    refused(tmp_path, packed, "unpacks to more than")


def test_a_line_without_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "LINE_BYTES_MAX", 3 << 20)
    path = written(tmp_path / f"{DAY}_ABCUSDT_ob500.data", '{"topic":"orderbook.' + "x" * (6 << 20))
    refused(tmp_path, path, "a line of more than")


def test_a_broken_zstd_session_is_refused(tmp_path):
    text = (
        json.dumps({"t": "header"})
        + "\n"
        + json.dumps({"t": "connect", "conn": "C", "addr": "x" * 5_000})
        + "\n"
    )
    whole = pa.Codec("zstd").compress(text.encode() * 3, asbytes=True)
    good = written(tmp_path / "good.zst", whole)
    assert sum(len(lines) for _, lines in blocks(good)) == 6
    for number, bad in enumerate((whole[: len(whole) // 2], whole[:6] + bytes(40) + whole[46:])):
        with pytest.raises(DataError, match=r"damaged|no importer knows"):
            taken_in(tmp_path, written(tmp_path / f"bad{number}.zst", bad))


@pytest.mark.parametrize("chunk", [1, 3, 7, 1 << 20])
def test_lines_are_the_same_however_the_file_comes_in(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(sources, "CHUNK_BYTES", chunk)
    path = written(tmp_path / "x", b"\xef\xbb\xbfone\r\ntwo\n\nfour\r\nlast")
    if chunk < 3:
        path = written(tmp_path / "y", b"one\r\ntwo\n\nfour\r\nlast")
    listed = [(number + at, line) for number, lines in blocks(path) for at, line in enumerate(lines)]
    assert listed == [(1, b"one"), (2, b"two"), (3, b""), (4, b"four"), (5, b"last")]


def test_columns_that_are_missing_and_folders_that_lead_out_are_refused(tmp_path):
    refused(
        tmp_path,
        written(tmp_path / "x.csv", "id,timestamp,price,volume,side\n1,1700000000000,1,1,buy\n"),
        "symbol",
    )
    other = written(
        tmp_path / f"{DAY}_x.data", book_message(1, [["1", "1"]], [], kind="snapshot", symbol="../../evil")
    )
    refused(tmp_path, other, "no symbol")


def test_a_number_beyond_its_steps_stops_the_import_and_stores_nothing(tmp_path):
    text = archive(
        book_message(7, [["0.000000000001", "1"]], [], kind="snapshot"),
        book_message(8, [["9000000", "1"]], [], ms=1),
        book_message(9, [["99999999999999", "1"]], [], ms=2),
    )
    outcome, _ = taken_in(tmp_path, written(tmp_path / f"{DAY}_ABCUSDT_ob500.data", text))
    assert outcome.everything().by_name()["BAD_NUMBER"] == 1


HUGE = "9" * 25
LONG = "9" * 4_200


@pytest.mark.parametrize("digits", [HUGE, LONG, "9999999999999", "-1"])
@pytest.mark.parametrize("field", ["cts", "seq"])
def test_a_book_message_whose_numbers_cannot_be_kept_is_told_and_what_follows_is_void(
    tmp_path, field, digits
):
    if field == "seq" and digits in {"9999999999999", "-1"}:
        return  # ids of that size are kept
    lines = [
        book_message(7, [["10", "1"]], [["11", "1"]], kind="snapshot"),
        book_message(8, [["10", "2"]], [], ms=1),
        book_message(9, [["10", "3"]], [], ms=2),
    ]
    message = json.loads(lines[1])
    (message if field == "cts" else message["data"])[field] = "@"
    lines[1] = json.dumps(message).replace('"@"', digits)
    outcome, days = taken_in(tmp_path, written(tmp_path / f"{DAY}_ABCUSDT_ob500.data", archive(*lines)))
    places = [place for place in outcome.everything().all_places() if place.fault is Fault.BAD_NUMBER]
    assert [(place.source, place.line) for place in places] == [(f"{DAY}_ABCUSDT_ob500.data", 2)]
    (rows,) = days.values()
    assert [int(qty) for qty in rows.qty[rows.kind == Kind.LEVEL]] == [1, 1, 3]
    assert list(rows.flags[rows.kind == Kind.CLEAR] & (Flag.GAP | Flag.SNAPSHOT)) == [Flag.SNAPSHOT, Flag.GAP]


@pytest.mark.parametrize("digits", [HUGE, LONG, "9999999999999"])
def test_a_capture_with_times_and_ids_that_cannot_be_kept_is_told(tmp_path, digits):
    trade = (
        '{"stream":"abcusdt@trade","data":{"s":"ABCUSDT","t":%s,"p":"10","q":"1","T":%s,"m":true,"X":"%s"}}'
    )
    text = capture(
        snapshot(9, [["10", "2"]], [["12", "1"]]),
        depth(10, 10, 9, [["9", "1"]]),
        trade % (1, digits, "MARKET"),
        trade % (HUGE, T0_MS, "MARKET"),
        trade % (HUGE, T0_MS, "NA"),
        depth(11, 11, 10, [["9", "2"]], ms=2).replace(f'"T": {T0_MS + 2}', f'"T": {digits}'),
        depth(12, 12, 11, [["9", "3"]], ms=3),
    )
    outcome, days = taken_in(tmp_path, written(tmp_path / "a.txt", text))
    found = outcome.everything()
    assert [place.line for place in found.places(Fault.BAD_NUMBER)] == [3, 4, 5, 6]
    (rows,) = days.values()
    assert not (rows.kind == Kind.TRADE).any()
    assert list(rows.flags[rows.kind == Kind.CLEAR] & (Flag.GAP | Flag.SNAPSHOT)) == [Flag.SNAPSHOT, Flag.GAP]


@pytest.mark.parametrize(
    ("name", "lines", "at"),
    [
        (
            f"{DAY}_ABCUSDT_ob500.data",
            [book_message(7, [["10", "1"]], [], kind="snapshot"), "[" * 100_000],
            2,
        ),
        (
            "a.txt",
            [capture(snapshot(9, [["10", "2"]], [])).rstrip(), f"{T0_MS} " + '{"stream":' + "[" * 100_000],
            2,
        ),
        ("b.jsonl", ['{"t": "header"}', '{"t":"recv","data":' + "[" * 100_000], 2),
    ],
)
def test_a_line_nested_without_end_is_unreadable_and_no_more(tmp_path, name, lines, at):
    outcome, _ = taken_in(tmp_path, written(tmp_path / name, "\n".join(lines) + "\n"))
    assert [place.line for place in outcome.everything().places(Fault.UNREADABLE)] == [at]


def test_a_pipe_is_refused_at_once(tmp_path):
    pipe = tmp_path / f"{DAY}_ABCUSDT_ob500.data"
    os.mkfifo(pipe)
    refused(tmp_path, pipe, "no regular file")
    assert head_of(pipe) == b""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "l2update.csv")
    refused(tmp_path, tmp_path / "folder", "no importer knows")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (f"{DAY}_ABCUSDT_ob500.data", BOOK[:4_000]),
        ("ABCUSDT_2023-11-14.csv", SPOT[:4_000]),
        ("a.txt", CAPTURE[:4_000]),
    ],
)
def test_a_byte_order_mark_changes_nothing(tmp_path, name, text):
    text = text[: text.rindex("\n") + 1]
    days = []
    for folder, mark in (("plain", b""), ("marked", b"\xef\xbb\xbf")):
        (tmp_path / folder).mkdir()
        _, stored = taken_in(tmp_path / folder, written(tmp_path / folder / name, mark + text.encode()))
        days.append({day: [getattr(rows, name).tolist() for name in DTYPES] for day, rows in stored.items()})
    assert days[0] == days[1]
    assert days[0]


def test_the_head_of_what_cannot_be_read_is_empty_and_fingerprints_are_of_the_file(tmp_path):
    assert head_of(tmp_path / "none") == b""
    assert sha256_of(written(tmp_path / "x", "abc")).startswith("ba7816bf")


@settings(max_examples=40)
@given(st.data())
def test_no_damage_to_a_small_recording_brings_an_importer_down(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("h")
    name, text = data.draw(
        st.sampled_from(
            [
                (f"{DAY}_ABCUSDT_ob500.data", BOOK[:2_000]),
                ("ABCUSDT_2023-11-14.csv", SPOT[:1_000]),
                ("a.txt", CAPTURE[:2_000]),
            ]
        )
    )
    content = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=6))
    path = written(folder / name, bytes(content))
    for importer in all_importers():
        found = Findings()
        if importer.sniff(path):
            with suppress(DataError):
                lengths = [len(batch) for batch in importer.read(path, Options(), found)]
                assert sum(lengths) <= 3_000
    with suppress(DataError):
        outcome, _ = taken_in(folder, path)
        assert all(len(read_rows(each.path)) == each.info.rows for each in outcome.stored)
