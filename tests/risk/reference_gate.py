"""The gate once more, written apart from it from the meaning of the limits: exact fractions, one list of facts.

Whoever changes a limit changes it here as well; `test_gate_property.py` holds the two against each other.
"""

import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from executor.domain.limits import JOINT_LIMITS, MONEY_LIMITS
from executor.domain.orders import Category, Side, TimeInForce

_QUANTITY = re.compile(r"-?\d{1,18}(\.\d{1,18})?")
_STATISTIC = re.compile(r"-?\d{1,18}(\.\d+)?")
_NOT_OF_THE_GATE = {"shortfall_alert_bps", "advice_timeout_s_max"}


class _UnusableError(Exception):
    pass


def _exact(value, form=_QUANTITY, low=None):
    """The number as a fraction; whatever is missing, strange or too low may not be used."""
    if type(value) is not Decimal or not value.is_finite() or abs(value.adjusted()) > 1_000:
        raise _UnusableError
    exact = Fraction(value)
    if not form.fullmatch(format(value, "f")) or (low is not None and exact < low):
        raise _UnusableError
    return exact


def may_pass(order, view, limits):
    """Whether the order may leave."""
    try:
        return all(_facts(order, view, limits))
    except _UnusableError:
        return False


def may_replace(new, standing, view, limits):
    """Whether the amendment may leave: the order it makes may, and counts for what it adds to the old one."""
    old = standing.order
    try:
        filled, old_qty, old_px = _exact(standing.filled_qty, low=0), _exact(old.qty), _exact(old.px)
        new_qty, new_px = _exact(new.qty), _exact(new.px)
        if not filled <= old_qty or not filled < new_qty or not old_px > 0 or view.instrument is None:
            return False
        for name in ("client_order_id", "parent_id", "category", "symbol", "side"):
            if getattr(new, name) != getattr(old, name):
                return False
        flat = view.instrument.category is Category.INVERSE
        most = max(old_qty, new_qty) - filled
        value = most if flat else most * max(old_px, new_px)
        value -= (old_qty - filled) if flat else (old_qty - filled) * old_px
        more = (max(new_qty - old_qty, 0), value, new_qty - filled)
        return all(_facts(replace(old, qty=new.qty, px=new.px), view, limits, more))
    except _UnusableError:
        return False


