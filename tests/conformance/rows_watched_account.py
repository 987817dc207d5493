"""Rows about private streams as ccxt.pro watches them: orders, fills, positions, balance."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.conformance.calls import REFUSED, Rows
from tests.conformance.rows_linear import placed
from tests.conformance.sockets import OFTEN, heard_while, pongs, subscription
from tests.conformance.stage import BTC, BTC_SPOT, BTC_SWAP, FLOATS, SPOT, Stage

ROWS = Rows("Private streams watched by ccxt.pro", "private stream")


@ROWS.ccxt_pro("watch_orders", "order")
async def watched_orders(stage: Stage) -> None:
    """An order is told open, then closed with its average and fee once it is filled."""
    stage.btc_book()
    async with stage.ccxt_pro() as exchange:
        acked = subscription(exchange)
        watching = asyncio.ensure_future(exchange.watch_orders(BTC_SWAP))
        await acked.wait()
        order_id = placed(stage, side="Buy", orderType="Limit", price="65000", qty="0.01")
        (opened,) = await watching
        assert (opened["id"], opened["status"], opened["amount"]) == (order_id, "open", 0.01)
        watching = asyncio.ensure_future(exchange.watch_orders(BTC_SWAP))
        stage.do("trade", **BTC, side="Sell", price="65000", qty="0.01")
        (closed,) = await watching
        assert (closed["id"], closed["status"], closed["filled"], closed["average"]) == (
            order_id,
            "closed",
            0.01,
            65000.0,
        )
        assert closed["fees"] == [{"cost": FLOATS(0.13), "currency": "USDT"}]


@ROWS.ccxt_pro("watch_my_trades", "execution")
async def watched_my_trades(stage: Stage) -> None:
    """A fill is told with its order, role, price and fee, on a perpetual and on spot."""
    stage.btc_book()
    stage.spot_book()
    async with stage.ccxt_pro() as exchange:
        trades = await heard_while(
            lambda: placed(stage, side="Buy", orderType="Market", qty="0.001"),
            exchange.watch_my_trades(BTC_SWAP),
        )
        trade = trades[-1]
        assert (trade["symbol"], trade["side"], trade["amount"], trade["price"]) == (
            BTC_SWAP,
            "buy",
            0.001,
            65000.1,
        )
        assert (trade["takerOrMaker"], trade["fee"]["cost"]) == ("taker", FLOATS(0.001 * 65000.1 * 0.00055))
        trades = await heard_while(
            lambda: placed(stage, SPOT, side="Sell", orderType="Market", qty="0.001"),
            exchange.watch_my_trades(BTC_SPOT),
        )
        assert (trades[-1]["symbol"], trades[-1]["side"], trades[-1]["fee"]["currency"]) == (
            BTC_SPOT,
            "sell",
            "USDT",
        )


@ROWS.ccxt_pro("watch_positions", "position")
async def watched_positions(stage: Stage) -> None:
    """A position taken is told with side, contracts and entry price."""
    stage.btc_book()
    async with stage.ccxt_pro() as exchange:
        acked = subscription(exchange)
        watching = asyncio.ensure_future(first_position(exchange))
        await acked.wait()
        placed(stage, side="Sell", orderType="Market", qty="0.02")
        position = await watching
        assert (position["symbol"], position["side"], position["contracts"]) == (BTC_SWAP, "short", 0.02)
        assert position["entryPrice"] == 64999.9


async def first_position(exchange: Any) -> dict[str, Any]:
    """Watch until there is a position that is not flat."""
    while True:
        for position in await exchange.watch_positions([BTC_SWAP]):
            if position["contracts"]:
                found: dict[str, Any] = position
                return found


@ROWS.ccxt_pro("watch_balance", "wallet")
async def watched_balance(stage: Stage) -> None:
    """The balance told after a spot sale is less bitcoin and more dollars."""
    stage.spot_book()
    async with stage.ccxt_pro() as exchange:
        acked = subscription(exchange)
        watching = asyncio.ensure_future(exchange.watch_balance())
        await acked.wait()
        placed(stage, SPOT, side="Sell", orderType="Market", qty="0.01")
        balance = await watching
        assert balance["BTC"]["total"] == FLOATS(9.99)
        assert balance["USDT"]["total"] == FLOATS(1_000_000 + 649.999 * 0.999)


@ROWS.ccxt_pro("watch_orders", "order")
async def next_call_reconnects(stage: Stage) -> None:
    """A cut private socket fails the pending call with NetworkError; the next call authenticates anew and hears."""
    import ccxt as library

    stage.btc_book()
    async with stage.ccxt_pro() as exchange:
        acked = subscription(exchange)
        watching = asyncio.ensure_future(exchange.watch_orders(BTC_SWAP))
        await acked.wait()
        stage.fault(on="private", act="close")
        with pytest.raises(library.NetworkError):
            await watching
        orders = await heard_while(
            lambda: placed(stage, side="Buy", orderType="Limit", price="64000", qty="0.001"),
            exchange.watch_orders(BTC_SWAP),
        )
        assert orders[-1]["status"] == "open"


@ROWS.ccxt_pro("watch_orders", "order", REFUSED)
async def watching_with_a_wrong_secret(stage: Stage) -> None:
    """With a wrong secret nothing can be watched: ExchangeError with the venue's reason."""
    async with stage.ccxt_pro(secret="wrong") as exchange:
        exchange.options["enableUnifiedAccount"] = True
        exchange.options["enableUnifiedMargin"] = False
        assert "sign" in await stage.ccxt_refusal("ExchangeError", exchange.watch_orders())


@ROWS.ccxt_pro("watch_orders", "order")
async def pings_of_ccxt_on_the_private_socket(stage: Stage) -> None:
    """The library's text pings are answered on the private socket."""
    async with stage.ccxt_pro(streaming=OFTEN) as exchange:
        acked = subscription(exchange)
        watching = asyncio.ensure_future(exchange.watch_orders(BTC_SWAP))
        await acked.wait()
        await pongs(exchange, "v5/private")
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
