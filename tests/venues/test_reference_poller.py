"""Second opinions through ccxt: a second local exchange stands for the other one, with prices of its own."""

import asyncio
import importlib.util
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from executor.domain.errors import ConfigError, Overflow
from executor.domain.events import BookLost, InstrumentLoaded, ReferenceUpdated
from executor.domain.orders import Category
from executor.venues.reference.poller import References, factories
from sandbox.bybit_server import FlowSettings, SandboxOptions, running_server
from tests.builders import instrument

BTC = InstrumentLoaded(
    at_ns=0,
    instrument=instrument(category=Category.LINEAR, symbol="BTCUSDT", base_coin="BTC", quote_coin="USDT"),
)
SPOT = InstrumentLoaded(
    at_ns=0,
    instrument=instrument(category=Category.SPOT, symbol="BTCUSDT", base_coin="BTC", quote_coin="USDT"),
)
NOWHERE = InstrumentLoaded(
    at_ns=0,
    instrument=instrument(category=Category.LINEAR, symbol="ABCUSDT", base_coin="ABC", quote_coin="USDT"),
)


def bybit_at(rest_url):
    def make():
        import ccxt.async_support

        return ccxt.async_support.bybit(
            {
                "urls": {"api": dict.fromkeys(("spot", "futures", "v2", "public", "private"), rest_url)},
                "options": {"fetchMarkets": {"types": ["spot", "linear"]}},
            }
        )

    return make


class Told:
    """What was posted, with a way to wait for it."""

    def __init__(self):
        self.events, self.lines, self.changed, self.refuse = [], [], asyncio.Event(), 0

    def post(self, event):
        if self.refuse:
            self.refuse -= 1
            raise Overflow("full")
        assert threading.current_thread() is threading.main_thread()
        self.events.append(event)
        self.changed.set()

    def log(self, message, **fields):
        self.lines.append((message, fields))
        self.changed.set()

    async def until(self, condition, limit_s=40):
        async with asyncio.timeout(limit_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def polling(sources, *symbols, **more):
    told = Told()
    references = References(sources, 0.05, told.log, **more)
    for event in symbols:
        references.notice(event)
    task = asyncio.create_task(references.run(told.post))
    try:
        yield references, told
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not [thread for thread in threading.enumerate() if thread.name == "references"]


def of(told, source, category=Category.LINEAR):
    return [event for event in told.events if (event.source, event.category) == (source, category)]


async def control(server, method, path, body=None):
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, server.control_url + path, json=body) as response,
    ):
        assert response.status == 200, await response.text()


async def quote(server, side, price, category="linear"):
    body = {
        "do": "quote",
        "category": category,
        "symbol": "BTCUSDT",
        "side": side,
        "qty": "1",
        "price": price,
    }
    await control(server, "POST", "/_ex", body)


@asynccontextmanager
async def other_exchange(bid="50000", ask="50010"):
    options = SandboxOptions(flow=FlowSettings(frozen=True), address_requests_max=0)
    async with running_server(options) as server:
        await quote(server, "Buy", bid)
        await quote(server, "Sell", ask)
        yield server


async def test_another_exchange_gives_its_own_price_for_the_same_market():
    async with other_exchange() as near, other_exchange("40000", "40002") as far:
        sources = {"near": bybit_at(near.rest_url), "far": bybit_at(far.rest_url)}
        async with polling(
            sources, BTC, BookLost(at_ns=0, category=Category.LINEAR, symbol="X", detail="")
        ) as (
            _,
            told,
        ):
            await told.until(lambda: len(of(told, "near")) > 2 and len(of(told, "far")) > 2)
            assert {event.px for event in of(told, "near")} == {Decimal(50005)}
            assert {event.px for event in of(told, "far")} == {Decimal(40001)}
            assert {event.symbol for event in told.events} == {"BTCUSDT"}


async def test_a_symbol_that_comes_later_is_asked_for_too_and_spot_is_another_market():
    async with other_exchange() as server:
        await quote(server, "Buy", "49000", "spot")
        await quote(server, "Sell", "49002", "spot")
        async with polling({"other": bybit_at(server.rest_url)}, BTC) as (references, told):
            await told.until(lambda: of(told, "other"))
            references.notice(SPOT)
            await told.until(lambda: of(told, "other", Category.SPOT))
            assert of(told, "other", Category.SPOT)[0].px == Decimal(49001)


