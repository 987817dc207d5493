"""Almgren (Applied Mathematical Finance 10, 2003), its table: 1 % of impact at a tenth of the volume, no deadline."""

from dataclasses import replace
from math import exp, nan

import pytest

from impact.theory.almgren_2003 import NoDeadline

AVERSIONS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
TABLE = {
    0.5: (
        (0.018420, 221.0419, 10.5129), (0.085499, 102.5986, 22.6493), (0.396850, 47.6220, 48.7965),
        (1.842016, 22.1042, 105.1289), (8.549880, 10.2599, 226.4934),
    ),
    1.0: (
        (0.070711, 353.5534, 18.8030), (0.223607, 111.8034, 33.4370), (0.707107, 35.3553, 59.4604),
        (2.236068, 11.1803, 105.7371), (7.071068, 3.5355, 188.0302),
    ),
}  # fmt: skip
"""By exponent, for each risk aversion: T* in days, E and standard deviation in thousands of dollars."""
PRINTED = {
    0.5: ((0.02, 221, 11), (0.09, 103, 23), (0.40, 48, 49), (1.84, 22, 105), (8.55, 10, 226)),
    1.0: ((0.07, 354, 19), (0.22, 112, 33), (0.71, 35, 59), (2.24, 11, 106), (7.07, 4, 188)),
}


def sale(exponent, aversion=1e-6):
    return NoDeadline(
        order_qty=1e5, sigma=1.0, eta=0.5 / 1e5**exponent, exponent=exponent, risk_aversion=aversion
    )


@pytest.mark.parametrize("exponent", TABLE)
def test_table_of_times_and_costs(exponent):
    for aversion, told, printed in zip(AVERSIONS, TABLE[exponent], PRINTED[exponent], strict=True):
        found = sale(exponent, aversion)
        figures = found.time_scale, found.mean / 1e3, found.variance**0.5 / 1e3
        assert figures == pytest.approx(told, rel=3e-5)
        assert (round(figures[0], 2), round(figures[1]), round(figures[2])) == printed


def test_times_of_the_square_root_to_their_tolerance():
    told = (0.01842, 0.085499, 0.39685, 1.842016, 8.54988)
    assert [sale(0.5, aversion).time_scale for aversion in AVERSIONS] == pytest.approx(told, rel=1e-4)


@pytest.mark.parametrize("exponent", [0.4, 0.5, 0.6, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("aversion", [1e-7, 1e-5, 1e-3])
def test_risk_is_worth_k_times_the_cost(exponent, aversion):
    found = sale(exponent, aversion)
    assert aversion * found.variance == pytest.approx(exponent * found.mean, rel=1e-12)


@pytest.mark.parametrize(
    ("exponent", "left"), [(0.5, 27 / 64), (0.6, 0.40960), (1.0, exp(-1)), (2.0, 8 / 27)]
)
def test_what_is_left_after_the_time_scale(exponent, left):
    found = sale(exponent)
    assert found.left_share(0.0) == 1.0
    assert found.left_share(found.time_scale) == pytest.approx(left, rel=1e-5)


def test_a_steeper_law_comes_to_an_end():
    found = sale(2.0)
    assert found.left_share(2.999 * found.time_scale) > 0
    assert found.left_share(3 * found.time_scale) == pytest.approx(0, abs=1e-15)
    assert found.left_share(30 * found.time_scale) == 0


@pytest.mark.parametrize("exponent", [0.6, 1.0, 2.0])
def test_cost_and_risk_are_the_integrals_of_the_way(exponent):
    found, steps = sale(exponent), 4_000
    end = found.time_scale * (3 if exponent > 1 else 60)
    times = [end * (number / steps) ** 2 for number in range(steps + 1)]
    left = [1e5 * found.left_share(time) for time in times]
    pairs = list(zip(times, times[1:], left, left[1:], strict=False))
    paid = sum(found.eta * (a - b) ** (exponent + 1) / (t - s) ** exponent for s, t, a, b in pairs)
    held = sum((t - s) * (a * a + a * b + b * b) / 3 for s, t, a, b in pairs)
    assert (paid, held) == pytest.approx((found.mean, found.variance), rel=3e-3)


@pytest.mark.parametrize("name", ["order_qty", "sigma", "eta", "exponent", "risk_aversion"])
def test_what_means_nothing_is_refused(name):
    for value in (0.0, -1.0, nan):
        with pytest.raises(ValueError, match=name):
            replace(sale(0.5), **{name: value})
    with pytest.raises(ValueError, match="time"):
        sale(0.5).left_share(-1.0)
