"""Rows about orders on linear perpetuals: types, amending, cancelling, fills."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from tests.conformance.calls import Rows
from tests.conformance.stage import BTC, BTC_SWAP, ETH, ETH_SWAP, FLOATS, MAKER, TAKER, Stage

ROWS = Rows("Orders on linear perpetuals", "linear")
CREATE = "POST /v5/order/create"
AMEND = "POST /v5/order/amend"
CANCEL = "POST /v5/order/cancel"
LOW = {"side": "Buy", "orderType": "Limit", "price": "64000"}


def order_of(stage: Stage, order_id: str, where: dict[str, str] = BTC) -> dict[str, Any]:
    """Return the order object, open or closed, as pybit reads it by id."""
    (order,) = stage.http.get_open_orders(**where, orderId=order_id)["result"]["list"]
    row: dict[str, Any] = order
    return row


def placed(stage: Stage, where: dict[str, str] = BTC, **order: Any) -> str:
    """Place an order with pybit and return the venue's id."""
    return str(stage.http.place_order(**where, **order)["result"]["orderId"])


def closed_as(order: dict[str, Any]) -> tuple[str, str, str, str]:
    return order["orderStatus"], order["cancelType"], order["rejectReason"], order["cumExecQty"]


@ROWS.pybit("place_order", CREATE)
def limit_order_rests(stage: Stage) -> None:
    """A GTC limit order is acknowledged with both ids and stands as New with its whole quantity, locking margin."""
    stage.btc_book()
    link = stage.link()
    ack = stage.http.place_order(**BTC, **LOW, qty="0.010", orderLinkId=link)["result"]
    assert set(ack) == {"orderId", "orderLinkId"}
    (order,) = stage.http.get_open_orders(**BTC)["result"]["list"]
    assert (order["orderId"], order["orderLinkId"]) == (ack["orderId"], link)
    assert (order["orderStatus"], order["price"], order["qty"]) == ("New", "64000.00", "0.010")
    assert (order["leavesQty"], order["cumExecQty"], order["timeInForce"]) == ("0.010", "0.000", "GTC")
    wallet = stage.http.get_wallet_balance(accountType="UNIFIED", coin="USDT")["result"]["list"][0]
    assert D(wallet["coin"][0]["totalOrderIM"]) == D("0.010") * 64000 / 10


@ROWS.pybit("place_order", CREATE)
def order_without_link_id(stage: Stage) -> None:
    """A contract order sent without link id is acknowledged with an empty one."""
    stage.btc_book()
    assert stage.http.place_order(**BTC, **LOW, qty="0.001")["result"]["orderLinkId"] == ""


@ROWS.pybit("place_order", CREATE)
def market_order_walks_the_book(stage: Stage) -> None:
    """A market buy of 0.03 takes 0.02 at 65000.1 and 0.01 at 65000.5; value, fee and average are exact."""
    stage.btc_book()
    order_id = placed(stage, side="Buy", orderType="Market", qty="0.03")
    fills = stage.http.get_executions(**BTC, orderId=order_id)["result"]["list"]
    assert sorted((f["execPrice"], f["execQty"]) for f in fills) == [
        ("65000.10", "0.020"),
        ("65000.50", "0.010"),
    ]
    value = D("0.02") * D("65000.1") + D("0.01") * D("65000.5")
    order = order_of(stage, order_id)
    assert (order["orderStatus"], order["timeInForce"], order["orderType"]) == ("Filled", "IOC", "Market")
    assert D(order["cumExecValue"]) == value
    assert D(order["cumFeeDetail"]["USDT"]) == value * TAKER
    assert sum(D(f["execFee"]) for f in fills) == value * TAKER
    assert D(order["avgPrice"]) == (value / D("0.03")).quantize(D("1E-8"))
    assert {(f["isMaker"], f["execType"], D(f["feeRate"])) for f in fills} == {(False, "Trade", TAKER)}


