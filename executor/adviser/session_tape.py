"""A tape as a session is played from it: calls by what the engine knew when it asked, answers when it heard them.

The surroundings of a market and the texts from outside are no facts of the engine and are in no journal. A question is
therefore found by everything else in it: the model, the wording, and the user message without these two parts.
"""

import hashlib
import json
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from executor.advice.calls import Failed, Outcome
from executor.advice.prompt import Message
from executor.adviser.tape import NOBODY_WAITED, Heard, Line, TapeError, outcome_of
from executor.domain.advice import Failure

OUTSIDE: Final = ("context", "outside_text")
"""Parts of a question that the shell adds to the engine's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What came back to a question.

    Parameters
    ----------
    outcome
        As the client handed it over.
    messages
        What was asked; empty where the question could not be written.
    latency_ns
        Time from the engine's question to the answer that it heard.
    exact
        Whether the engine's own stamps say so; else it is the client's time, without that in the inbox.
    """

    outcome: Outcome
    messages: tuple[Message, ...]
    latency_ns: int
    exact: bool


class SessionTape:
    """Gives each recorded call once, to the question that it answered.

    Parameters
    ----------
    lines
        Of the tape, in their order: the hearing of an answer comes after its call.
    """

    def __init__(self, lines: Iterable[Line | Heard]) -> None:
        calls: list[tuple[Line, Heard | None]] = []
        latest: dict[str, int] = {}
        self._calls: dict[str, deque[Call | None]] = defaultdict(deque)
        for line in lines:
            if isinstance(line, Line):
                latest[line.decision_id] = len(calls)
                calls.append((line, None))
            elif line.reason == Failure.UNWRITTEN:
                self._calls[line.heard].append(_unwritten(line))
            elif line.heard in latest:
                place = latest[line.heard]
                calls[place] = (calls[place][0], line)
        for line, heard in calls:
            messages = tuple(Message(role=each.role, content=each.content) for each in line.messages)
            key = question_key(line.model, line.template_hash, messages)
            self._calls[key].append(_call(line, messages, heard))

    def take(self, key: str, decision_id: str) -> tuple[Call | None, bool]:
        """The next call of a question, and whether there is one; a call without an answer to it was given up."""
        waiting = self._calls.get(key) or self._calls.get(decision_id)
        return (waiting.popleft(), True) if waiting else (None, False)

    def left(self) -> int:
        """Calls that nobody has asked for."""
        return sum(len(waiting) for waiting in self._calls.values())


def question_key(model: str, template_hash: str, messages: Sequence[Message]) -> str:
    """SHA-256 over what the engine put into a question, and to whom it went.

    Raises
    ------
    TapeError
        If the messages do not end in a question in the form of ours.
    """
    try:
        body = json.loads(messages[-1].content)
        facts = [[name, part] for name, part in body.items() if name not in OUTSIDE]
    except (LookupError, ValueError, AttributeError, RecursionError) as error:
        raise TapeError(f"a call that asks no question of ours: {type(error).__name__}") from None
    whole = json.dumps([model, template_hash, facts], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(whole.encode()).hexdigest()


def _call(line: Line, messages: tuple[Message, ...], heard: Heard | None) -> Call | None:
    if heard is None and line.failure and line.detail == NOBODY_WAITED:
        return None
    latency_ns = line.latency_ns if heard is None else heard.heard_ns - heard.asked_ns
    return Call(outcome=outcome_of(line), messages=messages, latency_ns=latency_ns, exact=heard is not None)


def _unwritten(heard: Heard) -> Call:
    failed = Failed(failure=Failure.UNWRITTEN, detail=heard.detail, latency_ns=0)
    return Call(outcome=failed, messages=(), latency_ns=heard.heard_ns - heard.asked_ns, exact=True)
