"""One WebSocket client: a bounded queue of outgoing frames, sent in order, each not before its time."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import WSMsgType, web

from sandbox.bybit_server.clock import NS_PER_MS, NS_PER_S, Clock
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.network import Line

QUEUE_MESSAGES_MAX: Final = 5_000
SEND_STALL_S: Final = 20.0
CLOSE_NORMAL: Final = 1000


@dataclass(frozen=True, slots=True)
class _Outgoing:
    ready_ns: int
    payload: bytes
    opcode: WSMsgType | None = WSMsgType.TEXT
    copies: int = 1


class Connection:
    """A client's socket.

    Parameters
    ----------
    socket
        The accepted WebSocket.
    request
        The handshake it came with.
    conn_id
        Its id on the wire.
    clock
        Times the delays.
    queue_max
        Messages that may wait; a client slower than that is cut off.
    line
        The way to the client, which may be broken.
    answers_ping
        Asked at every protocol-level ping whether a pong may go out.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        conn_id: str,
        clock: Clock,
        queue_max: int = QUEUE_MESSAGES_MAX,
        *,
        line: Line | None = None,
        answers_ping: Callable[[], bool] = lambda: True,
    ) -> None:
        self.conn_id: Final = conn_id
        self.line: Final = line or Line()
        self._socket = socket
        self._request = request
        self._clock = clock
        self._queue_max = queue_max
        self._answers_ping = answers_ping
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
        self._enqueue(_Outgoing(self._ready_ns(delay_ms), text.encode()))

    def send_frame(
        self, payload: bytes, delay_ms: float = 0.0, *, binary: bool = False, copies: int = 1
    ) -> None:
        """Queue a frame of any bytes, text that is no UTF-8 included, any number of times in a row."""
        opcode = WSMsgType.BINARY if binary else WSMsgType.TEXT
        self._enqueue(_Outgoing(self._ready_ns(delay_ms), payload, opcode, copies))

    def send_bytes(self, raw: bytes) -> None:
        """Queue bytes that go onto the wire as they are, frame header included."""
        self._enqueue(_Outgoing(self._ready_ns(0.0), raw, None))

    def close(self, code: int) -> None:
        """Say goodbye with a close code, behind what is already queued."""
        self._enqueue(_Outgoing(self._ready_ns(0.0), code.to_bytes(2, "big"), WSMsgType.CLOSE))

    def abort(self) -> None:
        """Cut the connection without a closing handshake."""
        self._closed = True
        self._queue.clear()
        self._wake.set()
        self.line.stall.lift()
        if self._request.transport is not None:
            self._request.transport.abort()

    async def read(self, idle_s: float) -> str | None:
        """Return the next text message; None when the client is gone or has been silent for too long."""
        while True:
            try:
                message = await self._socket.receive(timeout=idle_s)
            except TimeoutError:
                return None
            await self.line.inbound()
            if message.type is WSMsgType.TEXT:
                return str(message.data)
            if message.type is WSMsgType.PING:
                if self._answers_ping():
                    await self._send(_Outgoing(0, bytes(message.data), WSMsgType.PONG))
            elif message.type is WSMsgType.CLOSE:
                await self._socket.close(code=message.data or CLOSE_NORMAL)
                return None
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
            await self.line.outbound()
            if self._queue:
                outgoing = self._queue.popleft()
                for _ in range(outgoing.copies):
                    await self._send(outgoing)

    async def _send(self, outgoing: _Outgoing) -> None:
        if self.closed:
            return
        try:
            async with asyncio.timeout(SEND_STALL_S):
                if outgoing.opcode is None:
                    if self._request.transport is not None:
                        self._request.transport.write(outgoing.payload)
                elif outgoing.opcode is WSMsgType.CLOSE:
                    await self._socket.close(code=int.from_bytes(outgoing.payload, "big"))
                else:
                    await self._socket.send_frame(outgoing.payload, outgoing.opcode)
        except (ConnectionError, TimeoutError):
            self.abort()

    def _enqueue(self, outgoing: _Outgoing) -> None:
        if self.closed:
            return
        if len(self._queue) >= self._queue_max:
            self.abort()
            return
        self._queue.append(outgoing)
        self._wake.set()

    def _ready_ns(self, delay_ms: float) -> int:
        return self._clock.monotonic_ns() + int(delay_ms * NS_PER_MS)
