"""What an order is expected to do and to cost, and what it would run into, before anything is sent.

It is the plan that the strategy would make now, priced by a model of impact, beside the limits in force. Nothing is
changed: state and market are only read, and the same figures tell the same plan wherever they come from. What is not
known is asked for by its name.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from executor.advice.worst_case import WorstCase
from executor.domain.cost_forecast import CostForecast
from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot
from executor.domain.orders import ParentOrder
from executor.domain.timeline import NS_PER_HOUR, NS_PER_S
from executor.domain.units import BPS_PER_UNIT, ZERO, Money, Price, Quantity, is_plain
from executor.engine.bounds import worst_of
from executor.engine.markets import expected_volume_qty, volatility_pct
from executor.engine.plan_limits import Hindrance, gravest_first, hindrances
from executor.engine.state import EngineState, MarketState
from impact.models import read_model
from impact.protocol import Pace
from risk.circuit import volatility_hourly_pct, volume_hourly_qty
from strategies.expected import ExpectedPath
from strategies.priced import (
    Alternative,
    ExpectedCost,
    FrontierPoint,
    PlanTerms,
    alternatives,
    frontier,
    noted,
    priced,
)

SLICES_MAX: Final = 20_000
"""Most slices of an order that is told beforehand: 14 days of a minute, a day of 5 s."""
SLICES_PRICED_MAX: Final = 500
"""Most slices with which an order is priced when it begins, as other orders wait meanwhile: a plan of more is priced
as if its slices were longer."""
_S_PER_HOUR: Final = 3_600
_OBSERVED_NS: Final = 24 * NS_PER_HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPreview:
    """Everything that is told of an order beforehand.

    Parameters
    ----------
    order
        As it would be accepted, with nothing but its own id missing.
    cost
        None where nothing is expected to be done.
    worst
        What advice could do at most; None where no model would be asked.
    """

    order: ParentOrder
    instrument: Instrument
    market: MarketSnapshot
    pace: Pace
    path: ExpectedPath
    cost: ExpectedCost | None
    hindrances: tuple[Hindrance, ...]
    alternatives: tuple[Alternative, ...]
    frontier: tuple[FrontierPoint, ...]
    worst: WorstCase | None


def told_market(
    instrument: Instrument,
    *,
    mid_px: Decimal,
    spread_bps: Decimal,
    volatility_hourly_pct: float,
    volume_hourly_qty: float,
    now_ns: int,
) -> MarketState:
    """A market of which somebody says how it is, as the engine would know it.

    Parameters
    ----------
    mid_px
        Quote per base, > 0.
    spread_bps
        Best ask less best bid, basis points of the mid, >= 0.
    volatility_hourly_pct
        Standard deviation of the return over an hour, per cent, > 0.
    volume_hourly_qty
        Volume of an hour, base units, > 0.
    """
    if not is_plain(mid_px) or mid_px <= ZERO:
        raise ValueError(f"a price is above zero, got {mid_px}")
    if not is_plain(spread_bps) or not ZERO <= spread_bps < BPS_PER_UNIT:
        raise ValueError(f"a spread is 0 to 10000 basis points, got {spread_bps}")
    half: Decimal = mid_px * spread_bps / BPS_PER_UNIT / 2
    snapshot = MarketSnapshot(
        category=instrument.category,
        symbol=instrument.symbol,
        best_bid=Price(mid_px - half),
        best_bid_qty=Quantity(ZERO),
        best_ask=Price(mid_px + half),
        best_ask_qty=Quantity(ZERO),
        traded_qty=Quantity(ZERO),
        traded_notional=Money(ZERO),
        ts_exchange_ns=now_ns,
    )
    pace = Pace(volatility_hourly_pct, volume_hourly_qty)
    market = MarketState(instrument=instrument, snapshot=snapshot, book_ns=now_ns)
    return paced(market, pace.volatility_hourly_pct, pace.volume_hourly_qty)


def paced(
    market: MarketState, volatility_hourly_pct: float | None, volume_hourly_qty: float | None
) -> MarketState:
    """The same market with another volatility, or another volume, than it was watched to have; None leaves either."""
    told = market.estimates
    if volatility_hourly_pct is not None:
        variance = (volatility_hourly_pct / 100.0) ** 2 / _S_PER_HOUR
        told = replace(told, variance_per_s=variance, observed_ns=max(told.observed_ns, _OBSERVED_NS))
    if volume_hourly_qty is not None:
        per_s = volume_hourly_qty / _S_PER_HOUR
        told = replace(told, volume_per_s=per_s, observed_ns=max(told.observed_ns, _OBSERVED_NS))
    return replace(market, estimates=told)


def unknown_figures(state: EngineState, market: MarketState) -> tuple[str, ...]:
    """What is not known of a market and needed for a plan: rules, price, volatility, volume."""
    volatility, volume = volatility_pct(state, market), expected_volume_qty(state, market, _S_PER_HOUR)
    checks = (
        ("rules", market.instrument is not None),
        ("price", market.snapshot is not None),
        ("volatility", bool(volatility)),
        ("volume", bool(volume)),
    )
    return tuple(name for name, known in checks if not known)


def preview(
    state: EngineState,
    market: MarketState,
    order: ParentOrder,
    terms: PlanTerms,
    *,
    advised: bool = False,
    beside: tuple[Hindrance, ...] = (),
) -> PlanPreview:
    """Tell everything of an order that can be told beforehand.

    Parameters
    ----------
    state
        Limits, positions and, where a model is asked, its terms; only read.
    advised
        Whether a model would be asked about it.
    beside
        What it would run into because of other orders.

    Raises
    ------
    ValueError
        If something of the market is not known (`unknown_figures`), the order has too many slices, or the model knows
        nothing of such an order.
    """
    instrument, snapshot, pace = _known(state, market)
    seconds = (order.deadline_ns - order.start_ns) // NS_PER_S
    if seconds > SLICES_MAX * order.params.interval_s:
        raise ValueError(f"more than {SLICES_MAX} slices: take a longer interval")
    path, cost = priced(state.limits, instrument, snapshot, pace, order, terms)
    return PlanPreview(
        order=order,
        instrument=instrument,
        market=snapshot,
        pace=pace,
        path=path,
        cost=cost,
        hindrances=gravest_first([*hindrances(state, market, order, path), *beside]),
        alternatives=alternatives(state.limits, instrument, snapshot, pace, order, terms)
        if terms.compare
        else (),
        frontier=(
            frontier(instrument, snapshot, pace, order, terms) if order.strategy == "arrival-price" else ()
        ),
        worst=(
            worst_of(state, state.adviser, market, order, path.schedule, least_qty=Quantity(ZERO))
            if advised and state.adviser is not None and path.slices
            else None
        ),
    )


def predicted(
    state: EngineState, market: MarketState, order: ParentOrder, forecast: CostForecast, now_ns: int
) -> CostForecast:
    """Tell once what an order that begins now will cost, by the model that was named for it.

    Nothing is refused here: where a figure of the market is not known, the model cannot be read or knows nothing of
    such an order, the record says no more than the instant. A plan of more than `SLICES_PRICED_MAX` slices is priced as
    if they were that much longer.

    Parameters
    ----------
    order
        As it stands when its first plan is made.
    now_ns
        UTC.
    """
    forecast = replace(forecast, at_ns=now_ns)
    start_ns = max(order.start_ns, now_ns)
    seconds = (order.deadline_ns - start_ns) // NS_PER_S
    if seconds <= 0 or unknown_figures(state, market):
        return forecast
    longer_s = max(order.params.interval_s, -(-seconds // SLICES_PRICED_MAX))
    order = replace(order, params=replace(order.params, interval_s=longer_s))
    try:
        model = read_model(forecast.model)
        if model is None:
            return forecast
        known = _known(state, market)
        _, cost = priced(state.limits, *known, replace(order, start_ns=start_ns), PlanTerms(model=model))
    except (ValueError, ArithmeticError):
        return forecast
    return noted(forecast, cost)


def _known(state: EngineState, market: MarketState) -> tuple[Instrument, MarketSnapshot, Pace]:
    missing = unknown_figures(state, market)
    if missing or market.instrument is None or market.snapshot is None:
        raise ValueError(f"not known: {', '.join(missing)}")
    return (
        market.instrument,
        market.snapshot,
        Pace(volatility_hourly_pct(market.estimates), volume_hourly_qty(market.estimates)),
    )
