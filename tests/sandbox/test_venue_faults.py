"""The control plane: what a client sees of each fault, and that the truth and the wire log tell the rest."""

import asyncio
import http.client
import json
import time
import urllib.error

import aiohttp
import pytest

from sandbox.bybit_server.clock import SystemClock, now_ms
from sandbox.bybit_server.signature import sign, stream_payload
from tests.sandbox.venue_support import poll_until

ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.001"}
LOST = (ConnectionError, urllib.error.URLError, http.client.HTTPException)


@pytest.fixture
def truth(control, key):
    def look(kind="orders"):
        return control("GET", "/_truth")["accounts"][str(key.uid)][kind]

    return look


def order_for(key, name, **changes):
    return {**ORDER, "price": "64500.0", "orderLinkId": f"{key.key}-{name}", **changes}


@pytest.mark.parametrize("act", ["drop", "reset"])
@pytest.mark.parametrize(("when", "count"), [("before_apply", 0), ("after_apply", 1)])
def test_a_lost_answer_may_or_may_not_hide_an_order(raw, control, key, truth, act, when, count):
    body = order_for(key, "lost")
    control("POST", "/_fault", {"match": {"linkId": body["orderLinkId"]}, "when": when, "act": act})
    with pytest.raises(LOST):
        raw.post("/v5/order/create", body)
    assert len(truth()) == count
    assert raw.post("/v5/order/create", body)["retCode"] == (110072 if count else 0)
    sent = [r for r in control("GET", "/_wire")["requests"] if body["orderLinkId"] in r["raw"]]
    assert [(r["applied"], r["answered"], r["retCode"]) for r in sent] == [
        (bool(count), False, 0 if count else None),
        (True, True, 110072 if count else 0),
    ]


def test_status_code_and_html_after_the_order_was_taken(raw, control, key, truth):
    path = {"match": {"path": "/v5/order/create", "linkId": f"{key.key}-*"}, "when": "after_apply"}
    control("POST", "/_fault", {**path, "act": "status", "status": 502})
    with pytest.raises(urllib.error.HTTPError) as caught:
        raw.post("/v5/order/create", order_for(key, "a"))
    with caught.value as error:
        assert error.code == 502
    control("POST", "/_fault", {**path, "act": "retCode", "retCode": 10000, "retMsg": "Server Timeout"})
    assert raw.post("/v5/order/create", order_for(key, "b"))["retCode"] == 10000
    control("POST", "/_fault", {**path, "act": "body_raw", "body_raw": "<html>"})
    with pytest.raises(json.JSONDecodeError):
        raw.post("/v5/order/create", order_for(key, "c"))
    control("POST", "/_fault", {**path, "act": "delay", "delay": 0.2})
    started = time.monotonic()
    assert raw.post("/v5/order/create", order_for(key, "d"))["retCode"] == 0
    assert time.monotonic() - started >= 0.2
    assert len(truth()) == 4
    assert [fault["fired"] for fault in control("GET", "/_fault")["faults"]] == [1, 1, 1, 1]


def test_the_nth_request_only_and_nonsense_is_refused(raw, control, key):
    fault = {"match": {"linkId": f"{key.key}-*", "nth": 2}, "act": "retCode", "retCode": 10016}
    control("POST", "/_fault", fault)
    codes = [raw.post("/v5/order/create", order_for(key, str(n)))["retCode"] for n in range(3)]
    assert codes == [0, 10016, 0]
    for bad in ({"act": "explode"}, {"act": "drop", "on": "moon"}, {"act": "drop", "when": "never"}):
        with pytest.raises(urllib.error.HTTPError) as caught:
            control("POST", "/_fault", bad)
        with caught.value as error:
            assert error.code == 400
    assert control("DELETE", "/_fault") == {"cleared": 1}


def test_crafted_fills_and_cancels(raw, control, key, truth):
    for name in ("a", "b"):
        raw.post("/v5/order/create", order_for(key, name, qty="1"))
    control("POST", "/_ex", {"do": "fill", "orderLinkId": f"{key.key}-a", "qty": "0.25", "price": "64400"})
    control("POST", "/_ex", {"do": "cancel", "orderLinkId": f"{key.key}-a", "cancelType": "CancelByAdmin"})
    control("POST", "/_ex", {"do": "fill", "orderLinkId": f"{key.key}-b"})
    first, second = truth()
    assert (first["status"], first["cumExecQty"], first["cancelType"]) == (
        "Cancelled",
        "0.25",
        "CancelByAdmin",
    )
    assert (second["status"], second["cumExecQty"]) == ("Filled", "1")
    fills = truth("executions")
    assert [(fill["qty"], fill["price"]) for fill in fills] == [("0.25", "64400"), ("1", "64500")]
    assert truth("positions")[0]["size"] == "1.25"
    with pytest.raises(urllib.error.HTTPError) as caught:
        control("POST", "/_ex", {"do": "fill", "orderLinkId": f"{key.key}-b"})
    caught.value.close()


