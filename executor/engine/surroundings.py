"""What the engine needs around it before it may open anything: streams, a venue that is open to us, a sentinel."""

from executor.domain.commands import AlertCode, Severity
from executor.domain.events import SentinelChanged, Stream, StreamChanged, VenueRestricted, WalletUpdated
from executor.domain.places import at_venue, place_of_market, venue_of
from executor.domain.timeline import iso_utc
from executor.engine.desk import Desk
from executor.engine.reconcile import forget_reads, request_reconcile
from executor.engine.state import EngineState, Links, ParentState

RESTRICTED_TIMER = "restricted"


def on_stream(desk: Desk, event: StreamChanged) -> list[ParentState]:
    """A live private stream is followed by a complete read; until that ends, and agrees, nothing is opened."""
    state = desk.state
    match event.stream:
        case Stream.PUBLIC if event.category is not None:
            state.public_live[at_venue(event.category.value, event.venue)] = event.live
        case Stream.PUBLIC:
            for place in [one for one in state.public_live if venue_of(one) == event.venue]:
                del state.public_live[place]  # nobody said which: none of that venue can be relied on
        case Stream.TRADE if event.venue:
            state.elsewhere.setdefault(event.venue, Links()).trade_live = event.live
        case Stream.TRADE:
            state.trade_live = event.live
        case Stream.PRIVATE:
            if event.venue:
                state.elsewhere.setdefault(event.venue, Links()).private_live = event.live
            else:
                state.private_live = event.live
            forget_reads(state, event.venue)
            if event.live:
                for place in sorted({place_of_market(name) for name in state.markets}):
                    if venue_of(place) == event.venue:
                        request_reconcile(desk, place)
    return _open(state)


def on_restricted(desk: Desk, event: VenueRestricted) -> list[ParentState]:
    """Open nothing until the instant; people are told once, however often it is put off."""
    state = desk.state
    links = state.elsewhere.setdefault(event.venue, Links()) if event.venue else None
    before_ns = state.restricted_until_ns if links is None else links.restricted_until_ns
    if desk.now_ns >= before_ns:
        where = f"{event.venue}, " if event.venue else ""
        detail = f"{where}until {iso_utc(event.until_ns)}: {event.detail}"
        desk.alert(Severity.CRITICAL, AlertCode.VENUE_RESTRICTED, "", detail)
    until_ns = max(before_ns, event.until_ns)
    if links is None:
        state.restricted_until_ns = until_ns
    else:
        links.restricted_until_ns = until_ns
    watch_restriction(desk)
    return _open(state)


def watch_restriction(desk: Desk) -> None:
    """Look again when the first restriction ends."""
    state = desk.state
    ends_ns = [state.restricted_until_ns, *(each.restricted_until_ns for each in state.elsewhere.values())]
    if ahead_ns := [each for each in ends_ns if each > desk.now_ns]:
        desk.set_timer(RESTRICTED_TIMER, min(ahead_ns))


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
