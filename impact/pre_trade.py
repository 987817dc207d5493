"""What an order will cost by a model of impact, before anything is sent: expected cost, risk, and what is left after.

The expected cost is what a model charges the planned slices, and half the spread for the share of them that will cross.
The risk is how far the market may move on its own while the order is worked; with lambda times its square added to the
cost it is the objective of Almgren and Chriss (J. Risk 3(2), 2001), whose V it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, isfinite, sqrt
from typing import Final

from executor.domain.decision import Schedule
from executor.domain.orders import Side
from impact.protocol import NS_PER_DAY, Execution, ImpactModel, Pace

_Z_USUAL: Final = 1.96
"""Standard deviations to either side that hold 95 % of a normal distribution."""
_BPS_PER_UNIT: Final = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactEstimate:
    """Expected average impact cost of an order and its plausible range, basis points of its value."""

    estimate_bps: float
    low_bps: float
    high_bps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PreTradeCost:
    """What an order is expected to cost; all in basis points of what was ordered, positive is a cost.

    Parameters
    ----------
    impact
        Mean displacement paid, with its plausible range.
    spread_bps
        Half the spread on what crosses it.
    risk_bps
        Standard deviation of the cost that the market's own moves make.
    remaining_bps
        How far the price is still displaced, on the order's side, so many seconds after its end: (s, bps) each.
    notional_quote
        Value of what was ordered, quote units.
    """

    impact: ImpactEstimate
    spread_bps: float
    risk_bps: float
    remaining_bps: tuple[tuple[float, float], ...]
    notional_quote: float

    @property
    def expected_bps(self) -> float:
        """Impact and spread, basis points."""
        return self.impact.estimate_bps + self.spread_bps

    @property
    def expected_quote(self) -> float:
        """Impact and spread, quote units."""
        return self.expected_bps * self.notional_quote / _BPS_PER_UNIT

    @property
    def risk_quote(self) -> float:
        """Standard deviation, quote units."""
        return self.risk_bps * self.notional_quote / _BPS_PER_UNIT

    def interval_bps(self, z: float = _Z_USUAL) -> tuple[float, float]:
        """Where the cost will be: the plausible range of the impact, and z standard deviations of the market beyond.

        Parameters
        ----------
        z
            Standard deviations to either side, >= 0.
        """
        reach = z * self.risk_bps
        return self.impact.low_bps + self.spread_bps - reach, self.impact.high_bps + self.spread_bps + reach


def planned(schedule: Schedule, side: Side) -> list[Execution]:
    """Turn a plan into executions, each evenly over its slice."""
    return [
        Execution(one.start_ns, side.sign * float(one.qty), one.end_ns - one.start_ns)
        for one in schedule.slices
        if one.qty
    ]


def average_bps(model: ImpactModel, executions: Sequence[Execution], pace: Pace, order_qty: float) -> float:
    """What an order pays for its own displacement, basis points of what was ordered; positive is a cost.

    sum of sign * paid * quantity over the executions / ordered quantity: the mean over the order, where what was not
    executed has paid nothing.

    Parameters
    ----------
    executions
        In order of time.
    order_qty
        In their unit, > 0.

    Raises
    ------
    ValueError
        If time goes back between two executions, or the quantity is not above zero.
    """
    if not isfinite(order_qty) or order_qty <= 0.0:
        raise ValueError(f"what was ordered is above zero, got {order_qty}")
    steps = model.along(executions, pace)
    return (
        fsum(own.signed_qty * step.paid_bps for own, step in zip(executions, steps, strict=True)) / order_qty
    )


def estimate_paid(
    model: ImpactModel, executions: Sequence[Execution], pace: Pace, order_qty: float
) -> ImpactEstimate:
    """`average_bps` with the range of what is plausible."""
    low, high = (average_bps(one, executions, pace, order_qty) for one in model.bounds())
    return ImpactEstimate(
        estimate_bps=average_bps(model, executions, pace, order_qty), low_bps=low, high_bps=high
    )


def timing_risk_bps(executions: Sequence[Execution], pace: Pace, order_qty: float) -> float:
    """How far the market's own moves may carry the cost: standard deviation, basis points of what was ordered.

    sigma * sqrt(integral of (x(t) / X)^2 dt): sigma the volatility in basis points per root of time, x what is still to
    do, X what was ordered. What is done at once falls in a step (sigma^2 tau sum of x_k^2, as Almgren and Chriss have
    it); what is done at an even rate falls in a line, of which d (a^2 + a b + b^2) / 3 is the integral of the square.

    Parameters
    ----------
    executions
        In order of time.
    order_qty
        In their unit, > 0.
    """
    left = fsum(one.signed_qty for one in executions) / order_qty
    parts = []
    for number, own in enumerate(executions):
        before, left = left, left - own.signed_qty / order_qty
        parts.append(own.over_ns * (before * before + before * left + left * left) / 3.0)
        if number + 1 < len(executions):
            parts.append((executions[number + 1].at_ns - own.end_ns) * left * left)
    return pace.volatility_daily_bps * sqrt(max(0.0, fsum(parts)) / NS_PER_DAY)


def pre_trade(
    model: ImpactModel,
    executions: Sequence[Execution],
    pace: Pace,
    *,
    order_qty: float,
    notional_quote: float,
    spread_bps: float,
    crossing: float = 1.0,
    after_s: Sequence[float] = (60.0, 300.0, 900.0, 3600.0),
) -> PreTradeCost:
    """Say what a plan will cost, how uncertain that is, and how the displacement wears off.

    Parameters
    ----------
    executions
        The plan (`planned`), of one side and in order of time; not empty.
    order_qty
        In their unit, > 0.
    notional_quote
        Value of what is ordered, quote units, > 0.
    spread_bps
        Best ask minus best bid, basis points of the mid, >= 0.
    crossing
        Share of the quantity that will take rather than wait, 0-1; what waits is expected to pay no spread.
    after_s
        How long after the end of the plan to say what remains, seconds, >= 0.

    Raises
    ------
    ValueError
        If the plan is empty, or a number means nothing.
    """
    if not executions:
        raise ValueError("a plan without a slice has no cost")
    if any(later.at_ns < one.end_ns for one, later in pairwise(executions)):
        raise ValueError("a plan in order of time is wanted")
    for what, value, least in (
        ("value of the order", notional_quote, 0.0),
        ("spread", spread_bps, 0.0),
        ("share that crosses", crossing, 0.0),
    ):
        if not isfinite(value) or value < least:
            raise ValueError(f"the {what} cannot be {value}")
    if crossing > 1.0:
        raise ValueError(f"no more than all crosses the spread, got {crossing}")
    sign = 1.0 if executions[0].signed_qty > 0.0 else -1.0
    end_ns = executions[-1].end_ns
    remaining = tuple(
        (after, sign * model.remaining_bps(executions, pace, end_ns + round(after * 1e9)))
        for after in after_s
    )
    return PreTradeCost(
        impact=estimate_paid(model, executions, pace, order_qty),
        spread_bps=crossing * spread_bps / 2.0,
        risk_bps=timing_risk_bps(executions, pace, order_qty),
        remaining_bps=remaining,
        notional_quote=notional_quote,
    )
