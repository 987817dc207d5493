"""ccxt.pro pointed at the venue, for tests that only need a hand of it; the whole library is in tests/conformance."""

from contextlib import asynccontextmanager

import ccxt.pro

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
