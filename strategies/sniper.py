"""Sniper: shows nothing, waits for a price or a quantity on the other side, and takes what is displayed there."""

from executor.domain.decision import Decision, Style, View, Why
from executor.domain.orders import Side
from executor.domain.units import ZERO, Quantity
from strategies.placement import CROSS_AGAIN_NS, wait, why_not_cross
from strategies.sizing import joined
from strategies.whole import Whole, idle


class Sniper(Whole):
    """Takes at the other side's best price and not a tick beyond it, so that what is not there is not paid for."""

    def decide(self, view: View) -> Decision:
        """Take what is displayed when it is good enough, at that price."""
        nothing = idle(view)
        if nothing is not None:
            return nothing
        end_ns = view.schedule.slices[-1].end_ns
        if not is_triggered(view):
            return wait(Why.NO_TRIGGER, end_ns)
        barred = why_not_cross(view)
        if barred is not None:
            return wait(barred, end_ns)
        px = view.market.far_touch(view.order.side)
        qty = joined(view, displayed_qty(view), px)
        if qty <= ZERO or view.instrument.is_dust(qty, px):
            return wait(Why.BELOW_MINIMUM, end_ns)
        again_ns = view.now_ns + CROSS_AGAIN_NS
        return Decision(style=Style.CROSS, qty=qty, px=px, why=Why.TRIGGERED, wake_ns=again_ns)


def displayed_qty(view: View) -> Quantity:
    """Quantity at the other side's best price, base units."""
    return view.market.best_ask_qty if view.order.side is Side.BUY else view.market.best_bid_qty


def is_triggered(view: View) -> bool:
    """Whether everything that was asked for is there: the price, the quantity, or both."""
    params, side = view.order.params, view.order.side
    far = view.market.far_touch(side)
    good = params.trigger_px is None or side.sign * (far - params.trigger_px) <= ZERO
    enough = params.trigger_qty is None or displayed_qty(view) >= params.trigger_qty
    return good and enough
