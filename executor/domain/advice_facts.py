"""What the engine knows when it asks a model: the facts of a question, as records.

The engine fills them; nothing else can get into this part of a question. How they are written is the business of
`executor.advice.facts`, which names every key, so that what is not meant for a model's eyes never reaches one.
"""

from dataclasses import dataclass
from decimal import Decimal

from executor.domain.advice import Action, AdviceOutcome
from executor.domain.orders import Category, Side, Urgency
from executor.domain.units import ZERO, Price, Quantity, is_sound


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """The parent order that is being worked.

    Parameters
    ----------
    order_qty, cum_qty, leaves_qty
        Ordered, filled, and still to do; base units (contracts of one quote unit for inverse).
    deadline_ns, duration_ns
        What is left until the deadline, and the whole working interval; nanoseconds. A deadline gone by is negative.
    decision_px, limit_px
        Price at the client's decision and the worst price allowed, quote per base; None if there is none.
    """

    symbol: str
    category: Category
    side: Side
    order_qty: Quantity
    cum_qty: Quantity
    leaves_qty: Quantity
    deadline_ns: int
    duration_ns: int
    decision_px: Price | None
    limit_px: Price | None
    strategy: str
    urgency: Urgency


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressFacts:
    """How far the order is, and at what price.

    Parameters
    ----------
    executed_pct, elapsed_pct
        Filled part of the order and gone part of the duration, per cent.
    ahead_pct
        Filled minus scheduled quantity, per cent of the ordered; negative is behind.
    avg_px, twap_px
        Mean price of the fills, and time-weighted mid since the start, quote per base.
    shortfall_bps, vs_twap_bps
        Cost of the fills against the decision price and against `twap_px`; positive is money lost, either side.
    slice_qty
        Quantity of the schedule's slice in force, base units.
    slices_left
        Slices not yet over, that one included.
    working_qty
        Quantity of ours that rests or is on its way, base units.
    """

    executed_pct: Decimal
    elapsed_pct: Decimal
    ahead_pct: Decimal
    avg_px: Decimal | None
    shortfall_bps: Decimal | None
    twap_px: Decimal | None
    vs_twap_bps: Decimal | None
    slice_qty: Quantity
    slices_left: int
    working_qty: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFacts:
    """The touch of the book and the engine's running estimates.

    Parameters
    ----------
    volatility_hourly_pct
        Standard deviation of the mid's return over an hour, per cent.
    volume_per_min_qty
        Mean traded quantity per minute, base units.
    mean_px_5min
        Exponential mean of the mids with a half-life of five minutes, quote per base.
    regime
        One word for the state of the market, from a closed list of the engine's.
    """

    mid_px: Price
    spread_bps: Decimal
    best_bid: Price
    best_bid_qty: Quantity
    best_ask: Price
    best_ask_qty: Quantity
    volatility_hourly_pct: Decimal | None
    volume_per_min_qty: Decimal | None
    mean_px_5min: Decimal | None
    regime: str

    def __post_init__(self) -> None:
        """Refuse a market without a price: nobody can be asked about it."""
        if not is_sound(self.mid_px) or self.mid_px <= ZERO:
            raise ValueError(f"a market with the mid {self.mid_px}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BandFacts:
    """What advice may change, told so that nothing is proposed in vain; code holds it, not the model."""

    rate_min: Decimal
    rate_max: Decimal
    slice_times_max: Decimal
    ahead_pct_max: Decimal
    behind_pct_max: Decimal
    wait_s_max: int
    confidence_min: Decimal
    strategies: tuple[str, ...]
    cancel_allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactFacts:
    """Expected cost of what is left at the schedule's pace and its likely range, basis points of its value."""

    estimate_bps: Decimal | None = None
    low_bps: Decimal | None = None
    high_bps: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDecision:
    """An earlier question of the same parent, and what happened since.

    Parameters
    ----------
    action, confidence
        What was advised; None when there was no usable reply.
    outcome
        What became of it.
    filled_pct_since
        Filled since then, per cent of the ordered quantity.
    mid_moved_bps
        Move of the mid since then, basis points; positive is up.
    """

    decision_id: str
    action: Action | None
    confidence: Decimal | None
    outcome: AdviceOutcome
    filled_pct_since: Decimal | None
    mid_moved_bps: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceFacts:
    """Everything the engine says in one question.

    Parameters
    ----------
    decision_id
        Names this question; a reply must repeat it.
    parent_id, parent_version
        Which parent, as amended how often; for `alike`, not shown to the model.
    recent_decisions
        Oldest first; only the last few are shown.
    """

    decision_id: str
    parent_id: str
    parent_version: int
    order: OrderFacts
    progress: ProgressFacts
    market: MarketFacts
    band: BandFacts
    impact: ImpactFacts
    recent_decisions: tuple[PastDecision, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far two snapshots may be apart and still be alike.

    Parameters
    ----------
    mid_bps_max, spread_bps_max
        Move of the mid relative to the old one, and change of the spread; basis points.
    progress_pct_max
        Change of what is filled, of the time gone, and of what is ahead of schedule; per cent of the whole.
    """

    mid_bps_max: Decimal = Decimal(10)
    spread_bps_max: Decimal = Decimal(5)
    progress_pct_max: Decimal = Decimal(5)
