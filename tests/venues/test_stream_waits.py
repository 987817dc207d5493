"""A connection that waits for nothing for ever: every way in which the other end, or this machine, can be slow."""

import asyncio
import threading
from contextlib import asynccontextmanager, suppress
from random import Random

import aiohttp
import pytest
from aiohttp import web

from executor.domain.errors import Disconnected
from executor.domain.events import BookUpdated, StreamChanged
from executor.venues.bybit import stream as module
from executor.venues.bybit.stream import Stream
from tests.venues.scripted_socket import polite, scripted
from tests.venues.test_market_feed import BTC, WHOLE, feeding, shown

pytestmark = pytest.mark.process
STILL = threading.Event()


class Line:
    """One connection that is kept up, and what it said."""

    def __init__(self, http, url, *, join=None, silence_s_max=0.5, ping_every_s=0.1):
        self.losses, self.waits = asyncio.Queue(maxsize=1_000), []
        self.stream = Stream(
            http=http,
            url=url,
            join=join or self._join,
            on_message=lambda _: None,
            on_lost=self.losses.put_nowait,
            log=lambda *_, **__: None,
            random=Random(1),
            ping_every_s=ping_every_s,
            silence_s_max=silence_s_max,
            steps_s=(0.01,),
        )
        wait = self.stream._backoff.next_s

        def noted(joined_s, *, turned_away):
            self.waits.append(joined_s)
            return wait(joined_s, turned_away=turned_away)

        self.stream._backoff.next_s = noted

    async def _join(self, stream):
        await stream.request("subscribe", ["order"])

    async def loss(self):
        return await asyncio.wait_for(self.losses.get(), 10)


@asynccontextmanager
async def lining(url, **over):
    async with aiohttp.ClientSession() as http:
        line = Line(http, url, **over)
        task = asyncio.create_task(line.stream.run())
        try:
            yield line
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def serving(handler):
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_server_that_takes_the_connection_and_says_nothing_is_tried_again(monkeypatch):
    monkeypatch.setattr(module, "_CONNECT_S_MAX", 0.1)
    ends = []

    async def dumb(reader, writer):
        while await reader.read(1_000):
            pass
        ends.append("closed by us")
        writer.close()

    async with serving(dumb) as url, lining(url) as line:
        for _ in range(3):
            assert "no connection within" in await line.loss()
        assert line.stream.connects == 0
        assert ends


async def test_a_peer_that_goes_on_talking_does_not_keep_a_connection_from_being_closed():
    """It sends, and takes nothing: what we say of the end is never read."""
    connects, stop = [], asyncio.Event()

    async def deaf(request):
        socket = web.WebSocketResponse(autoclose=False)
        await socket.prepare(request)
        connects.append(socket)
        await socket.send_bytes(b"no text")
        while not stop.is_set() and not request.transport.is_closing():
            await socket._writer.send_frame(b'{"op":"pong"}', aiohttp.WSMsgType.TEXT)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.01)
        return socket

    app = web.Application()
    app.router.add_get("/", deaf)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with lining(f"ws://127.0.0.1:{runner.addresses[0][1]}/") as line:
            for _ in range(2):
                assert "no text" in await line.loss()
            assert len(connects) >= 2
    finally:
        stop.set()
        await runner.cleanup()


async def test_a_stop_of_our_own_is_not_the_venues_silence():
    async with scripted() as there, lining(there.url) as line:
        await there.until(lambda there: len(there.asked) > 3)
        for _ in range(2):
            heard_s = line.stream._heard_s
            async with asyncio.timeout(5):
                while line.stream._heard_s == heard_s:  # noqa: ASYNC110 - no answer may wait to be read
                    await asyncio.sleep(0)
            STILL.wait(0.7)  # the whole process stands still
            pings = len(there.asked)
            await there.until(lambda there: len(there.asked) > pings + 3)  # noqa: B023 - waited for here
        assert (there.connects, line.losses.qsize()) == (1, 0)


def deaf_after(count):
    """Acknowledge everything, and after so many requests nothing more."""
    asked_before = []

    def answer(asked):
        asked_before.append(asked)
        return polite(asked) if len(asked_before) <= count else None

    return answer


async def test_a_machine_that_stops_us_again_and_again_does_not_hide_that_the_venue_is_silent():
    async with scripted(deaf_after(2)) as there, lining(there.url) as line:
        await there.until(lambda there: len(there.asked) > 2)

        async def hold_up():
            while line.losses.empty():
                STILL.wait(0.15)  # the whole process stands still
                await asyncio.sleep(0)

        async with asyncio.timeout(30):
            await hold_up()
        assert "silent for" in await line.loss()


def test_what_a_stop_forgives_is_one_pings_time_and_no_more():
    line = Line(None, "", silence_s_max=8.0, ping_every_s=3.0)
    stream = line.stream
    for silent_s, stood_still_s, then_s in [
        (60.5, 60.0, 5.0),
        (9.0, 1.0, 8.0),
        (5.5, 5.0, 5.0),
        (4.0, 3.5, 4.0),
        (20.0, 6.0, 14.0),
    ]:
        stream._heard_s = 100.0 - silent_s
        stream._forgive(stood_still_s, 100.0)
        assert 100.0 - stream._heard_s == pytest.approx(then_s)


async def test_a_connection_that_was_never_joined_pardons_nothing_however_long_it_took():
    async def never(stream):
        await asyncio.sleep(0)
        raise Disconnected("not acknowledged")

    async with scripted() as there, lining(there.url, join=never) as line:
        for _ in range(3):
            await line.loss()
    assert set(line.waits) == {0.0}
    async with scripted() as there, lining(there.url) as line:
        await there.until(lambda there: len(there.asked) > 5)
        await there.close()
        await line.loss()
        await there.until(lambda there: there.connects > 1)
    assert line.waits[0] > 0


async def test_a_wanted_topic_that_is_never_acknowledged_costs_only_itself(monkeypatch):
    monkeypatch.setattr(module, "_ACK_S_MAX", 0.1)

    def answer(asked):
        is_mute = asked["op"] == "subscribe" and asked["args"][0].startswith(("tickers", "priceLimit"))
        return None if is_mute else polite(asked)

    async with feeding(answer) as (there, inbox, feed, lines):
        await there.until(lambda there: f"allLiquidation.{BTC}" in there.topics)
        await there.say(WHOLE)
        assert (await shown(inbox)).best_bid == 100
        assert (there.connects, len(inbox.of(StreamChanged)), len(inbox.of(BookUpdated))) == (1, 1, 1)
        assert feed.tally.refused_topics == {f"tickers.{BTC}", f"priceLimit.{BTC}"}
        assert [message for message, _ in lines] == ["topic refused"] * 2


async def test_a_required_topic_that_is_never_acknowledged_costs_the_connection(monkeypatch):
    monkeypatch.setattr(module, "_ACK_S_MAX", 0.1)

    def answer(asked):
        return polite(asked) if asked["op"] == "ping" else None

    async with scripted(answer) as there, lining(there.url) as line:
        for _ in range(2):
            assert "was not acknowledged" in await line.loss()
