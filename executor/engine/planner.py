"""Making a strategy's wish so: at most one child at work, exact quantities, never more than is left.

The planner compares what should be working with what is, and asks for the difference. Asked twice with
the same answer it does nothing the second time. Every order goes through the gate; conservation is
asserted here as well, so that two rooms would have to be wrong at once.
"""

from dataclasses import replace
from decimal import Decimal

from executor.domain.approval import Approved
from executor.domain.commands import AlertCode, PlaceOrder, RefuseOrder, Severity
from executor.domain.decision import Decision, Style, View, Working
from executor.domain.errors import InvariantViolation
from executor.domain.order_state import ChildStatus
from executor.domain.orders import NewOrder, TimeInForce, client_order_id
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_MS, NS_PER_S, utc_day
from executor.domain.units import ZERO, Price, Quantity
from executor.engine.desk import Desk
from executor.engine.ledger import day_notional, day_pnl, open_notional, same_side_open_qty
from executor.engine.markets import expected_volume_qty, mean_mid_px, volatility_pct
from executor.engine.state import ChildState, EngineState, ParentState, ledger_key, market_key, worst_case_qty
from executor.engine.throttle import count_order, count_since
from risk.gate import GateView, Refused, judge, size_cap
from risk.refusals import RefusalCode

RESTS_PER_SLICE_MAX = 10
_REFUSAL_WAIT_MAX_S = 16
_IN_FORCE = {Style.REST: TimeInForce.POST_ONLY, Style.CROSS: TimeInForce.IOC}


def working_of(state: EngineState, parent: ParentState) -> Working | None:
    """The child at work, as a strategy may see it."""
    for name in parent.live:
        child = state.children[name]
        if not child.is_final:
            return Working(style=child.style, px=child.order.px, leaves_qty=child.open_qty)
    return None


def realise(desk: Desk, parent: ParentState, view: View, decision: Decision) -> None:
    """Bring what is working to what should be."""
    desk.set_timer(f"parent:{parent.order.parent_id}", max(decision.wake_ns, desk.now_ns + NS_PER_MS))
    if parent.live:
        _adjust(desk, parent, view, decision)
        return
    if decision.style is Style.WAIT or decision.px is None:
        parent.waiting = (decision.why.value,)
        return
    earliest_ns = max(_gap_end_ns(desk.state, parent), parent.retry_ns)
    if desk.now_ns < earliest_ns:
        if parent.retry_ns < earliest_ns:
            parent.waiting = (RefusalCode.ORDER_GAP.value,)
        desk.set_timer(f"parent:{parent.order.parent_id}", earliest_ns)
        return
    _place(desk, parent, decision, decision.px)


def gate_view(state: EngineState, parent: ParentState) -> GateView:
    """Collect what the gate may look at."""
    order = parent.order
    market = state.markets.get(market_key(order.category, order.symbol))
    ledger = state.ledgers.get(ledger_key(order.category, order.symbol, order.position_idx))
    return GateView(
        now_ns=state.now_ns,
        latched=state.latched,
        halt_epoch=state.halt_epoch,
        draining=state.draining,
        reconciled=state.reconciled.get(order.category.value, False),
        private_live=state.private_live,
        public_live=state.public_live,
        blocked=market.blocked if market else "",
        parent=order,
        instrument=market.instrument if market else None,
        market=market.snapshot if market else None,
        book_ns=market.book_ns if market else None,
        benchmark_px=mean_mid_px(state, market) if market else None,
        volatility_hourly_pct=volatility_pct(state, market) if market else None,
        expected_volume_qty=expected_volume_qty(state, market, order.params.interval_s) if market else None,
        parent_worst_case_qty=worst_case_qty(state, parent),
        parent_ordered_qty=parent.ordered_qty - parent.ordered_at_rearm_qty,
        parent_children=len(parent.children) - parent.children_at_rearm,
        parent_last_order_ns=parent.last_order_ns,
        orders_last_s=count_since(state, NS_PER_S),
        orders_last_min=count_since(state, 60 * NS_PER_S),
        orders_day=state.orders_day if state.day == utc_day(state.now_ns) else 0,
        children_last_hour=count_since(state, 3_600 * NS_PER_S),
        position_qty=ledger.position_qty if ledger else None,
        same_side_open_qty=same_side_open_qty(state, order),
        open_notional=open_notional(state),
        day_notional=day_notional(state),
        day_pnl=day_pnl(state),
    )


def _adjust(desk: Desk, parent: ParentState, view: View, decision: Decision) -> None:
    """A child is still reserved: keep it, cancel it, or wait for proof. Never a second one beside it."""
    child = desk.state.children[parent.live[0]]
    parent.waiting = (decision.why.value,)
    if child.is_final or child.status in {ChildStatus.UNKNOWN, ChildStatus.PENDING_CANCEL}:
        parent.waiting = (f"CHILD_{child.status}",)
        return
    if child.status is ChildStatus.PENDING_NEW or child.style is Style.CROSS:
        return  # a cancel could overtake the create; an IOC ends by itself
    if child.open_qty > decision.qty and decision.style is not Style.WAIT:
        desk.cancel(child, "less is wanted")
    elif decision.style is Style.WAIT:
        desk.cancel(child, decision.why.value)
    elif not _is_as_wanted(desk, parent, view, child, decision):
        gap_end_ns = _gap_end_ns(desk.state, parent)
        if decision.style is Style.REST:
            gap_end_ns = max(gap_end_ns, _patience_end_ns(parent, child))
        if desk.now_ns >= gap_end_ns:
            desk.cancel(child, decision.why.value)
        else:  # its successor could not be sent yet: the old order is better than none
            desk.set_timer(f"parent:{parent.order.parent_id}", gap_end_ns)


