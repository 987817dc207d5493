"""Selling in intervals with linear impact: cost, variance, the efficient frontier and the best plans on it.

R. Almgren and N. Chriss, Optimal execution of portfolio transactions, J. Risk 3(2), 2001. An order of X is worked in N
intervals of length tau; n_k is traded in the k-th, and x_k is left after it. Units: money, quantity and time, any, as
long as all inputs share them. The signs are those of a sale; a purchase costs the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cosh, fsum, isfinite, sinh, sqrt, tanh

from impact.almgren_chriss import eta_adjusted, holdings, kappa, kappa_discrete


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is to be done, in which market.

    Parameters
    ----------
    order_qty
        X, > 0.
    deadline
        T, time, > 0.
    sigma
        Volatility, money per quantity and root of time, > 0.
    epsilon
        Fixed cost of a unit (half the spread), money per quantity, >= 0.
    gamma
        Permanent impact, money per quantity for each quantity, >= 0.
    eta
        Temporary impact, money per quantity for each quantity per time, > 0.
    alpha
        Drift of the price, money per quantity and time; above zero is good for what is still held.
    """

    order_qty: float
    deadline: float
    sigma: float
    epsilon: float
    gamma: float
    eta: float
    alpha: float = 0.0

    def __post_init__(self) -> None:
        """Refuse terms without a meaning."""
        for name in ("order_qty", "deadline", "sigma", "eta"):
            value = getattr(self, name)
            if not isfinite(value) or value <= 0.0:
                raise ValueError(f"{name} must be above zero, got {value}")
        for name in ("epsilon", "gamma"):
            value = getattr(self, name)
            if not isfinite(value) or value < 0.0:
                raise ValueError(f"{name} cannot be below zero, got {value}")
        if not isfinite(self.alpha):
            raise ValueError(f"a drift is a number, got {self.alpha}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a plan costs.

    Parameters
    ----------
    mean
        Expected cost, money.
    variance
        Of the cost, money squared.
    """

    mean: float
    variance: float

    @property
    def deviation(self) -> float:
        """Standard deviation of the cost, money."""
        return sqrt(self.variance)

    def utility(self, risk_aversion: float) -> float:
        """U = E + lambda V, money.

        Parameters
        ----------
        risk_aversion
            lambda, per money.
        """
        return self.mean + risk_aversion * self.variance


def best_holdings(terms: Terms, risk_aversion: float, count: int) -> list[float]:
    """x_0 to x_N of the plan of least U, with the drift if there is one.

    x_j = X sinh(kappa (T - t_j)) / sinh(kappa T), and with a drift besides
    (1 - (sinh(kappa (T - t_j)) + sinh(kappa t_j)) / sinh(kappa T)) * alpha / (2 lambda sigma^2).

    Parameters
    ----------
    risk_aversion
        lambda, per money; above zero where there is a drift.
    count
        N, >= 1.

    Raises
    ------
    ValueError
        If nothing is best.
    """
    times, hurry = _grid(terms, risk_aversion, count)
    plan = holdings(terms.order_qty, hurry, times)
    if not terms.alpha:
        return plan
    if risk_aversion <= 0.0:
        raise ValueError("a drift has a best plan only with a risk aversion above zero")
    level = terms.alpha / (2.0 * risk_aversion * terms.sigma**2)
    down = holdings(1.0, hurry, times)
    return [
        left + level * (1.0 - here - mirrored)
        for left, here, mirrored in zip(plan, down, reversed(down), strict=True)
    ]


def outcome(terms: Terms, plan: Sequence[float]) -> Outcome:
    """Cost of any plan.

    E = gamma X^2 / 2 + epsilon sum |n_k| + (eta - gamma tau / 2) / tau sum n_k^2 - alpha tau sum x_k
    V = sigma^2 tau sum x_k^2, both sums of x from k = 1

    Parameters
    ----------
    plan
        x_0 to x_N at even times, quantity; from X to 0.

    Raises
    ------
    ValueError
        If the plan does not go from X to 0.
    """
    if len(plan) < 2 or abs(plan[0] - terms.order_qty) > 1e-9 * terms.order_qty or plan[-1] != 0.0:
        raise ValueError("a plan goes from the order's quantity to 0")
    tau = terms.deadline / (len(plan) - 1)
    trades = [before - after for before, after in pairwise(plan)]
    mean = (
        terms.gamma * terms.order_qty**2 / 2.0
        + terms.epsilon * fsum(map(abs, trades))
        + eta_adjusted(terms.eta, terms.gamma, tau) / tau * fsum(trade * trade for trade in trades)
        - terms.alpha * tau * fsum(plan[1:])
    )
    return Outcome(mean, terms.sigma**2 * tau * fsum(left * left for left in plan[1:]))


def closed_form(terms: Terms, risk_aversion: float, count: int) -> Outcome:
    """`outcome` of `best_holdings` without any sum, for a risk aversion above zero and no drift.

    E = gamma X^2/2 + epsilon X + eta_adj X^2 tanh(k tau/2) (tau sinh 2kT + 2T sinh k tau) / (2 tau^2 sinh^2 kT)
    V = sigma^2 X^2 / 2 (tau sinh kT cosh k(T - tau) - T sinh k tau) / (sinh^2 kT sinh k tau)

    Parameters
    ----------
    risk_aversion
        lambda, per money, > 0.
    count
        N, >= 1.
    """
    times, hurry = _grid(terms, risk_aversion, count)
    if hurry <= 0.0 or terms.alpha:
        raise ValueError("the closed form is of a risk aversion above zero and of no drift")
    tau, whole, size = times[1], terms.deadline, terms.order_qty
    sinh_tau, sinh_whole = sinh(hurry * tau), sinh(hurry * whole)
    traded = tanh(hurry * tau / 2.0) * (tau * sinh(2.0 * hurry * whole) + 2.0 * whole * sinh_tau)
    mean = (
        terms.gamma * size * size / 2.0
        + terms.epsilon * size
        + eta_adjusted(terms.eta, terms.gamma, tau) * size * size * traded / (2.0 * tau**2 * sinh_whole**2)
    )
    held = tau * sinh_whole * cosh(hurry * (whole - tau)) - whole * sinh_tau
    return Outcome(mean, terms.sigma**2 * size * size / 2.0 * held / (sinh_whole**2 * sinh_tau))


def continuous(terms: Terms, risk_aversion: float) -> Outcome:
    """The best plan where trading never stops, for a risk aversion above zero and no drift.

    Parameters
    ----------
    risk_aversion
        lambda, per money, > 0.
    """
    hurry = kappa(risk_aversion, terms.sigma, terms.eta)
    if not hurry or terms.alpha:
        raise ValueError("the continuous plan is of a risk aversion above zero and of no drift")
    whole, size = terms.deadline, terms.order_qty
    scale = size * size / (4.0 * sinh(hurry * whole) ** 2)
    speeds = scale * hurry * (sinh(2.0 * hurry * whole) + 2.0 * hurry * whole)
    held = scale * (sinh(2.0 * hurry * whole) / hurry - 2.0 * whole)
    mean = terms.gamma * size * size / 2.0 + terms.epsilon * size + terms.eta * speeds
    return Outcome(mean, terms.sigma**2 * held)


def least_value_at_risk(terms: Terms, count: int, z: float) -> tuple[float, Outcome]:
    """The risk aversion whose plan has the least E + z sqrt(V), and that plan's outcome.

    At the optimum lambda = z / (2 sqrt(V)): the root of that, found by halving.

    Parameters
    ----------
    count
        N, >= 1.
    z
        Standard deviations, e.g. 1.645 for 95 %, > 0.
    """
    if not isfinite(z) or z <= 0.0:
        raise ValueError(f"a quantile above the mean is wanted, got {z}")
    low = high = z / (2.0 * outcome(terms, best_holdings(terms, 0.0, count)).deviation)
    while _distance(terms, high, count, z) < 0.0:
        high *= 2.0
    for _ in range(200):
        middle = (low + high) / 2.0
        if _distance(terms, middle, count, z) < 0.0:
            low = middle
        else:
            high = middle
    found = (low + high) / 2.0
    return found, outcome(terms, best_holdings(terms, found, count))


def best_lots(terms: Terms, risk_aversion: float, count: int, lot_qty: float) -> tuple[list[int], float]:
    """Lots per interval of least U where only whole lots are traded, and that U (money): by dynamic programming.

    Parameters
    ----------
    risk_aversion
        lambda, per money, >= 0.
    count
        N, >= 1.
    lot_qty
        Quantity of a lot; X is a whole number of them.

    Raises
    ------
    ValueError
        If X is no whole number of lots, or there is a drift.
    """
    lots = round(terms.order_qty / lot_qty)
    if lots < 1 or abs(lots * lot_qty - terms.order_qty) > 1e-9 * terms.order_qty or terms.alpha:
        raise ValueError("whole lots and no drift are wanted")
    tau = terms.deadline / count
    trade = eta_adjusted(terms.eta, terms.gamma, tau) / tau * lot_qty**2
    hold = risk_aversion * terms.sigma**2 * tau * lot_qty**2
    least = [trade * left * left for left in range(lots + 1)]  # the last interval trades all that is left
    choices = [list(range(lots + 1))]
    for _ in range(count - 1):
        chosen, sums = [], []
        for left in range(lots + 1):
            costs = [
                trade * (left - after) ** 2 + hold * after * after + least[after] for after in range(left + 1)
            ]
            after = min(range(left + 1), key=costs.__getitem__)
            chosen.append(left - after)
            sums.append(costs[after])
        least = sums
        choices.append(chosen)
    plan, left = [], lots
    for choice in reversed(choices):
        plan.append(choice[left])
        left -= choice[left]
    fixed = terms.gamma * terms.order_qty**2 / 2.0 + terms.epsilon * terms.order_qty
    return plan, least[lots] + fixed


def _grid(terms: Terms, risk_aversion: float, count: int) -> tuple[list[float], float]:
    """Times of the plan, and its kappa."""
    if count < 1:
        raise ValueError(f"at least one interval is wanted, got {count}")
    tau = terms.deadline / count
    hurry = kappa_discrete(risk_aversion, terms.sigma, eta_adjusted(terms.eta, terms.gamma, tau), tau)
    return [*(tau * number for number in range(count)), terms.deadline], hurry


def _distance(terms: Terms, risk_aversion: float, count: int, z: float) -> float:
    deviation = outcome(terms, best_holdings(terms, risk_aversion, count)).deviation
    return risk_aversion * 2.0 * deviation - z
