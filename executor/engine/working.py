"""Working a parent: asking its strategy, or the residual rule once the time is up, and making it so."""

from dataclasses import replace
from decimal import Decimal

from executor.domain.decision import Decision, View, Why
from executor.domain.orders import ResidualRule
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, Price, Quantity
from executor.engine.desk import Desk
from executor.engine.markets import market_of
from executor.engine.planner import realise, working_of
from executor.engine.state import MarketState, ParentState
from strategies.base import STRATEGIES
from strategies.placement import cross, wait


def _replan(desk: Desk, parent: ParentState, mid: Price) -> None:
    market = market_of(desk, parent)
    assert market.instrument is not None
    start_ns = max(desk.now_ns, parent.order.start_ns)
    parent.schedule = STRATEGIES[parent.order.strategy].plan(
        order=parent.order,
        instrument=market.instrument,
        reference_px=mid,
        start_ns=start_ns,
        end_ns=max(parent.order.deadline_ns, start_ns),
        cum_qty=Quantity(parent.cum_qty),
    )
    parent.slice_no = -1
    parent.replan = False
    desk.parents[parent.order.parent_id] = None


def work(desk: Desk, parent: ParentState) -> None:
    """Ask the strategy, or the residual rule once the time is up, and make it so."""
    market = market_of(desk, parent)
    assert market.snapshot is not None
    assert market.instrument is not None
    if parent.replan or parent.schedule is None:
        _replan(desk, parent, market.snapshot.mid_px)
    assert parent.schedule is not None
    index = parent.schedule.slice_at(desk.now_ns)
    if index != parent.slice_no:
        parent.slice_no = index
        parent.slice_base_qty = parent.cum_qty
    view = View(
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
    late = desk.now_ns >= parent.order.deadline_ns and parent.order.residual is ResidualRule.CROSS
    decision = _residual(view) if late else _scheduled(view)
    realise(desk, parent, view, decision)
    _watch_clock(desk, parent, market)


def _scheduled(view: View) -> Decision:
    decision = STRATEGIES[view.order.strategy].decide(view)
    deadline_ns = view.order.deadline_ns
    return decision if decision.wake_ns <= deadline_ns else replace(decision, wake_ns=deadline_ns)


def _residual(view: View) -> Decision:
    """After the deadline only the rule CROSS still works: take what is left, as far as the limits allow."""
    leaves = view.instrument.round_qty(view.leaves_qty)
    if leaves == ZERO:
        return wait(Why.AFTER_END, view.now_ns + NS_PER_S)
    return cross(view, leaves, Why.RESIDUAL_CROSSING)


def _watch_clock(desk: Desk, parent: ParentState, market: MarketState) -> None:
    """Wake up when the book would turn stale; each new book moves that instant on."""
    assert market.book_ns is not None
    stale_ns: Decimal = market.book_ns + desk.state.limits.reference_age_s_max * NS_PER_S
    desk.set_timer(f"parent:{parent.order.parent_id}", int(stale_ns) + 1)
