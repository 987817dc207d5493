"""The life of one parent order: `step` is called after anything that may concern it, and decides what is next.

One function holds the control flow; the rest are its leaves.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from executor.domain.advice import AdviceOutcome
from executor.domain.commands import AlertCode, Severity, StoreReport
from executor.domain.decision import Why
from executor.domain.orders import Category, ResidualRule
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.places import place_of
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, Quantity, plain
from executor.engine.advice_outcome import end, forget
from executor.engine.advice_record import Ending
from executor.engine.desk import Desk
from executor.engine.exposure import group_of, is_waiting_for_prices, why_not_begun
from executor.engine.links import links_of
from executor.engine.markets import market_of, volatility_pct
from executor.engine.markouts import tell_waiting
from executor.engine.opinions import opinion_doubts
from executor.engine.preview import beyond_limits, beyond_position, too_fast
from executor.engine.state import EngineState, MarketState, ParentState, market_key
from executor.engine.working import work
from risk.refusals import RefusalCode

_DOUBTS: Final = (
    (Reason.VENUE_RESTRICTED, {RefusalCode.VENUE_RESTRICTED}),
    (
        Reason.STREAM_LOST,
        {
            RefusalCode.PRIVATE_STREAM_DOWN,
            RefusalCode.PUBLIC_STREAM_DOWN,
            RefusalCode.ORDER_ENTRY_DOWN,
            RefusalCode.UNRECONCILED,
            RefusalCode.POSITION_UNCONFIRMED,
        },
    ),
    (Reason.SENTINEL_SILENT, {RefusalCode.SENTINEL_SILENT}),
    (Reason.BOOK_LOST, {RefusalCode.BOOK_MISSING, RefusalCode.BOOK_STALE}),
    (
        Reason.REFERENCE_DOUBT,
        {RefusalCode.REFERENCE_MISSING, RefusalCode.REFERENCE_DISAGREES, RefusalCode.INPUT_UNSOUND},
    ),
)
"""The reason for which a parent pauses in doubt; the first that holds. Such a pause ends when no doubt is left."""
_DOUBT_REASONS: Final = tuple(reason for reason, _ in _DOUBTS)
_S = ParentStatus


def step(desk: Desk, parent: ParentState) -> None:
    """Move a parent on as far as the present facts allow."""
    _drop_released(desk, parent)
    if parent.is_final:
        return
    if _settle(desk, parent):
        return
    _watch_deadline(desk, parent)
    if _finish(desk, parent):
        return
    if parent.goal is not None or desk.state.draining:
        _withdraw(desk, parent, "ending")
        return
    if parent.pending is not None and not parent.live:
        _apply_amendment(desk, parent)
        if _finish(desk, parent):
            return
    match parent.status:
        case _S.INITIALIZED:
            _try_start(desk, parent)
        case _S.PAUSED:
            _withdraw(desk, parent, "paused")
            _try_recover(desk, parent)
        case _S.ADJUSTING:
            _withdraw(desk, parent, "amended")
        case _S.ACTIVE | _S.EXECUTING if parent.pending is not None:
            desk.move_parent(parent, _S.ADJUSTING, Reason.AMENDED)
            _withdraw(desk, parent, "amended")
        case _:
            pass
    if parent.status not in {_S.ACTIVE, _S.EXECUTING} or _pause_in_doubt(desk, parent):
        return
    if parent.live or not _fail_without_position(desk, parent, ZERO):
        work(desk, parent)


def doubts(desk: Desk, parent: ParentState) -> tuple[RefusalCode, ...]:
    """Why the venue or the market of a parent cannot be trusted right now."""
    order = parent.order
    return market_doubts(desk.state, order.category, order.symbol, reduces=order.reduce_only)


def market_doubts(
    state: EngineState, category: Category, symbol: str, *, reduces: bool
) -> tuple[RefusalCode, ...]:
    """Why the venue or a market cannot be trusted right now.

    Parameters
    ----------
    reduces
        Whether only what may reduce a position is to be traded.
    """
    market = state.markets.get(market_key(category, symbol)) or MarketState()
    found = []
    links, place = links_of(state, symbol), place_of(category, symbol)
    if not links.private_live:
        found.append(RefusalCode.PRIVATE_STREAM_DOWN)
    if not state.public_live.get(place, False):
        found.append(RefusalCode.PUBLIC_STREAM_DOWN)
    if not links.trade_live:
        found.append(RefusalCode.ORDER_ENTRY_DOWN)
    if state.now_ns < links.restricted_until_ns:
        found.append(RefusalCode.VENUE_RESTRICTED)
    if state.sentinel_required and not state.sentinel_alive:
        found.append(RefusalCode.SENTINEL_SILENT)
    if not state.reconciled.get(place, False):
        found.append(RefusalCode.UNRECONCILED)
    elif not (market.compared or market.blocked or reduces):
        found.append(RefusalCode.POSITION_UNCONFIRMED)
    if market.book_ns is None:
        found.append(RefusalCode.BOOK_MISSING)
    elif state.now_ns - market.book_ns > state.limits.reference_age_s_max * NS_PER_S:
        found.append(RefusalCode.BOOK_STALE)
    return (*found, *opinion_doubts(state, market))


def goes_on_by_itself(state: EngineState, parent: ParentState) -> bool:
    """Whether an open parent trades on, once the doubts are gone, without anybody's word."""
    if parent.is_final or parent.goal is not None or state.latched:
        return False
    return parent.status is not _S.PAUSED or parent.reason in _DOUBT_REASONS


