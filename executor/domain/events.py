"""What can happen to the engine. Past tense; each carries `at_ns`, the instant at which the engine saw it.

The shell builds events and stamps them; the engine alone decides what they mean.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from executor.domain.advice import Failure, Usage
from executor.domain.advice_terms import AdviserTerms
from executor.domain.fills import Fill
from executor.domain.instrument import Instrument
from executor.domain.limits import Limits, Timings
from executor.domain.market import ForcedClose, MarketSnapshot
from executor.domain.orders import Category, ResidualRule, Side, StrategyParams, Urgency
from executor.domain.routing import RouteLeg
from executor.domain.units import Money, Price, Quantity


class Stream(StrEnum):
    """The connections whose health the engine must know."""

    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"
    TRADE = "TRADE"


class VenueStatus(StrEnum):
    """What the venue says of an order, in our words."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"


class DrainPolicy(StrEnum):
    """What a shutdown does with open child orders."""

    CANCEL = "cancel"
    LEAVE = "leave"


RULES_NOW: Final = 3
"""Generations of rules: from 1 on parents share the orders of a second and a minute in turn, and a model is told what
an order will cost by the model of impact that is in use; from 2 on a parent that had a fill of an order of its own that
the journal does not know ends at a rearm, and its number is used for no other; from 3 on such a fill ends every routed
order that it may have been of where its parent is not known either, and an open order that is not known stops all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStarted:
    """The daemon began an incarnation; nothing is reconciled yet.

    Parameters
    ----------
    sentinel_required
        Whether nothing may be opened before the sentinel has been heard.
    hedge_mode
        Whether the account is configured to keep long and short positions apart; None where nobody said, so that only
        what the venue shows counts.
    adviser
        Terms under which a model is asked; None where there is none.
    venue_algorithms
        Whether strategy orders of the venue may be used.
    marks_fills
        Whether the book before each fill and the mids after it are noted for the analysis of cost.
    impact_model
        Model of impact, as it is written, by which the cost of an order is foretold where the order names none; empty
        foretells nothing.
    rules
        By which generation of the engine's rules is decided, `RULES_NOW` in everything new; what an older journal holds
        is reckoned by those it was written by.
    """

    at_ns: int
    version: str
    instance: str
    venue: str
    limits: Limits
    timings: Timings
    sentinel_required: bool
    seed: int
    hedge_mode: bool | None = None
    adviser: AdviserTerms | None = None
    venue_algorithms: bool = False
    marks_fills: bool = False
    impact_model: str = ""
    rules: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentLoaded:
    """The venue's rules of one symbol were read, or read again."""

    at_ns: int
    instrument: Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentMissing:
    """The venue answered that it has no such symbol."""

    at_ns: int
    category: Category
    symbol: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookUpdated:
    """A conflated snapshot of a symbol's market."""

    at_ns: int
    market: MarketSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class BookLost:
    """The book of a symbol cannot be trusted: gap, crossed, one-sided, or the feed ended."""

    at_ns: int
    category: Category
    symbol: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChanged:
    """A connection became live (authenticated, subscribed, acknowledged) or was lost.

    `category` names the product family of a public stream; None for the account's streams. `Stream.TRADE` is the way
    orders are sent: live at once where each is a request of its own. `venue` is whose connection it is; empty is
    Bybit's.
    """

    at_ns: int
    stream: Stream
    category: Category | None
    live: bool
    detail: str
    venue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceUpdated:
    """A second opinion about a symbol's price: the venue's mark or index price, or another venue's middle.

    `px` is None when the source has nothing more to say.
    """

    at_ns: int
    category: Category
    symbol: str
    source: str
    px: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractUpdated:
    """What the ticker of a contract says beside its book; None for what it does not say, or says no more."""

    at_ns: int
    category: Category
    symbol: str
    funding_rate: Decimal | None
    next_funding_ns: int | None
    open_interest: Quantity | None
    mark_px: Price | None
    index_px: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionsLiquidated:
    """Positions of others that the venue closed by force, one by one; their sums are in the snapshots."""

    at_ns: int
    category: Category
    symbol: str
    positions: tuple[ForcedClose, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFlowCounted:
    """How much of a coin went to exchanges, less what left them, as some provider counts it.

    Parameters
    ----------
    request_id
        Names the waiting caller.
    net_qty
        Coin units; positive is onto exchanges.
    span_s
        The time that it was counted over, seconds.
    """

    at_ns: int
    request_id: str
    coin: str
    source: str
    net_qty: Decimal
    span_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueRestricted:
    """The venue bars us, or will be closed, until an instant: a ban of our address, a maintenance, a rate limit.

    `venue` is which; empty is Bybit.
    """

    at_ns: int
    until_ns: int
    detail: str
    venue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelChanged:
    """The sentinel, which cancels everything should this daemon fall silent, was heard again or fell silent itself."""

    at_ns: int
    alive: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentSubmitted:
    """A client asks for a parent order. `request_id` names the waiting caller, `idempotency_key` the intent.

    `advised` wants the model to be asked about it. `start_ns` is when it is to begin, UTC; 0, or an instant that is
    over, is at once. `duration_s` counts from then. `impact_model` is the model of impact by which its cost is foretold
    when it begins, as it is written, and `impact_version` the id of the calibration that it is of; empty is that of the
    start.
    """

    at_ns: int
    request_id: str
    idempotency_key: str
    body_sha256: str
    category: Category
    symbol: str
    side: Side
    order_qty: Quantity
    duration_s: int
    residual: ResidualRule
    extend_s: int
    limit_px: Price | None
    urgency: Urgency
    strategy: str
    params: StrategyParams
    reduce_only: bool
    position_idx: int
    decision_px: Price | None
    seed: int
    advised: bool = False
    start_ns: int = 0
    impact_model: str = ""
    impact_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BasketSubmitted:
    """A client asks for several parent orders that are accepted together, or not at all.

    Parameters
    ----------
    orders
        Each with an idempotency key of its own; their `at_ns` and `request_id` say nothing.
    gross_notional_max, net_notional_max
        Most that they may come to together, quote units; None for no bound of their own.
    """

    at_ns: int
    request_id: str
    idempotency_key: str
    body_sha256: str
    name: str
    orders: tuple[ParentSubmitted, ...]
    gross_notional_max: Money | None = None
    net_notional_max: Money | None = None


class BasketVerb(StrEnum):
    """What can be asked of all parents of a basket at once."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class BasketSteered:
    """An operator pauses, resumes or cancels all open parents of a basket."""

    at_ns: int
    request_id: str
    basket_id: str
    verb: BasketVerb


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSubmitted:
    """A client asks for one order over several markets of one coin.

    Parameters
    ----------
    start_ns, duration_s
        As for a parent order.
    basis_bps_max, hysteresis_bps
        As in `executor.domain.routing.RoutedOrder`.
    """

    at_ns: int
    request_id: str
    idempotency_key: str
    body_sha256: str
    legs: tuple[RouteLeg, ...]
    side: Side
    order_qty: Quantity
    duration_s: int
    residual: ResidualRule
    extend_s: int
    limit_px: Price | None
    urgency: Urgency
    strategy: str
    params: StrategyParams
    seed: int
    start_ns: int = 0
    basis_bps_max: Decimal | None = None
    hysteresis_bps: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSteered:
    """An operator pauses, resumes or cancels a routed order with all its legs."""

    at_ns: int
    request_id: str
    route_id: str
    verb: BasketVerb


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAmended:
    """An operator changes a live routed order; None leaves a field as it is.

    `clear_limit_px` and `expected_version` are as for a parent order.
    """

    at_ns: int
    request_id: str
    route_id: str
    order_qty: Quantity | None = None
    limit_px: Price | None = None
    clear_limit_px: bool = False
    deadline_ns: int | None = None
    urgency: Urgency | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRequested:
    """An operator wants a parent to stop trading for now."""

    at_ns: int
    request_id: str
    parent_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequested:
    """An operator wants a paused parent to go on."""

    at_ns: int
    request_id: str
    parent_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendRequested:
    """An operator changes a live parent; None leaves a field as it is.

    `clear_limit_px` removes the limit price, since None cannot say so.
    `expected_version` refuses the change if the parent has changed since the caller looked.
    """

    at_ns: int
    request_id: str
    parent_id: str
    order_qty: Quantity | None
    limit_px: Price | None
    clear_limit_px: bool
    deadline_ns: int | None
    urgency: Urgency | None
    strategy: str | None
    params: StrategyParams | None
    expected_version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """An operator ends a parent."""

    at_ns: int
    request_id: str
    parent_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltRequested:
    """Somebody, or something, pulled the stop."""

    at_ns: int
    request_id: str
    operator: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RearmRequested:
    """A person clears the stop and says why."""

    at_ns: int
    request_id: str
    operator: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitTightened:
    """A person wants a limit tighter than it is; `value` is in the limit's own unit."""

    at_ns: int
    request_id: str
    operator: str
    reason: str
    limit: str
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsReleased:
    """A person lets go of everything that was tightened; comes before the `EngineStarted` whose limits then hold."""

    at_ns: int
    operator: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownRequested:
    """The process was asked to end: open nothing more and wind down by the policy."""

    at_ns: int
    policy: DrainPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAcked:
    """The venue took a create request for processing. Not yet an order in the book."""

    at_ns: int
    client_order_id: str
    venue_order_id: str
    sent_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejected:
    """The venue definitively refused the create request.

    `fatal` marks a cause that no other order would survive; `unfunded` one that no other order of this parent would:
    the account cannot pay for it.
    """

    at_ns: int
    client_order_id: str
    code: int
    text: str
    fatal: bool
    unfunded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOutcomeUnknown:
    """A create request was sent, or may have been, and nothing is proved about it."""

    at_ns: int
    client_order_id: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNotSent:
    """A create command was dropped before its first byte: the stop was pulled, or the process is ending."""

    at_ns: int
    client_order_id: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdated:
    """The state of an order by stream or query.

    Parameters
    ----------
    cum_qty
        Executed quantity by the venue's count; it may run ahead of the fills we have booked.
    updated_ms
        The venue's version of the order, to drop what is older than what we know.
    asked_ns
        When the reading began that showed it: by our clock, UTC nanoseconds; 0 from a stream, which answers nothing.
    """

    at_ns: int
    category: Category
    symbol: str
    client_order_id: str
    venue_order_id: str
    status: VenueStatus
    side: Side
    qty: Quantity
    px: Price
    cum_qty: Quantity
    updated_ms: int
    detail: str
    asked_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilled:
    """An execution by stream or query; may repeat, may be late, may come before anything else."""

    at_ns: int
    fill: Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAbsent:
    """One complete round of questions about an order was answered cleanly, and the order was nowhere.

    Its executions, if there are any, come before this event. `asked_ns` is when the round began: answers to
    questions asked too early prove nothing.
    """

    at_ns: int
    client_order_id: str
    asked_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderQueryFailed:
    """A question about an order could not be answered completely. Counts for nothing."""

    at_ns: int
    client_order_id: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgoOrdersSeen:
    """The venue says which orders a strategy order has made; their executions carry these ids and not ours."""

    at_ns: int
    client_order_id: str
    strategy_id: str
    venue_order_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAcked:
    """The venue took a cancel request for processing."""

    at_ns: int
    client_order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelFoundNothing:
    """The venue knows no open order to cancel. `asked_ns` is when the request was made."""

    at_ns: int
    client_order_id: str
    asked_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOutcomeUnknown:
    """A cancel request was not answered, or not clearly."""

    at_ns: int
    client_order_id: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceAcked:
    """The venue took an amend request for processing. The order still stands on its old terms, as far as is proved."""

    at_ns: int
    client_order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceRejected:
    """The venue definitively refused an amend request: the old terms stand.

    `gone` says that it knows no such open order.
    """

    at_ns: int
    client_order_id: str
    code: int
    text: str
    gone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceNotSent:
    """An amend command was dropped before its first byte."""

    at_ns: int
    client_order_id: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceOutcomeUnknown:
    """An amend request was sent, or may have been, and nothing is proved about it."""

    at_ns: int
    client_order_id: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionReport:
    """The venue's position in one instrument; signed, base units."""

    category: Category
    symbol: str
    position_idx: int
    qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionUpdated:
    """The venue's position as its stream tells it; a sign that a fill is on its way, or that somebody else trades."""

    at_ns: int
    report: PositionReport


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinBalance:
    """One coin of the wallet: the balance and what of it open spot orders hold back, coin units."""

    coin: str
    wallet_qty: Decimal
    locked_qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletUpdated:
    """What the venue says of the wallet; coins that are not named are unchanged."""

    at_ns: int
    balances: tuple[CoinBalance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """A complete read of the venue ended: every page of open orders, executions and positions was seen.

    The orders and executions themselves come before it as `OrderUpdated` and `OrderFilled`. `venue` is which was read;
    empty is Bybit.
    """

    at_ns: int
    category: Category
    asked_ns: int
    open_client_order_ids: tuple[str, ...]
    foreign_open_orders: int
    positions: tuple[PositionReport, ...]
    venue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileFailed:
    """A read of the venue was incomplete; nothing may be concluded from it. `venue` is which; empty is Bybit."""

    at_ns: int
    category: Category
    asked_ns: int
    detail: str
    venue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUnreadable:
    """Something about the account arrived that could not be read: what it said is not known.

    `venue` is whose account; empty is Bybit's.
    """

    at_ns: int
    category: Category
    detail: str
    venue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionUnexplained:
    """An execution that fills no order: liquidation, auto-deleveraging, delivery, or a type never seen.

    Parameters
    ----------
    fill
        What it did to the position, where its kind is known to move one and its numbers could be read.
    """

    at_ns: int
    category: Category
    symbol: str
    exec_id: str
    kind: str
    fill: Fill | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCharged:
    """Money moved by holding a position, without a trade: funding, settlement. It fills no order.

    Parameters
    ----------
    amount
        What we paid, negative for what we got; in the coin the contract settles in.
    px
        Price at which the venue reckoned, quote per base; zero if it names none.
    """

    at_ns: int
    category: Category
    symbol: str
    exec_id: str
    kind: str
    amount: Money
    px: Price
    ts_exchange_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceReceived:
    """A model answered. What it is worth is the engine's to say.

    Parameters
    ----------
    raw
        The reply as it came, at most a little more than is read of one.
    model, finish_reason, refusal
        As the server put them; empty where it said nothing.
    usage
        Tokens by the server's count; None if it did not tell.
    prompt_bytes
        Length of the question as it was sent, UTF-8.
    prompt_sha256
        Names the messages that were sent, see `executor.advice.prompt`: by it the recording's text is known to be the
        one that was asked.
    """

    at_ns: int
    parent_id: str
    decision_id: str
    raw: bytes
    model: str
    finish_reason: str
    refusal: str
    usage: Usage | None
    prompt_bytes: int
    latency_ns: int
    prompt_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceFailed:
    """A question has no answer, and will have none.

    Parameters
    ----------
    prompt_sha256
        As in `AdviceReceived`; empty where no question could be written.
    """

    at_ns: int
    parent_id: str
    decision_id: str
    failure: Failure
    detail: str
    latency_ns: int
    prompt_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsArrived:
    """Something was reported that a model may want to know; what it is, is told in the next question."""

    at_ns: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired:
    """A timer the engine set has come due."""

    at_ns: int
    key: str


Event = (
    EngineStarted
    | InstrumentLoaded
    | InstrumentMissing
    | BookUpdated
    | BookLost
    | StreamChanged
    | ReferenceUpdated
    | ContractUpdated
    | PositionsLiquidated
    | ExchangeFlowCounted
    | VenueRestricted
    | SentinelChanged
    | ParentSubmitted
    | BasketSubmitted
    | BasketSteered
    | RouteSubmitted
    | RouteSteered
    | RouteAmended
    | PauseRequested
    | ResumeRequested
    | AmendRequested
    | CancelRequested
    | HaltRequested
    | RearmRequested
    | ShutdownRequested
    | OrderAcked
    | OrderRejected
    | OrderOutcomeUnknown
    | OrderNotSent
    | OrderUpdated
    | OrderFilled
    | OrderAbsent
    | OrderQueryFailed
    | AlgoOrdersSeen
    | CancelAcked
    | CancelFoundNothing
    | CancelOutcomeUnknown
    | ReplaceAcked
    | ReplaceRejected
    | ReplaceNotSent
    | ReplaceOutcomeUnknown
    | PositionUpdated
    | WalletUpdated
    | Reconciled
    | ReconcileFailed
    | AccountUnreadable
    | ExecutionUnexplained
    | PaymentCharged
    | AdviceReceived
    | AdviceFailed
    | NewsArrived
    | TimerFired
    | LimitTightened
    | LimitsReleased
)
