"""Decimal figures in and out of wire text: exact, without exponents, with as many places as the venue shows."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal(0)
_PLAIN_DECIMAL = re.compile(r"\d{1,20}(\.\d{1,18})?")


def parse_positive(text: str) -> Decimal | None:
    """Return the value of an unsigned plain decimal, or None for anything else (signs, exponents, blanks)."""
    return Decimal(text) if _PLAIN_DECIMAL.fullmatch(text) else None


def like(value: Decimal, step: Decimal) -> str:
    """Return ``value`` written with the number of places that ``step`` has."""
    return format(value.quantize(step, rounding=ROUND_HALF_UP), "f")


def short(value: Decimal) -> str:
    """Return ``value`` without trailing zeros and without an exponent."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Tell whether ``value`` is a whole number of ``step``."""
    return value % step == 0
