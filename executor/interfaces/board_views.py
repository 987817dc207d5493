"""What the board shows: all orders in a few fields each, and one order with everything about it.

The first is made once a second for all viewers together, so it holds no sum over child orders.
"""

from decimal import Decimal
from typing import Final

from executor.domain.commands import AlertCode
from executor.domain.limits import Tightened
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import plain
from executor.engine.markets import expected_volume_qty, volatility_pct
from executor.engine.report import running_shortfall_bps, schedule_progress
from executor.engine.route_legs import leg_cum_qty, route_cum_qty
from executor.engine.state import BasketState, EngineState, LegState, MarketState, ParentState, RouteState
from executor.interfaces.advice_views import advice_view, adviser_view, decisions_view
from executor.interfaces.alerts import ALERT_TEXT
from executor.interfaces.board_trail import FIELDS, Trails
from executor.interfaces.control import Control
from executor.interfaces.route_views import why_leg_waits
from executor.interfaces.sentences import sentence, sentences
from executor.interfaces.views import SIDE_WORDS, last_children, parent_view
from executor.runtime.alarms import Alarm
from executor.runtime.limits_in_use import LimitUse, limits_in_use

Json = dict[str, object]
ENDED_SHOWN_MAX: Final = 50
"""Orders that have ended and are still listed, the latest."""
CHILDREN_SHOWN_MAX: Final = 100
DECISIONS_SHOWN_MAX: Final = 50
ALARMS_SHOWN_MAX: Final = 50
_HOUR_S: Final = 3_600
_DIGITS: Final = 6


def overview(control: Control, access: str) -> Json:
    """Show the daemon, its markets, limits and alarms, and every open order with the latest that have ended.

    Parameters
    ----------
    access
        "read" or "operate": what this viewer may do.
    """
    state = control.state
    is_ready, why_not = control.ready()
    now_ns = control.now_ns()
    shown = _shown(state)
    return {
        "at_ms": now_ns // NS_PER_MS,
        "access": access,
        "daemon": {
            "version": control.info.version,
            "instance": control.info.instance,
            "venue": control.info.venue,
            "profile": control.info.profile,
            "up_s": max(now_ns - state.started_ns, 0) // NS_PER_S if state.started_ns else None,
        },
        "ready": is_ready,
        "why_not": list(why_not),
        "halted": state.latched,
        "halt_reason": state.latch_reason,
        "draining": state.draining,
        "streams": {
            **{f"public {name}": live for name, live in sorted(state.public_live.items())},
            "private": state.private_live,
            "order entry": state.trade_live,
        },
        "sentinel": {"required": state.sentinel_required, "alive": state.sentinel_alive},
        "adviser": adviser_view(state, now_ns),
        "limits": [_limit(use, state.tightened.get(use.limit)) for use in limits_in_use(state)],
        "markets": [_market(state, key, market, now_ns) for key, market in sorted(state.markets.items())],
        "alarms": [_alarm(alarm) for alarm in reversed(control.alarms()[-ALARMS_SHOWN_MAX:])],
        "parents": [_listed(state, parent, now_ns) for parent in shown],
        "routes": [_route(state, route, now_ns) for route in _routes_of(state, shown)],
        "baskets": [_basket(state, basket) for basket in _baskets_of(state, shown)],
        "parents_in_all": len(state.parents),
    }


def detail(control: Control, parent: ParentState, trails: Trails) -> Json:
    """Show one order: its plan and cost, its child orders, what was advised, and the past for the charts."""
    state, now_ns = control.state, control.now_ns()
    order = parent.order
    advised = {} if parent.advice is None else control.report(order.parent_id)
    decisions = decisions_view(advised or {}, state, parent)
    asked = decisions["decisions"]
    assert isinstance(asked, list)
    surroundings = control.surroundings(order.category, order.symbol)
    return {
        "at_ms": now_ns // NS_PER_MS,
        "parent": parent_view(state, parent, now_ns),
        "why": sentences(parent.waiting),
        "children": last_children(state, parent, CHILDREN_SHOWN_MAX),
        "children_in_all": len(parent.children),
        "decisions": asked[-DECISIONS_SHOWN_MAX:],
        "decisions_in_all": len(asked),
        "worth": decisions["worth"],
        "worst_case": decisions["worst_case"],
        "book": {
            "bids": [[float(level.px), float(level.qty)] for level in surroundings.bids],
            "asks": [[float(level.px), float(level.qty)] for level in surroundings.asks],
        },
        "trail": {"fields": list(FIELDS), "points": trails.of(order.parent_id)},
    }


def _shown(state: EngineState) -> list[ParentState]:
    """Open orders, newest first, then the latest that have ended."""
    open_ = [state.parents[name] for name in reversed(state.open_parents)]
    ended: list[ParentState] = []
    for parent in reversed(state.parents.values()):
        if len(ended) == ENDED_SHOWN_MAX:
            break
        if parent.is_final:
            ended.append(parent)
    return [*open_, *ended]


