"""Changing a resting child in place, where that is possible, and what a refusal of the gate leads to.

An amendment keeps one order at the venue where cancel and new child would leave a moment without any. It is asked
for only when nothing of the child is in doubt, passes the gate like a new order, and counts like one.
"""

from decimal import Decimal

from executor.domain.approval import Approved
from executor.domain.commands import AlertCode, RefuseOrder, Severity
from executor.domain.decision import Decision, Style
from executor.domain.errors import InvariantViolation
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Replacement
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.places import venue_of
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import ZERO, Price, Quantity
from executor.engine.desk import Desk
from executor.engine.moment import gate_view, gate_view_without
from executor.engine.replacing import ask_for
from executor.engine.route_legs import check_within_route
from executor.engine.state import ChildState, ParentState, market_key, worst_case_qty
from executor.engine.throttle import count_order
from executor.engine.turns import BUDGET_CODES, are_shared, has_waited, join, leave, room_ns, turn_ns
from risk.gate import Refused, judge_replacement, order_cap, size_cap
from risk.refusals import RefusalCode
from risk.view import Standing

_REFUSAL_WAIT_MAX_S = 16
_AMENDABLE = (ChildStatus.NEW, ChildStatus.PARTIALLY_FILLED)
_TOO_OFTEN = {
    RefusalCode.ORDER_GAP,
    RefusalCode.ORDERS_PER_SECOND,
    RefusalCode.ORDERS_PER_MINUTE,
    RefusalCode.ORDERS_PER_DAY,
    RefusalCode.REPEAT_PARENT,
    RefusalCode.REPEAT_HOUR,
    RefusalCode.AMPLIFICATION,
}
"""Reasons that speak against another message, not against the order that rests."""


def amend(
    desk: Desk, parent: ParentState, child: ChildState, decision: Decision, px: Price, earliest_ns: int
) -> bool:
    """Bring a resting child to what is wanted; False when it must be cancelled instead.

    Parameters
    ----------
    earliest_ns
        No message may leave before this instant, UTC nanoseconds.
    """
    if decision.style is not Style.REST or child.style is not Style.REST:
        return False
    if child.status not in _AMENDABLE or not child.amendable or venue_of(child.order.symbol):
        return False  # at other venues than Bybit nothing is amended: few do it in one step, and none says so alike
    new_qty = _total_wanted(desk, parent, child, decision, px)
    if new_qty is None:
        return False
    fewer = new_qty < child.order.qty
    if desk.now_ns < earliest_ns:
        return False
    later_ns = max(parent.retry_ns, turn_ns(desk.state, parent, amends=True))
    if desk.now_ns < later_ns:
        if has_waited(desk.state, parent):
            join(desk.state, parent)
        desk.set_timer(f"parent:{parent.order.parent_id}", later_ns)
        return not fewer
    order = child.order
    new = Replacement(
        client_order_id=order.client_order_id,
        parent_id=order.parent_id,
        category=order.category,
        symbol=order.symbol,
        side=order.side,
        qty=new_qty,
        px=px,
    )
    state = desk.state
    standing = Standing(order=order, filled_qty=child.cum_qty)
    verdict = judge_replacement(new, standing, gate_view(state, parent), state.limits, state.tickets + 1)
    if isinstance(verdict, Refused):
        refused(desk, parent, order.client_order_id, verdict)
        return not fewer and set(verdict.codes) <= _TOO_OFTEN
    _approved(desk, parent, child, verdict)
    return True


def _total_wanted(
    desk: Desk, parent: ParentState, child: ChildState, decision: Decision, px: Price
) -> Quantity | None:
    """New total of the child; None where an amendment could not reach what a successor could, or gains nothing."""
    limits = desk.state.limits
    look = gate_view_without(desk.state, parent, child)
    open_qty = min(decision.qty, size_cap(look, limits, parent.order.side, px))
    total = Quantity(child.cum_qty + open_qty)
    if open_qty <= ZERO or total <= child.venue_cum_qty or total > order_cap(look, limits, px):
        return None
    if px == child.order.px and total >= child.order.qty:
        return None  # more at the same price loses the place in the queue all the same
    return total


def _approved(desk: Desk, parent: ParentState, child: ChildState, approved: Approved[Replacement]) -> None:
    state = desk.state
    new = approved.order
    more_qty = max(new.qty - child.order.qty, ZERO)
    if worst_case_qty(state, parent) + more_qty > parent.order.order_qty:
        raise InvariantViolation(
            f"{new.client_order_id}: {more_qty} more would exceed {parent.order.order_qty} of the parent"
        )
    check_within_route(state, parent, more_qty)
    leave(state, parent)
    state.tickets = approved.ticket
    count_order(state)
    snapshot = state.markets[market_key(new.category, new.symbol)].snapshot
    child.arrival_mid_px = snapshot.mid_px if snapshot else new.px
    parent.ordered_qty += new.qty - child.cum_qty
    parent.amends += 1
    parent.reprices += new.side.sign * (new.px - child.order.px) > ZERO
    parent.last_order_ns = desk.now_ns
    parent.refusals_in_row = 0
    desk.parents[new.parent_id] = None
    ask_for(desk, child, approved)


def refused(desk: Desk, parent: ParentState, client_order_id: str, verdict: Refused) -> None:
    """Record the gate's no and wait, longer each time; a repeat throttle pauses the parent."""
    state = desk.state
    codes = tuple(code.value for code in verdict.codes)
    wait_s: Decimal = min(
        Decimal(state.timings.refusal_wait_s * 2**parent.refusals_in_row), Decimal(_REFUSAL_WAIT_MAX_S)
    )
    parent.refusals_in_row = min(parent.refusals_in_row + 1, 8)
    parent.retry_ns = desk.now_ns + int(wait_s * NS_PER_S)
    if (
        are_shared(state) and set(verdict.codes) <= BUDGET_CODES
    ):  # when there is room again is known, and whose turn it is then
        join(state, parent)
        parent.retry_ns = max(turn_ns(state, parent), room_ns(state), desk.now_ns + NS_PER_MS)
    parent.waiting = codes
    desk.parents[parent.order.parent_id] = None
    desk.set_timer(f"parent:{parent.order.parent_id}", parent.retry_ns)
    desk.out.append(
        RefuseOrder(
            parent_id=parent.order.parent_id,
            client_order_id=client_order_id,
            codes=codes,
            detail=verdict.detail,
        )
    )
    if {RefusalCode.REPEAT_PARENT, RefusalCode.REPEAT_HOUR} & set(verdict.codes):
        desk.alert(Severity.CRITICAL, AlertCode.REPEAT_THROTTLE, parent.order.parent_id, ", ".join(codes))
        desk.move_parent(parent, ParentStatus.PAUSED, Reason.REPEAT_THROTTLE)
