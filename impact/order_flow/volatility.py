"""Realised volatility over several horizons, one of them unmoved by the bouncing between bid and ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, isfinite, log, sqrt
from typing import Final

_HOUR_NS: Final = 3_600_000_000_000
_PCT: Final = 100.0


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A price at an instant.

    Parameters
    ----------
    at_ns
        UTC.
    px
        > 0.
    """

    at_ns: int
    px: float


def realised_volatility(points: Sequence[PricePoint], step_ns: int) -> float | None:
    """Hourly standard deviation of the log price, per cent, from changes over one horizon.

    100 sqrt(sum r^2 * hour / time), with r the changes of log price between instants that are `step_ns` apart, the
    price at each being the last one at or before it. The drift of so short a time is nothing beside the noise and
    is not taken off. Short steps see the bounce between bid and ask as volatility; `two_scales_volatility` does
    not.

    Parameters
    ----------
    points
        In order of time.
    step_ns
        > 0.

    Returns
    -------
    None where the points span less than one step.

    Raises
    ------
    ValueError
        If time goes back, a price is none, or the step is not above zero.
    """
    _refuse(points, step_ns)
    logs = _sampled(points, step_ns)
    if len(logs) < 2:
        return None
    return _hourly_pct(_squares(logs, 1), (len(logs) - 1) * step_ns)


def two_scales_volatility(points: Sequence[PricePoint], step_ns: int, many: int = 10) -> float | None:
    """Hourly standard deviation of the log price, per cent, free of the noise of single prices.

    The squares over `many` steps, averaged over every place to begin at, less their share of the squares over single
    steps, which are mostly noise:

        ([Y]_K - (m / n) [Y]_1) / (1 - m / n),   m = (n - K + 1) / K

    with n steps and K = `many`: L. Zhang, P. Mykland and Y. Ait-Sahalia, J. American Statistical Association 100
    (2005), eq. 55 and 64. The result is consistent where each price is the true one plus noise of its own.

    Returns
    -------
    None where the points span fewer than 2 K steps, or noise is all there is: then the difference is not above zero.

    Raises
    ------
    ValueError
        As `realised_volatility`, and for fewer than two steps in the longer scale.
    """
    _refuse(points, step_ns)
    if many < 2:
        raise ValueError(f"the longer scale has two steps at least, got {many}")
    logs = _sampled(points, step_ns)
    steps = len(logs) - 1
    if steps < 2 * many:
        return None
    share = (steps - many + 1) / many / steps
    slow = _squares(logs, many) / many
    variance = (slow - share * _squares(logs, 1)) / (1.0 - share)
    return _hourly_pct(variance, steps * step_ns) if variance > 0.0 else None


def _refuse(points: Sequence[PricePoint], step_ns: int) -> None:
    if step_ns <= 0:
        raise ValueError(f"a step of {step_ns} ns")
    if any(not isfinite(point.px) or point.px <= 0.0 for point in points):
        raise ValueError("prices are above zero")
    if any(later.at_ns < one.at_ns for one, later in pairwise(points)):
        raise ValueError("points in order of time are wanted")


def _sampled(points: Sequence[PricePoint], step_ns: int) -> list[float]:
    """Log price at the first instant and every step after it."""
    if not points:
        return []
    logs: list[float] = []
    at_ns = points[0].at_ns
    for one, later in pairwise(points):
        value = log(one.px)
        while at_ns < later.at_ns:
            logs.append(value)
            at_ns += step_ns
    if at_ns == points[-1].at_ns:
        logs.append(log(points[-1].px))
    return logs


def _squares(logs: Sequence[float], apart: int) -> float:
    return fsum((logs[i + apart] - logs[i]) ** 2 for i in range(len(logs) - apart))


def _hourly_pct(variance: float, span_ns: int) -> float:
    return _PCT * sqrt(variance * _HOUR_NS / span_ns)
