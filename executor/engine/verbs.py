"""What operators may ask of the engine: submit, pause, resume, amend, cancel, halt, re-arm.

Each request gets exactly one reply. What the transport could check (form, ranges) was checked there; what
depends on the state is decided here.
"""

from dataclasses import replace

from executor.domain.commands import AlertCode, Outcome, Reply, Severity, Subscribe
from executor.domain.cost_forecast import CostForecast
from executor.domain.events import (
    AmendRequested,
    CancelRequested,
    HaltRequested,
    ParentSubmitted,
    PauseRequested,
    RearmRequested,
    ResumeRequested,
)
from executor.domain.orders import Category, Side
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.places import place_of, place_of_market
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, plain
from executor.engine.algo import release_by_person
from executor.engine.child import prove_absent
from executor.engine.desk import Desk
from executor.engine.exposure import are_priced, why_not_larger, why_not_together
from executor.engine.halt import halt
from executor.engine.lost import end_incomplete
from executor.engine.positions import configured_apart, forget_positions, keeps_apart, position_unknown
from executor.engine.preview import beyond_position
from executor.engine.reconcile import request_reconcile
from executor.engine.state import AdviceState, EngineState, MarketState, ParentState, market_key
from executor.engine.submitted import order_of
from risk.joint import Bounds
from strategies.base import STRATEGIES
from strategies.reads import why_not
from strategies.venue_orders import VENUE_STRATEGIES, why_unfit

_S = ParentStatus


def on_submit(desk: Desk, event: ParentSubmitted) -> ParentState | None:
    """Accept a parent order, or say why not. The same key with the same body names the first one again."""
    state = desk.state
    earlier = state.idempotency.get(event.idempotency_key)
    if earlier is not None:
        same = state.parents[earlier].body_sha256 == event.body_sha256
        outcome = Outcome.REPEATED if same else Outcome.CONFLICT
        text = "this key was accepted before" if same else "this key was used with another body"
        _reply(desk, event.request_id, outcome, earlier, "IDEMPOTENCY_KEY", text)
        return None
    refusal = why_refused(state, event)
    if refusal is not None:
        outcome, code, text = refusal
        _reply(desk, event.request_id, outcome, "", code, text)
        return None
    parent = accept(desk, event)
    _reply(desk, event.request_id, Outcome.ACCEPTED, parent.order.parent_id, "ACCEPTED", "accepted")
    return parent


def on_pause(desk: Desk, event: PauseRequested) -> ParentState | None:
    """Stop trading a parent until an operator resumes it."""
    parent = _find_open(desk, event.request_id, event.parent_id)
    if parent is None:
        return None
    if parent.goal is not None:
        _reply(
            desk, event.request_id, Outcome.STATE, event.parent_id, "ENDING", f"it is ending: {parent.goal}"
        )
        return None
    if parent.status is _S.PAUSED and parent.reason is Reason.OPERATOR:
        _reply(desk, event.request_id, Outcome.REPEATED, event.parent_id, "PAUSED", "it was paused already")
        return None
    if parent.status is _S.PAUSED:
        parent.reason = Reason.OPERATOR
    else:
        parent.resume_to_start = parent.status is _S.INITIALIZED
        desk.move_parent(parent, _S.PAUSED, Reason.OPERATOR)
    parent.version += 1
    _reply(desk, event.request_id, Outcome.ACCEPTED, event.parent_id, "PAUSED", "paused")
    return parent


