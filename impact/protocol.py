"""What a model of impact is: how far an order's own executions move the price, what it pays for it, what is left later.

One form serves before an order (its planned slices), in a recording (its fills: nobody there reacts to us, so a model
says afterwards how far the price would have stood from where it was recorded) and after it. A model sees when each
execution was, how long it took, how much it bought or sold, and how volatile and how busy the market was. A further
model is one class with the four members of `ImpactModel`, and one line in `impact.models`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import isfinite, sqrt
from typing import Final, Protocol, Self

from executor.domain.units import plain

PLAUSIBLE_LOW: Final = 1.0 / 3.0
PLAUSIBLE_HIGH: Final = 5.0 / 3.0
"""Factors on a cost that nobody has calibrated here: as far apart as published factors of the square-root law are."""
_HOURS_PER_DAY: Final = 24.0
_BPS_PER_PCT: Final = 100.0
NS_PER_DAY: Final = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of ours: a fill, or a planned slice.

    Parameters
    ----------
    at_ns
        When it began, exchange's time, UTC.
    signed_qty
        Base units (contracts for inverse), above zero for a purchase; not zero.
    over_ns
        How long it lasted at an even rate, nanoseconds, >= 0; 0 is at once.
    """

    at_ns: int
    signed_qty: float
    over_ns: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no execution."""
        if not isfinite(self.signed_qty) or not self.signed_qty:
            raise ValueError(f"an execution has a quantity, got {self.signed_qty}")
        if self.over_ns < 0:
            raise ValueError(f"an execution ends after it began, got {self.over_ns} ns")

    @property
    def end_ns(self) -> int:
        """When it was over, UTC."""
        return self.at_ns + self.over_ns


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

    @property
    def volatility_daily_bps(self) -> float:
        """Standard deviation of the return over 24 hours, basis points: it grows with the root of time."""
        return self.volatility_hourly_pct * _BPS_PER_PCT * sqrt(_HOURS_PER_DAY)

    @property
    def volume_daily_qty(self) -> float:
        """Volume traded in 24 hours, in the unit of the executions."""
        return self.volume_hourly_qty * _HOURS_PER_DAY


@dataclass(frozen=True, slots=True)
class Displacement:
    """How far the price is from where it would be without us; basis points, above zero is higher.

    Parameters
    ----------
    before_bps, after_bps
        Just before an execution begins and just after it has ended.
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

    def along(self, executions: Sequence[Execution], pace: Pace) -> list[Displacement]:
        """Say how far the price is displaced around each execution; they are in order of time.

        Raises
        ------
        ValueError
            If time goes back, or the model knows nothing of such an order.
        """

    def remaining_bps(self, executions: Sequence[Execution], pace: Pace, at_ns: int) -> float:
        """Say how far the price is still displaced at a time, basis points, above zero is higher.

        Raises
        ------
        ValueError
            If the last execution was not over by then.
        """

    def bounds(self) -> tuple[Self, Self]:
        """Give the same model with the least and with the greatest plausible parameters."""


def in_order(executions: Sequence[Execution]) -> None:
    """See that each execution begins when the one before is over.

    Raises
    ------
    ValueError
        If one does not.
    """
    if any(later.at_ns < one.end_ns for one, later in pairwise(executions)):
        raise ValueError("executions in order of time are wanted, each over before the next begins")


def over_by(executions: Sequence[Execution], at_ns: int) -> None:
    """See that executions are in order, and over by a time.

    Raises
    ------
    ValueError
        If they are not.
    """
    in_order(executions)
    if executions and at_ns < executions[-1].end_ns:
        raise ValueError("what remains is asked for a time after the last execution")


def one_side(executions: Iterable[Execution], law: str) -> float:
    """Sign of an order that only buys, or only sells; +1 where there is nothing.

    Parameters
    ----------
    law
        What knows such orders alone, in words.

    Raises
    ------
    ValueError
        If it does both.
    """
    signs = {one.signed_qty > 0.0 for one in executions}
    if len(signs) > 1:
        raise ValueError(f"{law} knows orders of one side")
    return -1.0 if signs == {False} else 1.0


def written(kind: str, **parameters: float) -> str:
    """Write a model the way `impact.models` reads it: its kind, and each parameter to 12 digits without an exponent.

    Parameters
    ----------
    parameters
        By their names, each in its own unit.
    """
    told = (f"{name}={plain_number(value)}" for name, value in parameters.items())
    return f"{kind}:{','.join(told)}"


def plain_number(value: float) -> str:
    """Write a number to 12 digits, never with an exponent; it has any unit."""
    return plain(Decimal(f"{value:.12g}"))
