"""From what the engine remembers to the facts of a question for a model."""

from decimal import Decimal
from enum import StrEnum
from typing import Final

from executor.domain.advice import AdviceRecord
from executor.domain.advice_facts import (
    AdviceFacts,
    BandFacts,
    ImpactFacts,
    MarketFacts,
    OrderFacts,
    PastDecision,
    ProgressFacts,
)
from executor.domain.advice_terms import Band
from executor.domain.decision import View
from executor.domain.market import MarketSnapshot
from executor.domain.units import BPS_PER_UNIT, ZERO, Price, Quantity
from executor.engine.markets import mean_mid_px, volatility_pct
from executor.engine.report import mid_twap_px, running_shortfall_bps, schedule_progress
from executor.engine.state import EngineState, MarketState, ParentState, reserved_qty
from impact.models import read_model
from impact.protocol import ImpactModel
from impact.square_root import SquareRoot, estimate
from risk.circuit import to_decimal
from strategies.priced import impact_of_rest

_RULES: Final = 1
_PCT: Final = Decimal(100)
_MIN_PER_HOUR: Final = Decimal(60)
_S_PER_MIN: Final = 60
_S_PER_HOUR: Final = 3_600.0
_MEAN_MINUTES: Final = Decimal(5)
_IMPACT_BPS_MAX: Final = Decimal(10_000)
"""An order that would double the price: what comes out of next to no volume is no estimate."""


class Regime(StrEnum):
    """One word for the state of a market."""

    CALM = "CALM"
    WIDE = "WIDE"
    VOLATILE = "VOLATILE"
    RISING = "RISING"
    FALLING = "FALLING"
    UNKNOWN = "UNKNOWN"


def question_facts(
    state: EngineState, parent: ParentState, view: View, band: Band, decision_id: str
) -> AdviceFacts:
    """Everything that the engine says in a question about a parent, as of now."""
    market = state.markets[parent.market_key]
    return AdviceFacts(
        decision_id=decision_id,
        parent_id=parent.order.parent_id,
        parent_version=parent.version,
        order=_order(state, parent),
        progress=_progress(state, parent, view),
        market=_market(state, market, view.market),
        band=_band(band),
        impact=_impact(state, parent, market),
        recent_decisions=_past(parent, view.market),
    )


def _order(state: EngineState, parent: ParentState) -> OrderFacts:
    order = parent.order
    return OrderFacts(
        symbol=order.symbol,
        category=order.category,
        side=order.side,
        order_qty=order.order_qty,
        cum_qty=Quantity(parent.cum_qty),
        leaves_qty=parent.leaves_qty,
        deadline_ns=order.deadline_ns - state.now_ns,
        duration_ns=order.deadline_ns - _began_ns(parent),
        decision_px=None if parent.decision_px is None else Price(parent.decision_px),
        limit_px=order.limit_px,
        strategy=order.strategy,
        urgency=order.urgency,
    )


def _progress(state: EngineState, parent: ParentState, view: View) -> ProgressFacts:
    order, slices = parent.order, view.schedule.slices
    began_ns = _began_ns(parent)
    duration_ns = max(order.deadline_ns - began_ns, 1)
    index = max(view.schedule.slice_at(state.now_ns), 0)
    progress = schedule_progress(parent, state.now_ns)
    twap_px, avg_px = mid_twap_px(parent, state.now_ns), parent.avg_px
    versus = None if twap_px is None or avg_px is None else order.side.sign * (avg_px - twap_px) / twap_px
    return ProgressFacts(
        executed_pct=progress.done_ratio * _PCT,
        elapsed_pct=Decimal(min(max(state.now_ns - began_ns, 0), duration_ns)) / duration_ns * _PCT,
        ahead_pct=(progress.deviation_ratio or ZERO) * _PCT,
        avg_px=avg_px,
        shortfall_bps=running_shortfall_bps(parent, view.market.mid_px),
        twap_px=twap_px,
        vs_twap_bps=None if versus is None else versus * BPS_PER_UNIT,
        slice_qty=slices[index].qty if slices else Quantity(ZERO),
        slices_left=len(slices) - index,
        working_qty=Quantity(reserved_qty(state, parent)),
    )


