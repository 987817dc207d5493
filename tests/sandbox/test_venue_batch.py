"""Batches: parallel lists, a verdict for each order, an allowance counted in orders; by REST and by socket."""

import aiohttp
import pytest

from sandbox.bybit_server.batch import amend_batch, cancel_batch, create_batch
from sandbox.bybit_server.clock import SystemClock, now_ms
from sandbox.bybit_server.signature import sign, stream_payload
from tests.sandbox.venue_support import refusal_of

BUY = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "64500.0"}


def orders(*names, **changes):
    return [{**BUY, "orderLinkId": name, **changes} for name in names]


def codes(result):
    return [verdict["code"] for verdict in result.ext_info["list"]]


def test_good_and_bad_orders_keep_their_places(bench):
    requests = [*orders("a"), *orders("b", qty="0.0001"), *orders("a"), *orders("c"), "nonsense"]
    result = create_batch(bench.exchange, bench.account, batch(requests))
    assert codes(result) == [0, 10001, 110072, 0, 10001]
    rows = result["list"]
    assert [row["orderLinkId"] for row in rows] == ["a", "b", "a", "c", ""]
    assert [bool(row["orderId"]) for row in rows] == [True, False, False, True, False]
    assert [bool(row["createAt"]) for row in rows] == [True, False, False, True, False]
    assert {row["category"] for row in rows} == {"linear"}
    assert result.ext_info["list"][2]["msg"] == "OrderLinkedID is duplicate"
    assert set(bench.account.by_link) == {"a", "c"}


def batch(requests, category="linear", granted=20):
    from sandbox.bybit_server.fields import Fields

    return Fields({"category": category, "request": requests}, granted=granted)


def test_amending_and_cancelling_several(bench):
    create_batch(bench.exchange, bench.account, batch(orders("a", "b", "c")))
    changes = [{"symbol": "BTCUSDT", "orderLinkId": name, "qty": "0.02"} for name in ("a", "c", "x")]
    result = amend_batch(bench.exchange, bench.account, batch(changes))
    assert codes(result) == [0, 0, 110001]
    assert all("createAt" not in row for row in result["list"])
    quantities = {order.link_id: str(order.qty) for order in bench.account.open_orders.values()}
    assert quantities == {"a": "0.02", "b": "0.01", "c": "0.02"}
    gone = [{"symbol": "BTCUSDT", "orderLinkId": name} for name in ("c", "b", "b")]
    assert codes(cancel_batch(bench.exchange, bench.account, batch(gone))) == [0, 0, 110001]
    assert [order.link_id for order in bench.account.open_orders.values()] == ["a"]


@pytest.mark.parametrize(("category", "most"), [("linear", 20), ("inverse", 20), ("spot", 10)])
def test_how_many_orders_fit(bench, category, most):
    requests = [{"symbol": "BTCUSDT"}] * (most + 1)
    assert refusal_of(create_batch, bench.exchange, bench.account, batch(requests, category)) == 10001
    assert len(create_batch(bench.exchange, bench.account, batch(requests[1:], category))["list"]) == most
    assert refusal_of(create_batch, bench.exchange, bench.account, batch([], category)) == 10001


def test_orders_beyond_the_allowance_fail_one_by_one(bench):
    result = create_batch(bench.exchange, bench.account, batch(orders("a", "b", "c"), granted=2))
    assert codes(result) == [0, 0, 10006]
    assert set(bench.account.by_link) == {"a", "b"}


def test_rest_counts_orders_not_requests(raw, key):
    names = [f"{key.key}-b{n}" for n in range(8)]
    first = raw.post("/v5/order/create-batch", {"category": "linear", "request": orders(*names[:5])})
    assert (first["retCode"], first["retExtInfo"]["list"]) == (0, [{"code": 0, "msg": "OK"}] * 5)
    assert raw.headers["X-Bapi-Limit-Status"] == "5"
    more = [f"{key.key}-c{n}" for n in range(8)]
    second = raw.post("/v5/order/create-batch", {"category": "linear", "request": orders(*more)})
    assert second["retCode"] == 0
    assert [verdict["code"] for verdict in second["retExtInfo"]["list"]] == [0] * 5 + [10006] * 3
    third = raw.post("/v5/order/create-batch", {"category": "linear", "request": orders("never")})
    assert third["retCode"] == 10006
    # The single orders have an allowance of their own.
    single = {**BUY, "category": "linear", "orderLinkId": f"{key.key}-single"}
    assert raw.post("/v5/order/create", single)["retCode"] == 0


async def test_the_order_socket_takes_batches(venue, key):
    async with aiohttp.ClientSession() as client, client.ws_connect(venue.ws_url + "/v5/trade") as socket:
        stamp = now_ms(SystemClock())
        expires = str(stamp + 5000)
        await socket.send_json(
            {"op": "auth", "args": [key.key, expires, sign(key.secret, stream_payload(expires))]}
        )
        await socket.receive()
        requests = [*orders(f"{key.key}-s1"), *orders(f"{key.key}-s2", price="1.05")]
        await socket.send_json(
            {
                "op": "order.create-batch",
                "reqId": "b1",
                "header": {"X-BAPI-TIMESTAMP": stamp},
                "args": [{"category": "linear", "request": requests}],
            }
        )
        answer = (await socket.receive(5)).json()
        assert (answer["retCode"], answer["op"], answer["reqId"]) == (0, "order.create-batch", "b1")
        assert [verdict["code"] for verdict in answer["retExtInfo"]["list"]] == [0, 10001]
        assert [bool(row["orderId"]) for row in answer["data"]["list"]] == [True, False]


def test_pybit_batches(http, key):
    names = [f"{key.key}-p1", f"{key.key}-p2"]
    answer = http.place_batch_order(category="linear", request=orders(*names))
    assert [row["orderLinkId"] for row in answer["result"]["list"]] == names
    changes = [{"symbol": "BTCUSDT", "orderLinkId": name, "qty": "0.05"} for name in names]
    assert http.amend_batch_order(category="linear", request=changes)["retExtInfo"]["list"][1]["code"] == 0
    gone = [{"symbol": "BTCUSDT", "orderLinkId": name} for name in names]
    answer = http.cancel_batch_order(category="linear", request=gone)
    assert [verdict["code"] for verdict in answer["retExtInfo"]["list"]] == [0, 0]
    assert http.get_open_orders(category="linear", symbol="BTCUSDT")["result"]["list"] == []
