"""The board's routes over real sockets: who gets in, what is shown, and that looking changes nothing."""

import asyncio
import json
from decimal import Decimal

import aiohttp
import pytest
from control_double import START_NS, ControlDouble, add_market, add_parent
from doors import TOKEN, Door

from config.secrets import Secret
from executor.advice.calls import Failed, Question
from executor.advice.context import Level, MarketContext
from executor.advice.prompt import Message
from executor.adviser.tape import TapeError, line_of
from executor.domain.advice import Failure
from executor.domain.commands import AlertCode, RaiseAlert, Severity
from executor.domain.events import HaltRequested, PauseRequested
from executor.domain.limits import Tightened
from executor.domain.parent_state import ParentStatus
from executor.domain.units import Price, Quantity
from executor.engine.state import BasketState
from executor.interfaces import board_doors
from executor.interfaces.api import build_app, serve
from executor.interfaces.board_doors import FILES, FOLDER, VIEWERS_MAX
from executor.interfaces.board_views import overview
from executor.interfaces.route_views import why_leg_waits
from tests.engine.test_routes import open_rig, run
from tests.engine.two_markets import routed


async def session_token(door: Door, *, read_only: bool = False) -> str:
    status, told = await door.post("/v1/board/codes", {"read_only": read_only})
    assert status == 201
    async with door.session.post(f"{door.url}/board/session", json={"code": told["code"]}) as answer:
        assert answer.status == 200
        return (await answer.json())["token"]


