"""Sums and means in which the past counts less and less: by half in every half-life."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """An exponential mean over time.

    Parameters
    ----------
    observed_ns
        Time that it covers, nanoseconds.
    value
        Zero where it covers none.
    """

    observed_ns: int = 0
    value: float = 0.0


NO_MEAN: Final = Mean()
"""Before anything was taken in."""


def fade(elapsed_ns: int, half_life_ns: int) -> float:
    """Tell what is left of a weight: 2^(-t/h), 0-1; a time below zero is none."""
    return float(2.0 ** (-max(elapsed_ns, 0) / half_life_ns))


def mean_after(mean: Mean, value: float, elapsed_ns: int, half_life_ns: int) -> Mean:
    """Take in a value that was in force for a time.

    m <- m + w (x - m) with w = 1 - 2^(-t/h), but never less than t over all time observed: until a half-life or so is
    covered it is a plain average.
    """
    if elapsed_ns <= 0:
        return mean
    observed_ns = mean.observed_ns + elapsed_ns
    weight = max(1.0 - fade(elapsed_ns, half_life_ns), elapsed_ns / observed_ns)
    return Mean(observed_ns=observed_ns, value=mean.value + weight * (value - mean.value))
