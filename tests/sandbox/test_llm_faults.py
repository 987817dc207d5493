"""Every way in which the model, its text or its connection goes wrong, looked at with a client that judges nothing."""

import asyncio
import gzip
import io
import json
import zlib
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from sandbox.llm_server import DEFAULT_API_KEY, FormError, LlmOptions, running_llm_server
from sandbox.llm_server.acts import ACTS, BAD_NUMBERS, BROKEN_JSON, POWERS
from sandbox.llm_server.wire_faults import gzip_bomb
from tests.sandbox.llm_talk import ACTIONS, CALM, KEYS, RawLlm, question

LOST = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)


@pytest.fixture
async def server():
    async with running_llm_server(LlmOptions(api_keys=(DEFAULT_API_KEY, "second"))) as running:
        yield running


@pytest.fixture
async def raw(server):
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield RawLlm(session, server)


@pytest.fixture
async def control(server):
    """Calls the control plane over HTTP; gives the status and the body."""
    async with aiohttp.ClientSession(base_url=server.control_url) as session:

        async def call(method, path, data=None):
            async with session.request(method, path, json=data) as response:
                return response.status, await response.json()

        yield call


@pytest.fixture
def put_up(server):
    def call(act, **details):
        return server.fault({"act": act, **details})

    return call


async def until(condition):
    """Let the server work until a condition holds."""
    async with asyncio.timeout(30):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


async def last_fate(server):
    """Wait until the latest request has ended, and return how."""
    await until(lambda: server.requests()[-1]["fate"] != "open")
    return server.requests()[-1]["fate"]


async def assert_silent(awaitable, length_s=0.05):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(length_s):
            await awaitable


# The wire


async def test_silence_before_the_headers(raw, put_up, server):
    put_up("hang_before_headers")
    await assert_silent(raw.completion())
    assert await last_fate(server) == "abandoned"
    assert (await raw.completion())["model"] == "sandbox-trader"


async def test_silence_after_the_headers(raw, put_up, server):
    put_up("hang_after_headers", bytes=9)
    async with raw.open() as response:
        assert response.status == 200
        assert response.content_length > 100
        assert await response.content.readexactly(9) == b'{"id":"ch'
        await assert_silent(response.content.readany())
        response.close()
    assert await last_fate(server) == "abandoned"


@pytest.mark.parametrize("act", ["hang_before_headers", "hang_after_headers"])
async def test_what_is_held_arrives_late_when_the_rules_are_cleared(raw, put_up, control, act):
    put_up(act)
    waiting = asyncio.create_task(raw.reply())
    await until(lambda: raw.server.truth()["faults"])
    assert not waiting.done()
    assert await control("DELETE", "/_fault") == (200, {"cleared": 1})
    assert (await waiting)["decision_id"] == "P1-7"


async def test_a_trickle_of_single_bytes(raw, put_up, server):
    put_up("trickle", interval_ms=1)
    async with raw.open() as response:
        parts = [await response.content.readany() for _ in range(12)]
        assert b"".join(parts).startswith(b'{"id":"chatc')
        assert max(map(len, parts)) < 6
        response.close()
    assert await last_fate(server) == "abandoned"
    assert put_up("trickle").details == {"interval_ms": 1000.0}


async def test_a_valid_reply_that_is_late(raw, put_up, server):
    put_up("delay", delay_ms=60)
    assert (await raw.reply())["decision_id"] == "P1-7"
    assert server.requests()[-1]["latency_ms"] >= 59


@pytest.mark.parametrize(
    ("details", "kind", "code"),
    [
        ({"status": 429, "retry_after": "7"}, "rate_limit_error", "rate_limit_exceeded"),
        ({"status": 429, "code": "insufficient_quota"}, "rate_limit_error", "insufficient_quota"),
        ({}, "server_error", None),
        ({"status": 529}, "overloaded_error", "overloaded"),
        ({"status": 401, "message": "no"}, "authentication_error", None),
    ],
)
async def test_refusals_of_the_server(raw, put_up, server, details, kind, code):
    put_up("status", **details)
    async with raw.open() as response:
        error = (await response.json())["error"]
        assert response.status == details.get("status", 500)
        assert response.headers.get("Retry-After") == details.get("retry_after")
    assert (error["type"], error["code"]) == (kind, code)
    assert error["message"] == details.get("message", error["message"])
    assert server.requests()[-1]["status"] == details.get("status", 500)


