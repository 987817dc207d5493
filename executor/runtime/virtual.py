"""The shell in virtual time: what is due here, a world beyond the wire, one engine, and no clock but the next instant.

It decides as little as the live shell does. What differs is where things come from: a world that is let go on until
something of it is heard, and an adviser who answers at once and is heard after the latency that he names. The same
inputs give the same journal, byte for byte.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count
from typing import Final, Protocol

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
from executor.domain.errors import LocalProtocolError
from executor.domain.events import Event, TimerFired
from executor.domain.ports import VirtualCounsel
from executor.engine.engine import Engine
from executor.engine.report import parent_facts
from executor.engine.state import EngineState
from executor.runtime.journal import Journal, needs_commit
from impact.shortfall import as_json, make_report

Request = PlaceOrder | ReplaceOrder | CancelOrder | QueryOrder | Reconcile | Subscribe
SendAlgo = Callable[[PlaceAlgo | StopAlgo | QueryAlgo, int], None]
"""Takes a request about a strategy order that leaves us at an instant."""

_TIMER_FIRST: Final = 0
_THEN: Final = 1
"""At one instant the engine's own timers come first: an answer at the very deadline is late, as it is live, where it
still has to travel."""


class VirtualWorld(Protocol):
    """Everything beyond our end of the wire: a market, a venue, and the time that messages take both ways."""

    @property
    def now_ns(self) -> int:
        """How far it has gone on."""

    def send(self, request: Request, at_ns: int) -> None:
        """Take a request that leaves us at an instant, not before now."""

    def advance(self, until_ns: int) -> Event | None:
        """Go on to an instant, the instant included, but not beyond the first thing that is heard here.

        Called with an instant that has passed, it goes nowhere, and what is heard now is told by a later call.
        """


@dataclass(frozen=True, slots=True)
class _Due:
    """A timer's turn; only the last setting of a key counts."""

    key: str
    setting: int


_Item = Event | _Due


class VirtualRuntime:
    """Drives one engine against one world. At one instant our own things come before what is heard of the world.

    Parameters
    ----------
    counsel
        Answers requests for advice; None where no model is configured: then the engine asks nobody.
    journal
        Written as the live shell writes it; None keeps nothing.
    send_algo
        The venue's own desk, whose answers the world tells; None where it works no strategy orders.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        world: VirtualWorld,
        start_ns: int,
        counsel: VirtualCounsel | None = None,
        journal: Journal | None = None,
        send_algo: SendAlgo | None = None,
    ) -> None:
        self.engine = engine
        self._send_algo = send_algo
        self.now_ns = start_ns
        self.events = 0
        """Events that the engine has worked."""
        self.replies: list[Reply] = []
        self.decisions: dict[str, AdviceRecord] = {}
        """Every question and what became of it, as last recorded."""
        self._world = world
        self._counsel = counsel
        self._journal = journal
        self._heap: list[tuple[int, int, int, _Item]] = []
        self._numbers = count()
        self._timers: dict[str, int] = {}

    def post(self, event: Event, at_ns: int) -> None:
        """Let something happen to the engine at an instant, not before now."""
        self._push(max(at_ns, self.now_ns), event)

    def run(self, until_ns: int, done: Callable[[EngineState], bool] | None = None) -> None:
        """Let time pass, up to and including an instant, or until something holds.

        Parameters
        ----------
        done
            Looked at after every event of the engine; nothing more happens once it holds.

        Raises
        ------
        LocalProtocolError
            If something is due in the past: a market out of order, or an answer before its question.
        """
        worked = self.events
        while self._step(until_ns):
            if done is not None and self.events != worked:
                worked = self.events
                if done(self.engine.state):
                    return
        self.now_ns = max(self.now_ns, until_ns)

    def _step(self, until_ns: int) -> bool:
        """Let one thing happen, if one does until an instant."""
        due_ns = self._heap[0][0] if self._heap else until_ns + 1
        heard = self._world.advance(min(until_ns, due_ns - 1))
        if heard is not None:
            self.now_ns = max(self.now_ns, self._world.now_ns)
            self._work(heard)
        elif due_ns <= until_ns:
            self.now_ns, _, _, item = heappop(self._heap)
            self._happen(item)
        else:
            return False
        return True

    def finish(self) -> None:
        """Write the state down, as at the end of a live run."""
        if self._journal is not None:
            self._journal.checkpoint(self.engine.state)

    def _happen(self, item: _Item) -> None:
        match item:
            case _Due():
                if self._timers.get(item.key) == item.setting:
                    del self._timers[item.key]
                    self._work(TimerFired(at_ns=self.now_ns, key=item.key))
            case _:
                self._work(item)

    def _push(self, at_ns: int, item: _Item, rank: int = _THEN) -> None:
        if at_ns < self.now_ns:
            raise LocalProtocolError(f"{type(item).__name__} is due {self.now_ns - at_ns} ns ago")
        heappush(self._heap, (at_ns, rank, next(self._numbers), item))

    def _work(self, event: Event) -> None:
        """Take one event through engine and journal, then carry its commands out."""
        at_ns = max(self.now_ns, self.engine.state.now_ns)
        stamped = event if event.at_ns == at_ns else replace(event, at_ns=at_ns)
        commands = self.engine.on_event(stamped)
        self.events += 1
        for decision in self.engine.touched.decisions:
            self.decisions[decision.decision_id] = decision
        if self._journal is not None:
            self._journal.append(stamped, commands, self.engine.touched, self.engine.state)
            if needs_commit(stamped, commands):
                self._journal.commit()
        for command in commands:
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        match command:
            case PlaceOrder() | ReplaceOrder() | CancelOrder() | QueryOrder() | Reconcile() | Subscribe():
                self._world.send(command, self.now_ns)
            case PlaceAlgo() | StopAlgo() | QueryAlgo():
                if self._send_algo is None:
                    raise LocalProtocolError("no venue works strategy orders here")
                self._send_algo(command, self.now_ns)
            case RequestAdvice():
                if self._counsel is None:
                    raise LocalProtocolError("the terms name a model and there is nobody to ask")
                event, latency_ns = self._counsel.answer(command, self.now_ns)
                self._push(self.now_ns + latency_ns, event)
            case SetTimer():
                setting = next(self._numbers)
                self._timers[command.key] = setting
                due = _Due(command.key, setting)
                self._push(max(command.at_ns, self.now_ns), due, _TIMER_FIRST)
            case Reply():
                self.replies.append(command)
            case StoreReport():
                self._store_report(command.parent_id)
            case RefuseOrder() | PublishMove() | RaiseAlert():
                pass  # said to people; nobody watches here, and the journal has it

    def _store_report(self, parent_id: str) -> None:
        if self._journal is not None:
            state = self.engine.state
            body = msgspec.json.encode(as_json(make_report(parent_facts(state, state.parents[parent_id]))))
            self._journal.store_report(parent_id, state.now_ns, body)
            self._journal.commit()
