"""One WebSocket client: a bounded queue of outgoing text, sent in order, each message not before its time."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from typing import Final

from aiohttp import WSMsgType, web

from sandbox.bybit_server.clock import NS_PER_MS, NS_PER_S, Clock
from sandbox.bybit_server.fields import JsonObject

QUEUE_MESSAGES_MAX: Final = 5_000
SEND_STALL_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class _Outgoing:
    ready_ns: int
    text: str


class Connection:
    """A client's socket.

    Parameters
    ----------
    socket
        The accepted WebSocket.
    conn_id
        Its id on the wire.
    clock
        Times the delays.
    queue_max
        Messages that may wait; a client slower than that is cut off.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        conn_id: str,
        clock: Clock,
        queue_max: int = QUEUE_MESSAGES_MAX,
    ) -> None:
        self.conn_id: Final = conn_id
        self._socket = socket
        self._request = request
        self._clock = clock
        self._queue_max = queue_max
        self._queue: deque[_Outgoing] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closed or self._socket.closed

    def send(self, message: JsonObject, delay_ms: float = 0.0) -> None:
        """Queue a message; it leaves after those before it and not before its delay."""
        self.send_text(json.dumps(message, separators=(",", ":")), delay_ms)

    def send_text(self, text: str, delay_ms: float = 0.0) -> None:
        """Queue encoded text."""
        if self.closed:
            return
        if len(self._queue) >= self._queue_max:
            self.abort()
            return
        self._queue.append(_Outgoing(self._clock.monotonic_ns() + int(delay_ms * NS_PER_MS), text))
        self._wake.set()

    def abort(self) -> None:
        """Cut the connection without a closing handshake."""
        self._closed = True
        self._queue.clear()
        self._wake.set()
        if self._request.transport is not None:
            self._request.transport.abort()

    async def read(self, idle_s: float) -> str | None:
        """Return the next text message; None when the client is gone or has been silent for too long."""
        while True:
            try:
                message = await self._socket.receive(timeout=idle_s)
            except TimeoutError:
                return None
            if message.type is WSMsgType.TEXT:
                return str(message.data)
            if message.type is WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type not in {WSMsgType.PONG, WSMsgType.BINARY}:
                return None

    async def write_forever(self) -> None:
        """Send the queue until the connection ends."""
        while not self.closed:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            wait_ns = self._queue[0].ready_ns - self._clock.monotonic_ns()
            if wait_ns > 0:
                await asyncio.sleep(wait_ns / NS_PER_S)
                continue
            outgoing = self._queue.popleft()
            try:
                async with asyncio.timeout(SEND_STALL_S):
                    await self._socket.send_str(outgoing.text)
            except (ConnectionError, TimeoutError):
                self.abort()
