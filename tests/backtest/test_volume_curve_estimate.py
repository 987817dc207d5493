"""Curves out of days: a known pattern is found within its errors, and few days keep to the usual curve."""

from datetime import date, timedelta
from math import isclose, nan
from random import Random

import pytest

from backtest.dataset.gather import Stream
from backtest.dataset.hourly import hourly_days
from backtest.dataset.importers.protocol import Options
from backtest.dataset.intake import Intake
from backtest.volume_curve import PSEUDO_DAYS, DayVolume, estimate, mean_of, tracked
from executor.domain.volume_curve import HOURS_PER_WEEK, WHOLE_PPM
from strategies.volume_curve import USUAL_CURVE, VOLUME_PCT_BY_HOUR, whole_ppm
from tests.dataset.recordings import ROOT, files_of

MONDAY = date(2024, 1, 1)
USUAL_DAY = [pct / sum(VOLUME_PCT_BY_HOUR) for pct in VOLUME_PCT_BY_HOUR]


def day(number, hourly):
    return DayVolume(day=MONDAY + timedelta(days=number), hourly_qty=tuple(hourly))


def pattern(number, hour):
    """Volume of an hour: a peak at eight on weekdays and at twenty on weekends, which trade a third."""
    weekend = number % 7 >= 5
    return (1 / 3 if weekend else 1.0) * (9.0 if hour == (20 if weekend else 8) else 1.0)


def noisy(days, seed=1):
    rng = Random(seed)
    return [
        day(number, [1_000 * pattern(number, hour) * rng.lognormvariate(0, 0.5) for hour in range(24)])
        for number in range(days)
    ]


def test_a_pattern_is_found_within_its_errors():
    made = estimate(noisy(364))
    weekday = [pattern(0, hour) for hour in range(24)]
    for row in made.hours:
        true = weekday[row.hour] / sum(weekday)
        assert abs(row.weekday.mean - true) < 4 * row.weekday.standard_error + 0.03 * true
        assert abs(row.used_weekday - row.weekday.mean) < 0.05 * max(row.weekday.mean, 0.05)
    assert [row.days for row in made.week] == [52] * 7
    assert [row.ratio.count for row in made.week] == [52] * 7
    for row in made.week:
        assert isclose(row.ratio.mean, 21 / 17 if row.day < 5 else 7 / 17, rel_tol=0.05)
    true_week = 1_000 * 1.133 * sum(pattern(number, hour) for number in range(7) for hour in range(24))
    assert abs(made.week_qty.mean - true_week) < 4 * made.week_qty.standard_error + 0.02 * true_week
    peak = max(range(HOURS_PER_WEEK), key=made.shares.__getitem__)
    assert peak % 24 == 8
    assert made.standard_errors[peak] > 0
    parts = whole_ppm(made.shares)
    assert sum(parts) == WHOLE_PPM
    assert isclose(sum(made.shares), 1.0, rel_tol=1e-12)


def test_with_one_day_nearly_all_of_the_usual_curve_is_kept():
    strange = [1.0] * 23 + [977.0]
    made = estimate([day(0, strange)])
    for row, usual in zip(made.hours, USUAL_DAY, strict=True):
        own = strange[row.hour] / 1_000
        assert isclose(row.used_weekday, (own + PSEUDO_DAYS * usual) / (1 + PSEUDO_DAYS), rel_tol=1e-3)
        assert isclose(row.used_weekend, usual, rel_tol=1e-3), "a Monday says nothing of weekends"
        assert row.weekday.standard_error is None
        assert row.weekend.mean is None
    used = [row.used for row in made.week]
    assert isclose(used[0], used[4], rel_tol=1e-3)
    assert isclose(used[5] / used[0], 0.485, rel_tol=1e-3)
    assert set(made.standard_errors) == {None}
    assert made.week_qty.count == 1


def test_days_of_the_usual_curve_give_the_usual_curve():
    made = estimate([day(n, [share * (0.485 if n % 7 > 4 else 1) for share in USUAL_DAY]) for n in range(14)])
    for share, weight in zip(made.shares, USUAL_CURVE.weights_ppm, strict=True):
        assert isclose(share, weight / WHOLE_PPM, rel_tol=2e-3)
    assert isclose(made.week_qty.mean, 5 + 2 * 0.485, rel_tol=1e-3)
    assert tracked([day(n, USUAL_DAY) for n in range(3)]).usual.mean < 0.01


def test_a_busy_day_counts_no_more_than_a_quiet_one_for_the_hours():
    quiet, busy = [1.0] * 24, [100.0 if hour < 12 else 300.0 for hour in range(24)]
    made = estimate([day(0, quiet), day(1, busy)])
    assert isclose(made.hours[0].weekday.mean, (1 / 24 + 1 / 48) / 2)
    assert isclose(made.hours[0].weekday.standard_error, 1 / 48 / 2)


def test_a_curve_is_judged_on_days_that_it_does_not_know():
    days = noisy(70)
    check = tracked(days)
    assert check.flat.count == check.usual.count == check.estimated.count == 70
    assert check.estimated.mean < 0.5 * check.flat.mean
    alone = tracked(days[:1])
    assert (alone.estimated.count, alone.estimated.mean) == (0, None)
    assert alone.flat.mean > 0


@pytest.mark.parametrize(
    "hourly", [[1.0] * 23, [1.0] * 25, [0.0] * 24, [-1.0] + [1.0] * 23, [nan] + [1.0] * 23]
)
def test_what_is_no_day_is_refused(hourly):
    with pytest.raises(ValueError, match="2024-01-01"):
        day(0, hourly)


def test_no_day_and_a_day_twice_are_refused():
    for days in ([], [day(0, USUAL_DAY), day(0, USUAL_DAY)]):
        with pytest.raises(ValueError, match="one day at least"):
            estimate(days)


def test_a_mean_of_few():
    assert (mean_of([]).mean, mean_of([]).standard_error) == (None, None)
    assert (mean_of([3.0]).mean, mean_of([3.0]).standard_error) == (3.0, None)
    assert isclose(mean_of([1.0, 3.0]).standard_error, 1.0)


@pytest.mark.skipif(not ROOT, reason="EXECUTOR_REAL_DATA names no recordings")
def test_a_recorded_day_tracked_evenly_and_by_the_usual_curve(tmp_path):
    """1INCHUSDT on Bybit's spot market, 19 May 2025: one day of a small coin, of which Asia traded most.

    There the usual curve, that of Bitcoin, tracks worse than an even schedule. One day proves nothing of either.
    """
    path = next(one for one in files_of("trades spot", tmp_path) if one.name.startswith("1INCH"))
    Intake(tmp_path / "store", Options(category="spot", symbol="1INCHUSDT")).run([path])
    (only,) = hourly_days(
        tmp_path / "store", Stream("bybit", "spot", "1INCHUSDT"), lambda _done, _whole: None
    )
    assert only.day == date(2025, 5, 19)
    volumes = [DayVolume(day=only.day, hourly_qty=only.hourly_qty)]
    check = tracked(volumes)
    assert isclose(check.flat.mean, 4.69, abs_tol=0.005)
    assert isclose(check.usual.mean, 9.16, abs_tol=0.005)
    assert max(estimate(volumes).hours, key=lambda row: row.weekday.mean).hour == 5
