"""Percentage of volume: a share of what the market trades, slice after slice, never ahead of it."""

from decimal import Decimal
from typing import Final

from executor.domain.decision import View
from executor.domain.units import ONE, ZERO, Quantity
from strategies.sizing import joined
from strategies.twap import Twap

PARTICIPATION: Final = Decimal("0.1")
"""Share of the market's volume of an order that says nothing else."""


class Pov(Twap):
    """In each slice what the volume until its start calls for, worked like a slice of any schedule.

    With p the share and V what others have traded since the plan was made, p / (1 - p) V should be filled: then the
    order's part of everything traded is p. Its own trades are in the public volume and are taken out of it first. A
    slice is as far behind the market as it is long. The plan is even: a measure of progress that is not followed.
    """

    def wanted(self, view: View, index: int) -> Quantity:
        """What is due and not filled; at most `catch_up_max` times what the slice before calls for, once without it."""
        due = due_qty(view) - view.cum_qty
        params = view.order.params
        times = params.catch_up_max if params.catch_up else ONE
        own_share = times * _share(view) * (view.last_slice_market_qty or ZERO)
        done_in_slice = view.cum_qty - view.slice_base_qty
        return joined(view, min(due, own_share - done_in_slice), view.market.mid_px)


def due_qty(view: View) -> Decimal:
    """What the volume until the slice in force began calls for, base units; unknown volume calls for nothing."""
    base = view.schedule.base_qty
    if view.plan_market_qty is None or view.slice_market_qty is None:
        return base
    own = view.slice_base_qty - base
    others: Decimal = view.plan_market_qty - view.slice_market_qty - own
    share = _share(view)
    return base + share / (ONE - share) * max(others, ZERO)


def _share(view: View) -> Decimal:
    share = view.order.params.participation
    return PARTICIPATION if share is None else share
