"""Differences in blocks, many tests at once, and policies held against each other."""

import os
from dataclasses import dataclass, replace
from decimal import Decimal
from math import exp, fsum, sqrt
from random import Random

import pytest

from backtest.blocks import blocked, holm, usual_block
from backtest.contest import ContestError, Duel, contest
from backtest.recorded import Errand, Worked
from backtest.statistics import paired, student_p, student_quantile
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


def test_the_waves_of_a_short_series_by_hand():
    """Two differences have one cosine: sqrt(2 / 2) (x_1 - x_2) cos(pi / 4), squared (x_1 - x_2)^2 / 2."""
    found = blocked([1.0, 4.0], 1)
    assert (found.mean, found.blocks, found.degrees) == (2.5, 1, 1)
    assert found.standard_error == pytest.approx(sqrt(9 / 2 * 2) / 2)
    assert found.high - found.mean == pytest.approx(student_quantile(0.95, 1) * found.standard_error)
    assert found.p == pytest.approx(student_p(2.5 / found.standard_error, 1))


def test_as_many_waves_as_there_can_be_are_the_usual_standard_error():
    """All cosines together are the whole variance but for the mean's: the sum of squares about the mean, over n - 1."""
    values = normal(60, 1, mean=0.3)
    found, usual = blocked(values, 1), paired(values)
    assert found.mean == usual.mean == pytest.approx(fsum(values) / 60)
    assert found.standard_error == pytest.approx(usual.standard_error, rel=1e-9)
    assert (found.low, found.high) == (pytest.approx(usual.low), pytest.approx(usual.high))
    assert found.p == pytest.approx(usual.p_value)
    assert (found.block, found.blocks, found.degrees) == (1, 59, 59)


def test_neighbours_that_resemble_each_other_count_for_less():
    values = correlated(200, 3)
    assert blocked(values, 20).standard_error > 2 * blocked(values, 1).standard_error
    assert (blocked(values, 20).blocks, blocked(values, 20).degrees) == (10, 10)


def test_nothing_goes_on_from_one_recording_in_the_next():
    """What lies between two recordings is no spread of either."""
    level = [0.0] * 12 + [10.0] * 18
    apart, as_one = blocked(level, 3, lengths=(12, 18)), blocked(level, 3)
    assert (apart.mean, apart.standard_error, apart.low, apart.high, apart.p) == (6.0, 0.0, 6.0, 6.0, 0.0)
    assert as_one.standard_error > 1
    values = correlated(60, 2)
    parts = [blocked(part, 6) for part in (values[:24], values[24:])]
    found = blocked(values, 6, lengths=(24, 36))
    spreads = [(part.standard_error * part.count) ** 2 for part in parts]
    assert found.standard_error == pytest.approx(sqrt(fsum(spreads)) / 60)
    assert found.blocks == 4 + 6
    exact = fsum(spreads) ** 2 / (spreads[0] ** 2 / 4 + spreads[1] ** 2 / 6)
    assert found.degrees == int(exact) <= 10
    assert found.mean == blocked(values, 6).mean


def test_one_recording_is_what_it_was_and_short_ones_have_one_wave():
    values = correlated(30, 5)
    assert blocked(values, 4, lengths=(30,)) == blocked(values, 4)
    assert blocked(values, 4, lengths=(27, 3)).blocks == 6 + 1
    assert blocked([2.0] * 9, 3) == replace(blocked([2.0] * 9, 3), p=0.0, standard_error=0.0)
    assert blocked([0.0] * 9, 3).p == 1
    for lengths in ((29, 1), (20, 11), (30, 0)):
        with pytest.raises(ValueError, match="two differences of each recording"):
            blocked(values, 4, lengths=lengths)


def test_what_could_be_seen_with_more_power_or_fewer_tests_is_smaller():
    values = normal(100, 4)
    weak, strong = blocked(values, 2, power=0.5), blocked(values, 2, power=0.9)
    assert weak.smallest == pytest.approx(student_quantile(0.95, 50) * weak.standard_error)
    assert strong.smallest > blocked(values, 2).smallest > weak.smallest
    ten = blocked(values, 2, power=0.5, tests=10)
    assert ten.smallest == pytest.approx(student_quantile(0.995, 50) * weak.standard_error)


def test_the_power_that_is_told_is_there():
    """A true difference of that size, the hardest of ten, is shown in about 80 % of experiments."""
    tests, shown, count = 10, 0, 200
    smallest = blocked(normal(70, 1), 10, tests=tests).smallest / blocked(normal(70, 1), 10).standard_error
    for seed in range(count):
        found = blocked(normal(70, seed, mean=smallest / sqrt(70)), 10, tests=tests)
        shown += found.p * tests < 0.05
    assert 0.65 * count <= shown <= 0.9 * count