async def test_the_page_of_a_proxy_in_between(raw, put_up):
    put_up("body_raw", status=502)
    async with raw.open() as response:
        assert (response.status, response.content_type) == (502, "text/html")
        assert await response.text() == "<html><body>Bad gateway</body></html>"


async def test_a_redirection(raw, put_up):
    put_up("redirect", url="http://127.0.0.1:9/v1")
    async with raw.open() as response:
        assert (response.status, response.headers["Location"]) == (307, "http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("act", "details"), [("reset", {}), ("reset", {"bytes": 40}), ("drop", {}), ("half", {})]
)
async def test_a_connection_that_breaks(raw, put_up, server, act, details):
    put_up(act, **details)
    with pytest.raises(LOST):
        await raw.completion()
    assert await last_fate(server) == "cut"
    assert server.requests()[-1]["status"] is None


async def test_half_an_answer_is_really_half(raw, put_up):
    put_up("half")
    async with raw.open() as response:
        received = await response.content.readany()
        with pytest.raises(LOST):
            await response.content.readany()
        assert abs(2 * len(received) - response.content_length) <= 2


async def test_bytes_that_are_no_text(raw, put_up):
    put_up("corrupt")
    async with raw.open() as response:
        body = await response.read()
    with pytest.raises(UnicodeDecodeError):
        body.decode()


async def test_a_body_of_many_bytes_with_a_true_answer_at_its_end(raw, put_up):
    put_up("big_body", bytes=10_000_000)
    async with raw.open() as response:
        body = await response.read()
    assert len(body) > 10_000_000
    assert json.loads(body)["model"] == "sandbox-trader"


@pytest.mark.parametrize("act", ["deep_body", "deep_content"])
async def test_a_million_brackets(raw, put_up, act):
    put_up(act)
    async with raw.open() as response:
        body = (await response.read()).decode()
    text = body if act == "deep_body" else json.loads(body)["choices"][0]["message"]["content"]
    assert text == "[" * 10**6 + "]" * 10**6


async def test_a_body_that_never_ends(raw, put_up, server):
    put_up("endless")
    async with raw.open() as response:
        assert "Content-Length" not in response.headers
        body = await response.content.readexactly(3_000_000)
        response.close()
    assert body.startswith(b'{"id":"chatcmpl-0"')
    assert body.endswith(b"AAAA")
    assert await last_fate(server) == "abandoned"
    assert (await raw.completion())["model"] == "sandbox-trader"


async def test_a_small_body_that_unpacks_to_hundreds_of_millions(raw, put_up):
    assert put_up("gzip_bomb", match={"decision_id": "nobody's"}).details == {"bytes": 300_000_000}
    put_up("gzip_bomb", bytes=60_000_000)
    async with raw.open() as response:
        assert response.headers["Content-Encoding"] == "gzip"
        packed = await response.read()
    assert len(packed) < 100_000
    unpacker = zlib.decompressobj(wbits=31)
    length, tail = 0, b""
    while packed and not unpacker.eof:
        tail = unpacker.decompress(packed, 1 << 22)
        packed = unpacker.unconsumed_tail
        length += len(tail)
    assert unpacker.eof
    assert length > 60_000_000
    assert json.loads(tail)["model"] == "sandbox-trader"


@pytest.mark.parametrize("blanks", [0, 1, 1 << 20, (1 << 20) + 7, 3 << 20])
def test_the_bomb_is_a_faultless_file(blanks):
    assert gzip.decompress(gzip_bomb(b"{}", blanks)) == b" " * blanks + b"{}"


# The text


