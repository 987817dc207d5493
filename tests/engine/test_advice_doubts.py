"""Advice to an order that is no longer the one which was asked about, and questions at the edges of a life."""

from collections import Counter
from dataclasses import replace

import pytest

from executor.domain.advice import AdviceOutcome, Trigger
from executor.domain.advice_facts import Tolerance
from executor.domain.advice_terms import Triggers
from executor.domain.commands import RequestAdvice
from executor.domain.events import AmendRequested, PauseRequested, ResumeRequested
from executor.domain.orders import ResidualRule, StrategyParams
from executor.domain.parent_state import ParentStatus
from executor.domain.timeline import NS_PER_S
from impact.square_root import estimate
from tests.builders import D
from tests.engine.test_advice import TERMS, Desk

QUIET = Triggers(schedule_pct=D(100), drought_s=86_400, spread_times=D(1_000), volatility_times=D(1_000))
RARELY = replace(TERMS, interval_s=600)


def amend(desk, **changed):
    usual = dict(
        at_ns=0, request_id="a", parent_id="P1", order_qty=None, limit_px=None, clear_limit_px=False,
        deadline_ns=None, urgency=None, strategy=None, params=None, expected_version=None,
    )  # fmt: skip
    desk.send(AmendRequested(**{**usual, **changed}))
    desk.settle()


def pause(desk):
    desk.send(PauseRequested(at_ns=0, request_id="p", parent_id="P1"))
    desk.settle()


def resume(desk):
    desk.send(ResumeRequested(at_ns=0, request_id="r", parent_id="P1"))
    for _ in range(3):
        desk.tick(1)
        desk.settle()


def switching(desk):
    """An answer that would switch the schedule, to an order whose book is about to be stale."""
    request = desk.until_asked()
    desk.now_ns += 7 * NS_PER_S // 2
    desk.advise(request, desk.reply(request, action="SWITCH_STRATEGY", strategy="vwap"))
    return desk


@pytest.mark.parametrize("action", ["CANCEL", "ACCELERATE"])
def test_an_answer_does_nothing_to_an_order_that_was_amended_meanwhile(action):
    terms = replace(TERMS, band=replace(TERMS.band, cancel_allowed=True), deadline_ms=20_000)
    desk = Desk(terms)
    request = desk.until_asked()
    amend(desk, order_qty=D(1), limit_px=D(60_000))
    desk.tick(1)
    assert desk.parent.version > request.facts.parent_version
    assert desk.parent.is_working
    desk.advise(request, desk.reply(request, action=action))
    assert (desk.last().outcome, desk.last().reason) == (AdviceOutcome.WITHOUT_EFFECT, "CHANGED")
    assert (desk.parent.is_working, desk.advice.directive, desk.advice.spare) == (True, None, None)


def test_an_amendment_ends_what_was_advised_before():
    desk = Desk(RARELY)
    desk.advise(desk.until_asked())
    assert desk.advice.directive is not None
    amend(desk, order_qty=D(1))
    desk.tick(1)
    desk.settle()
    assert (desk.advice.directive, desk.advice.spare) == (None, None)


def test_a_switch_that_was_not_made_in_time_is_not_made():
    desk = switching(Desk(RARELY))
    assert (desk.parent.status, desk.advice.switch_to) == (ParentStatus.PAUSED, "vwap")
    pause(desk)
    for _ in range(300):
        desk.tick(1)
    resume(desk)
    assert desk.parent.is_working
    assert (desk.parent.order.strategy, desk.advice.switch_to) == ("twap", "")


def test_the_operator_s_schedule_stands_whatever_was_advised_before():
    desk = Desk(RARELY)
    desk.advise(desk.until_asked())
    pause(desk)
    desk.advice.switch_to, desk.advice.switch_until_ns = "vwap", desk.now_ns + 600 * NS_PER_S
    amend(desk, strategy="arrival-price")
    desk.tick(1)
    desk.settle()
    assert desk.parent.order.strategy == "arrival-price"
    resume(desk)
    assert desk.parent.is_working
    assert desk.parent.order.strategy == "arrival-price"


