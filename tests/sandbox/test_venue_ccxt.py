"""ccxt, unmodified, lives with the venue: markets, orders, trades, balance, and its streams."""

import asyncio
from contextlib import asynccontextmanager

import ccxt.pro
import pytest

SYMBOL = "BTC/USDT:USDT"


@asynccontextmanager
async def client_for(venue, key):
    rest, ws = venue.rest_url, venue.ws_url
    exchange = ccxt.pro.bybit(
        {
            "apiKey": key.key,
            "secret": key.secret,
            "urls": {
                "api": {
                    **dict.fromkeys(("spot", "futures", "v2", "public", "private"), rest),
                    "ws": {
                        "public": {c: f"{ws}/v5/public/{c}" for c in ("spot", "linear", "inverse", "option")},
                        "private": {
                            "spot": {"unified": f"{ws}/v5/private", "nonUnified": f"{ws}/spot/private/v3"},
                            "contract": f"{ws}/v5/private",
                            "usdc": f"{ws}/trade/option/usdc/private/v1",
                            "trade": f"{ws}/v5/trade",
                        },
                    },
                }
            },
            "options": {"fetchMarkets": {"types": ["spot", "linear", "inverse"]}},
        }
    )
    try:
        yield exchange
    finally:
        await exchange.close()


async def test_rest_and_streams(venue, key):
    async with client_for(venue, key) as exchange:
        markets = await exchange.load_markets()
        assert sorted(markets) == ["BTC/USDT", SYMBOL, "ETH/USDT:USDT", "XRP/USDT:USDT"]
        assert markets[SYMBOL]["precision"] == {"amount": 0.001, "price": 0.1}
        book = await exchange.watch_order_book(SYMBOL, 50)
        bid = book["bids"][0][0]
        assert bid < book["asks"][0][0]

        params = {"orderLinkId": f"{key.key}-cx"}
        order = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, round(bid - 100, 1), params)
        (working,) = await exchange.fetch_open_orders(SYMBOL)
        assert (working["id"], working["status"], working["clientOrderId"]) == (
            order["id"],
            "open",
            f"{key.key}-cx",
        )
        await exchange.cancel_order(order["id"], SYMBOL)
        assert await exchange.fetch_open_orders(SYMBOL) == []
        with pytest.raises(ccxt.OrderNotFound):
            await exchange.cancel_order(order["id"], SYMBOL)
        with pytest.raises(ccxt.InvalidOrder):
            await exchange.create_order(SYMBOL, "limit", "buy", 0.01, bid, params)
        with pytest.raises(ccxt.InsufficientFunds):
            await exchange.create_order(SYMBOL, "limit", "buy", 900, bid - 1)
        ended = await exchange.fetch_order(order["id"], SYMBOL, {"acknowledged": True})
        assert ended["status"] == "canceled"

        await exchange.create_order(SYMBOL, "market", "buy", 0.02)
        trades = await exchange.fetch_my_trades(SYMBOL)
        assert sum(trade["amount"] for trade in trades) == pytest.approx(0.02)
        assert trades[0]["fee"]["currency"] == "USDT"
        (position,) = await exchange.fetch_positions([SYMBOL])
        assert (position["side"], position["contracts"]) == ("long", 0.02)
        spot = await exchange.create_order("BTC/USDT", "market", "buy", 0.001)
        assert spot["id"]
        balance = await exchange.fetch_balance()
        assert balance["USDT"]["total"] < 1_000_000
        assert balance["BTC"]["total"] > 10
        ticker = await exchange.fetch_ticker("BTC/USDT")
        assert ticker["bid"] < ticker["ask"]


async def test_private_streams(venue, key):
    async with client_for(venue, key) as exchange:
        await exchange.load_markets()
        watching = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
        acks = []

        async def trade_until_seen():
            while not watching.done():
                acks.append(await exchange.create_order_ws(SYMBOL, "market", "sell", 0.001))
                await asyncio.wait({watching}, timeout=0.12)

        async with asyncio.timeout(15):
            await trade_until_seen()
            trades = await watching
        assert trades[0]["order"] in {ack["id"] for ack in acks}
        assert trades[0]["side"] == "sell"
