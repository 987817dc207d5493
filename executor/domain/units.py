"""Exact numbers and their units: the names, the text form and the arithmetic context of money and quantity.

Everything on the order path is `Decimal`. This room knows how a number may be written and nothing about
what is done with it; rounding to an instrument's steps lives in `executor.domain.instrument`.
"""

import decimal
import re
from decimal import Decimal
from typing import NewType, TypeGuard

Price = NewType("Price", Decimal)
"""Quote currency per base unit, as the venue prints it."""
Quantity = NewType("Quantity", Decimal)
"""Base units (contracts for inverse instruments)."""
Money = NewType("Money", Decimal)
"""An amount of quote currency."""
Bps = NewType("Bps", Decimal)
"""Basis points, 1e-4 of a price or a notional."""

ZERO = Decimal(0)
ONE = Decimal(1)
BPS_PER_UNIT = Decimal(10_000)

_PLAIN = re.compile(r"\A\d{1,18}(?:\.\d{1,18})?\Z", re.ASCII)
_PRECISION = 38
_DIGITS_MAX = 18


def install_decimal_context() -> None:
    """Give the calling thread the arithmetic context that the whole project assumes.

    38 significant digits hold the product of two 18-digit numbers exactly; invalid operations, overflow,
    division by zero and any mixing with `float` raise instead of producing NaN.
    """
    decimal.setcontext(
        decimal.Context(
            prec=_PRECISION,
            rounding=decimal.ROUND_HALF_EVEN,
            traps=[
                decimal.InvalidOperation,
                decimal.FloatOperation,
                decimal.Overflow,
                decimal.DivisionByZero,
            ],
        )
    )


def parse_plain(text: str) -> Decimal:
    """Read a non-negative decimal written plainly: up to 18 digits, optionally a point and up to 18 more.

    Raises
    ------
    ValueError
        For anything else: signs, exponents, NaN, infinity, separators, blanks, non-ASCII digits.
    """
    if not _PLAIN.match(text):
        raise ValueError(f"not a plain decimal number: {text[:80]!r}")
    return Decimal(text)


def plain(value: Decimal) -> str:
    """Write a number the way it leaves this process: never with an exponent."""
    return format(value, "f")


def is_sound(value: object) -> TypeGuard[Decimal]:
    """Tell whether a number is present, exact, finite and below 10^18: arithmetic with it can not overflow."""
    return isinstance(value, Decimal) and value.is_finite() and value.adjusted() < _DIGITS_MAX


def is_plain(value: object) -> TypeGuard[Decimal]:
    """Tell whether a number, its sign apart, could be written plainly; sums of such numbers are exact."""
    return is_sound(value) and value.as_tuple().exponent >= -_DIGITS_MAX  # type: ignore[operator]
