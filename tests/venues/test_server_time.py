"""The venue's clock as measured: the quickest answer of the last few counts."""

import time

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
        server.learn(0, 50 * MS, 999)
    assert server.offset_ms == 100
    server.learn(0, 50 * MS, 999)
    assert server.offset_ms == 974


@given(
    offset_ms=st.integers(-10_000, 10_000),
    trips_ms=st.lists(st.integers(0, 2_000), min_size=1, max_size=20),
    share=st.floats(0, 1),
)
def test_the_error_is_at_most_half_the_quickest_recent_round_trip(offset_ms, trips_ms, share):
    server = ServerTime(Clock())
    for number, trip in enumerate(trips_ms):
        sent = number * 10_000
        server.learn(sent * MS, (sent + trip) * MS, sent + int(trip * share) + offset_ms)
    assert abs(server.offset_ms - offset_ms) <= min(trips_ms[-8:]) / 2 + 1
