"""The legs of a routed order: what each has filled, may still fill and is granted, and the plan of its part.

Everything here is derived from the parents of the legs. The quantity of such a parent is its grant: all grants together
never exceed the routed order, and what a leg may still fill is always within its own.
"""

from decimal import Decimal

from executor.domain.decision import Schedule, Slice
from executor.domain.errors import InvariantViolation
from executor.domain.units import ZERO, Quantity
from executor.engine.state import EngineState, LegState, ParentState, RouteState, reserved_qty


def leg_parents(state: EngineState, leg: LegState) -> list[ParentState]:
    """The parents of a leg, oldest first."""
    return [state.parents[name] for name in leg.parents]


def open_parent(state: EngineState, leg: LegState) -> ParentState | None:
    """The parent of a leg that has not ended; None if there is none."""
    if not leg.parents:
        return None
    last = state.parents[leg.parents[-1]]
    return None if last.is_final else last


def leg_cum_qty(state: EngineState, leg: LegState) -> Decimal:
    """What a leg has filled, base units."""
    return sum((parent.cum_qty for parent in leg_parents(state, leg)), ZERO)


def doubtful_qty(state: EngineState, parent: ParentState) -> Decimal:
    """What of a parent may still fill, base units: a refused order, too, until the venue was asked once more."""
    asked = state.children[parent.unread].order.qty if parent.unread else ZERO
    return reserved_qty(state, parent) + asked


def leg_worst_qty(state: EngineState, leg: LegState) -> Decimal:
    """What a leg has filled and what of it may still fill, base units."""
    return sum((parent.cum_qty + doubtful_qty(state, parent) for parent in leg_parents(state, leg)), ZERO)


def leg_granted_qty(state: EngineState, leg: LegState) -> Decimal:
    """What a leg may fill at most, base units.

    A parent that works may fill what it is granted; one that has ended, or is ending, sends nothing any more: what it
    has filled, and what is not proved finished.
    """
    total = ZERO
    for parent in leg_parents(state, leg):
        worst = parent.cum_qty + doubtful_qty(state, parent)
        ends = parent.is_final or parent.goal is not None
        total += worst if ends else max(parent.order.order_qty, worst)
    return total


def route_cum_qty(state: EngineState, route: RouteState) -> Decimal:
    """What all legs have filled, base units."""
    return sum((leg_cum_qty(state, leg) for leg in route.legs), ZERO)


def route_worst_qty(state: EngineState, route: RouteState) -> Decimal:
    """What all legs have filled and what of them is not proved finished, base units."""
    return sum((leg_worst_qty(state, leg) for leg in route.legs), ZERO)


def route_granted_qty(state: EngineState, route: RouteState) -> Decimal:
    """What all legs may fill at most, base units."""
    return sum((leg_granted_qty(state, leg) for leg in route.legs), ZERO)


def route_leaves_qty(state: EngineState, route: RouteState) -> Quantity:
    """What is left to fill, base units."""
    return Quantity(max(route.order.order_qty - route_cum_qty(state, route), ZERO))


def is_reserved(state: EngineState, route: RouteState) -> bool:
    """Whether anything of any leg is not proved finished."""
    return any(doubtful_qty(state, parent) for leg in route.legs for parent in leg_parents(state, leg))


def check_within_route(state: EngineState, parent: ParentState, more_qty: Decimal) -> None:
    """Refuse an order with which a routed order could be filled beyond its quantity.

    Raises
    ------
    InvariantViolation
        If its legs could fill more than it together; for a parent that is no leg nothing is asked.
    """
    if not parent.route_id:
        return
    route = state.routes[parent.route_id]
    worst = route_worst_qty(state, route) + more_qty
    if worst > route.order.order_qty:
        raise InvariantViolation(
            f"{parent.route_id}: {more_qty} more in {parent.order.parent_id} would exceed {route.order.order_qty}"
        )


def leg_schedule(state: EngineState, parent: ParentState) -> Schedule:
    """The plan of a leg: what it is to fill in the slice in force, and nothing beyond."""
    route = state.routes[parent.route_id]
    leg = next(leg for leg in route.legs if parent.order.parent_id in leg.parents)
    before = sum((state.parents[name].cum_qty for name in leg.parents[:-1]), ZERO)
    target = Quantity(max(leg.target_qty - before, parent.cum_qty))
    start_ns, end_ns = slice_times(route)
    piece = Slice(start_ns=start_ns, end_ns=end_ns, qty=Quantity(target - parent.cum_qty), target_qty=target)
    return Schedule(base_qty=Quantity(parent.cum_qty), slices=(piece,), asked=1)


def slice_times(route: RouteState) -> tuple[int, int]:
    """Start and end of the slice in force, UTC nanoseconds."""
    if route.schedule is None or not route.schedule.slices:
        return route.order.start_ns, route.order.deadline_ns
    piece = route.schedule.slices[max(route.slice_no, 0)]
    return piece.start_ns, piece.end_ns
