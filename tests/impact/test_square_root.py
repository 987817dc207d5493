"""The square-root law: known figures, scaling, and inputs that say nothing."""

from math import inf, isclose, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.square_root import Y_USUAL, estimate

PEAK = {(2.0, 0.01, 1.0): 20.0, (2.0, 0.10, 1.0): 63.2456, (4.0, 0.001, 0.9): 11.3842}
"""Volatility in per cent, share of the volume, factor: peak impact, basis points."""


@pytest.mark.parametrize("inputs", PEAK)
def test_known_figures(inputs):
    volatility_pct, share, factor = inputs
    found = estimate(qty=share * 500.0, volatility_hourly_pct=volatility_pct, volume_hourly_qty=500.0)
    assert isclose(found.estimate_bps * 3 / 2 * factor / Y_USUAL, PEAK[inputs], rel_tol=1e-5)


@given(st.floats(0.001, 1e6), st.floats(0.001, 50), st.floats(0.01, 1e8), st.floats(0.01, 100))
def test_the_length_of_the_time_does_not_matter(qty, volatility_pct, volume, hours):
    one = estimate(qty=qty, volatility_hourly_pct=volatility_pct, volume_hourly_qty=volume)
    many = estimate(
        qty=qty, volatility_hourly_pct=volatility_pct * hours**0.5, volume_hourly_qty=volume * hours
    )
    assert isclose(one.estimate_bps, many.estimate_bps, rel_tol=1e-9)
    assert one.low_bps <= one.estimate_bps <= one.high_bps


@pytest.mark.parametrize(
    "over",
    [
        {"qty": nan},
        {"qty": -1.0},
        {"volatility_hourly_pct": inf},
        {"volume_hourly_qty": 0.0},
        {"volume_hourly_qty": nan},
    ],
)
def test_what_says_nothing_gives_nothing(over):
    assert estimate(**{"qty": 1.0, "volatility_hourly_pct": 1.0, "volume_hourly_qty": 100.0, **over}) is None
