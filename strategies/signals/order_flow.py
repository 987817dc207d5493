"""Order-flow imbalance: whether bids grow and offers give way, or the reverse, over the last seconds.

The fold takes the touch as it is told. Between two snapshots at the same prices the sum is exact, however much happened
between them; what came and went between two that differ is not seen.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

from executor.domain.timeline import NS_PER_MIN, NS_PER_S
from impact.order_flow.imbalance import Quote, queue_change
from strategies.signals.fading import NO_MEAN, Mean, fade, mean_after

HALF_LIFE_NS: Final = 10 * NS_PER_S
"""Ten seconds are the interval for which Cont, Kukanov and Stoikov report their fits."""
USUAL_HALF_LIFE_NS: Final = 10 * NS_PER_MIN
WARM_UP_NS: Final = NS_PER_MIN


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFlow:
    """What is remembered.

    Parameters
    ----------
    quote
        The touch at `at_ns`; None before the first.
    flow
        Fading sum of `queue_change`, base units.
    square
        Mean square of that sum over time.
    """

    at_ns: int = 0
    quote: Quote | None = None
    flow: float = 0.0
    square: Mean = NO_MEAN


def observe(old: OrderFlow, at_ns: int, quote: Quote) -> OrderFlow:
    """Take in the touch of an instant."""
    if old.quote is None:
        return OrderFlow(at_ns=at_ns, quote=quote)
    elapsed_ns = at_ns - old.at_ns
    flow = old.flow * fade(elapsed_ns, HALF_LIFE_NS) + queue_change(old.quote, quote)
    return OrderFlow(
        at_ns=at_ns,
        quote=quote,
        flow=flow,
        square=mean_after(old.square, flow * flow, elapsed_ns, USUAL_HALF_LIFE_NS),
    )


def imbalance(state: OrderFlow) -> float | None:
    """Order flow in units of its own usual size: F / sqrt(mean F^2), signed; above zero is pressure to buy.

    Raw flow can not be held against a fixed number: how far a given flow moves the price differs by a factor of 25
    between coins even when it is measured in the depth of the touch. None before a minute was watched, or where nothing
    has ever changed.
    """
    if state.square.observed_ns < WARM_UP_NS or state.square.value <= 0.0:
        return None
    return state.flow / sqrt(state.square.value)
