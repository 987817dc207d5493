"""What a share is worth by its dividends: an agent that values by fundamentals, and the market that redeems it, agree.

The rule is that of A. Lopez-Lira, Can large language models trade? (arXiv 2504.10789): each round pays base + variation
with probability p and base - variation otherwise, and money earns r a round. For ever, that is worth E[d] / r; held to
a last round and then redeemed, the sum of both at their dates.
"""

from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, slots=True, kw_only=True)
class Dividend:
    """What a share pays each round.

    Parameters
    ----------
    base
        Middle of the two payments, money, >= 0.
    variation
        Half their distance, money, >= 0, at most the base.
    """

    base: float
    variation: float

    def __post_init__(self) -> None:
        """Refuse a payment that is none."""
        if not all(map(isfinite, (self.base, self.variation))) or not 0.0 <= self.variation <= self.base:
            raise ValueError(f"a dividend is not below zero, got {self}")

    def expected(self, probability: float) -> float:
        """Mean payment, money a round.

        Parameters
        ----------
        probability
            Of the greater payment, 0-1.
        """
        if not 0.0 <= probability <= 1.0:
            raise ValueError(f"a probability is 0 to 1, got {probability}")
        return self.base + (2.0 * probability - 1.0) * self.variation


def perpetual_value(dividend: float, rate: float) -> float:
    """Worth of a payment in every round to come, the first a round from now: d / r, money.

    Parameters
    ----------
    dividend
        Expected payment, money a round.
    rate
        Interest, 0-1 a round, > 0.

    Raises
    ------
    ValueError
        If an input has no meaning.
    """
    return _checked(dividend, "a dividend") / _rate(rate)


def redeemed_value(dividend: float, rate: float, rounds: int, redemption: float) -> float:
    """Worth of so many payments and of what is paid back with the last: sum of d / (1 + r)^t + K / (1 + r)^n, money.

    With K = d / r it is d / r in every round; with K = 0 it falls to d / (1 + r) in the last.

    Parameters
    ----------
    dividend
        Expected payment, money a round.
    rate
        Interest, 0-1 a round, > 0.
    rounds
        n, payments to come, >= 0.
    redemption
        K, money, >= 0.

    Raises
    ------
    ValueError
        If an input has no meaning.
    """
    if rounds < 0 or _checked(redemption, "what is paid back") < 0.0:
        raise ValueError(f"rounds and what is paid back are not below zero, got {rounds} and {redemption}")
    discount = (1.0 + _rate(rate)) ** -rounds
    return perpetual_value(dividend, rate) * (1.0 - discount) + redemption * discount


def _rate(rate: float) -> float:
    if _checked(rate, "a rate") <= 0.0:
        raise ValueError(f"a rate is above zero, got {rate}")
    return rate


def _checked(value: float, what: str) -> float:
    if not isfinite(value):
        raise ValueError(f"{what} is a number, got {value}")
    return value
