"""The net and the door as a whole: outages, partitions, idle connections closed, bans, shared allowances."""

import asyncio
import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import aiohttp
import pytest

from sandbox.bybit_server import FlowSettings, SandboxOptions
from sandbox.bybit_server.clock import SystemClock, now_ms
from tests.sandbox.venue_support import KEYS, RawClient, poll_until, venue_in_thread
from tests.sandbox.venue_talk import talk_to

ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.001"}
LOST = (ConnectionError, urllib.error.URLError, http.client.HTTPException)
KEY = KEYS[0]


@pytest.fixture(scope="module")
def lab():
    """A venue of one's own: what is done to its net concerns nobody else."""
    options = SandboxOptions(
        credentials=KEYS[:2],
        address_requests_max=0,
        flow=FlowSettings(frozen=True),
        shared_allowance=False,
    )
    with venue_in_thread(options) as server:
        yield server


@pytest.fixture
def lever(lab):
    def call(method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(lab.control_url + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read())

    yield call
    call("DELETE", "/_fault")


@pytest.fixture
def act(lever):
    return lambda what, **fields: lever("POST", "/_ex", {"do": what, **fields})


@pytest.fixture
def client(lab):
    return RawClient(lab.rest_url, KEY)


@pytest.fixture
def count(lever):
    return lambda: len(lever("GET", "/_truth")["accounts"][str(KEY.uid)]["orders"])


def in_background(call):
    box = {}

    def run():
        try:
            box["answer"] = call()
        except LOST as error:
            box["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    return thread, box


def answers(client):
    try:
        return client.get("/v5/market/time", signed=False)["retCode"] == 0
    except LOST:
        return False


def resting(name):
    return {**ORDER, "price": "64500.0", "orderLinkId": f"{name}-{time.monotonic_ns()}"}


async def test_an_outage_refuses_everybody_and_ends(lab, act, client, lever):
    async with talk_to(lab, "/v5/public/linear") as talk:
        await talk.subscribe("tickers.BTCUSDT")
        answer = await asyncio.to_thread(act, "refuse_connect", s=600, cut=True)
        assert answer["closed"] == 1
        message = await talk.socket.receive(timeout=30)
        while message.type is aiohttp.WSMsgType.TEXT:
            message = await talk.socket.receive(timeout=30)
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE}
    assert not await asyncio.to_thread(answers, client)
    with pytest.raises(aiohttp.ClientError):
        async with talk_to(lab, "/v5/private"):
            pass
    await asyncio.to_thread(act, "refuse_connect", s=0.2)
    await asyncio.to_thread(poll_until, lambda: answers(client))


def test_an_outage_can_be_healed_early(act, client):
    act("refuse_connect", s=600)
    assert not answers(client)
    act("heal")
    assert answers(client)


def test_a_partition_holds_requests_and_delivers_them_when_it_heals(act, client, count, lever):
    before = count()
    act("hold", s=600, on="rest")
    thread, box = in_background(lambda: client.post("/v5/order/create", resting("held")))
    poll_until(lambda: lever("GET", "/_wire?path=/v5/order/create")["requests"])
    assert count() == before
    assert "answer" not in box
    act("heal")
    thread.join(5)
    assert box["answer"]["retCode"] == 0
    assert count() == before + 1


def test_a_client_that_has_given_up_is_delivered_all_the_same(act, lab, count):
    """Goal: the case of an order accepted after the client's own timeout."""
    before = count()
    act("hold", s=600)
    place = urlsplit(lab.rest_url)
    impatient = http.client.HTTPConnection(place.hostname, place.port, timeout=0.3)
    sent = {}

    class Impatient(RawClient):
        def _send(self, method, target, data, tail, **tricks):
            sent["tail"] = tail
            return super()._send(method, target, data, tail, **tricks)

    client = Impatient(lab.rest_url, KEY)
    thread, _ = in_background(lambda: client.post("/v5/order/create", resting("late")))
    poll_until(lambda: "tail" in sent)
    impatient.request("POST", "/v5/order/create", body=b"{}")
    with pytest.raises(TimeoutError):
        impatient.getresponse()
    impatient.close()
    assert count() == before
    act("heal")
    thread.join(5)
    poll_until(lambda: count() == before + 1)


def test_requests_are_applied_and_nobody_hears_of_it(act, client, count):
    before = count()
    act("one_way", s=600)
    thread, box = in_background(lambda: client.post("/v5/order/create", resting("deaf")))
    poll_until(lambda: count() == before + 1)
    thread.join(0.2)
    assert not box
    act("heal")
    thread.join(5)
    assert box["answer"]["retCode"] == 0


async def test_pushes_are_held_on_a_one_way_line(lab, act, client):
    async with talk_to(lab, "/v5/private") as talk:
        await talk.authenticate(KEY)
        await talk.subscribe("order")
        await asyncio.to_thread(act, "one_way", s=600)
        thread, _ = in_background(lambda: client.post("/v5/order/create", resting("push")))
        assert await talk.hears_nothing(0.3)
        await asyncio.to_thread(act, "heal")
        assert (await talk.hear())["topic"] == "order"
        await asyncio.to_thread(thread.join, 5)


async def test_the_trade_socket_can_be_held_alone(lab, act, client):
    async with talk_to(lab, "/v5/trade") as talk:
        await talk.authenticate(KEY)
        await asyncio.to_thread(act, "hold", s=600, on="trade")
        header = {"X-BAPI-TIMESTAMP": now_ms(SystemClock())}
        await talk.say(op="order.create", header=header, args=[resting("trade")])
        assert await talk.hears_nothing()
        assert await asyncio.to_thread(answers, client)
        await asyncio.to_thread(act, "heal")
        assert (await talk.hear())["retCode"] == 0


def test_idle_keep_alive_connections_are_closed(lab, act, lever):
    place = urlsplit(lab.rest_url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    for _ in range(2):
        connection.request("GET", "/v5/market/time")
        assert connection.getresponse().read()
    kept = connection.sock
    assert kept is not None
    assert act("close_idle")["closed"] >= 1
    kept.settimeout(30)
    assert kept.recv(1) == b""
    connection.close()


def test_a_ban_lasts_its_time_for_everybody(act, client):
    act("ban", s=600)
    for path in ("/v5/market/time", "/v5/order/realtime"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            client.get(path)
        with caught.value as error:
            assert error.code == 403
    act("unban")
    assert answers(client)


async def test_rest_and_trade_have_their_own_allowances_if_so_wished(lab):
    client = RawClient(lab.rest_url, KEYS[1])

    def create_until_refused():
        return [client.post("/v5/order/create", resting(f"n{n}"))["retCode"] for n in range(11)]

    codes = await asyncio.to_thread(create_until_refused)
    assert 10006 in codes
    async with talk_to(lab, "/v5/trade") as talk:
        await talk.authenticate(KEYS[1])
        header = {"X-BAPI-TIMESTAMP": now_ms(SystemClock())}
        ack = await talk.ask(op="order.create", header=header, args=[resting("own")])
        assert (ack["retCode"], ack["header"]["X-Bapi-Limit-Status"]) == (0, "9")


def test_connections_are_counted_by_stream(lab, lever):
    wire = lever("GET", "/_wire")
    assert set(wire["connects"]) <= {"private", "trade", "public.linear"}
    assert sum(wire["connects"].values()) >= sum(wire["open"].values())


def test_a_server_ends_while_its_net_is_down():
    options = SandboxOptions(credentials=KEYS[:1], flow=FlowSettings(frozen=True))
    with venue_in_thread(options) as server:
        body = json.dumps({"do": "hold", "s": 600}).encode()
        with urllib.request.urlopen(server.control_url + "/_ex", data=body, timeout=30) as response:
            assert response.status == 200
        thread, box = in_background(
            lambda: RawClient(server.rest_url, KEY).get("/v5/market/time", signed=False)
        )
        thread.join(0.2)
        assert not box
    thread.join(5)
    assert box
