"""Booking fills: each execution changes quantity exactly once, whenever and however often it arrives.

Fills are the authority for quantity. A true fill is never refused: what exceeds the order is booked too,
and everything stops.
"""

from decimal import Decimal

from executor.domain.commands import AlertCode, Severity, StoreReport
from executor.domain.events import OrderFilled
from executor.domain.fills import Fill
from executor.domain.order_state import ChildStatus
from executor.domain.orders import Liquidity
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import utc_day
from executor.domain.units import ZERO
from executor.engine.desk import Desk
from executor.engine.halt import halt
from executor.engine.markets import mid_before
from executor.engine.report import running_shortfall_bps
from executor.engine.revival import revive
from executor.engine.state import (
    ChildState,
    EngineState,
    Ledger,
    OrphanFill,
    ParentState,
    ledger_key,
    market_key,
)

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
    _book_ledger(state, fill, child.order.position_idx)
    return _book_ours(desk, child, fill)


def attribute(desk: Desk, child: ChildState, fill: Fill) -> None:
    """Book an execution that came before anything said whose it was; the account has it already."""
    del desk.state.unattributed[fill.key]
    _book_ours(desk, child, fill)


def _book_ours(desk: Desk, child: ChildState, fill: Fill) -> ParentState:
    parent = desk.state.parents[child.order.parent_id]
    _book_child(desk, child, fill)
    _book_parent(desk, parent, child, fill)
    return parent


def find_child(state: EngineState, client_order_id: str, venue_order_id: str) -> ChildState | None:
    """Find one of our orders by our id, or by the venue's where ours is not given."""
    child = state.children.get(client_order_id)
    if child is None and not client_order_id:
        child = state.children.get(state.venue_ids.get(venue_order_id, ""))
    return child


def roll_day(state: EngineState, ledger: Ledger) -> None:
    """Start the day's sums anew when the UTC day has changed."""
    today = utc_day(state.now_ns)
    if ledger.day != today:
        ledger.day = today
        ledger.day_cash = ledger.day_qty = ledger.day_fees = ledger.day_notional = ZERO


def fee_in_quote(state: EngineState, fill: Fill) -> Decimal:
    """The fee in quote units: a spot buyer pays in base, which is worth its quantity times the price.

    A fee in a third coin has no price here; it counts as zero and stays in the table of fills as it is.
    """
    market = state.markets.get(market_key(fill.category, fill.symbol))
    rules = market.instrument if market is not None else None
    if not fill.fee_coin or (rules is not None and fill.fee_coin == rules.quote_coin):
        return fill.fee
    if rules is not None and fill.fee_coin == rules.base_coin:
        return fill.fee * fill.last_px
    return ZERO


def _book_child(desk: Desk, child: ChildState, fill: Fill) -> None:
    value = fill.last_qty * fill.last_px
    child.seen = True
    child.cum_qty += fill.last_qty
    child.cum_notional += value
    desk.children[child.order.client_order_id] = None
    child.fees += fee_in_quote(desk.state, fill)
    if fill.liquidity is Liquidity.MAKER:
        child.maker_qty += fill.last_qty
    market = desk.state.markets.get(market_key(fill.category, fill.symbol))
    before = mid_before(market, fill.ts_exchange_ns) if market is not None else None
    mid = child.arrival_mid_px if before is None else before
    child.spread_captured += fill.side.sign * (mid - fill.last_px) * fill.last_qty
    if not child.venue_order_id and fill.venue_order_id:
        child.venue_order_id = fill.venue_order_id
        desk.state.venue_ids[fill.venue_order_id] = child.order.client_order_id
    if child.status is ChildStatus.REJECTED:
        revive(desk, child)
    elif child.cum_qty >= child.order.qty:
        child.final_qty = child.cum_qty
        desk.move_child(child, ChildStatus.FILLED, "filled")
    elif child.status in {ChildStatus.PENDING_NEW, ChildStatus.NEW, ChildStatus.UNKNOWN}:
        desk.move_child(child, ChildStatus.PARTIALLY_FILLED, "fill")
    else:
        desk.move_child(child, child.status, "fill")


def _book_parent(desk: Desk, parent: ParentState, child: ChildState, fill: Fill) -> None:
    parent.cum_qty += fill.last_qty
    parent.cum_notional += fill.last_qty * fill.last_px
    parent.rejects_in_row = 0
    desk.parents[parent.order.parent_id] = None
    if child.cum_qty > child.order.qty or parent.cum_qty > parent.order.order_qty:
        detail = f"{child.order.client_order_id}: {child.cum_qty} of {child.order.qty} executed"
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


def _book_ledger(state: EngineState, fill: Fill, position_idx: int) -> None:
    ledger = state.ledgers.setdefault(ledger_key(fill.category, fill.symbol, position_idx), Ledger())
    roll_day(state, ledger)
    signed: Decimal = fill.side.sign * fill.last_qty
    value = fill.last_qty * fill.last_px
    ledger.net_qty += signed
    ledger.last_px = fill.last_px
    ledger.day_qty += signed
    ledger.day_cash -= fill.side.sign * value
    ledger.day_fees += fee_in_quote(state, fill)
    ledger.day_notional += value


def _book_stranger(desk: Desk, fill: Fill) -> None:
    """Keep a fill that no order of ours explains; under our own prefix it also blocks the symbol."""
    state = desk.state
    _book_ledger(state, fill, 0)
    if not fill.client_order_id:
        state.unattributed[fill.key] = fill
    if not fill.client_order_id.startswith(f"{state.instance}-"):
        return
    state.orphans.append(
        OrphanFill(
            key=fill.key,
            client_order_id=fill.client_order_id,
            venue_order_id=fill.venue_order_id,
            symbol=fill.symbol,
            last_qty=fill.last_qty,
        )
    )
    _block(desk, fill, AlertCode.ORPHAN_FILL, f"{fill.key} of {fill.client_order_id}: no such order is known")


def _block(desk: Desk, fill: Fill, code: AlertCode, detail: str) -> None:
    market = desk.state.markets.get(market_key(fill.category, fill.symbol))
    if market is not None:
        market.blocked = f"{code}: {detail}"
    desk.alert(Severity.CRITICAL, code, "", detail)