def test_a_switch_is_made_once():
    desk = Desk(RARELY)
    request = desk.until_asked()
    desk.advise(request, desk.reply(request, action="SWITCH_STRATEGY", strategy="vwap"))
    desk.tick(1)
    assert (desk.parent.order.strategy, desk.advice.switch_to) == ("vwap", "")
    made = desk.parent.schedule
    for _ in range(5):
        desk.tick(1)
    assert desk.parent.schedule is made, "and not again with every event"


def test_what_was_advised_before_a_restart_ends_with_it():
    desk = Desk(RARELY)
    desk.advise(desk.until_asked())
    assert desk.advice.directive is not None
    desk.restart()
    assert (desk.advice.directive, desk.advice.spare, desk.advice.switch_to) == (None, None, "")


def test_a_stand_in_is_used_up():
    alike = Tolerance(mid_bps_max=D(100), spread_bps_max=D(100), progress_pct_max=D(100))
    desk = Desk(replace(TERMS, alike=alike))
    desk.advise(desk.until_asked())
    outcomes = []
    for count in (2, 3):
        desk.until_asked(count)
        desk.until_due()
        outcomes.append(desk.last().outcome)
    assert outcomes == [AdviceOutcome.BRIDGED, AdviceOutcome.LATE]


def test_an_old_advice_does_not_stand_in():
    alike = Tolerance(mid_bps_max=D(100), spread_bps_max=D(100), progress_pct_max=D(100))
    desk = Desk(replace(TERMS, alike=alike, interval_s=150, triggers=QUIET), duration_s=2_400)
    desk.advise(desk.until_asked())
    desk.until_asked(2)
    desk.until_due()
    assert desk.last().outcome is AdviceOutcome.LATE, "150 s are more than the 120 s that an advice holds"


def test_an_unusable_answer_in_between_ends_what_could_stand_in():
    alike = Tolerance(mid_bps_max=D(100), spread_bps_max=D(100), progress_pct_max=D(100))
    desk = Desk(replace(TERMS, alike=alike))
    desk.advise(desk.until_asked())
    desk.advise(desk.until_asked(2), b"rubbish")
    desk.until_asked(3)
    desk.until_due()
    assert desk.last().outcome is AdviceOutcome.LATE


@pytest.mark.parametrize("kind", ["answer", "failure"])
def test_what_comes_late_leaves_the_question_that_is_out_alone(kind):
    """The late call's cost is booked to its own record, and the newer question goes on waiting."""
    desk = Desk()
    late = desk.until_asked()
    desk.until_due()
    newer = desk.until_asked(2)
    if kind == "answer":
        desk.advise(late)
    else:
        desk.fail(late)
    assert desk.advice.question is not None
    assert desk.advice.question.facts.decision_id == newer.decision_id
    assert desk.advice.directive is None
    assert desk.advice.recent[0].decision_id == late.decision_id
    assert desk.advice.recent[0].outcome is AdviceOutcome.LATE
    desk.advise(newer)
    assert desk.last().outcome is AdviceOutcome.APPLIED


