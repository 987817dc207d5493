"""What the tests of the venue share: a server in a thread, a raw client, a hand-made book."""

import asyncio
import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

import pytest

from sandbox.bybit_server import Credentials, FlowSettings, RunningServer, SandboxOptions, running_server
from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.book import Side
from sandbox.bybit_server.clock import ManualClock, SystemClock, now_ms
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.operations import Operator
from sandbox.bybit_server.outbox import PrivateMessage
from sandbox.bybit_server.refusal import RefusalError
from sandbox.bybit_server.signature import rest_payload, sign


def refusal_of(call, *args, **kwargs):
    """Return the code with which a call is refused."""
    with pytest.raises(RefusalError) as caught:
        call(*args, **kwargs)
    return caught.value.code


KEYS = tuple(Credentials(key=f"key{n}", secret=f"secret-{n}", uid=1000 + n) for n in range(200))


def poll_until(condition: Callable[[], object], deadline_s: float = 30.0):
    """Return the first true value of a condition, or fail at the deadline."""
    end, pause = time.monotonic() + deadline_s, threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"condition not met within {deadline_s} s")
        pause.wait(0.01)


@contextmanager
def venue_in_thread(options: SandboxOptions) -> Iterator[RunningServer]:
    ready = threading.Event()
    box = {}

    async def main():
        async with running_server(options) as server:
            box["server"] = server
            box["loop"] = asyncio.get_running_loop()
            box["stop"] = asyncio.Event()
            ready.set()
            await box["stop"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="venue")
    thread.start()
    try:
        assert ready.wait(60)
        yield box["server"]
    finally:
        box["loop"].call_soon_threadsafe(box["stop"].set)
        thread.join(10)


@dataclass
class RawClient:
    """Sends exactly the bytes it is told to, signed or not."""

    base: str
    key: Credentials
    window: str = "5000"

    def get(self, path, query="", **tricks):
        return self._send("GET", f"{path}?{query}" if query else path, None, query, **tricks)

    def post(self, path, body, **tricks):
        raw = body if isinstance(body, str) else json.dumps(body)
        return self._send("POST", path, raw.encode(), raw, **tricks)

    def _send(self, method, target, data, tail, *, stamp=None, secret=None, key=None, signed=True):
        headers = {"Content-Type": "application/json"}
        if signed:
            stamp = str(stamp if stamp is not None else now_ms(SystemClock()))
            name = key or self.key.key
            payload = rest_payload(stamp, name, self.window, tail)
            headers |= {
                "x-bapi-api-key": name,
                "x-bapi-timestamp": stamp,
                "x-bapi-recv-window": self.window,
                "x-bapi-sign": sign(secret or self.key.secret, payload),
            }
        request = urllib.request.Request(self.base + target, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            self.headers = dict(response.headers)
            return json.loads(response.read())


class Bench:
    """A pure venue with a frozen crowd, a manual clock and two accounts: books are crafted by hand."""

    def __init__(self):
        self.clock = ManualClock()
        keys = (Credentials(), Credentials(key="other", secret="other-secret", uid=2))
        self.exchange = Exchange(self.clock, flow=FlowSettings(frozen=True), credentials=keys)
        self.account: Account = self.exchange.accounts[Credentials().uid]
        self.other: Account = self.exchange.accounts[2]
        self.messages: list[PrivateMessage] = []
        self.exchange.private_sinks.append(self.messages.extend)
        self._links = itertools.count()
        self._crowd = itertools.count()

    def market(self, category="linear", symbol="BTCUSDT") -> Market:
        return self.exchange.markets[category, symbol]

    def crowd(self, side, px, qty, category="linear", symbol="BTCUSDT"):
        market = self.market(category, symbol)
        item = market.instrument
        self.exchange.crowd_add(
            market, f"~t{next(self._crowd)}", Side(side), item.ticks(Decimal(px)), item.lots(Decimal(qty))
        )

    def take(self, side, px, qty, category="linear", symbol="BTCUSDT"):
        market = self.market(category, symbol)
        item = market.instrument
        self.exchange.crowd_take(market, Side(side), item.ticks(Decimal(px)), item.lots(Decimal(qty)))
        self.exchange.flush()

    def send(self, side, qty, px=None, account=None, **fields):
        body = {
            "category": "linear",
            "symbol": "BTCUSDT",
            "side": side,
            "orderType": "Limit" if px else "Market",
            "qty": qty,
            "price": px,
            "orderLinkId": f"link-{next(self._links)}",
        }
        account = account or self.account
        ack = self.exchange.create(account, Fields({**body, **fields}))
        return account.orders[ack["orderId"]]

    def ask(self, call, account=None, **fields):
        """Call an endpoint's function for the bench's account."""
        body = {"category": "linear", "symbol": "BTCUSDT", **fields}
        return call(self.exchange, account or self.account, Fields(body))

    def do(self, name, **fields):
        """Intervene as the operator."""
        return Operator(self.exchange).table()[name](Fields(fields))

    def heard(self, kind):
        """Return the rows of one kind of message, in the order of their arrival."""
        return [row for message in self.messages if message.kind == kind for row in message.rows]

    def kinds(self):
        return [message.kind for message in self.messages]