def on_resume(desk: Desk, event: ResumeRequested) -> ParentState | None:
    """Let a paused parent go on; what is left is spread over the time that is left."""
    parent = _find_open(desk, event.request_id, event.parent_id)
    if parent is None:
        return None
    if desk.state.latched:
        text = f"halted: {desk.state.latch_reason}; re-arm first"
        _reply(desk, event.request_id, Outcome.LOCKED, event.parent_id, "HALTED", text)
        return None
    if parent.goal is not None:
        _reply(
            desk, event.request_id, Outcome.STATE, event.parent_id, "ENDING", f"it is ending: {parent.goal}"
        )
        return None
    if parent.status is not _S.PAUSED:
        text = f"it was not paused: it is {parent.status}"
        _reply(desk, event.request_id, Outcome.REPEATED, event.parent_id, "RESUMED", text)
        return None
    parent.replan = True
    parent.rejects_in_row = 0
    parent.version += 1
    desk.move_parent(parent, _S.INITIALIZED if parent.resume_to_start else _S.ACTIVE, Reason.OPERATOR)
    if parent.live:
        desk.move_parent(parent, _S.EXECUTING, Reason.OPERATOR)
    parent.resume_to_start = False
    _reply(desk, event.request_id, Outcome.ACCEPTED, event.parent_id, "RESUMED", "resumed")
    return parent


def on_amend(desk: Desk, event: AmendRequested) -> ParentState | None:
    """Change a live parent; in force as soon as nothing of the old parameters is at work."""
    parent = _find_open(desk, event.request_id, event.parent_id)
    if parent is None:
        return None
    if parent.route_id:
        text = f"it is a leg of {parent.route_id}: amend that"
        _reply(desk, event.request_id, Outcome.STATE, event.parent_id, "LEG", text)
        return None
    refusal = why_not_amended(desk, parent, event)
    if refusal is not None:
        outcome, code, text = refusal
        _reply(desk, event.request_id, outcome, event.parent_id, code, text)
        return None
    begin_amendment(desk, parent, event)
    _reply(desk, event.request_id, Outcome.ACCEPTED, event.parent_id, "AMENDED", "accepted")
    return parent


def begin_amendment(desk: Desk, parent: ParentState, event: AmendRequested) -> None:
    """Put an acceptable amendment down, to be in force when nothing of the old parameters is at work."""
    parent.pending = replace(event, at_ns=0, request_id="")
    if parent.status in {_S.ACTIVE, _S.EXECUTING}:
        desk.move_parent(parent, _S.ADJUSTING, Reason.AMENDED)
    desk.parents[parent.order.parent_id] = None


def on_cancel(desk: Desk, event: CancelRequested) -> ParentState | None:
    """End a parent: CANCELED once every child is proved finished."""
    parent = _find_open(desk, event.request_id, event.parent_id)
    if parent is None:
        return None
    parent.goal = _S.CANCELED
    parent.goal_reason = Reason.OPERATOR
    parent.version += 1
    desk.parents[event.parent_id] = None
    _reply(desk, event.request_id, Outcome.ACCEPTED, event.parent_id, "CANCELING", "cancelling")
    return parent


def on_halt(desk: Desk, event: HaltRequested) -> None:
    """Latch the stop."""
    text = f"{event.operator}: {event.reason}"
    halt(desk, Reason.HALTED, text)
    _reply(desk, event.request_id, Outcome.ACCEPTED, "", "HALTED", "halted; nothing is opened until re-armed")


def on_rearm(desk: Desk, event: RearmRequested) -> None:
    """Clear the stop, the blocks on symbols and the repeat counts. Parents stay paused until resumed."""
    state = desk.state
    if not event.reason.strip() or not event.operator.strip():
        _reply(desk, event.request_id, Outcome.INVALID, "", "REASON", "an operator and a reason are needed")
        return
    cleared = [*end_incomplete(desk), *_clear_latch(state)]
    for name in release_by_person(state):
        prove_absent(desk, state.children[name])
        cleared.append(f"the strategy order {name}, which the venue does not show: it counts as never taken")
    unread = {name.rpartition(":")[0] for name in state.ledgers if state.ledgers[name].rebase}
    for place in sorted({place_of_market(name) for name in unread}):
        state.reconciling.pop(place, None)  # a read asked for before shows what was before
        request_reconcile(desk, place)
    text = f"cleared: {'; '.join(cleared)}" if cleared else "nothing was halted or blocked"
    desk.alert(Severity.INFO, AlertCode.REARMED, "", f"{event.operator}: {event.reason}; {text}")
    for parent_id in state.open_parents:
        parent = state.parents[parent_id]
        parent.children_at_rearm = parent.repeats
        parent.ordered_at_rearm_qty = parent.ordered_qty
    del state.order_times_ns[: max(len(state.order_times_ns) - state.limits.orders_per_min_max, 0)]
    _reply(
        desk,
        event.request_id,
        Outcome.ACCEPTED,
        "",
        "REARMED",
        f"re-armed; {text}; resume parents one by one",
    )


