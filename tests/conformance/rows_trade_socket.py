"""Rows about the order-entry socket: the same orders as by REST, with acks matched by request."""

from __future__ import annotations

import asyncio
from decimal import Decimal as D
from typing import Any

import pytest

from tests.conformance.calls import REFUSED, Rows
from tests.conformance.rows_linear import order_of, placed
from tests.conformance.sockets import OFTEN, assert_pings, pongs
from tests.conformance.stage import BTC, BTC_SPOT, BTC_SWAP, INVERSE, SPOT, Stage, quiet_threads
from tests.sandbox.venue_support import poll_until

ROWS = Rows("Order-entry socket", "trade socket")
LOW = {"side": "Buy", "orderType": "Limit", "price": "64000", "qty": "0.01"}


class Clerk:
    """A trade socket of pybit whose every request is answered before the next."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Send one request and return its ack, good or bad."""
        acks: list[dict[str, Any]] = []
        getattr(self.socket, operation)(acks.append, acks.append, **arguments)
        poll_until(lambda: acks)
        return acks[0]


@ROWS.pybit_ws("place_order", "order.create")
def placed_by_socket(stage: Stage) -> None:
    """The ack has both ids, the allowance in its header, and the order stands."""
    stage.btc_book()
    link = stage.link()
    ack = Clerk(stage.socket("trade")).ask("place_order", **BTC, **LOW, orderLinkId=link)
    assert (ack["retCode"], ack["op"], ack["data"]["orderLinkId"]) == (0, "order.create", link)
    assert {"X-Bapi-Limit", "X-Bapi-Limit-Status", "X-Bapi-Limit-Reset-Timestamp", "Timenow"} <= set(
        ack["header"]
    )
    order = order_of(stage, ack["data"]["orderId"])
    assert (order["orderStatus"], order["qty"], order["orderLinkId"]) == ("New", "0.010", link)


@ROWS.pybit_ws("place_order", "order.create")
def market_order_by_socket(stage: Stage) -> None:
    """A market order by socket fills as by REST."""
    stage.btc_book()
    ack = Clerk(stage.socket("trade")).ask("place_order", **BTC, side="Buy", orderType="Market", qty="0.03")
    assert order_of(stage, ack["data"]["orderId"])["orderStatus"] == "Filled"
    (position,) = stage.http.get_positions(**BTC)["result"]["list"]
    assert D(position["size"]) == D("0.03")


@ROWS.pybit_ws("place_order", "order.create")
def spot_and_inverse_by_socket(stage: Stage) -> None:
    """The socket takes orders of every category."""
    stage.spot_book()
    stage.inverse_book()
    clerk = Clerk(stage.socket("trade"))
    coin = clerk.ask("place_order", **SPOT, side="Buy", orderType="Limit", price="64900", qty="0.01")
    dollars = clerk.ask("place_order", **INVERSE, side="Buy", orderType="Limit", price="64500", qty="100")
    assert order_of(stage, coin["data"]["orderId"], SPOT)["qty"] == "0.010000"
    assert order_of(stage, dollars["data"]["orderId"], INVERSE)["qty"] == "100"


@ROWS.pybit_ws("place_order", "order.create")
def five_at_once(stage: Stage) -> None:
    """Five orders sent without waiting get five acks, each to its own callback."""
    stage.btc_book()
    socket = stage.socket("trade")
    links = [stage.link() for _ in range(5)]
    acks: dict[str, str] = {}

    def hear(link: str) -> Any:
        return lambda ack: acks.__setitem__(link, ack["data"]["orderLinkId"])

    for link in links:
        socket.place_order(hear(link), **BTC, **LOW, orderLinkId=link)
    poll_until(lambda: len(acks) == 5)
    assert acks == {link: link for link in links}


@ROWS.pybit_ws("amend_order", "order.amend")
def amended_by_socket(stage: Stage) -> None:
    """Price and quantity are amended by link id."""
    stage.btc_book()
    link = stage.link()
    order_id = placed(stage, **LOW, orderLinkId=link)
    ack = Clerk(stage.socket("trade")).ask("amend_order", **BTC, orderLinkId=link, qty="0.02", price="63990")
    assert ack["data"] == {"orderId": order_id, "orderLinkId": link}
    order = order_of(stage, order_id)
    assert (order["qty"], order["price"]) == ("0.020", "63990.00")


