"""What every local stand-in does as a process: listen, say where, and run until it is told to end."""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from aiohttp import web


class Running(Protocol):
    """A server that is up."""

    def addresses(self) -> Mapping[str, str]:
        """Where it listens, by name."""


def run(what: str, serving: AbstractAsyncContextManager[Running], ready_file: Path | None) -> None:
    """Run a server until SIGTERM or SIGINT; announce its addresses on standard output when it is ready.

    Parameters
    ----------
    what
        First word of the announcement.
    ready_file
        Where the addresses are written as JSON, too.
    """
    asyncio.run(_run(what, serving, ready_file))


async def listen(runner: web.AppRunner, host: str, port: int) -> int:
    """Begin to listen; gives the port, which is a free one for 0."""
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    return int(runner.addresses[0][1])


async def _run(what: str, serving: AbstractAsyncContextManager[Running], ready_file: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving as server:
        places = dict(server.addresses())
        if ready_file is not None:
            _write_atomically(ready_file, json.dumps(places))
        line = " ".join(f"{name}={place}" for name, place in places.items())
        sys.stdout.write(f"{what} ready {line}\n")
        sys.stdout.flush()
        await stop.wait()


def _write_atomically(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
