"""The book kept in step equals an obvious one, and every break is noticed at the message that makes it."""

import json
import os
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.domain.errors import RemoteProtocolError
from executor.venues.bybit.book_sync import BookSync

D = Decimal
REAL = os.environ.get("EXECUTOR_REAL_DATA")
needs_real_data = pytest.mark.skipif(not REAL, reason="EXECUTOR_REAL_DATA does not name recorded data")


def message(u, bids=(), asks=()):
    return {
        "s": "BTCUSDT",
        "b": [list(row) for row in bids],
        "a": [list(row) for row in asks],
        "u": u,
        "seq": 1,
    }


def loaded(u=10):
    book = BookSync()
    book.apply("snapshot", message(u, [("100", "1"), ("99", "2")], [("101", "3"), ("102", "4")]))
    return book


LEVELS = {
    "b": st.lists(st.tuples(st.integers(90, 99).map(str), st.integers(0, 3).map(str)), max_size=6),
    "a": st.lists(st.tuples(st.integers(101, 110).map(str), st.integers(0, 3).map(str)), max_size=6),
}
STEPS = st.lists(
    st.tuples(st.sampled_from(["delta"] * 5 + ["snapshot", "restart"]), LEVELS["b"], LEVELS["a"]), max_size=25
)


@settings(max_examples=200)
@given(steps=STEPS)
def test_the_book_equals_an_obvious_one(steps):
    """The obvious book writes rows into two dicts, forgets zeros, and looks for the largest and the smallest price."""
    book, bids, asks, u = loaded(), {"100": "1", "99": "2"}, {"101": "3", "102": "4"}, 10
    sound = True
    for kind, bid_rows, ask_rows in steps:
        u = {"delta": u + 1, "snapshot": u + 7, "restart": 1}[kind]
        if kind != "delta":
            bids, asks = {}, {}
        if kind != "delta" or sound:
            bids = {px: qty for px, qty in {**bids, **dict(bid_rows)}.items() if qty != "0"}
            asks = {px: qty for px, qty in {**asks, **dict(ask_rows)}.items() if qty != "0"}
        expected = bool(bids and asks) and (kind != "delta" or sound)
        try:
            book.apply("delta" if kind == "restart" else kind, message(u, bid_rows, ask_rows))
        except RemoteProtocolError:
            assert not expected
        else:
            assert expected
            assert book.bids == {D(px): D(qty) for px, qty in bids.items()}
            assert book.asks == {D(px): D(qty) for px, qty in asks.items()}
            assert book.best_bid == D(max(bids, key=int))
            assert book.best_ask == D(min(asks, key=int))
        assert book.sound is expected
        sound = expected


@pytest.mark.parametrize("u", [9, 10, 12, 1_000, 0, -1])
def test_a_gap_or_a_replay_ends_the_book_until_the_next_snapshot(u):
    book = loaded(10)
    with pytest.raises(RemoteProtocolError, match="gap"):
        book.apply("delta", message(u))
    assert not book.sound
    with pytest.raises(RemoteProtocolError, match="before a snapshot"):
        book.apply("delta", message(11))
    book.apply("snapshot", message(50, [("1", "1")], [("2", "1")]))
    assert (book.sound, book.best_bid, book.best_ask) == (True, 1, 2)


def test_a_restart_of_the_service_is_a_snapshot_whatever_it_says():
    book = loaded(10)
    book.apply("delta", message(1, [("5", "1")], [("6", "1")]))
    assert (book.bids, book.asks) == ({D(5): D(1)}, {D(6): D(1)})
    book.apply("delta", message(2, [("5.5", "1")]))
    assert book.best_bid == D("5.5")


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ([("101", "1")], []),
        ([("150", "1")], []),
        ([], [("100", "1")]),
        ([("100", "0"), ("99", "0")], []),
        ([], [("101", "0"), ("102", "0.000")]),
    ],
    ids=["locked", "crossed", "locked from above", "no bids", "no asks"],
)
def test_a_crossed_or_one_sided_book_is_no_book(bids, asks):
    book = loaded()
    with pytest.raises(RemoteProtocolError):
        book.apply("delta", message(11, bids, asks))
    assert not book.sound