@pytest.mark.parametrize("kind", BROKEN_JSON)
async def test_text_that_is_not_one_json_object(raw, put_up, kind):
    true = await raw.content()
    put_up("not_json", kind=kind)
    text = await raw.content()
    assert text != true
    if kind == "array":
        assert isinstance(json.loads(text), list)
    elif kind == "surrogate":
        with pytest.raises(UnicodeEncodeError):
            text.encode()
    else:
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)


@pytest.mark.parametrize(
    ("act", "details", "made"),
    [
        ("fences", {}, lambda text: f"```json\n{text}\n```"),
        ("two_objects", {}, lambda text: text + text),
        ("leading_text", {"text": "So: "}, lambda text: f"So: {text}"),
        ("trailing_text", {}, lambda text: f"{text}\nGood luck!"),
        ("duplicate_key", {}, lambda text: text[:-1] + ',"action":"CANCEL"}'),
        ("empty", {}, lambda text: ""),
        ("null", {}, lambda text: None),
        ("content_raw", {"content": '{"a":1}'}, lambda text: '{"a":1}'),
        ("big_content", {"bytes": 20_000}, lambda text: " " * 20_000 + text),
    ],
)
async def test_text_with_something_around_it_or_nothing_in_it(raw, put_up, act, details, made):
    true = await raw.content()
    put_up(act, **details)
    choice = (await raw.completion())["choices"][0]
    assert choice["message"]["content"] == made(true)
    assert choice["finish_reason"] == "stop"
    assert await raw.content() == true


async def test_text_cut_in_the_middle(raw, put_up):
    true = await raw.content()
    put_up("truncated")
    choice = (await raw.completion())["choices"][0]
    assert choice["finish_reason"] == "length"
    assert true.startswith(choice["message"]["content"])
    assert len(choice["message"]["content"]) == len(true) // 2


