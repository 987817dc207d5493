"""Chase: one order pegged to the market, that follows it so far and so often, and then waits or takes."""

from decimal import Decimal
from typing import Final

from executor.domain.decision import Decision, Style, View, Why
from executor.domain.orders import GiveUp, Peg
from executor.domain.units import BPS_PER_UNIT, ONE, ZERO, Price
from strategies.placement import cross, rest
from strategies.whole import Whole, idle

REPRICES_MAX: Final = 10
"""How often an order follows when the client says nothing: each time all that is left is ordered again."""


class Chase(Whole):
    """Everything that is left rests at the pegged price.

    It follows a market that runs away once that is `reprice_ticks` ahead, and one that comes back at once, so that it
    never pays more than its peg.
    """

    def decide(self, view: View) -> Decision:
        """Rest at the peg; at the end of the chase stay where it is, or take."""
        nothing = idle(view)
        if nothing is not None:
            return nothing
        end_ns = view.schedule.slices[-1].end_ns
        qty = view.instrument.round_qty(view.leaves_qty)
        wish = rest(view, qty, Why.PEG_RESTING, end_ns, at_px=peg_px(view))
        if wish.px is None:
            return wish
        last = last_px(view, wish.px)
        if last is None or last == wish.px:
            return wish
        if view.order.params.give_up is GiveUp.CROSS:
            return cross(view, qty, Why.CHASE_OVER)
        return rest(view, qty, Why.CHASE_OVER, end_ns, at_px=last)


def peg_px(view: View) -> Price:
    """Price that the order hangs on, its offset included, rounded to the passive side; it never crosses."""
    side, tick = view.order.side, view.instrument.tick_size
    params = view.order.params
    highest: Decimal = view.market.far_touch(side) - side.sign * tick
    pegs = {Peg.TOUCH: view.market.touch(side), Peg.MID: view.market.mid_px, Peg.FAR: highest}
    px = pegs[params.peg or Peg.TOUCH] - side.sign * (params.peg_offset_ticks or 0) * tick
    beyond = side.sign * (px - highest) > ZERO
    return view.instrument.round_px(side, highest if beyond else px)


def last_px(view: View, px: Price) -> Price | None:
    """Where the order must stay when it may not follow to a price; None while it may.

    Only a price that is worse for the order is a chase: it follows a market that comes back as often as it likes.
    """
    side, working, params = view.order.side, view.working, view.order.params
    resting = working is not None and working.style is Style.REST
    times = REPRICES_MAX if params.reprices_max is None else params.reprices_max
    if resting and working is not None and side.sign * (px - working.px) > ZERO and view.reprices >= times:
        return working.px
    if params.chase_bps_max is None or view.arrival_px is None:
        return None
    edge = Price(view.arrival_px * (ONE + side.sign * params.chase_bps_max / BPS_PER_UNIT))
    return view.instrument.round_px(side, edge) if side.sign * (px - edge) > ZERO else None
