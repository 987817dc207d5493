"""A venue with companions: they see what it posts first, run beside it, and change nothing of what it answers."""

import asyncio

import pytest

from executor.domain.commands import Subscribe
from executor.domain.events import BookLost
from executor.domain.orders import Category
from executor.venues.accompanied import AccompaniedVenue

LOST = BookLost(at_ns=0, category=Category.LINEAR, symbol="BTCUSDT", detail="")
BTC = Subscribe(category=Category.LINEAR, symbol="BTCUSDT")


class Recorded:
    """A venue that writes down what it is asked."""

    def __init__(self):
        self.asked, self.fails = [], False

    async def place(self, approved):
        return ("place", approved)

    async def replace(self, approved):
        return ("replace", approved)

    async def cancel(self, command):
        return ("cancel", command)

    async def query(self, command):
        return ["query", command]

    async def reconcile(self, command):
        return ["reconcile", command]

    def subscribe(self, command):
        self.asked.append(command)

    async def run(self, post):
        post(LOST)
        if self.fails:
            raise RuntimeError("the venue died")
        await asyncio.Event().wait()


class Companion:
    """Writes down what it sees, and posts one event of its own."""

    def __init__(self, order):
        self.order, self.ended = order, False

    def notice(self, event):
        self.order.append(("seen", event))

    async def run(self, post):
        try:
            post("own")
            await asyncio.Event().wait()
        finally:
            self.ended = True


async def test_every_question_reaches_the_venue_and_its_answer_comes_back():
    inner = Recorded()
    venue = AccompaniedVenue(inner, [])
    assert await venue.place(1) == ("place", 1)
    assert await venue.replace(2) == ("replace", 2)
    assert await venue.cancel(3) == ("cancel", 3)
    assert await venue.query(4) == ["query", 4]
    assert await venue.reconcile(5) == ["reconcile", 5]
    venue.subscribe(BTC)
    assert inner.asked == [BTC]


async def test_companions_see_first_post_too_and_end_with_the_venue():
    order, inner = [], Recorded()
    companion = Companion(order)
    venue = AccompaniedVenue(inner, [companion])
    task = asyncio.create_task(venue.run(lambda event: order.append(("posted", event))))
    while len(order) < 3:  # noqa: ASYNC110 - nothing else runs
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert order == [("seen", LOST), ("posted", LOST), ("posted", "own")]
    assert companion.ended


async def test_a_venue_that_dies_takes_the_daemon_with_it():
    inner = Recorded()
    inner.fails = True
    companion = Companion([])
    with pytest.raises(ExceptionGroup, match="unhandled"):
        await AccompaniedVenue(inner, [companion]).run(lambda _event: None)