def finish(desk: Desk, parent: ParentState, target: ParentStatus, reason: Reason) -> None:
    """End a parent of which nothing is left at the venue."""
    desk.move_parent(parent, target, reason)
    parent.finished_ns = desk.now_ns
    parent.waiting = ()
    if parent.advice is not None and parent.advice.question is not None:
        end(desk, parent, Ending(outcome=AdviceOutcome.ENDED))
    if parent.advice is not None:
        forget(parent.advice)
    desk.state.open_parents.remove(parent.order.parent_id)
    tell_waiting(desk, parent)
    desk.out.append(StoreReport(parent_id=parent.order.parent_id))


def _settle(desk: Desk, parent: ParentState) -> bool:
    """Bring the status in line with whether a child is at work; True if the parent is complete."""
    if parent.status is _S.FILLED:
        done = _is_done(desk, parent)
        if done is not None:
            finish(desk, parent, _S.COMPLETE, done)
            return True
        if parent.live:
            desk.move_parent(parent, _S.EXECUTING, Reason.FILL_BOOKED)
        else:
            desk.move_parent(parent, _S.ACTIVE, Reason.CHILD_DONE)
    elif parent.status is _S.EXECUTING and not parent.live:
        desk.move_parent(parent, _S.ACTIVE, Reason.CHILD_DONE)
    return False


def _end_ns(desk: Desk, parent: ParentState) -> int:
    """Next instant at which the end of the parent must be looked at; always in the future."""
    order = parent.order
    last_ns = order.deadline_ns + desk.state.timings.residual_window_s * NS_PER_S
    later = [at_ns for at_ns in (order.deadline_ns, last_ns) if at_ns > desk.now_ns]
    return later[0] if later else desk.now_ns + NS_PER_S


def _drop_released(desk: Desk, parent: ParentState) -> None:
    if any(desk.state.children[name].is_released for name in parent.live):
        parent.live = [name for name in parent.live if not desk.state.children[name].is_released]
        desk.parents[parent.order.parent_id] = None
        if not parent.live and parent.order.parent_id in desk.state.revived_parents:
            desk.state.revived_parents.remove(parent.order.parent_id)


def _withdraw(desk: Desk, parent: ParentState, detail: str) -> None:
    """Cancel what is at work; while shutting down by the policy LEAVE nothing is cancelled."""
    if desk.state.draining and desk.state.leave_orders:
        return
    for name in parent.live:
        desk.cancel(desk.state.children[name], detail)


def _is_done(desk: Desk, parent: ParentState) -> Reason | None:
    """Whether nothing more can be traded for the parent, and why."""
    if parent.live or (parent.route_id and parent.goal is None):
        return None  # a leg may be granted more as long as its routed order works
    if parent.leaves_qty == ZERO:
        return Reason.ALL_FILLED
    market = market_of(desk, parent)
    px = market.snapshot.mid_px if market.snapshot else parent.arrival_px
    if parent.cum_qty > ZERO and market.instrument is not None and px is not None:
        return Reason.DUST_LEFT if market.instrument.is_dust(parent.leaves_qty, px) else None
    return None


