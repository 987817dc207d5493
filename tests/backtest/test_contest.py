"""Differences in blocks, many tests at once, and policies held against each other."""

from dataclasses import dataclass, replace
from decimal import Decimal
from math import fsum, sqrt
from random import Random

import pytest

from backtest.blocks import blocked, holm, resampled, usual_block
from backtest.contest import ContestError, contest
from backtest.recorded import Errand, Worked
from backtest.statistics import paired, sign_flip_p
from executor.domain.orders import Side
from executor.domain.timeline import NS_PER_S
from simulation.replay.spoken import Account
from tests.builders import T0, submitted

NOTHING = Account(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Cost:
    """All that a contest looks at of a drive."""

    cost_bps: Decimal


def normal(count, seed, mean=0.0):
    chance = Random(seed)
    return [chance.gauss(mean, 1.0) for _ in range(count)]


def correlated(count, seed, share=0.9):
    """Neighbours that resemble each other: x_i = share x_(i-1) + noise."""
    chance, series = Random(seed), [0.0]
    for _ in range(count):
        series.append(share * series[-1] + chance.gauss(0.0, 1.0))
    return series[1:]


def test_blocks_of_one_are_the_usual_standard_error():
    values = normal(200, 1, mean=0.3)
    found, usual = blocked(values, 1), paired(values)
    assert found.mean == usual.mean == pytest.approx(fsum(values) / 200)
    assert found.standard_error == pytest.approx(usual.standard_error, rel=0.03)
    assert found.low == pytest.approx(usual.low, abs=0.02)
    assert found.high == pytest.approx(usual.high, abs=0.02)
    assert (found.blocks, found.block) == (200, 1)


def test_the_spread_of_resampled_means_is_that_of_circular_blocks():
    """The variance of the mean of m blocks drawn freely is known: that of all circular block means over m."""
    values, block = correlated(60, 2), 6
    found = blocked(values, block)
    ring = values + values[:block]
    means = [fsum(ring[at : at + block]) / block for at in range(60)]
    centre = fsum(means) / 60
    variance = fsum((one - centre) ** 2 for one in means) / 60 / found.blocks
    assert found.standard_error == pytest.approx(sqrt(variance * 10 / 9), rel=0.03)


def test_neighbours_that_resemble_each_other_count_for_less():
    values = correlated(200, 3)
    assert resampled(values, 20, 0.95, 0, 2_000)[0] > 2 * resampled(values, 1, 0.95, 0, 2_000)[0]


def test_no_block_goes_on_from_one_recording_in_the_next():
    """Each recording is a ring of its own: what lies between two of them is no spread of either."""
    level = [0.0] * 12 + [10.0] * 18
    apart, as_one = blocked(level, 3, lengths=(12, 18)), blocked(level, 3)
    assert (apart.mean, apart.standard_error, apart.low, apart.high) == (6.0, 0.0, 6.0, 6.0)
    assert as_one.standard_error > 1
    values, block, lengths = correlated(60, 2), 6, (24, 36)
    found = blocked(values, block, lengths=lengths)
    variance = 0.0
    for begin, length in ((0, 24), (24, 36)):
        part = values[begin : begin + length]
        ring = part + part[:block]
        sums = [fsum(ring[at : at + block]) for at in range(length)]
        centre = fsum(sums) / length
        blocks = length // block
        variance += blocks * fsum((one - centre) ** 2 for one in sums) / length * blocks / (blocks - 1)
    assert found.standard_error == pytest.approx(sqrt(variance) / 60, rel=0.03)
    assert found.mean == blocked(values, block).mean


def test_one_recording_is_what_it_was_and_short_ones_have_short_blocks():
    values = correlated(30, 5)
    assert blocked(values, 4, lengths=(30,)) == blocked(values, 4)
    cut = blocked(values, 4, lengths=(25, 5))
    assert (cut.block, cut.blocks) == (4, 7 + 3), "five moments are two blocks of two, and one"
    ones = [1.0] * 7 + [2.0] * 3
    exact = sign_flip_p([3.0, 3.0, 1.0, 2.0, 2.0, 2.0])
    assert blocked(ones, 3, lengths=(7, 3)).p == exact, "signs are flipped block by block of each recording"
    for lengths in ((29, 1), (20, 11), (30, 0)):
        with pytest.raises(ValueError, match="two differences of each recording"):
            blocked(values, 4, lengths=lengths)


def test_an_interval_from_blocks_holds_the_truth_about_as_often_as_it_says():
    def inside(block):
        bounds = [
            resampled(correlated(120, seed, 0.5), block, 0.95, seed, times=400)[1:] for seed in range(40)
        ]
        return sum(low <= 0 <= high for low, high in bounds)

    assert inside(8) >= 33  # 38 expected; narrower than it says by no more than is known of 15 blocks
    assert inside(1) < inside(8)


def test_what_could_be_seen_with_more_power_is_larger():
    values = normal(100, 4)
    weak, strong = blocked(values, 2, power=0.5), blocked(values, 2, power=0.9)
    assert weak.smallest == pytest.approx(2.0096 * weak.standard_error, rel=0.001)  # Student's of 49, no more
    assert strong.smallest > blocked(values, 2).smallest > weak.smallest


def test_a_block_is_as_long_as_orders_overlap_and_never_half_of_all():
    assert [usual_block(count, 1) for count in (2, 8, 27, 288)] == [1, 2, 3, 7]
    assert usual_block(288, 12) == 12
    assert usual_block(10, 12) == 5


def test_the_same_seed_draws_the_same_and_nonsense_is_refused():
    values = normal(30, 5)
    assert blocked(values, 3, seed=1) == blocked(values, 3, seed=1) != blocked(values, 3, seed=2)
    for wrong, block in ((values[:5], 3), ([1.0, float("nan")], 1), (values, 0)):
        with pytest.raises(ValueError, match="two blocks"):
            blocked(wrong, block)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def run(costs, *, sides=(Side.BUY,), duration_s=60):
    """What a run gives whose costs are these, by policy; None came to no end."""
    order = submitted(duration_s=duration_s)
    return [
        Worked(
            errand=Errand(number=n + 1, start_ns=T0 + n * 60 * NS_PER_S, order=replace(order, side=side), policy=name),
            drive=None if series[n] is None else Cost(Decimal(repr(series[n]))),
            failure="", fills=(), account=NOTHING, state_hash=0, events=0,
        )
        for n in range(len(next(iter(costs.values()))))
        for side in sides
        for name, series in costs.items()
    ]  # fmt: skip


def test_a_policy_that_is_cheaper_every_time_is_found_and_chance_is_not():
    noise = normal(60, 6)
    costs = {"A": [2 + one for one in noise], "B": [3 + one for one in noise], "C": normal(60, 7, mean=2.0)}
    found = contest(run(costs), every_s=60)
    winners = {(duel.first, duel.second): duel.winner for duel in found.duels}
    assert winners[("A", "B")] == "A"
    assert winners[("A", "C")] is None
    (first, *_) = found.duels
    assert first.found.mean == pytest.approx(-1)
    assert first.found.standard_error == pytest.approx(0, abs=1e-9)
    assert all(duel.p_holm >= duel.found.p for duel in found.duels)
    assert found.mean_bps("B") == pytest.approx(found.mean_bps("A") + 1)


def test_both_sides_of_a_moment_are_one_observation_and_half_a_moment_is_none():
    costs = {"A": normal(12, 8), "B": normal(12, 9)}
    both = contest(run(costs, sides=(Side.BUY, Side.SELL)), every_s=60)
    one = contest(run(costs), every_s=60)
    assert both.duels == one.duels
    holed = run({"A": [*costs["A"][:-1], None], "B": costs["B"]})
    found = contest(holed, every_s=60)
    assert (len(found.moments), found.left_out) == (11, 1)


def test_orders_that_overlap_stand_in_one_block():
    costs = {"A": normal(40, 8), "B": normal(40, 9)}
    (duel,) = contest(run(costs, duration_s=600), every_s=60).duels
    assert (duel.found.block, duel.found.blocks) == (10, 4)
    assert duel.found.has_few_blocks


def test_recordings_are_told_apart_by_the_number_of_their_first_moment():
    costs = {"A": [0.0] * 8 + [10.0] * 8, "B": [0.0] * 16}
    (apart,) = contest(run(costs), every_s=60, firsts=(1, 9)).duels
    (as_one,) = contest(run(costs), every_s=60).duels
    assert apart.found.standard_error == 0 < as_one.found.standard_error
    holed = run({"A": [None, *costs["A"][1:]], "B": costs["B"]})
    assert contest(holed, every_s=60, firsts=(1, 9)).lengths == (7, 8)
    with pytest.raises(ContestError, match=r"each recording.*\[15, 1\]"):
        contest(run(costs), every_s=60, firsts=(1, 16))


def test_too_few_to_compare_are_refused():
    with pytest.raises(ContestError, match="3 of 4 moments"):
        contest(run({"A": [1.0, 2.0, 3.0, None], "B": normal(4, 1)}), every_s=60)
    with pytest.raises(ContestError, match="two blocks of 4"):
        contest(run({"A": normal(6, 1), "B": normal(6, 2)}), every_s=60, block=4)
