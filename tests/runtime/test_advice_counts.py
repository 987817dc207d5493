"""What is counted of the model: every question once, every call once, and few values of each label."""

from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from executor.advice.breaker import BreakerPhase
from executor.advice.budget import OverBudget, Reserved
from executor.advice.ruling import Clip
from executor.domain.advice import AdviceOutcome, Failure, Unusable
from executor.domain.events import TimerFired
from executor.engine.state import EngineState
from executor.runtime.advice_counts import counts_of_call, counts_of_ending
from executor.runtime.journal import Journal
from executor.runtime.live import LiveRuntime
from executor.runtime.telemetry import Telemetry
from risk.turnstile import Turnstile
from tests.advice_records import ADVISER, USAGE, advice_record
from tests.builders import D
from tests.runtime.advised_drive import AdvisedRig, tell_advised_story
from tests.runtime.telemetry_scene import page_of

TICK = TimerFired(at_ns=0, key="k")


def page(telemetry):
    """Every series with a value above zero, without buckets."""
    body, _ = page_of(telemetry)
    return {
        (sample.name.removeprefix("executor_advice_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name.startswith("executor_advice_") and sample.value and "le" not in sample.labels
    }


@pytest.fixture
def state():
    return EngineState(adviser=ADVISER)


@pytest.fixture
def telemetry(state):
    return Telemetry(lambda: state, lambda: 0)


def counted(telemetry, *records):
    before = page(telemetry)
    telemetry.observe(TICK, [], records)
    return {
        key: value - before.get(key, 0) for key, value in page(telemetry).items() if value != before.get(key)
    }


def test_an_answer_that_holds(telemetry):
    clips = (Clip.RATE_CLIPPED.value, Clip.TOO_FAR_AHEAD.value)
    assert counted(telemetry, advice_record(clips=clips)) == {
        ("outcomes_total", "APPLIED", "INTERVAL"): 1,
        ("answered_total", "ACCELERATE"): 1,
        ("adaptations_total",): 1,
        ("clipped_total", "RATE_CLIPPED"): 1,
        ("clipped_total", "TOO_FAR_AHEAD"): 1,
        ("tokens_total", "prompt"): 1_000,
        ("tokens_total", "cached"): 200,
        ("tokens_total", "completion"): 100,
        ("cost_usd_total",): 0.00122,
        ("latency_seconds_count",): 1,
        ("latency_seconds_sum",): 0.7,
        ("confidence_ratio_count",): 1,
        ("confidence_ratio_sum",): 0.75,
    }


@pytest.mark.parametrize(
    ("outcome", "reason", "series"),
    [
        (AdviceOutcome.WITHOUT_EFFECT, "", {("answered_total", "ACCELERATE")}),
        (AdviceOutcome.LATE, "TIMEOUT", {("late_total",)}),
        (AdviceOutcome.BRIDGED, "TIMEOUT", {("late_total",), ("bridged_total",), ("adaptations_total",)}),
        (AdviceOutcome.UNUSABLE, Unusable.KEY_TWICE, {("invalid_total", "KEY_TWICE")}),
        (AdviceOutcome.FAILED, Failure.RATE_LIMITED, {("failed_total", "RATE_LIMITED")}),
        (AdviceOutcome.FAILED, "RESTARTED", {("failed_total", "RESTARTED")}),
        (AdviceOutcome.NOT_ASKED, "BREAKER_OPEN", {("not_asked_total", "BREAKER_OPEN")}),
        (AdviceOutcome.NOT_ASKED, "CROWDED", {("not_asked_total", "CROWDED")}),
        (
            AdviceOutcome.NOT_ASKED,
            OverBudget.DAY_COST,
            {("not_asked_total", "OVER_BUDGET"), ("over_budget_total", "DAY_COST")},
        ),
        (AdviceOutcome.ENDED, "", set()),
    ],
)
def test_each_other_outcome_has_its_own_series(telemetry, outcome, reason, series):
    usual = {("outcomes_total", str(outcome), "INTERVAL")}
    grown = counted(
        telemetry, advice_record(1, outcome, reason=str(reason), usage=None, cost=D(0), latency_ns=0)
    )
    assert {key for key in grown if not key[0].startswith("confidence")} == usual | series
    assert set(grown.values()) <= {1, 0.75}


def test_what_is_no_known_code_makes_one_series_only():
    for outcome in AdviceOutcome:
        for number in range(20):
            record = advice_record(number, outcome, reason=f"made up {number}", clips=(f"odd {number}",))
            labels = [label for _, labels, _ in counts_of_ending(record) for label in labels]
            assert not any("made up" in label or "odd" in label for label in labels)


def test_every_known_code_keeps_its_name():
    def told(outcome, reason):
        return {labels for _, labels, _ in counts_of_ending(advice_record(1, outcome, reason=reason))}

    for flaw in Unusable:
        assert (flaw.value,) in told(AdviceOutcome.UNUSABLE, flaw.value)
    for failure in Failure:
        assert (failure.value,) in told(AdviceOutcome.FAILED, failure.value)
    for cap in OverBudget:
        assert {("OVER_BUDGET",), (cap.value,)} <= told(AdviceOutcome.NOT_ASKED, cap.value)
    clips = tuple(clip.value for clip in Clip)
    counts = {labels for _, labels, _ in counts_of_ending(advice_record(clips=clips))}
    assert {(clip,) for clip in clips} <= counts


def test_a_call_of_which_nothing_came_back_has_used_up_nothing():
    assert list(counts_of_call(advice_record(1, AdviceOutcome.LATE))) == []


def test_a_call_that_outlives_its_question_is_counted_once_when_it_is_over(telemetry, state):
    state.spend.reserved["P1-1"] = Reserved(parent_id="P1", worst_cost=D("0.1"))
    ended = advice_record(1, AdviceOutcome.LATE)
    assert set(counted(telemetry, ended)) == {("outcomes_total", "LATE", "INTERVAL"), ("late_total",)}
    state.spend.reserved.clear()
    booked = advice_record(1, AdviceOutcome.LATE, usage=USAGE, cost=D("0.5"), latency_ns=9_000_000_000)
    grown = counted(telemetry, booked)
    assert grown[("cost_usd_total",)] == 0.5
    assert grown[("latency_seconds_sum",)] == 9
    assert not {("late_total",), ("outcomes_total", "LATE", "INTERVAL")} & set(grown)


def test_the_breaker_and_the_questions_out_are_told_while_there_is_a_model(telemetry, state):
    state.spend.reserved["P1-1"] = Reserved(parent_id="P1", worst_cost=D("0.1"))
    state.breaker.phase = BreakerPhase.OPEN
    told = page(telemetry)
    assert told[("questions_out",)] == 1
    assert told[("breaker_state", "OPEN")] == 1
    assert ("breaker_state", "CLOSED") not in told
    state.adviser = None
    assert not {key[0] for key in page(telemetry)} & {"questions_out", "breaker_state"}


def test_engine_and_counts_agree_on_a_whole_story(tmp_path):
    class CountedRig(AdvisedRig):
        """Counts what every engine call has ended, as the shell does."""

        def __init__(self, journal):
            self.telemetry = Telemetry(lambda: self.engine.state, lambda: self.now_ns)
            super().__init__(journal)

        def send(self, event):
            commands = super().send(event)
            self.telemetry.observe(event, commands, self.engine.touched.decisions)
            return commands

    with Journal.open(tmp_path / "journal.db", create=True, instance="x") as journal:
        rig = tell_advised_story(journal, CountedRig)
        kept = journal.decisions("P1")
    told = page(rig.telemetry)
    assert [record.outcome for record in kept] == [
        AdviceOutcome.APPLIED,
        AdviceOutcome.UNUSABLE,
        AdviceOutcome.LATE,
    ]
    for record in kept:
        assert told[("outcomes_total", record.outcome, record.trigger)] == 1
    assert told[("latency_seconds_count",)] == 3
    assert told[("tokens_total", "prompt")] == 3_000
    assert told[("cost_usd_total",)] == pytest.approx(float(rig.engine.state.spend.parents["P1"].cost))


async def test_the_shell_counts_what_has_ended_and_reports_with_the_decisions(tmp_path):
    with Journal.open(tmp_path / "journal.db", create=True, instance="x") as journal:
        rig = tell_advised_story(journal)
        fourth = rig.until_asked(4)
        runtime = LiveRuntime(
            engine=rig.engine,
            journal=journal,
            venue=None,
            clock=SimpleNamespace(now_ns=lambda: rig.now_ns),
            turnstile=Turnstile(),
            log=lambda *_, **__: None,
        )
        rig.send = runtime.work
        rig.advise(fourth, action="WAIT", rate=None)
        runtime._timers.clear()
        report = runtime.report("P1")
        assert [record.decision_id for record in report["decisions"]] == ["P1-1", "P1-2", "P1-3", "P1-4"]
        assert "decisions" not in runtime.report("P2")
    assert page(runtime.telemetry)[("answered_total", "WAIT")] == 1
