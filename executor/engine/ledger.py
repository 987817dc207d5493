"""Account sums that the gate limits: open value, traded value and result of the day."""

from decimal import Decimal

from executor.domain.orders import ParentOrder
from executor.domain.timeline import utc_day
from executor.domain.units import ZERO
from executor.engine.state import EngineState


def open_notional(state: EngineState) -> Decimal:
    """Value of everything open or unproven, at its own limit prices; quote units."""
    total = ZERO
    for parent_id in state.open_parents:
        for name in state.parents[parent_id].live:
            child = state.children[name]
            total += child.open_qty * child.order.px
    return total


def same_side_open_qty(state: EngineState, order: ParentOrder) -> Decimal:
    """Open and unproven quantity on the order's side of its instrument, all parents; base units."""
    total = ZERO
    for parent_id in state.open_parents:
        parent = state.parents[parent_id]
        if (parent.order.category, parent.order.symbol, parent.order.side, parent.order.position_idx) == (
            order.category,
            order.symbol,
            order.side,
            order.position_idx,
        ):
            total += sum((state.children[name].open_qty for name in parent.live), ZERO)
    return total


def day_notional(state: EngineState) -> Decimal:
    """Value traded in the current UTC day; quote units."""
    today = utc_day(state.now_ns)
    return sum((ledger.day_notional for ledger in state.ledgers.values() if ledger.day == today), ZERO)


def day_pnl(state: EngineState) -> Decimal | None:
    """Result of the current UTC day's own trades, fees included, what is left marked at mid; quote units.

    None if a traded instrument has no known price. The drift of positions held from before the day is not
    in it.
    """
    today = utc_day(state.now_ns)
    total = ZERO
    for name, ledger in state.ledgers.items():
        if ledger.day != today:
            continue
        total += ledger.day_cash - ledger.day_fees
        if ledger.day_qty:
            market = state.markets.get(name.rpartition(":")[0])
            if market is None or market.snapshot is None:
                return None
            total += ledger.day_qty * market.snapshot.mid_px
    return total