@ROWS.pybit("place_order", CREATE)
def market_order_stops_at_its_protection_price(stage: Stage) -> None:
    """A market buy fills up to the protection price, shows that price, and the rest is cancelled by the engine."""
    stage.lay_book([("64999.9", "1")], [("65000.1", "0.010"), ("68000", "5")], **BTC)
    order_id = placed(stage, side="Buy", orderType="Market", qty="0.025")
    order = order_of(stage, order_id)
    assert closed_as(order) == ("Cancelled", "UNKNOWN", "EC_NoImmediateQtyToFill", "0.010")
    assert D("65000.1") < D(order["price"]) < D(68000)


@ROWS.pybit("place_order", CREATE)
def post_only_that_would_take(stage: Stage) -> None:
    """A crossing PostOnly order is acknowledged, then cancelled unfilled with EC_PostOnlyWillTakeLiquidity."""
    stage.btc_book()
    order_id = placed(
        stage, side="Buy", orderType="Limit", price="65000.1", qty="0.01", timeInForce="PostOnly"
    )
    assert closed_as(order_of(stage, order_id)) == (
        "Cancelled",
        "UNKNOWN",
        "EC_PostOnlyWillTakeLiquidity",
        "0.000",
    )


@ROWS.pybit("place_order", CREATE)
def post_only_that_rests(stage: Stage) -> None:
    """A PostOnly order a tick from the touch rests."""
    stage.btc_book()
    order_id = placed(
        stage, side="Buy", orderType="Limit", price="65000.0", qty="0.01", timeInForce="PostOnly"
    )
    order = order_of(stage, order_id)
    assert (order["orderStatus"], order["timeInForce"]) == ("New", "PostOnly")


@ROWS.pybit("place_order", CREATE)
def immediate_or_cancel(stage: Stage) -> None:
    """An IOC order takes what is there at its price; what is left is cancelled, the fill stays."""
    stage.btc_book()
    order_id = placed(stage, side="Buy", orderType="Limit", price="65000.1", qty="0.05", timeInForce="IOC")
    assert closed_as(order_of(stage, order_id)) == (
        "Cancelled",
        "UNKNOWN",
        "EC_NoImmediateQtyToFill",
        "0.020",
    )


@ROWS.pybit("place_order", CREATE)
def fill_or_kill_filled(stage: Stage) -> None:
    """A FOK order that can be filled whole is filled whole."""
    stage.btc_book()
    order_id = placed(stage, side="Buy", orderType="Limit", price="65000.5", qty="0.05", timeInForce="FOK")
    order = order_of(stage, order_id)
    assert (order["orderStatus"], order["cumExecQty"], order["leavesQty"]) == ("Filled", "0.050", "0.000")


@ROWS.pybit("place_order", CREATE)
def fill_or_kill_killed(stage: Stage) -> None:
    """A FOK order that cannot be filled whole fills nothing."""
    stage.btc_book()
    order_id = placed(stage, side="Buy", orderType="Limit", price="65000.1", qty="0.05", timeInForce="FOK")
    order = order_of(stage, order_id)
    assert (order["orderStatus"], order["cumExecQty"]) == ("Cancelled", "0.000")
    assert stage.http.get_executions(**BTC, orderId=order_id)["result"]["list"] == []


@ROWS.pybit("place_order", CREATE)
def price_beyond_the_band_is_moved(stage: Stage) -> None:
    """A limit price beyond the band is taken as the band's edge, which price-limit names."""
    stage.btc_book()
    edge = stage.http.get_price_limit(**BTC)["result"]["sellLmt"]
    order_id = placed(stage, side="Sell", orderType="Limit", price="60000", qty="1.5", timeInForce="PostOnly")
    assert order_of(stage, order_id)["price"] == edge


