"""Prices about which liquidations were frequent: what was forced there once is often forced there again.

A position is told with its bankruptcy price, which lies a little beyond the price that set the liquidation off. Prices
are kept in classes of equal width; a cluster is a class that holds a good part of everything.
"""

from dataclasses import dataclass
from math import exp, floor, isfinite, log
from typing import Final

from executor.domain.signals import LiquidationCluster
from executor.domain.timeline import NS_PER_HOUR
from strategies.signals.fading import fade

WIDTH: Final = 0.001
"""Width of a class in the logarithm of the price: ten basis points."""
HALF_LIFE_NS: Final = NS_PER_HOUR
CLASSES_MAX: Final = 64
CLUSTER_SHARE: Final = 0.1
"""Share of all liquidations that are remembered from which a class is a cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """What is remembered: number of a price class and what was liquidated in it, fading, in order of price."""

    at_ns: int = 0
    classes: tuple[tuple[int, float], ...] = ()


def observe(old: Clusters, at_ns: int, px: float, qty: float) -> Clusters:
    """Take in one liquidation; where there are too many classes the smallest is forgotten.

    Raises
    ------
    ValueError
        If price or quantity is not above zero.
    """
    if not (isfinite(px) and isfinite(qty)) or px <= 0.0 or qty <= 0.0:
        raise ValueError(f"no liquidation: {qty} at {px}")
    left = fade(at_ns - old.at_ns, HALF_LIFE_NS)
    held = {number: kept * left for number, kept in old.classes}
    number = floor(log(px) / WIDTH)
    held[number] = held.get(number, 0.0) + qty
    if len(held) > CLASSES_MAX:
        del held[min(held, key=lambda each: (held[each], each))]
    return Clusters(at_ns=at_ns, classes=tuple(sorted(held.items())))


def nearest(state: Clusters, mid_px: float) -> tuple[LiquidationCluster | None, LiquidationCluster | None]:
    """Nearest cluster below and nearest above a price; None where there is none."""
    least_qty = CLUSTER_SHARE * sum(qty for _, qty in state.classes)
    found = [_cluster(number, qty) for number, qty in state.classes if qty >= least_qty]
    below = [each for each in found if each.px < mid_px]
    above = [each for each in found if each.px >= mid_px]
    return (below[-1] if below else None), (above[0] if above else None)


def _cluster(number: int, qty: float) -> LiquidationCluster:
    return LiquidationCluster(px=exp((number + 0.5) * WIDTH), qty=qty)
