"""Schedules that are not even: by the volume of the hour, and early rather than late."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.orders import StrategyParams, Urgency
from executor.domain.timeline import NS_PER_HOUR, NS_PER_S
from strategies.arrival_price import URGENCY, trajectory
from strategies.base import STRATEGIES
from strategies.volume_curve import VOLUME_PCT_BY_HOUR
from tests.builders import T0, D, instrument, parent_order

MIDNIGHT = T0 - T0 % (24 * NS_PER_HOUR)
ALMGREN_CHRISS = {
    3.035380816: (458_044.4456, 252_101.3350, 141_956.7316, 85_755.6862, 62_141.8016),
    4.2314856725: (571_401.1543, 245_666.0315, 106_637.0926, 48_652.3442, 27_643.3774),
}
"""kappa T of five periods, and the trades of a million shares: their table for two risk aversions."""


def plan(name, *, start_ns=MIDNIGHT, hours=24, more_ns=0, interval_s=3_600, qty="1000", **over):
    end_ns = start_ns + hours * NS_PER_HOUR + more_ns
    order = parent_order(
        params=StrategyParams(interval_s=interval_s), order_qty=D(qty), deadline_ns=end_ns, **over
    )
    return STRATEGIES[name].plan(
        order=order,
        instrument=instrument(),
        reference_px=D(50_000),
        start_ns=start_ns,
        end_ns=end_ns,
        cum_qty=D(0),
    )


@pytest.mark.parametrize("kappa_t", ALMGREN_CHRISS)
def test_the_trajectory_is_that_of_almgren_and_chriss(kappa_t):
    upto = trajectory(kappa_t)
    trades = [1e6 * (upto(number / 5) - upto((number - 1) / 5)) for number in range(1, 6)]
    assert all(
        isclose(ours, theirs, rel_tol=1e-7)
        for ours, theirs in zip(trades, ALMGREN_CHRISS[kappa_t], strict=True)
    )


def test_arrival_price_is_the_earlier_the_more_urgent():
    firsts = [plan("arrival-price", urgency=urgency).slices[0].qty for urgency in Urgency]
    even = plan("twap").slices[0].qty
    assert even < firsts[0] < firsts[1] < firsts[2]
    sizes = [piece.qty for piece in plan("arrival-price").slices]
    assert sizes == sorted(sizes, reverse=True)


def test_vwap_takes_each_hour_of_a_day_by_its_volume():
    total = sum(VOLUME_PCT_BY_HOUR)
    sizes = [piece.qty for piece in plan("vwap").slices]
    assert len(sizes) == 24
    for size, pct in zip(sizes, VOLUME_PCT_BY_HOUR, strict=True):
        assert abs(float(size) - 1000 * pct / total) < 0.05


def test_vwap_goes_on_over_midnight_and_into_parts_of_hours():
    start_ns = MIDNIGHT + 23 * NS_PER_HOUR + 1_800 * NS_PER_S
    before, after = (piece.qty for piece in plan("vwap", start_ns=start_ns, hours=1, interval_s=1_800).slices)
    assert abs(float(before / after) - VOLUME_PCT_BY_HOUR[23] / VOLUME_PCT_BY_HOUR[0]) < 0.001


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("left_ns", [1, 2, 100, 10_000, NS_PER_S])
def test_what_is_left_in_the_last_moment_is_one_slice(name, left_ns):
    """Also where the moment is too short for a volume of its own."""
    (only,) = plan(name, start_ns=T0, hours=0, more_ns=left_ns, interval_s=60, qty="7.5").slices
    assert (only.start_ns, only.end_ns, only.qty) == (T0, T0 + left_ns, D("7.5"))


@given(
    st.sampled_from(sorted(STRATEGIES)),
    st.integers(0, 10**6),
    st.integers(1, 30),
    st.sampled_from(list(Urgency)),
    st.integers(1, 50_000),
    st.sampled_from([0, 30]),
)
def test_every_shape_is_exact_and_in_order(name, start_s, hours, urgency, steps, spread):
    start_ns = MIDNIGHT + start_s * NS_PER_S
    end_ns = start_ns + hours * NS_PER_HOUR
    params = StrategyParams(interval_s=900, randomize_size_pct=spread, randomize_timing_pct=spread)
    order = parent_order(params=params, order_qty=D("0.001") * steps, deadline_ns=end_ns, urgency=urgency)
    schedule = STRATEGIES[name].plan(
        order=order,
        instrument=instrument(),
        reference_px=D(50_000),
        start_ns=start_ns,
        end_ns=end_ns,
        cum_qty=D(0),
    )
    assert sum(piece.qty for piece in schedule.slices) == D("0.001") * steps
    assert all(piece.qty > 0 for piece in schedule.slices)
    assert schedule.slices[0].start_ns == start_ns
    assert schedule.slices[-1].end_ns == end_ns


def test_the_shapes_stand_for_every_urgency():
    assert set(URGENCY) == set(Urgency)
