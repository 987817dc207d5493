"""From decimal text to whole ticks and lots without a rounding anywhere, and the step that a file's own numbers imply.

A number is first a whole number at a decimal scale (`1.50` at scale 2 is 150). Which step all numbers of a stream
are multiples of is known only at its end; the division by it comes last and leaves no rest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

import numpy as np
import pyarrow as pa

from backtest.dataset.rows import Ints, Mask

DECIMALS_MAX: Final = 12
USUAL_SCALE: Final = 8
TEXT_CHARS_MAX: Final = 40
INT64_MAX: Final = 2**63 - 1
_DIGITS: Final = 38


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """Numbers as integers at one decimal scale.

    Parameters
    ----------
    values
        The numbers times 10 ** `scale`; 0 where bad.
    scale
        Decimal places, 0-18.
    bad
        Where the text was no number that can be kept; None where all were good.
    """

    values: Ints
    scale: int
    bad: Mask | None = None

    def at(self, scale: int) -> Ints:
        """Give the same numbers at another scale, cut toward zero where that is smaller.

        Raises
        ------
        OverflowError
            If one does not fit into 64 bits there.
        """
        return scaled(self.values, Fraction(10) ** (scale - self.scale))


def exact(texts: Sequence[str], scale: int = USUAL_SCALE) -> Exact:
    """Read decimal numbers exactly.

    Plain decimals and short exponents are read; not-a-number, infinity, blanks, digit groups, more than 12
    decimals and what exceeds 64 bits at the common scale are bad. `scale` is tried first and costs least.
    """
    array = pa.array(texts, pa.string())
    together = "".join(texts)
    # Arrow would cut 1e-30 to zero without a word, so exponents are read the slow way.
    if "e" not in together and "E" not in together:
        try:
            numbers = array.cast(pa.decimal128(_DIGITS, scale))
        except pa.ArrowInvalid:
            return _one_by_one(texts)
        words = np.frombuffer(numbers.buffers()[1], np.int64).reshape(-1, 2)[: len(array)]
        if bool(np.array_equal(words[:, 1], words[:, 0] >> 63)):
            return Exact(values=np.ascontiguousarray(words[:, 0]), scale=scale)
    return _one_by_one(texts)


def plain_number(text: str) -> tuple[int, int] | None:
    """Read one number under the rules of `exact`: a whole number and its decimals; None if it is bad."""
    if not 0 < len(text) <= TEXT_CHARS_MAX or not text.isascii() or "_" in text or text != text.strip():
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or abs(number.adjusted()) > _DIGITS:
        return None
    whole = int("".join(map(str, digits)))
    while exponent < 0 and whole % 10 == 0:
        whole, exponent = whole // 10, exponent + 1
    if exponent < -DECIMALS_MAX:
        return None
    whole = -whole if sign else whole
    return (whole, -exponent) if exponent < 0 else (whole * 10**exponent, 0)


def _one_by_one(texts: Sequence[str]) -> Exact:
    """Read number by number, which tells the bad from the good."""
    numbers = [plain_number(text) for text in texts]
    scale = max((number[1] for number in numbers if number is not None), default=0)
    values = np.zeros(len(numbers), np.int64)
    bad = np.zeros(len(numbers), np.bool_)
    for place, number in enumerate(numbers):
        whole = None if number is None else number[0] * 10 ** (scale - number[1])
        if whole is None or abs(whole) > INT64_MAX:
            bad[place] = True
        else:
            values[place] = whole
    return Exact(values=values, scale=scale, bad=bad if bad.any() else None)


NUMBERS_MIN: Final = 20
"""That many numbers share a factor by chance less than once in a million times, if they hang on nothing."""
_USUAL: Final = (1, 2, 5)


@dataclass(slots=True)
class Deduced:
    """The step that numbers imply, and how sure that is.

    Attributes
    ----------
    step
        The largest of which all numbers are multiples; 0 while there is none.
    """

    step: Fraction = Fraction(0)
    _seen: set[Fraction] = field(default_factory=set)

    def learn(self, values: Ints, scale: int) -> None:
        """Take numbers into account."""
        self.step = step_of(values, scale, self.step)
        if len(self._seen) < NUMBERS_MIN:
            found = np.unique(np.abs(values[values != 0])).tolist()[:NUMBERS_MIN]
            self._seen.update(Fraction(value, 10**scale) for value in found)

    def doubts(self) -> list[str]:
        """Why it may be too coarse; nothing if there is no reason."""
        told = []
        if self.step and not _is_usual(self.step):
            told.append(f"it is not {', '.join(map(str, _USUAL))} times a power of ten")
        if len(self._seen) < NUMBERS_MIN:
            told.append(f"it rests on few different numbers ({len(self._seen)})")
        return told


def _is_usual(step: Fraction) -> bool:
    """Whether a step has the form in which venues choose theirs."""
    digits = step_text(step).replace(".", "").strip("0")
    return digits in map(str, _USUAL)


def step_of(values: Ints, scale: int, step: Fraction) -> Fraction:
    """Largest number of which `step` and all values are multiples; `step` 0 knows nothing yet."""
    return common_step(Fraction(int(np.gcd.reduce(values)) if len(values) else 0, 10**scale), step)


def common_step(one: Fraction, other: Fraction) -> Fraction:
    """Greatest common divisor of two fractions; that of zero and a number is the number."""
    numerator = math.gcd(one.numerator * other.denominator, other.numerator * one.denominator)
    return Fraction(numerator, one.denominator * other.denominator)


def scaled(values: Ints, factor: Fraction) -> Ints:
    """Multiply whole numbers by a fraction and cut toward zero.

    Raises
    ------
    OverflowError
        If a product does not fit into 64 bits.
    """
    if not len(values) or factor == 1:
        return values
    top = max(int(values.max()), -int(values.min()))
    if top * factor.numerator > INT64_MAX:
        if top * factor > INT64_MAX:
            raise OverflowError(f"{top} times {factor} does not fit into 64 bits")
        products = [int(value * factor) for value in values.tolist()]
        return np.array(products, np.int64)
    product = values * np.int64(factor.numerator)
    if factor.denominator == 1:
        return product
    if factor.denominator > INT64_MAX:
        return np.zeros_like(product)
    quotient: Ints = np.sign(product) * (np.abs(product) // np.int64(factor.denominator))
    return quotient


def step_text(step: Fraction) -> str:
    """A step as plain decimal text; steps come from decimals, so this is exact."""
    number = Decimal(step.numerator) / Decimal(step.denominator)
    assert Fraction(number) == step, f"{step} is no decimal number"
    return format(number, "f")
