"""A client's order and execution as the venue keeps them, with the venue's own status words."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from sandbox.bybit_server.book import Side, TimeInForce
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.instruments import Instrument
from sandbox.bybit_server.positions import Closing

TRADE: Final = "Trade"


class Status(StrEnum):
    """Order statuses of the wire (spot alone has its own word for a partial fill that was cancelled)."""

    UNTRIGGERED = "Untriggered"
    TRIGGERED = "Triggered"
    NEW = "New"
    PARTIALLY_FILLED = "PartiallyFilled"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    PARTIALLY_FILLED_CANCELED = "PartiallyFilledCanceled"
    DEACTIVATED = "Deactivated"
    REJECTED = "Rejected"


WAITING_STATUSES = frozenset({Status.UNTRIGGERED, Status.TRIGGERED})
WORKING_STATUSES = frozenset({Status.NEW, Status.PARTIALLY_FILLED})
OPEN_STATUSES = WAITING_STATUSES | WORKING_STATUSES


class CancelType(StrEnum):
    """Who cancelled."""

    UNKNOWN = "UNKNOWN"
    BY_USER = "CancelByUser"
    BY_REDUCE_ONLY = "CancelByReduceOnly"
    BY_PREPARE_LIQ = "CancelByPrepareLiq"
    ALL_BEFORE_LIQ = "CancelAllBeforeLiq"
    BY_PREPARE_ADL = "CancelByPrepareAdl"
    ALL_BEFORE_ADL = "CancelAllBeforeAdl"
    BY_ADMIN = "CancelByAdmin"
    BY_SETTLE = "CancelBySettle"
    BY_TP_SL_TS_CLEAR = "CancelByTpSlTsClear"
    BY_SMP = "CancelBySmp"
    BY_DCP = "CancelByDCP"
    BY_REBALANCE = "CancelByRebalance"


class RejectReason(StrEnum):
    """Why the matching engine did what the client may not have expected."""

    NO_ERROR = "EC_NoError"
    PER_CANCEL_REQUEST = "EC_PerCancelRequest"
    POST_ONLY_WILL_TAKE = "EC_PostOnlyWillTakeLiquidity"
    NO_IMMEDIATE_QTY = "EC_NoImmediateQtyToFill"
    NOT_ENOUGH_QTY = "EC_NoEnoughQtyToFill"
    NO_FULL_FILL = "EC_CancelForNoFullFill"
    BY_SELF_MATCH = "EC_BySelfMatch"
    REACH_RISK_PRICE_LIMIT = "EC_ReachRiskPriceLimit"
    INVALID_SYMBOL_STATUS = "EC_InvalidSymbolStatus"
    IN_CALL_AUCTION_STATUS = "EC_InCallAuctionStatus"
    DUPLICATED_LINK_ID = "EC_DuplicatedClOrdID"
    INVALID_QTY = "EC_EcInvalidQty"
    OTHERS = "EC_Others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """When a conditional order wakes: the price ``by`` which source, reached by a rise or a fall."""

    px: Decimal
    rises: bool
    by: str = "LastPrice"

    def is_met(self, px: Decimal) -> bool:
        """Tell whether a price of the source wakes the order."""
        return px >= self.px if self.rises else px <= self.px


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """Take-profit and stop-loss prices to put on a position; None where there is none."""

    take_profit_px: Decimal | None = None
    stop_loss_px: Decimal | None = None
    take_profit_by: str = "LastPrice"
    stop_loss_by: str = "LastPrice"


@dataclass(frozen=True, slots=True)
class SlippageTolerance:
    """How far from the best price a market order may go: ``TickSize`` or ``Percent``, and how many."""

    kind: str
    text: str
    amount: Decimal


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
    created_ms: int
    updated_ms: int
    last_px_on_created: Decimal
    seq: int
    reduce_only: bool = False
    close_on_trigger: bool = False
    market_unit: str = ""
    smp_type: str = "None"
    smp_order_id: str = ""
    position_idx: int = 0
    create_type: str = "CreateByUser"
    stop_order_type: str = ""
    order_filter: str = "Order"
    place_type: str = ""
    trigger: Trigger | None = None
    stops: Stops | None = None
    slippage: SlippageTolerance | None = None
    status: Status = Status.NEW
    cancel_type: CancelType = CancelType.UNKNOWN
    reject_reason: RejectReason = RejectReason.NO_ERROR
    cum_lots: int = 0
    cum_value: Decimal = ZERO
    closed_pnl: Decimal = ZERO
    fees: dict[str, Decimal] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    views: list[tuple[int, JsonObject]] = field(default_factory=list)
    worth: tuple[int, Decimal, Decimal] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        return self.status in OPEN_STATUSES

    @property
    def is_working(self) -> bool:
        """Whether it can trade without being triggered first."""
        return self.status in WORKING_STATUSES

    @property
    def is_market(self) -> bool:
        """Whether its price is the venue's protection price."""
        return self.order_type == "Market"

    @property
    def closes_position(self) -> bool:
        """Whether it is the take-profit or stop-loss of a position."""
        return self.stop_order_type in {"TakeProfit", "StopLoss"}

    @property
    def by_value(self) -> bool:
        """Whether ``qty`` is an amount of quote coin."""
        return self.market_unit == "quoteCoin"

    @property
    def leaves_lots(self) -> int:
        """Lots that can still trade; none once the order has ended."""
        return max(0, self.lots - self.cum_lots) if self.is_open else 0

    @property
    def cum_qty(self) -> Decimal:
        """Base quantity filled so far."""
        return self.instrument.qty(self.cum_lots)

    @property
    def leaves_qty(self) -> Decimal:
        """Base quantity that can still trade."""
        return self.instrument.qty(self.leaves_lots)

    @property
    def leaves_value(self) -> Decimal:
        """Value of what can still trade, in settle coin, at the order's price.

        Remembered for the price and the lots it was worked out for: an account's margin asks for it of every
        open order, at every change of any of them.
        """
        lots = self.leaves_lots
        if not lots or not self.px:
            return ZERO
        if self.worth is None or self.worth[0] != lots or self.worth[1] is not self.px:
            self.worth = (lots, self.px, self.instrument.value(self.px, self.instrument.qty(lots)))
        return self.worth[2]

    @property
    def avg_px(self) -> Decimal | None:
        """Mean fill price, or None before the first fill."""
        if not self.cum_lots or not self.cum_value:
            return None
        if self.instrument.is_inverse:
            return self.cum_qty / self.cum_value
        return self.cum_value / self.cum_qty

    def fill(
        self, lots: int, value: Decimal, coin: str, fee: Decimal, at_ms: int, *, beyond: bool = False
    ) -> None:
        """Count one execution; only a venue gone wrong goes ``beyond`` the order's quantity."""
        assert lots > 0
        assert beyond or lots <= self.lots - self.cum_lots
        self.cum_lots += lots
        self.cum_value += value
        self.fees[coin] = self.fees.get(coin, ZERO) + fee
        self.updated_ms = at_ms
        if not self.is_open:
            return
        # An order by value is full only when its whole amount is spent: the usual crumb left over is not.
        is_full = self.cum_value == self.qty if self.by_value else self.cum_lots >= self.lots
        self.status = Status.FILLED if is_full else Status.PARTIALLY_FILLED

    def end(self, cancel_type: CancelType, reason: RejectReason, at_ms: int) -> None:
        """End the order before it is filled; on spot one that never woke has a word of its own."""
        assert self.is_open
        if self.instrument.is_spot and self.status is Status.UNTRIGGERED:
            self.status = Status.DEACTIVATED
        elif self.instrument.is_spot and self.cum_lots > 0:
            self.status = Status.PARTIALLY_FILLED_CANCELED
        else:
            self.status = Status.CANCELLED
        self.cancel_type = cancel_type
        self.reject_reason = reason
        self.updated_ms = at_ms

    def reject(self, reason: RejectReason, at_ms: int) -> None:
        """Refuse the order after it was acknowledged."""
        assert self.is_open
        self.status = Status.REJECTED
        self.reject_reason = reason
        self.updated_ms = at_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class CashMove:
    """One change of one coin's wallet balance, and the balance after it."""

    coin: str
    amount: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One fill of one client order, or a payment. ``fee`` is a cost when positive, in ``fee_coin``."""

    exec_id: str
    order: Order
    px: Decimal
    qty: Decimal
    value: Decimal
    leaves_qty: Decimal
    fee: Decimal
    fee_coin: str
    fee_rate: Decimal
    is_maker: bool
    closing: Closing
    mark_px: Decimal
    time_ms: int
    seq: int
    kind: str = TRADE
    cash: tuple[CashMove, ...] = ()
    position_size: Decimal = ZERO

    @property
    def pnl(self) -> Decimal:
        """Profit that the fill realised, before its fee."""
        return self.closing.pnl
