"""Predicted against realised cost: whether the intervals hold what they promise, and whether the means are right.

Forecasts are split by time: what widens the intervals is learned from the earlier ones, and only the later ones,
which nothing was fitted to, count as a score. The noise of a single order is many times its predicted cost, so
every figure comes with what it could be by chance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, fsum, isfinite, sqrt
from statistics import NormalDist
from typing import Final, TypeVar

from impact.estimation.least_squares import LinearFit, fit_linear

SHARE_USUAL: Final = 0.9
FIT_SHARE_USUAL: Final = 0.5
BIN_FORECASTS_MIN: Final = 5
_CONFIDENCE: Final = 0.95
_SAME: Final = 1e-9
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One finished order with what was foretold.

    Parameters
    ----------
    at_ns
        When the order began, UTC: by it earlier and later ones are told apart.
    predicted_bps
        Expected cost, basis points of the value at arrival.
    low_bps, high_bps
        Interval that was foretold, on either side of it.
    realised_bps
        What it cost.
    """

    name: str
    at_ns: int
    predicted_bps: float
    low_bps: float
    high_bps: float
    realised_bps: float

    def __post_init__(self) -> None:
        """Refuse what cannot be held against anything."""
        if not all(map(isfinite, (self.predicted_bps, self.low_bps, self.high_bps, self.realised_bps))):
            raise ValueError(f"{self.name}: a forecast is made of finite numbers")
        if not self.low_bps < self.predicted_bps < self.high_bps:
            raise ValueError(f"{self.name}: a forecast lies within its interval")

    @property
    def reach(self) -> float:
        """How far the outcome was from the prediction, 1 being the end of the interval on its side; >= 0."""
        off = self.realised_bps - self.predicted_bps
        half = self.high_bps - self.predicted_bps if off > 0.0 else self.low_bps - self.predicted_bps
        return off / half


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How many outcomes were inside their intervals.

    Parameters
    ----------
    promised
        Share that should be, 0-1.
    low, high
        What the true share can be, with 95 % confidence.
    """

    inside: int
    count: int
    promised: float
    low: float
    high: float

    @property
    def share(self) -> float:
        """Share that was inside."""
        return self.inside / self.count

    @property
    def holds(self) -> bool:
        """Whether the promised share is within what the true one can be."""
        return self.low <= self.promised <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """Orders with about the same forecast; basis points.

    Parameters
    ----------
    predicted_bps, realised_bps
        Means.
    error_bps
        Standard error of the realised mean.
    """

    predicted_bps: float
    realised_bps: float
    error_bps: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How good forecasts were on orders that nothing was fitted to.

    Parameters
    ----------
    fitted
        Number of earlier orders, from which the widening was learned.
    split_ns
        When the first of the scored orders began, UTC.
    widening
        Factor on both sides of the intervals, with which the promised share of the earlier orders was inside.
    plain, widened
        Coverage with intervals as foretold, and with the widened ones.
    bias_bps, bias_error_bps
        Mean of realised less predicted, and its standard error.
    line
        Realised against predicted: constant and slope, 0 and 1 if all is well; None where predictions do not differ.
    """

    fitted: int
    split_ns: int
    widening: float
    plain: Coverage
    widened: Coverage
    bias_bps: float
    bias_error_bps: float
    line: LinearFit | None
    bins: tuple[CalibrationBin, ...]


def coverage(forecasts: Sequence[Forecast], promised: float, wider: float = 1.0) -> Coverage:
    """Count outcomes inside their intervals.

    The bounds of the true share are those of E. Wilson (J. American Statistical Association 22, 1927), which hold
    for few orders as well.

    Parameters
    ----------
    promised
        Share that should be inside, 0-1.
    wider
        Factor on both sides of the intervals, > 0.

    Raises
    ------
    ValueError
        If there is no forecast.
    """
    count = len(forecasts)
    if not count:
        raise ValueError("no order to score")
    inside = sum(one.reach <= wider for one in forecasts)
    z = NormalDist().inv_cdf((1.0 + _CONFIDENCE) / 2.0)
    share = inside / count
    middle = (share + z * z / (2 * count)) / (1.0 + z * z / count)
    half = z * sqrt(share * (1.0 - share) / count + z * z / (4 * count * count)) / (1.0 + z * z / count)
    return Coverage(
        inside=inside,
        count=count,
        promised=promised,
        low=max(middle - half, 0.0),
        high=min(middle + half, 1.0),
    )


