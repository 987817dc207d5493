"""Timers of the engine on the event loop: a name, an instant, and `TimerFired` when it comes."""

import asyncio

from executor.domain.errors import Overflow
from executor.domain.events import TimerFired
from executor.domain.ports import Post
from executor.domain.timeline import NS_PER_S
from executor.runtime.clock import Clock

_AGAIN_S = 0.1


class Timers:
    """One pending timer per name; setting it again replaces it."""

    def __init__(self, clock: Clock, post: Post) -> None:
        self._clock = clock
        self._post = post
        self._pending: dict[str, asyncio.TimerHandle] = {}

    def set(self, key: str, at_ns: int) -> None:
        """Fire at the instant; at once if it has passed."""
        old = self._pending.pop(key, None)
        if old is not None:
            old.cancel()
        delay_s = max(at_ns - self._clock.now_ns(), 0) / NS_PER_S
        self._pending[key] = asyncio.get_running_loop().call_later(delay_s, self._fire, key)

    def clear(self) -> None:
        """Drop all timers."""
        for handle in self._pending.values():
            handle.cancel()
        self._pending.clear()

    def _fire(self, key: str) -> None:
        del self._pending[key]
        try:
            self._post(TimerFired(at_ns=0, key=key))
        except Overflow:  # the engine waits for this timer and will not set it again
            self._pending[key] = asyncio.get_running_loop().call_later(_AGAIN_S, self._fire, key)
