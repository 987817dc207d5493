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
from executor.engine.algo import look_after_algo, tell_ended_short
from executor.engine.booking import attribute, find_child
from executor.engine.desk import Desk
from executor.engine.halt import halt
from executor.engine.lost import ORDERS_RULES, give_up, take_order
from executor.engine.revival import keep_live, revive
from executor.engine.state import VENUE_TO_CHILD, ChildState, ParentState
from executor.engine.terms import Shown, read_terms, take_terms

REJECTS_IN_ROW_MAX = 3
_REJECT_WAIT_NS = 5 * NS_PER_S
_ENDED = (VenueStatus.FILLED, VenueStatus.CANCELED, VenueStatus.REJECTED)


def on_acked(desk: Desk, event: OrderAcked) -> ParentState | None:
    """The request was taken; the stream must now show the order, or we ask."""
    child = desk.state.children.get(event.client_order_id)
    if child is None:
        return None
    child.acked_ns = desk.now_ns
    was_seen, child.seen = child.seen, True
    parent = _learn_venue_id(desk, child, event.venue_order_id)
    desk.children[event.client_order_id] = None
    if child.status is ChildStatus.REJECTED and not was_seen:
        revive(desk, child)  # the stream may tell of a rejection before its acknowledgement arrives
    elif child.status is ChildStatus.PENDING_NEW:
        desk.watch(child, desk.state.timings.confirm_s)
    return parent


def on_rejected(desk: Desk, event: OrderRejected) -> ParentState | None:
    """The only transmission was definitively refused: it never was an order.

    Before another is sent, the venue is asked once more and must not know it (`parent.unread`).
    """
    child = desk.state.children.get(event.client_order_id)
    if child is None or child.is_final:
        return None
    if child.seen:
        desk.query(child)  # a refusal of what the venue has already shown proves nothing
        return None
    parent = _end_unplaced(desk, child, f"{event.code}: {event.text}")
    parent.rejects_in_row += 1
    parent.retry_ns = desk.now_ns + _REJECT_WAIT_NS
    parent.waiting = ("VENUE_REJECTED",)
    parent.detail = detail = f"{event.client_order_id} rejected, {event.code}: {event.text}"
    desk.alert(Severity.WARNING, AlertCode.ORDER_REJECTED, parent.order.parent_id, detail)
    parent.unread = event.client_order_id
    child.asked_ns = 0
    desk.query(child)
    if event.fatal:
        halt(desk, Reason.VENUE_REJECTS, detail)
    elif event.unfunded and parent.status is ParentStatus.EXECUTING:
        desk.move_parent(parent, ParentStatus.PAUSED, Reason.INSUFFICIENT_FUNDS)
    elif parent.rejects_in_row >= REJECTS_IN_ROW_MAX and parent.status is ParentStatus.EXECUTING:
        desk.move_parent(parent, ParentStatus.PAUSED, Reason.VENUE_REJECTS)
    return parent


def on_not_sent(desk: Desk, event: OrderNotSent) -> ParentState | None:
    """The command was dropped before its first byte."""
    child = desk.state.children.get(event.client_order_id)
    if child is None or child.is_final or child.seen or child.status is ChildStatus.UNKNOWN:
        return None
    child.sent_ns = 0
    return _end_unplaced(desk, child, f"not sent: {event.detail}")


def on_outcome_unknown(desk: Desk, event: OrderOutcomeUnknown) -> ParentState | None:
    """Nothing is proved: keep the reservation and start asking."""
    child = desk.state.children.get(event.client_order_id)
    if child is not None and child.algo is not None and child.status is ChildStatus.UNKNOWN:
        child.sent_ns = desk.now_ns  # it may have left as late as now: it is looked for until then
        child.absent_rounds = 0
    if child is None or child.status not in {ChildStatus.PENDING_NEW, ChildStatus.PENDING_CANCEL}:
        return None
    if child.seen:
        desk.query(child)
        return None
    doubt(desk, child, event.detail)
    return desk.state.parents[child.order.parent_id]


def doubt(desk: Desk, child: ChildState, detail: str) -> None:
    """Put a child into UNKNOWN; the proof of its absence starts from zero now."""
    desk.move_child(child, ChildStatus.UNKNOWN, detail)
    child.sent_ns = desk.now_ns
    child.absent_rounds = 0
    child.cancel_nothing_ns = 0
    child.cancel_sent_ns = 0
    child.asked_ns = 0
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
        return take_order(desk, event)
    if event.asked_ns:
        child.asked_ns = 0
    if event.updated_ms < child.updated_ms or event.cum_qty < child.venue_cum_qty:
        return None
    shown = read_terms(child, event)
    if shown is Shown.FORMER:
        return None
    if shown is Shown.STRANGE:
        detail = (
            f"{event.client_order_id} at the venue is {event.side.name} {event.qty} {event.symbol} @ {event.px},"
            f" ours is {child.order.side.name} {child.order.qty} {child.order.symbol} @ {child.order.px}"
        )
        desk.alert(Severity.CRITICAL, AlertCode.ORDER_CONFLICT, child.order.parent_id, detail)
        halt(desk, Reason.ORDER_CONFLICT, detail)
        return _end_strange(desk, child, event)
    child.venue_cum_qty = event.cum_qty
    take_terms(desk, child, event, shown)
    is_newer = event.updated_ms > child.updated_ms
    child.updated_ms = event.updated_ms
    child.seen = True
    child.absent_rounds = 0
    child.cancel_nothing_ns = 0
    _learn_venue_id(desk, child, event.venue_order_id)
    parent = desk.state.parents[child.order.parent_id]
    if parent.unread == child.order.client_order_id and event.status in _ENDED:
        parent.unread = ""
    if event.status in _ENDED:
        _end(desk, child, event)
        tell_ended_short(desk, child, event.detail)
    elif child.status is ChildStatus.REJECTED:
        if is_newer:  # what the venue showed of it before its rejection may arrive after it
            revive(desk, child)
    else:
        _show(desk, child, event)
        if child.algo is not None:
            look_after_algo(desk, child)
    keep_live(desk.state, child)
    return parent


