"""Facts that real markets share, as figures with bounds: a market passes a gate where its figures lie inside.

A figure that cannot be measured is missing, and a gate with a missing figure is not passed. Definitions and bounds
follow the catalogue of R. Cont (Quantitative Finance 1, 2001) with bounds set from recorded markets, all of which pass
gates 2 to 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf, nextafter
from statistics import median
from typing import Final

import numpy as np

from impact.order_flow.price_response import price_response
from simulation.phenomena.metaorder_impact import MetaorderImpact
from simulation.phenomena.series import (
    added_up,
    autocorrelations,
    excess_kurtosis,
    fading_exponent,
    fano,
    hill,
)
from simulation.phenomena.trace import Bars, Floats, Trace, cut, summed

EVENTS_WINDOW_NS: Final = 10_000_000_000
_MEMORY_LAGS: Final = (1, 100)
_SIGN_LAGS: Final = (20, 1000)
_TAILS: Final = (0.05, 0.01)
_ABOVE_ZERO: Final = nextafter(0.0, 1.0)


class Figure(StrEnum):
    """Every figure that a gate asks for; the value is how people read it."""

    ACF_1 = "ACF r(1)"
    ACF_MAX = "max |ACF r(2..20)|"
    KURTOSIS = "excess kurtosis"
    KURTOSIS_FALL_10 = "kurtosis less that at x10"
    KURTOSIS_FALL_60 = "kurtosis at x10 less that at x60"
    HILL_5 = "Hill 5 %"
    HILL_1 = "Hill 1 %"
    ABS_ACF_1 = "ACF |r|(1)"
    ABS_ACF_20 = "ACF |r|(20)"
    MEMORY = "exponent of ACF |r|"
    VOLUME = "corr(volume, |r|)"
    SIGN_ACF_1 = "ACF sign(1)"
    SIGN_MEMORY = "exponent of ACF sign"
    IMPACT_EXPONENT = "impact exponent"
    IMPACT_FIT = "impact R2 of the logs"
    IMPACT_FACTOR = "impact factor Y"
    IMPACT_DURATION = "impact gap by duration"
    IMPACT_LEFT = "impact left at z = 2"
    FANO = "Fano of trades in 10 s"
    OFI = "R2 of OFI in 10 s"
    SPREAD = "spread over target"
    ONE_TICK = "time at one tick less target"


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure of a gate and where it must lie, both ends included."""

    figure: Figure
    low: float
    high: float

    def holds(self, value: float | None) -> bool:
        """Whether a measured value is inside; one that is missing is not."""
        return value is not None and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Gate:
    """One fact.

    Parameters
    ----------
    number
        Its place in the list, 1-10.
    name
        In words.
    bounds
        All must hold.
    """

    number: int
    name: str
    bounds: tuple[Bound, ...]

    def passed(self, figures: Mapping[Figure, float]) -> bool:
        """Whether all figures are there and inside."""
        return all(bound.holds(figures.get(bound.figure)) for bound in self.bounds)

    def measurable(self, figures: Mapping[Figure, float]) -> bool:
        """Whether any of its figures was measured: of a series of returns alone nobody knows its spread."""
        return any(bound.figure in figures for bound in self.bounds)


