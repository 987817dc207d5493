"""Impact of a book that fills up again: linear, at once, and worn off exponentially, all but a part that stays.

A. Obizhaeva and J. Wang, Optimal trading strategy and supply/demand dynamics, J. Financial Markets 16, 2013. Their best
way is a block at either end and an even rate between them; by it, an order never saves more than 12.2308 % of what an
even rate pays for the part that wears off.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, fsum, isfinite, log
from typing import Final, Self

from impact.kernel import exponential_means
from impact.protocol import (
    PLAUSIBLE_HIGH,
    PLAUSIBLE_LOW,
    Displacement,
    Execution,
    Pace,
    in_order,
    over_by,
    written,
)

_NS_PER_S: Final = 1e9


def best_blocks(order_qty: float, rho_t: float) -> tuple[float, float]:
    """Quantity of the block at either end, and of all that is traded evenly between: X / (rho T + 2) and the rest.

    Parameters
    ----------
    order_qty
        X, any unit.
    rho_t
        rho T: the rate of the recovery times the time of the order, no unit, >= 0.
    """
    block = order_qty / (_checked(rho_t) + 2.0)
    return block, rho_t * block


def best_cost(order_qty: float, rho_t: float, kappa: float) -> float:
    """What the best way pays for what wears off: kappa X^2 / (rho T + 2), money.

    Parameters
    ----------
    order_qty
        X, quantity.
    rho_t
        rho T, no unit, >= 0.
    kappa
        Displacement that a unit of quantity makes and that wears off, money per quantity; 1 / q - lambda in a book of
        depth q whose price moves by lambda for good.
    """
    return kappa * order_qty * order_qty / (_checked(rho_t) + 2.0)


def even_cost(order_qty: float, rho_t: float, kappa: float) -> float:
    """What an even rate pays for what wears off: kappa X^2 (a - 1 + e^-a) / a^2 with a = rho T, money.

    Parameters
    ----------
    order_qty
        X, quantity.
    rho_t
        rho T, no unit, >= 0.
    kappa
        Displacement that a unit of quantity makes and that wears off, money per quantity.
    """
    return kappa * order_qty * order_qty * exponential_means(_checked(rho_t))[1]


def greatest_saving() -> tuple[float, float]:
    """The rho T at which the best way saves most against an even rate, and the share saved: 2.687999 and 0.122308.

    Any simulation of a book that recovers exponentially in which an order saves more is wrong.
    """
    low, high = 1.0, 10.0
    golden = (5.0**0.5 - 1.0) / 2.0
    while high - low > 1e-12:
        left, right = high - golden * (high - low), low + golden * (high - low)
        if _saving(left) > _saving(right):
            high = right
        else:
            low = left
    rho_t = (low + high) / 2.0
    return rho_t, _saving(rho_t)


def _saving(rho_t: float) -> float:
    return 1.0 - best_cost(1.0, rho_t, 1.0) / even_cost(1.0, rho_t, 1.0)


def _checked(rho_t: float) -> float:
    if not isfinite(rho_t) or rho_t < 0.0:
        raise ValueError(f"rho T is not below zero, got {rho_t}")
    return rho_t


@dataclass(frozen=True, slots=True, kw_only=True)
class ObizhaevaWang:
    """Linear impact that wears off exponentially, in the volatility and the volume of a day.

        D after q more:  + (lasting + passing) sigma_d q / V_d
        dD / dt:         - rho (D - what lasts),  rho = ln 2 / half-life

    What is done at once pays the mean of before and after; what is done evenly the mean over its time, in closed form.
    It is linear with a convex kernel, so a round trip never earns.

    Parameters
    ----------
    passing
        Coefficient of what wears off, > 0.
    half_life_s
        Time in which half of it does, seconds, > 0.
    lasting
        Coefficient of what stays, >= 0.
    """

    passing: float
    half_life_s: float
    lasting: float = 0.0

    def __post_init__(self) -> None:
        """Refuse parameters without a meaning."""
        for name, value in (("passing", self.passing), ("half_life_s", self.half_life_s)):
            if not isfinite(value) or value <= 0.0:
                raise ValueError(f"{name} must be above zero, got {value}")
        if not isfinite(self.lasting) or self.lasting < 0.0:
            raise ValueError(f"lasting cannot be below zero, got {self.lasting}")

    @property
    def name(self) -> str:
        """As people write it, parameters included."""
        return written(
            "obizhaeva-wang", passing=self.passing, half_life_s=self.half_life_s, lasting=self.lasting
        )

    def bounds(self) -> tuple[Self, Self]:
        """Give the model with the least and the greatest plausible coefficients."""
        return (
            replace(self, passing=self.passing * PLAUSIBLE_LOW, lasting=self.lasting * PLAUSIBLE_LOW),
            replace(self, passing=self.passing * PLAUSIBLE_HIGH, lasting=self.lasting * PLAUSIBLE_HIGH),
        )

    def along(self, executions: Sequence[Execution], pace: Pace) -> list[Displacement]:
        """Say how far the price is displaced around each execution."""
        in_order(executions)
        unit = pace.volatility_daily_bps / pace.volume_daily_qty
        rate = self._rate_per_ns()
        steps, stays, wears, last_ns = [], 0.0, 0.0, 0
        for own in executions:
            wears *= exp(-rate * (own.at_ns - last_ns)) if wears else 1.0
            moved, kept = self.passing * unit * own.signed_qty, self.lasting * unit * own.signed_qty
            decay = rate * own.over_ns
            once, twice = exponential_means(decay)
            before = stays + wears
            paid = stays + kept / 2.0 + wears * once + moved * twice
            wears = wears * exp(-decay) + moved * once
            stays += kept
            steps.append(Displacement(before, stays + wears, paid))
            last_ns = own.end_ns
        return steps

    def remaining_bps(self, executions: Sequence[Execution], pace: Pace, at_ns: int) -> float:
        """Say how far the price is still displaced, basis points: what stays, and what has not yet worn off."""
        over_by(executions, at_ns)
        if not executions:
            return 0.0
        done = fsum(one.signed_qty for one in executions)
        stays = self.lasting * pace.volatility_daily_bps * done / pace.volume_daily_qty
        wears = self.along(executions, pace)[-1].after_bps - stays
        return stays + wears * exp(-self._rate_per_ns() * (at_ns - executions[-1].end_ns))

    def _rate_per_ns(self) -> float:
        return log(2.0) / (self.half_life_s * _NS_PER_S)
