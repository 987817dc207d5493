"""Rows about spot orders: coins change hands, fees are taken in them, and amounts may be in quote coin."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from tests.conformance.calls import Rows
from tests.conformance.rows_linear import AMEND, CANCEL, CREATE, closed_as, order_of, placed
from tests.conformance.stage import BTC_SPOT, FLOATS, SPOT, SPOT_FEE, Stage

ROWS = Rows("Spot orders", "spot")
LOW = {"side": "Buy", "orderType": "Limit", "price": "64900"}


def coins(stage: Stage) -> dict[str, dict[str, Any]]:
    """Return the wallet's entries of both coins."""
    (wallet,) = stage.http.get_wallet_balance(accountType="UNIFIED", coin="USDT,BTC")["result"]["list"]
    return {entry["coin"]: entry for entry in wallet["coin"]}


@ROWS.pybit("place_order", CREATE)
def limit_order_locks_its_cost(stage: Stage) -> None:
    """A resting buy locks its cost in USDT; its object has spot's keys and not those of a contract."""
    stage.spot_book()
    order_id = placed(stage, SPOT, **LOW, qty="0.01")
    assert D(coins(stage)["USDT"]["locked"]) == D("0.01") * 64900
    order = order_of(stage, order_id, SPOT)
    assert (order["orderStatus"], order["qty"], order["price"]) == ("New", "0.010000", "64900.0")
    assert {"basePrice", "marketUnit", "ocoTriggerBy"} <= set(order)
    assert not {"createType", "tpslMode", "lastPriceOnCreated"} & set(order)


@ROWS.pybit("place_order", CREATE)
def sale_locks_its_coins(stage: Stage) -> None:
    """A resting sale locks the coins on offer, and cancelling frees them."""
    stage.spot_book()
    order_id = placed(stage, SPOT, side="Sell", orderType="Limit", price="65100", qty="0.5")
    assert D(coins(stage)["BTC"]["locked"]) == D("0.5")
    stage.http.cancel_order(**SPOT, orderId=order_id)
    assert D(coins(stage)["BTC"]["locked"]) == 0


@ROWS.pybit("place_order", CREATE)
def link_id_made_by_the_venue(stage: Stage) -> None:
    """A spot order without link id is given one of digits, next to its order id."""
    stage.spot_book()
    ack = stage.http.place_order(**SPOT, **LOW, qty="0.01")["result"]
    assert int(ack["orderLinkId"]) == int(ack["orderId"]) + 1


@ROWS.pybit("place_order", CREATE)
def market_buy_by_amount(stage: Stage) -> None:
    """A buy for 100 USDT ends PartiallyFilledCanceled with dust left; the fee is taken in bitcoin."""
    stage.spot_book()
    order_id = placed(stage, SPOT, side="Buy", orderType="Market", qty="100")
    order = order_of(stage, order_id, SPOT)
    bought = D("0.001538")
    assert closed_as(order) == ("PartiallyFilledCanceled", "UNKNOWN", "EC_CancelForNoFullFill", str(bought))
    assert (order["qty"], order["marketUnit"]) == ("100", "quoteCoin")
    assert D(order["leavesValue"]) == 100 - bought * D("65000.1")
    (fill,) = stage.http.get_executions(**SPOT, orderId=order_id)["result"]["list"]
    assert (D(fill["orderQty"]), fill["feeCurrency"], fill["markPrice"]) == (0, "BTC", "")
    assert D(fill["execFee"]) == bought * SPOT_FEE
    wallet = coins(stage)
    assert D(wallet["USDT"]["walletBalance"]) == 1_000_000 - bought * D("65000.1")
    assert D(wallet["BTC"]["walletBalance"]) == 10 + bought * (1 - SPOT_FEE)


@ROWS.pybit("place_order", CREATE)
def market_buy_by_quantity(stage: Stage) -> None:
    """With ``marketUnit=baseCoin`` a buy of 0.02 BTC walks two levels and is Filled."""
    stage.spot_book()
    order_id = placed(stage, SPOT, side="Buy", orderType="Market", qty="0.02", marketUnit="baseCoin")
    order = order_of(stage, order_id, SPOT)
    assert (order["orderStatus"], order["cumExecQty"]) == ("Filled", "0.020000")
    assert D(order["cumExecValue"]) == D("0.01") * D("65000.1") + D("0.01") * 65001


