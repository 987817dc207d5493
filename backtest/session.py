"""A live session played again: its journal's world, but the advice from its tape, after the time it took then.

Market data, the venue's answers and the operators' requests come from the journal at their recorded instants. The
recorded advice does not: each question the engine asks is looked up on the tape by its content, and its answer is heard
after the taped latency. What comes out is every child order, held byte for byte against the journal's.

A timer fires when the recording says as long as the engine has set the same timer then: how late a machine wakes is
part of the recorded world. One that the recording does not have fires at its own instant. The first order that differs
ends the play: the recorded venue knows no answer to it.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from typing import Final

import apsw

from backtest.order_lines import OrderLine, orders_in, questions_in, timers_in
from backtest.pace import Pace
from executor.advice.calls import Failed
from executor.advice.context import MarketContext
from executor.advice.prompt import Template, prompt_sha256, render
from executor.adviser.counsel import event_of
from executor.adviser.session_tape import SessionTape, question_key
from executor.adviser.tape import Heard, Line
from executor.domain.advice import Failure
from executor.domain.commands import Command, RequestAdvice
from executor.domain.errors import InvariantViolation, JournalError
from executor.domain.events import AdviceFailed, AdviceReceived, EngineStarted, Event, TimerFired
from executor.domain.timeline import NS_PER_MS, iso_utc
from executor.engine.engine import Engine
from executor.runtime import record
from executor.runtime.integrity import DAMAGE, GENESIS, Link, chain_hash, check_head, check_link, rows
from executor.runtime.reading import open_to_read

TOLERANCE_NS: Final = 100 * NS_PER_MS
"""By how much an order's instant may differ where a tape does not say when the engine heard an answer."""
_ADVICE: Final = frozenset({AdviceReceived.__name__, AdviceFailed.__name__})
_FIRED: Final = TimerFired.__name__
_STARTED: Final = EngineStarted.__name__
_WORDING: Final = Template(name="session", text="")
_PROGRESS_ROWS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first request about an order that is not the recorded one.

    Parameters
    ----------
    number
        Which request of the session, from 1.
    recorded, replayed
        None where there is none.
    why
        What is known of the cause, in words.
    """

    number: int
    recorded: OrderLine | None
    replayed: OrderLine | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResult:
    """What a play came to.

    Parameters
    ----------
    events
        Rows of the journal that were worked.
    requests
        Requests about child orders that were the same, by kind: create, amend, cancel.
    questions
        What the engine asked.
    misses
        Questions that are not on the tape, although their answer could have come.
    missed_then
        Questions that the session itself had no answer to, since it played a recording that did not hold them; they
        fail as they did then.
    cut_off
        Questions that the end of a life left without an answer.
    estimated
        Answers whose instant the tape does not hold.
    tolerance_ns
        By how much the instants of orders might differ; 0 unless an answer was estimated.
    rebuilt
        Whether every row of the journal came out again to the last byte, the advice included.
    other_row
        Where not: the first row that came out otherwise, and what came instead, in words.
    """

    events: int
    requests: Mapping[str, int]
    questions: int
    misses: tuple[str, ...]
    missed_then: tuple[str, ...]
    cut_off: tuple[str, ...]
    estimated: int
    tolerance_ns: int
    unasked: int
    rebuilt: bool
    other_row: str
    difference: Difference | None

    @property
    def orders(self) -> int:
        """Child orders that were sent as recorded, which is what a cost report counts."""
        return self.requests.get("create", 0)

    @property
    def identical(self) -> bool:
        """Whether every order is the recorded one and every question was on the tape."""
        return self.difference is None and not self.misses


def replay_session(
    journal: Path,
    tape: Iterable[Line | Heard],
    pace: Pace,
    progress: Callable[[int, int], None] | None = None,
) -> SessionResult:
    """Play a session again.

    Parameters
    ----------
    progress
        Called now and then with rows done and rows in all.

    Raises
    ------
    JournalError
        If the journal cannot be read, or its chain is broken.
    executor.adviser.tape.TapeError
        If the tape cannot be read.
    """
    if not journal.is_file():
        raise JournalError(f"{journal}: no such file", "DB_MISSING")
    calls = SessionTape(tape)
    try:
        db = open_to_read(journal)
        try:
            db.execute("BEGIN")  # one view of a journal that may be growing
            play = _Play(calls, pace, _unheard(db))
            total = int(str(db.execute("SELECT count(*) FROM journal").fetchall()[0][0]))
            for link in rows(db, 0):
                if not play.follow(link):
                    return play.result()
                if progress is not None and link.seq % _PROGRESS_ROWS == 0:
                    progress(link.seq, total)
            check_head(db, play.rows, play.recorded_hash)
        finally:
            db.close()
    except JournalError:
        raise
    except (apsw.Error, *DAMAGE) as error:
        raise JournalError(f"{journal}: {type(error).__name__}: {error}") from error
    play.close()
    return play.result()


def has_questions(journal: Path) -> bool:
    """Whether a session asked for advice at all: one that did not has no tape.

    Raises
    ------
    JournalError
        If the journal cannot be read.
    """
    if not journal.is_file():
        raise JournalError(f"{journal}: no such file", "DB_MISSING")
    try:
        db = open_to_read(journal)
        try:
            like = "SELECT commands FROM journal WHERE instr(CAST(commands AS TEXT), ?)"
            return any(questions_in(bytes(row[0])) for row in db.execute(like, (RequestAdvice.__name__,)))
        finally:
            db.close()
    except (apsw.Error, *DAMAGE) as error:
        raise JournalError(f"{journal}: {type(error).__name__}: {error}") from error


def _unheard(db: apsw.Connection) -> frozenset[str]:
    """Decisions whose question failed in the session because a recording that was played did not hold it."""
    found = db.execute("SELECT event FROM journal WHERE kind = ?", (AdviceFailed.__name__,))
    events = [record.decode_event(AdviceFailed.__name__, bytes(row[0])) for row in found]
    return frozenset(
        event.decision_id
        for event in events
        if isinstance(event, AdviceFailed) and event.failure is Failure.NOT_ON_TAPE
    )


@dataclass(frozen=True, slots=True)
class _Hearing:
    """An answer at the engine: when, and its bytes."""

    at_ns: int
    body: bytes


@dataclass(slots=True)
class _Orders:
    """Two lists of requests that should be one: what is in both is counted, the first that is not is kept."""

    same: Counter[str] = field(default_factory=Counter)
    recorded: deque[OrderLine] = field(default_factory=deque)
    replayed: deque[OrderLine] = field(default_factory=deque)

    def differ(self, before_ns: int | None, tolerance_ns: int) -> bool:
        """Strike out what is the same; whether the next is another, or is missing on one side by that instant."""
        while self.recorded and self.replayed:
            was, comes = self.recorded[0], self.replayed[0]
            near = abs(was.at_ns - comes.at_ns) <= tolerance_ns
            if not near or (was.kind, was.body) != (comes.kind, comes.body):
                return True
            self.recorded.popleft()
            self.replayed.popleft()
            self.same[was.kind] += 1
        waiting = self.recorded or self.replayed
        return bool(waiting) and (before_ns is None or waiting[0].at_ns + tolerance_ns < before_ns)


class _Play:
    """One engine between a recorded world and a tape."""

    def __init__(self, tape: SessionTape, pace: Pace, unheard: frozenset[str]) -> None:
        self._tape = tape
        self._pace = pace
        self._unheard = unheard
        self._engine = Engine()
        self._orders = _Orders()
        self._numbers = count()
        self._answers: list[tuple[int, int, Event]] = []
        self._recorded_timers: dict[str, int] = {}
        self._recorded: dict[str, _Hearing] = {}
        self._heard: dict[str, _Hearing] = {}
        self._moved: dict[str, int] = {}
        """By how much an answer comes later than it took then; negative is sooner."""
        self._inexact: set[str] = set()
        self._awaited: dict[str, None] = {}
        """Questions that are not on the tape and whose deadline is still to come."""
        self._questions = 0
        self._recorded_questions: dict[str, bytes] = {}
        self._misses: list[str] = []
        self._missed_then: list[str] = []
        self._cut_off: list[str] = []
        self._estimated = 0
        self._events = 0
        self._hash = GENESIS
        self._latest = ""
        self._other_row = ""
        self._refused = ""
        self._differs = False
        self.recorded_hash = GENESIS
        self.rows = 0

    def follow(self, link: Link) -> bool:
        """Take one row of the journal, after everything of our own that comes before it; False ends the play."""
        check_link(self.recorded_hash, self.rows, link)
        self.recorded_hash, self.rows = link.hash, link.seq
        if link.kind == _STARTED:
            self._end_life()
        else:
            self._work_own(link.at_ns - 1)
        if link.kind in _ADVICE:
            # At one instant the rows come in the journal's order: ours has its turn where recorded advice had it. A
            # timer that it sets for now is the recording's, as this row will tell, and fires where that has it.
            self._hear_until(link.at_ns)
        if self._ended(link.at_ns):
            return False
        fed = self._feed(link)
        self._note_recorded(link)
        if fed:
            self._work(record.decode_event(link.kind, link.event), link.at_ns)
        if not self._other_row and self._hash != link.hash:
            self._other_row = (
                f"row {link.seq}, {link.kind} at {iso_utc(link.at_ns)}; in its place {self._latest}"
            )
        return not self._ended(link.at_ns)

    def close(self) -> None:
        """The journal has ended: nothing more comes, and nothing more is compared."""
        self._end_life()
        self._ended(None)

    def result(self) -> SessionResult:
        """What has come out so far."""
        return SessionResult(
            events=self.rows,
            requests=dict(self._orders.same),
            questions=self._questions,
            misses=(*self._misses, *(self._awaited if self._differs else ())),
            missed_then=tuple(self._missed_then),
            cut_off=tuple(self._cut_off),
            estimated=self._estimated,
            tolerance_ns=self._tolerance_ns,
            unasked=self._tape.left(),
            rebuilt=not self._differs and self._hash == self.recorded_hash,
            other_row=self._other_row,
            difference=self._difference() if self._differs else None,
        )

    @property
    def _tolerance_ns(self) -> int:
        return TOLERANCE_NS if self._estimated else 0

    def _ended(self, at_ns: int | None) -> bool:
        self._differs = self._differs or bool(self._refused) or self._orders.differ(at_ns, self._tolerance_ns)
        return self._differs

    def _feed(self, link: Link) -> bool:
        """Whether a recorded event happens again: not the advice, nor a timer that is set otherwise by now."""
        if link.kind in _ADVICE:
            return self._failed_then(link)
        if link.kind != _FIRED:
            return True
        event = record.decode_event(link.kind, link.event)
        assert isinstance(event, TimerFired)
        return self._engine.state.timers.get(event.key) == self._recorded_timers.get(event.key)

    def _failed_then(self, link: Link) -> bool:
        """Whether this is how a question that no recording held has failed, and the same was asked again."""
        event = record.decode_event(link.kind, link.event)
        assert isinstance(event, AdviceReceived | AdviceFailed)
        if event.decision_id not in self._missed_then:
            return False
        self._heard[event.decision_id] = _Hearing(link.at_ns, link.event)
        return True

    def _note_recorded(self, link: Link) -> None:
        """Keep what the recording holds to be compared with: timers, orders, and when which advice was heard."""
        if link.kind == _STARTED:
            self._recorded_timers.clear()
        elif link.kind == _FIRED:
            event = record.decode_event(link.kind, link.event)
            assert isinstance(event, TimerFired)
            self._recorded_timers.pop(event.key, None)
        elif link.kind in _ADVICE:
            event = record.decode_event(link.kind, link.event)
            assert isinstance(event, AdviceReceived | AdviceFailed)
            self._recorded[event.decision_id] = _Hearing(link.at_ns, link.event)
        self._recorded_timers.update(timers_in(link.commands))
        self._recorded_questions.update(questions_in(link.commands))
        self._orders.recorded.extend(orders_in(link.at_ns, link.commands))

    def _work_own(self, until_ns: int) -> None:
        """Let answers come and timers fire that are due by an instant and are not in the recording."""
        while not self._refused:
            timer = self._own_timer()
            answer_ns = self._answers[0][0] if self._answers else until_ns + 1
            if timer is not None and timer[0] <= min(answer_ns, until_ns):
                self._work(TimerFired(at_ns=timer[0], key=timer[1]), timer[0])
            elif answer_ns <= until_ns:
                self._hear_next()
            else:
                return

    def _hear_until(self, until_ns: int) -> None:
        while self._answers and self._answers[0][0] <= until_ns and not self._refused:
            self._hear_next()

    def _own_timer(self) -> tuple[int, str] | None:
        """The next timer that the engine has set and the recording has not."""
        own = [
            (due_ns, key)
            for key, due_ns in self._engine.state.timers.items()
            if self._recorded_timers.get(key) != due_ns
        ]
        return min(own, default=None)

    def _hear_next(self) -> None:
        at_ns, _, event = heappop(self._answers)
        assert isinstance(event, AdviceReceived | AdviceFailed)
        name = event.decision_id
        self._estimated += name in self._inexact
        if name in self._awaited:
            del self._awaited[name]
            self._misses.append(name)
        stamped = replace(event, at_ns=max(at_ns, self._engine.state.now_ns))
        self._heard[name] = _Hearing(stamped.at_ns, record.encode_event(stamped))
        self._work(stamped, stamped.at_ns)

    def _work(self, event: Event, at_ns: int) -> None:
        """Take one event through the engine, keep what it sends, and answer what it asks."""
        now_ns = max(at_ns, self._engine.state.now_ns)
        stamped = event if event.at_ns == now_ns else replace(event, at_ns=now_ns)
        try:
            commands = self._engine.on_event(stamped)
        except InvariantViolation as error:
            self._refused = f"the engine cannot take what the recording goes on with: {error}"
            return
        self._events += 1
        written = record.encode_commands(commands)
        kind, body = type(stamped).__name__, record.encode_event(stamped)
        self._hash = chain_hash(self._hash, self._events, now_ns, kind, body, written)
        self._latest = f"row {self._events}, {kind} at {iso_utc(now_ns)}"
        self._orders.replayed.extend(orders_in(now_ns, written))
        self._ask(commands, questions_in(written), now_ns)

    def _ask(self, commands: tuple[Command, ...], written: dict[str, bytes], asked_ns: int) -> None:
        for request in commands:
            if isinstance(request, RequestAdvice):
                self._questions += 1
                name = request.decision_id
                if name in self._unheard and self._recorded_questions.get(name) == written[name]:
                    self._missed_then.append(name)
                else:
                    self._look_up(request, asked_ns)

    def _look_up(self, request: RequestAdvice, asked_ns: int) -> None:
        """Find a question on the tape and let its answer be on its way; one that is not there fails at its deadline."""
        terms = self._engine.state.adviser
        assert terms is not None, "who asks has terms"
        context = MarketContext(at_ns=asked_ns)
        messages = render(_WORDING, request.facts, context, None, request.within_ms)
        key = question_key(terms.model, terms.template_sha256, messages)
        call, found = self._tape.take(key, request.decision_id)
        if call is not None:
            outcome, latency_ns = self._pace.heard(call, request.within_ms)
            asked_bytes = sum(len(message.content.encode()) for message in call.messages)
            asked_sha256 = prompt_sha256(call.messages) if call.messages else ""
            if not call.exact:
                self._inexact.add(request.decision_id)
            self._moved[request.decision_id] = latency_ns - call.latency_ns
            self._push(asked_ns + latency_ns, event_of(request, outcome, asked_bytes, asked_sha256))
        elif found:
            self._cut_off.append(request.decision_id)
        else:
            within_ns = request.within_ms * NS_PER_MS
            missed = Failed(failure=Failure.NOT_ON_TAPE, detail="not on the tape", latency_ns=within_ns)
            self._awaited[request.decision_id] = None
            self._push(asked_ns + within_ns, event_of(request, missed, 0))

    def _push(self, at_ns: int, event: Event) -> None:
        heappush(self._answers, (at_ns, next(self._numbers), event))

    def _end_life(self) -> None:
        """What was still on its way when a process ended was never heard."""
        for _, _, event in self._answers:
            assert isinstance(event, AdviceReceived | AdviceFailed)
            self._cut_off.append(event.decision_id)
        self._answers.clear()
        self._awaited.clear()

    def _difference(self) -> Difference:
        return Difference(
            number=self._orders.same.total() + 1,
            recorded=self._orders.recorded[0] if self._orders.recorded else None,
            replayed=self._orders.replayed[0] if self._orders.replayed else None,
            why=self._refused or self._why(),
        )

    def _why(self) -> str:
        """The last advice before the difference that was heard otherwise, and the first of the session."""
        causes = []
        for name in dict.fromkeys((*self._recorded, *self._heard, *self._awaited)):
            was, comes = self._recorded.get(name), self._heard.get(name)
            if was != comes or name in self._awaited:
                first_ns = min((each.at_ns for each in (was, comes) if each is not None), default=0)
                causes.append((first_ns, self._cause(name, was, comes)))
        if not causes:
            return "all advice came as recorded: the code or its settings decide differently by now"
        first, last = min(causes)[1], max(causes)[1]
        return last if first == last else f"{last}; the first to differ: {first}"

    def _cause(self, name: str, was: _Hearing | None, comes: _Hearing | None) -> str:
        if name in self._awaited or name in self._misses:
            return f"the question {name} is not on the tape, so that it has no answer"
        moved_ns = self._moved.get(name, 0) if was is None or comes is None else comes.at_ns - was.at_ns
        if moved_ns == 0 and (was is None or comes is None):
            side = "recording" if comes is None else "replay"
            return f"only the {side} has an answer to {name} by then"
        if moved_ns == 0:
            return f"the answer to {name} is another one than was recorded"
        early = "earlier" if moved_ns < 0 else "later"
        return f"the answer to {name} is heard {abs(moved_ns) / NS_PER_MS:.3f} ms {early} than recorded"
