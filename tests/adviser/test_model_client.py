"""INV-41 to 45 at the wire, faults 105, 106, 115, 116, 119: whatever a server does, a call ends in time and small."""

import asyncio
import gzip
import json
import logging
import subprocess
import sys
from dataclasses import asdict

import pytest
from model_server import KEY, MESSAGES, MODEL, SCHEMA, SLACK_NS, always, ask, asking, envelope, page, serving

from executor.advice.calls import Answer, Failed
from executor.advice.capabilities import Capability, capabilities_of
from executor.adviser.client import BYTES_MAX
from executor.domain.advice import Failure, Usage
from tests.faults.certificates import Authority

DEADLINE_S = 0.2
FOREVER_S = 60.0


async def outcome_of(behave, deadline_s=DEADLINE_S, **options):
    async with serving(behave) as heard, asking(heard.url, **options) as client:
        outcome = await ask(client, deadline_s)
        if isinstance(outcome, Failed):
            assert outcome.detail.isprintable()
            assert KEY not in repr(outcome)
        return outcome, heard


# ---------------------------------------------------------------- a server as it should be


def calling(*calls):
    """An answer that calls functions: pairs of name and arguments."""
    rows = [
        {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": text}}
        for number, (name, text) in enumerate(calls)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": rows}
    return always(page(envelope(choices=[{"index": 0, "finish_reason": "stop", "message": message}])))


@pytest.mark.parametrize(
    ("calls", "content"),
    [
        ([("act", '{"a":1}')], b'{"a":1}'),
        ([], b""),
        ([("act", "{}"), ("act", "{}")], None),
        ([("other", "{}")], None),
    ],
)
async def test_the_function_that_was_asked_for_is_the_reply_and_nothing_else(calls, content):
    async with serving(calling(*calls)) as heard, asking(heard.url) as client:
        outcome = await client.ask(MESSAGES, schema=SCHEMA, max_tokens=100, deadline_s=5.0, tool="act")
    if content is None:
        assert outcome.failure is Failure.PROTOCOL
    else:
        assert outcome.content == content


async def test_a_call_that_nobody_asked_for_is_not_read():
    answer, _ = await outcome_of(calling(("act", "{}")), 5.0)
    assert answer.content == b""


async def test_a_reply_with_all_that_belongs_to_it():
    usage = {"prompt_tokens": 90, "completion_tokens": 8, "prompt_tokens_details": {"cached_tokens": 64}}
    raw = page(
        envelope('{"a":"ü"}', model="some-model-2026-01-01", usage=usage), headers=["X-Request-Id: r-7"]
    )
    answer, heard = await outcome_of(always(raw), 5.0)
    assert isinstance(answer, Answer)
    assert answer.content == '{"a":"ü"}'.encode()
    assert (answer.model_id, answer.finish_reason, answer.refusal) == ("some-model-2026-01-01", "stop", "")
    assert answer.usage == Usage(prompt_tokens=90, cached_tokens=64, completion_tokens=8, reported=True)
    assert answer.request_id == "r-7"
    assert answer.latency_ns > 0
    (request,) = heard.requests
    assert request.startswith("POST /v1/chat/completions HTTP/1.1\r\n")
    assert f"authorization: Bearer {KEY}\r\n" in request
    assert "accept-encoding: identity\r\n" in request
    assert heard.bodies() == [
        {
            "model": MODEL,
            "messages": [asdict(message) for message in MESSAGES],
            "max_tokens": 100,
            "temperature": 0,
        },
    ]


async def test_one_connection_serves_many_calls_at_the_same_place():
    async with serving(always(page(envelope()))) as heard, asking(heard.url) as client:
        for _ in range(3):
            assert isinstance(await ask(client), Answer)
        assert heard.connections == 1


async def test_nothing_of_the_environment_and_of_this_machine_goes_out(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, f"canary-{name}")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/canary")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Canary: canary\nAuthorization: Bearer canary")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    answer, heard = await outcome_of(always(page(envelope())), 5.0)
    assert isinstance(answer, Answer), answer
    head = heard.requests[0].partition("\r\n\r\n")[0].lower()
    assert "canary" not in head.replace(KEY.lower(), "")
    assert "stainless" not in head
    assert "organization" not in head


async def test_without_a_key_none_is_sent():
    _, heard = await outcome_of(always(page(envelope())), 5.0, key=None)
    assert "authorization" not in heard.requests[0].lower()


async def test_a_reasoning_model_is_asked_in_its_own_words():
    known = capabilities_of("gpt-5-mini")
    _, heard = await outcome_of(always(page(envelope())), 5.0, model="gpt-5-mini", known=known)
    (body,) = heard.bodies()
    assert body["messages"][0]["role"] == "developer"
    assert body["max_completion_tokens"] == 1_100
    assert body["response_format"]["json_schema"] == {"name": "advice", "strict": True, "schema": SCHEMA}
    assert {"temperature", "seed", "max_tokens"}.isdisjoint(body)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<think>a { b</think>\n\n{}", b"{}"),
        ("\n<think></think>{}", b"{}"),
        ("<think>a{}", b"<think>a{}"),
        ("{}<think></think>", b"{}<think></think>"),
        ("<think>a</think><think>b</think>{}", b"<think>b</think>{}"),
        ("x<think>a</think>{}", b"x<think>a</think>{}"),
    ],
)
async def test_thoughts_in_front_are_taken_off_where_the_model_is_known_to_send_them(content, expected):
    raw = page(envelope(content))
    plain, _ = await outcome_of(always(raw), 5.0)
    assert plain.content == content.encode()
    thinking, _ = await outcome_of(
        always(raw), 5.0, known=capabilities_of(MODEL).overridden(on=[Capability.SENDS_THINK])
    )
    assert thinking.content == expected


