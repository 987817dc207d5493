"""Curves of the week's volume: what is none is refused, and what is expected between two instants adds up."""

from math import isclose, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.timeline import NS_PER_HOUR, NS_PER_S
from executor.domain.volume_curve import (
    HOURS_PER_WEEK,
    SESSION_HOURS,
    WHOLE_PPM,
    Session,
    SessionWeights,
    VolumeCurve,
)
from strategies.volume_curve import (
    USUAL_CURVE,
    VOLUME_PCT_BY_HOUR,
    WEEKEND_RATIO,
    Expected,
    whole_ppm,
)
from tests.builders import T0, D

MONDAY = 1_700_438_400 * NS_PER_S
"""Monday, 20 November 2023, 00:00 UTC."""
DAY = 24 * NS_PER_HOUR
FLAT = VolumeCurve(name="flat", weights_ppm=whole_ppm([1.0] * HOURS_PER_WEEK))


def curve(**over):
    return VolumeCurve(**{"name": "some", "weights_ppm": FLAT.weights_ppm, **over})


def peaked(hour, ppm):
    rest = (WHOLE_PPM - ppm) // (HOURS_PER_WEEK - 1)
    weights = [rest] * HOURS_PER_WEEK
    weights[hour] = WHOLE_PPM - rest * (HOURS_PER_WEEK - 1)
    return tuple(weights)


@pytest.mark.parametrize(
    ("over", "why"),
    [
        ({"weights_ppm": FLAT.weights_ppm[1:]}, "168 hours"),
        ({"weights_ppm": (0, *FLAT.weights_ppm[1:])}, "hour 0"),
        ({"weights_ppm": (-5, *FLAT.weights_ppm[1:])}, "hour 0"),
        ({"weights_ppm": (nan, *FLAT.weights_ppm[1:])}, "hour 0"),
        ({"weights_ppm": (5_000.0, *FLAT.weights_ppm[1:])}, "hour 0"),
        ({"weights_ppm": (True, *FLAT.weights_ppm[1:])}, "hour 0"),
        ({"weights_ppm": (FLAT.weights_ppm[0] + 1, *FLAT.weights_ppm[1:])}, "sum to 1000000"),
        ({"name": ""}, "name"),
        ({"name": "../secret"}, "name"),
        ({"name": "a" * 41}, "name"),
        ({"week_qty": D(0)}, "above 0"),
        ({"week_qty": D("NaN")}, "above 0"),
        ({"week_qty": D("Infinity")}, "above 0"),
    ],
)
def test_what_is_no_curve_is_refused(over, why):
    with pytest.raises(ValueError, match=why):
        curve(**over)


@pytest.mark.parametrize("weight", ["0", "0.09", "10.1", "-1", "NaN", "Infinity"])
def test_a_session_weight_that_means_nothing_is_refused(weight):
    with pytest.raises(ValueError, match="weight of session us"):
        SessionWeights(us=D(weight))


def test_the_hours_of_a_day_have_the_mean_weight_of_the_sessions_that_are_open():
    weights = SessionWeights(asia=D(1), europe=D(2), us=D(4))
    assert [weights.at_hour(hour) for hour in (0, 6, 7, 8, 12, 13, 15, 16, 20, 21, 23)] == [
        D(1), D(1), D("1.5"), D(2), D(2), D(3), D(3), D(4), D(4), D(1), D(1),
    ]  # fmt: skip
    assert all(SessionWeights().at_hour(hour) == 1 for hour in range(24))
    assert {hour for hours in SESSION_HOURS.values() for hour in hours} == set(range(21))


def test_the_usual_curve_is_the_table_of_the_hours_with_quiet_weekends():
    weekday, weekend = USUAL_CURVE.weights_ppm[:24], USUAL_CURVE.weights_ppm[-24:]
    for ppm, quiet_ppm, pct in zip(weekday, weekend, VOLUME_PCT_BY_HOUR, strict=True):
        assert abs(ppm / sum(weekday) - pct / sum(VOLUME_PCT_BY_HOUR)) < 1e-5
        assert abs(quiet_ppm / ppm - WEEKEND_RATIO) < 1e-3
    assert USUAL_CURVE.week_qty is None


def test_the_week_begins_on_monday():
    expected = Expected(curve(weights_ppm=peaked(0, 500_000)))
    assert isclose(expected.between(MONDAY, MONDAY + NS_PER_HOUR), 0.5, rel_tol=1e-3)
    assert expected.between(MONDAY - NS_PER_HOUR, MONDAY) < 0.01
    thursday = Expected(curve(weights_ppm=peaked(3 * 24, 500_000)))
    assert isclose(thursday.between(0, NS_PER_HOUR), 0.5, rel_tol=1e-3), "1 January 1970"
    expected = Expected(curve(weights_ppm=peaked(50, 500_000)))
    hour_ns = MONDAY + 50 * NS_PER_HOUR
    assert isclose(expected.between(hour_ns, hour_ns + NS_PER_HOUR), 0.5, rel_tol=1e-3)
    assert isclose(expected.between(hour_ns, hour_ns + NS_PER_HOUR // 4), 0.125, rel_tol=1e-3)


@given(st.integers(0, 10**9), st.integers(1, 10**6), st.integers(1, 10**6))
def test_expected_volume_adds_up(start_s, first_s, second_s):
    expected = Expected(USUAL_CURVE, SessionWeights(us=D(3)))
    start_ns, mid_ns = start_s * NS_PER_S, (start_s + first_s) * NS_PER_S
    end_ns = mid_ns + second_s * NS_PER_S
    whole = expected.between(start_ns, end_ns)
    assert isclose(expected.between(start_ns, mid_ns) + expected.between(mid_ns, end_ns), whole, rel_tol=1e-9)
    assert whole > 0.0
    assert isclose(expected.between(start_ns + 7 * DAY, end_ns + 7 * DAY), whole, rel_tol=1e-6)


def test_a_week_holds_the_whole_curve():
    assert isclose(Expected(USUAL_CURVE).between(T0, T0 + 7 * DAY), 1.0, rel_tol=1e-12)
    one = Expected(FLAT, SessionWeights(asia=D(2)))
    assert isclose(one.between(MONDAY, MONDAY + NS_PER_HOUR), 2 / HOURS_PER_WEEK, rel_tol=1e-3)


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=300))
def test_shares_in_parts_per_million_are_whole_positive_and_sum_exactly(shares):
    parts = whole_ppm(shares)
    assert sum(parts) == WHOLE_PPM
    assert min(parts) >= 1
    whole = sum(shares)
    assert all(
        abs(part - WHOLE_PPM * share / whole) <= 2 + len(shares) * share / whole
        for part, share in zip(parts, shares, strict=True)
    )


@pytest.mark.parametrize("shares", [[], [1.0, 0.0], [1.0, -1.0], [1.0, nan], [1.0, float("inf")]])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ValueError, match="positive"):
        whole_ppm(shares)


def test_session_names_are_those_that_people_write():
    assert [session.value for session in Session] == ["asia", "europe", "us"]
