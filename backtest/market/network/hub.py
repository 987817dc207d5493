"""The hub: the desk behind two sockets, in one task that owns the market.

Orders come and private answers go through a ROUTER, prices and trades through a PUB. The ROUTER takes from each peer in
turn, so that one who floods fills its own queue only; and while nothing but noise arrives, the hub rests between
handfuls, so that noise costs little of the machine. What a peer does not take in time is not queued without end: its
session is over, and it may come back.
"""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import zmq
import zmq.asyncio
from zmq.utils.monitor import parse_monitor_message

from backtest.market.network.desk import Desk
from backtest.market.network.messages import BODY_BYTES_MAX, Why
from backtest.market.network.terms import HubTerms
from executor.domain.errors import ConfigError

_NOISE_AT_ONCE: Final = 16
_ROUND_MAX: Final = 256
_REST_S: Final = 0.001
_CHORE_MS: Final = 5
_ROUTING_ID_BYTES: Final = 5
_LINGER_MS: Final = 1_000
_BUFFER_BYTES: Final = 128 * 1024
"""Of the machine's own queue for each connection: what waits there, waits before what its sender says next."""
_UNMOVED: Final = (zmq.EHOSTUNREACH, zmq.EAGAIN)
_WATCHED: Final[dict[int, str]] = {
    zmq.EVENT_DISCONNECTED: "connections ended",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "connections that spoke no ZeroMQ",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "connections that spoke no ZeroMQ",
}


class Hub:
    """Serves one market until it is closed; use inside `async with`.

    Parameters
    ----------
    desk
        Who decides.
    terms
        Limits.
    orders_address, market_address
        Where to listen: `inproc://…`, `ipc://…` or `tcp://127.0.0.1:*`; another machine is not listened to.
    context
        Shared with agents of the same process; None makes one.
    monotonic_ns
        The hub's clock; the market's begins at 0 with it.
    """

    def __init__(
        self,
        desk: Desk,
        terms: HubTerms,
        orders_address: str,
        market_address: str,
        context: "zmq.asyncio.Context | None" = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        for address in (orders_address, market_address):
            if not address.startswith(("inproc://", "ipc://", "tcp://127.0.0.1:")):
                raise ConfigError(f"a hub listens on inproc, ipc or tcp://127.0.0.1 alone, not on {address}")
        self.orders_address = orders_address
        self.market_address = market_address
        self._desk = desk
        self._terms = terms
        self._context = context
        self._monotonic_ns = monotonic_ns
        self._begun_ns = 0
        self._sockets: list[zmq.asyncio.Socket] = []
        self._direct: list[zmq.Socket[bytes]] = []
        self._is_closing = asyncio.Event()

    @property
    def now_ns(self) -> int:
        """The market's clock, nanoseconds."""
        return self._monotonic_ns() - self._begun_ns

    async def __aenter__(self) -> Self:
        """Open the doors."""
        self._begun_ns = self._monotonic_ns()
        context = self._context or zmq.asyncio.Context.instance()
        orders, market = context.socket(zmq.ROUTER), context.socket(zmq.PUB)
        self._sockets = [orders, market]
        for socket in self._sockets:
            socket.linger = _LINGER_MS
            socket.sndhwm = socket.rcvhwm = self._terms.queue_max
        orders.router_mandatory = 1
        orders.maxmsgsize = 4 * BODY_BYTES_MAX
        orders.rcvbuf = _BUFFER_BYTES
        watch = orders.get_monitor_socket(sum(set(_WATCHED)))
        self._sockets.append(watch)
        # What is there already is read, and what can leave at once is sent, without a future for each message.
        self._direct = [zmq.Socket.shadow(socket.underlying) for socket in self._sockets]
        orders.bind(self.orders_address)
        market.bind(self.market_address)
        self.orders_address = _endpoint(orders)
        self.market_address = _endpoint(market)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel all orders, tell everybody, and close the doors."""
        orders, market, watch = self._sockets
        if not self._desk.is_closed:
            self._desk.close(self.now_ns)
            self._send()
        orders.disable_monitor()
        watch.close(0)
        orders.close()
        market.close()

    def close(self) -> None:
        """Let `serve` end."""
        self._is_closing.set()

    async def serve(self) -> None:
        """Take and give messages until it is closed."""
        orders, *_ = self._sockets
        poller = zmq.asyncio.Poller()
        poller.register(orders, zmq.POLLIN)
        due_ns = 0
        while not self._is_closing.is_set():
            await poller.poll(_CHORE_MS)
            is_noise = self._take_round()
            now_ns = self.now_ns
            if now_ns >= due_ns:
                due_ns = now_ns + _CHORE_MS * 1_000_000
                self._count_connections()
                self._desk.chores(now_ns)
            self._send()
            # With nothing worth reading there is nobody to keep waiting.
            await asyncio.sleep(_REST_S if is_noise else 0)

    def _take_round(self) -> bool:
        """Take what has arrived, up to a round; gives whether it ended in noise."""
        orders, *_ = self._direct
        noise = 0
        for _ in range(_ROUND_MAX):
            try:
                peer, *frames = orders.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return False
            if len(peer) != _ROUTING_ID_BYTES or peer[0]:
                # Names that peers give themselves could be another's; ours begin with a zero byte.
                self._desk.counts["refused own names"] += 1
                is_worth = False
            else:
                is_worth = self._desk.receive(peer, frames, self.now_ns)
            noise = 0 if is_worth else noise + 1
            if noise >= _NOISE_AT_ONCE:
                return True
            if self._desk.outbox:
                self._send()
        return False

    def _send(self) -> None:
        """Send all that waits; who cannot be reached, or does not read, has gone."""
        orders, market, _ = self._direct
        desk = self._desk
        while desk.outbox or desk.publications:
            outbox, desk.outbox = desk.outbox, []
            for peer, frames in outbox:
                try:
                    orders.send_multipart([peer, *frames], zmq.NOBLOCK)
                except zmq.ZMQError as error:
                    if error.errno not in _UNMOVED:
                        raise
                    desk.counts["not delivered"] += 1
                    why = Why.TOO_SLOW if error.errno == zmq.EAGAIN else Why.UNREACHABLE
                    desk.gone(peer, why, self.now_ns)
            publications, desk.publications = desk.publications, []
            for frames in publications:
                market.send_multipart(frames)

    def _count_connections(self) -> None:
        """Count connections that ended, and those that never spoke ZeroMQ."""
        *_, watch = self._direct
        while True:
            try:
                frames = watch.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            kind = parse_monitor_message(frames)["event"]
            if kind in _WATCHED:
                self._desk.counts[_WATCHED[kind]] += 1


def _endpoint(socket: "zmq.asyncio.Socket") -> str:
    """Where a socket listens: what was free, if it was not said."""
    said = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(said, bytes)
    return said.rstrip(b"\0").decode()
