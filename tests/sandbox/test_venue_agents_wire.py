"""Agents in a process of their own, and pybit beside them: all that the venue says of one market agrees."""

import os
import signal
import sys

import pytest

from sandbox.bybit_server import SandboxOptions
from sandbox.bybit_server.agents_market import AgentsCall
from tests.sandbox.venue_support import KEYS, poll_until, venue_in_thread

BTC = {"category": "linear", "symbol": "BTCUSDT"}
PAGE = 1_000
"""Most trades that the venue gives in one answer."""


@pytest.fixture(scope="module")
def said():
    return []


@pytest.fixture(scope="module")
def venue(said):
    play = (sys.executable, "-m", "backtest.market.venue_agents", "--scenario", "execution", "--seed", "3")
    options = SandboxOptions(
        credentials=KEYS, address_requests_max=0, agents=AgentsCall(command=play, pace=10, say=said.append)
    )
    with venue_in_thread(options) as server:
        yield server


def levels(rows):
    return [(float(px), float(qty)) for px, qty in rows]


def told_book(data):
    """Levels of a book of the stream, the best first; pybit puts a delta where it likes."""
    return sorted(levels(data["b"]), reverse=True), sorted(levels(data["a"]))


@pytest.mark.process
@pytest.mark.timeout(120)
def test_all_that_is_said_of_the_market_agrees_and_it_outlives_its_agents(
    venue, said, http, sockets, control, key
):
    heard = {"book": [], "trades": [], "ticker": [], "candles": []}
    stream = sockets("linear")
    stream.orderbook_stream(200, "BTCUSDT", heard["book"].append)
    stream.trade_stream("BTCUSDT", heard["trades"].append)
    stream.ticker_stream("BTCUSDT", heard["ticker"].append)
    stream.kline_stream(1, "BTCUSDT", heard["candles"].append)
    first = http.get_orderbook(**BTC, limit=1)["result"]
    poll_until(lambda: all(heard.values()))
    bought = http.place_order(**BTC, side="Buy", orderType="Market", qty="0.030", orderLinkId="from-pybit")
    order = http.get_open_orders(**BTC, orderId=bought["result"]["orderId"])["result"]["list"][0]
    assert (order["orderStatus"], order["cumExecQty"]) == ("Filled", "0.030")
    assert float(order["avgPrice"]) > float(first["b"][0][0])

    def rests():
        """Wait at the best bid; it may have fallen meanwhile."""
        px = http.get_orderbook(**BTC, limit=1)["result"]["b"][0][0]
        ack = http.place_order(
            **BTC, side="Buy", orderType="Limit", timeInForce="PostOnly", qty="0.005", price=px
        )
        name = {**BTC, "orderId": ack["result"]["orderId"]}
        return (
            name if http.get_open_orders(**name)["result"]["list"][0]["orderStatus"] != "Cancelled" else None
        )

    name = poll_until(rests)
    # Somebody sells to us in time: the agents live ten times as fast as we.
    order = poll_until(
        lambda: (
            (seen := http.get_open_orders(**name)["result"]["list"][0])["orderStatus"] == "Filled" and seen
        )
    )
    waits = order["price"]
    fills = http.get_executions(**name)["result"]["list"]
    assert {(fill["isMaker"], fill["execPrice"]) for fill in fills} == {(True, waits)}
    assert http.get_positions(**BTC)["result"]["list"][0]["size"] == "0.035"

    # Enough to be compared, however slow the machine is.
    poll_until(lambda: len(http.get_public_trade_history(**BTC, limit=PAGE)["result"]["list"]) > 20)
    poll_until(lambda: sum(len(message["data"]) for message in heard["trades"]) > 10)
    control("POST", "/_ex", {"do": "freeze", "on": True})
    book = http.get_orderbook(**BTC, limit=200)["result"]
    bids, asks = levels(book["b"]), levels(book["a"])
    assert bids[0][0] < asks[0][0]
    poll_until(lambda: told_book(heard["book"][-1]["data"]) == (bids, asks))
    trades = http.get_public_trade_history(**BTC, limit=PAGE)["result"]["list"]
    assert len(trades) > 20
    prints = {trade["execId"]: (trade["side"], trade["price"], trade["size"]) for trade in trades}
    assert {prints[fill["execId"]] for fill in fills} == {("Sell", waits, fill["execQty"]) for fill in fills}
    # A slow machine has seen more trades than one page holds: what is older than its first instant is on none.
    begins_ms = 0 if len(trades) < PAGE else int(trades[-1]["time"]) + 1
    told = {trade["i"] for message in heard["trades"] for trade in message["data"] if trade["T"] >= begins_ms}
    assert len(told & {trade["execId"] for trade in trades}) == len(told) > 10
    candles = http.get_kline(**BTC, interval=1, limit=1000)["result"]["list"]
    volumes, prices = {}, {}
    for trade in reversed(trades):
        minute = int(trade["time"]) // 60_000 * 60_000
        volumes[minute] = volumes.get(minute, 0.0) + float(trade["size"])
        prices.setdefault(minute, []).append(float(trade["price"]))
    for start, *ohlc, volume, _ in candles:
        if int(start) < begins_ms:
            continue
        seen = prices.get(int(start), [])
        assert float(volume) == pytest.approx(volumes.get(int(start), 0.0))
        if seen:
            assert [float(px) for px in ohlc] == [seen[0], max(seen), min(seen), seen[-1]]
    ticker = http.get_tickers(**BTC)["result"]["list"][0]
    assert (float(ticker["bid1Price"]), float(ticker["bid1Size"])) == bids[0]
    assert (float(ticker["ask1Price"]), float(ticker["ask1Size"])) == asks[0]
    assert ticker["lastPrice"] == trades[0]["price"]
    assert bids[0][0] <= float(ticker["markPrice"]) <= asks[0][0]
    traded = sum(float(trade["size"]) for trade in trades)
    assert float(ticker["volume24h"]) == pytest.approx(traded) or (
        begins_ms and float(ticker["volume24h"]) > traded
    )
    control("POST", "/_ex", {"do": "freeze", "on": False})

    # The agents' process is killed: it is said, and whoever is left can trade.
    os.kill(control("POST", "/_ex", {"do": "agents"})["agents"][0]["pid"], signal.SIGKILL)
    # On a slow machine it was said before that they are behind.
    poll_until(
        lambda: [line for line in said if line.startswith("the agents ended with exit code -9; their ")]
    )
    (state,) = control("POST", "/_ex", {"do": "agents"})["agents"]
    assert state["ended"] == "ended with exit code -9"
    rest = http.place_order(**BTC, side="Buy", orderType="Limit", qty="0.1", price=waits)
    assert rest["retCode"] == 0
    assert http.get_orderbook(**BTC, limit=50)["result"]["b"] == [[waits, "0.100"]]