@ROWS.pybit("place_order", CREATE)
def resting_order_is_filled_as_maker(stage: Stage) -> None:
    """A resting buy hit by a stranger in two pieces is PartiallyFilled, then Filled, at its price and maker's fee."""
    stage.btc_book()
    order_id = placed(stage, side="Buy", orderType="Limit", price="65000.0", qty="0.010")
    stage.do("trade", **BTC, side="Sell", price="65000.0", qty="0.004")
    order = order_of(stage, order_id)
    assert (order["orderStatus"], order["cumExecQty"], order["leavesQty"]) == (
        "PartiallyFilled",
        "0.004",
        "0.006",
    )
    stage.do("trade", **BTC, side="Sell", price="65000.0", qty="0.006")
    order = order_of(stage, order_id)
    assert (order["orderStatus"], D(order["avgPrice"])) == ("Filled", D(65000))
    fills = stage.http.get_executions(**BTC, orderId=order_id)["result"]["list"]
    assert [(f["isMaker"], f["execQty"], f["leavesQty"]) for f in fills] == [
        (True, "0.006", "0.000"),
        (True, "0.004", "0.006"),
    ]
    assert sum(D(f["execFee"]) for f in fills) == D("0.010") * 65000 * MAKER


@ROWS.pybit("place_order", CREATE)
def slippage_tolerance_in_ticks(stage: Stage) -> None:
    """A market buy that tolerates two ticks takes only what stands within two ticks of the best ask."""
    stage.btc_book()
    order_id = placed(
        stage,
        side="Buy",
        orderType="Market",
        qty="0.05",
        slippageToleranceType="TickSize",
        slippageTolerance="2",
    )
    order = order_of(stage, order_id)
    assert (order["cumExecQty"], order["price"]) == ("0.020", "65000.30")
    assert (order["slippageToleranceType"], order["slippageTolerance"]) == ("TickSize", "2")


@ROWS.pybit("place_order", CREATE)
def slippage_tolerance_in_percent(stage: Stage) -> None:
    """A market sell that tolerates 0.01 per cent stops 6.5 dollars under the best bid."""
    stage.lay_book([("64999.9", "0.010"), ("64993.0", "1")], [("65000.1", "1")], **BTC)
    order_id = placed(
        stage,
        side="Sell",
        orderType="Market",
        qty="0.05",
        slippageToleranceType="Percent",
        slippageTolerance="0.01",
    )
    assert order_of(stage, order_id)["cumExecQty"] == "0.010"


@ROWS.pybit("place_order", CREATE)
def price_of_a_book_level(stage: Stage) -> None:
    """An order priced by the second level of its own side rests there; a level the book does not have is 110118."""
    stage.btc_book()
    order = {"side": "Buy", "orderType": "Limit", "qty": "0.01", "bboSideType": "Queue"}
    order_id = placed(stage, **order, bboLevel="2")
    assert order_of(stage, order_id)["price"] == "64999.00"
    assert stage.refusal(stage.http.place_order, **BTC, **order, bboLevel="5")[0] == 110118


@ROWS.pybit("amend_order", AMEND)
def amend_quantity_and_price(stage: Stage) -> None:
    """An amend by link id sets the new total and price; the order keeps both ids and what it was is gone."""
    stage.btc_book()
    link = stage.link()
    order_id = placed(stage, **LOW, qty="0.010", orderLinkId=link)
    ack = stage.http.amend_order(**BTC, orderLinkId=link, qty="0.020", price="63999.5")["result"]
    assert ack == {"orderId": order_id, "orderLinkId": link}
    (order,) = stage.http.get_open_orders(**BTC)["result"]["list"]
    assert (order["qty"], order["price"], order["leavesQty"]) == ("0.020", "63999.50", "0.020")


@ROWS.pybit("amend_order", AMEND)
def amend_after_a_partial_fill(stage: Stage) -> None:
    """The new quantity is the total: what is filled counts, and the rest follows."""
    stage.btc_book()
    order_id = placed(stage, side="Buy", orderType="Limit", price="65000.0", qty="0.010")
    stage.do("trade", **BTC, side="Sell", price="65000.0", qty="0.004")
    stage.http.amend_order(**BTC, orderId=order_id, qty="0.006")
    order = order_of(stage, order_id)
    assert (order["qty"], order["cumExecQty"], order["leavesQty"]) == ("0.006", "0.004", "0.002")


