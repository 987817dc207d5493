"""The adviser as a daemon makes it of its settings: what is wrong is said before it trades, and no key is told."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest
from model_server import always, envelope, page, serving

from config.load import load_settings
from config.secrets import ADVISER_ENV, ENV_NAMES
from executor.advice.context import MarketContext
from executor.advice.prompt import prompt_sha256
from executor.adviser.news import NewsFate
from executor.adviser.tape import read_tape
from executor.app.advising import advising
from executor.app.doctor import examine_model
from executor.domain.commands import RequestAdvice
from executor.domain.errors import ConfigError, Overflow
from executor.domain.events import AdviceFailed, AdviceReceived, NewsArrived
from executor.domain.finding import Verdict
from executor.runtime.record import encode_event
from sandbox.llm_server import LlmOptions, running_llm_server
from tests.adviser.questions import facts
from tests.builders import T0

KEY = "sk-cAnArY-4Qz7Xw2Vb9Nk5Mj8-mOdEl"
EXCHANGE = {name: f"cAnArYeXcHaNgE{number:02d}9Rt6Yp3Ls8Dk" for number, name in enumerate(
    sorted({name for pair in ENV_NAMES.values() for name in pair}))}  # fmt: skip


def settings_of(tmp_path, url, *lines, **environ):
    path = tmp_path / "extra.toml"
    path.write_text(
        f'''[executor]
data_dir = "{tmp_path}"
[adviser]
enabled = true
base_url = "{url}"
model = "sandbox-trader"
input_price = 0.15
output_price = 0.6
'''
        + "\n".join(lines)
    )
    environ = {ADVISER_ENV: KEY, **EXCHANGE, **environ}
    return load_settings("sandbox", path, environ, yes_live=False)


class Said:
    """What was logged."""

    def __init__(self):
        self.lines = []

    def __call__(self, message, **told):
        self.lines.append({"message": message, **told})

    def codes(self):
        return [line["code"] for line in self.lines if "code" in line]


async def made(stack, settings, said):
    found = await advising(
        stack, settings, lambda _category, _symbol: MarketContext(at_ns=T0), lambda: T0, said
    )
    assert found is not None
    return found


def request():
    asked = facts()
    return RequestAdvice(parent_id="P1", decision_id=asked.decision_id, facts=asked, within_ms=5_000)


async def test_without_a_model_nothing_is_made(tmp_path):
    settings = load_settings("sandbox", None, {ADVISER_ENV: KEY}, yes_live=False)
    async with AsyncExitStack() as stack:
        assert await advising(stack, settings, MarketContext, lambda: T0, Said()) is None


async def test_the_whole_way_tells_no_key_to_anybody_but_its_server(tmp_path):
    said = Said()
    async with running_llm_server(LlmOptions(api_keys=(KEY,))) as server, AsyncExitStack() as stack:
        settings = settings_of(tmp_path, server.base_url, "news_webhook = true")
        found = await made(stack, settings, said)
        assert found.door.hand_in("desk", "CPI at 14:30", None) is NewsFate.TAKEN
        event = await found.counsel.ask(request())
        assert isinstance(event, AdviceReceived), event
        for companion in found.companions:
            await companion.run(lambda _event: None)
        (line,) = read_tape(tmp_path / "advice.jsonl")
        written = (tmp_path / "advice.jsonl").read_text()
        told = [written, repr(found), repr(settings), repr(said.lines), encode_event(event).decode()]
    assert event.prompt_sha256 == prompt_sha256(line.messages), "the journal names what the tape holds"
    assert "CPI at 14:30" in written
    assert [each["message"] for each in said.lines] == ["model server", "model"]
    for text in told:
        assert "cAnArY" not in text
        assert KEY[-8:] not in text


async def test_the_request_as_the_server_sees_it_holds_the_key_once_and_no_other(tmp_path, monkeypatch):
    for name, value in EXCHANGE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(ADVISER_ENV, KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "cAnArYoRg")
    async with serving(always(page(envelope(model="sandbox-trader")))) as heard, AsyncExitStack() as stack:
        found = await made(stack, settings_of(tmp_path, heard.url), Said())
        await found.counsel.ask(request())
    (asked,) = heard.requests
    head, _, body = asked.partition("\r\n\r\n")
    assert head.count("cAnArY") == 1
    assert f"authorization: bearer {KEY}".lower() in head.lower()
    assert "cAnArY" not in body
    assert str(tmp_path) not in asked
    assert json.loads(body)["model"] == "sandbox-trader"


@pytest.mark.parametrize("status", ["401 Unauthorized", "400 Bad Request", "500 Oops", "200 OK"])
async def test_a_server_that_repeats_the_key_puts_it_nowhere(tmp_path, status):
    said = Said()
    behave = always(
        page({"error": {"message": f"your key is {KEY}"}}, status, headers=(f"x-request-id: {KEY}",))
    )
    async with serving(behave) as heard, AsyncExitStack() as stack:
        settings = settings_of(tmp_path, heard.url)
        found = await made(stack, settings, said)
        event = await found.counsel.ask(request())
        assert isinstance(event, AdviceFailed)
        findings = []
        await examine_model(settings, findings.append)
        for companion in found.companions:
            await companion.run(lambda _event: None)
        told = [(tmp_path / "advice.jsonl").read_text(), repr(said.lines), encode_event(event).decode()]
    assert Verdict.FAIL in {finding.verdict for finding in findings}
    for text in [
        *told,
        *(finding.line() for finding in findings),
        *(str(each.record()) for each in findings),
    ]:
        assert "cAnArY" not in text


async def test_a_key_in_another_spelling_is_the_key(tmp_path):
    told = json.dumps(envelope(content=f"your key is {KEY}", model="sandbox-trader"))
    raw = told.replace("cAnArY", "\\u0063AnAr\\u0059").encode()
    assert KEY.encode() not in raw
    async with serving(always(page(raw))) as heard, AsyncExitStack() as stack:
        found = await made(stack, settings_of(tmp_path, heard.url), Said())
        event = await found.counsel.ask(request())
    assert isinstance(event, AdviceFailed)
    assert event.detail == "the answer holds our key"
    assert "cAnArY" not in (tmp_path / "advice.jsonl").read_text()


async def test_a_model_that_is_not_there_is_said_and_stops_nothing(tmp_path):
    said = Said()
    async with serving(always(b"")) as heard:
        settings = settings_of(tmp_path, heard.url)
    async with AsyncExitStack() as stack:
        found = await made(stack, settings, said)
        for companion in found.companions:
            await companion.run(lambda _event: None)
        event = await found.counsel.ask(request())
    assert isinstance(event, AdviceFailed)
    assert said.codes() == ["MODEL_UNREACHABLE"]
    assert "follow their schedules" in said.lines[0]["message"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (('tape = "replay"',), "advice.jsonl"),
        (('tape_file = "/dev/null/advice.jsonl"',), "/dev/null/advice.jsonl"),
        (('template_file = "/dev/null/wording.txt"',), "/dev/null/wording.txt"),
        (('template_file = "/dev/null"',), "empty"),
        (("prompt_bytes_max = 18000", 'template_file = "{long}"'), "leaves 8000 bytes"),
    ],
)
async def test_what_cannot_be_opened_ends_the_start_in_words(tmp_path, lines, told):
    long = tmp_path / "long.txt"
    long.write_text("x" * 10_000)
    lines = [line.format(long=long) for line in lines]
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError, match=told):
            await made(stack, settings_of(tmp_path, "http://127.0.0.1:1/v1", *lines), Said())


async def test_the_wording_is_the_operator_s_if_there_is_one(tmp_path):
    wording = tmp_path / "wording.txt"
    wording.write_text("Advise.")
    async with AsyncExitStack() as stack:
        usual = await made(stack, settings_of(tmp_path, "http://127.0.0.1:1/v1"), Said())
        own = await made(
            stack, settings_of(tmp_path, "http://127.0.0.1:1/v1", f'template_file = "{wording}"'), Said()
        )
    assert usual.terms.template_sha256 != own.terms.template_sha256


async def test_news_never_stand_in_the_way_of_a_full_inbox(tmp_path):
    feed = tmp_path / "feed.jsonl"
    told = asyncio.Event()
    posted = []

    def post(event):
        posted.append(event)
        told.set()
        raise Overflow("full")

    said = Said()
    async with AsyncExitStack() as stack:
        settings = settings_of(tmp_path, "http://127.0.0.1:1/v1", f'news_sources = ["{feed}"]')
        found = await made(stack, settings, said)
        (companion,) = [each for each in found.companions if type(each).__name__ == "NewsCompanion"]
        feed.write_text("")
        companion._desk._poll_s = 0.01
        working = asyncio.create_task(companion.run(post))
        while not told.is_set():
            with feed.open("a") as out:
                out.write(json.dumps({"text": f"text {feed.stat().st_size}"}) + "\n")
            await asyncio.wait([asyncio.create_task(told.wait())], timeout=0.05)
        assert not working.done()
        working.cancel()
        await asyncio.wait([working])
    assert isinstance(posted[0], NewsArrived)
    assert posted[0].source == "feed.jsonl"
