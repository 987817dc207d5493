"""How long a book message takes from its text to the best bid and ask, and what others need for the same messages.

Three sets of messages: the recorded `orderbook.200` of `EXECUTOR_REAL_DATA` (left out where it is not set),
the same session as `orderbook.50` would have shown it, and `orderbook.50` of the sandbox's own market. Each
message is timed alone, with everything that is checked in production switched on; both clock readings are
part of the figure.
"""

import asyncio
import gc
import io
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import ccxt.pro
import zstandard
from pybit._websocket_stream import _V5WebSocketManager

from executor.domain.units import install_decimal_context
from executor.venues.bybit.book_sync import BookSync
from executor.venues.bybit.codec_frames import decode_frame
from executor.venues.bybit.codec_public import BookFrame
from sandbox.bybit_server import FlowSettings, SandboxOptions, running_server

_SESSION = "bybit/v5-session-20260809.jsonl.zst"
_SYMBOL = "BTCUSDT"
_SANDBOX_MESSAGES = 1_500
_ROUNDS = 3

Take = Callable[[str], object]


def ours() -> Take:
    """Our own way: typed decoding, every check, exact prices."""
    books: dict[str, BookSync] = {}

    def take(text: str) -> object:
        frame = decode_frame(text)
        if not isinstance(frame, BookFrame):
            raise TypeError(type(frame).__name__)
        book = books.get(frame.topic)
        if book is None:
            depth = int(frame.topic.split(".")[1])
            book = books[frame.topic] = BookSync(frame.data.s, depth)
        book.apply(frame)
        return book.best_bid, book.best_ask

    return take


def obvious() -> Take:
    """The plainest exact way: `json`, a dictionary of Decimals for each side, largest and smallest key each time."""
    books: dict[str, tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]] = {}

    def take(text: str) -> object:
        message = json.loads(text)
        if message["type"] == "snapshot":
            books[message["topic"]] = ({}, {})
        sides = books[message["topic"]]
        for side, rows in zip(sides, (message["data"]["b"], message["data"]["a"]), strict=True):
            for px, qty in rows:
                if Decimal(qty):
                    side[Decimal(px)] = Decimal(qty)
                else:
                    side.pop(Decimal(px), None)
        return max(sides[0]), min(sides[1])

    return take


def with_pybit() -> Take:
    """Pybit's own order book handler, then its best prices (its lists are not sorted)."""
    socket: Any = object.__new__(_V5WebSocketManager)
    socket.data = {}

    def take(text: str) -> object:
        message = json.loads(text)
        topic = message["topic"]
        socket._process_delta_orderbook(message, topic)
        book = socket.data[topic]
        return max(float(px) for px, _ in book["b"]), min(float(px) for px, _ in book["a"])

    return take


def with_ccxt() -> Take:
    """The order book handler of ccxt.pro, floats."""
    exchange: Any = ccxt.pro.bybit()
    exchange.set_markets(
        [
            {
                "id": f"{coin}USDT",
                "symbol": f"{coin}/USDT:USDT",
                "base": coin,
                "quote": "USDT",
                "settle": "USDT",
            }
            | {"type": "swap", "swap": True, "spot": False, "contract": True, "linear": True, "active": True}
            | {"limits": {}, "precision": {"price": 0.00001, "amount": 0.001}, "info": {}, "option": False}
            for coin in ("BTC", "ETH", "SOL", "DOGE")
        ]
    )

    class Client:
        """What the handler wants of a connection."""

        url = "wss://stream.bybit.com/v5/public/linear"

        def resolve(self, *_: object) -> None:
            """Nobody waits."""

    client = Client()

    def take(text: str) -> object:
        message = json.loads(text)
        exchange.handle_order_book(client, message)
        book = exchange.orderbooks[exchange.safe_symbol(message["data"]["s"], None, None, "swap")]
        return book["bids"][0][0], book["asks"][0][0]

    return take


def recorded(root: Path) -> list[str]:
    """Book messages of the recorded session, linear."""
    with (root / _SESSION).open("rb") as packed:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed))
        records = [json.loads(line) for line in lines]
    return [
        record["data"]
        for record in records
        if record.get("conn") == "BYBIT.ws.2"
        and record["t"] == "recv"
        and '"topic":"orderbook' in record["data"]
    ]


