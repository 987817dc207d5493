"""Timers on a loop: at their instant, once, and never lost."""

import asyncio
import time

from executor.domain.errors import Overflow
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.runtime.clock import Clock
from executor.runtime.timers import Timers


class Inbox:
    def __init__(self, room=10**6):
        self.fired, self.room, self.changed = [], room, asyncio.Event()

    def __call__(self, event):
        if not self.room:
            self.changed.set()
            raise Overflow("full")
        self.room -= 1
        self.fired.append((event.key, time.monotonic_ns()))
        self.changed.set()

    async def until(self, count):
        async with asyncio.timeout(30):
            while len(self.fired) < count:
                self.changed.clear()
                await self.changed.wait()
        return [key for key, _ in self.fired]


async def test_timers_fire_in_the_order_of_their_instants_and_not_before():
    clock, inbox = Clock(), Inbox()
    timers = Timers(clock, inbox)
    now = clock.now_ns()
    began = time.monotonic_ns()
    timers.set("late", now + 60 * NS_PER_MS)
    timers.set("soon", now + 20 * NS_PER_MS)
    timers.set("past", now - NS_PER_S)
    assert await inbox.until(3) == ["past", "soon", "late"]
    waits = {key: (at - began) / NS_PER_MS for key, at in inbox.fired}
    assert waits["soon"] >= 19
    assert waits["late"] >= 59


async def test_setting_again_replaces():
    clock, inbox = Clock(), Inbox()
    timers = Timers(clock, inbox)
    timers.set("k", clock.now_ns())
    timers.set("k", clock.now_ns() + 30 * NS_PER_MS)
    timers.set("end", clock.now_ns() + 60 * NS_PER_MS)
    assert await inbox.until(2) == ["k", "end"]


async def test_a_key_may_be_set_again_after_it_fired():
    clock, inbox = Clock(), Inbox()
    timers = Timers(clock, inbox)
    for count in (1, 2):
        timers.set("k", clock.now_ns())
        assert await inbox.until(count) == ["k"] * count


async def test_cleared_timers_are_silent():
    clock, inbox = Clock(), Inbox()
    timers = Timers(clock, inbox)
    timers.set("k", clock.now_ns() + 5 * NS_PER_MS)
    timers.clear()
    timers.set("end", clock.now_ns() + 20 * NS_PER_MS)
    assert await inbox.until(1) == ["end"]


async def test_a_timer_that_finds_no_room_comes_again():
    clock, inbox = Clock(), Inbox(room=0)
    timers = Timers(clock, inbox)
    timers.set("k", clock.now_ns())
    async with asyncio.timeout(30):
        await inbox.changed.wait()
    assert inbox.fired == []
    inbox.room = 10
    assert await inbox.until(1) == ["k"]


async def test_a_step_of_the_wall_clock_moves_no_timer(monkeypatch):
    clock, inbox = Clock(), Inbox()
    timers = Timers(clock, inbox)
    timers.set("k", clock.now_ns() + 20 * NS_PER_MS)
    true_ns = time.time_ns()  # noqa: TID251 - to be put out of step
    monkeypatch.setattr(time, "time_ns", lambda: true_ns - 3_600 * NS_PER_S)
    assert await inbox.until(1) == ["k"]