GATES: Final = (
    Gate(
        1,
        "no autocorrelation of returns",
        (Bound(Figure.ACF_1, -0.10, 0.10), Bound(Figure.ACF_MAX, 0.0, 0.05)),
    ),
    Gate(
        2,
        "fat tails that thin with time",
        (
            Bound(Figure.KURTOSIS, 3.0, 100.0),
            Bound(Figure.KURTOSIS_FALL_10, _ABOVE_ZERO, inf),
            Bound(Figure.KURTOSIS_FALL_60, _ABOVE_ZERO, inf),
        ),
    ),
    Gate(3, "tail index", (Bound(Figure.HILL_5, 2.0, 4.0), Bound(Figure.HILL_1, 2.5, 5.0))),
    Gate(
        4,
        "clustering of volatility",
        (
            Bound(Figure.ABS_ACF_1, 0.10, 1.0),
            Bound(Figure.ABS_ACF_20, 0.03, 1.0),
            Bound(Figure.MEMORY, 0.1, 0.6),
        ),
    ),
    Gate(5, "volume goes with moves", (Bound(Figure.VOLUME, 0.3, 1.0),)),
    Gate(
        6,
        "memory of order signs",
        (Bound(Figure.SIGN_ACF_1, 0.2, 1.0), Bound(Figure.SIGN_MEMORY, 0.3, 0.8)),
    ),
    Gate(
        7,
        "square-root impact",
        (
            Bound(Figure.IMPACT_EXPONENT, 0.40, 0.65),
            Bound(Figure.IMPACT_FIT, 0.9, 1.0),
            Bound(Figure.IMPACT_FACTOR, 0.3, 1.5),
            Bound(Figure.IMPACT_DURATION, 0.0, 0.25),
            Bound(Figure.IMPACT_LEFT, 0.5, 0.85),
        ),
    ),
    Gate(8, "trades come in crowds", (Bound(Figure.FANO, 3.0, inf),)),
    Gate(9, "order-flow imbalance moves the price", (Bound(Figure.OFI, 0.4, 0.9),)),
    Gate(
        10,
        "spread of the symbol aimed at",
        (Bound(Figure.SPREAD, 0.75, 1.25), Bound(Figure.ONE_TICK, -0.10, 0.10)),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Spread of a book: that of the symbol that a simulated market is to look like, or its own.

    Parameters
    ----------
    spread_bps
        Time-weighted, > 0.
    one_tick_share
        Share of the time in which it is one tick, 0-1.
    """

    spread_bps: float
    one_tick_share: float


def facts_of_returns(returns: Floats, volume_qty: Floats | None = None) -> dict[Figure, float]:
    """Take the figures of gates 1 to 5.

    Parameters
    ----------
    returns
        Log returns over steps of equal length, without a gap.
    volume_qty
        Traded in each step; None where it is not known.

    Raises
    ------
    ValueError
        If a return is not finite, or they are too few for the longest lag.
    """
    if not bool(np.isfinite(returns).all()):
        raise ValueError("a return is not finite")
    of_moves = autocorrelations(returns, 20)
    of_sizes = autocorrelations(np.abs(returns), _MEMORY_LAGS[1])
    if of_moves is None or of_sizes is None:
        return {}
    kurtosis = [excess_kurtosis(added_up(returns, steps)) for steps in (1, 10, 60)]
    found: dict[Figure, float | None] = {
        Figure.ACF_1: float(of_moves[1]),
        Figure.ACF_MAX: float(np.abs(of_moves[2:]).max()),
        Figure.KURTOSIS: kurtosis[0],
        Figure.KURTOSIS_FALL_10: _less(kurtosis[0], kurtosis[1]),
        Figure.KURTOSIS_FALL_60: _less(kurtosis[1], kurtosis[2]),
        Figure.HILL_5: hill(returns, _TAILS[0]),
        Figure.HILL_1: hill(returns, _TAILS[1]),
        Figure.ABS_ACF_1: float(of_sizes[1]),
        Figure.ABS_ACF_20: float(of_sizes[20]),
        Figure.MEMORY: fading_exponent(of_sizes, *_MEMORY_LAGS),
    }
    if volume_qty is not None and float(volume_qty.std()) > 0.0:
        found[Figure.VOLUME] = float(np.corrcoef(volume_qty, np.abs(returns))[0, 1])
    return {name: value for name, value in found.items() if value is not None}


def facts_of_flow(trace: Trace) -> dict[Figure, float]:
    """Take the figures of gates 6, 8 and 9: signs, crowding and what order-flow imbalance explains."""
    found: dict[Figure, float | None] = {Figure.FANO: fano(trace.trade_ns, EVENTS_WINDOW_NS)}
    if len(trace.trade_sign) > _SIGN_LAGS[1]:
        signs = autocorrelations(trace.trade_sign, _SIGN_LAGS[1])
        if signs is not None:
            found[Figure.SIGN_ACF_1] = float(signs[1])
            found[Figure.SIGN_MEMORY] = fading_exponent(signs, *_SIGN_LAGS)
    try:
        bars = cut(trace, EVENTS_WINDOW_NS)
        flow = summed(trace, trace.imbalance(), bars)
        found[Figure.OFI] = price_response(np.diff(bars.mid_px).tolist(), flow.tolist()).r_squared
    except ValueError:
        pass  # too short for intervals of that length, or nothing was quoted in them
    return {name: value for name, value in found.items() if value is not None}


def facts(trace: Trace, bars: Bars) -> dict[Figure, float]:
    """Take the figures of gates 1 to 6, 8 and 9 of one run."""
    return {**facts_of_returns(bars.returns, bars.volume_qty), **facts_of_flow(trace)}


def facts_of_book(book: Target, target: Target) -> dict[Figure, float]:
    """Hold spread and time at one tick of a book against a symbol's: gate 10."""
    return {
        Figure.SPREAD: book.spread_bps / target.spread_bps,
        Figure.ONE_TICK: book.one_tick_share - target.one_tick_share,
    }


def facts_of_orders(found: MetaorderImpact) -> dict[Figure, float]:
    """Take the figures of gate 7."""
    figures = {
        Figure.IMPACT_EXPONENT: found.law.exponent,
        Figure.IMPACT_FIT: found.log_r_squared,
        Figure.IMPACT_FACTOR: found.law.factor,
        Figure.IMPACT_DURATION: found.duration_gap,
        Figure.IMPACT_LEFT: found.left_at_two,
    }
    return {name: value for name, value in figures.items() if value is not None}


def medians(runs: Sequence[Mapping[Figure, float]]) -> dict[Figure, float]:
    """Median of each figure over runs; one that half of them or more miss is missing."""
    found = {}
    for figure in Figure:
        values = [run[figure] for run in runs if figure in run]
        if 2 * len(values) > len(runs):
            found[figure] = median(values)
    return found


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