@ROWS.pybit_ws("cancel_order", "order.cancel")
def cancelled_by_socket(stage: Stage) -> None:
    """The order ends as on REST."""
    stage.btc_book()
    order_id = placed(stage, **LOW)
    assert Clerk(stage.socket("trade")).ask("cancel_order", **BTC, orderId=order_id)["retCode"] == 0
    assert order_of(stage, order_id)["cancelType"] == "CancelByUser"


@ROWS.pybit_ws("place_batch_order", "order.create-batch")
def batch_by_socket(stage: Stage) -> None:
    """Two parallel lists: one order placed, one refused with its code."""
    stage.btc_book()
    request = [{"symbol": "BTCUSDT", **LOW}, {"symbol": "BTCUSDT", **LOW, "qty": "900"}]
    ack = Clerk(stage.socket("trade")).ask("place_batch_order", category="linear", request=request)
    assert ack["retCode"] == 0
    assert [bool(row["orderId"]) for row in ack["data"]["list"]] == [True, False]
    assert [verdict["code"] for verdict in ack["retExtInfo"]["list"]] == [0, 110007]


@ROWS.pybit_ws("amend_batch_order", "order.amend-batch")
def batch_amended_by_socket(stage: Stage) -> None:
    """Two orders are amended by one message."""
    stage.btc_book()
    ids = [placed(stage, **LOW) for _ in range(2)]
    request = [{"symbol": "BTCUSDT", "orderId": order_id, "qty": "0.02"} for order_id in ids]
    assert (
        Clerk(stage.socket("trade")).ask("amend_batch_order", category="linear", request=request)["retCode"]
        == 0
    )
    assert [order_of(stage, order_id)["qty"] for order_id in ids] == ["0.020", "0.020"]


@ROWS.pybit_ws("cancel_batch_order", "order.cancel-batch")
def batch_cancelled_by_socket(stage: Stage) -> None:
    """Two orders are cancelled by one message; one that is unknown has its code."""
    stage.btc_book()
    ids = [placed(stage, **LOW) for _ in range(2)]
    request = [{"symbol": "BTCUSDT", "orderId": order_id} for order_id in [*ids, "nobody"]]
    ack = Clerk(stage.socket("trade")).ask("cancel_batch_order", category="linear", request=request)
    assert [verdict["code"] for verdict in ack["retExtInfo"]["list"]] == [0, 0, 110001]
    assert stage.http.get_open_orders(**BTC)["result"]["list"] == []


def refused_by_socket(why: str, operation: str, op: str, code: int, **arguments: Any) -> None:
    """Add the row of one refusal by socket."""

    def act(stage: Stage) -> None:
        stage.btc_book()
        stage.spot_book()
        ack = Clerk(stage.socket("trade")).ask(operation, **arguments)
        assert (ack["retCode"], ack["op"], ack["data"]) == (code, op, {})
        assert ack["retMsg"]
        assert stage.truth()["orders"] == []

    act.__name__ = f"{why} by socket"
    act.__doc__ = f"{why[0].upper()}{why[1:]}: {code} reaches the error callback, and no order is made."
    ROWS.pybit_ws(operation, op, REFUSED)(act)


refused_by_socket("margin short", "place_order", "order.create", 110007, **BTC, **{**LOW, "qty": "900"})
refused_by_socket(
    "quantity off the step", "place_order", "order.create", 10001, **BTC, **{**LOW, "qty": "0.0015"}
)
refused_by_socket(
    "balance short", "place_order", "order.create", 170131, **SPOT, **{**LOW, "price": "64900", "qty": "20"}
)
refused_by_socket(
    "cancel of an unknown order", "cancel_order", "order.cancel", 110001, **BTC, orderLinkId="nobody"
)
refused_by_socket(
    "amend of an unknown order", "amend_order", "order.amend", 110001, **BTC, orderLinkId="nobody", qty="0.02"
)


@ROWS.pybit_ws("place_order", "order.create", REFUSED)
def link_id_used_before_by_socket(stage: Stage) -> None:
    """A link id used by REST is 110072 by socket."""
    stage.btc_book()
    link = stage.link()
    placed(stage, **LOW, orderLinkId=link)
    assert (
        Clerk(stage.socket("trade")).ask("place_order", **BTC, **LOW, orderLinkId=link)["retCode"] == 110072
    )


