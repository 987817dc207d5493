"""Orders before the gate: one that may pass, and a maker of situations near the edge of every limit.

`any_case` asks a `pick` for every choice, so that Hypothesis and a seeded generator can both drive it; the
first of each list of choices is the unremarkable one.
"""

from dataclasses import fields, replace
from decimal import Decimal

from executor.domain.limits import Limits
from executor.domain.market import SecondOpinion
from executor.domain.orders import Category, Replacement, Side, TimeInForce
from executor.domain.timeline import NS_PER_S
from executor.domain.units import is_sound
from risk.view import GateView, Standing
from tests.builders import T0, D, instrument, new_order, parent_order, snapshot

LEAST = D("1E-18")
STRANGE = (
    *(
        None,
        D("NaN"),
        D("sNaN"),
        D("Infinity"),
        D("-Infinity"),
        D("-1"),
        D("0"),
        D("-0"),
        D("1E+17"),
        D("1E+18"),
    ),
    *(
        D("1E+30"),
        D("-1E+30"),
        D("1E+999999"),
        D("-1E+999999"),
        D("1E-18"),
        D("-1E-18"),
        D("1E-19"),
        D("1E-400"),
    ),
)


def opinion(px="50000", at_ns=T0):
    return SecondOpinion(px=D(px), at_ns=at_ns)


def gate_view(**over):
    """A moment at which `new_order()` may pass."""
    usual = dict(
        now_ns=T0,
        latched=False,
        halt_epoch=3,
        draining=False,
        reconciled=True,
        private_live=True,
        public_live=True,
        trade_live=True,
        restricted_until_ns=0,
        sentinel_required=True,
        sentinel_alive=True,
        blocked="",
        parent=parent_order(),
        instrument=instrument(),
        market=snapshot(),
        book_ns=T0,
        opinions=(opinion(),),
        benchmark_px=D("50000.05"),
        volatility_hourly_pct=D("1"),
        expected_volume_qty=D("10"),
        parent_worst_case_qty=D("0"),
        parent_ordered_qty=D("0"),
        parent_children=0,
        parent_last_order_ns=0,
        orders_last_s=0,
        orders_last_min=0,
        orders_day=0,
        children_last_hour=0,
        positions_compared=True,
        hedged=False,
        position_qty=D("0"),
        same_side_open_qty=D("0"),
        reduce_open_qty=D("0"),
        open_notional=D("0"),
        day_notional=D("0"),
        day_pnl=D("0"),
        symbol_used_qty=D("0"),
        symbol_volume_qty=D("100"),
    )
    return GateView(**{**usual, **over})


def any_case(pick):
    """An order, a view and limits; about half of them may pass."""
    view, order = _market_and_order(pick)
    limits = _limits(pick, order, view)
    if pick([False] * 4 + [True]):
        order, view, limits = _with_something_strange(pick, order, view, limits)
    return order, view, limits


def _edge(pick, unit):
    """How far inside a limit: far, mostly; else exactly on it, or one unit inside or outside."""
    return pick([None] * 25 + [D(0), unit, D(0), unit, -unit])


def _rare(pick, usual, *others):
    return pick([usual] * 30 * len(others) + list(others))


