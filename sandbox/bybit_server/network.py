"""The net between the clients and the venue, as far as it can be broken: held, deaf, or refusing."""

from __future__ import annotations

import asyncio
from typing import Final

from sandbox.bybit_server.clock import NS_PER_S, Clock

TRANSPORTS: Final = ("rest", "trade")


class Barrier:
    """A place where bytes wait while it is down; what waits goes on, in order, when it is lifted."""

    def __init__(self) -> None:
        self._clear = asyncio.Event()
        self._clear.set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_down(self) -> bool:
        """Whether passers-by have to wait."""
        return not self._clear.is_set()

    def lower(self, length_s: float | None = None) -> None:
        """Stop the traffic, for a length of time or until lifted."""
        self._forget_timer()
        self._clear.clear()
        if length_s is not None:
            self._timer = asyncio.get_running_loop().call_later(length_s, self.lift)

    def lift(self) -> None:
        """Let the traffic go on."""
        self._forget_timer()
        self._clear.set()

    async def passage(self) -> None:
        """Wait until the barrier is up."""
        await self._clear.wait()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Network:
    """What happens to everybody's bytes.

    ``inbound`` barriers, one per transport of requests, hold what clients send; the ``outbound`` barrier holds
    what the venue sends, so that requests are applied and nobody hears of it.

    Parameters
    ----------
    clock
        Measures how long connections are refused.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused_until_ns = 0
        self.inbound: Final = {transport: Barrier() for transport in TRANSPORTS}
        self.outbound: Final = Barrier()

    def refuse_connections(self, length_s: float) -> None:
        """Close every new connection at once, for a length of time."""
        self._refused_until_ns = self._clock.monotonic_ns() + int(length_s * NS_PER_S)

    @property
    def refuses(self) -> bool:
        """Whether new connections are refused."""
        return self._clock.monotonic_ns() < self._refused_until_ns

    def heal(self) -> None:
        """Undo everything."""
        self._refused_until_ns = 0
        for barrier in (*self.inbound.values(), self.outbound):
            barrier.lift()


class Line:
    """The way of one socket through the net, with a barrier of its own for a half-open connection.

    Parameters
    ----------
    network
        The net that everybody shares.
    transport
        ``trade`` if requests come through this socket, empty otherwise.
    """

    def __init__(self, network: Network | None = None, transport: str = "") -> None:
        self.stall: Final = Barrier()
        self._inbound = (self.stall,) if network is None else (self.stall, *self._of(network, transport))
        self._outbound = (self.stall,) if network is None else (self.stall, network.outbound)

    async def inbound(self) -> None:
        """Wait until what the client sent may arrive."""
        await self._pass(self._inbound)

    async def outbound(self) -> None:
        """Wait until something may leave for the client."""
        await self._pass(self._outbound)

    @staticmethod
    async def _pass(barriers: tuple[Barrier, ...]) -> None:
        while any(barrier.is_down for barrier in barriers):
            for barrier in barriers:
                await barrier.passage()

    @staticmethod
    def _of(network: Network, transport: str) -> tuple[Barrier, ...]:
        return (network.inbound[transport],) if transport else ()
