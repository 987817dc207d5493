"""How far advice may carry an order from its schedule, and what of an accepted advice holds at an instant.

The schedule stays the measure. With S(t) its pro-rata quantity, a directive moves the quantity that should be filled by

    o(t) = clamp(o0 + (rate - 1) (S(t) - S(t0)), -behind_max, +ahead_max)

and everything else it wishes (waiting, resting, smaller children, a safer price) is a wish to be slower, which ends
where the band ends. Nothing here decides alone: the engine shifts what the strategy is shown, and the gate judges the
result like any other child.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from executor.domain.advice import Action
from executor.domain.advice_terms import Band
from executor.domain.decision import Schedule, Slice, Style, View
from executor.domain.orders import ParentOrder
from executor.domain.units import ONE, ZERO, Price, Quantity

_PCT = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """What an accepted advice changes, from when and until when.

    Parameters
    ----------
    decision_id
        Which question it answers.
    rate
        Speed relative to the schedule; zero for WAIT.
    start_ns, until_ns
        In force from the first instant until before the second, UTC.
    offset_qty
        o0: by how much it starts ahead (+) or behind (-) of the schedule, base units.
    child_qty_max
        Largest child while it may slow the order down, base units; None leaves it to the schedule.
    limit_px
        Worst price while it may slow the order down; more passive than the parent's. None leaves it.
    style
        How quantity should be working; None leaves it to the schedule.
    strategy
        Schedule to change to, once; None keeps the one in force.
    impact_adjustment
        Factor on the impact estimate.
    confidence
        0-1.
    """

    decision_id: str
    action: Action
    rate: Decimal
    start_ns: int
    until_ns: int
    offset_qty: Quantity
    child_qty_max: Quantity | None
    limit_px: Price | None
    style: Style | None
    strategy: str | None
    impact_adjustment: Decimal
    confidence: Decimal

    def in_force(self, at_ns: int) -> bool:
        """Whether it has begun and has not run out."""
        return self.start_ns <= at_ns < self.until_ns


def ahead_qty_max(band: Band, order: ParentOrder) -> Decimal:
    """How far ahead of the schedule advice may ask for, base units."""
    return band.ahead_pct_max * order.order_qty / _PCT


def behind_qty_max(band: Band, order: ParentOrder) -> Decimal:
    """How far behind the schedule advice may leave the order, base units."""
    return band.behind_pct_max * order.order_qty / _PCT


def catch_up_times(order: ParentOrder) -> Decimal:
    """Most that the schedule itself does in a slice, a multiple of the slice's quantity."""
    return order.params.catch_up_max if order.params.catch_up else ONE


def act_until_ns(band: Band, order: ParentOrder, schedule: Schedule) -> int:
    """Instant from which nothing may slow the order down any more; the schedule must have slices.

    Counted from the start of the order, not of the plan, so that making a plan anew does not move it.
    """
    end_ns = schedule.slices[-1].end_ns
    return order.start_ns + int((end_ns - order.start_ns) * band.act_until_pct / _PCT)


def slice_in_force(view: View) -> Slice | None:
    """The slice that the instant lies in; None before the first and after the last."""
    index = view.schedule.slice_at(view.now_ns)
    if index < 0 or view.now_ns >= view.schedule.slices[index].end_ns:
        return None
    return view.schedule.slices[index]


def make_up_qty(view: View) -> Decimal:
    """What the slices after the one in force can do beyond their own quantity, base units, >= 0.

    Each does at most m times its own (`catch_up_times`), so together (m - 1) times what is scheduled after this slice,
    whatever the shape of the schedule; less a step for each where m times a slice may have to be rounded down.
    """
    schedule = view.schedule
    index = schedule.slice_at(view.now_ns)
    times = catch_up_times(view.order)
    later: Decimal = schedule.slices[-1].target_qty - schedule.slices[index].target_qty
    lost = ZERO if times % ONE == ZERO else view.instrument.qty_step * (len(schedule.slices) - 1 - index)
    return max((times - ONE) * later - lost, ZERO)


