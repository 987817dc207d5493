"""What is found before a model is asked: each thing that can be wrong, by its code and with what to do."""

import asyncio
import json

import pytest
from model_server import KEY, MODEL, asking, envelope, page, serving

from executor.advice.calls import Failed, Question
from executor.advice.capabilities import Capability, capabilities_of
from executor.advice.facts import snapshot_hash
from executor.advice.prompt import Message
from executor.adviser.preflight import CHECKS, look_at_model, look_at_prices, look_at_server, look_at_tape
from executor.adviser.specimen import specimen_facts
from executor.adviser.tape import TapeWriter, line_of
from executor.domain.advice import Failure
from executor.domain.advice_terms import AdviserTerms, Band, Caps, Prices
from executor.domain.finding import Verdict
from tests.adviser.questions import TEMPLATE
from tests.builders import D

BAND = Band(strategies=("vwap",))
READY = json.dumps(
    {
        "decision_id": "P0-1", "snapshot_hash": snapshot_hash(specimen_facts(BAND)), "action": "PASSIVE",
        "strategy": None, "quantity": None, "order_type": None, "limit_price": None, "rate": None,
        "wait_seconds": None, "confidence": "0.6", "impact_adjustment": "1", "reasoning": "calm",
        "risk_assessment": "small",
    }
)  # fmt: skip
USAGE = {"prompt_tokens": 3_000, "completion_tokens": 100, "total_tokens": 3_100}
PRICES = Prices(prompt=D(1), cached=D("0.1"), completion=D(4))
FREE = Prices(prompt=D(0), cached=D(0), completion=D(0))
OF_THE_SERVER = [name for name in CHECKS if name not in ("model wording", "model tape", "model prices")]
LISTED = {"object": "list", "data": [{"id": MODEL}, {"id": "another"}]}


def priced(deadline_s=5.0, aliases=(), prices=PRICES, **caps):
    usual = dict(
        parent_cost_max=D(1), hour_cost_max=D(2), day_cost_max=D(3),
        parent_calls_max=10, hour_calls_max=20, day_calls_max=30,
    )  # fmt: skip
    return AdviserTerms(
        model=MODEL, model_aliases=aliases, deadline_ms=int(deadline_s * 1_000), band=BAND,
        caps=Caps(**{**usual, **caps}), prices=prices,
    )  # fmt: skip


def server(listed=None, reply=None, delay_s=0.0):
    async def behave(text, writer):
        if text.startswith("GET"):
            writer.write(page(LISTED) if listed is None else listed)
            return
        await asyncio.sleep(delay_s)
        writer.write(page(envelope(READY, usage=USAGE)) if reply is None else reply)

    return behave


async def findings_of(behave, deadline_s=5.0, known=None, aliases=()):
    async with serving(behave) as heard, asking(heard.url, known=known) as client:
        found = [each async for each in look_at_model(client, TEMPLATE, priced(deadline_s, aliases), 100)]
    for each in found:
        assert each.check in CHECKS
        assert each.line().isprintable()
        assert KEY not in each.line()
        assert bool(each.next_step) == (each.verdict is not Verdict.OK)
    return found


def codes(found):
    return {each.check: each.code for each in found if each.verdict is not Verdict.OK}


async def test_all_is_well_in_the_order_of_the_list():
    found = await findings_of(server())
    assert codes(found) == {}
    assert [each.check for each in found] == OF_THE_SERVER


async def test_nobody_answers():
    async with serving(server()) as heard:
        url = heard.url
    async with asking(url) as client:
        found = [each async for each in look_at_model(client, TEMPLATE, priced(), 100)]
    assert codes(found) == {"model server": "MODEL_UNREACHABLE"}
    assert len(found) == 1


@pytest.mark.parametrize("where", ["listed", "reply"])
async def test_the_key_is_refused(where):
    refusal = page({"error": {"message": f"bad key {KEY}"}}, "401 No")
    found = await findings_of(server(**{where: refusal}))
    assert codes(found) == {"model key": "MODEL_NOT_AUTHORISED"}


async def test_the_model_is_not_offered():
    found = await findings_of(server(listed=page({"data": [{"id": "an\x1bother"}]})))
    assert codes(found) == {"model": "MODEL_UNKNOWN"}


async def test_a_misspelt_name_is_shown_the_nearest_ones():
    names = ["llama3:70b", "Some-Modell", "whisper-1"]
    found = await findings_of(server(listed=page({"data": [{"id": name} for name in names]})))
    (problem,) = [each for each in found if each.code == "MODEL_UNKNOWN"]
    assert "near it: Some-Modell)" in problem.next_step


async def test_an_address_without_its_last_part_is_named():
    gone = page(b"not found", "404 Not Found")
    found = await findings_of(server(listed=gone, reply=gone))
    assert codes(found) == {"model": "MODEL_LIST", "model reply": "MODEL_PROTOCOL"}
    for problem in found:
        if problem.verdict is not Verdict.OK:
            assert "adviser.base_url up to and with /v1, such as https://" in problem.next_step
            assert "capabilities_off" not in problem.next_step


async def test_a_model_without_a_form_is_told_how_to_ask_for_one():
    found = {each.check: each for each in await findings_of(server())}
    assert 'capabilities_on = ["json_schema"]' in found["model output"].found


async def test_a_dated_name_in_the_list_is_the_model():
    found = await findings_of(server(listed=page({"data": [{"id": f"{MODEL}-2026-01-31"}]})))
    assert codes(found) == {}


async def test_a_server_without_a_list():
    found = await findings_of(server(listed=page(b"", "404 Not Found")))
    assert codes(found) == {"model": "MODEL_LIST"}


