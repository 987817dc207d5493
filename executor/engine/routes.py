"""The life of a routed order: its schedule says how much is wanted now, the books of its legs where.

A leg is an ordinary parent order; what makes it a leg is that its quantity and its plan are set here. Before anything
that may concern a leg is worked, its routed order is looked at: quantity is taken back from a leg only as far as
nothing of it is filled or unproved, and only what has been taken back is granted to another. Both are one step within
one event, so that no restart can come in between.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from executor.domain import events as ev
from executor.domain.decision import Slice
from executor.domain.errors import InvariantViolation
from executor.domain.order_state import ChildStatus
from executor.domain.orders import ResidualRule, StrategyParams
from executor.domain.parent_state import ParentStatus, Reason, check_parent_move
from executor.domain.timeline import NS_PER_S
from executor.domain.units import BPS_PER_UNIT, ONE, ZERO, Quantity, plain
from executor.engine.desk import Desk
from executor.engine.exposure import is_route_priced, why_route_not_begun
from executor.engine.markets import volatility_pct
from executor.engine.parent import goes_on_by_itself, market_doubts, step
from executor.engine.route_legs import (
    doubtful_qty,
    is_reserved,
    leg_cum_qty,
    leg_granted_qty,
    leg_parents,
    leg_schedule,
    leg_worst_qty,
    open_parent,
    route_cum_qty,
    route_granted_qty,
    route_leaves_qty,
    slice_times,
)
from executor.engine.route_plan import offer_of, plan_of
from executor.engine.state import EngineState, LegState, MarketState, ParentState, RouteState
from executor.engine.verbs import accept
from strategies.routing import divide_again

_S = ParentStatus
_FAR_NEWS: Final = (
    ev.ReferenceUpdated
    | ev.ContractUpdated
    | ev.PositionsLiquidated
    | ev.ExchangeFlowCounted
    | ev.WalletUpdated
    | ev.AdviceReceived
    | ev.AdviceFailed
)
_LEGS_WAIT_S: Final = 10
"""How long the first leg that can be traded waits for the others, beyond the time that a market is watched first."""
_DIVISIONS_PER_SLICE: Final = 10
_REFUSALS_MAX: Final = 2
_BAR_S_MAX: Final = 32
_BARS_MAX: Final = 5
_OTHER_COIN: Final = "OTHER_COIN"
_BASIS: Final = "BASIS"


def lead(desk: Desk, event: ev.Event, parents: Iterable[ParentState]) -> list[ParentState]:
    """Look at every routed order that an event may concern; returns the parents to be worked, its legs among them."""
    found = {parent.order.parent_id: parent for parent in parents}
    for route in _concerned(desk.state, event):
        found |= {parent.order.parent_id: parent for parent in _conduct(desk, route)}
    return list(found.values())


def follow_up(desk: Desk, parents: Iterable[ParentState]) -> None:
    """Look at the routed orders of parents that were worked once more: one of them may have ended, or failed."""
    names = dict.fromkeys(parent.route_id for parent in parents if parent.route_id)
    for route in [desk.state.routes[name] for name in names]:
        for _ in range(2 * len(route.legs) + 2):
            changed = [] if route.is_final else _conduct(desk, route)
            for parent in changed:
                step(desk, parent)
            if not changed:
                break


def dead_reason(state: EngineState, leg: LegState) -> Reason | None:
    """Why a leg can not be used any more; None while it can, or may be able to later."""
    if leg.market_key not in state.markets:
        return Reason.INSTRUMENT_UNUSABLE
    market = state.markets[leg.market_key]
    if market.instrument is not None and not market.instrument.trading:
        return Reason.INSTRUMENT_UNUSABLE
    last = state.parents[leg.parents[-1]] if leg.parents else None
    if last is None or not last.is_final or last.reason is Reason.REROUTED:
        return None
    return last.reason


def _concerned(state: EngineState, event: ev.Event) -> list[RouteState]:
    if isinstance(event, _FAR_NEWS):
        return []
    routes = [state.routes[name] for name in state.open_routes]
    if not isinstance(event, ev.BookUpdated):
        return routes
    market = event.market
    return [
        route
        for route in routes
        if any((leg.leg.category, leg.leg.symbol) == (market.category, market.symbol) for leg in route.legs)
    ]


def _conduct(desk: Desk, route: RouteState) -> list[ParentState]:
    """Move a routed order on; returns the parents of legs that were changed."""
    _watch_end(desk, route)
    if route.goal is not None:
        return _close(desk, route)
    desk.set_timer(f"route:{route.order.route_id}", _look_again_ns(desk, route))
    if desk.state.latched and route.status is not _S.PAUSED:
        _move(route, _S.PAUSED, Reason.HALTED)
    if desk.state.draining or route.status is _S.PAUSED:
        made_less = route_granted_qty(desk.state, route) > route.order.order_qty
        return _grant(desk, route, []) if made_less else []
    usable = _usable(desk, route)
    if route.status is _S.INITIALIZED:
        _try_start(desk, route, usable)
    if route.status is not _S.ACTIVE:
        return []
    begins = _follow_plan(desk, route, usable)
    if begins or _is_time_to_divide(desk, route, usable):
        _divide(desk, route, usable)
    return _grant(desk, route, usable)


def _move(route: RouteState, target: ParentStatus, reason: Reason) -> None:
    check_parent_move(route.status, target)
    route.status, route.reason = target, reason


def _head_for(route: RouteState, goal: ParentStatus, reason: Reason) -> None:
    route.goal, route.goal_reason = goal, reason


def _gap_ns(desk: Desk, route: RouteState) -> int:
    """Time between two divisions of one slice."""
    if desk.now_ns >= route.order.deadline_ns:
        return NS_PER_S
    return max(route.order.params.interval_s * NS_PER_S // _DIVISIONS_PER_SLICE, NS_PER_S)


def _look_again_ns(desk: Desk, route: RouteState) -> int:
    order = route.order
    instants = [order.start_ns, order.deadline_ns, slice_times(route)[1], desk.now_ns + _gap_ns(desk, route)]
    return min(at_ns for at_ns in instants if at_ns > desk.now_ns)


def _watch_end(desk: Desk, route: RouteState) -> None:
    """Head for an end when everything is done, when the time is up, or when no leg can ever be used again."""
    state, order = desk.state, route.order
    if route.goal is not None:
        return
    done = _done_reason(state, route)
    if route_cum_qty(state, route) > order.order_qty and not is_reserved(state, route):
        _head_for(route, _S.FAILED, Reason.OVER_FILLED)
        return
    if done is not None:
        _head_for(route, _S.COMPLETE, done)
        return
    dead = [dead_reason(state, leg) for leg in route.legs]
    if all(reason is not None for reason in dead) and desk.now_ns < order.deadline_ns:
        _head_for(route, _S.FAILED, dead[-1] or Reason.INSTRUMENT_UNUSABLE)
        return
    if desk.now_ns < order.deadline_ns:
        return
    if order.residual is ResidualRule.EXTEND and not route.extended and route.started_ns:
        route.extended = route.replan = True
        route.order = replace(order, deadline_ns=order.deadline_ns + order.extend_s * NS_PER_S)
    elif desk.now_ns >= _last_ns(state, route):
        _head_for(route, _S.EXPIRED, Reason.DEADLINE)


def _last_ns(state: EngineState, route: RouteState) -> int:
    """Instant after which nothing is traded any more, as the order now stands."""
    crosses = route.order.residual is ResidualRule.CROSS and route.started_ns
    return route.order.deadline_ns + (state.timings.residual_window_s * NS_PER_S if crosses else 0)


def _done_reason(state: EngineState, route: RouteState) -> Reason | None:
    """Why nothing more can be traded; None while something can, or something is not proved finished."""
    if is_reserved(state, route):
        return None
    leaves = route_leaves_qty(state, route)
    if leaves == ZERO:
        return Reason.ALL_FILLED
    if leaves == route.order.order_qty:
        return None
    known = [state.markets[leg.market_key] for leg in route.legs if dead_reason(state, leg) is None]
    if not known or any(each.instrument is None or each.snapshot is None for each in known):
        return None
    dust = all(_least_qty(each) > leaves for each in known)
    return Reason.DUST_LEFT if dust else None


def _least_qty(market: MarketState) -> Quantity:
    assert market.instrument is not None
    assert market.snapshot is not None
    return market.instrument.smallest_qty(market.snapshot.mid_px)


def _close(desk: Desk, route: RouteState) -> list[ParentState]:
    """Let every leg end, then the whole: nothing of it can be open then."""
    changed = []
    for leg in route.legs:
        parent = open_parent(desk.state, leg)
        if parent is None or parent.goal is not None:
            continue
        worst = parent.cum_qty + doubtful_qty(desk.state, parent)
        if worst > ZERO:
            parent.order = replace(parent.order, order_qty=Quantity(worst))
        parent.goal = _S.CANCELED if route.goal is _S.COMPLETE else route.goal
        parent.goal_reason = Reason.REROUTED if route.goal is _S.COMPLETE else route.goal_reason
        desk.parents[parent.order.parent_id] = None
        changed.append(parent)
    if changed or any(open_parent(desk.state, leg) is not None for leg in route.legs):
        desk.set_timer(f"route:{route.order.route_id}", desk.now_ns + NS_PER_S)
        return changed
    _finish(desk, route)
    return []


def _finish(desk: Desk, route: RouteState) -> None:
    assert route.goal is not None
    done = _done_reason(desk.state, route)
    everything = route.goal is _S.COMPLETE or (
        done is Reason.ALL_FILLED and route.goal_reason is not Reason.OVER_FILLED
    )
    route.status = _S.COMPLETE if everything else route.goal
    route.reason = done if everything and done is not None else (route.goal_reason or route.reason)
    route.finished_ns = desk.now_ns
    market = desk.state.markets.get(route.legs[route.arrival_leg].market_key)
    route.end_px = market.snapshot.mid_px if market is not None and market.snapshot is not None else None
    desk.state.open_routes.remove(route.order.route_id)
    desk.state.timers.pop(f"route:{route.order.route_id}", None)


# ------------------------------------------------------------------ which legs can be used


def _usable(desk: Desk, route: RouteState) -> list[LegState]:
    """Legs that can be traded now; of the others it is written down why they get nothing."""
    found: list[LegState] = []
    for leg in route.legs:
        leg.why_nothing = _why_nothing(desk, route, leg, found[0] if found else None)
        if not leg.why_nothing:
            found.append(leg)
    return found


def _why_nothing(desk: Desk, route: RouteState, leg: LegState, first: LegState | None) -> str:
    state = desk.state
    dead = dead_reason(state, leg)
    if dead is not None:
        return f"ENDED_{dead}"
    market = state.markets[leg.market_key]
    if market.instrument is None or market.snapshot is None:
        return "INSTRUMENT_UNKNOWN" if market.instrument is None else "BOOK_MISSING"
    found = market_doubts(state, leg.leg.category, leg.leg.symbol, reduces=False)
    if found:
        return found[0].value
    volatility = volatility_pct(state, market)
    if volatility is None:
        return "VOLATILITY_UNKNOWN"
    if volatility > state.limits.volatility_hourly_pct_max:
        return "VOLATILITY"
    if market.blocked:
        return "SYMBOL_BLOCKED"
    if _is_barred(desk, leg):
        return "REFUSED"
    return _why_not_beside(state, route, leg, first) or _why_not_working(desk, leg)


def _why_not_beside(state: EngineState, route: RouteState, leg: LegState, first: LegState | None) -> str:
    """Why a leg can not be compared with the first one that can be used."""
    if first is None:
        return ""
    this, that = state.markets[leg.market_key], state.markets[first.market_key]
    assert this.instrument is not None
    assert that.instrument is not None
    assert this.snapshot is not None
    assert that.snapshot is not None
    coins = (this.instrument.base_coin, this.instrument.quote_coin)
    if coins != (that.instrument.base_coin, that.instrument.quote_coin):
        return _OTHER_COIN
    bound = route.order.basis_bps_max
    apart = abs(this.snapshot.mid_px - that.snapshot.mid_px) * BPS_PER_UNIT
    return _BASIS if bound is not None and apart > bound * that.snapshot.mid_px else ""


def _why_not_working(desk: Desk, leg: LegState) -> str:
    """Why the parent of a leg takes nothing more at the moment; empty if it does, or if there is none yet."""
    parent = open_parent(desk.state, leg)
    if leg.held is not None:
        return f"PAUSED_{leg.held}"
    if parent is None:
        return ""
    if parent.goal is not None:
        return "ENDING"
    if parent.status is _S.PAUSED:
        return f"PAUSED_{parent.reason}"
    return "VENUE_REJECTED" if parent.unread else ""


def _is_barred(desk: Desk, leg: LegState) -> bool:
    """Whether gate or venue refuse the leg's orders: it gets nothing for a while, longer each time it is in a row."""
    if desk.now_ns < leg.barred_until_ns:
        return True
    parent = desk.state.parents[leg.parents[-1]] if leg.parents else None
    if parent is None:
        return False
    last = parent.children[-1] if parent.children else ""
    is_rejected = bool(last) and desk.state.children[last].status is ChildStatus.REJECTED
    if parent.refusals_in_row < _REFUSALS_MAX and not (is_rejected and last != leg.last_rejected):
        leg.bars = leg.bars if parent.refusals_in_row or is_rejected or not last else 0
        return False
    leg.last_rejected = last if is_rejected else leg.last_rejected
    leg.barred_until_ns = desk.now_ns + min(2**leg.bars, _BAR_S_MAX) * NS_PER_S
    leg.bars = min(leg.bars + 1, _BARS_MAX)
    parent.refusals_in_row = 0
    return True


