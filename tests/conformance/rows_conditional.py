"""Rows about orders that wait for a price: contracts and spot, triggered, amended, withdrawn, refused."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from tests.conformance.calls import REFUSED, Rows
from tests.conformance.rows_linear import AMEND, CANCEL, CREATE, order_of, placed
from tests.conformance.stage import ETH, ETH_SWAP, SPOT, Stage
from tests.sandbox.venue_support import poll_until

ROWS = Rows("Conditional orders", "conditional")
RISE, FALL = 1, 2
ENDED = {"Deactivated", "Cancelled"}


def ether_book(stage: Stage) -> None:
    """Lay 3499.99 x 10, 3495 x 10 under 3500.01 x 10, 3505 x 10, the last trade at 3500."""
    stage.lay_book([("3499.99", "10"), ("3495", "10")], [("3500.01", "10"), ("3505", "10")], **ETH)
    stage.print_trade("3500.00", "0.01", **ETH)


def trade_up(stage: Stage) -> None:
    """Let the last price rise to 3505."""
    stage.do("trade", **ETH, side="Buy", price="3505", qty="11")


def trade_down(stage: Stage) -> None:
    """Let the last price fall to 3495."""
    stage.do("trade", **ETH, side="Sell", price="3495", qty="11")


def became(stage: Stage, order_id: str, status: str, where: dict[str, str] = ETH) -> dict[str, Any]:
    """Wait until an order has a status and return it."""

    def look() -> dict[str, Any] | None:
        order = order_of(stage, order_id, where)
        return order if order["orderStatus"] == status else None

    found: dict[str, Any] = poll_until(look)
    return found


@ROWS.pybit("place_order", CREATE)
def stop_buy_waits_and_fires(stage: Stage) -> None:
    """A market buy above the market is Untriggered until a trade reaches its price, then it fills under the same id."""
    ether_book(stage)
    link = stage.link()
    stop = {
        "side": "Buy",
        "orderType": "Market",
        "qty": "0.5",
        "triggerPrice": "3504",
        "triggerDirection": RISE,
    }
    order_id = placed(stage, ETH, **stop, triggerBy="LastPrice", orderLinkId=link)
    order = order_of(stage, order_id)
    assert (order["orderStatus"], D(order["triggerPrice"]), order["triggerDirection"]) == (
        "Untriggered",
        D(3504),
        RISE,
    )
    assert order["triggerBy"] == "LastPrice"
    trade_up(stage)
    order = became(stage, order_id, "Filled")
    assert (order["orderLinkId"], D(order["cumExecQty"])) == (link, D("0.5"))
    (fill,) = stage.http.get_executions(**ETH, orderId=order_id)["result"]["list"]
    assert (fill["execPrice"], fill["createType"]) == ("3505.00", "CreateByStopOrder")


@ROWS.pybit("place_order", CREATE)
def stop_sale_becomes_a_resting_order(stage: Stage) -> None:
    """A limit sale below the market is triggered by a fall and then rests as New at its price."""
    ether_book(stage)
    stop = {"side": "Sell", "orderType": "Limit", "qty": "0.5", "price": "3502"}
    order_id = placed(stage, ETH, **stop, triggerPrice="3496", triggerDirection=FALL)
    assert order_of(stage, order_id)["orderStatus"] == "Untriggered"
    trade_down(stage)
    order = became(stage, order_id, "New")
    assert (order["price"], D(order["leavesQty"])) == ("3502.00", D("0.5"))


@ROWS.pybit("place_order", CREATE)
def trigger_by_mark_price(stage: Stage) -> None:
    """A trigger by mark price is not moved by trades, only by the mark."""
    ether_book(stage)
    stop = {"side": "Buy", "orderType": "Limit", "qty": "0.5", "price": "3490"}
    order_id = placed(stage, ETH, **stop, triggerPrice="3503", triggerDirection=RISE, triggerBy="MarkPrice")
    trade_up(stage)
    assert order_of(stage, order_id)["orderStatus"] == "Untriggered"
    stage.do("jump", **ETH, bps=20)
    try:
        assert became(stage, order_id, "New")["triggerBy"] == "MarkPrice"
    finally:
        stage.do("jump", **ETH, bps=(1 / 1.002 - 1) * 10_000)


@ROWS.pybit("amend_order", AMEND)
def amended_trigger(stage: Stage) -> None:
    """The trigger price of a waiting order is amended; the old one no longer fires it."""
    ether_book(stage)
    stop = {
        "side": "Buy",
        "orderType": "Market",
        "qty": "0.5",
        "triggerPrice": "3504",
        "triggerDirection": RISE,
    }
    order_id = placed(stage, ETH, **stop)
    stage.http.amend_order(**ETH, orderId=order_id, triggerPrice="3520")
    trade_up(stage)
    order = order_of(stage, order_id)
    assert (order["orderStatus"], D(order["triggerPrice"])) == ("Untriggered", D(3520))


@ROWS.pybit("cancel_order", CANCEL)
def withdrawn_before_its_trigger(stage: Stage) -> None:
    """A waiting order that is cancelled ends unfilled, and no trade fires it any more."""
    ether_book(stage)
    stop = {
        "side": "Buy",
        "orderType": "Market",
        "qty": "0.5",
        "triggerPrice": "3504",
        "triggerDirection": RISE,
    }
    order_id = placed(stage, ETH, **stop)
    stage.http.cancel_order(**ETH, orderId=order_id)
    trade_up(stage)
    order = order_of(stage, order_id)
    assert order["orderStatus"] in ENDED
    assert D(order["cumExecQty"]) == 0


@ROWS.pybit("cancel_all_orders", "POST /v5/order/cancel-all")
def cancel_all_takes_them_too(stage: Stage) -> None:
    """Without a filter a contract's cancel-all withdraws waiting orders as well."""
    ether_book(stage)
    stop = {
        "side": "Buy",
        "orderType": "Market",
        "qty": "0.5",
        "triggerPrice": "3504",
        "triggerDirection": RISE,
    }
    order_id = placed(stage, ETH, **stop)
    gone = stage.http.cancel_all_orders(**ETH)["result"]["list"]
    assert [row["orderId"] for row in gone] == [order_id]