def on_cancel_acked(desk: Desk, event: CancelAcked) -> ParentState | None:
    """A cancel was taken; the order's end is still to be proved."""
    child = desk.state.children.get(event.client_order_id)
    if child is not None and not child.is_final:
        child.seen = True
        desk.watch(child, desk.state.timings.recancel_s)
    return None


def on_cancel_found_nothing(desk: Desk, event: CancelFoundNothing) -> ParentState | None:
    """No open order under that id: finished, or never there. Either way, ask; conclude nothing yet."""
    child = desk.state.children.get(event.client_order_id)
    if child is None or child.is_final:
        return None
    if child.status is ChildStatus.PENDING_CANCEL and not child.seen:
        doubt(desk, child, "cancel found nothing and the create was never answered")
        return desk.state.parents[child.order.parent_id]
    if event.asked_ns >= absence_from_ns(desk, child) and not child.cancel_nothing_ns:
        child.cancel_nothing_ns = event.asked_ns
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
    """Release an order of which it is proved that it is not at the venue.

    One that was never seen never existed. One that was seen has ended and been forgotten there; all its
    executions are booked, because they were shown before.
    """
    if not child.seen:
        return _end_unplaced(desk, child, "proved absent")
    child.final_qty = child.cum_qty
    desk.move_child(child, ChildStatus.CANCELED, "ended and forgotten by the venue")
    return desk.state.parents[child.order.parent_id]


def _end_strange(desk: Desk, child: ChildState, event: OrderUpdated) -> ParentState | None:
    """Take in the end of an order of other terms than ours. While it is open, or of another market, that says nothing.

    Of what the venue took from us it is the end, whatever became of the terms. If nothing was ever heard of ours, it is
    of an order that is not known, and since an id is taken once, ours was refused: once it can no longer come.
    """
    order, parent = child.order, desk.state.parents[child.order.parent_id]
    is_ours = (order.symbol, order.side) == (event.symbol, event.side)
    if desk.state.rules < ORDERS_RULES or child.is_final or event.status not in _ENDED or not is_ours:
        return None
    if child.acked_ns or child.updated_ms or child.cum_qty:
        child.venue_cum_qty, child.updated_ms = event.cum_qty, event.updated_ms
        _end(desk, child, event)
        return parent
    if event.cum_qty > ZERO or event.asked_ns < absence_from_ns(desk, child):
        return None
    give_up(desk, parent)
    return _end_unplaced(desk, child, "refused: its id is of an order that is not known, and has ended")


def _end_unplaced(desk: Desk, child: ChildState, detail: str) -> ParentState:
    desk.move_child(child, ChildStatus.REJECTED, detail)
    child.final_qty = ZERO
    return desk.state.parents[child.order.parent_id]


def _learn_venue_id(desk: Desk, child: ChildState, venue_order_id: str) -> ParentState | None:
    """Remember the venue's id; executions that came under it before are now known to be this child's."""
    if not venue_order_id or child.venue_order_id:
        return None
    child.venue_order_id = venue_order_id
    desk.state.venue_ids[venue_order_id] = child.order.client_order_id
    mine = [fill for fill in desk.state.unattributed.values() if fill.venue_order_id == venue_order_id]
    for fill in mine:
        attribute(desk, child, fill)
    return desk.state.parents[child.order.parent_id] if mine else None


def _end(desk: Desk, child: ChildState, event: OrderUpdated) -> None:
    """A final status with the venue's own count; the reservation goes when our fills reach that count."""
    if child.status is ChildStatus.FILLED:
        return
    child.final_qty = event.cum_qty
    target = VENUE_TO_CHILD[event.status]
    if target is ChildStatus.REJECTED and child.cum_qty > ZERO:
        target = ChildStatus.CANCELED
    if child.status is ChildStatus.CANCELED or (target is ChildStatus.REJECTED and event.cum_qty > ZERO):
        target = ChildStatus.FILLED if event.cum_qty >= child.order.qty else ChildStatus.CANCELED
    if child.status is not ChildStatus.REJECTED:
        desk.move_child(child, target, event.detail)
    desk.children[child.order.client_order_id] = None
    if not child.is_released:
        desk.watch(child, 1)


def _show(desk: Desk, child: ChildState, event: OrderUpdated) -> None:
    """An open status. A cancel or an amendment under way stays under way; a final status is never undone."""
    if child.is_final:
        return
    asking = child.status is ChildStatus.PENDING_REPLACE and child.pending is not None
    if asking or child.status is ChildStatus.PENDING_CANCEL:
        desk.children[child.order.client_order_id] = None
        return
    target = VENUE_TO_CHILD[event.status]
    if child.status is ChildStatus.PARTIALLY_FILLED or child.cum_qty > ZERO:
        target = ChildStatus.PARTIALLY_FILLED
    desk.move_child(child, target, event.detail)