# ------------------------------------------------------------------ start and plan


def _try_start(desk: Desk, route: RouteState, usable: list[LegState]) -> None:
    """Begin once every leg can be traded, or one can and the others have been waited for."""
    state = desk.state
    if desk.now_ns < route.order.start_ns or not usable:
        return
    waited_ns = desk.now_ns - max(route.created_ns, route.order.start_ns, state.started_ns)
    hopeful = [
        leg for leg in route.legs if leg not in usable and leg.why_nothing not in {_OTHER_COIN, _BASIS}
    ]
    hopeful = [leg for leg in hopeful if dead_reason(state, leg) is None]
    if hopeful and waited_ns < (state.timings.volatility_warmup_s + _LEGS_WAIT_S) * NS_PER_S:
        return
    least = min(_least_qty(state.markets[leg.market_key]) for leg in usable)
    if route.order.order_qty < least:
        route.detail = (
            f"{plain(route.order.order_qty)} is below the {plain(least)} that its legs accept at least"
        )
        _head_for(route, _S.FAILED, Reason.BELOW_MINIMUM)
        return
    if not route.cleared:
        if not is_route_priced(state, route):
            return
        route.detail = why_route_not_begun(state, route)
        if route.detail:
            _head_for(route, _S.FAILED, Reason.BEYOND_LIMITS)
            return
        route.cleared = True
    for leg in route.legs:
        market = state.markets.get(leg.market_key)
        leg.arrival_px = (
            market.snapshot.mid_px if market is not None and market.snapshot is not None else None
        )
    route.arrival_leg = route.legs.index(usable[0])
    route.arrival_px = usable[0].arrival_px
    route.started_ns = desk.now_ns
    route.replan = True
    _move(route, _S.ACTIVE, Reason.STARTED)


