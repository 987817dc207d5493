"""Working a parent: asking its strategy, or the residual rule once the time is up, and making it so."""

from dataclasses import replace
from decimal import Decimal

from executor.domain.decision import Decision, View, Why
from executor.domain.orders import ResidualRule
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, Price, Quantity
from executor.engine.advice import consider
from executor.engine.bounds import bound
from executor.engine.desk import Desk
from executor.engine.markets import market_of
from executor.engine.plan_preview import predicted
from executor.engine.planner import realise
from executor.engine.route_legs import leg_schedule
from executor.engine.state import MarketState, ParentState
from executor.engine.steering import steer, switched
from executor.engine.viewing import view_of
from executor.engine.worth import count_due
from strategies.base import strategy_of
from strategies.placement import cross, wait
from strategies.sizing import capped


def _replan(desk: Desk, parent: ParentState, mid: Price) -> None:
    market = market_of(desk, parent)
    assert market.instrument is not None
    count_due(parent, desk.now_ns)
    if parent.forecast is not None and not parent.forecast.at_ns:
        parent.forecast = predicted(desk.state, market, parent.order, parent.forecast, desk.now_ns)
    if parent.route_id:
        parent.schedule = leg_schedule(desk.state, parent)
        _plan_begins(desk, parent)
        return
    start_ns = max(desk.now_ns, parent.order.start_ns)
    parent.schedule = strategy_of(parent.order).plan(
        order=parent.order,
        instrument=market.instrument,
        reference_px=mid,
        start_ns=start_ns,
        end_ns=max(parent.order.deadline_ns, start_ns),
        cum_qty=Quantity(parent.cum_qty),
    )
    _plan_begins(desk, parent)


def _plan_begins(desk: Desk, parent: ParentState) -> None:
    parent.slice_no = -1
    parent.plan_market_base_qty = parent.benchmarks.market_qty
    parent.replan = False
    desk.parents[parent.order.parent_id] = None
    bound(desk, parent)


def work(desk: Desk, parent: ParentState) -> None:
    """Ask the strategy, or the residual rule once the time is up, and make it so."""
    market = market_of(desk, parent)
    assert market.snapshot is not None
    assert market.instrument is not None
    if parent.replan or parent.schedule is None:
        _replan(desk, parent, market.snapshot.mid_px)
    assert parent.schedule is not None
    index = parent.schedule.slice_at(desk.now_ns)
    begins = index != parent.slice_no
    if begins:
        _begin_slice(parent, index)
    view = view_of(desk, parent)
    assert view is not None
    if begins:
        view = _revise(desk, parent, view)
    late = desk.now_ns >= parent.order.deadline_ns and parent.order.residual is ResidualRule.CROSS
    decision = _residual(view) if late else _scheduled(desk, parent, view)
    realise(desk, parent, view, capped(view, decision))
    _watch_clock(desk, parent, market)


def _begin_slice(parent: ParentState, index: int) -> None:
    """Remember where a slice begins: what is filled, and what the market has traded."""
    market_qty = parent.benchmarks.market_qty
    follows = parent.slice_no >= 0 and index == parent.slice_no + 1
    parent.last_slice_market_qty = market_qty - parent.slice_market_base_qty if follows else ZERO
    parent.slice_market_base_qty = market_qty
    parent.slice_no = index
    parent.slice_base_qty = parent.cum_qty


def _revise(desk: Desk, parent: ParentState, view: View) -> View:
    """Let the strategy divide the rest of its plan anew as a slice begins: at most once for each, whole and end stay.

    What advice can do at most was told when the plan was made, with all that is left as the bound of an order whose
    plan the market may change (`keeps_schedule`): it holds of the new one as well. The plan's quantity at this instant
    stays, so that no lag or lead of advice is lost or found.
    """
    old, index = view.schedule, parent.slice_no
    new = strategy_of(parent.order).revise(view) if index >= 0 else None
    if new is None:
        return view
    assert (new.base_qty, new.slices[:index]) == (old.base_qty, old.slices[:index])
    assert new.slices[-1].target_qty == old.slices[-1].target_qty
    assert [(one.start_ns, one.end_ns) for one in new.slices] == [
        (one.start_ns, one.end_ns) for one in old.slices
    ]
    count_due(parent, desk.now_ns)
    parent.schedule = new
    desk.parents[parent.order.parent_id] = None
    shown = view_of(desk, parent)
    assert shown is not None
    return shown


def _scheduled(desk: Desk, parent: ParentState, view: View) -> Decision:
    """What the strategy wants, or what a model's advice makes of it within the band."""
    directive = consider(desk, parent, view)
    if parent.advice is not None and parent.advice.switch_to:
        if desk.state.adviser is not None and desk.now_ns < parent.advice.switch_until_ns:
            view = _switch(desk, parent, view, parent.advice.switch_to)
        parent.advice.switch_to = ""
    strategy = strategy_of(view.order)
    if directive is None or desk.state.adviser is None:
        decision = strategy.decide(view)
    else:
        decision, _ = steer(view, strategy, directive, desk.state.adviser.band)
    deadline_ns = view.order.deadline_ns
    return decision if decision.wake_ns <= deadline_ns else replace(decision, wake_ns=deadline_ns)


def _switch(desk: Desk, parent: ParentState, view: View, name: str) -> View:
    """Plan what is left by another strategy, unless that would leave something that cannot be ordered."""
    order = replace(parent.order, strategy=name)
    schedule = switched(view, order, strategy_of(order))
    if schedule is None:
        return view
    count_due(parent, desk.now_ns)
    parent.order, parent.schedule = order, schedule
    parent.slice_no = -1
    parent.plan_market_base_qty = parent.benchmarks.market_qty
    _begin_slice(parent, schedule.slice_at(desk.now_ns))
    desk.parents[order.parent_id] = None
    bound(desk, parent)
    shown = view_of(desk, parent)
    assert shown is not None
    return shown


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