async def as_session(door: Door, token: str, method: str, path: str, body: object = None):
    headers = {"Authorization": f"Bearer {token}"}
    async with door.session.request(method, f"{door.url}{path}", json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_the_page_and_its_files_need_no_token_and_carry_a_strict_policy(door: Door):
    for path in ("/board", *(f"/board/{name}" for name in FILES)):
        async with door.session.get(f"{door.url}{path}") as answer:
            assert answer.status == 200
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert await answer.read()
    async with door.session.get(f"{door.url}/", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/board")


def test_every_file_is_known_and_nothing_of_the_page_is_inline():
    assert {path.name for path in FOLDER.iterdir()} == {*FILES, "board.html"}
    page = (FOLDER / "board.html").read_text()
    assert "<style" not in page
    assert " style=" not in page
    assert "onclick" not in page
    for name in FILES:
        if name.endswith(".js"):
            script = (FOLDER / name).read_text()
            for word in (
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
            ):
                assert word not in script, f"{name}: text from outside is never HTML"


@pytest.mark.parametrize(
    "path", ["/board/../api.py", "/board/board.html", "/board/%2e%2e/api.py", "/board/x.js"]
)
async def test_no_other_file_is_given(door: Door, path: str):
    raw = await door.raw(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nConnection: close\r\n\r\n".encode()
    )
    assert not raw.startswith(b"HTTP/1.1 200")


async def test_a_code_lets_one_browser_in_once(door: Door):
    _, told = await door.post("/v1/board/codes", {})
    for status in (200, 401):
        async with door.session.post(f"{door.url}/board/session", json={"code": told["code"]}) as answer:
            assert answer.status == status


@pytest.mark.parametrize("code", ["", "x", 7, None, "<script>", "a" * 101])
async def test_a_wrong_code_is_refused_and_says_how_to_get_one(door: Door, code: object):
    async with door.session.post(f"{door.url}/board/session", json={"code": code}) as answer:
        assert answer.status in {401, 422}
        assert "executor board" in await answer.text()


async def test_codes_are_for_those_with_a_token(door: Door):
    async with door.session.post(f"{door.url}/v1/board/codes", json={}) as answer:
        assert answer.status == 401


async def test_the_picture_shows_orders_markets_limits_and_alarms(door: Door):
    state = door.control.state
    add_market(state)
    add_parent(state)
    door.control.alarmed.take(
        RaiseAlert(severity=Severity.CRITICAL, code=AlertCode.HALT, parent_id="", detail="<b>x</b>"), START_NS
    )
    state.tightened["orders_per_min_max"] = Tightened(
        limit="orders_per_min_max",
        value=Decimal(5),
        before=Decimal(9),
        operator="ann",
        reason="<i>calm</i>",
        at_ns=START_NS,
    )
    token = await session_token(door)
    status, told = await as_session(door, token, "GET", "/v1/board")
    assert status == 200
    assert told["access"] == "operate"
    (parent,) = told["parents"]
    assert (parent["id"], parent["done"], parent["side"]) == ("tst-1", 0.4, "buy")
    assert told["markets"][0]["bid"] == 100.9
    assert told["alarms"][0]["code"] == "HALT"
    assert told["alarms"][0]["do"]
    assert {"orders_per_min_max", "day_notional_max"} <= {limit["limit"] for limit in told["limits"]}
    tightened = {limit["limit"]: limit["tightened_by"] for limit in told["limits"] if limit["tightened_by"]}
    assert tightened == {"orders_per_min_max": "ann: <i>calm</i>"}


async def test_what_belongs_together_is_shown_as_a_whole(door: Door):
    state = door.control.state
    first, second = add_parent(state, "P1"), add_parent(state, "P2")
    state.baskets["B1"] = BasketState(
        basket_id="B1",
        name="pair",
        idempotency_key="k",
        body_sha256="x",
        created_ns=START_NS,
        parents=("P1", "P2"),
        net_notional_max=Decimal(500),
    )
    first.basket_id = second.basket_id = "B1"
    second.status = ParentStatus.COMPLETE
    state.open_parents.remove("P2")
    first.waiting = ("ON_SCHEDULE",)
    _, seen = await door.get("/v1/board")
    (basket,) = seen["baskets"]
    assert (basket["id"], basket["name"], basket["parents"]) == ("B1", "pair", ["P1", "P2"])
    assert (basket["ended"], basket["final"], basket["net_notional_max"]) == (1, False, "500")
    assert [(one["id"], one["basket"], one["route"]) for one in seen["parents"]] == [
        ("P1", "B1", ""),
        ("P2", "B1", ""),
    ]
    assert seen["parents"][0]["why"] == "on schedule, waits for the next slice (ON_SCHEDULE)"
    assert seen["routes"] == []
    _, one = await door.get("/v1/board/P1")
    assert one["why"] == seen["parents"][0]["why"]


def test_an_order_over_several_markets_is_shown_with_what_each_of_them_does():
    rig = open_rig()
    rig.send(routed())
    run(rig, 30)
    control = ControlDouble()
    control.state = rig.engine.state
    seen = overview(control, "read")
    (route,) = seen["routes"]
    (name,) = rig.engine.state.routes
    held = rig.engine.state.routes[name]
    assert (route["id"], route["status"], route["final"]) == (name, held.status.value, held.is_final)
    assert Decimal(route["filled"]) == sum(Decimal(leg["filled"]) for leg in route["legs"]) > 0
    assert [leg["market"] for leg in route["legs"]] == [leg.market_key for leg in held.legs]
    legs = {one["id"] for one in seen["parents"] if one["route"] == name}
    assert legs == {parent for leg in route["legs"] for parent in leg["parents"]}


def test_a_routed_order_that_is_paused_says_so_and_not_what_was_once_in_its_way():
    rig = open_rig()
    rig.send(routed())
    run(rig, 30)
    (held,) = rig.engine.state.routes.values()
    held.legs[0].why_nothing, held.legs[1].why_nothing = "PRIVATE_STREAM_DOWN", "ENDED_ALL_FILLED"
    control = ControlDouble()
    control.state = rig.engine.state
    assert why_leg_waits(held, held.legs[0]) == "PRIVATE_STREAM_DOWN"
    rig.send(HaltRequested(at_ns=0, request_id="h", operator="o", reason="r"))
    assert held.status is ParentStatus.PAUSED
    (shown,) = overview(control, "read")["routes"]
    assert shown["legs"][0]["why_nothing"] == "paused by the stop (PAUSED_HALTED)"
    assert shown["legs"][1]["why_nothing"].endswith("(ENDED_ALL_FILLED)")


async def test_one_order_with_its_book_its_children_and_its_plan(door: Door):
    add_market(door.control.state)
    add_parent(door.control.state)
    level = Level(px=Price(Decimal("100.9")), qty=Quantity(Decimal(5)))
    door.control.around["linear:BTCUSDT"] = MarketContext(at_ns=START_NS, bids=(level,))
    token = await session_token(door, read_only=True)
    status, told = await as_session(door, token, "GET", "/v1/board/tst-1")
    assert status == 200
    assert told["book"] == {"bids": [[100.9, 5.0]], "asks": []}
    assert told["parent"]["plan"]["schedule"]
    assert [child["client_order_id"] for child in told["children"]] == ["tst-1-1"]
    status, _ = await as_session(door, token, "GET", "/v1/board/nobody")
    assert status == 404


@pytest.mark.parametrize("path", ["/v1/parents/tst-1/pause", "/v1/halt", "/v1/parents", "/v1/board/codes"])
async def test_who_only_looks_changes_nothing(door: Door, path: str):
    add_parent(door.control.state)
    token = await session_token(door, read_only=True)
    status, told = await as_session(door, token, "POST", path, {"reason": "x"})
    assert (status, told["error"]["code"]) == (403, "READ_ONLY")
    assert not door.control.asked


async def test_who_may_operate_does_so_from_the_page_itself(door: Door):
    add_parent(door.control.state)
    token = await session_token(door)
    headers = {"Authorization": f"Bearer {token}", "Origin": door.url}
    async with door.session.post(f"{door.url}/v1/parents/tst-1/pause", json={}, headers=headers) as answer:
        assert answer.status == 200
    assert isinstance(door.control.asked[0], PauseRequested)
    headers["Origin"] = "http://127.0.0.1:1"
    async with door.session.post(f"{door.url}/v1/parents/tst-1/pause", json={}, headers=headers) as answer:
        assert answer.status == 403
    assert len(door.control.asked) == 1


async def test_a_session_that_was_left_is_over(door: Door):
    token = await session_token(door, read_only=True)
    assert (await as_session(door, token, "POST", "/v1/board/leave", {}))[0] == 200
    assert (await as_session(door, token, "GET", "/v1/board"))[0] == 401


async def pictures(answer: aiohttp.ClientResponse, count: int) -> list[dict]:
    found = []
    while len(found) < count:
        line = await answer.content.readuntil(b"\n\n")
        assert line.startswith(b"data: ")
        found.append(json.loads(line[6:]))
    return found


async def test_a_stream_brings_a_picture_at_once_and_then_each_change(door: Door):
    parent = add_parent(door.control.state)
    async with door.session.get(f"{door.url}/v1/stream/tst-1", headers=door.headers) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        (first,) = await pictures(answer, 1)
        parent.cum_qty = Decimal(5)
        for _ in range(5):
            (later,) = await pictures(answer, 1)
            if later["parent"]["filled"] == "5":
                break
        assert (first["parent"]["filled"], later["parent"]["filled"]) == ("4", "5")


async def test_streams_do_not_take_the_place_of_requests_and_are_bounded(door: Door):
    answers = []
    try:
        for _ in range(VIEWERS_MAX):
            answer = await door.session.get(f"{door.url}/v1/stream", headers=door.headers)
            assert answer.status == 200
            await pictures(answer, 1)
            answers.append(answer)
            if len(answers) == 20:
                assert (await door.get("/v1/status"))[0] == 200, (
                    "more than requests_max streams, and it answers"
                )
        status, told = await door.get("/v1/stream")
        assert (status, told["error"]["code"]) == (429, "VIEWERS")
    finally:
        for answer in answers:
            answer.close()


async def test_streams_end_with_the_daemon():
    control = ControlDouble()
    async with aiohttp.ClientSession() as session:
        async with serve(build_app(control, Secret(TOKEN)), "127.0.0.1", 0) as port:
            answer = await session.get(
                f"http://127.0.0.1:{port}/v1/stream", headers={"Authorization": f"Bearer {TOKEN}"}
            )
            await pictures(answer, 1)
        rest = await asyncio.wait_for(answer.content.read(), 10)
        assert rest == b"" or rest.startswith(b"data: ")


async def test_what_was_said_between_daemon_and_model_can_be_read(door: Door):
    add_parent(door.control.state)
    token = await session_token(door, read_only=True)
    path = "/v1/parents/tst-1/decisions/tst-1-1"
    status, told = await as_session(door, token, "GET", path)
    assert (status, told["error"]["code"]) == (404, "CALL")
    door.control.called = TapeError("/home/somebody/advice.jsonl: broken")
    status, told = await as_session(door, token, "GET", path)
    assert status == 404
    assert "somebody" not in json.dumps(told)
    question = Question(
        decision_id="tst-1-1",
        parent_id="tst-1",
        asked_ns=START_NS,
        template_hash="ab" * 32,
        messages=(Message(role="user", content="<script>alert(1)</script>"),),
        schema={},
        tokens_max=100,
        deadline_s=4.0,
    )
    failed = Failed(failure=Failure.RATE_LIMITED, detail="status 429", latency_ns=1)
    door.control.called = line_of(question, "m", failed, None)
    status, told = await as_session(door, token, "GET", path)
    assert status == 200
    assert told["messages"] == [{"role": "user", "content": "<script>alert(1)</script>"}]
    assert (told["reply"], told["failure"]) == (None, "RATE_LIMITED")
    status, _ = await as_session(door, token, "GET", "/v1/parents/tst-1/decisions/tst-1-2")
    assert status == 404


async def test_a_way_around_the_token_by_spelling_is_none(door: Door):
    for path in (
        "/board/../v1/status",
        "/board/%2e%2e/v1/status",
        "/board/..%2fv1/status",
        "//v1/status",
        "/v1/./status",
        "/%76%31/status",
        "/V1/status",
        "/v1/status/",
        "/v1/status;x=/board/",
        "/v1/stream/../status",
        "http://127.0.0.1/board/../v1/status",
    ):
        raw = await door.raw(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nConnection: close\r\n\r\n".encode()
        )
        assert raw.split(b" ")[1] in {b"400", b"401", b"403", b"404"}, path
        assert b"instance" not in raw


async def test_strangers_who_hold_on_take_no_place_from_a_halt(door: Door):
    ways = []
    try:
        for _ in range(12):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            ways.append((reader, writer))
            head = f"POST /board/session HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nContent-Type: application/json"
            writer.write(f"{head}\r\nContent-Length: 50\r\n\r\n{{".encode())
        # The last four find no place; the first eight hold theirs until they are cut off.
        for reader, _ in ways[8:]:
            assert b" 429 " in await asyncio.wait_for(reader.readline(), 5)
        status, _ = await door.post("/v1/halt", {"reason": "x"})
        assert status == 200
        assert len(door.control.asked) == 1
    finally:
        for _, writer in ways:
            writer.close()


async def test_a_stream_ends_with_its_session(door: Door):
    token = await session_token(door, read_only=True)
    headers = {"Authorization": f"Bearer {token}"}
    async with door.session.get(f"{door.url}/v1/stream", headers=headers) as answer:
        await pictures(answer, 1)
        assert (await as_session(door, token, "POST", "/v1/board/leave", {}))[0] == 200
        assert b"data:" not in (await asyncio.wait_for(answer.content.read(), 5))


async def test_a_viewer_that_reads_nothing_is_cut_off_and_its_place_is_free_again(
    door: Door, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(board_doors, "VIEWERS_MAX", 1)
    monkeypatch.setattr(board_doors, "WRITE_S_MAX", 0.2)
    monkeypatch.setattr(board_doors, "overview", lambda _control, _access: {"large": "x" * 32_000_000})
    asks = f"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        writer.write(asks.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200"), "and from here on it reads nothing"
        async with asyncio.timeout(20):
            while await is_full(door):
                pass
    finally:
        writer.close()


async def is_full(door: Door) -> bool:
    async with door.session.get(f"{door.url}/v1/stream", headers=door.headers) as answer:
        return answer.status == 429
