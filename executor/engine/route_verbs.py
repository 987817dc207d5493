"""What operators may ask of a routed order: submit, pause, resume, amend, cancel; each acts on all legs at once."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from executor.domain.commands import Outcome, Reply, Subscribe
from executor.domain.events import (
    AmendRequested,
    BasketVerb,
    CancelRequested,
    ParentSubmitted,
    PauseRequested,
    ResumeRequested,
    RouteAmended,
    RouteSteered,
    RouteSubmitted,
)
from executor.domain.orders import Category, ResidualRule
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.places import place_of
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, plain
from executor.engine.desk import Desk
from executor.engine.exposure import are_legs_priced, why_route_not_larger, why_route_not_together
from executor.engine.positions import position_unknown
from executor.engine.reconcile import request_reconcile
from executor.engine.route_legs import open_parent, route_worst_qty
from executor.engine.route_plan import routed_order
from executor.engine.state import EngineState, LegState, MarketState, ParentState, RouteState
from executor.engine.verbs import (
    begin_amendment,
    on_cancel,
    on_pause,
    on_resume,
    why_not_amended,
    why_refused_alone,
)
from strategies.routing import LEGS_MAX, ROUTABLE

_S = ParentStatus
_QTY_CODES: Final = {"QTY_MIN", "QTY_VALUE"}
_DONE: Final = {BasketVerb.PAUSE: "paused", BasketVerb.RESUME: "resumed", BasketVerb.CANCEL: "cancelling"}


def on_asked(desk: Desk, event: RouteSubmitted | RouteSteered | RouteAmended) -> list[ParentState]:
    """Do what is asked, and answer once; returns the parents of legs that must be looked at."""
    match event:
        case RouteSubmitted():
            _on_submitted(desk, event)
            return []
        case RouteSteered():
            return _on_steered(desk, event)
        case RouteAmended():
            return _on_amended(desk, event)


def _on_submitted(desk: Desk, event: RouteSubmitted) -> None:
    """Accept a routed order, or say why not. The same key with the same body names the first one again."""
    state = desk.state
    earlier = state.route_keys.get(event.idempotency_key)
    if earlier is not None:
        same = state.routes[earlier].body_sha256 == event.body_sha256
        outcome = Outcome.REPEATED if same else Outcome.CONFLICT
        text = "this key was accepted before" if same else "this key was used with another body"
        _reply(desk, event.request_id, outcome, earlier, "IDEMPOTENCY_KEY", text)
        return
    refusal = why_route_refused(state, event)
    if refusal is not None:
        outcome, code, text = refusal
        _reply(desk, event.request_id, outcome, "", code, text)
        return
    number = state.next_route_no
    state.next_route_no += 1
    order = routed_order(event, number, desk.now_ns)
    route_id = order.route_id
    state.routes[route_id] = RouteState(
        order=order,
        status=_S.INITIALIZED,
        reason=Reason.ACCEPTED,
        created_ns=desk.now_ns,
        idempotency_key=event.idempotency_key,
        body_sha256=event.body_sha256,
        legs=[LegState(leg=leg) for leg in event.legs],
        cleared=are_legs_priced(state, event.legs),
    )
    state.open_routes.append(route_id)
    state.route_keys[event.idempotency_key] = route_id
    for leg in state.routes[route_id].legs:
        _follow(desk, leg)
    _reply(
        desk, event.request_id, Outcome.ACCEPTED, route_id, "ACCEPTED", f"accepted, {len(event.legs)} legs"
    )


def why_route_refused(state: EngineState, event: RouteSubmitted) -> tuple[Outcome, str, str] | None:
    """Why a routed order would be refused now: outcome, code and words; None if it would be accepted."""
    misfit = _misfit(event)
    if misfit:
        return Outcome.INVALID, "ROUTE", misfit
    found = [why_refused_alone(state, _leg_alone(event, number)) for number in range(len(event.legs))]
    for each in found:
        if each is not None and each[1] not in _QTY_CODES:
            return each
    if all(each is not None for each in found):
        return found[0]
    beyond = why_route_not_together(state, event)
    return (Outcome.INVALID, "JOINT_LIMITS", beyond) if beyond else None


def _on_steered(desk: Desk, event: RouteSteered) -> list[ParentState]:
    """Pause, resume or cancel a routed order with every leg of it."""
    route = _find_open(desk, event.request_id, event.route_id)
    if route is None:
        return []
    if route.goal is not None:
        repeated = event.verb is BasketVerb.CANCEL and route.goal is _S.CANCELED
        outcome = Outcome.REPEATED if repeated else Outcome.STATE
        _reply(desk, event.request_id, outcome, event.route_id, "ENDING", f"it is ending: {route.goal}")
        return []
    if event.verb is BasketVerb.RESUME and desk.state.latched:
        text = f"halted: {desk.state.latch_reason}; re-arm first"
        _reply(desk, event.request_id, Outcome.LOCKED, event.route_id, "HALTED", text)
        return []
    done = _is_done_already(desk.state, route, event.verb)
    if done:
        _reply(desk, event.request_id, Outcome.REPEATED, event.route_id, event.verb.name, done)
        return []
    parents = [parent for leg in route.legs if (parent := open_parent(desk.state, leg)) is not None]
    for parent in parents:
        _steer(desk, event, parent)
    match event.verb:
        case BasketVerb.PAUSE:
            route.status, route.reason = _S.PAUSED, Reason.OPERATOR
        case BasketVerb.RESUME:
            route.status = _S.ACTIVE if route.started_ns else _S.INITIALIZED
            route.reason, route.replan = Reason.OPERATOR, bool(route.started_ns)
            for leg in route.legs:
                leg.held = None
        case BasketVerb.CANCEL:
            route.goal, route.goal_reason = _S.CANCELED, Reason.OPERATOR
    route.version += 1
    _reply(desk, event.request_id, Outcome.ACCEPTED, event.route_id, event.verb.name, _DONE[event.verb])
    return parents


def _on_amended(desk: Desk, event: RouteAmended) -> list[ParentState]:
    """Change a live routed order; what is left is divided over time and legs anew."""
    route = _find_open(desk, event.request_id, event.route_id)
    if route is None:
        return []
    refusal = _why_not_amend(desk, route, event)
    if refusal is not None:
        outcome, code, text = refusal
        _reply(desk, event.request_id, outcome, event.route_id, code, text)
        return []
    order = route.order
    route.order = replace(
        order,
        order_qty=event.order_qty or order.order_qty,
        limit_px=None if event.clear_limit_px else (event.limit_px or order.limit_px),
        deadline_ns=event.deadline_ns or order.deadline_ns,
        urgency=event.urgency or order.urgency,
    )
    route.replan = bool(route.started_ns)
    route.version += 1
    parents = []
    for leg in route.legs:
        parent = open_parent(desk.state, leg)
        change = _leg_amendment(route, event)
        if parent is not None and change is not None:
            begin_amendment(desk, parent, change)
            parents.append(parent)
    _reply(desk, event.request_id, Outcome.ACCEPTED, event.route_id, "AMENDED", "accepted")
    return parents


def _misfit(event: RouteSubmitted) -> str:
    """Why these legs can not be one order; empty if they can."""
    names = [(leg.category, leg.symbol) for leg in event.legs]
    if not 1 < len(names) <= LEGS_MAX:
        return f"a route has 2 to {LEGS_MAX} legs, not {len(names)}"
    if len(set(names)) < len(names):
        return "each leg of a route can be named once"
    if any(category is Category.INVERSE for category, _ in names):
        return "contracts of a quote unit (inverse) are no quantity of the coin: only spot and linear can be legs"
    if event.strategy not in ROUTABLE:
        return (
            f"{event.strategy} keeps to no schedule that several legs could share; {', '.join(ROUTABLE)} do"
        )
    return ""


def _leg_alone(event: RouteSubmitted, number: int) -> ParentSubmitted:
    """The order that one leg would be if it did everything."""
    leg = event.legs[number]
    return ParentSubmitted(
        at_ns=event.at_ns,
        request_id="",
        idempotency_key="",
        body_sha256="",
        category=leg.category,
        symbol=leg.symbol,
        side=event.side,
        order_qty=event.order_qty,
        duration_s=event.duration_s,
        residual=event.residual,
        extend_s=event.extend_s,
        limit_px=event.limit_px,
        urgency=event.urgency,
        strategy=event.strategy,
        params=event.params,
        reduce_only=False,
        position_idx=0,
        decision_px=None,
        seed=event.seed,
        start_ns=event.start_ns,
    )


def _follow(desk: Desk, leg: LegState) -> None:
    """Follow the market of a leg before anything is granted to it."""
    state, place = desk.state, place_of(leg.leg.category, leg.leg.symbol)
    state.markets.setdefault(leg.market_key, MarketState())
    desk.out.append(Subscribe(category=leg.leg.category, symbol=leg.leg.symbol))
    if not state.reconciled.get(place, False) or position_unknown(state, leg.market_key):
        request_reconcile(desk, place)


def _is_done_already(state: EngineState, route: RouteState, verb: BasketVerb) -> str:
    if verb is BasketVerb.PAUSE and route.status is _S.PAUSED and route.reason is Reason.OPERATOR:
        return "it was paused already"
    parents = [open_parent(state, leg) for leg in route.legs]
    waits = any(leg.held is not None for leg in route.legs) or any(
        parent is not None and parent.status is _S.PAUSED for parent in parents
    )
    if verb is BasketVerb.RESUME and route.status is not _S.PAUSED and not waits:
        return f"it was not paused: it is {route.status}"
    return ""


def _steer(desk: Desk, event: RouteSteered, parent: ParentState) -> None:
    """Ask the same of a leg, and take its answer from the desk: the routed order answers once, for all."""
    at_ns, request_id, name = event.at_ns, event.request_id, parent.order.parent_id
    before = len(desk.out)
    match event.verb:
        case BasketVerb.PAUSE:
            on_pause(desk, PauseRequested(at_ns=at_ns, request_id=request_id, parent_id=name))
        case BasketVerb.RESUME:
            on_resume(desk, ResumeRequested(at_ns=at_ns, request_id=request_id, parent_id=name))
        case BasketVerb.CANCEL:
            on_cancel(desk, CancelRequested(at_ns=at_ns, request_id=request_id, parent_id=name))
    desk.out[before:] = [command for command in desk.out[before:] if not isinstance(command, Reply)]


def _why_not_amend(desk: Desk, route: RouteState, event: RouteAmended) -> tuple[Outcome, str, str] | None:
    state, order = desk.state, route.order
    if event.expected_version is not None and event.expected_version != route.version:
        return Outcome.VERSION, "VERSION", f"the routed order is at version {route.version}"
    if route.goal is not None:
        return Outcome.STATE, "ENDING", f"it is ending: {route.goal}"
    fields = (event.order_qty, event.limit_px, event.deadline_ns, event.urgency)
    if all(field is None for field in fields) and not event.clear_limit_px:
        return Outcome.INVALID, "NOTHING", "the amendment changes nothing"
    if event.deadline_ns is not None and event.deadline_ns <= max(desk.now_ns, order.start_ns):
        return Outcome.INVALID, "TIME", "the deadline is in the past, or before its start"
    least = route_worst_qty(state, route)
    if event.order_qty is not None and (event.order_qty <= ZERO or event.order_qty < least):
        text = f"it must be positive, and {plain(least)} is filled or may still fill; pause it first to make that less"
        return Outcome.INVALID, "QTY", text
    change = _leg_amendment(route, event)
    for leg in route.legs:
        parent = open_parent(state, leg)
        if parent is None or change is None:
            continue
        refusal = why_not_amended(desk, parent, change)
        if refusal is not None:
            outcome, code, text = refusal
            return outcome, code, f"{parent.order.parent_id}: {text}"
    if event.order_qty is not None:
        beyond = why_route_not_larger(state, route, Decimal(event.order_qty))
        if beyond:
            return Outcome.INVALID, "JOINT_LIMITS", beyond
    return None


def _leg_amendment(route: RouteState, event: RouteAmended) -> AmendRequested | None:
    """What an amendment changes of every leg; None if only the quantity, which is granted and not amended."""
    fields = (event.limit_px, event.deadline_ns, event.urgency)
    if all(field is None for field in fields) and not event.clear_limit_px:
        return None
    later_ns = 0
    if route.order.residual is ResidualRule.EXTEND and not route.extended:
        later_ns = route.order.extend_s * NS_PER_S
    return AmendRequested(
        at_ns=0,
        request_id="",
        parent_id="",
        order_qty=None,
        limit_px=event.limit_px,
        clear_limit_px=event.clear_limit_px,
        deadline_ns=None if event.deadline_ns is None else event.deadline_ns + later_ns,
        urgency=event.urgency,
        strategy=None,
        params=None,
        expected_version=None,
    )


def _find_open(desk: Desk, request_id: str, route_id: str) -> RouteState | None:
    route = desk.state.routes.get(route_id)
    if route is None:
        _reply(desk, request_id, Outcome.NOT_FOUND, route_id, "ROUTE", "no such routed order")
        return None
    if route.is_final:
        _reply(desk, request_id, Outcome.STATE, route_id, "ENDED", f"it has ended: {route.status}")
        return None
    return route


def _reply(desk: Desk, request_id: str, outcome: Outcome, route_id: str, code: str, text: str) -> None:
    desk.out.append(Reply(request_id=request_id, outcome=outcome, parent_id=route_id, code=code, text=text))
