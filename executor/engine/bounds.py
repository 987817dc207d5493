"""What advice can do to a parent at most, said before anybody is asked about it."""

from typing import Final

from executor.advice.worst_case import path_length_bps, worst_case
from executor.domain.advice_terms import AdviserTerms
from executor.domain.commands import AlertCode, Severity
from executor.domain.timeline import NS_PER_S
from executor.domain.units import plain
from executor.engine.desk import Desk
from executor.engine.markets import market_of, volatility_pct
from executor.engine.state import ParentState
from strategies.placement import CROSS_CAP_BPS

_STEP_S_MIN: Final = 1


def bound(desk: Desk, parent: ParentState) -> None:
    """Reckon the worst case of a schedule that was just made, and tell it; an advised parent's only.

    It is measured against that schedule. Where advice may switch the schedule it moves the measure itself, by as much
    as the schedules differ, and the new one has a worst case of its own, which is told then.
    """
    advice, terms, schedule = parent.advice, desk.state.adviser, parent.schedule
    if advice is None or terms is None or schedule is None or not schedule.slices:
        return
    volatility = volatility_pct(desk.state, market_of(desk, parent))
    path_bps = None
    if volatility is not None:
        duration_ns = schedule.slices[-1].end_ns - schedule.slices[0].start_ns
        path_bps = path_length_bps(volatility, duration_ns, _step_s(terms) * NS_PER_S)
    worst = worst_case(
        terms.band,
        parent.order,
        schedule,
        spread_bps=desk.state.limits.cross_spread_bps_max,
        cross_cap_bps=CROSS_CAP_BPS,
        path_bps=path_bps,
        bill_max=terms.caps.parent_cost_max,
    )
    advice.bounded_ns = desk.now_ns
    desk.parents[parent.order.parent_id] = None
    if worst == advice.worst:
        return
    advice.bounds_before += advice.worst is not None
    advice.worst = worst
    timing = "without bound" if worst.timing_bps is None else f"{worst.timing_bps:.1f} bps"
    detail = (
        f"at most, by the plan just made, advice brings it {worst.ahead_pct:.1f} % ahead of its schedule or"
        f" {worst.behind_pct:.1f} % behind, one slice included, does {plain(worst.participation_times)} times a slice,"
        f" costs {worst.crossing_bps:.1f} bps by crossing, {timing} by timing, and {plain(worst.bill_max)} US dollars"
        " of answers"
    )
    if terms.band.strategies or terms.fallback:
        detail += "; a switch moves the schedule itself, and has bounds of its own"
    desk.alert(Severity.INFO, AlertCode.ADVICE_BOUNDED, parent.order.parent_id, detail)


def _step_s(terms: AdviserTerms) -> int:
    """Least time in which advice can turn from early to late, seconds."""
    return max(terms.min_gap_s, _STEP_S_MIN)
