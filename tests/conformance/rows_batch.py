"""Rows about batch requests: each order has its own fate, told in two lists beside each other."""

from __future__ import annotations

from typing import Any

from tests.conformance.calls import REFUSED, Rows
from tests.conformance.rows_linear import order_of, placed
from tests.conformance.stage import BTC_SPOT, BTC_SWAP, INVERSE, SPOT, XRP_SWAP, Stage

ROWS = Rows("Batches of orders", "batch")
CREATE = "POST /v5/order/create-batch"
AMEND = "POST /v5/order/amend-batch"
CANCEL = "POST /v5/order/cancel-batch"


def low(qty: str, **more: Any) -> dict[str, Any]:
    """Return a resting buy of bitcoin contracts, without its category."""
    return {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "price": "64000", "qty": qty, **more}


def fates(answer: dict[str, Any]) -> list[tuple[int, bool]]:
    """Return code, and whether there is an order id, of each order of a batch."""
    assert answer["retCode"] == 0
    rows, verdicts = answer["result"]["list"], answer["retExtInfo"]["list"]
    return [(verdict["code"], bool(row["orderId"])) for row, verdict in zip(rows, verdicts, strict=True)]


@ROWS.pybit("place_batch_order", CREATE)
def all_placed(stage: Stage) -> None:
    """Three orders are placed in the order of the request, each with ids and a time of creation."""
    stage.btc_book()
    links = [stage.link() for _ in range(3)]
    request = [low(f"0.00{n}", orderLinkId=link) for n, link in enumerate(links, 1)]
    answer = stage.http.place_batch_order(category="linear", request=request)
    assert fates(answer) == [(0, True)] * 3
    rows = answer["result"]["list"]
    assert [row["orderLinkId"] for row in rows] == links
    assert all(row["createAt"].isdigit() and row["category"] == "linear" for row in rows)
    assert [order_of(stage, row["orderId"])["qty"] for row in rows] == ["0.001", "0.002", "0.003"]


@ROWS.pybit("place_batch_order", CREATE, REFUSED)
def one_of_three_refused(stage: Stage) -> None:
    """The request succeeds although its second order is refused: that row has no id, and its code stands beside it."""
    stage.btc_book()
    request = [low("0.001"), low("900"), low("0.0015")]
    answer = stage.http.place_batch_order(category="linear", request=request)
    assert fates(answer) == [(0, True), (110007, False), (10001, False)]
    assert [row["createAt"] == "" for row in answer["result"]["list"]] == [False, True, True]
    assert len(stage.http.get_open_orders(category="linear", symbol="BTCUSDT")["result"]["list"]) == 1


@ROWS.pybit("place_batch_order", CREATE, REFUSED)
def same_link_id_twice_in_a_batch(stage: Stage) -> None:
    """The second order with the same link id is 110072."""
    stage.btc_book()
    link = stage.link()
    request = [low("0.001", orderLinkId=link), low("0.002", orderLinkId=link)]
    answer = stage.http.place_batch_order(category="linear", request=request)
    assert fates(answer) == [(0, True), (110072, False)]


@ROWS.pybit("place_batch_order", CREATE)
def spot_batch(stage: Stage) -> None:
    """Spot orders go in batches too; one without funds is 170131."""
    stage.spot_book()
    buy = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "price": "64900"}
    answer = stage.http.place_batch_order(
        category="spot", request=[{**buy, "qty": "0.01"}, {**buy, "qty": "50"}]
    )
    assert fates(answer) == [(0, True), (170131, False)]


@ROWS.pybit("place_batch_order", CREATE)
def inverse_batch(stage: Stage) -> None:
    """Inverse orders go in batches."""
    stage.inverse_book()
    buy = {"symbol": "BTCUSD", "side": "Buy", "orderType": "Limit", "price": "64500", "qty": "100"}
    answer = stage.http.place_batch_order(category="inverse", request=[buy, buy])
    assert fates(answer) == [(0, True)] * 2
    assert len(stage.http.get_open_orders(**INVERSE)["result"]["list"]) == 2


