"""The order inside one turn of the shell: engine, journal, turnstile, commit, and only then the outside world."""

import asyncio

import pytest

from executor.domain.approval import Approved
from executor.domain.commands import PlaceOrder, ReplaceOrder
from executor.domain.events import (
    CancelRequested,
    DrainPolicy,
    HaltRequested,
    RearmRequested,
    ShutdownRequested,
    Stream,
    StreamChanged,
)
from executor.domain.orders import Category, Replacement, Side
from executor.runtime.journal import Journal
from executor.runtime.live import LiveRuntime
from executor.runtime.saying import Teller
from risk.turnstile import Turnstile
from tests.builders import D, submitted
from tests.engine.rig import Rig

HALT = HaltRequested(at_ns=0, request_id="h", operator="ann", reason="r")
REARM = RearmRequested(at_ns=0, request_id="r", operator="ann", reason="seen")
CANCEL = CancelRequested(at_ns=0, request_id="c", parent_id="P1")
SHUTDOWN = ShutdownRequested(at_ns=0, policy=DrainPolicy.CANCEL)


class CountingJournal(Journal):
    """Knows how many of its rows could still be lost."""

    unwritten = 0

    def append(self, *args, **named):
        super().append(*args, **named)
        self.unwritten += 1

    def commit(self):
        super().commit()
        self.unwritten = 0


class StoppedClock:
    def __init__(self, now_ns):
        self.at_ns = now_ns

    def now_ns(self):
        return self.at_ns


class NotingVenue:
    """Notes what was true at the instant it was called, before anything is awaited."""

    def __init__(self, journal, turnstile):
        self.journal, self.turnstile = journal, turnstile
        self.calls, self.approved = [], None

    def _note(self, what):
        void = self.turnstile.why_void(self.approved) if self.approved else ""
        self.calls.append((what, self.journal.unwritten, void))
        return asyncio.Event().wait()  # an answer that never comes

    def place(self, approved):
        self.approved = approved
        return self._note("place")

    def replace(self, _):
        return self._note("replace")

    def cancel(self, _):
        return self._note("cancel")

    def query(self, _):
        return self._note("query")

    def reconcile(self, _):
        return self._note("reconcile")

    def subscribe(self, _):
        self.calls.append(("subscribe", self.journal.unwritten, ""))


@pytest.fixture
async def desk(tmp_path):
    """A runtime over an engine that stands in an open market, and the venue that notes."""
    rig = Rig()
    rig.open_market()
    with CountingJournal.open(tmp_path / "journal.db", create=True, instance="x") as journal:
        journal.recover()
        turnstile = Turnstile()
        venue = NotingVenue(journal, turnstile)
        runtime = LiveRuntime(
            engine=rig.engine,
            journal=journal,
            venue=venue,
            clock=StoppedClock(rig.now_ns),
            turnstile=turnstile,
            log=lambda *_, **__: None,
        )
        async with asyncio.TaskGroup() as group:
            runtime._group = group
            yield runtime, venue
            runtime._timers.clear()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                if task in group._tasks:
                    task.cancel()


def called(venue, what):
    return [(unwritten, void) for name, unwritten, void in venue.calls if name == what]


async def test_an_order_leaves_only_after_its_row_is_durable(desk):
    runtime, venue = desk
    runtime.work(submitted())
    assert called(venue, "place") == [(0, "")]


async def test_an_amend_leaves_only_after_its_row_is_durable_and_is_told(desk, monkeypatch):
    runtime, venue = desk
    lines = []
    runtime._teller = Teller(lambda message, **fields: lines.append((message, fields)))
    terms = Replacement(
        client_order_id="x-1-1",
        parent_id="P1",
        category=Category.LINEAR,
        symbol="BTCUSDT",
        side=Side.BUY,
        qty=D("0.2"),
        px=D("50000.1"),
    )
    amend = ReplaceOrder(approved=Approved(order=terms, ticket=1, halt_epoch=0))
    monkeypatch.setattr(runtime.engine, "on_event", lambda _: (amend,))
    runtime.work(CANCEL)
    assert called(venue, "replace") == [(0, "")]
    told = {"parent": "P1", "id": "x-1-1", "qty": D("0.2"), "px": D("50000.1")}
    assert lines == [("order amended", told)]


