"""Booking fills: each execution changes quantity exactly once, whenever and however often it arrives.

Fills are the authority for quantity. A true fill is never refused: what exceeds the order is booked too,
and everything stops.
"""

from decimal import Decimal

from executor.domain.commands import AlertCode, Severity, StoreReport
from executor.domain.events import ExecutionUnexplained, OrderFilled
from executor.domain.fills import Fill
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Liquidity
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO
from executor.engine import lost, markouts
from executor.engine.accounts import book_ledger, fee_in_quote
from executor.engine.desk import Desk
from executor.engine.halt import halt
from executor.engine.markets import mid_before
from executor.engine.own_volume import count_own
from executor.engine.positions import keeps_apart, position_unknown
from executor.engine.report import running_shortfall_bps
from executor.engine.revival import revive
from executor.engine.state import (
    ChildState,
    EngineState,
    OrphanFill,
    ParentState,
    live_algos,
    market_key,
)
from executor.engine.terms import prove_by_fill
from executor.engine.worth import on_fill as count_worth

HELD_S = 60
"""How long a fill that may be of a strategy order waits for the venue to say whose it is, seconds."""
HELD_TIMER = "held"
_BOOKABLE = (ParentStatus.ACTIVE, ParentStatus.EXECUTING)


def on_fill(desk: Desk, event: OrderFilled) -> ParentState | None:
    """Book one execution; returns the parent it belongs to, or None for a repeat or a stranger's."""
    fill = event.fill
    state = desk.state
    known = state.executions.get(fill.key)
    if known is not None:
        if known != fill.content:
            _block(desk, fill, AlertCode.FILL_CONFLICT, f"{fill.key}: first {known}, now {fill.content}")
            return None
        child = find_child(state, fill.client_order_id, fill.venue_order_id)
        if fill.key in state.unattributed and child is not None:
            attribute(desk, child, fill)
            return state.parents[child.order.parent_id]
        return None
    state.executions[fill.key] = fill.content
    desk.fills.append(fill)
    child = find_child(state, fill.client_order_id, fill.venue_order_id)
    if child is None or (child.order.symbol, child.order.side) != (fill.symbol, fill.side):
        _book_stranger(desk, fill)
        return None
    book_ledger(state, fill, child.order.position_idx)
    return _book_ours(desk, child, fill)


def on_unexplained(desk: Desk, event: ExecutionUnexplained) -> list[ParentState]:
    """Count what changes a position without an order of ours, and block its symbol until a person has looked."""
    state = desk.state
    key = f"{event.category}:{event.symbol}:{event.exec_id}"
    market = state.markets.get(market_key(event.category, event.symbol))
    if key in state.unexplained or market is None:
        return []
    state.unexplained.append(key)
    if event.fill is not None and not _is_hedged(state, event.fill):
        book_ledger(state, event.fill, 0)
    detail = f"{event.kind} {event.exec_id}"
    market.blocked = f"{AlertCode.EXECUTION_UNEXPLAINED}: {detail}"
    desk.alert(Severity.CRITICAL, AlertCode.EXECUTION_UNEXPLAINED, "", f"{event.symbol}: {detail}")
    return [state.parents[name] for name in state.open_parents]


def attribute(desk: Desk, child: ChildState, fill: Fill) -> None:
    """Book an execution that came before anything said whose it was; the account mostly has it already."""
    state = desk.state
    del state.unattributed[fill.key]
    state.held.pop(fill.key, None)
    text = _stranger_text(fill, apart=fill.key in state.unplaced)
    if fill.key in state.unplaced:
        state.unplaced.remove(fill.key)
        book_ledger(state, fill, child.order.position_idx)
    state.orphans = [orphan for orphan in state.orphans if orphan.key != fill.key]
    name = market_key(fill.category, fill.symbol)
    others = any(orphan.key.startswith(f"{name}:") for orphan in state.orphans)
    market = state.markets.get(name)
    if market is not None and not others and market.blocked == text:
        market.blocked = ""
    _book_ours(desk, child, fill)


