"""Binance through ccxt against its stand-in, with the same hands as the other benches."""

from contextlib import asynccontextmanager

from executor.domain.orders import Category
from executor.runtime.clock import Clock
from executor.venues.through_ccxt.binance_dialect import BinanceSpotDialect, BinanceUsdmDialect
from executor.venues.through_ccxt.gateway import CcxtVenue
from risk.turnstile import Turnstile
from tests.venues.binance_standin import KEY, SECRET, running_standin
from tests.venues.other_bench import OtherBench, terms_for

SPOT = Category.SPOT, "BTCUSDT"
LINEAR = Category.LINEAR, "BTCUSDT"
FAMILIES = {
    SPOT: (BinanceSpotDialect(), "BTC/USDT", "https://api.binance.com"),
    LINEAR: (BinanceUsdmDialect(), "BTC/USDT:USDT", "https://fapi.binance.com"),
}


class BinanceBench(OtherBench):
    """One family: `account` is the venue's side of it."""

    def __init__(self, standin, market, venue, turnstile, lines):
        super().__init__(standin, venue, turnstile, lines)
        self.category = market[0]
        self.account = standin.spot if market == SPOT else standin.linear

    def order(self, **over):
        return super().order(**{"category": self.category, **over})

    async def reconcile(self, *symbols, since_ms=None):
        return await super().reconcile(*symbols, category=self.category, since_ms=since_ms)


@asynccontextmanager
async def binance_bench(market, *, timeout_s=0.5):
    dialect, unified, real_url = FAMILIES[market]
    async with running_standin() as standin:
        turnstile, lines = Turnstile(), []
        terms = terms_for(
            exchange=dialect.exchange,
            api_key=KEY,
            api_secret=SECRET,
            rest_url=standin.rest_url,
            markets={market: unified},
            request_timeout_s=timeout_s,
        )
        async with CcxtVenue(
            terms,
            dialect,
            instance="x",
            clock=Clock(),
            turnstile=turnstile,
            log=lambda message, **fields: lines.append((message, fields)),
        ) as venue:
            bench = BinanceBench(standin, market, venue, turnstile, lines)
            await venue.open()
            exchange = venue._inside._exchange
            exchange.enableRateLimit = False
            # Ccxt has tables of codes for each real address: those of ours must be sorted as they would be there.
            plain = exchange.get_exceptions_by_url
            exchange.get_exceptions_by_url = lambda url, kind: plain(
                url.replace(standin.rest_url, real_url), kind
            )
            yield bench
