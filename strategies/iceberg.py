"""Iceberg: everything rests, a small part of it is shown, and the next part follows when that is filled."""

from decimal import Decimal
from typing import Final

from executor.domain.decision import Decision, Style, View, Why
from executor.domain.units import ZERO, Quantity
from strategies.placement import rest
from strategies.schedule import deviation_pct
from strategies.whole import Whole, idle

DISPLAY_SHARE: Final = Decimal("0.1")
"""Part of the order that is shown when the client names no quantity."""
_PCT: Final = Decimal(100)


class Iceberg(Whole):
    """Rests at the touch, or at the limit price where that is more passive, and never takes; the residual rule may."""

    def decide(self, view: View) -> Decision:
        """Keep what is shown until it is filled, then show the next part."""
        nothing = idle(view)
        if nothing is not None:
            return nothing
        working = view.working
        shown = working is not None and working.style is Style.REST
        qty = working.leaves_qty if working is not None and shown else display_qty(view)
        return rest(view, qty, Why.DISPLAY_RESTING, view.schedule.slices[-1].end_ns)


def display_qty(view: View) -> Quantity:
    """Quantity to show next, base units: drawn anew for each part, from the order's seed and what is filled.

    It is never below what the venue accepts, and a rest that would be joins it.
    """
    params = view.order.params
    asked = params.display_qty or DISPLAY_SHARE * view.order.order_qty
    spread_pct = params.display_randomize_pct or 0
    steps_done = int(view.cum_qty / view.instrument.qty_step)
    drawn = deviation_pct(f"{view.order.seed}:{steps_done}", spread_pct)
    least = view.instrument.smallest_qty(view.market.mid_px)
    shown = max(view.instrument.round_qty(asked * (_PCT + drawn) / _PCT), least)
    left = view.instrument.round_qty(view.leaves_qty)
    return left if ZERO <= left - shown < least else min(shown, left)
