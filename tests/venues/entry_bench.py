"""The sending side alone against a local exchange in one process: either way of sending, and a hand on every lever."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import aiohttp
from aiohttp import web

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder
from executor.domain.orders import Replacement
from executor.runtime.clock import Clock
from executor.venues.bybit.access import LOOPBACK, Way
from executor.venues.bybit.limiter import Limiter
from executor.venues.bybit.order_entry import OrderEntry
from executor.venues.bybit.rest_entry import RestEntry
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from executor.venues.bybit.socket_entry import SocketEntry
from executor.venues.bybit.standing import Standing
from executor.venues.bybit.transport import new_session
from risk.turnstile import Turnstile
from sandbox.bybit_server import Credentials, FlowSettings, RunningServer, SandboxOptions, running_server
from tests.builders import D, new_order

KEY = Credentials()
RECV_WINDOW_MS = 5_000


class EntryDesk:
    """One test's exchange, order entry and levers."""

    def __init__(
        self,
        *,
        way: Way,
        server: RunningServer,
        entry: OrderEntry,
        turnstile: Turnstile,
        standing: Standing,
        limiter: Limiter,
        socket: SocketEntry,
        rest: RestEntry,
        heard: list,
        doubted: list,
        changes: list,
    ) -> None:
        self.way, self.server, self.entry, self.turnstile = way, server, entry, turnstile
        self.standing, self.limiter, self.socket, self.rest = standing, limiter, socket, rest
        self.heard, self.doubted, self.changes = heard, doubted, changes
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

    async def fault(self, act, *, what="create", when="after_apply", way=None, match=None, **more):
        """Make requests of one kind go wrong, on the way that this desk uses."""
        on, path = (
            ("rest", f"/v5/order/{what}") if (way or self.way) is Way.REST else ("trade", f"order.{what}")
        )
        body = {"on": on, "match": {"path": path, **(match or {})}, "when": when, "act": act, **more}
        return await self.control("POST", "/_fault", body)

    async def do(self, what, **fields):
        return await self.control("POST", "/_ex", {"do": what, **fields})

    async def truth(self, kind="orders"):
        accounts = (await self.control("GET", "/_truth"))["accounts"]
        return accounts[str(KEY.uid)][kind]

    async def wire(self, what="create", way=None):
        """Every request of a kind that arrived, on either way or on one."""
        names = {Way.REST: f"/v5/order/{what}", Way.WEBSOCKET: f"order.{what}"}
        wanted = set(names.values()) if way is None else {names[way]}
        requests = (await self.control("GET", "/_wire"))["requests"]
        return [entry for entry in requests if entry["path"] in wanted]

    def order(self, **over):
        usual = dict(client_order_id=f"x-1-{next(self._names)}", px=D("60000.0"), qty=D("0.002"))
        return new_order(**{**usual, **over})

    def approved(self, order, **over):
        return Approved(**{**dict(order=order, ticket=next(self._tickets), halt_epoch=0), **over})

    async def place(self, order, **over):
        return await self.entry.place(self.approved(order, **over))

    async def replace(self, order, **over):
        terms = dict(
            client_order_id=order.client_order_id,
            parent_id=order.parent_id,
            category=order.category,
            symbol=order.symbol,
            side=order.side,
            qty=order.qty,
            px=order.px,
        )
        return await self.entry.replace(self.approved(Replacement(**{**terms, **over})))

    async def cancel(self, order):
        return await self.entry.cancel(
            CancelOrder(category=order.category, symbol=order.symbol, client_order_id=order.client_order_id)
        )

    async def until(self, condition: Callable[[], object], deadline_s: float = 5.0):
        """Let others run until a condition holds."""
        end_s = asyncio.get_running_loop().time() + deadline_s
        while not (found := condition()):
            assert asyncio.get_running_loop().time() < end_s, "what was waited for never came"
            await asyncio.sleep(STEP_S)
        return found


STEP_S = 0.01


@asynccontextmanager
async def entry_desk(
    way: Way = Way.REST,
    *,
    timeout_s: float = 2.0,
    options: dict | None = None,
    rest_url: str | None = None,
    ws_url: str | None = None,
    secret: str = KEY.secret,
    socket_runs: bool | None = None,
    hosts: frozenset[str] = LOOPBACK,
    **more,
) -> AsyncIterator[EntryDesk]:
    usual = dict(flow=FlowSettings(frozen=True), address_requests_max=0)
    clock, turnstile, limiter, lines, doubted, changes = Clock(), Turnstile(), Limiter(), [], [], []

    def log(message, **fields):
        lines.append((message, fields))

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            running_server(SandboxOptions(**{**usual, **(options or {})}))
        )
        time = ServerTime(clock)
        standing = Standing(limiter, clock, time, log)
        signer = Signer(KEY.key, secret, RECV_WINDOW_MS)
        http = await stack.enter_async_context(new_session(hosts, timeout_s))
        sockets = await stack.enter_async_context(new_session(hosts))
        rest = RestEntry(http, rest_url or server.rest_url, signer, time, clock, standing)
        socket = SocketEntry(
            http=sockets,
            url=ws_url or server.ws_url,
            signer=signer,
            time=time,
            clock=clock,
            standing=standing,
            timeout_s=timeout_s,
            on_change=lambda live, detail: changes.append((live, detail)),
            log=log,
            random=Random(1),
            **more,
        )
        entry = OrderEntry(
            door=rest if way is Way.REST else socket,
            spare=socket if way is Way.REST else rest,
            turnstile=turnstile,
            standing=standing,
            clock=clock,
            cancel_s_max=2.0,
            on_rules_doubt=lambda category, symbol: doubted.append((category, symbol)),
        )
        desk = EntryDesk(
            way=way,
            server=server,
            entry=entry,
            turnstile=turnstile,
            standing=standing,
            limiter=limiter,
            socket=socket,
            rest=rest,
            heard=[],
            doubted=doubted,
            changes=changes,
        )
        tasks = [asyncio.create_task(standing.tell(desk.heard.append))]
        runs = way is Way.WEBSOCKET if socket_runs is None else socket_runs
        if runs:
            tasks.append(asyncio.create_task(socket.stream.run()))
        if runs and ws_url is None and secret == KEY.secret:
            await socket.wait_live(5.0)
        try:
            yield desk
            assert not [task for task in tasks if task.done()]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def fake_trade(
    answer: Callable[[dict], list[str]], *, greets: bool = True
) -> AsyncIterator[tuple[list, str]]:
    """A trade socket that answers each request with the frames that a function returns; yields what it heard."""
    heard: list[dict] = []

    async def serve(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for frame in socket:
            asked = json.loads(frame.data)
            if asked["op"] == "ping":
                await socket.send_json({"op": "pong", "retCode": 0})
            elif asked["op"] == "auth":
                if greets:
                    await socket.send_json({"op": "auth", "retCode": 0, "retMsg": "OK"})
            else:
                heard.append(asked)
                for text in answer(asked):
                    if text == "close":
                        await socket.close()
                        break
                    await socket.send_str(text)
        return socket

    app = web.Application()
    app.router.add_get("/v5/trade", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield heard, f"ws://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
