"""Asking through pybit: whole answers or errors, who is told of a ban, and nobody waits behind another's question."""

import asyncio
import json
import threading
from collections import Counter
from contextlib import suppress

import pytest
from aiohttp import web
from pybit.unified_trading import HTTP

from executor.domain.errors import TransportError
from executor.domain.events import Reconciled, ReconcileFailed
from executor.domain.orders import Category
from executor.runtime.clock import Clock
from executor.venues.bybit.admission import admission
from executor.venues.bybit.ask import Manners, QueryRefused
from executor.venues.bybit.limiter import Lane, Limiter
from executor.venues.bybit.return_codes import AUTH_REFUSED
from tests.venues.queries_bench import at_time, listed, scripted_desk


def told(codes=None):
    heard, codes = [], [] if codes is None else codes
    manners = Manners(
        on_ban=lambda text: heard.append(("ban", text)),
        on_auth_refused=lambda code, text: heard.append((code, text)),
        on_code=lambda code, _text: codes.append(code),
    )
    return heard, manners


@pytest.mark.parametrize("code", sorted(AUTH_REFUSED))
async def test_79_a_refused_key_is_told_with_its_code(code):
    heard, manners = told()
    answer = {"retCode": code, "retMsg": "no entry", "result": {}}
    async with scripted_desk(lambda *_: answer, manners=manners) as (script, desk):
        with pytest.raises(QueryRefused) as refused:
            await desk.asker.result(HTTP.get_api_key_information)
        assert (refused.value.code, heard) == (code, [(code, "no entry")])
        assert len(script.asked) == 1, "asked again"


@pytest.mark.parametrize("code", [10001, 10002, 10016, 110001])
async def test_other_codes_are_not_about_the_key_and_are_not_asked_again(code):
    codes = []
    heard, manners = told(codes)
    async with scripted_desk(lambda *_: {"retCode": code, "retMsg": "x"}, manners=manners) as (script, desk):
        with pytest.raises(QueryRefused):
            await desk.asker.rows(HTTP.get_open_orders, category="linear", symbol="BTCUSDT")
        assert (heard, codes, len(script.asked)) == ([], [code], 1)


async def test_a_403_is_a_ban_and_other_statuses_are_not():
    codes = []
    heard, manners = told(codes)
    status = [403]
    async with scripted_desk(lambda *_: web.Response(status=status[0]), manners=manners) as (_, desk):
        with pytest.raises(QueryRefused):
            await desk.asker.result(HTTP.get_account_info)
        assert [kind for kind, _ in heard] == ["ban"]
        for status[0] in (400, 404, 409, 429, 500, 502, 503):
            with pytest.raises(TransportError):
                await desk.asker.result(HTTP.get_account_info)
        assert (len(heard), codes) == (1, [429])
        status[0] = 401
        with pytest.raises(TransportError):
            await desk.asker.result(HTTP.get_account_info)
        assert heard[1][0] == 401


async def test_a_success_is_told_too_so_that_what_was_refused_before_is_known_to_be_over():
    codes = []
    _, manners = told(codes)
    async with scripted_desk(lambda *_: listed(), manners=manners) as (_, desk):
        await desk.asker.rows(HTTP.get_open_orders, category="linear", symbol="BTCUSDT")
        assert codes == [0]
        await desk.queries.nearest_symbols(Category.LINEAR, "BTCUSD")
        assert codes == [0], "a public answer says nothing about the key"


@pytest.mark.parametrize("code", ["10003", "x", None, 0.5, True, [1], {}, 1e300])
async def test_a_return_code_of_another_kind_is_an_error_like_any_other(code):
    body = json.dumps({"retCode": code, "retMsg": ["no"], "result": {"list": []}}).encode()
    async with scripted_desk(lambda *_: body) as (_, desk):
        with pytest.raises(TransportError):
            await desk.asker.rows(HTTP.get_open_orders, category="linear", symbol="BTCUSDT")


async def test_a_redirect_is_not_followed():
    def answer(path, _):
        return (
            web.Response(status=307, headers={"Location": "/elsewhere"}) if path != "/elsewhere" else listed()
        )

    async with scripted_desk(answer) as (script, desk):
        with pytest.raises(TransportError):
            await desk.asker.rows(HTTP.get_open_orders, category="linear", symbol="BTCUSDT")
        assert not script.of("/elsewhere")


async def test_an_answer_that_trickles_for_ever_ends_and_the_next_question_is_answered():
    end, first = asyncio.Event(), [True]

    async def trickle(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while not end.is_set():
            await response.write(b" ")
            with suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), 0.05)
        return response

    def answer(*_):
        return trickle if first and first.pop() else listed()

    async with scripted_desk(answer, timeout_s=0.3) as (_, desk):
        with pytest.raises(TransportError, match="Timeout"):
            await desk.asker.rows(HTTP.get_open_orders, category="linear", symbol="BTCUSDT")
        assert await desk.asker.rows(HTTP.get_open_orders, category="linear", symbol="BTCUSDT") == []
        end.set()


async def test_an_order_is_looked_for_while_a_long_read_of_everything_hangs():
    let_go = asyncio.Event()

    async def slow(_request):
        await let_go.wait()
        return web.json_response({"retCode": 0, "result": {"list": [], "nextPageCursor": ""}})

    def answer(path, query):
        if path == "/v5/market/time":
            return at_time(1_700_000_000_000)
        return slow if path == "/v5/order/realtime" and "orderLinkId" not in query else listed()

    async with scripted_desk(answer, timeout_s=20) as (_, desk):
        everything = asyncio.create_task(desk.reconcile())
        async with asyncio.timeout(10):
            (absent,) = await desk.look_for("x-1-1")
        assert (type(absent).__name__, everything.done()) == ("OrderAbsent", False)
        let_go.set()
        assert isinstance((await everything)[-1], Reconciled)


