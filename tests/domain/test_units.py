"""How a number may be written, and what a number must be before it may be compared."""

import threading
from decimal import Decimal, DivisionByZero, FloatOperation, InvalidOperation, Overflow, getcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.units import install_decimal_context, is_plain, is_sound, parse_plain, plain
from tests.builders import D

PLAIN = st.from_regex(r"\A[0-9]{1,18}(\.[0-9]{1,18})?\Z")


@given(PLAIN)
def test_plain_text_is_read_exactly_and_written_back(text):
    value = parse_plain(text)
    assert is_plain(value)
    assert parse_plain(plain(value)) == value
    assert plain(value).lstrip("0") == text.lstrip("0") or value == 0


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "-1",
            "+1",
            "1e5",
            "1E5",
            "NaN",
            "sNaN",
            "Infinity",
            "inf",
            ".5",
            "5.",
            "1.2.3",
            "1,000",
            "1_000",
        ),
        *(
            "0x1",
            " 1",
            "1 ",
            "1\n",
            "\n1",
            "1\x00",
            "\u0661",
            "\uff11",
            "1" * 19,
            "1." + "1" * 19,
            "1" * 10_000,
        ),
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="not a plain decimal"):
        parse_plain(text)


@given(st.text(max_size=30))
def test_any_text_is_plain_or_refused(text):
    try:
        value = parse_plain(text)
    except ValueError:
        return
    assert value.is_finite()
    assert value >= 0
    assert text.isascii()


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_no_number_leaves_with_an_exponent(value):
    assert set(plain(value)) <= set("-0123456789.")
    assert Decimal(plain(value)) == value


@pytest.mark.parametrize(
    "value", [None, "1", 1, 1.0, True, D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity")]
)
def test_what_is_no_number_is_not_sound(value):
    assert not is_sound(value)
    assert not is_plain(value)


@pytest.mark.parametrize(
    ("text", "sound", "is_plain_too"),
    [
        ("0", True, True),
        ("-1", True, True),
        ("999999999999999999.999999999999999999", True, True),
        ("1E+18", False, False),
        ("-1E+18", False, False),
        ("1E+17", True, True),
        ("1E-18", True, True),
        ("1E-19", True, False),
        ("1E-999", True, False),
    ],
)
def test_range_of_sound_and_plain_numbers(text, sound, is_plain_too):
    assert (is_sound(D(text)), is_plain(D(text))) == (sound, is_plain_too)


@given(PLAIN, PLAIN)
def test_sums_of_plain_numbers_are_exact(one, two):
    """That is what the precision of 38 digits is for: conservation may be asserted with `==`."""
    assert D(one) + D(two) - D(two) == D(one)


def test_context_raises_instead_of_guessing():
    seen = []

    def elsewhere():
        install_decimal_context()
        for wrong in (
            lambda: D("NaN") < 1,
            lambda: D(1) + 0.5,
            lambda: D(1) < 0.5,
            lambda: D("1E+999999") * 10,
            lambda: D(1) / 0,
        ):
            try:
                wrong()
            except (InvalidOperation, FloatOperation, Overflow, DivisionByZero, TypeError) as error:
                seen.append(type(error))
        seen.append(getcontext().prec)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [InvalidOperation, TypeError, FloatOperation, Overflow, DivisionByZero, 38]
