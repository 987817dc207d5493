"""Silent connections of strangers are bounded, and take no place from those who have a token."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from control_double import ControlDouble
from doors import TOKEN, Door

from config.secrets import Secret
from executor.interfaces.api import build_app, serve
from executor.interfaces.guard import GuardLimits

MOST = 12
STRANGERS = 60


@asynccontextmanager
async def few() -> AsyncIterator[Door]:
    control = ControlDouble()
    app = build_app(control, Secret(TOKEN), GuardLimits(connections_max=MOST))
    async with serve(app, "127.0.0.1", 0) as port, aiohttp.ClientSession() as session:
        yield Door(control, port, session)


async def stranger(stack: AsyncExitStack, door: Door, says: bytes = b"") -> asyncio.Task[bytes]:
    """Somebody who opens a connection, says something or nothing, and holds it; done when it is cut off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    stack.callback(writer.close)
    writer.write(says)
    return asyncio.create_task(ended(reader))


async def ended(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_of_many_who_say_nothing_the_oldest_go_and_who_has_a_token_stays():
    async with few() as door, AsyncExitStack() as stack:
        stream = await door.session.get(f"{door.url}/v1/stream", headers=door.headers)
        stack.callback(stream.close)
        assert (await stream.content.readuntil(b"\n\n")).startswith(b"data: ")
        half = f"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\n".encode()
        waiting = [await stranger(stack, door, half if number % 2 else b"") for number in range(STRANGERS)]
        async with asyncio.timeout(10):
            while sum(task.done() for task in waiting) < STRANGERS - MOST:
                await asyncio.wait(
                    [task for task in waiting if not task.done()], return_when="FIRST_COMPLETED"
                )
        assert all(task.done() for task in waiting[: STRANGERS - MOST]), "the oldest went first"
        assert not waiting[-1].done()

        async with asyncio.timeout(10):
            assert (await stream.content.readuntil(b"\n\n")).startswith(b"data: "), "it goes on"
        assert (await door.post("/v1/halt", {"reason": "x"}))[0] == 200
        assert len(door.control.asked) == 1
        for task in waiting:
            task.cancel()


async def test_who_answered_without_a_token_goes_before_who_brought_one():
    async with few() as door, AsyncExitStack() as stack:
        known = (
            f"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        stack.callback(writer.close)
        writer.write(known.encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        mine = asyncio.create_task(ended(reader))
        health = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\n\r\n".encode()
        others = [await stranger(stack, door, health) for _ in range(2 * MOST)]
        async with asyncio.timeout(10):
            await others[0]
        assert b"200 OK" in others[0].result()
        assert not mine.done()
        for task in (mine, *others):
            task.cancel()