def _follow_plan(desk: Desk, route: RouteState, usable: list[LegState]) -> bool:
    """Make the plan where there is none, and note which slice is in force; whether one begins."""
    if route.replan or route.schedule is None:
        if not usable:
            return False
        _plan(desk, route, usable)
    assert route.schedule is not None
    index = route.schedule.slice_at(desk.now_ns)
    if index == route.slice_no:
        return False
    route.slice_no = index
    route.slice_base_qty = route_cum_qty(desk.state, route)
    return True


def _plan(desk: Desk, route: RouteState, usable: list[LegState]) -> None:
    """Plan what is left by the legs that can be used now."""
    state, order = desk.state, route.order
    markets = [state.markets[leg.market_key] for leg in usable]
    start_ns = max(desk.now_ns, order.start_ns)
    route.schedule = plan_of(order, markets, route_cum_qty(state, route), start_ns)
    route.slice_no = -1
    route.replan = False


# ------------------------------------------------------------------ dividing and granting


def _stuck_qty(state: EngineState, route: RouteState, usable: list[LegState]) -> Decimal:
    """What of the legs that can not be used is not proved finished: it counts as done, for it may be."""
    return sum(
        (
            doubtful_qty(state, parent)
            for leg in route.legs
            if leg not in usable
            for parent in leg_parents(state, leg)
        ),
        ZERO,
    )


