"""Rows about hedge mode: a long and a short of one symbol side by side."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from tests.conformance.calls import REFUSED, Rows
from tests.conformance.rows_linear import CREATE, order_of, placed
from tests.conformance.stage import BTC, BTC_SWAP, ETH, INVERSE, Stage

ROWS = Rows("Hedge mode", "hedge")
SWITCH = "POST /v5/position/switch-mode"


def hedged(stage: Stage) -> None:
    """Lay the book and put the account into hedge mode."""
    stage.btc_book()
    stage.http.switch_position_mode(category="linear", symbol="BTCUSDT", mode=3)


def sizes(stage: Stage) -> dict[int, tuple[str, D]]:
    """Return side and size by position index."""
    rows = stage.http.get_positions(**BTC)["result"]["list"]
    return {row["positionIdx"]: (row["side"], D(row["size"])) for row in rows}


@ROWS.pybit("switch_position_mode", SWITCH)
def two_rows_by_symbol(stage: Stage) -> None:
    """In hedge mode a symbol has two rows, long and short, shown even when flat; switching back leaves one."""
    hedged(stage)
    assert sorted(sizes(stage)) == [1, 2]
    assert stage.http.switch_position_mode(category="linear", symbol="BTCUSDT", mode=0)["result"] == {}
    assert sorted(sizes(stage)) == [0]


@ROWS.pybit("switch_position_mode", SWITCH)
def switch_by_coin(stage: Stage) -> None:
    """``coin=USDT`` switches every symbol that settles in it."""
    stage.http.switch_position_mode(category="linear", coin="USDT", mode=3)
    rows = stage.http.get_positions(**ETH)["result"]["list"]
    assert sorted(row["positionIdx"] for row in rows) == [1, 2]


@ROWS.pybit("place_order", CREATE)
def long_and_short_at_once(stage: Stage) -> None:
    """A buy with index 1 and a sale with index 2 make a long and a short that do not cancel out."""
    hedged(stage)
    order_id = placed(stage, side="Buy", orderType="Market", qty="0.02", positionIdx=1)
    placed(stage, side="Sell", orderType="Market", qty="0.01", positionIdx=2)
    assert sizes(stage) == {1: ("Buy", D("0.02")), 2: ("Sell", D("0.01"))}
    assert order_of(stage, order_id)["positionIdx"] == 1


@ROWS.pybit("place_order", CREATE)
def long_closed_by_a_sale_of_its_index(stage: Stage) -> None:
    """A reduce-only sale with index 1 closes the long and leaves the short alone."""
    hedged(stage)
    placed(stage, side="Buy", orderType="Market", qty="0.02", positionIdx=1)
    placed(stage, side="Sell", orderType="Market", qty="0.01", positionIdx=2)
    placed(stage, side="Sell", orderType="Market", qty="0.02", positionIdx=1, reduceOnly=True)
    found = sizes(stage)
    assert (found[1][1], found[2]) == (0, ("Sell", D("0.01")))


@ROWS.pybit("place_order", CREATE)
def short_closed_by_a_buy_of_its_index(stage: Stage) -> None:
    """A reduce-only buy with index 2 closes the short and leaves the long alone."""
    hedged(stage)
    placed(stage, side="Buy", orderType="Market", qty="0.01", positionIdx=1)
    placed(stage, side="Sell", orderType="Market", qty="0.02", positionIdx=2)
    placed(stage, side="Buy", orderType="Market", qty="0.02", positionIdx=2, reduceOnly=True)
    found = sizes(stage)
    assert (found[2][1], found[1]) == (0, ("Buy", D("0.01")))


@ROWS.pybit("place_order", CREATE, REFUSED)
def index_that_does_not_fit_the_mode(stage: Stage) -> None:
    """Index 0 in hedge mode and index 1 in one-way mode are 10001, position idx not match position mode."""
    stage.btc_book()
    order = {**BTC, "side": "Buy", "orderType": "Market", "qty": "0.01"}
    for index in (1, 2):
        code, text = stage.refusal(stage.http.place_order, **order, positionIdx=index)
        assert (code, text) == (10001, "position idx not match position mode")
    stage.http.switch_position_mode(category="linear", symbol="BTCUSDT", mode=3)
    for index in ({"positionIdx": 0}, {}):
        code, text = stage.refusal(stage.http.place_order, **order, **index)
        assert (code, text) == (10001, "position idx not match position mode")


@ROWS.pybit("place_order", CREATE, REFUSED)
def reduce_only_of_the_wrong_index(stage: Stage) -> None:
    """A reduce-only sale of a short that does not exist is 110017 although there is a long."""
    hedged(stage)
    placed(stage, side="Buy", orderType="Market", qty="0.01", positionIdx=1)
    order = {**BTC, "side": "Buy", "orderType": "Market", "qty": "0.01", "positionIdx": 2, "reduceOnly": True}
    assert stage.refusal(stage.http.place_order, **order)[0] == 110017


@ROWS.pybit("switch_position_mode", SWITCH, REFUSED)
def same_mode_again(stage: Stage) -> None:
    """Asking for the mode that is in force is 110025, in either mode."""
    switch = {"category": "linear", "symbol": "BTCUSDT"}
    assert stage.refusal(stage.http.switch_position_mode, **switch, mode=0)[0] == 110025
    stage.http.switch_position_mode(**switch, mode=3)
    assert stage.refusal(stage.http.switch_position_mode, **switch, mode=3)[0] == 110025


@ROWS.pybit("switch_position_mode", SWITCH, REFUSED)
def mode_with_a_position(stage: Stage) -> None:
    """With a position open the mode cannot be switched: 110024."""
    stage.btc_book()
    placed(stage, side="Buy", orderType="Market", qty="0.01")
    switch = {"category": "linear", "symbol": "BTCUSDT", "mode": 3}
    assert stage.refusal(stage.http.switch_position_mode, **switch)[0] == 110024


@ROWS.pybit("switch_position_mode", SWITCH, REFUSED)
def mode_with_an_order(stage: Stage) -> None:
    """With an order open the mode cannot be switched: 110028."""
    stage.btc_book()
    placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.01")
    switch = {"category": "linear", "symbol": "BTCUSDT", "mode": 3}
    assert stage.refusal(stage.http.switch_position_mode, **switch)[0] == 110028


@ROWS.pybit("switch_position_mode", SWITCH, REFUSED)
def mode_of_an_inverse_contract(stage: Stage) -> None:
    """An inverse contract has no hedge mode: 110029."""
    assert stage.refusal(stage.http.switch_position_mode, **INVERSE, mode=3)[0] == 110029


@ROWS.ccxt("set_position_mode", SWITCH)
async def hedge_mode(stage: Stage, ccxt: Any) -> None:
    """Orders marked ``hedged`` make a long and a short, both parsed as hedged."""
    stage.btc_book()
    await ccxt.set_position_mode(True, BTC_SWAP)
    await ccxt.create_order(BTC_SWAP, "market", "buy", 0.02, None, {"hedged": True})
    await ccxt.create_order(BTC_SWAP, "market", "sell", 0.01, None, {"hedged": True})
    found = {row["side"]: row for row in await ccxt.fetch_positions([BTC_SWAP])}
    assert (found["long"]["contracts"], found["short"]["contracts"]) == (0.02, 0.01)
    assert found["long"]["hedged"] is True
    await ccxt.create_order(BTC_SWAP, "market", "sell", 0.02, None, {"hedged": True, "reduceOnly": True})
    left = {row["side"]: row["contracts"] for row in await ccxt.fetch_positions([BTC_SWAP])}
    assert (left.get("long", 0.0), left["short"]) == (0.0, 0.01)


@ROWS.ccxt("set_position_mode", SWITCH, REFUSED)
async def hedge_mode_refused(stage: Stage, ccxt: Any) -> None:
    """The same mode is NoChange; with a position open a switch is BadRequest."""
    stage.btc_book()
    await stage.ccxt_refusal("NoChange", ccxt.set_position_mode(False, BTC_SWAP))
    await ccxt.create_order(BTC_SWAP, "market", "buy", 0.01)
    assert "110024" in await stage.ccxt_refusal("BadRequest", ccxt.set_position_mode(True, BTC_SWAP))