@pytest.mark.parametrize(("deadline_ms", "interval_s"), [(30_000, 47), (4_000, 57)])
def test_near_its_end_an_order_is_neither_asked_about_nor_woken_up_for_it(deadline_ms, interval_s):
    """An order that never fills, so that it is open to the end."""
    terms = replace(TERMS, interval_s=interval_s, deadline_ms=deadline_ms, triggers=QUIET)
    desk = Desk(terms, limit_px=D(40_000), residual=ResidualRule.LEAVE)
    wakes = Counter()
    on_event = desk.engine.on_event

    def spy(event):
        if getattr(event, "key", "").startswith("advice:"):
            wakes[event.at_ns // NS_PER_S] += 1
        return on_event(event)

    desk.engine.on_event = spy
    within_ns = min(deadline_ms * 1_000_000, 30 * NS_PER_S)
    for _ in range(1_260):
        if desk.parent.is_final:
            break
        asked = desk.tick(1) or desk.asked()
        if desk.advice.question is not None and asked:
            assert desk.advice.question.asked_ns + within_ns < desk.parent.order.deadline_ns
            desk.advise(asked[-1])
    assert desk.parent.is_final
    assert len(desk.asked()) > 15
    assert max(wakes.values()) <= 2
    assert sum(wakes.values()) <= 3 * len(desk.asked())


@pytest.mark.parametrize(("named", "times"), [("square-root:1.8", 2.0), ("no-such-model", 1.0)])
def test_the_question_foretells_by_the_model_that_is_in_force_for_the_order(named, times):
    desk = Desk(
        replace(TERMS, interval_s=600),
        duration_s=86_400,
        params=StrategyParams(interval_s=600),
        impact_model=named,
    )
    for second in range(700):
        desk.tick(1, volume="5", move=("1", "-1")[second % 2])
        if len(desk.asked()) > 1:
            break
        if desk.advice.question is not None:
            desk.advise(desk.asked()[-1])
    facts, state = desk.asked()[-1].facts, desk.engine.state
    usual = estimate(
        qty=state.parents["P1"].leaves_qty,
        volatility_hourly_pct=facts.market.volatility_hourly_pct,
        volume_hourly_qty=state.markets["linear:BTCUSDT"].estimates.volume_per_s * 3_600,
    )
    assert float(facts.impact.estimate_bps) == pytest.approx(times * usual.estimate_bps, rel=1e-6)
    assert facts.impact.low_bps < facts.impact.estimate_bps <= facts.impact.high_bps


def test_a_market_in_which_nothing_trades_has_no_estimate_of_impact():
    desk = Desk(replace(TERMS, interval_s=600), duration_s=86_400, params=StrategyParams(interval_s=600))
    market = next(iter(desk.engine.state.markets.values()))
    for second in range(700):
        desk.tick(1, volume="0", move=("1", "-1")[second % 2])
        market.estimates = replace(market.estimates, volume_per_s=1e-40)
        if len(desk.asked()) > 1:
            break
        if desk.advice.question is not None:
            desk.advise(desk.asked()[-1])
    asked = desk.asked()[-1]
    assert isinstance(asked, RequestAdvice)
    assert asked.facts.market.volatility_hourly_pct is not None
    assert asked.facts.impact.estimate_bps is None


def test_slices_alone_ask_no_more_often_than_the_interval():
    """Within a long slice an order is always a little off the even line; that is no news."""
    rules = replace(QUIET, schedule_pct=D(5))
    desk = Desk(
        replace(TERMS, interval_s=60, triggers=rules), duration_s=3_600, params=StrategyParams(interval_s=600)
    )
    why = Counter()
    for _ in range(1_200):
        desk.tick(1)
        desk.settle()
        for entry in desk.venue.orders.values():
            if entry.is_open:
                desk.venue.fill(entry, entry.order.qty)
        desk.settle()
        if desk.advice.question is not None:
            why[desk.advice.question.trigger] += 1
            desk.advise(desk.asked()[-1], desk.reply(desk.asked()[-1], confidence="0"))
    assert set(why) == {Trigger.INTERVAL}


def test_an_order_that_is_off_its_schedule_is_asked_about_once_for_that():
    rules = replace(QUIET, schedule_pct=D(5))
    desk = Desk(
        replace(TERMS, interval_s=600, triggers=rules), limit_px=D(40_000), residual=ResidualRule.LEAVE
    )
    why = Counter()
    for _ in range(500):
        desk.tick(1)
        if desk.advice.question is not None:
            why[desk.advice.question.trigger] += 1
            desk.advise(desk.asked()[-1], desk.reply(desk.asked()[-1], confidence="0"))
    assert why[Trigger.SCHEDULE] == 1
