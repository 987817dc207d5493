"""What becomes of an advice: the directive that holds, and every difference from what was advised, by name."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from executor.advice.band import (
    Directive,
    act_until_ns,
    ahead_qty_max,
    behind_qty_max,
    catch_up_times,
    offset_qty,
    slice_in_force,
)
from executor.domain.advice import Action, Advice, OrderKind
from executor.domain.advice_terms import Band
from executor.domain.decision import Style, View
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ONE, ZERO, Price, Quantity

RATE_USUAL: Final = {Action.ACCELERATE: Decimal("1.5"), Action.DECELERATE: Decimal("0.67")}
"""Speed that an action means when no rate is named."""

_STYLES: Final = {
    Action.AGGRESSIVE: Style.CROSS,
    Action.PASSIVE: Style.REST,
    Action.WAIT: Style.WAIT,
}
_KINDS: Final = {OrderKind.LIMIT: Style.REST, OrderKind.MARKET: Style.CROSS}


class Clip(StrEnum):
    """One difference between what was advised and what holds."""

    LOW_CONFIDENCE = "LOW_CONFIDENCE"
    NOTHING_SCHEDULED = "NOTHING_SCHEDULED"
    RATE_CLIPPED = "RATE_CLIPPED"
    QTY_CLIPPED = "QTY_CLIPPED"
    QTY_RAISED = "QTY_RAISED"
    WAIT_CLIPPED = "WAIT_CLIPPED"
    LIMIT_PRICE_LOOSER = "LIMIT_PRICE_LOOSER"
    TOO_LATE_TO_SLOW = "TOO_LATE_TO_SLOW"
    TOO_FAR_BEHIND = "TOO_FAR_BEHIND"
    TOO_FAR_AHEAD = "TOO_FAR_AHEAD"
    NO_CATCH_UP = "NO_CATCH_UP"
    ORDER_KIND_IGNORED = "ORDER_KIND_IGNORED"
    NOT_FOR_THIS_ACTION = "NOT_FOR_THIS_ACTION"
    STRATEGY_NOT_ALLOWED = "STRATEGY_NOT_ALLOWED"
    STRATEGY_IN_FORCE = "STRATEGY_IN_FORCE"
    SWITCHES_USED_UP = "SWITCHES_USED_UP"
    CANCEL_NOT_ALLOWED = "CANCEL_NOT_ALLOWED"


CLIP_TEXT: Final = {
    Clip.LOW_CONFIDENCE: "less sure than the least confidence: the schedule decides",
    Clip.NOTHING_SCHEDULED: "no slice is in force: there is nothing to change",
    Clip.RATE_CLIPPED: "the speed was brought within its bounds",
    Clip.QTY_CLIPPED: "the child's size was cut to the most that a slice may do",
    Clip.QTY_RAISED: "the child's size was raised to the smallest that advice may cut to",
    Clip.WAIT_CLIPPED: "the wait was cut to the longest allowed",
    Clip.LIMIT_PRICE_LOOSER: "the limit price is looser than the order's own, which stands",
    Clip.TOO_LATE_TO_SLOW: "too late in the order to slow it down",
    Clip.TOO_FAR_BEHIND: "the order is too far behind: what slows it down waits until it has caught up",
    Clip.TOO_FAR_AHEAD: "the order is as far ahead as it may be: it keeps its lead, at the schedule's speed",
    Clip.NO_CATCH_UP: "the order may not catch up, so it is slowed down within a slice only",
    Clip.ORDER_KIND_IGNORED: "the kind of order contradicts the action, which stands",
    Clip.NOT_FOR_THIS_ACTION: "a figure was named that the action has no use for",
    Clip.STRATEGY_NOT_ALLOWED: "the schedule is not one that may be switched to",
    Clip.STRATEGY_IN_FORCE: "the schedule is already in force",
    Clip.SWITCHES_USED_UP: "the schedule of this order was switched as often as it may be",
    Clip.CANCEL_NOT_ALLOWED: "advice may not end an order: it is paused for a person to look at",
}


class Stop(StrEnum):
    """How advice to cancel ends the work on a parent."""

    PAUSE = "PAUSE"
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an order stands when an advice arrives.

    Parameters
    ----------
    directive
        The one in force so far, which the new ruling replaces; None if there is none.
    switches
        How often the schedule of this parent was switched by advice.
    """

    view: View
    directive: Directive | None
    switches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What was made of an advice.

    Parameters
    ----------
    directive
        What is in force from now on, instead of what was; None: the schedule decides.
    stop
        Whether and how work on the parent ends.
    clips
        Every difference between what was advised and what holds.
    """

    directive: Directive | None
    stop: Stop | None
    clips: tuple[Clip, ...]


def direct(advice: Advice, band: Band, standing: Standing) -> Ruling:
    """Turn a usable advice into what may hold of it.

    A newer advice always replaces an older one, also when nothing may hold of it: the adviser no longer means what it
    said before. A switch of the schedule has to carry the lead or the lag over: the new plan starts from the
    quantity that the old one has at that instant (`pro_rata_qty`), not from what is filled.
    """
    if advice.confidence < band.confidence_min:
        return Ruling(directive=None, stop=None, clips=(Clip.LOW_CONFIDENCE,))
    clips: list[Clip] = []
    if _has_useless_figure(advice):
        clips.append(Clip.NOT_FOR_THIS_ACTION)
    if advice.action is Action.CANCEL:
        if not band.cancel_allowed:
            clips.append(Clip.CANCEL_NOT_ALLOWED)
        stop = Stop.CANCEL if band.cancel_allowed else Stop.PAUSE
        return Ruling(directive=None, stop=stop, clips=tuple(clips))
    if slice_in_force(standing.view) is None:
        return Ruling(directive=None, stop=None, clips=(*clips, Clip.NOTHING_SCHEDULED))
    return Ruling(directive=_directive(advice, band, standing, clips), stop=None, clips=tuple(clips))


def _has_useless_figure(advice: Advice) -> bool:
    """Whether it names something that its action has no use for."""
    orders = (advice.qty, advice.order_kind, advice.limit_px, advice.rate)
    silent = advice.action in {Action.WAIT, Action.CANCEL} and any(part is not None for part in orders)
    waits = advice.action is not Action.WAIT and advice.wait_s is not None
    switches = advice.action is not Action.SWITCH_STRATEGY and advice.strategy is not None
    return silent or waits or switches


def _directive(advice: Advice, band: Band, standing: Standing, clips: list[Clip]) -> Directive | None:
    view = standing.view
    start_ns = view.now_ns
    waiting = advice.action is Action.WAIT
    until_ns = start_ns + (_wait_s(advice, band, clips) if waiting else band.hold_s_max) * NS_PER_S
    rate = _rate(advice, band, clips)
    style = _style(advice, clips)
    child_qty_max = None if waiting else _child_qty(advice, band, view, clips)
    limit = None if waiting else _limit_px(advice, view, clips)
    slow_order = style in {Style.REST, Style.WAIT} or child_qty_max is not None or limit is not None
    if rate < ONE or slow_order:
        if start_ns >= act_until_ns(band, view.order, view.schedule):
            clips.append(Clip.TOO_LATE_TO_SLOW)
            rate, child_qty_max, limit = max(rate, ONE), None, None
            style = Style.CROSS if style is Style.CROSS else None
        else:
            behind = view.schedule.pro_rata_qty(start_ns) - view.cum_qty
            if behind > behind_qty_max(band, view.order):
                clips.append(Clip.TOO_FAR_BEHIND)
            if catch_up_times(view.order) == ONE:
                clips.append(Clip.NO_CATCH_UP)
    offset = _start_offset(advice.action, rate, band, standing)
    if rate > ONE and offset >= ahead_qty_max(band, view.order):
        clips.append(Clip.TOO_FAR_AHEAD)
    strategy = _strategy(advice, band, standing, clips)
    nothing = (rate, offset, style, child_qty_max, limit, strategy) == (ONE, ZERO, None, None, None, None)
    if (until_ns <= start_ns and strategy is None) or (nothing and advice.impact_adjustment == ONE):
        return None
    return Directive(
        decision_id=advice.decision_id,
        action=advice.action,
        rate=rate,
        start_ns=start_ns,
        until_ns=until_ns,
        offset_qty=offset,
        child_qty_max=child_qty_max,
        limit_px=limit,
        style=style,
        strategy=strategy,
        impact_adjustment=advice.impact_adjustment,
        confidence=advice.confidence,
    )


def _start_offset(action: Action, rate: Decimal, band: Band, standing: Standing) -> Quantity:
    """o0: where the order stands, but advice to hurry never means less than the schedule, to slow down never more."""
    view = standing.view
    before = ZERO
    if standing.directive is not None:
        before = offset_qty(standing.directive, band, view, view.now_ns)
    ahead = view.cum_qty - view.schedule.pro_rata_qty(view.now_ns)
    if rate < ONE:
        start = min(ZERO, before, ahead)
    elif rate > ONE or action is Action.AGGRESSIVE:
        start = max(ZERO, before, ahead)
    else:
        start = before
    low, high = -behind_qty_max(band, view.order), ahead_qty_max(band, view.order)
    return Quantity(min(max(start, low), high))


def _rate(advice: Advice, band: Band, clips: list[Clip]) -> Decimal:
    if advice.action is Action.WAIT:
        return ZERO
    low = ONE if advice.action is Action.ACCELERATE else band.rate_min
    high = ONE if advice.action is Action.DECELERATE else band.rate_max
    if advice.rate is None:
        return min(max(RATE_USUAL.get(advice.action, ONE), low), high)
    rate = min(max(advice.rate, low), high)
    if rate != advice.rate:
        clips.append(Clip.RATE_CLIPPED)
    return rate


def _wait_s(advice: Advice, band: Band, clips: list[Clip]) -> int:
    if advice.wait_s is None:
        return band.wait_s_max
    if advice.wait_s > band.wait_s_max:
        clips.append(Clip.WAIT_CLIPPED)
    return min(max(advice.wait_s, 0), band.wait_s_max)


def _style(advice: Advice, clips: list[Clip]) -> Style | None:
    wanted = None if advice.order_kind is None else _KINDS[advice.order_kind]
    style = _STYLES.get(advice.action)
    if style is None:
        return wanted
    if style is Style.REST and wanted is Style.CROSS:
        clips.append(Clip.ORDER_KIND_IGNORED)
    return style  # a limit order that crosses is what AGGRESSIVE sends anyway


def _child_qty(advice: Advice, band: Band, view: View, clips: list[Clip]) -> Quantity | None:
    piece = slice_in_force(view)
    assert piece is not None
    if advice.qty is None:
        return None
    if advice.qty > band.slice_times_max * piece.qty:
        clips.append(Clip.QTY_CLIPPED)
        return None  # the bound of the slice holds without it
    smallest = max(band.slice_times_min * piece.qty, view.instrument.smallest_qty(view.market.mid_px))
    if advice.qty < smallest:
        clips.append(Clip.QTY_RAISED)
        return Quantity(smallest)
    return advice.qty


def _limit_px(advice: Advice, view: View, clips: list[Clip]) -> Price | None:
    limit = view.order.limit_px
    if advice.limit_px is None or limit is None:
        return advice.limit_px
    difference = view.order.side.sign * (advice.limit_px - limit)
    if difference > ZERO:
        clips.append(Clip.LIMIT_PRICE_LOOSER)
    return advice.limit_px if difference < ZERO else None


def _strategy(advice: Advice, band: Band, standing: Standing, clips: list[Clip]) -> str | None:
    if advice.action is not Action.SWITCH_STRATEGY or advice.strategy is None:
        return None
    if advice.strategy not in band.strategies:
        clips.append(Clip.STRATEGY_NOT_ALLOWED)
    elif advice.strategy == standing.view.order.strategy:
        clips.append(Clip.STRATEGY_IN_FORCE)
    elif standing.switches >= band.switches_max:
        clips.append(Clip.SWITCHES_USED_UP)
    else:
        return advice.strategy
    return None
