"""The gate: every child order passes here, and only here an `Approved` is made.

It computes nothing it is not told and assumes nothing it was not given: a missing, stale, NaN, infinite or
negative input is a refusal. All reasons are collected, so that an operator sees the whole picture at once.
`tests/risk` holds it against an independent predicate.
"""

from dataclasses import dataclass
from decimal import Decimal

from executor.domain.approval import Approved
from executor.domain.instrument import Instrument
from executor.domain.limits import MONEY_LIMITS, Limits
from executor.domain.market import MarketSnapshot
from executor.domain.orders import NewOrder, ParentOrder, Side, TimeInForce
from executor.domain.timeline import NS_PER_S
from executor.domain.units import BPS_PER_UNIT, ONE, ZERO, Quantity, is_plain, is_sound
from risk.refusals import RefusalCode as Code

_PCT = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """All that the gate may look at. None means "not known", which is always a reason to refuse.

    Parameters
    ----------
    book_ns
        When the engine last saw a sound book of the symbol, UTC nanoseconds.
    benchmark_px
        Five-minute exponential mean of mids.
    expected_volume_qty
        Market volume expected over one slice of the parent, base units.
    parent_worst_case_qty
        Booked fills plus all unproven quantity of the parent, without the order at hand.
    parent_ordered_qty
        Sum of all quantity ever ordered for the parent.
    position_qty
        Signed position of the instrument, base units.
    same_side_open_qty
        Open and unproven quantity on the order's side in the instrument, all parents, base units.
    day_pnl
        Result of the UTC day, fees included, marked at mid; negative is a loss, quote units.
    """

    now_ns: int
    latched: bool
    halt_epoch: int
    draining: bool
    reconciled: bool
    private_live: bool
    public_live: bool
    blocked: str
    parent: ParentOrder
    instrument: Instrument | None
    market: MarketSnapshot | None
    book_ns: int | None
    benchmark_px: Decimal | None
    volatility_hourly_pct: Decimal | None
    expected_volume_qty: Decimal | None
    parent_worst_case_qty: Decimal
    parent_ordered_qty: Decimal
    parent_children: int
    parent_last_order_ns: int
    orders_last_s: int
    orders_last_min: int
    orders_day: int
    children_last_hour: int
    position_qty: Decimal | None
    same_side_open_qty: Decimal
    open_notional: Decimal | None
    day_notional: Decimal | None
    day_pnl: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The gate's no, with every reason that holds."""

    codes: tuple[Code, ...]
    detail: str


def judge(order: NewOrder, view: GateView, limits: Limits, ticket: int) -> Approved[NewOrder] | Refused:
    """Approve the order exactly as it stands, or say every reason why not.

    Parameters
    ----------
    ticket
        Number of this approval; the caller never uses one twice.
    """
    if not (is_plain(order.qty) and is_plain(order.px) and _are_sound(limits)):
        return Refused(
            codes=(Code.INPUT_UNSOUND,), detail="quantity or price of the order, or a limit, is not usable"
        )
    codes: list[Code] = []
    codes += _state_codes(view)
    codes += _order_codes(order, view)
    codes += _market_codes(order, view, limits)
    codes += _pace_codes(order, view, limits)
    codes += _money_codes(order, view, limits)
    if codes:
        return Refused(codes=tuple(dict.fromkeys(codes)), detail=_describe(order, view))
    return Approved(order=order, ticket=ticket, halt_epoch=view.halt_epoch)


def size_cap(view: GateView, limits: Limits, side: Side, px: Decimal) -> Quantity:
    """Largest quantity on the step that the size limits would let pass at this price; zero when unknown.

    The planner cuts its wish to this, so that a large slice becomes several children instead of a refusal.
    The gate does not rely on it.
    """
    rules = view.instrument
    if rules is None or not is_sound(view.expected_volume_qty) or px <= ZERO:
        return Quantity(ZERO)
    unit = rules.notional(ONE, px)
    caps = [
        rules.max_order_qty,
        limits.participation_pct_max / _PCT * view.expected_volume_qty,
        view.parent.order_qty - view.parent_worst_case_qty,
    ]
    if limits.child_notional_max is not None:
        caps.append(limits.child_notional_max / unit)
    if limits.open_notional_max is not None and view.open_notional is not None:
        caps.append((limits.open_notional_max - view.open_notional) / unit)
    if limits.position_notional_max is not None and view.position_qty is not None:
        caps.append(
            limits.position_notional_max / unit - side.sign * view.position_qty - view.same_side_open_qty
        )
    return rules.round_qty(max(min(caps), ZERO))


