"""What it costs to trade at once and how much can be traded: spread, depth, lean of the book, and how it refills."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulation.phenomena.discovery import half_life_of
from simulation.phenomena.trace import Floats, Trace, held, time_weights

_BPS: Final = 10_000.0
_LARGE: Final = 0.9
"""A trade is large where no more than a tenth are larger."""
_LARGE_MIN: Final = 20
_LOOKS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidity:
    """Means weighted by the time that each state of the book was in force, except for trades.

    Parameters
    ----------
    spread_bps
        Quoted spread over the mid, full-spread convention.
    one_tick_share
        Share of the time in which the spread is one tick, 0-1.
    bid_depth_qty, ask_depth_qty
        Quantity on the best five levels; of the touch alone where no more is known.
    imbalance
        Mean of (bid - ask) / (bid + ask) of that depth, -1 to 1.
    trade_qty
        Mean size of a trade; None where nobody traded.
    resilience_s
        Half-life of the widening of the spread after large trades; None where there are too few or nothing wears off.
    """

    spread_bps: float
    one_tick_share: float
    bid_depth_qty: float
    ask_depth_qty: float
    imbalance: float
    trade_qty: float | None
    resilience_s: float | None

    @property
    def depth_qty(self) -> float:
        """Mean quantity of one side."""
        return (self.bid_depth_qty + self.ask_depth_qty) / 2.0


def liquidity(trace: Trace, resilience_span_s: float = 10.0) -> Liquidity:
    """Measure the book of a trace.

    Parameters
    ----------
    resilience_span_s
        How long the spread is followed after each large trade, > 0.

    Raises
    ------
    ValueError
        If the trace lasts no time.
    """
    weights = time_weights(trace)
    total = float(weights.sum())
    if total <= 0.0:
        raise ValueError("the trace lasts no time")
    deep = len(trace.bid_depth_qty) > 0
    bids = trace.bid_depth_qty if deep else trace.bid_qty
    asks = trace.ask_depth_qty if deep else trace.ask_qty
    shown = bids + asks
    lean = np.divide(bids - asks, shown, out=np.zeros_like(shown), where=shown > 0.0)
    spread = trace.spread_px

    def mean(values: Floats) -> float:
        return float(values @ weights) / total

    return Liquidity(
        spread_bps=_BPS * mean(spread / trace.mid_px),
        one_tick_share=mean((spread < 1.5 * trace.tick_px).astype(np.float64)),
        bid_depth_qty=mean(bids),
        ask_depth_qty=mean(asks),
        imbalance=mean(lean),
        trade_qty=float(trace.trade_qty.mean()) if len(trace.trade_qty) else None,
        resilience_s=resilience(trace, resilience_span_s),
    )


def resilience(trace: Trace, span_s: float) -> float | None:
    """Half-life of the mean excess of the spread after large trades, seconds.

    The spread at 40 instants after each of the largest tenth of trades, averaged over the trades; an exponential with
    a level to which it falls is fitted. Trades nearer to the end than `span_s` are left out.
    """
    if len(trace.trade_qty) < _LARGE_MIN or span_s <= 0.0:
        return None
    span_ns = round(span_s * 1e9)
    large = trace.trade_qty >= np.quantile(trace.trade_qty, _LARGE)
    times_ns = trace.trade_ns[large & (trace.trade_ns + span_ns <= trace.span_ns[1])]
    if len(times_ns) < _LARGE_MIN:
        return None
    lags_ns = np.arange(_LOOKS, dtype=np.int64) * (span_ns // _LOOKS)
    spread = trace.spread_px
    path = np.array([held(trace.quote_ns, spread, times_ns + lag).mean() for lag in lags_ns])
    return half_life_of(path, span_s / _LOOKS)
