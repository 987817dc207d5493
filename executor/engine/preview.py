"""What can be said against an order as a whole: limits it would run into sooner or later, nothing to reduce.

The gate checks children one by one; a quantity with a zero too many would pass it a hundred times before a
limit on the whole binds. So the whole is looked at as soon as a price is known.
"""

from decimal import Decimal

from executor.domain.orders import Category, ParentOrder, Side
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, Quantity, plain
from executor.engine.markets import expected_volume_qty
from executor.engine.state import EngineState, MarketState, ledger_key, market_key

_PCT = Decimal(100)


def beyond_limits(state: EngineState, order: ParentOrder, market: MarketState, qty: Decimal) -> str:
    """Why the quantity could never be filled under the limits; empty if it could.

    What only shrinks a position is not held against the limits: exits stay possible.
    """
    if market.instrument is None or market.snapshot is None:
        return ""
    ledger = state.ledgers.get(ledger_key(order.category, order.symbol, order.position_idx))
    position = (ledger.position_qty if ledger else None) or ZERO
    opening = max(order.side.sign * position + qty, ZERO)
    px = market.snapshot.mid_px
    value = market.instrument.notional(Quantity(opening), px)
    for name in ("position_notional_max", "day_notional_max"):
        bound: Decimal | None = getattr(state.limits, name)
        if bound is not None and value > bound:
            return (
                f"{plain(qty)} {order.symbol} would open about {value:.0f} in quote units,"
                f" {name} is {plain(bound)}"
            )
    return ""


def beyond_position(
    state: EngineState,
    category: Category,
    symbol: str,
    side: Side,
    position_idx: int,
    qty: Decimal,
) -> str:
    """Why an order that may only reduce cannot be done: the position is not there, or is smaller; empty if it can be.

    Nothing is said of a position that is not known, or that may be another than we believe.

    Parameters
    ----------
    qty
        What is to be reduced; zero asks whether anything can be.
    """
    market = state.markets.get(market_key(category, symbol))
    ledger = state.ledgers.get(ledger_key(category, symbol, position_idx))
    held = None if ledger is None else ledger.position_qty
    if market is None or held is None or market.blocked or not market.compared:
        return ""
    reducible = max(-side.sign * held, ZERO)
    rules = market.instrument
    wanted = qty if rules is None else rules.round_qty(Quantity(qty))
    snapshot = market.snapshot
    dust = rules is not None and snapshot is not None and rules.is_dust(reducible, snapshot.mid_px)
    if reducible and reducible >= wanted and not dust:
        return ""
    what = f"the position in {symbol} is {plain(held.normalize())}" + (
        f" (index {position_idx})" if position_idx else ""
    )
    word = "buy" if side is Side.BUY else "sell"
    if not reducible:
        return f"{what}: a reduce-only {word} has nothing to reduce"
    if reducible < wanted:
        return f"{what}: a reduce-only {word} of {plain(qty)} is more than that"
    return f"{what}: less than is sent in one order, so nothing will be sent to reduce it"


def too_fast(state: EngineState, order: ParentOrder, market: MarketState) -> str:
    """Why the order will hardly be done in its time at the recent volume; empty if it may."""
    seconds = max((order.deadline_ns - state.now_ns) // NS_PER_S, 1)
    volume = expected_volume_qty(state, market, seconds)
    if volume is None:
        return ""
    room = volume * state.limits.participation_pct_max / _PCT
    if order.order_qty <= room:
        return ""
    return (
        f"at the recent volume about {room:.3f} of {plain(order.order_qty)} can be traded in {seconds} s"
        f" within {plain(state.limits.participation_pct_max)} % of the market"
    )
