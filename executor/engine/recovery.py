"""Finding out what is true of one order: unanswered creates and unproven ends.

A child leaves UNKNOWN by proof alone: it is found, its only transmission was refused, or it is proved
absent. Proof of absence needs all of: the venue can no longer accept the request (its window plus a margin
has passed), several complete empty answers after that, and a cancel after that which found nothing.
"""

from executor.domain.commands import AlertCode, Severity
from executor.domain.events import (
    OrderAbsent,
    OrderQueryFailed,
)
from executor.domain.order_state import ChildStatus
from executor.domain.timeline import NS_PER_S
from executor.engine.algo import is_over, look_after_algo
from executor.engine.child import absence_from_ns, doubt, prove_absent
from executor.engine.desk import Desk
from executor.engine.reconcile import request_reconcile
from executor.engine.state import ChildState, ParentState

CANCELS_BEFORE_ALERT = 2
_UNPROVED = (ChildStatus.PENDING_NEW, ChildStatus.PENDING_REPLACE)


def on_absent(desk: Desk, event: OrderAbsent) -> ParentState | None:
    """One clean, complete round that did not show the order. Counts only if it was asked late enough."""
    child = desk.state.children.get(event.client_order_id)
    if child is None:
        return None
    child.asked_ns = 0
    if child.is_released:
        return _read_after_refusal(desk, child, event.asked_ns)
    if not child.seen and child.status is not ChildStatus.UNKNOWN:
        doubt(desk, child, "the venue shows nothing of it")
        return None
    timings = desk.state.timings
    gap_ns = timings.query_gap_s * NS_PER_S
    from_ns = absence_from_ns(desk, child)
    if event.asked_ns < from_ns:
        return None
    if child.seen:
        if not child.cancel_found_nothing:
            desk.cancel(child, "the venue does not show it")
            return None
        # It was there: what became of it may show late, so the margin counts from the cancel that missed it.
        from_ns = child.cancel_nothing_ns + timings.absence_margin_s * NS_PER_S
    if event.asked_ns >= max(from_ns, child.absent_round_ns + gap_ns):
        child.absent_rounds += 1
        child.absent_round_ns = event.asked_ns
    if child.absent_rounds >= timings.absence_rounds and (child.cancel_found_nothing or is_over(desk, child)):
        return prove_absent(desk, child)
    return None


def _read_after_refusal(desk: Desk, child: ChildState, asked_ns: int) -> ParentState | None:
    """A refused order is not there, asked after its refusal: another may be sent."""
    parent = desk.state.parents[child.order.parent_id]
    if parent.unread != child.order.client_order_id:
        return None
    if asked_ns < child.done_ns:
        desk.query(child)
        return None
    parent.unread = ""
    desk.parents[parent.order.parent_id] = None
    return parent


def on_query_failed(desk: Desk, event: OrderQueryFailed) -> ParentState | None:
    """An error counts for nothing and spoils the rounds so far."""
    child = desk.state.children.get(event.client_order_id)
    if child is not None:
        child.asked_ns = 0
        child.absent_rounds = 0
    return None


def look_after(desk: Desk, child: ChildState) -> None:
    """Do what is due for a child that is being watched; called when its timer fires."""
    if child.is_released:
        if desk.state.parents[child.order.parent_id].unread == child.order.client_order_id:
            desk.query(child)
        return
    timings = desk.state.timings
    overdue = desk.now_ns - child.cancel_sent_ns >= timings.recancel_s * NS_PER_S
    if child.status is ChildStatus.UNKNOWN:
        if (
            desk.now_ns >= absence_from_ns(desk, child)
            and not child.cancel_found_nothing
            and overdue
            and child.algo is None  # without its id a strategy order cannot be stopped, only found
        ):
            desk.send_cancel(child)
        desk.query(child)
    elif child.status is ChildStatus.PENDING_CANCEL or child.status is ChildStatus.REJECTED:
        if overdue:
            desk.send_cancel(child)
            _tell_unproved_cancel(desk, child)
        desk.query(child)
    elif child.is_final or child.absent_rounds or child.status in _UNPROVED:
        if child.is_final and child.algo is not None:
            request_reconcile(desk, child.order.category)  # its fills come under other names: all are read
        desk.query(child)
    elif child.algo is not None:
        look_after_algo(desk, child)


def _tell_unproved_cancel(desk: Desk, child: ChildState) -> None:
    """Alert once for each child, however often its cancel must be sent."""
    if child.cancels == CANCELS_BEFORE_ALERT:
        desk.alert(
            Severity.WARNING,
            AlertCode.CANCEL_UNPROVED,
            child.order.parent_id,
            f"{child.order.client_order_id}: cancel not proved, sent again until it is",
        )
