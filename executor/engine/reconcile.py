"""The complete reconciliation: reading everything the venue knows of a category, and what follows from it.

Nothing is opened before one complete read, nor after a failed one. What a read does not show is asked for
one by one; nothing is ever removed because it was not seen.
"""

from executor.domain.commands import AlertCode, Reconcile, Severity
from executor.domain.events import (
    AccountUnreadable,
    ExecutionUnexplained,
    PositionReport,
    Reconciled,
    ReconcileFailed,
)
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import ZERO
from executor.engine.desk import Desk
from executor.engine.state import EngineState, Ledger, ParentState, ledger_key, live_children, market_key

EXECUTION_OVERLAP_MS = 60_000
_RETRY_S = 2
_POSITION_PATIENCE_S = 5


def request_reconcile(desk: Desk, category: Category) -> None:
    """Ask for a complete read of one category, unless one is under way."""
    state = desk.state
    if category.value in state.reconciling:
        return
    symbols = sorted(
        name.partition(":")[2]
        for name, market in state.markets.items()
        if name.startswith(f"{category}:") and market.instrument is not None
    )
    if not symbols or not state.private_live:
        return
    since_ms = state.exec_cursor_ms.setdefault(
        category.value, state.started_ns // NS_PER_MS - EXECUTION_OVERLAP_MS
    )
    state.reconciling[category.value] = desk.now_ns
    desk.out.append(Reconcile(category=category, symbols=tuple(symbols), since_ms=since_ms))


def on_reconciled(desk: Desk, event: Reconciled) -> list[ParentState]:
    """A complete read ended. Orders it does not show are asked for one by one; nothing is removed."""
    state = desk.state
    if not _is_current(state, event.category, event.asked_ns):
        return []
    state.exec_cursor_ms[event.category.value] = event.asked_ns // NS_PER_MS - EXECUTION_OVERLAP_MS
    shown = set(event.open_client_order_ids)
    for name in live_children(state):
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
    if event.category is Category.SPOT:
        _open_spot_ledgers(state)
    wait_s = state.timings.reconcile_s
    if not all(agrees):
        wait_s = _POSITION_PATIENCE_S
    if any(
        position_unknown(state, name)
        for name, market in state.markets.items()
        if name.startswith(f"{event.category}:") and market.instrument is not None
    ):
        wait_s = 1  # a symbol was added while the read was under way
    desk.set_timer(f"reconcile:{event.category}", desk.now_ns + wait_s * NS_PER_S)
    return [state.parents[name] for name in state.open_parents]


def on_reconcile_failed(desk: Desk, event: ReconcileFailed) -> list[ParentState]:
    """An incomplete read proves nothing, and while we can not read we open nothing."""
    if not _is_current(desk.state, event.category, event.asked_ns):
        return []
    return _close_category(desk, event.category, event.detail)


def on_unreadable(desk: Desk, event: AccountUnreadable) -> list[ParentState]:
    """Something about the account is not known: open nothing until a complete read."""
    return _close_category(desk, event.category, f"unreadable: {event.detail}")


def on_unexplained(desk: Desk, event: ExecutionUnexplained) -> list[ParentState]:
    """An execution that no order of ours explains changes the position: block the symbol until a person looks."""
    state = desk.state
    key = f"{event.category}:{event.symbol}:{event.exec_id}"
    market = state.markets.get(market_key(event.category, event.symbol))
    if key in state.unexplained or market is None:
        return []
    state.unexplained.append(key)
    market.blocked = f"{AlertCode.EXECUTION_UNEXPLAINED}: {event.kind} {event.exec_id}"
    desk.alert(
        Severity.CRITICAL,
        AlertCode.EXECUTION_UNEXPLAINED,
        "",
        f"{event.symbol}: {event.kind} {event.exec_id}",
    )
    return [state.parents[name] for name in state.open_parents]


def _close_category(desk: Desk, category: Category, detail: str) -> list[ParentState]:
    state = desk.state
    if state.reconciled.get(category.value, True):  # told once, not at every try
        desk.alert(Severity.WARNING, AlertCode.RECONCILE_FAILED, "", f"{category}: {detail}")
    state.reconciled[category.value] = False
    desk.set_timer(f"reconcile:{category}", desk.now_ns + _RETRY_S * NS_PER_S)
    return [state.parents[name] for name in state.open_parents]


def position_unknown(state: EngineState, market_name: str) -> bool:
    """Whether the venue's position in a symbol was never read."""
    names = [name for name in state.ledgers if name.rpartition(":")[0] == market_name]
    return not any(state.ledgers[name].opening_qty is not None for name in names)


def _open_spot_ledgers(state: EngineState) -> None:
    """Spot has no positions: what we hold is what we traded since the beginning."""
    for name in state.markets:
        category, _, symbol = name.partition(":")
        if category == Category.SPOT:
            ledger = state.ledgers.setdefault(ledger_key(category, symbol, 0), Ledger())
            ledger.opening_qty = ledger.opening_qty or ZERO


def _is_current(state: EngineState, category: Category, asked_ns: int) -> bool:
    """Whether an answer belongs to the read that is under way; one from before a lost stream says nothing."""
    requested_ns = state.reconciling.get(category.value)
    if requested_ns is None or asked_ns < requested_ns:
        return False
    del state.reconciling[category.value]
    return True


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
