"""What differences that follow each other in time are worth: neighbours are not independent, so they count in blocks.

Orders every five minutes live through the same hour, and what one of them met the next one met too. Taken one by one
they would promise more than they know. What was recorded elsewhere or later is no neighbour: no block goes on from the
end of one recording in the next. Pure arithmetic on floats; what is drawn comes from a seed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import cbrt, ceil, fsum, isfinite, sqrt
from random import Random
from statistics import NormalDist
from typing import Final

from backtest.statistics import sign_flip_p, student_quantile

RESAMPLES: Final = 10_000
FEW_BLOCKS: Final = 10
"""Below so many blocks the resampled interval is known to be too narrow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Differences in order of time, summed up; in the unit of the differences.

    Parameters
    ----------
    count, block, blocks
        Differences, the length of one block (shorter in recordings that do not have two such), and how many of those
        there are in all recordings together.
    standard_error
        Of the mean, by resampling blocks.
    low, high
        Bounds of the confidence interval of the mean.
    p
        Probability of a mean so far from zero if each block could have had either sign.
    smallest
        True mean that would be shown with the probability `power`.
    """

    count: int
    block: int
    blocks: int
    mean: float
    standard_error: float
    low: float
    high: float
    p: float
    smallest: float
    confidence: float
    power: float

    @property
    def has_few_blocks(self) -> bool:
        """Whether there are too few to trust the width of the interval."""
        return self.blocks < FEW_BLOCKS


def usual_block(count: int, overlap: int) -> int:
    """Choose the length of a block: the cube root of the count at least (Hall, Horowitz, Jing, Biometrika 82, 1995).

    Parameters
    ----------
    overlap
        How many neighbours live at the same time; a block is no shorter.
    """
    return min(max(round(cbrt(count)), overlap, 1), max(count // 2, 1))


def blocked(
    differences: Sequence[float],
    block: int,
    *,
    lengths: Sequence[int] = (),
    confidence: float = 0.95,
    power: float = 0.8,
    seed: int = 0,
) -> Blocked:
    """Sum differences up by the circular block bootstrap.

    Blocks of `block` neighbours are drawn with replacement, the last one followed by the first, until there are as many
    values as there were; the means of such samples are spread as the true mean's estimate is (D. Politis and J. Romano,
    "A circular block-resampling procedure for stationary data", in: Exploring the Limits of Bootstrap, 1992). The
    interval is that of the percentiles; the standard error is that of the resampled means times
    sqrt(m / (m - 1)) with m blocks, since it is taken from the sample itself. The p-value flips the signs of whole
    blocks (`statistics.sign_flip_p`). The smallest difference shown with the given power is (q + z) times the standard
    error, with q Student's quantile of m - 1 degrees of freedom and z the normal quantile of the power.

    Several recordings are resampled each by itself, so that each keeps its share (stratified bootstrap: A. Davison and
    D. Hinkley, Bootstrap Methods and their Application, 1997, section 3.2). The variances of their sums add up, each
    with its own factor m / (m - 1), and each recording takes one degree of freedom. One that is shorter than two blocks
    has shorter ones, of half its length.

    Parameters
    ----------
    lengths
        How many of the differences come from each recording, in order; without it they are all from one.

    Raises
    ------
    ValueError
        For fewer than two blocks in all, a single difference of a recording, or a difference that is no number.
    """
    count = len(differences)
    if block < 1 or count < 2 * block or not all(isfinite(one) for one in differences):
        raise ValueError(f"two blocks of {block} finite differences are needed at least, got {count}")
    lengths = lengths or (count,)
    if sum(lengths) != count or min(lengths) < 2:
        raise ValueError(f"two differences of each recording are needed at least, got {list(lengths)}")
    error, low, high = resampled(differences, block, confidence, seed, lengths=lengths)
    in_order = [
        fsum(part[at : at + size])
        for part, size in _parts(differences, block, lengths)
        for at in range(0, len(part), size)
    ]
    blocks = len(in_order)
    reach = student_quantile(confidence, blocks - len(lengths)) + NormalDist().inv_cdf(power)
    return Blocked(
        count=count,
        block=block,
        blocks=blocks,
        mean=fsum(differences) / count,
        standard_error=error,
        low=low,
        high=high,
        p=sign_flip_p(in_order, seed),
        smallest=reach * error,
        confidence=confidence,
        power=power,
    )


def resampled(
    differences: Sequence[float],
    block: int,
    confidence: float,
    seed: int,
    times: int = RESAMPLES,
    lengths: Sequence[int] = (),
) -> tuple[float, float, float]:
    """Draw samples of blocks: standard error of the mean, and the bounds of its interval (see `blocked`)."""
    rings = [_Ring(part, size) for part, size in _parts(differences, block, lengths or (len(differences),))]
    chance = Random(f"{seed}:blocks")  # noqa: S311 - resampling is no cryptography
    sums = [[ring.drawn(chance) for ring in rings] for _ in range(times)]
    means = sorted(fsum(one) / len(differences) for one in sums)
    variance = fsum(
        ring.widened(_variance([one[number] for one in sums])) for number, ring in enumerate(rings)
    )
    outside = round((1 - confidence) / 2 * times)
    return sqrt(variance) / len(differences), means[outside], means[times - 1 - outside]


def _parts(
    differences: Sequence[float], block: int, lengths: Sequence[int]
) -> Iterator[tuple[Sequence[float], int]]:
    """Give the differences of each recording, and the length of a block there."""
    begin = 0
    for length in lengths:
        yield differences[begin : begin + length], min(block, length // 2)
        begin += length


class _Ring:
    """Differences of one recording, the last one followed by the first."""

    def __init__(self, values: Sequence[float], block: int) -> None:
        self._count, self._block = len(values), block
        self._blocks = ceil(len(values) / block)
        self._rest = len(values) - (self._blocks - 1) * block
        self._sums = [0.0, *accumulate([*values, *values[:block]])]

    def drawn(self, chance: Random) -> float:
        """Sum of as many values as there are, drawn in blocks; of the first one only what is still missing."""
        sums, block = self._sums, self._block
        first, *others = chance.choices(range(self._count), k=self._blocks)
        return fsum(sums[at + block] - sums[at] for at in others) + sums[first + self._rest] - sums[first]

    def widened(self, variance: float) -> float:
        """Allow for a variance that was taken from the sample itself."""
        return variance * self._blocks / (self._blocks - 1)


def _variance(values: Sequence[float]) -> float:
    centre = fsum(values) / len(values)
    return fsum((one - centre) ** 2 for one in values) / (len(values) - 1)


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
