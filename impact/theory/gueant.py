"""The best way by a deadline where cost is any power of the speed: the general convex cost of O. Gueant.

O. Gueant, The Financial Mathematics of Market Liquidity, CRC 2016, chapter 3: least integral over [0, T] of
V L(|q'| / V) + gamma sigma^2 q^2 / 2 with L(r) = eta r^(1 + phi) + psi r. Along the best way
V eta phi r^(1 + phi) - gamma sigma^2 q^2 / 2 is constant, so the time at which q is left is an integral, and its
constant follows from the deadline.
"""

from dataclasses import dataclass
from functools import cached_property
from math import asinh, cosh, fsum, isfinite, sinh, sqrt
from typing import Final

_STEPS: Final = 100
"""Of Simpson's rule, over a smooth integrand."""


@dataclass(frozen=True, kw_only=True)
class ConvexCost:
    """An order and its market.

    Parameters
    ----------
    order_qty
        q_0, > 0.
    deadline
        T, time, > 0.
    volume
        V, quantity per time, > 0.
    sigma
        Volatility, money per quantity and root of time, > 0.
    eta
        Coefficient of the power, money per quantity, > 0.
    phi
        Exponent of the impact, 0 < phi <= 1.
    psi
        Cost in proportion (half the spread, a fee), money per quantity, >= 0.
    risk_aversion
        gamma, per money, > 0.
    """

    order_qty: float
    deadline: float
    volume: float
    sigma: float
    eta: float
    phi: float
    psi: float
    risk_aversion: float

    def __post_init__(self) -> None:
        """Refuse inputs without a meaning."""
        for name in ("order_qty", "deadline", "volume", "sigma", "eta", "phi", "risk_aversion"):
            value = getattr(self, name)
            if not isfinite(value) or value <= 0.0:
                raise ValueError(f"{name} must be above zero, got {value}")
        if self.phi > 1.0 or not isfinite(self.psi) or self.psi < 0.0:
            raise ValueError(f"phi is at most 1 and psi not below zero, got {self.phi} and {self.psi}")

    @cached_property
    def invariant(self) -> float:
        """V eta phi r^(1 + phi) - gamma sigma^2 q^2 / 2, the same all along the best way, money per time."""
        low, high = -30.0, 30.0
        for _ in range(60):
            middle = (low + high) / 2.0
            if self._duration(10.0**middle, 0.0) > self.deadline:
                low = middle
            else:
                high = middle
        return float(10.0 ** ((low + high) / 2.0))

    def left_qty(self, time: float) -> float:
        """q(t) on the best way.

        Parameters
        ----------
        time
            t, 0 to T.
        """
        if not 0.0 <= time <= self.deadline:
            raise ValueError(f"a time within the deadline is wanted, got {time}")
        low, high = 0.0, self.order_qty
        for _ in range(50):
            middle = (low + high) / 2.0
            if self._duration(self.invariant, middle) > time:
                low = middle
            else:
                high = middle
        return (low + high) / 2.0

    def cost(self) -> tuple[float, float]:
        """What trading costs and what risk is worth, on the best way: the two integrals, money."""
        constant, scale = self.invariant, self._scale(self.invariant)
        parts = self._simpson(constant, 0.0)
        trading = fsum(
            weight * (self.eta * self._rate(constant, angle) ** self.phi + self.psi) * scale * cosh(angle)
            for angle, weight in parts
        )
        risk = fsum(
            weight
            * (constant * sinh(angle) ** 2)
            * scale
            * cosh(angle)
            / (self.volume * self._rate(constant, angle))
            for angle, weight in parts
        )
        return trading, risk

    def even_cost(self) -> tuple[float, float]:
        """The same of an even rate: V T L(q_0 / (V T)) and gamma sigma^2 q_0^2 T / 6, money."""
        rate = self.order_qty / (self.volume * self.deadline)
        trading = self.volume * self.deadline * (self.eta * rate ** (1.0 + self.phi) + self.psi * rate)
        return trading, self.risk_aversion * (self.sigma * self.order_qty) ** 2 * self.deadline / 6.0

    def _scale(self, constant: float) -> float:
        """Quantity whose risk is the constant: with q = scale sinh(u) everything is smooth in u."""
        return sqrt(2.0 * constant / (self.risk_aversion * self.sigma**2))

    def _rate(self, constant: float, angle: float) -> float:
        """R = speed over volume where q = scale sinh(u)."""
        return float(
            (constant * cosh(angle) ** 2 / (self.volume * self.eta * self.phi)) ** (1.0 / (1.0 + self.phi))
        )

    def _duration(self, constant: float, down_to_qty: float) -> float:
        """How long it takes from q_0 to a quantity: integral of dq / (V r)."""
        scale = self._scale(constant)
        return fsum(
            weight * scale * cosh(angle) / (self.volume * self._rate(constant, angle))
            for angle, weight in self._simpson(constant, down_to_qty)
        )

    def _simpson(self, constant: float, down_to_qty: float) -> list[tuple[float, float]]:
        """Angles from a quantity to the order's, with the weights of Simpson's rule."""
        scale = self._scale(constant)
        low, high = asinh(down_to_qty / scale), asinh(self.order_qty / scale)
        step = (high - low) / _STEPS
        return [
            (low + step * number, step / 3.0 * (1.0 if number in {0, _STEPS} else 4.0 if number % 2 else 2.0))
            for number in range(_STEPS + 1)
        ]
