"""Rows about the account: wallet, fees, settings, key, disconnection protection, and the passing of funding."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from tests.conformance.calls import REFUSED, Rows
from tests.conformance.rows_conditional import ether_book, trade_down
from tests.conformance.rows_linear import order_of, placed
from tests.conformance.stage import (
    BTC,
    BTC_INVERSE,
    BTC_SWAP,
    ETH,
    FLOATS,
    INVERSE,
    SPOT,
    XRP,
    XRP_SWAP,
    Stage,
)
from tests.sandbox.venue_support import poll_until

ROWS = Rows("Account", "account")
LEVERAGE = "POST /v5/position/set-leverage"
WALLET = "GET /v5/account/wallet-balance"
DCP = "POST /v5/order/disconnected-cancel-all"


@ROWS.pybit("get_wallet_balance", WALLET)
def opening_balance(stage: Stage) -> None:
    """A million dollars and ten bitcoin; the totals in dollars are their sum; a comma separates coins unescaped."""
    (wallet,) = stage.http.get_wallet_balance(accountType="UNIFIED", coin="USDT,BTC")["result"]["list"]
    found = {entry["coin"]: entry for entry in wallet["coin"]}
    assert (D(found["USDT"]["walletBalance"]), D(found["BTC"]["walletBalance"])) == (1_000_000, 10)
    (whole,) = stage.http.get_wallet_balance(accountType="UNIFIED")["result"]["list"]
    assert D(whole["totalEquity"]) == sum(D(entry["usdValue"]) for entry in whole["coin"])
    assert whole["totalAvailableBalance"] == whole["totalEquity"] == wallet["totalEquity"]


@ROWS.pybit("get_wallet_balance", WALLET)
def open_profit_is_equity(stage: Stage) -> None:
    """A position's open profit moves equity, not the wallet balance."""
    stage.lay_book([("64990.0", "1")], [("64995.0", "1")], **BTC)
    placed(stage, side="Buy", orderType="Market", qty="1")
    (wallet,) = stage.http.get_wallet_balance(accountType="UNIFIED", coin="USDT")["result"]["list"]
    dollars = wallet["coin"][0]
    (position,) = stage.http.get_positions(**BTC)["result"]["list"]
    profit = D(position["markPrice"]) - 64995
    assert D(dollars["unrealisedPnl"]) == profit == D(position["unrealisedPnl"])
    assert D(dollars["equity"]) == D(dollars["walletBalance"]) + profit
    assert D(dollars["walletBalance"]) == 1_000_000 - 64995 * D("0.00055")


@ROWS.pybit("get_wallet_balance", WALLET, REFUSED)
def wallet_of_another_account_type(stage: Stage) -> None:
    """Only the unified account exists."""
    assert stage.refusal(stage.http.get_wallet_balance, accountType="CONTRACT")[0] == 10001


@ROWS.ccxt("fetch_balance", WALLET)
async def balance(stage: Stage, ccxt: Any) -> None:
    """Totals by coin; margin held by an open order is used, not free."""
    stage.btc_book()
    before = await ccxt.fetch_balance()
    assert (before["USDT"]["total"], before["BTC"]["total"]) == (1_000_000.0, 10.0)
    await ccxt.create_order(BTC_SWAP, "market", "buy", 0.01)
    after = await ccxt.fetch_balance()
    assert after["USDT"]["used"] == FLOATS(65, rel=0.01)
    assert after["USDT"]["total"] == FLOATS(1_000_000 - 0.01 * 65000.1 * 0.00055)


@ROWS.pybit("get_fee_rates", "GET /v5/account/fee-rate")
def fee_rates(stage: Stage) -> None:
    """Contracts cost 0.02 and 0.055 per cent, spot 0.1; only spot's answer names its category."""
    linear = stage.http.get_fee_rates(**BTC)["result"]
    spot = stage.http.get_fee_rates(**SPOT)["result"]
    inverse = stage.http.get_fee_rates(**INVERSE)["result"]
    assert linear["list"] == [{"symbol": "BTCUSDT", "takerFeeRate": "0.00055", "makerFeeRate": "0.0002"}]
    assert spot["list"] == [{"symbol": "BTCUSDT", "takerFeeRate": "0.001", "makerFeeRate": "0.001"}]
    assert inverse["list"][0]["takerFeeRate"] == "0.00055"
    assert ("category" in linear, spot["category"]) == (False, "spot")


