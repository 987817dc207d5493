"""What a strategy is shown of a parent, collected from what the engine remembers."""

from executor.domain.decision import View, Working
from executor.domain.units import Quantity
from executor.engine.desk import Desk
from executor.engine.markets import market_of
from executor.engine.state import EngineState, ParentState


def view_of(desk: Desk, parent: ParentState) -> View | None:
    """The view of this instant; None before there are a schedule, the rules of the symbol and a book."""
    market = market_of(desk, parent)
    if market.snapshot is None or market.instrument is None or parent.schedule is None:
        return None
    return View(
        now_ns=desk.now_ns,
        order=parent.order,
        instrument=market.instrument,
        market=market.snapshot,
        schedule=parent.schedule,
        cum_qty=Quantity(parent.cum_qty),
        slice_base_qty=Quantity(parent.slice_base_qty),
        working=working_of(desk.state, parent),
        cross_spread_bps_max=desk.state.limits.cross_spread_bps_max,
        price_collar_bps_max=desk.state.limits.price_collar_bps_max,
    )


def working_of(state: EngineState, parent: ParentState) -> Working | None:
    """The child at work, as a strategy may see it."""
    for name in parent.live:
        child = state.children[name]
        if not child.is_final:
            return Working(style=child.style, px=child.order.px, leaves_qty=child.open_qty)
    return None
