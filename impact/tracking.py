"""How far an order was from trading as the market did: the shares of both, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import fsum, isfinite, sqrt


@dataclass(frozen=True, slots=True)
class TrackingError:
    """Distance between the share of an order that was done and the share of its time's volume that had traded.

    Parameters
    ----------
    mean_pct
        Root of the mean square over the ends of all intervals but the last, where both are whole; per cent of it.
    worst_pct
        The largest, per cent of the order; above zero where the order was ahead of the market.
    """

    mean_pct: float
    worst_pct: float


def tracking_error(own_qty: Sequence[float], market_qty: Sequence[float]) -> TrackingError:
    """Compare an order with the market over intervals that follow on each other.

    With o_i done and m_i traded by the end of interval i, as shares of what was done and traded at the end of all,
    the mean is sqrt(sum (o_i - m_i)^2 / (n - 1)) over i = 1 ... n - 1. An order that trades a fixed share of the
    market's volume has none.

    Parameters
    ----------
    own_qty
        What the order did in each interval, any unit, >= 0.
    market_qty
        What the market traded in it, own trades left out, any unit, >= 0.

    Raises
    ------
    ValueError
        If the intervals do not match, a quantity means nothing, or one of both did nothing at all.
    """
    if len(own_qty) != len(market_qty):
        raise ValueError(f"{len(own_qty)} intervals of the order, {len(market_qty)} of the market")
    if not all(isfinite(qty) and qty >= 0.0 for qty in (*own_qty, *market_qty)):
        raise ValueError("quantities are not below zero")
    own, market = fsum(own_qty), fsum(market_qty)
    if own <= 0.0 or market <= 0.0:
        raise ValueError("of nothing there is no share")
    gaps = [
        done / own - traded / market
        for done, traded in zip(accumulate(own_qty), accumulate(market_qty), strict=True)
    ][:-1]
    if not gaps:
        return TrackingError(mean_pct=0.0, worst_pct=0.0)
    mean = sqrt(fsum(gap * gap for gap in gaps) / len(gaps))
    return TrackingError(mean_pct=100.0 * mean, worst_pct=100.0 * max(gaps, key=abs))
