"""What should be working when advice is in force: the strategy decides, on a view that the directive has shifted.

No second schedule and no second way of placing an order: the strategy sees itself behind where the directive hurries
and ahead where it slows down, and its answer is cut to the band. Without a directive its answer stands as it is.
"""

from bisect import bisect_left
from dataclasses import replace
from decimal import Decimal
from operator import attrgetter

from executor.advice.band import (
    Directive,
    catch_up_times,
    changes_ns,
    limit_px,
    offset_qty,
    qty_cap,
    slice_in_force,
    style_of,
)
from executor.domain.advice_terms import Band
from executor.domain.decision import Decision, Schedule, Style, View, Why
from executor.domain.orders import ParentOrder
from executor.domain.units import ONE, ZERO, Price, Quantity
from strategies.base import Strategy
from strategies.placement import cross, rest, wait

_TARGET_QTY = attrgetter("target_qty")


def steer(view: View, strategy: Strategy, directive: Directive | None, band: Band) -> tuple[Decision, bool]:
    """Say what should be working now, and whether advice made it something else than the schedule alone would have.

    Guarantees, whatever was advised: no other side, no worse price than the parent's limit, not more than is left, not
    more in a slice than `band.slice_times_max` times its quantity (or what the schedule alone would do).
    """
    plain = strategy.decide(view)
    piece = slice_in_force(view)
    if directive is None or piece is None or not directive.in_force(view.now_ns):
        return plain, False
    turn_ns = changes_ns(directive, band, view)
    if style_of(directive, band, view) is Style.WAIT:
        steered = plain if plain.style is Style.WAIT else wait(Why.ADVICE_WAIT, turn_ns)
    else:
        aim_ns = min(piece.end_ns, directive.until_ns)
        seen = _shifted(view, offset_qty(directive, band, view, aim_ns), limit_px(directive, band, view))
        steered = _steered(view, seen, plain, strategy.decide(seen), directive, band)
    if steered.style is Style.WAIT and plain.style is not Style.WAIT:
        steered = replace(steered, why=Why.ADVICE_WAIT)
    steered = replace(steered, wake_ns=min(steered.wake_ns, turn_ns))
    changed = (steered.style, steered.qty, steered.px) != (plain.style, plain.qty, plain.px)
    return steered, changed


def _shifted(view: View, offset: Quantity, limit: Price | None) -> View:
    """The view of an order that has done less (offset > 0) or more (offset < 0) than this one.

    A slowed order has not done more in this slice than it has: what it did before the slice is shifted as well. A
    hurried order may do its lead on top of the slice. The market's volume is shifted along, so that what others have
    traded stays what it is.
    """
    ahead = max(offset, ZERO)
    return replace(
        view,
        order=replace(view.order, limit_px=limit),
        cum_qty=Quantity(view.cum_qty - offset),
        slice_base_qty=Quantity(view.slice_base_qty - min(offset, ZERO)),
        market_qty=_less(view.market_qty, offset),
        plan_market_qty=_less(view.plan_market_qty, offset),
        slice_market_qty=_less(view.slice_market_qty, ahead),
    )


def _less(qty: Quantity | None, offset: Decimal) -> Quantity | None:
    return None if qty is None else Quantity(qty - offset)


def _steered(
    view: View, seen: View, plain: Decision, wish: Decision, directive: Directive, band: Band
) -> Decision:
    """Bring the strategy's wish within the band and into the style that is advised."""
    if wish.style is Style.WAIT or wish.px is None:
        return wish
    qty = _within(view, plain, wish, directive, band)
    style = style_of(directive, band, view)
    if style is Style.CROSS and wish.style is Style.REST:
        wish = cross(seen, qty, Why.SLICE_CROSSING)
    elif style is Style.REST and wish.style is Style.CROSS:
        wish = rest(seen, qty, Why.SLICE_RESTING, wish.wake_ns)
    if wish.px is None:
        return wish
    kept = wish.style is Style.REST and view.working is not None
    if qty <= ZERO or (view.instrument.is_dust(qty, wish.px) and not kept):
        # A resting order too small to be placed anew stays: nothing could take its place.
        return plain if plain.qty <= qty else wait(Why.BELOW_MINIMUM, wish.wake_ns)
    return replace(wish, qty=qty)


def _within(view: View, plain: Decision, wish: Decision, directive: Directive, band: Band) -> Quantity:
    """Cut a quantity to what a slice may do, to what is left and to what is advised, and leave no dust behind it."""
    piece = slice_in_force(view)
    assert piece is not None
    room = band.slice_times_max * piece.qty - (view.cum_qty - view.slice_base_qty)
    most = min(max(room, plain.qty), view.leaves_qty)
    cap = qty_cap(directive, band, view)
    qty = view.instrument.round_qty(max(min(wish.qty, most, *([] if cap is None else [cap])), ZERO))
    if qty == plain.qty:
        return qty
    assert wish.px is not None
    return _without_dust(view, qty, plain.qty, wish.px)


def _without_dust(view: View, qty: Quantity, plain_qty: Quantity, px: Price) -> Quantity:
    """Leave nothing behind that could not be ordered later; where that can not be, take the schedule's own quantity.

    A schedule's slices are never smaller than the venue accepts. Less than the schedule wants must leave enough of
    it for another child in this slice; more must stop early enough before the next target to leave it within reach.
    """
    least = view.instrument.smallest_qty(px)
    if qty < plain_qty:
        less = min(qty, view.instrument.round_qty(plain_qty - least))
        return less if less >= least else plain_qty
    slices = view.schedule.slices
    index = bisect_left(slices, view.cum_qty + qty, key=_TARGET_QTY)
    if index == len(slices):
        return qty
    gap = slices[index].target_qty - view.cum_qty - qty
    if gap == ZERO or gap >= least:
        return qty
    less = view.instrument.round_qty(qty + gap - least)
    return less if less >= max(least, plain_qty) else plain_qty


def switched(view: View, order: ParentOrder, strategy: Strategy) -> Schedule | None:
    """Plan what is left by another strategy; None if that would leave something that can not be ordered later.

    The new plan starts from the quantity that the old one has at this instant, not from what is filled: lead and lag
    are carried over, so that switching again and again leads nowhere. A lag is carried only as far as the new slices
    can make it up: with m = catch-up multiple and b the start, b - filled <= (m - 1)(Q - b). It never starts below both
    what is filled and where the old plan is.

    Parameters
    ----------
    order
        The order with its new strategy.
    """
    old = view.schedule
    if slice_in_force(view) is None:
        return None
    times = catch_up_times(order)
    rounding = ZERO if times % ONE == ZERO else view.instrument.qty_step * len(old.slices)
    start = (view.cum_qty + (times - ONE) * order.order_qty) / times - rounding
    most = min(max(start, view.cum_qty), old.pro_rata_qty(view.now_ns))
    start_qty = view.instrument.round_qty(Quantity(most))
    new = strategy.plan(
        order=order,
        instrument=view.instrument,
        reference_px=view.market.mid_px,
        start_ns=view.now_ns,
        end_ns=old.slices[-1].end_ns,
        cum_qty=start_qty,
    )
    index = bisect_left(new.slices, view.cum_qty, key=_TARGET_QTY)
    if index == len(new.slices):
        return None
    gap = new.slices[index].target_qty - view.cum_qty
    return new if gap == ZERO or not view.instrument.is_dust(gap, view.market.mid_px) else None
