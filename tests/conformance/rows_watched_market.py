"""Rows about public streams as ccxt.pro watches them: books, trades, tickers, candles, liquidations."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.conformance.calls import REFUSED, Rows, Setting
from tests.conformance.sockets import OFTEN, first_where, heard_while, pongs
from tests.conformance.stage import (
    BTC,
    BTC_INVERSE,
    BTC_SPOT,
    BTC_SWAP,
    ETH,
    ETH_SWAP,
    INVERSE,
    SPOT,
    XRP,
    XRP_SWAP,
    Stage,
)

ROWS = Rows("Public streams watched by ccxt.pro", "public stream")


def watched_book(depth: int, symbol: str, where: dict[str, str], lay: str, qty: str) -> None:
    """Add the row of ``watch_order_book`` for one depth and market."""

    async def act(stage: Stage) -> None:
        getattr(stage, lay)()
        async with stage.ccxt_pro() as exchange:
            first = await exchange.watch_order_book(symbol, depth)
            assert first["bids"][0][0] < 65000 < first["asks"][0][0]
            stage.do("quote", **where, side="Buy", price="65000", qty=qty)
            grown = await first_where(
                lambda: exchange.watch_order_book(symbol, depth), lambda book: book["bids"][0][0] == 65000.0
            )
            assert grown["bids"][0][1] == float(qty)
            assert grown["symbol"] == symbol

    act.__name__ = f"{where['category']} book {depth}"
    act.__doc__ = (
        f"The {depth}-level book of {symbol} starts with what was laid and gains a new best bid of {qty}."
    )
    ROWS.ccxt_pro("watch_order_book", f"orderbook.{depth}.{where['symbol']}")(act)


for _depth in (1, 50, 200, 1000):
    watched_book(_depth, BTC_SWAP, BTC, "btc_book", "0.7")
watched_book(50, BTC_SPOT, SPOT, "spot_book", "0.3")
watched_book(50, BTC_INVERSE, INVERSE, "inverse_book", "700")


@ROWS.ccxt_pro("watch_order_book_for_symbols", "orderbook.50.*", setting=Setting.LIVELY)
async def books_of_two_symbols(stage: Stage) -> None:
    """Books of two symbols come by turns, each sorted and uncrossed."""
    async with stage.ccxt_pro() as exchange:
        seen: set[str] = set()
        while seen != {BTC_SWAP, ETH_SWAP}:
            book = await exchange.watch_order_book_for_symbols([BTC_SWAP, ETH_SWAP])
            assert book["bids"][0][0] < book["asks"][0][0]
            seen.add(book["symbol"])


@ROWS.ccxt_pro("watch_trades", "publicTrade.*")
async def watched_trades(stage: Stage) -> None:
    """Trades on a perpetual and on spot are parsed with side, price and amount."""
    stage.btc_book()
    stage.spot_book()
    async with stage.ccxt_pro() as exchange:
        for symbol, where in ((BTC_SWAP, BTC), (BTC_SPOT, SPOT)):
            trades = await heard_while(
                lambda where=where: stage.do("trade", **where, side="Sell", price="64999.9", qty="0.004"),
                exchange.watch_trades(symbol),
            )
            trade = trades[-1]
            assert (trade["symbol"], trade["side"], trade["price"], trade["amount"]) == (
                symbol,
                "sell",
                64999.9,
                0.004,
            )


@ROWS.ccxt_pro("watch_ticker", "tickers.BTCUSDT")
async def watched_ticker(stage: Stage) -> None:
    """The perpetual's ticker follows a new best bid; the spot ticker has the last price."""
    stage.btc_book()
    stage.spot_book()
    async with stage.ccxt_pro() as exchange:
        first = await exchange.watch_ticker(BTC_SWAP)
        assert (first["bid"], first["ask"]) == (64999.9, 65000.1)
        stage.do("quote", **BTC, side="Buy", price="65000", qty="0.2")
        moved = await first_where(
            lambda: exchange.watch_ticker(BTC_SWAP), lambda ticker: ticker["bid"] == 65000.0
        )
        assert moved["bidVolume"] == 0.2
        spot = await exchange.watch_ticker(BTC_SPOT)
        assert (spot["symbol"], spot["last"] > 0) == (BTC_SPOT, True)


@ROWS.ccxt_pro("watch_tickers", "tickers.*")
async def watched_tickers(stage: Stage) -> None:
    """Two symbols watched together both arrive."""
    stage.btc_book()
    stage.lay_book([("0.5999", "100")], [("0.6001", "100")], **XRP)
    async with stage.ccxt_pro() as exchange:
        seen: set[str] = set()
        while seen != {BTC_SWAP, XRP_SWAP}:
            seen |= set(await exchange.watch_tickers([BTC_SWAP, XRP_SWAP]))


@ROWS.ccxt_pro("watch_bids_asks", "orderbook.1.*")
async def watched_touch(stage: Stage) -> None:
    """Best bid and ask are the laid ones."""
    stage.btc_book()
    async with stage.ccxt_pro() as exchange:
        touch = (await exchange.watch_bids_asks([BTC_SWAP]))[BTC_SWAP]
        assert (touch["bid"], touch["bidVolume"], touch["ask"], touch["askVolume"]) == (
            64999.9,
            1.0,
            65000.1,
            0.02,
        )


