"""What differences that follow each other in time are worth: neighbours are not independent, so they count in blocks.

Orders every five minutes live through the same hour, and what one of them met the next one met too. Taken one by one
they would promise more than they know. Pure arithmetic on floats; what is drawn comes from a seed.
"""

from collections.abc import Sequence
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
        Differences, the length of one block, and how many of those there are.
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
    differences: Sequence[float], block: int, *, confidence: float = 0.95, power: float = 0.8, seed: int = 0
) -> Blocked:
    """Sum differences up by the circular block bootstrap.

    Blocks of `block` neighbours are drawn with replacement, the last one followed by the first, until there are as many
    values as there were; the means of such samples are spread as the true mean's estimate is (D. Politis and J. Romano,
    "A circular block-resampling procedure for stationary data", in: Exploring the Limits of Bootstrap, 1992). The
    interval is that of the percentiles; the standard error is that of the resampled means times
    sqrt(m / (m - 1)) with m blocks, since it is taken from the sample itself. The p-value flips the signs of whole
    blocks (`statistics.sign_flip_p`). The smallest difference shown with the given power is (q + z) times the standard
    error, with q Student's quantile of m - 1 degrees of freedom and z the normal quantile of the power.

    Raises
    ------
    ValueError
        For fewer than two blocks, or a difference that is no number.
    """
    count = len(differences)
    if block < 1 or count < 2 * block or not all(isfinite(one) for one in differences):
        raise ValueError(f"two blocks of {block} finite differences are needed at least, got {count}")
    blocks = ceil(count / block)
    error, low, high = resampled(differences, block, confidence, seed)
    in_order = [fsum(differences[at : at + block]) for at in range(0, count, block)]
    reach = student_quantile(confidence, blocks - 1) + NormalDist().inv_cdf(power)
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
    differences: Sequence[float], block: int, confidence: float, seed: int, times: int = RESAMPLES
) -> tuple[float, float, float]:
    """Draw samples of blocks: standard error of the mean, and the bounds of its interval (see `blocked`)."""
    count = len(differences)
    blocks = ceil(count / block)
    sums = [0.0, *accumulate([*differences, *differences[:block]])]
    rest = count - (blocks - 1) * block
    chance = Random(f"{seed}:blocks")  # noqa: S311 - resampling is no cryptography
    means = []
    for _ in range(times):
        first, *others = chance.choices(range(count), k=blocks)
        total = fsum(sums[at + block] - sums[at] for at in others)
        means.append((total + sums[first + rest] - sums[first]) / count)
    means.sort()
    centre = fsum(means) / times
    spread = sqrt(fsum((one - centre) ** 2 for one in means) / (times - 1))
    outside = round((1 - confidence) / 2 * times)
    return spread * sqrt(blocks / (blocks - 1)), means[outside], means[times - 1 - outside]


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
