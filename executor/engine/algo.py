"""A strategy order of the venue as one child of a parent: sent once, watched, and ended by proof like any other child.

Three things are different. Its create request carries no id of ours, so an unanswered one is looked for by what it
asked for. Its fills come under the ids of orders that we did not send: a fill that may be one of them is held until the
venue says whose it is. And only a stop of its own ends it: cancelling every order does not.
"""

from typing import Final

from executor.domain.algo import AlgoTerms, NewAlgo, pieces
from executor.domain.approval import Approved
from executor.domain.commands import AlertCode, PlaceAlgo, Severity
from executor.domain.decision import Decision
from executor.domain.errors import InvariantViolation
from executor.domain.events import AlgoOrdersSeen
from executor.domain.fills import Fill
from executor.domain.order_state import ChildStatus
from executor.domain.orders import NewOrder, TimeInForce, client_order_id
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, Price, Quantity
from executor.engine.amending import refused
from executor.engine.booking import HELD_S, HELD_TIMER, attribute, tell_stranger
from executor.engine.desk import Desk
from executor.engine.moment import gate_view
from executor.engine.state import ChildState, EngineState, ParentState, live_algos, market_key, worst_case_qty
from executor.engine.throttle import count_order
from risk.algo_room import algo_cap
from risk.gate import Refused, judge_algo

LOOK_S: Final = 10
"""How often a strategy order at work is asked after, seconds; what it fills is told sooner by the stream."""
NOT_OFFERED: Final = "VENUE_ALGORITHMS_OFF"


def place_algo(desk: Desk, parent: ParentState, decision: Decision, px: Price, terms: AlgoTerms) -> None:
    """Send what is wanted as one strategy order, cut to what the limits allow, if the gate lets it."""
    state = desk.state
    if not state.venue_algorithms:
        parent.waiting = (NOT_OFFERED,)
        return
    look = gate_view(state, parent)
    wish = _as_order(state, parent, decision, px, terms, decision.qty)
    cap = algo_cap(wish, look, state.limits)
    usable = look.instrument is not None and not look.instrument.is_dust(cap, px)
    algo = _as_order(state, parent, decision, px, terms, Quantity(min(decision.qty, cap))) if usable else wish
    verdict = judge_algo(algo, look, state.limits, state.tickets + 1)
    if isinstance(verdict, Refused):
        refused(desk, parent, algo.order.client_order_id, verdict)
    else:
        _approved(desk, parent, decision, verdict)


def keep_or_stop(desk: Desk, parent: ParentState, child: ChildState, decision: Decision) -> None:
    """Let a strategy order work on, unless an order of ours is wanted or the market is beyond its worst price."""
    parent.waiting = (decision.why.value,)
    if child.is_final or child.status in {ChildStatus.UNKNOWN, ChildStatus.PENDING_CANCEL}:
        parent.waiting = (f"CHILD_{child.status}",)
        return
    if child.status is ChildStatus.PENDING_NEW:
        return
    snapshot = desk.state.markets[parent.market_key].snapshot
    order = child.order
    if snapshot is not None and order.side.sign * (snapshot.mid_px - order.px) >= ZERO:
        desk.cancel(child, "the market is beyond its worst price")
    elif decision.algo is None and decision.px is not None:
        desk.cancel(child, decision.why.value)


def on_orders_seen(desk: Desk, event: AlgoOrdersSeen) -> ParentState | None:
    """Learn which orders a strategy order has made, and book the fills that waited for that."""
    state = desk.state
    child = state.children.get(event.client_order_id)
    if child is None or child.algo is None or not event.strategy_id:
        return None
    if child.venue_order_id and child.venue_order_id != event.strategy_id:
        return None
    ids = set(event.venue_order_ids)
    for venue_order_id in event.venue_order_ids:
        state.venue_ids.setdefault(venue_order_id, child.order.client_order_id)
    mine = [fill for fill in state.unattributed.values() if fill.venue_order_id in ids and _fits(child, fill)]
    for fill in mine:
        attribute(desk, child, fill)
    parent = state.parents[child.order.parent_id]
    if mine and child.open_qty == ZERO:
        desk.query(child)
    return parent if mine else None


def on_held_timer(desk: Desk, market: str) -> list[ParentState]:
    """What was held long enough and is still nobody's is a stranger's: its symbol is blocked until a person looks."""
    state = desk.state
    patience_ns = HELD_S * NS_PER_S
    for key in [key for key in state.held if key.startswith(f"{market}:")]:
        fill = state.unattributed.get(key)
        if fill is None:
            del state.held[key]
        elif desk.now_ns - state.held[key] >= patience_ns:
            del state.held[key]
            tell_stranger(desk, fill)
        else:
            desk.set_timer(f"{HELD_TIMER}:{market}", state.held[key] + patience_ns)
    return [state.parents[name] for name in state.open_parents]


