"""How the impact of an order wears off: what stays, what goes at which rate, or the exponent of a slow decay.

An order that was worked evenly over T days and executed the share x of a day's volume has displaced the price, t days
after its end, in daily standard deviations, by

    x (lasting + passing m(rho T) e^(-rho t)),  m(a) = (1 - e^-a) / a            (Obizhaeva and Wang, 2013)
    x factor ((T + t)^(1-g) - t^(1-g)) / ((1 - g) T)                              (linear propagator t^-g)

The moves at the end of an order and at some times after it are fitted to that, each weighed by one over the time
that the market has had for moves of its own. Moves of one order share those, so the standard errors are too small
by themselves: `impact.calibration` leaves out blocks of orders to see how much the estimates really vary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import Final

from impact.estimation.observed import Observed
from impact.estimation.separable import fit_separable
from impact.kernel import exponential_means

POWER_BOUNDS: Final = (0.01, 0.95)
_ORDERS_MIN: Final = 50
_Z_MIN: Final = 3.0
_SLOWEST: Final = 0.1
_QUICKEST: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The fitted exponential; coefficients are daily standard deviations for a whole day's volume.

    Parameters
    ----------
    rho_per_day
        Rate of the recovery.
    """

    rho_per_day: float
    rho_error: float
    lasting: float
    lasting_error: float
    passing: float
    passing_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowDecay:
    """The fitted propagator.

    Parameters
    ----------
    factor
        Daily standard deviations at the speed of the whole market.
    power
        g, exponent of the decay.
    """

    factor: float
    factor_error: float
    power: float
    power_error: float


@dataclass(frozen=True, slots=True)
class _Seen:
    size: float
    days: float
    since: float
    move: float


def fit_recovery(orders: Sequence[Observed]) -> Recovery:
    """Fit the exponential recovery.

    Raises
    ------
    ValueError
        For fewer than 50 orders that took time and were looked at after their end, or a rate that is not in them:
        nothing wears off in the time looked at, or all of it before the first look.
    """
    seen = _seen(orders)
    lags = sorted(one.since for one in seen if one.since)
    middle = lags[len(lags) // 2]
    fit = fit_separable(
        lambda rho: [
            [one.size for one in seen],
            [one.size * exponential_means(rho * one.days)[0] * exp(-rho * one.since) for one in seen],
        ],
        [one.move for one in seen],
        _weights(seen),
        (_SLOWEST / lags[-1], _QUICKEST / middle),
        variances_known=False,
    )
    if fit.coefficients[1] < _Z_MIN * fit.standard_errors[1]:
        raise ValueError("nothing is seen to wear off in the time looked at")
    return Recovery(
        rho_per_day=fit.shape,
        rho_error=fit.shape_error,
        lasting=fit.coefficients[0],
        lasting_error=fit.standard_errors[0],
        passing=fit.coefficients[1],
        passing_error=fit.standard_errors[1],
    )


def fit_slow_decay(orders: Sequence[Observed]) -> SlowDecay:
    """Fit the propagator.

    Raises
    ------
    ValueError
        For fewer than 50 orders that took time and were looked at after their end, or an exponent that is not in
        them.
    """
    seen = _seen(orders)

    def left(one: _Seen, rest: float) -> float:
        return float(one.size * ((one.days + one.since) ** rest - one.since**rest) / (rest * one.days))

    fit = fit_separable(
        lambda power: [[left(one, 1.0 - power) for one in seen]],
        [one.move for one in seen],
        _weights(seen),
        POWER_BOUNDS,
        variances_known=False,
    )
    return SlowDecay(
        factor=fit.coefficients[0],
        factor_error=fit.standard_errors[0],
        power=fit.shape,
        power_error=fit.shape_error,
    )


def _seen(orders: Sequence[Observed]) -> list[_Seen]:
    used = [one for one in orders if one.days and one.after]
    if len(used) < _ORDERS_MIN:
        raise ValueError(
            f"{len(used)} orders that took time and were looked at after their end: {_ORDERS_MIN} are needed"
        )
    ends = [_Seen(one.size, one.days, 0.0, one.peak) for one in used if one.peak is not None]
    return ends + [_Seen(one.size, one.days, since, move) for one in used for since, move in one.after]


def _weights(seen: Sequence[_Seen]) -> list[float]:
    return [1.0 / (one.days + one.since) for one in seen]
