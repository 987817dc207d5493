"""The tape: every call that was made, one JSON line each, and the way back from a line to what came back then.

A line is written in one piece after the call has ended. It holds what was asked, what came back, how long it took and
what it cost; never a key, never a header. A second, short line follows when the engine has worked the answer: at which
instant, and what it came to. Between the two lies the time in the inbox, which no client's clock knows; with it a
session can be played again to the nanosecond.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

import msgspec

from executor.advice.calls import Answer, Failed, Outcome, Question
from executor.advice.prompt import Message
from executor.domain.advice import AdviceOutcome, AdviceRecord, Failure, Usage
from executor.domain.units import parse_plain, plain

FILE_NAME: Final = "advice.jsonl"
FORMAT: Final = 2
FORMATS: Final = (1, FORMAT)
"""Format 1 knew calls only."""
NOBODY_WAITED: Final = "nobody waited any longer"
"""Detail of a call that was given up because the process ended: its answer was never heard."""
LINE_BYTES_MAX: Final = 2_097_152
PRICE_DIGITS: Final = 12
_STEP_BYTES: Final = 65_536


class TapeError(Exception):
    """A tape that cannot be read or written; the message names file and line."""


class Spoken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message as it is written down."""

    role: Literal["system", "user"]
    content: str


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One call as it is written down.

    Parameters
    ----------
    v
        Format of the line.
    key
        What was asked, see `call_key`.
    reply
        Text of the reply; None where there was none, and `failure` says why.
    tokens_told
        Whether the server told the tokens; where it did not, the figures are zero.
    price
        In units of the prices' currency, a plain decimal; empty if it is not known.
    """

    v: int
    key: str
    decision_id: str
    parent_id: str
    asked_ns: int
    model: str
    template_hash: str
    messages: list[Spoken]
    reply: str | None
    finish_reason: str
    refusal: str
    failure: str
    detail: str
    latency_ns: int
    model_id: str
    request_id: str
    tokens_told: bool
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    price: str


class Heard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When the engine worked an answer, and its verdict.

    Parameters
    ----------
    v
        Format of the line.
    heard
        Decision whose answer it was; its call stands above in the tape, unless the question could not be written.
    asked_ns, heard_ns
        The engine's own stamps of the question and of the answer, UTC.
    outcome, reason, detail
        What became of the question, as in the record of the decision.
    """

    v: int
    heard: str
    asked_ns: int
    heard_ns: int
    outcome: str
    reason: str
    detail: str


def heard_of(record: AdviceRecord, heard_ns: int) -> Heard:
    """Write down when an answer was worked, and what it came to."""
    return Heard(
        v=FORMAT,
        heard=record.decision_id,
        asked_ns=record.asked_ns,
        heard_ns=heard_ns,
        outcome=record.outcome.value,
        reason=record.reason,
        detail=record.detail,
    )


