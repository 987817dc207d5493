"""One order over several markets of one coin: what the client asks for, and what each of its markets charges."""

from dataclasses import dataclass
from decimal import Decimal

from executor.domain.orders import Category, ResidualRule, Side, StrategyParams, Urgency
from executor.domain.units import ZERO, Price, Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteLeg:
    """A market in which a routed order may trade.

    Parameters
    ----------
    taker_fee_bps
        What its venue takes of the value when liquidity is taken, basis points; negative is a rebate.
    carry_bps
        What else a trade there costs until it is closed, such as funding, basis points of the value; negative is
        earned.
    """

    category: Category
    symbol: str
    taker_fee_bps: Decimal
    carry_bps: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedOrder:
    """The client's instruction, as accepted or as last amended.

    Parameters
    ----------
    order_qty
        Total to trade over all legs, base units.
    limit_px
        Worst price of any leg, quote per base; None for no limit.
    start_ns, deadline_ns
        The working interval, UTC.
    extend_s
        Longest extension past the deadline, seconds; used by `ResidualRule.EXTEND` only.
    strategy
        By whose schedule the quantity is spread over the time; every leg places its part as that strategy does.
    basis_bps_max
        How far the mid of a leg may be from that of the first leg that can be traded, basis points; None for no bound.
    hysteresis_bps
        What another division within a slice must save to be made, basis points.
    """

    route_id: str
    route_no: int
    side: Side
    order_qty: Quantity
    limit_px: Price | None
    start_ns: int
    deadline_ns: int
    residual: ResidualRule
    extend_s: int
    urgency: Urgency
    strategy: str
    params: StrategyParams
    seed: int
    basis_bps_max: Decimal | None = None
    hysteresis_bps: Decimal = ZERO