@ROWS.pybit("place_order", CREATE)
def reduce_only_stop(stage: Stage) -> None:
    """A reduce-only stop closes the position when the price falls to it."""
    ether_book(stage)
    placed(stage, ETH, side="Buy", orderType="Market", qty="0.5")
    stop = {
        "side": "Sell",
        "orderType": "Market",
        "qty": "0.5",
        "triggerPrice": "3496",
        "triggerDirection": FALL,
    }
    order_id = placed(stage, ETH, **stop, reduceOnly=True)
    trade_down(stage)
    became(stage, order_id, "Filled")
    (position,) = stage.http.get_positions(**ETH)["result"]["list"]
    assert D(position["size"]) == 0


@ROWS.pybit("place_order", CREATE, REFUSED)
def trigger_on_the_wrong_side(stage: Stage) -> None:
    """A rise to a price below the market is 110092, a fall to one above it 110093."""
    ether_book(stage)
    stop = {**ETH, "side": "Buy", "orderType": "Market", "qty": "0.5"}
    low = {"triggerPrice": "3490", "triggerDirection": RISE}
    high = {"triggerPrice": "3510", "triggerDirection": FALL}
    assert stage.refusal(stage.http.place_order, **stop, **low)[0] == 110092
    assert stage.refusal(stage.http.place_order, **stop, **high)[0] == 110093


@ROWS.pybit("place_order", CREATE, REFUSED)
def too_many_waiting_orders(stage: Stage) -> None:
    """The eleventh conditional order of a symbol is 110009."""
    ether_book(stage)
    stop = {
        "side": "Buy",
        "orderType": "Market",
        "qty": "0.5",
        "triggerPrice": "3504",
        "triggerDirection": RISE,
    }
    patient = stage.pybit_http(retry_codes={10006})
    for _ in range(10):
        patient.place_order(**ETH, **stop)
    assert stage.refusal(patient.place_order, **ETH, **stop)[0] == 110009


@ROWS.pybit("place_order", CREATE, REFUSED)
def too_many_waiting_spot_orders(stage: Stage) -> None:
    """The thirty-first conditional order of a spot pair is 170810."""
    stage.spot_book()
    stage.print_trade("65000", "0.001", **SPOT)
    stop = {
        "side": "Sell",
        "orderType": "Market",
        "qty": "0.001",
        "triggerPrice": "64000",
        "orderFilter": "StopOrder",
    }
    patient = stage.pybit_http(retry_codes={10006})
    for _ in range(30):
        patient.place_order(**SPOT, **stop)
    assert stage.refusal(patient.place_order, **SPOT, **stop)[0] == 170810


@ROWS.pybit("place_order", CREATE)
def spot_stop_order(stage: Stage) -> None:
    """A spot StopOrder waits apart from the ordinary orders, found and cancelled only by its filter."""
    stage.spot_book()
    stage.print_trade("65000", "0.001", **SPOT)
    stop = {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "64900", "triggerPrice": "65100"}
    order_id = placed(stage, SPOT, **stop, orderFilter="StopOrder")
    found = stage.http.get_open_orders(**SPOT, orderFilter="StopOrder")["result"]["list"]
    assert [(row["orderId"], row["orderStatus"]) for row in found] == [(order_id, "Untriggered")]
    assert stage.http.get_open_orders(**SPOT, orderFilter="Order")["result"]["list"] == []
    assert stage.refusal(stage.http.cancel_order, **SPOT, orderId=order_id)[0] == 170213
    stage.http.cancel_order(**SPOT, orderId=order_id, orderFilter="StopOrder")
    assert stage.http.get_open_orders(**SPOT, orderFilter="StopOrder")["result"]["list"] == []


