"""The HTTP way of sending orders: one request for one send, no other host, and silence while we are barred."""

import asyncio
import json
import ssl
import subprocess

import aiohttp
import pytest
from aiohttp import web

from executor.domain.commands import CancelOrder
from executor.domain.errors import ConfigError, TransportError
from executor.domain.events import (
    CancelAcked,
    CancelOutcomeUnknown,
    HaltRequested,
    OrderAcked,
    OrderNotSent,
    OrderOutcomeUnknown,
    VenueRestricted,
)
from executor.domain.timeline import NS_PER_S
from executor.venues.bybit.access import Access, Way
from executor.venues.bybit.order_bytes import Act, cancel_body
from executor.venues.bybit.transport import HostForbidden, new_session
from tests.venues.entry_bench import KEY, entry_desk

pytestmark = pytest.mark.process


def restrictions(desk):
    return [event for event in desk.heard if isinstance(event, VenueRestricted)]


# ---------------------------------------------------------------- one request for one send


async def test_16_a_connection_that_the_server_closed_between_requests_causes_no_second_send():
    async with entry_desk() as desk:
        for number in range(1, 7):
            await desk.place(desk.order())
            if number % 2:
                await desk.do("close_idle")
        names = [json.loads(entry["raw"])["orderLinkId"] for entry in await desk.wire()]
        assert len(names) == len(set(names))
        assert len(await desk.truth()) == len(names)


async def test_16_a_request_whose_used_connection_breaks_is_not_repeated():
    async with entry_desk() as desk:
        await desk.place(desk.order())
        for when in ("before_apply", "after_apply", "before_apply"):
            await desk.fault("reset", when=when)
            assert isinstance(await desk.place(desk.order()), OrderOutcomeUnknown)
        names = [json.loads(entry["raw"])["orderLinkId"] for entry in await desk.wire()]
        assert len(names) == len(set(names))


async def test_a_halt_while_the_request_waits_for_a_connection_stops_it():
    async with entry_desk(timeout_s=5.0) as desk:
        await desk.fault("delay", what="cancel", when="before_apply", delay=0.4, times=None)
        holding = [asyncio.create_task(desk.rest.send(*cancel_of(desk))) for _ in range(32)]
        await asyncio.sleep(0)
        create = asyncio.create_task(desk.place(desk.order()))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not create.done()
        desk.turnstile.follow(1, closed=True)
        assert isinstance(await create, OrderNotSent)
        await asyncio.gather(*holding)
        assert await desk.wire() == []


def cancel_of(desk):
    order = desk.order()
    command = CancelOrder(category=order.category, symbol=order.symbol, client_order_id=order.client_order_id)
    return Act.CANCEL, cancel_body(command)


async def test_a_halt_between_the_head_and_the_body_of_a_request_sends_neither():
    async with entry_desk() as desk:
        assert isinstance(await desk.place(desk.order()), OrderAcked)
        looks = []

        def why_void(approved):
            looks.append(approved)
            return "halted at the last moment"

        desk.turnstile.why_void, true = why_void, desk.turnstile.why_void
        desk.turnstile.why_closed = lambda approved: ""
        event = await desk.place(desk.order())
        assert isinstance(event, OrderNotSent)
        assert event.detail == "halted at the last moment"
        assert len(looks) == 1
        assert len(await desk.wire()) == 1
        desk.turnstile.why_void = true
        assert isinstance(await desk.place(desk.order()), OrderAcked)


async def test_70_a_refused_connection_is_a_request_that_was_never_sent():
    async with entry_desk(rest_url="http://127.0.0.1:9") as desk:
        assert isinstance(await desk.place(desk.order()), OrderNotSent)


async def test_19_a_redirect_is_not_followed():
    async with entry_desk() as desk:
        for when in ("before_apply", "after_apply"):
            await desk.fault("redirect", when=when)
            assert isinstance(await desk.place(desk.order()), OrderOutcomeUnknown)
        everything = await desk.control("GET", "/_wire")
        assert everything["elsewhere"] == []


@pytest.mark.parametrize("act", ["truncate", "gzip_broken", "half_close", "corrupt"])
async def test_11_a_damaged_answer_proves_nothing(act):
    async with entry_desk() as desk:
        await desk.fault(act)
        assert isinstance(await desk.place(desk.order()), OrderOutcomeUnknown)
        assert len(await desk.truth()) == len(await desk.wire()) == 1


# ---------------------------------------------------------------- the wall


def access(**over):
    usual = dict(
        rest_url="http://127.0.0.1:1",
        public_ws_url="ws://127.0.0.1:1",
        private_ws_url="ws://127.0.0.1:1",
        api_key="k",
        api_secret="s",
    )
    return Access(**{**usual, **over})


@pytest.mark.parametrize("field", ["rest_url", "public_ws_url", "private_ws_url", "trade_ws_url"])
@pytest.mark.parametrize(
    "url", ["https://api.bybit.com", "wss://127.0.0.1.evil.example", "ws://127.0.0.1@evil.example"]
)
def test_an_address_beyond_the_wall_is_refused_before_anything_is_connected(field, url):
    with pytest.raises(ConfigError):
        access(**{field: url})


def test_orders_over_a_socket_need_a_socket():
    with pytest.raises(ConfigError):
        access(order_entry=Way.WEBSOCKET)
    assert access(order_entry=Way.WEBSOCKET, trade_ws_url="ws://127.0.0.1:1").order_entry is Way.WEBSOCKET


