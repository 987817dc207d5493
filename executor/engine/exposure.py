"""Limits over several parents: what all that are open could come to, held against what one more would add.

Looked at when parents are accepted, at their start where no price was known before, and when one is made larger. Only
open parents are counted, and of those the ones that were cleared: the others have sent nothing, their turn comes.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from executor.domain.events import ParentSubmitted, RouteSubmitted
from executor.domain.instrument import notional
from executor.domain.orders import Category, Side
from executor.domain.routing import RouteLeg
from executor.domain.units import ZERO
from executor.engine.route_legs import route_granted_qty
from executor.engine.state import (
    BasketState,
    EngineState,
    ParentState,
    RouteState,
    ledger_key,
    market_key,
    worst_case_qty,
)
from risk.joint import Bounds, Exposure, Stake, exposure, why_beyond

_ENGINE_NAMES: Final = (
    "limits.parents_gross_notional_max",
    "limits.parents_net_notional_max",
    "limits.symbol_net_notional_max",
)
_BASKET_NAMES: Final = ("gross_notional_max of the basket", "net_notional_max of the basket", "")


def why_not_together(state: EngineState, orders: Sequence[ParentSubmitted], own: Bounds) -> str:
    """Why new orders would go beyond a limit over several parents; empty if they would not, or while no price is known.

    Parameters
    ----------
    own
        Bounds on these orders alone.
    """
    asked = [stake for stake in (_wish(state, order) for order in orders) if stake is not None]
    found = [why_beyond(Exposure(), exposure(asked, {}), own, _BASKET_NAMES)]
    bounds = _engine_bounds(state)
    if bounds.any_given and asked:
        held = _held(state)
        others = _everything(state)
        found.append(
            why_beyond(exposure(others, held), exposure([*others, *asked], held), bounds, _ENGINE_NAMES)
        )
    return "; ".join(text for text in found if text)


def are_priced(state: EngineState, orders: Iterable[ParentSubmitted]) -> bool:
    """Whether the market of every order has shown a price, so that its worst case is known in money."""
    return all(_unit(state, order.category, order.symbol) is not None for order in orders)


def why_not_larger(state: EngineState, parent: ParentState, order_qty: Decimal) -> str:
    """Why a parent may not be made larger; empty if it may, or if it is not cleared yet and will be looked at."""
    if not parent.cleared or order_qty <= _whole_qty(state, parent):
        return ""
    found = []
    for members, rests, held, bounds, names in _scopes(state, parent):
        before = [*rests, *_stakes(state, members)]
        after = [*rests, *_stakes(state, members, {parent.order.parent_id: order_qty})]
        found.append(why_beyond(exposure(before, held), exposure(after, held), bounds, names))
    return "; ".join(text for text in found if text)


def group_of(state: EngineState, parent: ParentState) -> list[ParentState]:
    """The parents that are cleared together with one: itself, or all of its basket that are open and not cleared."""
    basket = state.baskets.get(parent.basket_id)
    if basket is None:
        return [parent]
    mates = (state.parents[name] for name in basket.parents)
    return [mate for mate in mates if not (mate.is_final or mate.cleared)]


def is_waiting_for_prices(state: EngineState, group: Sequence[ParentState]) -> bool:
    """Whether a limit must be looked at and the price of one of the parents is not known yet."""
    basket = state.baskets.get(group[0].basket_id)
    if not (_engine_bounds(state).any_given or _basket_bounds(basket).any_given):
        return False
    return any(_unit(state, each.order.category, each.order.symbol) is None for each in group)


def why_not_begun(state: EngineState, group: Sequence[ParentState]) -> str:
    """Why parents that were not cleared yet may not begin: a limit over several parents; empty if they may."""
    found = []
    for members, rests, held, bounds, names in _scopes(state, group[0]):
        before = [*rests, *_stakes(state, members)]
        after = [*before, *_stakes(state, group)]
        found.append(why_beyond(exposure(before, held), exposure(after, held), bounds, names))
    return "; ".join(text for text in found if text)


def open_exposure(state: EngineState) -> Exposure:
    """What all open parents that are cleared could come to, by present prices."""
    return exposure(_everything(state), _held(state))


def are_legs_priced(state: EngineState, legs: Iterable[RouteLeg]) -> bool:
    """Whether the market of every leg has shown a price."""
    return all(_unit(state, leg.category, leg.symbol) is not None for leg in legs)


def is_route_priced(state: EngineState, route: RouteState) -> bool:
    """Whether it is known in money what a routed order could come to, or no limit asks for it."""
    if not _engine_bounds(state).any_given:
        return True
    return any(_unit(state, leg.leg.category, leg.leg.symbol) is not None for leg in route.legs)


def why_route_not_together(state: EngineState, event: RouteSubmitted) -> str:
    """Why a new routed order would go beyond a limit over several parents; empty if it would not."""
    return _why_not_with(state, _rest(state, "", event.legs, event.side, event.order_qty))


def why_route_not_begun(state: EngineState, route: RouteState) -> str:
    """Why a routed order that was not looked at before may not begin; empty if it may."""
    legs = [leg.leg for leg in route.legs]
    return _why_not_with(
        state, _rest(state, route.order.route_id, legs, route.order.side, route.order.order_qty)
    )


def why_route_not_larger(state: EngineState, route: RouteState, order_qty: Decimal) -> str:
    """Why a routed order may not be made larger; empty if it may, or if it is not cleared yet and will be looked at."""
    more_qty = order_qty - route.order.order_qty
    if not route.cleared or more_qty <= ZERO:
        return ""
    legs = [leg.leg for leg in route.legs]
    return _why_not_with(state, _rest(state, f"{route.order.route_id}+", legs, route.order.side, more_qty))


def _why_not_with(state: EngineState, more: list[Stake]) -> str:
    bounds = _engine_bounds(state)
    if not bounds.any_given or not more:
        return ""
    before, held = _everything(state), _held(state)
    return why_beyond(exposure(before, held), exposure([*before, *more], held), bounds, _ENGINE_NAMES)


def _everything(state: EngineState) -> list[Stake]:
    return [*_rests(state), *_stakes(state, _counted(state))]


def _rests(state: EngineState) -> list[Stake]:
    """What open routed orders have not granted to a leg yet."""
    found = []
    for name in state.open_routes:
        route = state.routes[name]
        left = max(route.order.order_qty - route_granted_qty(state, route), ZERO)
        if route.cleared or route.started_ns:
            found += _rest(state, name, [leg.leg for leg in route.legs], route.order.side, left)
    return found


def _rest(state: EngineState, name: str, legs: Iterable[RouteLeg], side: Side, qty: Decimal) -> list[Stake]:
    """The worst case of what any of several legs may trade: once in all, and wholly in the market of each.

    No position shields it, since none says which leg it will be.
    """
    priced = [
        (market_key(leg.category, leg.symbol), unit)
        for leg in legs
        if (unit := _unit(state, leg.category, leg.symbol)) is not None
    ]
    if not priced or not qty:
        return []
    value = qty * max(unit for _, unit in priced)
    first, others = priced[0][0], tuple(market for market, _ in priced[1:])
    return [
        Stake(
            market=first,
            position=f"{first}:{name or 'new'}",
            side=Side(side),
            can_exit=False,
            whole=value,
            left=value,
            elsewhere=others,
        )
    ]


_Scope = tuple[list[ParentState], list[Stake], Mapping[str, Decimal], Bounds, tuple[str, str, str]]


def _scopes(state: EngineState, parent: ParentState) -> list[_Scope]:
    """All within which a parent is looked at: everything that is open, and its basket."""
    found: list[_Scope] = []
    bounds = _engine_bounds(state)
    if bounds.any_given:
        found.append((_counted(state), _rests(state), _held(state), bounds, _ENGINE_NAMES))
    basket = state.baskets.get(parent.basket_id)
    own = _basket_bounds(basket)
    if basket is not None and own.any_given:
        mates = [state.parents[name] for name in basket.parents]
        found.append(([mate for mate in mates if mate.cleared], [], {}, own, _BASKET_NAMES))
    return found


def _engine_bounds(state: EngineState) -> Bounds:
    limits = state.limits
    return Bounds(
        gross_max=limits.parents_gross_notional_max,
        net_max=limits.parents_net_notional_max,
        symbol_net_max=limits.symbol_net_notional_max,
    )


def _basket_bounds(basket: BasketState | None) -> Bounds:
    if basket is None:
        return Bounds()
    return Bounds(gross_max=basket.gross_notional_max, net_max=basket.net_notional_max)


def _counted(state: EngineState) -> list[ParentState]:
    """Open parents whose worst case counts; one that has begun does, whatever was looked at when it did."""
    mine = (state.parents[name] for name in state.open_parents)
    return [parent for parent in mine if parent.cleared or parent.started_ns]


def _whole_qty(state: EngineState, parent: ParentState) -> Decimal:
    """All that a parent could ever fill: what was ordered, or is about to be; of one that has ended, what it filled."""
    if parent.is_final:
        return worst_case_qty(state, parent)
    pending = parent.pending.order_qty if parent.pending is not None else None
    return max(parent.order.order_qty, pending or ZERO, worst_case_qty(state, parent))


def _stakes(
    state: EngineState, parents: Iterable[ParentState], instead: Mapping[str, Decimal] | None = None
) -> list[Stake]:
    """Worst cases of parents; without those that only reduce, and those without a price.

    Parameters
    ----------
    instead
        Other quantities to reckon with, by parent, base units.
    """
    found = []
    for parent in parents:
        order = parent.order
        unit = _unit(state, order.category, order.symbol)
        if order.reduce_only or unit is None:
            continue
        whole = (instead or {}).get(order.parent_id, _whole_qty(state, parent))
        found.append(
            Stake(
                market=market_key(order.category, order.symbol),
                position=ledger_key(order.category, order.symbol, order.position_idx),
                side=order.side,
                can_exit=order.category is not Category.SPOT,
                whole=whole * unit,
                left=max(whole - parent.cum_qty, ZERO) * unit,
            )
        )
    return found


def _wish(state: EngineState, order: ParentSubmitted) -> Stake | None:
    unit = _unit(state, order.category, order.symbol)
    if order.reduce_only or unit is None:
        return None
    return Stake(
        market=market_key(order.category, order.symbol),
        position=ledger_key(order.category, order.symbol, order.position_idx),
        side=Side(order.side),
        can_exit=order.category is not Category.SPOT,
        whole=order.order_qty * unit,
        left=order.order_qty * unit,
    )


def _unit(state: EngineState, category: Category, symbol: str) -> Decimal | None:
    """Value of one unit in quote units at the last middle of the book; None before there was a book."""
    market = state.markets.get(market_key(category, symbol))
    if market is None or market.snapshot is None:
        return None
    return notional(category, Decimal(1), market.snapshot.mid_px)


def _held(state: EngineState) -> dict[str, Decimal]:
    """Value of every position that is known and has a price, signed, quote units."""
    found = {}
    for name, ledger in state.ledgers.items():
        category, symbol, _ = name.split(":")
        unit = _unit(state, Category(category), symbol)
        if ledger.position_qty is not None and unit is not None:
            found[name] = ledger.position_qty * unit
    return found