@ROWS.pybit("place_order", CREATE)
def spot_stop_order_fires(stage: Stage) -> None:
    """A spot StopOrder above the market buys when a trade reaches its trigger."""
    stage.spot_book()
    stage.print_trade("65000", "0.001", **SPOT)
    stop = {
        "side": "Buy",
        "orderType": "Market",
        "qty": "0.02",
        "marketUnit": "baseCoin",
        "triggerPrice": "65001",
    }
    before = {row["execId"] for row in stage.http.get_executions(**SPOT)["result"]["list"]}
    placed(stage, SPOT, **stop, orderFilter="StopOrder")
    stage.do("trade", **SPOT, side="Buy", price="65001", qty="0.011")
    fills = poll_until(
        lambda: [r for r in stage.http.get_executions(**SPOT)["result"]["list"] if r["execId"] not in before]
    )
    assert sum(D(fill["execQty"]) for fill in fills) == D("0.02")


@ROWS.ccxt("create_order", CREATE)
async def trigger_order(stage: Stage, ccxt: Any) -> None:
    """A trigger order is found open with its trigger price and, once reached, closed under the same id."""
    ether_book(stage)
    params = {"triggerPrice": 3504, "triggerDirection": "ascending"}
    order = await ccxt.create_order(ETH_SWAP, "market", "buy", 0.5, None, params)
    (waiting,) = await ccxt.fetch_open_orders(ETH_SWAP, None, None, {"trigger": True})
    assert (waiting["id"], waiting["triggerPrice"], waiting["status"]) == (order["id"], 3504.0, "open")
    trade_up(stage)
    became(stage, order["id"], "Filled")
    closed = await ccxt.fetch_closed_order(order["id"], ETH_SWAP)
    assert (closed["filled"], closed["average"]) == (0.5, 3505.0)


@ROWS.ccxt("create_order", CREATE, REFUSED)
async def trigger_order_on_the_wrong_side(stage: Stage, ccxt: Any) -> None:
    """A rise to a price below the market is InvalidOrder with code 110092."""
    ether_book(stage)
    params = {"triggerPrice": 3490, "triggerDirection": "ascending"}
    attempt = ccxt.create_order(ETH_SWAP, "market", "buy", 0.5, None, params)
    assert "110092" in await stage.ccxt_refusal("InvalidOrder", attempt)


@ROWS.ccxt("cancel_order", CANCEL)
async def cancelled_trigger_order(stage: Stage, ccxt: Any) -> None:
    """A waiting order is cancelled by id; nothing is open, and it is found canceled."""
    ether_book(stage)
    params = {"triggerPrice": 3504, "triggerDirection": "ascending"}
    order = await ccxt.create_order(ETH_SWAP, "limit", "buy", 0.5, 3490, params)
    await ccxt.cancel_order(order["id"], ETH_SWAP)
    assert await ccxt.fetch_open_orders(ETH_SWAP) == []
    ended = await ccxt.fetch_order(order["id"], ETH_SWAP, {"acknowledged": True})
    assert ended["status"] == "canceled"


@ROWS.pybit("place_order", CREATE)
def stop_loss_attached_to_an_order(stage: Stage) -> None:
    """A buy with a take profit and a stop loss puts both on its position; the stop closes it, the other goes."""
    ether_book(stage)
    placed(stage, ETH, side="Buy", orderType="Market", qty="0.5", takeProfit="3550", stopLoss="3496")
    (position,) = stage.http.get_positions(**ETH)["result"]["list"]
    assert (D(position["takeProfit"]), D(position["stopLoss"])) == (3550, 3496)
    trade_down(stage)
    poll_until(lambda: stage.http.get_positions(**ETH)["result"]["list"][0]["size"] == "0")
    assert stage.http.get_open_orders(**ETH)["result"]["list"] == []
    history = stage.http.get_order_history(**ETH)["result"]["list"]
    ended = {
        row["stopOrderType"]: (row["orderStatus"], row["createType"])
        for row in history
        if row["stopOrderType"]
    }
    assert ended["StopLoss"] == ("Filled", "CreateByStopLoss")
    assert ended["TakeProfit"][0] in ENDED


@ROWS.ccxt("create_order", CREATE)
async def stop_loss_order(stage: Stage, ccxt: Any) -> None:
    """``stopLossPrice`` makes a reduce-only trigger order that falls with the price and closes the long."""
    ether_book(stage)
    await ccxt.create_order(ETH_SWAP, "market", "buy", 0.5)
    stop = await ccxt.create_order(ETH_SWAP, "market", "sell", 0.5, None, {"stopLossPrice": 3496})
    (waiting,) = await ccxt.fetch_open_orders(ETH_SWAP)
    assert (waiting["id"], waiting["reduceOnly"], waiting["triggerPrice"]) == (stop["id"], True, 3496.0)
    trade_down(stage)
    became(stage, stop["id"], "Filled")
    assert [row for row in await ccxt.fetch_positions([ETH_SWAP]) if row["contracts"]] == []
