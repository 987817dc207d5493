"""What the HTTP interface says of advice: who is asked, what holds, what became of each question, what it cost."""

import pytest
from control_double import START_NS, ControlDouble, add_market, add_parent, reply
from doors import Door

from executor.advice.band import Directive
from executor.advice.breaker import BreakerPhase
from executor.advice.budget import Bill, OverBudget
from executor.advice.ruling import CLIP_TEXT, Clip
from executor.advice.score import USUAL_FILLS_MIN, AdviceScore, Worth, add_impact, add_usual
from executor.advice.worst_case import Switching, WorstCase
from executor.domain.advice import Action, AdviceOutcome, Failure, Unusable
from executor.domain.commands import Outcome
from executor.domain.parent_state import ParentStatus
from executor.domain.timeline import NS_PER_S
from executor.engine.advice_outcome import NOT_AT_WORK
from executor.engine.report import parent_facts
from executor.engine.state import AdviceState, Prediction
from executor.interfaces.advice_reasons import OUTCOME_TEXT, REASON_TEXT, reason_text
from executor.interfaces.follow import progress_line
from executor.interfaces.sentences import advice_shortly, sentence
from impact.shortfall import as_json, make_report
from tests.advice_records import ADVISER, advice_record
from tests.builders import D

BODY = {"symbol": "BTCUSDT", "side": "buy", "qty": "1.5", "residual": "leave", "duration": "30m"}
KEY = {"Idempotency-Key": "intent-1"}


def directive(control: ControlDouble, left_s: float = 40, **over):
    usual = dict(
        decision_id="tst-1-2",
        action=Action.ACCELERATE,
        rate=D("1.50"),
        start_ns=START_NS,
        until_ns=control.at_ns + int(left_s * NS_PER_S),
        offset_qty=D(0),
        child_qty_max=None,
        limit_px=None,
        style=None,
        strategy=None,
        impact_adjustment=D(1),
        confidence=D("0.9"),
    )
    return Directive(**{**usual, **over})


def advised(control: ControlDouble, *records, **over):
    """An advised parent with these records of its questions, in the report as the shell gives it."""
    parent = add_parent(control.state, **over)
    parent.advice = AdviceState(asked_no=len(records))
    report = as_json(make_report(parent_facts(control.state, parent)))
    control.reports[parent.order.parent_id] = report | {"decisions": list(records)}
    return parent


@pytest.mark.parametrize(
    ("has_model", "said", "wanted"),
    [
        (True, {}, True),
        (True, {"advised": False}, False),
        (True, {"advised": True}, True),
        (False, {}, False),
        (False, {"advised": False}, False),
    ],
)
async def test_a_model_is_asked_where_there_is_one_and_nobody_says_otherwise(
    door: Door, has_model, said, wanted
):
    door.control.state.adviser = ADVISER if has_model else None
    assert (await door.post("/v1/parents", BODY | said, KEY))[0] == 201
    assert door.control.asked[0].advised is wanted


async def test_advice_of_nobody_is_refused_with_what_helps(door: Door):
    status, answer = await door.post("/v1/parents", BODY | {"advised": True}, KEY)
    error = answer["error"]
    assert (status, error["code"], error["where"]) == (422, "ADVISER", "/advised")
    assert "[adviser] enabled" in error["next"]
    assert not door.control.asked


@pytest.mark.parametrize("value", [None, 1, "true", "yes"])
async def test_advised_is_a_flag(door: Door, value):
    door.control.state.adviser = ADVISER
    status, answer = await door.post("/v1/parents", BODY | {"advised": value}, KEY)
    assert (status, answer["error"]["where"]) == (422, "/advised")


async def test_a_repeat_reaches_the_engine_though_the_model_is_gone(door: Door):
    door.control.state.adviser = ADVISER
    await door.post("/v1/parents", BODY | {"advised": True}, KEY)
    door.control.state.adviser = None
    door.control.replies.append(reply(Outcome.REPEATED, parent_id="tst-1"))
    assert (await door.post("/v1/parents", BODY | {"advised": True}, KEY))[0] == 200
    first, second = door.control.asked
    assert first.body_sha256 == second.body_sha256


async def test_who_says_nothing_of_advice_says_the_same_with_and_without_a_model(door: Door):
    await door.post("/v1/parents", BODY, KEY)
    door.control.state.adviser = ADVISER
    await door.post("/v1/parents", BODY, KEY)
    await door.post("/v1/parents", BODY | {"advised": False}, KEY)
    hashes = [event.body_sha256 for event in door.control.asked]
    assert hashes[0] == hashes[1] != hashes[2]