async def test_a_failure_is_said_once_and_the_price_comes_back():
    async with other_exchange() as server:
        more = dict(back_off_s_max=0.1)
        async with polling({"other": bybit_at(server.rest_url)}, BTC, **more) as (_, told):
            await told.until(lambda: of(told, "other"))
            fault = {"match": {"path": "/v5/market/orderbook"}, "when": "before_apply", "act": "status"}
            await control(server, "POST", "/_fault", {**fault, "status": 502, "times": 3})
            await told.until(lambda: None in [event.px for event in told.events])
            after = len(told.events)
            await told.until(lambda: len(told.events) > after)
            prices = [event.px for event in told.events]
            assert prices.count(None) == 1
            assert prices[-1] == Decimal(50005)
            assert [message for message, _ in told.lines] == ["no reference price"]


async def test_no_such_market_and_an_empty_book_are_none_and_do_not_hold_up_the_others():
    async with (
        other_exchange() as server,
        polling({"other": bybit_at(server.rest_url)}, NOWHERE, SPOT, BTC) as (_, told),
    ):
        await told.until(lambda: len(of(told, "other")) > 4)
        said = {(event.category, event.symbol, event.px) for event in told.events}
        assert said == {
            (Category.LINEAR, "ABCUSDT", None),
            (Category.SPOT, "BTCUSDT", None),
            (Category.LINEAR, "BTCUSDT", Decimal(50005)),
        }
        assert len([event for event in told.events if event.px is None]) == 2


async def test_an_exchange_that_is_down_or_hangs_does_not_hold_up_another():
    hang = asyncio.Event()

    async def never(reader, writer):
        await hang.wait()
        writer.close()

    silent = await asyncio.start_server(never, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with other_exchange() as server:
        sources = {
            "down": bybit_at("http://127.0.0.1:1"),
            "silent": bybit_at(f"http://127.0.0.1:{port}"),
            "other": bybit_at(server.rest_url),
        }
        async with polling(sources, BTC) as (_, told):
            await told.until(lambda: len(of(told, "other")) > 2 and of(told, "down"))
            assert {event.px for event in of(told, "down")} == {None}
            assert {event.px for event in of(told, "other")} == {Decimal(50005)}
    hang.set()
    silent.close()


async def test_a_maker_that_fails_is_said_and_ends_nothing():
    def broken():
        raise TypeError("no such option")

    async with (
        other_exchange() as server,
        polling({"broken": broken, "other": bybit_at(server.rest_url)}, BTC) as (_, told),
    ):
        await told.until(lambda: of(told, "other") and told.lines)
        assert told.lines[0][0] == "reference exchange unusable"


async def test_a_full_inbox_drops_a_price_and_nothing_else():
    async with other_exchange() as server, polling({"other": bybit_at(server.rest_url)}, BTC) as (_, told):
        told.refuse = 2
        await told.until(lambda: len(of(told, "other")) > 2)
        assert len([line for line in told.lines if "dropped" in line[0]]) == 2
        assert all(isinstance(event, ReferenceUpdated) for event in told.events)


async def test_it_ends_at_once_also_before_it_began():
    async with polling({"other": bybit_at("http://127.0.0.1:1")}, BTC):
        pass


def test_back_off_grows_to_its_bound():
    references = References({}, 2, lambda *_, **__: None, back_off_s_max=300)
    waits = [references.back_off_s(failures) for failures in (1, 2, 3, 20, 10_000)]
    assert waits == [4, 8, 16, 300, 300]


def test_exchanges_are_checked_without_importing_ccxt():
    script = (
        "import sys; from executor.venues.reference.poller import factories;"
        "assert list(factories(['binance', 'okx'])) == ['binance', 'okx'];"
        "sys.exit('ccxt' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["nosuchexchange", "__init__", "base/exchange", "../x", "Binance"])
def test_an_unknown_exchange_is_a_mistake_in_the_settings(name):
    with pytest.raises(ConfigError, match="knows no exchange"):
        factories([name, "okx"])


def test_a_missing_ccxt_is_said_with_the_way_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert factories([]) == {}
    with pytest.raises(ConfigError, match=r"pip install 'bybit-executor\[reference\]'"):
        factories(["binance"])