def _finish(desk: Desk, parent: ParentState) -> bool:
    """End the parent if it is done, or if its goal is reached with nothing left at the venue."""
    if parent.cum_qty > parent.order.order_qty:
        if not parent.live:
            finish(desk, parent, _S.FAILED, Reason.OVER_FILLED)
        return not parent.live
    done = _is_done(desk, parent)
    if done is not None and not (done is Reason.DUST_LEFT and parent.goal is _S.CANCELED):
        finish(desk, parent, _S.COMPLETE, done)
        return True
    if parent.goal is not None and not parent.live:
        finish(desk, parent, parent.goal, parent.goal_reason or parent.reason)
        return True
    return False


def _watch_deadline(desk: Desk, parent: ParentState) -> None:
    """Apply the residual rule when the time is up."""
    order = parent.order
    pending_ns = parent.pending.deadline_ns if parent.pending is not None else None
    if parent.goal is not None or desk.now_ns < (pending_ns or order.deadline_ns):
        return
    if order.residual is ResidualRule.EXTEND and not parent.extended and parent.started_ns:
        parent.extended = True
        parent.replan = True
        parent.order = replace(order, deadline_ns=order.deadline_ns + order.extend_s * NS_PER_S)
        desk.parents[order.parent_id] = None
        if desk.now_ns >= parent.order.deadline_ns:
            _head_for(desk, parent, _S.EXPIRED, Reason.DEADLINE)
    elif order.residual is ResidualRule.CROSS and parent.started_ns:
        if desk.now_ns >= order.deadline_ns + desk.state.timings.residual_window_s * NS_PER_S:
            _head_for(desk, parent, _S.EXPIRED, Reason.DEADLINE)
    else:
        _head_for(desk, parent, _S.EXPIRED, Reason.DEADLINE)


def _head_for(desk: Desk, parent: ParentState, goal: ParentStatus, reason: Reason) -> None:
    parent.goal = goal
    parent.goal_reason = reason
    desk.parents[parent.order.parent_id] = None


def _try_start(desk: Desk, parent: ParentState) -> None:
    """Leave INITIALIZED once the rules, a fresh book and a reconciliation are there."""
    market = market_of(desk, parent)
    found = doubts(desk, parent)
    if market.instrument is None:
        found = (*found, RefusalCode.INSTRUMENT_UNKNOWN)
    elif not market.instrument.trading:
        finish(desk, parent, _S.FAILED, Reason.INSTRUMENT_UNUSABLE)
        return
    warming_up = (RefusalCode.VOLATILITY_UNKNOWN,) if volatility_pct(desk.state, market) is None else ()
    parent.waiting = tuple(code.value for code in (*found, *warming_up))
    desk.set_timer(f"parent:{parent.order.parent_id}", _end_ns(desk, parent))
    if desk.now_ns < parent.order.start_ns:
        parent.waiting = (Why.BEFORE_START.value,)
        desk.set_timer(f"parent:{parent.order.parent_id}", min(parent.order.start_ns, _end_ns(desk, parent)))
        return
    if found or market.instrument is None or market.snapshot is None:
        return
    mid = market.snapshot.mid_px
    if market.instrument.is_dust(parent.order.order_qty, mid):
        parent.detail = f"{plain(parent.order.order_qty)} is below what the venue accepts at {plain(mid)}"
        finish(desk, parent, _S.FAILED, Reason.BELOW_MINIMUM)
        return
    if _fail_without_position(desk, parent, parent.order.order_qty):
        return
    parent.detail = beyond_limits(desk.state, parent.order, market, parent.order.order_qty)
    if parent.detail:
        desk.alert(Severity.WARNING, AlertCode.BEYOND_LIMITS, parent.order.parent_id, parent.detail)
        finish(desk, parent, _S.FAILED, Reason.BEYOND_LIMITS)
        return
    if not (parent.cleared or _clear(desk, parent)):
        return
    if warming_up:
        return
    parent.detail = too_fast(desk.state, parent.order, market)
    if parent.detail:
        desk.alert(Severity.WARNING, AlertCode.TOO_FAST, parent.order.parent_id, parent.detail)
    parent.started_ns = desk.now_ns
    parent.arrival_px = mid
    parent.decision_px = parent.decision_px or mid
    parent.benchmarks.last_mid_px = mid
    parent.benchmarks.last_mid_ns = desk.now_ns
    parent.replan = True
    desk.move_parent(parent, _S.ACTIVE, Reason.STARTED)


