"""The book kept in step equals an obvious one, and every break is noticed at the message that makes it."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.domain.errors import RemoteProtocolError
from executor.domain.units import parse_plain
from executor.venues.bybit.book_sync import BookSync
from executor.venues.bybit.codec_frames import decode_frame
from executor.venues.bybit.codec_public import BookData, BookFrame

D = Decimal


def frame(kind, u, bids=(), asks=(), *, seq=1, symbol="BTCUSDT", depth=50):
    data = BookData(s=symbol, b=list(bids), a=list(asks), u=u, seq=seq)
    return BookFrame(topic=f"orderbook.{depth}.{symbol}", type=kind, ts=2, data=data, cts=1)


def loaded(u=10, depth=50):
    book = BookSync("BTCUSDT", depth)
    book.apply(frame("snapshot", u, [("100", "1"), ("99", "2")], [("101", "3"), ("102", "4")], seq=5))
    return book


LEVELS = {
    "b": st.lists(st.tuples(st.integers(90, 99).map(str), st.integers(0, 3).map(str)), max_size=6),
    "a": st.lists(st.tuples(st.integers(101, 110).map(str), st.integers(0, 3).map(str)), max_size=6),
}
STEPS = st.lists(
    st.tuples(st.sampled_from(["delta"] * 5 + ["snapshot", "restart"]), LEVELS["b"], LEVELS["a"]), max_size=25
)


@settings(max_examples=300)
@given(steps=STEPS)
def test_the_book_equals_an_obvious_one(steps):
    """The obvious book writes rows into two dicts, forgets zeros, and looks for the largest and the smallest price."""
    book, bids, asks, u = loaded(), {"100": "1", "99": "2"}, {"101": "3", "102": "4"}, 10
    for kind, bid_rows, ask_rows in steps:
        u = {"delta": u + 1, "snapshot": u + 7, "restart": 1}[kind]
        if kind != "delta":
            bids, asks = {}, {}
        bids = {px: qty for px, qty in {**bids, **dict(bid_rows)}.items() if qty != "0"}
        asks = {px: qty for px, qty in {**asks, **dict(ask_rows)}.items() if qty != "0"}
        book.apply(frame("delta" if kind == "restart" else kind, u, bid_rows, ask_rows, seq=5))
        assert book.sound is bool(bids and asks)
        assert book.bids == {D(px): D(qty) for px, qty in bids.items()}
        assert book.asks == {D(px): D(qty) for px, qty in asks.items()}
        assert book.best_bid == (D(max(bids, key=int)) if bids else 0)
        assert book.best_ask == (D(min(asks, key=int)) if asks else 0)
        if book.sound:
            (bid, bid_qty), (ask, ask_qty) = book.touch
            assert (D(bid), D(ask)) == (book.best_bid, book.best_ask)
            assert (bid_qty, ask_qty) == (bids[bid], asks[ask])
        for count in (0, 1, 3, 99):
            near_bids, near_asks = book.nearest(count)
            known = (bids, asks) if book.sound else ({}, {})
            assert near_bids == sorted(known[0].items(), key=lambda row: -int(row[0]))[:count]
            assert near_asks == sorted(known[1].items(), key=lambda row: int(row[0]))[:count]


@pytest.mark.parametrize("depth", [50, 200, 1000])
@pytest.mark.parametrize("u", [9, 10, 12, 1_000, 0])
def test_a_gap_or_a_replay_ends_the_book_until_the_next_snapshot(u, depth):
    book = loaded(10, depth)
    with pytest.raises(RemoteProtocolError, match="gap"):
        book.apply(frame("delta", u, seq=5))
    assert not book.sound
    with pytest.raises(RemoteProtocolError, match="before a snapshot"):
        book.apply(frame("delta", 11, seq=5))
    book.apply(frame("snapshot", 50, [("1", "1")], [("2", "1")]))
    assert (book.sound, book.best_bid, book.best_ask) == (True, 1, 2)


def test_a_book_of_one_level_counts_in_no_particular_way():
    book = loaded(10, depth=1)
    for u in (10, 10, 7, 5_000):  # the same again where nothing changed for three seconds
        book.apply(frame("snapshot", u, [("100", "9")], [("101", "9")], seq=5))
        assert book.bids == {D(100): D(9)}
    book.apply(frame("delta", 12, [("100", "8")], seq=6))
    assert book.bids == {D(100): D(8)}


def test_a_delta_that_goes_back_in_the_sequence_ends_the_book():
    book = loaded(10)
    book.apply(frame("delta", 11, seq=5))
    with pytest.raises(RemoteProtocolError, match="goes back"):
        book.apply(frame("delta", 12, seq=4))
    assert not book.sound
    book.apply(frame("snapshot", 3, [("1", "1")], [("2", "1")], seq=1))
    assert book.sound


def test_the_book_of_another_symbol_is_not_taken():
    book = loaded(10)
    with pytest.raises(RemoteProtocolError, match="ETHUSDT"):
        book.apply(frame("delta", 11, symbol="ETHUSDT", seq=5))
    assert not book.sound


def test_a_restart_of_the_service_is_a_snapshot_whatever_it_says():
    book = loaded(10)
    book.apply(frame("delta", 1, [("5", "1")], [("6", "1")]))
    assert (book.bids, book.asks) == ({D(5): D(1)}, {D(6): D(1)})
    book.apply(frame("delta", 2, [("5.5", "1")]))
    assert book.best_bid == D("5.5")


@pytest.mark.parametrize(
    ("bids", "asks"),
    [([("101", "1")], []), ([("150", "1")], []), ([], [("100", "1")]), ([("101.000", "1")], [])],
    ids=["locked", "crossed", "locked from above", "locked in other words"],
)
def test_a_crossed_book_is_no_book(bids, asks):
    book = loaded()
    with pytest.raises(RemoteProtocolError, match="crossed"):
        book.apply(frame("delta", 11, bids, asks, seq=5))
    assert not book.sound
    with pytest.raises(RemoteProtocolError, match="before a snapshot"):
        book.apply(frame("delta", 12, seq=5))


@pytest.mark.parametrize(
    ("bids", "asks"), [([("100", "0"), ("99", "0")], []), ([], [("101", "0"), ("102", "0.000")])]
)
def test_a_one_sided_book_is_not_sound_and_recovers_in_step(bids, asks):
    book = loaded()
    book.apply(frame("delta", 11, bids, asks, seq=5))
    assert not book.sound
    book.apply(frame("delta", 12, [("98", "1")], [("103", "1")], seq=6))
    assert (book.sound, book.best_bid) == (True, D(98) if bids else D(100))


def test_deleting_a_level_that_is_not_there_is_harmless():
    book = loaded()
    book.apply(frame("delta", 11, [("42", "0")], [("420", "0")], seq=5))
    assert book.sound


def test_one_price_written_in_two_ways_is_one_level():
    book = loaded()
    book.apply(frame("delta", 11, [("100.00", "7")], [("101.0", "0")], seq=5))
    assert (book.bids[D(100)], book.best_ask) == (D(7), D(102))
    book.apply(frame("delta", 12, [("0100", "0")], seq=5))
    assert book.best_bid == D(99)


def test_prices_of_eighteen_places_are_told_apart():
    book = loaded()
    near = "100.000000000000000001"
    book.apply(frame("delta", 11, [(near, "0.000000000000000001")], seq=5))
    assert (book.best_bid, book.touch[0]) == (D(near), (near, "0.000000000000000001"))
    assert len(book.bids) == 3


BAD = [
    "-1",
    "+1",
    "NaN",
    "Infinity",
    "1e2",
    "9" * 40,
    "0." + "1" * 19,
    "",
    " 1",
    "1 ",
    ".5",
    "5.",
    "1_0",
    "٣",
    "1\n",
]


@pytest.mark.parametrize("kind", ["delta", "snapshot"])
@pytest.mark.parametrize("text", BAD)
@pytest.mark.parametrize("place", [0, 1])
def test_a_level_that_is_not_written_plainly_ends_the_book(kind, text, place):
    level = (text, "1") if place == 0 else ("100", text)
    for bids, asks in (([level], [("101", "1")]), ([("99", "1")], [level])):
        book = loaded()
        with pytest.raises(RemoteProtocolError):
            book.apply(frame(kind, 11, bids, asks, seq=5))
        assert not book.sound


@pytest.mark.parametrize("px", ["0", "0.00"])
@pytest.mark.parametrize("qty", ["0", "1"])
def test_a_level_at_price_zero_ends_the_book(px, qty):
    book = loaded()
    with pytest.raises(RemoteProtocolError, match="price"):
        book.apply(frame("delta", 11, [(px, qty)], seq=5))


@given(text=st.text(alphabet="0123456789.-+eE \n٣N", max_size=40))
def test_what_is_a_number_here_is_a_number_everywhere(text):
    try:
        expected = parse_plain(text)
    except ValueError:
        expected = None
    book = loaded()
    try:
        book.apply(frame("delta", 11, [("98", text)], seq=5))
    except RemoteProtocolError:
        assert expected is None
    else:
        assert book.bids.get(D(98), 0) == expected


@pytest.mark.parametrize("kind", ["", "Delta", "update"])
def test_an_unknown_kind_ends_the_book(kind):
    book = loaded()
    with pytest.raises(RemoteProtocolError, match="type"):
        book.apply(frame(kind, 11))


def rows_of(start):
    return [(f"0.{start}{place:04}", "1") for place in range(1, 1_000)]


def test_a_side_does_not_grow_without_end():
    book = loaded()
    for start in range(5):
        book.apply(frame("delta", 11 + start, rows_of(start), seq=5))
    with pytest.raises(RemoteProtocolError, match="levels"):
        book.apply(frame("delta", 16, rows_of(5), seq=5))
    assert not book.sound


def test_the_nearest_levels_are_those_of_a_sound_book_only():
    book = loaded()
    assert book.nearest(5) == ([("100", "1"), ("99", "2")], [("101", "3"), ("102", "4")])
    with pytest.raises(RemoteProtocolError, match="gap"):
        book.apply(frame("delta", 12, seq=5))
    assert book.nearest(5) == ([], [])
    assert book.bids  # the levels are still there, and no longer to be trusted


def test_a_lost_book_is_empty_and_unsound():
    book = loaded()
    book.lose()
    assert (book.bids, book.asks, book.sound) == ({}, {}, False)


NEEDED = {"s": "BTCUSDT", "b": [], "a": [], "u": 11, "seq": 5}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.dictionaries(st.sampled_from([*NEEDED, "x"]), JSON), bare=st.booleans())
def test_any_json_is_applied_or_named(data, bare):
    book = loaded()
    message = {"topic": "orderbook.50.BTCUSDT", "type": "delta", "data": data if bare else {**NEEDED, **data}}
    try:
        book.apply(decode_frame(json.dumps(message)))
    except RemoteProtocolError as error:
        str(error).encode()
    else:
        assert book.sound
