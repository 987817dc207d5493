"""Answers to order requests, from either way of sending: read once, and turned into what they prove."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from executor.domain.commands import CancelOrder
from executor.domain.errors import RemoteProtocolError
from executor.domain.events import (
    CancelAcked,
    CancelFoundNothing,
    CancelOutcomeUnknown,
    Event,
    OrderAcked,
    OrderOutcomeUnknown,
    OrderRejected,
    ReplaceAcked,
    ReplaceOutcomeUnknown,
    ReplaceRejected,
)
from executor.domain.orders import NewOrder, Replacement
from executor.venues.bybit.limiter import Allowance
from executor.venues.bybit.return_codes import (
    UNFUNDED,
    AmendOutcome,
    CreateOutcome,
    cancel_found_nothing,
    is_position_mode,
    judge_amend,
    judge_create,
)
from executor.venues.bybit.signer import without_signed

_TEXT_CHARS_MAX: Final = 200
_ID_CHARS_MAX: Final = 64
_NUMBER_CHARS_MAX: Final = 15


class NotSent(Exception):  # noqa: N818 - reads as what happened
    """A request was dropped before its first byte."""


class Unanswered(Exception):  # noqa: N818 - reads as what happened
    """A request left, or may have left, and there is no answer that could be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A readable answer of the venue."""

    code: int
    text: str
    result: Mapping[str, object]
    allowance: Allowance | None


def parse_answer(raw: bytes) -> Mapping[str, object]:
    """Read the object that an answer is.

    Raises
    ------
    RemoteProtocolError
        If it is none.
    """
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError("an answer that cannot be read") from error
    if not isinstance(parsed, dict):
        raise RemoteProtocolError("an answer that is no object")
    return parsed


def read_answer(message: Mapping[str, object], result_key: str, limits: Mapping[str, object]) -> Answer:
    """Read an envelope.

    Parameters
    ----------
    result_key
        Under which name the result stands: `result` over REST, `data` over the socket.
    limits
        Where the allowance stands: the headers of the response, or of the message.

    Raises
    ------
    RemoteProtocolError
        If it has no return code: such an answer proves nothing.
    """
    code = message.get("retCode")
    if type(code) is not int:
        raise RemoteProtocolError("answer without a return code")
    result = message.get(result_key)
    return Answer(
        code=code,
        text=printable(message.get("retMsg", "")),
        result=result if isinstance(result, dict) else {},
        allowance=_read_allowance(limits),
    )


def created(order: NewOrder, answer: Answer, sent_sha256: str) -> Event:
    """What the answer to a create request proves."""
    name = order.client_order_id
    outcome = judge_create(answer.code, answer.text)
    if outcome is CreateOutcome.UNKNOWN:
        return OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail=_detail(answer))
    if outcome is not CreateOutcome.ACCEPTED:
        text = answer.text
        if is_position_mode(answer.code, text):
            text = f"the account's position mode (one-way, hedge) is not the one configured: {text}"
        return OrderRejected(
            at_ns=0,
            client_order_id=name,
            code=answer.code,
            text=text,
            fatal=outcome is CreateOutcome.FATAL,
            unfunded=answer.code in UNFUNDED,
        )
    venue_order_id = answer.result.get("orderId")
    is_id = (
        isinstance(venue_order_id, str)
        and venue_order_id.isascii()
        and 0 < len(venue_order_id) <= _ID_CHARS_MAX
    )
    if answer.result.get("orderLinkId") != name or not is_id:
        return OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail="accepted, but not under our id")
    return OrderAcked(
        at_ns=0, client_order_id=name, venue_order_id=str(venue_order_id), sent_sha256=sent_sha256
    )


def replaced(order: Replacement, answer: Answer) -> Event:
    """What the answer to an amend request proves."""
    name = order.client_order_id
    outcome = judge_amend(answer.code, answer.text)
    if outcome is AmendOutcome.UNKNOWN:
        return ReplaceOutcomeUnknown(at_ns=0, client_order_id=name, detail=_detail(answer))
    if outcome is not AmendOutcome.ACCEPTED:
        gone = outcome is AmendOutcome.GONE
        return ReplaceRejected(at_ns=0, client_order_id=name, code=answer.code, text=answer.text, gone=gone)
    if answer.result.get("orderLinkId") != name:
        return ReplaceOutcomeUnknown(at_ns=0, client_order_id=name, detail="accepted, but not under our id")
    return ReplaceAcked(at_ns=0, client_order_id=name)


def cancelled(command: CancelOrder, answer: Answer, asked_ns: int) -> Event:
    """What the answer to a cancel request proves; `asked_ns` is the instant before it was sent."""
    name = command.client_order_id
    if answer.code == 0:
        return CancelAcked(at_ns=0, client_order_id=name)
    if cancel_found_nothing(answer.code):
        return CancelFoundNothing(at_ns=0, client_order_id=name, asked_ns=asked_ns)
    return CancelOutcomeUnknown(at_ns=0, client_order_id=name, detail=_detail(answer))


def reset_ms_of(limits: Mapping[str, object]) -> int | None:
    """From when on more may be asked, by the venue's clock, milliseconds; None if it is not said readably."""
    return _whole(limits.get("X-Bapi-Limit-Reset-Timestamp"))


def printable(text: object) -> str:
    """Shorten a text of the venue to what can be written down."""
    told = without_signed(str(text))
    return told[:_TEXT_CHARS_MAX].encode(errors="backslashreplace").decode()


def _detail(answer: Answer) -> str:
    return f"{answer.code}: {answer.text}"


def _read_allowance(limits: Mapping[str, object]) -> Allowance | None:
    """Read the three numbers of an allowance; None when one is missing or is no number."""
    limit = _whole(limits.get("X-Bapi-Limit"))
    remaining = _whole(limits.get("X-Bapi-Limit-Status"))
    reset_ms = reset_ms_of(limits)
    if limit is None or remaining is None or reset_ms is None:
        return None
    return Allowance(limit=limit, remaining=remaining, reset_ms=reset_ms)


def _whole(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _NUMBER_CHARS_MAX else None
