"""The life of a parent order as a table, with a reason for every row.

A parent that ended short is never COMPLETE. Its final states are reached only when every child is proven
finished, so CANCELED and EXPIRED mean that nothing of ours is left at the venue; EXECUTING therefore never
ends directly.
"""

from enum import StrEnum
from typing import Final

from executor.domain.errors import InvariantViolation


class ParentStatus(StrEnum):
    """Where a parent order is in its life."""

    INITIALIZED = "INITIALIZED"
    ACTIVE = "ACTIVE"
    EXECUTING = "EXECUTING"
    FILLED = "FILLED"
    ADJUSTING = "ADJUSTING"
    PAUSED = "PAUSED"
    COMPLETE = "COMPLETE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


PARENT_FINAL: Final = frozenset(
    {ParentStatus.COMPLETE, ParentStatus.CANCELED, ParentStatus.EXPIRED, ParentStatus.FAILED}
)


class Reason(StrEnum):
    """Why a parent order moved, or why it does nothing right now."""

    ACCEPTED = "ACCEPTED"
    STARTED = "STARTED"
    CHILD_SENT = "CHILD_SENT"
    CHILD_DONE = "CHILD_DONE"
    FILL_BOOKED = "FILL_BOOKED"
    ALL_FILLED = "ALL_FILLED"
    DUST_LEFT = "DUST_LEFT"
    OPERATOR = "OPERATOR"
    AMENDED = "AMENDED"
    DEADLINE = "DEADLINE"
    HALTED = "HALTED"
    VOLATILITY = "VOLATILITY"
    BOOK_LOST = "BOOK_LOST"
    STREAM_LOST = "STREAM_LOST"
    RECOVERED = "RECOVERED"
    REPEAT_THROTTLE = "REPEAT_THROTTLE"
    OVER_FILLED = "OVER_FILLED"
    VENUE_REJECTS = "VENUE_REJECTS"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    REFERENCE_DOUBT = "REFERENCE_DOUBT"
    VENUE_RESTRICTED = "VENUE_RESTRICTED"
    SENTINEL_SILENT = "SENTINEL_SILENT"
    ORDER_CONFLICT = "ORDER_CONFLICT"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    BEYOND_LIMITS = "BEYOND_LIMITS"
    NOTHING_TO_REDUCE = "NOTHING_TO_REDUCE"
    INSTRUMENT_UNUSABLE = "INSTRUMENT_UNUSABLE"
    ADVICE = "ADVICE"
    REROUTED = "REROUTED"
    LOST_FILL = "LOST_FILL"


_S = ParentStatus

PARENT_MOVES: Final[dict[ParentStatus, dict[ParentStatus, str]]] = {
    _S.INITIALIZED: {
        _S.ACTIVE: "rules, book and reconciliation are there and the start time has come",
        _S.PAUSED: "paused before it began",
        _S.CANCELED: "cancelled before it began",
        _S.EXPIRED: "its deadline passed before the venue could be used",
        _S.FAILED: "the venue does not trade this instrument",
    },
    _S.ACTIVE: {
        _S.EXECUTING: "a child was sent",
        _S.FILLED: "a late fill of an earlier child",
        _S.PAUSED: "operator, circuit, doubt, or advice to cancel",
        _S.ADJUSTING: "new parameters",
        _S.COMPLETE: "everything filled, or only dust left",
        _S.CANCELED: "operator, a fill of an order that is not known, or advice where it may end orders",
        _S.EXPIRED: "deadline with quantity left",
        _S.FAILED: "cannot go on",
    },
    _S.EXECUTING: {
        _S.FILLED: "a fill was booked",
        _S.ACTIVE: "the child is finished without filling",
        _S.PAUSED: "operator, circuit, doubt, or advice to cancel; the child is being cancelled",
        _S.ADJUSTING: "new parameters; the child is being cancelled",
    },
    _S.FILLED: {
        _S.COMPLETE: "nothing, or only dust, is left",
        _S.EXECUTING: "the child still works",
        _S.ACTIVE: "the child is done, the parent is not",
    },
    _S.ADJUSTING: {
        _S.ACTIVE: "the new parameters are in force",
        _S.PAUSED: "operator, circuit or doubt while the old child was being cancelled",
        _S.COMPLETE: "the old child filled the rest before it could be cancelled",
        _S.CANCELED: "operator while the old child was being cancelled",
        _S.EXPIRED: "the deadline passed while the old child was being cancelled",
        _S.FAILED: "cannot go on",
    },
    _S.PAUSED: {
        _S.ACTIVE: "resumed",
        _S.INITIALIZED: "resumed before it began",
        _S.COMPLETE: "a fill that was already on its way finished it",
        _S.CANCELED: "operator",
        _S.EXPIRED: "the deadline passed during the pause",
        _S.FAILED: "cannot go on",
    },
    _S.COMPLETE: {},
    _S.CANCELED: {},
    _S.EXPIRED: {},
    _S.FAILED: {},
}


def check_parent_move(source: ParentStatus, target: ParentStatus) -> None:
    """Refuse a move that is not in the table.

    Raises
    ------
    InvariantViolation
        If `target` does not follow `source`.
    """
    if target not in PARENT_MOVES[source]:
        raise InvariantViolation(f"parent order may not go from {source} to {target}")