@pytest.mark.parametrize(
    ("message", "content", "refusal"),
    [
        ({"content": None, "refusal": "I will not.\n"}, b"", "I will not."),
        ({"content": None}, b"", ""),
        ({"refusal": None}, b"", ""),
        ({"content": ""}, b"", ""),
        ({"content": "\ud800"}, None, ""),
    ],
)
async def test_replies_without_text(message, content, refusal):
    body = envelope()
    body["choices"][0] = {"message": message, "finish_reason": "length"}
    answer, _ = await outcome_of(always(page(body)), 5.0)
    if content is None:
        assert answer.failure is Failure.PROTOCOL
    else:
        assert (answer.content, answer.refusal, answer.finish_reason) == (content, refusal, "length")


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        7,
        [],
        {"prompt_tokens": -1, "completion_tokens": 5},
        {"prompt_tokens": 5, "completion_tokens": -5},
        {"prompt_tokens": 0, "completion_tokens": 5},
        {"prompt_tokens": "5", "completion_tokens": 5},
        {"prompt_tokens": 5.5, "completion_tokens": 5},
        {"prompt_tokens": True, "completion_tokens": 5},
        {"prompt_tokens": 10**30, "completion_tokens": 5},
        {"prompt_tokens": 5, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 6}},
        {"prompt_tokens": 5, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": -6}},
    ],
)
async def test_119_a_count_that_cannot_be_is_no_count(usage):
    answer, _ = await outcome_of(always(page(envelope(usage=usage))), 5.0)
    assert answer.content == b"{}"
    assert answer.usage is None


# ---------------------------------------------------------------- a server that does not answer


async def hang(_text, _writer):
    """Read on, and never answer."""