def _market_and_order(pick):
    side = pick(list(Side))
    category = pick([Category.LINEAR] * 4 + [Category.SPOT, Category.INVERSE])
    mid = pick([D(50_000), D(2), D("0.5")])
    tick, step = mid / 500_000, pick([D("0.001"), D(1), D("0.00000001")])
    qty = step * pick([100, 1, 7, 12345])
    half_spread = pick([tick, mid / 1_000, tick * 20, mid / 1_000 + tick])
    collar = mid / 100
    px = mid + pick([tick, -tick, D(0), tick * 100, collar, -collar, _rare(pick, collar, collar + tick)])
    worth = qty if category is Category.INVERSE else qty * px
    hedged = category is not Category.SPOT and pick([False, False, True])
    reducing = category is not Category.SPOT and pick([False, False, True])
    index = 0
    if hedged:
        index = 1 if (side is Side.BUY) is not reducing else 2
    index = _rare(pick, index, 3)
    order = new_order(
        reduce_only=reducing,
        position_idx=index,
        category=category,
        side=side,
        qty=qty + _rare(pick, D(0), step / 10, -qty, -2 * qty),
        px=px + _rare(pick, D(0), tick / 10, -px),
        time_in_force=pick(list(TimeInForce)),
        symbol=_rare(pick, "BTCUSDT", "ETHUSDT"),
    )
    above = _edge(pick, step)
    least_worth = _edge(pick, LEAST)
    rules = instrument(
        category=_rare(pick, category, Category.LINEAR),
        tick_size=tick,
        qty_step=step,
        min_order_qty=pick([D(0), qty, qty - step, _rare(pick, qty, qty + step)]),
        max_order_qty=qty * 1000 if above is None else max(qty + above, step),
        min_notional=D(0) if least_worth is None else max(worth - least_worth, D(0)),
        trading=_rare(pick, True, False),
    )
    spare, limit = _edge(pick, step), _edge(pick, tick)
    whole = qty * 10
    parent = parent_order(
        category=_rare(pick, category, Category.SPOT),
        side=_rare(pick, side, Side(-side)),
        order_qty=whole,
        limit_px=None if limit is None else px + side.sign * limit,
        reduce_only=_rare(pick, reducing, not reducing),
        position_idx=_rare(pick, index, 1 - index),
        parent_id=_rare(pick, "P1", "P2"),
    )
    ordered = _edge(pick, step)
    position = -side.sign * qty * (pick([3, 3, 3, 4, 1]) if reducing else pick([0, -3, 3, 1, 1]))
    edge = _edge(pick, tick)
    band = None if edge is None else px + side.sign * edge
    gap = mid / 50
    opinions = [SecondOpinion(px=mid + pick([D(0), tick, gap, -gap]), at_ns=T0 - pick([0, 10 * NS_PER_S]))]
    opinions += pick([[], [opinion("1", at_ns=T0 - 10 * NS_PER_S - 1)]])
    opinions += _rare(pick, [], [SecondOpinion(px=mid + gap + tick, at_ns=T0)])
    opinions = _rare(pick, opinions, [], [replace(opinions[0], at_ns=T0 - 10 * NS_PER_S - 1)])
    opinions = _rare(pick, opinions, [replace(one, at_ns=T0 + 1) for one in opinions])
    view = gate_view(
        latched=_rare(pick, False, True),
        draining=_rare(pick, False, True),
        reconciled=_rare(pick, True, False),
        private_live=_rare(pick, True, False),
        public_live=_rare(pick, True, False),
        trade_live=_rare(pick, True, False),
        restricted_until_ns=pick([0, T0, _rare(pick, T0, T0 + 1)]),
        sentinel_required=pick([True, False]),
        sentinel_alive=_rare(pick, True, False),
        blocked=_rare(pick, "", "orphan"),
        parent=parent,
        instrument=_rare(pick, rules, None),
        market=_rare(
            pick,
            snapshot(
                mid - half_spread, mid + half_spread, category=category, max_buy_px=band, min_sell_px=band
            ),
            None,
            snapshot(mid, mid, category=category),
            snapshot(mid + tick, mid - tick, category=category),
            snapshot(mid - tick, mid + tick, category=category, symbol="ETHUSDT"),
        ),
        book_ns=T0 - pick([0, 1, 2 * NS_PER_S, _rare(pick, 5, 2 * NS_PER_S + 1, -1)]),
        benchmark_px=pick(
            [mid, px, *(round(px * 100 / part, 12) for part in (101, 99)), _rare(pick, mid, px * 2)]
        ),
        expected_volume_qty=qty * pick([100, 10, 1_000]) - _rare(pick, D(0), LEAST),
        parent_worst_case_qty=D(0) if spare is None else whole - qty - spare,
        parent_ordered_qty=D(0) if ordered is None else whole * 20 - qty - ordered,
        parent_last_order_ns=pick([0, T0 - 5 * NS_PER_S, _rare(pick, 1, T0 - 5 * NS_PER_S + 1, T0 + 1)]),
        opinions=tuple(opinions),
        positions_compared=pick([True] * 39 + [False]),
        hedged=_rare(pick, hedged, not hedged),
        position_qty=position + _rare(pick, D(0), side.sign * LEAST),
        same_side_open_qty=qty * pick([0, 0, 1, 2]),
        reduce_open_qty=qty * pick([0, 0, 1]),
        open_notional=worth * pick([0, 3]),
        day_notional=worth * pick([0, 50]),
        symbol_used_qty=qty * pick([0, 0, 9, _rare(pick, 9, 10)]),
        symbol_volume_qty=qty * pick([1_000, 100]) + _rare(pick, D(0), -LEAST),
    )
    return view, order


