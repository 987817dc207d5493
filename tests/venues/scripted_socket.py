"""A WebSocket server that does what a test tells it to, for what no sane exchange does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import WSMsgType, web

from executor.domain.errors import Overflow


def polite(asked: dict) -> dict | None:
    """Grant everything, as the venue does."""
    op = asked.get("op")
    if op == "ping":
        return {"success": True, "ret_msg": "pong", "op": "ping", "conn_id": "c"}
    return {"success": True, "ret_msg": "", "op": op, "conn_id": "c", "req_id": asked.get("req_id")}


class Scripted:
    """The server's side of all connections."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict] = []
        self.connects = 0
        self.sockets: list[web.WebSocketResponse] = []
        self.changed = asyncio.Event()

    @property
    def topics(self) -> list[str]:
        """Everything anybody subscribed to, in order."""
        return [topic for asked in self.asked if asked["op"] == "subscribe" for topic in asked["args"]]

    async def until(self, condition: Callable[["Scripted"], object], deadline_s: float = 30.0) -> None:
        """Wait for something to have been asked."""
        async with asyncio.timeout(deadline_s):
            while not condition(self):
                self.changed.clear()
                await self.changed.wait()

    async def say(self, *messages: dict | str | bytes) -> None:
        """Send to whoever is connected last."""
        for message in messages:
            if isinstance(message, bytes):
                await self.sockets[-1].send_bytes(message)
            else:
                await self.sockets[-1].send_str(message if isinstance(message, str) else json.dumps(message))

    async def close(self, code: int = 1000) -> None:
        """Close the last connection."""
        await self.sockets[-1].close(code=code)


@asynccontextmanager
async def scripted(answer: Callable[[dict], dict | None] = polite) -> AsyncIterator[Scripted]:
    """Serve every path; `answer` says what is answered to each request, None for nothing."""
    there = Scripted()

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        there.connects += 1
        there.sockets.append(socket)
        there.changed.set()
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            asked = json.loads(frame.data)
            there.asked.append(asked)
            told = answer(asked)
            if told is not None and not socket.closed:
                await socket.send_json(told)
            there.changed.set()
        return socket

    app = web.Application()
    app.router.add_get("/{tail:.*}", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    there.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield there
    finally:
        await runner.cleanup()


class Inbox:
    """What a feed posted, with a bound that a test can set."""

    def __init__(self) -> None:
        self.events, self._changed = [], asyncio.Event()
        self.is_full = False

    def __call__(self, event) -> None:
        if self.is_full:
            raise Overflow("no room")
        self.events.append(event)
        self._changed.set()

    def of(self, kind):
        """All events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, condition, deadline_s: float = 30.0):
        """The first true answer of a condition over this."""
        async with asyncio.timeout(deadline_s):
            while not (found := condition(self)):
                self._changed.clear()
                await self._changed.wait()
            return found
