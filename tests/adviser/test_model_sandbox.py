"""The client against the sandbox's model: a whole question, its record and its replay, and every fault of the wire."""

import json
from decimal import Decimal

import pytest
from model_server import SLACK_NS
from questions import STRATEGIES, TEMPLATE, context, facts, news_item

from executor.advice.calls import Answer, Question
from executor.advice.capabilities import (
    Capabilities,
    Capability,
    SystemRole,
    TokensKey,
    capabilities_of,
    is_same_model,
)
from executor.advice.facts import snapshot_hash
from executor.advice.prompt import render
from executor.advice.reply import parse_reply, reply_schema
from executor.adviser.client import ModelAdviser, ModelClient
from executor.adviser.playback import Recorder, Replay
from executor.adviser.preflight import look_at_model
from executor.adviser.tape import TapeWriter, read_tape
from executor.domain.advice import Advice, Failure
from executor.domain.advice_terms import AdviserTerms, Caps, Prices
from executor.domain.finding import Verdict
from executor.runtime.clock import Clock
from sandbox.llm_server import DEFAULT_API_KEY, running_llm_server

MODEL = "sandbox-trader"
DEADLINE_S = 0.5
FACTS = facts()
QUESTION = Question(
    decision_id=FACTS.decision_id,
    parent_id=FACTS.parent_id,
    asked_ns=1,
    template_hash=TEMPLATE.sha256,
    messages=render(TEMPLATE, FACTS, context(), (news_item(),), 4_000),
    schema=reply_schema(STRATEGIES),
    tokens_max=800,
    deadline_s=20.0,
)


@pytest.fixture
async def server():
    async with running_llm_server() as running:
        yield running


@pytest.fixture
async def client(server):
    known = capabilities_of(MODEL).overridden(on=[Capability.JSON_SCHEMA])
    model = ModelClient(
        server.base_url, MODEL, lambda: DEFAULT_API_KEY, known, Clock().now_ns, reasoning_tokens_max=0
    )
    await model.open()
    yield model
    await model.close()


def read(answer):
    return parse_reply(
        answer.content,
        decision_id=FACTS.decision_id,
        snapshot_hash=snapshot_hash(FACTS),
        strategies=STRATEGIES,
    )


async def test_a_question_its_record_and_its_replay(client, tmp_path):
    path = tmp_path / "advice.jsonl"
    with TapeWriter(path) as tape:
        recorder = Recorder(
            ModelAdviser(client), MODEL, tape, lambda *_: Decimal("0.001"), lambda *_, **__: None
        )
        answer = await recorder.ask(QUESTION)
    assert isinstance(answer, Answer), answer
    assert isinstance(read(answer), Advice), read(answer)
    assert is_same_model(MODEL, answer.model_id)
    assert answer.usage.reported
    assert answer.request_id
    replay = Replay(read_tape(path), MODEL)
    assert replay.answer(QUESTION) == (answer, answer.latency_ns)
    assert replay.misses == 0
    assert DEFAULT_API_KEY not in path.read_text()


async def test_all_is_well_with_the_sandbox_s_model(client):
    free = Prices(prompt=Decimal(0), cached=Decimal(0), completion=Decimal(0))
    caps = Caps(
        parent_cost_max=Decimal(0), hour_cost_max=Decimal(0), day_cost_max=Decimal(0),
        parent_calls_max=1, hour_calls_max=1, day_calls_max=1,
    )  # fmt: skip
    terms = AdviserTerms(model=MODEL, deadline_ms=20_000, caps=caps, prices=free)
    found = [each async for each in look_at_model(client, TEMPLATE, terms, 800)]
    assert found[-1].check == "model cost"
    assert [each.line() for each in found if each.verdict is not Verdict.OK] == []


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("sandbox-trader-mini", Capabilities(able=frozenset({Capability.JSON_OBJECT, Capability.SEED}))),
        (
            "sandbox-reasoner",
            Capabilities(
                able=frozenset({Capability.JSON_SCHEMA, Capability.REASONING}),
                tokens_key=TokensKey.MAX_COMPLETION_TOKENS,
                system_role=SystemRole.DEVELOPER,
            ),
        ),
        ("sandbox-thinker", Capabilities(able=frozenset({Capability.SENDS_THINK, Capability.REASONING}))),
    ],
)
async def test_models_of_every_kind_are_understood_once_their_ways_are_known(server, model, known):
    client = ModelClient(
        server.base_url, model, lambda: DEFAULT_API_KEY, known, Clock().now_ns, reasoning_tokens_max=2_000
    )
    answer = await client.ask(QUESTION.messages, schema=QUESTION.schema, max_tokens=800, deadline_s=20.0)
    await client.close()
    assert isinstance(answer, Answer), answer
    assert isinstance(read(answer), Advice), read(answer)


@pytest.mark.parametrize(
    ("rule", "failure"),
    [
        ({"act": "hang_before_headers"}, Failure.TIMEOUT),
        ({"act": "hang_after_headers"}, Failure.TIMEOUT),
        ({"act": "hang_after_headers", "bytes": 100}, Failure.TIMEOUT),
        ({"act": "trickle", "interval_ms": 20}, Failure.TIMEOUT),
        ({"act": "delay", "delay_ms": 60_000}, Failure.TIMEOUT),
        ({"act": "status", "status": 429}, Failure.RATE_LIMITED),
        ({"act": "status", "status": 500}, Failure.SERVER_ERROR),
        ({"act": "status", "status": 529}, Failure.SERVER_ERROR),
        ({"act": "redirect", "url": "http://127.0.0.1:9/v1"}, Failure.PROTOCOL),
        ({"act": "reset"}, Failure.UNREACHABLE),
        ({"act": "half"}, Failure.PROTOCOL),
        ({"act": "corrupt"}, Failure.PROTOCOL),
        ({"act": "deep_body", "depth": 20_000}, Failure.PROTOCOL),
        ({"act": "big_body"}, Failure.TOO_LARGE),
        ({"act": "endless"}, Failure.TOO_LARGE),
        ({"act": "gzip_bomb", "bytes": 10_000_000}, Failure.PROTOCOL),
        ({"act": "big_content"}, Failure.TOO_LARGE),
        ({"act": "choices", "count": 0}, Failure.PROTOCOL),
        ({"act": "choices", "count": 2}, Failure.PROTOCOL),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
async def test_every_fault_of_the_wire_ends_in_its_failure(server, client, rule, failure):
    server.fault(rule)
    deadline_s = DEADLINE_S if failure is Failure.TIMEOUT else 20.0
    outcome = await client.ask(
        QUESTION.messages, schema=QUESTION.schema, max_tokens=800, deadline_s=deadline_s
    )
    assert outcome.failure is failure, outcome
    if failure is Failure.TIMEOUT:
        assert outcome.latency_ns < DEADLINE_S * 1e9 + SLACK_NS
    assert sum(entry["path"].endswith("/chat/completions") for entry in server.requests()) == 1


async def test_115_another_model_behind_the_name_is_told(server, client):
    server.fault({"act": "other_model"})
    answer = await client.ask(QUESTION.messages, schema=QUESTION.schema, max_tokens=800, deadline_s=20.0)
    assert not is_same_model(MODEL, answer.model_id)
