"""Public topics and queries beyond the book: candles, liquidations, price limits, notices, refusals."""

import asyncio
import urllib.error
from contextlib import asynccontextmanager
from itertools import pairwise

import ccxt.pro
import pytest

from sandbox.bybit_server.clock import SystemClock, now_ms
from tests.sandbox.venue_support import poll_until
from tests.sandbox.venue_talk import talk_to

SYMBOL = "BTC/USDT:USDT"


@asynccontextmanager
async def ccxt_for(venue, key):
    sockets = {name: f"{venue.ws_url}/v5/public/{name}" for name in ("spot", "linear", "inverse", "option")}
    places = dict.fromkeys(("spot", "futures", "v2", "public", "private"), venue.rest_url)
    exchange = ccxt.pro.bybit(
        {
            "apiKey": key.key,
            "secret": key.secret,
            "urls": {"api": {**places, "ws": {"public": sockets}}},
            "options": {"fetchMarkets": {"types": ["linear"]}},
        }
    )
    try:
        yield exchange
    finally:
        await exchange.close()


@pytest.fixture
def act(control):
    """Calls the control plane from a coroutine."""

    async def call(what, **fields):
        return await asyncio.to_thread(control, "POST", "/_ex", {"do": what, **fields})

    return call


def is_topic(topic):
    return lambda message: message.get("topic") == topic


@pytest.mark.parametrize("category", ["linear", "spot", "inverse"])
async def test_candles_are_pushed_while_people_trade(venue, category):
    symbol = next(symbol for kind, symbol in venue.exchange.markets if kind == category)
    async with talk_to(venue, f"/v5/public/{category}") as talk:
        topic = f"kline.5.{symbol}"
        assert (await talk.subscribe(topic))["success"]
        message = await talk.hear(is_topic(topic))
        row = message["data"][0]
        assert (message["type"], row["interval"], row["confirm"]) == ("snapshot", "5", False)
        assert row["end"] - row["start"] == 5 * 60_000 - 1
        assert row["start"] % 300_000 == 0
        assert float(row["low"]) <= float(row["close"]) <= float(row["high"])
        assert message["ts"] == row["timestamp"]


async def test_price_limits_come_three_times_a_second(venue):
    async with talk_to(venue, "/v5/public/linear") as talk:
        await talk.subscribe("priceLimit.BTCUSDT")
        messages = [await talk.hear(is_topic("priceLimit.BTCUSDT")) for _ in range(3)]
        data = messages[-1]["data"]
        assert float(data["sellLmt"]) < float(venue.exchange.markets["linear", "BTCUSDT"].mark_px)
        assert float(data["buyLmt"]) > float(data["sellLmt"])
        assert messages[2]["ts"] - messages[1]["ts"] >= 290


async def test_a_liquidation_is_told_to_those_who_asked(venue, act):
    async with talk_to(venue, "/v5/public/linear") as talk:
        await talk.subscribe("allLiquidation.ETHUSDT")
        event = {"symbol": "ETHUSDT", "side": "Buy", "qty": "1.5", "price": "3100"}
        await act("liquidation", **event)
        await act("liquidation", **{**event, "symbol": "BTCUSDT"})
        message = await talk.hear(is_topic("allLiquidation.ETHUSDT"))
        (row,) = message["data"]
        assert message["type"] == "snapshot"
        assert {name: row[name] for name in "sSvp"} == {
            "s": "ETHUSDT",
            "S": "Buy",
            "v": "1.50",
            "p": "3100.00",
        }
        assert await talk.hears_nothing(0.6)


async def test_a_liquidated_client_is_public_news(venue, act, raw):
    order = {"category": "linear", "symbol": "XRPUSDT", "side": "Buy", "orderType": "Market", "qty": "100"}
    assert (await asyncio.to_thread(raw.post, "/v5/order/create", order))["retCode"] == 0
    async with talk_to(venue, "/v5/public/linear") as talk:
        await talk.subscribe("allLiquidation.XRPUSDT")
        await act("liquidate", symbol="XRPUSDT", uid=raw.key.uid, price="0.5")
        (row,) = (await talk.hear(is_topic("allLiquidation.XRPUSDT")))["data"]
        assert (row["S"], float(row["v"]), float(row["p"])) == ("Buy", 100, 0.5)


@pytest.mark.parametrize(
    "event",
    [
        {"symbol": "NOPE", "side": "Buy", "qty": "1", "price": "1"},
        {"symbol": "BTCUSDT", "side": "Long", "qty": "1", "price": "1"},
        {"symbol": "BTCUSDT", "side": "Buy", "qty": "-1", "price": "1"},
        {"symbol": "BTCUSDT", "category": "spot", "side": "Buy", "qty": "1", "price": "1"},
    ],
)
def test_a_liquidation_that_cannot_be_is_refused(control, event):
    with pytest.raises(urllib.error.HTTPError) as caught:
        control("POST", "/_ex", {"do": "liquidation", **event})
    with caught.value as error:
        assert error.code == 400