async def test_another_model_answers():
    reply = page(envelope(READY, usage=USAGE, model="a-cheaper-model"))
    found = await findings_of(server(reply=reply))
    assert codes(found) == {"model reply": "OTHER_MODEL"}
    assert codes(await findings_of(server(reply=reply), aliases=("a-cheaper-model",))) == {}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "ready",
        f"```json\n{READY}\n```",
        f"Sure! {READY}",
        "[]",
        '{"decision_id":"P0-1"}',
        READY.replace("PASSIVE", "BUY"),
        READY.replace('"0.6"', "0.6"),
        READY.replace("P0-1", "P0-2"),
        "[" * 9_000,
    ],
)
async def test_an_answer_in_another_form(content):
    found = await findings_of(server(reply=page(envelope(content, usage=USAGE))))
    # Nine thousand bytes cannot be the hundred tokens that the server tells of every answer.
    lied = {"model cost": "NO_USAGE"} if len(content) > 1_000 else {}
    assert codes(found) == {"model output": "MODEL_OUTPUT"} | lied


async def test_a_form_that_the_server_does_not_know():
    refusal = page({"error": {"message": "'response_format.type' must be 'text'"}}, "400 Bad Request")
    known = capabilities_of(MODEL).overridden(on=[Capability.JSON_SCHEMA])
    found = await findings_of(server(reply=refusal), known=known)
    assert codes(found) == {"model reply": "MODEL_PROTOCOL"}
    (problem,) = [each for each in found if each.verdict is Verdict.FAIL]
    assert "response_format" in problem.found
    assert "json_schema" in problem.next_step


async def test_a_slow_model_is_called_slow():
    found = await findings_of(server(delay_s=0.3), deadline_s=0.25)
    assert codes(found) == {"model latency": "MODEL_SLOW"}
    assert {each.check: each.verdict for each in found}["model latency"] is Verdict.FAIL


async def test_a_model_that_is_silent():
    found = await findings_of(server(delay_s=30.0), deadline_s=0.04)
    assert codes(found) == {"model reply": "MODEL_TIMEOUT"}


async def test_the_question_asks_for_the_form_the_model_is_able_to_keep():
    known = capabilities_of(MODEL).overridden(on=[Capability.JSON_SCHEMA])
    async with serving(server()) as heard, asking(heard.url, known=known) as client:
        assert codes([each async for each in look_at_model(client, TEMPLATE, priced(), 100)]) == {}
        body = json.loads(heard.requests[-1].partition("\r\n\r\n")[2])
        assert body["response_format"]["json_schema"]["strict"] is True


async def test_what_the_question_cost_is_told_to_the_token():
    found = {each.check: each for each in await findings_of(server())}
    # 3 000 tokens at 1 and 100 at 4 US dollars for 10^6: what the server in these tests says of every answer.
    assert found["model cost"].found == "0.0034 US dollars: 3000 tokens asked, 100 answered"


async def test_a_server_that_tells_no_tokens_is_said():
    found = await findings_of(server(reply=page(envelope(READY, usage=None))))
    assert codes(found) == {"model cost": "NO_USAGE"}
    assert found[-1].verdict is Verdict.WARN


async def test_a_look_at_the_server_asks_nothing_that_costs():
    async with serving(server()) as heard, asking(heard.url) as client:
        found = [each async for each in look_at_server(client)]
    assert [each.check for each in found] == ["model server", "model"]
    assert [text.split()[0] for text in heard.requests] == ["GET"]


def test_prices_of_nothing_are_a_warning_unless_the_model_is_ours():
    found = look_at_prices(priced(prices=FREE), is_near=False)
    assert (found.verdict, found.code) == (Verdict.WARN, "PRICES_ZERO")
    assert "20 questions an hour" in found.found
    near = look_at_prices(priced(prices=FREE), is_near=True)
    assert near.verdict is Verdict.OK
    assert "no cap on money can bind" in near.found


@pytest.mark.parametrize("cap", ["parent_cost_max", "hour_cost_max", "day_cost_max"])
def test_a_cap_below_one_question_is_a_failure(cap):
    # 32 768 bytes and the frame at 1, 2 000 tokens at 4 US dollars for 10^6.
    assert look_at_prices(priced(**{cap: D("0.040832")}), is_near=False).verdict is Verdict.OK
    found = look_at_prices(priced(**{cap: D("0.040831")}), is_near=False)
    assert (found.verdict, found.code) == (Verdict.FAIL, "CAP_BELOW_ONE_CALL")
    assert cap in found.next_step


def test_a_recording_is_no_adviser_for_a_new_order(tmp_path):
    path = tmp_path / "advice.jsonl"
    question = Question(
        decision_id="P1-1", parent_id="P1", asked_ns=1, template_hash="t", schema={}, tokens_max=9, deadline_s=1.0,
        messages=(Message(role="user", content="{}"),),
    )  # fmt: skip
    with TapeWriter(path) as tape:
        tape.write(line_of(question, MODEL, Failed(failure=Failure.TIMEOUT, detail="", latency_ns=1), None))
    found = look_at_tape(path, MODEL)
    assert (found.verdict, found.code) == (Verdict.WARN, "REPLAY")
    assert found.found.startswith(f"1 calls to {MODEL}")
    assert "NOT_ON_TAPE" in found.allowed
    assert "executor backtest session" in found.next_step


def test_a_recording_that_is_to_be_played(tmp_path):
    path = tmp_path / "advice.jsonl"
    assert look_at_tape(path, MODEL).code == "TAPE"
    path.write_text("{}\n")
    assert look_at_tape(path, MODEL).code == "TAPE"
    path.write_text("")
    assert "no call" in look_at_tape(path, MODEL).found
