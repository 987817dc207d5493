"""The unmodified OpenAI SDK as an independent judge of the wire."""

import asyncio
import json

import openai
import pytest
from pydantic import BaseModel, ConfigDict

from sandbox.llm_server import DEFAULT_API_KEY, Latency, LlmOptions, running_llm_server
from sandbox.llm_server.models import MODELS
from tests.sandbox.llm_talk import CALM, KEYS, body, messages, question, structured

JSON_OBJECT = {"type": "json_object"}


class Advice(BaseModel):
    model_config = ConfigDict(extra="forbid")
    decision_id: str
    action: str
    confidence: str
    rate: str | None


@pytest.fixture
async def server():
    async with running_llm_server() as running:
        yield running


@pytest.fixture
async def client(server):
    async with openai.AsyncOpenAI(
        base_url=server.base_url, api_key=DEFAULT_API_KEY, max_retries=0, timeout=20
    ) as sdk:
        yield sdk


def create(client, asked=None, **fields):
    return client.chat.completions.create(**body(asked, **fields))


async def test_the_models_are_listed_and_found(client):
    listed = [model async for model in client.models.list()]
    assert [model.id for model in listed] == list(MODELS)
    assert {model.object for model in listed} == {"model"}
    assert (await client.models.retrieve("sandbox-trader")).owned_by == "sandbox"
    with pytest.raises(openai.NotFoundError) as caught:
        await client.models.retrieve("gpt-unknown")
    assert caught.value.code == "model_not_found"


async def test_a_completion_has_everything_a_completion_has(client):
    done = await create(client)
    choice = done.choices[0]
    assert (done.object, done.model, len(done.choices)) == ("chat.completion", "sandbox-trader", 1)
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "stop", "assistant")
    assert choice.message.refusal is None
    assert done.id.startswith("chatcmpl-")
    assert done.created > 1_700_000_000
    reply = json.loads(choice.message.content)
    assert tuple(reply) == KEYS
    assert (reply["decision_id"], reply["snapshot_hash"]) == (CALM["decision_id"], CALM["snapshot_hash"])


async def test_every_request_has_an_id_of_its_own(client, server):
    answers = [await client.chat.completions.with_raw_response.create(**body()) for _ in range(2)]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == 2
    assert [entry["request_id"] for entry in server.requests()] == ids
    assert answers[0].parse().id != answers[1].parse().id


@pytest.mark.parametrize("model", ["sandbox-trader", "sandbox-reasoner", "sandbox-no-information"])
async def test_structured_output_by_a_hand_made_schema(client, model):
    done = await create(client, model=model, response_format=structured())
    reply = json.loads(done.choices[0].message.content)
    assert tuple(reply) == KEYS
    assert reply["decision_id"] == "P1-7"


async def test_structured_output_is_parsed_into_the_clients_own_class(client):
    done = await client.chat.completions.parse(**body(), response_format=Advice)
    parsed = done.choices[0].message.parsed
    assert isinstance(parsed, Advice)
    assert (parsed.decision_id, parsed.action, parsed.rate) == ("P1-7", "PASSIVE", None)


async def test_json_mode_and_plain_text(client):
    for model, fields in (
        ("sandbox-trader-mini", {"response_format": JSON_OBJECT}),
        ("sandbox-trader-mini", {}),
    ):
        done = await create(client, model=model, **fields)
        assert tuple(json.loads(done.choices[0].message.content)) == KEYS


async def test_models_think_where_they_think(client):
    done = await create(client, model="sandbox-reasoner")
    thoughts = done.choices[0].message.model_extra["reasoning_content"]
    assert thoughts.splitlines()[0] == "the end is near: no."
    assert tuple(json.loads(done.choices[0].message.content)) == KEYS
    assert done.usage.completion_tokens_details.reasoning_tokens > 0
    done = await create(client, model="sandbox-thinker")
    before, _, reply = done.choices[0].message.content.partition("</think>")
    assert before.startswith("<think>\nthe end is near: no.")
    assert tuple(json.loads(reply)) == KEYS


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"model": "gpt-unknown"}, openai.NotFoundError),
        ({"model": "sandbox-reasoner", "temperature": 0}, openai.BadRequestError),
        ({"model": "sandbox-reasoner", "max_tokens": 500}, openai.BadRequestError),
        ({"model": "sandbox-trader-mini", "max_completion_tokens": 500}, openai.BadRequestError),
        ({"model": "sandbox-trader-mini", "response_format": structured()}, openai.BadRequestError),
        ({"model": "sandbox-thinker", "response_format": JSON_OBJECT}, openai.BadRequestError),
        ({"stream": True}, openai.BadRequestError),
        ({"extra_body": {"temprature": 1}}, openai.BadRequestError),
    ],
)
async def test_what_a_model_cannot_do_is_refused(client, server, fields, kind):
    with pytest.raises(kind) as caught:
        await create(client, **fields)
    assert caught.value.request_id.startswith("req_")
    assert caught.value.type == "invalid_request_error"
    assert server.requests()[-1]["status"] == caught.value.status_code


