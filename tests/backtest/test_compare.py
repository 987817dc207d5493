"""The comparison finds what each adviser is worth: nothing, nothing, nothing, and what knowledge is worth."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from backtest import scripted
from backtest.compare import compare
from backtest.kinds import Kind, KnownAdviser
from backtest.run import Scene, drive
from backtest.statistics import paired
from executor.advice.calls import Question
from executor.advice.prompt import Message
from executor.advice.reply import parse_reply
from executor.domain.advice import Action, Advice
from executor.domain.advice_terms import AdviserTerms, Caps, Prices
from executor.domain.orders import StrategyParams
from executor.domain.timeline import NS_PER_S
from simulation.frictions import Charges
from simulation.walk_market import Walk
from tests.builders import D, instrument, submitted

TERMS = AdviserTerms(
    model="wise",
    interval_s=20,
    deadline_ms=4_000,
    caps=Caps(
        parent_cost_max=D(1), hour_cost_max=D(2), day_cost_max=D(3),
        parent_calls_max=100, hour_calls_max=200, day_calls_max=300,
    ),
    prices=Prices(prompt=D(1), cached=D("0.1"), completion=D(4)),
)  # fmt: skip
FLAT = Charges(maker_fee_rate=D("0.0004"), taker_fee_rate=D("0.0004"))
"""Whoever crosses pays no more than who waits, so that advice at random is neither paid for nor punished."""
WALK = Walk(instrument=instrument(), start_px=D(50_000), step_ns=NS_PER_S)
SCENE = Scene(
    walk=WALK,
    parents=(submitted(order_qty=D("0.4"), duration_s=120, params=StrategyParams(interval_s=20)),),
    terms=TERMS,
    charges=FLAT,
)
DRIFTING = replace(
    SCENE, walk=replace(WALK, volatility_hourly_pct=0.2, drift_bps_per_min=20.0, drift_hold_s=200.0)
)


def chance(_drift, seed):
    return scripted.uninformed("wise", seed)


def test_an_adviser_without_information_shows_no_gain():
    """Where no kind of order is dearer than another; with a confidence of 99 % it is less than half a basis point."""
    found = compare(SCENE, range(1_000, 1_048), chance, confidence=0.99)
    assert found.gain.pairs == 48
    assert not found.gain.shows_gain
    assert found.gain.high < 0.5
    assert abs(found.gain.t) < 3
    assert found.sign_p > 0.003
    assert found.gain.standard_error > 0  # it did do something
    assert found.outcomes["APPLIED"] > 0.9 * found.calls > 0
    assert found.bill > 0


def test_where_crossing_costs_more_than_waiting_advice_at_random_loses():
    found = compare(replace(SCENE, charges=Charges()), range(1_000, 1_016), chance, confidence=0.99)
    assert found.gain.shows_loss
    assert found.sign_p < 0.01


def test_two_advisers_without_information_are_worth_the_same():
    """The harness keeps its word: of two streams of chance neither is better, so that the true difference is zero.

    Of ten experiments of five pairs each, an interval of 80 % holds zero in eight on average; fewer than four have a
    probability of 0.1 %. Over all fifty pairs t stays within the 99.9 % of its distribution.
    """
    order = submitted(order_qty=D("0.2"), duration_s=40, params=StrategyParams(interval_s=10))
    terms = replace(TERMS, interval_s=8, min_gap_s=5, deadline_ms=2_000)
    scene = replace(SCENE, parents=(order,), terms=terms, warmup_s=12)

    def cost_bps(seed, stream):
        return float(drive(scene, seed, lambda *_: scripted.uninformed("wise", f"{seed}{stream}")).cost_bps)

    differences = [cost_bps(seed, "a") - cost_bps(seed, "b") for seed in range(50)]
    experiments = [paired(differences[start : start + 5], confidence=0.8) for start in range(0, 50, 5)]
    assert sum(each.low <= 0 <= each.high for each in experiments) >= 4
    whole = paired(differences, confidence=0.999)
    assert whole.deviation > 0.1
    assert whole.low <= 0 <= whole.high


def test_an_adviser_that_advises_nothing_changes_nothing_and_costs_its_bill():
    found = compare(SCENE, range(3), lambda *_: scripted.unchanged("wise"))
    assert {pair.gain_bps for pair in found.pairs} == {0}
    assert found.outcomes["WITHOUT_EFFECT"] > 0
    assert set(found.outcomes) <= {"WITHOUT_EFFECT", "ENDED"}, "the last question may be out at the end"
    assert found.net_gain_bps == -found.bill_bps < 0
    assert (found.fallback_rate, found.late_rate) == (0, 0)


def test_how_many_processes_share_the_work_changes_nothing():
    scene = replace(SCENE, parents=(replace(SCENE.parents[0], duration_s=40),))
    make = KnownAdviser(Kind.UNINFORMED, "wise")
    assert compare(scene, range(3), make, processes=2) == compare(scene, range(3), make)


def test_an_adviser_who_knows_the_drift_gains_and_one_who_has_it_backwards_loses():
    knows = compare(DRIFTING, range(10), lambda drift, _: scripted.informed("wise", drift))
    assert knows.gain.t > 4
    assert knows.gain.shows_gain
    assert knows.net_gain_bps > 0
    backwards = compare(DRIFTING, range(8), lambda drift, _: scripted.informed("wise", turned(drift)))
    assert backwards.gain.t < -4
    assert not backwards.gain.shows_gain


def turned(drift) -> Callable[[int], float]:
    return lambda at_ns: -drift(at_ns)


@pytest.mark.parametrize("make", [scripted.silent, lambda: scripted.late("wise")], ids=["silent", "late"])
def test_an_adviser_who_is_not_heard_changes_nothing_at_all(make):
    found = compare(SCENE, range(4), lambda _drift, _seed: make())
    assert {pair.gain_bps for pair in found.pairs} == {0}
    assert (found.gain.mean, found.gain.t) == (0, None)
    assert set(found.outcomes) == {"LATE", "NOT_ASKED"}  # in the end the breaker leaves it alone
    assert found.fallback_rate == 1
    assert found.late_rate == found.outcomes["LATE"] / found.questions
    assert found.bill > 0  # a call that nobody answers counts at its worst
    assert found.net_gain_bps == -found.bill_bps < 0


def test_both_of_a_pair_see_one_market_and_the_sums_are_those_of_the_pairs():
    found = compare(SCENE, (3, 9, 27), lambda _, seed: scripted.uninformed("wise", seed))
    assert (
        [pair.plain.seed for pair in found.pairs] == [pair.advised.seed for pair in found.pairs] == [3, 9, 27]
    )
    for pair in found.pairs:
        (plain,), (advised,) = pair.plain.reports, pair.advised.reports
        assert plain.facts.arrival_px == advised.facts.arrival_px
        assert pair.plain.calls == 0 < pair.advised.calls
        assert pair.gain_bps == plain.arrival_shortfall_bps - advised.arrival_shortfall_bps
    assert len({pair.plain.reports[0].facts.arrival_px for pair in found.pairs}) == 3
    assert found.bill == sum(pair.advised.bill for pair in found.pairs)
    assert found.calls == sum(pair.advised.calls for pair in found.pairs)
    assert sum(found.outcomes.values()) == sum(sum(pair.advised.outcomes.values()) for pair in found.pairs)
    worked = sum(pair.advised.paper_notional for pair in found.pairs)
    assert found.bill_bps == found.bill * 10_000 / worked
    assert found.gain == paired([float(pair.gain_bps) for pair in found.pairs])


def test_a_comparison_can_be_made_again():
    def make(_drift, seed):
        return scripted.uninformed("wise", seed)

    assert compare(SCENE, (1, 2), make) == compare(SCENE, (1, 2), make)


@pytest.mark.parametrize("seeds", [(), (1,), (1, 2, 1)])
def test_a_seed_counts_once_and_one_is_not_enough(seeds):
    with pytest.raises(ValueError, match="two different seeds"):
        compare(SCENE, seeds, lambda _drift, _seed: scripted.silent())


def test_what_is_drawn_at_random_is_always_a_valid_reply():
    adviser = scripted.uninformed("wise", 7)
    question = Question(
        decision_id="P1-1", parent_id="P1", asked_ns=0, template_hash="",
        messages=(Message(role="user", content='{"decision_id":"P1-1","snapshot_hash":"abc"}'),),
        schema={}, tokens_max=1, deadline_s=4.0,
    )  # fmt: skip
    seen = set()
    for _ in range(400):
        answer, latency_ns = adviser.answer(question)
        read = parse_reply(answer.content, decision_id="P1-1", snapshot_hash="abc", strategies=frozenset())
        assert isinstance(read, Advice), read
        assert latency_ns == scripted.LATENCY_NS
        seen.add(read.action)
    assert seen == set(Action) - {Action.CANCEL, Action.SWITCH_STRATEGY}
