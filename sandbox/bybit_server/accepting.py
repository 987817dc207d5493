"""The clients' port itself: it can close new connections at once, and idle ones on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from sandbox.bybit_server.network import Network

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Slam(asyncio.Protocol):
    """A connection that is closed as soon as it is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class Port:
    """A listening socket in front of an application.

    Parameters
    ----------
    network
        Says when connections are refused.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._app: web.Server | None = None
        self._server: asyncio.Server | None = None
        self._busy: set[asyncio.Transport] = set()

    async def listen(self, runner: web.AppRunner, host: str, port: int) -> int:
        """Listen for an application already set up; return the port's number, which the system chooses for 0."""
        self._app = runner.server
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    @web.middleware
    async def note_busy(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Know, as the application's outermost layer, which connections are not idle."""
        transport = request.transport
        if transport is None:
            return await handler(request)
        self._busy.add(transport)
        try:
            return await handler(request)
        finally:
            self._busy.discard(transport)

    def close_idle(self) -> int:
        """Close the connections that wait for a request; return how many there were."""
        idle = [transport for transport in self._transports() if transport not in self._busy]
        for transport in idle:
            transport.close()
        return len(idle)

    def cut_all(self) -> None:
        """Cut every connection, in whatever it is doing."""
        for transport in self._transports():
            transport.abort()

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    def _transports(self) -> list[asyncio.Transport]:
        handlers = [] if self._app is None else self._app.connections
        return [handler.transport for handler in handlers if handler.transport is not None]

    def _protocol(self) -> asyncio.BaseProtocol:
        assert self._app is not None
        return _Slam() if self._network.refuses else self._app()
