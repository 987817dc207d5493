"""The gate: every child order and every amendment of one passes here, and only here an `Approved` is made.

It computes nothing it is not told and assumes nothing it was not given: a missing, stale, NaN, infinite or
negative input is a refusal. All reasons are collected, so that an operator sees the whole picture at once.
`tests/risk` holds it against an independent predicate.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from executor.domain.algo import AlgoKind, NewAlgo, largest_piece
from executor.domain.approval import Approved
from executor.domain.limits import JOINT_LIMITS, MONEY_LIMITS, Limits
from executor.domain.orders import Category, NewOrder, Replacement, Side
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ONE, ZERO, Quantity, is_plain, is_sound
from risk.algo_terms import are_usable, term_codes
from risk.prices import price_codes
from risk.refusals import RefusalCode as Code
from risk.view import Ask, GateView, Standing

_PCT = Decimal(100)
_OPENING_SIDE = {1: Side.BUY, 2: Side.SELL}
"""With two positions apart, index 1 is the long one and index 2 the short one."""


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
    if not is_usable(order, limits):
        return _unsound("quantity or price of the order, or a limit, is not usable")
    value = ZERO if view.instrument is None else view.instrument.notional(order.qty, order.px)
    ask = Ask(order=order, open_qty=order.qty, more_qty=order.qty, more_notional=value)
    codes = ask_codes(ask, view, limits)
    if codes:
        return Refused(codes=codes, detail=describe(order, view))
    return Approved(order=order, ticket=ticket, halt_epoch=view.halt_epoch)


def judge_replacement(
    new: Replacement, standing: Standing, view: GateView, limits: Limits, ticket: int
) -> Approved[Replacement] | Refused:
    """Approve an amendment exactly as it stands, or say every reason why not.

    The order it would make is held against the limits of an order. Until its outcome is proved the larger
    quantity and the dearer price count, so what is added to the exposure is the difference to those.

    Parameters
    ----------
    view
        The moment with the standing order counted as open.
    ticket
        Number of this approval; the caller never uses one twice.
    """
    old = standing.order
    filled = standing.filled_qty
    if not all(is_plain(number) for number in (new.qty, new.px, old.qty, old.px, filled)) or not (
        _are_sound(limits) and ZERO <= filled <= old.qty and old.px > ZERO
    ):
        return _unsound("a number of the amendment, of the order it changes, or a limit, is not usable")
    order = replace(old, qty=new.qty, px=new.px)
    open_before = old.qty - filled
    open_after = max(new.qty - filled, ZERO)
    more_notional = ZERO
    if view.instrument is not None:
        rules = view.instrument
        before = rules.notional(Quantity(open_before), old.px)
        dearest = max(new.px, old.px)
        more_notional = rules.notional(Quantity(max(open_before, open_after)), dearest) - before
    ask = Ask(
        order=order,
        open_qty=open_after,
        more_qty=max(new.qty - old.qty, ZERO),
        more_notional=more_notional,
    )
    codes = ask_codes(ask, view, limits)
    if new.qty <= filled:
        codes = (*codes, Code.QTY_BELOW_FILLED)
    if (new.client_order_id, new.parent_id, new.category, new.symbol, new.side) != (
        old.client_order_id,
        old.parent_id,
        old.category,
        old.symbol,
        old.side,
    ):
        codes = (*codes, Code.WRONG_SIDE)
    if codes:
        text = f"instead of {old.qty} @ {old.px}, filled {filled}: {describe(order, view)}"
        return Refused(codes=tuple(dict.fromkeys(codes)), detail=text)
    return Approved(order=new, ticket=ticket, halt_epoch=view.halt_epoch)


def judge_algo(algo: NewAlgo, view: GateView, limits: Limits, ticket: int) -> Approved[NewAlgo] | Refused:
    """Approve a strategy order of the venue exactly as it stands, or say every reason why not.

    It is held against the limits of the account with its whole quantity, and against those of a single order with the
    largest piece that the venue could send.

    Parameters
    ----------
    ticket
        Number of this approval; the caller never uses one twice.
    """
    order, rules = algo.order, view.instrument
    if not (is_usable(order, limits) and are_usable(algo)):
        return _unsound("a number of the strategy order, or a limit, is not usable")
    if rules is None:
        return Refused(codes=(Code.INSTRUMENT_UNKNOWN,), detail=describe(order, view))
    largest = largest_piece(algo.terms, order.qty, rules)
    ask = Ask(
        order=replace(order, qty=largest),
        open_qty=order.qty,
        more_qty=order.qty,
        more_notional=rules.notional(order.qty, order.px),
    )
    found = ask_codes(ask, view, limits)
    if algo.terms.kind is AlgoKind.POV:
        # Its pieces follow the market; their share of it is what the terms say.
        found = tuple(code for code in found if code not in {Code.PARTICIPATION, Code.SYMBOL_PARTICIPATION})
        volume = view.symbol_volume_qty
        share = algo.terms.rate_pct * volume / _PCT if is_sound(volume) else ZERO
        found = (*found, *_together_codes(share, view, limits))
    codes = tuple(dict.fromkeys((*found, *term_codes(algo, rules, view, limits))))
    if codes:
        text = f"{algo.terms.kind}, pieces of up to {largest}: {describe(order, view)}"
        return Refused(codes=codes, detail=text)
    return Approved(order=algo, ticket=ticket, halt_epoch=view.halt_epoch)


def order_cap(view: GateView, limits: Limits, px: Decimal) -> Quantity:
    """Largest quantity on the step that the limits of a single order let pass at this price; zero when unknown."""
    rules = view.instrument
    if (
        rules is None
        or not is_sound(view.expected_volume_qty)
        or px <= ZERO
        or view.parent_worst_case_qty < ZERO
    ):
        return Quantity(ZERO)
    caps = [rules.max_order_qty, limits.participation_pct_max / _PCT * view.expected_volume_qty]
    if limits.child_notional_max is not None:
        caps.append(limits.child_notional_max / rules.notional(ONE, px))
    if limits.symbol_participation_pct_max is not None:
        volume = view.symbol_volume_qty if is_sound(view.symbol_volume_qty) else ZERO
        caps.append(limits.symbol_participation_pct_max / _PCT * volume - view.symbol_used_qty)
    return rules.round_qty(max(min(caps), ZERO))


def size_cap(view: GateView, limits: Limits, side: Side, px: Decimal) -> Quantity:
    """Largest quantity on the step that the size limits would let pass at this price; zero when unknown.

    The planner cuts its wish to this, so that a large slice becomes several children instead of a refusal.
    The gate does not rely on it.
    """
    rules = view.instrument
    if (
        rules is None
        or not is_sound(view.expected_volume_qty)
        or px <= ZERO
        or view.parent_worst_case_qty < ZERO
    ):
        return Quantity(ZERO)
    return min(order_cap(view, limits, px), room_cap(view, limits, side, px))


def room_cap(view: GateView, limits: Limits, side: Side, px: Decimal) -> Quantity:
    """Largest quantity on the step for which parent, account and position have room; zero when unknown."""
    rules = view.instrument
    if rules is None or px <= ZERO or view.parent_worst_case_qty < ZERO:
        return Quantity(ZERO)
    unit = rules.notional(ONE, px)
    caps = [view.parent.order_qty - view.parent_worst_case_qty]
    if limits.open_notional_max is not None and view.open_notional is not None:
        caps.append((limits.open_notional_max - view.open_notional) / unit)
    if limits.position_notional_max is not None and view.position_qty is not None:
        caps.append(
            limits.position_notional_max / unit - side.sign * view.position_qty - view.same_side_open_qty
        )
    if view.parent.reduce_only and view.position_qty is not None:
        caps.append(-side.sign * view.position_qty - view.reduce_open_qty)
    return rules.round_qty(max(min(caps), ZERO))


def _unsound(detail: str) -> Refused:
    return Refused(codes=(Code.INPUT_UNSOUND,), detail=detail)


def is_usable(order: NewOrder, limits: Limits) -> bool:
    """Whether quantity and price of an order, and every limit, are numbers that can be compared."""
    return is_plain(order.qty) and is_plain(order.px) and _are_sound(limits)


def _are_sound(limits: Limits) -> bool:
    """Whether no limit is NaN, infinite or negative; a missing money limit is its own refusal."""
    needed = (
        limits.participation_pct_max,
        limits.order_gap_s_min,
        limits.cross_spread_bps_max,
        limits.price_collar_bps_max,
        limits.reference_age_s_max,
        limits.reference_gap_bps_max,
        limits.second_opinion_age_s_max,
        limits.volatility_hourly_pct_max,
        limits.amplification_max,
    )
    money = (getattr(limits, name) for name in (*MONEY_LIMITS, *JOINT_LIMITS))
    given = (*needed, *(limit for limit in money if limit is not None))
    return all(is_sound(limit) and limit >= ZERO for limit in given)


def ask_codes(ask: Ask, view: GateView, limits: Limits) -> tuple[Code, ...]:
    """Every reason against what would then be true: of the order, of the price, of the pace, of the money."""
    codes: list[Code] = []
    codes += _state_codes(ask.order, view)
    codes += _order_codes(ask, view)
    codes += _position_side_codes(ask.order, view)
    codes += price_codes(ask.order, view, limits)
    codes += _activity_codes(ask, view, limits)
    codes += _pace_codes(ask, view, limits)
    codes += _money_codes(ask, view, limits)
    return tuple(dict.fromkeys(codes))


def _state_codes(order: NewOrder, view: GateView) -> list[Code]:
    found = (
        (view.latched, Code.HALTED),
        (view.draining, Code.DRAINING),
        (not view.reconciled, Code.UNRECONCILED),
        (not view.private_live, Code.PRIVATE_STREAM_DOWN),
        (not view.public_live, Code.PUBLIC_STREAM_DOWN),
        (not view.trade_live, Code.ORDER_ENTRY_DOWN),
        (view.now_ns < view.restricted_until_ns, Code.VENUE_RESTRICTED),
        (view.sentinel_required and not view.sentinel_alive, Code.SENTINEL_SILENT),
        (bool(view.blocked), Code.SYMBOL_BLOCKED),
        # The venue lets a reduce-only order open nothing, whatever is held.
        (not (view.positions_compared or order.reduce_only), Code.POSITION_UNCONFIRMED),
    )
    return [code for holds, code in found if holds]


def _order_codes(ask: Ask, view: GateView) -> list[Code]:
    codes = []
    order, parent = ask.order, view.parent
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
        or view.parent_worst_case_qty + ask.more_qty > parent.order_qty
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


def _position_side_codes(order: NewOrder, view: GateView) -> list[Code]:
    """Where long and short are kept apart, the side says whether an order opens or reduces; it must say the same."""
    if order.category is Category.SPOT:
        fits = order.position_idx == 0 and not order.reduce_only
    elif order.position_idx == 0:
        fits = not view.hedged
    else:
        opening = _OPENING_SIDE.get(order.position_idx)
        fits = view.hedged and opening is not None and order.reduce_only == (order.side is not opening)
    return [] if fits else [Code.POSITION_SIDE]


def _activity_codes(ask: Ask, view: GateView, limits: Limits) -> list[Code]:
    codes = []
    order = ask.order
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
    return [*codes, *_together_codes(min(ask.more_qty, order.qty), view, limits)]


def _together_codes(added: Decimal, view: GateView, limits: Limits) -> list[Code]:
    """Whether all parents of the symbol together would take too much of the market."""
    bound = limits.symbol_participation_pct_max
    if bound is None:
        return []
    used, volume = view.symbol_used_qty, view.symbol_volume_qty
    if not is_plain(used) or used < ZERO:
        return [Code.INPUT_UNSOUND]
    if not is_sound(volume) or volume <= ZERO:
        return [Code.VOLUME_UNKNOWN]
    return [Code.SYMBOL_PARTICIPATION] if (used + added) * _PCT > bound * volume else []


def _pace_codes(ask: Ask, view: GateView, limits: Limits) -> list[Code]:
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
        or ordered + ask.open_qty > limits.amplification_max * view.parent.order_qty
    ):
        codes.append(Code.AMPLIFICATION)
    return codes


def _money_codes(ask: Ask, view: GateView, limits: Limits) -> list[Code]:
    rules = view.instrument
    if rules is None:
        return []
    codes = []
    order = ask.order
    notional = rules.notional(order.qty, order.px)
    if limits.child_notional_max is None or notional > limits.child_notional_max:
        codes.append(Code.CHILD_NOTIONAL)
    if _exceeds(view.open_notional, ask.more_notional, limits.open_notional_max):
        codes.append(Code.OPEN_NOTIONAL)
    position = view.position_qty
    if not is_plain(position):
        return [*codes, Code.POSITION_UNKNOWN]
    same_side, reducing = view.same_side_open_qty, view.reduce_open_qty
    if not all(is_plain(qty) and qty >= ZERO for qty in (same_side, reducing)):
        return [*codes, Code.INPUT_UNSOUND]
    if order.reduce_only and ask.more_qty > max(-order.side.sign * position, ZERO) - reducing:
        codes.append(Code.REDUCE_ONLY_EXCEEDS)
    after = order.side.sign * position + same_side + ask.more_qty
    if after <= ZERO and order.category is not Category.SPOT:
        return codes  # it can only shrink the position: exits stay possible under every account limit
    # Spot has no position to leave: what was sold there is no debt that a purchase would pay back.
    value_after = rules.notional(Quantity(max(after, ZERO)), order.px)
    if limits.position_notional_max is None or value_after > limits.position_notional_max:
        codes.append(Code.POSITION_NOTIONAL)
    tradable = rules.notional(Quantity(ask.open_qty), order.px)
    if _exceeds(view.day_notional, tradable, limits.day_notional_max):
        codes.append(Code.DAY_NOTIONAL)
    pnl = view.day_pnl
    if limits.day_loss_max is None or not is_sound(pnl) or pnl <= -limits.day_loss_max:
        codes.append(Code.DAY_LOSS)
    return codes


def _exceeds(used: Decimal | None, more: Decimal, bound: Decimal | None) -> bool:
    """Compares with what is left of the bound: next to a large `more` a tiny `used` would be rounded away."""
    return bound is None or not is_sound(used) or used < ZERO or used > bound - more


def describe(order: NewOrder, view: GateView) -> str:
    """What was asked for, and in which moment, for people."""
    market = view.market
    touch = "no book" if market is None else f"book {market.best_bid}/{market.best_ask}"
    return (
        f"{order.side.name} {order.qty} {order.symbol} @ {order.px} {order.time_in_force}; {touch};"
        f" worst case {view.parent_worst_case_qty} of {view.parent.order_qty};"
        f" expected volume {view.expected_volume_qty}; volatility {view.volatility_hourly_pct} %"
    )
