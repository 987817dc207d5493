"""A listener on the line between a client and the local exchange: it stamps what passes, and changes nothing else.

It forwards TCP byte for byte, but for one thing: it strikes out the offer of WebSocket compression, so that all clients
get their messages in the same form. `arm TEXT` makes it wait for the next message of a book with that text to the
client and the next order request after it; `take` tells the nanoseconds between the two.
"""

import asyncio
import contextlib
import json
import re
import sys
from dataclasses import dataclass, field
from time import perf_counter_ns

_BOOK = b'"orderbook.'
"""Whoever listens to tickers as well may hear of the price there first; all clients decide on the book."""
_COMPRESSION = re.compile(rb"\r\nSec-WebSocket-Extensions:[^\r]*", re.IGNORECASE)
_ORDER_FRAME_BYTES_MIN = 200
_TAKE_S_MAX = 3.0


@dataclass
class Stamps:
    """The two instants of one round, nanoseconds of this process's clock; 0 while they are awaited."""

    armed: bool = False
    text: bytes = b""
    push_ns: int = 0
    order_ns: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def arm(self, text: bytes) -> None:
        """Forget the last round, and wait for market data with a text in it."""
        self.armed, self.text, self.push_ns, self.order_ns = True, text, 0, 0
        self.done.clear()

    def on_push(self, data: bytes) -> None:
        """Market data is about to be handed to the client; the first of a round with the text counts."""
        if self.armed and not self.push_ns and _BOOK in data and self.text in data:
            self.push_ns = perf_counter_ns()

    def on_order(self) -> None:
        """An order request has just come in; the first after the market data counts."""
        if self.armed and self.push_ns and not self.order_ns:
            self.order_ns = perf_counter_ns()
            self.armed = False
            self.done.set()


async def tap(port: int, control_port: int, target_port: int) -> None:
    """Forward connections from `port` to `target_port` until cancelled; `control_port` takes arm and take."""
    stamps = Stamps()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection("127.0.0.1", target_port)
        path = b""

        async def out() -> None:
            nonlocal path
            while data := await reader.read(1 << 16):
                if data.startswith(
                    (b"GET ", b"POST ")
                ):  # a connection may be kept, and become a WebSocket later
                    path = data.split(b" ", 2)[1]
                    data = _COMPRESSION.sub(b"", data)
                is_frame = path.startswith(b"/v5/trade") and len(data) >= _ORDER_FRAME_BYTES_MIN
                if is_frame or path.startswith(b"/v5/order/"):
                    stamps.on_order()
                back.write(data)
            back.close()

        async def home() -> None:
            while data := await onward.read(1 << 16):
                if path.startswith(b"/v5/public"):
                    stamps.on_push(
                        data
                    )  # before it is written: the client may run at once, and this process later
                writer.write(data)
            writer.close()

        with contextlib.suppress(OSError):
            await asyncio.gather(out(), home())

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while word := (await reader.readline()).strip():
            answer: object = "ok"
            if word.startswith(b"arm "):
                stamps.arm(word.removeprefix(b"arm "))
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stamps.done.wait(), _TAKE_S_MAX)
                answer = stamps.order_ns - stamps.push_ns if stamps.order_ns else None
            writer.write(json.dumps(answer).encode() + b"\n")

    servers = [
        await asyncio.start_server(forward, "127.0.0.1", port, limit=1 << 20),
        await asyncio.start_server(control, "127.0.0.1", control_port),
    ]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(tap(*(int(word) for word in sys.argv[1:4])))
