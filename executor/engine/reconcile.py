"""The complete reconciliation: reading everything the venue knows of a category, and what follows from it.

Each place, a product family of one venue, is read by itself: what one venue does not answer neither holds up the others
nor says anything about their orders. Nothing is opened before one complete read, nor after a failed one, nor in a
symbol in which none has yet agreed with our positions. What a read does not show is asked for one by one; nothing is
ever removed because it was not seen.
"""

from executor.domain.commands import AlertCode, Reconcile, Severity
from executor.domain.events import (
    AccountUnreadable,
    Reconciled,
    ReconcileFailed,
)
from executor.domain.orders import Category
from executor.domain.places import at_venue, category_of, place_of, place_of_market, venue_of
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.engine.desk import Desk
from executor.engine.links import links_of
from executor.engine.positions import (
    POSITION_PATIENCE_S,
    compare_positions,
    follow_spot,
    position_unknown,
)
from executor.engine.state import EngineState, ParentState, live_children, market_key

EXECUTION_OVERLAP_MS = 60_000
_RETRY_S = 2


def forget_all_reads(state: EngineState) -> None:
    """What was read is worth nothing any more, at no venue: this process did not listen."""
    state.reconciled.clear()
    state.reconciling.clear()
    for market in state.markets.values():
        market.compared = False


def forget_reads(state: EngineState, venue: str) -> None:
    """What was read of a venue is worth nothing any more: while we did not listen, anything may have happened there."""
    for place in [place for place in (*state.reconciled, *state.reconciling) if venue_of(place) == venue]:
        state.reconciled.pop(place, None)
        state.reconciling.pop(place, None)
    for name, market in state.markets.items():
        if venue_of(name) == venue:
            market.compared = False


def request_reconcile(desk: Desk, place: str) -> None:
    """Ask for a complete read of one place (`executor.domain.places`), unless one is under way."""
    state = desk.state
    place = str(place)
    if place in state.reconciling:
        return
    symbols = tuple(
        sorted(
            name.partition(":")[2]
            for name, market in state.markets.items()
            if place_of_market(name) == place and market.instrument is not None
        )
    )
    if not symbols or not links_of(state, place).private_live:
        return
    # Before the first read of a place nothing of ours was sent there; what others did before is in the
    # opening position, which is read later.
    since_ms = state.exec_cursor_ms.setdefault(place, state.started_ns // NS_PER_MS)
    state.reconciling[place] = desk.now_ns
    state.read_symbols[place] = symbols
    desk.out.append(Reconcile(category=category_of(place), symbols=symbols, since_ms=since_ms))


def on_reconciled(desk: Desk, event: Reconciled) -> list[ParentState]:
    """A complete read ended. Orders it does not show are asked for one by one; nothing is removed."""
    state = desk.state
    place = at_venue(event.category.value, event.venue)
    if not _is_current(state, place, event.asked_ns):
        return []
    cursor_ms = event.asked_ns // NS_PER_MS - EXECUTION_OVERLAP_MS
    state.exec_cursor_ms[place] = max(state.exec_cursor_ms.get(place, cursor_ms), cursor_ms)
    shown = set(event.open_client_order_ids)
    for name in live_children(state):
        child = state.children[name]
        is_of_it = place_of(child.order.category, child.order.symbol) == place
        if is_of_it and name not in shown and child.sent_ns < event.asked_ns:
            desk.query(child)
    if event.foreign_open_orders:
        desk.alert(
            Severity.INFO,
            AlertCode.FOREIGN_ORDERS,
            "",
            f"{event.foreign_open_orders} open {place} orders are not ours",
        )
    state.reconciled[place] = True
    asked = [
        symbol for symbol in state.read_symbols[place] if market_key(event.category, symbol) in state.markets
    ]
    if event.category is Category.SPOT:
        agree = True
        follow_spot(state, asked)
    else:
        agree = compare_positions(desk, event.category, asked, event.positions)
    wait_s = state.timings.reconcile_s
    if not agree:
        wait_s = POSITION_PATIENCE_S
    if any(
        position_unknown(state, name)
        for name, market in state.markets.items()
        if place_of_market(name) == place and market.instrument is not None
    ):
        wait_s = 1  # a symbol was added while the read was under way
    desk.set_timer(f"reconcile:{place}", desk.now_ns + wait_s * NS_PER_S)
    return [state.parents[name] for name in state.open_parents]


def on_reconcile_failed(desk: Desk, event: ReconcileFailed) -> list[ParentState]:
    """An incomplete read proves nothing, and while we can not read we open nothing."""
    place = at_venue(event.category.value, event.venue)
    if not _is_current(desk.state, place, event.asked_ns):
        return []
    return _close(desk, place, event.detail)


def on_unreadable(desk: Desk, event: AccountUnreadable) -> list[ParentState]:
    """Something about the account is not known: open nothing until a complete read that began after it was told."""
    place = at_venue(event.category.value, event.venue)
    desk.state.reconciling.pop(place, None)
    return _close(desk, place, f"unreadable: {event.detail}")


def _close(desk: Desk, place: str, detail: str) -> list[ParentState]:
    state = desk.state
    if state.reconciled.get(place, True):  # told once, not at every try
        desk.alert(Severity.WARNING, AlertCode.RECONCILE_FAILED, "", f"{place}: {detail}")
    state.reconciled[place] = False
    desk.set_timer(f"reconcile:{place}", desk.now_ns + _RETRY_S * NS_PER_S)
    return [state.parents[name] for name in state.open_parents]


def _is_current(state: EngineState, place: str, asked_ns: int) -> bool:
    """Whether an answer belongs to the read that is under way; one from before a lost stream says nothing."""
    requested_ns = state.reconciling.get(place)
    if requested_ns is None or asked_ns < requested_ns:
        return False
    del state.reconciling[place]
    return True