def _facts(order, view, limits, more=None):
    """`more` is what an amendment adds: quantity, value, and the quantity that could then still execute."""
    yield not (view.latched or view.draining or view.blocked)
    yield view.reconciled and view.private_live and view.public_live and view.trade_live
    yield view.now_ns >= view.restricted_until_ns
    yield order.reduce_only is True or view.positions_compared
    yield view.sentinel_alive or not view.sentinel_required
    bound = {}
    for name in type(limits).__dataclass_fields__.keys() - _NOT_OF_THE_GATE:
        given = getattr(limits, name)
        if not isinstance(given, int) and not (given is None and name in {*MONEY_LIMITS, *JOINT_LIMITS}):
            bound[name] = _exact(given, _STATISTIC, 0)
    yield {"child_notional_max", "open_notional_max"} <= bound.keys()
    parent, rules, book, way = view.parent, view.instrument, view.market, order.side.sign
    for name in ("parent_id", "category", "symbol", "side", "position_idx", "reduce_only"):
        yield getattr(order, name) == getattr(parent, name)
    yield rules is not None and book is not None
    for thing in (rules, book):
        yield (thing.category, thing.symbol) == (order.category, order.symbol)
    qty, px, whole = _exact(order.qty), _exact(order.px), _exact(parent.order_qty)
    opens = {0: {Side.BUY, Side.SELL}, 1: {Side.BUY}, 2: {Side.SELL}}.get(order.position_idx, set())
    if order.category is Category.SPOT:
        yield order.position_idx == 0 and order.reduce_only is False
    elif view.hedged:
        yield order.position_idx in {1, 2} and (order.side in opens) is not order.reduce_only
    else:
        yield order.position_idx == 0
    value_per_unit = 1 if rules.category is Category.INVERSE else px
    yield qty > 0 and px > 0
    yield rules.trading
    yield (qty / Fraction(rules.qty_step)).denominator == 1
    yield (px / Fraction(rules.tick_size)).denominator == 1
    yield Fraction(rules.min_order_qty) <= qty <= Fraction(rules.max_order_qty)
    yield qty * value_per_unit >= Fraction(rules.min_notional)
    yield parent.limit_px is None or way * px <= way * _exact(parent.limit_px)
    added, added_value, executable = more or (qty, qty * value_per_unit, qty)
    yield _exact(view.parent_worst_case_qty, low=0) + added <= whole
    yield _exact(view.parent_ordered_qty, low=0) + executable <= bound["amplification_max"] * whole
    bid, ask = _exact(book.best_bid), _exact(book.best_ask)
    yield 0 < bid < ask
    mid, mean = (bid + ask) / 2, _exact(view.benchmark_px, _STATISTIC)
    yield mean > 0
    for anchor in (mid, mean):
        yield abs(px / anchor - 1) * 10_000 <= bound["price_collar_bps_max"]
    band = book.max_buy_px if way > 0 else book.min_sell_px
    yield band is None or (way * px <= way * _exact(band) != 0 and _exact(band) > 0)
    oldest = bound["second_opinion_age_s_max"]
    fresh = [one.px for one in view.opinions if 0 <= Fraction(view.now_ns - one.at_ns, 10**9) <= oldest]
    yield len(fresh) >= limits.references_min
    for other in fresh:
        yield _exact(other) > 0
        yield abs(_exact(other) / mid - 1) * 10_000 <= bound["reference_gap_bps_max"]
    taking = order.time_in_force is TimeInForce.IOC
    yield not taking or (ask - bid) / mid * 10_000 <= bound["cross_spread_bps_max"]
    yield view.book_ns is not None
    yield 0 <= Fraction(view.now_ns - view.book_ns, 10**9) <= bound["reference_age_s_max"]
    yield _exact(view.volatility_hourly_pct, _STATISTIC, 0) <= bound["volatility_hourly_pct_max"]
    volume = _exact(view.expected_volume_qty, _STATISTIC)
    yield volume > 0 and qty / volume * 100 <= bound["participation_pct_max"]
    if "symbol_participation_pct_max" in bound:
        theirs = _exact(view.symbol_volume_qty, _STATISTIC)
        ours = _exact(view.symbol_used_qty, low=0) + min(added, qty)
        yield theirs > 0 and ours / theirs * 100 <= bound["symbol_participation_pct_max"]
    since_last = Fraction(view.now_ns - view.parent_last_order_ns, 10**9)
    yield view.parent_last_order_ns == 0 or since_last >= bound["order_gap_s_min"]
    yield view.orders_last_s in range(limits.orders_per_s_max)
    yield view.orders_last_min in range(limits.orders_per_min_max)
    yield view.orders_day in range(limits.orders_per_day_max)
    yield view.parent_children in range(limits.children_per_parent_max)
    yield view.children_last_hour in range(limits.children_per_hour_max)
    value = qty * value_per_unit
    yield value <= bound["child_notional_max"]
    yield _exact(view.open_notional, _STATISTIC, 0) + added_value <= bound["open_notional_max"]
    held = way * _exact(view.position_qty)
    reducing = _exact(view.reduce_open_qty, low=0)
    yield not order.reduce_only or added + reducing <= max(-held, 0)
    after = held + _exact(view.same_side_open_qty, low=0) + added
    if after > 0 or order.category is Category.SPOT:
        yield {"position_notional_max", "day_notional_max", "day_loss_max"} <= bound.keys()
        yield after * value_per_unit <= bound["position_notional_max"]
        yield (
            _exact(view.day_notional, _STATISTIC, 0) + executable * value_per_unit
            <= bound["day_notional_max"]
        )
        yield _exact(view.day_pnl, _STATISTIC) > -bound["day_loss_max"]
