"""The best way for a price that is a geometric Brownian motion, which hangs on the price; and how little that is worth.

J. Gatheral and A. Schied, Optimal trade execution under geometric Brownian motion in the Almgren and Chriss framework,
Int. J. Theoretical and Applied Finance 14, 2011: least expected integral of (x'^2 + lambda x S) dt, the impact of the
speed being 1.
"""

from dataclasses import dataclass
from math import expm1, isfinite


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceDependent:
    """A sale that pays for what it holds by the value of it.

    Parameters
    ----------
    risk_aversion
        lambda, in units of impact per price and time, >= 0.
    sigma
        Volatility of the return per root of time, > 0.
    """

    risk_aversion: float
    sigma: float

    def __post_init__(self) -> None:
        """Refuse inputs without a meaning."""
        if not isfinite(self.risk_aversion) or self.risk_aversion < 0.0:
            raise ValueError(f"a risk aversion is not below zero, got {self.risk_aversion}")
        if not isfinite(self.sigma) or self.sigma <= 0.0:
            raise ValueError(f"a volatility is above zero, got {self.sigma}")

    def speed(self, left_qty: float, price: float, time_left: float) -> float:
        """How fast to sell now: x / (T - t) + lambda (T - t) S / 4, quantity per time.

        Parameters
        ----------
        left_qty
            x, still to sell.
        price
            S, money per quantity.
        time_left
            T - t, > 0.
        """
        if not isfinite(time_left) or time_left <= 0.0:
            raise ValueError(f"there is time left, got {time_left}")
        return left_qty / time_left + self.risk_aversion * time_left * price / 4.0

    def cost(self, order_qty: float, price: float, duration: float) -> float:
        """Expected cost of that: X^2 / T + lambda T X S / 2 - lambda^2 S^2 (e^a - 1 - a - a^2 / 2) / (8 sigma^6).

        Parameters
        ----------
        order_qty
            X.
        price
            S at the start, money per quantity.
        duration
            T, > 0; a = sigma^2 T.
        """
        if not isfinite(duration) or duration <= 0.0:
            raise ValueError(f"a duration is above zero, got {duration}")
        grown = self.sigma**2 * duration
        fixed = order_qty**2 / duration + self.risk_aversion * duration * order_qty * price / 2.0
        return fixed - (self.risk_aversion * price) ** 2 * _tail(grown) * duration**3 / 8.0

    def cost_fixed(self, order_qty: float, price: float, duration: float) -> float:
        """Expected cost of the best way that does not look at the price: the same with 1/6 for the last term's ratio.

        Parameters
        ----------
        order_qty
            X.
        price
            S at the start, money per quantity.
        duration
            T, > 0.
        """
        if not isfinite(duration) or duration <= 0.0:
            raise ValueError(f"a duration is above zero, got {duration}")
        fixed = order_qty**2 / duration + self.risk_aversion * duration * order_qty * price / 2.0
        return fixed - (self.risk_aversion * price) ** 2 * duration**3 / 48.0


def _tail(grown: float) -> float:
    """(e^a - 1 - a - a^2 / 2) / a^3, which is 1/6 at 0."""
    if grown < 1e-2:
        return 1.0 / 6.0 + grown / 24.0 + grown**2 / 120.0 + grown**3 / 720.0
    return (expm1(grown) - grown - grown**2 / 2.0) / grown**3
