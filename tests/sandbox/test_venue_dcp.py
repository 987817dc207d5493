"""Disconnect protection: armed by a subscription, counted from the last departure, fired once."""

import asyncio

import aiohttp
import pytest

from sandbox.bybit_server.account_settings import disconnect_protection, set_disconnect_protection
from sandbox.bybit_server.clock import SystemClock, now_ms
from sandbox.bybit_server.signature import sign, stream_payload
from tests.sandbox.venue_support import poll_until, refusal_of


@pytest.fixture
def armed(bench):
    bench.ask(set_disconnect_protection, product="DERIVATIVES", timeWindow=10)
    bench.exchange.dcp_watch.held(bench.account.uid, "dcp.future", "first")
    return bench


def leave(bench, name="first"):
    bench.exchange.dcp_watch.lost(bench.account.uid, "dcp.future", name)


def wait(bench, ms):
    bench.clock.advance_ms(ms)
    bench.exchange.advance()


def test_the_setting_is_shown_and_bounded(bench):
    assert bench.ask(disconnect_protection) == {"dcpInfos": []}
    bench.ask(set_disconnect_protection, timeWindow=40)
    bench.ask(set_disconnect_protection, product="SPOT", timeWindow=3)
    assert bench.ask(disconnect_protection)["dcpInfos"] == [
        {"product": "OPTIONS", "dcpStatus": "ON", "timeWindow": "40"},
        {"product": "SPOT", "dcpStatus": "ON", "timeWindow": "3"},
    ]
    for bad in ({"timeWindow": 2}, {"timeWindow": 301}, {}, {"product": "FUTURES", "timeWindow": 10}):
        assert refusal_of(bench.ask, set_disconnect_protection, **bad) == 10001


def test_orders_of_the_product_go_when_everybody_stays_away(armed):
    linear = armed.send("Buy", "1", "64900")
    inverse = armed.send("Buy", "100", "64900", category="inverse", symbol="BTCUSD")
    spot = armed.send("Buy", "0.1", "64900", category="spot")
    theirs = armed.send("Buy", "1", "64900", account=armed.other)
    wait(armed, 60_000)
    assert linear.is_open
    leave(armed)
    wait(armed, 9_999)
    assert linear.is_open
    wait(armed, 1)
    assert {linear.cancel_type.value, inverse.cancel_type.value} == {"CancelByDCP"}
    assert spot.is_open
    assert theirs.is_open
    rows = [row for row in armed.heard("order") if row["cancelType"] == "CancelByDCP"]
    assert {row["orderId"] for row in rows} == {linear.order_id, inverse.order_id}


def test_it_fires_once_for_each_departure(armed):
    leave(armed)
    wait(armed, 10_000)
    order = armed.send("Buy", "1", "64900")
    wait(armed, 60_000)
    assert order.is_open
    armed.exchange.dcp_watch.held(armed.account.uid, "dcp.future", "second")
    leave(armed, "second")
    wait(armed, 10_000)
    assert not order.is_open


def test_one_that_stays_or_comes_back_holds_it_off(armed):
    order = armed.send("Buy", "1", "64900")
    armed.exchange.dcp_watch.held(armed.account.uid, "dcp.future", "second")
    leave(armed)
    wait(armed, 60_000)
    leave(armed, "second")
    wait(armed, 9_000)
    armed.exchange.dcp_watch.held(armed.account.uid, "dcp.future", "third")
    wait(armed, 60_000)
    assert order.is_open


def test_without_a_subscription_nothing_is_armed(bench):
    bench.ask(set_disconnect_protection, product="DERIVATIVES", timeWindow=3)
    order = bench.send("Buy", "1", "64900")
    wait(bench, 600_000)
    assert order.is_open


async def test_a_cut_connection_is_a_departure(venue, http, raw, key):
    body = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.001"}
    link = f"{key.key}-dcp"
    assert (await asyncio.to_thread(http.set_dcp, product="DERIVATIVES", timeWindow=3))["retCode"] == 0
    shown = await asyncio.to_thread(raw.get, "/v5/account/query-dcp-info")
    assert shown["result"]["dcpInfos"][0]["timeWindow"] == "3"
    async with aiohttp.ClientSession() as client, client.ws_connect(venue.ws_url + "/v5/private") as socket:
        expires = str(now_ms(SystemClock()) + 5000)
        args = [key.key, expires, sign(key.secret, stream_payload(expires))]
        await socket.send_json({"op": "auth", "args": args})
        await socket.receive()
        await socket.send_json({"op": "subscribe", "args": ["dcp.future"]})
        assert (await socket.receive()).json()["success"]
        order = {**body, "price": "64500", "orderLinkId": link}
        assert (await asyncio.to_thread(raw.post, "/v5/order/create", order))["retCode"] == 0

    def ended():
        # An answer over the allowance has no list.
        rows = raw.get("/v5/order/history", f"category=linear&orderLinkId={link}")["result"].get("list")
        return rows and rows[0]["cancelType"]

    assert await asyncio.to_thread(poll_until, ended, 20) == "CancelByDCP"
