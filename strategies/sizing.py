"""How much of a wish may be ordered: nothing that leaves an unsellable rest, nothing above a share of the market."""

from dataclasses import replace
from decimal import Decimal

from executor.domain.decision import Decision, Style, View, Why
from executor.domain.units import ONE, ZERO, Price, Quantity
from strategies.placement import wait

_TIMES: Decimal = Decimal(2)
"""A capped order at rest is made larger only when it could be this many times as large: each change costs its place."""


def joined(view: View, qty: Decimal, px: Price) -> Quantity:
    """Take a little less, so that what stays behind can still be ordered; zero if that would be too little.

    Where everything is wanted nothing stays behind. Otherwise less than the venue accepts would, and it joins the next
    order: this one leaves it enough. It is never more than was asked for.

    Parameters
    ----------
    px
        Price at which the venue's minimum value is turned into a quantity, quote per base.
    """
    asked = view.instrument.round_qty(max(min(qty, view.leaves_qty), ZERO))
    least = view.instrument.smallest_qty(px)
    behind: Decimal = view.leaves_qty - asked
    if view.instrument.round_qty(behind) == ZERO or behind >= least:
        return asked
    less = view.instrument.round_qty(max(asked - (least - behind), ZERO))
    return less if less >= least else Quantity(ZERO)


def capped(view: View, decision: Decision) -> Decision:
    """Cut a decision so that the parent's own trades stay within `participation_max` of the market's volume.

    With c the cap, M the public volume since the parent began and C what is filled, an order of q is within it when
    C + q <= c (M + q), since its own trades are volume too: q <= (c M - C) / (1 - c). Later trades of others only make
    room. An order at rest that was within it stays so while it fills.
    """
    cap = view.order.params.participation_max
    if cap is None or decision.px is None:
        return decision
    if view.market_qty is None:
        return wait(Why.VOLUME_UNKNOWN, decision.wake_ns)
    room = (cap * view.market_qty - view.cum_qty) / (ONE - cap)
    if room >= decision.qty:
        return decision
    working, qty = view.working, view.instrument.round_qty(max(room, ZERO))
    at_rest = working is not None and working.style is Style.REST is decision.style
    if working is not None and at_rest and working.leaves_qty <= qty < _TIMES * working.leaves_qty:
        return replace(decision, qty=working.leaves_qty)
    qty = joined(view, qty, decision.px)
    if view.instrument.is_dust(qty, decision.px):
        return wait(Why.PARTICIPATION_MAX, decision.wake_ns)
    return replace(decision, qty=qty)
