"""Announcements of maintenance over a real socket, and a venue that makes none."""

import asyncio
from contextlib import asynccontextmanager
from random import Random

import aiohttp
import pytest

from executor.domain.events import VenueRestricted
from executor.domain.timeline import NS_PER_MS
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.status_feed import StatusFeed
from tests.venues.scripted_socket import Inbox, polite, scripted

pytestmark = pytest.mark.process
HOUR_MS = 3_600_000


@asynccontextmanager
async def feeding(answer=polite, url="", retry_s=0.05):
    async with scripted(answer) as there, aiohttp.ClientSession() as http:
        inbox, lines, logged = Inbox(), [], asyncio.Event()

        def log(message, **fields):
            lines.append((message, fields))
            logged.set()

        urls = dict(rest_url=there.url, public_ws_url=url or there.url, private_ws_url=there.url)
        feed = StatusFeed(
            http=http,
            access=Access(**urls, api_key="k", api_secret="s", status_feed=True),
            clock=Clock(),
            post=inbox,
            log=log,
            random=Random(1),
            retry_s=retry_s,
            look_every_s=0.02,
        )
        task = asyncio.create_task(feed.run())
        try:
            yield there, inbox, lines, feed, logged
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def notices(*rows):
    return {"topic": "system.status", "ts": 1, "data": list(rows)}


def row(state, begin_ms, end_ms, name="n"):
    return {"id": name, "title": "upgrade", "state": state, "begin": str(begin_ms), "end": str(end_ms)}


async def test_a_maintenance_that_is_near_or_going_on_restricts_us_once_until_its_end():
    now_ms = Clock().now_ns() // NS_PER_MS
    async with feeding() as (there, inbox, _, _feed, _logged):
        await there.until(lambda there: there.topics == ["system.status"])
        far = row("scheduled", now_ms + HOUR_MS, now_ms + 2 * HOUR_MS, "far")
        near = row("scheduled", now_ms + HOUR_MS // 10, now_ms + HOUR_MS, "near")
        await there.say(notices(far, near, {"state": "maybe"}))
        (told,) = await inbox.until(lambda inbox: inbox.of(VenueRestricted))
        assert told.until_ns == (now_ms + HOUR_MS) * NS_PER_MS
        assert "upgrade" in told.detail
        await there.say(notices(row("ongoing", now_ms, now_ms + 3 * HOUR_MS, "long")))
        await inbox.until(lambda inbox: len(inbox.of(VenueRestricted)) == 2)
        await there.say(notices(row("completed", now_ms, now_ms + 3 * HOUR_MS, "long"), near))
        await there.until(lambda there: [asked["op"] for asked in there.asked].count("ping") >= 1)
        assert inbox.of(VenueRestricted)[1].until_ns == (now_ms + 3 * HOUR_MS) * NS_PER_MS


async def test_a_venue_without_announcements_is_complained_about_once():
    def answer(asked):
        return polite(asked) | {"success": asked["op"] != "subscribe"}

    async with feeding(answer) as (there, inbox, lines, _feed, _logged):
        await there.until(lambda there: there.connects >= 3)
        assert [message for message, _ in lines] == ["no announcements of the venue"]
        assert inbox.events == []


async def test_a_venue_that_is_not_there_is_complained_about_once():
    async with feeding(url="ws://127.0.0.1:1") as (_, inbox, lines, feed, logged):
        await asyncio.wait_for(logged.wait(), 10)
        assert (inbox.events, feed.stream.connects, len(lines)) == ([], 0, 1)