async def hang_after_head(_text, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n")


async def hang_within_head(_text, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Ty")


def trickle(head):
    async def behave(_text, writer):
        writer.write(head)
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(DEADLINE_S / 20)

    return behave


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n"


@pytest.mark.parametrize(
    "behave",
    [hang, hang_after_head, hang_within_head, trickle(HEAD), trickle(b"HTTP/1.1 500 No\r\nX-A: b")],
    ids=["hang", "hang after the head", "hang within the head", "trickle", "trickle in the head"],
)
async def test_105_the_deadline_is_around_the_whole_call(behave):
    async with serving(behave) as heard, asking(heard.url) as client:
        outcome = await ask(client, DEADLINE_S)
        assert outcome.failure is Failure.TIMEOUT
        assert DEADLINE_S * 1e9 * 0.9 < outcome.latency_ns < DEADLINE_S * 1e9 + SLACK_NS
        assert len(heard.requests) == 1


async def test_105_endless_notes_before_the_answer():
    async def behave(_text, writer):
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0)

    outcome, _ = await outcome_of(behave)
    assert outcome.failure is Failure.TIMEOUT


async def test_106_nobody_listens():
    async with serving(hang) as heard:
        url = heard.url
    async with asking(url) as client:
        outcome = await ask(client)
    assert outcome.failure is Failure.UNREACHABLE


async def test_106_a_name_that_no_one_has():
    async with asking("http://nobody.invalid/v1") as client:
        outcome = await ask(client, 2.0)
    assert outcome.failure in (Failure.UNREACHABLE, Failure.TIMEOUT)
    assert "nobody" not in outcome.detail


async def close(_text, writer):
    writer.close()


async def abort(_text, writer):
    writer.transport.abort()


async def close_in_the_middle(_text, writer):
    writer.write(page(envelope())[:-20])
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("behave", [close, abort, close_in_the_middle])
async def test_106_a_connection_that_ends(behave):
    outcome, heard = await outcome_of(behave, 5.0)
    assert outcome.failure in (Failure.UNREACHABLE, Failure.PROTOCOL)
    assert len(heard.requests) == 1, "one call asks once"


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        ("400 Bad Request", Failure.PROTOCOL),
        ("401 Unauthorized", Failure.NOT_AUTHORISED),
        ("402 Payment Required", Failure.NOT_AUTHORISED),
        ("403 Forbidden", Failure.NOT_AUTHORISED),
        ("404 Not Found", Failure.PROTOCOL),
        ("408 Request Timeout", Failure.TIMEOUT),
        ("409 Conflict", Failure.PROTOCOL),
        ("429 Too Many Requests", Failure.RATE_LIMITED),
        ("500 Oh", Failure.SERVER_ERROR),
        ("503 Busy", Failure.SERVER_ERROR),
        ("529 Overloaded", Failure.SERVER_ERROR),
        ("204 Nothing", Failure.PROTOCOL),
        ("206 Part", Failure.PROTOCOL),
    ],
)
async def test_106_statuses_are_asked_once_and_told_by_their_kind(status, failure):
    body = (
        b"" if status.startswith("204") else json.dumps({"error": {"message": "no\x1b[31m more", "code": 7}})
    )
    raw = page(body if isinstance(body, bytes) else body.encode(), status, headers=["Retry-After: 1"])
    outcome, heard = await outcome_of(always(raw), 5.0)
    assert outcome.failure is failure
    assert outcome.detail.startswith(f"status {status[:3]}")
    assert ("no [31m more" in outcome.detail) == (body != b"" and failure is not Failure.NOT_AUTHORISED)
    assert len(heard.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[]", b'{"error":{}}', b"\xff\xfe", b"[" * 60_000])
async def test_106_errors_in_any_form(body):
    outcome, _ = await outcome_of(always(page(body, "500 Oh", "text/html; charset=zlib")), 5.0)
    assert (outcome.failure, outcome.detail) == (Failure.SERVER_ERROR, "status 500")


async def test_106_a_long_error_is_not_read_to_its_end():
    async def behave(_text, writer):
        writer.write(b"HTTP/1.1 500 Oh\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    outcome, heard = await outcome_of(behave, FOREVER_S)
    assert outcome.failure is Failure.SERVER_ERROR
    await heard.ended.wait()


# ---------------------------------------------------------------- a server that sends too much or something else


async def test_116_an_endless_answer_is_cut_off_at_the_cap():
    sent = 0

    async def behave(_text, writer):
        nonlocal sent
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        while True:
            writer.write(b"2000\r\n" + b" " * 0x2000 + b"\r\n")
            sent += 0x2000
            await writer.drain()

    outcome, heard = await outcome_of(behave, FOREVER_S)
    assert outcome.failure is Failure.TOO_LARGE
    await heard.ended.wait()
    assert sent < 64 * BYTES_MAX, "the connection was closed long before the end"


async def test_116_ten_megabytes_are_too_many_and_64_kilobytes_are_not():
    outcome, _ = await outcome_of(always(page(envelope("x" * 10_000_000))), FOREVER_S)
    assert outcome.failure is Failure.TOO_LARGE
    room = BYTES_MAX - len(json.dumps(envelope("")))
    answer, _ = await outcome_of(always(page(envelope("x" * room))), 5.0)
    assert len(answer.content) == room
    outcome, _ = await outcome_of(always(page(envelope("x" * (room + 1)))), 5.0)
    assert outcome.failure is Failure.TOO_LARGE


BOMB = gzip.compress(b" " * 20_000_000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, identity", "GZIP", "unknown"])
async def test_116_a_compressed_answer_is_not_opened(encoding):
    headers = [f"Content-Encoding: {encoding}"]
    outcome, _ = await outcome_of(always(page(BOMB, headers=headers)), FOREVER_S)
    assert outcome.failure is Failure.PROTOCOL
    assert "compressed" in outcome.detail
    outcome, _ = await outcome_of(always(page(BOMB, "500 Oh", headers=headers)), FOREVER_S)
    assert (outcome.failure, outcome.detail) == (Failure.SERVER_ERROR, "status 500")


async def test_116_an_endless_head():
    async def behave(_text, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Filler: " + b"y" * 8_000 + b"\r\n")
            await writer.drain()

    outcome, _ = await outcome_of(behave, FOREVER_S)
    assert outcome.failure is Failure.PROTOCOL


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_no_redirect_is_followed(status):
    async with serving(always(page(envelope()))) as elsewhere:
        raw = page(b"", status, headers=[f"Location: {elsewhere.url}/chat/completions"])
        outcome, heard = await outcome_of(always(raw), 5.0)
        assert outcome.failure is Failure.PROTOCOL
        assert outcome.detail == f"status {status[:3]}"
        assert (len(heard.requests), elsewhere.connections) == (1, 0)


@pytest.mark.parametrize("kind", ["text/html", "text/event-stream", "text/plain", "application/x-json", ""])
async def test_an_answer_of_another_type(kind):
    outcome, _ = await outcome_of(always(page(envelope(), kind=kind)), 5.0)
    assert outcome.failure is Failure.PROTOCOL
    assert "another type" in outcome.detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{",
        b'{"model":"m"}',
        b'{"choices":[]}',
        b'{"model":"m","choices":[]}',
        b'{"model":7,"choices":[{"message":{"content":"x"}}]}',
        b'{"model":"m","choices":[{"message":{"content":"x"}},{"message":{"content":"y"}}]}',
        b'{"model":"m","choices":[{"message":{"content":["x"]}}]}',
        b'{"model":"m","choices":[{"message":{"content":7}}]}',
        b'{"model":"m","choices":[{"text":"x"}]}',
        b'{"model":"m","choices":{"0":1}}',
        b'{"error":{"message":"rate limited","code":429}}',
        b'data: {"model":"m"}\n\n',
        b"\xff\xfe{}",
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b'{"model":"m","choices":[{"message":{"content":"x"}}]} {}',
    ],
)
async def test_something_else_than_one_reply(body):
    outcome, _ = await outcome_of(always(page(body)), 5.0)
    assert outcome.failure is Failure.PROTOCOL


@pytest.mark.parametrize(
    "raw", [b"SSH-2.0-OpenSSH\r\n", b"\x16\x03\x01\x00\x00", b"HTTP/9.9 abc\r\n\r\n", b"\r\n\r\n\r\n"]
)
async def test_something_else_than_http(raw):
    async def behave(_text, writer):
        writer.write(raw)
        await writer.drain()
        writer.close()

    outcome, _ = await outcome_of(behave, 5.0)
    assert outcome.failure is Failure.PROTOCOL


@pytest.mark.parametrize("kind", ["good", "expired", "self-signed", "of another host"])
async def test_106_only_a_good_certificate_sees_a_request(kind, tmp_path, monkeypatch):
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", authority.publish())
    async with serving(always(page(envelope())), ssl=authority.context(kind)) as heard:
        async with asking(f"https://127.0.0.1:{heard.port}/v1") as client:
            outcome = await ask(client, 5.0)
        if kind == "good":
            assert isinstance(outcome, Answer)
        else:
            assert outcome.failure is Failure.UNREACHABLE
            assert heard.requests == []


# ---------------------------------------------------------------- the key, the crowd, the end


@pytest.mark.parametrize(
    "raw",
    [
        page({"error": {"message": f"Incorrect API key provided: {KEY}"}}, "401 No"),
        page({"error": {"message": f"bad key {KEY[:12]}***"}}, "400 No"),
        page({"error": {"message": f"bad key ***{KEY[-9:]}"}}, "429 No"),
        page(envelope(f"your key is {KEY}")),
        page(envelope(), headers=[f"X-Request-Id: {KEY}"]),
        page(envelope(), kind=f"text/{KEY}"),
    ],
)
async def test_a_key_that_a_server_repeats_is_not_heard(raw, caplog):
    caplog.set_level(logging.DEBUG)
    async with serving(always(raw)) as heard, asking(heard.url) as client:
        outcome = await ask(client)
        shown = f"{outcome!r} {client!r} {client!s} {caplog.text}"
        assert f"Bearer {KEY}" in heard.requests[0]
    for start in range(len(KEY) - 7):
        assert KEY[start : start + 8].lower() not in shown.lower()


async def test_no_object_of_the_library_holds_the_key():
    async with serving(always(page(envelope()))) as heard, asking(heard.url) as client:
        await ask(client)
        assert client._sdk.api_key != KEY
        assert KEY not in repr(vars(client._sdk))


async def test_one_call_too_many_fails_at_once():
    async with serving(hang) as heard, asking(heard.url, calls_max=1) as client:
        first = asyncio.create_task(ask(client, FOREVER_S))
        await heard.asked.wait()
        crowded = await ask(client, FOREVER_S)
        assert crowded.failure is Failure.CROWDED
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await heard.ended.wait()
        late = await ask(client, DEADLINE_S)
        assert late.failure is Failure.TIMEOUT, "the place is free again"
        assert len(heard.requests) == 2


async def test_a_call_after_a_broken_one_is_a_fresh_start():
    answers = [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        page(envelope()),
    ]

    async def behave(_text, writer):
        writer.write(answers.pop(0))

    async with serving(behave) as heard, asking(heard.url) as client:
        assert (await ask(client, DEADLINE_S)).failure is Failure.TIMEOUT
        assert isinstance(await ask(client), Answer)
        assert heard.connections == 2


async def test_the_models_of_a_server_may_be_many():
    names = [f"maker/model-{number}" for number in range(3_000)]
    async with (
        serving(always(page({"object": "list", "data": [{"id": name} for name in names]}))) as heard,
        asking(heard.url) as client,
    ):
        assert await client.models(5.0) == tuple(names)
        assert heard.requests[0].startswith("GET /v1/models HTTP/1.1\r\n")


async def test_no_list_of_models():
    async with serving(always(page({"data": "none"}))) as heard, asking(heard.url) as client:
        assert (await client.models(5.0)).failure is Failure.PROTOCOL
    async with serving(hang) as heard, asking(heard.url) as client:
        assert (await client.models(DEADLINE_S)).failure is Failure.TIMEOUT


def test_the_library_is_not_loaded_before_somebody_asks():
    check = (
        "import sys, executor.adviser.client, executor.adviser.playback, executor.app.start, executor.app.doctor;"
        "sys.exit(bool({'openai', 'httpx2', 'feedparser'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