@ROWS.ccxt("fetch_trading_fee", "GET /v5/account/fee-rate")
async def trading_fee(stage: Stage, ccxt: Any) -> None:
    """Maker and taker rate of one symbol."""
    fee = await ccxt.fetch_trading_fee(BTC_SWAP)
    assert (fee["symbol"], fee["maker"], fee["taker"]) == (BTC_SWAP, 0.0002, 0.00055)


@ROWS.ccxt("fetch_trading_fees", "GET /v5/account/fee-rate")
async def trading_fees(stage: Stage, ccxt: Any) -> None:
    """Rates of all contracts, by unified symbol; for spot the library does not ask."""
    fees = await ccxt.fetch_trading_fees({"category": "linear"})
    assert (fees[XRP_SWAP]["maker"], fees[XRP_SWAP]["taker"]) == (0.0002, 0.00055)
    await stage.ccxt_refusal("NotSupported", ccxt.fetch_trading_fees({"type": "spot"}))


@ROWS.pybit("get_account_info", "GET /v5/account/info")
def account_info(stage: Stage) -> None:
    """A unified account of the second generation in cross margin."""
    info = stage.http.get_account_info()["result"]
    assert info["unifiedMarginStatus"] in {5, 6}
    assert info["marginMode"] == "REGULAR_MARGIN"


@ROWS.pybit("get_api_key_information", "GET /v5/user/query-api")
def key_information(stage: Stage) -> None:
    """The key's own text, its user and its right to trade; nothing that can withdraw."""
    info = stage.http.get_api_key_information()["result"]
    assert (info["apiKey"], info["userID"], info["readOnly"], info["uta"]) == (
        stage.key.key,
        stage.key.uid,
        0,
        1,
    )
    assert "Order" in info["permissions"]["ContractTrade"]
    assert info["permissions"]["Wallet"] == []


@ROWS.ccxt("is_unified_enabled", "GET /v5/user/query-api")
async def unified_account(stage: Stage, ccxt: Any) -> None:
    """The library takes the account for a unified one."""
    assert await ccxt.is_unified_enabled() == [False, True]


@ROWS.pybit("get_coin_info", "GET /v5/asset/coin/query-info")
def coin_information(stage: Stage) -> None:
    """One coin asked for is one coin answered."""
    (row,) = stage.http.get_coin_info(coin="USDT")["result"]["rows"]
    assert row["coin"] == "USDT"


@ROWS.pybit("set_leverage", LEVERAGE)
def leverage(stage: Stage) -> None:
    """The new leverage shows in the position and quarters the margin that an order holds."""
    stage.btc_book()
    assert stage.http.set_leverage(**BTC, buyLeverage="40", sellLeverage="40")["result"] == {}
    (position,) = stage.http.get_positions(**BTC)["result"]["list"]
    assert position["leverage"] == "40"
    placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.010")
    (wallet,) = stage.http.get_wallet_balance(accountType="UNIFIED", coin="USDT")["result"]["list"]
    assert D(wallet["coin"][0]["totalOrderIM"]) == D("0.010") * 64000 / 40


@ROWS.pybit("set_leverage", LEVERAGE, REFUSED)
def leverage_refused(stage: Stage) -> None:
    """The same leverage again is 110043, more than the contract allows 110013, two sides that differ 10001."""
    same = {"buyLeverage": "10", "sellLeverage": "10"}
    assert stage.refusal(stage.http.set_leverage, **BTC, **same)[0] == 110043
    assert stage.refusal(stage.http.set_leverage, **XRP, buyLeverage="76", sellLeverage="76")[0] == 110013
    assert stage.refusal(stage.http.set_leverage, **BTC, buyLeverage="5", sellLeverage="6")[0] == 10001