@ROWS.pybit_ws("place_order", "order.create", REFUSED)
def stale_clock_by_socket(stage: Stage) -> None:
    """A message whose stamp is outside the window is 10002, and no order is made."""
    stage.btc_book()
    clerk = Clerk(stage.socket("trade"))
    with stage.clock_moved(60_000):
        ack = clerk.ask("place_order", **BTC, **LOW)
    assert ack["retCode"] == 10002
    assert stage.truth()["orders"] == []


@ROWS.pybit_ws("place_order", "order.create", REFUSED)
def orders_too_fast_by_socket(stage: Stage) -> None:
    """Of sixteen contract orders sent at once some are 10006; exactly the others are made."""
    stage.btc_book()
    clerk = Clerk(stage.socket("trade"))
    acks: list[int] = []
    for _ in range(16):
        clerk.socket.place_order(
            lambda ack: acks.append(ack["retCode"]), lambda ack: acks.append(ack["retCode"]), **BTC, **LOW
        )
    poll_until(lambda: len(acks) == 16)
    assert 10006 in acks
    assert set(acks) == {0, 10006}
    assert len(stage.truth()["orders"]) == acks.count(0) >= 10


@ROWS.pybit_ws("place_order", "order.create", REFUSED)
def ack_that_never_comes(stage: Stage) -> None:
    """An ack that is lost leaves the callback silent although the order stands."""
    stage.btc_book()
    clerk = Clerk(stage.socket("trade"))
    stage.fault(on="trade", match={"path": "order.create"}, when="after_apply", act="drop", times=1)
    lost: list[dict[str, Any]] = []
    link = stage.link()
    clerk.socket.place_order(lost.append, lost.append, **BTC, **LOW, orderLinkId=link)
    assert clerk.ask("place_order", **BTC, **LOW)["retCode"] == 0
    assert lost == []
    (found,) = stage.http.get_open_orders(**BTC, orderLinkId=link)["result"]["list"]
    assert found["orderStatus"] == "New"


@ROWS.pybit_ws("place_order", "auth", REFUSED)
def wrong_secret_by_socket(stage: Stage) -> None:
    """A trade socket with a wrong secret is not authenticated, and the library ends it."""
    with quiet_threads():
        socket = stage.socket("trade", api_secret="wrong", waits=False)
        poll_until(lambda: not socket.is_connected())
    assert socket.auth is False


@ROWS.pybit_ws("place_order", "order.create")
def reconnects_after_an_abort(stage: Stage) -> None:
    """With ``retries=0`` a trade socket that is cut after an order comes back, authenticates and trades on."""
    stage.btc_book()
    clerk = Clerk(stage.socket("trade", retries=0))
    stage.fault(on="trade", match={"path": "order.create"}, when="after_apply", act="reset", times=1)
    lost: list[dict[str, Any]] = []
    clerk.socket.place_order(lost.append, lost.append, **BTC, **LOW)
    poll_until(lambda: stage.truth()["orders"] and not clerk.socket.auth)
    poll_until(lambda: clerk.socket.auth)
    assert clerk.ask("place_order", **BTC, **LOW)["retCode"] == 0
    assert len(stage.truth()["orders"]) == 2


@ROWS.ccxt_pro("create_order_ws", "order.create")
async def created_by_socket(stage: Stage) -> None:
    """A perpetual and a spot order placed by socket are found by REST with their link ids."""
    stage.btc_book()
    stage.spot_book()
    async with stage.ccxt_pro() as exchange:
        for symbol in (BTC_SWAP, BTC_SPOT):
            link = stage.link()
            order = await exchange.create_order_ws(
                symbol, "limit", "buy", 0.01, 64900, {"clientOrderId": link}
            )
            (found,) = await exchange.fetch_open_orders(symbol)
            assert (found["id"], found["clientOrderId"], found["price"]) == (order["id"], link, 64900.0)