@ROWS.pybit("place_order", CREATE)
def market_sale(stage: Stage) -> None:
    """A sale is in bitcoin by default; the fee is taken from the proceeds in USDT."""
    stage.spot_book()
    order_id = placed(stage, SPOT, side="Sell", orderType="Market", qty="0.02")
    order = order_of(stage, order_id, SPOT)
    proceeds = D("0.02") * D("64999.9")
    assert (order["orderStatus"], D(order["cumExecValue"])) == ("Filled", proceeds)
    assert order["cumFeeDetail"] == {"USDT": str((proceeds * SPOT_FEE).normalize())}
    assert D(coins(stage)["USDT"]["walletBalance"]) == 1_000_000 + proceeds * (1 - SPOT_FEE)
    assert D(coins(stage)["BTC"]["walletBalance"]) == 10 - D("0.02")


@ROWS.pybit("place_order", CREATE)
def market_sale_by_amount(stage: Stage) -> None:
    """With ``marketUnit=quoteCoin`` a sale brings in about the amount asked for, never more."""
    stage.spot_book()
    order_id = placed(stage, SPOT, side="Sell", orderType="Market", qty="100", marketUnit="quoteCoin")
    order = order_of(stage, order_id, SPOT)
    assert 100 - D("0.07") < D(order["cumExecValue"]) <= 100


@ROWS.pybit("cancel_order", CANCEL)
def cancel_after_a_partial_fill(stage: Stage) -> None:
    """A spot order cancelled half-way is PartiallyFilledCanceled and keeps its fill."""
    stage.spot_book()
    order_id = placed(stage, SPOT, side="Buy", orderType="Limit", price="65000", qty="0.01")
    stage.do("trade", **SPOT, side="Sell", price="65000", qty="0.004")
    stage.http.cancel_order(**SPOT, orderId=order_id)
    order = order_of(stage, order_id, SPOT)
    assert closed_as(order)[::3] == ("PartiallyFilledCanceled", "0.004000")
    assert D(coins(stage)["USDT"]["locked"]) == 0


@ROWS.pybit("amend_order", AMEND)
def amended_order(stage: Stage) -> None:
    """An amended order locks what it costs afterwards."""
    stage.spot_book()
    order_id = placed(stage, SPOT, **LOW, qty="0.01")
    stage.http.amend_order(**SPOT, orderId=order_id, qty="0.02", price="64800")
    assert order_of(stage, order_id, SPOT)["qty"] == "0.020000"
    assert D(coins(stage)["USDT"]["locked"]) == D("0.02") * 64800


@ROWS.pybit("place_order", CREATE)
def immediate_or_cancel(stage: Stage) -> None:
    """An IOC buy that finds a part of its quantity is PartiallyFilledCanceled."""
    stage.spot_book()
    order_id = placed(
        stage, SPOT, side="Buy", orderType="Limit", price="65000.1", qty="0.02", timeInForce="IOC"
    )
    assert closed_as(order_of(stage, order_id, SPOT))[::3] == ("PartiallyFilledCanceled", "0.010000")


