"""Strategy orders as the venue keeps them: what was asked for, what became of it, and the orders it made."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from typing import Final

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.instruments import Instrument
from sandbox.bybit_server.orders import Order, Status, Trigger

TWAP: Final = "twap"
CHASE: Final = "chaseOrder"
ICEBERG: Final = "iceberg"
POV: Final = "pov"
CREATE_TYPES: Final = {
    TWAP: "CreateByTWAP",
    ICEBERG: "CreateByIceBerg",
    CHASE: "CreateByChaseOrder",
    POV: "CreateByPOV",
}
"""The words for chase and POV are not documented; the other two are."""


class State(IntEnum):
    """Statuses of a strategy on the wire. The venue alone pauses (5); nothing here does."""

    RUNNING = 2
    TERMINATED = 3
    UNTRIGGERED = 6


OPEN_STATES: Final = frozenset({State.RUNNING, State.UNTRIGGERED})


class Ended(IntEnum):
    """Why a strategy ended (``terminateType``)."""

    NOT = 0
    BY_USER = 1
    NORMALLY = 2
    NO_BALANCE = 3
    NOTHING_TO_REDUCE = 7
    FAILURES_IN_ROW = 14
    REACHED_LIMIT_PRICE = 24
    POV_DURATION = 27
    POV_QTY = 28
    POV_FAILURES = 29
    POV_ONE_TIME = 30


REMARKS: Final = {
    Ended.NOT: "",
    Ended.BY_USER: "UserStop",
    Ended.NORMALLY: "RunningStop",
    Ended.NO_BALANCE: "InsufficientBalance",
    Ended.NOTHING_TO_REDUCE: "NoPosition",
    Ended.FAILURES_IN_ROW: "ConsecutiveFailures",
    Ended.REACHED_LIMIT_PRICE: "ReachedLimitPrice",
    Ended.POV_DURATION: "MaxDuration",
    Ended.POV_QTY: "MaxQty",
    Ended.POV_FAILURES: "ConsecutiveFailures",
    Ended.POV_ONE_TIME: "OneTime",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a create request asks for. Prices are quote per base, times seconds; None where nothing was said.

    Parameters
    ----------
    distance
        How far from the best price limit orders are put; ``None`` for market orders (TWAP) or the best price itself.
    distance_e4
        The same in units of 1/10000 of the price.
    takes
        Whether an iceberg hits the other side (``chaseDistance`` -1).
    limit_px
        Fixed price of an iceberg's orders.
    guard_px
        ``maxChasePrice``.
    """

    kind: str
    instrument: Instrument
    side: Side
    size: Decimal
    reduce_only: bool
    position_idx: int
    duration_s: int = 0
    interval_s: int = 0
    is_random: bool = False
    trigger: Trigger | None = None
    guard_px: Decimal | None = None
    distance: Decimal | None = None
    distance_e4: int | None = None
    takes: bool = False
    post_only: bool = False
    limit_px: Decimal | None = None
    sub_qty: Decimal = ZERO
    mode: str = ""
    rate_pct: Decimal = ZERO
    window_s: int = 0
    depth: int = 0


@dataclass(slots=True, kw_only=True)
class SubOrder:
    """One order of a strategy; one that was refused has no order, and an id all the same."""

    order_id: str
    qty: Decimal
    created_ms: int
    order: Order | None = None
    retry_of: str = ""
    code: int = 0
    text: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it can still be filled."""
        return self.order is not None and self.order.is_open

    @property
    def cum_qty(self) -> Decimal:
        """What of it was filled."""
        return ZERO if self.order is None else self.order.cum_qty

    @property
    def status(self) -> int:
        """The word for it in ``order-list``."""
        if self.order is None:
            return 3
        match self.order.status:
            case Status.PARTIALLY_FILLED:
                return 4
            case Status.FILLED:
                return 5
            case Status.REJECTED:
                return 6
            case _:
                return 2 if self.order.is_open else 7


@dataclass(slots=True, kw_only=True, eq=False)
class Strategy:
    """One strategy order at work, or ended.

    Parameters
    ----------
    plan
        Quantities still to be sent by a TWAP, in order.
    next_ns
        When something is due next, on the monotonic clock; nanoseconds.
    end_ns
        When the time of a TWAP or a POV is over, on the monotonic clock.
    failures
        Orders that failed in a row.
    """

    strategy_id: str
    uid: int
    wish: Wish
    state: State
    created_ms: int
    updated_ms: int
    next_ns: int
    end_ns: int = 0
    started_ms: int = 0
    ended_ms: int = 0
    ended: Ended = Ended.NOT
    plan: list[Decimal] = field(default_factory=list)
    orders: list[SubOrder] = field(default_factory=list)
    failures: int = 0
    retried: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it may still send orders."""
        return self.state in OPEN_STATES

    @property
    def cum_qty(self) -> Decimal:
        """What all its orders have filled."""
        return sum((each.cum_qty for each in self.orders), ZERO)

    @property
    def cum_value(self) -> Decimal:
        """What those fills were worth, in settle coin."""
        return sum((each.order.cum_value for each in self.orders if each.order is not None), ZERO)

    @property
    def leaves_qty(self) -> Decimal:
        """What of its size is not filled."""
        return self.wish.size - self.cum_qty

    @property
    def working(self) -> SubOrder | None:
        """Its last order, if that is open."""
        return self.orders[-1] if self.orders and self.orders[-1].is_open else None
