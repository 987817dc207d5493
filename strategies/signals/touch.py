"""Spread and depth of the touch against what is usual here, so that "wide" and "thin" mean the same for every coin."""

from dataclasses import dataclass
from typing import Final

from executor.domain.timeline import NS_PER_MIN
from impact.order_flow.imbalance import Quote, microprice
from strategies.signals.fading import NO_MEAN, Mean, mean_after

HALF_LIFE_NS: Final = 5 * NS_PER_MIN
WARM_UP_NS: Final = NS_PER_MIN
_BPS: Final = 1e4


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchMeans:
    """What is remembered.

    Parameters
    ----------
    spread_bps, depth_qty
        The touch at `at_ns`: basis points; base units of both sides together.
    mean_spread_bps, mean_depth_qty
        Means of both over time.
    """

    at_ns: int = 0
    spread_bps: float = 0.0
    depth_qty: float = 0.0
    mean_spread_bps: Mean = NO_MEAN
    mean_depth_qty: Mean = NO_MEAN


def observe(old: TouchMeans, at_ns: int, quote: Quote) -> TouchMeans:
    """Take in the touch of an instant; what counts for the means is how long each touch stood."""
    elapsed_ns = at_ns - old.at_ns if old.at_ns else 0
    return TouchMeans(
        at_ns=at_ns,
        spread_bps=(quote.ask_px - quote.bid_px) / quote.mid_px * _BPS,
        depth_qty=quote.bid_qty + quote.ask_qty,
        mean_spread_bps=mean_after(old.mean_spread_bps, old.spread_bps, elapsed_ns, HALF_LIFE_NS),
        mean_depth_qty=mean_after(old.mean_depth_qty, old.depth_qty, elapsed_ns, HALF_LIFE_NS),
    )


def spread_ratio(state: TouchMeans) -> float | None:
    """Spread over its mean; None before a minute was watched."""
    return _ratio(state.spread_bps, state.mean_spread_bps)


def depth_ratio(state: TouchMeans) -> float | None:
    """Depth of the touch over its mean; None before a minute was watched."""
    return _ratio(state.depth_qty, state.mean_depth_qty)


def microprice_bps(quote: Quote) -> float | None:
    """Distance of the microprice from the mid, basis points; signed."""
    fair_px = microprice(quote)
    return None if fair_px is None else (fair_px - quote.mid_px) / quote.mid_px * _BPS


def _ratio(value: float, mean: Mean) -> float | None:
    if mean.observed_ns < WARM_UP_NS or mean.value <= 0.0:
        return None
    return value / mean.value