@ROWS.pybit("place_order", CREATE)
def post_only_that_would_take(stage: Stage) -> None:
    """A crossing PostOnly order ends Cancelled with EC_PostOnlyWillTakeLiquidity."""
    stage.spot_book()
    order_id = placed(
        stage, SPOT, side="Buy", orderType="Limit", price="65000.1", qty="0.01", timeInForce="PostOnly"
    )
    assert order_of(stage, order_id, SPOT)["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"


@ROWS.pybit("place_order", CREATE)
def maker_pays_in_what_he_gets(stage: Stage) -> None:
    """A resting sale that is hit pays its maker fee in USDT."""
    stage.spot_book()
    order_id = placed(stage, SPOT, side="Sell", orderType="Limit", price="65000", qty="0.01")
    stage.do("trade", **SPOT, side="Buy", price="65000", qty="0.01")
    (fill,) = stage.http.get_executions(**SPOT, orderId=order_id)["result"]["list"]
    assert (fill["isMaker"], fill["feeCurrency"], D(fill["execFee"])) == (True, "USDT", D("0.65"))


@ROWS.pybit("cancel_all_orders", "POST /v5/order/cancel-all")
def cancel_all(stage: Stage) -> None:
    """Without a symbol every spot order goes, and no contract's order."""
    stage.spot_book()
    stage.btc_book()
    gone = {placed(stage, SPOT, **LOW, qty="0.01") for _ in range(2)}
    kept = placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.01")
    assert {row["orderId"] for row in stage.http.cancel_all_orders(category="spot")["result"]["list"]} == gone
    (left,) = stage.http.get_open_orders(category="linear", settleCoin="USDT")["result"]["list"]
    assert left["orderId"] == kept


@ROWS.pybit("get_order_history", "GET /v5/order/history")
def spot_and_linear_are_kept_apart(stage: Stage) -> None:
    """BTCUSDT names two markets: the history and the fills of each category hold their own."""
    stage.spot_book()
    stage.btc_book()
    coin = placed(stage, SPOT, side="Sell", orderType="Market", qty="0.01")
    contract = placed(stage, side="Sell", orderType="Market", qty="0.01")
    for where, order_id in (("spot", coin), ("linear", contract)):
        asked = {"category": where, "symbol": "BTCUSDT"}
        assert [r["orderId"] for r in stage.http.get_order_history(**asked)["result"]["list"]] == [order_id]
        assert {r["orderId"] for r in stage.http.get_executions(**asked)["result"]["list"]} == {order_id}


@ROWS.ccxt("create_order", CREATE)
async def spot_limit_order(stage: Stage, ccxt: Any) -> None:
    """A spot order is parsed as spot, is open, and what it locks is used, not free."""
    stage.spot_book()
    order = await ccxt.create_order(BTC_SPOT, "limit", "buy", 0.01, 64900)
    (found,) = await ccxt.fetch_open_orders(BTC_SPOT)
    assert (found["id"], found["symbol"], found["amount"], found["price"]) == (
        order["id"],
        BTC_SPOT,
        0.01,
        64900.0,
    )
    balance = await ccxt.fetch_balance()
    dollars = balance["USDT"]
    assert (dollars["free"], dollars["used"], dollars["total"]) == (999_351.0, 649.0, 1_000_000.0)


@ROWS.ccxt("create_order", CREATE)
async def spot_market_buy_by_quantity(stage: Stage, ccxt: Any) -> None:
    """A market buy of an amount buys that amount; the fee is in bitcoin."""
    stage.spot_book()
    order = await ccxt.create_order(BTC_SPOT, "market", "buy", 0.01)
    (trade,) = await ccxt.fetch_my_trades(BTC_SPOT)
    assert (trade["order"], trade["price"], trade["amount"]) == (order["id"], 65000.1, 0.01)
    assert (trade["fee"]["currency"], trade["fee"]["cost"]) == ("BTC", FLOATS(0.00001))
    balance = await ccxt.fetch_balance()
    assert balance["BTC"]["total"] == FLOATS(10.00999)


@ROWS.ccxt("create_market_buy_order_with_cost", CREATE)
async def spot_market_buy_by_cost(stage: Stage, ccxt: Any) -> None:
    """A buy for a cost of 100 spends at most that; the order is found closed although dust was cancelled."""
    stage.spot_book()
    order = await ccxt.create_market_buy_order_with_cost(BTC_SPOT, 100)
    found = await ccxt.fetch_order(order["id"], BTC_SPOT, {"acknowledged": True})
    assert (found["filled"], found["status"]) == (0.001538, "closed")
    assert 99.9 < found["cost"] <= 100


@ROWS.ccxt("create_order", CREATE)
async def spot_market_sale(stage: Stage, ccxt: Any) -> None:
    """A market sale brings USDT less the fee."""
    stage.spot_book()
    await ccxt.create_order(BTC_SPOT, "market", "sell", 0.01)
    balance = await ccxt.fetch_balance()
    assert balance["USDT"]["total"] == FLOATS(1_000_000 + 649.999 * 0.999)
    assert balance["BTC"]["total"] == FLOATS(9.99)


@ROWS.ccxt("edit_order", AMEND)
async def edited_spot_order(stage: Stage, ccxt: Any) -> None:
    """A spot order is changed in place and then cancelled."""
    stage.spot_book()
    order = await ccxt.create_order(BTC_SPOT, "limit", "buy", 0.01, 64900)
    await ccxt.edit_order(order["id"], BTC_SPOT, "limit", "buy", 0.02, 64800)
    (found,) = await ccxt.fetch_open_orders(BTC_SPOT)
    assert (found["id"], found["amount"], found["price"]) == (order["id"], 0.02, 64800.0)
    await ccxt.cancel_order(order["id"], BTC_SPOT)
    (canceled,) = await ccxt.fetch_canceled_orders(BTC_SPOT)
    assert canceled["id"] == order["id"]