def _clear_latch(state: EngineState) -> list[str]:
    """Clear the stop and every block; says what was cleared, so that a person sees what was accepted."""
    cleared = []
    if state.latched:
        cleared.append(f"the halt by {state.latch_reason}")
    state.latched = False
    state.latch_reason = ""
    if state.orphans:
        cleared.append(f"{len(state.orphans)} fills without an order")
    state.orphans.clear()
    state.unplaced.clear()
    cleared += forget_positions(state)
    for name, market in state.markets.items():
        if market.blocked:
            cleared.append(f"the block on {name} ({market.blocked})")
        market.blocked = ""
    return cleared


def _reply(desk: Desk, request_id: str, outcome: Outcome, parent_id: str, code: str, text: str) -> None:
    desk.out.append(Reply(request_id=request_id, outcome=outcome, parent_id=parent_id, code=code, text=text))


def _find_open(desk: Desk, request_id: str, parent_id: str) -> ParentState | None:
    parent = desk.state.parents.get(parent_id)
    if parent is None:
        _reply(desk, request_id, Outcome.NOT_FOUND, parent_id, "PARENT", "no such parent order")
        return None
    if parent.is_final:
        _reply(desk, request_id, Outcome.STATE, parent_id, "ENDED", f"it has ended: {parent.status}")
        return None
    return parent


def why_refused(state: EngineState, event: ParentSubmitted) -> tuple[Outcome, str, str] | None:
    """Why a new parent order would be refused now: outcome, code and words; None if it would be accepted."""
    refusal = why_refused_alone(state, event)
    if refusal is not None:
        return refusal
    beyond = why_not_together(state, [event], Bounds())
    return (Outcome.INVALID, "JOINT_LIMITS", beyond) if beyond else None


def why_refused_alone(state: EngineState, event: ParentSubmitted) -> tuple[Outcome, str, str] | None:
    """The same without the limits over several parents."""
    if state.latched:
        return Outcome.LOCKED, "HALTED", f"halted: {state.latch_reason}; re-arm first"
    if state.draining:
        return Outcome.LOCKED, "DRAINING", "the daemon is shutting down"
    if event.strategy not in offered(state):
        return (
            Outcome.INVALID,
            "STRATEGY",
            _unknown_strategy(state, event.strategy),
        )
    misread = why_not(event.strategy, event.params) or _shows_too_much(event)
    if misread:
        return Outcome.INVALID, "PARAMS", misread
    if event.strategy in VENUE_STRATEGIES:
        unfit = "a model is asked about orders of ours only" if event.advised else ""
        unfit = unfit or why_unfit(
            event.strategy,
            event.params,
            category=event.category,
            symbol=event.symbol,
            duration_s=event.duration_s,
            has_limit_px=event.limit_px is not None,
        )
        if unfit:
            return Outcome.INVALID, "VENUE_ALGORITHM", unfit
    if event.category is Category.SPOT and (event.reduce_only or event.position_idx):
        return Outcome.INVALID, "CATEGORY", "spot has no positions: reduce_only and position_idx do not apply"
    misfit = _mode_misfit(state, event) or _position_misfit(event)
    if misfit:
        return Outcome.INVALID, "POSITION_IDX", misfit
    if event.reduce_only:
        beyond = beyond_position(
            state, event.category, event.symbol, event.side, event.position_idx, event.order_qty
        )
        if beyond:
            return Outcome.INVALID, "REDUCE_ONLY", beyond
    for parent_id in state.open_parents:
        order = state.parents[parent_id].order
        opposite = (order.category, order.symbol, order.position_idx) == (
            event.category,
            event.symbol,
            event.position_idx,
        ) and order.side is not event.side
        if opposite:
            return Outcome.CONFLICT, "OPPOSITE", f"{parent_id} works the other side of {event.symbol}"
    for route_id in state.open_routes:
        route = state.routes[route_id]
        places = [(leg.leg.category, leg.leg.symbol) for leg in route.legs]
        if (event.category, event.symbol) in places and route.order.side is not event.side:
            return Outcome.CONFLICT, "OPPOSITE", f"{route_id} works the other side of {event.symbol}"
    market = state.markets.get(market_key(event.category, event.symbol))
    rules = market.instrument if market else None
    if rules is None:
        return None
    if rules.round_qty(event.order_qty) < rules.min_order_qty:
        return Outcome.INVALID, "QTY_MIN", f"quantity below the venue's minimum {rules.min_order_qty}"
    if (
        market is not None
        and market.snapshot is not None
        and rules.is_dust(event.order_qty, market.snapshot.mid_px)
    ):
        return Outcome.INVALID, "QTY_VALUE", f"value below the venue's minimum {rules.min_notional}"
    return None


