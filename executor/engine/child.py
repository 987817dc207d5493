"""What the venue's answers mean for one child order.

Nothing here infers: an acknowledgement is not an order in the book, a cancel acknowledgement is not a
cancellation, a status is not a quantity, and an error is never "not found".
"""

from executor.domain.commands import AlertCode, Severity
from executor.domain.events import (
    CancelAcked,
    CancelFoundNothing,
    CancelOutcomeUnknown,
    OrderAcked,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderUpdated,
    VenueStatus,
)
from executor.domain.order_state import ChildStatus
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO
from executor.engine.booking import find_child
from executor.engine.desk import Desk
from executor.engine.halt import halt
from executor.engine.state import VENUE_TO_CHILD, ChildState, ParentState

REJECTS_IN_ROW_MAX = 3
_REJECT_WAIT_NS = 5 * NS_PER_S
_ENDED = (VenueStatus.FILLED, VenueStatus.CANCELED, VenueStatus.REJECTED)


def on_acked(desk: Desk, event: OrderAcked) -> ParentState | None:
    """The request was taken; the stream must now show the order, or we ask."""
    child = desk.state.children.get(event.client_order_id)
    if child is None:
        return None
    child.acked_ns = desk.now_ns
    _learn_venue_id(desk, child, event.venue_order_id)
    desk.children[event.client_order_id] = None
    if child.status is ChildStatus.PENDING_NEW:
        desk.watch(child, desk.state.timings.confirm_s)
    return None


def on_rejected(desk: Desk, event: OrderRejected) -> ParentState | None:
    """The only transmission was definitively refused: it never was an order."""
    child = desk.state.children.get(event.client_order_id)
    if child is None or child.is_final:
        return None
    if child.status in {ChildStatus.NEW, ChildStatus.PARTIALLY_FILLED}:
        desk.query(child)  # a refusal of what was already seen in the book proves nothing
        return None
    parent = _end_unplaced(desk, child, f"{event.code}: {event.text}")
    parent.rejects_in_row += 1
    parent.retry_ns = desk.now_ns + _REJECT_WAIT_NS
    detail = f"{event.client_order_id} rejected, {event.code}: {event.text}"
    desk.alert(Severity.WARNING, AlertCode.ORDER_REJECTED, parent.order.parent_id, detail)
    if event.fatal:
        halt(desk, Reason.VENUE_REJECTS, detail)
    elif parent.rejects_in_row >= REJECTS_IN_ROW_MAX and parent.status is ParentStatus.EXECUTING:
        desk.move_parent(parent, ParentStatus.PAUSED, Reason.VENUE_REJECTS)
    return parent


def on_not_sent(desk: Desk, event: OrderNotSent) -> ParentState | None:
    """The command was dropped before its first byte."""
    child = desk.state.children.get(event.client_order_id)
    if child is None or child.is_final or child.status is ChildStatus.UNKNOWN:
        return None
    child.sent_ns = 0
    return _end_unplaced(desk, child, f"not sent: {event.detail}")


def on_outcome_unknown(desk: Desk, event: OrderOutcomeUnknown) -> ParentState | None:
    """Nothing is proved: keep the reservation and start asking."""
    child = desk.state.children.get(event.client_order_id)
    if child is None or child.status not in {ChildStatus.PENDING_NEW, ChildStatus.PENDING_CANCEL}:
        return None
    if child.status is ChildStatus.PENDING_CANCEL and child.acked_ns:
        return None
    doubt(desk, child, event.detail)
    return desk.state.parents[child.order.parent_id]


def doubt(desk: Desk, child: ChildState, detail: str) -> None:
    """Put a child into UNKNOWN; the proof of its absence starts from zero now."""
    desk.move_child(child, ChildStatus.UNKNOWN, detail)
    child.sent_ns = desk.now_ns
    child.absent_rounds = 0
    child.cancel_found_nothing = False
    child.cancel_sent_ns = 0
    desk.alert(
        Severity.WARNING,
        AlertCode.OUTCOME_UNKNOWN,
        child.order.parent_id,
        f"{child.order.client_order_id}: {detail}",
    )
    desk.query(child)


def on_updated(desk: Desk, event: OrderUpdated) -> ParentState | None:
    """Take in the venue's view of an order, unless it is older than what is known."""
    child = find_child(desk.state, event.client_order_id, event.venue_order_id)
    if child is None:
        return None
    if event.updated_ms < child.updated_ms or event.cum_qty < child.venue_cum_qty:
        return None
    if _differs(child, event):
        detail = (
            f"{event.client_order_id} at the venue is {event.side.name} {event.qty} {event.symbol} @ {event.px},"
            f" ours is {child.order.side.name} {child.order.qty} {child.order.symbol} @ {child.order.px}"
        )
        desk.alert(Severity.CRITICAL, AlertCode.ORDER_CONFLICT, child.order.parent_id, detail)
        halt(desk, Reason.OVER_FILLED, detail)
        return None
    child.updated_ms = event.updated_ms
    child.venue_cum_qty = event.cum_qty
    parent = desk.state.parents[child.order.parent_id]
    _learn_venue_id(desk, child, event.venue_order_id)
    if event.status in _ENDED:
        _end(desk, child, event)
    elif child.status is ChildStatus.REJECTED:
        _revive(desk, child)
    else:
        _show(desk, child, event)
    if not child.is_released and event.client_order_id not in parent.live:
        parent.live.append(child.order.client_order_id)
    return parent


