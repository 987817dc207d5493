"""Kyle's market: who knows the value trades among those who do not, and the price moves by lambda times the flow.

A. S. Kyle, Continuous auctions and insider trading, Econometrica 53, 1985. All symbols share one unit of price and one
of quantity: Sigma is a variance of the value (price squared), sigma_u the standard deviation of the uninformed flow
(quantity; per root of time where auctions follow each other).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import copysign, fsum, isfinite, sqrt
from typing import Self

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Auction:
    """What is true of one auction in equilibrium.

    Parameters
    ----------
    price_impact
        lambda: how far the price moves per quantity of net flow, price per quantity.
    intensity
        beta: how much the informed trade per distance of price from value, quantity per price (and per time where
        auctions follow each other).
    variance_after
        Sigma: what is still unknown of the value after it, price squared.
    """

    price_impact: float
    intensity: float
    variance_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Equilibrium:
    """Auctions in their order, and what the informed expect to earn in all of them.

    Parameters
    ----------
    profit
        Price times quantity.
    """

    auctions: tuple[Auction, ...]
    profit: float


def single_auction(variance: float, noise_qty: float) -> Equilibrium:
    """Give lambda = sqrt(Sigma_0) / (2 sigma_u), beta = sigma_u / sqrt(Sigma_0), profit sqrt(Sigma_0) sigma_u / 2.

    The price tells half of what was unknown of the value.

    Parameters
    ----------
    variance
        Sigma_0 of the value, price squared, > 0.
    noise_qty
        sigma_u, standard deviation of the uninformed flow, quantity, > 0.
    """
    _above_zero(variance=variance, noise_qty=noise_qty)
    deviation = sqrt(variance)
    auction = Auction(
        price_impact=deviation / (2.0 * noise_qty),
        intensity=noise_qty / deviation,
        variance_after=variance / 2.0,
    )
    return Equilibrium(auctions=(auction,), profit=deviation * noise_qty / 2.0)


def many_auctions(variance: float, noise_qty: float, count: int) -> Equilibrium:
    """The equilibrium of `count` auctions at even times within one unit of time.

    From the last backwards (Kyle's theorem 2), with D the time between two:

        (1 - lambda_n^2 sigma_u^2 D / Sigma_n) (1 - alpha_n lambda_n) = 1/2,  alpha_N = delta_N = 0
        alpha_(n-1) = 1 / (4 lambda_n (1 - alpha_n lambda_n)),  delta_(n-1) = delta_n + alpha_n lambda_n^2 sigma_u^2 D
        beta_n = lambda_n sigma_u^2 / Sigma_n,  Sigma_n = (1 - beta_n lambda_n D) Sigma_(n-1)

    All of it scales with the root of Sigma, so that no search for the last Sigma is needed. As the count grows,
    lambda and the profit go to sqrt(Sigma_0) / sigma_u and sqrt(Sigma_0) sigma_u, and Sigma falls in a line.

    Parameters
    ----------
    variance
        Sigma_0 of the value, price squared, > 0.
    noise_qty
        sigma_u, standard deviation of the uninformed flow in one unit of time, quantity, > 0.
    count
        Number of auctions, >= 1.
    """
    _above_zero(variance=variance, noise_qty=noise_qty)
    if count < 1:
        raise ValueError(f"at least one auction is held, got {count}")
    noise = noise_qty * noise_qty / count  # variance of the flow of one auction
    alpha = delta = 0.0
    left, found = 1.0, []
    for _ in range(count):
        impact = _impact_of_one(alpha, noise / left)
        told = impact * impact * noise / left
        found.append((impact, impact * noise_qty * noise_qty / left, left))
        delta += alpha * impact * impact * noise
        alpha = 1.0 / (4.0 * impact * (1.0 - alpha * impact))
        left /= 1.0 - told
    scale = sqrt(variance / left)
    auctions = tuple(
        Auction(price_impact=impact * scale, intensity=beta / scale, variance_after=after * scale * scale)
        for impact, beta, after in reversed(found)
    )
    return Equilibrium(auctions=auctions, profit=(alpha * left + delta) * scale)


def continuous_impact(variance: float, noise_qty: float) -> float:
    """Lambda where auctions never stop: sqrt(Sigma_0) / sigma_u, price per quantity.

    Parameters
    ----------
    variance
        Sigma_0 of the value, price squared, > 0.
    noise_qty
        sigma_u in one unit of time, quantity, > 0.
    """
    _above_zero(variance=variance, noise_qty=noise_qty)
    return sqrt(variance) / noise_qty


def _impact_of_one(alpha: float, ratio: float) -> float:
    """Root of (1 - lambda^2 ratio) (1 - alpha lambda) = 1/2, by halving: it falls from 1 to 0 between the bounds."""
    low, high = 0.0, min(1.0 / sqrt(ratio), 1.0 / alpha if alpha else float("inf"))
    for _ in range(200):
        middle = (low + high) / 2.0
        if (1.0 - middle * middle * ratio) * (1.0 - alpha * middle) > 0.5:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _above_zero(**values: float) -> None:
    for name, value in values.items():
        if not isfinite(value) or value <= 0.0:
            raise ValueError(f"{name} must be above zero, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kyle:
    """Impact that stays and that each trade pays in full, as in an auction whose price it has moved already.

        a trade of q moves the price by  factor sigma_d (|q| / V_d)^exponent  for good, and pays that and all before

    with sigma_d the daily volatility in basis points and V_d the volume of a day, so lambda = factor sigma_d / V_d. To
    cut an order into n even pieces brings its cost down from all to (1 + 1/n) / 2 of it.

    Only the exponent 1 is free of round trips that earn (G. Huberman and W. Stanzl, Econometrica 72, 2004):
    `impact.validator` refuses the others.

    Parameters
    ----------
    factor
        Coefficient, > 0.
    exponent
        Exponent of the quantity, > 0.
    """

    factor: float
    exponent: float = 1.0

    def __post_init__(self) -> None:
        """Refuse parameters without a meaning."""
        _above_zero(factor=self.factor, exponent=self.exponent)

    @property
    def name(self) -> str:
        """As people write it, parameters included."""
        return written("kyle", factor=self.factor, exponent=self.exponent)

    def bounds(self) -> tuple[Self, Self]:
        """Give the model with the least and the greatest plausible factor."""
        return (
            replace(self, factor=self.factor * PLAUSIBLE_LOW),
            replace(self, factor=self.factor * PLAUSIBLE_HIGH),
        )

    def along(self, executions: Sequence[Execution], pace: Pace) -> list[Displacement]:
        """Say how far the price is displaced around each execution."""
        in_order(executions)
        steps, before = [], 0.0
        for own in executions:
            after = before + self._moved(own, pace)
            steps.append(Displacement(before, after, after))
            before = after
        return steps

    def remaining_bps(self, executions: Sequence[Execution], pace: Pace, at_ns: int) -> float:
        """Say how far the price is displaced, basis points: all of it stays."""
        over_by(executions, at_ns)
        return fsum(self._moved(own, pace) for own in executions)

    def _moved(self, own: Execution, pace: Pace) -> float:
        share = abs(own.signed_qty) / pace.volume_daily_qty
        return copysign(self.factor * pace.volatility_daily_bps * share**self.exponent, own.signed_qty)
