"""Orders of ours that the journal does not know: it was restored from a backup that is older than they are.

Their ids tell of which parents they were. How much they did in all nobody can say here, only what was found of it; so a
parent that has had such a fill does not go on with a rest that is too large, and its number is given to no other. One
that is still open stops everything, and is cancelled until it is not shown any more.
"""

from typing import Final

from executor.domain.commands import AlertCode, CancelOrder, Severity
from executor.domain.events import OrderUpdated, VenueStatus
from executor.domain.fills import Fill
from executor.domain.orders import order_numbers
from executor.domain.parent_state import ParentStatus, Reason
from executor.engine.desk import Desk
from executor.engine.halt import halt
from executor.engine.state import EngineState, ParentState, RouteState

_RULES: Final = 2
ORDERS_RULES: Final = 3
"""From this generation on orders that are not known are looked at, and not their fills alone."""
_OPEN: Final = frozenset({VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED})


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
    for route in _routes_of(state, fill):
        _end_route(desk, route)


def take_order(desk: Desk, event: OrderUpdated) -> ParentState | None:
    """Stop for an open order that is not known, and cancel it; gives the parent that it was of, if that was at work.

    Nothing watches over the cancel: as long as the order is open every complete read shows it, and it comes by here.
    """
    state, name = desk.state, event.client_order_id
    numbers = order_numbers(state.instance, name)
    if numbers is None or state.rules < ORDERS_RULES or event.status not in _OPEN:
        return None
    state.next_parent_no = max(state.next_parent_no, numbers[0] + 1)
    parent = _parent_of(state, name)
    detail = f"{name} is open at the venue, {event.side.name} {event.qty} {event.symbol} @ {event.px}, and not known"
    desk.alert(
        Severity.CRITICAL, AlertCode.ORDER_CONFLICT, "" if parent is None else f"P{numbers[0]}", detail
    )
    halt(desk, Reason.ORDER_CONFLICT, detail)
    desk.out.append(CancelOrder(category=event.category, symbol=event.symbol, client_order_id=name))
    for route in _routes_of(state, event):
        _end_route(desk, route)
    if parent is None or parent.is_final:
        return None
    give_up(desk, parent)
    return parent


def give_up(desk: Desk, parent: ParentState) -> None:
    """End a parent that had orders which are not known: its journal is older than they are."""
    if not parent.is_final and parent.goal is None:
        _cancel(desk, parent)


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


def _routes_of(state: EngineState, found: Fill | OrderUpdated) -> list[RouteState]:
    """Routed orders at work that an order was of, or may have been of.

    A parent that was forgotten with it says nothing of its routed order, which begins new ones whenever a leg is
    granted something again: any that trades there on that side may be it.
    """
    parent = _parent_of(state, found.client_order_id)
    routes = [route for name in state.open_routes if (route := state.routes[name]).goal is None]
    if parent is not None:
        return [route for route in routes if route.order.route_id == parent.route_id]
    if state.rules < ORDERS_RULES:
        return []
    place = (found.category, found.symbol)
    return [
        route
        for route in routes
        if route.order.side is found.side
        and any((leg.leg.category, leg.leg.symbol) == place for leg in route.legs)
    ]


def _end_route(desk: Desk, route: RouteState) -> None:
    route.goal, route.goal_reason = ParentStatus.CANCELED, Reason.LOST_FILL
    route.version += 1
    for name in desk.state.open_parents:
        if desk.state.parents[name].route_id == route.order.route_id:
            _cancel(desk, desk.state.parents[name])


def _cancel(desk: Desk, parent: ParentState) -> None:
    parent.goal, parent.goal_reason = ParentStatus.CANCELED, Reason.LOST_FILL
    parent.version += 1
    desk.parents[parent.order.parent_id] = None
