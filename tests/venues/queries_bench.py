"""Questions to the venue without a gateway: against the local exchange, or against answers that a test writes."""

import json
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from executor.domain.commands import QueryOrder, Reconcile
from executor.domain.orders import Category
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.account_queries import AccountQueries
from executor.venues.bybit.ask import Asker, Manners
from executor.venues.bybit.queries import Queries
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from sandbox.bybit_server import Credentials, FlowSettings, SandboxOptions, running_server

KEY = Credentials()
ENVELOPE = {"retCode": 0, "retMsg": "OK", "retExtInfo": {}, "time": 1_700_000_000_000}


def access_to(rest_url, ws_url="", *, timeout_s=2.0, **over):
    ws_url = ws_url or rest_url.replace("http", "ws")
    usual = dict(
        rest_url=rest_url,
        public_ws_url=ws_url,
        private_ws_url=ws_url,
        api_key=KEY.key,
        api_secret=KEY.secret,
        request_timeout_s=timeout_s,
    )
    return Access(**{**usual, **over})


class Desk:
    """Everything that asks, sharing one clock and one estimate of the venue's."""

    def __init__(self, access, manners=None):
        self.clock = Clock()
        self.time = ServerTime(self.clock)
        manners = manners or Manners()
        signer = Signer(access.api_key, access.api_secret, 5_000)
        self.queries = Queries(access, signer, self.clock, self.time, "x-", manners)
        self.asker = Asker(access, signer, self.time, manners)
        self.account = AccountQueries(self.asker)

    def now_ms(self):
        return self.clock.now_ns() // 1_000_000

    async def reconcile(self, *symbols, category=Category.LINEAR, since_ms=None):
        since_ms = self.now_ms() - 60_000 if since_ms is None else since_ms
        return await self.queries.everything(
            Reconcile(category=category, symbols=symbols or ("BTCUSDT",), since_ms=since_ms)
        )

    async def look_for(self, name, symbol="BTCUSDT", category=Category.LINEAR):
        return await self.queries.order(QueryOrder(category=category, symbol=symbol, client_order_id=name))

    def close(self):
        self.queries.close()
        self.asker.close()


class Exchange:
    """The local exchange of one test."""

    def __init__(self, server):
        self.server = server

    async def control(self, method, path, body=None):
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, self.server.control_url + path, json=body) as response,
        ):
            answer = await response.json()
            assert response.status == 200, answer
            return answer

    async def do(self, what, **fields):
        return await self.control("POST", "/_ex", {"do": what, **fields})

    async def fault(self, act, *, path, when="before_apply", **more):
        await self.control("POST", "/_fault", {"match": {"path": path}, "when": when, "act": act, **more})


@asynccontextmanager
async def exchange_desk(*, manners=None, access=None, **options):
    usual = dict(flow=FlowSettings(frozen=True), address_requests_max=0)
    async with running_server(SandboxOptions(**{**usual, **options})) as server:
        desk = Desk(access_to(server.rest_url, server.ws_url, **(access or {})), manners)
        try:
            yield Exchange(server), desk
        finally:
            desk.close()


class Script:
    """A venue that answers what a test says; `asked` holds path and query of every request."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    async def serve(self, request):
        query = dict(request.query)
        self.asked.append((request.path, query))
        said = self.answer(request.path, query)
        if callable(said):
            said = await said(request)
        if isinstance(said, web.StreamResponse):
            return said
        if isinstance(said, bytes):
            return web.Response(body=said, content_type="application/json")
        return web.Response(body=json.dumps({**ENVELOPE, **said}).encode(), content_type="application/json")

    def of(self, path):
        return [query for asked, query in self.asked if asked == path]


@asynccontextmanager
async def scripted_desk(answer, *, manners=None, timeout_s=2.0):
    script = Script(answer)
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", script.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    desk = Desk(access_to(f"http://127.0.0.1:{runner.addresses[0][1]}", timeout_s=timeout_s), manners)
    try:
        yield script, desk
    finally:
        desk.close()
        await runner.cleanup()


def listed(*rows, cursor=""):
    """An answer with one page."""
    return {"result": {"list": list(rows), "nextPageCursor": cursor}}


def at_time(server_ms):
    """An answer about the venue's clock."""
    return {"result": {"timeSecond": str(server_ms // 1_000), "timeNano": str(server_ms * 1_000_000)}}
