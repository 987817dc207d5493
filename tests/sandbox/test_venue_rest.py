"""The REST door over a real socket: envelopes, refusals at the door, allowances, paging, shapes."""

import json
import urllib.error

import pytest

from sandbox.bybit_server import FlowSettings, SandboxOptions
from sandbox.bybit_server.clock import SystemClock, now_ms
from tests.sandbox.venue_support import KEYS, RawClient, poll_until, venue_in_thread

ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.001"}


def far(raw, link_id, **changes):
    return raw.post("/v5/order/create", {**ORDER, "price": "64500.0", "orderLinkId": link_id, **changes})


def test_the_envelope_and_the_time(raw):
    answer = raw.get("/v5/market/time", signed=False)
    assert list(answer) == ["retCode", "retMsg", "result", "retExtInfo", "time"]
    assert (answer["retCode"], answer["retMsg"]) == (0, "OK")
    assert int(answer["result"]["timeNano"]) // 10**6 == pytest.approx(answer["time"], abs=50)


@pytest.mark.parametrize(
    ("tricks", "code"),
    [
        ({"signed": False}, 10001),
        ({"stamp": 1_690_000_000_000}, 10002),
        ({"key": "nobody"}, 10003),
        ({"secret": "wrong"}, 10004),
    ],
)
def test_refusals_at_the_door(raw, tricks, code):
    assert raw.get("/v5/order/realtime", "category=linear&symbol=BTCUSDT", **tricks)["retCode"] == code


def test_a_second_fast_is_refused_and_half_a_second_is_not(raw):
    ahead = now_ms(SystemClock())
    assert raw.get("/v5/account/info", stamp=ahead + 1500)["retCode"] == 10002
    assert raw.get("/v5/account/info", stamp=ahead + 500)["retCode"] == 0
    raw.window = "100"
    assert raw.get("/v5/account/info", stamp=ahead - 5000)["retCode"] == 10002


def test_the_signature_is_over_the_bytes_that_were_sent(raw):
    spaced = '{"category" :  "linear", "symbol":"BTCUSDT", "orderId": null, "orderLinkId":"none"}'
    assert raw.post("/v5/order/cancel", spaced)["retCode"] == 110001
    query = "accountType=UNIFIED&coin=USDT,USDC"
    coins = raw.get("/v5/account/wallet-balance", query)["result"]["list"][0]["coin"]
    assert [coin["coin"] for coin in coins] == ["USDT", "USDC"]
    assert raw.get("/v5/order/realtime", "symbol=BTCUSDT&category=linear")["retCode"] == 0


def test_unknown_routes_and_bodies(raw):
    with pytest.raises(urllib.error.HTTPError) as caught:
        raw.get("/v5/market/nothing", signed=False)
    with caught.value as error:
        assert (error.code, json.loads(error.read())["retCode"]) == (404, 10017)
    assert raw.post("/v5/order/create", "{not json")["retCode"] == 10001
    assert raw.post("/v5/order/create", "[]")["retCode"] == 10001
    assert raw.get("/v5/market/orderbook", "category=linear&symbol=NOPE", signed=False)["retCode"] == 10001


def test_the_allowance_runs_out_with_a_reset_in_the_future(raw):
    answers = [far(raw, f"{raw.key.key}-rate{n}") for n in range(11)]
    assert [answer["retCode"] for answer in answers] == [0] * 10 + [10006]
    assert raw.headers["X-Bapi-Limit"] == "10"
    assert raw.headers["X-Bapi-Limit-Status"] == "0"
    assert int(raw.headers["X-Bapi-Limit-Reset-Timestamp"]) > answers[-1]["time"]
    assert raw.get("/v5/order/realtime", "category=linear&symbol=BTCUSDT")["retCode"] == 0
    assert raw.headers["X-Bapi-Limit-Status"] == "49"
    poll_until(lambda: far(raw, f"{raw.key.key}-later")["retCode"] in {0, 110072}, 3)


def test_orders_are_paged_newest_first(raw):
    links = [f"{raw.key.key}-page{n}" for n in range(7)]
    for link_id in links:
        assert far(raw, link_id)["retCode"] == 0
    seen, cursor, pages = [], "", 0
    while True:
        query = f"category=linear&symbol=BTCUSDT&limit=3&cursor={cursor}"
        result = raw.get("/v5/order/realtime", query)["result"]
        seen += [order["orderLinkId"] for order in result["list"]]
        cursor, pages = result["nextPageCursor"], pages + 1
        if not cursor:
            break
    assert (seen, pages) == (links[::-1], 3)


