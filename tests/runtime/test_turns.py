"""The writer's turns: a flood is worked in pieces, each made durable, and every event and tick shows that we live."""

import asyncio
from dataclasses import dataclass, field

import pytest

import executor.runtime.live as live_module
from executor.domain.events import HaltRequested, InstrumentLoaded, TimerFired
from executor.engine.engine import Engine
from executor.runtime.clock import Clock
from executor.runtime.journal import Journal
from executor.runtime.live import LiveRuntime
from risk.turnstile import Turnstile
from tests.builders import instrument

STEP_S = 0.0025
"""What one event costs by the counter of these tests: four of them fill a turn of 10 ms, the fifth ends it."""


@dataclass
class Watch:
    """Counts the signs of life, and may give what it has found."""

    beats: int = 0
    latched: list[bool] = field(default_factory=list)
    found: list[HaltRequested] = field(default_factory=list)

    def beat(self, *, latched, reason):
        self.beats += 1
        self.latched.append(latched)
        found, self.found = self.found, []
        return found


class Bench:
    """A runtime without a venue; its time is counted by the events it works."""

    def __init__(self, journal, monkeypatch, **over):
        self.watch = Watch()
        self.now_s = 0.0
        self.worked = []
        self.commits = []
        self.turnstile = Turnstile(lambda: "")
        self.runtime = LiveRuntime(
            engine=Engine(),
            journal=journal,
            venue=None,
            clock=Clock(),
            turnstile=self.turnstile,
            log=lambda *_, **__: None,
            vigil=self.watch,
            **over,
        )
        true_act, true_commit = self.runtime._act, journal.commit

        def act(event, **more):
            self.now_s += STEP_S
            self.worked.append(event)
            return true_act(event, **more)

        def commit():
            self.commits.append(len(self.worked))
            true_commit()

        monkeypatch.setattr(live_module, "perf_counter", lambda: self.now_s)
        monkeypatch.setattr(self.runtime, "_act", act)
        monkeypatch.setattr(journal, "commit", commit)

    async def until_empty(self):
        """Work the inbox empty; tells how far it had come each time another task had its turn."""
        writer = asyncio.create_task(self.runtime._write())
        seen = []
        while not self.runtime._inbox.empty():
            await asyncio.sleep(0)
            if not seen or seen[-1] != len(self.worked):
                seen.append(len(self.worked))
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        return [count for count in seen if count]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    with Journal.open(tmp_path / "journal.db", create=True, instance="x") as journal:
        journal.recover()
        yield Bench(journal, monkeypatch, tick_s=0.001)


def idle(number):
    return TimerFired(at_ns=0, key=f"k{number}")


async def test_a_flood_leaves_the_other_tasks_their_turn_every_10_ms(bench):
    for number in range(23):
        bench.runtime.post(idle(number))
    assert await bench.until_empty() == [5, 10, 15, 20, 23]
    assert [event.key for event in bench.worked] == [f"k{number}" for number in range(23)]


async def test_what_must_be_durable_is_so_by_the_end_of_its_turn(bench):
    """Events that command nothing share one commit, which no turn leaves open."""
    for _ in range(12):
        bench.runtime.post(InstrumentLoaded(at_ns=0, instrument=instrument()))
    assert await bench.until_empty() == [5, 10, 12]
    assert bench.commits == [5, 10, 12]


async def test_a_halt_is_durable_at_once_although_more_is_waiting(bench):
    bench.runtime.post(HaltRequested(at_ns=0, request_id="h", operator="ann", reason="stop"))
    bench.runtime.post(idle(1))
    await bench.until_empty()
    assert bench.commits[0] == 1
    assert bench.turnstile.why_closed


async def test_every_event_and_every_tick_gives_a_sign_of_life(bench):
    bench.runtime.post(idle(1))
    bench.runtime._inbox.put_nowait(None)
    bench.runtime.post(idle(2))
    await bench.until_empty()
    assert bench.watch.beats == 3
    assert len(bench.worked) == 2


async def test_a_tick_makes_durable_what_was_owed(bench):
    bench.runtime.post(InstrumentLoaded(at_ns=0, instrument=instrument()))
    bench.runtime._inbox.put_nowait(None)
    await bench.until_empty()
    assert bench.commits == [1]


async def test_what_the_watch_finds_is_worked_before_the_next_event(bench):
    bench.watch.found = [HaltRequested(at_ns=0, request_id="", operator="bob", reason="from outside")]
    bench.runtime._inbox.put_nowait(None)
    bench.runtime.post(idle(1))
    await bench.until_empty()
    assert [type(event).__name__ for event in bench.worked] == ["HaltRequested", "TimerFired"]
    assert bench.watch.latched == [False, True]
    assert bench.runtime.engine.state.latched


class Full(asyncio.Queue):
    """An inbox without room, which says when it was looked at again and again."""

    def __init__(self):
        super().__init__(maxsize=1)
        self.looks, self.looked = 0, asyncio.Event()
        self.put_nowait("an event")

    def full(self):
        self.looks += 1
        if self.looks == 5:
            self.looked.set()
        return super().full()


async def test_ticks_come_by_themselves_and_never_into_a_full_inbox(bench, monkeypatch):
    ticker = asyncio.create_task(bench.runtime._tick())
    assert await bench.runtime._inbox.get() is None
    monkeypatch.setattr(bench.runtime, "_inbox", full := Full())
    async with asyncio.timeout(30):
        await full.looked.wait()
    assert not ticker.done()
    assert full.qsize() == 1
    ticker.cancel()
    await asyncio.gather(ticker, return_exceptions=True)
