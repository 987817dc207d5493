"""Expected volume between two instants, by a curve of the week and by how much an order wants of each session."""

from collections.abc import Sequence
from itertools import accumulate
from math import fsum, isfinite
from typing import Final

from executor.domain.timeline import NS_PER_HOUR
from executor.domain.volume_curve import (
    HOURS_PER_DAY,
    HOURS_PER_WEEK,
    WHOLE_PPM,
    SessionWeights,
    VolumeCurve,
)

VOLUME_PCT_BY_HOUR: Final = (
    3.73, 3.83, 3.61, 3.13, 2.97, 2.80, 2.99, 3.41, 3.44, 3.30, 3.16, 3.32,
    3.89, 5.75, 7.52, 7.73, 5.96, 5.32, 4.48, 4.33, 4.62, 3.58, 3.46, 3.67,
)  # fmt: skip
"""Mean share of the day's volume by UTC hour 0 to 23, per cent: BTCUSDT spot, November 2024 to November 2025.

Asia trades least, the opening of the United States most. A static curve brings the tracking error of a whole day's
VWAP down by a tenth or less against an even schedule; more is not to be expected of it.
"""

WEEKEND_RATIO: Final = 0.485
"""Volume of a day of the weekend over that of a weekday; the same market and time."""

_EPOCH_HOUR: Final = 3 * HOURS_PER_DAY
"""Hour of the week at which the epoch began: a Thursday."""
_WEEKDAYS: Final = 5


def whole_ppm(shares: Sequence[float]) -> tuple[int, ...]:
    """Write shares as whole parts per million that sum to a million; none becomes nothing (largest remainders).

    Parameters
    ----------
    shares
        Any positive unit.

    Raises
    ------
    ValueError
        If one is not a positive number.
    """
    if not shares or not all(isfinite(share) and share > 0.0 for share in shares):
        raise ValueError("shares of volume must be positive numbers")
    room = WHOLE_PPM - len(shares)
    total = fsum(shares)
    ideals = [room * (share / total) for share in shares]
    floors = [int(ideal) for ideal in ideals]
    by_rest = sorted(range(len(shares)), key=lambda place: (floors[place] - ideals[place], place))
    rounded_up = set(by_rest[: room - sum(floors)])
    return tuple(1 + floor + (place in rounded_up) for place, floor in enumerate(floors))


USUAL_CURVE: Final = VolumeCurve(
    name="usual",
    weights_ppm=whole_ppm(
        [
            share * (1.0 if day < _WEEKDAYS else WEEKEND_RATIO)
            for day in range(HOURS_PER_WEEK // HOURS_PER_DAY)
            for share in VOLUME_PCT_BY_HOUR
        ]
    ),
)
"""What an order that names no curve follows."""


class Expected:
    """Volume that a curve expects, weighed by session; in shares of the unweighed week.

    Within an hour it grows evenly.
    """

    __slots__ = ("_by_hour", "_upto", "_week")

    def __init__(self, curve: VolumeCurve, sessions: SessionWeights | None = None) -> None:
        by_hour = [weight / WHOLE_PPM for weight in curve.weights_ppm]
        if sessions is not None:
            of_hour = [float(sessions.at_hour(hour)) for hour in range(HOURS_PER_DAY)]
            by_hour = [share * of_hour[hour % HOURS_PER_DAY] for hour, share in enumerate(by_hour)]
        self._by_hour = by_hour
        self._upto = (0.0, *accumulate(by_hour))
        self._week = self._upto[-1]

    def between(self, start_ns: int, end_ns: int) -> float:
        """Volume expected between two instants, UTC nanoseconds."""
        weeks, from_hour, from_rest = _place(start_ns)
        later, to_hour, to_rest = _place(end_ns)
        whole = (later - weeks) * self._week + self._upto[to_hour] - self._upto[from_hour]
        return whole + self._by_hour[to_hour] * to_rest - self._by_hour[from_hour] * from_rest


def _place(at_ns: int) -> tuple[int, int, float]:
    """Week, hour of the week and share of the hour gone, of an instant."""
    hours, rest_ns = divmod(at_ns, NS_PER_HOUR)
    weeks, hour = divmod(hours + _EPOCH_HOUR, HOURS_PER_WEEK)
    return weeks, hour, rest_ns / NS_PER_HOUR
