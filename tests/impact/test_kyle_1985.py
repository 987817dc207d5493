"""Kyle (Econometrica 53, 1985): one auction, several, and the limit in which they never stop."""

from itertools import pairwise
from math import nan, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.kyle import Kyle, continuous_impact, many_auctions, single_auction
from impact.protocol import Execution
from impact.validator import UNIT_PACE

SEQUENTIAL = {
    2: ((0.652882, 0.588227), (0.692021, 0.346011), 0.620555),
    3: ((0.722796, 0.704123, 0.634393), (), 0.687104),
    10: ((), (), 0.843888),
    100: ((), (), 0.971441),
}
"""By number of auctions: lambda, Sigma, profit; Sigma_0 = sigma_u = 1."""


def test_single_auction():
    found = single_auction(4.0, 1000.0)
    (auction,) = found.auctions
    assert (auction.price_impact, auction.intensity, auction.variance_after, found.profit) == pytest.approx(
        (0.001, 500, 2, 1000), rel=1e-9
    )


def test_table_of_sequential_auctions():
    for count, (impacts, left, profit) in SEQUENTIAL.items():
        found = many_auctions(1.0, 1.0, count)
        assert found.profit == pytest.approx(profit, abs=1e-6)
        if impacts:
            assert [one.price_impact for one in found.auctions] == pytest.approx(impacts, abs=1e-6)
        if left:
            assert [one.variance_after for one in found.auctions] == pytest.approx(left, abs=1e-6)


@given(st.integers(1, 60), st.floats(0.01, 100), st.floats(0.1, 1e5))
def test_auctions_are_consistent_and_scale(count, variance, noise):
    found, unit = many_auctions(variance, noise, count), many_auctions(1.0, 1.0, count)
    assert found.profit == pytest.approx(unit.profit * sqrt(variance) * noise, rel=1e-9)
    before = variance
    for one, same in zip(found.auctions, unit.auctions, strict=True):
        assert one.price_impact == pytest.approx(same.price_impact * sqrt(variance) / noise, rel=1e-9)
        told = one.intensity * one.price_impact / count
        assert one.variance_after == pytest.approx((1 - told) * before, rel=1e-9)
        assert one.price_impact == pytest.approx(one.intensity * one.variance_after / noise**2, rel=1e-9)
        before = one.variance_after


def test_one_of_many_is_the_single_auction():
    one, single = many_auctions(4.0, 1000.0, 1), single_auction(4.0, 1000.0)
    assert one.profit == pytest.approx(single.profit, rel=1e-12)
    assert one.auctions[0].price_impact == pytest.approx(single.auctions[0].price_impact, rel=1e-12)


def test_limit_of_many_auctions():
    found = many_auctions(1.0, 1.0, 2_000)
    assert continuous_impact(4.0, 1000.0) == pytest.approx(0.002)
    assert found.profit == pytest.approx(1.0, abs=3e-3)
    assert found.auctions[0].price_impact == pytest.approx(continuous_impact(1.0, 1.0), abs=3e-3)
    falls = [a.variance_after - b.variance_after for a, b in pairwise(found.auctions[:1_900:100])]
    assert falls == pytest.approx([0.05] * len(falls), abs=2e-3)


def test_monte_carlo_of_one_auction():
    """Slope of the value on the flow is lambda, half of its variance is explained, and the informed earn the profit."""
    random, count = Random(1985), 20_000
    (auction,), profit = single_auction(4.0, 1000.0).auctions, single_auction(4.0, 1000.0).profit
    value_flow = flow_flow = value_value = earned = earned_squared = 0.0
    for _ in range(count):
        value, noise = random.gauss(0, 2), random.gauss(0, 1000)
        informed = auction.intensity * value
        flow = informed + noise
        gain = informed * (value - auction.price_impact * flow)
        value_flow += value * flow
        flow_flow += flow * flow
        value_value += value * value
        earned += gain
        earned_squared += gain * gain
    assert value_flow / flow_flow == pytest.approx(0.001, rel=3 / sqrt(count))
    assert value_flow**2 / (flow_flow * value_value) == pytest.approx(0.5, abs=3 * sqrt(0.5 / count))
    error = sqrt((earned_squared / count - (earned / count) ** 2) / count)
    assert abs(earned / count - profit) < 3 * error


def test_the_model_moves_the_price_by_lambda_times_the_quantity():
    found = Kyle(factor=0.001).along([Execution(0, 500.0), Execution(1, 250.0)], UNIT_PACE)
    assert [one.paid_bps for one in found] == pytest.approx([0.5, 0.75])
    assert [one.after_bps for one in found] == pytest.approx([0.5, 0.75])


def test_what_means_nothing_is_refused():
    for bad in (0.0, -1.0, nan):
        for told in (
            lambda value: single_auction(value, 1.0),
            lambda value: single_auction(1.0, value),
            lambda value: many_auctions(value, 1.0, 2),
            lambda value: continuous_impact(1.0, value),
            lambda value: Kyle(factor=value),
            lambda value: Kyle(factor=1.0, exponent=value),
        ):
            with pytest.raises(ValueError, match="above zero"):
                told(bad)
    with pytest.raises(ValueError, match="at least one"):
        many_auctions(1.0, 1.0, 0)
