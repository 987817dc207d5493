"""Puts the venue behind two ports and lets it live in real time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from aiohttp import web

from sandbox import serving
from sandbox.bybit_server.accepting import Handler, Port
from sandbox.bybit_server.agents_market import AgentsPlay, agents, agents_play
from sandbox.bybit_server.book_faults import Distortions
from sandbox.bybit_server.clock import SystemClock, now_ms
from sandbox.bybit_server.connection import Connection
from sandbox.bybit_server.control import ELSEWHERE, ControlDoor
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.faults import FaultBoard, Moment
from sandbox.bybit_server.instruments import CATEGORIES, Instrument
from sandbox.bybit_server.levers import Plant
from sandbox.bybit_server.market_source import SourceFactory
from sandbox.bybit_server.network import Line, Network
from sandbox.bybit_server.options import SandboxOptions
from sandbox.bybit_server.past_minutes import past_minutes
from sandbox.bybit_server.private_stream import PrivateStream
from sandbox.bybit_server.public_stream import PublicStream
from sandbox.bybit_server.public_topics import STATUS_CATEGORY
from sandbox.bybit_server.rate_limit import AddressLimit, RollingLimits
from sandbox.bybit_server.recorded_market import played
from sandbox.bybit_server.rest import MOUNT_PREFIX, RestDoor
from sandbox.bybit_server.stream_control import IDLE_MAX_S, idle_limit_s
from sandbox.bybit_server.switchboard import Switchboard
from sandbox.bybit_server.trade_stream import TradeStream
from sandbox.bybit_server.wire_log import WireLog

PUBLIC_CATEGORIES: Final = (*CATEGORIES, STATUS_CATEGORY)
SHUTDOWN_S: Final = 0.2
CLOSE_HANDSHAKE_S: Final = 1.0
MESSAGE_BYTES_MAX: Final = 1 << 20
CONTROL_BYTES_MAX: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Addresses of a server that is up, and its venue for looks from inside the process."""

    rest_url: str
    ws_url: str
    control_url: str
    exchange: Exchange

    def addresses(self) -> dict[str, str]:
        """Return the addresses by short name."""
        return {"rest": self.rest_url, "ws": self.ws_url, "control": self.control_url}


class BybitServer:
    """The venue and its doors, not yet listening.

    Parameters
    ----------
    options
        What was chosen.
    play
        The agents who make its market, if they were called.
    """

    def __init__(self, options: SandboxOptions, play: AgentsPlay | None = None) -> None:
        clock = SystemClock(options.clock_offset_ms)
        self._options = options
        self._clock = clock
        instruments: tuple[Instrument, ...] | None = None
        source: SourceFactory | None = None
        if play is not None:
            instruments, source = (play.instrument,), agents(play)
        elif options.played is not None:
            instruments, source = (options.played.recording.instrument,), played(options.played)
        self.exchange = Exchange(
            clock,
            seed=options.seed,
            flow=options.flow,
            credentials=options.credentials,
            balances=options.balances,
            instruments=instruments,
            source=source,
        )
        exchange = self.exchange
        if source is None:
            for (category, symbol), market in exchange.markets.items():
                rng = Random(f"{options.seed}.past.{category}.{symbol}")  # noqa: S311 - replayable chance
                market.candles.extend(past_minutes(market, options.flow, rng, now_ms(clock)))
        self._faults = FaultBoard(Random(f"{options.seed}.faults"))  # noqa: S311 - replayable chance
        self._network = Network(clock)
        self._switchboard = Switchboard(clock)
        log = WireLog(clock)
        limits = RollingLimits(clock, shared=options.shared_allowance)
        addresses = AddressLimit(clock, options.address_requests_max, options.address_ban_s)
        ack_ms = options.stream_ack_delay_ms
        self._rest = RestDoor(
            exchange=exchange,
            limits=limits,
            addresses=addresses,
            faults=self._faults,
            network=self._network,
            log=log,
            ack_delay_s=options.rest_ack_delay_ms / 1000,
        )
        distortions = {name: Distortions(clock) for name in PUBLIC_CATEGORIES}
        self._public = {
            name: PublicStream(exchange, name, self._faults, ack_ms, distortions[name])
            for name in PUBLIC_CATEGORIES
        }
        self._private = PrivateStream(exchange, self._faults, ack_ms, options.private_push_delay_ms)
        self._trade = TradeStream(
            exchange=exchange, limits=limits, faults=self._faults, log=log, ack_delay_ms=ack_ms
        )
        self._port = Port(self._network)
        plant = Plant(
            clock=clock,
            faults=self._faults,
            addresses=addresses,
            network=self._network,
            switchboard=self._switchboard,
            distortions=distortions,
            public=self._public,
            port=self._port,
        )
        self._control = ControlDoor(exchange, plant, log)

    async def listen(self, runner: web.AppRunner, host: str, port: int) -> int:
        """Open the clients' port in front of a runner of ``venue_app``; return its number."""
        await runner.setup()
        return await self._port.listen(runner, host, port)

    def know_control_url(self, url: str) -> None:
        """Learn where the control plane is: a redirection leads there unless it names an address."""
        self._rest.elsewhere_url = url + ELSEWHERE

    def venue_app(self) -> web.Application:
        """Return the application of the clients' port."""
        app = web.Application(middlewares=[self._port.note_busy, _left])
        for prefix in ("", MOUNT_PREFIX):
            app.router.add_get(f"{prefix}/v5/public/{{category:.+}}", self._serve_public)
            app.router.add_get(f"{prefix}/v5/private", self._serve_private)
            app.router.add_get(f"{prefix}/v5/trade", self._serve_trade)
        app.router.add_route("*", "/{tail:.*}", self._rest.handle)
        return app

    def control_app(self) -> web.Application:
        """Return the application of the control port."""
        app = web.Application(client_max_size=CONTROL_BYTES_MAX)
        app.add_routes(self._control.routes())
        return app

    async def live(self) -> None:
        """Let time pass in the venue, and push what has changed, until cancelled."""
        while True:
            self.exchange.advance()
            self.exchange.price_history.observe(self.exchange.markets.values(), now_ms(self._clock))
            for stream in self._public.values():
                stream.poll()
            self._switchboard.poll()
            await asyncio.sleep(self._options.step_ms / 1000)

    def close(self) -> None:
        """Stop listening, let go of everything that is held, and cut every WebSocket."""
        self._port.close()
        self._network.heal()
        self._switchboard.heal()
        self._switchboard.close("")

    @contextlib.asynccontextmanager
    async def _connection(
        self, request: web.Request, stream: str
    ) -> AsyncIterator[tuple[web.WebSocketResponse, Connection]]:
        socket = web.WebSocketResponse(
            timeout=CLOSE_HANDSHAKE_S,
            autoping=False,
            autoclose=False,
            compress=False,
            max_msg_size=MESSAGE_BYTES_MAX,
        )
        await socket.prepare(request)
        target = stream.partition(".")[0]
        connection = Connection(
            socket,
            request,
            self.exchange.ids.connection_id(),
            self._clock,
            line=Line(self._network, "trade" if target == "trade" else ""),
            answers_ping=lambda: self._faults.strike(target, Moment.PING) is None,
        )
        self._switchboard.enter(connection, stream)
        writer = asyncio.create_task(connection.write_forever())
        try:
            yield socket, connection
        finally:
            self._switchboard.leave(connection)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            if not connection.closed:
                await socket.close()

    async def _serve_public(self, request: web.Request) -> web.StreamResponse:
        category = request.match_info["category"]
        stream = self._public.get(category)
        if stream is None:
            return web.Response(status=404)
        async with self._connection(request, f"public.{category}") as (socket, connection):
            await stream.serve(connection, IDLE_MAX_S)
        return socket

    async def _serve_private(self, request: web.Request) -> web.StreamResponse:
        async with self._connection(request, "private") as (socket, connection):
            await self._private.serve(connection, _idle_s(request))
        return socket

    async def _serve_trade(self, request: web.Request) -> web.StreamResponse:
        async with self._connection(request, "trade") as (socket, connection):
            await self._trade.serve(connection, _idle_s(request))
        return socket


