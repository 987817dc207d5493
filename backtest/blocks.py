"""What differences that follow each other in time are worth: neighbours are not independent, so they count in blocks.

Orders every five minutes live through the same hour, and what one of them met the next one met too. Taken one by one
they would promise more than they know. What was recorded elsewhere or later is no neighbour: nothing goes on from the
end of one recording in the next. Pure arithmetic on floats; nothing is drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cbrt, cos, floor, fsum, isfinite, pi, sqrt
from statistics import NormalDist
from typing import Final

from backtest.statistics import student_p, student_quantile

FEW_BLOCKS: Final = 10
"""Below so many blocks the interval is wide, and rests on a mean that is close to normal."""
BLOCKS_MIN: Final = 3
"""With fewer nothing is shown: Student's quantiles then are hardly more than a belief in the normal distribution."""
_OVERLAPS: Final = 3
_LONGER: Final = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Differences in order of time, summed up; in the unit of the differences.

    Parameters
    ----------
    count, block, blocks
        Differences, the length of one block, and how many such blocks there are in all recordings together.
    degrees
        Of freedom of Student's distribution; no more than `blocks`.
    standard_error
        Of the mean.
    low, high
        Bounds of the confidence interval of the mean.
    p
        Probability of a mean so far from zero if the true one is zero.
    smallest
        True mean that would be shown with the probability `power` in so many tests; None if nothing can be shown.
    """

    count: int
    block: int
    blocks: int
    degrees: int
    mean: float
    standard_error: float
    low: float
    high: float
    p: float
    smallest: float | None
    confidence: float
    power: float

    @property
    def can_show(self) -> bool:
        """Whether there are blocks enough to show any difference."""
        return self.blocks >= BLOCKS_MIN

    @property
    def has_few_blocks(self) -> bool:
        """Whether there are so few that the interval is wide."""
        return self.blocks < FEW_BLOCKS


def usual_block(count: int, overlap: int) -> int:
    """Choose the length of a block: three overlaps at least, and two and a half cube roots of the count.

    A block as long as the overlap sees only two thirds of the variance that overlapping orders give their mean. Where
    they do not overlap, 0.4 n^(2/3) blocks are what E. Lazarus, D. Lewis, J. Stock and M. Watson recommend ("HAR
    inference: recommendations for practice", J. Business and Economic Statistics 36(4), 2018).

    Parameters
    ----------
    count
        Of the shortest recording.
    overlap
        How many neighbours live at the same time.
    """
    return max(_OVERLAPS * overlap, round(_LONGER * cbrt(count)), 1)


def blocked(
    differences: Sequence[float],
    block: int,
    *,
    lengths: Sequence[int] = (),
    confidence: float = 0.95,
    power: float = 0.8,
    tests: int = 1,
) -> Blocked:
    """Sum differences up, with an error that allows for neighbours that resemble each other.

    The variance of a sum of n neighbours is n times their long-run variance. That is estimated from what varies slowly
    (equal-weighted cosines: U. Müller, "HAC corrections for strongly autocorrelated time series", J. Business and
    Economic Statistics 32(3), 2014; Lazarus and others, there): with B = n / block,

        c_j = sqrt(2 / n) sum x_t cos(pi j (t - 1/2) / n),  j = 1 ... B    long-run variance = (c_1^2 + ... + c_B^2) / B

    Each c_j is about normal and independent of the mean and of the others, so the mean over its error is Student's
    with B degrees of freedom. With few blocks the interval is therefore as wide as it must be.

    Several recordings have each their own cosines; the variances of their sums add up, with the degrees of freedom of
    F. Satterthwaite (Biometrics Bulletin 2(6), 1946), rounded down. One that is shorter than a block has one cosine.

    The smallest difference shown with the given power is (q + z) times the standard error, with q Student's quantile
    for the confidence 1 - (1 - confidence) / tests, and z the normal quantile of the power.

    Parameters
    ----------
    lengths
        How many of the differences come from each recording, in order; without it they are all from one.
    tests
        How many such means are looked at together.

    Raises
    ------
    ValueError
        For fewer than two differences of a recording, or a difference that is no number.
    """
    count = len(differences)
    if block < 1 or count < 2 or not all(isfinite(one) for one in differences):
        raise ValueError(f"blocks of one and two finite differences are needed at least, got {count}")
    lengths = lengths or (count,)
    if sum(lengths) != count or min(lengths) < 2:
        raise ValueError(f"two differences of each recording are needed at least, got {list(lengths)}")
    parts = [_spread(part, block) for part in _parts(differences, lengths)]
    variance = fsum(one for one, _ in parts)
    blocks = sum(cosines for _, cosines in parts)
    unsure = fsum(one * one / cosines for one, cosines in parts)
    # A little is added: a quotient of equal parts may end just below the whole number that it is.
    degrees = max(floor(variance * variance / unsure * (1 + 1e-9)), 1) if unsure > 0 else blocks
    mean, error = fsum(differences) / count, sqrt(variance) / count
    half = student_quantile(confidence, degrees) * error
    reach = student_quantile(1 - (1 - confidence) / tests, degrees) + NormalDist().inv_cdf(power)
    return Blocked(
        count=count,
        block=block,
        blocks=blocks,
        degrees=degrees,
        mean=mean,
        standard_error=error,
        low=mean - half,
        high=mean + half,
        p=_p(mean, error, degrees),
        smallest=reach * error if blocks >= BLOCKS_MIN else None,
        confidence=confidence,
        power=power,
    )


def _p(mean: float, error: float, degrees: int) -> float:
    if not error:
        return 0.0 if mean else 1.0
    return student_p(mean / error, degrees)


def _parts(differences: Sequence[float], lengths: Sequence[int]) -> Iterator[Sequence[float]]:
    """Give the differences of each recording."""
    begin = 0
    for length in lengths:
        yield differences[begin : begin + length]
        begin += length


def _spread(values: Sequence[float], block: int) -> tuple[float, int]:
    """Variance of the sum of a recording's differences, and of how many cosines it is made."""
    count = len(values)
    cosines = min(max(count // block, 1), count - 1)
    centre = fsum(values) / count
    waves = [
        fsum((one - centre) * cos(pi * j * (t + 0.5) / count) for t, one in enumerate(values))
        for j in range(1, cosines + 1)
    ]
    return 2 * fsum(wave * wave for wave in waves) / cosines, cosines


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values of several tests, so that one false finding among all of them is as rare as one was of each.

    The k-th smallest of n is multiplied by n - k + 1, and none is smaller than one before it (S. Holm, Scandinavian
    Journal of Statistics 6(2), 1979).
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for done, which in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - done) * p_values[which]))
        adjusted[which] = highest
    return adjusted
