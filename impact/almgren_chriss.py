"""Linear impact after Almgren and Chriss: what lasts grows with the quantity, what passes with the speed.

R. Almgren and N. Chriss, Optimal execution of portfolio transactions, J. Risk 3(2), 2001. The first half of this
module is their best trajectory, which needs no unit but that all inputs share one unit of time, of quantity and of
money. The second half is the model by which an order of this market is charged.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import acos, acosh, asinh, copysign, exp, fsum, isfinite, pi, sin, sqrt
from typing import Final, Self

from impact.protocol import (
    NS_PER_DAY,
    PLAUSIBLE_HIGH,
    PLAUSIBLE_LOW,
    Displacement,
    Execution,
    Pace,
    in_order,
    over_by,
    written,
)

GAMMA_USUAL: Final = 0.314
ETA_USUAL: Final = 0.142
BETA_USUAL: Final = 0.6
"""As Almgren, Thum, Hauptmann and Li (Risk 18(7), 2005) measured US equities: daily volatility, daily volume."""
ETA_LINEAR: Final = 0.357
"""With the exponent 1, the coefficient that charges what theirs does at a tenth of the market's speed."""
_NS_PER_S: Final = 1_000_000_000


def kappa(risk_aversion: float, sigma: float, eta: float) -> float:
    """How fast a continuous trader hurries: sqrt(lambda sigma^2 / eta), per unit of time.

    After 1 / kappa (called the half-life of the trade, though it is the time to 1/e) a share of 1/e is left of an
    order without a deadline.

    Parameters
    ----------
    risk_aversion
        lambda, cost that a unit of variance is worth, per money, >= 0.
    sigma
        Volatility, money per unit of quantity and root of time, > 0.
    eta
        Temporary impact, money per unit of quantity for each unit of quantity per time, > 0.

    Raises
    ------
    ValueError
        If an input has no meaning.
    """
    if not isfinite(risk_aversion) or risk_aversion < 0.0:
        raise ValueError(f"a risk aversion is not below zero, got {risk_aversion}")
    _above_zero(sigma=sigma, eta=eta)
    return sqrt(risk_aversion * sigma * sigma / eta)


def eta_adjusted(eta: float, gamma: float, tau: float) -> float:
    """Temporary impact as it acts in intervals: eta - gamma tau / 2, which must stay above zero.

    Parameters
    ----------
    eta
        Temporary impact, money per unit of quantity for each unit of quantity per time.
    gamma
        Permanent impact, money per unit of quantity for each unit of quantity, >= 0.
    tau
        Length of an interval, in the unit of time, > 0.

    Raises
    ------
    ValueError
        If the permanent impact of an interval outweighs the temporary one.
    """
    _above_zero(eta=eta, tau=tau)
    if not isfinite(gamma) or gamma < 0.0 or eta - gamma * tau / 2.0 <= 0.0:
        raise ValueError(f"eta {eta} is no more than gamma tau / 2 with gamma {gamma} and tau {tau}")
    return eta - gamma * tau / 2.0


def kappa_discrete(risk_aversion: float, sigma: float, eta_adj: float, tau: float) -> float:
    """The same in intervals: 2 (cosh(kappa tau) - 1) / tau^2 = lambda sigma^2 / eta_adj, per unit of time.

    Parameters
    ----------
    risk_aversion
        lambda, per money. Below zero risk is sought, and the answer is minus the angular frequency |kappa|.
    sigma
        Volatility, money per unit of quantity and root of time, > 0.
    eta_adj
        What `eta_adjusted` gives, > 0.
    tau
        Length of an interval, in the unit of time, > 0.

    Raises
    ------
    ValueError
        If an input has no meaning, or risk is sought so much that no trajectory is best.
    """
    _above_zero(sigma=sigma, eta_adj=eta_adj, tau=tau)
    if not isfinite(risk_aversion):
        raise ValueError(f"a risk aversion is a number, got {risk_aversion}")
    half = risk_aversion * (sigma * tau) ** 2 / (2.0 * eta_adj)  # cosh(kappa tau) - 1
    if half < 0.0:
        if half < -2.0:
            raise ValueError(f"risk aversion {risk_aversion} seeks so much risk that nothing is best")
        return -acos(1.0 + half) / tau
    if half < 1.0:
        return 2.0 * asinh(sqrt(half / 2.0)) / tau  # acosh(1 + half), without the digits that it loses
    return acosh(1.0 + half) / tau


def holdings(order_qty: float, kappa_per_time: float, times: Sequence[float]) -> list[float]:
    """What is still to do at each time on the best way: X sinh(kappa (T - t)) / sinh(kappa T).

    Parameters
    ----------
    order_qty
        X, any unit.
    kappa_per_time
        What `kappa` or `kappa_discrete` gives, per unit of time; 0 is an even rate, below zero sines stand for sinh.
    times
        From 0 to the deadline T, rising, in that unit.

    Raises
    ------
    ValueError
        If times do not rise from 0, or risk is sought for longer than any trajectory stays best (|kappa| T >= pi).
    """
    if len(times) < 2 or times[0] != 0.0 or any(b <= a for a, b in itertools.pairwise(times)):
        raise ValueError("times rise from 0 to the deadline")
    end = times[-1]
    if not isfinite(kappa_per_time) or kappa_per_time * end <= -pi:
        raise ValueError(f"kappa {kappa_per_time} over {end} has no best trajectory")
    if kappa_per_time < 0.0:
        whole = sin(-kappa_per_time * end)
        return [order_qty * sin(-kappa_per_time * (end - time)) / whole for time in times]
    return [order_qty * _sinh_ratio(kappa_per_time, end - time, end) for time in times]