def test_where_nothing_can_be_shown_no_power_is_told():
    few = blocked([5.0 + one for one in normal(40, 8)], 18)
    assert (few.blocks, few.can_show, few.smallest) == (2, False, None)
    found = contest(
        run({"A": [one + 5 for one in normal(40, 8)], "B": normal(40, 9)}, duration_s=600), every_s=60
    )
    (duel,) = found.duels
    assert (duel.found.blocks, duel.found.smallest, duel.winner) == (1, None, None)
    assert duel.found.p < 0.05, "however sure it looks"


def test_a_block_is_three_overlaps_and_never_short():
    assert [usual_block(count, 1) for count in (2, 8, 27, 126, 200)] == [3, 5, 8, 13, 15]
    assert usual_block(126, 6) == 18
    assert usual_block(10, 12) == 36


def test_nothing_is_drawn_and_nonsense_is_refused():
    values = normal(30, 5)
    assert blocked(values, 3) == blocked(values, 3)
    for wrong, block in ((values[:1], 1), ([1.0, float("nan")], 1), (values, 0)):
        with pytest.raises(ValueError, match="two finite differences"):
            blocked(wrong, block)


def overlapping(count, seed, overlap):
    """Orders that live `overlap` steps long, of which one begins at each: a moving sum of what happens in each step."""
    steps = normal(count + overlap, seed)
    return [fsum(steps[at : at + overlap]) for at in range(count)]


def heavy(count, seed):
    return [exp(one) - exp(0.5) for one in normal(count, seed)]


CASES = [
    ("independent", normal, 1, (8,), 0.065),
    ("independent", normal, 1, (126,), 0.065),
    ("overlapping", lambda count, seed: overlapping(count, seed, 6), 6, (42, 42, 42), 0.065),
    ("overlapping", lambda count, seed: overlapping(count, seed, 7), 6, (126,), 0.075),
    ("overlapping", lambda count, seed: overlapping(count, seed, 6), 6, (30, 30, 60), 0.065),
    ("correlated by a half", lambda count, seed: correlated(count, seed, 0.5), 1, (126,), 0.075),
    ("correlated by four fifths", lambda count, seed: correlated(count, seed, 0.8), 1, (126,), 0.115),
    ("skewed with a heavy tail", heavy, 1, (40,), 0.115),
]
"""Name, differences whose mean is zero, overlap that is known, recordings, and the rate that is told at most."""


@pytest.mark.parametrize(("name", "made", "overlap", "lengths", "most"), CASES)
def test_a_difference_that_is_not_there_is_shown_as_rarely_as_it_is_told(
    name, made, overlap, lengths, most, record_property
):
    """The rates of docs/backtest.md; four standard errors of chance are allowed for."""
    times = 4_000 if os.environ.get("EXECUTOR_CAMPAIGN") == "full" else 300
    shown = 0
    for number in range(times):
        differences = [
            one
            for part, length in enumerate(lengths)
            for one in made(length, f"{name}-{lengths}-{number}-{part}")
        ]
        found = blocked(differences, usual_block(min(lengths), overlap), lengths=lengths)
        duel = Duel(first="A", second="B", found=found, p_holm=found.p)
        shown += duel.winner is not None
    record_property("rate", shown / times)
    assert shown / times <= most + 4 * sqrt(most * (1 - most) / times)


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
    alone = contest(run({name: costs[name] for name in ("B", "C")}), every_s=60).duels[0].found
    assert found.duels[2].found.smallest > alone.smallest, "three tests ask for more than one"
    assert found.mean_bps("B") == pytest.approx(found.mean_bps("A") + 1)


def test_both_sides_of_a_moment_are_one_observation_and_half_a_moment_is_none():
    costs = {"A": normal(12, 8), "B": normal(12, 9)}
    both = contest(run(costs, sides=(Side.BUY, Side.SELL)), every_s=60)
    one = contest(run(costs), every_s=60)
    assert both.duels == one.duels
    holed = run({"A": [*costs["A"][:-1], None], "B": costs["B"]})
    found = contest(holed, every_s=60)
    assert (len(found.moments), found.left_out) == (11, 1)


def test_blocks_are_as_long_as_orders_were_really_at_work():
    costs = {"A": normal(40, 8), "B": normal(40, 9)}
    found = contest(run(costs, duration_s=120), every_s=60)
    (duel,) = found.duels
    assert (found.overlap, duel.found.block, duel.found.blocks) == (2, 9, 4)
    late = [
        replace(one, ended_ns=one.errand.start_ns + 125 * NS_PER_S) if one.errand.number == 7 else one
        for one in run(costs, duration_s=120)
    ]
    assert contest(late, every_s=60).overlap == 2, "its last answers"
    late[12] = replace(late[12], ended_ns=late[12].errand.start_ns + 150 * NS_PER_S)
    longer = contest(late, every_s=60)
    assert (longer.overlap, longer.duels[0].found.block) == (3, 9)
    assert longer.duels[0].found.has_few_blocks


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
