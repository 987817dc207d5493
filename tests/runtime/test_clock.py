"""The clock goes forward, whatever happens to the wall clock."""

import time

import pytest

from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.runtime.clock import Clock


def test_it_begins_as_the_wall_clock_and_never_goes_back():
    clock = Clock()
    readings = [clock.now_ns() for _ in range(10_000)]
    assert readings == sorted(readings)
    assert abs(clock.now_ns() - time.time_ns()) < 50 * NS_PER_MS  # noqa: TID251 - the judge


def test_a_given_anchor_is_kept():
    clock = Clock(anchor_ns=5)
    low, now, high = time.monotonic_ns(), clock.now_ns(), time.monotonic_ns()
    assert low <= now - 5 <= high


@pytest.mark.parametrize("step_s", [-3_600, -1, 1, 3_600, -1_700_000_000])
def test_a_step_of_the_wall_clock_changes_nothing(monkeypatch, step_s):
    clock = Clock()
    before, true_ns = clock.now_ns(), time.time_ns  # noqa: TID251 - the judge
    monkeypatch.setattr(time, "time_ns", lambda: true_ns() + step_s * NS_PER_S)
    assert 0 <= clock.now_ns() - before < NS_PER_S