async def test_maintenance_is_announced_and_refuses_orders(venue, act, raw, key):
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.001"}
    async with talk_to(venue, "/v5/public/misc/status") as talk:
        assert (await talk.subscribe("system.status"))["success"]
        assert not (await talk.subscribe("tickers.BTCUSDT"))["success"]
        window = {"begin_ms": 1_700_000_000_000, "end_ms": 1_700_000_600_000}
        await act("maintenance", id="m1", state="scheduled", title="Upgrade", refuse=True, **window)
        message = await talk.hear(is_topic("system.status"))
        assert message["data"][0] == {
            "id": "m1",
            "title": "Upgrade",
            "state": "scheduled",
            "begin": "1700000000000",
            "end": "1700000600000",
            "href": "",
            "serviceTypes": [2, 3, 4, 5],
            "product": [1, 2],
            "uidSuffix": [],
            "maintainType": 1,
            "env": 1,
        }
        assert (await asyncio.to_thread(raw.post, "/v5/order/create", order))["retCode"] == 0
        await act("maintenance", id="m1", state="ongoing", refuse=True)
        assert (await talk.hear(is_topic("system.status")))["data"][0]["state"] == "ongoing"
        assert (await asyncio.to_thread(raw.post, "/v5/order/create", order))["retCode"] == 10016
        query = "category=linear&symbol=BTCUSDT"
        assert (await asyncio.to_thread(raw.get, "/v5/order/realtime", query))["retCode"] == 0
        listed = await asyncio.to_thread(raw.get, "/v5/system/status", "state=ongoing", signed=False)
        assert [row["id"] for row in listed["result"]["list"]] == ["m1"]
        async with talk_to(venue, "/v5/trade") as trade:
            await trade.authenticate(key)
            header = {"X-BAPI-TIMESTAMP": now_ms(SystemClock())}
            ack = await trade.ask(op="order.create", header=header, args=[order])
            assert ack["retCode"] == 10016
        await act("maintenance", id="m1", state="completed", refuse=True)
        assert (await asyncio.to_thread(raw.post, "/v5/order/create", order))["retCode"] == 0


async def test_options_are_refused_in_their_own_words(venue):
    async with talk_to(venue, "/v5/public/option") as talk:
        pong = await talk.ask(op="ping", req_id="x")
        assert set(pong) == {"op", "args"}
        answer = await talk.subscribe("orderbook.25.BTC-1JAN30-50000-C")
        assert (answer["success"], answer["type"]) == (False, "COMMAND_RESP")
        assert answer["data"] == {"failTopics": ["orderbook.25.BTC-1JAN30-50000-C"], "successTopics": []}


@pytest.mark.parametrize(
    "topic",
    [
        "kline.7.BTCUSDT",
        "kline.BTCUSDT",
        "kline.1.NOPE",
        "priceLimit.NOPE",
        "tickers.1.BTCUSDT",
        "orderbook.050.BTCUSDT",
        "publicTrade.btcusdt",
        "system.status",
    ],
)
async def test_topics_that_do_not_exist(venue, topic):
    async with talk_to(venue, "/v5/public/linear") as talk:
        answer = await talk.subscribe(topic)
        assert (answer["success"], answer["ret_msg"]) == (False, f"error:handler not found,topic:{topic}")


async def test_a_topic_twice_in_one_request_is_once_too_often(venue):
    async with talk_to(venue, "/v5/public/spot") as talk:
        answer = await talk.subscribe("tickers.BTCUSDT", "tickers.BTCUSDT")
        assert answer["ret_msg"] == "error:already subscribed,topic:tickers.BTCUSDT"
        assert not (await talk.subscribe("allLiquidation.BTCUSDT"))["success"]


def test_the_market_goes_on_when_the_clock_is_set_back(venue, control):
    control("POST", "/_ex", {"do": "clock", "offset_ms": 60_000})
    market = venue.exchange.markets["linear", "BTCUSDT"]
    seq = market.seq
    poll_until(lambda: market.seq > seq)
    control("POST", "/_ex", {"do": "clock", "offset_ms": 0})
    seq = market.seq
    poll_until(lambda: market.seq > seq + 10)


