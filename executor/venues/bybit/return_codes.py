"""What Bybit's return codes prove, as a closed world: a code that is not listed proves nothing.

A create that was refused by a listed code never became an order, provided it was its only transmission.
Everything else leaves the outcome UNKNOWN. Adding a code here needs a reason.
"""

from enum import Enum
from typing import Final


class CreateOutcome(Enum):
    """What an answer to a create request proves."""

    ACCEPTED = "taken for processing"
    REJECTED = "definitively refused"
    FATAL = "definitively refused, and so would be every other: key, permission or address"
    UNKNOWN = "nothing is proved"


_REJECTED: Final = frozenset(
    {10001, 10017}
    | {110003, 110004, 110006, 110007, 110012, 110017, 110020, 110021, 110022, 110023, 110044, 110045}
    | {110051, 110052, 110053, 110066, 110074, 110090, 110094, 110120, 110121}
    | {170117, 170121, 170124, 170130, 170131, 170132, 170133, 170134, 170135, 170136, 170137, 170140}
    | {170193, 170194, 170210}
    # Refused for a passing cause: the clock, a rate limit, a busy system.
    | {10002, 10006, 429, 10429, 10403, 20003}
)
_FATAL: Final = frozenset({10003, 10004, 10005, 10007, 10009, 10010, 10024, 10027, 10028, 10029})
_GONE: Final = frozenset({110001, 110008, 110010, 170139, 170142, 170143, 170190, 170213})


def judge_create(code: int) -> CreateOutcome:
    """What a create request's return code proves about its only transmission."""
    if code == 0:
        return CreateOutcome.ACCEPTED
    if code in _FATAL:
        return CreateOutcome.FATAL
    return CreateOutcome.REJECTED if code in _REJECTED else CreateOutcome.UNKNOWN


def cancel_found_nothing(code: int) -> bool:
    """Whether a cancel's return code says that no such order is open. Not proof that it never was."""
    return code in _GONE
