"""Ordinary least squares for a handful of regressors, with standard errors that survive unequal noise.

Plain floats: a calibration has at most tens of thousands of rows and a dozen columns, and the daemon's machine need
not have numpy. Columns are scaled to length one before the normal equations are solved, and one that the others
explain is refused instead of being given an arbitrary coefficient.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum, isfinite, sqrt
from operator import mul
from typing import Final

_PIVOT_MIN: Final = 1e-10
"""A scaled column that adds less than this square of its length to the others cannot be told from them."""

Matrix = list[list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearFit:
    """A fitted y = sum of coefficient times column.

    Parameters
    ----------
    coefficients, standard_errors
        One for each column, unit of y over unit of the column.
    r_squared
        Share of the variance of y about its mean that is explained; None where y does not vary.
    residual_sd
        Standard deviation of what is left, unit of y.
    count
        Number of rows.
    """

    coefficients: tuple[float, ...]
    standard_errors: tuple[float, ...]
    r_squared: float | None
    residual_sd: float
    count: int


def fit_linear(columns: Sequence[Sequence[float]], values: Sequence[float]) -> LinearFit:
    """Fit values by columns; a constant is a column of ones.

    b = (X'X)^-1 X'y, and the standard errors are the roots of the diagonal of
    n / (n - k) (X'X)^-1 (sum of e_i^2 x_i x_i') (X'X)^-1 with e the residuals, n rows and k columns: H. White,
    Econometrica 48 (1980), with the correction of J. MacKinnon and White, J. Econometrics 29 (1985). They hold
    whether or not the noise is the same everywhere, as it never is in a market.

    Parameters
    ----------
    columns
        Regressors, one sequence each, all as long as `values`.

    Raises
    ------
    ValueError
        For a number that is not finite, fewer rows than columns + 1, or columns that cannot be told apart.
    """
    count, width = len(values), len(columns)
    if not width or any(len(column) != count for column in columns):
        raise ValueError("columns as long as the values are wanted")
    if count <= width:
        raise ValueError(f"{width} coefficients want more than {count} rows")
    if not all(isfinite(one) for column in (*columns, values) for one in column):
        raise ValueError("every number of a regression must be finite")
    lengths = [sqrt(fsum(one * one for one in column)) for column in columns]
    if not all(lengths):
        raise ValueError("a column of zeros explains nothing")
    scaled = [[one / length for one in column] for column, length in zip(columns, lengths, strict=True)]
    inverse = inverted(_products(scaled, scaled))
    moments = [_dot(column, values) for column in scaled]
    solved = [_dot(row, moments) for row in inverse]
    residuals = [
        value - _dot(solved, row) for value, row in zip(values, zip(*scaled, strict=True), strict=True)
    ]
    squares = [one * one for one in residuals]
    meat = _products([list(map(mul, column, squares)) for column in scaled], scaled)
    spread = _product(_product(inverse, meat), inverse)
    freedom = count / (count - width)
    left_over = fsum(squares)
    mean = fsum(values) / count
    total = fsum((one - mean) ** 2 for one in values)
    return LinearFit(
        coefficients=tuple(b / length for b, length in zip(solved, lengths, strict=True)),
        standard_errors=tuple(
            sqrt(max(spread[i][i] * freedom, 0.0)) / length for i, length in enumerate(lengths)
        ),
        r_squared=1.0 - left_over / total if total else None,
        residual_sd=sqrt(left_over / (count - width)),
        count=count,
    )


def inverted(matrix: Sequence[Sequence[float]]) -> Matrix:
    """Invert a symmetric positive matrix by the factors of Cholesky.

    Raises
    ------
    ValueError
        If a row is explained by those before it.
    """
    size = len(matrix)
    lower: Matrix = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i][j] - fsum(lower[i][k] * lower[j][k] for k in range(j))
            if i != j:
                lower[i][j] = rest / lower[j][j]
            elif rest <= _PIVOT_MIN * matrix[i][i]:
                raise ValueError("the columns cannot be told apart")
            else:
                lower[i][i] = sqrt(rest)
    back: Matrix = [[0.0] * size for _ in range(size)]
    for j in range(size):
        for i in range(j, size):
            unit = 1.0 if i == j else 0.0
            back[i][j] = (unit - fsum(lower[i][k] * back[k][j] for k in range(j, i))) / lower[i][i]
    return [
        [fsum(back[k][i] * back[k][j] for k in range(max(i, j), size)) for j in range(size)]
        for i in range(size)
    ]


def _dot(left: Iterable[float], right: Iterable[float]) -> float:
    return float(sum(map(mul, left, right)))


def _products(left: Sequence[Sequence[float]], right: Sequence[Sequence[float]]) -> Matrix:
    """Products of each column with each, where the result is symmetric."""
    lower = [[_dot(left[i], right[j]) for j in range(i + 1)] for i in range(len(left))]
    return [[lower[max(i, j)][min(i, j)] for j in range(len(left))] for i in range(len(left))]


def _product(left: Matrix, right: Matrix) -> Matrix:
    columns = list(zip(*right, strict=True))
    return [[_dot(row, column) for column in columns] for row in left]
