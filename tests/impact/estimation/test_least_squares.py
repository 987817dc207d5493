"""Linear and separable fits: exact on exact data, and errors that say how far estimates really vary."""

from math import exp
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.estimation.least_squares import fit_linear, inverted
from impact.estimation.separable import fit_separable

coefficients = st.floats(-100, 100)


@given(coefficients, coefficients, coefficients)
def test_a_plane_is_found_exactly(constant, slope, bend):
    x = [float(i) for i in range(12)]
    square = [one * one for one in x]
    fit = fit_linear(
        [[1.0] * 12, x, square], [constant + slope * a + bend * b for a, b in zip(x, square, strict=True)]
    )
    assert fit.coefficients == pytest.approx((constant, slope, bend), abs=1e-6)
    assert fit.residual_sd == pytest.approx(0.0, abs=1e-7)


@given(st.lists(st.lists(st.floats(-3, 3), min_size=4, max_size=4), min_size=4, max_size=4))
def test_an_inverse_times_its_matrix_is_one(rows):
    matrix = [
        [
            sum(a * b for a, b in zip(left, right, strict=True)) + (1.0 if i == j else 0.0)
            for j, right in enumerate(rows)
        ]
        for i, left in enumerate(rows)
    ]
    inverse = inverted(matrix)
    for i, row in enumerate(matrix):
        product = [sum(row[k] * inverse[k][j] for k in range(4)) for j in range(4)]
        assert product == pytest.approx([float(i == j) for j in range(4)], abs=1e-6)


def test_units_of_a_column_scale_its_coefficient_alone():
    chance = Random(1)
    x = [chance.gauss(0.0, 1.0) for _ in range(50)]
    y = [2 * one + chance.gauss(0.0, 1.0) for one in x]
    plain, scaled = (fit_linear([[1.0] * 50, [k * one for one in x]], y) for k in (1.0, 1e-9))
    assert scaled.coefficients[1] * 1e-9 == pytest.approx(plain.coefficients[1])
    assert scaled.standard_errors[1] * 1e-9 == pytest.approx(plain.standard_errors[1])
    assert scaled.r_squared == pytest.approx(plain.r_squared)


def test_columns_are_as_long_as_values():
    with pytest.raises(ValueError, match="as long"):
        fit_linear([[1.0]], [1.0, 2.0])
    with pytest.raises(ValueError, match="as long"):
        fit_linear([], [])


def decayed(seed, noise, rho=2.0):
    chance, times = Random(seed), [0.1 * i for i in range(40)]
    values = [1.0 + 3.0 * exp(-rho * t) + chance.gauss(0.0, noise) for t in times]

    def basis(rate):
        return [[1.0] * 40, [exp(-rate * t) for t in times]]

    return basis, values


def test_a_curve_without_noise_is_found():
    basis, values = decayed(1, 0.0)
    fit = fit_separable(basis, values, [1.0] * 40, (0.1, 20.0), variances_known=False)
    assert (fit.shape, *fit.coefficients) == pytest.approx((2.0, 1.0, 3.0), rel=1e-4)


def test_told_errors_are_how_far_estimates_vary():
    """Of 100 tapes 95 are expected within 1.96 errors of the truth; 86 is where chance ends."""
    within = 0
    for seed in range(100):
        basis, values = decayed(seed, 0.2)
        fit = fit_separable(basis, values, [25.0] * 40, (0.1, 20.0), variances_known=True)
        within += abs(fit.shape - 2.0) < 1.96 * fit.shape_error
    assert within >= 86


def test_a_misfit_makes_known_errors_larger_and_luck_not_smaller():
    basis, values = decayed(2, 0.2)
    right, bold, shy = (
        fit_separable(basis, values, [weight] * 40, (0.1, 20.0), variances_known=True).shape_error
        for weight in (25.0, 2_500.0, 0.25)
    )
    assert bold == pytest.approx(right, rel=0.35)
    assert shy > 5 * right


def test_a_shape_at_the_bound_is_refused():
    basis, values = decayed(3, 0.0, rho=30.0)
    with pytest.raises(ValueError, match="bound"):
        fit_separable(basis, values, [1.0] * 40, (0.1, 5.0), variances_known=False)


def test_what_no_curve_can_be_fitted_to_is_refused():
    basis, values = decayed(4, 0.1)
    for weights in ([1.0] * 39, [0.0] * 40, [float("nan")] * 40):
        with pytest.raises(ValueError, match="weights"):
            fit_separable(basis, values, weights, (0.1, 5.0), variances_known=False)
    with pytest.raises(ValueError, match="too few"):
        fit_separable(
            lambda rate: [[1.0] * 3, [exp(-rate * i) for i in range(3)]],
            [4.0, 2.0, 1.5],
            [1.0] * 3,
            (0.1, 5.0),
            variances_known=False,
        )
