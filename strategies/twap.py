"""Time-weighted average price: equal slices over the duration, each worked passively first."""

from decimal import Decimal

from executor.domain.decision import Decision, Schedule, View, Why
from executor.domain.instrument import Instrument
from executor.domain.orders import ParentOrder
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ONE, ZERO, Price, Quantity
from strategies.placement import cross, rest, rest_until_ns, wait
from strategies.schedule import Shape, make_schedule, plan_seed


class Twap:
    """Slices of one size. `wanted_qty` below decides the size of what a slice sends.

    Other schedules are the same but for the shape in which the slices add up to the whole.
    """

    def shape(self, order: ParentOrder, start_ns: int, end_ns: int) -> Shape | None:
        """Share of the quantity that should be done after each share of the interval; None is evenly."""
        return None

    def plan(
        self,
        *,
        order: ParentOrder,
        instrument: Instrument,
        reference_px: Price,
        start_ns: int,
        end_ns: int,
        cum_qty: Quantity,
    ) -> Schedule:
        """Cut what is left of the order into slices of about `interval_s` over the interval."""
        params = order.params
        return make_schedule(
            instrument=instrument,
            reference_px=reference_px,
            start_ns=start_ns,
            end_ns=end_ns,
            base_qty=cum_qty,
            total_qty=Quantity(max(order.order_qty - cum_qty, ZERO)),
            slices=max(1, round((end_ns - start_ns) / (params.interval_s * NS_PER_S))),
            randomize_size_pct=params.randomize_size_pct,
            randomize_timing_pct=params.randomize_timing_pct,
            seed=plan_seed(order.seed, start_ns),
            shape=self.shape(order, start_ns, end_ns),
        )

    def wanted(self, view: View, index: int) -> Quantity:
        """Quantity that should be open now for a slice."""
        return wanted_qty(view, index)

    def turn_ns(self, view: View, index: int) -> int:
        """Instant at which a slice stops resting and takes what it still wants."""
        piece = view.schedule.slices[index]
        return rest_until_ns(view, piece.start_ns, piece.end_ns)

    def revise(self, view: View) -> Schedule | None:
        """Leave the plan as it is: time alone decides."""
        return None

    def decide(self, view: View) -> Decision:
        """Work the slice in force: rest, follow the touch, take the rest when its resting time is over."""
        schedule = view.schedule
        if not schedule.slices:
            return wait(Why.BELOW_MINIMUM, view.order.deadline_ns)
        index = schedule.slice_at(view.now_ns)
        if index < 0:
            return wait(Why.BEFORE_START, schedule.slices[0].start_ns)
        piece = schedule.slices[index]
        if view.now_ns >= piece.end_ns:
            return wait(Why.AFTER_END, view.order.deadline_ns)
        qty = self.wanted(view, index)
        if qty <= ZERO:
            return wait(Why.ON_SCHEDULE, piece.end_ns)
        turn_ns = self.turn_ns(view, index)
        resting = view.now_ns < turn_ns
        wish = (
            rest(view, qty, Why.SLICE_RESTING, turn_ns) if resting else cross(view, qty, Why.SLICE_CROSSING)
        )
        dust = wish.px is not None and view.instrument.is_dust(qty, wish.px)
        if dust and not (resting and view.working is not None):
            return wait(Why.BELOW_MINIMUM, piece.end_ns)
        return wish


def wanted_qty(view: View, index: int, ahead_qty: Decimal = ZERO) -> Quantity:
    """Quantity that should be open now for the slice in force; the size of a slice is decided here.

    With catch-up it is everything the schedule is behind, at most `catch_up_max` slices' worth; without, what
    is left of this slice alone. It is never more than is left of the order.

    Parameters
    ----------
    ahead_qty
        How much more is asked for, as if that much less of the order were filled, base units, >= 0.
    """
    piece = view.schedule.slices[index]
    behind: Decimal = piece.target_qty - view.cum_qty
    done_in_slice = view.cum_qty - view.slice_base_qty
    times = view.order.params.catch_up_max if view.order.params.catch_up else ONE
    qty = min(ahead_qty + min(behind, times * piece.qty - done_in_slice), view.leaves_qty)
    return view.instrument.round_qty(max(qty, ZERO))