def _clear(desk: Desk, parent: ParentState) -> bool:
    """Hold a parent whose price was not known before against the limits over several; False if it may not begin.

    What came in one basket is looked at together, so that none of it begins where not all of it may.
    """
    group = group_of(desk.state, parent)
    if is_waiting_for_prices(desk.state, group):
        parent.waiting = (RefusalCode.BOOK_MISSING.value,)
        return False
    beyond = why_not_begun(desk.state, group)
    for each in group:
        if not beyond:
            each.cleared = True
            continue
        each.detail = beyond
        desk.alert(Severity.WARNING, AlertCode.BEYOND_LIMITS, each.order.parent_id, beyond)
        finish(desk, each, _S.FAILED, Reason.BEYOND_LIMITS)
    return not beyond


def _fail_without_position(desk: Desk, parent: ParentState, qty: Decimal) -> bool:
    """End a parent that may only reduce a position which is not there, or is smaller than a quantity."""
    order = parent.order
    if not order.reduce_only:
        return False
    beyond = beyond_position(desk.state, order.category, order.symbol, order.side, order.position_idx, qty)
    if not beyond:
        return False
    parent.detail = beyond
    desk.alert(Severity.WARNING, AlertCode.NOTHING_TO_REDUCE, order.parent_id, beyond)
    finish(desk, parent, _S.FAILED, Reason.NOTHING_TO_REDUCE)
    return True


def _try_recover(desk: Desk, parent: ParentState) -> None:
    """Go on by itself after a doubt that has gone; every other pause is for a person to end."""
    desk.set_timer(f"parent:{parent.order.parent_id}", _end_ns(desk, parent))
    found = doubts(desk, parent)
    parent.waiting = (f"PAUSED_{parent.reason}", *(code.value for code in found))
    if parent.reason in _DOUBT_REASONS and not found and not desk.state.latched and parent.pending is None:
        desk.move_parent(parent, _S.ACTIVE, Reason.RECOVERED)
        if parent.live:
            desk.move_parent(parent, _S.EXECUTING, Reason.RECOVERED)


def _pause_in_doubt(desk: Desk, parent: ParentState) -> bool:
    found = doubts(desk, parent)
    market = market_of(desk, parent)
    volatility = volatility_pct(desk.state, market)
    reason = None
    if found:
        reason = next(reason for reason, codes in _DOUBTS if codes & set(found))
    elif volatility is not None and volatility > desk.state.limits.volatility_hourly_pct_max:
        reason = Reason.VOLATILITY
        detail = f"volatility is {volatility:.2f} % an hour, the limit is {desk.state.limits.volatility_hourly_pct_max}"
        desk.alert(Severity.CRITICAL, AlertCode.VOLATILITY, parent.order.parent_id, detail)
    if reason is None:
        return False
    desk.move_parent(parent, _S.PAUSED, reason)
    parent.waiting = (f"PAUSED_{reason}", *(code.value for code in found))
    desk.set_timer(f"parent:{parent.order.parent_id}", _end_ns(desk, parent))
    _withdraw(desk, parent, reason.value)
    return True


def _apply_amendment(desk: Desk, parent: ParentState) -> None:
    """Put accepted new parameters into force; possible only when nothing of the old ones is at work."""
    amend = parent.pending
    assert amend is not None
    order = parent.order
    limit_px = None if amend.clear_limit_px else (amend.limit_px or order.limit_px)
    parent.order = replace(
        order,
        order_qty=Quantity(max(amend.order_qty or order.order_qty, parent.cum_qty)),
        limit_px=limit_px,
        deadline_ns=amend.deadline_ns or order.deadline_ns,
        urgency=amend.urgency or order.urgency,
        strategy=amend.strategy or order.strategy,
        params=amend.params or order.params,
    )
    parent.pending = None
    parent.replan = True
    parent.version += 1
    if parent.advice is not None:
        forget(parent.advice)
    desk.parents[order.parent_id] = None
    if parent.status is _S.ADJUSTING:
        desk.move_parent(parent, _S.ACTIVE, Reason.AMENDED)
