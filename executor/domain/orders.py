"""Orders: the client's instruction (parent) and what we send for it (child).

Words are FIX's where FIX has one. A side is a sign, not a branch.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Final

from executor.domain.units import ONE, ZERO, Price, Quantity, is_plain
from executor.domain.volume_curve import SessionWeights, VolumeCurve

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

    def __init__(self, sign: int) -> None:
        """Keep +1 for a buy, -1 for a sell, where every decision reads it."""
        self.sign: Final = sign


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


class Peg(StrEnum):
    """What the price of a pegged order hangs on: the own side's best price, the middle, or the other side's best."""

    TOUCH = "touch"
    MID = "mid"
    FAR = "far"


class GiveUp(StrEnum):
    """What an order does that may not follow the market any further."""

    WAIT = "wait"
    CROSS = "cross"


RANDOMIZE_PCT_MAX = 50
PARTICIPATION_BOUNDS = (Decimal("0.001"), Decimal("0.9"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyParams:
    """Choices of a strategy (see `strategies`); who reads which of them: `strategies/reads.py`.

    None leaves a choice to the strategy's usual; a strategy that does not read it is never given it.

    Parameters
    ----------
    interval_s
        Length of one slice, seconds.
    randomize_size_pct
        Largest deviation of a slice's size, per cent of its usual size, 0-50.
    randomize_timing_pct
        Largest deviation of a slice's start, per cent of its length, 0-50.
    catch_up
        Whether quantity missed in earlier slices is added to later ones.
    catch_up_max
        Cap of one slice with catch-up, as a multiple of its own size, >= 1.
    passiveness
        Share of a slice spent resting at the touch before crossing, 0-1; None lets the urgency choose.
    reprice_ticks
        How far the touch must move away before a resting order follows it, ticks.
    participation
        Share of the market's volume that the order aims at, own trades included, 0.001-0.9.
    participation_max
        Share of the market's volume since the order began that its own trades may not exceed, 0.001-0.9.
    display_qty
        Most that is shown at a time, base units.
    display_randomize_pct
        Largest deviation of a shown quantity from `display_qty`, per cent, 0-50.
    peg
        What a pegged price hangs on: touch, mid, or far.
    peg_offset_ticks
        By how many ticks it is more passive than that.
    reprices_max
        How often an order may follow a market that runs away.
    chase_bps_max
        How far from the mid at the start an order may follow the market, basis points.
    give_up
        What it does after that: wait, or cross.
    trigger_px
        Best price of the other side that triggers it, or a better one.
    trigger_qty
        Quantity at the best price of the other side that triggers it.
    risk_aversion
        Lambda of the arrival-price trajectory, 1 / quote unit.
    curve
        How the week's volume usually spreads over its hours.
    session_weights
        How much more, or less, of the volume of each session is wanted.
    wrappers
        Signals that hold the strategy back or hurry it, by name, inner first.
    """

    interval_s: int = 60
    randomize_size_pct: int = 0
    randomize_timing_pct: int = 0
    catch_up: bool = True
    catch_up_max: Decimal = Decimal(2)
    passiveness: Decimal | None = None
    reprice_ticks: int = 1
    participation: Decimal | None = None
    participation_max: Decimal | None = None
    display_qty: Quantity | None = None
    display_randomize_pct: int | None = None
    peg: Peg | None = None
    peg_offset_ticks: int | None = None
    reprices_max: int | None = None
    chase_bps_max: Decimal | None = None
    give_up: GiveUp | None = None
    trigger_px: Price | None = None
    trigger_qty: Quantity | None = None
    risk_aversion: Decimal | None = None
    curve: VolumeCurve | None = None
    session_weights: SessionWeights | None = None
    wrappers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse choices that mean nothing."""
        _whole("interval_s", self.interval_s, low=1)
        for name in ("randomize_size_pct", "randomize_timing_pct", "display_randomize_pct"):
            _whole(name, getattr(self, name), high=RANDOMIZE_PCT_MAX)
        for name in ("reprice_ticks", "peg_offset_ticks", "reprices_max"):
            _whole(name, getattr(self, name))
        _number("catch_up_max", self.catch_up_max, low=ONE)
        _number("passiveness", self.passiveness, low=ZERO, high=ONE)
        for name in ("participation", "participation_max"):
            _number(name, getattr(self, name), low=PARTICIPATION_BOUNDS[0], high=PARTICIPATION_BOUNDS[1])
        for name in ("display_qty", "chase_bps_max", "trigger_px", "trigger_qty", "risk_aversion"):
            _number(name, getattr(self, name), above_zero=True)


def _whole(name: str, value: int | None, *, low: int = 0, high: int | None = None) -> None:
    if value is not None and (value < low or (high is not None and value > high)):
        raise ValueError(
            f"{name} must be at least {low}{'' if high is None else f' and at most {high}'}, got {value}"
        )


def _number(
    name: str,
    value: Decimal | None,
    *,
    low: Decimal = ZERO,
    high: Decimal | None = None,
    above_zero: bool = False,
) -> None:
    if value is None:
        return
    beyond = high is not None and is_plain(value) and value > high
    if not is_plain(value) or value < low or beyond or (above_zero and value == ZERO):
        span = "above 0" if above_zero else f"{low} at least" if high is None else f"within {low} and {high}"
        raise ValueError(f"{name} must be a plain number, {span}, got {value}")


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


def order_numbers(instance: str, name: str) -> tuple[int, int] | None:
    """Read parent and child number out of an id that an instance has given; None for an id of another making."""
    rest = name.removeprefix(f"{instance}-")
    parent, dash, child = rest.partition("-")
    if rest == name or not dash or len(name) > CLIENT_ORDER_ID_LEN_MAX:
        return None
    if not parent or not child or set(parent + child) - set(_DIGITS):
        return None
    return int(parent, len(_DIGITS)), int(child, len(_DIGITS))
