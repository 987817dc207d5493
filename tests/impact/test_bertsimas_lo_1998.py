"""Bertsimas and Lo (J. Financial Markets 1, 1998): even pieces, and what information adds."""

from math import sqrt
from random import Random

import pytest

from impact.kyle import Kyle
from impact.protocol import Execution
from impact.theory.bertsimas_lo_1998 import BuyingPlan
from impact.validator import UNIT_PACE


def test_excess_cost_of_even_pieces():
    found = BuyingPlan(theta=5e-5).excess_cost(1e5, 20)
    assert found == pytest.approx(262_500.0, rel=1e-9)
    assert 100 * found / (50 * 1e5) == pytest.approx(5.25, rel=1e-9)
    assert found / 1e5 == pytest.approx(2.625, rel=1e-9)


def test_it_is_what_an_auction_charges_piece_by_piece():
    pieces = [Execution(number, 5_000.0) for number in range(20)]
    steps = Kyle(factor=5e-5).along(pieces, UNIT_PACE)
    assert sum(5_000 * step.paid_bps for step in steps) == pytest.approx(262_500.0)


def test_without_information_each_period_takes_an_even_share_of_the_rest():
    plan = BuyingPlan(theta=5e-5)
    left = 1e5
    for after in range(19, -1, -1):
        bought = plan.trade(left, 123.0, after)
        assert bought == pytest.approx(5_000.0)
        left -= bought
    assert left == pytest.approx(0.0, abs=1e-6)


def cost(plan, follow, shocks, order_qty=10.0):
    """Excess cost of buying as the plan says, or evenly, under the paper's law of the price."""
    left, price, paid, information = order_qty, 0.0, 0.0, 0.0
    for after, shock in zip(range(len(shocks) - 1, -1, -1), shocks, strict=True):
        information = plan.rho * information + shock
        bought = plan.trade(left, information, after) if follow else left / (after + 1)
        price += plan.theta * bought + plan.gamma * information
        paid += price * bought
        left -= bought
    return paid


def test_information_is_worth_following():
    """Paired on the same draws: the plan that looks costs less, by three standard errors and more."""
    random, plan = Random(1998), BuyingPlan(theta=0.05, gamma=0.1, rho=0.6)
    saved = []
    for _ in range(2_000):
        shocks = [random.gauss(0, 1) for _ in range(8)]
        saved.append(cost(plan, False, shocks) - cost(plan, True, shocks))
    mean = sum(saved) / len(saved)
    error = sqrt(sum((one - mean) ** 2 for one in saved) / len(saved) / (len(saved) - 1))
    assert mean > 3 * error


def test_best_in_two_periods_by_trial():
    """With one period to go the rest must be bought, so the first trade can be searched for."""
    plan = BuyingPlan(theta=0.05, gamma=0.1, rho=0.6)

    def expected(first, information=2.0, whole=10.0):
        price = 0.05 * first + 0.1 * information
        rest = whole - first
        return price * first + (price + 0.05 * rest + 0.1 * 0.6 * information) * rest

    best = plan.trade(10.0, 2.0, 1)
    assert expected(best) < min(expected(best - 0.01), expected(best + 0.01))


def test_what_means_nothing_is_refused():
    for bad in ({"theta": 0.0}, {"theta": 1.0, "rho": 1.5}, {"theta": 1.0, "gamma": float("inf")}):
        with pytest.raises(ValueError, match="wanted"):
            BuyingPlan(**bad)
    with pytest.raises(ValueError, match="periods"):
        BuyingPlan(theta=1.0).trade(1.0, 0.0, -1)
    with pytest.raises(ValueError, match="at least one"):
        BuyingPlan(theta=1.0).excess_cost(1.0, 0)