@ROWS.ccxt("set_leverage", LEVERAGE)
async def leverage_set(stage: Stage, ccxt: Any) -> None:
    """The leverage set is the leverage fetched."""
    await ccxt.set_leverage(25, XRP_SWAP)
    found = await ccxt.fetch_leverage(XRP_SWAP)
    assert (found["longLeverage"], found["shortLeverage"]) == (25, 25)


@ROWS.ccxt("set_leverage", LEVERAGE, REFUSED)
async def leverage_not_modified(stage: Stage, ccxt: Any) -> None:
    """The same leverage again is BadRequest with 110043; an inverse contract beyond its limit is 110013."""
    assert "110043" in await stage.ccxt_refusal("BadRequest", ccxt.set_leverage(10, BTC_SWAP))
    assert "110013" in await stage.ccxt_refusal("BadRequest", ccxt.set_leverage(500, BTC_INVERSE))


@ROWS.pybit("set_margin_mode", "POST /v5/account/set-margin-mode")
def margin_mode(stage: Stage) -> None:
    """The account's margin mode is set and then shown; in portfolio margin leverage cannot be set: 110038."""
    stage.http.set_margin_mode(setMarginMode="ISOLATED_MARGIN")
    assert stage.http.get_account_info()["result"]["marginMode"] == "ISOLATED_MARGIN"
    stage.http.set_margin_mode(setMarginMode="PORTFOLIO_MARGIN")
    assert stage.refusal(stage.http.set_leverage, **BTC, buyLeverage="7", sellLeverage="7")[0] == 110038


@ROWS.ccxt("set_margin_mode", "POST /v5/account/set-margin-mode")
async def margin_mode_set(stage: Stage, ccxt: Any) -> None:
    """Cross and isolated map to the venue's words."""
    await ccxt.set_margin_mode("isolated")
    assert stage.http.get_account_info()["result"]["marginMode"] == "ISOLATED_MARGIN"
    await ccxt.set_margin_mode("cross")
    assert stage.http.get_account_info()["result"]["marginMode"] == "REGULAR_MARGIN"


@ROWS.pybit("set_limit_price_action", "POST /v5/account/set-limit-px-action")
def price_beyond_the_band_refused_on_wish(stage: Stage) -> None:
    """With ``modifyEnable`` off, a contract price beyond the band is refused as 110003 instead of moved."""
    stage.btc_book()
    stage.http.set_limit_price_action(category="linear", modifyEnable=False)
    order = {
        **BTC,
        "side": "Sell",
        "orderType": "Limit",
        "price": "60000",
        "qty": "0.01",
        "timeInForce": "PostOnly",
    }
    assert stage.refusal(stage.http.place_order, **order)[0] == 110003


@ROWS.pybit("set_dcp", DCP)
def disconnection_protection(stage: Stage) -> None:
    """A window set for derivatives is shown as text, for that product only; before, nothing is shown."""
    assert stage.http.query_dcp_info()["result"]["dcpInfos"] == []
    assert stage.http.set_dcp(product="DERIVATIVES", timeWindow=40)["retCode"] == 0
    infos = stage.http.query_dcp_info()["result"]["dcpInfos"]
    assert infos == [{"product": "DERIVATIVES", "dcpStatus": "ON", "timeWindow": "40"}]


@ROWS.pybit("set_dcp", DCP, REFUSED)
def disconnection_window_out_of_range(stage: Stage) -> None:
    """A window under 3 or over 300 seconds is a parameter error."""
    for window in (2, 301):
        assert stage.refusal(stage.http.set_dcp, product="DERIVATIVES", timeWindow=window)[0] == 10001


@ROWS.pybit("query_dcp_info", "GET /v5/account/query-dcp-info")
def disconnection_protection_of_every_product(stage: Stage) -> None:
    """Each product has a window of its own, and a new window takes the place of the old one."""
    stage.http.set_dcp(product="SPOT", timeWindow=10)
    stage.http.set_dcp(product="DERIVATIVES", timeWindow=20)
    stage.http.set_dcp(product="SPOT", timeWindow=30)
    infos = stage.http.query_dcp_info()["result"]["dcpInfos"]
    windows = {info["product"]: info["timeWindow"] for info in infos}
    assert windows == {"SPOT": "30", "DERIVATIVES": "20"}


