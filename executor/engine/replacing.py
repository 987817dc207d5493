"""What the venue's answers to an amend request mean: nothing is in force because it was acknowledged.

A refusal leaves the old terms; a request that never left does too. Everything else is found out by asking
(`executor.engine.terms`). A child whose amendment failed is not amended again: cancel and a new child follow.
"""

from executor.domain.approval import Approved
from executor.domain.commands import AlertCode, ReplaceOrder, Severity
from executor.domain.events import ReplaceAcked, ReplaceNotSent, ReplaceOutcomeUnknown, ReplaceRejected
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Replacement
from executor.engine.desk import Desk
from executor.engine.state import ChildState, ParentState
from executor.engine.terms import lapse


def ask_for(desk: Desk, child: ChildState, approved: Approved[Replacement]) -> None:
    """Send an approved amendment; from now on both terms count."""
    child.pending = approved.order.terms
    child.replaced_ns = desk.now_ns
    child.replace_sent_ns = child.replace_refused_ns = 0
    desk.move_child(child, ChildStatus.PENDING_REPLACE, "new terms asked for")
    desk.out.append(ReplaceOrder(approved=approved))


def on_replace_acked(desk: Desk, event: ReplaceAcked) -> ParentState | None:
    """The request was taken; the stream must now show the new terms, or we ask."""
    child = _asking(desk, event.client_order_id)
    if child is not None:
        child.replace_sent_ns = desk.now_ns
        desk.watch(child, desk.state.timings.confirm_s)
    return None


def on_replace_rejected(desk: Desk, event: ReplaceRejected) -> ParentState | None:
    """The old terms stand; if the venue knows no such open order, it may just have been filled: ask first."""
    child = _asking(desk, event.client_order_id)
    if child is None:
        return None
    parent = desk.state.parents[child.order.parent_id]
    parent.detail = f"{event.client_order_id} not amended, {event.code}: {event.text}"
    desk.parents[parent.order.parent_id] = None
    child.replace_refused_ns = desk.now_ns
    child.asked_ns = 0  # what was asked before the refusal proves nothing: ask anew, at once
    if not event.gone:
        lapse(desk, child, f"amendment refused, {event.code}: {event.text}")
    desk.query(child)
    return parent


def on_replace_not_sent(desk: Desk, event: ReplaceNotSent) -> ParentState | None:
    """The request was dropped before its first byte."""
    child = _asking(desk, event.client_order_id)
    if child is None:
        return None
    lapse(desk, child, f"amendment not sent: {event.detail}")
    return desk.state.parents[child.order.parent_id]


def on_replace_unknown(desk: Desk, event: ReplaceOutcomeUnknown) -> ParentState | None:
    """Nothing is proved: both terms stay reserved, and we ask."""
    child = _asking(desk, event.client_order_id)
    if child is None:
        return None
    doubt_terms(desk, child)
    desk.alert(
        Severity.WARNING,
        AlertCode.OUTCOME_UNKNOWN,
        child.order.parent_id,
        f"{event.client_order_id}: amendment, {event.detail}",
    )
    desk.query(child)
    return None


def doubt_terms(desk: Desk, child: ChildState) -> None:
    """The request may have left, as late as now."""
    child.replace_sent_ns = desk.now_ns
    child.replace_refused_ns = 0


def _asking(desk: Desk, client_order_id: str) -> ChildState | None:
    """The child, if it still waits for the answer."""
    child = desk.state.children.get(client_order_id)
    return None if child is None or child.is_final or child.pending is None else child
