"""Running estimates against paths of which the answer is known."""

from math import exp, inf, nan, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.timeline import NS_PER_MS, NS_PER_S
from risk.circuit import Estimates, observe, to_decimal, volatility_hourly_pct
from tests.builders import T0, D

NOTHING = Estimates()


def watch(mids, *, dt_ns=NS_PER_S, volume=float, start=NOTHING, at_ns=T0):
    estimates = start
    for number, mid in enumerate(mids):
        estimates = observe(estimates, at_ns + number * dt_ns, mid, volume(number))
    return estimates


def test_first_snapshot_is_only_a_beginning():
    first = watch([50.0])
    assert (first.observed_ns, first.variance_per_s, first.volume_per_s) == (0, 0.0, 0.0)
    assert (first.sample_ns, first.mean_mid_px) == (T0, 50.0)


def test_between_two_samples_nothing_changes():
    first = watch([50.0])
    assert observe(first, T0 + 999 * NS_PER_MS, 99.0, 5.0) is first
    assert observe(first, T0 - NS_PER_S, 99.0, 5.0) is first
    assert observe(first, T0 + NS_PER_S, 51.0, 5.0).sample_mid_px == 51.0


@pytest.mark.parametrize("dt_s", [1, 2, 7])
def test_constant_return_has_the_closed_form(dt_s):
    """With a log return r every dt the variance per second is r^2 / dt, whatever the weights are."""
    r = 1e-4
    mids = [100.0 * exp(r * number) for number in range(200)]
    estimates = watch(mids, dt_ns=dt_s * NS_PER_S)
    assert estimates.variance_per_s == pytest.approx(r * r / dt_s, rel=1e-6)
    assert volatility_hourly_pct(estimates) == pytest.approx(100 * r * sqrt(3600 / dt_s), rel=1e-6)


def test_still_market_has_no_volatility():
    estimates = watch([100.0] * 50, volume=lambda number: 3.0)
    assert volatility_hourly_pct(estimates) == 0.0
    assert estimates.volume_per_s == 0.0
    assert estimates.mean_mid_px == 100.0


@pytest.mark.parametrize("hourly_pct", [0.5, 5.0])
def test_volatility_of_brownian_motion_is_recovered(hourly_pct):
    """Averaged over a quarter of an hour of readings; the standard error of the estimate is about 2 per cent."""
    random = Random(1)
    per_second = hourly_pct / 100 / 60
    mid, estimates, readings = 100.0, Estimates(), []
    for second in range(6_000):
        estimates = observe(estimates, T0 + second * NS_PER_S, mid, 0.0)
        mid *= exp(per_second * random.gauss(0, 1))
        if second % 10 == 0 and second > 600:
            readings.append(volatility_hourly_pct(estimates) ** 2)
    assert sqrt(sum(readings) / len(readings)) == pytest.approx(hourly_pct, rel=0.05)


def test_first_minutes_are_a_plain_average():
    random = Random(2)
    mids = [100 + random.uniform(-1, 1) for _ in range(300)]
    traded = [number**1.1 for number in range(300)]
    estimates = watch(mids, volume=lambda number: traded[number])
    assert estimates.mean_mid_px == pytest.approx(sum(mids[1:]) / 299, rel=1e-12)
    assert estimates.volume_per_s == pytest.approx(traded[-1] / 299, rel=1e-12)
    assert estimates.observed_ns == 299 * NS_PER_S


def test_weight_of_the_past_halves_in_five_minutes():
    """After long observation a step of the mid is half taken in after 300 s, three quarters after 600 s."""
    old = watch([100.0] * 3_000)
    at_ns = old.sample_ns + NS_PER_S
    after_300 = watch([200.0] * 300, start=old, at_ns=at_ns)
    after_600 = watch([200.0] * 600, start=old, at_ns=at_ns)
    assert after_300.mean_mid_px == pytest.approx(150.0, rel=1e-6)
    assert after_600.mean_mid_px == pytest.approx(175.0, rel=1e-6)
    in_one_step = observe(old, old.sample_ns + 300 * NS_PER_S, 200.0, 3_000.0)
    assert in_one_step.mean_mid_px == pytest.approx(150.0, rel=1e-6)


def test_volume_rate_is_per_second_for_any_sampling():
    assert watch([1.0] * 100, volume=lambda n: 7.0 * n).volume_per_s == pytest.approx(7.0)
    assert watch([1.0] * 100, volume=lambda n: 7.0 * n, dt_ns=2 * NS_PER_S).volume_per_s == pytest.approx(3.5)


@given(
    st.lists(
        st.tuples(st.integers(1, 10**12), st.floats(0.01, 1e6), st.floats(0, 1e6)), min_size=1, max_size=30
    )
)
def test_estimates_stay_within_what_was_seen(steps):
    estimates, at_ns, traded, mids, rates = Estimates(), T0, 0.0, [], []
    for elapsed_ns, mid, more in steps:
        before = estimates
        at_ns += elapsed_ns
        traded += more
        estimates = observe(estimates, at_ns, mid, traded)
        if before.sample_ns and estimates is not before:
            rates.append((traded - before.sample_traded_qty) * NS_PER_S / (at_ns - before.sample_ns))
        if estimates is not before:
            mids.append(mid)
    assert min(mids) * (1 - 1e-9) <= estimates.mean_mid_px <= max(mids) * (1 + 1e-9)
    assert 0 <= estimates.volume_per_s <= max(rates, default=0.0) * (1 + 1e-9) + 1e-9
    assert estimates.variance_per_s >= 0


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_only_finite_statistics_reach_the_gate(value):
    assert to_decimal(value) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_statistic_is_written_as_it_prints(value):
    brought = to_decimal(value)
    assert brought is not None
    assert brought == D(repr(value))
