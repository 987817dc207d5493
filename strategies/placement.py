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

_CROSS_AGAIN_NS: Final = NS_PER_S


def wait(why: Why, wake_ns: int) -> Decision:
    """Want nothing working."""
    return Decision(style=Style.WAIT, qty=Quantity(ZERO), px=None, why=why, wake_ns=wake_ns)


def rest(view: View, qty: Quantity, why: Why, wake_ns: int) -> Decision:
    """Rest at the touch, or at the parent's limit where that is more passive; a limit far from the market waits.

    A resting order keeps its place while the touch is less than `reprice_ticks` ahead of it.
    """
    side = view.order.side
    px = view.market.touch(side)
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
    limit = view.order.limit_px
    again_ns = view.now_ns + _CROSS_AGAIN_NS
    if limit is not None and side.sign * (far - limit) > ZERO:
        return rest(view, qty, Why.LIMIT_PRICE, again_ns)
    if view.market.spread_bps > view.cross_spread_bps_max:
        return rest(view, qty, Why.SPREAD_WIDE, again_ns)
    px = Price(far * (ONE + side.sign * CROSS_CAP_BPS / BPS_PER_UNIT))
    if limit is not None and side.sign * (px - limit) > ZERO:
        px = limit
    edge = view.market.max_buy_px if side is Side.BUY else view.market.min_sell_px
    if edge is not None and side.sign * (px - edge) > ZERO:
        px = edge
    if side.sign * (far - px) > ZERO:
        return rest(view, qty, Why.PRICE_BAND, again_ns)
    return Decision(
        style=Style.CROSS,
        qty=qty,
        px=view.instrument.round_px(side, px),
        why=why,
        wake_ns=again_ns,
    )


def _is_far(view: View, px: Price) -> bool:
    """Whether a price is so far from the market that the gate would refuse it."""
    mid = view.market.mid_px
    return abs(px - mid) * BPS_PER_UNIT > view.price_collar_bps_max * mid


def rest_until_ns(view: View, start_ns: int, end_ns: int) -> int:
    """Instant at which a slice stops resting: `passiveness` of the way through it; never with passiveness 1."""
    passiveness = view.order.params.passiveness
    share = PASSIVENESS[view.order.urgency] if passiveness is None else passiveness
    return end_ns if share >= ONE else start_ns + int((end_ns - start_ns) * share)
