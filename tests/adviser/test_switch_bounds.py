"""How far switches of the schedule can lead: told with the first one, and kept by whatever is switched to."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.advice.worst_case import may_switch, worst_case
from executor.domain.advice import Action
from executor.domain.advice_terms import Band
from executor.domain.orders import StrategyParams
from executor.domain.timeline import NS_PER_S
from executor.engine.steering import switched
from strategies.base import STRATEGIES, SWITCHABLE
from strategies.vwap import Vwap
from tests.adviser.steered_life import Case, Life, advice_of
from tests.adviser.test_any_advice import rolled_advice, rolled_case
from tests.adviser.test_band import TEN_SLICES, at
from tests.builders import T0, D

ALL = Band(strategies=SWITCHABLE)
FIXED = replace(TEN_SLICES, strategy="vwap", params=StrategyParams(catch_up=False))


def bounds(order=TEN_SLICES, schedule=None, *, least="0", switchable=True, path="50"):
    return worst_case(
        ALL, order, at(0).schedule if schedule is None else schedule, least_qty=D(least), switchable=switchable,
        spread_bps=D(20), cross_cap_bps=D(10), path_bps=D(path), bill_max=D(3),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("band", "strategy", "switches", "others", "may"),
    [
        (Band(), "twap", 0, ("", ""), False),
        (Band(strategies=("twap",)), "twap", 0, (), False),
        (Band(strategies=("twap", "vwap")), "twap", 0, (), True),
        (Band(strategies=("twap", "vwap"), switches_max=0), "twap", 0, (), False),
        (Band(strategies=("twap", "vwap"), switches_max=2), "twap", 1, (), True),
        (Band(strategies=("twap", "vwap"), switches_max=2), "twap", 2, (), False),
        (Band(strategies=("twap", "vwap"), switches_max=2), "twap", 2, ("vwap", ""), True),
        (Band(), "twap", 0, ("vwap", ""), True),
        (Band(), "vwap", 0, ("vwap", ""), False),
        (Band(), "twap", 3, ("", "vwap"), True),
    ],
)
def test_who_may_switch_the_schedule(band, strategy, switches, others, may):
    assert may_switch(band, strategy, switches=switches, others=others) is may


def test_where_nothing_may_switch_the_bounds_of_the_schedule_hold_to_the_end():
    worst = bounds(switchable=False)
    told = worst.switching
    assert (told.moved_pct, told.ahead_pct, told.behind_pct) == (0, worst.ahead_pct, worst.behind_pct)
    assert (told.slice_pct, told.timing_bps) == (20, worst.timing_bps)  # twice a slice of 10 %


def test_where_it_may_be_switched_only_what_is_left_is_a_bound():
    worst = bounds()
    told = worst.switching
    assert (worst.ahead_pct, worst.behind_pct, worst.participation_times, worst.timing_bps) == (20, 20, 2, 10)
    assert (told.moved_pct, told.ahead_pct, told.behind_pct, told.slice_pct) == (100, 100, 100, 100)
    assert told.timing_bps == 50
    late = bounds(least="8.8")
    assert (late.ahead_pct, late.behind_pct, late.switching.moved_pct) == (12, 12, 12)
    assert (late.switching.slice_pct, late.switching.timing_bps) == (12, 6)


def test_a_switch_can_take_all_that_is_told():
    """An order that may not catch up, of which nothing was filled: a new plan has all of it due in one slice."""
    old = at(599, cum="0", order=FIXED)
    plan = switched(old, FIXED, Vwap())
    told = bounds(FIXED, old.schedule).switching
    assert [piece.qty for piece in plan.slices] == [10]
    assert plan.slices[0].qty * 10 == told.slice_pct
    moved_pct = (old.schedule.pro_rata_qty(old.now_ns) - plan.pro_rata_qty(old.now_ns)) * 10
    assert told.moved_pct - moved_pct < D("0.2")


@pytest.mark.parametrize("times", ["1", "1.01", "1.5", "2", "3"])
@pytest.mark.parametrize("cum", ["6", "6.5", "7.9"])
def test_no_plan_starts_below_what_is_filled_and_where_the_old_one_is(times, cum):
    """Also where nothing was filled yet of a plan that was made in mid-life."""
    params = StrategyParams(interval_s=60, catch_up_max=D(times))
    order = replace(TEN_SLICES, strategy="vwap", params=params)
    start_ns, end_ns = T0 + 60 * NS_PER_S, order.deadline_ns
    for name in SWITCHABLE:
        rules = at(0).instrument
        made = STRATEGIES[name].plan(
            order=order, instrument=rules, reference_px=D(50_000), start_ns=start_ns, end_ns=end_ns, cum_qty=D(6)
        )  # fmt: skip
        for second in (60, 61, 300, 598):
            look = replace(at(second, cum=cum, base=cum, order=order), schedule=made)
            plan = switched(look, order, Vwap())
            due_qty = made.pro_rata_qty(look.now_ns)
            assert plan.base_qty >= rules.round_qty(min(D(cum), due_qty)) >= 6
            assert plan.base_qty <= due_qty


def rolled_switches(rng: Random) -> Case:
    """A case in which the schedule is switched over and over, by advice and by the fallback, among other advice."""
    usual = rolled_case(rng)
    band = replace(usual.band, strategies=SWITCHABLE, switches_max=rng.randint(0, 40), confidence_min=D(0))
    moments = sorted(rng.uniform(0, 1) for _ in range(rng.randint(2, 40)))
    choices = (
        lambda: advice_of(Action.SWITCH_STRATEGY, strategy=rng.choice(SWITCHABLE)),
        lambda: None,
        lambda: rolled_advice(rng, usual.order),
    )
    advice = tuple((moment, rng.choice((*choices, choices[0]))()) for moment in moments)
    return replace(usual, band=band, advice=advice)


@given(st.randoms(use_true_random=False))
def test_no_sequence_of_switches_leads_beyond_what_was_told_first(rng):
    """`Life` holds every look, every order and every new plan against the bounds of the first schedule."""
    Life(case=rolled_switches(rng)).play()


def test_the_sequences_do_switch_again_and_again():
    lives = [Life(case=rolled_switches(Random(f"switches {seed}"))) for seed in range(60)]
    for life in lives:
        life.play()
    assert max(life.seen["switched"] + life.seen["fell back"] for life in lives) > 5
    assert any(life.seen["fell back"] and life.case.done_qty for life in lives)
