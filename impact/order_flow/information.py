"""What trades tell: the lasting effect of one trade on the price, and how much of all news comes by trades.

A vector autoregression of moves and trade signs (J. Hasbrouck, J. Finance 46, 1991): a trade moves the price at
once, the price moves back or on, and trades draw further trades of their side; only what stays counts as
information.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, isfinite

from impact.estimation.least_squares import LinearFit, fit_linear


@dataclass(frozen=True, slots=True, kw_only=True)
class Information:
    """What a surprising trade does for good.

    Parameters
    ----------
    permanent
        Move that stays after one unit of surprising trade, unit of the moves.
    share
        Of the variance of lasting moves, what comes by trades; 0-1.
    """

    permanent: float
    share: float


def trade_information(
    moves: Sequence[float], trades: Sequence[float], lags: int = 5, horizon: int = 200
) -> Information:
    """Fit the autoregression and follow one surprising trade until nothing more happens.

        r_t = sum_1^p a_i r_{t-i} + sum_0^p b_i x_{t-i} + u_t
        x_t = sum_1^p c_i r_{t-i} + sum_1^p d_i x_{t-i} + v_t

    with r the move of the mid from one trade to the next, x the trade (its sign, or signed size), p lags, and u and v
    surprises. The trade comes before the move that answers it, hence the b_0. With A and B the sums of the answers
    of r to one unit of v and of u, share = A^2 var(v) / (A^2 var(v) + B^2 var(u)) (Hasbrouck, Review of Financial
    Studies 4, 1991).

    Parameters
    ----------
    moves, trades
        In order of time, of one length; the moves in any unit.
    horizon
        Trades over which the answers are summed up.

    Raises
    ------
    ValueError
        For too few trades, numbers that are not finite, trades that do not vary, or an autoregression that explodes.
    """
    count = len(moves)
    if lags < 1 or horizon < 1 or len(trades) != count:
        raise ValueError("moves and trades of one length are wanted, with one lag at least")
    if count <= 4 * lags + 2 or not all(map(isfinite, (*moves, *trades))):
        raise ValueError(f"{count} trades are too few, or not all are finite")
    r, x = _centred(moves), _centred(trades)
    before_r = [r[lags - i : count - i] for i in range(1, lags + 1)]
    before_x = [x[lags - i : count - i] for i in range(1, lags + 1)]
    of_moves = fit_linear([*before_r, x[lags:], *before_x], r[lags:])
    of_trades = fit_linear([*before_r, *before_x], x[lags:])
    permanent = _answered(of_moves, of_trades, lags, horizon, trade=1.0, news=0.0)
    of_news = _answered(of_moves, of_trades, lags, horizon, trade=0.0, news=1.0)
    by_trades = (permanent * of_trades.residual_sd) ** 2
    by_news = (of_news * of_moves.residual_sd) ** 2
    if not by_trades + by_news:
        raise ValueError("the moves do not vary")
    return Information(permanent=permanent, share=by_trades / (by_trades + by_news))


def _answered(
    of_moves: LinearFit, of_trades: LinearFit, lags: int, horizon: int, *, trade: float, news: float
) -> float:
    """Sum of the moves that follow one surprise."""
    on_r, on_x = of_moves.coefficients[:lags], of_moves.coefficients[lags:]
    to_r, to_x = of_trades.coefficients[:lags], of_trades.coefficients[lags:]
    past_r, past_x = [0.0] * lags, [0.0] * lags
    total = 0.0
    for step in range(horizon):
        x = _weighed(to_r, past_r) + _weighed(to_x, past_x) + (trade if not step else 0.0)
        r = _weighed(on_r, past_r) + _weighed(on_x, [x, *past_x]) + (news if not step else 0.0)
        past_r, past_x = [r, *past_r[:-1]], [x, *past_x[:-1]]
        total += r
        if not isfinite(total) or abs(total) > 1e12:
            raise ValueError("the autoregression explodes: these trades follow no steady rule")
    return total


def _weighed(coefficients: Sequence[float], values: Sequence[float]) -> float:
    return fsum(c * value for c, value in zip(coefficients, values, strict=True))


def _centred(values: Sequence[float]) -> list[float]:
    mean = fsum(values) / len(values)
    return [one - mean for one in values]
