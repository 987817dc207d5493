"""Rows about bad orders and unknown outcomes: each code the venue gives, and what each library makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conformance.calls import REFUSED, Rows
from tests.conformance.rows_linear import AMEND, CANCEL, CREATE, placed
from tests.conformance.stage import BTC, INVERSE, SPOT, XRP, Stage

ROWS = Rows("Refusals", "refusals")
EVERYWHERE = "POST /v5/order/*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """A request that must be refused: its code, a part of its text, and the class ccxt raises for it."""

    why: str
    code: int
    error: str
    text: str = ""
    where: dict[str, str] = field(default_factory=lambda: BTC)
    order: dict[str, Any] = field(default_factory=dict)
    path: str = "create"

    def body(self) -> dict[str, Any]:
        """Return the whole body; a key set to None is left out."""
        sound: dict[str, Any] = {}
        if self.path == "create":
            px = {"BTCUSDT": "64900", "BTCUSD": "64500", "XRPUSDT": "0.59"}[self.where["symbol"]]
            qty = {"BTCUSDT": "0.01", "BTCUSD": "100", "XRPUSDT": "100"}[self.where["symbol"]]
            sound = {"side": "Buy", "orderType": "Limit", "price": px, "qty": qty}
        whole = {**self.where, **sound, **self.order}
        return {name: value for name, value in whole.items() if value is not None}


CONTRACT = (
    Bad(
        why="quantity off the step",
        code=10001,
        error="BadRequest",
        text="Qty invalid",
        order={"qty": "0.0015"},
    ),
    Bad(why="quantity zero", code=10001, error="BadRequest", text="minimum limit", order={"qty": "0"}),
    Bad(why="quantity negative", code=10001, error="BadRequest", order={"qty": "-1"}),
    Bad(why="quantity not a number", code=10001, error="BadRequest", order={"qty": "much"}),
    Bad(
        why="limit quantity too large",
        code=10001,
        error="BadRequest",
        text="too large, order_qty:120000000000 > max_qty:119000000000",
        order={"qty": "1200"},
    ),
    Bad(
        why="market quantity too large",
        code=10001,
        error="BadRequest",
        text="maximum limit",
        order={"qty": "501", "orderType": "Market"},
    ),
    Bad(
        why="price off the tick",
        code=10001,
        error="BadRequest",
        text="Price invalid",
        order={"price": "64900.05"},
    ),
    Bad(why="limit order without a price", code=10001, error="BadRequest", order={"price": None}),
    Bad(why="side unknown", code=10001, error="BadRequest", text="side invalid", order={"side": "Long"}),
    Bad(why="type unknown", code=10001, error="BadRequest", order={"orderType": "Stop"}),
    Bad(why="time in force unknown", code=10001, error="BadRequest", order={"timeInForce": "GTX"}),
    Bad(
        why="symbol unknown",
        code=10001,
        error="BadRequest",
        text="symbol",
        where={**BTC},
        order={"symbol": "NOPE"},
    ),
    Bad(why="category unknown", code=10001, error="BadRequest", order={"category": "futures"}),
    Bad(
        why="link id too long", code=10001, error="BadRequest", text="longer", order={"orderLinkId": "x" * 46}
    ),
    Bad(why="link id with a blank", code=10001, error="BadRequest", order={"orderLinkId": "a b"}),
    Bad(
        why="index of hedge mode in one-way mode",
        code=10001,
        error="BadRequest",
        text="position idx not match position mode",
        order={"positionIdx": 1},
    ),
    Bad(
        why="value below the minimum",
        code=110094,
        error="InvalidOrder",
        text="minimum order value 5USDT",
        where=XRP,
        order={"qty": "0.1"},
    ),
    Bad(why="margin short", code=110007, error="InsufficientFunds", order={"qty": "900"}),
    Bad(
        why="reduce-only without a position",
        code=110017,
        error="InvalidOrder",
        text="position is zero",
        order={"reduceOnly": True},
    ),
    Bad(why="RPI by an ordinary maker", code=110119, error="ExchangeError", order={"timeInForce": "RPI"}),
    Bad(
        why="slippage of too many ticks",
        code=110108,
        error="ExchangeError",
        order={"orderType": "Market", "slippageToleranceType": "TickSize", "slippageTolerance": "10001"},
    ),
    Bad(
        why="slippage of too many per cent",
        code=110109,
        error="ExchangeError",
        order={"orderType": "Market", "slippageToleranceType": "Percent", "slippageTolerance": "10.5"},
    ),
    Bad(
        why="stop loss above a buy",
        code=10001,
        error="BadRequest",
        text="StopLoss",
        order={"orderType": "Market", "stopLoss": "66000"},
    ),
    Bad(why="fraction of a dollar", code=10001, error="BadRequest", where=INVERSE, order={"qty": "1.5"}),
    Bad(
        why="cancel without an id",
        code=10001,
        error="BadRequest",
        text="OrderId or orderLinkId is required",
        path="cancel",
    ),
    Bad(
        why="cancel of an unknown order",
        code=110001,
        error="OrderNotFound",
        text="order not exists or too late to cancel",
        path="cancel",
        order={"orderLinkId": "nobody"},
    ),
    Bad(
        why="amend of an unknown order",
        code=110001,
        error="OrderNotFound",
        text="order not exists or too late to replace",
        path="amend",
        order={"orderLinkId": "nobody", "qty": "0.02"},
    ),
    Bad(
        why="cancel all of nothing named",
        code=10001,
        error="BadRequest",
        path="cancel-all",
        where={"category": "linear"},
    ),
)

COIN = (
    Bad(why="empty price", code=170105, error="BadRequest", where=SPOT, order={"price": ""}),
    Bad(why="malformed price", code=170130, error="BadRequest", where=SPOT, order={"price": "dear"}),
    Bad(why="bad time in force", code=170115, error="InvalidOrder", where=SPOT, order={"timeInForce": "GTX"}),
    Bad(why="bad type", code=170116, error="InvalidOrder", where=SPOT, order={"orderType": "Stop"}),
    Bad(why="bad side", code=170117, error="InvalidOrder", where=SPOT, order={"side": "Long"}),
    Bad(why="bad symbol", code=170121, error="InvalidOrder", where=SPOT, order={"symbol": "NOPE"}),
    Bad(why="dollars short", code=170131, error="InsufficientFunds", where=SPOT, order={"qty": "20"}),
    Bad(
        why="coins short",
        code=170131,
        error="InsufficientFunds",
        text="Insufficient balance.",
        where=SPOT,
        order={"side": "Sell", "qty": "11", "price": "65100"},
    ),
    Bad(
        why="price off the spot tick",
        code=170134,
        error="InvalidOrder",
        where=SPOT,
        order={"price": "64900.05"},
    ),
    Bad(why="too many decimals", code=170137, error="InvalidOrder", where=SPOT, order={"qty": "0.0100005"}),
    Bad(
        why="amount with too many decimals",
        code=170148,
        error="InvalidOrder",
        where=SPOT,
        order={"orderType": "Market", "price": None, "qty": "100.00000001"},
    ),
    Bad(why="spot quantity zero", code=170136, error="InvalidOrder", where=SPOT, order={"qty": "0"}),
    Bad(why="spot quantity too large", code=170124, error="InvalidOrder", where=SPOT, order={"qty": "84"}),
    Bad(
        why="spot value below the minimum",
        code=170140,
        error="InvalidOrder",
        where=SPOT,
        order={"qty": "0.00005"},
    ),
    Bad(why="buy above the band", code=170193, error="InvalidOrder", where=SPOT, order={"price": "66000"}),
    Bad(
        why="sale below the band",
        code=170194,
        error="InvalidOrder",
        where=SPOT,
        order={"side": "Sell", "price": "64000"},
    ),
    Bad(why="spot RPI", code=170355, error="ExchangeError", where=SPOT, order={"timeInForce": "RPI"}),
    Bad(
        why="cancel of an unknown spot order",
        code=170213,
        error="OrderNotFound",
        where=SPOT,
        path="cancel",
        order={"orderLinkId": "nobody"},
    ),
    Bad(
        why="amend of an unknown spot order",
        code=170213,
        error="OrderNotFound",
        where=SPOT,
        path="amend",
        order={"orderLinkId": "nobody", "qty": "0.02"},
    ),
)

PYBIT_CALLS = {
    "create": "place_order",
    "amend": "amend_order",
    "cancel": "cancel_order",
    "cancel-all": "cancel_all_orders",
}
CCXT_CALLS = {
    "create": "private_post_v5_order_create",
    "amend": "private_post_v5_order_amend",
    "cancel": "private_post_v5_order_cancel",
    "cancel-all": "private_post_v5_order_cancel_all",
}


def lay_books(stage: Stage) -> None:
    """Lay the books the bad orders are bad on."""
    stage.btc_book()
    stage.spot_book()
    stage.lay_book([("0.5999", "1000")], [("0.6001", "1000")], **XRP)


def untouched(stage: Stage) -> None:
    """Assert that the account has not one order, not even an ended one."""
    assert stage.truth()["orders"] == []


def _by_pybit(bad: Bad) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        lay_books(stage)
        code, text = stage.refusal(getattr(stage.http, PYBIT_CALLS[bad.path]), **bad.body())
        assert (code, bad.text in text) == (bad.code, True), text
        untouched(stage)

    return act


def _by_ccxt(bad: Bad) -> Callable[[Stage, Any], Any]:
    async def act(stage: Stage, ccxt: Any) -> None:
        lay_books(stage)
        text = await stage.ccxt_refusal(bad.error, getattr(ccxt, CCXT_CALLS[bad.path])(bad.body()))
        assert f'"retCode":{bad.code}' in text.replace(" ", "")
        untouched(stage)

    return act


for _bad in (*CONTRACT, *COIN):
    _target = f"POST /v5/order/{_bad.path}"
    _pybit, _ccxt = _by_pybit(_bad), _by_ccxt(_bad)
    for _act, _ending in (
        (_pybit, "no order is made"),
        (_ccxt, f"{_bad.error} is raised and no order is made"),
    ):
        _act.__name__ = _bad.why
        _act.__doc__ = f"{_bad.why[0].upper()}{_bad.why[1:]}: {_bad.code}, {_ending}."
    ROWS.pybit(PYBIT_CALLS[_bad.path], _target, REFUSED)(_pybit)
    ROWS.ccxt(CCXT_CALLS[_bad.path], _target, REFUSED)(_ccxt)


@ROWS.pybit("place_order", CREATE, REFUSED)
def link_id_used_before(stage: Stage) -> None:
    """A link id is used up for ever: 110072 while its order lives, after it ended, and across categories."""
    lay_books(stage)
    link = stage.link()
    order = {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "64900", "orderLinkId": link}
    placed(stage, **order)
    assert stage.refusal(stage.http.place_order, **BTC, **order) == (110072, "OrderLinkedID is duplicate")
    stage.http.cancel_order(**BTC, orderLinkId=link)
    assert stage.refusal(stage.http.place_order, **BTC, **order)[0] == 110072
    assert stage.refusal(stage.http.place_order, **SPOT, **order)[0] in {110072, 170141}


@ROWS.ccxt("create_order", CREATE, REFUSED)
async def link_id_used_before_by_ccxt(stage: Stage, ccxt: Any) -> None:
    """A link id used before is InvalidOrder with code 110072."""
    lay_books(stage)
    params = {"clientOrderId": stage.link()}
    await ccxt.create_order("BTC/USDT:USDT", "limit", "buy", 0.01, 64900, params)
    again = ccxt.create_order("BTC/USDT:USDT", "limit", "buy", 0.01, 64900, params)
    assert "110072" in await stage.ccxt_refusal("InvalidOrder", again)


@ROWS.pybit("amend_order", AMEND, REFUSED)
def amend_that_cannot_be(stage: Stage) -> None:
    """An amend that changes nothing is 10001, one to what is filled already 110064, of an ended order 110001."""
    lay_books(stage)
    order_id = placed(stage, side="Buy", orderType="Limit", price="65000", qty="0.010")
    stage.do("trade", **BTC, side="Sell", price="65000", qty="0.004")
    amend = {**BTC, "orderId": order_id}
    assert stage.refusal(stage.http.amend_order, **amend, qty="0.010")[0] == 10001
    assert stage.refusal(stage.http.amend_order, **amend, qty="0.004")[0] == 110064
    stage.http.cancel_order(**BTC, orderId=order_id)
    assert stage.refusal(stage.http.amend_order, **amend, qty="0.02")[0] == 110001


@ROWS.pybit("amend_order", AMEND, REFUSED)
def spot_amend_below_the_fill(stage: Stage) -> None:
    """A spot quantity amended to what is filled already is 170313."""
    lay_books(stage)
    order_id = placed(stage, SPOT, side="Buy", orderType="Limit", price="65000", qty="0.010")
    stage.do("trade", **SPOT, side="Sell", price="65000", qty="0.004")
    assert stage.refusal(stage.http.amend_order, **SPOT, orderId=order_id, qty="0.003")[0] == 170313


@ROWS.pybit("cancel_order", CANCEL, REFUSED)
def cancel_of_an_ended_order(stage: Stage) -> None:
    """A filled contract order cannot be cancelled: 110001; a filled spot order: 170213."""
    lay_books(stage)
    contract = placed(stage, side="Buy", orderType="Market", qty="0.01")
    coin = placed(stage, SPOT, side="Sell", orderType="Market", qty="0.01")
    assert stage.refusal(stage.http.cancel_order, **BTC, orderId=contract)[0] == 110001
    assert stage.refusal(stage.http.cancel_order, **SPOT, orderId=coin)[0] == 170213


@ROWS.pybit("place_order", CREATE, REFUSED)
def reduce_only_on_the_side_of_the_position(stage: Stage) -> None:
    """A reduce-only buy beside a long is 110017; so is one more sale when the whole long is promised already."""
    lay_books(stage)
    placed(stage, side="Buy", orderType="Market", qty="0.01")
    more = {**BTC, "side": "Buy", "orderType": "Limit", "price": "64000", "qty": "0.01", "reduceOnly": True}
    assert stage.refusal(stage.http.place_order, **more)[0] == 110017
    sale = {**BTC, "side": "Sell", "orderType": "Limit", "price": "65100", "qty": "0.01", "reduceOnly": True}
    stage.http.place_order(**sale)
    assert stage.refusal(stage.http.place_order, **sale)[0] == 110017


@ROWS.pybit("place_order", CREATE, REFUSED)
def market_order_on_an_empty_book(stage: Stage) -> None:
    """A market order that finds nothing in its range is 10001 with the scaled range in its text."""
    stage.do("clear_crowd", **BTC)
    code, text = stage.refusal(stage.http.place_order, **BTC, side="Buy", orderType="Market", qty="0.01")
    assert (code, text.endswith("invalid")) == (10001, True)
    assert "]buy: [" in text


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """An answer after which nobody knows whether the order stands, and the class ccxt raises for it."""

    code: int
    text: str
    error: str


DOUBTS = (
    Doubt(code=10000, text="Server Timeout", error="ExchangeError"),
    Doubt(code=10016, text="Server error.", error="ExchangeError"),
    Doubt(code=10016, text="Request timeout, please try again later", error="RequestTimeout"),
    Doubt(code=170007, text="Timeout waiting for response from backend server.", error="RequestTimeout"),
    Doubt(code=170001, text="Internal error.", error="ExchangeError"),
    Doubt(code=170032, text="Network error. Please try again later", error="ExchangeError"),
    Doubt(code=170146, text="Order creation timeout", error="InvalidOrder"),
    Doubt(code=10429, text="System level frequency protection", error="ExchangeError"),
    Doubt(code=10019, text="ws trade service is restarting", error="ExchangeError"),
    Doubt(code=110079, text="The order is processing and can not be operated", error="ExchangeError"),
)


def _doubt_by_pybit(doubt: Doubt) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        lay_books(stage)
        link = stage.link()
        fault_on(stage, act="retCode", retCode=doubt.code, retMsg=doubt.text)
        order = {"side": "Buy", "orderType": "Limit", "price": "64900", "qty": "0.01", "orderLinkId": link}
        assert stage.refusal(stage.http.place_order, **BTC, **order) == (doubt.code, doubt.text)
        (found,) = stage.http.get_open_orders(**BTC, orderLinkId=link)["result"]["list"]
        assert found["orderStatus"] == "New"
        assert stage.refusal(stage.http.place_order, **BTC, **order)[0] == 110072

    return act


def _doubt_by_ccxt(doubt: Doubt) -> Callable[[Stage, Any], Any]:
    async def act(stage: Stage, ccxt: Any) -> None:
        lay_books(stage)
        link = stage.link()
        fault_on(stage, act="retCode", retCode=doubt.code, retMsg=doubt.text)
        attempt = ccxt.create_order("BTC/USDT:USDT", "limit", "buy", 0.01, 64900, {"clientOrderId": link})
        await stage.ccxt_refusal(doubt.error, attempt)
        (found,) = await ccxt.fetch_open_orders("BTC/USDT:USDT")
        assert found["clientOrderId"] == link

    return act


def fault_on(stage: Stage, **rule: Any) -> None:
    """Spoil the answer to the next order request after the venue has carried it out."""
    stage.fault(on="rest", match={"path": "/v5/order/create"}, when="after_apply", times=1, **rule)


for _doubt in DOUBTS:
    _pybit, _ccxt = _doubt_by_pybit(_doubt), _doubt_by_ccxt(_doubt)
    _name = f"{_doubt.code} {_doubt.text.lower().rstrip('.')} though the order stands"
    _pybit.__name__ = _ccxt.__name__ = _name
    _pybit.__doc__ = f"Code {_doubt.code} is reported as such; the order stands, and sent again it is 110072."
    _ccxt.__doc__ = f"Code {_doubt.code} is raised as {_doubt.error} although the order stands."
    ROWS.pybit("place_order", CREATE, REFUSED)(_pybit)
    ROWS.ccxt("create_order", CREATE, REFUSED)(_ccxt)


@ROWS.pybit("place_order", CREATE, REFUSED)
def bad_gateway(stage: Stage) -> None:
    """An HTTP 502 is FailedRequestError 502 at once, and the order stands."""
    lay_books(stage)
    fault_on(stage, act="status", status=502)
    with pytest.raises(stage.failed_request) as caught:
        placed(stage, side="Buy", orderType="Limit", price="64900", qty="0.01")
    assert caught.value.status_code == 502
    assert len(stage.truth()["orders"]) == 1


@ROWS.pybit("place_order", CREATE, REFUSED)
def page_instead_of_json(stage: Stage) -> None:
    """HTML with status 200 is FailedRequestError 409, and the order stands."""
    lay_books(stage)
    fault_on(stage, act="body_raw")
    with pytest.raises(stage.failed_request) as caught:
        placed(stage, side="Buy", orderType="Limit", price="64900", qty="0.01")
    assert caught.value.status_code == 409
    assert len(stage.truth()["orders"]) == 1


@ROWS.pybit("place_order", CREATE, REFUSED)
def connection_reset(stage: Stage) -> None:
    """A reset instead of an answer is requests' ConnectionError; the order stands and is sent once only."""
    import requests

    lay_books(stage)
    fault_on(stage, act="reset")
    with pytest.raises(requests.exceptions.ConnectionError):
        placed(stage, side="Buy", orderType="Limit", price="64900", qty="0.01")
    assert len(stage.truth()["orders"]) == 1


