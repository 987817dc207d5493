"""Quality of a market: how much its price moves, whether moves turn back, and what takers pay."""

from dataclasses import dataclass
from math import sqrt

from impact.order_flow.prints import Print
from impact.order_flow.spreads import SpreadParts, mean_spread, roll_spread, spread_parts
from impact.order_flow.volatility import PricePoint, realised_volatility
from simulation.phenomena.trace import Bars, Floats, Trace, held


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Figures of a run.

    Parameters
    ----------
    volatility_hourly_pct
        Standard deviation of the log mid over an hour, from the moves over one step.
    variance_ratio, variance_ratio_z
        Variance of moves over `q` steps over q times that of one, and its distance from 1 in standard errors; None
        where the price did not move.
    autocorrelation
        Of neighbouring moves of the mid; None where it did not move.
    spreads
        Effective spread and its parts, basis points, weighted by value; None where there were no trades.
    roll_px
        Spread that the bouncing of trade prices betrays; None where they do not bounce.
    """

    volatility_hourly_pct: float
    variance_ratio: float | None
    variance_ratio_z: float | None
    autocorrelation: float | None
    spreads: SpreadParts | None
    roll_px: float | None


def market_quality(trace: Trace, bars: Bars, q: int = 10, later_s: float = 10.0) -> Quality:
    """Measure a run.

    Parameters
    ----------
    q
        Steps of the longer moves of the variance ratio, >= 2.
    later_s
        Time after a trade at which the mid is taken for the realised spread.

    Raises
    ------
    ValueError
        If there are fewer than 2 q steps.
    """
    moves = bars.returns
    ratio = variance_ratio(moves, q) if moves.std() > 0.0 else None
    points = [PricePoint(*pair) for pair in zip(bars.at_ns.tolist(), bars.mid_px.tolist(), strict=True)]
    return Quality(
        volatility_hourly_pct=realised_volatility(points, bars.step_ns) or 0.0,
        variance_ratio=None if ratio is None else ratio[0],
        variance_ratio_z=None if ratio is None else ratio[1],
        autocorrelation=None if ratio is None else autocorrelation(moves, 1),
        spreads=paid_spread(trace, later_s),
        roll_px=roll_spread(trace.trade_px.tolist()) if len(trace.trade_px) > 2 else None,
    )


def variance_ratio(moves: Floats, q: int) -> tuple[float, float]:
    """VR(q) with its heteroskedasticity-robust z: 1 for a random walk, below where moves turn back.

    VR = 1 + 2 sum_1^(q-1) (1 - k/q) rho_k, and z = (VR - 1) / sqrt(sum (2 (1 - k/q))^2 delta_k) with
    delta_k = sum (e_t e_(t-k))^2 / (sum e_t^2)^2: A. Lo and C. MacKinlay, Review of Financial Studies 1 (1988).

    Raises
    ------
    ValueError
        For fewer than two steps in the longer move, fewer than two of those, or moves that do not vary.
    """
    if q < 2 or len(moves) < 2 * q:
        raise ValueError(f"{len(moves)} moves are too few for a ratio over {q}")
    centred = moves - moves.mean()
    squares = centred * centred
    total = float(squares.sum())
    if not total > 0.0:
        raise ValueError("the price did not move")
    ratio, variance = 1.0, 0.0
    for k in range(1, q):
        weight = 2.0 * (1.0 - k / q)
        ratio += weight * float(centred[k:] @ centred[:-k]) / total
        variance += weight * weight * float(squares[k:] @ squares[:-k]) / (total * total)
    return ratio, (ratio - 1.0) / sqrt(variance) if variance > 0.0 else 0.0


def autocorrelation(values: Floats, lag: int) -> float:
    """Sum of products `lag` apart over the sum of squares, each less the mean; unbiased for the shorter sum.

    Raises
    ------
    ValueError
        If nothing varies, or the lag is not shorter than the series.
    """
    if not 0 < lag < len(values):
        raise ValueError(f"no lag of {lag} in {len(values)} values")
    centred = values - values.mean()
    power = float(centred @ centred)
    if not power > 0.0:
        raise ValueError("nothing varies")
    return float(centred[lag:] @ centred[:-lag]) / power * len(values) / (len(values) - lag)


def paid_spread(trace: Trace, later_s: float) -> SpreadParts | None:
    """Effective spread and its parts over trades after which the mid is known; None where there is none."""
    later_ns = trace.trade_ns + round(later_s * 1e9)
    known = later_ns <= trace.span_ns[1]
    if not known.any():
        return None
    later_px = held(trace.quote_ns, trace.mid_px, later_ns[known]).tolist()
    columns = (trace.trade_ns, trace.trade_sign, trace.trade_px, trace.trade_qty, trace.trade_mid_px)
    rows = zip(*(column[known].tolist() for column in columns), strict=True)
    prints = [Print(at_ns, int(sign), px, qty, mid_px) for at_ns, sign, px, qty, mid_px in rows]
    parts = [spread_parts(one, mid_px) for one, mid_px in zip(prints, later_px, strict=True)]
    return mean_spread(parts, [one.value for one in prints])
