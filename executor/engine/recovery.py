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
from executor.engine.child import absence_from_ns, doubt, prove_absent
from executor.engine.desk import Desk
from executor.engine.state import ChildState, ParentState


def on_absent(desk: Desk, event: OrderAbsent) -> ParentState | None:
    """One clean, complete, empty round. Counts only if it was asked late enough."""
    child = desk.state.children.get(event.client_order_id)
    if child is None or child.is_final:
        return None
    if child.status is not ChildStatus.UNKNOWN:
        if not child.venue_order_id and not child.acked_ns:
            doubt(desk, child, "the venue shows nothing of it")
        return None
    timings = desk.state.timings
    gap_ns = timings.query_gap_s * NS_PER_S
    if event.asked_ns >= max(absence_from_ns(desk, child), child.absent_round_ns + gap_ns):
        child.absent_rounds += 1
        child.absent_round_ns = event.asked_ns
    if child.absent_rounds >= timings.absence_rounds and child.cancel_found_nothing:
        return prove_absent(desk, child)
    return None


def on_query_failed(desk: Desk, event: OrderQueryFailed) -> ParentState | None:
    """An error counts for nothing and spoils the rounds so far."""
    child = desk.state.children.get(event.client_order_id)
    if child is not None:
        child.absent_rounds = 0
    return None


def look_after(desk: Desk, child: ChildState) -> None:
    """Do what is due for a child that is being watched; called when its timer fires."""
    if child.is_released:
        return
    timings = desk.state.timings
    if child.status is ChildStatus.UNKNOWN:
        late_ns = absence_from_ns(desk, child)
        if desk.now_ns >= late_ns and not child.cancel_found_nothing and child.cancel_sent_ns < late_ns:
            desk.send_cancel(child)
        elif child.cancel_sent_ns and desk.now_ns - child.cancel_sent_ns > timings.recancel_s * NS_PER_S:
            child.cancel_sent_ns = 0
        desk.query(child)
    elif child.status is ChildStatus.PENDING_CANCEL:
        if desk.now_ns - child.cancel_sent_ns >= timings.recancel_s * NS_PER_S:
            desk.send_cancel(child)
            desk.alert(
                Severity.WARNING,
                AlertCode.CANCEL_UNPROVED,
                child.order.parent_id,
                f"{child.order.client_order_id}: cancel not proved after {timings.recancel_s} s, sent again",
            )
        desk.query(child)
    elif child.is_final or (child.acked_ns and child.status is ChildStatus.PENDING_NEW):
        desk.query(child)
