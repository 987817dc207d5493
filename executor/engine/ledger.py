"""Account sums that the gate limits: open value, traded value and result of the day."""

from decimal import Decimal

from executor.domain.orders import Category, ParentOrder
from executor.domain.timeline import utc_day
from executor.domain.units import ZERO
from executor.engine.state import EngineState, live_children


def open_notional(state: EngineState) -> Decimal:
    """Value of everything open or unproven, at its own limit prices; quote units."""
    return sum((state.children[name].open_notional for name in live_children(state)), ZERO)


def same_side_open_qty(state: EngineState, order: ParentOrder, *, reduce_only: bool = False) -> Decimal:
    """Open and unproven quantity on the order's side of its instrument, all parents; base units.

    `reduce_only` counts only what may only reduce the position.
    """
    total = ZERO
    for name in live_children(state):
        child = state.children[name]
        if reduce_only and not child.order.reduce_only:
            continue
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
    """Result of the current UTC day's trades, fees and payments for holding included; quote units.

    What is left is marked at mid, or at the last fill where the symbol's market is not followed. The drift
    of positions held from before the day is not in it.

    Inverse contracts pay in coin: q contracts bought at p and marked at M bring q (1/p - 1/M), sold the negative
    of it (Bybit's contract specification). With C the sum of +-q/p and Q that of +-q this is (C - Q/M) coin,
    worth C M - Q in quote units at the mid.
    """
    today = utc_day(state.now_ns)
    total = ZERO
    for name, ledger in state.ledgers.items():
        if ledger.day != today:
            continue
        market = state.markets.get(name.rpartition(":")[0])
        snapshot = market.snapshot if market is not None else None
        px = ledger.last_px if snapshot is None else snapshot.mid_px
        total -= ledger.day_fees + ledger.day_payments
        if name.startswith(f"{Category.INVERSE}:"):
            total += ledger.day_cash * px - ledger.day_qty
        else:
            total += ledger.day_cash + ledger.day_qty * px
    return total
