"""What rows about sockets share: waiting for acks, for pongs, and for what is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.sandbox.venue_support import poll_until

OFTEN = {"keepAlive": 100, "maxPingPongMisses": 300}
"""What has ccxt ping ten times a second; it gives a socket up after this many without answer."""


def acks_of(socket: Any) -> list[bool]:
    """Return the list in which the verdicts on a socket's subscriptions will stand."""
    acked: list[bool] = []
    hand_on = socket.callback

    def note(message: dict[str, Any]) -> None:
        hand_on(message)
        if message.get("op") == "subscribe":
            acked.append(message["success"])

    socket.callback = note
    return acked


def assert_pings(socket: Any) -> None:
    """Assert that ping frames are answered four times over, and that the socket lives."""
    answered: list[bool] = []
    react = socket._on_pong

    def note() -> None:
        react()
        answered.append(True)

    socket._on_pong = note
    poll_until(lambda: len(answered) >= 4)
    assert socket.is_connected()


def subscription(exchange: Any) -> asyncio.Event:
    """Return what is set as soon as the venue has acknowledged a subscription of this client."""
    acked = asyncio.Event()
    hand_on = exchange.handle_subscription_status

    def note(client: Any, message: dict[str, Any]) -> Any:
        acked.set()
        return hand_on(client, message)

    exchange.handle_subscription_status = note
    return acked


async def pongs(exchange: Any, place: str) -> None:
    """Wait until the socket at an address has had two pongs."""
    (client,) = [client for client in exchange.clients.values() if place in client.url]
    seen: set[int] = set()
    async with asyncio.timeout(30):
        while len(seen) < 3:
            seen.add(client.lastPong)
            await asyncio.wait({asyncio.ensure_future(exchange.fetch_time())})
    assert not client.closed()


async def first_where(watch: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """Call a ccxt.pro watcher until what it returns is wanted."""
    while True:
        seen = await watch()
        if wanted(seen):
            return seen


async def heard_while(act: Callable[[], object], watch: Any) -> Any:
    """Repeat an act of the operator until a watcher has heard of it."""
    task = asyncio.ensure_future(watch)
    while not task.done():
        act()
        await asyncio.wait({task}, timeout=0.1)
    return task.result()