@ROWS.pybit("amend_order", AMEND)
def amend_into_the_other_side_trades(stage: Stage) -> None:
    """A resting buy amended up to the ask becomes a taker there."""
    stage.btc_book()
    order_id = placed(stage, **LOW, qty="0.010")
    stage.http.amend_order(**BTC, orderId=order_id, price="65000.1")
    (fill,) = stage.http.get_executions(**BTC, orderId=order_id)["result"]["list"]
    assert (fill["execPrice"], fill["execQty"], fill["isMaker"]) == ("65000.10", "0.010", False)


@ROWS.pybit("cancel_order", CANCEL)
def cancel_by_either_id(stage: Stage) -> None:
    """Cancelled by link id or by order id, an order ends as CancelByUser with EC_PerCancelRequest and no leaves."""
    stage.btc_book()
    link = stage.link()
    ids = [placed(stage, **LOW, qty="0.010", orderLinkId=link), placed(stage, **LOW, qty="0.010")]
    assert stage.http.cancel_order(**BTC, orderLinkId=link)["result"] == {
        "orderId": ids[0],
        "orderLinkId": link,
    }
    stage.http.cancel_order(**BTC, orderId=ids[1])
    assert stage.http.get_open_orders(**BTC)["result"]["list"] == []
    for order_id in ids:
        order = order_of(stage, order_id)
        assert closed_as(order) == ("Cancelled", "CancelByUser", "EC_PerCancelRequest", "0.000")
        assert D(order["leavesQty"]) == 0


@ROWS.pybit("cancel_order", CANCEL)
def cancel_after_a_partial_fill(stage: Stage) -> None:
    """A contract order cancelled half-way is Cancelled, not PartiallyFilledCanceled, and keeps its fill."""
    stage.btc_book()
    order_id = placed(stage, side="Buy", orderType="Limit", price="65000.0", qty="0.010")
    stage.do("trade", **BTC, side="Sell", price="65000.0", qty="0.004")
    stage.http.cancel_order(**BTC, orderId=order_id)
    assert closed_as(order_of(stage, order_id)) == (
        "Cancelled",
        "CancelByUser",
        "EC_PerCancelRequest",
        "0.004",
    )


@ROWS.pybit("cancel_order", CANCEL)
def operator_cancels_as_administrator(stage: Stage) -> None:
    """An order the venue itself withdraws says so: CancelByAdmin."""
    stage.btc_book()
    order_id = placed(stage, **LOW, qty="0.010")
    stage.do("cancel", orderId=order_id)
    assert order_of(stage, order_id)["cancelType"] == "CancelByAdmin"


@ROWS.pybit("cancel_all_orders", "POST /v5/order/cancel-all")
def cancel_all_of_a_symbol(stage: Stage) -> None:
    """Everything of the symbol goes, the other symbol's order stays, and the answer names what went."""
    stage.btc_book()
    gone = {placed(stage, **LOW, qty="0.010") for _ in range(3)}
    kept = placed(stage, ETH, side="Buy", orderType="Limit", price="3480", qty="0.1")
    result = stage.http.cancel_all_orders(**BTC)["result"]
    assert {row["orderId"] for row in result["list"]} == gone
    assert result["success"] == "1"
    (left,) = stage.http.get_open_orders(category="linear", settleCoin="USDT")["result"]["list"]
    assert left["orderId"] == kept


