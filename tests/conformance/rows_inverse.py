"""Rows about the inverse perpetual: quantities in dollars, margin, profit and fees in bitcoin."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from tests.conformance.calls import Rows
from tests.conformance.rows_linear import AMEND, CANCEL, CREATE, closed_as, order_of, placed
from tests.conformance.stage import BTC_INVERSE, FLOATS, INVERSE, MAKER, TAKER, Stage

ROWS = Rows("Orders on the inverse perpetual", "inverse")
LOW = {"side": "Buy", "orderType": "Limit", "price": "64500"}
SATOSHI = D("1E-8")


def bitcoin(stage: Stage) -> D:
    """Return the wallet balance in bitcoin."""
    (wallet,) = stage.http.get_wallet_balance(accountType="UNIFIED", coin="BTC")["result"]["list"]
    return D(wallet["coin"][0]["walletBalance"])


@ROWS.pybit("place_order", CREATE)
def market_order(stage: Stage) -> None:
    """A buy of 100 dollars executes for 100/price bitcoin and pays its fee in bitcoin."""
    stage.inverse_book()
    order_id = placed(stage, INVERSE, side="Buy", orderType="Market", qty="100")
    order = order_of(stage, order_id, INVERSE)
    value = D(100) / D("65000.5")
    assert (order["orderStatus"], D(order["cumExecQty"])) == ("Filled", 100)
    assert abs(D(order["cumExecValue"]) - value) <= SATOSHI
    (fill,) = stage.http.get_executions(**INVERSE, orderId=order_id)["result"]["list"]
    assert fill["execPrice"] == "65000.50"
    assert abs(D(fill["execFee"]) - value * TAKER) <= SATOSHI
    assert abs(bitcoin(stage) - (10 - value * TAKER)) <= SATOSHI


@ROWS.pybit("get_positions", "GET /v5/position/list")
def position_opened_and_closed(stage: Stage) -> None:
    """A long bought at 65000.5 and sold at 65500 earns size times the difference of the reciprocals, in bitcoin."""
    stage.inverse_book()
    placed(stage, INVERSE, side="Buy", orderType="Market", qty="1000")
    (position,) = stage.http.get_positions(**INVERSE)["result"]["list"]
    assert (position["side"], D(position["size"])) == ("Buy", 1000)
    assert float(position["avgPrice"]) == FLOATS(65000.5, rel=1e-6)
    stage.lay_book([("65500", "5000")], [("65510", "5000")], **INVERSE)
    placed(stage, INVERSE, side="Sell", orderType="Market", qty="1000", reduceOnly=True)
    (position,) = stage.http.get_positions(**INVERSE)["result"]["list"]
    assert D(position["size"]) == 0
    profit = 1000 / D("65000.5") - 1000 / D(65500)
    fees = (1000 / D("65000.5") + 1000 / D(65500)) * TAKER
    assert abs(bitcoin(stage) - (10 + profit - fees)) <= 4 * SATOSHI


@ROWS.pybit("place_order", CREATE)
def resting_order_is_filled_as_maker(stage: Stage) -> None:
    """A resting sale lifted by a stranger pays the maker's fee in bitcoin."""
    stage.inverse_book()
    order_id = placed(stage, INVERSE, side="Sell", orderType="Limit", price="65000", qty="500")
    stage.do("trade", **INVERSE, side="Buy", price="65000", qty="500")
    (fill,) = stage.http.get_executions(**INVERSE, orderId=order_id)["result"]["list"]
    assert (fill["isMaker"], D(fill["execQty"])) == (True, 500)
    assert abs(D(fill["execFee"]) - D(500) / 65000 * MAKER) <= SATOSHI
    (position,) = stage.http.get_positions(**INVERSE)["result"]["list"]
    assert (position["side"], D(position["size"])) == ("Sell", 500)


@ROWS.pybit("amend_order", AMEND)
def amended_order(stage: Stage) -> None:
    """Quantity in dollars and price are changed in place."""
    stage.inverse_book()
    order_id = placed(stage, INVERSE, **LOW, qty="100")
    stage.http.amend_order(**INVERSE, orderId=order_id, qty="150", price="64400.5")
    order = order_of(stage, order_id, INVERSE)
    assert (order["qty"], order["price"], order["orderStatus"]) == ("150", "64400.50", "New")


