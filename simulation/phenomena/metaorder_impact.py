"""Impact of large orders by their size: the fitted law, whether time matters, and what is left of it afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, log
from statistics import median
from typing import Final

import numpy as np

from impact.estimation.least_squares import fit_linear
from impact.estimation.observed import Observed
from impact.estimation.size_law import SizeLaw, fit_factor, fit_size_law
from impact.estimation.wearing_off import SlowDecay, fit_slow_decay

_BINS: Final = 12
_BIN_MIN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaorderImpact:
    """What a set of orders shows.

    Parameters
    ----------
    law
        Factor Y and exponent delta of I = Y sigma (Q / V)^delta, with standard errors.
    log_r_squared
        Of the logarithm of mean impact on that of size over bins of equal width in it; None where a bin has a mean that
        is not above zero.
    duration_gap
        |Y of the quicker half / Y of the slower half - 1| at the common exponent; None where a half shows no law.
    left_at_two
        Mean impact one duration after the end over mean impact at the end; None where nobody looked.
    decay
        Power law of the wearing off; None where none is in the orders.
    """

    law: SizeLaw
    log_r_squared: float | None
    duration_gap: float | None
    left_at_two: float | None
    decay: SlowDecay | None


def metaorder_impact(orders: Sequence[Observed]) -> MetaorderImpact:
    """Fit the law of impact to orders whose size spans some range.

    Raises
    ------
    ValueError
        Where `fit_size_law` finds no law: too few orders, one size, or an impact that cannot be told from nothing.
    """
    law = fit_size_law(orders)
    return MetaorderImpact(
        law=law,
        log_r_squared=_log_r_squared(orders),
        duration_gap=_duration_gap(orders, law.exponent),
        left_at_two=left_at(orders, 2.0),
        decay=_decay(orders),
    )


def left_at(orders: Sequence[Observed], z: float, tolerance: float = 0.25) -> float | None:
    """Mean impact at z durations after the beginning over mean impact at the end; None where nobody looked then.

    Parameters
    ----------
    z
        Time since the beginning over the duration, > 1.
    tolerance
        How far from z a look may be, in durations.

    Raises
    ------
    ValueError
        If z is not after the end.
    """
    if not z > 1.0:
        raise ValueError(f"an order has not ended at {z:g} durations")
    peaks, moves = [], []
    for one in orders:
        if one.peak is None or not one.days:
            continue
        for since, move in one.after:
            if abs(1.0 + since / one.days - z) <= tolerance:
                peaks.append(one.peak)
                moves.append(move)
                break
    total = fsum(peaks)
    return fsum(moves) / total if total > 0.0 else None


def _log_r_squared(orders: Sequence[Observed]) -> float | None:
    known = [(log(one.size), one.peak) for one in orders if one.peak is not None]
    sizes = np.array([size for size, _ in known])
    impacts = np.array([impact for _, impact in known])
    edges = np.linspace(sizes.min(), sizes.max(), _BINS + 1)
    number = np.clip(np.searchsorted(edges, sizes, side="right") - 1, 0, _BINS - 1)
    counts = np.bincount(number, minlength=_BINS)
    used = counts >= _BIN_MIN
    means = np.bincount(number, weights=impacts, minlength=_BINS)[used] / counts[used]
    centres = np.bincount(number, weights=sizes, minlength=_BINS)[used] / counts[used]
    if len(means) < 3 or bool((means <= 0.0).any()):
        return None
    return fit_linear([[1.0] * len(means), centres.tolist()], np.log(means).tolist()).r_squared


def _duration_gap(orders: Sequence[Observed], exponent: float) -> float | None:
    """Compare quick and slow orders of about one size, so that size does not pass for duration."""
    by_size = sorted(orders, key=lambda one: one.size)
    width = max(2, len(by_size) // _BINS)
    quick: list[Observed] = []
    slow: list[Observed] = []
    for begin in range(0, len(by_size), width):
        group = by_size[begin : begin + width]
        middle = median(one.days for one in group)
        quick += [one for one in group if one.days < middle]
        slow += [one for one in group if one.days > middle]
    try:
        return abs(fit_factor(quick, exponent).factor / fit_factor(slow, exponent).factor - 1.0)
    except ValueError:
        return None


def _decay(orders: Sequence[Observed]) -> SlowDecay | None:
    try:
        return fit_slow_decay(orders)
    except ValueError:
        return None
