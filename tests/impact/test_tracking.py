"""Tracking of the market's volume: none where the order is a fixed share of it, and the same in any unit."""

from math import inf, isclose, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.tracking import tracking_error

QTY = st.floats(0.001, 1e6)


@given(st.lists(QTY, min_size=1, max_size=30), st.floats(1e-3, 1e3))
def test_a_fixed_share_of_the_market_tracks_it(market, share):
    error = tracking_error([share * qty for qty in market], market)
    assert error.mean_pct < 1e-9
    assert abs(error.worst_pct) < 1e-9


def test_worked_example():
    """Done 50, 75, 100 % while the market trades 25, 75, 100 %: 25 and 0 away."""
    error = tracking_error([2.0, 1.0, 1.0], [10.0, 20.0, 10.0])
    assert isclose(error.mean_pct, (25.0**2 / 2) ** 0.5)
    assert isclose(error.worst_pct, 25.0)
    assert isclose(tracking_error([1.0, 1.0, 2.0], [10.0, 20.0, 10.0]).worst_pct, -25.0)
    assert tracking_error([1.0], [7.0]).mean_pct == 0.0


@given(st.lists(st.tuples(QTY, QTY), min_size=2, max_size=20), st.floats(0.01, 100.0))
def test_units_change_nothing_and_the_worst_is_at_least_the_mean(pairs, unit):
    own, market = [one for one, _ in pairs], [two for _, two in pairs]
    error, other = tracking_error(own, market), tracking_error([unit * qty for qty in own], market)
    assert isclose(error.mean_pct, other.mean_pct, rel_tol=1e-6, abs_tol=1e-9)
    assert abs(error.worst_pct) >= error.mean_pct - 1e-9
    assert isclose(tracking_error(market, own).mean_pct, error.mean_pct, rel_tol=1e-6, abs_tol=1e-9)


@pytest.mark.parametrize(
    ("own", "market"),
    [
        ([1.0], [1.0, 1.0]),
        ([], []),
        ([0.0, 0.0], [1.0, 1.0]),
        ([1.0, 1.0], [0.0, 0.0]),
        ([1.0, -0.1], [1.0, 1.0]),
        ([1.0, nan], [1.0, 1.0]),
        ([1.0, 1.0], [1.0, inf]),
    ],
)
def test_what_means_nothing_is_refused(own, market):
    with pytest.raises(ValueError, match=r"intervals|below zero|no share"):
        tracking_error(own, market)
