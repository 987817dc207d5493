"""Moments in the life of an order of any strategy, drawn at random, and how they look mirrored or in other units."""

from dataclasses import replace
from decimal import Decimal
from random import Random

from executor.domain.decision import Style, Working
from executor.domain.orders import GiveUp, Peg, Side, StrategyParams, Urgency
from executor.domain.signals import NO_SIGNALS, Signals
from executor.domain.timeline import NS_PER_S
from strategies.base import STRATEGIES, strategy_of
from strategies.reads import READS, why_not
from tests.builders import T0, D, instrument, parent_order, snapshot, view

STEP = D("0.001")
TICK = D("0.1")
BID = D(50_000)
DURATION_S = 600

_SHARES = (D("0.01"), D("0.1"), D("0.25"), D("0.9"))
CHOICES = {
    "randomize_size_pct": lambda rng: rng.choice([0, 50]),
    "randomize_timing_pct": lambda rng: rng.choice([0, 50]),
    "catch_up": lambda rng: rng.random() < 0.7,
    "catch_up_max": lambda rng: rng.choice([D(1), D("1.5"), D(10)]),
    "passiveness": lambda rng: rng.choice([None, D(0), D("0.5"), D(1)]),
    "participation": lambda rng: rng.choice([None, *_SHARES]),
    "participation_max": lambda rng: rng.choice([None, None, *_SHARES]),
    "display_qty": lambda rng: rng.choice([None, STEP * rng.randint(1, 500)]),
    "display_randomize_pct": lambda rng: rng.choice([None, rng.randint(0, 50)]),
    "peg": lambda rng: rng.choice([None, *Peg]),
    "peg_offset_ticks": lambda rng: rng.choice([None, rng.randint(0, 5)]),
    "reprices_max": lambda rng: rng.choice([None, rng.randint(0, 3)]),
    "chase_bps_max": lambda rng: rng.choice([None, D("0.01"), D("0.05"), D(1), D(30)]),
    "give_up": lambda rng: rng.choice([None, *GiveUp]),
    "trigger_px": lambda rng: rng.choice([None, BID + TICK * rng.randint(-8, 8)]),
    "trigger_qty": lambda rng: rng.choice([None, STEP * rng.randint(1, 2_000)]),
}
"""What is drawn of the parameters that only some strategies read; curves, weights and signals have own tests."""


def any_params(rng: Random, name: str) -> StrategyParams:
    drawn = {field: CHOICES[field](rng) for field in sorted(READS[name] & CHOICES.keys())}
    if name == "sniper" and drawn["trigger_px"] is drawn["trigger_qty"] is None:
        drawn["trigger_qty"] = D(1)
    if drawn.get("participation") and drawn.get("participation_max"):
        drawn["participation_max"] = max(drawn["participation"], drawn["participation_max"])
    params = StrategyParams(interval_s=rng.randint(10, 300), reprice_ticks=rng.randint(1, 5), **drawn)
    assert why_not(name, params) == ""
    return params


def any_signals(rng: Random) -> Signals:
    def figure(low: float, high: float) -> float | None:
        return None if rng.random() < 0.3 else rng.uniform(low, high)

    return NO_SIGNALS if rng.random() < 0.5 else Signals(
        order_flow_imbalance=figure(-2, 2),
        trade_imbalance=figure(-1, 1),
        book_imbalance=figure(-1, 1),
        microprice_bps=figure(-2, 2),
        spread_ratio=figure(0, 5),
        depth_ratio=figure(0, 5),
        volume_ratio=figure(0, 5),
    )  # fmt: skip