def _book_ours(desk: Desk, child: ChildState, fill: Fill) -> ParentState:
    parent = desk.state.parents[child.order.parent_id]
    count_own(desk.state, fill)
    mid_px = _mid_before(desk, child, fill)
    _book_child(desk, child, fill, mid_px)
    count_worth(desk, parent, fill, mid_px)
    markouts.on_fill(desk, parent, child, fill)
    _book_parent(desk, parent, child, fill)
    return parent


def find_child(state: EngineState, client_order_id: str, venue_order_id: str) -> ChildState | None:
    """Find one of our orders by our id, or by the venue's where ours is not given."""
    child = state.children.get(client_order_id)
    if child is not None:
        return child
    owner = state.children.get(state.venue_ids.get(venue_order_id, ""))
    if owner is None or (client_order_id and owner.algo is None):
        return None
    return owner  # the orders of a strategy may carry an id of the venue's making


def _mid_before(desk: Desk, child: ChildState, fill: Fill) -> Decimal:
    """The mid before a fill; the one at which its order was sent, if none is kept."""
    market = desk.state.markets.get(market_key(fill.category, fill.symbol))
    before = mid_before(market, fill.ts_exchange_ns) if market is not None else None
    return child.arrival_mid_px if before is None else before


def _book_child(desk: Desk, child: ChildState, fill: Fill, mid_px: Decimal) -> None:
    child.seen = True
    child.cum_qty += fill.last_qty
    child.cum_notional += fill.notional
    child.cum_coin_qty += fill.coin_qty
    desk.children[child.order.client_order_id] = None
    child.fees += fee_in_quote(desk.state, fill) or ZERO
    if fill.liquidity is Liquidity.MAKER:
        child.maker_qty += fill.last_qty
    child.spread_captured += fill.side.sign * (mid_px - fill.last_px) * (fill.coin_qty or fill.last_qty)
    if not child.venue_order_id and fill.venue_order_id and child.algo is None:
        child.venue_order_id = fill.venue_order_id
        desk.state.venue_ids[fill.venue_order_id] = child.order.client_order_id
    prove_by_fill(desk, child)
    if child.status is ChildStatus.REJECTED:
        revive(desk, child)
    elif child.cum_qty >= child.bound_qty and child.algo is None:
        child.final_qty = child.cum_qty
        desk.move_child(child, ChildStatus.FILLED, "filled")
    elif child.status in {ChildStatus.PENDING_NEW, ChildStatus.NEW, ChildStatus.UNKNOWN}:
        desk.move_child(child, ChildStatus.PARTIALLY_FILLED, "fill")
    else:
        desk.move_child(child, child.status, "fill")


def _book_parent(desk: Desk, parent: ParentState, child: ChildState, fill: Fill) -> None:
    parent.cum_qty += fill.last_qty
    parent.cum_notional += fill.notional
    parent.cum_coin_qty += fill.coin_qty
    parent.rejects_in_row = 0
    parent.last_fill_ns = desk.now_ns
    if fee_in_quote(desk.state, fill) is None:
        parent.other_fees[fill.fee_coin] = parent.other_fees.get(fill.fee_coin, ZERO) + fill.fee
    desk.parents[parent.order.parent_id] = None
    if child.cum_qty > child.bound_qty or parent.cum_qty > parent.order.order_qty:
        detail = f"{child.order.client_order_id}: {child.cum_qty} of {child.bound_qty} executed"
        desk.alert(Severity.CRITICAL, AlertCode.OVER_FILL, parent.order.parent_id, detail)
        halt(desk, Reason.OVER_FILLED, f"over-fill: {detail}")
    if parent.is_final:
        desk.out.append(StoreReport(parent_id=parent.order.parent_id))
    elif parent.status in _BOOKABLE and parent.goal is None:
        desk.move_parent(parent, ParentStatus.FILLED, Reason.FILL_BOOKED)
    _watch_shortfall(desk, parent, fill)


def _watch_shortfall(desk: Desk, parent: ParentState, fill: Fill) -> None:
    market = desk.state.markets.get(market_key(fill.category, fill.symbol))
    if parent.shortfall_alerted or market is None or market.snapshot is None:
        return
    bps = running_shortfall_bps(parent, market.snapshot.mid_px)
    if bps is not None and bps > desk.state.limits.shortfall_alert_bps:
        parent.shortfall_alerted = True
        desk.alert(
            Severity.WARNING,
            AlertCode.SHORTFALL,
            parent.order.parent_id,
            f"implementation shortfall is {bps:.1f} bps, the alert is at {desk.state.limits.shortfall_alert_bps}",
        )