async def test_a_model_that_says_no(raw, put_up):
    put_up("refusal", text="No.")
    message = (await raw.completion())["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "No.")


# The reply


@pytest.mark.parametrize("name", BAD_NUMBERS)
async def test_numbers_that_are_none(raw, put_up, name):
    put_up("number", number=name)
    assert f'"quantity":{BAD_NUMBERS[name]},' in await raw.content()


async def test_bad_numbers_are_as_various_as_they_should_be(raw, put_up):
    put_up("number", number="infinity", key="confidence")
    assert (await raw.reply())["confidence"] == float("inf")
    put_up("number", number="arabic")
    value = (await raw.reply())["quantity"]
    assert not value.isascii()
    assert int(value) == 12
    put_up("number", number="array")
    assert (await raw.reply())["quantity"] == ["1"]


async def test_sizes_and_prices_off_by_a_factor(raw, put_up):
    large = question(impact={"estimate_bps": "20"})
    assert (await raw.reply(large))["quantity"] == "0.05"
    put_up("scale")
    assert (await raw.reply(large))["quantity"] == "0.5"
    put_up("scale", factor=100)
    assert (await raw.reply())["quantity"] == "10"
    put_up("quote_for_base")
    assert (await raw.reply())["quantity"] == "6500"
    for factor, px in ((10, "649950"), (0.1, "6499.5")):
        put_up("price_off", factor=factor)
        reply = await raw.reply()
        assert (reply["order_type"], reply["limit_price"]) == ("LIMIT", px)
    put_up("scale", key="limit_price", factor=10)
    assert (await raw.reply())["limit_price"] == "649950"


@pytest.mark.parametrize("power", POWERS)
async def test_requests_for_powers_that_no_reply_has(raw, put_up, power):
    put_up("powers", power=power)
    reply = await raw.reply(question(parent={"side": "SELL"}))
    (extra,) = set(reply) - set(KEYS)
    assert extra == power
    if power == "side":
        assert reply["side"] == "BUY"


async def test_ids_of_other_questions(raw, put_up):
    def ids(reply):
        return reply["decision_id"], reply["snapshot_hash"]

    put_up("swap_id", to="previous")
    assert ids(await raw.reply())[0] == "P1-6"
    put_up("swap_id", to="parent")
    assert ids(await raw.reply())[0] == "other-P1-7"
    await raw.reply(question(decision_id="P2-3", snapshot_hash="2222222222222222"))
    asked = question(decision_id="P1-8", snapshot_hash="8888888888888888")
    put_up("swap_id", to="previous")
    assert ids(await raw.reply(asked)) == ("P1-7", CALM["snapshot_hash"])
    put_up("swap_id", to="parent")
    assert ids(await raw.reply(asked)) == ("P2-3", "2222222222222222")
    put_up("swap_id", to="decision")
    assert ids(await raw.reply(asked)) == ("P1-9", "8888888888888888")
    put_up("swap_id", to="snapshot")
    decision_id, other = ids(await raw.reply(asked))
    assert decision_id == "P1-8"
    assert other != "8888888888888888"
    assert len(other) == 16


async def test_a_reply_edited_at_will(raw, put_up):
    put_up("edit", set={"reasoning": "<b>x</b>", "more": [1, None]}, remove=["rate"])
    reply = await raw.reply()
    assert (reply["reasoning"], reply["more"]) == ("<b>x</b>", [1, None])
    assert "rate" not in reply


# The mind


async def test_a_mind_that_swings_to_and_fro(raw, put_up):
    put_up("oscillate")
    assert [(await raw.reply())["action"] for _ in range(4)] == ["AGGRESSIVE", "CANCEL"] * 2


async def test_a_mind_of_one_idea(raw, put_up):
    put_up("always")
    late = question(progress={"elapsed_pct": "99"})
    replies = [await raw.reply(asked) for asked in (CALM, late)]
    assert [(reply["action"], reply["wait_seconds"]) for reply in replies] == [("WAIT", "60")] * 2
    raw.server.heal()
    put_up("always", action="SWITCH_STRATEGY", times=1)
    assert (await raw.reply())["strategy"] == "POV"
    assert (await raw.reply())["action"] == "PASSIVE"


async def test_other_answers_to_the_same_question(raw, put_up):
    put_up("restless")
    replies = [await raw.reply() for _ in range(20)]
    assert len({reply["action"] for reply in replies}) > 2
    assert len({json.dumps(reply) for reply in replies}) > 15
    assert {(reply["decision_id"], reply["snapshot_hash"]) for reply in replies} == {
        ("P1-7", CALM["snapshot_hash"])
    }


# The envelope


async def test_another_model_behind_the_name(raw, put_up):
    put_up("other_model")
    assert (await raw.completion())["model"] == "sandbox-cheaper"


async def test_usage_that_is_missing_or_lies_while_the_truth_is_kept(raw, put_up, server):
    honest = (await raw.completion())["usage"]
    seen = {}
    for kind in ("missing", "zero", "huge", "negative", "text"):
        put_up("usage", kind=kind)
        seen[kind] = (await raw.completion()).get("usage")
        assert server.requests()[-1]["usage"]["prompt_tokens"] == honest["prompt_tokens"]
    assert seen["missing"] is None
    assert seen["zero"]["total_tokens"] == 0
    assert seen["huge"]["prompt_tokens"] == 10**12
    assert seen["negative"]["completion_tokens"] == -1
    assert seen["text"]["prompt_tokens"] == str(honest["prompt_tokens"])
    assert server.truth()["tokens"]["prompt"] == 6 * honest["prompt_tokens"]


async def test_other_endings_and_other_numbers_of_choices(raw, put_up):
    put_up("finish")
    assert (await raw.completion())["choices"][0]["finish_reason"] == "content_filter"
    put_up("choices")
    assert (await raw.completion())["choices"] == []
    put_up("choices", count=2)
    assert [choice["index"] for choice in (await raw.completion())["choices"]] == [0, 1]


# The rules


async def test_faults_of_different_layers_meet_in_one_answer(raw, put_up, server):
    for act, details in (
        ("always", {"action": "CANCEL"}),
        ("powers", {"power": "mode"}),
        ("fences", {}),
        ("other_model", {}),
        ("body_raw", {"body": "x"}),
        ("delay", {"delay_ms": 1}),
    ):
        put_up(act, **details)
    async with raw.open() as response:
        assert await response.text() == "x"
    entry = server.requests()[-1]
    assert [name.partition(":")[2] for name in entry["faults"]] == [
        *("always", "powers", "fences", "other_model", "body_raw")
    ]
    assert entry["content"].startswith('```json\n{"decision_id":"P1-7","snapshot_hash"')
    assert '"mode":"live"' in entry["content"]
    assert (entry["action"], entry["fate"]) == ("CANCEL", "answered")


async def test_a_rule_strikes_those_whom_it_names_and_as_often_as_it_says(raw, put_up):
    put_up("status", match={"model": "sandbox-r*"}, times=2)
    put_up("status", match={"decision_id": "P9-*"})
    put_up("status", status=502, match={"nth": 3, "decision_id": "P8-1"}, times=None)

    async def statuses(asked, count, **fields):
        found = []
        for _ in range(count):
            async with raw.open(asked, **fields) as response:
                found.append(response.status)
        return found

    assert await statuses(CALM, 2) == [200, 200]
    assert await statuses(CALM, 3, model="sandbox-reasoner") == [500, 500, 200]
    assert await statuses(question(decision_id="P9-4"), 2) == [500, 200]
    assert await statuses(question(decision_id="P8-1"), 4) == [200, 200, 502, 200]


async def test_chance_is_seeded(server, raw, put_up):
    async def storm():
        found = []
        for _ in range(30):
            async with raw.open() as response:
                found.append(response.status)
        return found

    put_up("status", match={"p": 0.5}, times=None)
    first = await storm()
    assert Counter(first).keys() == {200, 500}
    async with running_llm_server() as twin, aiohttp.ClientSession() as session:
        raw = RawLlm(session, twin)
        twin.fault({"act": "status", "match": {"p": 0.5}, "times": None})
        assert await storm() == first


async def test_a_rule_leaves_the_list_of_models_alone_unless_told(raw, put_up, server):
    async def listed():
        place = f"{server.base_url}/models"
        async with aiohttp.ClientSession(headers=raw.headers) as session, session.get(place) as response:
            return response.status

    put_up("status", times=None)
    assert await listed() == 200
    put_up("status", times=None, status=503, match={"path": "*"})
    assert await listed() == 503


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({}, "act must be one of"),
        ({"act": "nothing"}, "act must be one of"),
        ({"act": ["hang"]}, "act must be one of"),
        ({"act": "delay"}, "delay_ms must be given"),
        ({"act": "delay", "delay_ms": -1}, "delay_ms must be 0 to"),
        ({"act": "delay", "delay_ms": "soon"}, "delay_ms must be a number"),
        ({"act": "delay", "delay_ms": float("nan")}, "delay_ms must be a number"),
        ({"act": "delay", "delay_ms": True}, "delay_ms must be a number"),
        ({"act": "delay", "delay_ms": 1, "status": 500}, "status not known in delay"),
        ({"act": "empty", "match": {"symbol": "x"}}, "symbol not known in match"),
        ({"act": "empty", "match": "x"}, "match must be an object"),
        ({"act": "empty", "match": {"p": 1.5}}, "p must be 0 to 1"),
        ({"act": "empty", "times": 0}, "times must be 1 to"),
        ({"act": "status", "status": 500.5}, "status must be a whole number"),
        ({"act": "number", "number": "odd"}, "number must be given: one of nan"),
        ({"act": "number", "number": 1}, "number must be of type str"),
        ({"act": "edit", "set": []}, "set must be of type dict"),
    ],
)
async def test_a_rule_that_could_never_do_what_it_says_is_refused(server, control, rule, text):
    with pytest.raises(FormError, match=text):
        server.fault(rule)
    status, body = await control("POST", "/_fault", rule)
    assert status == 400
    assert text in body["error"]
    assert await control("GET", "/_fault") == (200, {"faults": []})


