"""Whatever is advised, and however often: the order stays inside its band, and is done when its schedule is over.

Hypothesis finds the smallest life that breaks a rule; the seeded campaign plays many more (6 000 pieces of advice,
1 000 000 with `EXECUTOR_CAMPAIGN=full`), and must have seen everything that it claims to cover.
"""

import os
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.advice.ruling import Clip
from executor.domain.advice import Action, OrderKind
from executor.domain.advice_terms import Band
from executor.domain.decision import Style, Why
from executor.domain.orders import Side, StrategyParams, Urgency
from executor.domain.timeline import NS_PER_S
from strategies.base import SWITCHABLE
from tests.adviser.steered_life import Case, Life, advice_of
from tests.builders import T0, D, instrument, parent_order

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
ADVICE = 1_000_000 if FULL else 6_000

SOMETIMES = {
    *Action,
    *Clip,
    *Style,
    Why.ADVICE_WAIT,
    Why.SLICE_CROSSING,
    Why.SLICE_RESTING,
    "done",
    "switched",
    "fell back",
    "hurried",
    "slowed",
}


def rolled_number(rng: Random, low_digits: int = -18, high_digits: int = 17):
    """A plain positive number of any size, small ones as often as huge ones."""
    return D(rng.randint(1, 10**6)).scaleb(rng.randint(low_digits, high_digits - 6))


def rolled_advice(rng: Random, order):
    maybe = rng.random
    slice_qty = order.order_qty / 5
    return advice_of(
        rng.choice([*Action, Action.WAIT, Action.ACCELERATE, Action.DECELERATE, Action.PASSIVE]),
        strategy=rng.choice([*SWITCHABLE, "pov"]) if maybe() < 0.5 else None,
        qty=None
        if maybe() < 0.6
        else rng.choice([rolled_number(rng), (slice_qty * D(rng.randint(1, 300)) / 100).normalize()]),
        order_kind=rng.choice([None, None, *OrderKind]),
        limit_px=None
        if maybe() < 0.7
        else rng.choice([rolled_number(rng), D(50_000 + rng.randint(-100, 100))]),
        rate=None if maybe() < 0.5 else rng.choice([rolled_number(rng), D(rng.randint(0, 300)) / 100]),
        wait_s=None if maybe() < 0.5 else rng.choice([0, rng.randint(1, 30), 10**9]),
        confidence=rng.choice([D(1), D("0.5"), D(rng.randint(0, 100)) / 100]),
        impact_adjustment=D(rng.randint(50, 200)) / 100,
    )


def rolled_band(rng: Random) -> Band:
    if rng.random() < 0.3:
        return Band(strategies=SWITCHABLE)
    return Band(
        confidence_min=D(rng.randint(0, 80)) / 100,
        rate_min=D(rng.randint(1, 100)) / 100,
        rate_max=D(rng.randint(100, 400)) / 100,
        slice_times_max=D(rng.choice([100, 120, 150, 200, 300])) / 100,
        slice_times_min=D(rng.choice([1, 10, 50, 100])) / 100,
        ahead_pct_max=D(rng.choice([0, 3, 10, 30, 100])),
        behind_pct_max=D(rng.choice([0, 3, 10, 30, 100])),
        wait_s_max=rng.choice([0, 5, 60, 10_000]),
        act_until_pct=D(rng.choice([0, 50, 90, 100])),
        hold_s_max=rng.choice([0, 3, 30, 10_000]),
        cancel_allowed=rng.random() < 0.5,
        strategies=tuple(name for name in SWITCHABLE if rng.random() < 0.8),
        switches_max=rng.randint(0, 5),
    )


def rolled_case(rng: Random) -> Case:
    rules = instrument(
        qty_step=D(rng.choice(["0.001", "0.01"])),
        min_order_qty=D(rng.choice(["0.01", "0.05"])),
        min_notional=D(rng.choice(["0", "5", "695"])),
    )
    slices = rng.randint(1, 8)
    interval_s = rng.randint(2, 30)
    order = parent_order(
        side=rng.choice(list(Side)),
        order_qty=rules.round_qty(rules.smallest_qty(D(49_900)) * D(rng.randint(100, 1_500)) / 100),
        limit_px=rng.choice([None, None, None, D("50010"), D("49990"), D("50000.5"), D("50000")]),
        deadline_ns=T0 + slices * interval_s * NS_PER_S + rng.randint(0, 10**9),
        urgency=rng.choice(list(Urgency)),
        strategy=rng.choice(SWITCHABLE),
        params=StrategyParams(
            interval_s=interval_s,
            randomize_size_pct=rng.choice([0, 0, 30, 50]),
            randomize_timing_pct=rng.choice([0, 0, 30, 50]),
            catch_up=rng.random() < 0.8,
            catch_up_max=D(rng.choice([100, 110, 150, 200, 200, 300])) / 100,
            passiveness=rng.choice([None, D(0), D("0.5"), D(1)]),
            reprice_ticks=rng.randint(0, 3),
        ),
        seed=rng.randint(0, 10**6),
    )
    moments = sorted(rng.uniform(-0.05, 1) for _ in range(rng.randint(1, 20)))
    complete = rng.random() < 0.6
    fills = [D(1)] if complete else [D(rng.choice([0, 0, 10, 37, 100])) / 100 for _ in range(7)]
    late = [0] if complete or rng.random() < 0.5 else [rng.randint(0, 20 * NS_PER_S) for _ in range(5)]
    band = rolled_band(rng)
    advice = tuple((moment, rolled_advice(rng, order)) for moment in moments)
    return Case(
        order=order,
        rules=rules,
        band=band,
        advice=tuple((moment, None if rng.random() < 0.1 else each) for moment, each in advice),
        fills=tuple(fills),
        late_ns=tuple(late),
        fallback=rng.choice(["", *SWITCHABLE]),
        done_qty=rules.round_qty(order.order_qty * D(rng.choice([0, 0, 0, 20, 60])) / 100),
    )


def seen_in(life: Life) -> Counter:
    seen = life.seen + life.clips
    seen["hurried"] += life.worst_ahead_pct > 5 and life.changed > 0
    seen["slowed"] += life.worst_behind_pct > 5 and life.changed > 0
    return seen


@pytest.mark.timeout(7_200 if FULL else 120)
def test_the_campaign_of_arbitrary_advice_keeps_every_rule():
    seen: Counter = Counter()
    given_advice = seed = 0
    while given_advice < ADVICE:
        life = Life(case=rolled_case(Random(f"any advice {seed}")))
        try:
            life.play()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        seen += seen_in(life)
        given_advice += len(life.case.advice)
        seed += 1
    assert not {str(name) for name in SOMETIMES if not seen[name]}


@given(st.randoms(use_true_random=False))
def test_any_life_keeps_every_rule(rng):
    Life(case=rolled_case(rng)).play()