def widening(forecasts: Sequence[Forecast], promised: float = SHARE_USUAL) -> float:
    """Factor on the intervals that held the promised share of these orders.

    The ceil((n + 1) share)-th smallest reach: intervals so much wider hold a further order of the same kind with at
    least that probability, whatever the distribution (V. Vovk, A. Gammerman and G. Shafer, Algorithmic Learning in
    a Random World, 2005).

    Raises
    ------
    ValueError
        If there are too few orders for that share, or the share is none.
    """
    if not 0.0 < promised < 1.0:
        raise ValueError(f"a share between 0 and 1 is promised, not {promised}")
    place = ceil((len(forecasts) + 1) * promised)
    if place > len(forecasts):
        raise ValueError(f"{len(forecasts)} orders are too few to promise a share of {promised:g}")
    return sorted(one.reach for one in forecasts)[place - 1]


def calibration_bins(forecasts: Sequence[Forecast], bins: int = 8) -> list[CalibrationBin]:
    """Means of predicted and realised cost, in groups of equal number by what was predicted.

    Raises
    ------
    ValueError
        For fewer than five orders.
    """
    ordered = sorted(forecasts, key=lambda one: one.predicted_bps)
    used = min(bins, len(ordered) // BIN_FORECASTS_MIN)
    if used < 1:
        raise ValueError(f"{len(ordered)} orders are too few for a calibration")
    width = len(ordered) / used
    told = []
    for number in range(used):
        group = ordered[round(number * width) : round((number + 1) * width)]
        mean, error = _mean([one.realised_bps for one in group])
        told.append(
            CalibrationBin(
                predicted_bps=fsum(one.predicted_bps for one in group) / len(group),
                realised_bps=mean,
                error_bps=error,
                count=len(group),
            )
        )
    return told


def split_by_time(
    items: Sequence[Item], at_ns: Callable[[Item], int], fit_share: float = FIT_SHARE_USUAL
) -> tuple[list[Item], list[Item]]:
    """Part what came earlier, to which things are fitted, from what came later, which is scored.

    What began at the same instant is not parted: it saw the same market.

    Parameters
    ----------
    fit_share
        Share of them that is earlier, 0-1.

    Raises
    ------
    ValueError
        If the share is none.
    """
    if not 0.0 < fit_share < 1.0:
        raise ValueError(f"a share of the orders is fitted to, not {fit_share}")
    ordered = sorted(items, key=at_ns)
    cut = int(len(ordered) * fit_share)
    while 0 < cut < len(ordered) and at_ns(ordered[cut]) == at_ns(ordered[cut - 1]):
        cut += 1
    return ordered[:cut], ordered[cut:]


def score(earlier: Sequence[Forecast], later: Sequence[Forecast], promised: float = SHARE_USUAL) -> Score:
    """Learn the widening from the earlier orders, and score the later ones.

    Parameters
    ----------
    earlier, later
        As `split_by_time` gives them.
    promised
        Share of outcomes that an interval is to hold, 0-1.

    Raises
    ------
    ValueError
        If there are too few orders on either side, or one of the earlier ones began after the first of the later.
    """
    if len(later) < BIN_FORECASTS_MIN:
        raise ValueError(f"{len(later)} orders to score are too few: {BIN_FORECASTS_MIN} are needed")
    split_ns = min(one.at_ns for one in later)
    if any(one.at_ns >= split_ns for one in earlier):
        raise ValueError("what is scored comes after all that was fitted to")
    wider = widening(earlier, promised)
    bias_bps, bias_error_bps = _mean([one.realised_bps - one.predicted_bps for one in later])
    predicted = [one.predicted_bps for one in later]
    varies = max(predicted) - min(predicted) > _SAME * max(map(abs, predicted))
    realised = [one.realised_bps for one in later]
    return Score(
        fitted=len(earlier),
        split_ns=split_ns,
        widening=wider,
        plain=coverage(later, promised),
        widened=coverage(later, promised, wider),
        bias_bps=bias_bps,
        bias_error_bps=bias_error_bps,
        line=fit_linear([[1.0] * len(later), predicted], realised) if varies else None,
        bins=tuple(calibration_bins(later)),
    )


def _mean(values: Sequence[float]) -> tuple[float, float]:
    count = len(values)
    mean = fsum(values) / count
    return mean, sqrt(fsum((one - mean) ** 2 for one in values) / (count - 1) / count)
