"""Which terms an order has at the venue, when we asked it to change them: read, adopted, or proved unchanged.

While nothing is proved both terms count: the child reserves the larger quantity. The new terms are in force once
the venue shows them; the old ones stand once the venue shows them at a time when it can no longer take the request.
"""

from dataclasses import replace
from enum import StrEnum

from executor.domain.commands import AlertCode, Severity
from executor.domain.events import OrderUpdated
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Terms
from executor.domain.parent_state import Reason
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import ZERO
from executor.engine.desk import Desk
from executor.engine.halt import halt
from executor.engine.state import ChildState, worst_case_qty


class Shown(StrEnum):
    """How the terms that the venue shows are explained."""

    OURS = "OURS"
    ASKED = "ASKED"
    LATE = "LATE"
    FORMER = "FORMER"
    MOVED = "MOVED"
    CUT = "CUT"
    STRANGE = "STRANGE"


def read_terms(child: ChildState, event: OrderUpdated) -> Shown:
    """Explain the terms of an update that is not older than what is known.

    The venue may move a price beyond its band to the band, which is our advantage, and may cut an order that can
    only reduce a position. Nothing else about an order changes unless we ask for it.
    """
    order, asked = child.order, child.pending
    if (order.symbol, order.side) != (event.symbol, event.side):
        return Shown.STRANGE
    shown = Terms(qty=event.qty, px=event.px)
    if shown == child.terms:
        return Shown.OURS
    if shown == asked:
        return Shown.ASKED
    if shown == child.lapsed:
        return Shown.LATE
    if shown == child.former and event.updated_ms <= child.updated_ms:
        return Shown.FORMER
    # What both could have become proves nothing of the new ones: they stay in doubt.
    if _fits(event, child.terms, reduce_only=order.reduce_only):
        return Shown.MOVED if event.qty == order.qty else Shown.CUT
    if asked is not None and _fits(event, asked, reduce_only=order.reduce_only):
        return Shown.ASKED
    return Shown.STRANGE


def _fits(event: OrderUpdated, terms: Terms, *, reduce_only: bool) -> bool:
    """Whether the venue could have made these terms of those: no worse a price, no other quantity but a cut one."""
    cut = reduce_only and event.cum_qty <= event.qty < terms.qty
    return event.side.sign * (event.px - terms.px) <= ZERO and (event.qty == terms.qty or cut)


def take_terms(desk: Desk, child: ChildState, event: OrderUpdated, shown: Shown) -> None:
    """Put what is shown into force."""
    name = child.order.client_order_id
    match shown:
        case Shown.OURS:
            if child.pending is not None and _proves_unchanged(desk, child, event):
                lapse(desk, child, "the venue shows the old terms and can no longer take the new ones")
        case Shown.ASKED:
            child.pending = None
            _adopt(desk, child, Terms(qty=event.qty, px=event.px))
        case Shown.LATE:
            detail = f"{name}: an amendment held to be refused is in force: {event.qty} @ {event.px}"
            desk.alert(Severity.WARNING, AlertCode.TERMS_MOVED, child.order.parent_id, detail)
            _adopt_late(desk, child, Terms(qty=event.qty, px=event.px))
        case Shown.MOVED | Shown.CUT:
            detail = (
                f"{name}: the venue changed {child.order.qty} @ {child.order.px} to {event.qty} @ {event.px}"
            )
            desk.alert(Severity.INFO, AlertCode.TERMS_MOVED, child.order.parent_id, detail)
            _adopt(desk, child, Terms(qty=event.qty, px=event.px))
        case Shown.FORMER | Shown.STRANGE:
            pass


def prove_by_fill(desk: Desk, child: ChildState) -> None:
    """More is filled than the terms in force allow: then those that were asked for are in force."""
    if child.cum_qty <= child.order.qty:
        return
    if child.pending is not None and child.cum_qty <= child.pending.qty:
        terms, child.pending = child.pending, None
        _adopt(desk, child, terms)
        settle(desk, child, "a fill proves the new terms")
    elif child.lapsed is not None and child.cum_qty <= child.lapsed.qty:
        _adopt_late(desk, child, child.lapsed)


def lapse(desk: Desk, child: ChildState, detail: str) -> None:
    """The amendment is proved not to be in force and cannot come into force any more: the old terms stand."""
    child.lapsed, child.pending = child.pending, None
    child.amendable = False
    settle(desk, child, detail)


def settle(desk: Desk, child: ChildState, detail: str) -> None:
    """Bring the status in line once the terms are proved."""
    desk.children[child.order.client_order_id] = None
    if child.is_final or child.pending is not None:
        return
    if child.cum_qty >= child.order.qty:
        child.final_qty = child.cum_qty
        desk.move_child(child, ChildStatus.FILLED, detail)
    elif child.status is ChildStatus.PENDING_REPLACE:
        part = child.cum_qty > ZERO or child.venue_cum_qty > ZERO
        desk.move_child(child, ChildStatus.PARTIALLY_FILLED if part else ChildStatus.NEW, detail)


def _adopt(desk: Desk, child: ChildState, terms: Terms) -> None:
    child.former = child.terms
    child.order = replace(child.order, qty=terms.qty, px=terms.px)
    desk.children[child.order.client_order_id] = None


def _adopt_late(desk: Desk, child: ChildState, terms: Terms) -> None:
    """Believe the venue; if that commits more than the parent allows, our belief was wrong in a way that stops all."""
    child.lapsed = None
    _adopt(desk, child, terms)
    parent = desk.state.parents[child.order.parent_id]
    worst_qty = worst_case_qty(desk.state, parent)
    if worst_qty > parent.order.order_qty:
        name = child.order.client_order_id
        detail = f"{name}: with its late terms {worst_qty} of {parent.order.order_qty} could execute"
        desk.alert(Severity.CRITICAL, AlertCode.ORDER_CONFLICT, child.order.parent_id, detail)
        halt(desk, Reason.ORDER_CONFLICT, detail)


def _proves_unchanged(desk: Desk, child: ChildState, event: OrderUpdated) -> bool:
    """Whether the old terms prove that the new ones will never be in force: only if they were read late enough.

    What a stream tells may have been on its way for long, and the venue's time of the order is not of our clock.
    """
    if child.replace_refused_ns and event.asked_ns >= child.replace_refused_ns:
        return True
    if not child.replace_sent_ns:
        return False
    timings = desk.state.timings
    window_ns = timings.recv_window_ms * NS_PER_MS + timings.absence_margin_s * NS_PER_S
    return event.asked_ns >= child.replace_sent_ns + window_ns
