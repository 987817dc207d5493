"""The WebSocket doors, spoken to by hand: control frames, book integrity, order of private pushes."""

import asyncio
import json
import time

import aiohttp
import pytest

from sandbox.bybit_server.clock import SystemClock, now_ms
from tests.sandbox.venue_talk import talk_to

ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.001"}


async def test_control_frames_of_the_public_door(venue):
    async with talk_to(venue, "/v5/public/linear") as talk:
        started = time.monotonic()
        ack = await talk.ask(op="subscribe", args=["publicTrade.BTCUSDT"], req_id=17)
        assert time.monotonic() - started >= 0.01
        assert (ack["success"], ack["ret_msg"], ack["req_id"], ack["op"]) == (True, "", 17, "subscribe")
        pong = await talk.ask(op="ping", req_id="a")
        assert (pong["ret_msg"], pong["req_id"], pong["op"]) == ("pong", "a", "ping")
        assert "req_id" not in await talk.ask(op="ping")
        again = await talk.ask(op="subscribe", args=["publicTrade.BTCUSDT"])
        assert (again["success"], again["ret_msg"]) == (
            False,
            "error:already subscribed,topic:publicTrade.BTCUSDT",
        )
        assert (await talk.ask(op="dance"))["ret_msg"] == "error:invalid op"
        await talk.socket.send_str("{nonsense")
        complaint = await talk.hear(lambda message: "topic" not in message)
        assert complaint["ret_msg"].startswith("Failed to decode incoming data:")
        assert (await talk.ask(op="unsubscribe", args=["publicTrade.BTCUSDT"], req_id=1))["success"]


@pytest.mark.parametrize(
    "topic",
    [
        "orderbook.500.BTCUSDT",
        "orderbook.50.btcusdt",
        "orderbook.BTCUSDT",
        "liquidation.BTCUSDT",
        "order",
        "tickers",
    ],
)
async def test_one_bad_topic_spoils_the_request(venue, topic):
    async with talk_to(venue, "/v5/public/linear") as talk:
        answer = await talk.ask(op="subscribe", args=["orderbook.50.BTCUSDT", topic], req_id="x")
        assert not answer["success"]
        assert answer["ret_msg"] == f"error:handler not found,topic:{topic}"
        assert (await talk.ask(op="subscribe", args=["orderbook.50.BTCUSDT"]))["success"]


async def test_spot_takes_ten_topics_at_a_time(venue):
    async with talk_to(venue, "/v5/public/spot") as talk:
        answer = await talk.ask(op="subscribe", args=["tickers.BTCUSDT"] * 11)
        assert answer["ret_msg"] == "args size >10"
        assert (await talk.ask(op="subscribe", args=["tickers.BTCUSDT"]))["ret_msg"] == "subscribe"
        ticker = await talk.hear(lambda message: message.get("topic") == "tickers.BTCUSDT")
        assert "bid1Price" not in ticker["data"]


@pytest.mark.parametrize("depth", [50, 200, 1000])
async def test_snapshot_then_deltas_rebuild_the_book(venue, depth):
    """Goal: a client that follows the rules literally never meets a gap, an unknown level or a crossed book."""
    book = {"b": {}, "a": {}}
    async with talk_to(venue, "/v5/public/linear") as talk:
        await talk.ask(op="subscribe", args=[f"orderbook.{depth}.BTCUSDT"])
        first = await talk.hear()
        assert first["type"] == "snapshot"
        prices = [float(px) for px, _ in first["data"]["b"]]
        assert prices == sorted(prices, reverse=True)
        update_id, seq = first["data"]["u"], first["data"]["seq"]
        for side, levels in book.items():
            levels.update(dict(first["data"][side]))
        for _ in range(25 if depth == 50 else 8):
            delta = await talk.hear()
            assert delta["type"] == "delta"
            assert delta["data"]["u"] == update_id + 1
            assert delta["data"]["seq"] >= seq
            update_id, seq = delta["data"]["u"], delta["data"]["seq"]
            for side, levels in book.items():
                for px, size in delta["data"][side]:
                    if size == "0":
                        del levels[px]
                    else:
                        levels[px] = size
                assert len(levels) <= depth
            assert max(map(float, book["b"])) < min(map(float, book["a"]))


async def test_depth_one_is_snapshots_only(venue):
    async with talk_to(venue, "/v5/public/linear") as talk:
        await talk.ask(op="subscribe", args=["orderbook.1.BTCUSDT"])
        updates = [await talk.hear() for _ in range(5)]
        assert {update["type"] for update in updates} == {"snapshot"}
        assert all(len(update["data"]["b"]) == 1 for update in updates)


async def test_tickers_merge_into_a_whole(venue):
    async with talk_to(venue, "/v5/public/linear") as talk:
        await talk.ask(op="subscribe", args=["tickers.BTCUSDT"])
        first, second = await talk.hear(), await talk.hear()
        assert (first["type"], second["type"]) == ("snapshot", "delta")
        assert set(second["data"]) < set(first["data"])
        assert second["data"]["symbol"] == "BTCUSDT"


