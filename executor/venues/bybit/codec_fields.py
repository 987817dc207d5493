"""One field of a row at a time: a value of the right kind, or a named error. Unknown fields are never looked at."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from executor.domain.errors import RemoteProtocolError
from executor.domain.orders import Category, Side
from executor.domain.units import ZERO, parse_plain

Row = Mapping[str, object]

SIDES: Final = {"Buy": Side.BUY, "Sell": Side.SELL}
_TEXT_LEN_MAX: Final = 200
_INTEGER_MAX: Final = 9_000_000_000_000  # as milliseconds the year 2255, whose nanoseconds still fit 64 bits


def text(row: Row, key: str) -> str:
    """Read a text that can be written down again."""
    value = row.get(key)
    if not isinstance(value, str) or not _is_printable(value):
        raise RemoteProtocolError(f"{key} is {shown(value)}, not text")
    return value


def optional_text(row: Row, key: str) -> str:
    """Read a text that may be missing, and is empty when it cannot be written down."""
    value = row.get(key)
    return value if isinstance(value, str) and _is_printable(value) else ""


def flag(row: Row, key: str) -> bool:
    """Read true or false, by no other name."""
    value = row.get(key)
    if not isinstance(value, bool):
        raise RemoteProtocolError(f"{key} is {shown(value)}, not true or false")
    return value


def number(row: Row, key: str) -> Decimal:
    """Read a number that is plainly written and not negative."""
    return _parsed(text(row, key), key)


def number_or_zero(row: Row, key: str) -> Decimal:
    """Read a number that may be missing or empty, which is zero."""
    return number(row, key) if row.get(key) else ZERO


def signed(row: Row, key: str) -> Decimal:
    """Read a plainly written number of either sign."""
    written = text(row, key)
    return -_parsed(written[1:], key) if written.startswith("-") else _parsed(written, key)


def positive(row: Row, key: str) -> Decimal:
    """Read a number above zero."""
    value = number(row, key)
    if value <= ZERO:
        raise RemoteProtocolError(f"{key} is {value}, not above zero")
    return value


def whole(row: Row, key: str) -> int:
    """Read a whole number, not negative, small enough for everything that is done with it."""
    value = row.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 13:
        value = int(value)
    if type(value) is not int or not 0 <= value <= _INTEGER_MAX:
        raise RemoteProtocolError(f"{key} is {shown(value)}, not a whole number")
    return value


def stamp_ms(row: Row, key: str) -> int:
    """Read a time in milliseconds; zero when it is missing or cannot be one."""
    value = row.get(key)
    return value if type(value) is int and 0 < value <= _INTEGER_MAX else 0


def side(row: Row) -> Side:
    """Read buy or sell."""
    word = text(row, "side")
    if word not in SIDES:
        raise RemoteProtocolError(f"side {word!r}")
    return SIDES[word]


def category(row: Row) -> Category:
    """Read the product family."""
    word = text(row, "category")
    try:
        return Category(word)
    except ValueError as error:
        raise RemoteProtocolError(f"category {word!r}") from error


def _parsed(written: str, key: str) -> Decimal:
    try:
        return parse_plain(written)
    except ValueError as error:
        raise RemoteProtocolError(f"{key} is {error}") from error


def _is_printable(value: str) -> bool:
    """Whether a text can be written down: JSON may carry halves of characters that no file can hold."""
    return len(value) <= _TEXT_LEN_MAX and value.isprintable()


def shown(value: object) -> str:
    """Show what was found, cut short. A number of thousands of digits has no text form, and is not given one."""
    if isinstance(value, int) and value.bit_length() > 128:
        return "a very large number"
    return repr(str(value)[:80])
