"""The figures of an order that are summed up over many, and by what orders are put together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
import numpy.typing as npt

from backtest.tca.sources import OrderCost
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_HOUR, NS_PER_S
from impact.tca.mark_outs import MARK_OUTS_S

Floats = npt.NDArray[np.float64]
PARTS: Final = ("delay", "spread", "temporary", "permanent", "timing", "opportunity", "fees")
BENCHMARKS: Final = ("arrival", "vwap", "twap", "close", "midpoint")
PREDICTED: Final = ("predicted", "above_predicted", "inside_share")
"""What was foretold, how far above it what was paid is, and the share of orders inside their interval."""
_HOURS: Final = 24
_DECADES: Final = ((1e3, "below 1k"), (1e4, "1k to 10k"), (1e5, "10k to 100k"), (1e6, "100k to 1M"))
_LARGEST: Final = "1M and more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure of an order.

    Parameters
    ----------
    of
        None is unknown.
    weight
        What it counts for in a weighted mean: quote units.
    """

    name: str
    of: Callable[[OrderCost], float | None]
    weight: Callable[[OrderCost], float]


def paper_value(order: OrderCost) -> float:
    """Value of the whole order at its arrival, quote units."""
    report = order.report
    if report.category == Category.INVERSE.value:
        return report.order_qty
    return report.order_qty * (report.arrival_px or 0.0)


def _traded(order: OrderCost) -> float:
    return order.report.cum_notional


def _of_part(name: str) -> Callable[[OrderCost], float | None]:
    def value(order: OrderCost) -> float | None:
        split = order.report.split_bps
        return None if split is None else float(getattr(split, name))

    return value


def _beside_slippage(order: OrderCost, predicted_bps: float | None) -> float | None:
    """What was foretold, where there is something to hold it against: fills, and their cost without fees."""
    return None if order.report.arrival_slippage_bps is None else predicted_bps


def _above_predicted(order: OrderCost) -> float | None:
    paid, told = order.report.arrival_slippage_bps, order.report.predicted_bps
    return None if paid is None or told is None else paid - told


def _inside(order: OrderCost) -> float | None:
    """1 where what was paid is inside the interval that was foretold, else 0."""
    report = order.report
    paid, low, high = report.arrival_slippage_bps, report.predicted_low_bps, report.predicted_high_bps
    return None if paid is None or low is None or high is None else float(low <= paid <= high)


def _of_mark(index: int) -> Measure:
    horizon_s = MARK_OUTS_S[index]

    def mark(order: OrderCost) -> float | None:
        found = order.report.mark_outs
        return found[index].gain_bps if len(found) == len(MARK_OUTS_S) else None

    def value(order: OrderCost) -> float:
        found = order.report.mark_outs
        return found[index].notional if len(found) == len(MARK_OUTS_S) else 0.0

    return Measure(name=mark_name(horizon_s), of=mark, weight=value)


def mark_name(horizon_s: int) -> str:
    """Name of the measure of a mark-out."""
    return f"mark_out_{horizon_s}s"


MEASURES: Final = (
    Measure(name="cost", of=lambda one: one.report.arrival_shortfall_bps, weight=paper_value),
    Measure(name="shortfall", of=lambda one: one.report.implementation_shortfall_bps, weight=paper_value),
    *(Measure(name=part, of=_of_part(part), weight=paper_value) for part in (*PARTS, "total")),
    Measure(name="arrival", of=lambda one: one.report.arrival_slippage_bps, weight=_traded),
    Measure(name="vwap", of=lambda one: one.report.vwap_slippage_bps, weight=_traded),
    Measure(name="twap", of=lambda one: one.report.twap_slippage_bps, weight=_traded),
    Measure(name="close", of=lambda one: one.report.close_slippage_bps, weight=_traded),
    Measure(name="midpoint", of=lambda one: one.report.midpoint_slippage_bps, weight=_traded),
    Measure(name="spread_captured", of=lambda one: one.report.spread_captured_bps, weight=_traded),
    Measure(name="fees_traded", of=lambda one: one.report.fees_bps, weight=_traded),
    *(_of_mark(index) for index in range(len(MARK_OUTS_S))),
    Measure(name="reversion", of=lambda one: one.report.reversion_bps, weight=_traded),
    Measure(name="advice_value", of=lambda one: one.report.advice_value_bps, weight=paper_value),
    Measure(name="predicted", of=lambda one: _beside_slippage(one, one.report.predicted_bps), weight=_traded),
    Measure(name="above_predicted", of=_above_predicted, weight=_traded),
    Measure(name="inside_share", of=_inside, weight=_traded),
    Measure(name="fill_rate", of=lambda one: one.report.fill_rate, weight=paper_value),
    Measure(name="maker_share", of=lambda one: one.report.maker_share, weight=_traded),
    Measure(name="participation_pct", of=lambda one: one.report.participation_pct, weight=_traded),
    Measure(name="duration_s", of=lambda one: one.report.duration_s, weight=paper_value),
)
"""Costs are basis points, positive is a cost; of mark-outs, spread captured and advice it is a gain."""
NAMES: Final = tuple(one.name for one in MEASURES)

KEYS: Final[dict[str, Callable[[OrderCost], str]]] = {
    "algorithm": lambda one: one.algorithm,
    "symbol": lambda one: f"{one.report.category} {one.report.symbol}",
    "side": lambda one: one.report.side,
    "size": lambda one: next((name for most, name in _DECADES if paper_value(one) < most), _LARGEST),
    "hour": lambda one: f"{one.start_ns // NS_PER_HOUR % _HOURS:02d}",
    "venue": lambda one: one.report.venue,
    "status": lambda one: one.report.status,
}
"""What orders can be put together by; size is the value at arrival in quote units, hour that of the start, UTC."""
_RANKS: Final = {"size": [name for _, name in _DECADES] + [_LARGEST]}


def rank(key: str, value: str) -> tuple[int, str]:
    """Place of a value among those of its key."""
    ranks = _RANKS.get(key)
    return (0 if ranks is None else ranks.index(value), value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Orders as columns, in order of their starts; unknown is NaN.

    Parameters
    ----------
    values, weights
        One row for each order, one column for each measure.
    start_s, end_s
        Lives, seconds since 1970.
    """

    values: Floats
    weights: Floats
    start_s: Floats
    end_s: Floats


def columns(orders: Sequence[OrderCost]) -> Columns:
    """Lay orders out for arithmetic."""
    values = [[nan if (found := each.of(one)) is None else found for each in MEASURES] for one in orders]
    weights = [[each.weight(one) for each in MEASURES] for one in orders]
    shape = (len(orders), len(MEASURES))
    return Columns(
        values=np.array(values, dtype=np.float64).reshape(shape),
        weights=np.array(weights, dtype=np.float64).reshape(shape),
        start_s=np.array([one.start_ns / NS_PER_S for one in orders]),
        end_s=np.array([one.end_ns / NS_PER_S for one in orders]),
    )