@ROWS.ccxt("create_order", CREATE, REFUSED)
async def bad_gateway_by_ccxt(stage: Stage, ccxt: Any) -> None:
    """An HTTP 502 is ExchangeNotAvailable, and the order stands."""
    lay_books(stage)
    await ccxt.load_markets()
    fault_on(stage, act="status", status=502)
    await stage.ccxt_refusal(
        "ExchangeNotAvailable", ccxt.create_order("BTC/USDT:USDT", "limit", "buy", 0.01, 64900)
    )
    assert len(stage.truth()["orders"]) == 1


@ROWS.ccxt("create_order", CREATE, REFUSED)
async def connection_reset_by_ccxt(stage: Stage, ccxt: Any) -> None:
    """A reset instead of an answer is a NetworkError of some kind, and the order stands."""
    import ccxt as library

    lay_books(stage)
    fault_on(stage, act="reset")
    with pytest.raises(library.NetworkError):
        await ccxt.create_order("BTC/USDT:USDT", "limit", "buy", 0.01, 64900)
    assert len(stage.truth()["orders"]) == 1


@ROWS.ccxt("create_order", CREATE, REFUSED)
async def page_instead_of_json_by_ccxt(stage: Stage, ccxt: Any) -> None:
    """HTML with status 200 raises nothing: the order comes back without an id, and it stands."""
    lay_books(stage)
    fault_on(stage, act="body_raw")
    order = await ccxt.create_order("BTC/USDT:USDT", "limit", "buy", 0.01, 64900)
    assert order["id"] is None
    assert len(stage.truth()["orders"]) == 1