async def test_what_leaves_has_left_when_it_is_told_and_is_told_before_the_next_event(desk, monkeypatch):
    runtime, venue = desk
    story, came_to_the_second = [], asyncio.Event()

    async def place(_):
        story.append("left")
        await asyncio.Event().wait()

    true_act = runtime._act

    def act(event, *, more):
        story.append(type(event).__name__)
        if event is CANCEL:
            came_to_the_second.set()
        return true_act(event, more=more)

    monkeypatch.setattr(venue, "place", place)
    monkeypatch.setattr(runtime, "_act", act)
    runtime._teller = Teller(lambda message, **_: story.append(message))
    runtime.post(submitted())
    runtime.post(CANCEL)
    writer = asyncio.create_task(runtime._write())
    await came_to_the_second.wait()
    writer.cancel()
    first = story.index("CancelRequested")
    assert [each for each in story[:first] if each in {"ParentSubmitted", "left", "order sent"}] == [
        "ParentSubmitted",
        "left",
        "order sent",
    ]


async def test_cancels_and_questions_leave_after_their_row_too(desk):
    runtime, venue = desk
    runtime.work(submitted())
    runtime.work(CANCEL)
    runtime.work(StreamChanged(at_ns=0, stream=Stream.PRIVATE, category=None, live=True, detail=""))
    assert called(venue, "cancel") == [(0, "")]
    assert len(called(venue, "reconcile")) == 1
    assert not any(unwritten for what, unwritten, _ in venue.calls if what != "subscribe")


async def test_a_commit_that_fails_lets_nothing_out(desk, monkeypatch):
    runtime, venue = desk

    def fail():
        raise OSError("no space left")

    monkeypatch.setattr(venue.journal, "commit", fail)
    with pytest.raises(OSError, match="no space"):
        runtime.work(submitted())
    assert venue.calls == []


async def test_an_engine_that_raises_lets_nothing_out(desk, monkeypatch):
    runtime, venue = desk
    monkeypatch.setattr(runtime.engine, "on_event", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        runtime.work(submitted())
    assert venue.calls == []
    assert venue.journal.unwritten == 0


@pytest.mark.parametrize("stop", [HALT, SHUTDOWN], ids=["halt", "shutdown"])
async def test_the_turnstile_is_closed_before_anything_else_is_done_about_a_stop(desk, stop):
    runtime, venue = desk
    runtime.work(submitted())
    assert venue.turnstile.why_void(venue.approved) == ""
    runtime.work(stop)
    assert called(venue, "cancel") == [(0, "opening is closed")]


async def test_rearming_opens_the_turnstile_for_new_approvals_only(desk):
    runtime, venue = desk
    runtime.work(submitted())
    runtime.work(HALT)
    runtime.work(REARM)
    assert venue.turnstile.why_void(venue.approved) == "a halt came after the approval"
    runtime.work(submitted(idempotency_key="k2", request_id="r2"))
    fresh = venue.approved
    assert fresh.halt_epoch == 1
    assert venue.turnstile.why_void(fresh) == ""
    assert len(called(venue, "place")) == 2


async def test_a_halt_in_the_same_turn_as_an_order_cannot_be_overtaken(desk):
    """What the engine approved and what the turnstile lets through never come from different halts."""
    runtime, venue = desk
    placed = []
    carry_out = runtime._carry_out

    def note(command):
        if isinstance(command, PlaceOrder):
            placed.append((command.approved.halt_epoch, venue.turnstile._halt_epoch))
        carry_out(command)

    runtime._carry_out = note
    runtime.work(HALT)
    runtime.work(REARM)
    runtime.work(submitted())
    assert placed == [(1, 1)]
