"""From a request of the engine to an event: over a real socket to the local model, and from scripts."""

import json

import pytest

from executor.advice.budget import cost_of_failure
from executor.advice.calls import Answer, Failed
from executor.advice.capabilities import capabilities_of
from executor.advice.context import MarketContext, NewsItem
from executor.advice.facts import snapshot_hash
from executor.advice.prompt import prompt_sha256
from executor.advice.reply import parse_reply
from executor.adviser.client import ModelAdviser, ModelClient
from executor.adviser.counsel import ModelCounsel
from executor.adviser.playback import Paced, Scripted
from executor.domain.advice import Advice, Failure
from executor.domain.commands import RequestAdvice
from executor.domain.events import AdviceFailed, AdviceReceived
from executor.domain.timeline import NS_PER_S
from executor.runtime.clock import Clock
from sandbox.llm_server import DEFAULT_API_KEY, running_llm_server
from tests.adviser.questions import TEMPLATE, facts
from tests.builders import T0, D

ANSWER = Answer(
    content=b"{}", model_id="m", finish_reason="stop", refusal="", usage=None, latency_ns=1, request_id="r"
)


def request(**over):
    asked = facts(**over)
    return RequestAdvice(parent_id="P1", decision_id=asked.decision_id, facts=asked, within_ms=4_000)


def counsel(adviser, *, texts=None, prompt_bytes_max=32_768, lines=None):
    said = [] if lines is None else lines
    return ModelCounsel(
        adviser=adviser,
        template=TEMPLATE,
        scenery=lambda _category, _symbol: MarketContext(at_ns=T0),
        texts=lambda: texts,
        now_ns=lambda: T0,
        tokens_max=800,
        prompt_bytes_max=prompt_bytes_max,
        log=lambda message, **fields: said.append((message, fields)),
    )


class Listener:
    """An adviser that keeps the question."""

    def __init__(self, outcome=ANSWER):
        self.asked = []
        self.outcome = outcome

    async def ask(self, question):
        self.asked.append(question)
        return self.outcome


async def test_a_model_answers_the_engine_in_the_form_that_the_engine_reads():
    async with running_llm_server() as server:
        client = ModelClient(
            server.base_url, "sandbox-trader", lambda: DEFAULT_API_KEY, capabilities_of("sandbox-trader"),
            Clock().now_ns, reasoning_tokens_max=0,
        )  # fmt: skip
        await client.open()
        asked = request()
        event = await counsel(ModelAdviser(client)).ask(asked)
        await client.close()
    assert isinstance(event, AdviceReceived)
    assert (event.parent_id, event.decision_id, event.model) == ("P1", asked.decision_id, "sandbox-trader")
    assert event.usage is not None
    read = parse_reply(
        event.raw,
        decision_id=asked.decision_id,
        snapshot_hash=snapshot_hash(asked.facts),
        strategies=frozenset(asked.facts.band.strategies),
    )
    assert isinstance(read, Advice), read


async def test_a_failure_is_handed_on():
    script = Scripted([Failed(failure=Failure.SERVER_ERROR, detail="529", latency_ns=5)])
    event = await counsel(Paced(script)).ask(request())
    assert isinstance(event, AdviceFailed)
    assert (event.failure, event.detail, event.latency_ns) == (Failure.SERVER_ERROR, "529", 5)


async def test_an_error_on_the_way_is_a_failure_and_nothing_more():
    class Broken:
        async def ask(self, question):
            raise RuntimeError("sk-secret-7 in a text of a library")

    lines = []
    event = await counsel(Broken(), lines=lines).ask(request())
    assert isinstance(event, AdviceFailed)
    assert (event.failure, event.detail) == (Failure.INTERNAL, "RuntimeError")
    assert [(fields["level"], fields["reason"]) for _, fields in lines] == [("error", "RuntimeError")]


@pytest.mark.parametrize("outcome", [ANSWER, Failed(failure=Failure.TIMEOUT, detail="late", latency_ns=5)])
async def test_the_journal_names_what_was_asked(outcome):
    listener = Listener(outcome)
    event = await counsel(listener).ask(request())
    assert event.prompt_sha256 == prompt_sha256(listener.asked[0].messages)


async def test_of_the_news_the_newest_that_fit_are_shown():
    texts = [NewsItem(source=f"s{age}", at_ns=T0 - age * NS_PER_S, text="x" * 400) for age in range(8)]
    plenty, tight = Listener(), Listener()
    await counsel(plenty, texts=texts).ask(request())
    whole = sum(len(message.content) for message in plenty.asked[0].messages)
    await counsel(tight, texts=texts, prompt_bytes_max=whole - 500).ask(request())
    shown = json.loads(tight.asked[0].messages[1].content)["outside_text"]
    assert [item["source"] for item in shown] == [f"s{age}" for age in range(len(shown))]
    assert 0 < len(shown) < 8


async def test_a_question_that_is_too_long_or_has_no_meaning_is_not_asked():
    listener, lines = Listener(), []
    event = await counsel(listener, prompt_bytes_max=1_000, lines=lines).ask(request())
    assert isinstance(event, AdviceFailed)
    assert event.failure is Failure.UNWRITTEN
    assert event.prompt_sha256 == ""
    assert "longer than 1000" in event.detail
    assert listener.asked == []
    assert cost_of_failure(event.failure, D(1)) == 0, "a question that was not asked costs nothing"
    assert lines[0][0] == "question not asked"


@pytest.mark.parametrize("texts", [None, []])
async def test_whether_there_are_sources_is_told(texts):
    listener = Listener()
    await counsel(listener, texts=texts).ask(request())
    shown = json.loads(listener.asked[0].messages[1].content)["outside_text"]
    assert shown == ("none configured" if texts is None else [])
