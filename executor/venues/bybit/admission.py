"""Waiting, for a short while, until the address may send one more question."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from executor.domain.errors import TransportError
from executor.domain.timeline import NS_PER_S
from executor.runtime.clock import Clock
from executor.venues.bybit.limiter import Limiter

WAIT_S_MAX: Final = 10.0


def admission(
    limiter: Limiter,
    clock: Clock,
    why_not: Callable[[], str],
    wait_s_max: float = WAIT_S_MAX,
) -> Callable[[], Awaitable[None]]:
    """Make the function that every question passes before it leaves.

    It takes one question from the address's budget, waiting for room if it must. It raises `TransportError` at once
    while the venue must be left alone, and when there is no room in time.

    Parameters
    ----------
    why_not
        Says why nothing may be asked at the moment; empty if it may.
    wait_s_max
        Longest wait, seconds.
    """

    async def admit() -> None:
        end_ns = clock.now_ns() + int(wait_s_max * NS_PER_S)
        while True:
            now_ns = clock.now_ns()
            refusal = why_not()
            if refusal:
                raise TransportError(refusal)
            wait_ns = limiter.take_query(now_ns)
            if wait_ns == 0:
                return
            if now_ns + wait_ns > end_ns:
                raise TransportError("no room for one more question of this address")
            await asyncio.sleep(wait_ns / NS_PER_S)

    return admit
