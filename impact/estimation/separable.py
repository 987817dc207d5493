"""Fitting a curve of one shape and otherwise linear coefficients: y = sum of c_j times b_j(x; shape).

Power laws, exponential and power-law decay are all of this form. For every shape the best coefficients are an ordinary
linear problem, so that one number is searched for instead of many: no starting values, and no wandering off (G. Golub
and V. Pereyra, SIAM J. Numerical Analysis 10, 1973).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import fsum, isfinite, sqrt
from operator import mul
from typing import Final

from impact.estimation.least_squares import inverted

_GRID: Final = 24
_STEPS: Final = 60
_GOLDEN: Final = (sqrt(5.0) - 1.0) / 2.0
_CLOSE: Final = 1e-7
_NUDGE: Final = 1e-5
"""Of the width of the range: step of the derivative by the shape."""

Columns = Sequence[Sequence[float]]
Basis = Callable[[float], Columns]
"""Columns of the curve for a shape, each as long as the values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparableFit:
    """A fitted curve.

    Parameters
    ----------
    shape, shape_error
        The one number that bends the curve, and its standard error.
    coefficients, standard_errors
        Of the columns, in the unit of the values.
    misfit
        Sum of weighted squares over degrees of freedom: near 1 where the weights are right and the curve is.
    """

    shape: float
    shape_error: float
    coefficients: tuple[float, ...]
    standard_errors: tuple[float, ...]
    misfit: float


def fit_separable(
    basis: Basis,
    values: Sequence[float],
    weights: Sequence[float],
    bounds: tuple[float, float],
    *,
    variances_known: bool,
) -> SeparableFit:
    """Minimise the sum of weight times (value - curve) squared over the shape within bounds and all coefficients.

    The covariance is (J'WJ)^-1 s^2 with J the derivatives of the curve by every number, W the weights, and s^2 the
    misfit where weights are only relative. Where they are one over known variances, s^2 is the misfit or 1, whichever
    is greater: a curve that does not fit makes the errors larger, luck does not make them smaller.

    Parameters
    ----------
    weights
        > 0; one over the variance of each value, or in proportion to it.
    bounds
        Of the shape.

    Raises
    ------
    ValueError
        If there are too few values, a number is not finite, or the best shape lies at a bound: then it is not in the
        data.
    """
    if len(weights) != len(values) or not all(isfinite(one) for one in (*values, *weights)):
        raise ValueError("as many finite weights as finite values are wanted")
    if any(one <= 0.0 for one in weights):
        raise ValueError("weights are above zero")
    low, high = bounds

    def loss(shape: float) -> float:
        return _solved(basis(shape), values, weights)[1]

    grid = [low + (high - low) * i / _GRID for i in range(_GRID + 1)]
    losses = [loss(shape) for shape in grid]
    best = min(range(len(grid)), key=losses.__getitem__)
    shape = _narrowed(loss, grid[max(best - 1, 0)], grid[min(best + 1, _GRID)])
    margin = (high - low) * 1e-4
    if not low + margin < shape < high - margin:
        raise ValueError(f"the shape is not in the data: the best one is at the bound {shape:g}")
    columns = basis(shape)
    coefficients, _ = _solved(columns, values, weights)
    left_over = fsum(
        weight * (value - fitted) ** 2
        for value, fitted, weight in zip(values, _curve(coefficients, columns), weights, strict=True)
    )
    freedom = len(values) - len(coefficients) - 1
    if freedom < 1:
        raise ValueError(f"{len(values)} values are too few for {len(coefficients) + 1} numbers")
    misfit = left_over / freedom
    step = (high - low) * _NUDGE
    bent = [
        (up - down) / (2.0 * step)
        for up, down in zip(
            _curve(coefficients, basis(shape + step)), _curve(coefficients, basis(shape - step)), strict=True
        )
    ]
    spread = inverted(_normal([*columns, bent], weights))
    scale = max(misfit, 1.0) if variances_known else misfit
    errors = [sqrt(max(spread[i][i] * scale, 0.0)) for i in range(len(spread))]
    return SeparableFit(
        shape=shape,
        shape_error=errors[-1],
        coefficients=tuple(coefficients),
        standard_errors=tuple(errors[:-1]),
        misfit=misfit,
    )


def _narrowed(loss: Callable[[float], float], low: float, high: float) -> float:
    """Find the least loss between two places by golden sections."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(_STEPS):
        if high - low <= _CLOSE * max(abs(low), abs(high), _CLOSE):
            break
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return (low + high) / 2.0


def _solved(columns: Columns, values: Sequence[float], weights: Sequence[float]) -> tuple[list[float], float]:
    """Best coefficients for some columns, and the weighted squares that they leave.

    The squares are those of the values less what the columns explain: quick enough to be asked for every shape that is
    tried, and exact enough to compare shapes.
    """
    weighted = list(map(mul, values, weights))
    inverse = inverted(_normal(columns, weights))
    moments = [sum(map(mul, column, weighted)) for column in columns]
    coefficients = [sum(map(mul, row, moments)) for row in inverse]
    return coefficients, sum(map(mul, values, weighted)) - sum(map(mul, coefficients, moments))


def _normal(columns: Columns, weights: Sequence[float]) -> list[list[float]]:
    weighted = [list(map(mul, column, weights)) for column in columns]
    return [[sum(map(mul, left, right)) for right in columns] for left in weighted]


def _curve(coefficients: Sequence[float], columns: Columns) -> list[float]:
    return [sum(map(mul, coefficients, row)) for row in zip(*columns, strict=True)]
