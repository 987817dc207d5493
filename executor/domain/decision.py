"""What a strategy is shown and what it answers.

A strategy says what should be working now. It never sends anything, and it does not know how an order
reaches the venue; the planner makes its wish so.
"""

from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter

from executor.domain.algo import AlgoTerms
from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot
from executor.domain.orders import ParentOrder
from executor.domain.signals import NO_SIGNALS, Signals
from executor.domain.units import ONE, ZERO, Price, Quantity

_START_NS = attrgetter("start_ns")


class Style(StrEnum):
    """How quantity should be working."""

    REST = "REST"
    CROSS = "CROSS"
    WAIT = "WAIT"


class Why(StrEnum):
    """Reason of a decision; also the answer to "why does nothing happen?"."""

    SLICE_RESTING = "SLICE_RESTING"
    SLICE_CROSSING = "SLICE_CROSSING"
    RESIDUAL_CROSSING = "RESIDUAL_CROSSING"
    SPREAD_WIDE = "SPREAD_WIDE"
    BEFORE_START = "BEFORE_START"
    ON_SCHEDULE = "ON_SCHEDULE"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    LIMIT_PRICE = "LIMIT_PRICE"
    PRICE_BAND = "PRICE_BAND"
    AFTER_END = "AFTER_END"
    ADVICE_WAIT = "ADVICE_WAIT"
    PARTICIPATION_MAX = "PARTICIPATION_MAX"
    VOLUME_UNKNOWN = "VOLUME_UNKNOWN"
    NO_TRIGGER = "NO_TRIGGER"
    TRIGGERED = "TRIGGERED"
    DISPLAY_RESTING = "DISPLAY_RESTING"
    PEG_RESTING = "PEG_RESTING"
    CHASE_OVER = "CHASE_OVER"
    VENUE_WORKS = "VENUE_WORKS"
    TIME_TOO_SHORT = "TIME_TOO_SHORT"
    FLOW_ADVERSE = "FLOW_ADVERSE"
    FLOW_FAVORABLE = "FLOW_FAVORABLE"
    SPREAD_UNUSUAL = "SPREAD_UNUSUAL"
    DEPTH_THIN = "DEPTH_THIN"
    QUEUE_NEAR = "QUEUE_NEAR"
    FUNDING = "FUNDING"
    LIQUIDATIONS = "LIQUIDATIONS"
    OPEN_INTEREST = "OPEN_INTEREST"
    EXCHANGE_FLOW = "EXCHANGE_FLOW"
    SESSION = "SESSION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One piece of a schedule.

    Parameters
    ----------
    qty
        What the slice is meant to do, base units.
    target_qty
        Filled quantity the parent should have at the slice's end, base units.
    """

    start_ns: int
    end_ns: int
    qty: Quantity
    target_qty: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A plan: slices in time order whose quantities sum exactly to what the plan covers.

    Parameters
    ----------
    base_qty
        Filled quantity of the parent when the plan was made; the plan covers the rest.
    asked
        Slices that the parameters asked for, before pieces below the venue's minimum were merged.
    """

    base_qty: Quantity
    slices: tuple[Slice, ...]
    asked: int

    def slice_at(self, at_ns: int) -> int:
        """Index of the slice in force; -1 before the first."""
        return bisect_right(self.slices, at_ns, key=_START_NS) - 1

    def pro_rata_qty(self, at_ns: int) -> Quantity:
        """Filled quantity of a perfectly even execution at this instant, for progress and deviation."""
        index = self.slice_at(at_ns)
        if index < 0:
            return self.base_qty
        piece = self.slices[index]
        if at_ns >= piece.end_ns:
            return piece.target_qty
        share = Decimal(at_ns - piece.start_ns) / (piece.end_ns - piece.start_ns)
        return Quantity(piece.target_qty - piece.qty * (ONE - share))


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """The child order at work for this parent, as far as a strategy may know it.

    Parameters
    ----------
    queue_ahead_qty
        At most how much rests before it at its price, base units: an estimate, None where there is none.
    """

    style: Style
    px: Price
    leaves_qty: Quantity
    queue_ahead_qty: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that a strategy may know when it decides.

    Parameters
    ----------
    slice_base_qty
        Filled quantity of the parent when the slice in force began.
    cross_spread_bps_max
        Spread above which crossing will be refused, basis points.
    price_collar_bps_max
        Distance from the mid beyond which any price will be refused, basis points.
    market_qty
        Public volume since the parent began, own trades included, base units; None while it is not known. The parent's
        own share of it is `cum_qty`.
    plan_market_qty, slice_market_qty, last_slice_market_qty
        The same since the plan in force was made and since the slice in force began, and of the slice before it (zero
        where that was not worked right before).
    arrival_px
        Mid when the parent began, quote per base.
    reprices
        How often an order of the parent has followed a market that ran away.
    signals
        What else is known about the market.
    """

    now_ns: int
    order: ParentOrder
    instrument: Instrument
    market: MarketSnapshot
    schedule: Schedule
    cum_qty: Quantity
    slice_base_qty: Quantity
    working: Working | None
    cross_spread_bps_max: Decimal
    price_collar_bps_max: Decimal
    market_qty: Quantity | None = None
    plan_market_qty: Quantity | None = None
    slice_market_qty: Quantity | None = None
    last_slice_market_qty: Quantity | None = None
    arrival_px: Price | None = None
    reprices: int = 0
    signals: Signals = NO_SIGNALS

    @property
    def leaves_qty(self) -> Quantity:
        """What is left of the parent."""
        return Quantity(max(self.order.order_qty - self.cum_qty, ZERO))

    def as_if_filled(self, cum_qty: Quantity) -> "View":
        """The same moment with another filled quantity. Spelled out: `replace` takes as long as half a decision."""
        return View(
            now_ns=self.now_ns,
            order=self.order,
            instrument=self.instrument,
            market=self.market,
            schedule=self.schedule,
            cum_qty=cum_qty,
            slice_base_qty=self.slice_base_qty,
            working=self.working,
            cross_spread_bps_max=self.cross_spread_bps_max,
            price_collar_bps_max=self.price_collar_bps_max,
            market_qty=self.market_qty,
            plan_market_qty=self.plan_market_qty,
            slice_market_qty=self.slice_market_qty,
            last_slice_market_qty=self.last_slice_market_qty,
            arrival_px=self.arrival_px,
            reprices=self.reprices,
            signals=self.signals,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What should be working from now on, and when to ask again.

    Parameters
    ----------
    qty
        Quantity that should be open at the venue now (not a total), base units; zero for WAIT.
    px
        Limit price; None for WAIT.
    wake_ns
        Latest instant at which the strategy wants to be asked again.
    algo
        How the venue is to work the quantity by itself; None for an order of ours. `px` is then its worst price.
    """

    style: Style
    qty: Quantity
    px: Price | None
    why: Why
    wake_ns: int
    algo: AlgoTerms | None = None