def may_slow(band: Band, view: View) -> bool:
    """Whether the order may be slowed down at all at this instant.

    Not once `act_until` is over. In the first half of a slice it may: the second half can still do everything. In the
    second half only if the whole rest of the slice could be left to later slices, so that advice alone never keeps an
    order from being done by the end of its schedule.
    """
    piece = slice_in_force(view)
    if piece is None or view.now_ns >= act_until_ns(band, view.order, view.schedule):
        return False
    if view.now_ns < half_ns(piece):
        return True
    return piece.target_qty - view.cum_qty <= make_up_qty(view)


def is_binding(directive: Directive, band: Band, view: View) -> bool:
    """Whether its wishes to be slower hold: in force, allowed to slow, and not more than `behind_max` behind."""
    if not directive.in_force(view.now_ns) or not may_slow(band, view):
        return False
    behind: Decimal = view.schedule.pro_rata_qty(view.now_ns) - view.cum_qty
    return behind <= behind_qty_max(band, view.order)


def offset_qty(directive: Directive, band: Band, view: View, aim_ns: int) -> Quantity:
    """o(t) at an instant not before that of the view: by how much the schedule's target is moved, base units.

    Zero once the directive has run out. Never negative when the order may not be slowed down, and never more negative
    than what the slices after the one in force can make up.
    """
    if not directive.in_force(view.now_ns) or slice_in_force(view) is None:
        return Quantity(ZERO)
    schedule = view.schedule
    done: Decimal = schedule.pro_rata_qty(min(aim_ns, directive.until_ns)) - schedule.pro_rata_qty(
        directive.start_ns
    )
    wished = directive.offset_qty + (directive.rate - ONE) * done
    lowest = -min(behind_qty_max(band, view.order), make_up_qty(view)) if may_slow(band, view) else ZERO
    return Quantity(min(max(wished, lowest), ahead_qty_max(band, view.order)))


def qty_cap(directive: Directive, band: Band, view: View) -> Quantity | None:
    """Largest child that the advice wishes at this instant, base units; None if it wishes none or may not."""
    piece = slice_in_force(view)
    if directive.child_qty_max is None or piece is None or not is_binding(directive, band, view):
        return None
    return Quantity(max(directive.child_qty_max, band.slice_times_min * piece.qty))


def limit_px(directive: Directive, band: Band, view: View) -> Price | None:
    """Worst price at this instant: the parent's, or the advised one where that is more passive and may bind."""
    limit, advised = view.order.limit_px, directive.limit_px
    if advised is None or not is_binding(directive, band, view):
        return limit
    if limit is not None and view.order.side.sign * (advised - limit) > ZERO:
        return limit
    return advised


def style_of(directive: Directive, band: Band, view: View) -> Style | None:
    """How quantity should be working at this instant; None leaves it to the schedule.

    Crossing holds while the directive is in force; waiting and resting only while it may slow the order down.
    """
    if directive.style is Style.CROSS:
        return Style.CROSS if directive.in_force(view.now_ns) else None
    return directive.style if is_binding(directive, band, view) else None


def changes_ns(directive: Directive, band: Band, view: View) -> int:
    """Next instant at which what holds of a directive may change though nothing fills; a slice must be in force."""
    piece = slice_in_force(view)
    assert piece is not None
    turns = [piece.end_ns, directive.until_ns, act_until_ns(band, view.order, view.schedule), half_ns(piece)]
    beyond: Decimal = piece.target_qty - view.cum_qty - behind_qty_max(band, view.order)
    if ZERO < beyond <= piece.qty:  # within this slice the schedule gets further ahead than it may
        share = ONE - beyond / piece.qty
        passed = (share * (piece.end_ns - piece.start_ns)).to_integral_value(ROUND_CEILING)
        turns.append(piece.start_ns + int(passed) + 1)
    return min(turn for turn in turns if turn > view.now_ns)


def half_ns(piece: Slice) -> int:
    """Middle of a slice."""
    return (piece.start_ns + piece.end_ns) // 2
