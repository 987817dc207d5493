"""Servers that answer a model client: in the way they should, byte by byte in any other way."""

import asyncio
import json
from contextlib import asynccontextmanager

from executor.advice.capabilities import capabilities_of
from executor.advice.prompt import Message
from executor.adviser.client import ModelClient
from executor.runtime.clock import Clock

KEY = "sk-cAnArY-0123456789abcdef-KEY"
MODEL = "some-model"
SLACK_NS = 5_000_000_000
"""How long after its deadline a call may end: the machine may be busy, and a call without a deadline never ends."""
MESSAGES = (Message(role="system", content="fixed"), Message(role="user", content='{"a":1}'))
SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def envelope(content="{}", **other):
    message = {"role": "assistant", "content": content}
    return {
        "id": "c-1",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    } | other


def page(body, status="200 OK", kind="application/json", headers=()):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(raw)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


class Heard:
    """What came in: requests as text, and connections that were opened."""

    def __init__(self):
        self.requests = []
        self.connections = 0
        self.port = 0
        self.asked = asyncio.Event()
        self.ended = asyncio.Event()
        """Set when a connection was closed by the client."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def bodies(self):
        return [json.loads(text.partition("\r\n\r\n")[2]) for text in self.requests]


@asynccontextmanager
async def serving(behave, ssl=None):
    """Serve connections with `behave(request text, writer)`; whoever still works at the end is ended."""
    heard = Heard()
    visits = set()

    async def admit(reader, writer):
        visits.add(asyncio.current_task())
        heard.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                text = head.decode()
                length = next(
                    (
                        int(line.split(":")[1])
                        for line in text.lower().split("\r\n")
                        if line.startswith("content-length:")
                    ),
                    0,
                )
                text += (await reader.readexactly(length)).decode()
                heard.requests.append(text)
                heard.asked.set()
                await behave(text, writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            heard.ended.set()
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(admit, "127.0.0.1", 0, ssl=ssl)
    heard.port = server.sockets[0].getsockname()[1]
    try:
        yield heard
    finally:
        server.close()
        for visit in visits:
            visit.cancel()
        await asyncio.gather(*visits, return_exceptions=True)


def always(raw):
    """Answer every request with the same bytes."""

    async def behave(_text, writer):
        writer.write(raw)

    return behave


@asynccontextmanager
async def asking(url, model=MODEL, known=None, key=KEY, **options):
    client = ModelClient(
        url,
        model,
        None if key is None else (lambda: key),
        known or capabilities_of(model),
        Clock().now_ns,
        reasoning_tokens_max=1_000,
        **options,
    )
    await client.open()
    try:
        yield client
    finally:
        await client.close()


async def ask(client, deadline_s=5.0, messages=MESSAGES, schema=SCHEMA, max_tokens=100):
    return await client.ask(messages, schema=schema, max_tokens=max_tokens, deadline_s=deadline_s)
