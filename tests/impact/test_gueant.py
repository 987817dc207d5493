"""Gueant (2016), chapter 3: the best way by a deadline under a power of the speed, by its first integral."""

from dataclasses import replace
from math import nan

import pytest

from impact.almgren_chriss import holdings, kappa
from impact.theory.gueant import ConvexCost

ORDER = ConvexCost(
    order_qty=2e5, deadline=1.0, volume=4e6, sigma=0.6, eta=0.1, phi=0.75, psi=0.004, risk_aversion=5e-6
)


def test_costs_of_the_best_and_of_the_even_way():
    trading, risk = ORDER.cost()
    assert (trading, risk) == pytest.approx((5156.2071, 3243.7354), rel=1e-4)
    assert trading + risk == pytest.approx(8399.94, rel=1e-4)
    assert ORDER.invariant == pytest.approx(23.424674, rel=1e-4)
    assert ORDER.left_qty(0.5) == pytest.approx(16_322.22, rel=1e-4)
    assert ORDER.even_cost() == pytest.approx((2914.7425, 12_000.0), rel=1e-4)


def test_the_way_begins_with_all_and_ends_with_nothing():
    left = [ORDER.left_qty(number / 10) for number in range(11)]
    assert left[0] == pytest.approx(2e5)
    assert left == sorted(left, reverse=True)
    assert left[-1] == pytest.approx(0.0, abs=1e-3)


def test_the_invariant_holds_along_the_way():
    for time in (0.1, 0.4, 0.8):
        speed = (ORDER.left_qty(time - 1e-5) - ORDER.left_qty(time + 1e-5)) / 2e-5
        rate = speed / ORDER.volume
        held = ORDER.risk_aversion * (ORDER.sigma * ORDER.left_qty(time)) ** 2 / 2
        found = ORDER.volume * ORDER.eta * ORDER.phi * rate ** (1 + ORDER.phi) - held
        assert found == pytest.approx(ORDER.invariant, rel=2e-2)


def test_with_a_line_it_is_almgren_and_chriss():
    """phi = 1 is linear: L = eta v^2 / V, so their eta is eta / V and lambda is half of gamma."""
    line = replace(ORDER, phi=1.0, risk_aversion=5e-7)
    hurry = kappa(line.risk_aversion / 2, line.sigma, line.eta / line.volume)
    times = [0.0, 0.25, 0.5, 0.75, 1.0]
    told = holdings(line.order_qty, hurry, times)
    assert [line.left_qty(time) for time in times[:-1]] == pytest.approx(told[:-1], rel=1e-5)


def test_what_means_nothing_is_refused():
    for name, bad in (
        ("order_qty", 0.0),
        ("volume", nan),
        ("phi", 1.5),
        ("psi", -1.0),
        ("risk_aversion", 0.0),
    ):
        with pytest.raises(ValueError, match=name):
            replace(ORDER, **{name: bad})
    with pytest.raises(ValueError, match="deadline"):
        ORDER.left_qty(1.5)
