"""What a routed order has come to: the sums of its legs, against one price at which all of it could have begun.

Money is added exactly. The cost counts every leg in effective prices: what was paid for the coin, the fees, and what
was stated that a trade there costs until it is closed. The benchmark is one for all legs, the mid at the start of the
first leg that could be traded: so a leg that is cheaper than that earns, and the price of the basis is seen.
"""

from dataclasses import dataclass
from decimal import Decimal

from executor.domain.orders import Category
from executor.domain.units import BPS_PER_UNIT, ZERO, Bps, Money
from executor.engine.route_legs import leg_cum_qty, leg_parents
from executor.engine.state import EngineState, LegState, RouteState


@dataclass(frozen=True, slots=True, kw_only=True)
class LegSums:
    """What one leg has done.

    Parameters
    ----------
    cum_qty, cum_notional
        What it filled and its value, base and quote units.
    fees, carry
        What its venue took, and what was stated that holding costs, quote units.
    other_fees
        Fees in coins that have no price here, by coin; they are in no sum of money.
    maker_qty
        What of it waited in the book, base units.
    children
        Orders sent.
    """

    category: Category
    symbol: str
    cum_qty: Decimal
    cum_notional: Money
    fees: Money
    carry: Money
    other_fees: tuple[tuple[str, Decimal], ...]
    maker_qty: Decimal
    children: int
    arrival_px: Decimal | None

    @property
    def avg_px(self) -> Decimal | None:
        """Average price of the fills, quote per base; None without one."""
        return self.cum_notional / self.cum_qty if self.cum_qty else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCost:
    """Implementation shortfall of a routed order; quote units, positive is a cost.

    Parameters
    ----------
    paper
        Value of the whole order at the benchmark.
    price, fees, carry
        What the fills cost against the benchmark, what the venues took, and what was stated beside it.
    opportunity
        How far the mid of the benchmark's leg has moved against what was not filled.
    """

    paper: Money
    price: Money
    fees: Money
    carry: Money
    opportunity: Money

    @property
    def total(self) -> Money:
        """All of it."""
        return Money(self.price + self.fees + self.carry + self.opportunity)

    def bps(self, amount: Decimal) -> Bps:
        """An amount as basis points of the order's value at the benchmark."""
        return Bps(amount * BPS_PER_UNIT / self.paper)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteReport:
    """All legs, their sums, and the cost of the whole; None before it began."""

    legs: tuple[LegSums, ...]
    cum_qty: Decimal
    cum_notional: Money
    fees: Money
    carry: Money
    cost: RouteCost | None

    @property
    def avg_px(self) -> Decimal | None:
        """Average price of all fills, quote per base; None without one."""
        return self.cum_notional / self.cum_qty if self.cum_qty else None


def route_report(state: EngineState, route: RouteState) -> RouteReport:
    """Add up a routed order; of one that works, as of the engine's last event."""
    legs = tuple(_sums(state, leg) for leg in route.legs)
    cum_qty = sum((leg.cum_qty for leg in legs), ZERO)
    cum_notional = Money(sum((leg.cum_notional for leg in legs), ZERO))
    fees = Money(sum((leg.fees for leg in legs), ZERO))
    carry = Money(sum((leg.carry for leg in legs), ZERO))
    return RouteReport(
        legs=legs,
        cum_qty=cum_qty,
        cum_notional=cum_notional,
        fees=fees,
        carry=carry,
        cost=_cost(state, route, cum_qty, cum_notional, fees, carry),
    )


def _sums(state: EngineState, leg: LegState) -> LegSums:
    parents = leg_parents(state, leg)
    children = [state.children[name] for parent in parents for name in parent.children]
    cum_notional = sum((parent.cum_notional for parent in parents), ZERO)
    other: dict[str, Decimal] = {}
    for parent in parents:
        for coin, fee in parent.other_fees.items():
            other[coin] = other.get(coin, ZERO) + fee
    return LegSums(
        category=leg.leg.category,
        symbol=leg.leg.symbol,
        cum_qty=leg_cum_qty(state, leg),
        cum_notional=Money(cum_notional),
        fees=Money(sum((child.fees for child in children), ZERO)),
        carry=Money(cum_notional * leg.leg.carry_bps / BPS_PER_UNIT),
        other_fees=tuple(sorted(other.items())),
        maker_qty=sum((child.maker_qty for child in children), ZERO),
        children=len(children),
        arrival_px=leg.arrival_px,
    )


def _cost(
    state: EngineState, route: RouteState, cum_qty: Decimal, cum_notional: Decimal, fees: Money, carry: Money
) -> RouteCost | None:
    """Shortfall: b (N - q P0) + fees + carry + b (Q - q)(P1 - P0), of Q P0.

    b = +1 for a buy, -1 for a sell; q filled of Q ordered (base units), N their value (quote), P0 the benchmark and P1
    the mid of its leg at the end (quote per base). Perold, J. Portfolio Management 14(3), 1988.
    """
    arrival_px = route.arrival_px
    if arrival_px is None:
        return None
    sign, order_qty = route.order.side.sign, route.order.order_qty
    left = max(order_qty - cum_qty, ZERO)
    moved = (_end_px(state, route) or arrival_px) - arrival_px
    return RouteCost(
        paper=Money(order_qty * arrival_px),
        price=Money(sign * (cum_notional - cum_qty * arrival_px)),
        fees=fees,
        carry=carry,
        opportunity=Money(sign * left * moved),
    )


def _end_px(state: EngineState, route: RouteState) -> Decimal | None:
    if route.is_final:
        return route.end_px
    market = state.markets.get(route.legs[route.arrival_leg].market_key)
    return None if market is None or market.snapshot is None else market.snapshot.mid_px
