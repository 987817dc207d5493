"""Gatheral and Schied (2011): the best sale of a geometric Brownian motion, and what looking is worth."""

from math import exp, sqrt
from random import Random

import pytest

from impact.theory.gatheral_schied_2011 import PriceDependent

TABLE = {0.1: 1.47911448, 1.0: 1.47271477}
"""Cost by volatility; X = T = S_0 = lambda = 1."""


@pytest.mark.parametrize("sigma", TABLE)
def test_table_of_costs(sigma):
    found = PriceDependent(risk_aversion=1.0, sigma=sigma)
    assert found.cost(1.0, 1.0, 1.0) == pytest.approx(TABLE[sigma], abs=5e-9)
    assert found.cost_fixed(1.0, 1.0, 1.0) == pytest.approx(1.5 - 1 / 48, abs=1e-12)
    assert found.cost(1.0, 1.0, 1.0) < found.cost_fixed(1.0, 1.0, 1.0) < 1.01 * found.cost(1.0, 1.0, 1.0)


def test_a_price_that_does_not_move_gains_nothing_by_being_looked_at():
    still = PriceDependent(risk_aversion=2.0, sigma=1e-4)
    assert still.cost(1.0, 1.0, 3.0) == pytest.approx(still.cost_fixed(1.0, 1.0, 3.0), rel=1e-7)
    near, far = (PriceDependent(risk_aversion=1.0, sigma=sigma).cost(1, 1, 1) for sigma in (0.0999, 0.1001))
    assert near == pytest.approx(far, rel=1e-6), "both forms of the last term meet"


def test_monte_carlo_of_the_speed():
    """Selling at the speed that the formula says costs what the formula says, within three errors and the grid."""
    random, sigma, steps, draws = Random(2011), 1.0, 100, 400
    found = PriceDependent(risk_aversion=1.0, sigma=sigma)
    tau, costs = 1.0 / steps, []
    for _ in range(draws):
        path = [random.gauss(0, 1) for _ in range(steps)]
        pair = 0.0
        for sign in (1, -1):
            left, price, cost = 1.0, 1.0, 0.0
            for number in range(steps):
                speed = found.speed(left, price, 1.0 - number * tau) if number < steps - 1 else left / tau
                cost += (speed * speed + left * price) * tau
                left -= speed * tau
                price *= exp(sigma * sqrt(tau) * sign * path[number] - sigma * sigma * tau / 2)
            pair += cost / 2
        costs.append(pair)
    mean = sum(costs) / draws
    error = sqrt(sum((one - mean) ** 2 for one in costs) / draws / (draws - 1))
    assert mean == pytest.approx(TABLE[sigma], abs=3 * error + 2 * tau)


def test_what_means_nothing_is_refused():
    sound = PriceDependent(risk_aversion=1.0, sigma=1.0)
    for bad in (
        lambda: PriceDependent(risk_aversion=-1.0, sigma=1.0),
        lambda: PriceDependent(risk_aversion=1.0, sigma=0.0),
        lambda: sound.speed(1.0, 1.0, 0.0),
        lambda: sound.cost(1.0, 1.0, 0.0),
        lambda: sound.cost_fixed(1.0, 1.0, float("nan")),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            bad()