def fifty_of(texts: list[str]) -> Iterator[str]:
    """Show the same books 50 levels deep: what came into the window, what changed in it, what left it."""
    windows: dict[str, tuple[dict[str, str], dict[str, str], int]] = {}
    books: dict[str, BookSync] = {}
    for text in texts:
        frame = decode_frame(text)
        if not isinstance(frame, BookFrame):
            continue
        name = frame.data.s
        book = books.setdefault(name, BookSync(name, 200))
        book.apply(frame)
        bids = {f"{px:f}": f"{qty:f}" for px, qty in sorted(book.bids.items(), reverse=True)[:50]}
        asks = {f"{px:f}": f"{qty:f}" for px, qty in sorted(book.asks.items())[:50]}
        old_bids, old_asks, number = windows.get(name, ({}, {}, 1))
        changes = (_changes(old_bids, bids), _changes(old_asks, asks))
        if any(changes):
            windows[name] = (bids, asks, number + 1)
            data = {"s": name, "b": changes[0], "a": changes[1], "u": number + 1, "seq": frame.data.seq}
            shown = {
                "topic": f"orderbook.50.{name}",
                "type": frame.type,
                "ts": frame.ts,
                "data": data,
                "cts": frame.cts,
            }
            yield json.dumps(shown, separators=(",", ":"))


def _changes(before: dict[str, str], after: dict[str, str]) -> list[list[str]]:
    gone = [[px, "0"] for px in before if px not in after]
    return gone + [[px, qty] for px, qty in after.items() if before.get(px) != qty]


async def from_sandbox() -> list[str]:
    """Book messages of the local exchange's own market."""
    texts: list[str] = []
    async with (
        running_server(SandboxOptions(flow=FlowSettings(frozen=False), address_requests_max=0)) as server,
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{server.ws_url}/v5/public/linear") as socket,
    ):
        await socket.send_json({"op": "subscribe", "args": [f"orderbook.50.{_SYMBOL}"]})
        while len(texts) < _SANDBOX_MESSAGES:
            text = await socket.receive_str(timeout=30)
            if '"topic":"orderbook' in text:
                texts.append(text)
    return texts


def measure(make: Callable[[], Take], texts: list[str]) -> tuple[float, float, int]:
    """Median and 99th percentile of the deltas, microseconds, and their number; each round begins with empty books."""
    taken: list[int] = []
    for _ in range(_ROUNDS):
        take = make()
        gc.collect()
        for text in texts:
            began_ns = time.perf_counter_ns()
            take(text)
            ended_ns = time.perf_counter_ns()
            if '"type":"delta"' in text:
                taken.append(ended_ns - began_ns)
    taken.sort()
    return median(taken) / 1e3, taken[len(taken) * 99 // 100] / 1e3, len(taken)


def main() -> None:
    """Measure and print."""
    install_decimal_context()
    sets: dict[str, list[str]] = {"orderbook.50, sandbox": asyncio.run(from_sandbox())}
    root = os.environ.get("EXECUTOR_REAL_DATA")
    if root:
        deep = recorded(Path(root))
        sets |= {"orderbook.50, of the recording": list(fifty_of(deep)), "orderbook.200, recorded": deep}
    else:
        sys.stdout.write("EXECUTOR_REAL_DATA is not set: nothing recorded is measured\n")
    sys.stdout.write(f"{platform.python_implementation()} {platform.python_version()}, {_machine()}\n")
    ways = {"executor": ours, "json + Decimal": obvious, "pybit": with_pybit, "ccxt.pro": with_ccxt}
    for name, texts in sets.items():
        levels = median(text.count('","') for text in texts)
        sys.stdout.write(f"{name}: {len(texts)} messages, {_ROUNDS} rounds, about {levels:.0f} levels each\n")
        for way, make in ways.items():
            middle_us, slow_us, count = measure(make, texts)
            sys.stdout.write(f"  {way:<16} median {middle_us:8.1f} us   p99 {slow_us:8.1f} us   n {count}\n")


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in info.read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{os.cpu_count()} x {models[0] if models else platform.machine()}"


if __name__ == "__main__":
    main()
