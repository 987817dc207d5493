"""How far an order's own executions move the price, and what the order pays for it: the form that every model has.

In a recording nobody reacts to us. A model of this form says afterwards, execution by execution, how far the price
would have stood from where it was recorded because of the executions before. It knows when each of them was, how much
it bought or sold, and how volatile and how busy the market was. A further model (another power, impact that decays) is
one class with the two methods of `ImpactModel`, and one line in `impact.models`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, isfinite
from typing import Protocol, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactEstimate:
    """Expected average impact cost of an order and its plausible range, basis points of its value."""

    estimate_bps: float
    low_bps: float
    high_bps: float


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of ours.

    Parameters
    ----------
    at_ns
        Exchange's time, UTC.
    signed_qty
        Base units (contracts for inverse), above zero for a purchase; not zero.
    """

    at_ns: int
    signed_qty: float

    def __post_init__(self) -> None:
        """Refuse what is no execution."""
        if not isfinite(self.signed_qty) or not self.signed_qty:
            raise ValueError(f"an execution has a quantity, got {self.signed_qty}")


@dataclass(frozen=True, slots=True)
class Pace:
    """How volatile and how busy a market is.

    Parameters
    ----------
    volatility_hourly_pct
        Standard deviation of the return over an hour, per cent, > 0.
    volume_hourly_qty
        Volume traded in an hour, in the unit of the executions, > 0.
    """

    volatility_hourly_pct: float
    volume_hourly_qty: float

    def __post_init__(self) -> None:
        """Refuse a market of which nothing can be said."""
        for value in (self.volatility_hourly_pct, self.volume_hourly_qty):
            if not isfinite(value) or value <= 0.0:
                raise ValueError(f"a pace is told by numbers above zero, got {self}")


@dataclass(frozen=True, slots=True)
class Displacement:
    """How far the price is from where it would be without us; basis points, above zero is higher.

    Parameters
    ----------
    before_bps, after_bps
        Just before and just after an execution.
    paid_bps
        Mean over the quantity of that execution: what it trades at.
    """

    before_bps: float
    after_bps: float
    paid_bps: float


class ImpactModel(Protocol):
    """What own executions do to the price."""

    @property
    def name(self) -> str:
        """As people write it, parameters included."""

    def displaced(self, earlier: Sequence[Execution], own: Execution, pace: Pace) -> Displacement:
        """Say how far the price is displaced around an execution, with all earlier ones in order of time."""

    def bounds(self) -> tuple[Self, Self]:
        """Give the same model with the least and with the greatest plausible parameters."""


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
        If time goes back between two executions.
    """
    if any(later.at_ns < one.at_ns for one, later in pairwise(executions)):
        raise ValueError("executions in order of time are wanted")
    paid = (
        own.signed_qty * model.displaced(executions[:number], own, pace).paid_bps
        for number, own in enumerate(executions)
    )
    return fsum(paid) / order_qty


def estimate_paid(
    model: ImpactModel, executions: Sequence[Execution], pace: Pace, order_qty: float
) -> ImpactEstimate:
    """`average_bps` with the range of what is plausible."""
    low, high = (average_bps(one, executions, pace, order_qty) for one in model.bounds())
    return ImpactEstimate(
        estimate_bps=average_bps(model, executions, pace, order_qty), low_bps=low, high_bps=high
    )