def _is_time_to_divide(desk: Desk, route: RouteState, usable: list[LegState]) -> bool:
    among = tuple(leg.market_key for leg in usable)
    if among != route.divided_among or _stuck_qty(desk.state, route, usable) != route.divided_stuck_qty:
        return True
    return desk.now_ns >= route.divided_ns + _gap_ns(desk, route)


def _divide(desk: Desk, route: RouteState, usable: list[LegState]) -> None:
    """Say what each leg should have filled when the slice in force ends."""
    state, order = desk.state, route.order
    stuck = _stuck_qty(state, route, usable)
    done = {leg.market_key: leg_cum_qty(state, leg) for leg in route.legs}
    before = {leg.market_key: max(leg.target_qty - done[leg.market_key], ZERO) for leg in usable}
    division = divide_again(
        _wanted_qty(desk, route, stuck),
        order.side,
        {leg.market_key: offer_of(state.markets[leg.market_key], leg.leg, order.side) for leg in usable},
        before,
        hysteresis_bps=order.hysteresis_bps,
        limit_px=order.limit_px,
    )
    for leg in route.legs:
        leg.target_qty = done[leg.market_key] + division.get(leg.market_key, ZERO)
    route.divided_ns = desk.now_ns
    route.divided_among = tuple(leg.market_key for leg in usable)
    route.divided_stuck_qty = stuck


