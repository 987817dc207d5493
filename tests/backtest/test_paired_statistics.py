"""Paired statistics on numbers that are known: by hand, from the tables, and in closed form."""

from math import atan, pi, sqrt
from random import Random

import pytest

from backtest.statistics import incomplete_beta, paired, pairs_needed, sign_flip_p, student_quantile

GAINS = [1.0, 2.0, 3.0, 4.0, 5.0]
"""Mean 3; squared deviations 4 + 1 + 0 + 1 + 4 over four: variance 5/2, of the mean 1/2."""


def test_differences_reckoned_by_hand():
    found = paired(GAINS)
    assert (found.pairs, found.mean, found.confidence) == (5, 3.0, 0.95)
    assert found.standard_error == pytest.approx(sqrt(1 / 2))
    assert found.t == pytest.approx(3 * sqrt(2))
    half = 2.776445 * sqrt(1 / 2)  # the table's quantile for four degrees of freedom
    assert (found.low, found.high) == (pytest.approx(3 - half, abs=1e-5), pytest.approx(3 + half, abs=1e-5))
    assert found.shows_gain


@pytest.mark.parametrize(
    ("confidence", "degrees", "table"),
    [
        (0.95, 1, 12.706),
        (0.95, 2, 4.303),
        (0.95, 9, 2.262),
        (0.95, 30, 2.042),
        (0.95, 120, 1.980),
        (0.99, 5, 4.032),
        (0.90, 40, 1.684),
        (0.95, 100_000, 1.960),
    ],
)
def test_quantiles_are_those_of_the_table(confidence, degrees, table):
    assert student_quantile(confidence, degrees) == pytest.approx(table, abs=5.01e-4)


def test_quantiles_with_a_closed_form():
    """One degree: P(|T| <= q) = 2/pi atan q. Two degrees: q / sqrt(2 + q^2)."""
    for confidence in (0.1, 0.5, 0.9, 0.999):
        assert 2 / pi * atan(student_quantile(confidence, 1)) == pytest.approx(confidence, rel=1e-10)
        bound = student_quantile(confidence, 2)
        assert bound / sqrt(2 + bound * bound) == pytest.approx(confidence, rel=1e-10)


def test_the_incomplete_beta_in_closed_forms():
    for x in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert incomplete_beta(x, 1, 1) == pytest.approx(x)
        assert incomplete_beta(x, 3, 1) == pytest.approx(x**3)
        assert incomplete_beta(x, 1, 4) == pytest.approx(1 - (1 - x) ** 4)
        assert incomplete_beta(x, 2, 2) == pytest.approx(3 * x**2 - 2 * x**3)


def test_differences_that_are_all_equal_have_no_t():
    found = paired([0.0, 0.0, 0.0])
    assert (found.mean, found.standard_error, found.t, found.low, found.high) == (0, 0, None, 0, 0)
    assert not found.shows_gain
    assert paired([2.0, 2.0]).shows_gain


def test_the_sign_turns_with_the_differences():
    there, back = paired(GAINS), paired([-one for one in GAINS])
    assert (back.mean, back.t, back.low, back.high) == (-there.mean, -there.t, -there.high, -there.low)
    assert not back.shows_gain


def test_the_interval_holds_the_mean_as_often_as_it_says():
    """Of 1000 intervals at 90 % of eight normal differences each, 900 +- 38 (four standard errors)."""
    chance = Random(11)
    held = 0
    for _ in range(1_000):
        found = paired([chance.gauss(0.3, 2.0) for _ in range(8)], confidence=0.9)
        held += found.low <= 0.3 <= found.high
    assert 862 <= held <= 938


@pytest.mark.parametrize("differences", [[], [1.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_too_little_or_nonsense_is_refused(differences):
    with pytest.raises(ValueError, match="two finite"):
        paired(differences)


@pytest.mark.parametrize(("confidence", "degrees"), [(0.0, 5), (1.0, 5), (0.95, 0)])
def test_a_quantile_without_a_meaning_is_refused(confidence, degrees):
    with pytest.raises(ValueError, match="no quantile"):
        student_quantile(confidence, degrees)


def test_the_p_value_of_t_reckoned_by_hand():
    """Two degrees: P(|T| > t) = 1 - t / sqrt(2 + t^2), and here t = mean / error = 2 / (1 / sqrt(3))."""
    t = 2 * sqrt(3)
    assert paired([1.0, 2.0, 3.0]).p_value == pytest.approx(1 - t / sqrt(2 + t * t), rel=1e-10)
    assert paired([2.0, 2.0]).p_value is None


def test_p_below_the_level_and_zero_outside_the_interval_are_the_same():
    chance = Random(3)
    for _ in range(200):
        found = paired([chance.gauss(0.5, 1.0) for _ in range(6)])
        assert (found.p_value < 0.05) == (found.shows_gain or found.shows_loss)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([1.0, 2.0, 3.0], 2 / 8),  # all of one sign: only this assignment and its mirror are as far from zero
        ([1.0, 2.0, -3.0], 8 / 8),  # a sum of zero is nearest of all
        ([1.0, 1.0, -1.0], 8 / 8),
        ([5.0, 1.0, -1.0], 6 / 8),  # sums 7, 5, 5, 3 and their mirrors
        ([0.1, 0.2, 0.3, 0.4], 2 / 16),
    ],
)
def test_flips_of_signs_counted_by_hand(differences, expected):
    assert sign_flip_p(differences) == expected


def test_flips_that_are_drawn_agree_with_t_where_the_mean_is_normal():
    chance = Random(5)
    differences = [chance.gauss(0.4, 1.0) for _ in range(30)]
    assert sign_flip_p(differences) == pytest.approx(paired(differences).p_value, abs=0.015)
    assert sign_flip_p(differences) == sign_flip_p(differences)
    assert sign_flip_p([1.0] * 30) == pytest.approx(1 / 10_001)
    assert sign_flip_p([0.0] * 30) == 1


def test_flips_of_signs_keep_their_word_where_tails_are_heavy():
    """Of 400 experiments with a true mean of zero, 40 +- 24 (four standard errors) have p <= 0.1."""
    chance = Random(17)
    small = sum(sign_flip_p([chance.gauss(0, 1) ** 3 for _ in range(8)]) <= 0.1 for _ in range(400))
    assert 16 <= small <= 64


@pytest.mark.parametrize(
    ("deviation", "difference", "table"), [(1.0, 0.5, 34), (1.0, 0.8, 15), (1.0, 0.2, 199), (2.0, 1.0, 34)]
)
def test_pairs_needed_are_those_of_the_table(deviation, difference, table):
    """Tables by the noncentral t; this approximation is short of them by two pairs at most."""
    assert table - 2 <= pairs_needed(deviation, difference) <= table


def test_pairs_needed_do_what_they_say():
    count, chance = pairs_needed(2.0, 1.5), Random(23)
    shown = sum(paired([chance.gauss(1.5, 2.0) for _ in range(count)]).shows_gain for _ in range(1_000))
    assert 740 <= shown <= 860


@pytest.mark.parametrize(
    ("deviation", "difference", "power"),
    [(1.0, 0.0, 0.8), (1.0, -1.0, 0.8), (1.0, 1.0, 1.0), (-1.0, 1.0, 0.8)],
)
def test_a_number_of_pairs_without_a_meaning_is_refused(deviation, difference, power):
    with pytest.raises(ValueError, match="no number of pairs"):
        pairs_needed(deviation, difference, power=power)
