"""The live shell: one inbox, one writer, and tasks that carry commands out. It stamps time and moves bytes.

Order of things for every event: stamp, engine, journal, commit, and only then the commands. If the engine
raises, the journal cannot be written, or any task dies, everything stops: nothing more is opened, what is
open is cancelled without the journal's help, and the process ends with an error.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Protocol

import msgspec

from executor.domain.advice import AdviceRecord
from executor.domain.commands import (
    CancelOrder,
    Command,
    PlaceAlgo,
    PlaceOrder,
    PublishMove,
    QueryAlgo,
    QueryOrder,
    RaiseAlert,
    Reconcile,
    RefuseOrder,
    ReplaceOrder,
    Reply,
    RequestAdvice,
    SetTimer,
    StopAlgo,
    StoreReport,
    Subscribe,
)
from executor.domain.errors import Overflow
from executor.domain.events import (
    AdviceFailed,
    AdviceReceived,
    Event,
    ShutdownRequested,
    StreamChanged,
)
from executor.domain.ports import AlgoVenue, Counsel, Log, Venue
from executor.engine.engine import Engine
from executor.engine.report import parent_facts
from executor.engine.state import live_children
from executor.runtime.alarms import Alarms
from executor.runtime.clock import Clock
from executor.runtime.journal import Journal, have_effect, needs_commit
from executor.runtime.saying import Teller
from executor.runtime.telemetry import Telemetry
from executor.runtime.timers import Timers
from impact.shortfall import as_json, make_report
from risk.turnstile import Turnstile

INBOX_MAX = 20_000
_FLUSH_S = 1.0
_LAG_EVERY_S = 0.097
_COSTS_EVERY_S = 0.25
_DRAIN_STEP_S = 0.05
_TURN_S = 0.01
_LEAVING = (PlaceOrder, ReplaceOrder, CancelOrder, PlaceAlgo, StopAlgo)
TICK_S = 0.5


class Vigil(Protocol):
    """What the order loop does besides working events, so that others see that it lives."""

    def beat(self, *, latched: bool, reason: str) -> list[Event]:
        """Take a look and give a sign of life; gives what the engine must know before anything else."""


class LiveRuntime:
    """Drives one engine against one venue.

    Parameters
    ----------
    counsel
        Asked for advice; None where no model is configured: then the engine asks nobody.
    vigil
        Asked to beat after every event and every tick that came through the inbox; None where nobody watches.
    tick_s
        Time between two ticks, seconds.
    algos
        Who takes strategy orders; None where the venue has none: then the engine was told so and sends none.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        journal: Journal,
        venue: Venue,
        clock: Clock,
        turnstile: Turnstile,
        log: Log,
        counsel: Counsel | None = None,
        vigil: Vigil | None = None,
        tick_s: float = TICK_S,
        algos: AlgoVenue | None = None,
    ) -> None:
        self.engine = engine
        self._journal = journal
        self._venue = venue
        self._algos = algos
        self._clock = clock
        self._turnstile = turnstile
        self._log = log
        self._teller = Teller(log)
        self._counsel = counsel
        self._vigil = vigil
        self._tick_s = tick_s
        self._inbox: asyncio.Queue[Event | None] = asyncio.Queue(maxsize=INBOX_MAX)
        self._timers = Timers(clock, self.post)
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self.telemetry = Telemetry(lambda: self.engine.state, clock.now_ns)
        self.alarms = Alarms()
        self._group: asyncio.TaskGroup | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._owed = False

    def post(self, event: Event) -> None:
        """Put an event into the inbox.

        Raises
        ------
        Overflow
            If the inbox is full.
        """
        try:
            self._inbox.put_nowait(event)
        except asyncio.QueueFull:
            raise Overflow(f"{INBOX_MAX} events are waiting for the engine") from None

    async def ask(self, event: Event, request_id: str) -> Reply:
        """Hand over an operator's request and wait for its reply."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        try:
            self.post(event)
            return await future
        finally:
            self._waiting.pop(request_id, None)

    def report(self, parent_id: str) -> Mapping[str, object] | None:
        """The stored cost report of a parent, or one as of now; of an advised one with all its `decisions`."""
        parent = self.engine.state.parents.get(parent_id)
        if parent is None:
            return None
        stored = self._journal.report(parent_id) if parent.is_final else None
        report: dict[str, object] = (
            as_json(make_report(parent_facts(self.engine.state, parent)))
            if stored is None
            else msgspec.json.decode(stored)
        )
        return report if parent.advice is None else report | {"decisions": self._journal.decisions(parent_id)}

    async def run(self, stop: asyncio.Event, drain: ShutdownRequested, drain_s: float) -> bool:
        """Work until `stop` is set, then wind down by the policy; True if no child order may remain open.

        Raises
        ------
        BaseExceptionGroup
            If a task died; what was open has then been cancelled as far as the venue answered.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                writer = group.create_task(self._write())
                background = [
                    group.create_task(self._venue.run(self.post)),
                    group.create_task(self._flush()),
                    group.create_task(self._measure_lag()),
                    group.create_task(self._reckon_costs()),
                    group.create_task(self._tick()),
                ]
                await stop.wait()
                self.post(drain)
                clean = await self._wind_down(drain_s)
                writer.cancel()
                for task in (*background, *self._asking):  # nobody takes in an answer any more
                    task.cancel()
        except BaseException:
            await self._cancel_all_directly()
            raise
        finally:
            self._timers.clear()
        self._journal.checkpoint(self.engine.state)
        return clean

    def work(self, event: Event) -> None:
        """Take one event through engine and journal, carry its commands out, and tell of them."""
        self._note(*self._act(event, more=False))

    def _act(
        self, event: Event, *, more: bool
    ) -> tuple[Event, tuple[Command, ...], tuple[AdviceRecord, ...]]:
        """Take one event through engine and journal, then carry its commands out.

        Returns it stamped, its commands, and the records of the questions that have ended.

        Parameters
        ----------
        more
            Whether another event follows at once: one without consequences is then made durable together with it.
        """
        now_ns = max(self._clock.now_ns(), self.engine.state.now_ns)
        stamped = replace(event, at_ns=now_ns)
        began = perf_counter()
        commands = self.engine.on_event(stamped)
        self.telemetry.on_engine_call(perf_counter() - began)
        state, decisions = self.engine.state, tuple(self.engine.touched.decisions)
        self._journal.append(stamped, commands, self.engine.touched, state)
        self._turnstile.follow(state.halt_epoch, closed=state.latched or state.draining)
        self._owed = self._owed or needs_commit(stamped, commands)
        if self._owed and (not more or have_effect(commands)):
            self._commit_owed()
        for command in commands:
            self._carry_out(command)
        return stamped, commands, decisions

    def _note(self, event: Event, commands: tuple[Command, ...], decisions: tuple[AdviceRecord, ...]) -> None:
        """Count and log what happened and what was done about it, before the next event is worked."""
        self.telemetry.observe(event, commands, decisions)
        if isinstance(event, StreamChanged) and event.live:
            self.telemetry.on_reconnect(event.stream)
        if self._counsel is not None and isinstance(event, AdviceReceived | AdviceFailed):
            for record in decisions:
                if record.decision_id == event.decision_id:
                    self._counsel.heard(record, event.at_ns)
        for command in commands:
            self._teller.say(command)
            if isinstance(command, RaiseAlert):
                self.alarms.take(command, event.at_ns)

    def _commit_owed(self) -> None:
        self._owed = False
        began = perf_counter()
        self._journal.commit()
        self.telemetry.on_journal_commit(perf_counter() - began)

    def _carry_out(self, command: Command) -> None:
        match command:
            case PlaceOrder():
                self._spawn(self._one(self._venue.place(command.approved)))
            case ReplaceOrder():
                self._spawn(self._one(self._venue.replace(command.approved)))
            case CancelOrder():
                self._spawn(self._one(self._venue.cancel(command)))
            case QueryOrder():
                self._ask(self._many(self._venue.query(command)))
            case PlaceAlgo() | StopAlgo() | QueryAlgo():
                self._carry_out_algo(command)
            case Reconcile():
                self._ask(self._many(self._venue.reconcile(command)))
            case RequestAdvice():
                assert self._counsel is not None, "the terms name a model and there is nobody to ask"
                self._ask(self._one(self._counsel.ask(command)))
            case Subscribe():
                self._venue.subscribe(command)
            case SetTimer():
                self._timers.set(command.key, command.at_ns)
            case Reply():
                future = self._waiting.get(command.request_id)
                if future is not None and not future.done():
                    future.set_result(command)
            case StoreReport():
                self._store_report(command.parent_id)
            case RefuseOrder() | PublishMove() | RaiseAlert():
                pass  # for people only: said by `say`

    def _carry_out_algo(self, command: PlaceAlgo | StopAlgo | QueryAlgo) -> None:
        assert self._algos is not None, "strategy orders are said to be available and nobody takes them"
        match command:
            case PlaceAlgo():
                self._spawn(self._one(self._algos.place_algo(command.approved)))
            case StopAlgo():
                self._spawn(self._one(self._algos.stop_algo(command)))
            case QueryAlgo():
                self._ask(self._many(self._algos.query_algo(command)))

    def _store_report(self, parent_id: str) -> None:
        state = self.engine.state
        body = msgspec.json.encode(as_json(make_report(parent_facts(state, state.parents[parent_id]))))
        self._journal.store_report(parent_id, state.now_ns, body)
        self._journal.commit()

    def _ask(self, question: Awaitable[None]) -> None:
        """Ask something that changes nothing; given up at the end, where a silent venue would hold up the process."""
        asking = self._spawn(question)
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        assert self._group is not None

        async def run() -> None:
            await work

        return self._group.create_task(run())

    async def _one(self, answer: Awaitable[Event]) -> None:
        await self._inbox.put(await answer)  # an answer is never dropped: its task waits for room

    async def _many(self, answers: Awaitable[list[Event]]) -> None:
        for event in await answers:
            await self._inbox.put(event)

    async def _write(self) -> None:
        """Work what comes in; under a flood in turns, so that everything else in the process still has its own."""
        while True:
            event = await self._inbox.get()
            end = perf_counter() + _TURN_S
            while True:
                more = not self._inbox.empty() and perf_counter() < end
                if event is not None:
                    await self._work_and_let_leave(event, more=more)
                elif self._owed and not more:
                    self._commit_owed()
                self._beat()
                self.telemetry.on_inbox_depth(self._inbox.qsize())
                if not more:
                    break
                event = self._inbox.get_nowait()
            await asyncio.sleep(0)

    async def _work_and_let_leave(self, event: Event, *, more: bool) -> None:
        """Work one event; what it sends leaves before it is counted and logged, because that takes its time too."""
        stamped, commands, decisions = self._act(event, more=more)
        try:
            if any(isinstance(command, _LEAVING) for command in commands):
                await asyncio.sleep(0)
        finally:
            self._note(stamped, commands, decisions)

    def _beat(self) -> None:
        """Give the sign of life from where events are worked: a loop that hangs gives none."""
        if self._vigil is not None:
            state = self.engine.state
            for event in self._vigil.beat(latched=state.latched, reason=state.latch_reason):
                self.work(event)

    async def _tick(self) -> None:
        """Send an empty event through the inbox, so that the loop is seen to live when nothing happens."""
        while True:
            await asyncio.sleep(self._tick_s)
            if not self._inbox.full():
                self._inbox.put_nowait(None)

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            self._journal.commit()

    async def _measure_lag(self) -> None:
        """Note how late the loop is at instants of an even grid, by a clock finer than the loop's own.

        An instant that passes while the loop is held counts with the wait from there on: whatever would have come then
        had to wait as long. The grid is of no whole part of a second, so that it falls into step with nothing else.
        """
        due = perf_counter()
        while True:
            due += _LAG_EVERY_S
            if (left_s := due - perf_counter()) > 0:
                await asyncio.sleep(left_s)
            self.telemetry.on_loop_lag(max(perf_counter() - due, 0.0))  # the loop's timers count milliseconds

    async def _reckon_costs(self) -> None:
        """Keep the cost figures of the metrics fresh, a few milliseconds at a time."""
        while True:
            await asyncio.sleep(_COSTS_EVERY_S)
            self.telemetry.refresh_costs()

    async def _wind_down(self, drain_s: float) -> bool:
        """Wait until nothing of ours can be open, or the time is up."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + drain_s
        while loop.time() < end_s:
            await asyncio.sleep(_DRAIN_STEP_S)
            state = self.engine.state
            if not state.draining or not self._inbox.empty():
                continue
            if state.leave_orders or not self.remaining():
                return not self.remaining()
        return False

    def remaining(self) -> list[str]:
        """Child orders that are not proved finished."""
        return live_children(self.engine.state)

    async def _cancel_all_directly(self) -> None:
        """Last act of a daemon that failed: cancel what may be open, without engine and journal."""
        self._turnstile.follow(-1, closed=True)
        state = self.engine.state

        async def cancel(name: str) -> None:
            child = state.children[name]
            if child.algo is not None:
                if self._algos is not None and child.venue_order_id:
                    stop = StopAlgo(client_order_id=name, strategy_id=child.venue_order_id)
                    answer = await self._algos.stop_algo(stop)
                    self._log("stop on failure", level="error", id=name, answer=type(answer).__name__)
                return
            order = child.order
            command = CancelOrder(category=order.category, symbol=order.symbol, client_order_id=name)
            answer = await self._venue.cancel(command)
            self._log("cancel on failure", level="error", id=name, answer=type(answer).__name__)

        await asyncio.gather(*(cancel(name) for name in self.remaining()), return_exceptions=True)