async def test_a_client_is_never_used_by_two_threads_at_once():
    inside, most, lock = Counter(), Counter(), threading.Lock()
    entered, both = threading.Event(), threading.Event()

    def question(client):
        with lock:
            inside[client.client] += 1
            most[client.client] = max(most[client.client], inside[client.client])
        entered.set()
        both.wait(0.05)
        with lock:
            inside[client.client] -= 1
        return {"retCode": 0, "result": {"list": []}}

    async with scripted_desk(lambda *_: listed()) as (_, desk):
        first = asyncio.create_task(desk.asker.result(question))
        await asyncio.to_thread(entered.wait, 5)
        first.cancel()  # the task ends, the thread goes on, with a client that nobody else gets
        await asyncio.gather(
            first, desk.asker.result(question), desk.asker.result(question), return_exceptions=True
        )
        assert (len(most), set(most.values())) == (2, {1})


@pytest.mark.parametrize("end", ["time is up", "nobody waits", "closed"])
async def test_a_question_that_is_given_up_lets_go_of_its_connection_and_its_thread(end):
    came, gone = asyncio.Event(), asyncio.Event()

    async def trickle(request):
        response = web.StreamResponse()
        await response.prepare(request)
        came.set()
        try:
            while True:
                await response.write(b" ")
                with suppress(TimeoutError):
                    await asyncio.wait_for(gone.wait(), 0.02)
        finally:
            gone.set()

    timeout_s = 0.2 if end == "time is up" else 20.0
    async with scripted_desk(lambda *_: trickle, timeout_s=timeout_s) as (_, desk), asyncio.timeout(10):
        thread = desk.asker._thread
        asking = asyncio.create_task(desk.asker.result(HTTP.get_account_info))
        await came.wait()
        if end == "nobody waits":
            asking.cancel()
        elif end == "closed":
            desk.asker.close()
        with pytest.raises(asyncio.CancelledError if end == "nobody waits" else TransportError):
            await asking
        await gone.wait()
        await asyncio.to_thread(thread.shutdown)
        assert (desk.asker._thread is thread) is (end == "closed")
        if end == "closed":
            with pytest.raises(TransportError, match="nothing is asked any more"):
                await desk.asker.result(HTTP.get_account_info)


async def test_a_question_waits_for_no_thread_of_others():
    """All threads that the loop keeps for such things are taken, as by a host whose name is not found."""
    free = threading.Event()
    async with scripted_desk(lambda *_: listed()) as (_, desk):
        taken = [asyncio.create_task(asyncio.to_thread(free.wait, 20)) for _ in range(64)]
        await asyncio.sleep(0)  # all of them have begun
        try:
            async with asyncio.timeout(10):
                assert await desk.asker.rows(HTTP.get_open_orders, category="linear", symbol="BTCUSDT") == []
        finally:
            free.set()
            await asyncio.gather(*taken)


@pytest.mark.parametrize(
    ("headers", "reset_ms"),
    [
        ({"X-Bapi-Limit-Reset-Timestamp": "1700000000123"}, 1_700_000_000_123),
        ({"X-Bapi-Limit-Reset-Timestamp": "soon"}, None),
        ({}, None),
    ],
)
async def test_73_a_rate_limit_is_told_with_the_instant_that_the_venue_named(headers, reset_ms):
    heard, codes = [], []
    body = {"retCode": 10006, "retMsg": "Too many visits!", "result": {}}
    manners = Manners(on_rate_limit=heard.append, on_code=lambda code, _text: codes.append(code))

    def answer(*_):
        return web.json_response(body, headers=headers)

    async with scripted_desk(answer, manners=manners) as (script, desk):
        with pytest.raises(QueryRefused):
            await desk.asker.result(HTTP.get_account_info)
        assert (heard, codes, len(script.asked)) == ([reset_ms], [], 1)


async def test_nothing_is_asked_while_the_address_is_barred_or_out_of_room():
    clock, refusals = Clock(), [""]
    limiter = Limiter()
    manners = Manners(admit=admission(limiter, clock, lambda: refusals[0], wait_s_max=0.05))
    async with scripted_desk(lambda *_: listed(), manners=manners) as (script, desk):
        assert await desk.asker.rows(HTTP.get_open_orders, category="linear", symbol="BTCUSDT") == []
        refusals[0] = "the venue bars our address"
        with pytest.raises(TransportError, match="bars our address"):
            await desk.asker.rows(HTTP.get_open_orders, category="linear", symbol="BTCUSDT")
        refusals[0] = ""
        while not limiter.take_query(clock.now_ns()):
            pass
        with pytest.raises(TransportError, match="no room"):
            await desk.asker.rows(HTTP.get_open_orders, category="linear", symbol="BTCUSDT")
        assert len(script.asked) == 1
        (failed,) = await desk.reconcile()
        assert isinstance(failed, ReconcileFailed)


async def test_a_question_waits_for_room_when_it_comes_soon():
    now_ns = [0]

    class Turning:
        def now_ns(self):
            now_ns[0] += 1_000_000_000
            return now_ns[0]

    limiter = Limiter()
    for _ in range(Lane.QUERY):
        assert limiter.take_query(0) == 0
    await asyncio.wait_for(admission(limiter, Turning(), lambda: "")(), 20)
    assert now_ns[0] >= 5_000_000_000
