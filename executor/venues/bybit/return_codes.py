"""What Bybit's return codes prove, as a closed world: a code that is not listed proves nothing.

A create or an amend that was refused by a listed code was never carried out, provided it was its only
transmission. Everything else leaves the outcome UNKNOWN. Adding a code here needs a reason.
"""

from enum import Enum
from typing import Final


class CreateOutcome(Enum):
    """What an answer to a create request proves."""

    ACCEPTED = "taken for processing"
    REJECTED = "definitively refused"
    FATAL = (
        "definitively refused, and so would be every other: key, permission, address, or the account's mode"
    )
    UNKNOWN = "nothing is proved"


class AmendOutcome(Enum):
    """What an answer to an amend request proves."""

    ACCEPTED = "taken for processing"
    REJECTED = "definitively refused: the terms are what they were"
    GONE = "the venue knows no such open order"
    UNKNOWN = "nothing is proved"


_TEMPORARY: Final = frozenset({10002, 10006, 429, 10429, 10403, 20003})
"""Refused for a passing cause: the clock, a rate limit, a busy system."""
_REJECTED: Final = (
    frozenset({10001, 10017})
    | {110003, 110004, 110006, 110007, 110012, 110017, 110020, 110021, 110022, 110023, 110044, 110045}
    | {110051, 110052, 110053, 110066, 110074, 110090, 110094, 110120, 110121}
    | {170117, 170121, 170124, 170130, 170131, 170132, 170133, 170134, 170135, 170136, 170137, 170140}
    | {170193, 170194, 170210}
    | _TEMPORARY
)
# -2015 and 33004 say that the key has expired: such a request is turned away before it is read.
AUTH_REFUSED: Final = frozenset(
    {-2015, 10003, 10004, 10005, 10007, 10009, 10010, 10024, 10027, 10028, 10029, 33004}
)
_GONE: Final = frozenset({110001, 110008, 110010, 170139, 170142, 170143, 170190, 170213})
# The new total is not above what is filled already: a refusal that says so has read the order and left it.
_BELOW_FILLED: Final = frozenset({110064, 170313})

# Balance or margin does not suffice: the next order of the parent would fare no better.
UNFUNDED: Final = frozenset({110004, 110006, 110007, 110012, 110044, 110045, 110051, 110052, 110053, 170131})

_PARAMETER_ERROR: Final = 10001
_POSITION_MODE: Final = "position idx not match"
_NOT_MODIFIED: Final = "not modified"
_RULES: Final = frozenset({110074, 110094, 170121, 170124, 170134, 170136, 170137, 170140})
_RULES_TEXTS: Final = (
    "qty invalid",
    "price invalid",
    "minimum limit",
    "maximum limit",
    "not supported symbols",
)
RESTARTING: Final = 10016
_BUSY: Final = frozenset({429, RESTARTING, 10429, 10403, 20003})
BANNED: Final = frozenset({10018})
RATE_LIMITED: Final = 10006
CLOCK_REFUSED: Final = 10002


def judge_create(code: int, text: str = "") -> CreateOutcome:
    """What the answer to a create request proves about its only transmission."""
    if code == 0:
        return CreateOutcome.ACCEPTED
    if code in AUTH_REFUSED or is_position_mode(code, text):
        return CreateOutcome.FATAL
    return CreateOutcome.REJECTED if code in _REJECTED else CreateOutcome.UNKNOWN


def judge_amend(code: int, text: str = "") -> AmendOutcome:
    """What the answer to an amend request proves about its only transmission.

    "Not modified" (10001 with that text, or 34040) says that the order stands on the terms asked for, but not since
    when; no message of the stream will follow. It counts as nothing proved, so that the order is read.
    """
    if code == 0:
        return AmendOutcome.ACCEPTED
    if code in _GONE:
        return AmendOutcome.GONE
    if code == _PARAMETER_ERROR and _NOT_MODIFIED in text.lower():
        return AmendOutcome.UNKNOWN
    refused = code in _REJECTED or code in AUTH_REFUSED or code in _BELOW_FILLED
    return AmendOutcome.REJECTED if refused else AmendOutcome.UNKNOWN


def cancel_found_nothing(code: int) -> bool:
    """Whether a cancel's return code says that no such order is open. Not proof that it never was."""
    return code in _GONE


def is_position_mode(code: int, text: str) -> bool:
    """Whether the account holds its positions in another way (one-way, hedge) than it was asked."""
    return code == _PARAMETER_ERROR and _POSITION_MODE in text.lower()


def doubts_rules(code: int, text: str) -> bool:
    """Whether a refusal means that our copy of the symbol's trading rules may be old."""
    return code in _RULES or (code == _PARAMETER_ERROR and any(word in text.lower() for word in _RULES_TEXTS))


def is_busy(code: int) -> bool:
    """Whether the venue as a whole asks to be left alone for a moment: overload, restart, maintenance."""
    return code in _BUSY