def _shows_too_much(event: ParentSubmitted) -> str:
    display = event.params.display_qty
    if display is None or display <= event.order_qty:
        return ""
    return f"display_qty {plain(display)} is more than the whole, {plain(event.order_qty)}"


def offered(state: EngineState) -> tuple[str, ...]:
    """Names of the strategies that may be asked for; those of the venue only where it has them and they are on."""
    return (*STRATEGIES, *VENUE_STRATEGIES) if state.venue_algorithms else tuple(STRATEGIES)


def _unknown_strategy(state: EngineState, name: str) -> str:
    if name in VENUE_STRATEGIES and not state.venue_algorithms:
        return f"{name} is not available: strategy orders of the venue are off (venue.algorithms), or it has none here"
    return f"no strategy {name!r}; there is {', '.join(offered(state))}"


def _algo_unfit(desk: Desk, parent: ParentState, event: AmendRequested) -> str:
    """Why the venue could not work the parent by itself as it would then be; empty if it could, or is not asked to."""
    order = parent.order
    strategy = event.strategy or order.strategy
    if strategy not in VENUE_STRATEGIES:
        return ""
    if parent.advice is not None:
        return "a model is asked about orders of ours only"
    left_s = ((event.deadline_ns or order.deadline_ns) - max(desk.now_ns, order.start_ns)) // NS_PER_S
    limit_px = None if event.clear_limit_px else (event.limit_px or order.limit_px)
    return why_unfit(
        strategy,
        event.params or order.params,
        category=order.category,
        symbol=order.symbol,
        duration_s=left_s,
        has_limit_px=limit_px is not None,
    )


def _mode_misfit(state: EngineState, event: ParentSubmitted) -> str:
    """Why the position named does not fit the account's position mode; empty if it does, or the mode is not known."""
    apart = keeps_apart(state, event.category, event.symbol)
    wanted = configured_apart(state, event.category, event.symbol)
    if wanted is not None and apart is not wanted:
        has, mode = ("two positions", "one_way") if apart else ("one position", "hedge")
        return f"the account has {has} in {event.symbol}, and venue.position_mode is {mode}: make them agree"
    if apart is None or apart is bool(event.position_idx):
        return ""
    if apart:
        return (
            f"long and short are kept apart in {event.symbol}: position_idx must be 1 for long, 2 for short"
        )
    return f"position_idx {event.position_idx} is of hedge mode, and {event.symbol} has one position: leave it out"


def _position_misfit(event: ParentSubmitted) -> str:
    """Why side and reduce-only do not fit the position named; empty if they do. Index 1 is long, 2 is short."""
    if not event.position_idx:
        return ""
    opens = event.side is (Side.BUY if event.position_idx == 1 else Side.SELL)
    if opens is not event.reduce_only:
        return ""
    kind = "long" if event.position_idx == 1 else "short"
    must = "opens it, so it can not be reduce_only" if opens else "reduces it, so it must be reduce_only"
    return f"position_idx {event.position_idx} is the {kind} position: this side {must}"


