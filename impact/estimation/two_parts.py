"""What of an order's impact lasts and what passes: gamma, eta and beta of Almgren, Thum, Hauptmann and Li.

    I / sigma = gamma x                        x: quantity over daily volume, I: how far the price has moved for good
    (J - I / 2) / sigma = eta (x / T)^beta     J: what was paid over the mid at the beginning, T: days it took

R. Almgren, C. Thum, E. Hauptmann and H. Li, Direct estimation of equity market impact, Risk 18(7), 2005. Their factor
(shares outstanding / daily volume)^(1/4) compares many stocks; in one market it is a constant, and `liquidity`
carries it. beta = 1 is the linear model of Almgren and Chriss (2001).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from impact.estimation.least_squares import fit_linear
from impact.estimation.observed import Observed
from impact.estimation.separable import fit_separable

BETA_BOUNDS: Final = (0.1, 1.5)
_ORDERS_MIN: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoParts:
    """The fitted coefficients, each with its standard error; daily volatility and volume are the units.

    Parameters
    ----------
    gamma
        Lasting: daily standard deviations for a whole day's volume.
    eta, beta
        Passing: daily standard deviations at the speed of the whole market, and how it grows with speed.
    beta_error
        0 where the exponent was given.
    """

    gamma: float
    gamma_error: float
    eta: float
    eta_error: float
    beta: float
    beta_error: float


def fit_two_parts(
    orders: Sequence[Observed], liquidity: Sequence[float] | None = None, beta: float | None = None
) -> TwoParts:
    """Fit lasting and passing impact to orders that took time.

    The noise of a price move grows with the root of time, so an order counts in proportion to 1 / time: both sides
    are divided by the root of the time it took, the curve of eta and beta with it. Orders without a lasting move or
    a price that was paid, and those that took no time, are left out.

    Parameters
    ----------
    liquidity
        Factor on gamma, one for each order of `orders`; None is 1.
    beta
        Exponent where it is given and not estimated, such as 1 for the linear model.

    Raises
    ------
    ValueError
        For fewer than 30 such orders, or an exponent that is not in them.
    """
    factors = [1.0] * len(orders) if liquidity is None else liquidity
    if len(factors) != len(orders):
        raise ValueError("one factor of liquidity for each order is wanted")
    used = [
        (one, factor, one.later, one.paid)
        for one, factor in zip(orders, factors, strict=True)
        if one.later is not None and one.paid is not None and one.days
    ]
    if len(used) < _ORDERS_MIN:
        raise ValueError(
            f"{len(used)} orders that took time, with what was paid and what remained: {_ORDERS_MIN} are needed"
        )
    roots = [sqrt(one.days) for one, *_ in used]
    lasting = fit_linear(
        [[one.size * factor / root for (one, factor, *_), root in zip(used, roots, strict=True)]],
        [later / root for (_, _, later, _), root in zip(used, roots, strict=True)],
    )
    speeds = [one.size / one.days for one, *_ in used]
    passing = [paid - later / 2.0 for _, _, later, paid in used]
    gamma, gamma_error = lasting.coefficients[0], lasting.standard_errors[0]
    if beta is not None:
        linear = fit_linear(
            [[speed**beta / root for speed, root in zip(speeds, roots, strict=True)]],
            [one / root for one, root in zip(passing, roots, strict=True)],
        )
        eta, eta_error, beta_error = linear.coefficients[0], linear.standard_errors[0], 0.0
    else:
        fit = fit_separable(
            lambda power: [[speed**power for speed in speeds]],
            passing,
            [1.0 / one.days for one, *_ in used],
            BETA_BOUNDS,
            variances_known=False,
        )
        eta, eta_error = fit.coefficients[0], fit.standard_errors[0]
        beta, beta_error = fit.shape, fit.shape_error
    return TwoParts(
        gamma=gamma,
        gamma_error=gamma_error,
        eta=eta,
        eta_error=eta_error,
        beta=beta,
        beta_error=beta_error,
    )
