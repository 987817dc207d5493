"""Regimes of a market: which of a few hidden states it is in, by a hidden Markov model with Gaussian observations.

The parameters are those of greatest likelihood, found by the exact steps of Baum and Welch (L. Baum, T. Petrie, G.
Soules and N. Weiss, Annals of Mathematical Statistics 41, 1970; L. Rabiner, Proceedings of the IEEE 77, 1989).
Nothing is drawn: it begins with equal parts of the observations in order of their first feature, so the same
observations always give the same regimes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, isfinite, log, pi
from typing import Final

Row = Sequence[float]
_STAY: Final = 0.9
"""Probability of staying in a state from one observation to the next, before anything is learned."""
_VARIANCE_MIN: Final = 1e-6
"""Of the variance over all observations: a state that one observation has to itself would be infinitely likely."""
_CLOSE: Final = 1e-8
_ROWS_PER_STATE_MIN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Regimes:
    """A fitted model; states are in order of the mean of their first feature, so the first is the calmest.

    Parameters
    ----------
    start
        Probability of each state at the first observation.
    moves
        From each state (outer) to each: probability from one observation to the next; rows sum to 1.
    means, variances
        Of each state, by feature; in the unit of the feature and its square.
    log_likelihood
        Of the observations it was fitted to, natural logarithm.
    rounds
        Steps that were made.
    settled
        Whether the last step gained nothing any more.
    """

    start: tuple[float, ...]
    moves: tuple[tuple[float, ...], ...]
    means: tuple[tuple[float, ...], ...]
    variances: tuple[tuple[float, ...], ...]
    log_likelihood: float
    rounds: int
    settled: bool


@dataclass(frozen=True, slots=True)
class _Model:
    start: list[float]
    moves: list[list[float]]
    means: list[list[float]]
    variances: list[list[float]]


@dataclass(frozen=True, slots=True)
class _Passed:
    """What one pass forward and backward finds."""

    posteriors: list[list[float]]
    moved: list[list[float]]
    log_likelihood: float


def fit_regimes(rows: Sequence[Row], states: int = 2, rounds_max: int = 200) -> Regimes:
    """Find the regimes of observations at equal intervals.

    Parameters
    ----------
    rows
        Features of each observation, such as the logarithm of realised volatility and the absolute order-flow
        imbalance; in order of time.
    states
        2 to 4.

    Raises
    ------
    ValueError
        For too few observations, features that are not finite or do not vary, or a number of states that is not
        allowed.
    """
    if not 2 <= states <= 4:
        raise ValueError(f"2 to 4 regimes can be told apart, not {states}")
    if len(rows) < _ROWS_PER_STATE_MIN * states:
        raise ValueError(f"{len(rows)} observations are too few for {states} regimes")
    floors = [spread * _VARIANCE_MIN for spread in _spreads(rows)]
    model = _first(rows, states)
    reached, settled, rounds = float("-inf"), False, 0
    passed = _pass(model, rows)
    while rounds < rounds_max and not settled:
        rounds += 1
        model = _improved(passed, rows, floors)
        before, passed = passed.log_likelihood, _pass(model, rows)
        reached = passed.log_likelihood
        settled = reached - before <= _CLOSE * abs(reached)
    order = sorted(range(states), key=lambda state: model.means[state][0])
    return Regimes(
        start=tuple(model.start[i] for i in order),
        moves=tuple(tuple(model.moves[i][j] for j in order) for i in order),
        means=tuple(tuple(model.means[i]) for i in order),
        variances=tuple(tuple(model.variances[i]) for i in order),
        log_likelihood=reached,
        rounds=rounds,
        settled=settled,
    )


def regime_probabilities(regimes: Regimes, rows: Sequence[Row]) -> list[tuple[float, ...]]:
    """Probability of each regime at each observation, given all of them; at the last one, given the past alone.

    Raises
    ------
    ValueError
        If there is no observation, or one is not like those that the regimes were fitted to.
    """
    if not rows or any(len(row) != len(regimes.means[0]) or not all(map(isfinite, row)) for row in rows):
        raise ValueError("observations with the features of the fit are wanted")
    model = _Model(
        start=list(regimes.start),
        moves=[list(row) for row in regimes.moves],
        means=[list(row) for row in regimes.means],
        variances=[list(row) for row in regimes.variances],
    )
    return [tuple(row) for row in _pass(model, rows).posteriors]


def _spreads(rows: Sequence[Row]) -> list[float]:
    """Variance of each feature."""
    width = len(rows[0])
    if not width or any(len(row) != width or not all(map(isfinite, row)) for row in rows):
        raise ValueError("every observation has the same features, all of them finite")
    spreads = []
    for column in zip(*rows, strict=True):
        mean = fsum(column) / len(column)
        spreads.append(fsum((one - mean) ** 2 for one in column) / len(column))
    if not all(spreads):
        raise ValueError("a feature that does not vary tells no regimes apart")
    return spreads


def _first(rows: Sequence[Row], states: int) -> _Model:
    """Equal parts of the observations in order of the first feature."""
    ordered = sorted(rows, key=lambda row: row[0])
    size = len(ordered) / states
    parts = [ordered[round(i * size) : round((i + 1) * size)] for i in range(states)]
    leave = (1.0 - _STAY) / (states - 1)
    return _Model(
        start=[1.0 / states] * states,
        moves=[[_STAY if i == j else leave for j in range(states)] for i in range(states)],
        means=[[fsum(column) / len(part) for column in zip(*part, strict=True)] for part in parts],
        variances=[_spreads(rows) for _ in parts],
    )


def _pass(model: _Model, rows: Sequence[Row]) -> _Passed:
    """Go forward and backward through the observations, scaled at each so that nothing underflows."""
    states = range(len(model.start))
    into = [[model.moves[i][j] for i in states] for j in states]
    weights, total = _likelihoods(model, rows)
    forward: list[list[float]] = []
    scales: list[float] = []
    reach = model.start
    for weight in weights:
        raw = [reach[j] * weight[j] for j in states]
        scale = sum(raw)
        if not scale:
            raise ValueError("an observation is impossible in every regime")
        now = [one / scale for one in raw]
        forward.append(now)
        scales.append(scale)
        total += log(scale)
        reach = [sum(a * b for a, b in zip(now, column, strict=True)) for column in into]
    posteriors = [forward[-1]]
    moved = [[0.0] * len(states) for _ in states]
    later = [1.0] * len(states)
    for at in range(len(rows) - 2, -1, -1):
        ahead = [weights[at + 1][j] * later[j] / scales[at + 1] for j in states]
        now = forward[at]
        for i in states:
            row, chances = moved[i], model.moves[i]
            for j in states:
                row[j] += now[i] * chances[j] * ahead[j]
        later = [sum(a * b for a, b in zip(model.moves[i], ahead, strict=True)) for i in states]
        posteriors.append([a * b for a, b in zip(now, later, strict=True)])
    posteriors.reverse()
    return _Passed(posteriors, moved, total)


def _likelihoods(model: _Model, rows: Sequence[Row]) -> tuple[list[list[float]], float]:
    """Density of each observation in each state over the greatest of them, and the sum of the logs of those."""
    states = list(zip(model.means, model.variances, strict=True))
    constants = [-fsum(log(2.0 * pi * one) for one in variances) / 2.0 for _, variances in states]
    weights, total = [], 0.0
    for row in rows:
        logs = [
            constant - sum((x - m) ** 2 / v for x, m, v in zip(row, means, variances, strict=True)) / 2.0
            for constant, (means, variances) in zip(constants, states, strict=True)
        ]
        most = max(logs)
        total += most
        weights.append([exp(one - most) for one in logs])
    return weights, total


def _improved(passed: _Passed, rows: Sequence[Row], floors: Sequence[float]) -> _Model:
    """Give the parameters that are most likely if the posteriors are right."""
    columns = list(zip(*rows, strict=True))
    means, variances = [], []
    for shares in zip(*passed.posteriors, strict=True):
        weight = max(fsum(shares), _CLOSE)
        own = [sum(a * b for a, b in zip(shares, column, strict=True)) / weight for column in columns]
        means.append(own)
        variances.append(
            [
                max(sum(a * (x - mean) ** 2 for a, x in zip(shares, column, strict=True)) / weight, floor)
                for column, mean, floor in zip(columns, own, floors, strict=True)
            ]
        )
    moves = []
    for row in passed.moved:
        total = sum(row)
        moves.append([one / total for one in row] if total else [1.0 / len(row)] * len(row))
    return _Model(start=list(passed.posteriors[0]), moves=moves, means=means, variances=variances)
