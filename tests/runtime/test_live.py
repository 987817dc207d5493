"""The live shell against a local exchange: real sockets, a real journal, real time, in one process."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest

import executor.runtime.live as live_module
from executor.domain.advice_terms import AdviserTerms, Caps, Prices
from executor.domain.commands import Outcome
from executor.domain.errors import InvariantViolation, JournalError, Overflow
from executor.domain.events import (
    CancelOutcomeUnknown,
    DrainPolicy,
    EngineStarted,
    HaltRequested,
    ShutdownRequested,
    TimerFired,
)
from executor.domain.limits import Limits, Timings
from executor.domain.orders import ResidualRule, StrategyParams
from executor.domain.parent_state import ParentStatus
from executor.domain.units import Money
from executor.engine.engine import Engine
from executor.runtime import record
from executor.runtime.audit import audit
from executor.runtime.clock import Clock
from executor.runtime.journal import Journal
from executor.runtime.live import LiveRuntime
from tests.builders import D, submitted
from tests.venues.venue_bench import bench

pytestmark = pytest.mark.process

LIMITS = Limits(
    order_gap_s_min=D("0.2"),
    orders_per_s_max=50,
    orders_per_min_max=1_000,
    participation_pct_max=D(100),
    volatility_hourly_pct_max=D(1_000),
    cross_spread_bps_max=D(100),
    price_collar_bps_max=D(5_000),
)
TIMINGS = Timings(
    query_gap_s=1, confirm_s=1, recancel_s=1, reconcile_s=2, refusal_wait_s=1, volatility_warmup_s=1
)
DRAIN = ShutdownRequested(at_ns=0, policy=DrainPolicy.CANCEL)


class Rig:
    """A daemon without its interfaces."""

    def __init__(self, desk, runtime, path) -> None:
        self.desk, self.runtime, self.path = desk, runtime, path
        self.stop = asyncio.Event()
        self.task = None

    @property
    def state(self):
        return self.runtime.engine.state

    def start(self, drain=DRAIN, drain_s=8.0, adviser=None):
        self.runtime.post(
            EngineStarted(
                at_ns=0,
                version="t",
                instance="x",
                venue="sandbox",
                limits=LIMITS,
                timings=TIMINGS,
                sentinel_required=False,
                seed=1,
                adviser=adviser,
            )
        )
        self.task = asyncio.create_task(self.runtime.run(self.stop, drain, drain_s))

    async def until(self, condition, deadline_s=30.0):
        """Look after every turn of the loop's short nap until a condition holds."""
        async with asyncio.timeout(deadline_s):
            while not (found := condition()):
                if self.task.done():
                    self.task.result()
                    pytest.fail("the runtime ended")
                await asyncio.sleep(NAP_S)
            return found

    async def submit(self, **over):
        event = submitted(**{"order_qty": D("0.01"), "duration_s": 4, **over})
        return await self.runtime.ask(event, event.request_id)

    async def submit_resting(self, **over):
        """A parent whose child order rests far from the market; returns when the exchange shows it."""
        params = StrategyParams(interval_s=60, passiveness=D(1))
        reply = await self.submit(
            duration_s=120, residual=ResidualRule.LEAVE, params=params, limit_px=D(60000), **over
        )
        assert reply.outcome is Outcome.ACCEPTED, reply
        await self.until(lambda: self.desk.server.exchange.accounts[100_001].open_orders)
        return reply

    @property
    def open_orders(self):
        return self.desk.server.exchange.accounts[100_001].open_orders

    async def end(self):
        self.stop.set()
        async with asyncio.timeout(30):
            return await self.task


NAP_S = 0.01


@asynccontextmanager
async def daemon(tmp_path, counsel=None, **more):
    path = tmp_path / "journal.db"
    async with bench(frozen=False, timeout_s=3.0, **more) as desk:
        with Journal.open(path, create=True, instance="x") as journal:
            runtime = LiveRuntime(
                engine=Engine(journal.recover()),
                journal=journal,
                venue=desk.venue,
                clock=Clock(),
                turnstile=desk.turnstile,
                log=lambda message, **fields: desk.lines.append((message, fields)),
                counsel=counsel,
            )
            rig = Rig(desk, runtime, path)
            yield rig
            if rig.task is not None and not rig.task.done():
                rig.task.cancel()
                await asyncio.gather(rig.task, return_exceptions=True)


