"""Decimal text becomes whole ticks without a rounding, and what cannot is told apart."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.dataset.order import out_of_order
from backtest.dataset.ticks import NUMBERS_MIN, Deduced, common_step, exact, scaled, step_of, step_text

plain = st.decimals(min_value=-(10**6), max_value=10**6, places=10).map(lambda number: format(number, "f"))


@settings(max_examples=50)
@given(st.lists(plain, min_size=1, max_size=30))
def test_numbers_are_read_exactly(texts):
    read = exact(texts)
    assert read.bad is None
    assert [Fraction(int(value), 10**read.scale) for value in read.values] == [
        Fraction(text) for text in texts
    ]


@settings(max_examples=50)
@given(st.lists(st.decimals(min_value=0, max_value=10**6, places=6), min_size=1, max_size=30))
def test_the_step_divides_every_number_and_no_larger_one_does(numbers):
    texts = [format(number, "f") for number in numbers]
    read = exact(texts)
    step = step_of(read.values, read.scale, Fraction(0))
    if not step:
        assert not any(numbers)
        return
    ticks = scaled(read.values, 1 / (step * 10**read.scale))
    assert [int(tick) * step for tick in ticks] == [Fraction(number) for number in numbers]
    assert np.gcd.reduce(ticks) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "nan",
        "NaN",
        "inf",
        "-Infinity",
        "1_000",
        "0x10",
        "1e999999999",
        "1e-999",
        "1,5",
        "\u0661",
        "--1",
        "1.0000000000001",
        "9" * 30,
        "1" * 50,
        "1e40",
        "sNaN",
        "1.5.2",
    ],
)
def test_what_is_no_number_that_can_be_kept_is_bad_and_its_neighbours_are_not(text):
    read = exact(["1.5", text, "2.25"])
    assert read.bad is not None
    assert read.bad.tolist() == [False, True, False]
    assert (read.values[0], read.values[2]) == (15 * 10 ** (read.scale - 1), 225 * 10 ** (read.scale - 2))


@pytest.mark.parametrize(
    ("text", "value"), [("1e3", 1000), ("2.5E-2", "0.025"), ("+7", 7), (".5", "0.5"), ("5.", 5)]
)
def test_unusual_spellings_of_plain_numbers_are_read(text, value):
    read = exact([text])
    assert read.bad is None
    assert Fraction(int(read.values[0]), 10**read.scale) == Fraction(value)


def test_a_price_too_large_for_eight_decimals_is_read_beside_small_ones():
    read = exact(["9999999999999", "0.5"])
    assert read.bad is None
    assert [Fraction(int(value), 10**read.scale) for value in read.values] == [
        9_999_999_999_999,
        Fraction(1, 2),
    ]


def test_common_steps_and_their_text():
    assert common_step(Fraction("0.5"), Fraction("0.2")) == Fraction("0.1")
    assert common_step(Fraction(0), Fraction("0.2")) == Fraction("0.2")
    assert step_text(Fraction("0.00002")) == str(Decimal("0.00002"))
    with pytest.raises(OverflowError, match="64 bits"):
        scaled(np.array([2**62]), Fraction(100))


@pytest.mark.parametrize(
    ("values", "blamed"),
    [
        ([1, 2, 2, 3], []),
        ([9, 1, 2, 3], [0]),
        ([1, 9, 2, 3], [1]),
        ([1, 2, 3, 0], [3]),
        ([1, 2, 0, 3, 4], [2]),
        ([5, 6, 1, 2, 3, 7], [0, 1]),
    ],
)
def test_the_fewest_values_are_blamed_for_a_broken_order(values, blamed):
    assert out_of_order(np.array(values)) == blamed


@settings(max_examples=50)
@given(st.lists(st.integers(0, 50), max_size=60))
def test_without_the_blamed_values_the_order_holds(values):
    blamed = set(out_of_order(np.array(values, np.int64)))
    kept = [value for place, value in enumerate(values) if place not in blamed]
    assert kept == sorted(kept)


@pytest.mark.parametrize(
    ("numbers", "scale", "step", "doubts"),
    [
        (range(1, 100), 2, "0.01", []),
        (range(5, 500, 5), 1, "0.5", []),
        (range(20, 2_000, 20), 0, "20", []),
        (range(53_596, 53_596 * 30, 53_596), 2, "535.96", ["it is not 1, 2, 5 times a power of ten"]),
        (range(25, 2_500, 25), 2, "0.25", ["it is not 1, 2, 5 times a power of ten"]),
        ([100] * 1_000, 2, "1", ["it rests on few different numbers (1)"]),
        (
            [3, 0, -3, 6],
            0,
            "3",
            ["it is not 1, 2, 5 times a power of ten", "it rests on few different numbers (2)"],
        ),
        ([], 0, "0", ["it rests on few different numbers (0)"]),
    ],
)
def test_a_deduced_step_says_when_it_is_not_to_be_trusted(numbers, scale, step, doubts):
    deduced = Deduced()
    values = np.array(list(numbers), np.int64)
    for part in np.array_split(values, 3):
        deduced.learn(part, scale)
    assert (step_text(deduced.step), deduced.doubts()) == (step, doubts)


def test_enough_numbers_are_enough_at_any_scale():
    deduced = Deduced()
    deduced.learn(np.arange(1, NUMBERS_MIN, dtype=np.int64), 0)
    deduced.learn(np.arange(1, NUMBERS_MIN, dtype=np.int64) * 10, 1)
    assert deduced.doubts() == [f"it rests on few different numbers ({NUMBERS_MIN - 1})"]
    deduced.learn(np.array([NUMBERS_MIN * 100], np.int64), 2)
    assert deduced.doubts() == []
