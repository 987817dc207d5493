"""The plan of a strategy that has none in time: everything that is left, any time until the end."""

from executor.domain.decision import Decision, Schedule, View, Why
from executor.domain.instrument import Instrument
from executor.domain.orders import ParentOrder
from executor.domain.units import ZERO, Price, Quantity
from strategies.placement import wait
from strategies.schedule import make_schedule


class Whole:
    """One slice. What is done evenly in it is only a measure of progress."""

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
        """Put everything that is left into one slice."""
        return make_schedule(
            instrument=instrument,
            reference_px=reference_px,
            start_ns=start_ns,
            end_ns=end_ns,
            base_qty=cum_qty,
            total_qty=Quantity(max(order.order_qty - cum_qty, ZERO)),
            slices=1,
            randomize_size_pct=0,
            randomize_timing_pct=0,
            seed=f"{order.seed}:{start_ns}",
        )

    def revise(self, view: View) -> Schedule | None:
        """Leave the plan as it is: there is nothing in it to divide."""
        return None


def idle(view: View) -> Decision | None:
    """Why nothing can be done now; None while the slice is in force and something is left that can be ordered."""
    slices = view.schedule.slices
    if not slices:
        return wait(Why.BELOW_MINIMUM, view.order.deadline_ns)
    if view.now_ns < slices[0].start_ns:
        return wait(Why.BEFORE_START, slices[0].start_ns)
    if view.now_ns >= slices[-1].end_ns:
        return wait(Why.AFTER_END, view.order.deadline_ns)
    left = view.instrument.round_qty(view.leaves_qty)
    if left <= ZERO or (view.working is None and view.instrument.is_dust(left, view.market.mid_px)):
        return wait(Why.BELOW_MINIMUM, slices[-1].end_ns)
    return None
