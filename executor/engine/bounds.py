"""What advice can do to a parent at most, said before anybody is asked about it."""

from typing import Final

from executor.advice.worst_case import WorstCase, may_switch, path_length_bps, worst_case
from executor.domain.advice_terms import AdviserTerms
from executor.domain.commands import AlertCode, Severity
from executor.domain.decision import Schedule
from executor.domain.orders import ParentOrder
from executor.domain.timeline import NS_PER_S
from executor.domain.units import Bps, Quantity, plain
from executor.engine.desk import Desk
from executor.engine.markets import market_of, volatility_pct
from executor.engine.state import EngineState, MarketState, ParentState
from strategies.base import keeps_schedule
from strategies.placement import CROSS_CAP_BPS

_STEP_S_MIN: Final = 1


def bound(desk: Desk, parent: ParentState) -> None:
    """Reckon the worst case of the schedule in force, and tell it where it is another; an advised parent's only.

    It is for a schedule that was just made, and after a start with other terms or limits; before any question by them.
    It is measured against that schedule, and says as well how far a switch to another can lead from it. A schedule that
    was switched to has tight bounds of its own, which are told then.
    """
    advice, terms, schedule = parent.advice, desk.state.adviser, parent.schedule
    if advice is None or terms is None or schedule is None or not schedule.slices:
        return
    market = market_of(desk, parent)
    assert market.instrument is not None
    worst = worst_of(
        desk.state,
        terms,
        market,
        parent.order,
        schedule,
        least_qty=market.instrument.round_qty(Quantity(min(parent.cum_qty, schedule.base_qty))),
        switches=advice.switches,
        next_schedule=advice.switch_to,
    )
    advice.bounded_ns = desk.now_ns
    desk.parents[parent.order.parent_id] = None
    if worst == advice.worst:
        return
    advice.bounds_before += advice.worst is not None
    advice.worst = worst
    desk.alert(Severity.INFO, AlertCode.ADVICE_BOUNDED, parent.order.parent_id, _in_words(worst))


def worst_of(
    state: EngineState,
    terms: AdviserTerms,
    market: MarketState,
    order: ParentOrder,
    schedule: Schedule,
    *,
    least_qty: Quantity,
    switches: int = 0,
    next_schedule: str = "",
) -> WorstCase:
    """Reckon what advice can do at most to an order by a schedule, as the market is now.

    Parameters
    ----------
    least_qty
        Filled quantity that no schedule of it starts below, base units.
    switches, next_schedule
        How often advice has switched the schedule, and one that was advised and has not begun; empty is none.
    """
    volatility = volatility_pct(state, market)
    path_bps = None
    if volatility is not None:
        duration_ns = schedule.slices[-1].end_ns - schedule.slices[0].start_ns
        path_bps = path_length_bps(volatility, duration_ns, _step_s(terms) * NS_PER_S)
    return worst_case(
        terms.band,
        order,
        schedule,
        least_qty=least_qty,
        switchable=may_switch(
            terms.band, order.strategy, switches=switches, others=(terms.fallback, next_schedule)
        ),
        kept=keeps_schedule(order),
        spread_bps=state.limits.cross_spread_bps_max,
        cross_cap_bps=CROSS_CAP_BPS,
        path_bps=path_bps,
        bill_max=terms.caps.parent_cost_max,
    )


def _in_words(worst: WorstCase) -> str:
    """All bounds in one sentence."""
    switching = worst.switching
    switched = (
        f"by switching the schedule, which keeps its end, it moves that by up to {switching.moved_pct:.1f} % of the"
        f" order: then it is at most {switching.ahead_pct:.1f} % ahead of the plan in force or"
        f" {switching.behind_pct:.1f} % behind, does at most {switching.slice_pct:.1f} % of the order in one slice, and"
        f" costs {_bps(switching.timing_bps)} by timing"
        if switching.moved_pct
        else "nothing may switch the schedule"
    )
    return (
        f"at most, by the plan in force, advice brings it {worst.ahead_pct:.1f} % ahead of its schedule or"
        f" {worst.behind_pct:.1f} % behind, one slice included, does {plain(worst.participation_times)} times a slice,"
        f" costs {_bps(worst.crossing_bps)} by crossing, {_bps(worst.timing_bps)} by timing, and"
        f" {plain(worst.bill_max)} US dollars of answers; {switched}"
    )


def _bps(cost: Bps | None) -> str:
    return "without bound" if cost is None else f"{cost:.1f} bps"


def _step_s(terms: AdviserTerms) -> int:
    """Least time in which advice can turn from early to late, seconds."""
    return max(terms.min_gap_s, _STEP_S_MIN)
