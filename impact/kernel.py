"""How the impact of one small trade wears off: kernels G(t), their integrals, and what is the best way under one.

Time is in days, as the volatility and the volume of the models are. A kernel that a model may use has to fall and to be
convex: else the best way to buy sells in between (A. Alfonsi, A. Schied and A. Slynko, SIAM J. Financial Math. 3,
2012), which a market would not bear.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, expm1, isfinite
from typing import Final, Protocol

_SERIES: Final = 1e-4
_S_PER_DAY: Final = 86_400.0


class Kernel(Protocol):
    """What is left of the impact of one trade after a time, as a share of what it was at first."""

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters as people write them, each by its name, which ends in its unit."""

    def value(self, days: float) -> float:
        """G at a time, >= 0 days."""

    def integrals(self, days: float) -> tuple[float, float]:
        """Integral of G from 0 to a time (days), and the integral of that (days^2)."""


@dataclass(frozen=True, slots=True)
class ExponentialKernel:
    """G(t) = e^(-rho t), as of an order book that fills up again at a rate (Obizhaeva and Wang).

    Parameters
    ----------
    rho_per_day
        Rate of the recovery, > 0.
    """

    rho_per_day: float

    def __post_init__(self) -> None:
        """Refuse a rate without a meaning."""
        if not isfinite(self.rho_per_day) or self.rho_per_day <= 0.0:
            raise ValueError(f"a rate of recovery is above zero, got {self.rho_per_day}")

    @property
    def parameters(self) -> dict[str, float]:
        """The rate, per day."""
        return {"rho_per_day": self.rho_per_day}

    def value(self, days: float) -> float:
        """G at a time."""
        return exp(-self.rho_per_day * days)

    def integrals(self, days: float) -> tuple[float, float]:
        """(1 - e^-a) / rho and (a - 1 + e^-a) / rho^2 with a = rho t."""
        first, second = exponential_means(self.rho_per_day * days)
        return first * days, second * days * days


@dataclass(frozen=True, slots=True)
class PowerKernel:
    """G(t) = (1 + t / shift)^-gamma, or t^-gamma where the shift is 0 and the impact of a trade at once is infinite.

    Parameters
    ----------
    gamma
        Exponent of the decay, 0 < gamma < 1.
    shift_days
        Time before which little wears off, days, >= 0.
    """

    gamma: float
    shift_days: float = 0.0

    def __post_init__(self) -> None:
        """Refuse parameters without a meaning."""
        if not 0.0 < self.gamma < 1.0:
            raise ValueError(f"the exponent of a decay is between 0 and 1, got {self.gamma}")
        if not isfinite(self.shift_days) or self.shift_days < 0.0:
            raise ValueError(f"the shift of a decay is not below zero, got {self.shift_days}")

    @property
    def parameters(self) -> dict[str, float]:
        """The exponent, and the shift in seconds."""
        return {"gamma": self.gamma, "shift_s": self.shift_days * _S_PER_DAY}

    def value(self, days: float) -> float:
        """G at a time; infinite at 0 without a shift."""
        if self.shift_days:
            return float((1.0 + days / self.shift_days) ** -self.gamma)
        return float(days**-self.gamma) if days else float("inf")

    def integrals(self, days: float) -> tuple[float, float]:
        """((t + s)^(1 - g) - s^(1 - g)) / (1 - g), and the integral of that, times s^g where there is a shift s."""
        shift, power = self.shift_days, 1.0 - self.gamma
        if not shift:
            first = days**power / power
            return first, first * days / (1.0 + power)
        if days < _SERIES * shift:  # G is a line there, and the differences would lose their digits
            slope = -self.gamma / shift
            return days * (1.0 + slope * days / 2.0), days * days * (0.5 + slope * days / 6.0)
        grown = (1.0 + days / shift) ** power
        once = shift * (grown - 1.0) / power
        twice = shift / power * (shift * (grown * (1.0 + days / shift) - 1.0) / (1.0 + power) - days)
        return once, twice


def exponential_means(decay: float) -> tuple[float, float]:
    """(1 - e^-a) / a and (a - 1 + e^-a) / a^2: means of an exponential over a time, and over a triangle.

    Parameters
    ----------
    decay
        a, rate times time, no unit, >= 0.
    """
    if decay < _SERIES:
        return 1.0 - decay / 2.0 + decay * decay / 6.0, 0.5 - decay / 6.0 + decay * decay / 24.0
    return -expm1(-decay) / decay, (decay + expm1(-decay)) / (decay * decay)


def best_trades(kernel: Callable[[float], float], times: Sequence[float], order_qty: float) -> list[float]:
    """How much to trade at each time so that linear impact with a kernel costs least; x = X G^-1 1 / (1' G^-1 1).

    Parameters
    ----------
    kernel
        G by the time between two trades, in any unit; finite at 0.
    times
        When trading is allowed, rising, in that unit.
    order_qty
        X, what the trades add up to.

    Raises
    ------
    ValueError
        If the kernel has no single best way over these times.
    """
    rows = [[kernel(abs(one - other)) for other in times] + [1.0] for one in times]
    solved = _solve(rows)
    total = sum(solved)
    if not total:
        raise ValueError("under this kernel no way is best")
    return [order_qty * one / total for one in solved]


def _solve(rows: list[list[float]]) -> list[float]:
    """Solve linear equations by elimination, the largest pivot first; each row ends with its right side."""
    size = len(rows)
    for column in range(size):
        pivot = max(range(column, size), key=lambda number: abs(rows[number][column]))
        if not rows[pivot][column]:
            raise ValueError("under this kernel no way is best")
        rows[column], rows[pivot] = rows[pivot], rows[column]
        top = rows[column]
        for row in rows[column + 1 :]:
            share = row[column] / top[column]
            if share:
                for place in range(column, size + 1):
                    row[place] -= share * top[place]
    found = [0.0] * size
    for column in reversed(range(size)):
        row = rows[column]
        known = sum(row[place] * found[place] for place in range(column + 1, size))
        found[column] = (row[size] - known) / row[column]
    return found
