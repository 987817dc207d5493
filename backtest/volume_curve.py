"""How the volume of a week spreads over its hours, out of recorded days: means, errors, and how far to trust them.

Of every whole day the share of each hour is taken, so that a busy day does not count for more than a quiet one. With
few days the usual curve is kept in part: a mean of n days counts n, what is usual counts `PSEUDO_DAYS`,

    used = (n mean + PSEUDO_DAYS usual) / (n + PSEUDO_DAYS)

first for the hours of weekdays and of weekends, then, with these as the usual, for each day of the week by itself. How
much one day of the week trades against another is taken from whole weeks in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from executor.domain.volume_curve import HOURS_PER_DAY, HOURS_PER_WEEK, VolumeCurve
from impact.tracking import tracking_error
from strategies.volume_curve import USUAL_CURVE

PSEUDO_DAYS: Final = 10
"""Days that the usual curve counts for; weeks, where whole weeks are counted."""
DAYS_PER_WEEK: Final = 7
WEEKDAYS: Final = range(5)
WEEKEND: Final = range(5, 7)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class DayVolume:
    """What one whole UTC day traded.

    Parameters
    ----------
    hourly_qty
        Volume of each of its 24 hours, base units, >= 0, not all zero.
    """

    day: date
    hourly_qty: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what is no day."""
        volumes = np.asarray(self.hourly_qty, np.float64)
        if volumes.shape != (HOURS_PER_DAY,) or not np.isfinite(volumes).all() or volumes.min() < 0.0:
            raise ValueError(f"{self.day}: a day has 24 volumes, none below zero")
        if not volumes.sum() > 0.0:
            raise ValueError(f"{self.day}: nothing was traded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean with its standard error; the error is None of fewer than two values, the mean None of none."""

    count: int
    mean: float | None
    standard_error: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HourRow:
    """One hour of the day, shares of the day's volume (0-1).

    Parameters
    ----------
    weekday, weekend
        As recorded.
    used_weekday, used_weekend
        As the curve has them: kept to the usual where days are few, before each day of the week goes its own way.
    """

    hour: int
    weekday: Mean
    weekend: Mean
    used_weekday: float
    used_weekend: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRow:
    """One day of the week, volume over that of a mean day of its week.

    Parameters
    ----------
    day
        0 is Monday.
    days
        Whole days of it; `ratio` counts those in whole weeks.
    used
        As the curve has it.
    """

    day: int
    days: int
    ratio: Mean
    used: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """A curve out of recorded days.

    Parameters
    ----------
    shares
        Of the week's volume by hour of the week, Monday 00:00 UTC first; they sum to one.
    standard_errors
        Of `shares`: of the part that was recorded, as far as it counts. None for hours of a day of the week of which
        fewer than two were recorded.
    week_qty
        Volume of a week at the mean level of the days, base units, with the error over days.
    """

    days: int
    first: date
    last: date
    shares: tuple[float, ...]
    standard_errors: tuple[float | None, ...]
    week_qty: Mean
    hours: tuple[HourRow, ...]
    week: tuple[DayRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """Tracking error of an order over a whole day, by what it went by; per cent of the order, means over days.

    Parameters
    ----------
    estimated
        By a curve from all the other days.
    """

    flat: Mean
    usual: Mean
    estimated: Mean


def estimate(days: Sequence[DayVolume], usual: VolumeCurve = USUAL_CURVE) -> Estimated:
    """Estimate a curve.

    Raises
    ------
    ValueError
        If there is no day, or one twice.
    """
    if not days or len({one.day for one in days}) < len(days):
        raise ValueError("one day at least is needed, each once")
    ordered = sorted(days)
    volumes = np.array([one.hourly_qty for one in ordered], np.float64)
    of_week = np.array([one.day.weekday() for one in ordered])
    shares = volumes / volumes.sum(axis=1, keepdims=True)
    prior, prior_days = _usual(usual)
    kinds = {place: _kind(shares, of_week, place, prior) for place in (WEEKDAYS, WEEKEND)}
    ratios = _ratios(ordered, volumes.sum(axis=1))
    by_day = np.empty((DAYS_PER_WEEK, HOURS_PER_DAY))
    errors = np.full((DAYS_PER_WEEK, HOURS_PER_DAY), np.nan)
    used_days = np.empty(DAYS_PER_WEEK)
    for day in range(DAYS_PER_WEEK):
        own = shares[of_week == day]
        by_day[day] = _kept(own, kinds[WEEKDAYS if day in WEEKDAYS else WEEKEND])
        if len(own) > 1:
            trust = len(own) / (len(own) + PSEUDO_DAYS)
            errors[day] = trust * own.std(axis=0, ddof=1) / sqrt(len(own))
        used_days[day] = _kept(ratios[:, day : day + 1], prior_days[day : day + 1])[0]
    weights = by_day * (used_days / used_days.sum())[:, None]
    levels = volumes.sum(axis=1) / weights.sum(axis=1)[of_week]
    return Estimated(
        days=len(ordered),
        first=ordered[0].day,
        last=ordered[-1].day,
        shares=tuple(weights.ravel().tolist()),
        standard_errors=tuple(
            None if np.isnan(error) else float(error)
            for error in (errors * (used_days / used_days.sum())[:, None]).ravel()
        ),
        week_qty=mean_of(levels),
        hours=tuple(
            HourRow(
                hour=hour,
                weekday=mean_of(shares[of_week < WEEKEND.start, hour]),
                weekend=mean_of(shares[of_week >= WEEKEND.start, hour]),
                used_weekday=float(kinds[WEEKDAYS][hour]),
                used_weekend=float(kinds[WEEKEND][hour]),
            )
            for hour in range(HOURS_PER_DAY)
        ),
        week=tuple(
            DayRow(
                day=day,
                days=int((of_week == day).sum()),
                ratio=mean_of(ratios[:, day]),
                used=float(used_days[day] * DAYS_PER_WEEK / used_days.sum()),
            )
            for day in range(DAYS_PER_WEEK)
        ),
    )


def tracked(days: Sequence[DayVolume], usual: VolumeCurve = USUAL_CURVE) -> Tracked:
    """Say how well an order over a whole day tracks its volume: evenly, by the usual curve, by one from other days.

    With a single day there are no other ones: `estimated` counts none then.
    """
    even = [1.0] * HOURS_PER_DAY
    flat, by_usual, by_other = [], [], []
    for number, one in enumerate(days):
        flat.append(tracking_error(even, one.hourly_qty).mean_pct)
        by_usual.append(tracking_error(_of_day(usual.weights_ppm, one.day), one.hourly_qty).mean_pct)
        others = [*days[:number], *days[number + 1 :]]
        if others:
            shares = estimate(others, usual).shares
            by_other.append(tracking_error(_of_day(shares, one.day), one.hourly_qty).mean_pct)
    return Tracked(flat=mean_of(flat), usual=mean_of(by_usual), estimated=mean_of(by_other))


def mean_of(values: Sequence[float] | Floats) -> Mean:
    """Mean and standard error of some values."""
    array = np.asarray(values, np.float64)
    count = len(array)
    return Mean(
        count=count,
        mean=float(array.mean()) if count else None,
        standard_error=float(array.std(ddof=1) / sqrt(count)) if count > 1 else None,
    )


def _of_day(shares: Sequence[float], day: date) -> Sequence[float]:
    begin = day.weekday() * HOURS_PER_DAY
    return shares[begin : begin + HOURS_PER_DAY]


def _usual(curve: VolumeCurve) -> tuple[Floats, Floats]:
    """Shares of each day's volume by hour, and volume of each day over that of a mean one, as a curve has them."""
    table = np.array(curve.weights_ppm, np.float64).reshape(DAYS_PER_WEEK, HOURS_PER_DAY)
    of_days = table.sum(axis=1)
    return table / of_days[:, None], of_days * DAYS_PER_WEEK / of_days.sum()


def _kind(shares: Floats, of_week: NDArray[np.int64], days: range, prior: Floats) -> Floats:
    """Shares by hour of weekdays, or of the days of the weekend."""
    own = shares[(of_week >= days.start) & (of_week < days.stop)]
    return _kept(own, prior[days.start : days.stop].mean(axis=0))


def _kept(own: Floats, prior: Floats) -> Floats:
    """Mean of the rows, kept to what is usual where there are few."""
    total: Floats = own.sum(axis=0) + PSEUDO_DAYS * prior
    return total / (len(own) + PSEUDO_DAYS)


def _ratios(days: Sequence[DayVolume], volumes: Floats) -> Floats:
    """Volume of each day of the week over that of a mean day, a row for each week that is whole, Monday to Sunday."""
    by_day = {one.day: volume for one, volume in zip(days, volumes.tolist(), strict=True)}
    rows = []
    for monday in (day for day in by_day if day.weekday() == 0):
        week = [by_day.get(monday + timedelta(days=number)) for number in range(DAYS_PER_WEEK)]
        whole = [volume for volume in week if volume is not None]
        if len(whole) == DAYS_PER_WEEK:
            rows.append(np.array(whole) * DAYS_PER_WEEK / sum(whole))
    return np.array(rows).reshape(-1, DAYS_PER_WEEK)


assert HOURS_PER_WEEK == DAYS_PER_WEEK * HOURS_PER_DAY
