"""Orders: the client's instruction (parent) and what we send for it (child).

Words are FIX's where FIX has one. A side is a sign, not a branch.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, StrEnum

from executor.domain.units import Price, Quantity

CLIENT_ORDER_ID_LEN_MAX = 36
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Category(StrEnum):
    """Bybit's product families; a symbol is unique only within one."""

    LINEAR = "linear"
    INVERSE = "inverse"
    SPOT = "spot"


class Side(IntEnum):
    """Direction of an order; the value is its sign."""

    BUY = 1
    SELL = -1

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return int(self)


class TimeInForce(StrEnum):
    """The two ways this executor places a limit order."""

    POST_ONLY = "PostOnly"
    IOC = "IOC"


class Liquidity(StrEnum):
    """Which side of the trade waited."""

    MAKER = "MAKER"
    TAKER = "TAKER"


class ResidualRule(StrEnum):
    """What happens to the quantity that is unfilled at the deadline; the client must choose."""

    CROSS = "cross"
    LEAVE = "leave"
    EXTEND = "extend"


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyParams:
    """Choices of a strategy (see `strategies`).

    Parameters
    ----------
    interval_s
        Length of one slice, seconds.
    randomize_size_pct, randomize_timing_pct
        Largest deviation of a slice's size and of its start, per cent of the even value, 0-50.
    catch_up
        Whether quantity missed in earlier slices is added to later ones.
    catch_up_max
        Cap of one slice with catch-up, as a multiple of its own size, >= 1.
    passiveness
        Share of a slice spent resting at the touch before crossing, 0-1; None lets the urgency choose.
    reprice_ticks
        How far the touch must move away before a resting order follows it, ticks.
    """

    interval_s: int = 60
    randomize_size_pct: int = 0
    randomize_timing_pct: int = 0
    catch_up: bool = True
    catch_up_max: Decimal = Decimal(2)
    passiveness: Decimal | None = None
    reprice_ticks: int = 1


class Urgency(StrEnum):
    """How soon a slice stops resting and crosses; used where `passiveness` is not given."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentOrder:
    """The client's instruction, as accepted or as last amended.

    Parameters
    ----------
    order_qty
        Total to trade, base units, a whole number of steps.
    limit_px
        Worst price the parent may ever trade at; None for no limit.
    start_ns, deadline_ns
        The working interval, UTC.
    extend_s
        Longest extension past the deadline; used by `ResidualRule.EXTEND` only.
    decision_px
        Price at which the client decided, for the cost report; None means the mid at acceptance.
    seed
        Root of all randomness of this parent.
    """

    parent_id: str
    parent_no: int
    category: Category
    symbol: str
    side: Side
    order_qty: Quantity
    limit_px: Price | None
    start_ns: int
    deadline_ns: int
    residual: ResidualRule
    extend_s: int
    urgency: Urgency
    strategy: str
    params: StrategyParams
    reduce_only: bool
    position_idx: int
    decision_px: Price | None
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """A limit order as it would leave: everything the venue needs and everything the gate checks."""

    client_order_id: str
    parent_id: str
    category: Category
    symbol: str
    side: Side
    qty: Quantity
    px: Price
    time_in_force: TimeInForce
    reduce_only: bool
    position_idx: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an amendment can change of an order: its total quantity and its limit price."""

    qty: Quantity
    px: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """New terms of a working order as they would leave.

    Parameters
    ----------
    qty
        New total quantity, what is filled included; base units (contracts of one quote unit for inverse).
    px
        New limit price.
    """

    client_order_id: str
    parent_id: str
    category: Category
    symbol: str
    side: Side
    qty: Quantity
    px: Price

    @property
    def terms(self) -> Terms:
        """The new quantity and price."""
        return Terms(qty=self.qty, px=self.px)


def base36(number: int) -> str:
    """Write a non-negative integer in digits and lower-case letters."""
    if number < 0:
        raise ValueError(f"base36 takes a non-negative integer, got {number}")
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
        if not number:
            return text


def client_order_id(instance: str, parent_no: int, child_no: int) -> str:
    """Name a child order: a pure function of who, for which parent, and the how-manieth.

    Raises
    ------
    ValueError
        If the result would exceed the venue's 36 characters.
    """
    text = f"{instance}-{base36(parent_no)}-{base36(child_no)}"
    if len(text) > CLIENT_ORDER_ID_LEN_MAX:
        raise ValueError(f"client order id longer than {CLIENT_ORDER_ID_LEN_MAX} characters: {text}")
    return text