async def test_a_small_parent_completes_and_the_books_agree(tmp_path):
    async with daemon(tmp_path) as rig:
        rig.start()
        params = StrategyParams(interval_s=2, passiveness=D(0))
        reply = await rig.submit(params=params, duration_s=4)
        assert reply.outcome is Outcome.ACCEPTED
        parent = rig.state.parents[reply.parent_id]
        await rig.until(lambda: parent.is_final, 20)
        assert parent.status is ParentStatus.COMPLETE
        assert await rig.end()
        truth = await rig.desk.truth("executions")
        booked = {key.rpartition(":")[2]: content for key, content in rig.state.executions.items()}
        assert set(booked) == {row["execId"] for row in truth}
        assert sum(Decimal(row["qty"]) for row in truth) == parent.cum_qty == D("0.01")
        for row in truth:
            _, qty, px = booked[row["execId"]].split(":")
            assert (Decimal(qty), Decimal(px)) == (Decimal(row["qty"]), Decimal(row["price"]))
        names = [json.loads(entry["raw"])["orderLinkId"] for entry in await rig.desk.wire()]
        assert len(names) == len(set(names)) == len(parent.children)
        report = rig.runtime.report(reply.parent_id)
        assert report is not None
    assert audit(rig.path).identical
    with Journal.open(rig.path, create=False) as journal:
        assert record.encode_state(journal.recover()) == record.encode_state(rig.state)


async def test_no_create_leaves_after_the_reply_to_a_halt(tmp_path):
    async with daemon(tmp_path) as rig:
        rig.start()
        params = StrategyParams(interval_s=1, passiveness=D(0))
        for number in range(3):
            await rig.submit(
                request_id=f"r{number}", idempotency_key=f"k{number}", params=params, duration_s=60
            )
        await rig.until(lambda: len(rig.state.children) >= 2, 20)
        halt = HaltRequested(at_ns=0, request_id="h", operator="o", reason="enough")
        reply = await rig.runtime.ask(halt, "h")
        assert reply.outcome is Outcome.ACCEPTED
        sent = len(await rig.desk.wire())
        before = rig.state.now_ns
        await rig.until(lambda: rig.state.now_ns > before + 2_500_000_000)
        assert len(await rig.desk.wire()) == sent
        await rig.until(lambda: not rig.runtime.remaining())
        assert not rig.open_orders
        assert rig.state.latched
        assert await rig.end()


class Refusing:
    """The journal, until it is told to fail as a full disk would."""

    def __init__(self, journal):
        self.journal, self.failing, self.commits = journal, False, 0

    def __getattr__(self, name):
        return getattr(self.journal, name)

    def commit(self):
        if self.failing:
            self.commits += 1
            raise JournalError("the journal cannot be written: disk full")
        self.journal.commit()


async def test_a_journal_that_fails_stops_the_daemon_and_cancels_what_is_open(tmp_path):
    async with daemon(tmp_path) as rig:
        rig.runtime._journal = refusing = Refusing(rig.runtime._journal)
        rig.start()
        await rig.submit_resting()
        refusing.failing = True
        with pytest.raises(BaseExceptionGroup) as caught:
            async with asyncio.timeout(30):
                await rig.task
        assert caught.group_contains(JournalError)
        assert refusing.commits == 1
        assert not rig.open_orders
        assert rig.desk.turnstile.why_closed
        sent = len(await rig.desk.wire())
        event = await rig.desk.place(rig.desk.order(), ticket=10**6)
        assert "closed" in event.detail
        assert len(await rig.desk.wire()) == sent


@pytest.mark.parametrize("where", ["engine", "venue", "task"])
async def test_an_error_in_any_task_fails_closed(tmp_path, where, monkeypatch):
    async with daemon(tmp_path) as rig:
        rig.start()
        await rig.submit_resting()
        boom = InvariantViolation("what must never happen")

        def fail(*_):
            raise boom

        async def fail_later(*_):
            raise boom

        match where:
            case "engine":
                monkeypatch.setattr(rig.runtime.engine, "on_event", fail)
            case "venue":
                monkeypatch.setattr(rig.desk.venue, "reconcile", fail_later)
            case "task":
                rig.runtime._spawn(fail_later())
        with pytest.raises(BaseExceptionGroup) as caught:
            async with asyncio.timeout(30):
                await rig.task
        assert caught.group_contains(InvariantViolation)
        assert not rig.open_orders


async def test_one_cancel_that_raises_does_not_spare_the_others(tmp_path, monkeypatch):
    async with daemon(tmp_path) as rig:
        rig.start()
        await rig.submit_resting()
        ghost = replace(rig.state.children["x-1-1"].order, client_order_id="ghost")
        rig.state.children["ghost"] = replace(rig.state.children["x-1-1"], order=ghost)
        rig.state.parents["P1"].live.insert(0, "ghost")
        true_cancel = rig.desk.venue.cancel

        async def cancel(command):
            if command.client_order_id == "ghost":
                raise RuntimeError("ghost")
            return await true_cancel(command)

        monkeypatch.setattr(rig.desk.venue, "cancel", cancel)
        monkeypatch.setattr(rig.runtime.engine, "on_event", lambda _: 1 / 0)
        with pytest.raises(BaseExceptionGroup) as caught:
            async with asyncio.timeout(30):
                await rig.task
        assert caught.group_contains(ZeroDivisionError)
        assert not rig.open_orders


