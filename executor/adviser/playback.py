"""Who may be asked: a model that is recorded, a tape that is played again, or a script.

What is played keeps the time it took then: a reply that came too late comes too late again.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final, Protocol

from executor.advice.calls import Failed, Outcome, Question
from executor.adviser.tape import (
    NOBODY_WAITED,
    Heard,
    Line,
    TapeError,
    TapeWriter,
    call_key,
    heard_of,
    line_of,
    outcome_of,
)
from executor.domain.advice import AdviceRecord, Failure
from executor.domain.ports import Log
from executor.domain.timeline import NS_PER_S

PriceOf = Callable[[Question, Outcome], Decimal | None]
"""What a call cost; None if that is not known."""
_LATE: Final = "no reply by the deadline"


class Adviser(Protocol):
    """Who is asked while the clock runs."""

    async def ask(self, question: Question) -> Outcome:
        """Answer or fail within the question's deadline; never raises for what a server does."""


class VirtualAdviser(Protocol):
    """Who is asked while the clock stands still."""

    def answer(self, question: Question) -> tuple[Outcome, int]:
        """Say what comes back, and after how many nanoseconds."""


class Recorder:
    """Asks somebody else and writes every call down.

    Parameters
    ----------
    model
        Name under which the calls are written down.
    """

    def __init__(self, adviser: Adviser, model: str, tape: TapeWriter, price: PriceOf, log: Log) -> None:
        self._adviser = adviser
        self._model = model
        self._tape = tape
        self._price = price
        self._log = log
        self.unwritten = 0
        """Lines that could not be written down."""

    async def ask(self, question: Question) -> Outcome:
        """Ask, write down, hand back. Whoever stops waiting leaves a line that says so."""
        try:
            outcome = await self._adviser.ask(question)
        except asyncio.CancelledError:
            given_up = Failed(failure=Failure.TIMEOUT, detail=NOBODY_WAITED, latency_ns=0)
            self._write(self._line(question, given_up))
            raise
        self._write(self._line(question, outcome))
        return outcome

    def heard(self, record: AdviceRecord, heard_ns: int) -> None:
        """The engine has worked an answer at this instant (UTC): write down when, and what it came to."""
        self._write(heard_of(record, heard_ns))

    def _line(self, question: Question, outcome: Outcome) -> Line:
        return line_of(question, self._model, outcome, self._price(question, outcome))

    def _write(self, line: Line | Heard) -> None:
        try:
            self._tape.write(line)
        except TapeError as error:
            self.unwritten += 1
            if self.unwritten == 1:
                self._log("calls to the model cannot be written down", level="error", reason=str(error))


class Replay:
    """Plays a tape: each call answers once, to the same decision with the same question.

    Parameters
    ----------
    model
        Name of the model whose calls were recorded.
    """

    def __init__(self, lines: Iterable[Line], model: str) -> None:
        self._model = model
        self._lines: dict[tuple[str, str], deque[Line]] = defaultdict(deque)
        for line in lines:
            self._lines[line.decision_id, line.key].append(line)
        self.misses = 0
        """Questions that are not on the tape; a replay with one has failed."""

    def answer(self, question: Question) -> tuple[Outcome, int]:
        """What came back then, after the time it took then."""
        key = call_key(self._model, question.template_hash, question.messages)
        waiting = self._lines.get((question.decision_id, key))
        if not waiting:
            self.misses += 1
            detail = f"{question.decision_id} with this question is not on the tape"
            return Failed(failure=Failure.NOT_ON_TAPE, detail=detail, latency_ns=0), 0
        return in_time(outcome_of(waiting.popleft()), question)

    def left(self) -> int:
        """Calls on the tape that nobody has asked for."""
        return sum(len(waiting) for waiting in self._lines.values())


class Scripted:
    """Gives what a script says: one outcome after the other, or what a function makes of the question."""

    def __init__(self, script: Iterable[Outcome] | Callable[[Question], Outcome]) -> None:
        if callable(script):
            self._next = script
        else:
            outcomes = iter(script)
            self._next = lambda _: next(outcomes, _ENDED)

    def answer(self, question: Question) -> tuple[Outcome, int]:
        """What the script says; past its end nobody answers."""
        return in_time(self._next(question), question)


class Paced:
    """Lets the answers of a virtual adviser take their time on the running clock."""

    def __init__(self, adviser: VirtualAdviser) -> None:
        self._adviser = adviser

    async def ask(self, question: Question) -> Outcome:
        """Answer after as long as it took."""
        outcome, latency_ns = self._adviser.answer(question)
        await asyncio.sleep(latency_ns / NS_PER_S)
        return outcome


_ENDED: Final = Failed(failure=Failure.NOT_ON_TAPE, detail="the script has ended", latency_ns=0)


def in_time(outcome: Outcome, question: Question) -> tuple[Outcome, int]:
    """What becomes of an outcome under a deadline, and when: one that comes later is not waited for."""
    deadline_ns = int(question.deadline_s * NS_PER_S)
    if outcome.latency_ns <= deadline_ns:
        return outcome, outcome.latency_ns
    return Failed(failure=Failure.TIMEOUT, detail=_LATE, latency_ns=deadline_ns), deadline_ns
