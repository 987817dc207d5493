"""What an order is expected to cost on its way, by a model of impact; beside it other strategies and other hurries."""

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from math import isfinite
from typing import Final

from executor.domain.cost_forecast import CostForecast
from executor.domain.instrument import Instrument
from executor.domain.limits import Limits
from executor.domain.market import MarketSnapshot
from executor.domain.orders import ParentOrder, ResidualRule, StrategyParams
from executor.domain.units import BPS_PER_UNIT, ZERO, Quantity
from impact.pre_trade import ImpactEstimate, PreTradeCost, estimate_paid, pre_trade
from impact.protocol import Execution, ImpactModel, Pace
from strategies.arrival_price import URGENCY, trajectory
from strategies.base import STRATEGIES
from strategies.expected import ExpectedPath, Timing, executions, expected_path
from strategies.reads import READS, why_not
from strategies.schedule import make_schedule, plan_seed

Z_USUAL: Final = 1.96
"""Standard deviations to either side of an interval: 95 % of a normal distribution."""
KAPPAS: Final = (0.0, 0.5, *sorted(URGENCY.values()), 8.0, 16.0)
"""Hurries of the frontier: times that the natural trading time fits into the duration; 0 is even."""
_USUAL: Final = StrategyParams()
_NAMES: Final = tuple(field.name for field in fields(StrategyParams))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTerms:
    """How a plan is priced.

    Parameters
    ----------
    crossing
        Share of the quantity that is held to cross the spread, 0-1; None where nobody says: then all of an order that
        takes, none of one that rests, and the interval reaches from none to all.
    maker_fee_bps, taker_fee_bps
        What the venue charges, basis points; a rebate is below zero; None leaves fees out.
    compare
        Whether other strategies are priced as well.
    """

    model: ImpactModel
    crossing: float | None = None
    maker_fee_bps: float | None = None
    taker_fee_bps: float | None = None
    compare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCost:
    """What an order is expected to cost, basis points of what is done of it; positive is a cost.

    Parameters
    ----------
    told
        Impact, spread and risk.
    fees_bps
        None where they are not known: then they are in no sum.
    low_bps, high_bps
        Least and greatest plausible impact, spread and fees, and 1.96 standard deviations of the market beyond.
    """

    told: PreTradeCost
    fees_bps: float | None
    low_bps: float
    high_bps: float

    @property
    def expected_bps(self) -> float:
        """Impact, spread and, where they are known, fees."""
        return self.told.expected_bps + (self.fees_bps or 0.0)

    @property
    def expected_quote(self) -> float:
        """The same in quote units."""
        return self.expected_bps * self.told.notional_quote / float(BPS_PER_UNIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """The same order by another strategy; without a cost where that could do nothing of it."""

    strategy: str
    path: ExpectedPath
    cost: ExpectedCost | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierPoint:
    """Cost and risk of arrival-price with a hurry.

    Parameters
    ----------
    kappa_t
        Hurry times duration; 0 is even.
    urgency
        Urgency that stands for it; empty if none does.
    """

    kappa_t: float
    urgency: str
    expected_bps: float
    risk_bps: float


def priced(
    limits: Limits,
    instrument: Instrument,
    market: MarketSnapshot,
    pace: Pace,
    order: ParentOrder,
    terms: PlanTerms,
) -> tuple[ExpectedPath, ExpectedCost | None]:
    """How an order is expected to go, and what it costs; no cost where nothing is expected to be done.

    Raises
    ------
    ValueError
        If the model knows nothing of such an order.
    """
    path = expected_path(
        order,
        instrument,
        market,
        pace,
        cross_spread_bps_max=limits.cross_spread_bps_max,
        price_collar_bps_max=limits.price_collar_bps_max,
    )
    if not path.expected_qty:
        return path, None
    return path, cost_of(order, path, market, pace, terms, _value(instrument, market))


def cost_of(
    order: ParentOrder, path: ExpectedPath, market: MarketSnapshot, pace: Pace, terms: PlanTerms, value: float
) -> ExpectedCost:
    """Price what is expected to be done.

    Parameters
    ----------
    value
        What one unit of quantity is worth, quote units.

    Raises
    ------
    ValueError
        If nothing is expected to be done, or the model knows nothing of such an order.
    """
    done = float(path.expected_qty)
    least, usual, most = _crossing(order, path, terms)
    told = pre_trade(
        terms.model,
        executions(order, path),
        pace,
        order_qty=done,
        notional_quote=done * value,
        spread_bps=float(market.spread_bps),
        crossing=usual,
    )
    reach = Z_USUAL * told.risk_bps
    ends = [_spread_and_fees(share, float(market.spread_bps), terms) for share in (least, most)]
    return ExpectedCost(
        told=told,
        fees_bps=_fees(usual, terms),
        low_bps=told.impact.low_bps + min(ends) - reach,
        high_bps=told.impact.high_bps + max(ends) + reach,
    )


def impact_of_rest(
    model: ImpactModel,
    order: ParentOrder,
    leaves_qty: Decimal,
    now_ns: int,
    volatility_hourly_pct: Decimal,
    volume_hourly_qty: float,
) -> ImpactEstimate:
    """Average impact of what is left of an order, done evenly until its deadline.

    Parameters
    ----------
    leaves_qty
        Base units, > 0.
    volatility_hourly_pct
        Standard deviation of the return over an hour, per cent, > 0.
    volume_hourly_qty
        Volume of an hour, base units, > 0.

    Raises
    ------
    ValueError
        If the model knows nothing of such an order.
    """
    qty = float(leaves_qty)
    rest = [Execution(now_ns, order.side.sign * qty, max(order.deadline_ns - now_ns, 0))]
    return estimate_paid(model, rest, Pace(float(volatility_hourly_pct), volume_hourly_qty), qty)


def noted(forecast: CostForecast, cost: ExpectedCost | None) -> CostForecast:
    """Write a cost into the record of what was foretold, to 0.0001 bps; nothing of one that is not known whole."""
    if cost is None:
        return forecast
    told = (cost.expected_bps, cost.low_bps, cost.high_bps, cost.told.risk_bps)
    if not all(map(isfinite, told)):
        return forecast
    expected, low, high, risk = (Decimal(f"{figure:.4f}") for figure in told)
    return replace(forecast, expected_bps=expected, low_bps=low, high_bps=high, risk_bps=risk)


def by_strategy(order: ParentOrder, name: str) -> ParentOrder:
    """The same order by another strategy, which keeps those parameters that it reads."""
    kept = {field: getattr(order.params if field in READS[name] else _USUAL, field) for field in _NAMES}
    return replace(order, strategy=name, params=StrategyParams(**kept))


def _value(instrument: Instrument, market: MarketSnapshot) -> float:
    return float(instrument.notional(Decimal(1), market.mid_px))


def _crossing(order: ParentOrder, path: ExpectedPath, terms: PlanTerms) -> tuple[float, float, float]:
    """Least, expected and greatest share of the quantity that crosses the spread, 0-1."""
    if terms.crossing is not None:
        return terms.crossing, terms.crossing, terms.crossing
    match path.timing:
        case Timing.SCHEDULE | Timing.VOLUME:
            return 0.0, 1.0, 1.0
        case Timing.RESTING:
            return 0.0, 0.0, 1.0 if order.residual is ResidualRule.CROSS else 0.0
        case Timing.TRIGGER:
            return 1.0, 1.0, 1.0


def _fees(share: float, terms: PlanTerms) -> float | None:
    if terms.taker_fee_bps is None or terms.maker_fee_bps is None:
        return None
    return share * terms.taker_fee_bps + (1.0 - share) * terms.maker_fee_bps


def _spread_and_fees(share: float, spread_bps: float, terms: PlanTerms) -> float:
    return share * spread_bps / 2.0 + (_fees(share, terms) or 0.0)


def alternatives(
    limits: Limits,
    instrument: Instrument,
    market: MarketSnapshot,
    pace: Pace,
    order: ParentOrder,
    terms: PlanTerms,
) -> tuple[Alternative, ...]:
    """The same order by every other strategy of ours that could work it as it stands."""
    told = []
    for name in STRATEGIES:
        other = by_strategy(order, name)
        if name == order.strategy or why_not(name, other.params):
            continue
        path, cost = priced(limits, instrument, market, pace, other, terms)
        told.append(Alternative(strategy=name, path=path, cost=cost))
    return tuple(told)


def frontier(
    instrument: Instrument, market: MarketSnapshot, pace: Pace, order: ParentOrder, terms: PlanTerms
) -> tuple[FrontierPoint, ...]:
    """Cost and risk of the trajectory of each hurry, from even to almost at once (Almgren and Chriss 2001)."""
    named = {kappa: urgency.value for urgency, kappa in URGENCY.items()}
    plain = by_strategy(order, "twap")
    even = expected_path(
        plain, instrument, market, pace, cross_spread_bps_max=ZERO, price_collar_bps_max=ZERO
    )
    points = []
    for kappa_t in KAPPAS if even.expected_qty else ():
        schedule = make_schedule(
            instrument=instrument,
            reference_px=market.mid_px,
            start_ns=order.start_ns,
            end_ns=order.deadline_ns,
            base_qty=Quantity(ZERO),
            total_qty=order.order_qty,
            slices=even.schedule.asked,
            randomize_size_pct=0,
            randomize_timing_pct=0,
            seed=plan_seed(order.seed, order.start_ns),
            shape=trajectory(kappa_t) if kappa_t else None,
        )
        slices = tuple(
            replace(
                one,
                start_ns=piece.start_ns,
                end_ns=piece.end_ns,
                planned_qty=piece.qty,
                expected_qty=piece.qty,
            )
            for one, piece in zip(even.slices, schedule.slices, strict=True)
        )
        path = replace(even, schedule=schedule, slices=slices, residual_qty=ZERO, left_qty=ZERO)
        cost = cost_of(plain, path, market, pace, terms, _value(instrument, market))
        points.append(
            FrontierPoint(
                kappa_t=kappa_t,
                urgency=named.get(kappa_t, ""),
                expected_bps=cost.expected_bps,
                risk_bps=cost.told.risk_bps,
            )
        )
    return tuple(points)
