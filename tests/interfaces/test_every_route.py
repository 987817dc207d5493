"""Every route of the interface, by its own description: its example works, its answer is as told, its guard is shut."""

import asyncio
import json
from dataclasses import replace

import aiohttp
import pytest
from control_double import ControlDouble
from doors import TOKEN, Door

from config.secrets import Secret
from executor.adviser.tape import Line
from executor.domain.market import MarketSnapshot
from executor.engine.report import parent_facts
from executor.interfaces.answer_shapes import OPEN, SHAPES, fields_of
from executor.interfaces.api import build_app, serve
from executor.interfaces.guard import OPEN_FOLDER, OPEN_PATHS, GuardLimits
from executor.interfaces.models import BODY_BYTES_MAX
from executor.interfaces.openapi import BODIES, EVENTS, EXAMPLES
from executor.runtime.journal import Journal
from impact.shortfall import as_json, make_report
from tests.builders import instrument
from tests.engine.two_markets import TwoMarkets
from tests.runtime.drives import JournaledRig, wander

NAMES = {"parent_id": "P1", "basket_id": "B1", "route_id": "R1", "decision_id": "P1-1"}
FIRST = ("/v1/parents", "/v1/baskets", "/v1/routes")
LAST = ("pause", "resume", "amend", "cancel", "halt", "rearm", "leave")
KINDS = {
    "string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "number": float | int,
    "null": type(None),
}  # fmt: skip


class WithEngine(ControlDouble):
    """A daemon whose answers are an engine's own."""

    def __init__(self):
        super().__init__()
        self.rig = TwoMarkets()
        self.rig.open_market()
        for number in range(20):
            self.rig.mid += (-1) ** number
            self.rig.tick(1, volume="50")
        self.state = self.rig.engine.state
        market = self.state.markets["linear:BTCUSDT"]
        coin = instrument(symbol="ETHUSDT", base_coin="ETH")
        other = replace(market.snapshot, symbol="ETHUSDT")
        assert isinstance(other, MarketSnapshot)
        self.state.markets["linear:ETHUSDT"] = replace(market, instrument=coin, snapshot=other)
        self.at_ns = self.rig.now_ns

    async def ask(self, event):
        self.rig.send(event)
        self.rig.settle()
        return self.rig.last_reply()

    def report(self, parent_id):
        parent = self.state.parents.get(parent_id)
        return None if parent is None else as_json(make_report(parent_facts(self.state, parent)))


def operations():
    app = build_app(ControlDouble(), Secret("x" * 43))
    (told,) = [
        one.handler.args[0]
        for one in app.router.routes()
        if one.resource.canonical == "/openapi.json" and one.method == "GET"
    ]
    return [
        (method.upper(), path, operation)
        for path, methods in told["paths"].items()
        for method, operation in methods.items()
    ]


EVERY = operations()


def place(path):
    for name, value in NAMES.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def turn(operation):
    """Orders are given before they are asked about, and ended at the end."""
    method, path, _ = operation
    word = path.rpartition("/")[2]
    if method == "POST" and path in FIRST:
        return FIRST.index(path)
    return len(FIRST) + (1 + LAST.index(word) if method == "POST" and word in LAST else 0)


async def test_every_example_works_and_every_answer_is_as_told(tmp_path):
    control = WithEngine()
    control.called = Line(
        v=1, key="k", parent_id="P1", decision_id="P1-1", asked_ns=control.at_ns, model="m", model_id="m", messages=[],
        template_hash="h", reply=None, refusal="", finish_reason="stop", failure="", detail="", latency_ns=1,
        prompt_tokens=0, completion_tokens=0, cached_tokens=0, tokens_told=False, price="", request_id="",
    )  # fmt: skip
    with Journal.open(tmp_path / "journal.db", create=True, instance="x") as journal:
        wander(JournaledRig(journal), 2, 5)
        journal.commit()
        control.journal = tmp_path / "journal.db"
        async with (
            serve(build_app(control, Secret(TOKEN)), "127.0.0.1", 0) as port,
            aiohttp.ClientSession() as session,
        ):
            door = Door(control, port, session)
            seen = set()
            for method, path, operation in sorted(EVERY, key=turn):
                if path.startswith((EVENTS, OPEN_FOLDER)) and path != "/board/session":
                    continue
                name = f"{method} {path}"
                seen.add(name)
                body = None
                if method == "POST":
                    body = operation["requestBody"]["content"]["application/json"]["example"]
                if path == "/board/session":
                    body = {"code": (await door.post("/v1/board/codes", {}))[1]["code"]}
                headers = door.headers | {
                    one["name"]: "key-1" for one in operation.get("parameters", []) if one["in"] == "header"
                }
                async with session.request(
                    method, f"{door.url}{place(path)}", json=body, headers=headers, allow_redirects=False
                ) as answer:
                    raw = await answer.read()
                    assert str(answer.status) in operation["responses"], (name, raw)
                    assert answer.status in (200, 201, 302), (name, raw)
                    kind = next(iter(operation["responses"]["200"]["content"]))
                    assert kind in ("*/*", answer.content_type), name
                if name in SHAPES:
                    as_told(name, json.loads(raw), operation)
    assert set(SHAPES) <= seen