def test_deleting_a_level_that_is_not_there_is_harmless():
    book = loaded()
    book.apply("delta", message(11, [("42", "0")], [("420", "0")]))
    assert book.sound


def test_a_repeated_snapshot_is_no_gap():
    book = loaded()
    book.apply("snapshot", message(10, [("100", "9")], [("101", "9")]))
    assert book.bids == {D(100): D(9)}


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"u": 11},
        {"u": "11", "b": [], "a": []},
        {"u": True, "b": [], "a": []},
        {"u": 11.0, "b": [], "a": []},
        {"u": 11, "b": None, "a": []},
        {"u": 11, "b": {}, "a": []},
        {"u": 11, "b": [["1"]], "a": []},
        {"u": 11, "b": [["1", "2", "3"]], "a": []},
        {"u": 11, "b": ["12"], "a": []},
        {"u": 11, "b": [1], "a": []},
        {"u": 11, "b": [[1, 2]], "a": []},
        {"u": 11, "b": [["0", "1"]], "a": []},
        {"u": 11, "b": [["0.00", "0"]], "a": []},
        {"u": 11, "b": [["-1", "1"]], "a": []},
        {"u": 11, "b": [["1", "-1"]], "a": []},
        {"u": 11, "b": [["NaN", "1"]], "a": []},
        {"u": 11, "b": [["1e2", "1"]], "a": []},
        {"u": 11, "b": [["9" * 40, "1"]], "a": []},
        {"u": 11, "b": [[None, "1"]], "a": []},
    ],
)
@pytest.mark.parametrize("kind", ["delta", "snapshot"])
def test_what_cannot_be_read_ends_the_book(kind, data):
    book = loaded()
    with pytest.raises(RemoteProtocolError):
        book.apply(kind, data)
    assert not book.sound


@pytest.mark.parametrize("kind", ["", "Delta", "update"])
def test_an_unknown_kind_ends_the_book(kind):
    book = loaded()
    with pytest.raises(RemoteProtocolError, match="type"):
        book.apply(kind, message(11))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.dictionaries(st.sampled_from(["u", "b", "a"]), JSON))
def test_any_json_is_applied_or_named(data):
    book = loaded()
    try:
        book.apply("delta", data)
    except RemoteProtocolError:
        assert not book.sound


def test_a_lost_book_is_empty_and_unsound():
    book = loaded()
    book.lose()
    assert (book.bids, book.asks, book.sound) == ({}, {}, False)


def frames(path):
    for line in path.read_text().splitlines():
        _, _, body = line.partition(": ")
        if '"topic"' in body:
            yield json.loads(body)


@needs_real_data
@pytest.mark.parametrize(("name", "count"), [("linear-20250613", 198), ("spot-20250613", 139)])
def test_recorded_touches_apply_without_a_break(name, count):
    books, applied = {}, 0
    for frame in frames(Path(REAL) / "bybit" / "orderbook1" / f"{name}.ws.txt"):
        book = books.setdefault(frame["topic"], BookSync())
        book.apply(frame["type"], frame["data"])
        assert book.best_bid < book.best_ask
        applied += 1
    assert applied == count


@needs_real_data
def test_a_recorded_deep_book_applies_without_a_break():
    book, kinds = BookSync(), []
    (archive,) = (Path(REAL) / "bybit" / "ob500").glob("*.zip")
    with zipfile.ZipFile(archive) as packed:
        for line in packed.read(packed.namelist()[0]).splitlines():
            frame = json.loads(line)
            book.apply(frame["type"], frame["data"])
            kinds.append(frame["type"])
            assert (len(book.bids), len(book.asks)) == (500, 500)
    assert kinds == ["snapshot"] + ["delta"] * 49