async def test_what_holds_of_the_last_advice_is_in_the_view_until_it_has_run_out(door: Door):
    add_market(door.control.state)
    parent = advised(door.control)
    assert (await door.get("/v1/parents/tst-1"))[1]["advice"]["in_force"] is None
    parent.advice.directive = directive(door.control, 39.5)
    view = (await door.get("/v1/parents/tst-1"))[1]
    assert view["advised"] is True
    assert view["advice"]["in_force"]["left_s"] == 40
    assert advice_shortly(view["advice"]) == "advice ACCELERATE x1.5 for 40 s more"
    assert ", advice ACCELERATE x1.5 for 40 s more" in progress_line(view)
    parent.advice.directive = directive(door.control, 0)
    view = (await door.get("/v1/parents/tst-1"))[1]
    assert view["advice"]["in_force"] is None
    assert "advice" not in progress_line(view)


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"action": Action.WAIT, "rate": D(0)}, "advice WAIT for 40 s more"),
        ({"action": Action.PASSIVE, "rate": D(1)}, "advice PASSIVE for 40 s more"),
        (
            {"action": Action.SWITCH_STRATEGY, "rate": D(1), "strategy": "vwap"},
            "advice SWITCH_STRATEGY to vwap for 40 s more",
        ),
    ],
)
async def test_each_advice_in_force_is_said_in_a_few_words(door: Door, over, said):
    parent = advised(door.control)
    parent.advice.directive = directive(door.control, **over)
    assert advice_shortly((await door.get("/v1/parents/tst-1"))[1]["advice"]) == said


async def test_advice_holds_no_longer_than_its_order(door: Door):
    parent = advised(door.control)
    parent.advice.directive = directive(door.control, 3_600)
    end_ns = parent.schedule.slices[-1].end_ns
    door.control.at_ns = end_ns - 40 * NS_PER_S
    in_force = (await door.get("/v1/parents/tst-1"))[1]["advice"]["in_force"]
    assert (in_force["left_s"], in_force["until"]["ns"]) == (40, end_ns)
    door.control.at_ns = end_ns
    assert (await door.get("/v1/parents/tst-1"))[1]["advice"]["in_force"] is None


async def test_nothing_holds_of_advice_while_a_parent_does_not_work(door: Door):
    parent = advised(door.control, status=ParentStatus.PAUSED)
    parent.advice.directive = directive(door.control)
    assert (await door.get("/v1/parents/tst-1"))[1]["advice"]["in_force"] is None


async def test_a_parent_that_is_not_advised_says_so(door: Door):
    add_parent(door.control.state)
    view = (await door.get("/v1/parents/tst-1"))[1]
    assert (view["advised"], view["advice"]) == (False, None)
    answer = {"parent_id": "tst-1", "advised": False, "worst_case": None, "worth": None, "decisions": []}
    assert await door.get("/v1/parents/tst-1/decisions") == (200, answer)
    assert (await door.get("/v1/parents/tst-9/decisions"))[0] == 404


async def test_every_decision_is_listed_with_its_clips_in_words(door: Door):
    clips = (Clip.RATE_CLIPPED.value,)
    records = [advice_record(1, clips=clips), advice_record(2, AdviceOutcome.NOT_ASKED, reason="DAY_COST")]
    advised(door.control, *records)
    status, answer = await door.get("/v1/parents/tst-1/decisions")
    assert status == 200
    first, second = answer["decisions"]
    assert first["decision_id"] == "P1-1"
    assert first["clips"] == [{"code": "RATE_CLIPPED", "text": CLIP_TEXT[Clip.RATE_CLIPPED]}]
    assert (first["action"], first["confidence"], first["latency_ms"]) == ("ACCELERATE", "0.75", 700)
    assert (first["cost_usd"], first["impact_bps"]) == ("0.00122", "1.2346")
    assert first["cost_at_most"] is False
    assert first["usage"]["cached_tokens"] == 200
    assert (second["outcome"], second["reason"]) == ("NOT_ASKED", "DAY_COST")
    assert (second["action"], second["latency_ms"], second["usage"]) == (None, None, None)


@pytest.mark.parametrize(
    "code", [*Unusable, *Failure, *OverBudget, "BREAKER_OPEN", "CROWDED", "RESTARTED", NOT_AT_WORK]
)
def test_every_reason_is_said_in_words(code):
    assert reason_text(code) == REASON_TEXT[code] != code


