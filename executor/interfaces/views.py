"""How the engine's state is shown: plain JSON values. Numbers are text, instants are RFC 3339 and nanoseconds."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Final

from executor.domain.limits import Limits
from executor.domain.orders import Category, Side, StrategyParams
from executor.domain.timeline import NS_PER_S, iso_utc
from executor.domain.units import plain
from executor.domain.volume_curve import Session, SessionWeights, VolumeCurve
from executor.engine.report import parent_facts, running_shortfall_bps, schedule_progress
from executor.engine.state import ChildState, EngineState, MarketState, ParentState, market_key, reserved_qty
from executor.interfaces.advice_views import DECISIONS, advice_part, advice_view, adviser_view
from executor.interfaces.choices import PARAM_OF
from executor.interfaces.command_words import REARM
from executor.interfaces.control import Control
from impact.shortfall import as_json, make_report
from impact.tca.mark_outs import mark_outs
from strategies.reads import READS

Json = dict[str, object]
PRICE_PLACES: Final = Decimal("0.00000001")
SHARE_PLACES: Final = Decimal("0.01")
PER_CENT: Final = Decimal(100)
BPS_PLACES: Final = Decimal("0.0001")
COSTS: Final = (
    "split_bps", "split_quote", "arrival_slippage_bps", "vwap_slippage_bps", "twap_slippage_bps", "close_slippage_bps",
    "midpoint_slippage_bps", "spread_captured_bps", "participation_pct", "maker_share", "mark_outs", "marks_pending",
    "reversion_bps", "advice_value_bps",
)  # fmt: skip
"""Figures of a cost report that are shown with a parent, also while it works."""
SIDE_WORDS: Final = {Side.BUY: "buy", Side.SELL: "sell"}


def status_view(control: Control) -> Json:
    """Show the daemon: who it is, whether it trades, why not, its limits and its open parents."""
    state = control.state
    is_ready, why_not = control.ready()
    now_ns = control.now_ns()
    return {
        "daemon": asdict(control.info),
        "time": _instant(now_ns),
        "started": _instant(state.started_ns),
        "ready": is_ready,
        "why_not_ready": list(why_not),
        "halted": state.latched,
        "halt_reason": state.latch_reason,
        "draining": state.draining,
        "streams": {
            "public": dict(sorted(state.public_live.items())),
            "private": state.private_live,
            "trade": state.trade_live,
        },
        "restricted_until": _instant(state.restricted_until_ns),
        "sentinel": {"required": state.sentinel_required, "alive": state.sentinel_alive},
        "adviser": adviser_view(state, now_ns),
        "wallet": {
            coin: {"balance": plain(each.wallet_qty), "locked": plain(each.locked_qty)}
            for coin, each in sorted(state.wallet.items())
        },
        "reconciled": dict(state.reconciled),
        "limits": limits_view(state.limits),
        "orders_today": state.orders_day,
        "blocked": blocked_view(state),
        "orphan_fills": len(state.orphans),
        "markets": [_market(key, market, now_ns) for key, market in sorted(state.markets.items())],
        "open_parents": [
            parent_view(state, state.parents[name], now_ns, with_slices=False) for name in state.open_parents
        ],
        "parents": len(state.parents),
        "unproved_children": unproved_children(state),
    }


def blocked_view(state: EngineState) -> list[Json]:
    """List the symbols in which nothing may be opened, why, and what a person does about it."""
    return [
        {"symbol": name, "why": market.blocked, "cleared_by": REARM.strip("`")}
        for name, market in sorted(state.markets.items())
        if market.blocked
    ]


def unproved_children(state: EngineState) -> list[Json]:
    """List every child order that may still be open at the venue."""
    return [
        {
            "client_order_id": name,
            "parent_id": parent.order.parent_id,
            "symbol": parent.order.symbol,
            "status": state.children[name].status.value,
            "open_qty": plain(state.children[name].open_qty),
        }
        for parent in state.parents.values()
        for name in parent.live
    ]


def parents_view(state: EngineState, now_ns: int) -> Json:
    """Show every parent order, newest first, without the slices of their plans."""
    parents = reversed(state.parents.values())
    return {"parents": [parent_view(state, parent, now_ns, with_slices=False) for parent in parents]}


def parent_view(state: EngineState, parent: ParentState, now_ns: int, *, with_slices: bool = True) -> Json:
    """Show one parent order: what was asked, how far it is, and why nothing happens if nothing does."""
    order = parent.order
    at_ns = parent.finished_ns or now_ns
    progress = schedule_progress(parent, at_ns)
    mid_px = _mid_px(state, parent)
    market = state.markets.get(market_key(order.category, order.symbol))
    return {
        "id": order.parent_id,
        "status": parent.status.value,
        "reason": parent.reason.value,
        "final": parent.is_final,
        "waiting": list(parent.waiting),
        "detail": parent.detail,
        "version": parent.version,
        "idempotency_key": parent.idempotency_key,
        "basket": _basket(state, parent),
        "route": parent.route_id or None,
        "category": order.category.value,
        "symbol": order.symbol,
        "side": SIDE_WORDS[order.side],
        "qty": plain(order.order_qty),
        "filled": plain(parent.cum_qty),
        "leaves": plain(parent.leaves_qty),
        "reserved": plain(reserved_qty(state, parent)),
        "avg_price": _rounded(parent.avg_px, PRICE_PLACES),
        "limit_price": _plain(order.limit_px),
        "limit_price_works_as": _on_tick(parent, market),
        "blocked": "" if market is None else market.blocked,
        "decision_price": _plain(parent.decision_px),
        "arrival_price": _plain(parent.arrival_px),
        "shortfall_bps": (
            None if mid_px is None else _rounded(running_shortfall_bps(parent, mid_px), SHARE_PLACES)
        ),
        "progress_pct": _per_cent(progress.done_ratio),
        "schedule_pct": _per_cent(progress.scheduled_ratio),
        "deviation_pct": _per_cent(progress.deviation_ratio),
        "created": _instant(parent.created_ns),
        "started": _instant(parent.started_ns),
        "start": _instant(order.start_ns),
        "deadline": _instant(order.deadline_ns),
        "time_left_s": max(order.deadline_ns - at_ns, 0) // NS_PER_S,
        "finished": _instant(parent.finished_ns),
        "residual": order.residual.value,
        "extend_s": order.extend_s,
        "urgency": order.urgency.value,
        "strategy": order.strategy,
        "advised": parent.advice is not None,
        "advice": advice_view(parent, now_ns),
        "params": params_view(order.params, order.strategy),
        "reduce_only": order.reduce_only,
        "position_idx": order.position_idx,
        "seed": str(order.seed),
        "plan": _plan(parent, at_ns, with_slices=with_slices),
        "children": _children_counts(state, parent),
        "tick_size": _tick_size(market),
        **({"cost": cost_view(state, parent)} if with_slices else {}),
    }


def children_view(state: EngineState, parent: ParentState) -> Json:
    """Show every child order of a parent, oldest first."""
    return {
        "parent_id": parent.order.parent_id,
        "children": last_children(state, parent, len(parent.children)),
    }


def last_children(state: EngineState, parent: ParentState, most: int) -> list[Json]:
    """Show the last child orders of a parent, oldest first, no more than so many."""
    return [_child(state.children[name]) for name in parent.children[-most:]]


def params_view(params: StrategyParams, strategy: str = "") -> Json:
    """Show the parameters under the names a request uses; those of single strategies where they are given.

    Parameters
    ----------
    strategy
        Shows what it reads alone; empty for all.
    """
    shown: Json = {
        "interval_s": params.interval_s,
        "randomize_size": params.randomize_size_pct,
        "randomize_timing": params.randomize_timing_pct,
        "catch_up": params.catch_up,
        "max_catch_up": plain(params.catch_up_max),
        "passiveness": _plain(params.passiveness),
        "reprice_ticks": params.reprice_ticks,
    }
    more = {field: getattr(params, param) for field, param in PARAM_OF.items() if field not in shown}
    del more["interval"]
    told = shown | {field: _json_value(value) for field, value in more.items() if value not in (None, ())}
    reads = READS.get(strategy)
    return told if reads is None else {name: value for name, value in told.items() if _param(name) in reads}


def _param(field: str) -> str:
    """Name a field of a request as the parameters of a strategy do."""
    return PARAM_OF.get(field, field)


def limits_view(limits: Limits) -> Json:
    """Show every limit under its name."""
    return {
        name: _plain(value) if isinstance(value, Decimal) else value for name, value in asdict(limits).items()
    }


def cost_view(state: EngineState, parent: ParentState) -> Json:
    """Show the cost of a parent so far in its parts, against benchmarks, and the mark-outs of its fills."""
    report = as_json(make_report(parent_facts(state, parent)))
    return {name: report[name] for name in COSTS}


def report_view(report: Mapping[str, object], state: EngineState, parent: ParentState) -> Json:
    """Show a cost report with JSON values only; the tick goes with it while it is known, and what advice came to."""
    view = {key: _json_value(value) for key, value in report.items() if key != DECISIONS}
    if parent.advice is not None:
        view["advice"] = advice_part(report, state, parent)
    tick_size = _tick_size(state.markets.get(market_key(parent.order.category, parent.order.symbol)))
    return view if tick_size is None else view | {"tick_size": tick_size}


def _json_value(value: object) -> object:
    match value:
        case Decimal():
            return plain(value)
        case VolumeCurve():
            return value.name
        case SessionWeights():
            return {session.value: plain(value.of(session)) for session in Session}
        case Mapping():
            return {str(key): _json_value(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_json_value(inner) for inner in value]
        case _:
            return value


def _child(child: ChildState) -> Json:
    order = child.order
    return {
        "client_order_id": order.client_order_id,
        "venue_order_id": child.venue_order_id,
        "status": child.status.value,
        "style": child.style.value,
        "time_in_force": order.time_in_force.value,
        "qty": plain(order.qty),
        "price": plain(order.px),
        "asked_qty": None if child.pending is None else plain(child.pending.qty),
        "asked_price": None if child.pending is None else plain(child.pending.px),
        "filled": plain(child.cum_qty),
        "open": plain(child.open_qty),
        "maker": plain(child.maker_qty),
        "avg_price": _rounded(child.avg_px, PRICE_PLACES),
        "fees": plain(child.fees),
        "created": _instant(child.created_ns),
        "acked": _instant(child.acked_ns),
        "done": _instant(child.done_ns),
        "detail": child.detail,
        "costs": None
        if child.costs is None
        else {
            "unit": "coin" if order.category is Category.INVERSE else "quote",
            "qty": plain(child.costs.qty),
            "spread": plain(child.costs.spread),
            "temporary": plain(child.costs.temporary),
            "permanent": plain(child.costs.permanent),
        },
        "mark_outs": [
            {
                "horizon_s": mark.horizon_s,
                "fills": mark.fills,
                "gain_bps": _rounded(mark.gain_bps, BPS_PLACES),
            }
            for mark in mark_outs([] if child.marks is None else [(child.created_ns, child.marks)])
        ],
    }


def _basket(state: EngineState, parent: ParentState) -> Json | None:
    basket = state.baskets.get(parent.basket_id)
    return None if basket is None else {"id": basket.basket_id, "name": basket.name}


def _children_counts(state: EngineState, parent: ParentState) -> Json:
    counts = Counter(state.children[name].status.value for name in parent.children)
    return {
        "total": len(parent.children),
        "unproved": len(parent.live),
        "by_status": dict(sorted(counts.items())),
    }


def _plan(parent: ParentState, at_ns: int, *, with_slices: bool) -> Json | None:
    """Show the schedule: how many slices were asked for, how many are left after merging, and each of them."""
    schedule = parent.schedule
    if schedule is None:
        return None
    plan: Json = {
        "slices_asked": schedule.asked,
        "slices": len(schedule.slices),
        "merged": schedule.asked - len(schedule.slices),
        "current": schedule.slice_at(at_ns),
        "covers_from": plain(schedule.base_qty),
    }
    if with_slices:
        plan["schedule"] = [
            {"start": iso_utc(piece.start_ns), "end": iso_utc(piece.end_ns), "qty": plain(piece.qty)}
            for piece in schedule.slices
        ]
    return plan


def _market(key: str, market: MarketState, now_ns: int) -> Json:
    snapshot = market.snapshot
    return {
        "market": key,
        "best_bid": None if snapshot is None else plain(snapshot.best_bid),
        "best_ask": None if snapshot is None else plain(snapshot.best_ask),
        "book_age_ms": None if market.book_ns is None else max(now_ns - market.book_ns, 0) // 1_000_000,
        "blocked": market.blocked,
        "hedged": market.hedged,
        "references": {
            source: {"price": plain(each.px), "age_ms": max(now_ns - each.at_ns, 0) // 1_000_000}
            for source, each in sorted(market.opinions.items())
        },
        "qty_step": None if market.instrument is None else plain(market.instrument.qty_step),
        "min_qty": None if market.instrument is None else plain(market.instrument.min_order_qty),
        "tick_size": _tick_size(market),
    }


def _tick_size(market: MarketState | None) -> str | None:
    return None if market is None or market.instrument is None else plain(market.instrument.tick_size)


def _on_tick(parent: ParentState, market: MarketState | None) -> str | None:
    """Worst price on the tick that a limit price allows; None without a limit, or while the tick is not known."""
    order = parent.order
    if order.limit_px is None or market is None or market.instrument is None:
        return None
    rules = market.instrument
    return plain(
        order.limit_px if rules.is_on_tick(order.limit_px) else rules.round_px(order.side, order.limit_px)
    )


def _mid_px(state: EngineState, parent: ParentState) -> Decimal | None:
    """Mid against which the running cost is measured: the last of the parent's life, or the present one."""
    market = state.markets.get(market_key(parent.order.category, parent.order.symbol))
    if parent.is_final or market is None or market.snapshot is None:
        return parent.benchmarks.last_mid_px
    return market.snapshot.mid_px


def _instant(at_ns: int) -> Json | None:
    return {"utc": iso_utc(at_ns), "ns": at_ns} if at_ns else None


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _rounded(value: Decimal | None, places: Decimal) -> str | None:
    return None if value is None else plain(value.quantize(places))


def _per_cent(ratio: Decimal | None) -> str | None:
    return None if ratio is None else _rounded(ratio * PER_CENT, SHARE_PLACES)
