"""What is found before a model is asked: each thing that can be wrong, by its code and with what to do."""

import asyncio
import json

import pytest
from model_server import KEY, MODEL, asking, envelope, page, serving

from executor.advice.capabilities import Capability, capabilities_of
from executor.adviser.preflight import CHECKS, look_at_model
from executor.domain.finding import Verdict

READY = '{"word":"ready","number":null}'
LISTED = {"object": "list", "data": [{"id": MODEL}, {"id": "another"}]}


def server(listed=None, reply=None, delay_s=0.0):
    async def behave(text, writer):
        if text.startswith("GET"):
            writer.write(page(LISTED) if listed is None else listed)
            return
        await asyncio.sleep(delay_s)
        writer.write(page(envelope(READY)) if reply is None else reply)

    return behave


async def findings_of(behave, deadline_s=5.0, known=None, aliases=()):
    async with serving(behave) as heard, asking(heard.url, known=known) as client:
        found = [each async for each in look_at_model(client, deadline_s, 100, aliases)]
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
    assert [each.check for each in found] == list(CHECKS)


async def test_nobody_answers():
    async with serving(server()) as heard:
        url = heard.url
    async with asking(url) as client:
        found = [each async for each in look_at_model(client, 1.0, 100)]
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


async def test_a_dated_name_in_the_list_is_the_model():
    found = await findings_of(server(listed=page({"data": [{"id": f"{MODEL}-2026-01-31"}]})))
    assert codes(found) == {}


async def test_a_server_without_a_list():
    found = await findings_of(server(listed=page(b"", "404 Not Found")))
    assert codes(found) == {"model": "MODEL_LIST"}


async def test_another_model_answers():
    reply = page(envelope(READY, model="a-cheaper-model"))
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
        '{"word":"ready"}',
        '{"word":"x","number":null}',
        "[" * 9_000,
    ],
)
async def test_an_answer_in_another_form(content):
    found = await findings_of(server(reply=page(envelope(content))))
    assert codes(found) == {"model output": "MODEL_OUTPUT"}


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
    assert found[-1].verdict is Verdict.FAIL


async def test_a_model_that_is_silent():
    found = await findings_of(server(delay_s=30.0), deadline_s=0.04)
    assert codes(found) == {"model reply": "MODEL_TIMEOUT"}


async def test_the_tiny_question_asks_for_the_form_the_model_is_able_to_keep():
    known = capabilities_of(MODEL).overridden(on=[Capability.JSON_SCHEMA])
    async with serving(server()) as heard, asking(heard.url, known=known) as client:
        assert codes([each async for each in look_at_model(client, 5.0, 100)]) == {}
        body = json.loads(heard.requests[-1].partition("\r\n\r\n")[2])
        assert body["response_format"]["json_schema"]["strict"] is True