def on_cancel_acked(desk: Desk, event: CancelAcked) -> ParentState | None:
    """A cancel was taken; the order's end is still to be proved."""
    child = desk.state.children.get(event.client_order_id)
    if child is not None and not child.is_final:
        desk.watch(child, desk.state.timings.recancel_s)
    return None


def on_cancel_found_nothing(desk: Desk, event: CancelFoundNothing) -> ParentState | None:
    """No open order under that id: finished, or never there. Either way, ask; conclude nothing yet."""
    child = desk.state.children.get(event.client_order_id)
    if child is None or child.is_final:
        return None
    if child.status is ChildStatus.PENDING_CANCEL and not child.acked_ns and not child.venue_order_id:
        doubt(desk, child, "cancel found nothing and the create was never answered")
    elif child.status is ChildStatus.UNKNOWN:
        if event.asked_ns >= absence_from_ns(desk, child):
            child.cancel_found_nothing = True
    else:
        desk.query(child)
    return desk.state.parents[child.order.parent_id]


def on_cancel_unknown(desk: Desk, event: CancelOutcomeUnknown) -> ParentState | None:
    """The cancel was not answered; the watch on the child sends it again."""
    child = desk.state.children.get(event.client_order_id)
    if child is not None and not child.is_final:
        child.detail = event.detail
        desk.watch(child, desk.state.timings.query_gap_s)
    return None


def absence_from_ns(desk: Desk, child: ChildState) -> int:
    """First instant at which an empty answer counts: the request can no longer be accepted after it."""
    timings = desk.state.timings
    return child.sent_ns + timings.recv_window_ms * 1_000_000 + timings.absence_margin_s * NS_PER_S


def prove_absent(desk: Desk, child: ChildState) -> ParentState:
    """Release an order of which it is proved that it never existed."""
    return _end_unplaced(desk, child, "proved absent")


def _end_unplaced(desk: Desk, child: ChildState, detail: str) -> ParentState:
    desk.move_child(child, ChildStatus.REJECTED, detail)
    child.final_qty = ZERO
    return desk.state.parents[child.order.parent_id]


def _differs(child: ChildState, event: OrderUpdated) -> bool:
    """Whether the venue's order is not the one we sent; a price moved to our advantage is still ours."""
    order = child.order
    worse = order.side.sign * (event.px - order.px) > ZERO
    return (order.symbol, order.side, order.qty) != (event.symbol, event.side, event.qty) or worse


def _learn_venue_id(desk: Desk, child: ChildState, venue_order_id: str) -> None:
    if venue_order_id and not child.venue_order_id:
        child.venue_order_id = venue_order_id
        desk.state.venue_ids[venue_order_id] = child.order.client_order_id


def _end(desk: Desk, child: ChildState, event: OrderUpdated) -> None:
    """A final status with the venue's own count; the reservation goes when our fills reach that count."""
    if child.status is ChildStatus.FILLED:
        return
    child.final_qty = event.cum_qty
    target = VENUE_TO_CHILD[event.status]
    if target is ChildStatus.REJECTED and child.status is ChildStatus.PARTIALLY_FILLED:
        target = ChildStatus.CANCELED
    if child.status is ChildStatus.CANCELED or (target is ChildStatus.REJECTED and event.cum_qty > ZERO):
        target = ChildStatus.FILLED if event.cum_qty >= child.order.qty else ChildStatus.CANCELED
    if child.status is not ChildStatus.REJECTED:
        desk.move_child(child, target, event.detail)
    desk.children[child.order.client_order_id] = None
    if not child.is_released:
        desk.watch(child, 1)


def _revive(desk: Desk, child: ChildState) -> None:
    """An order that was refused, or proved absent, is open after all: our belief was wrong, so stop."""
    detail = f"{child.order.client_order_id} is open at the venue although it was held to be {child.detail}"
    child.final_qty = None
    desk.alert(Severity.CRITICAL, AlertCode.ORDER_CONFLICT, child.order.parent_id, detail)
    halt(desk, Reason.VENUE_REJECTS, detail)
    desk.send_cancel(child)


def _show(desk: Desk, child: ChildState, event: OrderUpdated) -> None:
    """An open status. A cancel under way stays under way; a final status is never undone."""
    if child.is_final:
        return
    if child.status is ChildStatus.PENDING_CANCEL:
        desk.children[child.order.client_order_id] = None
        return
    target = VENUE_TO_CHILD[event.status]
    if child.status is ChildStatus.PARTIALLY_FILLED:
        target = ChildStatus.PARTIALLY_FILLED
    desk.move_child(child, target, event.detail)
