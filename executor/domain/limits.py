"""Every safety limit of the executor, with its unit in its name. The gate (`risk.gate`) enforces them.

None means "no limit was given". Outside live mode the configuration fills the money limits with defaults;
in live mode a missing money limit refuses the start, so a None never reaches a live gate.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from executor.domain.units import ZERO, is_plain, plain

MONEY_LIMITS = (
    "child_notional_max",
    "position_notional_max",
    "open_notional_max",
    "day_notional_max",
    "day_loss_max",
)
JOINT_LIMITS = (
    "symbol_participation_pct_max",
    "symbol_net_notional_max",
    "parents_gross_notional_max",
    "parents_net_notional_max",
)
"""Limits over several parents; None is no such limit, beside all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits one incarnation of the engine runs under.

    Parameters
    ----------
    participation_pct_max
        Child quantity against the volume expected in one slice, per cent.
    child_notional_max
        Value of one child order, quote units.
    order_gap_s_min
        Time between two child orders of one parent, seconds.
    cross_spread_bps_max
        Widest spread at which an order may take liquidity, basis points.
    price_collar_bps_max
        Distance of a child's price from the current mid and from the five-minute mean of mids, basis points.
    reference_age_s_max
        Age of the book the collar is measured against, seconds.
    reference_gap_bps_max
        Distance between the mid and any second opinion (mark, index, other venues) above which nothing is opened,
        basis points.
    references_min
        Fresh second opinions needed to open anything.
    second_opinion_age_s_max
        Age at which a second opinion no longer counts, seconds.
    shortfall_alert_bps
        Running implementation shortfall at which people are alerted, basis points.
    volatility_hourly_pct_max
        Realised volatility per square root of an hour at which a parent is paused, per cent.
    advice_timeout_s_max
        Longest time one request for advice may take, seconds.
    orders_per_s_max, orders_per_min_max, orders_per_day_max
        Message budget of order creations over the account; cancels have their own lane.
    position_notional_max
        Absolute position of one instrument after the child, quote units.
    open_notional_max
        Value of all open and unproven child orders after the child, quote units.
    day_notional_max
        Value traded in the UTC day plus the child, quote units.
    day_loss_max
        Loss of the UTC day (fees included, positions marked at mid) at which opening stops, quote units.
    children_per_parent_max, children_per_hour_max
        Repeated automated executions before a person must re-arm.
    amplification_max
        Sum of all quantity ever ordered for a parent, as a multiple of its own quantity.
    symbol_participation_pct_max
        What all parents of a symbol have filled in five minutes, have open, and the child, against the volume expected
        in five minutes, per cent.
    symbol_net_notional_max
        Position of one symbol if all open parents of one side were filled and none of the other, quote units.
    parents_gross_notional_max
        Value of all that open parents could open, both sides together, quote units.
    parents_net_notional_max
        The same of one side alone, as if nothing of the other side were filled, quote units.
    """

    participation_pct_max: Decimal = Decimal(10)
    child_notional_max: Decimal | None = Decimal(100_000)
    order_gap_s_min: Decimal = Decimal(5)
    cross_spread_bps_max: Decimal = Decimal(20)
    price_collar_bps_max: Decimal = Decimal(100)
    reference_age_s_max: Decimal = Decimal(2)
    reference_gap_bps_max: Decimal = Decimal(200)
    references_min: int = 1
    second_opinion_age_s_max: Decimal = Decimal(10)
    shortfall_alert_bps: Decimal = Decimal(50)
    volatility_hourly_pct_max: Decimal = Decimal(5)
    advice_timeout_s_max: Decimal = Decimal(10)
    orders_per_s_max: int = 2
    orders_per_min_max: int = 20
    orders_per_day_max: int = 5_000
    position_notional_max: Decimal | None = Decimal(5_000_000)
    open_notional_max: Decimal | None = Decimal(500_000)
    day_notional_max: Decimal | None = Decimal(10_000_000)
    day_loss_max: Decimal | None = Decimal(50_000)
    children_per_parent_max: int = 1_000
    children_per_hour_max: int = 900
    amplification_max: Decimal = Decimal(20)
    symbol_participation_pct_max: Decimal | None = None
    symbol_net_notional_max: Decimal | None = None
    parents_gross_notional_max: Decimal | None = None
    parents_net_notional_max: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tightened:
    """A limit that a person tightened while the daemon ran; it holds until a person lets it go.

    Parameters
    ----------
    limit
        Its name, one of `Limits`.
    value
        What it was tightened to, in its own unit.
    before
        What it was then; None was no limit.
    at_ns
        When, UTC nanoseconds.
    """

    limit: str
    value: Decimal
    before: Decimal | None
    operator: str
    reason: str
    at_ns: int


def is_least(limit: str) -> bool:
    """Whether more of it is tighter: of what must be there at least. Of all others less is tighter."""
    return limit.endswith("_min")


def limit_of(limits: Limits, limit: str) -> Decimal | None:
    """Value of a limit by its name, in its own unit; None is no limit."""
    value: Decimal | int | None = getattr(limits, limit)
    return None if value is None else Decimal(value)


def why_not_tighter(limits: Limits, limit: str, wish: Decimal) -> str:
    """Why a limit may not be set to a value while the daemon runs; empty if that is tighter than what it is."""
    if limit not in Limits.__dataclass_fields__:
        return f"there is no limit {limit!r}"
    present = limit_of(limits, limit)
    if not is_plain(wish) or wish <= ZERO or (_is_whole(limit) and wish % 1):
        kind = "a whole number above zero" if _is_whole(limit) else "a number above zero"
        return f"{limit} is {kind}, and {wish} is none"
    if present is None or wish == present:
        return ""
    if (wish > present) is is_least(limit):
        return ""
    direction = "at least" if is_least(limit) else "at most"
    return f"{limit} is {plain(present)} ({direction}), and {plain(wish)} would loosen it"


def tightest(limits: Limits, tightened: Iterable[Tightened]) -> Limits:
    """Limits with what was tightened, wherever that is the tighter of the two."""
    for each in tightened:
        if not why_not_tighter(limits, each.limit, each.value):
            values = {name: getattr(limits, name) for name in Limits.__dataclass_fields__}
            values[each.limit] = int(each.value) if _is_whole(each.limit) else each.value
            limits = Limits(**values)
    return limits


def _is_whole(limit: str) -> bool:
    return isinstance(getattr(_USUAL, limit), int)


_USUAL = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """How long the engine waits for the venue before it asks again, and before it believes in absence.

    Parameters
    ----------
    recv_window_ms
        Age at which the venue refuses a request; bounds how late an unanswered one can still be accepted.
    absence_margin_s
        Time added to the window before an empty answer counts as evidence, seconds.
    absence_rounds
        Complete empty answers needed.
    query_gap_s
        Time between two questions about one order, seconds.
    confirm_s
        Time after an acknowledgement within which the order stream must show the order, seconds.
    recancel_s
        Time after which an unproven cancel is sent again, seconds.
    reconcile_s
        Time between two complete reconciliations, seconds.
    residual_window_s
        Time after the deadline in which the residual rule CROSS may still trade, seconds.
    refusal_wait_s
        Time after a refusal of the gate before the planner asks again, seconds.
    volatility_warmup_s
        Observation time before the volatility and the volume estimate count as known, seconds.
    """

    recv_window_ms: int = 5_000
    absence_margin_s: int = 15
    absence_rounds: int = 3
    query_gap_s: int = 2
    confirm_s: int = 3
    recancel_s: int = 3
    reconcile_s: int = 30
    residual_window_s: int = 30
    refusal_wait_s: int = 1
    volatility_warmup_s: int = 10
