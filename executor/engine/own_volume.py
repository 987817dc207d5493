"""What all parents of a symbol take of its market together: fills of the last minutes, and what they have open."""

from decimal import Decimal
from typing import Final

from executor.domain.algo import AlgoKind, largest_piece
from executor.domain.fills import Fill
from executor.domain.orders import ParentOrder
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO
from executor.engine.markets import expected_volume_qty
from executor.engine.state import ChildState, EngineState, live_children, market_key

WINDOW_S: Final = 300
"""Time over which own volume is held against the market's: the half-life of the estimate of that one, seconds."""
_PCT: Final = Decimal(100)
_STEP_NS: Final = 10 * NS_PER_S
_STEPS: Final = WINDOW_S * NS_PER_S // _STEP_NS


def count_own(state: EngineState, fill: Fill) -> None:
    """Remember a fill of ours while it counts; one that is told late counts from when it is told."""
    market = state.markets.get(market_key(fill.category, fill.symbol))
    if market is None:
        return
    step = state.now_ns // _STEP_NS
    kept = [each for each in market.own_recent if each[0] >= step - _STEPS]
    if kept and kept[-1][0] == step:
        kept[-1] = (step, kept[-1][1] + fill.last_qty)
    else:
        kept.append((step, fill.last_qty))
    market.own_recent = kept


def used_qty(state: EngineState, order: ParentOrder) -> Decimal:
    """What parents of the order's symbol, on both sides, have filled in the window, and have open; base units."""
    market = state.markets.get(market_key(order.category, order.symbol))
    first = state.now_ns // _STEP_NS - _STEPS
    filled = sum((qty for step, qty in market.own_recent if step >= first), ZERO) if market else ZERO
    mine = (state.children[name] for name in live_children(state))
    wanted = (order.category, order.symbol)
    return filled + sum(
        (counted_qty(state, one) for one in mine if (one.order.category, one.order.symbol) == wanted), ZERO
    )


def counted_qty(state: EngineState, child: ChildState) -> Decimal:
    """What of an open child counts: all of it, but of a strategy order of the venue its largest piece, or its share."""
    market = state.markets.get(market_key(child.order.category, child.order.symbol))
    if child.algo is None or market is None or market.instrument is None:
        return child.open_qty
    piece: Decimal = largest_piece(child.algo, child.order.qty, market.instrument)
    if child.algo.kind is AlgoKind.POV:
        volume = expected_volume_qty(state, market, WINDOW_S)
        piece = child.open_qty if volume is None else child.algo.rate_pct / _PCT * volume
    return min(child.open_qty, piece)
