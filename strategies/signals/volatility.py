"""Realised volatility over several horizons: whether the price moves faster than it did."""

from dataclasses import dataclass
from math import log, sqrt
from typing import Final

from executor.domain.timeline import NS_PER_MIN, NS_PER_S
from strategies.signals.fading import NO_MEAN, Mean, mean_after

FAST_NS: Final = 30 * NS_PER_S
SLOW_NS: Final = 5 * NS_PER_MIN
USUAL_NS: Final = 60 * NS_PER_MIN
WARM_UP_NS: Final = 10 * NS_PER_MIN
_SAMPLE_NS: Final = NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Variances:
    """What is remembered: mean squared log return of the mid per second, with three half-lives."""

    at_ns: int = 0
    mid_px: float = 0.0
    fast: Mean = NO_MEAN
    slow: Mean = NO_MEAN
    usual: Mean = NO_MEAN


def observe(old: Variances, at_ns: int, mid_px: float) -> Variances:
    """Take in a mid; between samples (one second) nothing changes.

    The mean of r^2 / dt, with r the log return over dt: realised variance (Andersen and Bollerslev 1998) with
    exponential weights, as `risk.circuit` has it for one horizon.
    """
    if not old.at_ns:
        return Variances(at_ns=at_ns, mid_px=mid_px)
    elapsed_ns = at_ns - old.at_ns
    if elapsed_ns < _SAMPLE_NS:
        return old
    moved = log(mid_px / old.mid_px)
    per_s = moved * moved / (elapsed_ns / NS_PER_S)
    return Variances(
        at_ns=at_ns,
        mid_px=mid_px,
        fast=mean_after(old.fast, per_s, elapsed_ns, FAST_NS),
        slow=mean_after(old.slow, per_s, elapsed_ns, SLOW_NS),
        usual=mean_after(old.usual, per_s, elapsed_ns, USUAL_NS),
    )


def fast_ratio(state: Variances) -> float | None:
    """Volatility of half a minute over that of the last hour; None before ten minutes were watched."""
    return _ratio(state.fast, state.usual)


def slow_ratio(state: Variances) -> float | None:
    """Volatility of five minutes over that of the last hour; None before ten minutes were watched."""
    return _ratio(state.slow, state.usual)


def _ratio(recent: Mean, usual: Mean) -> float | None:
    if usual.observed_ns < WARM_UP_NS or usual.value <= 0.0:
        return None
    return sqrt(recent.value / usual.value)