async def test_private_pushes_come_in_the_order_of_the_venue(venue, key, raw):
    async with talk_to(venue, "/v5/private") as talk:
        refused = await talk.ask(op="subscribe", args=["order"])
        assert not refused["success"]
        assert (await talk.authenticate(key, req_id="10001"))["success"]
        topics = ["order", "execution", "execution.fast", "position", "wallet"]
        assert (await talk.ask(op="subscribe", args=topics, req_id=2))["req_id"] == 2
        body = {**ORDER, "orderType": "Market", "orderLinkId": f"{key.key}-push"}
        await asyncio.to_thread(raw.post, "/v5/order/create", body)
        heard = [await talk.hear() for _ in range(5)]
        assert [message["topic"] for message in heard] == [
            "execution.fast",
            "execution",
            "order",
            "position",
            "wallet",
        ]
        assert "id" not in heard[0]
        assert heard[1]["data"][0]["execId"] == heard[0]["data"][0]["execId"]
        assert heard[2]["data"][0]["orderStatus"] == "Filled"
        assert heard[3]["data"][0]["entryPrice"] != "0"
        pong = await talk.ask(op="ping", req_id="p")
        assert (pong["op"], pong["req_id"], len(pong["args"])) == ("pong", "p", 1)


async def test_categorised_topics_keep_to_their_category(venue, key, raw):
    async with talk_to(venue, "/v5/private") as talk:
        await talk.authenticate(key)
        assert not (await talk.ask(op="subscribe", args=["order", "order.linear"]))["success"]
        assert not (await talk.ask(op="subscribe", args=["order.nothing"]))["success"]
        assert (await talk.ask(op="subscribe", args=["order.spot"]))["success"]
        assert not (await talk.ask(op="subscribe", args=["order"]))["success"]
        far = {"price": "64700", "qty": "0.01"}
        await asyncio.to_thread(raw.post, "/v5/order/create", {**ORDER, **far, "orderLinkId": f"{key.key}-l"})
        spot = {**ORDER, **far, "category": "spot", "orderLinkId": f"{key.key}-s"}
        await asyncio.to_thread(raw.post, "/v5/order/create", spot)
        heard = await talk.hear()
        assert (heard["topic"], heard["data"][0]["category"]) == ("order.spot", "spot")
        assert "tpslMode" not in heard["data"][0]


async def test_a_bad_key_is_not_let_in(venue, key):
    async with talk_to(venue, "/v5/private") as talk:
        answer = await talk.ask(op="auth", args=[key.key, "99999999999999", "0" * 64])
        assert (answer["success"], answer["op"]) == (False, "auth")


async def test_the_trade_door(venue, key):
    stamp = now_ms(SystemClock())
    header = {"X-BAPI-TIMESTAMP": stamp, "X-BAPI-RECV-WINDOW": 8000}
    order = {**ORDER, "price": "64500.0", "orderLinkId": f"{key.key}-t"}
    async with talk_to(venue, "/v5/trade") as talk:
        early = await talk.ask(op="order.create", reqId="0", header=header, args=[order])
        assert early["retCode"] == 10003
        assert (await talk.authenticate(key, reqId="a"))["retCode"] == 0
        assert (await talk.authenticate(key))["retCode"] == 20001
        ack = await talk.ask(op="order.create", reqId="1", header=header, args=[order])
        assert (ack["retCode"], ack["reqId"], ack["op"]) == (0, "1", "order.create")
        assert ack["data"]["orderLinkId"] == order["orderLinkId"]
        assert ack["header"]["X-Bapi-Limit"] == "10"
        repeated = await talk.ask(op="order.create", reqId="1", header=header, args=[order])
        assert repeated["retCode"] == 20006
        text_header = {name: str(value) for name, value in header.items()}
        named = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": order["orderLinkId"]}
        amended = await talk.ask(op="order.amend", header=text_header, args=[{**named, "qty": "0.002"}])
        assert amended["retCode"] == 0
        assert "reqId" not in amended
        assert (await talk.ask(op="order.cancel", header=header, args=[named]))["retCode"] == 0
        late = await talk.ask(op="order.cancel", header=header, args=[named])
        assert (late["retCode"], late["data"]) == (110001, {})
        stale = {**header, "X-BAPI-TIMESTAMP": stamp - 60_000}
        assert (await talk.ask(op="order.cancel", header=stale, args=[named]))["retCode"] == 10002
        assert (await talk.ask(op="order.dance", header=header, args=[named]))["retCode"] == 10404
        assert (await talk.ask(op="ping"))["op"] == "pong"


async def test_a_client_that_vanishes_leaves_no_trace(venue):
    async with aiohttp.ClientSession() as client:
        for _ in range(5):
            socket = await client.ws_connect(venue.ws_url + "/v5/public/linear")
            await socket.send_str(json.dumps({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]}))
            socket._response.connection.transport.abort()
    async with talk_to(venue, "/v5/public/linear") as talk:
        assert (await talk.ask(op="subscribe", args=["orderbook.50.BTCUSDT"]))["success"]
        assert (await talk.hear())["type"] == "snapshot"
