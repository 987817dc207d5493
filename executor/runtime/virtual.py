"""The shell in virtual time: one heap of what is due, one engine, and no clock but the next instant on the heap.

It decides as little as the live shell does. What differs is where things come from: a market that is an iterator, a
venue that is a function, and an adviser who answers at once and is heard after the latency that he names. The same
inputs give the same journal, byte for byte.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count
from typing import Final, Protocol

import msgspec

from executor.domain.advice import AdviceRecord
from executor.domain.commands import (
    CancelOrder,
    Command,
    PlaceOrder,
    PublishMove,
    QueryOrder,
    RaiseAlert,
    Reconcile,
    RefuseOrder,
    ReplaceOrder,
    Reply,
    RequestAdvice,
    SetTimer,
    StoreReport,
    Subscribe,
)
from executor.domain.errors import LocalProtocolError
from executor.domain.events import BookUpdated, Event, TimerFired
from executor.domain.market import MarketSnapshot
from executor.domain.ports import VirtualCounsel
from executor.engine.engine import Engine
from executor.engine.report import parent_facts
from executor.engine.state import EngineState
from executor.runtime.journal import Journal, needs_commit
from impact.shortfall import as_json, make_report
from simulation.frictions import Latencies
from simulation.moments import MarketMoment, PublicTrade

Request = PlaceOrder | ReplaceOrder | CancelOrder | QueryOrder | Reconcile | Subscribe

_TIMER_FIRST: Final = 0
_THEN: Final = 1
"""At one instant the engine's own timers come first: an answer at the very deadline is late, as it is live, where it
still has to travel."""


class VirtualVenue(Protocol):
    """A venue that is told of everything in order of time, and answers at once."""

    def follow(self, moment: MarketMoment) -> list[Event]:
        """Something happened in the market: what it does to our orders."""

    def take(self, request: Request, *, asked_ns: int, at_ns: int) -> list[Event]:
        """Take in a request that was sent at one instant and arrives at another."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A timer's turn; only the last setting of a key counts."""

    key: str
    setting: int


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A request reaches the venue."""

    request: Request
    asked_ns: int


_Item = Event | MarketMoment | _Due | _Arrival


class VirtualRuntime:
    """Drives one engine against one market and one venue.

    Parameters
    ----------
    market
        What happens, in order of time and not before the start; it may end.
    counsel
        Answers requests for advice; None where no model is configured: then the engine asks nobody.
    journal
        Written as the live shell writes it; None keeps nothing.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        market: Iterator[MarketMoment],
        venue: VirtualVenue,
        latencies: Latencies,
        start_ns: int,
        counsel: VirtualCounsel | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.engine = engine
        self.now_ns = start_ns
        self.events = 0
        """Events that the engine has worked."""
        self.replies: list[Reply] = []
        self.decisions: dict[str, AdviceRecord] = {}
        """Every question and what became of it, as last recorded."""
        self._market = market
        self._venue = venue
        self._latencies = latencies
        self._counsel = counsel
        self._journal = journal
        self._heap: list[tuple[int, int, int, _Item]] = []
        self._numbers = count()
        self._timers: dict[str, int] = {}
        self._market_begun = False

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
        if not self._market_begun:
            self._market_begun = True
            self._draw()
        worked = self.events
        while self._heap and self._heap[0][0] <= until_ns:
            self.now_ns, _, _, item = heappop(self._heap)
            self._happen(item)
            if done is not None and self.events != worked:
                worked = self.events
                if done(self.engine.state):
                    return
        self.now_ns = max(self.now_ns, until_ns)

    def finish(self) -> None:
        """Write the state down, as at the end of a live run."""
        if self._journal is not None:
            self._journal.checkpoint(self.engine.state)

    def _happen(self, item: _Item) -> None:
        match item:
            case PublicTrade() | MarketSnapshot():
                self._tell(self._venue.follow(item))
                if isinstance(item, MarketSnapshot):
                    at_ns = self.now_ns + self._latencies.feed_ns
                    self._push(at_ns, BookUpdated(at_ns=at_ns, market=item))
                self._draw()
            case _Due():
                if self._timers.get(item.key) == item.setting:
                    del self._timers[item.key]
                    self._work(TimerFired(at_ns=self.now_ns, key=item.key))
            case _Arrival():
                self._tell(self._venue.take(item.request, asked_ns=item.asked_ns, at_ns=self.now_ns))
            case _:
                self._work(item)

    def _draw(self) -> None:
        """Take the next moment of the market: one at a time, so that it is never ahead of the clock."""
        moment = next(self._market, None)
        if moment is not None:
            self._push(moment.ts_exchange_ns, moment)

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            self._push(self.now_ns + self._latencies.answer_ns, event)

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
                self._push(self.now_ns + self._latencies.entry_ns, _Arrival(command, self.now_ns))
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