@web.middleware
async def _left(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take it as an end of the talk that a client has gone while it was shaken hands with: nobody reads the answer."""
    try:
        return await handler(request)
    except ConnectionResetError:
        return web.Response(status=400)


@contextlib.asynccontextmanager
async def running_server(options: SandboxOptions | None = None) -> AsyncIterator[RunningServer]:
    """Run a server inside the current event loop for as long as the context lasts."""
    chosen = options or SandboxOptions()
    play = None if chosen.agents is None else await asyncio.to_thread(agents_play, chosen.agents)
    try:
        async with _running(chosen, BybitServer(chosen, play)) as running:
            yield running
    finally:
        if play is not None:
            play.agents.close()


@contextlib.asynccontextmanager
async def _running(chosen: SandboxOptions, server: BybitServer) -> AsyncIterator[RunningServer]:
    venue = web.AppRunner(server.venue_app(), access_log=None, shutdown_timeout=SHUTDOWN_S)
    control = web.AppRunner(server.control_app(), access_log=None, shutdown_timeout=SHUTDOWN_S)
    try:
        venue_port = await server.listen(venue, chosen.host, chosen.rest_port)
        control_port = await serving.listen(control, "127.0.0.1", chosen.control_port)
        control_url = f"http://127.0.0.1:{control_port}"
        server.know_control_url(control_url)
        life = asyncio.create_task(server.live())
        life.add_done_callback(_report_death)
        try:
            yield RunningServer(
                rest_url=f"http://{chosen.host}:{venue_port}",
                ws_url=f"ws://{chosen.host}:{venue_port}",
                control_url=control_url,
                exchange=server.exchange,
            )
        finally:
            life.cancel()
            server.close()
            with contextlib.suppress(asyncio.CancelledError):
                await life
    finally:
        await venue.cleanup()
        await control.cleanup()


def run(options: SandboxOptions, ready_file: Path | None = None) -> None:
    """Run a server until SIGTERM or SIGINT; announce its addresses on standard output when it is ready."""
    serving.run("sandbox", running_server(options), ready_file)


def _idle_s(request: web.Request) -> float:
    return idle_limit_s(request.query.get("max_active_time", ""))


def _report_death(life: asyncio.Task[None]) -> None:
    """Say at once that the venue has stopped: its doors would go on answering from a world that stands still."""
    error = None if life.cancelled() else life.exception()
    if error is not None:
        context = {"message": "the venue has stopped", "exception": error, "task": life}
        life.get_loop().call_exception_handler(context)