def as_told(name, answer, operation):
    told = fields_of(name)
    assert set(answer) >= set(told), name
    if name not in OPEN:
        assert set(answer) == set(told), name
    (held,) = operation["responses"]["200"]["content"].values()
    for field, form in held["schema"]["properties"].items():
        kinds = form["type"] if isinstance(form["type"], list) else [form["type"]]
        assert isinstance(answer[field], tuple(KINDS[kind] for kind in kinds)), (name, field, answer[field])


def test_every_json_route_has_a_shape_and_every_body_an_example():
    posts = {path for method, path, _ in EVERY if method == "POST"}
    assert set(EXAMPLES) == set(BODIES)
    assert set(BODIES) <= posts
    plain = {"GET /metrics", "GET /openapi.json", "GET /", "GET /board", "GET /docs", "GET /docs/page.css"}
    for method, path, _ in EVERY:
        name = f"{method} {path}"
        assert name in SHAPES or name in plain or path.startswith((EVENTS, OPEN_FOLDER)), name


GUARDED = [(method, path) for method, path, _ in EVERY]
POSTED = [(method, path) for method, path in GUARDED if method == "POST"]


def is_open(path):
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


async def answer_of(door, method, path, headers, body=None):
    async with door.session.request(
        method, f"{door.url}{place(path)}", headers=headers, data=body, allow_redirects=False
    ) as answer:
        return answer.status, await answer.read()


async def test_nobody_gets_in_without_the_token_from_elsewhere_or_under_another_name(door: Door):
    here = f"http://127.0.0.1:{door.port}"
    for method, path in GUARDED:
        body = b"{}" if method == "POST" else None
        kind = {"Content-Type": "application/json"} if method == "POST" else {}
        for headers, status, code in (
            ({"Authorization": f"Bearer {TOKEN}x"}, 401, "AUTH"),
            ({}, 401, "AUTH"),
            (door.headers | {"Host": "evil.example"}, 403, "HOST"),
            (door.headers | {"Origin": "https://evil.example"}, 403, "ORIGIN"),
            (door.headers | {"Origin": here, "X-HTTP-Method-Override": "GET"}, 400, "HTTP"),
        ):
            if status == 401 and is_open(path):
                continue
            got, told = await answer_of(door, method, path, headers | kind, body)
            error = json.loads(told)["error"]
            assert (got, error["code"]) == (status, code), (method, path, headers)
            assert set(error) == {"code", "where", "got", "allowed", "next"}
            assert TOKEN.encode() not in told
    assert not door.control.asked


async def test_what_is_no_json_is_read_by_no_route(door: Door):
    for method, path in POSTED:
        for kind, body, status in (
            ("text/plain", b"{}", 415),
            ("application/x-www-form-urlencoded", b"a=b", 415),
            ("application/json", b"", 400),
            ("application/json", b"[]", 400),
            ("application/json", b"{", 400),
            ("application/json", b'{"a": NaN}', 400),
        ):
            got, told = await answer_of(door, method, path, door.headers | {"Content-Type": kind}, body)
            assert got == status, (path, kind, told)
            assert json.loads(told)["error"]["code"] in {"CONTENT_TYPE", "JSON_STRICT"}
    assert not door.control.asked


async def test_other_methods_and_queries_are_refused(door: Door):
    for _, path in GUARDED:
        if path in {"/v1/board/codes", "/v1/board/leave"}:
            continue  # read as GET they are the names of parent orders
        known = {method for method, other in GUARDED if other == path}
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} - known:
            got, told = await answer_of(door, method, path, door.headers)
            assert (got, json.loads(told)["error"]["code"]) == (405, "METHOD"), (method, path)
        if path.startswith("/v1/"):
            got, told = await answer_of(door, min(known), f"{path}?x=1", door.headers)
            assert (got, json.loads(told)["error"]["code"]) in {(400, "FIELD"), (422, "FIELD")}, path


@pytest.fixture
async def wide(door):
    """The same with room for many at once: bodies that come slowly are waited for together."""
    limits = GuardLimits(body_s_max=0.2, answer_s_max=0.2, requests_max=64)
    async with (
        serve(build_app(door.control, Secret(TOKEN), limits), "127.0.0.1", 0) as port,
        aiohttp.ClientSession() as session,
    ):
        yield Door(door.control, port, session)


async def test_a_slow_body_is_waited_for_by_no_route(wide: Door):
    def head(path):
        return (
            f"POST {place(path)} HTTP/1.1\r\nHost: 127.0.0.1:{wide.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        ).encode()

    answers = await asyncio.gather(*(wide.raw(head(path)) for _, path in POSTED))
    for (_, path), raw in zip(POSTED, answers, strict=True):
        assert raw.startswith(b"HTTP/1.1 408"), (path, raw)
        assert b'"SLOW"' in raw
    assert not wide.control.asked


async def test_a_body_of_five_megabytes_is_read_by_no_route(wide: Door):
    """It is refused while it comes, as soon as it is too long; the rest is never waited for."""
    begun = b" " * 2 * BODY_BYTES_MAX

    def head(path):
        return (
            f"POST {place(path)} HTTP/1.1\r\nHost: 127.0.0.1:{wide.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: application/json\r\nContent-Length: 5000000\r\n\r\n"
        ).encode()

    answers = await asyncio.gather(*(wide.raw(head(path) + begun) for _, path in POSTED))
    for (_, path), raw in zip(POSTED, answers, strict=True):
        assert raw.startswith(b"HTTP/1.1 413"), (path, raw)
        assert b'"SIZE"' in raw
    assert not wide.control.asked