@ROWS.ccxt("cancel_all_orders_after", DCP)
async def cancel_all_after(stage: Stage, ccxt: Any) -> None:
    """Milliseconds become the venue's seconds, for derivatives."""
    await ccxt.cancel_all_orders_after(30_000)
    (info,) = stage.http.query_dcp_info()["result"]["dcpInfos"]
    assert (info["product"], info["timeWindow"]) == ("DERIVATIVES", "30")


@ROWS.pybit("set_trading_stop", "POST /v5/position/trading-stop")
def stop_of_a_position(stage: Stage) -> None:
    """A stop loss set on a position shows there and closes it when the price falls to it."""
    ether_book(stage)
    placed(stage, ETH, side="Buy", orderType="Market", qty="0.5")
    stage.http.set_trading_stop(**ETH, tpslMode="Full", stopLoss="3496", positionIdx=0)
    (position,) = stage.http.get_positions(**ETH)["result"]["list"]
    assert D(position["stopLoss"]) == 3496
    trade_down(stage)
    poll_until(lambda: stage.http.get_positions(**ETH)["result"]["list"][0]["size"] == "0")
    fills = stage.http.get_executions(**ETH)["result"]["list"]
    assert (fills[0]["side"], fills[0]["stopOrderType"]) == ("Sell", "StopLoss")


@ROWS.pybit("set_trading_stop", "POST /v5/position/trading-stop", REFUSED)
def stop_that_cannot_be(stage: Stage) -> None:
    """A stop without a position is 10001, and the same stop twice is 34040."""
    ether_book(stage)
    stop = {**ETH, "tpslMode": "Full", "stopLoss": "3496", "positionIdx": 0}
    assert stage.refusal(stage.http.set_trading_stop, **stop)[0] == 10001
    placed(stage, ETH, side="Buy", orderType="Market", qty="0.5")
    stage.http.set_trading_stop(**stop)
    assert stage.refusal(stage.http.set_trading_stop, **stop)[0] == 34040


@ROWS.pybit("get_borrow_quota", "GET /v5/order/spot-borrow-check")
def what_the_balance_can_buy(stage: Stage) -> None:
    """A sale can be of ten bitcoin, less what an open sale has locked."""
    stage.spot_book()
    asked = {**SPOT, "side": "Sell"}
    assert D(stage.http.get_borrow_quota(**asked)["result"]["maxTradeQty"]) == 10
    placed(stage, SPOT, side="Sell", orderType="Limit", price="65100", qty="4")
    assert D(stage.http.get_borrow_quota(**asked)["result"]["maxTradeQty"]) == 6


@ROWS.pybit("get_order_history", "GET /v5/order/history")
def lost_cancel_race(stage: Stage) -> None:
    """An order that was filled before its cancellation stays Filled, and the cancellation is 110001."""
    stage.btc_book()
    order_id = placed(stage, side="Buy", orderType="Limit", price="65000", qty="0.01")
    stage.do("fill", orderId=order_id)
    assert stage.refusal(stage.http.cancel_order, **BTC, orderId=order_id)[0] == 110001
    assert order_of(stage, order_id)["orderStatus"] == "Filled"


@ROWS.pybit("get_account_instruments_info", "GET /v5/account/instruments-info")
def instruments_of_the_account(stage: Stage) -> None:
    """The account's own list of instruments has the steps of the public one."""
    (own,) = stage.http.get_account_instruments_info(**BTC)["result"]["list"]
    (public,) = stage.http.get_instruments_info(**BTC)["result"]["list"]
    assert (own["symbol"], own["lotSizeFilter"]["qtyStep"]) == ("BTCUSDT", public["lotSizeFilter"]["qtyStep"])
    assert own["priceFilter"]["tickSize"] == public["priceFilter"]["tickSize"]