@ROWS.ccxt_pro("watch_ohlcv", "kline.1.BTCUSDT")
async def watched_candles(stage: Stage) -> None:
    """The candle of this minute closes at the trade just made."""
    stage.btc_book()
    async with stage.ccxt_pro() as exchange:
        candles = await heard_while(
            lambda: stage.do("trade", **BTC, side="Sell", price="64999.9", qty="0.001"),
            first_where(
                lambda: exchange.watch_ohlcv(BTC_SWAP, "1m"),
                lambda rows: rows[-1][4] == 64999.9 and rows[-1][5] > 0,  # a minute begins without a trade
            ),
        )
        start, _, high, low, _, volume = candles[-1]
        assert start % 60_000 == 0
        assert low <= 64999.9 <= high
        assert volume >= 0.001


@ROWS.ccxt_pro("watch_liquidations", "allLiquidation.BTCUSDT")
async def watched_liquidations(stage: Stage) -> None:
    """A liquidation is parsed with its contracts, price and symbol."""
    async with stage.ccxt_pro() as exchange:
        rows = await heard_while(
            lambda: stage.do("liquidation", **BTC, side="Sell", qty="0.006", price="66000"),
            exchange.watch_liquidations(BTC_SWAP),
        )
        row = rows[-1]
        assert (row["symbol"], row["contracts"], row["price"]) == (BTC_SWAP, 0.006, 66000.0)


@ROWS.ccxt_pro("un_watch_ticker", "tickers.BTCUSDT")
async def unwatched(stage: Stage) -> None:
    """A ticker can be let go and watched again on the same socket."""
    stage.btc_book()
    async with stage.ccxt_pro() as exchange:
        await exchange.watch_ticker(BTC_SWAP)
        await exchange.un_watch_ticker(BTC_SWAP)
        assert (await exchange.watch_ticker(BTC_SWAP))["bid"] == 64999.9


@ROWS.ccxt_pro("watch_order_book", "orderbook.500.BTCUSDT", REFUSED)
async def depth_the_library_refuses(stage: Stage) -> None:
    """Depth 500 is BadRequest before anything is sent."""
    async with stage.ccxt_pro() as exchange:
        await stage.ccxt_refusal("BadRequest", exchange.watch_order_book(BTC_SWAP, 500))


@ROWS.ccxt_pro("watch_liquidations", "liquidation.BTCUSDT", REFUSED)
async def retired_topic(stage: Stage) -> None:
    """The retired liquidation topic is refused (handler not found): the library notes it and waits on."""
    async with stage.ccxt_pro() as exchange:
        watching = asyncio.ensure_future(
            exchange.watch_liquidations(BTC_SWAP, params={"method": "liquidation"})
        )

        def noted() -> list[str]:
            clients = list(exchange.clients.values())
            return [str(error) for client in clients for error in client.rejections.values()]

        while not noted():
            await asyncio.wait({watching}, timeout=0.02)
        assert noted() == ["bybit error:handler not found,topic:liquidation.BTCUSDT"]
        assert not watching.done()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


@ROWS.ccxt_pro("watch_order_book", "orderbook.50.ETHUSDT")
async def next_call_reconnects(stage: Stage) -> None:
    """A cut socket fails the pending call with NetworkError; the next call reconnects to the book of now."""
    import ccxt as library

    stage.lay_book([("3499", "1")], [("3501", "1")], **ETH)
    async with stage.ccxt_pro() as exchange:
        await exchange.watch_order_book(ETH_SWAP, 50)
        stage.do("cut_public")
        with pytest.raises(library.NetworkError):
            await exchange.watch_order_book(ETH_SWAP, 50)
        stage.lay_book([("3498", "2")], [("3502", "2")], **ETH)
        book = await first_where(
            lambda: exchange.watch_order_book(ETH_SWAP, 50), lambda book: book["bids"][:1] == [[3498.0, 2.0]]
        )
        assert (book["bids"], book["asks"]) == ([[3498.0, 2.0]], [[3502.0, 2.0]])


@ROWS.ccxt_pro("watch_ticker", "tickers.BTCUSDT")
async def pings_of_ccxt(stage: Stage) -> None:
    """The library's text pings are answered on a public socket."""
    async with stage.ccxt_pro(streaming=OFTEN) as exchange:
        await exchange.watch_ticker(BTC_SWAP)
        await pongs(exchange, "v5/public/linear")


@ROWS.ccxt_pro("watch_trades", "publicTrade.BTCUSD")
async def watched_inverse_trades(stage: Stage) -> None:
    """An inverse trade is parsed in dollars under its symbol."""
    stage.inverse_book()
    async with stage.ccxt_pro() as exchange:
        trades = await heard_while(
            lambda: stage.do("trade", **INVERSE, side="Buy", price="65000.5", qty="10"),
            exchange.watch_trades(BTC_INVERSE),
        )
        trade = trades[-1]
        assert (trade["symbol"], trade["amount"], trade["price"]) == (BTC_INVERSE, 10.0, 65000.5)
