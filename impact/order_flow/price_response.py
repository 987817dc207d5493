"""What a push does to the price: Kyle's lambda, Amihud's illiquidity, and how much of the moves order flow explains."""

from collections.abc import Sequence
from math import fsum, isfinite

from impact.estimation.least_squares import LinearFit, fit_linear


def price_response(changes: Sequence[float], flows: Sequence[float]) -> LinearFit:
    """Fit change = constant + slope * flow over intervals of equal length.

    With changes of the price in quote units and net purchases in base units the slope is Kyle's lambda (A. Kyle,
    Econometrica 53, 1985), quote units per base unit squared; with order-flow imbalance as flow it is the impact
    coefficient of Cont, Kukanov and Stoikov, and `r_squared` the share of moves that the flow explains.

    Parameters
    ----------
    changes
        Of the price over each interval, any unit.
    flows
        Net flow in the same interval, any unit.

    Returns
    -------
    Coefficients are the constant and the slope, with standard errors that hold for unequal noise.

    Raises
    ------
    ValueError
        For fewer than three intervals, or flows that do not vary.
    """
    return fit_linear([[1.0] * len(flows), flows], changes)


def amihud(returns: Sequence[float], turnovers: Sequence[float]) -> float | None:
    """Mean of |return| / turnover over intervals with trades, per quote unit; None where nobody traded.

    Y. Amihud, J. Financial Markets 5 (2002). Times a million it reads as the move per million traded.

    Parameters
    ----------
    returns
        Relative change of the price over each interval.
    turnovers
        Value traded in it, quote units, >= 0.

    Raises
    ------
    ValueError
        If they are not of one length, or a number is not finite or a turnover below zero.
    """
    if len(returns) != len(turnovers):
        raise ValueError("as many returns as turnovers are wanted")
    if not all(isfinite(one) for one in (*returns, *turnovers)) or any(one < 0.0 for one in turnovers):
        raise ValueError("returns are finite, turnovers are not below zero")
    ratios = [abs(r) / value for r, value in zip(returns, turnovers, strict=True) if value]
    return fsum(ratios) / len(ratios) if ratios else None
