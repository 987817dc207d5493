"""Faults of the model that is asked: whatever it does, each question has an outcome in time, and the order is done."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from executor.advice.context import NewsItem
from executor.adviser.template_files import load_template
from executor.domain.advice import Action, AdviceOutcome, Failure, Unusable
from executor.domain.advice_terms import AdviserTerms, Band, BreakerRules, Caps, Prices
from executor.domain.events import ResumeRequested
from executor.domain.orders import ResidualRule, StrategyParams
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_MS
from executor.runtime.journal import Journal
from tests.adviser.injections import corpus
from tests.builders import D
from tests.faults.stage import stage

pytestmark = pytest.mark.process

DEADLINE_MS = 400
LATE_MS_MAX = 2_000
"""How late a starved machine may notice a deadline; that it is kept to the tick is held in virtual time."""
TERMS = AdviserTerms(
    model="sandbox-trader",
    interval_s=1,
    min_gap_s=1,
    deadline_ms=DEADLINE_MS,
    caps=Caps(
        parent_cost_max=D(10), hour_cost_max=D(10), day_cost_max=D(10),
        parent_calls_max=1_000, hour_calls_max=1_000, day_calls_max=1_000,
    ),
    prices=Prices(prompt=D("0.15"), cached=D("0.075"), completion=D("0.6")),
    band=Band(strategies=("twap", "vwap", "arrival-price")),
    breaker=BreakerRules(failures_max=1_000),
)  # fmt: skip
ORDER = dict(
    order_qty=D("0.03"), duration_s=6, residual=ResidualRule.CROSS, advised=True,
    params=StrategyParams(interval_s=2, passiveness=D(0)),
)  # fmt: skip


def records(parent):
    return parent.advice.recent


async def resumed_to_its_end(played, parent):
    """Wait until a parent has ended, while a person resumes what advice to cancel has paused."""

    def paused():
        return parent.status is ParentStatus.PAUSED and parent.reason is Reason.ADVICE

    for number in range(50):
        await played.until(lambda: parent.is_final or paused(), 40.0)
        if parent.is_final:
            return
        request = ResumeRequested(at_ns=0, request_id=f"p{number}", parent_id=parent.order.parent_id)
        await played.life.runtime.ask(request, request.request_id)
    raise AssertionError("paused again and again")


async def lives_with(tmp_path, *rules, terms=TERMS, **order):
    """Work an advised parent to its end while the model does what the rules say; gives what became of each question."""
    async with stage(tmp_path, terms=terms) as played:
        for rule in rules:
            played.model.fault({"times": None, **rule})
        parent = await played.submit(**{**ORDER, **order})
        await resumed_to_its_end(played, parent)
        played.model.heal()
        await played.proved()
        await played.check()
        assert parent.status is ParentStatus.COMPLETE, parent.reason
        assert not any(text.startswith("ALERT OVER_FILL") for text, _ in played.lines)
        asked = played.model.truth()
    with Journal.open(played.journal_path, create=False) as journal:
        told = journal.decisions(parent.order.parent_id)
    for each in told:
        assert each.decided_ns - each.asked_ns <= (DEADLINE_MS + LATE_MS_MAX) * NS_PER_MS, each
    assert Counter(each.decision_id for each in told).most_common(1)[0][1] == 1, (
        "one outcome for each question"
    )
    return told, asked


def outcomes(told):
    return {each.outcome for each in told if each.outcome is not AdviceOutcome.ENDED}


def reasons(told):
    return {each.reason for each in told if each.reason and each.outcome is not AdviceOutcome.LATE}


def answered(told):
    """What became of the answers of a model that answers at once; a starved machine may make some of them late."""
    found = outcomes(told) - {AdviceOutcome.LATE}
    assert found, "no answer came in time"
    return found


async def test_a_sound_model_is_acted_upon(tmp_path):
    told, _ = await lives_with(tmp_path)
    assert AdviceOutcome.APPLIED in outcomes(told)


@pytest.mark.parametrize(
    "rule",
    [
        {"act": "hang_before_headers"},
        {"act": "hang_after_headers", "bytes": 20},
        {"act": "trickle", "interval_ms": 1_000},
    ],
    ids=str,
)
async def test_105_timeout_hang_and_trickle(tmp_path, rule):
    told, _ = await lives_with(tmp_path, rule)
    assert outcomes(told) == {AdviceOutcome.LATE}
    assert all("the schedule decides" in each.held for each in told if each.outcome is AdviceOutcome.LATE)


@pytest.mark.parametrize(
    "rule",
    [
        {"act": "status", "status": 529},
        {"act": "status", "status": 429, "retry_after": "7"},
        {"act": "status", "status": 500},
        {"act": "reset"},
        {"act": "drop"},
        {"act": "redirect", "url": "http://127.0.0.1:9/v1/chat/completions"},
    ],
    ids=str,
)
async def test_106_the_server_fails(tmp_path, rule):
    terms = replace(TERMS, breaker=BreakerRules(failures_max=2, open_s=600))
    told, asked = await lives_with(
        tmp_path, rule, terms=terms, duration_s=10
    )  # long enough for a third question
    found = [each.outcome for each in told]
    assert found[:2] == [AdviceOutcome.FAILED] * 2
    assert set(found[2:]) <= {AdviceOutcome.NOT_ASKED}
    assert {each.reason for each in told[2:]} == {"BREAKER_OPEN"}
    assert asked["requests"] == 2, "an outage is left alone"
    assert all(each.reason in set(Failure) for each in told[:2])


async def test_107_late_valid_reply_after_the_fallback(tmp_path):
    told, _ = await lives_with(tmp_path, {"act": "delay", "delay_ms": DEADLINE_MS + 100})
    assert outcomes(told) == {AdviceOutcome.LATE}


@pytest.mark.parametrize("to", ["previous", "parent", "decision", "snapshot"])
async def test_108_reply_for_another_question(tmp_path, to):
    told, _ = await lives_with(tmp_path, {"act": "swap_id", "to": to})
    assert answered(told) == {AdviceOutcome.UNUSABLE}
    assert reasons(told) <= {Unusable.OTHER_DECISION, Unusable.OTHER_SNAPSHOT}


@pytest.mark.parametrize(
    "rule",
    [
        {"act": "fences"},
        {"act": "not_json", "kind": "trailing_comma"},
        {"act": "not_json", "kind": "prose"},
        {"act": "two_objects"},
        {"act": "trailing_text"},
        {"act": "leading_text"},
        {"act": "truncated"},
        {"act": "empty"},
        {"act": "null"},
        {"act": "refusal"},
        {"act": "duplicate_key"},
    ],
    ids=str,
)
async def test_109_what_is_no_reply(tmp_path, rule):
    told, _ = await lives_with(tmp_path, rule)
    assert answered(told) == {AdviceOutcome.UNUSABLE}


@pytest.mark.parametrize(
    "number", ["nan", "infinity", "minus_one", "zero", "huge", "exponent", "arabic", "true", "array"]
)
async def test_110_what_is_no_number(tmp_path, number):
    told, _ = await lives_with(tmp_path, {"act": "number", "key": "confidence", "number": number})
    assert answered(told) <= {AdviceOutcome.UNUSABLE, AdviceOutcome.WITHOUT_EFFECT}
    assert not any(each.action is not None and each.confidence != 0 for each in told)


@pytest.mark.parametrize(
    "rule",
    [
        {"act": "scale", "factor": 100},
        {"act": "scale", "factor": 10},
        {"act": "quote_for_base"},
        {"act": "price_off", "factor": 0.1},
        {"act": "price_off", "factor": 10},
    ],
    ids=str,
)
async def test_111_sizes_and_prices_out_of_all_proportion(tmp_path, rule):
    told, _ = await lives_with(tmp_path, {"act": "always", "action": "AGGRESSIVE"}, rule)
    assert answered(told) <= {AdviceOutcome.APPLIED, AdviceOutcome.WITHOUT_EFFECT, AdviceOutcome.UNUSABLE}


@pytest.mark.parametrize("power", ["side", "symbol", "limits", "withdraw", "disable_stop", "mode"])
async def test_112_powers_that_no_reply_has(tmp_path, power):
    told, _ = await lives_with(tmp_path, {"act": "powers", "power": power})
    assert answered(told) == {AdviceOutcome.UNUSABLE}
    assert reasons(told) == {Unusable.KEY_UNKNOWN}


async def test_113_injection_through_the_news(tmp_path):
    texts = [NewsItem(source="wire", at_ns=1, text=text) for text in corpus()[::300][:8]]
    async with stage(tmp_path, terms=TERMS, texts=texts) as played:
        parent = await played.submit(**ORDER)
        await played.finish(parent)
        await played.proved()
        await played.check()
        asked = [row for row in played.model.requests() if row["path"].endswith("/chat/completions")]
    for row in asked:
        system, user = json.loads(row["raw"])["messages"]
        assert system["content"] == load_template().text
        question = json.loads(user["content"])
        assert question["parent"]["side"] == "BUY"
        assert len(question["outside_text"]) == len(texts)
    assert asked


async def test_114_same_facts_and_other_answers(tmp_path):
    told, _ = await lives_with(tmp_path, {"act": "restless"})
    assert answered(told) <= {AdviceOutcome.APPLIED, AdviceOutcome.WITHOUT_EFFECT}


async def test_115_another_model_behind_the_name(tmp_path):
    told, _ = await lives_with(tmp_path, {"act": "other_model"})
    assert answered(told) == {AdviceOutcome.UNUSABLE}
    assert reasons(told) == {Unusable.OTHER_MODEL}


@pytest.mark.parametrize(
    "rule",
    [
        {"act": "endless"},
        {"act": "gzip_bomb", "bytes": 300_000_000},
        {"act": "big_body", "bytes": 10_000_000},
        {"act": "big_content", "bytes": 10_000_000},
        {"act": "deep_content", "depth": 20_000},
        {"act": "deep_body", "depth": 20_000},
    ],
    ids=str,
)
async def test_116_endless_and_bombs(tmp_path, rule):
    told, _ = await lives_with(tmp_path, rule)
    assert outcomes(told) <= {AdviceOutcome.FAILED, AdviceOutcome.LATE, AdviceOutcome.UNUSABLE}


async def test_117_oscillation(tmp_path):
    terms = replace(TERMS, band=replace(TERMS.band, cancel_allowed=False))
    async with stage(tmp_path, terms=terms) as played:
        played.model.fault({"act": "oscillate"})
        parent = await played.submit(**ORDER)
        await played.until(lambda: parent.status is ParentStatus.PAUSED and parent.reason is Reason.ADVICE)
        assert records(parent)[-1].action is Action.CANCEL
        assert "ADVICE_TO_CANCEL" in played.alerts()
        sent = len(parent.children)
        await played.let_pass(1.5)
        assert len(parent.children) == sent, "nothing is opened until a person has looked"
        await played.check()


async def test_118_always_do_nothing(tmp_path):
    told, _ = await lives_with(tmp_path, {"act": "always", "action": "WAIT"})
    assert AdviceOutcome.APPLIED in outcomes(told)


@pytest.mark.parametrize("kind", ["missing", "zero", "huge", "negative"])
async def test_119_usage_missing_or_lying(tmp_path, kind):
    cap = D("0.004")
    terms = replace(
        TERMS, tokens_max=400, prompt_bytes_max=16_384, caps=replace(TERMS.caps, parent_cost_max=cap)
    )
    told, _ = await lives_with(tmp_path, {"act": "usage", "kind": kind}, terms=terms)
    spent = sum(each.cost for each in told)
    most = max(each.cost for each in told)
    assert spent <= cap + most, "by at most one call"
    assert any(each.outcome is AdviceOutcome.NOT_ASKED for each in told) or spent < cap
