"""The life of a child order as a table. A status is not a quantity: fills alone say how much was done.

`CHILD_MOVES[source][target]` is the reason why the move exists; whatever is missing is illegal and raises.
The diagram in the documentation is generated from this table.
"""

from enum import StrEnum
from typing import Final

from executor.domain.errors import InvariantViolation


class ChildStatus(StrEnum):
    """What is true of a child order on the wire, as far as we can prove it."""

    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    PENDING_REPLACE = "PENDING_REPLACE"
    PENDING_CANCEL = "PENDING_CANCEL"
    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"


CHILD_FINAL: Final = frozenset({ChildStatus.FILLED, ChildStatus.CANCELED, ChildStatus.REJECTED})

_S = ChildStatus

CHILD_MOVES: Final[dict[ChildStatus, dict[ChildStatus, str]]] = {
    _S.PENDING_NEW: {
        _S.NEW: "the venue shows it in the book",
        _S.PARTIALLY_FILLED: "a fill can arrive before the acknowledgement",
        _S.FILLED: "an order that takes liquidity is often first seen when it is done",
        _S.CANCELED: "post-only that would have taken, or the rest of an IOC",
        _S.REJECTED: "definitive refusal of its only transmission, or by the venue after its acknowledgement",
        _S.UNKNOWN: "the request was not answered, or this process restarted before the answer",
        _S.PENDING_CANCEL: "we want it gone before the venue has shown it",
    },
    _S.NEW: {
        _S.PARTIALLY_FILLED: "a fill",
        _S.FILLED: "the last fill",
        _S.CANCELED: "cancelled by the venue or by a person",
        _S.PENDING_CANCEL: "we sent a cancel",
        _S.PENDING_REPLACE: "we asked for other terms; until that is proved the larger quantity counts",
        _S.REJECTED: "the engine refused it after it was shown",
    },
    _S.PARTIALLY_FILLED: {
        _S.FILLED: "the last fill",
        _S.CANCELED: "cancelled with a part filled; the rest is released once every fill is booked",
        _S.PENDING_CANCEL: "we sent a cancel",
        _S.PENDING_REPLACE: "we asked for other terms for what is not filled yet",
    },
    _S.PENDING_REPLACE: {
        _S.NEW: "its terms are proved: the new ones, or that the old ones stand",
        _S.PARTIALLY_FILLED: "its terms are proved, and a part is filled",
        _S.FILLED: "the last fill won the race",
        _S.CANCELED: "cancelled by the venue or by a person before its terms were proved",
        _S.PENDING_CANCEL: "a cancel waits for no answer about terms",
        _S.REJECTED: "the engine refused it after it was shown",
    },
    _S.PENDING_CANCEL: {
        _S.FILLED: "the cancel lost the race",
        _S.CANCELED: "the cancel won, with or without fills",
        _S.REJECTED: "it never entered the book, so there was nothing to cancel",
        _S.UNKNOWN: "its create was never answered and the cancel says it does not exist: proof is needed",
    },
    _S.UNKNOWN: {
        _S.NEW: "found by its id: adopted",
        _S.PARTIALLY_FILLED: "a fill proves that it exists",
        _S.FILLED: "found finished",
        _S.CANCELED: "found finished",
        _S.REJECTED: "refused after all, or proved never to have existed",
    },
    _S.FILLED: {},
    _S.CANCELED: {
        _S.FILLED: "a late fill completed it: the cancel had lost the race",
    },
    _S.REJECTED: {},
}


def check_child_move(source: ChildStatus, target: ChildStatus) -> None:
    """Refuse a move that is not in the table.

    Raises
    ------
    InvariantViolation
        If `target` does not follow `source`.
    """
    if target not in CHILD_MOVES[source]:
        raise InvariantViolation(f"child order may not go from {source} to {target}")