def _wanted_qty(desk: Desk, route: RouteState, stuck: Decimal) -> Decimal:
    """What the legs should still fill now, base units: as for one parent, with what may yet fill elsewhere as done."""
    cum = route_cum_qty(desk.state, route)
    leaves = route.order.order_qty - cum - stuck
    late = desk.now_ns >= route.order.deadline_ns and route.order.residual is ResidualRule.CROSS
    if late or route.schedule is None:
        return max(leaves, ZERO) if late else ZERO
    if route.slice_no < 0 or not route.schedule.slices:
        return ZERO
    piece = route.schedule.slices[route.slice_no]
    return max(min(_due_qty(piece, cum, route.slice_base_qty, route.order.params) - stuck, leaves), ZERO)


def _due_qty(piece: Slice, cum: Decimal, base: Decimal, params: StrategyParams) -> Decimal:
    times = params.catch_up_max if params.catch_up else ONE
    return min(piece.target_qty - cum, times * piece.qty - (cum - base))


def _grant(desk: Desk, route: RouteState, usable: list[LegState]) -> list[ParentState]:
    """Take back what a leg is not to fill, as far as nothing of it is open, and grant what is free to the others.

    Raises
    ------
    InvariantViolation
        If all grants together would exceed the routed order.
    """
    state = desk.state
    worst = {leg.market_key: leg_worst_qty(state, leg) for leg in route.legs}
    stuck = _stuck_qty(state, route, usable)
    wanted = sum((leg.target_qty for leg in route.legs), ZERO) + stuck
    room = max(min(route.order.order_qty, wanted) - sum(worst.values(), ZERO), ZERO)
    changed, grants = [], {}
    for leg in route.legs:
        floor = worst[leg.market_key]
        more = max(min(leg.target_qty - floor, room), ZERO) if leg in usable else ZERO
        room -= more
        grants[leg.market_key] = floor + more
    # First what is taken back, then what is given, so that the sum is never above the whole in between.
    before = {leg.market_key: leg_granted_qty(state, leg) for leg in route.legs}
    for leg in sorted(route.legs, key=lambda leg: grants[leg.market_key] - before[leg.market_key]):
        parent = _set_grant(desk, route, leg, grants[leg.market_key], begins=leg in usable)
        if parent is not None:
            changed.append(parent)
        given = leg_granted_qty(state, leg) > before[leg.market_key]
        if given and route_granted_qty(state, route) > route.order.order_qty:
            raise InvariantViolation(
                f"{route.order.route_id}: {route_granted_qty(state, route)} granted of {route.order.order_qty}"
            )
    return changed


