"""H1 to H4, H13, H14, H17: what every request must pass before a route sees it."""

import asyncio
import logging
from decimal import Decimal

import pytest
from control_double import add_parent
from doors import TOKEN, Door

from config.problems import ConfigProblems
from config.secrets import Secret
from executor.interfaces.api import build_app, serve

BODY = {"symbol": "BTCUSDT", "side": "buy", "qty": "1.5", "residual": "leave", "duration": "30m"}
KEY = {"Idempotency-Key": "intent-1"}


def error_of(answer: dict) -> dict:
    error = answer["error"]
    assert set(error) == {"code", "where", "got", "allowed", "next"}
    assert all(error.values())
    return error


def request(door: Door, *lines: str, start: str = "POST /v1/halt HTTP/1.1", body: str = "{}") -> bytes:
    head = [start, *lines, "Connection: close", f"Content-Length: {len(body)}"]
    if not any(line.startswith("Host") for line in lines):
        head.insert(1, f"Host: 127.0.0.1:{door.port}")
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


AUTH = f"Authorization: Bearer {TOKEN}"
JSON = "Content-Type: application/json"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"bearer {TOKEN}",
        f"Basic {TOKEN}",
        "Bearer é",
    ],
)
@pytest.mark.parametrize("path", ["/v1/status", "/v1/parents", "/ready", "/nowhere"])
async def test_h1_without_the_token_nothing_is_told(door: Door, header: str, path: str):
    headers = {"Authorization": header} if header else {}
    async with door.session.get(f"{door.url}{path}", headers=headers) as answer:
        assert answer.status == 401
        assert error_of(await answer.json())["code"] == "AUTH"
        assert TOKEN not in await answer.text()


async def test_h1_two_tokens_are_none(door: Door):
    raw = await door.raw(request(door, AUTH, AUTH, JSON))
    assert raw.startswith((b"HTTP/1.1 401", b"HTTP/1.1 400"))
    assert not door.control.asked


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:80", ""]
)
async def test_h2_another_host_name_is_refused(door: Door, host: str):
    raw = await door.raw(request(door, f"Host: {host}", AUTH, JSON))
    assert raw.startswith(b"HTTP/1.1 403")
    assert b'"HOST"' in raw
    assert not door.control.asked


@pytest.mark.parametrize("host", ["LOCALHOST", "127.0.0.1", "[::1]"])
async def test_h2_our_own_names_are_fine(door: Door, host: str):
    raw = await door.raw(
        request(door, f"Host: {host}:{door.port}", AUTH, JSON, start="GET /v1/status HTTP/1.1")
    )
    assert raw.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:8720", "null"])
async def test_h2_web_pages_are_refused(door: Door, origin: str):
    status, answer = await door.get("/v1/status", Origin=origin)
    assert (status, error_of(answer)["code"]) == (403, "ORIGIN")


async def test_h2_there_is_no_cors(door: Door):
    async with door.session.options(f"{door.url}/v1/parents", headers=door.headers) as answer:
        assert answer.status == 405
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=latin-1", "text/json"],
)
async def test_h3_only_json_in_utf8(door: Door, kind: str):
    raw = await door.raw(request(door, AUTH, f"Content-Type: {kind}", body='{"reason": "x"}'))
    assert raw.startswith(b"HTTP/1.1 415")
    assert not door.control.asked


async def test_h3_no_compressed_bodies(door: Door):
    raw = await door.raw(request(door, AUTH, JSON, "Content-Encoding: gzip"))
    assert raw.startswith((b"HTTP/1.1 415", b"HTTP/1.1 400"))
    assert not door.control.asked


async def test_h3_empty_and_large_bodies(door: Door):
    raw = await door.raw(request(door, AUTH, JSON, body=""))
    assert raw.startswith(b"HTTP/1.1 400")
    status, answer = await door.post("/v1/halt", {"reason": "x" * 70_000})
    assert (status, error_of(answer)["code"]) == (413, "SIZE")
    assert not door.control.asked


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"reason": "a", "reason": "b"}', "character 16"),
        ('{"reason": NaN}', "character 11"),
        ('{"reason": -Infinity}', "character 11"),
        ('{"reason": "a"} // no', "character 16"),
        ('{"reason": "a"}{}', "character 15"),
        ('/* c */ {"reason": "a"}', "character 0"),
        ("\ufeff{}", "character 0"),
        ('["reason"]', "character 0"),
        ('"reason"', "character 0"),
        ("{'reason': 'a'}", "character 1"),
        ('{"reason": "\\ud800"}', "body"),
        ('{"reason": ' + "[" * 50_000 + "]" * 1_000 + "}", "body"),
        ('{"reason": ' + "9" * 5_000 + "}", "body"),
        ('{"reason": [[[[[[[[[[1]]]]]]]]]]}', "body"),
    ],
)
async def test_h4_json_is_read_strictly(door: Door, text: str, place: str):
    headers = door.headers | {"Content-Type": "application/json"}
    async with door.session.post(f"{door.url}/v1/halt", data=text.encode(), headers=headers) as answer:
        assert answer.status == 400
        error = error_of(await answer.json())
    assert (error["code"], place in error["where"]) == ("JSON_STRICT", True), error
    assert not door.control.asked


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/halt", 405),
        ("GET", "/v1/parents/tst-1/cancel", 405),
        ("PUT", "/v1/parents", 405),
        ("DELETE", "/v1/parents/tst-1", 405),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/parents/", 404),
        ("GET", "/v1/parents/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/v1/parents/%00", 404),
        ("GET", "/v1/parents/a b", 404),
        ("GET", "/v1/parents/" + "x" * 2_000, 404),
        ("GET", "/v1/status?verbose=1", 400),
    ],
)
async def test_h13_routes_and_methods(door: Door, method: str, path: str, status: int):
    add_parent(door.control.state)
    async with door.session.request(method, f"{door.url}{path}", headers=door.headers) as answer:
        assert answer.status == status
        error_of(await answer.json())
        if status == 405:
            assert answer.headers["Allow"]
    assert not door.control.asked


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-Method-Override", "Upgrade"])
async def test_h13_tricks_with_headers(door: Door, name: str):
    status, answer = await door.get("/v1/status", **{name: "DELETE"})
    assert (status, error_of(answer)["code"]) == (400, "HTTP")


