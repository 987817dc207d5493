"""What paired differences are worth: their mean, its standard error, Student's t and the interval that follows.

Beside it a test that asks for no normal mean, since differences of costs have heavy tails, and how many pairs it would
take to see a difference of a given size. Pure arithmetic on floats. It knows nothing of orders or markets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import ceil, exp, fsum, isfinite, lgamma, log, log1p, sqrt
from random import Random
from statistics import NormalDist
from typing import Final

_TERMS_MAX: Final = 500
_CLOSE: Final = 1e-15
_TINY: Final = 1e-300
_HALVINGS: Final = 200
_FLIPS: Final = 10_000
_EXACT_PAIRS_MAX: Final = 13
"""Up to so many pairs all assignments of signs are gone through; 2^13 is about as many as are drawn beyond."""
_PAIRS_MOST: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Differences of pairs, summed up; everything is in the unit of the differences but `t` and `confidence`.

    Parameters
    ----------
    pairs
        How many there are, >= 2.
    t
        Mean over standard error, with pairs - 1 degrees of freedom; None where all differences are equal.
    low, high
        Bounds of the confidence interval of the mean.
    confidence
        Share of such intervals that hold the true mean, 0-1.
    """

    pairs: int
    mean: float
    standard_error: float
    t: float | None
    low: float
    high: float
    confidence: float

    @property
    def shows_gain(self) -> bool:
        """Whether the whole interval is above zero."""
        return self.low > 0

    @property
    def shows_loss(self) -> bool:
        """Whether the whole interval is below zero."""
        return self.high < 0

    @property
    def deviation(self) -> float:
        """Standard deviation of one difference."""
        return self.standard_error * sqrt(self.pairs)

    @property
    def p_value(self) -> float | None:
        """Probability of a t at least as far from zero if the true mean is zero; None where there is no t."""
        return None if self.t is None else student_p(self.t, self.pairs - 1)


def paired(differences: Sequence[float], confidence: float = 0.95) -> Paired:
    """Sum up differences of pairs by the paired t procedure.

    With d_i the n differences, m their mean and s^2 = sum (d_i - m)^2 / (n - 1):

        standard error = s / sqrt(n)    t = m / standard error    interval = m -+ q standard error

    where q is the quantile of Student's distribution with n - 1 degrees of freedom that leaves (1 - confidence) / 2
    on either side. Source: Student, "The probable error of a mean", Biometrika 6(1), 1908. It asks for independent
    pairs and a mean that is close to normal; each pair has its own seed, and what both of its members share (the path
    of the market) cancels.

    Raises
    ------
    ValueError
        For fewer than two differences, or one that is no number.
    """
    count = len(differences)
    if count < 2 or not all(isfinite(one) for one in differences):
        raise ValueError(f"two finite differences are needed at least, got {count}")
    mean = fsum(differences) / count
    variance = fsum((one - mean) ** 2 for one in differences) / (count - 1)
    error = sqrt(variance / count)
    half = student_quantile(confidence, count - 1) * error
    return Paired(
        pairs=count,
        mean=mean,
        standard_error=error,
        t=mean / error if error > 0 else None,
        low=mean - half,
        high=mean + half,
        confidence=confidence,
    )


def sign_flip_p(differences: Sequence[float], seed: int = 0) -> float:
    """Probability of a mean at least as far from zero if each difference had either sign with equal chance.

    Fisher's randomization test for pairs (The Design of Experiments, 1935, section 21): if advice changes nothing,
    plain and advised could have been swapped in every pair. It needs no normal mean, only differences that are
    symmetric under that hypothesis. Exact for few pairs; for more, 10,000 assignments drawn from a seed, counting the
    one seen as one of them (B. Phipson and G. Smyth, Statistical Applications in Genetics and Molecular Biology 9(1),
    2010).
    """
    seen = abs(fsum(differences)) * (1 - _CLOSE * len(differences))
    if len(differences) <= _EXACT_PAIRS_MAX:
        assignments = product((1, -1), repeat=len(differences))
        sums = [abs(fsum(s * d for s, d in zip(signs, differences, strict=True))) for signs in assignments]
        return sum(one >= seen for one in sums) / len(sums)
    chance = Random(f"{seed}:signs")  # noqa: S311 - a test is no cryptography
    far = 0
    for _ in range(_FLIPS):
        bits = chance.getrandbits(len(differences))
        far += abs(fsum(d if bits >> i & 1 else -d for i, d in enumerate(differences))) >= seen
    return (far + 1) / (_FLIPS + 1)


def pairs_needed(deviation: float, difference: float, confidence: float = 0.95, power: float = 0.8) -> int:
    """How many pairs it takes to show a true mean difference of this size, with this probability.

    The smallest n >= ((q + z) s / d)^2, with s the standard deviation of one difference, d the size, z the normal
    quantile of the power and q Student's of the confidence with n - 1 degrees of freedom (J. Cohen, Statistical Power
    Analysis for the Behavioral Sciences, 2nd ed. 1988, chapter 2).

    Raises
    ------
    ValueError
        For a difference that is not above zero, or a power that is none.
    """
    if not difference > 0 or not 0 < power < 1 or deviation < 0 or not isfinite(deviation):
        raise ValueError(f"no number of pairs for {difference}, power {power} and deviation {deviation}")
    z = NormalDist().inv_cdf(power)

    def wanted(count: int) -> float:
        return ((student_quantile(confidence, count - 1) + z) * deviation / difference) ** 2

    # Student's quantile falls as n grows, so that there is one place where n is enough.
    low, high = 2, max(2, ceil(min(wanted(2), _PAIRS_MOST)))
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if middle >= wanted(middle) else (middle + 1, high)
    return low


def student_p(t: float, degrees: int) -> float:
    """Probability of a value at least as far from zero as `t`, of Student's with so many degrees of freedom."""
    return incomplete_beta(degrees / (degrees + t * t), degrees / 2, 0.5)


@lru_cache(maxsize=1_024)
def student_quantile(confidence: float, degrees: int) -> float:
    """The q for which |T| <= q has this probability, T being Student's with so many degrees of freedom.

    P(|T| > q) = I_x(v/2, 1/2) with x = v / (v + q^2) and v the degrees of freedom (NIST Digital Library of
    Mathematical Functions, 8.17; Abramowitz and Stegun 26.7.1). Found by halving an interval: exact to the last digits.

    Parameters
    ----------
    confidence
        0 < confidence < 1.
    degrees
        >= 1.
    """
    if not 0 < confidence < 1 or degrees < 1:
        raise ValueError(f"no quantile for confidence {confidence} and {degrees} degrees of freedom")

    low, high = 0.0, 1.0
    while student_p(high, degrees) > 1 - confidence:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        low, high = (middle, high) if student_p(middle, degrees) > 1 - confidence else (low, middle)
    return high


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function I_x(a, b), for 0 <= x <= 1 and a, b > 0.

    The continued fraction of the NIST library (8.17.22) is summed by Lentz's method (W. Lentz, Applied Optics 15(3),
    1976; I. Thompson and A. Barnett, J. Computational Physics 64, 1986), on the side where it converges quickly, with
    I_x(a, b) = 1 - I_(1-x)(b, a) for the other.
    """
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, _TERMS_MAX):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            change = c * d
            fraction *= change
        if abs(change - 1) < _CLOSE:
            return front * fraction
    raise ArithmeticError(f"I_{x}({a}, {b}) did not converge")


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
