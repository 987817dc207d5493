"""Advice about a live parent: when it is asked for, what of it holds, and what happens when it does not come."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from executor.advice.breaker import BreakerPhase
from executor.advice.budget import Reserved
from executor.advice.facts import snapshot_hash
from executor.domain.advice import Action, AdviceOutcome, Failure, Trigger, Unusable, Usage
from executor.domain.advice_terms import AdviserTerms, Band, Caps, Prices
from executor.domain.commands import AlertCode, RaiseAlert, RequestAdvice
from executor.domain.decision import Style
from executor.domain.events import AdviceFailed, AdviceReceived, NewsArrived, PauseRequested
from executor.domain.orders import StrategyParams
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.engine.engine import Engine
from executor.runtime import record
from tests.builders import D, submitted
from tests.engine.rig import Rig

CENT = D("0.01")
TERMS = AdviserTerms(
    model="wise",
    interval_s=30,
    deadline_ms=4_000,
    caps=Caps(
        parent_cost_max=D(1), hour_cost_max=D(2), day_cost_max=D(3),
        parent_calls_max=100, hour_calls_max=200, day_calls_max=300,
    ),
    prices=Prices(prompt=D(1), cached=D("0.1"), completion=D(4)),
    band=Band(strategies=("twap", "vwap", "arrival-price")),
)  # fmt: skip
USAGE = Usage(prompt_tokens=1_000, cached_tokens=0, completion_tokens=100, reported=True)
LONG = dict(order_qty=D(2), duration_s=1_200, params=StrategyParams(interval_s=60), advised=True)


class Desk(Rig):
    """A rig with a model at hand, which answers what a test says."""

    def __init__(self, terms=TERMS, **order):
        super().__init__(adviser=terms)
        self.open_market()
        self.send(submitted(**{**LONG, **order}))
        self.settle()

    @property
    def parent(self):
        return self.engine.state.parents["P1"]

    @property
    def advice(self):
        return self.parent.advice

    def asked(self):
        """Requests so far."""
        return [command for command in self.log if isinstance(command, RequestAdvice)]

    def until_asked(self, count=1, seconds=200):
        for _ in range(seconds):
            if len(self.asked()) >= count:
                return self.asked()[count - 1]
            self.tick(1)
        raise AssertionError("nobody was asked")

    def until_due(self):
        """Let the deadline of the question that is out pass, in a market that goes on."""
        while self.advice.question is not None:
            self.tick(1)

    def reply(self, request, **over):
        usual = dict(
            decision_id=request.decision_id, snapshot_hash=snapshot_hash(request.facts), reasoning="because",
            risk_assessment="small", action="ACCELERATE", strategy=None, quantity=None, order_type=None,
            limit_price=None, rate=None, wait_seconds=None, confidence="0.9", impact_adjustment="1",
        )  # fmt: skip
        return json.dumps({**usual, **over}).encode()

    def advise(self, request, raw=None, **over):
        usual = dict(
            at_ns=0, parent_id=request.parent_id, decision_id=request.decision_id,
            raw=self.reply(request) if raw is None else raw, model="wise", finish_reason="stop", refusal="",
            usage=USAGE, prompt_bytes=4_000, latency_ns=700 * NS_PER_MS,
        )  # fmt: skip
        return self.send(AdviceReceived(**{**usual, **over}))

    def fail(self, request, failure=Failure.SERVER_ERROR):
        return self.send(
            AdviceFailed(
                at_ns=0, parent_id=request.parent_id, decision_id=request.decision_id, failure=failure,
                detail="no", latency_ns=NS_PER_MS,
            )
        )  # fmt: skip

    def last(self):
        return self.advice.recent[-1]

    def alerts(self):
        return [command.code for command in self.log if isinstance(command, RaiseAlert)]


def test_a_parent_is_asked_about_at_once_and_then_at_intervals():
    desk = Desk()
    first = desk.until_asked()
    assert first.decision_id == "P1-1"
    assert first.within_ms == 4_000
    assert first.facts.order.order_qty == 2
    desk.advise(first)
    second = desk.until_asked(2)
    gap_ns = desk.advice.question.asked_ns - desk.advice.recent[0].asked_ns
    assert gap_ns == 30 * NS_PER_S
    assert second.facts.recent_decisions[-1].decision_id == "P1-1"
    assert desk.advice.recent[0].trigger is Trigger.INTERVAL


def test_without_terms_or_without_the_wish_nobody_is_asked():
    for terms, wish in ((None, True), (TERMS, False)):
        rig = Rig(adviser=terms)
        rig.open_market()
        rig.send(submitted(**{**LONG, "advised": wish}))
        for _ in range(120):
            rig.tick(1)
        assert not [command for command in rig.log if isinstance(command, RequestAdvice)]
        assert rig.engine.state.children


def test_the_deadline_is_never_longer_than_half_a_slice():
    desk = Desk(params=StrategyParams(interval_s=6))
    assert desk.until_asked().within_ms == 3_000


def test_what_is_advised_holds_in_the_tick_of_the_answer():
    desk = Desk()
    request = desk.until_asked()
    desk.advise(request, desk.reply(request, action="AGGRESSIVE", rate="2"))
    assert desk.advice.directive.action is Action.AGGRESSIVE
    assert desk.last().outcome is AdviceOutcome.APPLIED
    assert "AGGRESSIVE" in desk.last().held
    for _ in range(10):
        desk.tick(1)
        desk.settle()
    styles = [child.style for child in desk.engine.state.children.values()]
    assert Style.CROSS in styles


def test_a_silent_model_costs_nothing_but_its_chance():
    """At the deadline the schedule decides, in that tick; the answer that comes afterwards is booked and ignored."""
    desk = Desk()
    request = desk.until_asked()
    due_ns = desk.advice.question.due_ns
    desk.until_due()
    late = desk.last()
    assert (late.outcome, late.reason, late.decided_ns) == (AdviceOutcome.LATE, "TIMEOUT", due_ns)
    assert "the schedule decides (twap)" in late.held
    desk.advise(request)
    assert desk.advice.directive is None
    assert desk.last().latency_ns == 700 * NS_PER_MS
    assert desk.last().outcome is AdviceOutcome.LATE
    assert desk.last().cost > 0
    assert not desk.engine.state.spend.reserved


@pytest.mark.parametrize(
    ("over", "raw", "reason"),
    [
        ({"model": "other"}, None, Unusable.OTHER_MODEL),
        ({"refusal": "I may not"}, None, Unusable.REFUSED),
        ({"finish_reason": "length"}, None, Unusable.TRUNCATED),
        ({}, b"  ", Unusable.EMPTY),
        ({}, b"nonsense", Unusable.NOT_JSON),
        ({}, b"{}", Unusable.KEY_MISSING),
    ],
)
def test_an_unusable_answer_leaves_it_to_the_schedule(over, raw, reason):
    desk = Desk()
    request = desk.until_asked()
    desk.advise(request, raw, **over)
    assert desk.last().outcome is AdviceOutcome.UNUSABLE
    assert desk.last().reason == reason
    assert desk.advice.directive is None
    assert desk.last().cost > 0


def test_an_answer_to_another_question_changes_nothing():
    desk = Desk()
    first = desk.until_asked()
    desk.fail(first)
    second = desk.until_asked(2)
    desk.advise(second, desk.reply(first))
    assert desk.last().reason == Unusable.OTHER_DECISION
    desk.advise(first)
    assert desk.advice.directive is None
    assert not desk.advice.outcomes.get(AdviceOutcome.APPLIED)


def test_advice_that_is_not_sure_has_no_effect():
    desk = Desk()
    request = desk.until_asked()
    desk.advise(request, desk.reply(request, confidence="0.2"))
    assert desk.last().outcome is AdviceOutcome.WITHOUT_EFFECT
    assert desk.last().clips == ("LOW_CONFIDENCE",)


def test_advice_to_cancel_pauses_and_tells_a_person():
    desk = Desk()
    request = desk.until_asked()
    desk.advise(request, desk.reply(request, action="CANCEL"))
    assert desk.parent.status is ParentStatus.PAUSED
    assert desk.parent.reason is Reason.ADVICE
    assert AlertCode.ADVICE_TO_CANCEL in desk.alerts()
    assert desk.last().outcome is AdviceOutcome.APPLIED
    assert desk.last().held == "nothing: the order is PAUSED until a person resumes or cancels it"
    for _ in range(120):
        desk.tick(1)
    assert desk.parent.status is ParentStatus.PAUSED, "only a person ends it"
    assert len(desk.asked()) == 1


def test_advice_to_cancel_ends_a_parent_where_that_is_allowed():
    desk = Desk(replace(TERMS, band=replace(TERMS.band, cancel_allowed=True)))
    request = desk.until_asked()
    desk.advise(request, desk.reply(request, action="CANCEL"))
    desk.settle()
    assert desk.parent.status is ParentStatus.CANCELED
    assert desk.parent.reason is Reason.ADVICE


def test_a_switch_of_the_schedule_is_planned_at_once():
    desk = Desk()
    request = desk.until_asked()
    before = desk.parent.schedule
    desk.advise(request, desk.reply(request, action="SWITCH_STRATEGY", strategy="arrival-price"))
    assert desk.parent.order.strategy == "arrival-price"
    assert desk.parent.schedule != before
    assert sum(piece.qty for piece in desk.parent.schedule.slices) + desk.parent.schedule.base_qty == 2
    assert desk.advice.switches == 1


def test_the_fallback_takes_over_when_no_answer_comes():
    desk = Desk(replace(TERMS, fallback="vwap"))
    desk.until_asked()
    desk.until_due()
    assert desk.parent.order.strategy == "vwap"
    assert "vwap" in desk.last().held


def test_an_earlier_advice_stands_in_once_for_a_late_answer():
    desk = Desk()
    first = desk.until_asked()
    desk.advise(first)
    for count in (2, 3):
        desk.until_asked(count)
        desk.until_due()
    bridged, late = desk.advice.recent[-2:]
    assert bridged.outcome is AdviceOutcome.BRIDGED
    assert "P1-1" in bridged.detail
    assert late.outcome is AdviceOutcome.LATE


def test_no_stand_in_when_the_market_has_moved():
    desk = Desk()
    desk.advise(desk.until_asked())
    desk.until_asked(2)
    desk.tick(1, move="400")
    desk.until_due()
    assert desk.last().outcome is AdviceOutcome.LATE


def test_after_failures_in_a_row_nobody_is_asked_until_a_probe_succeeds():
    desk = Desk()
    for count in (1, 2, 3):
        desk.fail(desk.until_asked(count), Failure.NOT_AUTHORISED)
    assert desk.engine.state.breaker.phase is BreakerPhase.OPEN
    silent = [each for each in desk.log if isinstance(each, RaiseAlert)][-1]
    assert silent.code is AlertCode.ADVISER_SILENT
    assert "the last one: NOT_AUTHORISED" in silent.detail
    assert "no" not in silent.detail.split(), "nothing that the server said"
    for _ in range(29):
        desk.tick(1)
    assert len(desk.asked()) == 3
    probe = desk.until_asked(4)
    desk.advise(probe)
    assert desk.engine.state.breaker.phase is BreakerPhase.CLOSED
    desk.advise(desk.until_asked(5))
    assert desk.alerts().count(AlertCode.ADVISER_BACK) == 1, "once, and not with every answer"


def test_a_cap_is_never_broken_and_the_schedule_goes_on():
    desk = Desk(replace(TERMS, caps=replace(TERMS.caps, parent_cost_max=D("0.1"))))
    while desk.advice.outcomes.get(AdviceOutcome.NOT_ASKED, 0) < 2:
        if desk.advice.question is None:
            desk.tick(1)
            desk.settle()
        else:
            desk.advise(
                desk.asked()[-1],
                usage=Usage(prompt_tokens=9_000, cached_tokens=0, completion_tokens=900, reported=True),
            )
    assert desk.last().reason == "PARENT_COST"
    bill = desk.engine.state.spend.parents["P1"]
    assert bill.cost <= D("0.1")
    assert desk.parent.is_working


@pytest.mark.parametrize("fallback", ["", "vwap"])
def test_where_nobody_may_be_asked_what_was_advised_before_ends(fallback):
    """Nobody can say any more whether it is still meant: a cap must not leave an order crossing for `hold_s_max`."""
    band = replace(TERMS.band, hold_s_max=600)
    desk = Desk(replace(TERMS, caps=replace(TERMS.caps, parent_calls_max=2), band=band, fallback=fallback))
    for count in (1, 2):
        request = desk.until_asked(count)
        desk.advise(request, desk.reply(request, action="AGGRESSIVE"))
        assert desk.advice.directive.style is Style.CROSS
    desk.settle()
    while not desk.advice.outcomes.get(AdviceOutcome.NOT_ASKED):
        assert desk.parent.waiting == ("SLICE_CROSSING",)
        desk.tick(1)
    assert (desk.last().reason, desk.advice.directive) == ("PARENT_CALLS", None)
    assert desk.last().held == f"the schedule decides ({fallback or 'twap'})"
    assert desk.parent.order.strategy == (fallback or "twap")
    assert desk.engine.state.breaker.failures == 0
    assert desk.parent.waiting == ("SLICE_RESTING",), "as early in a slice as that is"


def test_advice_that_a_cap_has_ended_does_not_stand_in_for_a_late_answer():
    desk = Desk(replace(TERMS, questions_max=1))
    desk.advise(desk.until_asked())
    spend = desk.engine.state.spend
    spend.reserved["other"] = Reserved(parent_id="P1", worst_cost=D("0.01"))
    while not desk.advice.outcomes.get(AdviceOutcome.NOT_ASKED):
        desk.tick(1)
    assert (desk.last().reason, desk.advice.spare) == ("CROWDED", None)
    del spend.reserved["other"]
    desk.until_asked(2)
    desk.until_due()
    assert desk.last().outcome is AdviceOutcome.LATE


def test_a_call_without_an_answer_costs_the_most_it_can_have_cost_and_says_so():
    desk = Desk()
    first = desk.until_asked()
    worst = desk.engine.state.spend.reserved["P1-1"].worst_cost
    desk.fail(first, Failure.TIMEOUT)
    assert (desk.last().cost, desk.last().cost_at_most) == (worst, True)
    desk.fail(desk.until_asked(2), Failure.UNREACHABLE)
    assert (desk.last().cost, desk.last().cost_at_most) == (0, False)
    desk.advise(desk.until_asked(3))
    assert desk.last().cost_at_most is False
    desk.advise(desk.until_asked(4), usage=None)
    assert desk.last().cost_at_most is True
    desk.until_asked(5)
    desk.until_due()
    assert (desk.last().cost, desk.last().cost_at_most) == (0, False)
    desk.restart()
    assert desk.last().outcome in {AdviceOutcome.LATE, AdviceOutcome.BRIDGED}
    assert (desk.last().cost, desk.last().cost_at_most) == (worst, True)


def test_what_happens_in_the_market_asks_before_the_time():
    desk = Desk(replace(TERMS, interval_s=600, min_gap_s=10))
    desk.advise(desk.until_asked())
    for _ in range(12):
        desk.tick(1)
    assert len(desk.asked()) == 1
    desk.book(spread="0.8")
    assert desk.advice.question.trigger is Trigger.SPREAD
    desk.advise(desk.asked()[-1])
    desk.send(NewsArrived(at_ns=0, source="wire"))
    assert desk.advice.question is None, "not within the least gap"
    for _ in range(11):
        desk.tick(1)
    assert desk.advice.question.trigger is Trigger.NEWS


def test_a_paused_parent_is_not_asked_about_and_its_question_ends():
    desk = Desk()
    desk.until_asked()
    desk.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    desk.until_due()
    assert desk.last().outcome is AdviceOutcome.LATE
    assert "PAUSED" in desk.last().held
    for _ in range(90):
        desk.tick(1)
    assert len(desk.asked()) == 1


def test_an_answer_for_a_paused_parent_is_without_effect():
    desk = Desk()
    request = desk.until_asked()
    desk.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    desk.advise(request)
    assert desk.last().outcome is AdviceOutcome.WITHOUT_EFFECT
    assert desk.last().reason == "NOT_AT_WORK"
    assert desk.advice.directive is None


def test_a_pause_after_a_question_before_its_time_does_not_put_off_its_deadline():
    """The timer of the next usual question comes first; it must not be the last one that is looked at."""
    desk = Desk(replace(TERMS, interval_s=30, min_gap_s=10, deadline_ms=8_000))
    desk.advise(desk.until_asked())
    for _ in range(25):
        desk.tick(1)
    desk.send(NewsArrived(at_ns=0, source="wire"))
    due_ns = desk.advice.question.due_ns
    assert desk.timers["advice:P1"] < due_ns
    desk.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    for _ in range(9):
        desk.tick(1)
    assert (desk.last().outcome, desk.last().decided_ns) == (AdviceOutcome.LATE, due_ns)


def test_an_answer_for_a_paused_parent_ends_what_was_advised_before():
    desk = Desk(replace(TERMS, band=replace(TERMS.band, hold_s_max=600)))
    desk.advise(desk.until_asked())
    assert desk.advice.directive is not None
    second = desk.until_asked(2)
    desk.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    desk.advise(second)
    assert desk.last().reason == "NOT_AT_WORK"
    assert desk.advice.directive is None


def test_after_a_restart_calls_under_way_count_at_their_worst_and_have_no_answer():
    desk = Desk()
    request = desk.until_asked()
    worst = desk.engine.state.spend.reserved["P1-1"].worst_cost
    desk.restart()
    assert desk.last().reason == "RESTARTED"
    assert desk.engine.state.spend.day_bill.cost == worst
    desk.advise(request)
    assert desk.engine.state.spend.day_bill.cost == worst
    assert desk.advice.directive is None


def test_a_life_with_advice_replays_to_the_same_commands():
    desk = Desk()
    for count, action in enumerate(
        ("AGGRESSIVE", "PASSIVE", "WAIT", "DECELERATE", "SWITCH_STRATEGY"), start=1
    ):
        request = desk.until_asked(count)
        strategy = "vwap" if action == "SWITCH_STRATEGY" else None
        desk.advise(request, desk.reply(request, action=action, strategy=strategy))
        desk.settle()
    engine = Engine()
    for kind, (event, commands) in zip(desk.kinds, desk.journal, strict=True):
        assert record.encode_commands(engine.on_event(record.decode_event(kind, event))) == commands
    assert record.encode_state(engine.state) == record.encode_state(desk.engine.state)
    assert Decimal(0) < desk.engine.state.spend.day_bill.cost
