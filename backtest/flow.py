"""Order flow of a recording in figures: who pushed, what it cost, what it told, which regimes there were."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, log
from typing import Final

from backtest.tape import Tape
from executor.domain.timeline import NS_PER_S
from impact.estimation.least_squares import LinearFit
from impact.estimation.metaorders import with_mids
from impact.order_flow.imbalance import (
    Quote,
    microprice,
    order_flow_imbalance,
    queue_imbalance,
    trade_imbalance,
)
from impact.order_flow.information import Information, trade_information
from impact.order_flow.price_response import amihud, price_response
from impact.order_flow.prints import Print
from impact.order_flow.regime import Regimes, fit_regimes, regime_probabilities
from impact.order_flow.spreads import SpreadParts, mean_spread, roll_spread, spread_parts
from impact.order_flow.toxicity import Bar, Toxicity, bulk_bought, trades_of_equal_size, vpin
from impact.order_flow.volatility import realised_volatility, two_scales_volatility

MARKOUTS_S: Final = (1, 10, 30)
HORIZONS_S: Final = (1, 10, 60, 300)
TWO_SCALES: Final = (1, 60)
"""Steps of the estimate that is free of bounce: seconds of the short one, and how many make the long one."""
BUCKETS: Final = 50
_INTERVALS_MIN: Final = 20
_PARTS: Final = 10
"""Pieces of an interval between which its realised volatility is taken."""

Rows = Sequence[Sequence[float]]
Engine = Callable[[Rows, int], Regimes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """How much of the moves over intervals is explained by flow.

    Parameters
    ----------
    step_s
        Length of the intervals.
    by_quotes, by_trades
        Ticks of the mid on order-flow imbalance, and on bought less sold, base units; None where there is no book.
    """

    step_s: float
    by_quotes: LinearFit | None
    by_trades: LinearFit


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeSpell:
    """What is known of the regimes of a recording.

    Parameters
    ----------
    regimes
        Features are the logarithm of realised volatility and the absolute trade imbalance.
    shares
        Of the time, by regime.
    now
        Probability of each at the end.
    """

    regimes: Regimes
    shares: tuple[float, ...]
    now: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """All figures; None where they cannot be had.

    Parameters
    ----------
    spreads
        After so many seconds: effective spread and its parts, basis points, weighted by value, full-spread
        convention.
    lean, micro_gain
        Mean queue imbalance, and correlation of the microprice's distance from the mid with the next move of the mid.
    vpin_by_sides, vpin_by_bulk
        By the sides that the venue tells, and by changes of the price alone.
    volatility_pct
        Hourly, by the seconds of the steps; the last is free of bounce.
    """

    responses: tuple[Response, ...]
    spreads: dict[int, SpreadParts | None]
    lean: float | None
    micro_gain: float | None
    trade_imbalance: float | None
    vpin_by_sides: Toxicity | None
    vpin_by_bulk: Toxicity | None
    amihud_per_million: float | None
    roll_bps: float | None
    volatility_pct: dict[str, float | None]
    information: Information | None
    regimes: RegimeSpell | None


def measure(tape: Tape, steps_s: Sequence[float], states: int = 0, engine: Engine = fit_regimes) -> Flow:
    """Take every measure of a tape.

    Parameters
    ----------
    steps_s
        Lengths of the intervals over which moves are held against flow, seconds, > 0.
    states
        Number of regimes; 0 looks for none.
    engine
        What fits them.
    """
    points = tape.points()
    volatility: dict[str, float | None] = {
        f"{step} s": realised_volatility(points, step * NS_PER_S) for step in HORIZONS_S
    }
    volatility["free of bounce"] = two_scales_volatility(points, TWO_SCALES[0] * NS_PER_S, TWO_SCALES[1])
    mid_px = points[-1].px if points else 0.0
    roll = roll_spread([one.px for one in tape.prints]) if len(tape.prints) > 2 else None
    bars = _bars(tape, steps_s[0])
    return Flow(
        responses=tuple(one for one in (_response(tape, step) for step in steps_s) if one is not None),
        spreads={after: _spread(tape, after) for after in MARKOUTS_S},
        lean=_mean([one for one in map(queue_imbalance, tape.quotes) if one is not None]),
        micro_gain=_micro_gain(tape.quotes),
        trade_imbalance=trade_imbalance(one.signed_qty for one in tape.prints),
        vpin_by_sides=_vpin(tape, [_sides(one) for one in tape.prints]),
        vpin_by_bulk=None if len(bars) < _INTERVALS_MIN else _vpin(tape, bulk_bought(bars)),
        amihud_per_million=_amihud(tape, steps_s[-1]),
        roll_bps=None if roll is None or not mid_px else roll / mid_px * 10_000,
        volatility_pct=volatility,
        information=_information(tape),
        regimes=_spell(tape, steps_s[-1], states, engine) if states else None,
    )


def fit_by_hmmlearn(rows: Rows, states: int) -> Regimes:
    """Fit the same regimes with hmmlearn, from the beginning that ours has; for comparison.

    Raises
    ------
    ImportError
        If it is not installed (the extra `regime`).
    """
    import numpy as np  # noqa: PLC0415 - needed here alone
    from hmmlearn.hmm import GaussianHMM  # noqa: PLC0415 - an extra

    ordered, width = sorted(rows, key=lambda row: row[0]), len(rows) / states
    parts = [ordered[round(i * width) : round((i + 1) * width)] for i in range(states)]
    model = GaussianHMM(
        states, covariance_type="diag", covars_prior=0.0, n_iter=500, tol=1e-8, init_params=""
    )
    model.startprob_ = np.full(states, 1 / states)
    model.transmat_ = np.full((states, states), 0.1 / (states - 1)) + np.eye(states) * (
        0.9 - 0.1 / (states - 1)
    )
    model.means_ = np.array([np.mean(part, axis=0) for part in parts])
    model.covars_ = np.tile(np.var(rows, axis=0), (states, 1))
    model.fit(np.array(rows))
    order = np.argsort(model.means_[:, 0])
    return Regimes(
        start=tuple(model.startprob_[order].tolist()),
        moves=tuple(map(tuple, model.transmat_[np.ix_(order, order)].tolist())),
        means=tuple(map(tuple, model.means_[order].tolist())),
        variances=tuple(tuple(np.diag(model.covars_[at]).tolist()) for at in order),
        log_likelihood=float(model.score(np.array(rows))),
        rounds=int(model.monitor_.iter),
        settled=bool(model.monitor_.converged),
    )


def _places(tape: Tape, step_s: float) -> tuple[int, int, int]:
    """First instant, step in nanoseconds, and how many whole steps there are."""
    first_ns, last_ns = tape.span_ns
    step_ns = round(step_s * NS_PER_S)
    return first_ns, step_ns, (last_ns - first_ns) // step_ns


def _mids(tape: Tape, step_s: float) -> list[float | None]:
    """Mid at the beginning and after every step; None before the first is known."""
    first_ns, step_ns, count = _places(tape, step_s)
    points = tape.points()
    times = [point.at_ns for point in points]
    found = (bisect_right(times, first_ns + number * step_ns) for number in range(count + 1))
    return [points[at - 1].px if at else None for at in found]


def _per_step(tape: Tape, step_s: float) -> list[list[Print]]:
    first_ns, step_ns, count = _places(tape, step_s)
    steps: list[list[Print]] = [[] for _ in range(count)]
    for one in tape.prints:
        # What happens at the end of a step belongs to it: the mid at that instant knows of it.
        number = max(one.at_ns - first_ns - 1, 0) // step_ns
        if number < count:
            steps[number].append(one)
    return steps


def _response(tape: Tape, step_s: float) -> Response | None:
    """Hold the moves of the mid, in ticks, against what was quoted and what was traded meanwhile."""
    first_ns, step_ns, count = _places(tape, step_s)
    mids, trades = _mids(tape, step_s), _per_step(tape, step_s)
    known = [at for at in range(count) if mids[at] is not None]
    if len(known) < _INTERVALS_MIN:
        return None
    moves = [((mids[at + 1] or 0.0) - (mids[at] or 0.0)) / tape.tick_px for at in known]
    traded = [fsum(one.signed_qty for one in trades[at]) for at in known]
    quoted = []
    for at in known if tape.quotes else ():
        begin = bisect_right(tape.quote_ns, first_ns + at * step_ns)
        end = bisect_right(tape.quote_ns, first_ns + (at + 1) * step_ns)
        quoted.append(order_flow_imbalance(tape.quotes[max(begin - 1, 0) : end]))
    try:
        by_trades = price_response(moves, traded)
        by_quotes = price_response(moves, quoted) if quoted else None
    except ValueError:
        return None  # nobody traded, or nothing was quoted
    return Response(step_s=step_s, by_quotes=by_quotes, by_trades=by_trades)


def _spread(tape: Tape, after_s: int) -> SpreadParts | None:
    """Effective spread and its parts, over the trades after which the mid is known; None without quotes to trust."""
    if not tape.quotes or tape.by_receiver:
        return None
    last_ns = tape.span_ns[1]
    parts, values = [], []
    for one in tape.prints:
        then_ns = one.at_ns + after_s * NS_PER_S
        if then_ns <= last_ns:
            later = tape.quotes[bisect_right(tape.quote_ns, then_ns) - 1]
            parts.append(spread_parts(one, later.mid_px))
            values.append(one.value)
    return mean_spread(parts, values)


def _micro_gain(quotes: Sequence[Quote]) -> float | None:
    """Correlation of the microprice's distance from the mid with the next move of the mid."""
    leans, moves = [], []
    at = 0
    for number in range(1, len(quotes)):
        if quotes[number].mid_px != quotes[at].mid_px:
            price = microprice(quotes[number - 1])
            if price is not None:
                leans.append(price - quotes[number - 1].mid_px)
                moves.append(quotes[number].mid_px - quotes[at].mid_px)
            at = number
    if len(leans) < _INTERVALS_MIN:
        return None
    try:
        fit = price_response(moves, leans)
    except ValueError:
        return None
    share = fit.r_squared
    return None if share is None else (max(share, 0.0) ** 0.5) * (1 if fit.coefficients[1] > 0 else -1)


