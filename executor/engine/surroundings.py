"""What the engine needs around it before it may open anything: streams, a venue that is open to us, a sentinel."""

from executor.domain.commands import AlertCode, Severity
from executor.domain.events import SentinelChanged, Stream, StreamChanged, VenueRestricted, WalletUpdated
from executor.domain.orders import Category
from executor.domain.timeline import iso_utc
from executor.engine.desk import Desk
from executor.engine.reconcile import forget_reads, request_reconcile
from executor.engine.state import EngineState, ParentState

RESTRICTED_TIMER = "restricted"


def on_stream(desk: Desk, event: StreamChanged) -> list[ParentState]:
    """A live private stream is followed by a complete read; until that ends, and agrees, nothing is opened."""
    state = desk.state
    match event.stream:
        case Stream.PUBLIC if event.category is not None:
            state.public_live[event.category.value] = event.live
        case Stream.PUBLIC:
            state.public_live.clear()  # nobody said which: none can be relied on
        case Stream.TRADE:
            state.trade_live = event.live
        case Stream.PRIVATE:
            state.private_live = event.live
            forget_reads(state)
            if event.live:
                for category in sorted({name.partition(":")[0] for name in state.markets}):
                    request_reconcile(desk, Category(category))
    return _open(state)


def on_restricted(desk: Desk, event: VenueRestricted) -> list[ParentState]:
    """Open nothing until the instant; people are told once, however often it is put off."""
    state = desk.state
    if desk.now_ns >= state.restricted_until_ns:
        detail = f"until {iso_utc(event.until_ns)}: {event.detail}"
        desk.alert(Severity.CRITICAL, AlertCode.VENUE_RESTRICTED, "", detail)
    state.restricted_until_ns = max(state.restricted_until_ns, event.until_ns)
    watch_restriction(desk)
    return _open(state)


def watch_restriction(desk: Desk) -> None:
    """Look again when the restriction ends."""
    if desk.state.restricted_until_ns > desk.now_ns:
        desk.set_timer(RESTRICTED_TIMER, desk.state.restricted_until_ns)


def on_restriction_timer(desk: Desk) -> list[ParentState]:
    """The restriction ended, or was put off meanwhile."""
    watch_restriction(desk)
    return _open(desk.state)


def on_sentinel(desk: Desk, event: SentinelChanged) -> list[ParentState]:
    """Without the sentinel nobody cancels should this process fall silent, so nothing may be opened."""
    state = desk.state
    state.sentinel_alive = event.alive
    if not event.alive and state.sentinel_required:
        desk.alert(Severity.CRITICAL, AlertCode.SENTINEL_SILENT, "", event.detail)
    return _open(state)


def on_wallet(desk: Desk, event: WalletUpdated) -> None:
    """Keep the balances for people."""
    for balance in event.balances:
        desk.state.wallet[balance.coin] = balance


def _open(state: EngineState) -> list[ParentState]:
    return [state.parents[name] for name in state.open_parents]
