"""The gate once more, written apart from it from the meaning of the limits: exact fractions, one list of facts.

Whoever changes a limit changes it here as well; `test_gate_property.py` holds the two against each other.
"""

import re
from decimal import Decimal
from fractions import Fraction

from executor.domain.limits import MONEY_LIMITS
from executor.domain.orders import Category, TimeInForce

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


def _facts(order, view, limits):
    yield not (view.latched or view.draining or view.blocked)
    yield view.reconciled and view.private_live and view.public_live
    bound = {}
    for name in type(limits).__dataclass_fields__.keys() - _NOT_OF_THE_GATE:
        given = getattr(limits, name)
        if not isinstance(given, int) and not (given is None and name in MONEY_LIMITS):
            bound[name] = _exact(given, _STATISTIC, 0)
    yield {"child_notional_max", "open_notional_max"} <= bound.keys()
    parent, rules, book, way = view.parent, view.instrument, view.market, order.side.sign
    for name in ("parent_id", "category", "symbol", "side", "position_idx", "reduce_only"):
        yield getattr(order, name) == getattr(parent, name)
    yield rules is not None and book is not None
    for thing in (rules, book):
        yield (thing.category, thing.symbol) == (order.category, order.symbol)
    qty, px, whole = _exact(order.qty), _exact(order.px), _exact(parent.order_qty)
    value_per_unit = 1 if rules.category is Category.INVERSE else px
    yield qty > 0 and px > 0
    yield rules.trading
    yield (qty / Fraction(rules.qty_step)).denominator == 1
    yield (px / Fraction(rules.tick_size)).denominator == 1
    yield Fraction(rules.min_order_qty) <= qty <= Fraction(rules.max_order_qty)
    yield qty * value_per_unit >= Fraction(rules.min_notional)
    yield parent.limit_px is None or way * px <= way * _exact(parent.limit_px)
    yield _exact(view.parent_worst_case_qty, low=0) + qty <= whole
    yield _exact(view.parent_ordered_qty, low=0) + qty <= bound["amplification_max"] * whole
    bid, ask = _exact(book.best_bid), _exact(book.best_ask)
    yield 0 < bid < ask
    mid, mean = (bid + ask) / 2, _exact(view.benchmark_px, _STATISTIC)
    yield mean > 0
    for anchor in (mid, mean):
        yield abs(px / anchor - 1) * 10_000 <= bound["price_collar_bps_max"]
    taking = order.time_in_force is TimeInForce.IOC
    yield not taking or (ask - bid) / mid * 10_000 <= bound["cross_spread_bps_max"]
    yield view.book_ns is not None
    yield 0 <= Fraction(view.now_ns - view.book_ns, 10**9) <= bound["reference_age_s_max"]
    yield _exact(view.volatility_hourly_pct, _STATISTIC, 0) <= bound["volatility_hourly_pct_max"]
    volume = _exact(view.expected_volume_qty, _STATISTIC)
    yield volume > 0 and qty / volume * 100 <= bound["participation_pct_max"]
    since_last = Fraction(view.now_ns - view.parent_last_order_ns, 10**9)
    yield view.parent_last_order_ns == 0 or since_last >= bound["order_gap_s_min"]
    yield view.orders_last_s in range(limits.orders_per_s_max)
    yield view.orders_last_min in range(limits.orders_per_min_max)
    yield view.orders_day in range(limits.orders_per_day_max)
    yield view.parent_children in range(limits.children_per_parent_max)
    yield view.children_last_hour in range(limits.children_per_hour_max)
    value = qty * value_per_unit
    yield value <= bound["child_notional_max"]
    yield _exact(view.open_notional, _STATISTIC, 0) + value <= bound["open_notional_max"]
    after = way * _exact(view.position_qty) + _exact(view.same_side_open_qty, low=0) + qty
    if after > 0:
        yield {"position_notional_max", "day_notional_max", "day_loss_max"} <= bound.keys()
        yield after * value_per_unit <= bound["position_notional_max"]
        yield _exact(view.day_notional, _STATISTIC, 0) + value <= bound["day_notional_max"]
        yield _exact(view.day_pnl, _STATISTIC) > -bound["day_loss_max"]
