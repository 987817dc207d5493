"""Trading without a deadline where temporary impact is a power of the speed.

R. Almgren, Optimal execution with nonlinear impact functions and trading-enhanced risk, Applied Mathematical Finance
10, 2003. h(v) = eta v^k; money, quantity and time in any units, as long as all inputs share them.
"""

from dataclasses import dataclass
from math import exp, isfinite


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDeadline:
    """The best way, with its time scale T* = (k eta X^(k - 1) / (lambda sigma^2))^(1 / (k + 1)).

    Parameters
    ----------
    order_qty
        X, > 0.
    sigma
        Volatility, money per quantity and root of time, > 0.
    eta
        Impact of the speed 1, money per quantity, > 0.
    exponent
        k, > 0.
    risk_aversion
        lambda, per money, > 0.
    """

    order_qty: float
    sigma: float
    eta: float
    exponent: float
    risk_aversion: float

    def __post_init__(self) -> None:
        """Refuse inputs without a meaning."""
        for name in ("order_qty", "sigma", "eta", "exponent", "risk_aversion"):
            value = getattr(self, name)
            if not isfinite(value) or value <= 0.0:
                raise ValueError(f"{name} must be above zero, got {value}")

    @property
    def time_scale(self) -> float:
        """T*, time."""
        k = self.exponent
        ratio = k * self.eta * self.order_qty ** (k - 1.0) / (self.risk_aversion * self.sigma**2)
        return float(ratio ** (1.0 / (k + 1.0)))

    @property
    def mean(self) -> float:
        """E = (k + 1) / (3k + 1) eta X^(k + 1) / T*^k, money; lambda V = k E."""
        k = self.exponent
        raised = float(self.order_qty ** (k + 1.0) / self.time_scale**k)
        return (k + 1.0) / (3.0 * k + 1.0) * self.eta * raised

    @property
    def variance(self) -> float:
        """V = (k + 1) / (3k + 1) sigma^2 X^2 T*, money squared."""
        k = self.exponent
        return (k + 1.0) / (3.0 * k + 1.0) * (self.sigma * self.order_qty) ** 2 * self.time_scale

    def left_share(self, time: float) -> float:
        """x(t) / X: (1 + (1 - k) / (1 + k) t / T*)^(-(1 + k) / (1 - k)), e^(-t / T*) for k = 1; for k > 1 it ends.

        Parameters
        ----------
        time
            t, >= 0.
        """
        if not time >= 0.0:
            raise ValueError(f"time is not below zero, got {time}")
        k, scaled = self.exponent, time / self.time_scale
        if k == 1.0:
            return exp(-scaled)
        return float(max(0.0, 1.0 + (1.0 - k) / (1.0 + k) * scaled) ** ((1.0 + k) / (k - 1.0)))