def test_an_order_is_found_by_id_before_and_after_its_end(raw):
    link_id = f"{raw.key.key}-find"
    order_id = far(raw, link_id)["result"]["orderId"]

    def found(path, query):
        return [row["orderId"] for row in raw.get(path, f"category=linear&{query}")["result"]["list"]]

    assert found("/v5/order/realtime", f"orderLinkId={link_id}") == [order_id]
    assert found("/v5/order/history", f"orderLinkId={link_id}") == []
    raw.post("/v5/order/cancel", {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": link_id})
    assert found("/v5/order/realtime", "symbol=BTCUSDT") == []
    assert found("/v5/order/realtime", "symbol=BTCUSDT&openOnly=1") == [order_id]
    assert found("/v5/order/realtime", f"orderLinkId={link_id}") == [order_id]
    assert found("/v5/order/history", f"orderId={order_id}") == [order_id]
    assert found("/v5/order/history", "symbol=BTCUSDT&orderStatus=Cancelled") == [order_id]
    assert found("/v5/order/history", "symbol=BTCUSDT&orderStatus=Filled") == []
    assert found("/v5/order/realtime", "orderLinkId=unknown") == []
    assert raw.get("/v5/order/realtime", "category=linear")["retCode"] == 10001


def test_executions_and_position_of_a_market_order(raw):
    link_id = f"{raw.key.key}-mkt"
    body = {**ORDER, "orderType": "Market", "qty": "0.050", "orderLinkId": link_id}
    assert raw.post("/v5/order/create", body)["retCode"] == 0
    rows = raw.get("/v5/execution/list", f"category=linear&orderLinkId={link_id}")["result"]["list"]
    assert sum(float(row["execQty"]) for row in rows) == pytest.approx(0.05)
    row = rows[0]
    assert row["execType"] == "Trade"
    assert not row["isMaker"]
    assert float(row["execFee"]) == pytest.approx(float(row["execValue"]) * 0.00055)
    later = rows[0]["execTime"]
    assert (
        raw.get("/v5/execution/list", f"category=linear&startTime={int(later) + 1}")["result"]["list"] == []
    )
    assert raw.get("/v5/execution/list", f"category=linear&startTime={later}")["result"]["list"]
    (position,) = raw.get("/v5/position/list", "category=linear&symbol=BTCUSDT")["result"]["list"]
    assert (position["side"], position["size"], position["positionIdx"]) == ("Buy", "0.05", 0)
    (flat,) = raw.get("/v5/position/list", "category=linear&symbol=ETHUSDT")["result"]["list"]
    assert (flat["side"], flat["size"]) == ("", "0")
    held = raw.get("/v5/position/list", "category=linear&settleCoin=USDT")["result"]["list"]
    assert [row["symbol"] for row in held] == ["BTCUSDT"]


def test_public_shapes(raw):
    def get(path, query):
        return raw.get(path, query, signed=False)["result"]

    linear = get("/v5/market/instruments-info", "category=linear&limit=1000")
    symbols = [row["symbol"] for row in linear["list"]]
    assert symbols[:3] == ["BTCUSDT", "ETHUSDT", "XRPUSDT"]
    assert linear["nextPageCursor"] == ""
    assert get("/v5/market/instruments-info", "category=linear&status=PreLaunch")["list"] == []
    first = get("/v5/market/instruments-info", "category=linear&limit=2")
    rest = get("/v5/market/instruments-info", f"category=linear&limit=2&cursor={first['nextPageCursor']}")
    assert [row["symbol"] for row in first["list"] + rest["list"]] == symbols[:4]
    assert "nextPageCursor" not in get("/v5/market/instruments-info", "category=spot")
    book = get("/v5/market/orderbook", "category=linear&symbol=BTCUSDT&limit=5")
    assert len(book["b"]) == len(book["a"]) == 5
    assert float(book["b"][0][0]) < float(book["a"][0][0])
    assert len(get("/v5/market/orderbook", "category=spot&symbol=BTCUSDT")["b"]) == 1
    ticker = get("/v5/market/tickers", "category=linear&symbol=BTCUSDT")["list"][0]
    assert ticker["openInterestValue"]
    assert "openInterestValue" not in get("/v5/market/tickers", "category=spot&symbol=BTCUSDT")["list"][0]
    limits = get("/v5/market/price-limit", "symbol=BTCUSDT")
    assert float(limits["sellLmt"]) < float(ticker["markPrice"]) < float(limits["buyLmt"])
    trades = poll_until(
        lambda: get("/v5/market/recent-trade", "category=linear&symbol=BTCUSDT&limit=3")["list"]
    )
    assert [t["time"] for t in trades] == sorted((t["time"] for t in trades), reverse=True)
    candle = get("/v5/market/kline", "category=linear&symbol=BTCUSDT&interval=1")["list"][0]
    assert len(candle) == 7
    assert float(candle[3]) <= float(candle[4]) <= float(candle[2])


def test_an_address_that_asks_too_often_is_shut_out():
    options = SandboxOptions(credentials=KEYS[:1], address_requests_max=5, flow=FlowSettings(frozen=True))
    with venue_in_thread(options) as server:
        client = RawClient(server.rest_url, KEYS[0])
        for _ in range(5):
            client.get("/v5/market/time", signed=False)
        for _ in range(2):
            with pytest.raises(urllib.error.HTTPError) as caught:
                client.get("/v5/market/time", signed=False)
            with caught.value as error:
                assert error.code == 403