def test_a_restart_forgets_the_recently_closed(raw, control, key):
    raw.post("/v5/order/create", order_for(key, "r"))
    raw.post("/v5/order/cancel", {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": f"{key.key}-r"})
    query = f"category=linear&orderLinkId={key.key}-r"
    assert raw.get("/v5/order/realtime", query)["result"]["list"]
    control("POST", "/_ex", {"do": "restart"})
    assert not raw.get("/v5/order/realtime", query)["result"]["list"]
    assert raw.get("/v5/order/history", query)["result"]["list"]


def test_freezing_one_market_stops_its_tape(venue, control):
    market = venue.exchange.markets["linear", "XRPUSDT"]
    control("POST", "/_ex", {"do": "freeze", "on": True, "category": "linear", "symbol": "XRPUSDT"})
    volume = market.volume
    target = {"category": "linear", "symbol": "XRPUSDT"}
    control("POST", "/_ex", {"do": "clear_crowd", **target})
    control("POST", "/_ex", {"do": "quote", **target, "side": "Sell", "price": "0.6", "qty": "1000"})
    answer = control("POST", "/_ex", {"do": "trade", **target, "side": "Buy", "price": "0.6", "qty": "400"})
    assert answer == {"traded": "400.0"}
    assert market.volume == volume + 400
    control("POST", "/_ex", {"do": "freeze", "on": False, **target})
    control("POST", "/_ex", {"do": "jump", "bps": 1, **target})
    poll_until(lambda: market.volume > volume + 400)


async def test_private_messages_dropped_doubled_and_cut(venue, raw, control, key):
    async def call(*args):
        return await asyncio.to_thread(control, *args)

    async with aiohttp.ClientSession() as client, client.ws_connect(venue.ws_url + "/v5/private") as socket:
        expires = str(now_ms(SystemClock()) + 5000)
        await socket.send_json(
            {"op": "auth", "args": [key.key, expires, sign(key.secret, stream_payload(expires))]}
        )
        await socket.receive()
        await socket.send_json({"op": "subscribe", "args": ["order"]})
        await socket.receive()
        for name, act in (("x", "drop"), ("y", "dup")):
            match = {"topic": "order", "linkId": f"{key.key}-{name}"}
            await call("POST", "/_fault", {"on": "private", "match": match, "act": act})
        for name in ("x", "y", "z"):
            await asyncio.to_thread(raw.post, "/v5/order/create", order_for(key, name))
        heard = [(await socket.receive(10)).json()["data"][0]["orderLinkId"] for _ in range(3)]
        assert heard == [f"{key.key}-y", f"{key.key}-y", f"{key.key}-z"]
        assert (await call("POST", "/_fault", {"on": "private", "act": "close"}))["closed"] >= 1
        assert (await socket.receive(10)).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}


async def test_a_halted_feed_keeps_the_socket_and_goes_on_without_a_gap(venue, control):
    async def call(body):
        return await asyncio.to_thread(control, "POST", "/_ex", body)

    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(venue.ws_url + "/v5/public/linear") as socket,
    ):
        await socket.send_json({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]})
        await socket.receive()
        update_id = (await socket.receive(5)).json()["data"]["u"]
        await call({"do": "halt_feed", "on": True})
        await socket.send_json({"op": "ping"})
        while "topic" in (message := (await socket.receive(5)).json()):
            update_id = message["data"]["u"]
        with pytest.raises(asyncio.TimeoutError):
            await socket.receive(0.2)
        await call({"do": "halt_feed", "on": False})
        assert (await socket.receive(5)).json()["data"]["u"] == update_id + 1
        await call({"do": "restart"})
        async with asyncio.timeout(30):
            while (message := (await socket.receive()).json())["data"]["u"] != 1:
                pass
        assert message["type"] == "snapshot"


def test_queries_that_trail_the_matching(raw, control, key):
    control("POST", "/_ex", {"do": "lag", "ms": 300})
    try:
        raw.post("/v5/order/create", order_for(key, "late"))
        query = f"category=linear&orderLinkId={key.key}-late"
        assert not raw.get("/v5/order/realtime", query)["result"]["list"]
        poll_until(lambda: raw.get("/v5/order/realtime", query)["result"]["list"], 2)
    finally:
        control("POST", "/_ex", {"do": "lag", "ms": 0})


