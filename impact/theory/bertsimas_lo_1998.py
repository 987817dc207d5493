"""Least expected cost with linear impact that stays: even pieces, but for what is known of the price.

D. Bertsimas and A. Lo, Optimal control of execution costs, J. Financial Markets 1, 1998. A purchase of S in T periods
pays P_t = P_(t-1) + theta S_t + gamma X_t + noise, with information X_t = rho X_(t-1) + noise that is seen before
trading in t.
"""

from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyingPlan:
    """The best plan, by dynamic programming from the last period.

    With k periods to go after this one: a_k = theta - theta^2 / (4 a_(k-1)), b_k = gamma + theta rho b_(k-1) /
    (2 a_(k-1)), a_0 = theta, b_0 = gamma; trade W / (k + 1) + rho b_(k-1) / (2 a_(k-1)) X_t of the W that is left.

    Parameters
    ----------
    theta
        Impact, money per quantity for each quantity, > 0.
    gamma
        What information is worth, money per quantity for each unit of it.
    rho
        How much of the information is left a period later, -1 to 1.
    """

    theta: float
    gamma: float = 0.0
    rho: float = 0.0

    def __post_init__(self) -> None:
        """Refuse inputs without a meaning."""
        if not isfinite(self.theta) or self.theta <= 0.0 or not isfinite(self.gamma) or abs(self.rho) > 1.0:
            raise ValueError(f"theta above zero and rho within -1 and 1 are wanted, got {self}")

    def trade(self, left_qty: float, information: float, periods_after: int) -> float:
        """What to buy now.

        Parameters
        ----------
        left_qty
            W, still to buy.
        information
            X_t, in its unit.
        periods_after
            k, periods to go after this one, >= 0.
        """
        if periods_after < 0:
            raise ValueError(f"periods are not below zero, got {periods_after}")
        if not periods_after:
            return left_qty
        square, cross = self.theta, self.gamma
        for _ in range(periods_after - 1):
            square, cross = (
                self.theta - self.theta**2 / (4.0 * square),
                self.gamma + self.theta * self.rho * cross / (2.0 * square),
            )
        return left_qty / (periods_after + 1) + self.rho * cross / (2.0 * square) * information

    def excess_cost(self, order_qty: float, periods: int) -> float:
        """What even pieces cost above the price at the start, without information: theta S^2 / 2 (1 + 1 / T), money.

        Parameters
        ----------
        order_qty
            S.
        periods
            T, >= 1.
        """
        if periods < 1:
            raise ValueError(f"at least one period is wanted, got {periods}")
        return self.theta * order_qty**2 / 2.0 * (1.0 + 1.0 / periods)