async def test_the_control_plane_lists_counts_and_forgets(raw, control):
    status, first = await control("POST", "/_fault", {"act": "fences"})
    assert (status, first["act"], first["times"], first["fired"]) == (200, "fences", 1, 0)
    _, second = await control("POST", "/_fault", {"act": "always"})
    assert second["times"] is None
    await raw.completion()
    assert [rule["fired"] for rule in (await control("GET", "/_fault"))[1]["faults"]] == [1, 1]
    assert await control("DELETE", f"/_fault?id={first['id']}") == (200, {"cleared": 1})
    assert [rule["id"] for rule in (await control("GET", "/_fault"))[1]["faults"]] == [second["id"]]
    assert (await control("DELETE", "/_fault?id=x"))[0] == 400
    await raw.completion(model="sandbox-trader-mini")
    _, log = await control("GET", "/_log")
    assert [entry["n"] for entry in log["requests"]] == [1, 2]
    seen = log["requests"][0]
    assert json.loads(seen["raw"])["model"] == seen["model"] == "sandbox-trader"
    assert seen["headers"]["authorization"] == "Bearer ***"
    assert DEFAULT_API_KEY not in json.dumps(log)
    assert (seen["decision_id"], seen["status"], seen["action"]) == ("P1-7", 200, "WAIT")
    _, later = await control("GET", "/_log?since=1&path=/v1/chat/completions")
    assert [entry["n"] for entry in later["requests"]] == [2]
    assert (await control("GET", "/_log?since=x"))[0] == 400
    assert await control("DELETE", "/_log") == (200, {"cleared": 2})
    assert await control("GET", "/_log") == (200, {"requests": []})
    _, truth = await control("GET", "/_truth")
    assert (truth["requests"], truth["open"], truth["open_max"]) == (2, 0, 1)
    assert truth["models"] == {"sandbox-trader": 1, "sandbox-trader-mini": 1}
    assert truth["actions"] == {"WAIT": 2}
    assert truth["faults"] == {"fences": 1, "always": 2}
    assert (truth["statuses"], truth["fates"]) == ({"200": 2}, {"answered": 2})
    assert set(truth["actions"]) <= set(ACTIONS)


