"""Figures of a series: tails, autocorrelation and how slowly it fades, crowding of events."""

from typing import Final

import numpy as np

from simulation.phenomena.trace import Floats, Ints

_FADING_LAGS: Final = 25
_POSITIVE_SHARE: Final = 0.75
"""An exponent is told where so many of the lags have an autocorrelation above zero."""
_TAIL_MIN: Final = 10


def excess_kurtosis(values: Floats) -> float | None:
    """Fourth central moment over the squared variance, less 3; None where nothing varies."""
    centred = values - values.mean()
    variance = float((centred * centred).mean()) if len(values) else 0.0
    return float((centred**4).mean()) / variance**2 - 3.0 if variance > 0.0 else None


def added_up(values: Floats, steps: int) -> Floats:
    """Sums over whole groups of `steps` neighbours."""
    whole = len(values) // steps * steps
    return np.asarray(values[:whole].reshape(-1, steps).sum(axis=1), dtype=np.float64)


def hill(values: Floats, share: float) -> float | None:
    """Tail index of |values| from the largest share of them that are not zero; None where they are fewer than ten.

    1 / mean of log(x_i / x_k) over the k largest: B. Hill, Annals of Statistics 3 (1975). An index of 3 is a tail that
    falls as x^-3.

    Parameters
    ----------
    share
        Of the values that are not zero, 0-1.

    Raises
    ------
    ValueError
        If the share is none.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"a share of {share:g} is no tail")
    sizes = np.sort(np.abs(values[values != 0.0]))[::-1]
    count = int(len(sizes) * share)
    if count < _TAIL_MIN:
        return None
    mean = float(np.log(sizes[:count] / sizes[count]).mean())
    return 1.0 / mean if mean > 0.0 else None


def autocorrelations(values: Floats, lag_max: int) -> Floats | None:
    """Autocorrelation at lags 0 to `lag_max`, each sum weighed by its number of terms; None where nothing varies.

    Raises
    ------
    ValueError
        If the series is not longer than the longest lag.
    """
    count = len(values)
    if not 0 < lag_max < count:
        raise ValueError(f"no lag of {lag_max} in {count} values")
    centred = values - values.mean()
    if not bool((centred != 0.0).any()):
        return None
    size = 1 << (2 * count - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    sums = np.fft.irfft(spectrum * spectrum.conj(), size)[: lag_max + 1]
    return np.asarray(sums / sums[0] * count / (count - np.arange(lag_max + 1)), dtype=np.float64)


def fading_exponent(correlations: Floats, first: int, last: int) -> float | None:
    """Exponent g of an autocorrelation that fades as lag^-g: slope of the logarithms over lags spread evenly in them.

    Lags at which it is not above zero are left out; None where they are more than a quarter: then nothing lasts.

    Parameters
    ----------
    correlations
        From lag 0 on.
    first, last
        Lags of the fit, 1 <= first < last.

    Raises
    ------
    ValueError
        If the correlations end before the last lag.
    """
    if not 1 <= first < last < len(correlations):
        raise ValueError(f"no lags {first} to {last} among {len(correlations)}")
    lags: Ints = np.unique(np.logspace(np.log10(first), np.log10(last), _FADING_LAGS).astype(np.int64))
    lags = lags[(lags >= first) & (lags <= last)]
    positive = correlations[lags] > 0.0
    if int(positive.sum()) < max(3, _POSITIVE_SHARE * len(lags)):
        return None
    slope = np.polyfit(np.log(lags[positive]), np.log(correlations[lags[positive]]), 1)[0]
    return -float(slope)


def fano(times_ns: Ints, window_ns: int) -> float | None:
    """Variance over mean of the number of events in windows of equal length: 1 where they come independently.

    None where they fill fewer than two windows.

    Raises
    ------
    ValueError
        If the window has no length.
    """
    if window_ns <= 0:
        raise ValueError(f"a window of {window_ns} ns")
    if not len(times_ns):
        return None
    number = (times_ns - times_ns[0]) // window_ns
    windows = int(number[-1])  # the last one is not whole
    if windows < 2:
        return None
    counts = np.bincount(number[number < windows], minlength=windows)
    return float(counts.var() / counts.mean())
