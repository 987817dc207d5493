"""What a strategy is shown of a parent, collected from what the engine remembers."""

from executor.domain.decision import View, Working
from executor.domain.units import Price, Quantity
from executor.engine.desk import Desk
from executor.engine.markets import market_of
from executor.engine.signals import signals_of
from executor.engine.state import EngineState, ParentState


def view_of(desk: Desk, parent: ParentState) -> View | None:
    """The view of this instant; None before there are a schedule, the rules of the symbol and a book."""
    market = market_of(desk, parent)
    if market.snapshot is None or market.instrument is None or parent.schedule is None:
        return None
    market_qty = parent.benchmarks.market_qty
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
        market_qty=Quantity(market_qty),
        plan_market_qty=Quantity(market_qty - parent.plan_market_base_qty),
        slice_market_qty=Quantity(market_qty - parent.slice_market_base_qty),
        last_slice_market_qty=Quantity(parent.last_slice_market_qty),
        arrival_px=None if parent.arrival_px is None else Price(parent.arrival_px),
        reprices=parent.reprices,
        signals=signals_of(desk.state, parent.order, market),
    )


def working_of(state: EngineState, parent: ParentState) -> Working | None:
    """The child at work, as a strategy may see it."""
    for name in parent.live:
        child = state.children[name]
        if not child.is_final:
            return Working(
                style=child.style,
                px=child.order.px,
                leaves_qty=child.open_qty,
                queue_ahead_qty=child.queue_ahead_qty if child.queue_px == child.order.px else None,
            )
    return None
