"""Orders of ours that the journal does not know: it was restored from a backup that is older than they are.

Their ids tell of which parents they were. How much they did in all nobody can say here, only what was found of it; so a
parent that has had such a fill does not go on with a rest that is too large, and its number is given to no other.
"""

from typing import Final

from executor.domain.fills import Fill
from executor.domain.orders import order_numbers
from executor.domain.parent_state import ParentStatus, Reason
from executor.engine.desk import Desk
from executor.engine.state import EngineState, ParentState

_RULES: Final = 2


def take_in(desk: Desk, fill: Fill) -> None:
    """Draw the consequences that cannot wait for a person.

    The number of a forgotten parent is skipped, since ids are used once. A routed order gives no more to anybody: its
    other legs are in markets that are not blocked, and would be granted what this fill has done.
    """
    state = desk.state
    numbers = order_numbers(state.instance, fill.client_order_id)
    if numbers is None or state.rules < _RULES:
        return
    state.next_parent_no = max(state.next_parent_no, numbers[0] + 1)
    parent = _parent_of(state, fill.client_order_id)
    route = None if parent is None else state.routes.get(parent.route_id)
    if parent is None or route is None or route.is_final or route.goal is not None:
        return
    route.goal, route.goal_reason = ParentStatus.CANCELED, Reason.LOST_FILL
    route.version += 1
    for name in state.open_parents:
        if state.parents[name].route_id == parent.route_id:
            _cancel(desk, state.parents[name])


def end_incomplete(desk: Desk) -> list[str]:
    """Cancel every open parent that had a fill of an unknown order of its own; says which, for people."""
    state, told = desk.state, []
    if state.rules < _RULES:
        return []
    for orphan in state.orphans:
        parent = _parent_of(state, orphan.client_order_id)
        if parent is not None and not parent.is_final and parent.goal is None:
            _cancel(desk, parent)
            name = parent.order.parent_id
            told.append(f"{name} is being cancelled, its order {orphan.client_order_id} is not known")
    return told


def _parent_of(state: EngineState, client_order_id: str) -> ParentState | None:
    numbers = order_numbers(state.instance, client_order_id)
    return None if numbers is None else state.parents.get(f"P{numbers[0]}")


def _cancel(desk: Desk, parent: ParentState) -> None:
    parent.goal, parent.goal_reason = ParentStatus.CANCELED, Reason.LOST_FILL
    parent.version += 1
    desk.parents[parent.order.parent_id] = None