def _book_stranger(desk: Desk, fill: Fill) -> None:
    """Keep a fill that no order of ours explains, and block its symbol until that changes or a person has looked.

    An execution does not say which position it changed. Where long and short are kept apart it is booked to neither.
    One from before the position was first read is part of what we began with, unless its id could be ours.
    """
    state = desk.state
    apart = _is_hedged(state, fill)
    matters = _could_be_ours(state, fill) or not position_unknown(
        state, market_key(fill.category, fill.symbol)
    )
    if _hold(desk, fill, apart=apart):
        return
    if not apart:
        book_ledger(state, fill, 0)
    elif matters:
        state.unplaced.append(fill.key)
    if not fill.client_order_id:
        state.unattributed[fill.key] = fill
    if matters:
        tell_stranger(desk, fill)


def _hold(desk: Desk, fill: Fill, *, apart: bool) -> bool:
    """Keep an execution that may be of a strategy order at work until the venue says whose it is; True if it may be.

    The position has it at once; nothing is blocked, and the strategy order stays reserved whole meanwhile.
    """
    state = desk.state
    if _could_be_ours(state, fill):
        return False
    mine = [
        child
        for child in (state.children[name] for name in live_algos(state))
        if (child.order.category, child.order.symbol, child.order.side)
        == (fill.category, fill.symbol, fill.side)
    ]
    if not mine:
        return False
    if apart:
        state.unplaced.append(fill.key)
    else:
        book_ledger(state, fill, 0)
    state.unattributed[fill.key] = fill
    state.held[fill.key] = desk.now_ns
    name = market_key(fill.category, fill.symbol)
    desk.set_timer(f"{HELD_TIMER}:{name}", desk.now_ns + HELD_S * NS_PER_S)
    for child in mine:
        desk.query(child)
    return True


def tell_stranger(desk: Desk, fill: Fill) -> None:
    """Block the symbol of a fill that is nobody's, and tell people; its position is booked as far as it can be."""
    state = desk.state
    apart = _is_hedged(state, fill)
    lost.take_in(desk, fill)
    state.orphans.append(
        OrphanFill(
            key=fill.key,
            client_order_id=fill.client_order_id,
            venue_order_id=fill.venue_order_id,
            symbol=fill.symbol,
            last_qty=fill.last_qty,
        )
    )
    if _could_be_ours(state, fill):
        detail = f"{fill.key} of {fill.client_order_id}: no such order is known"
        _block(desk, fill, AlertCode.ORPHAN_FILL, f"{detail}{_APART if apart else ''}")
        return
    text = _stranger_text(fill, apart=apart)
    market = state.markets.get(market_key(fill.category, fill.symbol))
    if market is not None and not market.blocked:
        market.blocked = text
    desk.alert(Severity.CRITICAL, AlertCode.EXECUTION_UNEXPLAINED, "", text)


_APART = "; long and short are kept apart here, so it is booked to neither"


def _could_be_ours(state: EngineState, fill: Fill) -> bool:
    """Whether the order's id begins as ours do."""
    return fill.client_order_id.startswith(f"{state.instance}-")


def _stranger_text(fill: Fill, *, apart: bool) -> str:
    return f"{AlertCode.EXECUTION_UNEXPLAINED}: {fill.key} is of no order of ours{_APART if apart else ''}"


def _is_hedged(state: EngineState, fill: Fill) -> bool:
    """Whether two positions are kept in the symbol, of which an execution does not say which it changed."""
    return bool(keeps_apart(state, fill.category, fill.symbol))


def _block(desk: Desk, fill: Fill, code: AlertCode, detail: str) -> None:
    market = desk.state.markets.get(market_key(fill.category, fill.symbol))
    if market is not None:
        market.blocked = f"{code}: {detail}"
    desk.alert(Severity.CRITICAL, code, "", detail)
