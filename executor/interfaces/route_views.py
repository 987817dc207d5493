"""How routed orders are shown: plain JSON values. Numbers are text, instants are RFC 3339 and nanoseconds."""

from decimal import Decimal

from executor.domain.parent_state import ParentStatus
from executor.domain.timeline import NS_PER_S, iso_utc
from executor.domain.units import plain
from executor.engine.route_legs import (
    leg_granted_qty,
    leg_worst_qty,
    route_cum_qty,
    route_granted_qty,
    route_leaves_qty,
)
from executor.engine.route_report import LegSums, RouteCost, RouteReport, route_report
from executor.engine.state import EngineState, LegState, RouteState
from executor.interfaces.views import (
    BPS_PLACES,
    PER_CENT,
    PRICE_PLACES,
    SHARE_PLACES,
    SIDE_WORDS,
    Json,
    params_view,
    parent_view,
)


def route_view(state: EngineState, route: RouteState, now_ns: int, *, with_parents: bool = True) -> Json:
    """Show a routed order: what was asked, how far it is, what each leg does, and why one does nothing."""
    order, report = route.order, route_report(state, route)
    at_ns = route.finished_ns or now_ns
    planned = route.schedule.pro_rata_qty(at_ns) if route.schedule is not None else None
    return {
        "id": order.route_id,
        "status": route.status.value,
        "reason": route.reason.value,
        "ending": None if route.goal is None or route.is_final else route.goal.value,
        "final": route.is_final,
        "detail": route.detail,
        "version": route.version,
        "idempotency_key": route.idempotency_key,
        "side": SIDE_WORDS[order.side],
        "qty": plain(order.order_qty),
        "filled": plain(route_cum_qty(state, route)),
        "leaves": plain(route_leaves_qty(state, route)),
        "granted": plain(route_granted_qty(state, route)),
        "progress_pct": _share(report.cum_qty, order.order_qty),
        "schedule_pct": None if planned is None else _share(planned, order.order_qty),
        "limit_price": None if order.limit_px is None else plain(order.limit_px),
        "strategy": order.strategy,
        "urgency": order.urgency.value,
        "params": params_view(order.params),
        "residual": order.residual.value,
        "extend_s": order.extend_s,
        "max_basis": None if order.basis_bps_max is None else plain(order.basis_bps_max),
        "hysteresis": plain(order.hysteresis_bps),
        "created": _instant(route.created_ns),
        "started": _instant(route.started_ns),
        "deadline": _instant(order.deadline_ns),
        "time_left_s": max(order.deadline_ns - at_ns, 0) // NS_PER_S,
        "finished": _instant(route.finished_ns),
        "report": report_view(route, report),
        "legs": [
            _leg(state, route, leg, sums, report) for leg, sums in zip(route.legs, report.legs, strict=True)
        ],
        **({"parents": _parents(state, route, now_ns)} if with_parents else {}),
    }


def routes_view(state: EngineState, now_ns: int) -> Json:
    """Show every routed order, newest first."""
    routes = reversed(state.routes.values())
    return {"routes": [route_view(state, each, now_ns, with_parents=False) for each in routes]}


def open_routes_view(state: EngineState, now_ns: int) -> list[Json]:
    """Show the routed orders that have not ended, oldest first."""
    return [route_view(state, state.routes[name], now_ns, with_parents=False) for name in state.open_routes]


def report_view(route: RouteState, report: RouteReport) -> Json:
    """Show the sums of all legs and their cost against one benchmark."""
    return {
        "filled": plain(report.cum_qty),
        "notional": plain(report.cum_notional),
        "avg_price": _rounded(report.avg_px),
        "fees": plain(report.fees),
        "carry": plain(report.carry),
        "arrival_price": None if route.arrival_px is None else plain(route.arrival_px),
        "arrival_leg": route.legs[route.arrival_leg].market_key if route.arrival_px is not None else None,
        "cost": None if report.cost is None else _cost(report.cost),
    }


def _cost(cost: RouteCost) -> Json:
    parts = {
        "price": cost.price,
        "fees": cost.fees,
        "carry": cost.carry,
        "opportunity": cost.opportunity,
        "total": cost.total,
    }
    return {
        "quote": {name: plain(amount) for name, amount in parts.items()},
        "bps": {name: f"{cost.bps(amount).quantize(BPS_PLACES):f}" for name, amount in parts.items()},
    }


def why_leg_waits(route: RouteState, leg: LegState) -> str:
    """Tell why a leg gets nothing; while the whole is paused nobody looks, and what was found before is old."""
    if route.status is ParentStatus.PAUSED and not leg.why_nothing.startswith("ENDED_"):
        return f"PAUSED_{route.reason}"
    return leg.why_nothing


def _leg(state: EngineState, route: RouteState, leg: LegState, sums: LegSums, report: RouteReport) -> Json:
    granted, worst = leg_granted_qty(state, leg), leg_worst_qty(state, leg)
    return {
        "market": leg.market_key,
        "taker_fee_bps": plain(leg.leg.taker_fee_bps.normalize()),
        "carry_bps": plain(leg.leg.carry_bps),
        "filled": plain(sums.cum_qty),
        "share_pct": _share(sums.cum_qty, report.cum_qty) if report.cum_qty else None,
        "granted": plain(granted),
        "reserved": plain(worst - sums.cum_qty),
        "avg_price": _rounded(sums.avg_px),
        "arrival_price": None if sums.arrival_px is None else plain(sums.arrival_px),
        "fees": plain(sums.fees),
        "other_fees": {coin: plain(fee) for coin, fee in sums.other_fees},
        "maker_qty": plain(sums.maker_qty),
        "children": sums.children,
        "why_nothing": why_leg_waits(route, leg),
        "parent_ids": list(leg.parents),
    }


def _parents(state: EngineState, route: RouteState, now_ns: int) -> list[Json]:
    names = [name for leg in route.legs for name in leg.parents]
    return [parent_view(state, state.parents[name], now_ns, with_slices=False) for name in names]


def _share(part: Decimal, whole: Decimal) -> str:
    return f"{(part * PER_CENT / whole).quantize(SHARE_PLACES):f}"


def _rounded(px: Decimal | None) -> str | None:
    return None if px is None else f"{px.quantize(PRICE_PLACES).normalize():f}"


def _instant(at_ns: int) -> Json | None:
    return {"utc": iso_utc(at_ns), "ns": at_ns} if at_ns else None