def _sinh_ratio(kappa_per_time: float, left: float, whole: float) -> float:
    """sinh(kappa left) / sinh(kappa whole) for left <= whole, which neither overflows nor divides by zero."""
    if kappa_per_time * whole < 1e-6:
        return left / whole
    return (
        exp(-kappa_per_time * (whole - left))
        * (1.0 - exp(-2.0 * kappa_per_time * left))
        / (1.0 - exp(-2.0 * kappa_per_time * whole))
    )


def _above_zero(**values: float) -> None:
    for name, value in values.items():
        if not isfinite(value) or value <= 0.0:
            raise ValueError(f"{name} must be above zero, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlmgrenChriss:
    """Linear permanent and power-law temporary impact, in the volatility and the volume of a day.

        permanent(Q) = gamma sigma_d Q / V_d          stays, and the order pays half of what it makes
        temporary(v) = eta sigma_d (v / V_d)^beta     is paid on top while the speed is v, and is gone at once

    with sigma_d the daily volatility in basis points, V_d the volume of a day, Q what was done and v the speed in
    quantity per day. beta = 1 is the model of 2001; beta = 3/5 with gamma = 0.314 (Theta / V)^(1/4) and eta = 0.142 is
    the one that Almgren, Thum, Hauptmann and Li (2005) measured. `eta` acts beside half of the own permanent impact,
    so it is the paper's eta - gamma tau / 2. A round trip can never earn: linear permanent impact gives back what it
    took, and temporary impact is paid on the net speed (G. Huberman and W. Stanzl, Econometrica 72, 2004).

    The speed of what takes less than `window_s` is told by all of the window that it is in, which is the tau of the
    paper: fills have no duration of their own.

    Parameters
    ----------
    gamma
        Permanent coefficient, >= 0.
    eta
        Temporary coefficient, >= 0; not both zero.
    beta
        Exponent of the speed, above 0, up to 2.
    window_s
        Shortest time over which a speed is told, seconds, > 0.
    """

    gamma: float = GAMMA_USUAL
    eta: float = ETA_LINEAR
    beta: float = 1.0
    window_s: float = 60.0

    def __post_init__(self) -> None:
        """Refuse parameters without a meaning."""
        for value in (self.gamma, self.eta):
            if not isfinite(value) or value < 0.0:
                raise ValueError(f"gamma and eta are not below zero, got {self.gamma} and {self.eta}")
        if not self.gamma and not self.eta:
            raise ValueError("gamma and eta are not both zero")
        _above_zero(beta=self.beta, window_s=self.window_s)
        if self.beta > 2.0:
            raise ValueError(f"beta is at most 2, got {self.beta}")

    @property
    def name(self) -> str:
        """As people write it, parameters included."""
        return written(
            "almgren-chriss", gamma=self.gamma, eta=self.eta, beta=self.beta, window_s=self.window_s
        )

    def bounds(self) -> tuple[Self, Self]:
        """Give the model with the least and the greatest plausible coefficients."""
        return (
            replace(self, gamma=self.gamma * PLAUSIBLE_LOW, eta=self.eta * PLAUSIBLE_LOW),
            replace(self, gamma=self.gamma * PLAUSIBLE_HIGH, eta=self.eta * PLAUSIBLE_HIGH),
        )

    def along(self, executions: Sequence[Execution], pace: Pace) -> list[Displacement]:
        """Say how far the price is displaced around each execution; what passes at once is in what is paid alone."""
        in_order(executions)
        unit = pace.volatility_daily_bps
        lasting = self.gamma * unit / pace.volume_daily_qty
        passing = self.eta * unit
        steps, before = [], 0.0
        for own, speed in zip(executions, self._speeds(executions), strict=True):
            after = before + lasting * own.signed_qty
            share = abs(speed) / pace.volume_daily_qty
            extra = copysign(passing * share**self.beta, speed) if speed else 0.0
            steps.append(Displacement(before, after, (before + after) / 2.0 + extra))
            before = after
        return steps

    def remaining_bps(self, executions: Sequence[Execution], pace: Pace, at_ns: int) -> float:
        """Say how far the price is displaced for good, basis points."""
        over_by(executions, at_ns)
        done = fsum(one.signed_qty for one in executions)
        return self.gamma * pace.volatility_daily_bps * done / pace.volume_daily_qty

    def _speeds(self, executions: Sequence[Execution]) -> list[float]:
        """Speed at each execution, quantity per day: its own, or that of its window."""
        window_ns = round(self.window_s * _NS_PER_S)
        first_ns = executions[0].at_ns if executions else 0
        windows: dict[int, float] = {}
        for one in executions:
            if one.over_ns < window_ns:
                number = (one.at_ns - first_ns) // window_ns
                windows[number] = windows.get(number, 0.0) + one.signed_qty
        return [
            windows[(one.at_ns - first_ns) // window_ns] * NS_PER_DAY / window_ns
            if one.over_ns < window_ns
            else one.signed_qty * NS_PER_DAY / one.over_ns
            for one in executions
        ]
