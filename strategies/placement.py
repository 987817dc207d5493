"""How a wanted quantity should be working: rest at the touch first, take liquidity when the time is up."""

from decimal import Decimal
from typing import Final

from executor.domain.decision import Decision, Style, View, Why
from executor.domain.orders import Side, Urgency
from executor.domain.timeline import NS_PER_S
from executor.domain.units import BPS_PER_UNIT, ONE, ZERO, Price, Quantity

CROSS_CAP_BPS: Final = Decimal(10)
"""How far beyond the far touch the limit of a crossing order is set: it may walk this much of the book."""

PASSIVENESS: Final = {
    Urgency.LOW: Decimal("0.9"),
    Urgency.MEDIUM: Decimal("0.7"),
    Urgency.HIGH: Decimal("0.3"),
}
"""Share of a slice spent resting when the client names only an urgency."""

CROSS_AGAIN_NS: Final = NS_PER_S
"""Time after which an order that took too little is asked about again."""


def wait(why: Why, wake_ns: int) -> Decision:
    """Want nothing working."""
    return Decision(style=Style.WAIT, qty=Quantity(ZERO), px=None, why=why, wake_ns=wake_ns)


def rest(view: View, qty: Quantity, why: Why, wake_ns: int, *, at_px: Price | None = None) -> Decision:
    """Rest at the touch, or at the parent's limit where that is more passive; a limit far from the market waits.

    A resting order keeps its place while the touch is less than `reprice_ticks` ahead of it.

    Parameters
    ----------
    at_px
        Another price than the touch; it must not be one at which the order would trade at once.
    """
    side = view.order.side
    px = view.market.touch(side) if at_px is None else at_px
    working = view.working
    if working is not None and working.style is Style.REST:
        lead = side.sign * (px - working.px)
        if ZERO <= lead < view.order.params.reprice_ticks * view.instrument.tick_size:
            px = working.px
    limit = view.order.limit_px
    if limit is not None and side.sign * (px - limit) > ZERO:
        if _is_far(view, limit):
            return wait(Why.LIMIT_PRICE, wake_ns)
        px = limit
    px = view.instrument.round_px(side, px)
    if px <= ZERO:
        return wait(Why.LIMIT_PRICE, wake_ns)
    return Decision(style=Style.REST, qty=qty, px=px, why=why, wake_ns=wake_ns)


def cross(view: View, qty: Quantity, why: Why) -> Decision:
    """Take liquidity up to a cap, unless limit price, spread or the venue's price band forbids it: then rest."""
    side = view.order.side
    far = view.market.far_touch(side)
    again_ns = view.now_ns + CROSS_AGAIN_NS
    barred = why_not_cross(view)
    if barred is not None:
        return rest(view, qty, barred, again_ns)
    px = Price(far * (ONE + side.sign * CROSS_CAP_BPS / BPS_PER_UNIT))
    for edge in (view.order.limit_px, _band_edge(view)):
        if edge is not None and side.sign * (px - edge) > ZERO:
            px = edge
    return Decision(
        style=Style.CROSS,
        qty=qty,
        px=view.instrument.round_px(side, px),
        why=why,
        wake_ns=again_ns,
    )


def why_not_cross(view: View) -> Why | None:
    """What forbids to trade at the other side's best price: the limit price, the spread, the venue's price band."""
    sign = view.order.side.sign
    far = view.market.far_touch(view.order.side)
    limit, edge = view.order.limit_px, _band_edge(view)
    if limit is not None and sign * (far - limit) > ZERO:
        return Why.LIMIT_PRICE
    if view.market.spread_bps > view.cross_spread_bps_max:
        return Why.SPREAD_WIDE
    if edge is not None and sign * (far - edge) > ZERO:
        return Why.PRICE_BAND
    return None


def _band_edge(view: View) -> Price | None:
    """Worst price that the venue takes of this side."""
    return view.market.max_buy_px if view.order.side is Side.BUY else view.market.min_sell_px


def _is_far(view: View, px: Price) -> bool:
    """Whether a price is so far from the market that the gate would refuse it."""
    mid = view.market.mid_px
    return abs(px - mid) * BPS_PER_UNIT > view.price_collar_bps_max * mid


def rest_until_ns(view: View, start_ns: int, end_ns: int) -> int:
    """Instant at which a slice stops resting: `passiveness` of the way through it; never with passiveness 1."""
    passiveness = view.order.params.passiveness
    share = PASSIVENESS[view.order.urgency] if passiveness is None else passiveness
    return end_ns if share >= ONE else start_ns + int((end_ns - start_ns) * share)