def _limits(pick, order, view):
    usual = Limits()
    worth = order.qty if order.category is Category.INVERSE else order.qty * order.px
    after = order.side.sign * view.position_qty + view.same_side_open_qty + order.qty

    def bound(used, unit=LEAST):
        edge = _edge(pick, unit)
        return abs(used) * 10 if edge is None else max(used + edge, D(0))

    return replace(
        usual,
        child_notional_max=bound(worth),
        open_notional_max=bound(worth + view.open_notional),
        position_notional_max=_rare(pick, bound(worth * after / order.qty if order.qty else D(1)), None),
        day_notional_max=bound(worth + view.day_notional),
        day_loss_max=_rare(pick, D(1), LEAST, D(0), None),
        references_min=pick([1, 0, _rare(pick, 1, 2)]),
        volatility_hourly_pct_max=_rare(pick, D(5), D(1), D("0.999999")),
        orders_per_s_max=_rare(pick, 2, 1, 0),
        orders_per_min_max=_rare(pick, 2, 1, 0),
        orders_per_day_max=_rare(pick, 2, 1, 0),
        children_per_parent_max=_rare(pick, 2, 1, 0),
        children_per_hour_max=_rare(pick, 2, 1, 0),
        symbol_participation_pct_max=pick([None, None, None, D(10)]),
    )


def any_replacement(pick):
    """An amendment, the order it changes, a view in which that order is open, and limits."""
    order, view, limits = any_case(pick)
    step = D("0.00000001") if view.instrument is None else view.instrument.qty_step
    tick = D("0.1") if view.instrument is None else view.instrument.tick_size
    more = pick([D(0), -step, step, 2 * step])
    old = replace(
        order,
        qty=abs(order.qty + more) if is_sound(order.qty) else D(1),
        px=abs(order.px + pick([D(0), tick, -tick])) if is_sound(order.px) else D(1),
    )
    filled = pick([D(0), D(0), step, _rare(pick, step, old.qty, old.qty + step, -step)])
    new = Replacement(
        client_order_id=_rare(pick, order.client_order_id, "x-1-2"),
        parent_id=order.parent_id,
        category=order.category,
        symbol=_rare(pick, order.symbol, "ETHUSDT"),
        side=_rare(pick, order.side, Side(-order.side)),
        qty=order.qty,
        px=order.px,
    )
    standing = Standing(order=old, filled_qty=_rare(pick, filled, *STRANGE[:3]))
    return new, standing, view, limits


def _with_something_strange(pick, order, view, limits):
    """Put a strange number in the place of any number."""
    opinion = view.opinions[0] if view.opinions else None
    groups = {
        "order": order,
        "view": view,
        "limits": limits,
        "parent": view.parent,
        "market": view.market,
        "opinion": opinion,
    }
    places = [
        (group, field.name)
        for group, record in groups.items()
        if record is not None
        for field in fields(record)
        if isinstance(getattr(record, field.name), Decimal)
    ]
    group, name = pick(places)
    changed = replace(groups[group], **{name: pick(STRANGE)})
    match group:
        case "order":
            return changed, view, limits
        case "limits":
            return order, view, changed
        case "view":
            return order, changed, limits
        case "opinion":
            return order, replace(view, opinions=(changed, *view.opinions[1:])), limits
        case _:
            return order, replace(view, **{group: changed}), limits