@ROWS.pybit("pre_check_order", "POST /v5/order/pre-check")
def order_checked_beforehand(stage: Stage) -> None:
    """A check tells the margin rate before and after the order and makes no order."""
    stage.btc_book()
    order = {"side": "Buy", "orderType": "Limit", "price": "64000", "qty": "1"}
    rates = stage.http.pre_check_order(**BTC, **order)["result"]
    assert rates["preImrE4"] == 0 < rates["postImrE4"]
    assert stage.truth()["orders"] == []


@ROWS.pybit("get_closed_pnl", "GET /v5/position/closed-pnl")
def closed_profit(stage: Stage) -> None:
    """A closed trade is recorded with both average prices, its size and its profit after fees."""
    stage.lay_book([("65010", "1")], [("65020", "1")], **BTC)
    placed(stage, side="Buy", orderType="Market", qty="0.01")
    placed(stage, side="Sell", orderType="Market", qty="0.01", reduceOnly=True)
    (row,) = stage.http.get_closed_pnl(**BTC)["result"]["list"]
    assert (D(row["avgEntryPrice"]), D(row["avgExitPrice"]), D(row["closedSize"])) == (
        65020,
        65010,
        D("0.01"),
    )
    fees = D("0.01") * (65020 + 65010) * D("0.00055")
    assert D(row["closedPnl"]) == FLOATS(D("-0.1") - fees, abs=D("1E-8"))


@ROWS.pybit("get_transaction_log", "GET /v5/account/transaction-log")
def money_movements(stage: Stage) -> None:
    """The log's changes add up to the change of the wallet balance."""
    stage.btc_book()
    placed(stage, side="Buy", orderType="Market", qty="0.01")
    placed(stage, side="Sell", orderType="Market", qty="0.01")
    stage.do("funding", **BTC, rate="0.001")
    log = stage.http.get_transaction_log(accountType="UNIFIED", currency="USDT")["result"]["list"]
    (wallet,) = stage.http.get_wallet_balance(accountType="UNIFIED", coin="USDT")["result"]["list"]
    assert log
    assert sum(D(row["change"]) for row in log) == D(wallet["coin"][0]["walletBalance"]) - 1_000_000


@ROWS.ccxt("fetch_funding_history", "GET /v5/execution/list")
async def funding_payments(stage: Stage, ccxt: Any) -> None:
    """A funding payment of the account is found with its symbol and amount."""
    stage.btc_book()
    await ccxt.create_order(BTC_SWAP, "market", "buy", 0.02)
    stage.do("funding", **BTC, rate="0.001")
    (payment,) = await ccxt.fetch_funding_history(BTC_SWAP)
    assert (payment["symbol"], payment["code"]) == (BTC_SWAP, "USDT")
    assert payment["amount"] == FLOATS(0.02 * 65000 * 0.001, rel=0.02)


@ROWS.ccxt("fetch_my_liquidations", "GET /v5/execution/list")
async def liquidations_of_the_account(stage: Stage, ccxt: Any) -> None:
    """A liquidation of the account is found with its quantity and price."""
    stage.btc_book()
    await ccxt.create_order(BTC_SWAP, "market", "buy", 0.02)
    ended = stage.do("liquidate", **BTC, key=stage.key.key)
    (found,) = await ccxt.fetch_my_liquidations(BTC_SWAP)
    assert (found["symbol"], found["contracts"], found["price"]) == (BTC_SWAP, 0.02, float(ended["price"]))


@ROWS.ccxt("fetch_positions_history", "GET /v5/position/closed-pnl")
async def closed_positions(stage: Stage, ccxt: Any) -> None:
    """A closed long is found with its entry price."""
    stage.lay_book([("65010", "1")], [("65020", "1")], **BTC)
    await ccxt.create_order(BTC_SWAP, "market", "buy", 0.01)
    await ccxt.create_order(BTC_SWAP, "market", "sell", 0.01, None, {"reduceOnly": True})
    (row,) = await ccxt.fetch_positions_history([BTC_SWAP])
    assert (row["symbol"], row["entryPrice"]) == (BTC_SWAP, 65020.0)
