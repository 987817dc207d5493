"""A thread with a loop of its own, in which ccxt lives: it is large and computes long, and nobody waits for it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from executor.domain.errors import TransportError
from executor.domain.units import install_decimal_context

T = TypeVar("T")
_STOP_S_MAX: Final = 5.0


class Room:
    """Runs coroutines in its thread for callers on another loop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Start the thread."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name=self._name, daemon=True)
        self._thread.start()
        ready.wait()

    async def close(self) -> None:
        """End everything that runs in it, then the thread."""
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join, _STOP_S_MAX)

    async def ask(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine in the room; if the caller is cancelled, so is it.

        Raises
        ------
        TransportError
            If the room is closed.
        """
        if self._loop is None:
            raise TransportError("nothing is asked any more")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_apart(make()), self._loop))

    def _run(self, ready: threading.Event) -> None:
        install_decimal_context()
        with asyncio.Runner() as runner:
            loop = self._loop = runner.get_loop()
            asyncio.set_event_loop(loop)
            loop.call_soon(ready.set)
            loop.run_forever()


async def _apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine with an arithmetic context of its own.

    A task that another thread asks for takes over that thread's context variables, the very object of its decimal
    arithmetic among them. ccxt sets rounding and traps in it, by which the engine would reckon from then on.
    """
    install_decimal_context()
    return await work
