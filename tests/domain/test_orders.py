"""Names of child orders, sides as signs, and what a snapshot of the market says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.orders import CLIENT_ORDER_ID_LEN_MAX, Side, base36, client_order_id
from tests.builders import D, snapshot

NUMBERS = st.integers(0, 10**12)


@given(st.integers(0, 10**30))
def test_base36_reads_back(number):
    text = base36(number)
    assert int(text, 36) == number
    assert text == text.lower()
    assert text == "0" or not text.startswith("0")


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (9, "9"), (10, "a"), (35, "z"), (36, "10"), (1295, "zz")]
)
def test_base36_examples(number, text):
    assert base36(number) == text


def test_base36_takes_no_negative_number():
    with pytest.raises(ValueError, match="-1"):
        base36(-1)


@given(st.text("abcdefghijklmnop0123456789", min_size=1, max_size=12), NUMBERS, NUMBERS)
def test_id_is_a_pure_function_and_fits_the_venue(instance, parent_no, child_no):
    name = client_order_id(instance, parent_no, child_no)
    assert name == client_order_id(instance, parent_no, child_no)
    assert len(name) <= CLIENT_ORDER_ID_LEN_MAX == 36
    assert [name.split("-")[0], *(int(part, 36) for part in name.split("-")[1:])] == [
        instance,
        parent_no,
        child_no,
    ]


@given(st.lists(st.tuples(st.sampled_from(["x", "y", "x1"]), NUMBERS, NUMBERS), unique=True))
def test_ids_are_unique(keys):
    assert len({client_order_id(*key) for key in keys}) == len(keys)


def test_longest_id_passes_and_one_more_character_is_refused():
    assert len(client_order_id("i" * 32, 1, 1)) == 36
    with pytest.raises(ValueError, match="longer than 36"):
        client_order_id("i" * 33, 1, 1)


def test_side_is_a_sign():
    assert [side.sign for side in Side] == [1, -1]


def test_snapshot_knows_its_touch_mid_and_spread():
    book = snapshot("99", "101")
    assert book.mid_px == D(100)
    assert book.spread_bps == D(200)
    for side, near, far in ((Side.BUY, D(99), D(101)), (Side.SELL, D(101), D(99))):
        assert (book.touch(side), book.far_touch(side)) == (near, far)
