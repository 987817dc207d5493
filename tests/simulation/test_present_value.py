"""What a share is worth by its dividends: the figures of Lopez-Lira (arXiv 2504.10789)."""

from math import nan

import pytest

from simulation.present_value import Dividend, perpetual_value, redeemed_value

DIVIDEND = Dividend(base=1.4, variation=1.0)


def test_fundamental_value_of_the_paper():
    assert DIVIDEND.expected(0.5) == pytest.approx(1.4)
    assert perpetual_value(DIVIDEND.expected(0.5), 0.05) == pytest.approx(28.0, rel=1e-9)


def test_optimists_and_pessimists():
    """Whoever thinks the greater payment comes with 0.8 or 0.9, or with 0.2 or 0.1."""
    told = [perpetual_value(DIVIDEND.expected(chance), 0.05) for chance in (0.8, 0.9, 0.2, 0.1)]
    assert told == pytest.approx([40.0, 44.0, 16.0, 12.0], rel=1e-9)


def test_a_share_that_is_redeemed_at_its_value_keeps_it():
    told = [redeemed_value(1.4, 0.05, rounds, 28.0) for rounds in range(16)]
    assert told == pytest.approx([28.0] * 16, rel=1e-12)


def test_a_share_that_is_not_redeemed_runs_out():
    told = [redeemed_value(1.4, 0.05, rounds, 0.0) for rounds in (15, 8, 1, 0)]
    assert told == pytest.approx([14.531521, 9.048498, 1.333333, 0.0], abs=5e-7)
    summed = sum(1.4 / 1.05**number for number in range(1, 16)) + 5.0 / 1.05**15
    assert redeemed_value(1.4, 0.05, 15, 5.0) == pytest.approx(summed, rel=1e-12)


def test_what_means_nothing_is_refused():
    for bad in (
        lambda: Dividend(base=1.0, variation=2.0),
        lambda: Dividend(base=nan, variation=0.0),
        lambda: DIVIDEND.expected(1.5),
        lambda: perpetual_value(1.4, 0.0),
        lambda: perpetual_value(nan, 0.05),
        lambda: redeemed_value(1.4, 0.05, -1, 28.0),
        lambda: redeemed_value(1.4, 0.05, 1, -1.0),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            bad()