def any_moment(rng: Random, *, names=tuple(STRATEGIES), min_notional=None):
    """A view that an engine could show: fills within the order, volumes that hold the order's own."""
    name = rng.choice(names)
    order = parent_order(
        strategy=name,
        side=rng.choice(list(Side)),
        urgency=rng.choice(list(Urgency)),
        order_qty=STEP * rng.choice([rng.randint(1, 20), rng.randint(1, 3_000)])
        + rng.choice([D(0), D("0.0004")]),
        limit_px=rng.choice(
            [None, BID + rng.randint(-3, 3) * TICK, BID + rng.randint(-300, 300) * D("0.05")]
        ),
        params=any_params(rng, name),
        seed=rng.randint(0, 99),
        deadline_ns=T0 + DURATION_S * NS_PER_S,
    )
    rules = instrument(min_notional=D(rng.choice([0, 5, 500]) if min_notional is None else min_notional))
    whole_steps = int(order.order_qty / STEP)
    before, in_plan, in_slice = sorted(
        rng.randint(0, whole_steps) // rng.choice([1, 1, 10]) for _ in range(3)
    )
    piece, plan, life = sorted(rng.randint(0, 30_000) for _ in range(3))
    market = snapshot(
        BID, BID + TICK * rng.choice([1, 2, 3, 8, 1_500]),
        best_bid_qty=STEP * rng.randint(1, 3_000), best_ask_qty=STEP * rng.randint(1, 3_000),
    )  # fmt: skip
    schedule = strategy_of(order).plan(
        order=order, instrument=rules, reference_px=BID, start_ns=T0, end_ns=order.deadline_ns,
        cum_qty=STEP * before,
    )  # fmt: skip
    working = None
    if whole_steps > in_slice and rng.random() < 0.5:
        leaves_qty = STEP * rng.randint(1, whole_steps - in_slice)
        working = Working(style=Style.REST, px=BID + TICK * rng.randint(-3, 3), leaves_qty=leaves_qty)
    return view(
        schedule,
        now_ns=T0 + rng.randint(-10, DURATION_S * 1_000 + 10) * 1_000_000,
        order=order,
        instrument=rules,
        market=market,
        cum_qty=STEP * in_slice,
        slice_base_qty=STEP * in_plan,
        working=working,
        market_qty=STEP * (life + in_slice),
        plan_market_qty=STEP * (plan + in_slice - before),
        slice_market_qty=STEP * (piece + in_slice - in_plan),
        last_slice_market_qty=STEP * rng.randint(0, 5_000),
        arrival_px=market.mid_px,
        reprices=rng.randint(0, 4),
        signals=any_signals(rng),
    )


def mirrored(look):
    """The same moment on the other side: prices reflected in the mid, sizes of the two sides exchanged."""

    def reflected(px: Decimal | None) -> Decimal | None:
        return None if px is None else 2 * look.market.mid_px - px

    def opposite(figure: float | None) -> float | None:
        return None if figure is None else -figure

    market, order, working = look.market, look.order, look.working
    return replace(
        look,
        order=replace(
            order,
            side=Side(-order.side),
            limit_px=reflected(order.limit_px),
            params=replace(order.params, trigger_px=reflected(order.params.trigger_px)),
        ),
        market=replace(market, best_bid_qty=market.best_ask_qty, best_ask_qty=market.best_bid_qty),
        working=None if working is None else replace(working, px=reflected(working.px)),
        arrival_px=reflected(look.arrival_px),
        signals=replace(
            look.signals,
            order_flow_imbalance=opposite(look.signals.order_flow_imbalance),
            trade_imbalance=opposite(look.signals.trade_imbalance),
            book_imbalance=opposite(look.signals.book_imbalance),
            microprice_bps=opposite(look.signals.microprice_bps),
        ),
    )


def in_other_units(look, qty_power: int, px_power: int):
    """The same moment with quantities and prices counted in units that are powers of ten larger or smaller."""
    many, dear = D(10) ** qty_power, D(10) ** px_power

    def times(value: Decimal | None, factor: Decimal) -> Decimal | None:
        return None if value is None else value * factor

    order, market, rules, working = look.order, look.market, look.instrument, look.working
    params = replace(
        order.params,
        display_qty=times(order.params.display_qty, many),
        trigger_qty=times(order.params.trigger_qty, many),
        trigger_px=times(order.params.trigger_px, dear),
    )
    scaled_order = replace(
        order, order_qty=order.order_qty * many, limit_px=times(order.limit_px, dear), params=params
    )
    scaled_rules = replace(
        rules,
        tick_size=rules.tick_size * dear,
        qty_step=rules.qty_step * many,
        min_order_qty=rules.min_order_qty * many,
        max_order_qty=rules.max_order_qty * many,
        min_notional=rules.min_notional * many * dear,
    )
    schedule = strategy_of(scaled_order).plan(
        order=scaled_order, instrument=scaled_rules, reference_px=BID * dear, start_ns=T0,
        end_ns=order.deadline_ns, cum_qty=look.schedule.base_qty * many,
    )  # fmt: skip
    return replace(
        look,
        order=scaled_order,
        instrument=scaled_rules,
        schedule=schedule,
        market=replace(
            market,
            best_bid=market.best_bid * dear,
            best_ask=market.best_ask * dear,
            best_bid_qty=market.best_bid_qty * many,
            best_ask_qty=market.best_ask_qty * many,
        ),
        working=None
        if working is None
        else replace(working, px=working.px * dear, leaves_qty=working.leaves_qty * many),
        cum_qty=look.cum_qty * many,
        slice_base_qty=look.slice_base_qty * many,
        market_qty=times(look.market_qty, many),
        plan_market_qty=times(look.plan_market_qty, many),
        slice_market_qty=times(look.slice_market_qty, many),
        last_slice_market_qty=times(look.last_slice_market_qty, many),
        arrival_px=times(look.arrival_px, dear),
    )