async def test_latency_can_be_set_while_the_server_runs(raw, control, server):
    assert await control("POST", "/_latency", {"median_ms": 30}) == (200, {"median_ms": 30.0, "sigma": 0.0})
    await raw.completion()
    assert server.requests()[-1]["latency_ms"] >= 29
    for wrong in ({"median_ms": -1}, {"sigma": 9}, {"mean": 1}, {"median_ms": "x"}):
        assert (await control("POST", "/_latency", wrong))[0] == 400
    assert (await control("GET", "/_latency"))[1]["median_ms"] == 30.0


@pytest.mark.parametrize(
    ("method", "path", "key", "status", "code"),
    [
        ("GET", "/v1/chat/completions", DEFAULT_API_KEY, 405, None),
        ("POST", "/v1/models", "second", 405, None),
        ("GET", "/v1/embeddings", DEFAULT_API_KEY, 404, "unknown_url"),
        ("GET", "/v1/models", "", 401, None),
        ("GET", "/v1/models", "third", 401, "invalid_api_key"),
    ],
)
async def test_other_paths_methods_and_keys(server, method, path, key, status, code):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    place = server.base_url.removesuffix("/v1") + path
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, place, headers=headers) as response,
    ):
        assert response.status == status
        assert (await response.json())["error"]["code"] == code


async def test_a_request_that_is_too_large(raw, server):
    place = f"{server.base_url}/chat/completions"
    blanks = io.BytesIO(b" " * (5 << 20))
    async with (
        aiohttp.ClientSession(headers=raw.headers) as session,
        session.post(place, data=blanks) as response,
    ):
        assert response.status == 413


def test_every_act_is_looked_at_here():
    text = Path(__file__).read_text()
    assert [act for act in ACTS if f'"{act}"' not in text] == []