def test_a_clock_set_wrong_refuses_honest_clients(raw, control):
    try:
        control("POST", "/_ex", {"do": "clock", "offset_ms": -3000})
        assert raw.get("/v5/account/info")["retCode"] == 10002
        control("POST", "/_ex", {"do": "clock", "offset_ms": 3000})
        assert raw.get("/v5/account/info")["retCode"] == 0
        control("POST", "/_ex", {"do": "clock", "offset_ms": 9000})
        assert raw.get("/v5/account/info")["retCode"] == 10002
    finally:
        control("POST", "/_ex", {"do": "clock", "offset_ms": 0})


async def test_a_dropped_change_is_a_gap(venue, control):
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(venue.ws_url + "/v5/public/linear") as socket,
    ):
        await socket.send_json({"op": "subscribe", "args": ["orderbook.50.ETHUSDT"]})
        await socket.receive()
        fault = {"on": "public", "match": {"topic": "orderbook.50.ETHUSDT"}, "act": "drop"}
        last = (await socket.receive(5)).json()["data"]["u"]
        await asyncio.to_thread(control, "POST", "/_fault", fault)
        steps = []
        while 2 not in steps:
            update_id = (await socket.receive(5)).json()["data"]["u"]
            steps.append(update_id - last)
            last = update_id
        assert set(steps) <= {1, 2}


async def test_a_late_private_message_is_overtaken(venue, raw, control, key):
    async with aiohttp.ClientSession() as client, client.ws_connect(venue.ws_url + "/v5/private") as socket:
        expires = str(now_ms(SystemClock()) + 5000)
        await socket.send_json(
            {"op": "auth", "args": [key.key, expires, sign(key.secret, stream_payload(expires))]}
        )
        await socket.receive()
        await socket.send_json({"op": "subscribe", "args": ["order.linear"]})
        await socket.receive()
        match = {"topic": "order", "linkId": f"{key.key}-first"}
        fault = {"on": "private", "match": match, "act": "delay", "delay": 0.3}
        await asyncio.to_thread(control, "POST", "/_fault", fault)
        for name in ("first", "second"):
            await asyncio.to_thread(raw.post, "/v5/order/create", order_for(key, name))
        heard = [(await socket.receive(10)).json()["data"][0]["orderLinkId"] for _ in range(2)]
        assert heard == [f"{key.key}-second", f"{key.key}-first"]


def test_the_second_filled_message_of_a_lost_race(venue, raw, control, key):
    raw.post("/v5/order/create", {**order_for(key, "race"), "orderType": "Market"})
    heard = []
    venue.exchange.private_sinks.append(heard.extend)
    control("POST", "/_ex", {"do": "lost_race", "orderLinkId": f"{key.key}-race"})
    venue.exchange.private_sinks.remove(heard.extend)
    (row,) = [message.rows[0] for message in heard if message.uid == key.uid]
    assert (row["orderStatus"], row["cancelType"]) == ("Filled", "CancelByUser")
    assert row["rejectReason"] == "EC_OrigClOrdIDDoesNotExist"


async def test_acks_of_the_trade_socket_get_lost_or_lie(venue, control, key, truth):
    async def call(body):
        return await asyncio.to_thread(control, "POST", "/_fault", {"on": "trade", **body})

    async with aiohttp.ClientSession() as client, client.ws_connect(venue.ws_url + "/v5/trade") as socket:
        stamp = now_ms(SystemClock())
        expires = str(stamp + 5000)
        await socket.send_json(
            {"op": "auth", "args": [key.key, expires, sign(key.secret, stream_payload(expires))]}
        )
        await socket.receive()
        match = {"path": "order.create", "linkId": f"{key.key}-*"}
        await call({"match": {**match, "nth": 1}, "when": "before_apply", "act": "retCode", "retCode": 10019})
        await call({"match": {**match, "nth": 1}, "when": "after_apply", "act": "drop"})
        header = {"X-BAPI-TIMESTAMP": stamp}
        for name in ("never", "silent", "plain"):
            order = order_for(key, name)
            await socket.send_json({"op": "order.create", "reqId": name, "header": header, "args": [order]})
        answers = [(await socket.receive(5)).json() for _ in range(2)]
        assert [(answer["reqId"], answer["retCode"]) for answer in answers] == [
            ("never", 10019),
            ("plain", 0),
        ]
        links = [order["orderLinkId"] for order in await asyncio.to_thread(truth)]
        assert links == [f"{key.key}-silent", f"{key.key}-plain"]
        wire = (await asyncio.to_thread(control, "GET", "/_wire"))["requests"][-3:]
        assert [(r["path"], r["applied"], r["answered"]) for r in wire] == [
            ("order.create", False, True),
            ("order.create", True, False),
            ("order.create", True, True),
        ]
