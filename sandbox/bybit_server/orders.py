"""A client's order and execution as the venue keeps them, with the venue's own status words."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from sandbox.bybit_server.book import Side, TimeInForce
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.instruments import Instrument


class Status(StrEnum):
    """Order statuses of the wire (spot alone has its own word for a partial fill that was cancelled)."""

    NEW = "New"
    PARTIALLY_FILLED = "PartiallyFilled"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    PARTIALLY_FILLED_CANCELED = "PartiallyFilledCanceled"
    REJECTED = "Rejected"


OPEN_STATUSES = frozenset({Status.NEW, Status.PARTIALLY_FILLED})


class CancelType(StrEnum):
    """Who cancelled."""

    UNKNOWN = "UNKNOWN"
    BY_USER = "CancelByUser"
    BY_REDUCE_ONLY = "CancelByReduceOnly"
    BY_ADMIN = "CancelByAdmin"
    BY_DCP = "CancelByDCP"


class RejectReason(StrEnum):
    """Why the matching engine did what the client may not have expected."""

    NO_ERROR = "EC_NoError"
    PER_CANCEL_REQUEST = "EC_PerCancelRequest"
    POST_ONLY_WILL_TAKE = "EC_PostOnlyWillTakeLiquidity"
    NO_IMMEDIATE_QTY = "EC_NoImmediateQtyToFill"
    NOT_ENOUGH_QTY = "EC_NoEnoughQtyToFill"
    NO_FULL_FILL = "EC_CancelForNoFullFill"
    OTHERS = "EC_Others"


@dataclass(slots=True, kw_only=True, eq=False)
class Order:
    """One client order.

    ``lots`` is the total in steps of base coin; for a spot market buy by value ``qty`` is the quote amount and
    ``lots`` what that amount could buy on arrival.
    """

    order_id: str
    link_id: str
    uid: int
    instrument: Instrument
    side: Side
    order_type: str
    tif: TimeInForce
    px: Decimal
    qty: Decimal
    lots: int
    reduce_only: bool
    close_on_trigger: bool
    market_unit: str
    smp_type: str
    created_ms: int
    updated_ms: int
    last_px_on_created: Decimal
    seq: int
    status: Status = Status.NEW
    cancel_type: CancelType = CancelType.UNKNOWN
    reject_reason: RejectReason = RejectReason.NO_ERROR
    cum_lots: int = 0
    cum_value: Decimal = ZERO
    closed_pnl: Decimal = ZERO
    fees: dict[str, Decimal] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        return self.status in OPEN_STATUSES

    @property
    def by_value(self) -> bool:
        """Whether ``qty`` is an amount of quote coin."""
        return self.market_unit == "quoteCoin"

    @property
    def leaves_lots(self) -> int:
        """Lots that can still trade; none once the order has ended."""
        return self.lots - self.cum_lots if self.is_open else 0

    @property
    def cum_qty(self) -> Decimal:
        """Base quantity filled so far."""
        return self.instrument.qty(self.cum_lots)

    @property
    def leaves_qty(self) -> Decimal:
        """Base quantity that can still trade."""
        return self.instrument.qty(self.leaves_lots)

    @property
    def avg_px(self) -> Decimal | None:
        """Mean fill price, or None before the first fill."""
        return self.cum_value / self.cum_qty if self.cum_lots else None

    def fill(self, lots: int, value: Decimal, coin: str, fee: Decimal, at_ms: int) -> None:
        """Count one execution."""
        assert 0 < lots <= self.lots - self.cum_lots
        self.cum_lots += lots
        self.cum_value += value
        self.fees[coin] = self.fees.get(coin, ZERO) + fee
        # An order by value is full only when its whole amount is spent: the usual crumb left over is not.
        is_full = self.cum_value == self.qty if self.by_value else self.cum_lots == self.lots
        self.status = Status.FILLED if is_full else Status.PARTIALLY_FILLED
        self.updated_ms = at_ms

    def end(self, cancel_type: CancelType, reason: RejectReason, at_ms: int) -> None:
        """End the order before it is filled."""
        assert self.is_open
        partly_on_spot = self.instrument.is_spot and self.cum_lots > 0
        self.status = Status.PARTIALLY_FILLED_CANCELED if partly_on_spot else Status.CANCELLED
        self.cancel_type = cancel_type
        self.reject_reason = reason
        self.updated_ms = at_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One fill of one client order. ``fee`` is a cost when positive, in ``fee_coin``."""

    exec_id: str
    order: Order
    px: Decimal
    qty: Decimal
    leaves_qty: Decimal
    fee: Decimal
    fee_coin: str
    fee_rate: Decimal
    is_maker: bool
    closed_qty: Decimal
    pnl: Decimal
    mark_px: Decimal
    time_ms: int
    seq: int

    @property
    def value(self) -> Decimal:
        """Quote value of the fill."""
        return self.px * self.qty
