"""Another venue through ccxt, against a local exchange of its own: the same levers as the bench of Bybit's gateway."""

from contextlib import asynccontextmanager

from executor.domain.orders import Category
from executor.runtime.clock import Clock
from executor.venues.through_ccxt.bybit_dialect import BybitDialect
from executor.venues.through_ccxt.gateway import CcxtVenue
from executor.venues.through_ccxt.terms import OtherVenue
from risk.turnstile import Turnstile
from sandbox.bybit_server import FlowSettings, SandboxOptions, running_server
from tests.builders import new_order
from tests.venues.venue_bench import KEY, Bench, D

MARKETS = {
    (Category.SPOT, "BTCUSDT"): "BTC/USDT",
    (Category.LINEAR, "BTCUSDT"): "BTC/USDT:USDT",
}


def terms_for(**over):
    usual = dict(
        name="other",
        exchange="bybit",
        api_key=KEY.key,
        api_secret=KEY.secret,
        hosts=frozenset({"127.0.0.1"}),
        markets=MARKETS,
        poll_s=0.05,
        request_timeout_s=0.5,
    )
    return OtherVenue(**{**usual, **over})


class OtherBench(Bench):
    """The symbols carry the name of the venue."""

    def order(self, **over):
        usual = dict(
            client_order_id=f"x-1-{next(self._names)}",
            symbol="BTCUSDT@other",
            px=D("60000.0"),
            qty=D("0.001"),
        )
        return new_order(**{**usual, **over})

    async def reconcile(self, *symbols, category=Category.LINEAR, since_ms=None):
        return await super().reconcile(*(symbols or ("BTCUSDT@other",)), category=category, since_ms=since_ms)


@asynccontextmanager
async def other_bench(*, frozen=True, timeout_s=0.5, options=None, terms=None):
    usual = dict(flow=FlowSettings(frozen=frozen), address_requests_max=0)
    async with running_server(SandboxOptions(**{**usual, **(options or {})})) as server:
        turnstile, lines = Turnstile(), []
        given = dict(rest_url=server.rest_url, request_timeout_s=timeout_s) | (terms or {})
        async with CcxtVenue(
            terms_for(**given),
            BybitDialect(),
            instance="x",
            clock=Clock(),
            turnstile=turnstile,
            log=lambda message, **fields: lines.append((message, fields)),
        ) as venue:
            bench = OtherBench(server, venue, turnstile, lines)
            await venue.open()
            yield bench
