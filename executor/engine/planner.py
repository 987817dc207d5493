"""Making a strategy's wish so: at most one child at work, exact quantities, never more than is left.

The planner compares what should be working with what is, and asks for the difference. Asked twice with
the same answer it does nothing the second time. Every order goes through the gate; conservation is
asserted here as well, so that two rooms would have to be wrong at once.
"""

from executor.domain.approval import Approved
from executor.domain.commands import PlaceOrder
from executor.domain.decision import Decision, Style, View
from executor.domain.errors import InvariantViolation
from executor.domain.order_state import ChildStatus
from executor.domain.orders import NewOrder, TimeInForce, client_order_id
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import ZERO, Price, Quantity
from executor.engine.algo import keep_or_stop, place_algo
from executor.engine.amending import amend, refused
from executor.engine.desk import Desk
from executor.engine.moment import gate_view, gate_view_without
from executor.engine.route_legs import check_within_route
from executor.engine.state import ChildState, EngineState, ParentState, market_key, worst_case_qty
from executor.engine.throttle import count_order
from executor.engine.turns import join, leave, turn_ns
from risk.gate import Refused, judge, size_cap
from risk.refusals import RefusalCode

RESTS_PER_SLICE_MAX = 10
_IN_FORCE = {Style.REST: TimeInForce.POST_ONLY, Style.CROSS: TimeInForce.IOC}


def realise(desk: Desk, parent: ParentState, view: View, decision: Decision) -> None:
    """Bring what is working to what should be."""
    desk.set_timer(f"parent:{parent.order.parent_id}", max(decision.wake_ns, desk.now_ns + NS_PER_MS))
    if parent.live:
        leave(desk.state, parent)
        _adjust(desk, parent, view, decision)
        return
    if decision.style is Style.WAIT or decision.px is None:
        leave(desk.state, parent)
        parent.waiting = (decision.why.value,)
        return
    if parent.unread:
        leave(desk.state, parent)
        parent.waiting = ("VENUE_REJECTED",)
        return
    earliest_ns = max(_gap_end_ns(desk.state, parent), parent.retry_ns)
    if desk.now_ns < earliest_ns:
        if parent.retry_ns < earliest_ns:
            parent.waiting = (RefusalCode.ORDER_GAP.value,)
        desk.set_timer(f"parent:{parent.order.parent_id}", earliest_ns)
        return
    if desk.now_ns < (due_ns := turn_ns(desk.state, parent)):
        join(desk.state, parent)
        parent.waiting = (RefusalCode.ORDERS_PER_MINUTE.value,)
        desk.set_timer(f"parent:{parent.order.parent_id}", due_ns)
        return
    leave(desk.state, parent)
    if decision.algo is not None:
        place_algo(desk, parent, decision, decision.px, decision.algo)
    else:
        _place(desk, parent, decision, decision.px)


def _adjust(desk: Desk, parent: ParentState, view: View, decision: Decision) -> None:
    """A child is still reserved: keep it, change it, cancel it, or wait for proof. Never a second one beside it."""
    child = desk.state.children[parent.live[0]]
    if child.algo is not None:
        keep_or_stop(desk, parent, child, decision)
        return
    parent.waiting = (decision.why.value,)
    if child.is_final or child.status in {ChildStatus.UNKNOWN, ChildStatus.PENDING_CANCEL}:
        parent.waiting = (f"CHILD_{child.status}",)
        return
    if child.status is ChildStatus.PENDING_NEW or child.style is Style.CROSS:
        return  # a cancel could overtake the create; an IOC ends by itself
    if decision.style is Style.WAIT or decision.px is None:
        desk.cancel(child, decision.why.value)
        return
    asked = child.status is ChildStatus.PENDING_REPLACE
    if asked and decision.style is Style.REST:
        parent.waiting = (f"CHILD_{child.status}",)
        return
    if child.open_qty > decision.qty:
        if asked or not amend(desk, parent, child, decision, decision.px, _gap_end_ns(desk.state, parent)):
            desk.cancel(child, "less is wanted")
    elif not _is_as_wanted(desk, parent, view, child, decision):
        gap_end_ns = _gap_end_ns(desk.state, parent)
        if decision.style is Style.REST:
            gap_end_ns = max(gap_end_ns, _patience_end_ns(parent, child))
        if desk.now_ns < gap_end_ns:  # its successor could not be sent yet: the old order is better than none
            desk.set_timer(f"parent:{parent.order.parent_id}", gap_end_ns)
        elif not amend(desk, parent, child, decision, decision.px, gap_end_ns):
            dearer = child.order.side.sign * (decision.px - child.order.px) > ZERO
            parent.reprices += dearer and child.style is decision.style
            desk.cancel(child, decision.why.value)


def _is_as_wanted(desk: Desk, parent: ParentState, view: View, child: ChildState, decision: Decision) -> bool:
    """Whether a successor, cut to what the size limits allow once this child is gone, would be no improvement."""
    if child.style is not decision.style or child.order.px != decision.px:
        return False
    if view.instrument.is_dust(decision.qty - child.open_qty, child.order.px):
        return True  # the limits could only cut it further
    look = gate_view_without(desk.state, parent, child)
    cap = size_cap(look, desk.state.limits, parent.order.side, child.order.px)
    return view.instrument.is_dust(min(decision.qty, cap) - child.open_qty, child.order.px)


def _patience_end_ns(parent: ParentState, child: ChildState) -> int:
    """Until when a resting order does not follow the touch: a tenth of a slice.

    It keeps what is ordered for a slice within about ten times its size, however much the touch moves.
    """
    asked_ns = max(child.created_ns, child.replaced_ns)
    return asked_ns + parent.order.params.interval_s * NS_PER_S // RESTS_PER_SLICE_MAX


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
        refused(desk, parent, order.client_order_id, verdict)
    else:
        _approved(desk, parent, decision, verdict)


def _approved(desk: Desk, parent: ParentState, decision: Decision, approved: Approved[NewOrder]) -> None:
    state = desk.state
    order = approved.order
    if worst_case_qty(state, parent) + order.qty > parent.order.order_qty:
        raise InvariantViolation(
            f"{order.client_order_id}: {order.qty} more would exceed {parent.order.order_qty} of the parent"
        )
    check_within_route(state, parent, order.qty)
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
