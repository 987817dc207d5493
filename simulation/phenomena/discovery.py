"""How well the price finds the value: how far it is off, how long a gap lasts, and what of its moves is news."""

from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np

from impact.estimation.separable import fit_separable
from simulation.phenomena.trace import Bars, Floats

_BPS: Final = 10_000.0
_SHOCK_STEPS_MIN: Final = 8
_LIFE_STEPS: Final = (0.2, 4.0)
"""Half-lives that can be told from a path, in steps and in lengths of the path."""
_POINTS_MAX: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """Price against value over a run; gaps are log(mid / value).

    Parameters
    ----------
    deviation_bps
        Mean absolute gap.
    bias_bps
        Mean gap: above zero the price is too high.
    tracking_error_bps
        Standard deviation of the gap.
    gap_half_life_s
        Time in which half of a gap is gone by its first-order autoregression, -ln 2 / ln(rho) steps; None where gaps do
        not wear off (rho outside 0..1).
    information_ratio
        Share of the variance of the price's moves that the value's moves explain, 0-1: squared correlation over
        `horizon` steps; None where the value does not move.
    """

    deviation_bps: float
    bias_bps: float
    tracking_error_bps: float
    gap_half_life_s: float | None
    information_ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """How the gap that a shock opened closed again.

    Parameters
    ----------
    half_life_s
        ln 2 over the rate of the fitted exponential.
    opened_bps, left_bps
        The gap at the shock, and the mean gap over the last fifth of the time after it.
    """

    half_life_s: float
    opened_bps: float
    left_bps: float

    @property
    def closed(self) -> float:
        """Share of the gap that is gone at the end."""
        return 1.0 - abs(self.left_bps / self.opened_bps)


def price_discovery(bars: Bars, horizon: int = 10) -> Discovery:
    """Hold the mid against the fundamental value.

    Parameters
    ----------
    horizon
        Steps over which moves are compared, >= 1.

    Raises
    ------
    ValueError
        If the bars have no value, or fewer than two horizons.
    """
    if not len(bars.value_px):
        raise ValueError("nobody knows the value of this market")
    if horizon < 1 or len(bars.mid_px) <= 2 * horizon:
        raise ValueError(f"{len(bars.mid_px)} steps are too few for moves over {horizon}")
    gap = np.log(bars.mid_px / bars.value_px)
    centred = gap - gap.mean()
    power = float(centred[:-1] @ centred[:-1])
    rho = float(centred[1:] @ centred[:-1]) / power if power else 0.0
    price = np.diff(np.log(bars.mid_px)[::horizon])
    value = np.diff(np.log(bars.value_px)[::horizon])
    moved = bool(price.std() > 0.0 and value.std() > 0.0)
    return Discovery(
        deviation_bps=_BPS * float(np.abs(gap).mean()),
        bias_bps=_BPS * float(gap.mean()),
        tracking_error_bps=_BPS * float(gap.std()),
        gap_half_life_s=-log(2.0) / log(rho) * bars.step_ns / 1e9 if 0.0 < rho < 1.0 else None,
        information_ratio=float(np.corrcoef(price, value)[0, 1]) ** 2 if moved else None,
    )


def recovery(bars: Bars, shock_ns: int) -> Recovery:
    """Fit gap(t) = left + opened e^(-rate t) to the time after a shock of the value.

    Raises
    ------
    ValueError
        If too little time follows the shock, it opened no gap, or no exponential is in the path: then the gap did
        not close in the time looked at.
    """
    if not len(bars.value_px):
        raise ValueError("nobody knows the value of this market")
    since = bars.at_ns >= shock_ns
    gap = np.log(bars.mid_px[since] / bars.value_px[since])
    if len(gap) < _SHOCK_STEPS_MIN:
        raise ValueError(f"{len(gap)} steps after the shock are too few")
    if not gap[0]:
        raise ValueError("the shock opened no gap between price and value")
    step_s = bars.step_ns / 1e9
    rate_s, _ = _decay(gap, step_s)
    last = gap[-max(1, len(gap) // 5) :]
    return Recovery(
        half_life_s=log(2.0) / rate_s, opened_bps=_BPS * float(gap[0]), left_bps=_BPS * float(last.mean())
    )


def half_life_of(path: Floats, step_s: float) -> float | None:
    """Half-life of an excess that fades along a path of equal steps, seconds; None where no fading is in it."""
    try:
        rate_s, first = _decay(path, step_s)
    except ValueError:
        return None
    return log(2.0) / rate_s if first > 0.0 else None


def _decay(path: Floats, step_s: float) -> tuple[float, float]:
    """Rate per second and height of the exponential in a path."""
    every = max(1, len(path) // _POINTS_MAX)
    points = path[::every].tolist()
    times_s = (np.arange(len(points)) * every * step_s).tolist()
    # The shape is the logarithm of the rate: half-lives are searched for evenly over their orders of magnitude.
    low = log(log(2.0) / (_LIFE_STEPS[1] * max(times_s[-1], step_s)))
    high = log(log(2.0) / (_LIFE_STEPS[0] * every * step_s))
    fit = fit_separable(
        lambda shape: [[1.0] * len(points), np.exp(-np.exp(shape) * np.array(times_s)).tolist()],
        points,
        [1.0] * len(points),
        (low, high),
        variances_known=False,
    )
    return float(np.exp(fit.shape)), fit.coefficients[1]