def test_every_outcome_is_said_in_words():
    assert set(OUTCOME_TEXT) == set(AdviceOutcome)


async def test_why_what_was_done_is_not_what_was_advised(door: Door):
    records = [
        advice_record(1, rate=D("1.50"), wishes=("limit price 50000",), cum_qty=D("0.25")),
        advice_record(2, clips=(Clip.RATE_CLIPPED.value,), cum_qty=D("0.75")),
        advice_record(
            3,
            AdviceOutcome.LATE,
            reason="TIMEOUT",
            cum_qty=D(1),
            decided_ns=START_NS + 4 * NS_PER_S,
            asked_ns=START_NS,
        ),
        advice_record(4, AdviceOutcome.UNUSABLE, reason="KEY_TWICE", cum_qty=D(3)),
    ]
    advised(door.control, *records)
    first, second, late, unusable = (await door.get("/v1/parents/tst-1/decisions"))[1]["decisions"]
    assert (first["why"], first["rate"], first["wishes"]) == (["as advised"], "1.50", ["limit price 50000"])
    assert second["why"] == [CLIP_TEXT[Clip.RATE_CLIPPED]]
    assert late["why"][0] == "no answer by the deadline"
    assert "4000 ms after the question" in late["why"][1]
    assert (late["decided_after_ms"], late["rate"]) == (4000, None)
    assert unusable["why"][0] == "the answer named a key twice"
    # Filled 4 by now: what came between a question and the next belongs to the first of the two.
    filled = [each["filled_until_next"] for each in (first, second, late, unusable)]
    assert filled == ["0.50", "0.25", "2", "1"]


def switching(**over):
    usual = dict(
        moved_pct=D(80), ahead_pct=D(80), behind_pct=D("79.95"), slice_pct=D(75), timing_bps=D("44.1")
    )
    return Switching(**{**usual, **over})


FIXED = switching(
    moved_pct=D(0), ahead_pct=D(30), behind_pct=D("26.666"), slice_pct=D(20), timing_bps=D("8.71")
)


def worst(**over):
    usual = dict(
        ahead_pct=D(30),
        behind_pct=D("26.666"),
        participation_times=D(2),
        complete_ns=START_NS,
        crossing_bps=D(30),
        timing_bps=D("8.71"),
        switching=switching(),
        bill_max=D("1.5"),
        may_cancel=False,
    )
    return WorstCase(**{**usual, **over})


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({}, "at most 30.0 % of the order ahead of its schedule, 26.7 % behind"),
        ({}, "8.7 bps of the order by trading earlier or later"),
        ({}, "the rates are not known here"),
        ({}, "pause the order until a person looks"),
        ({}, "at most 1.5 US dollars"),
        ({"may_cancel": True}, "unless it is advised to end the order"),
        ({"timing_bps": None}, "may cost anything: the volatility is not known"),
        ({"behind_pct": D(100)}, "no bound to how far"),
        ({}, "a switch moves the schedule itself, by at most 80.0 % of the order, and never its end"),
        (
            {},
            "with switches it is at most 80.0 % ahead of this plan, 80.0 % behind, does at most 75.0 % of the order",
        ),
        ({}, "trading earlier or later costs about 44.1 bps"),
        ({"switching": switching(timing_bps=None)}, "and earlier or later trading may cost anything"),
        ({"switching": FIXED}, "nothing may switch its schedule"),
    ],
)
async def test_the_worst_case_is_said_and_what_has_no_bound(door: Door, over, said):
    parent = advised(door.control)
    assert (await door.get("/v1/parents/tst-1/decisions"))[1]["worst_case"] is None
    parent.advice.worst = worst(**over)
    view = (await door.get("/v1/parents/tst-1/decisions"))[1]["worst_case"]
    assert [line for line in view["text"] if said in line]
    assert (await door.get("/v1/parents/tst-1/report"))[1]["advice"]["worst_case"] == view
    assert (view["ahead_pct"], view["slice_times"]) == ("30.00", "2")
    assert set(view["switching"]) == {
        "schedule_moved_pct",
        "ahead_pct",
        "behind_pct",
        "slice_pct",
        "timing_bps",
    }
    if not over:
        assert [*view["switching"].values()] == ["80.00", "80.00", "79.95", "75.00", "44.1000"]
    assert (view["known_since"], view["earlier_bounds"]) == (None, 0)
    parent.advice.bounded_ns, parent.advice.bounds_before = START_NS, 1
    view = (await door.get("/v1/parents/tst-1/decisions"))[1]["worst_case"]
    assert (view["known_since"]["ns"], view["earlier_bounds"]) == (START_NS, 1)
    assert (view["timing_bps"] is None) is ("timing_bps" in over)


