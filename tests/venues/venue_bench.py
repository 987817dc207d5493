"""A venue of ours against a local exchange in one process: real sockets, and a hand on the exchange's levers."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import aiohttp

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, QueryOrder, Reconcile
from executor.domain.orders import Category
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.gateway import BybitVenue
from risk.turnstile import Turnstile
from sandbox.bybit_server import Credentials, FlowSettings, RunningServer, SandboxOptions, running_server
from tests.builders import new_order

D = Decimal
KEY = Credentials()


class Heard:
    """What a venue posted, with a way to wait for more."""

    def __init__(self) -> None:
        self.events, self._changed = [], asyncio.Event()

    def __call__(self, event) -> None:
        self.events.append(event)
        self._changed.set()

    async def until(self, condition, deadline_s: float = 30.0):
        """The first true answer of a condition over all events so far."""
        async with asyncio.timeout(deadline_s):
            while not (found := condition(self.events)):
                self._changed.clear()
                await self._changed.wait()
            return found

    async def one(self, kind, deadline_s: float = 30.0, **fields):
        """The first event of a kind with these fields."""

        def first(events):
            return next(
                (
                    event
                    for event in events
                    if isinstance(event, kind)
                    and all(getattr(event, name) == value for name, value in fields.items())
                ),
                None,
            )

        return await self.until(first, deadline_s)


class Bench:
    """One test's exchange, venue and levers."""

    def __init__(self, server: RunningServer, venue: BybitVenue, turnstile: Turnstile, lines: list) -> None:
        self.server, self.venue, self.turnstile, self.lines = server, venue, turnstile, lines
        self._tickets = itertools.count(1)
        self._names = itertools.count(1)

    async def control(self, method, path, body=None):
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, self.server.control_url + path, json=body) as response,
        ):
            answer = await response.json()
            assert response.status == 200, answer
            return answer

    async def fault(self, act, *, path="/v5/order/create", when="after_apply", match=None, **more):
        body = {"match": {"path": path, **(match or {})}, "when": when, "act": act, **more}
        return await self.control("POST", "/_fault", body)

    async def do(self, what, **fields):
        return await self.control("POST", "/_ex", {"do": what, **fields})

    async def truth(self, kind="orders"):
        accounts = (await self.control("GET", "/_truth"))["accounts"]
        return accounts[str(KEY.uid)][kind]

    async def wire(self, path="/v5/order/create"):
        requests = (await self.control("GET", "/_wire"))["requests"]
        return [entry for entry in requests if entry["path"] == path]

    def order(self, **over):
        usual = dict(client_order_id=f"x-1-{next(self._names)}", px=D("60000.0"), qty=D("0.001"))
        return new_order(**{**usual, **over})

    async def place(self, order, **over):
        approved = Approved(order=order, ticket=next(self._tickets), halt_epoch=0)
        return await self.venue.place(replace(approved, **over))

    async def cancel(self, order):
        return await self.venue.cancel(
            CancelOrder(category=order.category, symbol=order.symbol, client_order_id=order.client_order_id)
        )

    async def query(self, order):
        return await self.venue.query(
            QueryOrder(category=order.category, symbol=order.symbol, client_order_id=order.client_order_id)
        )

    async def reconcile(self, *symbols, category=Category.LINEAR, since_ms=None):
        since_ms = since_ms or Clock().now_ns() // 1_000_000 - 60_000
        command = Reconcile(category=category, symbols=symbols or ("BTCUSDT",), since_ms=since_ms)
        return await self.venue.reconcile(command)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Heard]:
        heard = Heard()
        task = asyncio.create_task(self.venue.run(heard))
        try:
            yield heard
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def bench(
    *,
    frozen: bool = True,
    timeout_s: float = 0.5,
    options: dict | None = None,
    access: dict | None = None,
    **more,
) -> AsyncIterator[Bench]:
    usual = dict(flow=FlowSettings(frozen=frozen), address_requests_max=0)
    async with running_server(SandboxOptions(**{**usual, **(options or {})})) as server:
        there = dict(
            rest_url=server.rest_url,
            public_ws_url=server.ws_url,
            private_ws_url=server.ws_url,
            trade_ws_url=server.ws_url,
            api_key=KEY.key,
            api_secret=KEY.secret,
            request_timeout_s=timeout_s,
        )
        turnstile, lines = Turnstile(), []
        async with BybitVenue(
            access=Access(**{**there, **(access or {})}),
            instance="x",
            recv_window_ms=5_000,
            clock=Clock(),
            turnstile=turnstile,
            log=lambda message, **fields: lines.append((message, fields)),
            seed=1,
            **more,
        ) as venue:
            yield Bench(server, venue, turnstile, lines)