def test_pybit_reads_the_market(http, venue):
    btc = {"category": "linear", "symbol": "BTCUSDT"}
    for call in (http.get_kline, http.get_mark_price_kline, http.get_index_price_kline):
        for interval in ("1", "5", 720, "D", "W", "M"):
            rows = poll_until(lambda call=call, i=interval: call(**btc, interval=i)["result"]["list"])
            starts = [int(row[0]) for row in rows]
            assert starts == sorted(starts, reverse=True)
            assert float(rows[0][3]) <= float(rows[0][4]) <= float(rows[0][2])
    assert http.get_kline(**btc, interval="1", end=1)["result"]["list"] == []
    funding = http.get_funding_rate_history(**btc, limit=3)["result"]["list"]
    stamps = [int(row["fundingRateTimestamp"]) for row in funding]
    assert [stamps[0] - stamp for stamp in stamps] == [0, 8 * 3_600_000, 16 * 3_600_000]
    until = http.get_funding_rate_history(**btc, endTime=stamps[1], limit=1)["result"]["list"]
    assert [int(row["fundingRateTimestamp"]) for row in until] == [stamps[1]]
    assert http.get_insurance(coin="USDT")["result"]["list"][0]["coin"] == "USDT"
    assert http.get_announcement(locale="en-US")["result"] == {"total": 0, "list": []}
    assert http.get_system_status()["result"]["list"] == []
    for category in ("linear", "spot", "inverse"):
        listed = {row["symbol"] for row in http.get_tickers(category=category)["result"]["list"]}
        assert listed == {symbol for kind, symbol in venue.exchange.markets if kind == category}
    for symbol in ("BTCUSDT", "ETHUSDT"):
        trades = http.get_public_trade_history(category="linear", symbol=symbol, limit=5)["result"]["list"]
        assert len(trades) <= 5


def test_open_interest_is_paged_without_overlap(http):
    query = {"category": "linear", "symbol": "BTCUSDT", "intervalTime": "5min", "limit": 3}
    first = http.get_open_interest(**query)["result"]
    second = http.get_open_interest(**query, cursor=first["nextPageCursor"])["result"]
    stamps = [int(row["timestamp"]) for row in first["list"] + second["list"]]
    assert [earlier - later for earlier, later in pairwise(stamps)] == [300_000] * 5
    row = first["list"][0]
    assert float(row["openInterest"]) == pytest.approx(2 * float(row["singleOpenInterest"]))


def test_funding_with_a_start_alone_is_refused(raw):
    query = "category=linear&symbol=BTCUSDT&startTime=1"
    assert raw.get("/v5/market/funding/history", query, signed=False)["retCode"] == 10001
    assert (
        raw.get("/v5/market/funding/history", "category=spot&symbol=BTCUSDT", signed=False)["retCode"]
        == 10001
    )


def test_pybit_hears_every_topic(sockets, control):
    heard = {}

    def collect(name):
        return lambda message: heard.setdefault(name, []).append(message)

    linear, spot, status = sockets("linear"), sockets("spot"), sockets("misc/status")
    linear.kline_stream(1, "BTCUSDT", collect("kline"))
    linear.price_limit_stream("BTCUSDT", collect("limit"))
    linear.all_liquidation_stream("BTCUSDT", collect("liquidation"))
    linear.orderbook_stream(1000, "BTCUSDT", collect("book"))
    spot.orderbook_stream(200, "BTCUSDT", collect("spot book"))
    spot.kline_stream(60, "BTCUSDT", collect("spot kline"))
    status.system_status_stream(collect("status"))
    liquidation = {"symbol": "BTCUSDT", "side": "Sell", "qty": "0.1", "price": "70000"}

    def all_heard():
        control("POST", "/_ex", {"do": "liquidation", **liquidation})
        control("POST", "/_ex", {"do": "maintenance", "state": "scheduled"})
        return len(heard) == 7

    poll_until(all_heard)
    assert heard["liquidation"][0]["data"][0]["S"] == "Sell"
    assert heard["status"][0]["data"][0]["state"] == "scheduled"


async def test_ccxt_reads_and_watches_the_market(venue, key, act):
    async with ccxt_for(venue, key) as exchange:
        await exchange.load_markets()
        candles = await exchange.fetch_ohlcv(SYMBOL, "1m", limit=5)
        stamps = [candle[0] for candle in candles]
        assert stamps == sorted(stamps)
        marks = await exchange.fetch_ohlcv(SYMBOL, "5m", params={"price": "mark"})
        assert marks[-1][2] >= marks[-1][3]
        rates = await exchange.fetch_funding_rate_history(SYMBOL, limit=2)
        assert [rate["fundingRate"] for rate in rates] == [0.0001, 0.0001]
        interest = await exchange.fetch_open_interest_history(SYMBOL, "5m", limit=3)
        assert len(interest) == 3
        tickers = await exchange.fetch_tickers([SYMBOL, "ETH/USDT:USDT"])
        assert tickers[SYMBOL]["last"] > tickers["ETH/USDT:USDT"]["last"]
        assert (await exchange.watch_ohlcv(SYMBOL, "1m"))[-1][4] > 0
        ticker = await exchange.watch_ticker(SYMBOL)
        assert ticker["bid"] < ticker["ask"]
        watching = asyncio.create_task(
            exchange.watch_liquidations(SYMBOL, params={"method": "allLiquidation"})
        )
        event = {"symbol": "BTCUSDT", "side": "Buy", "qty": "0.5", "price": "60000"}
        async with asyncio.timeout(30):
            while not watching.done():
                await act("liquidation", **event)
                await asyncio.wait({watching}, timeout=0.2)
        (liquidation,) = (await watching)[:1]
        assert (liquidation["contracts"], liquidation["price"]) == (0.5, 60000)