def _market(state: EngineState, market: MarketState, snapshot: MarketSnapshot) -> MarketFacts:
    volatility = volatility_pct(state, market)
    per_min = None if volatility is None else to_decimal(market.estimates.volume_per_s * _S_PER_MIN)
    return MarketFacts(
        mid_px=snapshot.mid_px,
        spread_bps=snapshot.spread_bps,
        best_bid=snapshot.best_bid,
        best_bid_qty=snapshot.best_bid_qty,
        best_ask=snapshot.best_ask,
        best_ask_qty=snapshot.best_ask_qty,
        volatility_hourly_pct=volatility,
        volume_per_min_qty=per_min,
        mean_px_5min=mean_mid_px(state, market),
        regime=regime(state, market, snapshot).value,
    )


def regime(state: EngineState, market: MarketState, snapshot: MarketSnapshot) -> Regime:
    """The first of these that holds: nothing is known; the spread is wide; volatile; running away; calm.

    Wide is half of what forbids crossing, volatile half of what pauses a parent. A market runs away when its mid is
    further from its five-minute mean than the volatility explains for five minutes (one standard deviation).
    """
    volatility, mean_px = volatility_pct(state, market), mean_mid_px(state, market)
    if volatility is None or mean_px is None or mean_px <= ZERO:
        return Regime.UNKNOWN
    if snapshot.spread_bps * 2 > state.limits.cross_spread_bps_max:
        return Regime.WIDE
    if volatility * 2 > state.limits.volatility_hourly_pct_max:
        return Regime.VOLATILE
    moved_pct = (snapshot.mid_px - mean_px) / mean_px * _PCT
    if moved_pct * moved_pct * _MIN_PER_HOUR > volatility * volatility * _MEAN_MINUTES:
        return Regime.RISING if moved_pct > ZERO else Regime.FALLING
    return Regime.CALM


def _band(band: Band) -> BandFacts:
    return BandFacts(
        rate_min=band.rate_min,
        rate_max=band.rate_max,
        slice_times_max=band.slice_times_max,
        ahead_pct_max=band.ahead_pct_max,
        behind_pct_max=band.behind_pct_max,
        wait_s_max=band.wait_s_max,
        confidence_min=band.confidence_min,
        strategies=band.strategies,
        cancel_allowed=band.cancel_allowed,
    )


def _impact(state: EngineState, parent: ParentState, market: MarketState) -> ImpactFacts:
    """Average cost of what is left, done evenly until the deadline; nothing until volatility and volume are known.

    By the model that the order's forecast is of, which is the calibration that was in use when it was given; by the
    usual square root where none was named, or the one that was named cannot be read.
    """
    volatility, volume = volatility_pct(state, market), market.estimates.volume_per_s * _S_PER_HOUR
    found = None
    if state.rules < _RULES:  # an older journal: the usual square root for everybody
        if volatility is not None:
            found = estimate(
                qty=parent.leaves_qty, volatility_hourly_pct=volatility, volume_hourly_qty=volume
            )
    elif volatility is not None and volatility > ZERO and volume > 0.0 and parent.leaves_qty > ZERO:
        try:
            found = impact_of_rest(
                _model(parent), parent.order, parent.leaves_qty, state.now_ns, volatility, volume
            )
        except (ValueError, ArithmeticError):
            found = None  # it knows nothing of such an order
    estimate_bps = None if found is None else to_decimal(found.estimate_bps)
    if found is None or estimate_bps is None or estimate_bps > _IMPACT_BPS_MAX:
        return ImpactFacts()
    return ImpactFacts(
        estimate_bps=estimate_bps,
        low_bps=to_decimal(found.low_bps),
        high_bps=to_decimal(found.high_bps),
    )


def _model(parent: ParentState) -> ImpactModel:
    """The model that is in force for an order."""
    named = "" if parent.forecast is None else parent.forecast.model
    try:
        model = read_model(named) if named else None
    except ValueError:
        model = None
    return model or SquareRoot()


def _past(parent: ParentState, snapshot: MarketSnapshot) -> tuple[PastDecision, ...]:
    """What became of the last questions."""
    records: list[AdviceRecord] = [] if parent.advice is None else parent.advice.recent
    return tuple(
        PastDecision(
            decision_id=record.decision_id,
            action=record.action,
            confidence=record.confidence,
            outcome=record.outcome,
            filled_pct_since=(parent.cum_qty - record.cum_qty) / parent.order.order_qty * _PCT,
            mid_moved_bps=(snapshot.mid_px - record.mid_px) / record.mid_px * BPS_PER_UNIT,
        )
        for record in records
    )


def _began_ns(parent: ParentState) -> int:
    return max(parent.started_ns, parent.order.start_ns)