@ROWS.pybit("cancel_all_orders", "POST /v5/order/cancel-all")
def cancel_all_of_a_coin(stage: Stage) -> None:
    """``baseCoin`` chooses one coin's contracts, ``settleCoin`` all that settle in it."""
    stage.btc_book()
    bitcoin = placed(stage, **LOW, qty="0.010")
    ether = placed(stage, ETH, side="Buy", orderType="Limit", price="3480", qty="0.1")
    first = stage.http.cancel_all_orders(category="linear", baseCoin="ETH")["result"]["list"]
    second = stage.http.cancel_all_orders(category="linear", settleCoin="USDT")["result"]["list"]
    assert ([row["orderId"] for row in first], [row["orderId"] for row in second]) == ([ether], [bitcoin])


@ROWS.pybit("place_order", CREATE)
def reduce_only_is_cut_to_the_position(stage: Stage) -> None:
    """A reduce-only sale of more than the position becomes a sale of the position."""
    stage.btc_book()
    placed(stage, side="Buy", orderType="Market", qty="0.01")
    order_id = placed(stage, side="Sell", orderType="Limit", price="65100", qty="0.05", reduceOnly=True)
    order = order_of(stage, order_id)
    assert (order["qty"], order["reduceOnly"]) == ("0.010", True)


@ROWS.pybit("place_order", CREATE)
def reduce_only_goes_with_the_position(stage: Stage) -> None:
    """When the position is closed otherwise, the resting reduce-only order is cancelled as CancelByReduceOnly."""
    stage.btc_book()
    placed(stage, side="Buy", orderType="Market", qty="0.01")
    order_id = placed(stage, side="Sell", orderType="Limit", price="65100", qty="0.01", reduceOnly=True)
    placed(stage, side="Sell", orderType="Market", qty="0.01")
    order = order_of(stage, order_id)
    assert (order["orderStatus"], order["cancelType"]) == ("Cancelled", "CancelByReduceOnly")


@ROWS.pybit("place_order", CREATE)
def close_everything_with_quantity_zero(stage: Stage) -> None:
    """Quantity 0 with reduceOnly and closeOnTrigger closes the whole position."""
    stage.btc_book()
    placed(stage, side="Buy", orderType="Market", qty="0.015")
    close = {"qty": "0", "reduceOnly": True, "closeOnTrigger": True}
    placed(stage, side="Sell", orderType="Market", **close)
    (position,) = stage.http.get_positions(**BTC)["result"]["list"]
    assert position["size"] == "0"


@ROWS.ccxt("create_order", CREATE)
async def limit_order(stage: Stage, ccxt: Any) -> None:
    """A limit order is returned with its id and no status, and then found open with price, amount and link id."""
    stage.btc_book()
    link = stage.link()
    order = await ccxt.create_order(BTC_SWAP, "limit", "buy", 0.01, 64000, {"clientOrderId": link})
    assert order["id"]
    assert order["status"] is None
    (found,) = await ccxt.fetch_open_orders(BTC_SWAP)
    assert (found["id"], found["clientOrderId"], found["status"]) == (order["id"], link, "open")
    assert (found["price"], found["amount"], found["remaining"], found["side"]) == (
        64000.0,
        0.01,
        0.01,
        "buy",
    )
    assert (found["timeInForce"], found["symbol"]) == ("GTC", BTC_SWAP)


@ROWS.ccxt("create_order", CREATE)
async def market_order(stage: Stage, ccxt: Any) -> None:
    """A market buy is found closed, with average, cost and fee of exactly what stood on the book."""
    stage.btc_book()
    order = await ccxt.create_order(BTC_SWAP, "market", "buy", 0.03)
    found = await ccxt.fetch_order(order["id"], BTC_SWAP, {"acknowledged": True})
    value = 0.02 * 65000.1 + 0.01 * 65000.5
    assert (found["status"], found["filled"], found["remaining"]) == ("closed", 0.03, 0.0)
    assert (found["cost"], found["average"]) == (FLOATS(value), FLOATS(value / 0.03))
    assert found["fees"] == [{"cost": FLOATS(value * 0.00055), "currency": "USDT"}]


