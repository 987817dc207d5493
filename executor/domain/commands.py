"""What the engine wants done. Imperative; the shell carries commands out in order and decides nothing."""

from dataclasses import dataclass
from enum import StrEnum

from executor.domain.advice_facts import AdviceFacts
from executor.domain.algo import NewAlgo
from executor.domain.approval import Approved
from executor.domain.orders import Category, NewOrder, Replacement
from executor.domain.parent_state import ParentStatus, Reason


class Severity(StrEnum):
    """How soon a person should look."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


class AlertCode(StrEnum):
    """What people are alerted about."""

    HALT = "HALT"
    OVER_FILL = "OVER_FILL"
    ORPHAN_FILL = "ORPHAN_FILL"
    FILL_CONFLICT = "FILL_CONFLICT"
    ORDER_CONFLICT = "ORDER_CONFLICT"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    CANCEL_UNPROVED = "CANCEL_UNPROVED"
    ORDER_REJECTED = "ORDER_REJECTED"
    SHORTFALL = "SHORTFALL"
    VOLATILITY = "VOLATILITY"
    REPEAT_THROTTLE = "REPEAT_THROTTLE"
    POSITION_DIFFERS = "POSITION_DIFFERS"
    RECONCILE_FAILED = "RECONCILE_FAILED"
    EXECUTION_UNEXPLAINED = "EXECUTION_UNEXPLAINED"
    FOREIGN_ORDERS = "FOREIGN_ORDERS"
    NO_SUCH_SYMBOL = "NO_SUCH_SYMBOL"
    BEYOND_LIMITS = "BEYOND_LIMITS"
    NOTHING_TO_REDUCE = "NOTHING_TO_REDUCE"
    TOO_FAST = "TOO_FAST"
    REFERENCE_DISAGREES = "REFERENCE_DISAGREES"
    VENUE_RESTRICTED = "VENUE_RESTRICTED"
    SENTINEL_SILENT = "SENTINEL_SILENT"
    TERMS_MOVED = "TERMS_MOVED"
    POSITION_MODE = "POSITION_MODE"
    REARMED = "REARMED"
    ADVICE_TO_CANCEL = "ADVICE_TO_CANCEL"
    ADVICE_BOUNDED = "ADVICE_BOUNDED"
    ADVISER_SILENT = "ADVISER_SILENT"
    ADVISER_BACK = "ADVISER_BACK"
    ALGO_ENDED_SHORT = "ALGO_ENDED_SHORT"
    LIMITS_MOVED = "LIMITS_MOVED"


class Outcome(StrEnum):
    """How a request of an operator ended; the API turns it into a status code."""

    ACCEPTED = "ACCEPTED"
    REPEATED = "REPEATED"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    STATE = "STATE"
    VERSION = "VERSION"
    INVALID = "INVALID"
    LOCKED = "LOCKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """Send a create request for an approved order, once."""

    approved: Approved[NewOrder]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceOrder:
    """Send an amend request for a working order, once."""

    approved: Approved[Replacement]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Send a cancel request. Never gated, never budgeted: stopping is always allowed."""

    category: Category
    symbol: str
    client_order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryOrder:
    """Ask the venue everything it knows of one order: open, closed, history, executions."""

    category: Category
    symbol: str
    client_order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceAlgo:
    """Send a create request for an approved strategy order, once."""

    approved: Approved[NewAlgo]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAlgo:
    """Send a stop request for a strategy order that has an id. Never gated, never budgeted."""

    client_order_id: str
    strategy_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAlgo:
    """Ask the venue for a strategy order, and for the orders that it has made.

    Parameters
    ----------
    strategy_id
        The venue's id; empty while it is not known: then it is looked for by what was asked for.
    since_ns, until_ns
        Before the one it was not sent, and after the other the venue could no longer take it; UTC nanoseconds. Between
        them no other like it was sent by us.
    not_ids
        Strategy orders that are known to be others.
    """

    algo: NewAlgo
    strategy_id: str
    since_ns: int
    until_ns: int
    not_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """Read all open orders, the executions since `since_ms`, and the positions of one category of one venue.

    There is at least one symbol, and all are of the same venue.
    """

    category: Category
    symbols: tuple[str, ...]
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Keep the engine informed about one symbol: rules once, then conflated market snapshots."""

    category: Category
    symbol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAdvice:
    """Ask the model about a parent, once; `AdviceReceived` or `AdviceFailed` comes back.

    Parameters
    ----------
    within_ms
        After this nobody waits for the answer any more.
    """

    parent_id: str
    decision_id: str
    facts: AdviceFacts
    within_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTimer:
    """Send `TimerFired(key)` at the instant; replaces an earlier timer of the same key."""

    key: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Answer the operator who made the request."""

    request_id: str
    outcome: Outcome
    parent_id: str
    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseOrder:
    """Record that the gate refused an order, with every reason. Nothing leaves."""

    parent_id: str
    client_order_id: str
    codes: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishMove:
    """Record that a parent order changed its state."""

    parent_id: str
    source: ParentStatus
    target: ParentStatus
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReport:
    """Make and keep the cost report of a finished parent (again, after a late fill)."""

    parent_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseAlert:
    """Tell people."""

    severity: Severity
    code: AlertCode
    parent_id: str
    detail: str


Command = (
    PlaceOrder
    | ReplaceOrder
    | CancelOrder
    | QueryOrder
    | PlaceAlgo
    | StopAlgo
    | QueryAlgo
    | Reconcile
    | Subscribe
    | RequestAdvice
    | SetTimer
    | Reply
    | RefuseOrder
    | PublishMove
    | StoreReport
    | RaiseAlert
)