def accept(desk: Desk, event: ParentSubmitted, basket_id: str = "", route_id: str = "") -> ParentState:
    """Make the parent of an order that was found acceptable; the leg of a routed order was looked at with that."""
    state = desk.state
    number = state.next_parent_no
    state.next_parent_no += 1
    parent_id = f"P{number}"
    order = order_of(event, desk.now_ns, parent_id=parent_id, parent_no=number)
    market = state.markets.setdefault(market_key(event.category, event.symbol), MarketState())
    fresh = market.snapshot if market.book_ns is not None else None
    model = "" if route_id else event.impact_model or state.impact_model
    parent = ParentState(
        order=order,
        status=_S.INITIALIZED,
        reason=Reason.ACCEPTED,
        created_ns=desk.now_ns,
        idempotency_key=event.idempotency_key,
        body_sha256=event.body_sha256,
        decision_px=event.decision_px or (fresh.mid_px if fresh else None),
        advice=AdviceState() if event.advised else None,
        basket_id=basket_id,
        cleared=bool(route_id) or are_priced(state, [event]),
        forecast=CostForecast(model=model, version=event.impact_version) if model else None,
        route_id=route_id,
    )
    state.parents[parent_id] = parent
    state.open_parents.append(parent_id)
    state.idempotency[event.idempotency_key] = parent_id
    desk.parents[parent_id] = None
    desk.out.append(Subscribe(category=event.category, symbol=event.symbol))
    place = place_of(event.category, event.symbol)
    if not state.reconciled.get(place, False) or position_unknown(
        state, market_key(event.category, event.symbol)
    ):
        request_reconcile(desk, place)
    return parent


def why_not_amended(
    desk: Desk, parent: ParentState, event: AmendRequested
) -> tuple[Outcome, str, str] | None:
    """Why an amendment would be refused now: outcome, code and words; None if it would be accepted."""
    if event.expected_version is not None and event.expected_version != parent.version:
        return Outcome.VERSION, "VERSION", f"the parent is at version {parent.version}"
    if parent.goal is not None:
        return Outcome.STATE, "ENDING", f"it is ending: {parent.goal}"
    if parent.pending is not None:
        return Outcome.STATE, "ADJUSTING", "an earlier amendment is still being applied"
    if event.strategy is not None and event.strategy not in offered(desk.state):
        return (
            Outcome.INVALID,
            "STRATEGY",
            _unknown_strategy(desk.state, event.strategy),
        )
    changes = event.strategy is not None or event.params is not None
    misread = why_not(event.strategy or parent.order.strategy, event.params or parent.order.params)
    if changes and misread:
        return Outcome.INVALID, "PARAMS", misread
    unfit = _algo_unfit(desk, parent, event)
    if unfit:
        return Outcome.INVALID, "VENUE_ALGORITHM", unfit
    if event.deadline_ns is not None and event.deadline_ns <= desk.now_ns:
        return Outcome.INVALID, "TIME", "the deadline is in the past"
    if event.deadline_ns is not None and event.deadline_ns <= parent.order.start_ns:
        return Outcome.INVALID, "TIME", "the deadline is before its start"
    if event.order_qty is not None and (event.order_qty <= ZERO or event.order_qty < parent.cum_qty):
        return Outcome.INVALID, "QTY", f"it must be positive, and {parent.cum_qty} is filled already"
    order = parent.order
    if order.reduce_only and event.order_qty is not None and event.order_qty > parent.cum_qty:
        more_qty = event.order_qty - parent.cum_qty
        beyond = beyond_position(
            desk.state, order.category, order.symbol, order.side, order.position_idx, more_qty
        )
        if beyond:
            return Outcome.INVALID, "REDUCE_ONLY", beyond
    if event.order_qty is not None:
        beyond = why_not_larger(desk.state, parent, event.order_qty)
        if beyond:
            return Outcome.INVALID, "JOINT_LIMITS", beyond
    fields = (event.order_qty, event.limit_px, event.deadline_ns, event.urgency, event.strategy, event.params)
    if all(field is None for field in fields) and not event.clear_limit_px:
        return Outcome.INVALID, "NOTHING", "the amendment changes nothing"
    return None