@ROWS.pybit("cancel_order", CANCEL)
def cancelled_order(stage: Stage) -> None:
    """A cancelled order ends as on the linear contract."""
    stage.inverse_book()
    order_id = placed(stage, INVERSE, **LOW, qty="100")
    stage.http.cancel_order(**INVERSE, orderId=order_id)
    order = order_of(stage, order_id, INVERSE)
    assert closed_as(order)[:3] == ("Cancelled", "CancelByUser", "EC_PerCancelRequest")


@ROWS.pybit("cancel_all_orders", "POST /v5/order/cancel-all")
def cancel_all(stage: Stage) -> None:
    """Orders are withdrawn by settle coin BTC."""
    stage.inverse_book()
    ids = {placed(stage, INVERSE, **LOW, qty="100") for _ in range(2)}
    gone = stage.http.cancel_all_orders(category="inverse", settleCoin="BTC")["result"]["list"]
    assert {row["orderId"] for row in gone} == ids


@ROWS.pybit("get_wallet_balance", "GET /v5/account/wallet-balance")
def margin_is_held_in_bitcoin(stage: Stage) -> None:
    """A position of 1000 dollars at leverage 10 holds a tenth of its value in bitcoin."""
    stage.inverse_book()
    placed(stage, INVERSE, side="Buy", orderType="Market", qty="1000")
    (wallet,) = stage.http.get_wallet_balance(accountType="UNIFIED", coin="BTC")["result"]["list"]
    assert float(wallet["coin"][0]["totalPositionIM"]) == FLOATS(1000 / 65000.5 / 10, rel=0.001)


@ROWS.ccxt("create_order", CREATE)
async def inverse_market_order(stage: Stage, ccxt: Any) -> None:
    """A sale of 200 contracts of one dollar is a short of 200; its fee is in bitcoin."""
    stage.inverse_book()
    order = await ccxt.create_order(BTC_INVERSE, "market", "sell", 200)
    (trade,) = await ccxt.fetch_my_trades(BTC_INVERSE)
    assert (trade["order"], trade["price"], trade["amount"]) == (order["id"], 64999.5, 200.0)
    assert (trade["fee"]["currency"], trade["fee"]["cost"]) == (
        "BTC",
        FLOATS(200 / 64999.5 * 0.00055, abs=1e-8),
    )
    (position,) = await ccxt.fetch_positions([BTC_INVERSE])
    assert (position["side"], position["contracts"]) == ("short", 200.0)
    assert position["entryPrice"] == FLOATS(64999.5, rel=1e-6)


@ROWS.ccxt("create_order", CREATE)
async def inverse_limit_order(stage: Stage, ccxt: Any) -> None:
    """A resting order is found open under its symbol, edited and canceled."""
    stage.inverse_book()
    order = await ccxt.create_order(BTC_INVERSE, "limit", "buy", 100, 64500)
    await ccxt.edit_order(order["id"], BTC_INVERSE, "limit", "buy", 150, 64400)
    (found,) = await ccxt.fetch_open_orders(BTC_INVERSE)
    assert (found["symbol"], found["amount"], found["price"]) == (BTC_INVERSE, 150.0, 64400.0)
    await ccxt.cancel_order(order["id"], BTC_INVERSE)
    assert await ccxt.fetch_open_orders(BTC_INVERSE) == []


@ROWS.ccxt("fetch_balance", "GET /v5/account/wallet-balance")
async def inverse_balance(stage: Stage, ccxt: Any) -> None:
    """After a trade the bitcoin balance is less by the fee."""
    stage.inverse_book()
    await ccxt.create_order(BTC_INVERSE, "market", "buy", 1000)
    before_profit = 10 - 1000 / 65000.5 * 0.00055
    balance = await ccxt.fetch_balance()
    wallet = balance["info"]["result"]["list"][0]["coin"]
    (entry,) = [each for each in wallet if each["coin"] == "BTC"]
    assert float(entry["walletBalance"]) == FLOATS(before_profit, abs=2e-8)
    assert balance["BTC"]["total"] == float(entry["walletBalance"])