def watch_held(desk: Desk) -> None:
    """Set the timers of what is held anew, after a start."""
    for key, since_ns in desk.state.held.items():
        market = key.rpartition(":")[0]
        desk.set_timer(f"{HELD_TIMER}:{market}", since_ns + HELD_S * NS_PER_S)


def look_after_algo(desk: Desk, child: ChildState) -> None:
    """Ask after a strategy order that is at work, now and then."""
    due_ns = child.looked_ns + LOOK_S * NS_PER_S
    if desk.now_ns >= due_ns or child.open_qty == ZERO:
        desk.query(child)
    else:
        desk.set_timer(f"child:{child.order.client_order_id}", due_ns)


def is_over(desk: Desk, child: ChildState) -> bool:
    """Whether an unanswered strategy order that the venue does not show could no longer be at work if it were there.

    There is no id by which it could be stopped, so that alone is not believed: its whole time must have passed as well,
    and nothing may have been filled that is nobody's. One without an end (an iceberg) is never over by itself.
    """
    terms, state = child.algo, desk.state
    if terms is None or child.seen or not terms.duration_s:
        return False
    margin_s = terms.duration_s + terms.interval_s + state.timings.absence_margin_s
    if desk.now_ns < child.sent_ns + margin_s * NS_PER_S:
        return False
    return not any(_fits(child, fill) for fill in state.unattributed.values())


def release_by_person(state: EngineState) -> list[str]:
    """Name the unanswered strategy orders that the venue does not show, round after round: a person lets them go."""
    return [
        name
        for name in live_algos(state)
        if state.children[name].status is ChildStatus.UNKNOWN
        and not state.children[name].seen
        and state.children[name].absent_rounds >= state.timings.absence_rounds
    ]


def tell_ended_short(desk: Desk, child: ChildState, detail: str) -> None:
    """Tell people of a strategy order that the venue ended by itself with a part not done."""
    if child.algo is None or child.cancels or child.final_qty is None or child.final_qty >= child.order.qty:
        return
    desk.alert(
        Severity.INFO,
        AlertCode.ALGO_ENDED_SHORT,
        child.order.parent_id,
        f"{child.order.client_order_id}: the venue ended it with {child.final_qty} of {child.order.qty} ({detail})",
    )


def _fits(child: ChildState, fill: Fill) -> bool:
    order = child.order
    return (order.category, order.symbol, order.side) == (fill.category, fill.symbol, fill.side)


def _as_order(
    state: EngineState, parent: ParentState, decision: Decision, px: Price, terms: AlgoTerms, qty: Quantity
) -> NewAlgo:
    resting = decision.style.value == "REST"
    order = NewOrder(
        client_order_id=client_order_id(state.instance, parent.order.parent_no, len(parent.children) + 1),
        parent_id=parent.order.parent_id,
        category=parent.order.category,
        symbol=parent.order.symbol,
        side=parent.order.side,
        qty=qty,
        px=px,
        time_in_force=TimeInForce.POST_ONLY if resting else TimeInForce.IOC,
        reduce_only=parent.order.reduce_only,
        position_idx=parent.order.position_idx,
    )
    return NewAlgo(order=order, terms=terms)


def _approved(desk: Desk, parent: ParentState, decision: Decision, approved: Approved[NewAlgo]) -> None:
    state = desk.state
    order, terms = approved.order.order, approved.order.terms
    if worst_case_qty(state, parent) + order.qty > parent.order.order_qty:
        raise InvariantViolation(
            f"{order.client_order_id}: {order.qty} more would exceed {parent.order.order_qty} of the parent"
        )
    if order.client_order_id in state.children:
        raise InvariantViolation(f"{order.client_order_id} was used before")
    state.tickets = approved.ticket
    count_order(state)
    state.orders_day += pieces(terms, order.qty) - 1
    snapshot = state.markets[market_key(order.category, order.symbol)].snapshot
    state.children[order.client_order_id] = ChildState(
        order=order,
        style=decision.style,
        status=ChildStatus.PENDING_NEW,
        created_ns=desk.now_ns,
        sent_ns=desk.now_ns,
        arrival_mid_px=snapshot.mid_px if snapshot else order.px,
        algo=terms,
    )
    parent.children.append(order.client_order_id)
    parent.live.append(order.client_order_id)
    parent.ordered_qty += order.qty
    parent.last_order_ns = desk.now_ns
    parent.refusals_in_row = 0
    parent.waiting = (decision.why.value,)
    desk.children[order.client_order_id] = None
    desk.parents[order.parent_id] = None
    desk.out.append(PlaceAlgo(approved=approved))
    if parent.status is ParentStatus.ACTIVE:
        desk.move_parent(parent, ParentStatus.EXECUTING, Reason.CHILD_SENT)
