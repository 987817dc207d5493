"""What the gate is shown: one moment of a parent's world, collected from what the engine remembers."""

from dataclasses import replace

from executor.domain.places import place_of
from executor.domain.timeline import NS_PER_S, utc_day
from executor.domain.units import ZERO
from executor.engine.ledger import day_notional, day_pnl, open_notional, same_side_open_qty
from executor.engine.links import links_of
from executor.engine.markets import expected_volume_qty, mean_mid_px, volatility_pct
from executor.engine.own_volume import WINDOW_S, counted_qty, used_qty
from executor.engine.state import (
    ChildState,
    EngineState,
    MarketState,
    ParentState,
    ledger_key,
    market_key,
    worst_case_qty,
)
from executor.engine.throttle import count_since
from risk.view import GateView


def gate_view(state: EngineState, parent: ParentState) -> GateView:
    """Collect what the gate may look at."""
    order = parent.order
    market = state.markets.get(market_key(order.category, order.symbol)) or MarketState()
    ledger = state.ledgers.get(ledger_key(order.category, order.symbol, order.position_idx))
    links, place = links_of(state, order.symbol), place_of(order.category, order.symbol)
    together = state.limits.symbol_participation_pct_max is not None
    return GateView(
        now_ns=state.now_ns,
        latched=state.latched,
        halt_epoch=state.halt_epoch,
        draining=state.draining,
        reconciled=state.reconciled.get(place, False),
        private_live=links.private_live,
        public_live=state.public_live.get(place, False),
        trade_live=links.trade_live,
        restricted_until_ns=links.restricted_until_ns,
        sentinel_required=state.sentinel_required,
        sentinel_alive=state.sentinel_alive,
        blocked=market.blocked,
        parent=order,
        instrument=market.instrument,
        market=market.snapshot,
        book_ns=market.book_ns,
        opinions=tuple(market.opinions.values()),
        benchmark_px=mean_mid_px(state, market),
        volatility_hourly_pct=volatility_pct(state, market),
        expected_volume_qty=expected_volume_qty(state, market, order.params.interval_s),
        parent_worst_case_qty=worst_case_qty(state, parent),
        parent_ordered_qty=parent.ordered_qty - parent.ordered_at_rearm_qty,
        parent_children=parent.repeats - parent.children_at_rearm,
        parent_last_order_ns=parent.last_order_ns,
        orders_last_s=count_since(state, NS_PER_S),
        orders_last_min=count_since(state, 60 * NS_PER_S),
        orders_day=state.orders_day if state.day == utc_day(state.now_ns) else 0,
        children_last_hour=count_since(state, 3_600 * NS_PER_S),
        positions_compared=market.compared,
        hedged=market.hedged,
        position_qty=ledger.position_qty if ledger else None,
        same_side_open_qty=same_side_open_qty(state, order),
        reduce_open_qty=same_side_open_qty(state, order, reduce_only=True),
        open_notional=open_notional(state),
        day_notional=day_notional(state),
        day_pnl=day_pnl(state),
        symbol_used_qty=used_qty(state, order) if together else ZERO,
        symbol_volume_qty=expected_volume_qty(state, market, WINDOW_S) if together else None,
    )


def gate_view_without(state: EngineState, parent: ParentState, child: ChildState) -> GateView:
    """The same as if a working child were gone: what its successor could use."""
    look = gate_view(state, parent)
    open_before = ZERO if look.open_notional is None else look.open_notional
    reducing = child.open_qty if child.order.reduce_only else ZERO
    return replace(
        look,
        parent_worst_case_qty=look.parent_worst_case_qty - child.open_qty,
        same_side_open_qty=look.same_side_open_qty - child.open_qty,
        reduce_open_qty=look.reduce_open_qty - reducing,
        open_notional=open_before - child.open_notional,
        symbol_used_qty=max(look.symbol_used_qty - counted_qty(state, child), ZERO),
    )