def _are_sound(limits: Limits) -> bool:
    """Whether no limit is NaN, infinite or negative; a missing money limit is its own refusal."""
    needed = (
        limits.participation_pct_max,
        limits.order_gap_s_min,
        limits.cross_spread_bps_max,
        limits.price_collar_bps_max,
        limits.reference_age_s_max,
        limits.volatility_hourly_pct_max,
        limits.amplification_max,
    )
    money = (getattr(limits, name) for name in MONEY_LIMITS)
    given = (*needed, *(limit for limit in money if limit is not None))
    return all(is_sound(limit) and limit >= ZERO for limit in given)


def _state_codes(view: GateView) -> list[Code]:
    codes = []
    if view.latched:
        codes.append(Code.HALTED)
    if view.draining:
        codes.append(Code.DRAINING)
    if not view.reconciled:
        codes.append(Code.UNRECONCILED)
    if not view.private_live:
        codes.append(Code.PRIVATE_STREAM_DOWN)
    if not view.public_live:
        codes.append(Code.PUBLIC_STREAM_DOWN)
    if view.blocked:
        codes.append(Code.SYMBOL_BLOCKED)
    return codes


def _order_codes(order: NewOrder, view: GateView) -> list[Code]:
    codes = []
    parent = view.parent
    if (order.parent_id, order.category, order.symbol, order.side, order.position_idx, order.reduce_only) != (
        parent.parent_id,
        parent.category,
        parent.symbol,
        parent.side,
        parent.position_idx,
        parent.reduce_only,
    ):
        codes.append(Code.WRONG_SIDE)
    if order.qty <= ZERO:
        codes.append(Code.QTY_NOT_POSITIVE)
    if order.px <= ZERO:
        codes.append(Code.PX_NOT_POSITIVE)
    if parent.limit_px is not None and (
        not is_plain(parent.limit_px) or order.side.sign * (order.px - parent.limit_px) > ZERO
    ):
        codes.append(Code.LIMIT_PRICE)
    if (
        not is_plain(view.parent_worst_case_qty)
        or view.parent_worst_case_qty < ZERO
        or not is_plain(parent.order_qty)
        or view.parent_worst_case_qty + order.qty > parent.order_qty
    ):
        codes.append(Code.OVER_PARENT)
    rules = view.instrument
    if rules is None:
        return [*codes, Code.INSTRUMENT_UNKNOWN]
    if (rules.category, rules.symbol) != (order.category, order.symbol):
        codes.append(Code.INSTRUMENT_UNKNOWN)
    if not rules.trading:
        codes.append(Code.INSTRUMENT_NOT_TRADING)
    if not rules.is_on_step(order.qty):
        codes.append(Code.QTY_OFF_STEP)
    if not rules.is_on_tick(order.px):
        codes.append(Code.PX_OFF_TICK)
    if order.qty < rules.min_order_qty or rules.notional(order.qty, order.px) < rules.min_notional:
        codes.append(Code.QTY_BELOW_MINIMUM)
    if order.qty > rules.max_order_qty:
        codes.append(Code.QTY_ABOVE_MAXIMUM)
    return codes


def _market_codes(order: NewOrder, view: GateView, limits: Limits) -> list[Code]:
    codes = []
    market = view.market
    if market is None or (market.category, market.symbol) != (order.category, order.symbol):
        codes.append(Code.BOOK_MISSING)
    elif not (
        is_plain(market.best_bid) and is_plain(market.best_ask) and ZERO < market.best_bid < market.best_ask
    ):
        codes.append(Code.BOOK_CROSSED)
    else:
        codes += _collar_codes(order, market, view, limits)
    if view.book_ns is None or not 0 <= view.now_ns - view.book_ns <= limits.reference_age_s_max * NS_PER_S:
        codes.append(Code.BOOK_STALE)
    volatility = view.volatility_hourly_pct
    if not is_sound(volatility) or volatility < ZERO:
        codes.append(Code.VOLATILITY_UNKNOWN)
    elif volatility > limits.volatility_hourly_pct_max:
        codes.append(Code.VOLATILITY_HIGH)
    volume = view.expected_volume_qty
    if not is_sound(volume) or volume <= ZERO:
        codes.append(Code.VOLUME_UNKNOWN)
    elif order.qty * _PCT > limits.participation_pct_max * volume:
        codes.append(Code.PARTICIPATION)
    return codes