@pytest.mark.parametrize("policy", list(DrainPolicy))
async def test_a_shutdown_winds_down_by_its_policy(tmp_path, policy):
    async with daemon(tmp_path) as rig:
        rig.start(ShutdownRequested(at_ns=0, policy=policy))
        await rig.submit_resting()
        sent = len(await rig.desk.wire())
        clean = await rig.end()
        assert clean is (policy is DrainPolicy.CANCEL)
        assert bool(rig.open_orders) is (policy is DrainPolicy.LEAVE)
        assert bool(rig.runtime.remaining()) is (policy is DrainPolicy.LEAVE)
        assert len(await rig.desk.wire()) == sent
    with Journal.open(rig.path, create=False) as journal:
        assert journal.recover() == rig.state


class Hanging:
    """Somebody who never answers, and notices when nobody waits any more."""

    def __init__(self):
        self.asked, self.left = asyncio.Event(), asyncio.Event()

    async def ask(self, request):
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()

    def heard(self, record, heard_ns):
        raise AssertionError("nothing was answered")


async def test_a_shutdown_does_not_wait_for_a_model(tmp_path):
    money = Money(D(1))
    terms = AdviserTerms(
        model="m",
        deadline_ms=60_000,
        caps=Caps(
            parent_cost_max=money, hour_cost_max=money, day_cost_max=money,
            parent_calls_max=9, hour_calls_max=9, day_calls_max=9,
        ),
        prices=Prices(prompt=Money(D(0)), cached=Money(D(0)), completion=Money(D(0))),
    )  # fmt: skip
    counsel = Hanging()
    async with daemon(tmp_path, counsel=counsel) as rig:
        rig.start(adviser=terms)
        await rig.submit_resting(advised=True)
        await rig.until(counsel.asked.is_set)
        assert await rig.end()
        assert counsel.left.is_set()


def flood(runtime, count):
    for number in range(count):
        runtime.post(TimerFired(at_ns=0, key=f"k{number}"))


async def test_a_shutdown_does_not_wait_for_a_venue_that_answers_no_question(tmp_path, monkeypatch):
    async with daemon(tmp_path) as rig:
        rig.start(drain_s=1.0)
        await rig.submit_resting()
        asked = []

        async def nobody_answers(command):
            asked.append(command)
            await asyncio.Event().wait()

        async def unknown(command):
            return CancelOutcomeUnknown(at_ns=0, client_order_id=command.client_order_id, detail="silent")

        monkeypatch.setattr(rig.desk.venue, "query", nobody_answers)
        monkeypatch.setattr(rig.desk.venue, "cancel", unknown)
        assert not await rig.end(), "the order may remain open"
        assert asked
    assert audit(rig.path).identical


async def test_a_full_inbox_is_told_to_the_poster_and_timers_survive_it(tmp_path, monkeypatch):
    monkeypatch.setattr(live_module, "INBOX_MAX", 50)
    async with daemon(tmp_path) as rig:
        with pytest.raises(Overflow):
            flood(rig.runtime, 51)
        with pytest.raises(Overflow):
            await rig.runtime.ask(HaltRequested(at_ns=0, request_id="h", operator="o", reason="r"), "h")
        rig.task = asyncio.create_task(rig.runtime.run(rig.stop, DRAIN, 5))
        await rig.until(rig.runtime._inbox.empty)
        assert await rig.end()


async def test_a_flood_of_private_messages_drops_the_connection_and_loses_no_fill(tmp_path, monkeypatch):
    monkeypatch.setattr(live_module, "INBOX_MAX", 40)
    async with daemon(tmp_path) as rig:
        rig.start()
        await rig.submit_resting()
        (order,) = rig.open_orders.values()
        await rig.desk.control(
            "POST", "/_fault", {"on": "private", "match": {"topic": "order"}, "act": "dup", "times": None}
        )
        flood(rig.runtime, 40 - rig.runtime._inbox.qsize())
        await rig.desk.do("fill", orderLinkId=order.link_id)
        await rig.until(lambda: rig.state.parents["P1"].cum_qty == order.qty)
        assert await rig.end()
        assert {key.rpartition(":")[2] for key in rig.state.executions} == {
            row["execId"] for row in await rig.desk.truth("executions")
        }