async def test_what_advice_was_worth_is_said_with_what_it_is_measured_against(door: Door):
    parent = advised(door.control)
    view = (await door.get("/v1/parents/tst-1/decisions"))[1]["worth"]
    assert (view["value_bps"], view["usual_cost_from"], view["impact"]) == (None, None, None)
    assert "not known" in view["text"]
    score = AdviceScore(
        count=1, value_sum=D("-0.02"), traded_sum=D(200), notional_sum=D(250), touch_cost_sum=D("0.06")
    )
    pooled = Worth(score=score)
    parent.advice.worth.score = score
    door.control.state.worths[parent.market_key] = pooled
    view = (await door.get("/v1/parents/tst-1/decisions"))[1]["worth"]
    # 3 bps of 200 are 0.06. What is left, 0.04, is 0.4 bps of the order of 1000, and 1.6 of the 250 due or traded.
    assert (view["value_bps"], view["usual_cost_bps"], view["usual_cost_from"]) == (
        "0.4000",
        "3.0000",
        "TOUCH",
    )
    assert (view["bps_of"], D(view["value_quote"])) == ("ORDER_VALUE", D("0.04"))
    assert (view["market"]["value_bps"], view["market"]["bps_of"]) == ("1.6000", "DUE_OR_TRADED")
    assert "0.4000 bps of the order's value" in view["text"]
    assert "assumed" in view["text"]
    assert "nobody knows how sure" in view["text"]
    for _ in range(USUAL_FILLS_MIN):
        add_usual(pooled.usual, cost=D("0.1"), traded=D(1_000))
    add_impact(pooled.plain, predicted_bps=D(4), low_bps=D(2), high_bps=D(8), realised_bps=D(9))
    parent.advice.prediction = Prediction(
        decision_id="tst-1-1",
        mid_px=D(100),
        estimate_bps=D(4),
        low_bps=D(2),
        high_bps=D(8),
        adjusted_bps=D(6),
        realised_bps=D("-1.23456"),
    )
    view = (await door.get("/v1/parents/tst-1/report"))[1]["advice"]["worth"]
    assert (view["value_bps"], view["usual_cost_from"], view["usual_cost_fills"]) == ("0.0000", "MEASURED", 5)
    assert "measured on 5 fills" in view["text"]
    assert (view["impact"]["adjusted_bps"], view["impact"]["mid_slippage_bps"]) == ("6.0000", "-1.2346")
    assert view["market"]["impact"]["coverage_pct"] == "0.00"
    assert view["market"]["impact"]["scale"] == "2.2500"
    assert view["market"]["impact_adjusted"]["orders"] == 0


async def test_the_report_of_an_advised_parent_says_what_advice_came_to(door: Door):
    advised(door.control, advice_record(1), advice_record(2, AdviceOutcome.LATE))
    door.control.state.spend.parents["tst-1"] = Bill(cost=D("0.25"), calls=2)
    report = (await door.get("/v1/parents/tst-1/report"))[1]
    assert "decisions" not in report
    assert report["advice"]["by_outcome"] == {"APPLIED": 1, "LATE": 1}
    # 0.25 of 10 at an arrival price of 100
    assert (report["advice"]["cost_usd"], report["advice"]["cost_bps"]) == ("0.25", "2.5000")


async def test_the_report_of_another_parent_says_nothing_of_advice(door: Door):
    parent = add_parent(door.control.state)
    door.control.reports["tst-1"] = as_json(make_report(parent_facts(door.control.state, parent)))
    assert "advice" not in (await door.get("/v1/parents/tst-1/report"))[1]


async def test_the_status_tells_whether_the_model_is_asked(door: Door):
    assert (await door.get("/v1/status"))[1]["adviser"] is None
    state = door.control.state
    state.adviser = ADVISER
    state.breaker.phase, state.breaker.until_ns = BreakerPhase.OPEN, door.control.at_ns + 20 * NS_PER_S
    assert (await door.get("/v1/status"))[1]["adviser"] == {
        "model": "wise",
        "breaker": "OPEN",
        "asked_again_in_s": 20,
        "questions_out": 0,
    }


def test_a_pause_by_advice_says_what_to_read():
    assert "`executor decisions`" in sentence("PAUSED_ADVICE")