@ROWS.ccxt_pro("edit_order_ws", "order.amend")
async def edited_by_socket(stage: Stage) -> None:
    """Amount and price are changed by socket."""
    stage.btc_book()
    async with stage.ccxt_pro() as exchange:
        order = await exchange.create_order_ws(BTC_SWAP, "limit", "buy", 0.01, 64000)
        edited = await exchange.edit_order_ws(order["id"], BTC_SWAP, "limit", "buy", 0.02, 63990)
        assert edited["id"] == order["id"]
        (found,) = await exchange.fetch_open_orders(BTC_SWAP)
        assert (found["amount"], found["price"]) == (0.02, 63990.0)


@ROWS.ccxt_pro("cancel_order_ws", "order.cancel")
async def canceled_by_socket(stage: Stage) -> None:
    """The order is gone from the open ones."""
    stage.btc_book()
    async with stage.ccxt_pro() as exchange:
        order = await exchange.create_order_ws(BTC_SWAP, "limit", "buy", 0.01, 64000)
        gone = await exchange.cancel_order_ws(order["id"], BTC_SWAP)
        assert gone["id"] == order["id"]
        assert await exchange.fetch_open_orders(BTC_SWAP) == []


@ROWS.ccxt_pro("create_order_ws", "order.create", REFUSED)
async def refused_orders_by_socket(stage: Stage) -> None:
    """Margin short is InsufficientFunds, a used link id InvalidOrder; an unknown order to cancel OrderNotFound."""
    stage.btc_book()
    async with stage.ccxt_pro() as exchange:
        params = {"clientOrderId": stage.link()}
        await exchange.create_order_ws(BTC_SWAP, "limit", "buy", 0.01, 64000, params)
        again = exchange.create_order_ws(BTC_SWAP, "limit", "buy", 0.01, 64000, params)
        assert "110072" in await stage.ccxt_refusal("InvalidOrder", again)
        large = exchange.create_order_ws(BTC_SWAP, "limit", "buy", 900, 64000)
        assert "110007" in await stage.ccxt_refusal("InsufficientFunds", large)
        unknown = exchange.cancel_order_ws("nobody", BTC_SWAP)
        assert "110001" in await stage.ccxt_refusal("OrderNotFound", unknown)


@ROWS.ccxt_pro("create_order_ws", "order.create", REFUSED)
async def stale_clock_of_ccxt_by_socket(stage: Stage) -> None:
    """A stamp outside the window is InvalidNonce."""
    stage.btc_book()
    async with stage.ccxt_pro() as exchange:
        await exchange.create_order_ws(BTC_SWAP, "limit", "buy", 0.01, 64000)
        with stage.clock_moved(60_000):
            late = exchange.create_order_ws(BTC_SWAP, "limit", "buy", 0.01, 64000)
            assert "10002" in await stage.ccxt_refusal("InvalidNonce", late)


@ROWS.ccxt_pro("create_order_ws", "order.create")
async def next_call_reconnects(stage: Stage) -> None:
    """A socket reset before the ack is a NetworkError with the order standing; the next call trades on."""
    import ccxt as library

    stage.btc_book()
    async with stage.ccxt_pro() as exchange:
        await exchange.create_order_ws(BTC_SWAP, "limit", "buy", 0.01, 64000)
        stage.fault(on="trade", match={"path": "order.create"}, when="after_apply", act="reset", times=1)
        with pytest.raises(library.NetworkError):
            async with asyncio.timeout(30):
                await exchange.create_order_ws(BTC_SWAP, "limit", "buy", 0.02, 64000)
        await exchange.create_order_ws(BTC_SWAP, "limit", "buy", 0.03, 64000)
        found = await exchange.fetch_open_orders(BTC_SWAP)
        assert sorted(order["amount"] for order in found) == [0.01, 0.02, 0.03]


@ROWS.pybit_ws("place_order", "order.create")
def pings_on_the_trade_socket(stage: Stage) -> None:
    """Frames and texts of ping are answered on the order-entry socket."""
    assert_pings(stage.socket("trade", ping_interval=0.3, ping_timeout=0.2))


@ROWS.ccxt_pro("create_order_ws", "order.create")
async def pings_of_ccxt_on_the_trade_socket(stage: Stage) -> None:
    """The library's text pings are answered on the order-entry socket."""
    stage.btc_book()
    async with stage.ccxt_pro(streaming=OFTEN) as exchange:
        await exchange.create_order_ws(BTC_SWAP, "limit", "buy", 0.01, 64000)
        await pongs(exchange, "v5/trade")
