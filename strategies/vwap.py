"""Volume-weighted average price: the speed follows how much the market usually trades at each hour of the week.

A plan is made by the curve alone. At the start of every slice it is held against what the market has traded since, own
trades left out, and divided anew where that makes a difference (`strategies.volume_correction`).
"""

from executor.domain.decision import Schedule, View
from executor.domain.orders import ParentOrder
from executor.domain.units import ZERO
from strategies.schedule import Shape, divided_anew, plan_seed
from strategies.twap import Twap
from strategies.volume_correction import corrected
from strategies.volume_curve import USUAL_CURVE, Expected


class Vwap(Twap):
    """Slices in proportion to the volume expected in them."""

    def shape(self, order: ParentOrder, start_ns: int, end_ns: int) -> Shape | None:
        """Cumulative expected volume of the interval; None of one so short that none can be told."""
        expected = wanted_volume(order)
        whole = expected.between(start_ns, end_ns)
        if whole <= 0.0:
            return None

        def upto(share: float) -> float:
            return expected.between(start_ns, start_ns + round((end_ns - start_ns) * share)) / whole

        return upto

    def revise(self, view: View) -> Schedule | None:
        """Divide what is left anew by what the market has traded since the plan was made; None leaves it.

        It takes a curve that knows how much the market usually trades.
        """
        schedule, index = view.schedule, view.schedule.slice_at(view.now_ns)
        curve = view.order.params.curve
        if index < 1 or view.plan_market_qty is None or curve is None or curve.week_qty is None:
            return None
        start_ns, now_ns = schedule.slices[0].start_ns, schedule.slices[index].start_ns
        own_qty = max(view.cum_qty - schedule.base_qty, ZERO)
        others_qty = float(view.plan_market_qty - own_qty)
        volume, wanted = Expected(curve), wanted_volume(view.order)
        had, wanted_had = volume.between(start_ns, now_ns), wanted.between(start_ns, now_ns)
        usual = [wanted.between(one.start_ns, one.end_ns) for one in schedule.slices]
        if others_qty < 0.0 or had <= 0.0 or min(usual) <= 0.0:
            return None
        level = (others_qty / had + float(curve.week_qty)) / 2.0
        plan_qty = schedule.slices[-1].target_qty - schedule.base_qty
        reached = float((schedule.slices[index - 1].target_qty - schedule.base_qty) / plan_qty)
        return divided_anew(
            schedule,
            index,
            corrected(
                usual, index, reached, others_qty * wanted_had / had, [level * part for part in usual[index:]]
            ),
            instrument=view.instrument,
            reference_px=view.market.mid_px,
            randomize_size_pct=view.order.params.randomize_size_pct,
            seed=plan_seed(view.order.seed, start_ns),
        )


def wanted_volume(order: ParentOrder) -> Expected:
    """Volume that an order goes by: that of its curve, weighed by session."""
    return Expected(order.params.curve or USUAL_CURVE, order.params.session_weights)
