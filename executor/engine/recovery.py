"""Finding out what is true: unanswered orders, unproven ends, and the complete reconciliation.

A child leaves UNKNOWN by proof alone: it is found, its only transmission was refused, or it is proved
absent. Proof of absence needs all of: the venue can no longer accept the request (its window plus a margin
has passed), several complete empty answers after that, and a cancel after that which found nothing.
"""

from executor.domain.commands import AlertCode, Reconcile, Severity
from executor.domain.events import (
    OrderAbsent,
    OrderQueryFailed,
    PositionReport,
    Reconciled,
    ReconcileFailed,
)
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import ZERO
from executor.engine.child import absence_from_ns, doubt, prove_absent
from executor.engine.desk import Desk
from executor.engine.state import ChildState, EngineState, Ledger, ParentState, ledger_key, market_key

EXECUTION_OVERLAP_MS = 60_000
_RETRY_S = 2
_POSITION_PATIENCE_S = 5


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


def request_reconcile(desk: Desk, category: Category) -> None:
    """Ask for a complete read of one category, unless one is under way."""
    state = desk.state
    if category.value in state.reconciling:
        return
    symbols = sorted(name.partition(":")[2] for name in state.markets if name.startswith(f"{category}:"))
    if not symbols or not state.private_live:
        return
    since_ms = state.exec_cursor_ms.setdefault(
        category.value, state.started_ns // NS_PER_MS - EXECUTION_OVERLAP_MS
    )
    state.reconciling.append(category.value)
    desk.out.append(Reconcile(category=category, symbols=tuple(symbols), since_ms=since_ms))


def on_reconciled(desk: Desk, event: Reconciled) -> list[ParentState]:
    """A complete read ended. Orders it does not show are asked for one by one; nothing is removed."""
    state = desk.state
    _reconcile_ended(state, event.category)
    state.exec_cursor_ms[event.category.value] = event.asked_ns // NS_PER_MS - EXECUTION_OVERLAP_MS
    shown = set(event.open_client_order_ids)
    for name in _live_names(state):
        child = state.children[name]
        if child.order.category is event.category and name not in shown and child.sent_ns < event.asked_ns:
            desk.query(child)
    if event.foreign_open_orders:
        desk.alert(
            Severity.INFO,
            AlertCode.FOREIGN_ORDERS,
            "",
            f"{event.foreign_open_orders} open {event.category} orders are not ours",
        )
    agrees = [_compare_position(desk, report) for report in event.positions]
    state.reconciled[event.category.value] = True
    wait_s = state.timings.reconcile_s if all(agrees) else _POSITION_PATIENCE_S
    desk.set_timer(f"reconcile:{event.category}", desk.now_ns + wait_s * NS_PER_S)
    return [state.parents[name] for name in state.open_parents]


def on_reconcile_failed(desk: Desk, event: ReconcileFailed) -> list[ParentState]:
    """An incomplete read proves nothing, and while we can not read we open nothing."""
    state = desk.state
    _reconcile_ended(state, event.category)
    state.reconciled[event.category.value] = False
    desk.alert(Severity.WARNING, AlertCode.RECONCILE_FAILED, "", f"{event.category}: {event.detail}")
    desk.set_timer(f"reconcile:{event.category}", desk.now_ns + _RETRY_S * NS_PER_S)
    return [state.parents[name] for name in state.open_parents]


def _reconcile_ended(state: EngineState, category: Category) -> None:
    if category.value in state.reconciling:
        state.reconciling.remove(category.value)


def _live_names(state: EngineState) -> list[str]:
    return [name for parent_id in state.open_parents for name in state.parents[parent_id].live]


def _compare_position(desk: Desk, report: PositionReport) -> bool:
    """Hold the venue's position against the ledger; the first reading sets the opening position."""
    state = desk.state
    ledger = state.ledgers.setdefault(
        ledger_key(report.category, report.symbol, report.position_idx), Ledger()
    )
    if ledger.opening_qty is None:
        ledger.opening_qty = report.qty - ledger.net_qty
        return True
    difference = report.qty - ledger.opening_qty - ledger.net_qty
    if difference == ZERO:
        ledger.difference_qty, ledger.differs_since_ns = ZERO, 0
        return True
    if difference != ledger.difference_qty:
        # Fills still on their way look like a difference; only one that stays the same is unexplained.
        ledger.difference_qty, ledger.differs_since_ns = difference, desk.now_ns
    elif desk.now_ns - ledger.differs_since_ns >= _POSITION_PATIENCE_S * NS_PER_S:
        market = state.markets[market_key(report.category, report.symbol)]
        detail = f"{report.symbol}: the venue's position differs from the ledger by {difference}"
        if not market.blocked:
            desk.alert(Severity.CRITICAL, AlertCode.POSITION_DIFFERS, "", detail)
        market.blocked = f"{AlertCode.POSITION_DIFFERS}: {detail}"
    return False
