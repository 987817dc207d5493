"""Net flow of a coin to exchanges, against what is usual: coins that arrive can be sold, coins that leave are kept.

Providers count in spans of minutes to a day and revise what they said. Nothing here is worth a quick reaction.
"""

from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from typing import Final

from executor.domain.timeline import NS_PER_S

COUNTS_MIN: Final = 20
"""Counts before anything is called usual."""
COUNTS_USUAL: Final = 100
"""How many counts back the usual reaches, about: each new one weighs a hundredth."""
SPANS_MAX: Final = 2
"""After as many spans without a new count the last one is no longer news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What is remembered.

    Parameters
    ----------
    counts
        Seen so far.
    net_qty_per_s
        The last, over `span_ns`: onto exchanges less off them, base units a second.
    mean, variance
        Of all before the last.
    """

    at_ns: int = 0
    span_ns: int = 0
    counts: int = 0
    net_qty_per_s: float = 0.0
    mean: float = 0.0
    variance: float = 0.0


def observe(old: Flow, at_ns: int, net_qty: Decimal, span_ns: int) -> Flow:
    """Take in one count.

    Raises
    ------
    ValueError
        If it is not a number, or counted over no time.
    """
    if not net_qty.is_finite() or span_ns <= 0:
        raise ValueError(f"no count: {net_qty} in {span_ns} ns")
    per_s = float(net_qty) / (span_ns / NS_PER_S)
    if not old.counts:
        return Flow(at_ns=at_ns, span_ns=span_ns, counts=1, net_qty_per_s=per_s, mean=per_s)
    weight = 1.0 / min(old.counts, COUNTS_USUAL)
    gap = old.net_qty_per_s - old.mean
    return Flow(
        at_ns=at_ns,
        span_ns=span_ns,
        counts=old.counts + 1,
        net_qty_per_s=per_s,
        mean=old.mean + weight * gap,
        variance=(1.0 - weight) * (old.variance + weight * gap * gap),
    )


def pressure(state: Flow, now_ns: int) -> float | None:
    """How many standard deviations less than usual flows to exchanges; above zero speaks for a rising price.

    None before twenty counts, where they never varied, and when the last one is older than two spans.
    """
    if state.counts < COUNTS_MIN or state.variance <= 0.0:
        return None
    if now_ns - state.at_ns > SPANS_MAX * state.span_ns:
        return None
    return (state.mean - state.net_qty_per_s) / sqrt(state.variance)
