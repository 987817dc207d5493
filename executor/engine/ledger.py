"""Account sums that the gate limits: open value, traded value and result of the day."""

from decimal import Decimal

from executor.domain.orders import ParentOrder
from executor.domain.timeline import utc_day
from executor.domain.units import ZERO
from executor.engine.state import EngineState, live_children


def open_notional(state: EngineState) -> Decimal:
    """Value of everything open or unproven, at its own limit prices; quote units."""
    total = ZERO
    for name in live_children(state):
        child = state.children[name]
        total += child.open_qty * child.order.px
    return total


def same_side_open_qty(state: EngineState, order: ParentOrder) -> Decimal:
    """Open and unproven quantity on the order's side of its instrument, all parents; base units."""
    total = ZERO
    for name in live_children(state):
        child = state.children[name]
        if (child.order.category, child.order.symbol, child.order.side, child.order.position_idx) == (
            order.category,
            order.symbol,
            order.side,
            order.position_idx,
        ):
            total += child.open_qty
    return total


def day_notional(state: EngineState) -> Decimal:
    """Value traded in the current UTC day; quote units."""
    today = utc_day(state.now_ns)
    return sum((ledger.day_notional for ledger in state.ledgers.values() if ledger.day == today), ZERO)


def day_pnl(state: EngineState) -> Decimal:
    """Result of the current UTC day's trades, fees included; quote units.

    What is left is marked at mid, or at the last fill where the symbol's market is not followed. The drift
    of positions held from before the day is not in it.
    """
    today = utc_day(state.now_ns)
    total = ZERO
    for name, ledger in state.ledgers.items():
        if ledger.day != today:
            continue
        total += ledger.day_cash - ledger.day_fees
        if ledger.day_qty:
            market = state.markets.get(name.rpartition(":")[0])
            snapshot = market.snapshot if market is not None else None
            total += ledger.day_qty * (ledger.last_px if snapshot is None else snapshot.mid_px)
    return total