def _set_grant(
    desk: Desk, route: RouteState, leg: LegState, grant: Decimal, *, begins: bool
) -> ParentState | None:
    """Give a leg a quantity; returns its parent if that made a difference."""
    state = desk.state
    parent = open_parent(state, leg)
    if parent is None:
        more = grant - leg_worst_qty(state, leg)
        least = _least_qty(state.markets[leg.market_key]) if begins else ZERO
        return _begin_leg(desk, route, leg, Quantity(more)) if begins and more >= least > ZERO else None
    if parent.goal is not None:
        return None
    before = leg_worst_qty(state, leg) - parent.cum_qty - doubtful_qty(state, parent)
    qty = Quantity(grant - before)
    if qty == ZERO:
        if parent.status is _S.PAUSED and not goes_on_by_itself(state, parent):
            leg.held = parent.reason
        parent.goal, parent.goal_reason = _S.CANCELED, Reason.REROUTED
        desk.parents[parent.order.parent_id] = None
        return parent
    changed = qty != parent.order.order_qty
    if changed:
        parent.order = replace(parent.order, order_qty=qty)
    if parent.schedule is not None:
        plan = leg_schedule(state, parent)
        old, new = parent.schedule.slices[-1:], plan.slices[-1]
        same = bool(old) and (old[0].start_ns, old[0].end_ns, old[0].target_qty) == (
            new.start_ns,
            new.end_ns,
            new.target_qty,
        )
        if not same:
            parent.schedule, parent.slice_no, changed = plan, -1, True
    if not changed:
        return None
    desk.parents[parent.order.parent_id] = None
    return parent


def _begin_leg(desk: Desk, route: RouteState, leg: LegState, qty: Quantity) -> ParentState:
    """Make the parent order of a leg that has been granted something."""
    order = route.order
    last_ns = order.deadline_ns
    if order.residual is ResidualRule.EXTEND and not route.extended:
        last_ns += order.extend_s * NS_PER_S
    number = len(leg.parents) + 1
    name = f"{order.route_id}:{route.legs.index(leg) + 1}:{number}"
    parent = accept(
        desk,
        ev.ParentSubmitted(
            at_ns=desk.now_ns,
            request_id="",
            idempotency_key=name,
            body_sha256="",
            category=leg.leg.category,
            symbol=leg.leg.symbol,
            side=order.side,
            order_qty=qty,
            duration_s=1,
            residual=ResidualRule.CROSS if order.residual is ResidualRule.CROSS else ResidualRule.LEAVE,
            extend_s=0,
            limit_px=order.limit_px,
            urgency=order.urgency,
            strategy=order.strategy,
            params=order.params,
            reduce_only=False,
            position_idx=0,
            decision_px=None,
            seed=order.seed,
        ),
        route_id=order.route_id,
    )
    parent.order = replace(parent.order, deadline_ns=last_ns)
    leg.parents.append(parent.order.parent_id)
    return parent