async def test_the_transport_reaches_no_other_host_whatever_it_is_asked():
    async with new_session(frozenset({"127.0.0.1"}), 1.0) as http:
        with pytest.raises(HostForbidden):
            await http.get("http://localhost:9/v5/market/time")
        with pytest.raises(HostForbidden):
            await http.ws_connect("ws://localhost:9/v5/trade")
        with pytest.raises(HostForbidden):
            await http.get("http://127.0.0.1:9/", proxy="http://127.0.0.1:9")
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get("http://127.0.0.1:9/")


async def test_an_order_to_another_host_is_not_sent():
    async with entry_desk(hosts=frozenset({"localhost"}), socket_runs=False) as desk:
        event = await desk.place(desk.order())
        assert isinstance(event, OrderNotSent)
        assert "HostForbidden" in event.detail
        assert await desk.wire() == []


async def test_the_environments_proxy_is_not_used(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with entry_desk() as desk:
        assert isinstance(await desk.place(desk.order()), OrderAcked)


@pytest.fixture
def own_certificate(tmp_path):
    """A key and a certificate that nobody but its maker vouches for."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    ask = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([*ask, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key


async def test_22_a_certificate_that_nobody_vouches_for_is_refused(own_certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*own_certificate)
    heard = []

    async def serve(request):
        heard.append(await request.text())
        return web.json_response({"retCode": 0})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        url = f"https://localhost:{runner.addresses[0][1]}"
        async with entry_desk(rest_url=url) as desk:
            assert isinstance(await desk.place(desk.order()), OrderNotSent)
        assert heard == []
    finally:
        await runner.cleanup()


# ---------------------------------------------------------------- bans


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, "access too frequent"), (403, "<html>The request could not be satisfied: country</html>")],
)
async def test_72_a_403_silences_http_for_ten_minutes(status, body):
    async with entry_desk(socket_runs=True) as desk:
        order = desk.order()
        await desk.place(order)
        await desk.fault("status", when="before_apply", status=status, body_raw=body)
        before_ns = desk.standing._clock.now_ns()
        assert isinstance(await desk.place(desk.order()), OrderOutcomeUnknown)
        (told,) = await desk.until(lambda: restrictions(desk))
        assert told.until_ns - before_ns >= 600 * NS_PER_S
        count = len(await desk.wire())
        assert isinstance(await desk.place(desk.order()), OrderNotSent)
        with pytest.raises(TransportError, match="bars our address"):
            await desk.standing.admit_query()
        with pytest.raises(TransportError):
            await desk.rest.measure_time()
        assert isinstance(await desk.cancel(order), CancelAcked)
        assert len(await desk.wire()) == count
        assert await desk.wire("cancel", Way.REST) == []
        assert len(restrictions(desk)) == 1


async def test_72_a_cancel_that_meets_the_ban_goes_on_by_the_socket():
    async with entry_desk(socket_runs=True) as desk:
        order = desk.order()
        await desk.place(order)
        await desk.fault(
            "status", what="cancel", when="before_apply", status=403, body_raw="access too frequent"
        )
        assert isinstance(await desk.cancel(order), CancelAcked)
        assert len(await desk.wire("cancel", Way.WEBSOCKET)) == 1


async def test_72_without_any_way_a_cancel_is_unknown_and_says_why():
    async with entry_desk(socket_runs=False) as desk:
        desk.entry._cancel_s_max = 0.1
        desk.standing.on_ban("access too frequent")
        event = await desk.cancel(desk.order())
        assert isinstance(event, CancelOutcomeUnknown)
        assert "not connected" in event.detail
        assert desk.socket.wanted.is_set()


async def test_429_is_a_short_pause_that_grows_when_it_comes_again():
    async with entry_desk() as desk:
        await desk.fault("status", when="before_apply", status=429, body_raw="slow down")
        assert isinstance(await desk.place(desk.order()), OrderOutcomeUnknown)
        (first,) = await desk.until(lambda: restrictions(desk))
        now_ns = desk.standing._clock.now_ns()
        assert 0 < first.until_ns - now_ns <= 2 * NS_PER_S
        desk.standing._busy_until_ns = now_ns  # as if the pause were over
        desk.standing.on_busy("again", overloaded=True)
        _, second = await desk.until(lambda: len(restrictions(desk)) == 2 and restrictions(desk))
        assert second.until_ns - now_ns > 3 * NS_PER_S


async def test_79_a_401_counts_as_a_refused_key():
    async with entry_desk() as desk:
        await desk.fault("status", when="before_apply", status=401, body_raw="")
        assert isinstance(await desk.place(desk.order()), OrderOutcomeUnknown)
        (halt,) = await desk.until(
            lambda: [event for event in desk.heard if isinstance(event, HaltRequested)]
        )
        assert halt.reason.startswith("AUTH 401")
        with pytest.raises(TransportError, match="refused our key"):
            await desk.standing.admit_query()
        assert isinstance(await desk.place(desk.order()), OrderAcked)
        await desk.standing.admit_query()


async def test_81_a_clock_that_jumped_is_told_and_measured_anew():
    async with entry_desk() as desk:
        await desk.rest.measure_time()
        await desk.do("clock", offset_ms=30_000)
        await desk.rest.measure_time()
        (told,) = await desk.until(lambda: restrictions(desk))
        assert "moved apart" in told.detail
        assert desk.standing.clock_doubted.is_set()
        assert isinstance(await desk.place(desk.order()), OrderNotSent)


def test_the_key_is_not_shown_by_the_access():
    assert KEY.secret not in repr(access(api_secret=KEY.secret))
