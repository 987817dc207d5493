"""pybit, unmodified, lives with the venue: REST, all sockets, and the way it fails."""

import pybit.exceptions
import pytest

from tests.sandbox.venue_support import poll_until

BTC = {"category": "linear", "symbol": "BTCUSDT"}


def touch(http):
    book = http.get_orderbook(**BTC)["result"]
    return float(book["b"][0][0]), float(book["a"][0][0])


def refused(call, **arguments):
    with pytest.raises(pybit.exceptions.InvalidRequestError) as caught:
        call(**arguments)
    return caught.value.status_code


def test_a_working_day_on_rest(http, key):
    assert http.get_server_time()["retCode"] == 0
    for category, count in (("linear", 3), ("spot", 1), ("inverse", 0)):
        assert len(http.get_instruments_info(category=category)["result"]["list"]) == count
    bid, _ = touch(http)
    link_id = f"{key.key}-py"
    limit = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.010", "orderLinkId": link_id}
    http.place_order(**limit, price=f"{bid - 100:.1f}", timeInForce="PostOnly", positionIdx=0)
    assert refused(http.place_order, **limit, price=f"{bid - 100:.1f}") == 110072
    http.amend_order(**BTC, orderLinkId=link_id, qty="0.020")
    (order,) = http.get_open_orders(**BTC)["result"]["list"]
    assert (order["qty"], order["orderStatus"], order["timeInForce"]) == ("0.020", "New", "PostOnly")
    http.cancel_order(**BTC, orderLinkId=link_id)
    assert refused(http.cancel_order, **BTC, orderLinkId=link_id) == 110001
    assert http.get_open_orders(**BTC)["result"]["list"] == []
    assert http.get_order_history(**BTC)["result"]["list"][0]["orderStatus"] == "Cancelled"
    http.place_order(**BTC, side="Sell", orderType="Market", qty="0.03", orderLinkId=f"{link_id}2")
    fills = http.get_executions(**BTC)["result"]["list"]
    assert sum(float(fill["execQty"]) for fill in fills) == pytest.approx(0.03)
    (position,) = http.get_positions(**BTC)["result"]["list"]
    assert (position["side"], position["size"]) == ("Sell", "0.03")
    balance = http.get_wallet_balance(accountType="UNIFIED", coin="USDT,USDC")["result"]["list"][0]
    assert 0 < float(balance["totalAvailableBalance"]) < float(balance["totalEquity"])
    leverage = {"buyLeverage": "7", "sellLeverage": "7"}
    http.set_leverage(**BTC, **leverage)
    assert refused(http.set_leverage, **BTC, **leverage) == 110043
    assert refused(http.switch_position_mode, **BTC, mode=0) == 110025
    assert http.get_fee_rates(**BTC)["result"]["list"][0]["takerFeeRate"] == "0.00055"
    assert http.cancel_all_orders(category="linear", settleCoin="USDT")["result"]["success"] == "1"


def test_the_rate_limit_is_waited_out_by_pybit_itself(http):
    """Its default is to sleep until the reset stamp: with a stamp in the past it would crash."""
    http.retry_codes = {10006}
    http.max_retries = 3
    for _ in range(7):
        assert http.get_fee_rates(**BTC)["retCode"] == 0


def test_public_streams(sockets):
    heard = {}

    def collect(name):
        return lambda message: heard.setdefault(name, []).append(message)

    socket = sockets("linear")
    for depth in (1, 50, 200):
        socket.orderbook_stream(depth, "BTCUSDT", collect(depth))
    socket.trade_stream("BTCUSDT", collect("trade"))
    socket.ticker_stream("BTCUSDT", collect("ticker"))
    poll_until(lambda: all(len(heard.get(name, ())) > 3 for name in (1, 50, 200, "trade", "ticker")))
    book = heard[50][-1]["data"]
    assert max(float(px) for px, _ in book["b"]) < min(float(px) for px, _ in book["a"])
    assert socket.is_connected()


def test_private_streams(http, sockets, key):
    heard = {}

    def collect(name):
        return lambda message: heard.setdefault(name, []).append(message["data"][0])

    socket = sockets("private")
    socket.order_stream(collect("order"))
    socket.execution_stream(collect("execution"))
    socket.fast_execution_stream(collect("fast"))
    socket.position_stream(collect("position"))
    socket.wallet_stream(collect("wallet"))
    poll_until(lambda: len(socket.callback_directory) == 5 and socket.auth)
    link_id = f"{key.key}-priv"
    topics = ("order", "execution", "fast", "position", "wallet")
    order = {**BTC, "side": "Buy", "orderType": "Market", "qty": "0.002"}
    numbers = iter(range(100))

    def all_heard():
        if set(heard) != set(topics):
            http.place_order(**order, orderLinkId=f"{link_id}{next(numbers)}")
        return set(heard) >= set(topics)

    poll_until(all_heard)
    assert heard["order"][0]["orderStatus"] == "Filled"
    assert heard["execution"][0]["orderLinkId"].startswith(link_id)
    assert heard["fast"][0]["execId"] == heard["execution"][0]["execId"]


def test_trade_socket(sockets, http, key):
    heard = []
    socket = sockets("trade")
    order = {**BTC, "side": "Buy", "orderType": "Limit", "price": "64500", "orderLinkId": f"{key.key}-ws"}
    for n in range(5):
        socket.place_order(heard.append, **order | {"qty": "0.001", "orderLinkId": f"{key.key}-ws{n}"})
    poll_until(lambda: len(heard) == 5)
    assert {ack["retCode"] for ack in heard} == {0}
    socket.amend_order(heard.append, **BTC, orderLinkId=f"{key.key}-ws0", qty="0.003")
    socket.cancel_order(heard.append, **BTC, orderLinkId=f"{key.key}-ws1")
    poll_until(lambda: len(heard) == 7)
    rows = http.get_open_orders(**BTC)["result"]["list"]
    assert sorted(row["qty"] for row in rows) == ["0.001", "0.001", "0.001", "0.003"]


def test_pybit_reconnects_after_a_cut(sockets, control):
    heard = []
    socket = sockets("linear", retries=0)
    socket.orderbook_stream(50, "ETHUSDT", heard.append)
    poll_until(lambda: heard)
    control("POST", "/_ex", {"do": "cut_public"})
    count = len(heard)
    poll_until(lambda: len(heard) > count + 3)
