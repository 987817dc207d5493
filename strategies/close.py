"""Close: late rather than early, near the price at an instant, and everything done by then."""

from decimal import Decimal
from math import sinh
from typing import Final

from executor.domain.decision import View
from executor.domain.orders import ParentOrder, Urgency
from strategies.schedule import Shape
from strategies.twap import Twap

LATENESS: Final = {Urgency.LOW: 4.0, Urgency.MEDIUM: 2.0, Urgency.HIGH: 1.0}
"""kappa T by urgency: the higher, the more is left to the end; 0 would be even."""
_LAST_REST: Final = Decimal("0.5")


class Close(Twap):
    """The mirror of arrival price: the trajectory that ends, rather than begins, where the risk is to be small.

    Against the price at the deadline, what is done early is at risk, so most is done late. However passive the order,
    the second half of its last slice takes what is still wanted, so that no luck is needed to be done by the deadline.
    """

    def shape(self, order: ParentOrder, start_ns: int, end_ns: int) -> Shape | None:
        """What is done after a share of the time."""
        return late(LATENESS[order.urgency])

    def turn_ns(self, view: View, index: int) -> int:
        """As usual, but the last slice rests for half of its time at most."""
        usual_ns = super().turn_ns(view, index)
        if index < len(view.schedule.slices) - 1:
            return usual_ns
        piece = view.schedule.slices[index]
        return min(usual_ns, piece.start_ns + int((piece.end_ns - piece.start_ns) * _LAST_REST))


def late(kappa_t: float) -> Shape:
    """Done after a share u of the time: sinh(kappa T u) / sinh(kappa T).

    The holdings of Almgren and Chriss (J. Risk 3(2), 2001) run backwards: with the risk counted against the price at
    the end instead of that at the start, the best trajectory is the mirror image.

    Parameters
    ----------
    kappa_t
        kappa times the duration, > 0.
    """
    return lambda share: sinh(kappa_t * share) / sinh(kappa_t)
