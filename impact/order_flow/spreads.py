"""What a taker pays for immediacy: effective spread, and what of it the maker keeps; Roll's spread from prices alone.

Full-spread convention throughout: twice the distance from the mid. A purchase at the ask of an even book has an
effective spread of the whole quoted spread. In parts, effective = realised + impact holds by construction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, isfinite, sqrt
from typing import Final

from impact.order_flow.prints import Print

_BPS: Final = 10_000.0
_BOTH_SIDES: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadParts:
    """Spread of a trade or of many, basis points of the mid before, full-spread convention.

    Parameters
    ----------
    effective_bps
        2 s (p - m) / m, with s the taker's sign, p the price and m the mid just before.
    realised_bps
        2 s (p - m') / m with m' the mid some time later: what the maker keeps.
    impact_bps
        2 s (m' - m) / m: what the price moved with the taker.
    """

    effective_bps: float
    realised_bps: float
    impact_bps: float


def spread_parts(trade: Print, later_mid_px: float) -> SpreadParts:
    """Split the effective spread of one trade by the mid some time later.

    Raises
    ------
    ValueError
        If the trade has no mid, or the later one is no price.
    """
    mid_px = trade.mid_px
    if mid_px is None or not isfinite(later_mid_px) or later_mid_px <= 0.0:
        raise ValueError("a mid before and a mid after the trade are wanted")
    unit = _BOTH_SIDES * trade.sign * _BPS / mid_px
    impact_bps = unit * (later_mid_px - mid_px)
    effective_bps = unit * (trade.px - mid_px)
    return SpreadParts(
        effective_bps=effective_bps, realised_bps=effective_bps - impact_bps, impact_bps=impact_bps
    )


def mean_spread(parts: Sequence[SpreadParts], weights: Sequence[float]) -> SpreadParts | None:
    """Mean of each part, weighted by what was traded; None where there is nothing.

    Parameters
    ----------
    weights
        Value of each trade, or its quantity, > 0.

    Raises
    ------
    ValueError
        If there is not one weight above zero for each trade.
    """
    if len(parts) != len(weights) or any(not isfinite(one) or one <= 0.0 for one in weights):
        raise ValueError("one weight above zero for each trade is wanted")
    if not parts:
        return None
    total = fsum(weights)
    effective_bps = fsum(p.effective_bps * w for p, w in zip(parts, weights, strict=True)) / total
    impact_bps = fsum(p.impact_bps * w for p, w in zip(parts, weights, strict=True)) / total
    return SpreadParts(
        effective_bps=effective_bps, realised_bps=effective_bps - impact_bps, impact_bps=impact_bps
    )


def roll_spread(pxs: Sequence[float]) -> float | None:
    """Spread that the bouncing of trade prices betrays: 2 sqrt(-c), unit of the prices; None where c is not below 0.

    c is the covariance of neighbouring changes: trades that hit bid and ask by turns make changes turn back. R. Roll,
    J. Finance 39 (1984). Where prices trend, c is above zero and nothing can be said.

    Raises
    ------
    ValueError
        For fewer than three prices, or one that is not finite.
    """
    if len(pxs) < 3 or not all(map(isfinite, pxs)):
        raise ValueError("three finite prices are needed at least")
    changes = [later - one for one, later in pairwise(pxs)]
    mean = fsum(changes) / len(changes)
    pairs = len(changes) - 1
    covariance = fsum((a - mean) * (b - mean) for a, b in pairwise(changes)) / pairs
    return 2.0 * sqrt(-covariance) if covariance < 0.0 else None
