"""Means over orders that have something in common, with intervals that allow for orders that lived at the same time."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
import numpy.typing as npt

from backtest.blocks import BLOCKS_MIN, usual_block
from backtest.statistics import student_quantile
from backtest.tca.measures import KEYS, NAMES, Columns, Floats, columns, mark_name, rank
from backtest.tca.sources import Costs, FillSums, OrderCost
from executor.domain.units import BPS_PER_UNIT
from impact.tca.mark_outs import MARK_OUTS_S

CONFIDENCE: Final = 0.95
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
FAR: Final = 3.5
"""Robust distance from the median beyond which an order is named as an outlier."""
OUTLIERS_MAX: Final = 10
_TYPICAL: Final = 0.95
_BPS: Final = float(BPS_PER_UNIT)
_NORMAL_QUARTILE: Final = 0.6745


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean over orders; the error and its interval are None where too few independent blocks of orders are there."""

    mean: float
    standard_error: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measure over the orders of a group that have it.

    Parameters
    ----------
    equal, weighted
        Each order counts the same, or with its value.
    blocks
        How many independent observations the orders are worth.
    quantiles
        At `QUANTILES`.
    """

    orders: int
    blocks: int
    equal: Mean
    weighted: Mean | None
    quantiles: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Orders that have something in common.

    Parameters
    ----------
    key
        What they have in common, by the name of each key.
    value
        Their value at arrival, quote units.
    figures
        By the name of the measure; those that no order has are missing.
    """

    key: dict[str, str]
    orders: int
    value: float
    figures: dict[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """An order that cost unlike the others.

    Parameters
    ----------
    distance
        From the median of those with its algorithm, in robust standard deviations.
    """

    order: OrderCost
    cost_bps: float
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FillGroup:
    """Mark-outs over the fills that waited, or over those that took, weighted with their value."""

    waited: bool
    fills: int
    notional: float
    mark_outs: dict[str, Mean | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Everything that is told of some orders.

    Parameters
    ----------
    groups
        For each way of putting them together, in the order asked for.
    """

    whole: Group
    groups: dict[str, list[Group]]
    fills: list[FillGroup]
    outliers: list[Outlier]


def keys_of(text: str) -> list[tuple[str, ...]]:
    """Read what orders are to be put together by: `algorithm,side` one after the other, `algorithm+side` crossed.

    Raises
    ------
    ValueError
        For a name that is no key; the message is that name.
    """
    found = [tuple(name.strip() for name in part.split("+")) for part in text.split(",")]
    for name in (name for names in found for name in names):
        if name not in KEYS:
            raise ValueError(name)
    return found


def analyse(costs: Costs, by: Sequence[tuple[str, ...]]) -> Analysis:
    """Sum orders up: all of them, and group by group.

    Raises
    ------
    ValueError
        If there is none.
    """
    orders = costs.orders
    if not orders:
        raise ValueError("there is no order to sum up")
    laid = columns(orders)
    every = np.arange(len(orders))
    return Analysis(
        whole=_group({}, laid, every),
        groups={"+".join(names): _groups(orders, laid, names) for names in by},
        fills=_fill_groups(costs),
        outliers=_outliers(orders, laid),
    )


def means_of(values: Floats, overlap: int) -> tuple[list[Mean], int]:
    """Means of columns of values in order of time, with the errors of `backtest.blocks.blocked`, all cosines at once.

    Parameters
    ----------
    values
        One row for each order, one column for each figure; all are known.
    overlap
        How many neighbours live at the same time.

    Returns
    -------
    list of Mean, int
        And the number of blocks that the rows are worth.
    """
    count = len(values)
    means = values.mean(axis=0)
    blocks = min(max(count // usual_block(count, overlap), 1), count - 1)
    if blocks < BLOCKS_MIN:
        return [_alone(float(mean)) for mean in means], max(blocks, 1)
    steps = (np.arange(count) + 0.5) / count
    waves = np.cos(np.pi * np.outer(np.arange(1, blocks + 1), steps)) @ (values - means)
    errors = np.sqrt(2.0 * (waves * waves).sum(axis=0) / blocks) / count
    reach = student_quantile(CONFIDENCE, blocks)
    return [
        _between(float(mean), float(error), reach) for mean, error in zip(means, errors, strict=True)
    ], blocks


def _alone(mean: float) -> Mean:
    return Mean(mean=mean, standard_error=None, low=None, high=None)


def _between(mean: float, error: float, reach: float) -> Mean:
    return Mean(mean=mean, standard_error=error, low=mean - reach * error, high=mean + reach * error)


def _groups(orders: Sequence[OrderCost], laid: Columns, names: tuple[str, ...]) -> list[Group]:
    members: dict[tuple[str, ...], list[int]] = {}
    for number, one in enumerate(orders):
        members.setdefault(tuple(KEYS[name](one) for name in names), []).append(number)
    ordered = sorted(
        members, key=lambda found: [rank(name, each) for name, each in zip(names, found, strict=True)]
    )
    return [_group(dict(zip(names, found, strict=True)), laid, np.array(members[found])) for found in ordered]


def _group(key: dict[str, str], laid: Columns, members: npt.NDArray[np.int64]) -> Group:
    """Sum a group up; figures that the same orders have go through the arithmetic together."""
    known = np.isfinite(laid.values[members])
    alike: dict[bytes, list[int]] = {}
    for index in range(len(NAMES)):
        if known[:, index].any():
            alike.setdefault(known[:, index].tobytes(), []).append(index)
    figures: dict[str, Figure] = {}
    for indices in alike.values():
        rows = members[known[:, indices[0]]]
        found = _figures(
            laid.values[rows][:, indices],
            laid.weights[rows][:, indices],
            overlap_of(laid.start_s[rows], laid.end_s[rows]),
        )
        figures |= dict(zip((NAMES[index] for index in indices), found, strict=True))
    value = float(laid.weights[members, NAMES.index("cost")].sum())
    return Group(key=key, orders=len(members), value=value, figures=figures)


def _figures(values: Floats, weights: Floats, overlap: int) -> list[Figure]:
    """Figures of columns: means of either kind, and quantiles.

    The error of a weighted mean m is that of the mean of w (x - m) / mean w: a ratio of sums made linear (W. Cochran,
    Sampling Techniques, 3rd ed. 1977, section 6).
    """
    whole = weights.sum(axis=0)
    base = np.where(whole > 0.0, whole, 1.0)
    weighted = (values * weights).sum(axis=0) / base
    parts = weights * (values - weighted) * (len(values) / base)
    found, blocks = means_of(np.hstack([values, parts]), overlap)
    quantiles = np.quantile(values, QUANTILES, axis=0)
    count = values.shape[1]
    return [
        Figure(
            orders=len(values),
            blocks=blocks,
            equal=found[index],
            weighted=_moved(found[count + index], float(weighted[index])) if whole[index] > 0.0 else None,
            quantiles=tuple(float(each) for each in quantiles[:, index]),
        )
        for index in range(count)
    ]


def _moved(spread: Mean, mean: float) -> Mean:
    """A mean with the error that its deviations have."""
    if spread.standard_error is None or spread.low is None or spread.high is None:
        return _alone(mean)
    half = (spread.high - spread.low) / 2
    return Mean(mean=mean, standard_error=spread.standard_error, low=mean - half, high=mean + half)


def overlap_of(start_s: Floats, end_s: Floats) -> int:
    """How many orders began while one was at work, itself included: as many as all but one in twenty have at most."""
    after = np.searchsorted(start_s, end_s, side="left") - np.arange(len(start_s))
    return max(ceil(float(np.quantile(after, _TYPICAL, method="inverted_cdf"))), 1)


def _outliers(orders: Sequence[OrderCost], laid: Columns) -> list[Outlier]:
    """Name the orders whose cost is far from the median of those worked alike: 0.6745 |x - median| / MAD > 3.5.

    MAD is the median of the distances from the median. Source: B. Iglewicz and D. Hoaglin, How to Detect and Handle
    Outliers, 1993.
    """
    costs = laid.values[:, NAMES.index("cost")]
    far = np.zeros(len(orders))
    algorithms = np.array([one.algorithm for one in orders])
    for algorithm in dict.fromkeys(one.algorithm for one in orders):
        alike = algorithms == algorithm
        away = costs[alike] - np.median(costs[alike])
        spread = float(np.median(np.abs(away)))
        if spread > 0.0:
            far[alike] = _NORMAL_QUARTILE * away / spread
    chosen = sorted(np.flatnonzero(np.abs(far) > FAR).tolist(), key=lambda at: (-abs(far[at]), at))[
        :OUTLIERS_MAX
    ]
    return [Outlier(order=orders[at], cost_bps=float(costs[at]), distance=float(far[at])) for at in chosen]


def _fill_groups(costs: Costs) -> list[FillGroup]:
    """Mark-outs of fills by whether they waited; the orders they belong to are the observations, in order of time."""
    place = {(one.source, one.name): number for number, one in enumerate(costs.orders)}
    found = []
    for waited in (True, False):
        sums = [each for each in costs.fills if each.waited is waited and (each.source, each.name) in place]
        sums.sort(key=lambda each: place[each.source, each.name])
        if sums:
            found.append(
                _fill_group(costs, sums, [place[each.source, each.name] for each in sums], waited=waited)
            )
    return found


def _fill_group(costs: Costs, sums: Sequence[FillSums], places: Sequence[int], *, waited: bool) -> FillGroup:
    start_s = np.array([costs.orders[at].start_ns / 1e9 for at in places])
    end_s = np.array([costs.orders[at].end_ns / 1e9 for at in places])
    marks: dict[str, Mean | None] = {}
    for index, horizon_s in enumerate(MARK_OUTS_S):
        weights = np.array([each.known_notional[index] for each in sums])
        known = weights > 0.0
        if not known.any():
            marks[mark_name(horizon_s)] = None
            continue
        gains = np.array([each.gain[index] for each in sums])[known]
        (figure,) = _figures(
            (gains / weights[known] * _BPS)[:, None],
            weights[known][:, None],
            overlap_of(start_s[known], end_s[known]),
        )
        marks[mark_name(horizon_s)] = figure.weighted
    return FillGroup(
        waited=waited,
        fills=sum(each.fills for each in sums),
        notional=sum(each.notional for each in sums),
        mark_outs=marks,
    )