def _sides(one: Print) -> tuple[float, float]:
    return (one.qty, 0.0) if one.sign > 0 else (0.0, one.qty)


def _bars(tape: Tape, step_s: float) -> list[Bar]:
    mids, trades = _mids(tape, step_s), _per_step(tape, step_s)
    return [
        Bar(qty=fsum(one.qty for one in some), change=later - before)
        for some, before, later in zip(trades, mids, mids[1:], strict=False)
        if before is not None and later is not None
    ]


def _vpin(tape: Tape, flow: Sequence[tuple[float, float]]) -> Toxicity | None:
    bucket = fsum(bought + sold for bought, sold in flow) / BUCKETS
    qtys = [one.qty for one in tape.prints]
    return vpin(flow, bucket, trades_of_equal_size(qtys)) if bucket and qtys else None


def _amihud(tape: Tape, step_s: float) -> float | None:
    mids, trades = _mids(tape, step_s), _per_step(tape, step_s)
    pairs = [
        (log(later / before), fsum(one.value for one in some))
        for some, before, later in zip(trades, mids, mids[1:], strict=False)
        if before is not None and later is not None
    ]
    found = amihud([move for move, _ in pairs], [value for _, value in pairs])
    return None if found is None else found * 1e6


def _information(tape: Tape) -> Information | None:
    """Fit moves of the mid (basis points) and sides of trades; a move is from before one trade to before the next."""
    known = with_mids(tape.prints)
    moves = [
        log(later.mid_px / one.mid_px) * 10_000
        for one, later in pairwise(known)
        if later.mid_px and one.mid_px
    ]
    try:
        return trade_information(moves, [float(one.sign) for one in known[:-1]])
    except ValueError:
        return None


