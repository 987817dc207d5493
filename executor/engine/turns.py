"""Whose turn it is where the orders of a second or a minute do not suffice for everybody.

Parents that had to wait stand in a queue: those whose deadline is near before those behind their plan, or without an
order for a minute, before all others, and among equals whoever has not ordered for longest. A parent may order if
enough of the budget is left for all who stand before it, and half of it is kept for those near their deadline as long
as there are any. The gate knows nothing of this: it counts, and refuses what is too much.
"""

from bisect import bisect_right
from typing import Final

from executor.domain.orders import ResidualRule
from executor.domain.parent_state import ParentStatus
from executor.domain.timeline import NS_PER_MIN, NS_PER_S
from executor.domain.units import ZERO
from executor.engine.state import EngineState, ParentState
from risk.refusals import RefusalCode

NEAR_NS: Final = NS_PER_MIN
"""A deadline so far away, or past, is near: what does not leave now may never leave."""
BUDGET_CODES: Final = frozenset({RefusalCode.ORDERS_PER_SECOND, RefusalCode.ORDERS_PER_MINUTE})
_RULES: Final = 1
_NEAR, _BEHIND, _ON_PLAN = range(3)
_WORKING: Final = (ParentStatus.ACTIVE, ParentStatus.EXECUTING)


def are_shared(state: EngineState) -> bool:
    """Whether orders are shared in turn: in older journals they were not."""
    return state.rules >= _RULES


def turn_ns(state: EngineState, parent: ParentState, *, amends: bool = False) -> int:
    """When a parent may order for all that others want; an instant that has passed if it may at once.

    Parameters
    ----------
    amends
        Whether it only changes what is at work: that waits for all who want to send something new, a minute at most;
        then it has its turn like they have.
    """
    if not are_shared(state):
        return 0
    mine = _rank(state, parent)
    waits_for_all = amends and not has_waited(state, parent)
    queued = [one for one in (state.parents[name] for name in state.queued) if one is not parent]
    before = [one for one in queued if _is_working(one) and (waits_for_all or _rank(state, one) < mine)]
    near = 0 if mine[0] == _NEAR else _near_ones(state, parent)
    far = sum(not _is_near(state, one) for one in before) if near else 0
    # Half is kept for those near their deadline. Of a single order nothing can be: the queue alone decides.
    asked = [
        (span_ns, most, far + most // 2 if near and most > 1 else len(before))
        for span_ns, most in _windows(state)
    ]
    return max((_free_ns(state, *one) for one in asked if one[2]), default=0)


def room_ns(state: EngineState) -> int:
    """When there is room for one order, whoever may want it."""
    return max(_free_ns(state, span_ns, most, 0) for span_ns, most in _windows(state))


def has_waited(state: EngineState, parent: ParentState) -> bool:
    """Whether a parent has not ordered for a minute: it counts as behind then, whatever it wants."""
    return are_shared(state) and state.now_ns - (parent.last_order_ns or parent.started_ns) >= NEAR_NS


def join(state: EngineState, parent: ParentState) -> None:
    """Let a parent stand in the queue; it stands there once, and who no longer works leaves it."""
    if not are_shared(state):
        return
    name = parent.order.parent_id
    kept = [one for one in state.queued if one != name and _is_working(state.parents[one])]
    state.queued = [*kept, name]


def leave(state: EngineState, parent: ParentState) -> None:
    """Let a parent that orders, or wants nothing, leave the queue."""
    if parent.order.parent_id in state.queued:
        state.queued.remove(parent.order.parent_id)


def _rank(state: EngineState, parent: ParentState) -> tuple[int, int, int]:
    """Sorts parents by who comes first."""
    lags = _is_behind(state, parent) or has_waited(state, parent)
    need = _NEAR if _is_near(state, parent) else _BEHIND if lags else _ON_PLAN
    return need, parent.last_order_ns, parent.order.parent_no


def _is_near(state: EngineState, parent: ParentState) -> bool:
    left_ns = parent.order.deadline_ns - state.now_ns
    return left_ns <= NEAR_NS and (left_ns > 0 or parent.order.residual is ResidualRule.CROSS)


def _is_behind(state: EngineState, parent: ParentState) -> bool:
    """Whether less is filled than was planned up to the slice that is in force."""
    schedule = parent.schedule
    index = -1 if schedule is None else schedule.slice_at(state.now_ns)
    if schedule is None or index < 0:
        return False
    piece = schedule.slices[index]
    return parent.cum_qty < piece.target_qty - piece.qty


def _near_ones(state: EngineState, parent: ParentState) -> int:
    """How many others are near their deadline and have something left."""
    return sum(
        _is_near(state, other)
        and other is not parent
        and _is_working(other)
        and other.order.order_qty - other.cum_qty > ZERO
        for other in (state.parents[name] for name in state.open_parents)
    )


def _is_working(parent: ParentState) -> bool:
    return parent.status in _WORKING and parent.goal is None


def _windows(state: EngineState) -> tuple[tuple[int, int], ...]:
    limits = state.limits
    return (NS_PER_S, limits.orders_per_s_max), (NS_PER_MIN, limits.orders_per_min_max)


def _free_ns(state: EngineState, span_ns: int, most: int, others: int) -> int:
    """When there is room in a span for one order more than others may want; 0 if there is now."""
    times = state.order_times_ns
    recent = times[bisect_right(times, state.now_ns - span_ns) :]
    too_many = len(recent) + others + 1 - most
    if too_many <= 0:
        return 0
    return (recent[too_many - 1] if too_many <= len(recent) else state.now_ns) + span_ns