def call_key(model: str, template_hash: str, messages: Sequence[Message | Spoken]) -> str:
    """SHA-256 over everything that shaped the question."""
    whole = [model, template_hash, [[message.role, message.content] for message in messages]]
    text = json.dumps(whole, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def line_of(question: Question, model: str, outcome: Outcome, price: Decimal | None) -> Line:
    """Write down one call."""
    answer = outcome if isinstance(outcome, Answer) else None
    usage = answer.usage if answer is not None else None
    return Line(
        v=FORMAT,
        key=call_key(model, question.template_hash, question.messages),
        decision_id=question.decision_id,
        parent_id=question.parent_id,
        asked_ns=question.asked_ns,
        model=model,
        template_hash=question.template_hash,
        messages=[Spoken(message.role, message.content) for message in question.messages],
        reply=None if answer is None else answer.content.decode("utf-8", "surrogatepass"),
        finish_reason="" if answer is None else answer.finish_reason,
        refusal="" if answer is None else answer.refusal,
        failure=outcome.failure.value if isinstance(outcome, Failed) else "",
        detail=outcome.detail if isinstance(outcome, Failed) else "",
        latency_ns=outcome.latency_ns,
        model_id="" if answer is None else answer.model_id,
        request_id="" if answer is None else answer.request_id,
        tokens_told=usage is not None and usage.reported,
        prompt_tokens=0 if usage is None else usage.prompt_tokens,
        cached_tokens=0 if usage is None else usage.cached_tokens,
        completion_tokens=0 if usage is None else usage.completion_tokens,
        price="" if price is None else plain(round(price, PRICE_DIGITS)),
    )


def outcome_of(line: Line) -> Outcome:
    """What came back then."""
    if line.reply is None:
        return Failed(failure=Failure(line.failure), detail=line.detail, latency_ns=line.latency_ns)
    usage = Usage(
        prompt_tokens=line.prompt_tokens,
        cached_tokens=line.cached_tokens,
        completion_tokens=line.completion_tokens,
        reported=True,
    )
    return Answer(
        content=line.reply.encode("utf-8", "surrogatepass"),
        model_id=line.model_id,
        finish_reason=line.finish_reason,
        refusal=line.refusal,
        usage=usage if line.tokens_told else None,
        latency_ns=line.latency_ns,
        request_id=line.request_id,
    )


class TapeWriter:
    """Appends lines to a file of ours; use inside `with`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1

    def __enter__(self) -> "TapeWriter":
        """Open the file, and cut off a line that a crash has left unfinished.

        Raises
        ------
        TapeError
            If the file cannot be opened for us alone.
        """
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._handle = os.open(self._path, flags, 0o600)
            os.fchmod(self._handle, 0o600)
            os.ftruncate(self._handle, _whole_lines_end(self._handle))
        except OSError as error:
            self.close()
            raise TapeError(f"{self._path}: {error.strerror}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def write(self, line: Line | Heard) -> None:
        """Append one line, handed to the operating system when this returns.

        Raises
        ------
        TapeError
            If it could not be written whole; what was written of it is taken back.
        """
        # ASCII only: a lone surrogate in a reply is written as the escape it came as.
        text = json.dumps(msgspec.to_builtins(line), ensure_ascii=True, separators=(",", ":")) + "\n"
        raw = text.encode("ascii")
        try:
            end = os.fstat(self._handle).st_size
            if os.write(self._handle, raw) != len(raw):
                os.ftruncate(self._handle, end)
                raise TapeError(f"{self._path}: only a part of a line could be written")
        except OSError as error:
            raise TapeError(f"{self._path}: {error.strerror}") from error


def read_tape(path: Path) -> Iterator[Line]:
    """Read the calls of a tape, as `read_all` does."""
    return (line for line in read_all(path) if isinstance(line, Line))


def read_all(path: Path) -> Iterator[Line | Heard]:
    """Read a tape; the last line may be unfinished and is then left out, every other must be whole.

    Raises
    ------
    TapeError
        With file and line, at the first that is not one of ours.
    """
    try:
        source = path.open("rb")
    except OSError as error:
        raise TapeError(f"{path}: {error.strerror}") from error
    with source:
        number = 0
        while raw := source.readline(LINE_BYTES_MAX + 1):
            number += 1
            if len(raw) > LINE_BYTES_MAX:
                raise TapeError(f"{path}:{number}: a line of more than {LINE_BYTES_MAX} bytes")
            if not raw.endswith(b"\n"):
                return
            yield read_line(raw, f"{path}:{number}")


def read_line(raw: bytes, where: str) -> Line | Heard:
    """Read one line strictly.

    Parameters
    ----------
    where
        How it is called in an error.

    Raises
    ------
    TapeError
        If it is not one of ours.
    """
    try:
        found = json.loads(raw, object_pairs_hook=_once)
        if isinstance(found, dict) and "heard" in found:
            return _sound_hearing(msgspec.convert(found, Heard, strict=True))
        line = msgspec.convert(found, Line, strict=True)
        if line.v not in FORMATS:
            raise ValueError(f"format {line.v}, and none of {FORMATS}")
        if (line.reply is None) != bool(line.failure):
            raise ValueError("either a reply or a failure")
        if line.failure:
            Failure(line.failure)
        if line.price:
            parse_plain(line.price)
        if line.key != call_key(line.model, line.template_hash, line.messages):
            raise ValueError("a key that is not the one of its messages")
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise TapeError(f"{where}: {error}") from None
    return line


def _sound_hearing(line: Heard) -> Heard:
    if line.v != FORMAT:
        raise ValueError(f"format {line.v}, and not {FORMAT}")
    AdviceOutcome(line.outcome)
    if line.heard_ns < line.asked_ns:
        raise ValueError("an answer before its question")
    return line


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _whole_lines_end(handle: int) -> int:
    """Where the last whole line of a file ends."""
    end = os.fstat(handle).st_size
    while end > 0:
        begin = max(0, end - _STEP_BYTES)
        found = os.pread(handle, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