async def test_h14_http_1_0_is_refused(door: Door):
    raw = await door.raw(request(door, AUTH, start="GET /v1/status HTTP/1.0"))
    assert b" 400 " in raw.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "head",
    [
        "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Large: " + "x" * 20_000 + "\r\n\r\n",
        "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        + "".join(f"X-{n}: 1\r\n" for n in range(500))
        + "\r\n",
        "GET " + "/x" * 9_000 + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "NONSENSE\r\n\r\n",
    ],
)
async def test_h14_huge_or_broken_heads(door: Door, head: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.CRITICAL, "aiohttp.server"):
        raw = await door.raw(head.encode())
    assert raw.split(b" ")[1] in (b"400", b"431")
    assert await door.get("/ready") == (200, {"ready": True, "why_not": []})


@pytest.mark.parametrize(
    "chunks", ["zz\r\n{}\r\n0\r\n\r\n", "-1\r\n{}\r\n0\r\n\r\n", "2\r\n{}XX\r\n0\r\n\r\n"]
)
async def test_h14_broken_chunks(door: Door, chunks: str, caplog: pytest.LogCaptureFixture):
    head = (
        f"POST /v1/halt HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\n{AUTH}\r\n{JSON}\r\nConnection: close\r\n"
    )
    with caplog.at_level(logging.CRITICAL):
        raw = await door.raw(f"{head}Transfer-Encoding: chunked\r\n\r\n{chunks}".encode())
    assert raw.split(b" ")[1] in (b"400", b"408")
    assert not door.control.asked


async def test_h14_length_and_chunks_together_are_refused(door: Door, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.CRITICAL):
        raw = await door.raw(request(door, AUTH, JSON, "Transfer-Encoding: chunked", body="0\r\n\r\n"))
    assert raw.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert not door.control.asked


async def test_h14_a_slow_body_is_not_waited_for(door: Door):
    head = f"POST /v1/halt HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\n{AUTH}\r\n{JSON}\r\nContent-Length: 50\r\n\r\n"
    raw = await asyncio.wait_for(door.raw(f"{head}{{".encode()), 5)
    assert raw.startswith(b"HTTP/1.1 408")
    assert b'"SLOW"' in raw


async def test_h14_too_many_at_once(door: Door):
    door.control.replies.extend([None] * 8)
    slow = [asyncio.create_task(door.post("/v1/halt", {"reason": "x"})) for _ in range(8)]
    await asyncio.wait_for(door.control.all_asked(8), 5)
    status, answer = await door.get("/v1/status")
    assert (status, error_of(answer)["code"]) == (429, "BUSY")
    async with door.session.get(f"{door.url}/health") as health:
        assert health.status == 200
    assert {status for status, _ in await asyncio.gather(*slow)} == {504}
    assert (await door.get("/v1/status"))[0] == 200


async def test_a_full_inbox_and_a_silent_engine(door: Door):
    door.control.busy = True
    async with door.session.post(f"{door.url}/v1/halt", json={"reason": "x"}, headers=door.headers) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    door.control.busy = False
    door.control.replies.append(None)
    status, told = await door.post("/v1/halt", {"reason": "x"})
    assert (status, error_of(told)["code"]) == (504, "TIMEOUT")
    assert "not known" in error_of(told)["allowed"]


async def test_h17_an_internal_error_tells_an_id_and_logs_the_rest(
    door: Door, caplog: pytest.LogCaptureFixture
):
    door.control.replies.append(RuntimeError("the-inner-detail"))
    with caplog.at_level(logging.ERROR, "executor.api"):
        status, answer = await door.post("/v1/halt", {"reason": "x"})
    error = error_of(answer)
    assert (status, error["code"]) == (500, "INTERNAL")
    opaque_id = error["got"].removeprefix("failure ")
    assert len(opaque_id) == 16
    assert opaque_id in caplog.text
    assert "the-inner-detail" in caplog.text
    assert "the-inner-detail" not in str(answer)
    assert TOKEN not in caplog.text


async def test_c13_a_port_in_use_is_a_configuration_error(door: Door):
    app = build_app(door.control, Secret(TOKEN))
    with pytest.raises(ConfigProblems, match="API_BIND"):
        async with serve(app, "127.0.0.1", door.port):
            pass


async def test_a_report_is_plain_json(door: Door):
    add_parent(door.control.state)
    door.control.reports["tst-1"] = {"a": Decimal("1E+2"), "b": ({"c": Decimal("0.10")}, None, 5)}
    assert (await door.get("/v1/parents/tst-1/report"))[1] == {"a": "100", "b": [{"c": "0.10"}, None, 5]}