def _collar_codes(order: NewOrder, market: MarketSnapshot, view: GateView, limits: Limits) -> list[Code]:
    codes = []
    collar = limits.price_collar_bps_max
    mid = market.mid_px
    if abs(order.px - mid) * BPS_PER_UNIT > collar * mid:
        codes.append(Code.PRICE_COLLAR)
    mean = view.benchmark_px
    if not is_sound(mean) or mean <= ZERO:
        codes.append(Code.BENCHMARK_UNKNOWN)
    elif abs(order.px - mean) * BPS_PER_UNIT > collar * mean:
        codes.append(Code.PRICE_BENCHMARK)
    if order.time_in_force is TimeInForce.IOC and market.spread_bps > limits.cross_spread_bps_max:
        codes.append(Code.SPREAD_WIDE)
    return codes


def _pace_codes(order: NewOrder, view: GateView, limits: Limits) -> list[Code]:
    codes = []
    if view.parent_last_order_ns and not (
        view.now_ns - view.parent_last_order_ns >= limits.order_gap_s_min * NS_PER_S
    ):
        codes.append(Code.ORDER_GAP)
    counts = (
        (view.orders_last_s, limits.orders_per_s_max, Code.ORDERS_PER_SECOND),
        (view.orders_last_min, limits.orders_per_min_max, Code.ORDERS_PER_MINUTE),
        (view.orders_day, limits.orders_per_day_max, Code.ORDERS_PER_DAY),
        (view.parent_children, limits.children_per_parent_max, Code.REPEAT_PARENT),
        (view.children_last_hour, limits.children_per_hour_max, Code.REPEAT_HOUR),
    )
    codes += [code for used, bound, code in counts if used < 0 or used >= bound]
    ordered = view.parent_ordered_qty
    if (
        not is_plain(ordered)
        or ordered < ZERO
        or not is_plain(view.parent.order_qty)
        or ordered + order.qty > limits.amplification_max * view.parent.order_qty
    ):
        codes.append(Code.AMPLIFICATION)
    return codes


def _money_codes(order: NewOrder, view: GateView, limits: Limits) -> list[Code]:
    if view.instrument is None:
        return []
    codes = []
    notional = view.instrument.notional(order.qty, order.px)
    if limits.child_notional_max is None or notional > limits.child_notional_max:
        codes.append(Code.CHILD_NOTIONAL)
    if _exceeds(view.open_notional, notional, limits.open_notional_max):
        codes.append(Code.OPEN_NOTIONAL)
    position = view.position_qty
    if not is_plain(position):
        return [*codes, Code.POSITION_UNKNOWN]
    same_side = view.same_side_open_qty
    if not is_plain(same_side) or same_side < ZERO:
        return [*codes, Code.INPUT_UNSOUND]
    after = order.side.sign * position + same_side + order.qty
    if after <= ZERO:
        return codes  # it can only shrink the position: exits stay possible under every account limit
    value_after = view.instrument.notional(Quantity(after), order.px)
    if limits.position_notional_max is None or value_after > limits.position_notional_max:
        codes.append(Code.POSITION_NOTIONAL)
    if _exceeds(view.day_notional, notional, limits.day_notional_max):
        codes.append(Code.DAY_NOTIONAL)
    pnl = view.day_pnl
    if limits.day_loss_max is None or not is_sound(pnl) or pnl <= -limits.day_loss_max:
        codes.append(Code.DAY_LOSS)
    return codes


def _exceeds(used: Decimal | None, more: Decimal, bound: Decimal | None) -> bool:
    """Compares with what is left of the bound: next to a large `more` a tiny `used` would be rounded away."""
    return bound is None or not is_sound(used) or used < ZERO or used > bound - more


def _describe(order: NewOrder, view: GateView) -> str:
    market = view.market
    touch = "no book" if market is None else f"book {market.best_bid}/{market.best_ask}"
    return (
        f"{order.side.name} {order.qty} {order.symbol} @ {order.px} {order.time_in_force}; {touch};"
        f" worst case {view.parent_worst_case_qty} of {view.parent.order_qty};"
        f" expected volume {view.expected_volume_qty}; volatility {view.volatility_hourly_pct} %"
    )
