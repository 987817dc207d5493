"""pybit, unmodified, uses everything an account has: modes, stops, batches, inverse, settings, records."""

from decimal import Decimal

import pybit.exceptions
import pytest

from tests.sandbox.venue_support import poll_until

BTC = {"category": "linear", "symbol": "BTCUSDT"}
INVERSE = {"category": "inverse", "symbol": "BTCUSD"}


def refused(call, **arguments):
    with pytest.raises(pybit.exceptions.InvalidRequestError) as caught:
        call(**arguments)
    return caught.value.status_code


def last(http, **symbol):
    return Decimal(http.get_tickers(**symbol)["result"]["list"][0]["lastPrice"])


def test_hedge_mode(http):
    assert http.switch_position_mode(**BTC, mode=3)["retCode"] == 0
    assert refused(http.switch_position_mode, **BTC, mode=3) == 110025
    order = {**BTC, "orderType": "Market", "qty": "0.01"}
    assert refused(http.place_order, **order, side="Buy") == 10001
    http.place_order(**order, side="Buy", positionIdx=1)
    http.place_order(**order, side="Sell", positionIdx=2)
    rows = http.get_positions(**BTC)["result"]["list"]
    assert [(row["positionIdx"], row["side"], row["size"]) for row in rows] == [
        (1, "Buy", "0.01"),
        (2, "Sell", "0.01"),
    ]
    assert refused(http.switch_position_mode, **BTC, mode=0) == 110024
    http.place_order(**order, side="Sell", positionIdx=1, reduceOnly=True)
    http.place_order(**order, side="Buy", positionIdx=2, reduceOnly=True)
    http.switch_position_mode(**BTC, mode=0)


def test_an_inverse_contract_from_book_to_closed_profit(http, sockets):
    heard = []
    socket = sockets("inverse")
    socket.orderbook_stream(50, "BTCUSD", heard.append)
    poll_until(lambda: heard)
    ticker = http.get_tickers(**INVERSE)["result"]["list"][0]
    assert {ticker[name] for name in ("markPrice", "indexPrice", "openInterestValue")} - {""}
    http.place_order(**INVERSE, side="Buy", orderType="Market", qty="1000")
    (position,) = http.get_positions(**INVERSE)["result"]["list"]
    assert (position["side"], position["size"]) == ("Buy", "1000")
    assert Decimal(position["positionValue"]) == pytest.approx(
        1000 / last(http, **INVERSE), rel=Decimal("0.01")
    )
    http.place_order(**INVERSE, side="Sell", orderType="Market", qty="1000", reduceOnly=True)
    (row,) = http.get_closed_pnl(**INVERSE)["result"]["list"]
    assert abs(Decimal(row["closedPnl"])) < Decimal("0.001")
    log = http.get_transaction_log(accountType="UNIFIED", category="inverse")["result"]["list"]
    assert {entry["currency"] for entry in log} == {"BTC"}


def test_stops_and_conditional_orders(http, key):
    px = last(http, **BTC)
    http.place_order(
        **BTC,
        side="Buy",
        orderType="Market",
        qty="0.01",
        takeProfit=str(px + 3000),
        stopLoss=str(px - 3000),
    )
    (position,) = http.get_positions(**BTC)["result"]["list"]
    assert Decimal(position["takeProfit"]) == px + 3000
    http.set_trading_stop(**BTC, positionIdx=0, stopLoss="0", tpslMode="Full")
    link = f"{key.key}-cond"
    conditional = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": str(px)}
    http.place_order(**conditional, triggerPrice=str(px + 5000), triggerDirection=1, orderLinkId=link)
    assert refused(http.place_order, **conditional, triggerPrice=str(px - 5000), triggerDirection=1) == 110092
    rows = http.get_open_orders(**BTC, orderFilter="StopOrder")["result"]["list"]
    assert {row["stopOrderType"] for row in rows} == {"TakeProfit", "Stop"}
    http.cancel_order(**BTC, orderLinkId=link)
    http.cancel_all_orders(**BTC)
    assert http.get_open_orders(**BTC)["result"]["list"] == []


def test_settings_of_the_account(http):
    assert http.set_margin_mode(setMarginMode="ISOLATED_MARGIN")["retCode"] == 0
    assert http.get_account_info()["result"]["marginMode"] == "ISOLATED_MARGIN"
    assert http.query_dcp_info()["result"] == {"dcpInfos": []}
    assert refused(http.set_leverage, **BTC, buyLeverage="500", sellLeverage="500") == 110013
    check = http.pre_check_order(**BTC, side="Buy", orderType="Limit", qty="0.01", price="60000")
    assert check["result"]["postImrE4"] >= check["result"]["preImrE4"]
    assert http.get_fee_rates(category="spot")["result"]["category"] == "spot"


def test_a_coarse_step_has_coarse_orders(http):
    px = last(http, category="linear", symbol="DOGEUSDT")
    order = {"category": "linear", "symbol": "DOGEUSDT", "side": "Buy", "orderType": "Limit"}
    price = f"{px * Decimal('0.995'):.5f}"
    assert refused(http.place_order, **order, qty="1000.5", price=price) == 10001
    assert http.place_order(**order, qty="1000", price=price)["retCode"] == 0
    assert refused(http.place_order, **order, qty="3", price=price) == 110094


def test_rules_that_change_are_read_again(http, control):
    symbol = {"category": "linear", "symbol": "SOLUSDT"}
    try:
        control("POST", "/_ex", {"do": "instrument", **symbol, "tickSize": "0.050", "status": "Closed"})
        rows = http.get_instruments_info(category="linear")["result"]["list"]
        assert "SOLUSDT" not in {row["symbol"] for row in rows}
        order = {**symbol, "side": "Buy", "orderType": "Limit", "qty": "1", "price": "149"}
        assert refused(http.place_order, **order) == 110074
        control("POST", "/_ex", {"do": "instrument", **symbol, "status": "Trading"})
        (row,) = http.get_instruments_info(**symbol)["result"]["list"]
        assert row["priceFilter"]["tickSize"] == "0.050"
        book = poll_until(lambda: http.get_orderbook(**symbol, limit=20)["result"]["b"])
        assert all(Decimal(px) % Decimal("0.05") == 0 for px, _ in book)
    finally:
        control("POST", "/_ex", {"do": "instrument", **symbol, "tickSize": "0.010", "status": "Trading"})