@ROWS.ccxt("create_order", CREATE)
async def post_only(stage: Stage, ccxt: Any) -> None:
    """A crossing post-only order is found canceled with nothing filled."""
    stage.btc_book()
    order = await ccxt.create_order(BTC_SWAP, "limit", "buy", 0.01, 65000.1, {"postOnly": True})
    found = await ccxt.fetch_order(order["id"], BTC_SWAP, {"acknowledged": True})
    assert (found["status"], found["filled"], found["postOnly"]) == ("canceled", 0.0, True)


@ROWS.ccxt("create_order", CREATE)
async def immediate_or_cancel_partly_filled(stage: Stage, ccxt: Any) -> None:
    """An IOC order that found a part of its amount is canceled with that part filled."""
    stage.btc_book()
    order = await ccxt.create_order(BTC_SWAP, "limit", "buy", 0.05, 65000.1, {"timeInForce": "IOC"})
    found = await ccxt.fetch_order(order["id"], BTC_SWAP, {"acknowledged": True})
    assert (found["status"], found["filled"], found["timeInForce"]) == ("canceled", 0.02, "IOC")


@ROWS.ccxt("edit_order", AMEND)
async def edited_order(stage: Stage, ccxt: Any) -> None:
    """Amount and price are changed in place: the same id, one order on the book."""
    stage.btc_book()
    order = await ccxt.create_order(BTC_SWAP, "limit", "buy", 0.01, 64000)
    edited = await ccxt.edit_order(order["id"], BTC_SWAP, "limit", "buy", 0.02, 63990.5)
    assert edited["id"] == order["id"]
    (found,) = await ccxt.fetch_open_orders(BTC_SWAP)
    assert (found["id"], found["amount"], found["price"]) == (order["id"], 0.02, 63990.5)


@ROWS.ccxt("cancel_order", CANCEL)
async def cancelled_order(stage: Stage, ccxt: Any) -> None:
    """Cancelled by id, and another by link id in the params, both are found canceled and none is open."""
    stage.btc_book()
    link = stage.link()
    first = await ccxt.create_order(BTC_SWAP, "limit", "buy", 0.01, 64000)
    await ccxt.create_order(BTC_SWAP, "limit", "buy", 0.02, 64000, {"clientOrderId": link})
    await ccxt.cancel_order(first["id"], BTC_SWAP)
    await ccxt.cancel_order(None, BTC_SWAP, {"orderLinkId": link})
    assert await ccxt.fetch_open_orders(BTC_SWAP) == []
    canceled = await ccxt.fetch_canceled_orders(BTC_SWAP)
    assert sorted((order["amount"], order["status"]) for order in canceled) == [
        (0.01, "canceled"),
        (0.02, "canceled"),
    ]


@ROWS.ccxt("cancel_all_orders", "POST /v5/order/cancel-all")
async def cancel_all(stage: Stage, ccxt: Any) -> None:
    """All orders of one symbol go, the other symbol's stays."""
    stage.btc_book()
    for n in (1, 2):
        await ccxt.create_order(BTC_SWAP, "limit", "buy", n / 100, 64000)
    kept = await ccxt.create_order(ETH_SWAP, "limit", "buy", 0.1, 3480)
    gone = await ccxt.cancel_all_orders(BTC_SWAP)
    assert len(gone) == 2
    (left,) = await ccxt.fetch_open_orders(None, None, None, {"settleCoin": "USDT"})
    assert (left["id"], left["symbol"]) == (kept["id"], ETH_SWAP)


@ROWS.ccxt("create_order", CREATE)
async def reduce_only(stage: Stage, ccxt: Any) -> None:
    """A reduce-only sale closes a long of the same amount: no position is left."""
    stage.btc_book()
    await ccxt.create_order(BTC_SWAP, "market", "buy", 0.01)
    await ccxt.create_order(BTC_SWAP, "market", "sell", 0.01, None, {"reduceOnly": True})
    positions = await ccxt.fetch_positions([BTC_SWAP])
    assert [position["contracts"] for position in positions if position["contracts"]] == []
