"""Mark-outs summed up: the worked example by hand, what a split fill changes (nothing), errors of known data."""

from decimal import Decimal as D
from random import Random
from statistics import fmean, stdev

import pytest

from executor.domain.timeline import NS_PER_S
from impact.tca.mark_outs import BLOCKS_MIN, MARK_OUTS_S, MarkSums, mark_outs, ratio_error_bps, reversion_bps


def sums(fills, notional, gain):
    """The same figures at every horizon."""
    count = len(MARK_OUTS_S)
    return MarkSums(fills=[fills] * count, notional=[D(notional)] * count, gain=[D(gain)] * count)


def test_value_weighted_and_by_block():
    """Three minutes: values 100, 100 and 200, gains 1, 3 and 2: 150 bp; deviations -0.5, 1.5 and -1, squares 3.5."""
    found = mark_outs(
        [(0, sums(1, 100, 1)), (60 * NS_PER_S, sums(2, 100, 3)), (120 * NS_PER_S, sums(1, 200, 2))]
    )
    first = found[0]
    assert (first.horizon_s, first.fills, first.notional, first.gain_bps) == (1, 4, 400, 150)
    assert float(first.standard_error_bps) == pytest.approx((3.5 * 3 / 2) ** 0.5 / 400 * 10_000)
    # Blocks of ten minutes: all three are one.
    assert found[-1].horizon_s == 300
    assert found[-1].standard_error_bps is None


def test_children_of_one_block_are_one_observation():
    apart = mark_outs([(n * 60 * NS_PER_S, sums(1, 100, n)) for n in range(4)])
    pieces = [(n * 60 * NS_PER_S + k, sums(1, 50, D(n) / 2)) for n in range(4) for k in range(2)]
    assert mark_outs(pieces)[0].standard_error_bps == apart[0].standard_error_bps


def test_splitting_a_fill_changes_neither_mean_nor_error():
    whole = [(n * 60 * NS_PER_S, sums(1, 100 + n, n)) for n in range(4)]
    pieces = [(at, sums(2, each.notional[0], each.gain[0])) for at, each in whole]
    for one, other in zip(mark_outs(whole), mark_outs(pieces), strict=True):
        assert other.fills == 2 * one.fills
        assert (one.gain_bps, one.standard_error_bps, one.notional) == (
            other.gain_bps,
            other.standard_error_bps,
            other.notional,
        )


def test_unknown_is_none():
    assert mark_outs([]) == ()
    nothing = mark_outs([(0, MarkSums())])
    assert {(each.fills, each.gain_bps, each.standard_error_bps) for each in nothing} == {(0, None, None)}
    assert reversion_bps([MarkSums()]) is None
    assert ratio_error_bps([(D(1), D(100))] * (BLOCKS_MIN - 1)) is None


def test_reversion_is_of_what_is_known_at_both_ends():
    """Of 300 in value 1.5 came back: 50 bp."""
    found = reversion_bps(
        [MarkSums(back_notional=D(100), came_back=D("0.5")), MarkSums(back_notional=D(200), came_back=D(1))]
    )
    assert found == 50


def test_the_standard_error_is_the_spread_of_means_over_many_draws():
    """500 samples of 30 clusters of unequal size: the mean error told is the deviation of the ratios, within 10 %."""
    chance = Random(5)
    ratios, errors = [], []
    for _ in range(500):
        clusters = [(D(str(round(chance.gauss(0, 1), 6))), D(chance.randrange(50, 150))) for _ in range(30)]
        whole = sum(n for _, n in clusters)
        ratios.append(float(sum(g for g, _ in clusters) / whole) * 10_000)
        errors.append(float(ratio_error_bps(clusters)))
    assert fmean(errors) == pytest.approx(stdev(ratios), rel=0.1)
