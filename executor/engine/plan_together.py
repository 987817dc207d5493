"""What an order would run into because of others at work: the budget of orders, and limits over all of them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from executor.domain.events import ParentSubmitted
from executor.domain.limits import Limits
from executor.domain.orders import ParentOrder, StrategyParams
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, plain
from executor.engine.exposure import why_not_together
from executor.engine.markets import expected_volume_qty
from executor.engine.own_volume import WINDOW_S, used_qty
from executor.engine.plan_limits import Hindrance, Severity
from executor.engine.state import EngineState, market_key
from executor.engine.submitted import order_of
from risk.joint import Bounds
from strategies.expected import Timing, timing_of
from strategies.venue_orders import VENUE_STRATEGIES

_S_PER_MIN: Final = 60
_PCT: Final = Decimal(100)


def orders_per_min(strategy: str, params: StrategyParams) -> Decimal:
    """How many orders a minute a plan comes to at least: one for each slice, two where it rests before it takes.

    What follows the market comes on top. A strategy order of the venue is one, and one that waits for a price none.
    """
    if strategy in VENUE_STRATEGIES or timing_of(strategy) is Timing.TRIGGER:
        return ZERO
    rests_first = params.passiveness is None or params.passiveness > ZERO
    each = 1 if timing_of(strategy) is Timing.RESTING or not rests_first else 2
    return Decimal(each * _S_PER_MIN) / params.interval_s


def budget_hindrance(
    limits: Limits, asked: Iterable[Decimal], others: Iterable[Decimal] = ()
) -> Hindrance | None:
    """Say that a minute's budget of orders cannot carry what is planned; None if it can.

    Parameters
    ----------
    asked, others
        Orders a minute of each new parent, and of each that is open.
    """
    mine, beside = sum(asked, ZERO), list(others)
    whole = mine + sum(beside, ZERO)
    if whole <= limits.orders_per_min_max:
        return None
    shared = f", {whole - mine:.3g} of them by {len(beside)} that are open" if beside else ""
    return Hindrance(
        what="orders_per_min_max",
        severity=Severity.SLOWER,
        detail=f"the plans come to about {whole:.3g} orders a minute{shared}, and {limits.orders_per_min_max} may be"
        " sent: slices are late, or are put together by catching up; a longer interval asks for fewer",
    )


def beside_others(state: EngineState, event: ParentSubmitted) -> tuple[Hindrance, ...]:
    """Say what an order would run into because of the parents that are open.

    Parameters
    ----------
    state
        The whole of it; only read.
    """
    found = []
    others = [state.parents[name].order for name in state.open_parents]
    budget = budget_hindrance(
        state.limits,
        [orders_per_min(event.strategy, event.params)],
        [orders_per_min(one.strategy, one.params) for one in others],
    )
    if budget is not None:
        found.append(budget)
    text = why_not_together(state, [event], Bounds())
    if text:
        found.append(Hindrance(what="limits over several parents", severity=Severity.FAILS, detail=text))
    crowded = _crowded(state, order_of(event, state.now_ns))
    return (*found, crowded) if crowded is not None else tuple(found)


def _crowded(state: EngineState, order: ParentOrder) -> Hindrance | None:
    """What all parents of the symbol together may still take of the market, if a slice is more than that."""
    bound, market = (
        state.limits.symbol_participation_pct_max,
        state.markets.get(market_key(order.category, order.symbol)),
    )
    volume = None if market is None else expected_volume_qty(state, market, WINDOW_S)
    if bound is None or volume is None:
        return None
    seconds = max((order.deadline_ns - order.start_ns) // NS_PER_S, 1)
    slice_qty = order.order_qty * min(order.params.interval_s, seconds) / seconds
    room = max(bound * volume / _PCT - used_qty(state, order), ZERO)
    if slice_qty <= room:
        return None
    return Hindrance(
        what="symbol_participation_pct_max",
        severity=Severity.SLOWER,
        detail=f"an even slice is {slice_qty:.6g}, and all parents of {order.symbol} together may now take {room:.6g}"
        f" ({plain(bound)} % of the volume of {WINDOW_S} s)",
    )
