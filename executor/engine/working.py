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
from executor.engine.planner import realise
from executor.engine.state import MarketState, ParentState
from executor.engine.steering import steer, switched
from executor.engine.viewing import view_of
from executor.engine.worth import count_due
from strategies.base import STRATEGIES
from strategies.placement import cross, wait


def _replan(desk: Desk, parent: ParentState, mid: Price) -> None:
    market = market_of(desk, parent)
    assert market.instrument is not None
    count_due(parent, desk.now_ns)
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
    if index != parent.slice_no:
        parent.slice_no = index
        parent.slice_base_qty = parent.cum_qty
    view = view_of(desk, parent)
    assert view is not None
    late = desk.now_ns >= parent.order.deadline_ns and parent.order.residual is ResidualRule.CROSS
    decision = _residual(view) if late else _scheduled(desk, parent, view)
    realise(desk, parent, view, decision)
    _watch_clock(desk, parent, market)


def _scheduled(desk: Desk, parent: ParentState, view: View) -> Decision:
    """What the strategy wants, or what a model's advice makes of it within the band."""
    directive = consider(desk, parent, view)
    if parent.advice is not None and parent.advice.switch_to:
        if desk.state.adviser is not None and desk.now_ns < parent.advice.switch_until_ns:
            view = _switch(desk, parent, view, parent.advice.switch_to)
        parent.advice.switch_to = ""
    strategy = STRATEGIES[view.order.strategy]
    if directive is None or desk.state.adviser is None:
        decision = strategy.decide(view)
    else:
        decision, _ = steer(view, strategy, directive, desk.state.adviser.band)
    deadline_ns = view.order.deadline_ns
    return decision if decision.wake_ns <= deadline_ns else replace(decision, wake_ns=deadline_ns)


def _switch(desk: Desk, parent: ParentState, view: View, name: str) -> View:
    """Plan what is left by another strategy, unless that would leave something that cannot be ordered."""
    order = replace(parent.order, strategy=name)
    schedule = switched(view, order, STRATEGIES[name])
    if schedule is None:
        return view
    count_due(parent, desk.now_ns)
    parent.order, parent.schedule = order, schedule
    parent.slice_no = schedule.slice_at(desk.now_ns)
    parent.slice_base_qty = parent.cum_qty
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