@pytest.mark.parametrize("key", ["wrong", "sk-local-7Kq2ZtVw9RbXe4M", "sk-local-7Kq2ZtVw9RbXe4Md2"])
async def test_a_wrong_key_is_refused_and_never_shown(server, key):
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key=key, max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as caught:
            await create(stranger)
        with pytest.raises(openai.AuthenticationError):
            await stranger.models.list()
    assert caught.value.code == "invalid_api_key"
    assert key not in str(caught.value)
    shown = server.requests()
    assert {entry["headers"]["authorization"] for entry in shown} == {"Bearer ***"}
    assert f"Bearer {key}" not in json.dumps(shown)


async def test_no_answer_holds_a_piece_of_the_key(client):
    pieces = [DEFAULT_API_KEY[start : start + 8] for start in range(len(DEFAULT_API_KEY) - 7)]
    for model in MODELS:
        answer = (await client.chat.completions.with_raw_response.create(**body(model=model))).text
        assert [piece for piece in pieces if piece in answer] == []


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"status": 429, "retry_after": "7"}, openai.RateLimitError),
        ({"status": 500}, openai.InternalServerError),
        ({"status": 503}, openai.InternalServerError),
        ({"status": 529}, openai.InternalServerError),
        ({"status": 403, "code": "region"}, openai.PermissionDeniedError),
        ({"status": 422}, openai.UnprocessableEntityError),
    ],
)
async def test_errors_of_the_server(client, server, rule, kind):
    server.fault({"act": "status", **rule})
    with pytest.raises(kind) as caught:
        await create(client)
    assert caught.value.status_code == rule["status"]
    assert caught.value.response.headers.get("retry-after") == rule.get("retry_after")
    await create(client)


async def test_what_the_sdk_makes_of_a_broken_connection_and_of_silence(client, server):
    server.fault({"act": "reset"})
    with pytest.raises(openai.APIConnectionError):
        await create(client)
    server.fault({"act": "hang_before_headers"})
    with pytest.raises(openai.APITimeoutError):
        await create(client, timeout=0.1)


async def test_a_reply_cut_short_is_known_by_its_finish_reason(client):
    done = await create(client, max_tokens=20)
    assert done.choices[0].finish_reason == "length"
    assert done.usage.completion_tokens == 20
    with pytest.raises(json.JSONDecodeError):
        json.loads(done.choices[0].message.content)
    with pytest.raises(openai.LengthFinishReasonError):
        await client.chat.completions.parse(**body(max_tokens=10), response_format=Advice)
    spent = await create(client, model="sandbox-reasoner", max_completion_tokens=20)
    assert spent.choices[0].message.content == ""
    assert spent.usage.completion_tokens_details.reasoning_tokens == 20


async def test_usage_tells_what_the_cache_held(client, server):
    first = await create(client)
    other = question(decision_id="P2-1", market={"spread_bps": "9"})
    second = await create(client, other)
    assert first.usage.prompt_tokens_details.cached_tokens == 0
    fixed = len(messages()[0]["content"]) // 4
    assert fixed - 64 <= second.usage.prompt_tokens_details.cached_tokens <= second.usage.prompt_tokens
    assert first.usage.total_tokens == first.usage.prompt_tokens + first.usage.completion_tokens
    changed = await create(client, other, messages=messages(other, system="Another beginning."))
    assert changed.usage.prompt_tokens_details.cached_tokens == 0
    used = [done.usage for done in (first, second, changed)]
    assert server.truth()["tokens"] == {
        "prompt": sum(usage.prompt_tokens for usage in used),
        "completion": sum(usage.completion_tokens for usage in used),
        "cached": second.usage.prompt_tokens_details.cached_tokens,
    }


async def test_a_question_that_is_none_is_answered_in_words_or_in_the_form_demanded(client):
    hello = [{"role": "system", "content": "Speak JSON."}, {"role": "user", "content": "Hello!"}]
    plain = await create(client, messages=hello)
    assert plain.choices[0].message.content == "I cannot advise on this: the question is not JSON."
    loose = await create(client, messages=hello, response_format=JSON_OBJECT)
    assert json.loads(loose.choices[0].message.content) == {"error": plain.choices[0].message.content}
    held = await create(client, messages=hello, response_format=structured())
    reply = json.loads(held.choices[0].message.content)
    assert tuple(reply) == KEYS
    assert reply["reasoning"] == plain.choices[0].message.content


async def test_two_servers_with_one_seed_say_the_same(client):
    questions = [question(decision_id=f"P1-{number}", snapshot_hash=f"{number:016x}") for number in range(5)]
    answers = []
    for seed in (7, 7, 8):
        async with (
            running_llm_server(LlmOptions(seed=seed)) as server,
            openai.AsyncOpenAI(base_url=server.base_url, api_key=DEFAULT_API_KEY, max_retries=0) as sdk,
        ):
            done = [await create(sdk, asked, model="sandbox-no-information") for asked in questions]
        answers.append([each.choices[0].message.content for each in done])
    assert answers[0] == answers[1]
    assert answers[0] != answers[2]


async def test_latency_passes_before_the_answer_and_many_are_served_at_once():
    options = LlmOptions(latency=Latency(median_ms=40))
    async with (
        running_llm_server(options) as server,
        openai.AsyncOpenAI(base_url=server.base_url, api_key=DEFAULT_API_KEY, max_retries=0) as sdk,
    ):
        await asyncio.gather(*(create(sdk) for _ in range(5)))
        assert all(entry["latency_ms"] >= 39 for entry in server.requests())
        assert server.truth()["open_max"] > 1
