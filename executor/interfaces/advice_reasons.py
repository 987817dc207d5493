"""Why a question ended as it did, in sentences for people."""

from typing import Final

from executor.advice.budget import OverBudget
from executor.domain.advice import AdviceOutcome, Failure, Unusable

_F, _O, _U = Failure, OverBudget, Unusable

REASON_TEXT: Final[dict[str, str]] = {
    _U.TOO_LARGE: "the answer was too long to be read",
    _U.NOT_UTF8: "the answer was no UTF-8 text",
    _U.TOO_DEEP: "the answer was nested too deeply",
    _U.NOT_JSON: "the answer was not JSON",
    _U.NOT_ONE_OBJECT: "the answer was not one JSON object and nothing else",
    _U.KEY_TWICE: "the answer named a key twice",
    _U.KEY_UNKNOWN: "the answer had a key that nobody asked for",
    _U.KEY_MISSING: "the answer lacked a key",
    _U.BAD_TYPE: "a value of the answer was of another kind than asked for",
    _U.BAD_NUMBER: "a number of the answer was not a plain decimal",
    _U.OUT_OF_RANGE: "a number of the answer was out of its range",
    _U.BAD_ACTION: "the answer named an action that does not exist",
    _U.BAD_STRATEGY: "the answer named a schedule that may not be switched to",
    _U.BAD_ORDER_TYPE: "the answer named a kind of order that does not exist",
    _U.CONTRADICTION: "the answer contradicted itself",
    _U.OTHER_DECISION: "the answer was to another question",
    _U.OTHER_SNAPSHOT: "the answer was to other facts than were sent",
    _U.OTHER_MODEL: "another model answered than was asked",
    _U.REFUSED: "the model refused to answer",
    _U.TRUNCATED: "the answer was cut short",
    _U.EMPTY: "the answer was empty",
    _F.TIMEOUT: "no answer by the deadline",
    _F.UNREACHABLE: "the model's server could not be reached",
    _F.RATE_LIMITED: "the model's server asks for fewer calls",
    _F.SERVER_ERROR: "the model's server failed",
    _F.NOT_AUTHORISED: "the model's server does not accept the key",
    _F.PROTOCOL: "the model's server said something that is no answer",
    _F.NOT_ON_TAPE: "the question is not on the tape that is played",
    _F.CROWDED: "too many questions were out already",
    _F.UNWRITTEN: "the question could not be written, so nothing was asked",
    _F.INTERNAL: "an error of ours on the way; the log names it",
    _O.PARENT_CALLS: "as many questions were asked about this order as may be",
    _O.HOUR_CALLS: "as many questions were asked in this hour as may be",
    _O.DAY_CALLS: "as many questions were asked on this day as may be",
    _O.PARENT_COST: "the answer could have cost more than this order may spend",
    _O.HOUR_COST: "the answer could have cost more than this hour may spend",
    _O.DAY_COST: "the answer could have cost more than this day may spend",
    "BREAKER_OPEN": "after failures in a row the model is left alone for a while",
    "RESTARTED": "the process was restarted before the answer",
    "NOT_AT_WORK": "the order was not being worked when the answer came",
    "CHANGED": "the order was amended, paused or resumed while the question was out",
}
"""For each code of a record; `executor decisions` prints it."""

OUTCOME_TEXT: Final[dict[AdviceOutcome, str]] = {
    AdviceOutcome.APPLIED: "what the band allows of it holds",
    AdviceOutcome.WITHOUT_EFFECT: "what was advised changes nothing",
    AdviceOutcome.LATE: "the schedule decided at the deadline, {after_ms} ms after the question, in that tick",
    AdviceOutcome.BRIDGED: "the advice before it went on once more at the deadline, {after_ms} ms after the question",
    AdviceOutcome.UNUSABLE: "the schedule decided, the answer could not be used",
    AdviceOutcome.FAILED: "the schedule decided, there was no answer",
    AdviceOutcome.NOT_ASKED: "nobody was asked; what was advised before ended, the schedule decided",
    AdviceOutcome.ENDED: "the order ended before the answer",
}
"""What an outcome means for the order; `after_ms` is how long after the question it was settled."""


def reason_text(code: str) -> str:
    """Say what a code means; one without a sentence stands for itself, none is nothing."""
    return REASON_TEXT.get(code, code)
