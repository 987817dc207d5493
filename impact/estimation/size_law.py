"""How the impact of an order grows with its size: factor and exponent of I = Y sigma (Q / V)^delta.

The noise of one order is many times its impact, so half of all impacts are below zero. They are kept: orders are put
into bins of equal number by size, and the curve is fitted to the means of the bins. To take logarithms of the impacts
instead would drop the negative ones, and with them the noise of one sign: the factor comes out more than twice too
large.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from operator import itemgetter
from typing import Final

from impact.estimation.observed import Observed
from impact.estimation.separable import fit_separable

EXPONENT_BOUNDS: Final = (0.02, 1.6)
BINS_USUAL: Final = 24
BIN_ORDERS_MIN: Final = 10
"""Orders in a bin, so that the spread of their mean is known."""
_BINS_MIN: Final = 5
_SPAN_MIN: Final = 2.0
_Z_MIN: Final = 3.0
MISFIT_MAX: Final = 4.0
"""A law that is off by two errors of the means, root mean square over the bins, is another law."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Orders of about one size.

    Parameters
    ----------
    size
        Mean of quantity over daily volume.
    mean, mean_error
        Of their impact, daily standard deviations, and its standard error.
    count
        How many they are.
    """

    size: float
    mean: float
    mean_error: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeLaw:
    """The fitted law.

    Parameters
    ----------
    factor, factor_error
        Y, and its standard error.
    exponent, exponent_error
        delta, and its standard error.
    misfit
        Weighted squares over degrees of freedom: near 1 where the law fits.
    bins
        What it was fitted to.
    """

    factor: float
    factor_error: float
    exponent: float
    exponent_error: float
    misfit: float
    bins: tuple[Bin, ...]

    def peak(self, size: float) -> float:
        """Peak impact of an order, daily standard deviations; `size` is its quantity over daily volume."""
        return self.factor * float(size**self.exponent)


def fit_size_law(orders: Sequence[Observed], bins: int = BINS_USUAL) -> SizeLaw:
    """Fit factor and exponent to the peak impacts of orders.

    Minimises sum over bins of ((mean impact - Y mean of x^delta) / error of the mean)^2, with x the sizes in the
    bin: the mean of the power, not the power of the mean, so that wide bins bend nothing.

    Parameters
    ----------
    orders
        Those without a peak are left out.
    bins
        Of equal number of orders; fewer where there are too few for so many.

    Raises
    ------
    ValueError
        If there are too few orders, their sizes do not differ, the exponent is at a bound, or the impact of all of
        them cannot be told from nothing, or no power fits: then there is no law in them.
    """
    told, sizes = _in_bins(orders, bins)
    if sizes[-1][-1] < _SPAN_MIN * sizes[0][0]:
        raise ValueError("the orders are all of about one size: no growth with size can be seen")
    fit = fit_separable(
        lambda delta: [[sum([size**delta for size in group]) / len(group) for group in sizes]],
        [one.mean for one in told],
        [1.0 / one.mean_error**2 for one in told],
        EXPONENT_BOUNDS,
        variances_known=True,
    )
    _refuse_misfit(fit.shape, fit.misfit)
    return SizeLaw(
        factor=fit.coefficients[0],
        factor_error=fit.standard_errors[0],
        exponent=fit.shape,
        exponent_error=fit.shape_error,
        misfit=fit.misfit,
        bins=tuple(told),
    )


def fit_factor(orders: Sequence[Observed], exponent: float, bins: int = BINS_USUAL) -> SizeLaw:
    """Fit the factor alone, to an exponent that is given; its error is then 0.

    Parameters
    ----------
    exponent
        0.5 for the square root, 1 for a line.

    Raises
    ------
    ValueError
        If there are too few orders, their impact cannot be told from nothing, or the exponent does not fit.
    """
    told, sizes = _in_bins(orders, bins)
    powers = [fsum(size**exponent for size in group) / len(group) for group in sizes]
    weights = [1.0 / one.mean_error**2 for one in told]
    weight = fsum(w * power * power for w, power in zip(weights, powers, strict=True))
    factor = fsum(w * p * one.mean for w, p, one in zip(weights, powers, told, strict=True)) / weight
    misfit = fsum(
        w * (one.mean - factor * p) ** 2 for w, p, one in zip(weights, powers, told, strict=True)
    ) / (len(told) - 1)
    _refuse_misfit(exponent, misfit)
    return SizeLaw(
        factor=factor,
        factor_error=sqrt(max(misfit, 1.0) / weight),
        exponent=exponent,
        exponent_error=0.0,
        misfit=misfit,
        bins=tuple(told),
    )


def _refuse_misfit(exponent: float, misfit: float) -> None:
    if misfit > MISFIT_MAX:
        raise ValueError(
            f"a law with the exponent {exponent:.3g} does not fit: the means of orders of one size are off by"
            f" {sqrt(misfit):.1f} of their errors"
        )


def _in_bins(orders: Sequence[Observed], bins: int) -> tuple[list[Bin], list[list[float]]]:
    """Bins by size with the sizes in each; refuses orders that together show nothing."""
    # By size alone: among orders of one size, sorting by impact too would fill one bin with the great ones.
    known = sorted(((one.size, one.peak) for one in orders if one.peak is not None), key=itemgetter(0))
    used = min(bins, len(known) // BIN_ORDERS_MIN)
    if used < _BINS_MIN:
        raise ValueError(
            f"{len(known)} orders with an impact are too few: {_BINS_MIN * BIN_ORDERS_MIN} are needed"
        )
    width = len(known) / used
    groups = [known[round(i * width) : round((i + 1) * width)] for i in range(used)]
    told = [_bin(group) for group in groups]
    weights = [1.0 / one.mean_error**2 for one in told]
    overall = fsum(w * one.mean for w, one in zip(weights, told, strict=True)) / sqrt(fsum(weights))
    if overall < _Z_MIN:
        raise ValueError(
            f"no impact can be told from noise: all orders together moved the price with them by {overall:.1f}"
            f" standard errors, {_Z_MIN:g} are wanted"
        )
    return told, [[size for size, _ in group] for group in groups]


def _bin(group: Sequence[tuple[float, float]]) -> Bin:
    count = len(group)
    mean = fsum(impact for _, impact in group) / count
    variance = fsum((impact - mean) ** 2 for _, impact in group) / (count - 1)
    if not variance:
        raise ValueError(
            "orders of one size that all moved the price by the same: nothing was measured there"
        )
    return Bin(
        size=fsum(size for size, _ in group) / count,
        mean=mean,
        mean_error=sqrt(variance / count),
        count=count,
    )
