"""The most that advice can do to an order, in numbers that are known before anybody is asked."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from executor.advice.band import ahead_qty_max, behind_qty_max, catch_up_times
from executor.domain.advice_terms import Band
from executor.domain.decision import Schedule
from executor.domain.orders import ParentOrder
from executor.domain.timeline import NS_PER_HOUR
from executor.domain.units import ZERO, Bps, Money

_PCT: Final = Decimal(100)
_BPS_PER_PCT: Final = Decimal(100)
_MEAN_OF_NORMAL: Final = Decimal("0.797884560802865356")
"""Mean absolute value of a standard normal variable, sqrt(2 / pi)."""
_KEPT: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switching:
    """Bounds that hold whatever else the schedule is switched to, and however often; measured against the one in force.

    Parameters
    ----------
    moved_pct
        Furthest that the pro-rata quantity of a later schedule can be from that of this one at the same instant, per
        cent of the parent; zero where nothing may switch it.
    ahead_pct, behind_pct
        Furthest that what is filled and ordered can be from this schedule, per cent of the parent.
    slice_pct
        Most that can be done in one slice, per cent of the parent.
    timing_bps
        Extra cost, or gain, of trading earlier or later than this schedule, of the parent's value; None: no bound.
    """

    moved_pct: Decimal
    ahead_pct: Decimal
    behind_pct: Decimal
    slice_pct: Decimal
    timing_bps: Bps | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstCase:
    """Bounds that hold whatever is advised, and however often.

    Parameters
    ----------
    ahead_pct, behind_pct
        Furthest that what is filled and ordered can be from the schedule's pro-rata quantity, per cent of the parent,
        as long as that schedule is in force.
    participation_times
        Most that can be done in one slice, a multiple of the slice's quantity.
    complete_ns
        When the schedule, and with it the advised order, is over, UTC.
    crossing_bps
        Extra cost of taking all liquidity instead of making it, of the traded value; what a venue charges a taker more
        than a maker comes on top of it.
    timing_bps
        Extra cost, or gain, of trading earlier or later, of the parent's value; None if nothing is known of the
        price's path, so that it has no bound. As long as that schedule is in force.
    switching
        The same with every switch of the schedule that may come.
    bill_max
        Most that the answers may cost, US dollars.
    may_cancel
        Whether advice can end the order; if not, it can pause it until a person looks at it. Either is the one
        way in which advice can keep an order from being done.
    """

    ahead_pct: Decimal
    behind_pct: Decimal
    participation_times: Decimal
    complete_ns: int
    crossing_bps: Bps
    timing_bps: Bps | None
    switching: Switching
    bill_max: Money
    may_cancel: bool


def worst_case(
    band: Band,
    order: ParentOrder,
    schedule: Schedule,
    *,
    least_qty: Decimal,
    switchable: bool,
    kept: bool = True,
    spread_bps: Decimal,
    cross_cap_bps: Decimal,
    path_bps: Decimal | None,
    bill_max: Money,
) -> WorstCase:
    """Bound what any sequence of advice can do, with S(t) the schedule's pro-rata quantity and Q the parent's.

    Ahead. In a slice that ends at E the strategy wants S(E) + o - filled, and o <= ahead_max. As S(E) <= S(t) + slice,
    filled and ordered <= S(t) + ahead_max + slice. Filled quantity does not fall and S(t) does not either, so it stays
    true when the directive is gone.

    Behind. What slows an order down holds only while it is at most behind_max behind S(t), and o >= -behind_max; else
    the strategy wants at least S(t) - behind_max - filled, or as much as one slice may do, which is at least the
    slice. So filled and ordered >= S(t) - behind_max - slice, as long as what is ordered gets filled. What does not get
    filled is the market's doing: it is behind the schedule without advice, too.

    Participation. What is done in a slice stays below slice_times_max times its quantity, or below what the schedule
    alone would do (its own catching up).

    Completion. With m = catch-up multiple, the slices after i can make up C_i = (m - 1)(S(end) - S(E_i)). Advice can
    leave at most C_i undone in slice i, by induction: what was undone before was at most C_(i-1), and a slice
    that runs into its cap makes up (m - 1) times its own quantity, which is C_(i-1) - C_i. After the last slice C = 0.

    Switching. All this is measured against the schedule in force. A new one starts where the old one is, except that a
    lag which its slices could not make up is left to the past: at most half a slice for each switch.

    Cost. Taking instead of making costs at most the spread (from one touch to the other) and what a crossing order may
    walk through the book beyond the touch; the difference of the fees comes on top, for the engine is told no rates.
    Trading x(t) instead of s(t) costs the integral of (x - s) dp, at most the largest |x - s| times the length of the
    price's path (what it moved up plus what it moved down).

    Parameters
    ----------
    least_qty
        B: filled quantity that neither this schedule nor a later one starts below, base units.
    switchable
        Whether anything may put another schedule in the place of this one (`may_switch`).
    kept
        Whether the order keeps to its schedule when nobody advises it. One that follows the market's volume, waits for
        a price, or is held by a signal may be anywhere on its way, so that only what is left bounds it.
    spread_bps
        Widest spread at which an order may cross, basis points of the mid.
    cross_cap_bps
        How far beyond the far touch a crossing order may trade, basis points.
    path_bps
        Length of the price's path to reckon with, basis points (`path_length_bps`); None if it is not known.
    bill_max
        Cap on what answers about this parent may cost, US dollars.

    Raises
    ------
    ValueError
        If the schedule has no slices: then nothing is traded and there is nothing to bound.
    """
    if not schedule.slices:
        raise ValueError(f"{order.parent_id}: a schedule without slices")
    slice_qty = max(piece.qty for piece in schedule.slices) if kept else order.order_qty - least_qty
    left_pct = (order.order_qty - least_qty) / order.order_qty * _PCT
    ahead_pct = min((ahead_qty_max(band, order) + slice_qty) / order.order_qty * _PCT, left_pct)
    behind_pct = min((behind_qty_max(band, order) + slice_qty) / order.order_qty * _PCT, left_pct)
    times = max(band.slice_times_max, catch_up_times(order))
    slice_pct = min(times * slice_qty / order.order_qty * _PCT, left_pct)
    return WorstCase(
        ahead_pct=ahead_pct,
        behind_pct=behind_pct,
        participation_times=times,
        complete_ns=schedule.slices[-1].end_ns,
        crossing_bps=Bps(spread_bps + cross_cap_bps),
        timing_bps=_timing_bps(max(ahead_pct, behind_pct), path_bps),
        switching=Switching(
            moved_pct=left_pct if switchable else ZERO,
            ahead_pct=left_pct if switchable else ahead_pct,
            behind_pct=left_pct if switchable else behind_pct,
            slice_pct=left_pct if switchable else slice_pct,
            timing_bps=_timing_bps(left_pct if switchable else max(ahead_pct, behind_pct), path_bps),
        ),
        bill_max=bill_max,
        may_cancel=band.cancel_allowed,
    )


def may_switch(band: Band, strategy: str, *, switches: int, others: Iterable[str]) -> bool:
    """Whether the schedule of an order may still be switched, by advice or by anything else.

    Parameters
    ----------
    strategy
        Name of the schedule in force.
    switches
        How often advice has switched it.
    others
        Schedules that may take over without further advice: the fallback, one that was advised and has not begun; empty
        names are none.
    """
    advised = band.strategies if switches < band.switches_max else ()
    return any(name not in {"", strategy} for name in (*advised, *others))


def _timing_bps(off_pct: Decimal, path_bps: Decimal | None) -> Bps | None:
    """Most that it can cost to be that far off a schedule while the price goes its way."""
    return None if path_bps is None else Bps(off_pct / _PCT * path_bps)


def path_length_bps(volatility_hourly_pct: Decimal, duration_ns: int, step_ns: int) -> Bps:
    """Expected length of a price's path, seen in steps: what it moves up plus what it moves down.

    Over a step of length d a price that wanders with the volatility sigma moves by sigma sqrt(d) sqrt(2/pi) on average
    (the mean absolute value of a normal variable). T / d steps are in a duration T, so the length is

        sigma sqrt(T) sqrt(T / d) sqrt(2/pi)

    It grows without bound with ever smaller steps, so the step must be one that matters: advice cannot turn from early
    to late in less than the least time between two questions. It is an expectation, not a bound: a price that jumps
    goes further.

    Parameters
    ----------
    volatility_hourly_pct
        Standard deviation of the return over an hour, per cent.
    """
    hours = Decimal(duration_ns) / NS_PER_HOUR
    steps = max(Decimal(duration_ns) / step_ns, Decimal(1))
    length = volatility_hourly_pct * _BPS_PER_PCT * _MEAN_OF_NORMAL * (hours * steps).sqrt()
    return Bps(length.quantize(_KEPT))