def _spell(tape: Tape, step_s: float, states: int, engine: Engine) -> RegimeSpell | None:
    """Regimes by realised volatility and one-sidedness of each interval."""
    mids, trades = _mids(tape, step_s), _per_step(tape, step_s)
    points, (first_ns, step_ns, _) = tape.points(), _places(tape, step_s)
    times = [point.at_ns for point in points]
    rows = []
    for number, (some, before) in enumerate(zip(trades, mids, strict=False)):
        if before is not None:
            # A step in which nothing moved counts as one of a single tick: its logarithm would be of zero.
            edges = [first_ns + (number + part / _PARTS) * step_ns for part in range(_PARTS + 1)]
            logs = [log(points[max(bisect_right(times, at) - 1, 0)].px) for at in edges]
            moved = fsum((b - a) ** 2 for a, b in pairwise(logs)) + (tape.tick_px / before) ** 2
            rows.append((log(moved) / 2, abs(trade_imbalance(one.signed_qty for one in some) or 0.0)))
    if len(rows) < _INTERVALS_MIN * states:
        return None
    found = engine(rows, states)
    each = regime_probabilities(found, rows)
    shares = tuple(fsum(column) / len(each) for column in zip(*each, strict=True))
    return RegimeSpell(regimes=found, shares=shares, now=each[-1])


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None