def _is_as_wanted(desk: Desk, parent: ParentState, view: View, child: ChildState, decision: Decision) -> bool:
    """Whether a successor, cut to what the size limits allow once this child is gone, would be no improvement."""
    if child.style is not decision.style or child.order.px != decision.px:
        return False
    look = gate_view(desk.state, parent)
    open_notional = ZERO if look.open_notional is None else look.open_notional
    without = replace(
        look,
        parent_worst_case_qty=look.parent_worst_case_qty - child.open_qty,
        same_side_open_qty=look.same_side_open_qty - child.open_qty,
        open_notional=open_notional - child.open_qty * child.order.px,
    )
    cap = size_cap(without, desk.state.limits, parent.order.side, child.order.px)
    return view.instrument.is_dust(min(decision.qty, cap) - child.open_qty, child.order.px)


def _patience_end_ns(parent: ParentState, child: ChildState) -> int:
    """Until when a resting order does not follow the touch: a tenth of a slice.

    It keeps what is ordered for a slice within about ten times its size, however much the touch moves.
    """
    return child.created_ns + parent.order.params.interval_s * NS_PER_S // RESTS_PER_SLICE_MAX


def _gap_end_ns(state: EngineState, parent: ParentState) -> int:
    if not parent.last_order_ns:
        return 0
    return parent.last_order_ns + int(state.limits.order_gap_s_min * NS_PER_S)


def _place(desk: Desk, parent: ParentState, decision: Decision, px: Price) -> None:
    state = desk.state
    look = gate_view(state, parent)
    cap = size_cap(look, state.limits, parent.order.side, px)
    # A cap below the venue's minimum means that a size limit is used up, or unknown; the gate then names it.
    usable = look.instrument is not None and not look.instrument.is_dust(cap, px)
    qty = Quantity(min(decision.qty, cap)) if usable else decision.qty
    child_no = len(parent.children) + 1
    order = NewOrder(
        client_order_id=client_order_id(state.instance, parent.order.parent_no, child_no),
        parent_id=parent.order.parent_id,
        category=parent.order.category,
        symbol=parent.order.symbol,
        side=parent.order.side,
        qty=qty,
        px=px,
        time_in_force=_IN_FORCE[decision.style],
        reduce_only=parent.order.reduce_only,
        position_idx=parent.order.position_idx,
    )
    verdict = judge(order, look, state.limits, state.tickets + 1)
    if isinstance(verdict, Refused):
        _refused(desk, parent, order, verdict)
    else:
        _approved(desk, parent, decision, verdict)


def _approved(desk: Desk, parent: ParentState, decision: Decision, approved: Approved[NewOrder]) -> None:
    state = desk.state
    order = approved.order
    if worst_case_qty(state, parent) + order.qty > parent.order.order_qty:
        raise InvariantViolation(
            f"{order.client_order_id}: {order.qty} more would exceed {parent.order.order_qty} of the parent"
        )
    if order.client_order_id in state.children:
        raise InvariantViolation(f"{order.client_order_id} was used before")
    state.tickets = approved.ticket
    count_order(state)
    snapshot = state.markets[market_key(order.category, order.symbol)].snapshot
    state.children[order.client_order_id] = ChildState(
        order=order,
        style=decision.style,
        status=ChildStatus.PENDING_NEW,
        created_ns=desk.now_ns,
        sent_ns=desk.now_ns,
        arrival_mid_px=snapshot.mid_px if snapshot else order.px,
    )
    parent.children.append(order.client_order_id)
    parent.live.append(order.client_order_id)
    parent.ordered_qty += order.qty
    parent.last_order_ns = desk.now_ns
    parent.refusals_in_row = 0
    parent.waiting = (decision.why.value,)
    desk.children[order.client_order_id] = None
    desk.parents[order.parent_id] = None
    desk.out.append(PlaceOrder(approved=approved))
    if parent.status is ParentStatus.ACTIVE:
        desk.move_parent(parent, ParentStatus.EXECUTING, Reason.CHILD_SENT)


def _refused(desk: Desk, parent: ParentState, order: NewOrder, refused: Refused) -> None:
    state = desk.state
    codes = tuple(code.value for code in refused.codes)
    wait_s: Decimal = min(
        Decimal(state.timings.refusal_wait_s * 2**parent.refusals_in_row), Decimal(_REFUSAL_WAIT_MAX_S)
    )
    parent.refusals_in_row = min(parent.refusals_in_row + 1, 8)
    parent.retry_ns = desk.now_ns + int(wait_s * NS_PER_S)
    parent.waiting = codes
    desk.parents[parent.order.parent_id] = None
    desk.set_timer(f"parent:{parent.order.parent_id}", parent.retry_ns)
    desk.out.append(
        RefuseOrder(
            parent_id=parent.order.parent_id,
            client_order_id=order.client_order_id,
            codes=codes,
            detail=refused.detail,
        )
    )
    if {RefusalCode.REPEAT_PARENT, RefusalCode.REPEAT_HOUR} & set(refused.codes):
        desk.alert(Severity.CRITICAL, AlertCode.REPEAT_THROTTLE, parent.order.parent_id, ", ".join(codes))
        desk.move_parent(parent, ParentStatus.PAUSED, Reason.REPEAT_THROTTLE)
