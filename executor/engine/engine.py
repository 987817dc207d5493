"""The engine: one match from an event to its consequences.

`on_event` is synchronous and deterministic: the same events in the same order give the same commands, live
and in any replay. It never waits, reads no clock, draws no randomness of its own and logs nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from executor.domain import events as ev
from executor.domain.advice import AdviceRecord
from executor.domain.commands import Command, Subscribe
from executor.domain.fill_mark import FillMark
from executor.domain.fills import Fill
from executor.domain.limits import tightest
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Category
from executor.domain.places import place_of_market
from executor.engine import (
    accounts,
    advice,
    advice_outcome,
    algo,
    baskets,
    booking,
    bounds,
    child,
    markets,
    markouts,
    opinions,
    positions,
    reconcile,
    recovery,
    replacing,
    route_verbs,
    routes,
    signals,
    surroundings,
    tightening,
    verbs,
    worth,
)
from executor.engine.desk import Desk
from executor.engine.parent import step
from executor.engine.state import EngineState, ParentState, live_children

RareEvent = (
    ev.EngineStarted
    | ev.InstrumentLoaded
    | ev.InstrumentMissing
    | ev.BookLost
    | ev.ParentSubmitted
    | ev.PauseRequested
    | ev.ResumeRequested
    | ev.AmendRequested
    | ev.CancelRequested
    | ev.HaltRequested
    | ev.RearmRequested
    | ev.ShutdownRequested
    | ev.Reconciled
    | ev.ReconcileFailed
    | ev.AccountUnreadable
    | ev.ExecutionUnexplained
    | ev.PaymentCharged
)

AroundEvent = (
    ev.AlgoOrdersSeen
    | ev.BasketSubmitted
    | ev.BasketSteered
    | ev.RouteSubmitted
    | ev.RouteSteered
    | ev.RouteAmended
    | ev.ReferenceUpdated
    | ev.ContractUpdated
    | ev.PositionsLiquidated
    | ev.ExchangeFlowCounted
    | ev.PositionUpdated
    | ev.WalletUpdated
    | ev.StreamChanged
    | ev.VenueRestricted
    | ev.SentinelChanged
    | ev.AdviceReceived
    | ev.AdviceFailed
    | ev.NewsArrived
    | ev.LimitTightened
    | ev.LimitsReleased
    | RareEvent
)


@dataclass(frozen=True, slots=True)
class Touched:
    """What the last call changed, in order, for tables kept beside the journal."""

    parents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    fills: tuple[Fill, ...] = ()
    decisions: tuple[AdviceRecord, ...] = ()
    marks: tuple[FillMark, ...] = ()


class Engine:
    """Holds the state and works one event at a time.

    Parameters
    ----------
    state
        A state read back from the journal; a fresh one when absent.
    """

    def __init__(self, state: EngineState | None = None) -> None:
        self.state = state or EngineState()
        self.touched = Touched()

    def on_event(self, event: ev.Event) -> tuple[Command, ...]:
        """Take in one event and return what to do, in order.

        Raises
        ------
        InvariantViolation
            If something happened that must never happen; the caller stops opening and cancels.
        """
        state = self.state
        state.now_ns = max(state.now_ns, event.at_ns)
        desk = Desk(state)
        parents = _consider(desk, event)
        if state.open_routes:
            parents = routes.lead(desk, event, parents)
        for parent in parents:
            step(desk, parent)
            worth.follow(desk, parent)
        if state.open_routes:
            routes.follow_up(desk, parents)
        self.touched = Touched(
            tuple(desk.parents),
            tuple(desk.children),
            tuple(desk.fills),
            tuple(desk.decisions),
            tuple(desk.marks),
        )
        return tuple(desk.out)


def _consider(desk: Desk, event: ev.Event) -> Iterable[ParentState]:
    """Change the state by the event; returns the parents that must be looked at again."""
    match event:
        case ev.BookUpdated():
            return markets.on_book(desk, event)
        case ev.TimerFired():
            return _on_timer(desk, event)
        case ev.OrderFilled():
            return _one(booking.on_fill(desk, event))
        case ev.OrderUpdated():
            return _one(child.on_updated(desk, event))
        case ev.OrderAcked():
            return _one(child.on_acked(desk, event))
        case ev.CancelAcked():
            return _one(child.on_cancel_acked(desk, event))
        case ev.OrderRejected():
            return _one(child.on_rejected(desk, event))
        case ev.OrderNotSent():
            return _one(child.on_not_sent(desk, event))
        case ev.OrderOutcomeUnknown():
            return _one(child.on_outcome_unknown(desk, event))
        case ev.CancelFoundNothing():
            return _one(child.on_cancel_found_nothing(desk, event))
        case ev.CancelOutcomeUnknown():
            return _one(child.on_cancel_unknown(desk, event))
        case ev.OrderAbsent():
            return _one(recovery.on_absent(desk, event))
        case ev.OrderQueryFailed():
            return _one(recovery.on_query_failed(desk, event))
        case ev.ReplaceAcked():
            return _one(replacing.on_replace_acked(desk, event))
        case ev.ReplaceRejected():
            return _one(replacing.on_replace_rejected(desk, event))
        case ev.ReplaceNotSent():
            return _one(replacing.on_replace_not_sent(desk, event))
        case ev.ReplaceOutcomeUnknown():
            return _one(replacing.on_replace_unknown(desk, event))
        case _:
            return _consider_around(desk, event)


def _consider_around(desk: Desk, event: AroundEvent) -> Iterable[ParentState]:
    match event:
        case ev.AlgoOrdersSeen():
            return _one(algo.on_orders_seen(desk, event))
        case ev.BasketSubmitted():
            return baskets.on_basket(desk, event)
        case ev.BasketSteered():
            return baskets.on_steered(desk, event)
        case ev.RouteSubmitted() | ev.RouteSteered() | ev.RouteAmended():
            return route_verbs.on_asked(desk, event)
        case ev.ReferenceUpdated():
            return opinions.on_reference(desk, event)
        case ev.ContractUpdated():
            signals.on_contract(desk, event)
            return ()
        case ev.PositionsLiquidated():
            signals.on_liquidated(desk, event)
            return ()
        case ev.ExchangeFlowCounted():
            signals.on_exchange_flow(desk, event)
            return ()
        case ev.PositionUpdated():
            positions.on_position(desk, event)
            return ()
        case ev.WalletUpdated():
            surroundings.on_wallet(desk, event)
            return ()
        case ev.StreamChanged():
            return surroundings.on_stream(desk, event)
        case ev.VenueRestricted():
            return surroundings.on_restricted(desk, event)
        case ev.SentinelChanged():
            return surroundings.on_sentinel(desk, event)
        case ev.AdviceReceived():
            return _one(advice_outcome.on_received(desk, event))
        case ev.AdviceFailed():
            return _one(advice_outcome.on_failed(desk, event))
        case ev.NewsArrived():
            return advice.on_news(desk)
        case ev.LimitTightened() | ev.LimitsReleased():
            return tightening.on_asked(desk, event)
        case _:
            return _consider_rare(desk, event)


def _consider_rare(desk: Desk, event: RareEvent) -> Iterable[ParentState]:
    match event:
        case ev.EngineStarted():
            return _on_started(desk, event)
        case ev.InstrumentLoaded():
            return markets.on_instrument(desk, event)
        case ev.InstrumentMissing():
            return markets.on_instrument_missing(desk, event)
        case ev.BookLost():
            return markets.on_book_lost(desk, event)
        case ev.ParentSubmitted():
            return _one(verbs.on_submit(desk, event))
        case ev.PauseRequested():
            return _one(verbs.on_pause(desk, event))
        case ev.ResumeRequested():
            return _one(verbs.on_resume(desk, event))
        case ev.AmendRequested():
            return _one(verbs.on_amend(desk, event))
        case ev.CancelRequested():
            return _one(verbs.on_cancel(desk, event))
        case ev.HaltRequested():
            verbs.on_halt(desk, event)
            return _open(desk.state)
        case ev.RearmRequested():
            verbs.on_rearm(desk, event)
            return _open(desk.state)
        case ev.ShutdownRequested():
            desk.state.draining = True
            desk.state.leave_orders = event.policy is ev.DrainPolicy.LEAVE
            return _open(desk.state)
        case ev.Reconciled():
            return reconcile.on_reconciled(desk, event)
        case ev.ReconcileFailed():
            return reconcile.on_reconcile_failed(desk, event)
        case ev.AccountUnreadable():
            return reconcile.on_unreadable(desk, event)
        case ev.ExecutionUnexplained():
            return booking.on_unexplained(desk, event)
        case ev.PaymentCharged():
            accounts.book_payment(desk.state, event)
            return ()


def _one(parent: ParentState | None) -> tuple[ParentState, ...]:
    return () if parent is None else (parent,)


def _open(state: EngineState) -> list[ParentState]:
    return [state.parents[name] for name in state.open_parents]


def _on_started(desk: Desk, event: ev.EngineStarted) -> Iterable[ParentState]:
    """Begin an incarnation: nothing that the last one believed about the outside is taken for granted."""
    state = desk.state
    state.instance = event.instance
    state.venue = event.venue
    limits = tightest(event.limits, state.tightened.values())
    bounds_moved = (state.limits, state.adviser) != (limits, event.adviser)
    state.limits = limits
    state.timings = event.timings
    state.seed = event.seed
    state.started_ns = desk.now_ns
    state.draining = state.leave_orders = False
    state.private_live = state.trade_live = state.sentinel_alive = False
    state.sentinel_required = event.sentinel_required
    state.hedge_mode = event.hedge_mode
    state.venue_algorithms = event.venue_algorithms
    state.adviser = event.adviser
    state.marks_fills = event.marks_fills
    state.impact_model = event.impact_model
    state.rules = event.rules
    if not event.marks_fills:
        markouts.forget_books(state)
    worth.interrupt(state)
    advice_outcome.forget_calls(desk)
    if bounds_moved:
        for parent in _open(state):
            bounds.bound(desk, parent)
    state.public_live.clear()
    state.elsewhere.clear()
    state.wallet.clear()
    reconcile.forget_all_reads(state)
    state.timers.clear()
    for market in state.markets.values():
        market.book_ns = None
        market.opinions.clear()
        market.disagreement_told = False
        market.figures = None
        signals.interrupt(market)
    surroundings.watch_restriction(desk)
    algo.watch_held(desk)
    for name in live_children(state):
        _doubt_after_restart(desk, name)
    for parent in _open(state):
        if parent.unread:
            state.children[parent.unread].asked_ns = 0
            desk.query(state.children[parent.unread])
    desk.out.extend(
        Subscribe(category=Category(name.partition(":")[0]), symbol=name.partition(":")[2])
        for name in state.markets
    )
    return _open(state)


def _doubt_after_restart(desk: Desk, name: str) -> None:
    """A create or an amendment that was not answered may or may not have left: unknown until proved."""
    order = desk.state.children[name]
    order.sent_ns = desk.now_ns
    order.cancel_sent_ns = 0
    order.absent_rounds = 0
    order.asked_ns = 0
    order.cancel_nothing_ns = 0
    if order.pending is not None:
        replacing.doubt_terms(desk, order)
    unanswered = order.status in {ChildStatus.PENDING_NEW, ChildStatus.PENDING_CANCEL} and not order.seen
    if unanswered:
        child.doubt(desk, order, "the process restarted before the answer")
    else:
        desk.query(order)


def _on_timer(desk: Desk, event: ev.TimerFired) -> Iterable[ParentState]:
    state = desk.state
    state.timers.pop(event.key, None)
    kind, _, name = event.key.partition(":")
    match kind:
        case "parent":
            return _one(state.parents.get(name))
        case "advice":
            return advice.on_timer(desk, name)
        case "child":
            watched = state.children.get(name)
            if watched is None:
                return ()
            recovery.look_after(desk, watched)
            return _one(state.parents.get(watched.order.parent_id))
        case booking.HELD_TIMER:
            return algo.on_held_timer(desk, name)
        case "reconcile":
            reconcile.request_reconcile(desk, name)
            return ()
        case "position":
            if positions.still_differs(state, name):
                reconcile.request_reconcile(desk, place_of_market(name.rpartition(":")[0]))
            return ()
        case surroundings.RESTRICTED_TIMER:
            return surroundings.on_restriction_timer(desk)
        case _:
            return ()