def _listed(state: EngineState, parent: ParentState, now_ns: int) -> Json:
    order = parent.order
    at_ns = parent.finished_ns or now_ns
    progress = schedule_progress(parent, at_ns)
    market = state.markets.get(parent.market_key)
    mid_px = parent.benchmarks.last_mid_px
    if not parent.is_final and market is not None and market.snapshot is not None:
        mid_px = market.snapshot.mid_px
    return {
        "id": order.parent_id,
        "status": parent.status.value,
        "reason": parent.reason.value,
        "final": parent.is_final,
        "symbol": order.symbol,
        "category": order.category.value,
        "side": SIDE_WORDS[order.side],
        "qty": plain(order.order_qty),
        "filled": plain(parent.cum_qty),
        "avg": _number(parent.avg_px),
        "done": _number(progress.done_ratio),
        "scheduled": _number(progress.scheduled_ratio),
        "shortfall_bps": None if mid_px is None else _number(running_shortfall_bps(parent, mid_px)),
        "strategy": order.strategy,
        "advised": parent.advice is not None,
        "waiting": list(parent.waiting),
        "why": sentences(parent.waiting),
        "left_s": 0 if parent.is_final else max(order.deadline_ns - at_ns, 0) // NS_PER_S,
        "created_ms": parent.created_ns // NS_PER_MS,
        "advice": advice_view(parent, now_ns),
        "basket": parent.basket_id,
        "route": parent.route_id,
    }


def _routes_of(state: EngineState, shown: list[ParentState]) -> list[RouteState]:
    """Routed orders that are open, and those of which a leg is listed; newest first."""
    names = {*state.open_routes, *(parent.route_id for parent in shown)}
    return [route for route in reversed(state.routes.values()) if route.order.route_id in names]


def _baskets_of(state: EngineState, shown: list[ParentState]) -> list[BasketState]:
    """Baskets of which an order is listed, newest first."""
    names = {parent.basket_id for parent in shown}
    return [basket for basket in reversed(state.baskets.values()) if basket.basket_id in names]


def _route(state: EngineState, route: RouteState, now_ns: int) -> Json:
    """Show one order over several markets as a whole, and what each of its markets has done."""
    order, at_ns = route.order, route.finished_ns or now_ns
    cum_qty = route_cum_qty(state, route)
    planned = None if route.schedule is None else route.schedule.pro_rata_qty(at_ns)
    return {
        "id": order.route_id,
        "status": route.status.value,
        "reason": route.reason.value,
        "final": route.is_final,
        "detail": route.detail,
        "side": SIDE_WORDS[order.side],
        "qty": plain(order.order_qty),
        "filled": plain(cum_qty),
        "done": _number(cum_qty / order.order_qty),
        "scheduled": None if planned is None else _number(planned / order.order_qty),
        "strategy": order.strategy,
        "left_s": 0 if route.is_final else max(order.deadline_ns - at_ns, 0) // NS_PER_S,
        "legs": [_leg(state, route, leg) for leg in route.legs],
    }


def _leg(state: EngineState, route: RouteState, leg: LegState) -> Json:
    why = why_leg_waits(route, leg)
    return {
        "market": leg.market_key,
        "filled": plain(leg_cum_qty(state, leg)),
        "why_nothing": sentence(why) if why else "",
        "parents": list(leg.parents),
    }


def _basket(state: EngineState, basket: BasketState) -> Json:
    """Show one basket: its name, and how many of its orders have ended."""
    members = [state.parents[name] for name in basket.parents]
    return {
        "id": basket.basket_id,
        "name": basket.name,
        "parents": list(basket.parents),
        "ended": sum(parent.is_final for parent in members),
        "final": all(parent.is_final for parent in members),
        "gross_notional_max": _plain(basket.gross_notional_max),
        "net_notional_max": _plain(basket.net_notional_max),
    }


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _market(state: EngineState, key: str, market: MarketState, now_ns: int) -> Json:
    snapshot, contract = market.snapshot, market.figures
    funding = None if contract is None else contract.funding_rate
    funding_ns = None if contract is None else contract.next_funding_ns
    return {
        "market": key,
        "bid": None if snapshot is None else _number(snapshot.best_bid),
        "ask": None if snapshot is None else _number(snapshot.best_ask),
        "spread_bps": None if snapshot is None else _number(snapshot.spread_bps),
        "age_ms": None if market.book_ns is None else max(now_ns - market.book_ns, 0) // NS_PER_MS,
        "blocked": market.blocked,
        "volatility_hourly_pct": _number(volatility_pct(state, market)),
        "volume_hourly_qty": _number(expected_volume_qty(state, market, _HOUR_S)),
        "funding_pct": None if funding is None else _number(funding * 100),
        "next_funding_ms": None if funding_ns is None else funding_ns // NS_PER_MS,
    }


def _limit(use: LimitUse, made: Tightened | None) -> Json:
    return {
        "limit": use.limit,
        "used": _number(use.used),
        "allowed": _number(use.allowed),
        "ratio": _number(use.ratio),
        "place": use.place,
        "tightened_by": "" if made is None else f"{made.operator}: {made.reason}",
    }


def _alarm(alarm: Alarm) -> Json:
    return {
        "number": alarm.number,
        "at_ms": alarm.at_ns // NS_PER_MS,
        "severity": alarm.severity.value,
        "code": alarm.code,
        "means": ALERT_TEXT[AlertCode(alarm.code)][0],
        "do": ALERT_TEXT[AlertCode(alarm.code)][1],
        "parent_id": alarm.parent_id,
        "detail": alarm.detail,
    }


def _number(value: Decimal | None) -> float | None:
    """A figure for eyes: six significant digits behind what is shown of it are enough."""
    return None if value is None else round(float(value), _DIGITS)