@ROWS.pybit("amend_batch_order", AMEND)
def amended(stage: Stage) -> None:
    """Two orders are amended, an unknown third is 110001; no row has a time of creation."""
    stage.btc_book()
    ids = [placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.001") for _ in range(2)]
    request = [
        {"symbol": "BTCUSDT", "orderId": ids[0], "qty": "0.005"},
        {"symbol": "BTCUSDT", "orderId": ids[1], "price": "63900"},
        {"symbol": "BTCUSDT", "orderLinkId": "nobody", "qty": "0.002"},
    ]
    answer = stage.http.amend_batch_order(category="linear", request=request)
    assert [code for code, _ in fates(answer)] == [0, 0, 110001]
    assert all("createAt" not in row for row in answer["result"]["list"])
    assert order_of(stage, ids[0])["qty"] == "0.005"
    assert order_of(stage, ids[1])["price"] == "63900.00"


@ROWS.pybit("cancel_batch_order", CANCEL)
def cancelled(stage: Stage) -> None:
    """Two orders are cancelled, one by link id; an order that is gone is 110001."""
    stage.btc_book()
    link = stage.link()
    first = placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.001")
    placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.001", orderLinkId=link)
    request = [{"symbol": "BTCUSDT", "orderId": first}, {"symbol": "BTCUSDT", "orderLinkId": link}]
    answer = stage.http.cancel_batch_order(category="linear", request=[*request, request[0]])
    assert [code for code, _ in fates(answer)] == [0, 0, 110001]
    assert stage.http.get_open_orders(category="linear", symbol="BTCUSDT")["result"]["list"] == []


@ROWS.pybit("place_batch_order", CREATE, REFUSED)
def batch_too_long(stage: Stage) -> None:
    """Twenty-one contract orders, or eleven spot orders, in one request are a parameter error for all."""
    stage.btc_book()
    request = [low("0.001") for _ in range(21)]
    assert stage.refusal(stage.http.place_batch_order, category="linear", request=request)[0] == 10001
    assert stage.refusal(stage.http.place_batch_order, category="spot", request=request[:11])[0] == 10001
    assert stage.http.get_open_orders(**SPOT)["result"]["list"] == []


@ROWS.pybit("place_batch_order", CREATE, REFUSED)
def allowance_used_up_inside_a_batch(stage: Stage) -> None:
    """Each order costs one unit: after six, a batch of eight gets four in, and four fail with 10006."""
    stage.btc_book()
    stage.http.place_batch_order(category="linear", request=[low("0.001") for _ in range(6)])
    answer = stage.http.place_batch_order(category="linear", request=[low("0.002") for _ in range(8)])
    assert [code for code, _ in fates(answer)] == [0] * 4 + [10006] * 4


@ROWS.pybit("place_batch_order", CREATE)
def batch_has_an_allowance_of_its_own(stage: Stage) -> None:
    """A full batch leaves the allowance of single orders untouched."""
    stage.btc_book()
    stage.http.place_batch_order(category="linear", request=[low("0.001") for _ in range(10)])
    assert placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.001")


@ROWS.ccxt("create_orders", CREATE)
async def created(stage: Stage, ccxt: Any) -> None:
    """Two orders on two symbols get an id each and are open; the third, without funds, has none but its code."""
    stage.btc_book()
    orders = [
        {"symbol": BTC_SWAP, "type": "limit", "side": "buy", "amount": 0.01, "price": 64000},
        {"symbol": XRP_SWAP, "type": "limit", "side": "buy", "amount": 100, "price": 0.599},
        {"symbol": BTC_SWAP, "type": "limit", "side": "buy", "amount": 900, "price": 64000},
    ]
    made = await ccxt.create_orders(orders)
    assert [bool(order["id"]) for order in made] == [True, True, False]
    assert made[2]["info"]["code"] == "110007"
    (found,) = await ccxt.fetch_open_orders(XRP_SWAP)
    assert (found["id"], found["amount"], found["price"]) == (made[1]["id"], 100.0, 0.599)


@ROWS.ccxt("edit_orders", AMEND)
async def edited(stage: Stage, ccxt: Any) -> None:
    """Two orders are changed by one request."""
    stage.btc_book()
    made = [await ccxt.create_order(BTC_SWAP, "limit", "buy", 0.01, 64000) for _ in range(2)]
    changed = [
        {
            "id": order["id"],
            "symbol": BTC_SWAP,
            "type": "limit",
            "side": "buy",
            "amount": amount,
            "price": 63990,
        }
        for order, amount in zip(made, (0.02, 0.03), strict=True)
    ]
    answered = await ccxt.edit_orders(changed)
    assert [order["id"] for order in answered] == [order["id"] for order in made]
    found = await ccxt.fetch_open_orders(BTC_SWAP)
    assert sorted((order["amount"], order["price"]) for order in found) == [(0.02, 63990.0), (0.03, 63990.0)]


@ROWS.ccxt("cancel_orders", CANCEL)
async def cancelled_by_id(stage: Stage, ccxt: Any) -> None:
    """Two of three spot orders are cancelled; the third stays open."""
    stage.spot_book()
    made = [await ccxt.create_order(BTC_SPOT, "limit", "buy", n / 100, 64900) for n in (1, 2, 3)]
    gone = await ccxt.cancel_orders([made[0]["id"], made[1]["id"]], BTC_SPOT)
    assert [order["id"] for order in gone] == [made[0]["id"], made[1]["id"]]
    (left,) = await ccxt.fetch_open_orders(BTC_SPOT)
    assert left["id"] == made[2]["id"]
