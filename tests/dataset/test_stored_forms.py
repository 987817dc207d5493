"""Stored days in the forms of others, and the check of what is stored."""

import csv
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from backtest.dataset.convert import to_csv, to_hftbacktest
from backtest.dataset.rows import Flag, Kind, Rows
from backtest.dataset.store import DayWriter, Source, catalogue, day_of, day_path, read_rows
from backtest.dataset.stored import check_day
from tests.dataset.test_importers import DAY, archive
from tests.dataset.test_row_store import KNOWN
from tests.dataset.written import T0_NS, book_message, lines_of, rows_of, taken_in, written

MS = 1_000_000


def stored_day(tmp_path, rows: Rows, **known):
    from backtest.dataset.gather import Stream

    path = day_path(tmp_path, Stream("v", "linear", "S"), day_of(int(rows.recv_ns[0])))
    with DayWriter(path) as writer:
        writer.write(rows)
        writer.close(**{**KNOWN, **known})
    return path


def sample():
    snap, last = int(Flag.SNAPSHOT), int(Flag.LAST)
    return rows_of(
        (T0_NS, T0_NS + MS, Kind.CLEAR, 0, 0, 0, 0, 7, snap),
        (T0_NS, T0_NS + MS, Kind.LEVEL, 1, 100, 2_000, 0, 7, snap),
        (T0_NS, T0_NS + MS, Kind.LEVEL, -1, 101, 1, 0, 7, snap | last),
        (T0_NS + 9 * MS, T0_NS + 10 * MS, Kind.LEVEL, 1, 99, 5, 0, 8, last),
        (T0_NS + 5 * MS, T0_NS + 11 * MS, Kind.TRADE, -1, 100, 3, 0, 55, last),
        (T0_NS + 12 * MS, T0_NS + 13 * MS, Kind.FUNDING, 0, 100_000, 0, 0, 0, last),
    )


def test_text_holds_exact_decimals(tmp_path):
    path = stored_day(tmp_path, sample())
    assert to_csv(path, tmp_path / "x.csv") == 6
    with (tmp_path / "x.csv").open() as file:
        read = list(csv.DictReader(file))
    assert [(row["kind"], row["price"], row["quantity"]) for row in read[1:]] == [
        ("LEVEL", "10.0", "2.000"),
        ("LEVEL", "10.1", "0.001"),
        ("LEVEL", "9.9", "0.005"),
        ("TRADE", "10.0", "0.003"),
        ("FUNDING", "0.000100000", "0.000"),
    ]
    assert Decimal(read[1]["price"]) == Decimal("0.1") * 100


@pytest.mark.parametrize("behind_ms", [0, 50])
def test_both_sides_see_every_event_once_in_their_own_order(tmp_path, behind_ms):
    rows = sample()
    columns = {name: getattr(rows, name) for name in Rows.__slots__}
    rows = Rows(**{**columns, "recv_ns": rows.recv_ns - behind_ms * MS})
    path = stored_day(tmp_path, rows)
    count, moved = to_hftbacktest(path, tmp_path / "x.npz")
    events = np.load(tmp_path / "x.npz")["data"]
    assert (count, moved) == (5, max(0, behind_ms - 1) * MS)
    at_exchange = events[(events["ev"] & (1 << 31)) != 0]
    at_local = events[(events["ev"] & (1 << 30)) != 0]
    assert (len(at_exchange), len(at_local), len(events)) == (5, 5, 6)
    assert all(one <= other for one, other in pairwise(at_exchange["exch_ts"].tolist()))
    assert all(one <= other for one, other in pairwise(at_local["local_ts"].tolist()))
    assert (events["local_ts"] >= events["exch_ts"]).all()
    assert (at_local["ev"] & 0xFF).tolist() == [3, 4, 4, 1, 2]
    assert (at_exchange["ev"] & 0xFF).tolist() == [3, 4, 4, 2, 1]
    assert at_local["px"].tolist() == pytest.approx([0, 10.0, 10.1, 9.9, 10.0])
    assert ((at_local["ev"] >> 28) & 3).tolist() == [0, 2, 1, 2, 1], "bid, ask, bid, seller"


def test_a_stored_day_is_checked_like_its_source(tmp_path):
    text = archive(
        book_message(7, [["10", "1"]], [["11", "1"]], kind="snapshot"),
        book_message(9, [["9", "1"]], [], ms=100),
        book_message(1, [["10", "1"]], [["11", "1"]], kind="snapshot", ms=200),
        book_message(2, [["12", "1"]], [], ms=50),
        "{",
    )
    outcome, _ = taken_in(tmp_path, written(tmp_path / f"{DAY}_ABCUSDT_ob500.data", text))
    (day,) = catalogue(tmp_path / "store")
    found = check_day(tmp_path / "store", day)
    assert lines_of(found) == {("GAP", 4), ("CROSSED", 9), ("TIME_BACK", 9)}
    assert dict(found.notes) == {"left out at import: UNREADABLE": 1}
    assert outcome.stored[0].info.faults == {"GAP": 1, "CROSSED": 1, "TIME_BACK": 1}
    assert read_rows(day.path).flags[8] & Flag.SUSPECT


def test_rows_off_the_rules_of_the_instrument_are_found_in_the_store(tmp_path):
    from fractions import Fraction

    from backtest.dataset.gather import RuleSteps

    text = archive(
        book_message(7, [["10", "2"]], [["11.5", "4"]], kind="snapshot"),
        book_message(8, [["9.7", "3"]], [], ms=1),
    )
    path = written(tmp_path / f"{DAY}_ABCUSDT_ob500.data", text)
    taken_in(tmp_path, path, rules=RuleSteps(tick=Fraction("0.5"), lot=Fraction(2)))
    (day,) = catalogue(tmp_path / "store")
    assert lines_of(check_day(tmp_path / "store", day)) == {("OFF_TICK", 4), ("OFF_LOT", 4)}
    assert Source(name="a", sha256="", importer="b").name == "a"
