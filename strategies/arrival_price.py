"""Arrival price (implementation shortfall): early rather than late, so that the price has less time to run away."""

from math import sinh
from typing import Final

from executor.domain.orders import ParentOrder, Urgency
from strategies.schedule import Shape
from strategies.twap import Twap

URGENCY: Final = {Urgency.LOW: 1.0, Urgency.MEDIUM: 2.0, Urgency.HIGH: 4.0}
"""kappa T by urgency: how many times the natural trading time 1/kappa fits into the duration; 0 would be even."""


class ArrivalPrice(Twap):
    """The trajectory of Almgren and Chriss (J. Risk 3(2), 2001) with the risk aversion that an urgency stands for."""

    def shape(self, order: ParentOrder, start_ns: int, end_ns: int) -> Shape | None:
        """What is done after a share of the time."""
        return trajectory(URGENCY[order.urgency])


def trajectory(kappa_t: float) -> Shape:
    """Done after a share u of the time: 1 - sinh(kappa T (1 - u)) / sinh(kappa T).

    It is the optimal trajectory x(t)/X = sinh(kappa (T - t)) / sinh(kappa T) for linear impact and a price of constant
    volatility; in expectation it costs more than an even schedule, and its cost varies less.

    Parameters
    ----------
    kappa_t
        kappa times the duration, > 0.
    """
    return lambda share: 1.0 - sinh(kappa_t * (1.0 - share)) / sinh(kappa_t)
