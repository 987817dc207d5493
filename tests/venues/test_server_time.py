"""The venue's clock as measured: the quickest answer of the last few counts."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.timeline import NS_PER_MS
from executor.runtime.clock import Clock
from executor.venues.bybit.server_time import ServerTime

MS = NS_PER_MS


def test_unmeasured_it_is_our_clock_aimed_a_little_behind():
    clock = Clock(anchor_ns=10**18)
    lag_ms = (10**18 + time.monotonic_ns()) // MS - ServerTime(clock).now_ms()
    assert 0 <= lag_ms <= 50


def test_the_offset_is_taken_from_the_middle_of_the_round_trip():
    server = ServerTime(Clock())
    server.learn(1_000 * MS, 1_200 * MS, 4_100)
    assert server.offset_ms == 3_000
    assert abs(server.now_ms() - Clock().now_ns() // MS - 2_998) <= 50


def test_the_quickest_of_the_last_eight_counts():
    server = ServerTime(Clock())
    server.learn(0, 10 * MS, 105)
    for _ in range(7):
        server.learn(0, 50 * MS, 399)
    assert server.offset_ms == 100
    server.learn(0, 50 * MS, 399)
    assert server.offset_ms == 374


def test_an_instant_of_the_venue_is_found_on_our_clock():
    server = ServerTime(Clock())
    server.learn(1_000 * MS, 1_200 * MS, 4_100)
    assert server.our_ns(4_100) == 1_100 * MS


@pytest.mark.parametrize("step_ms", [-3_600_000, -900, 900, 3_600_000])
def test_a_step_of_a_clock_is_told_and_what_was_measured_before_is_forgotten(step_ms):
    server = ServerTime(Clock())
    server.learn(0, 2 * MS, 101)
    assert server.learn(0, 40 * MS, 120 + step_ms) == step_ms
    assert server.offset_ms == 100 + step_ms
    assert server.learn(0, 40 * MS, 120 + step_ms) == 0


@pytest.mark.parametrize(("trip_ms", "off_ms"), [(2, 499), (1_000, 990), (4_000, 2_490)])
def test_what_the_round_trip_explains_is_no_step(trip_ms, off_ms):
    server = ServerTime(Clock())
    server.learn(0, 2 * MS, 101)
    assert server.learn(0, trip_ms * MS, 100 + trip_ms // 2 + off_ms) == 0
    assert server.offset_ms in {100, 100 + off_ms}


@given(
    offset_ms=st.integers(-10_000, 10_000),
    trips_ms=st.lists(st.integers(0, 2_000), min_size=1, max_size=20),
    share=st.floats(0, 1),
)
def test_the_error_is_at_most_half_the_quickest_recent_round_trip(offset_ms, trips_ms, share):
    server = ServerTime(Clock())
    for number, trip in enumerate(trips_ms):
        sent = number * 10_000
        assert server.learn(sent * MS, (sent + trip) * MS, sent + int(trip * share) + offset_ms) == 0
    assert abs(server.offset_ms - offset_ms) <= min(trips_ms[-8:]) / 2 + 1
