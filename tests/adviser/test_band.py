"""What holds of a directive at an instant: how far the target moves, and until when it may be slower."""

from dataclasses import replace

import pytest

from executor.advice.band import (
    Directive,
    act_until_ns,
    changes_ns,
    is_binding,
    limit_px,
    make_up_qty,
    may_slow,
    offset_qty,
    qty_cap,
    slice_in_force,
    style_of,
)
from executor.domain.advice import Action
from executor.domain.advice_terms import Band
from executor.domain.decision import Schedule, Style
from executor.domain.orders import Side, StrategyParams
from executor.domain.timeline import NS_PER_S
from strategies.twap import Twap
from tests.builders import T0, D, instrument, parent_order, view

BAND = Band()
TEN_SLICES = parent_order(order_qty=D(10))  # 600 s, a slice of 1 each minute


def at(seconds, *, cum="0", order=TEN_SLICES, **over):
    schedule = Twap().plan(
        order=order,
        instrument=instrument(),
        reference_px=D(50_000),
        start_ns=order.start_ns,
        end_ns=order.deadline_ns,
        cum_qty=D(0),
    )
    return view(schedule, now_ns=T0 + int(D(seconds) * NS_PER_S), cum=cum, order=order, **over)


def directive(rate="1", *, start=0, until=600, offset="0", style=None, child=None, limit=None):
    return Directive(
        decision_id="P1-1",
        action=Action.PASSIVE,
        rate=D(rate),
        start_ns=T0 + start * NS_PER_S,
        until_ns=T0 + until * NS_PER_S,
        offset_qty=D(offset),
        child_qty_max=child and D(child),
        limit_px=limit and D(limit),
        style=style,
        strategy=None,
        impact_adjustment=D(1),
        confidence=D(1),
    )


def offset(moved, seconds, *, cum="0", aim=None, band=BAND, order=TEN_SLICES):
    look = at(seconds, cum=cum, order=order)
    return offset_qty(moved, band, look, T0 + (seconds if aim is None else aim) * NS_PER_S)


@pytest.mark.parametrize(
    "over",
    [
        dict(confidence_min=D("1.1")),
        dict(rate_min=D(0)),
        dict(rate_min=D("1.1")),
        dict(rate_max=D("0.9")),
        dict(slice_times_max=D("0.9")),
        dict(slice_times_min=D(0)),
        dict(ahead_pct_max=D(101)),
        dict(behind_pct_max=D(-1)),
        dict(act_until_pct=D("NaN")),
        dict(act_until_pct=D("Infinity")),
        dict(wait_s_max=-1),
        dict(hold_s_max=-1),
        dict(switches_max=-1),
    ],
)
def test_a_band_that_would_not_bind_is_refused(over):
    with pytest.raises(ValueError, match=next(iter(over))):
        Band(**over)


def test_the_target_moves_with_the_speed_and_stops_at_the_band():
    assert offset(directive("1.5"), 60) == D("0.5")
    assert offset(directive("1.5", start=30), 60) == D("0.25")
    assert offset(directive("1.5", offset="0.3"), 60) == D("0.8")
    assert offset(directive("2"), 300) == D(1)  # 10 % of 10
    assert offset(directive("0.5"), 60) == D("-0.5")
    assert offset(directive("0"), 180, cum="2") == D(-1)
    assert offset(directive("1", offset="0.7"), 300) == D("0.7")


def test_the_end_of_the_slice_is_aimed_at_but_not_beyond_the_end_of_the_directive():
    assert offset(directive("1.5"), 60, aim=120) == D(1)
    assert offset(directive("1.5", until=90), 60, aim=120) == D("0.75")


def test_a_directive_moves_nothing_before_it_begins_and_once_it_has_run_out():
    assert offset(directive("2", start=60), 59) == 0
    assert offset(directive("2", until=120, offset="1"), 119) == 1
    assert offset(directive("2", until=120, offset="1"), 120) == 0


def test_nothing_is_slowed_down_in_the_last_part_of_the_order():
    slow = directive("0.5", style=Style.REST, child="0.2", limit="49000")
    before, after = at("539.9", cum="9"), at(540, cum="9")
    assert act_until_ns(BAND, TEN_SLICES, before.schedule) == T0 + 540 * NS_PER_S
    assert (may_slow(BAND, before), may_slow(BAND, after)) == (True, False)
    assert is_binding(slow, BAND, before)
    assert not is_binding(slow, BAND, after)
    assert offset(slow, 540, cum="9") == 0
    assert (qty_cap(slow, BAND, after), limit_px(slow, BAND, after), style_of(slow, BAND, after)) == (
        None,
        None,
        None,
    )
    assert offset(directive("1.5"), 570, cum="9") == 1  # to hurry is never too late


def test_the_last_part_is_counted_from_the_start_of_the_order_not_of_a_later_plan():
    look = at(0)
    later = Schedule(base_qty=D(8), slices=look.schedule.slices[8:], asked=2)
    assert act_until_ns(BAND, TEN_SLICES, later) == T0 + 540 * NS_PER_S


def test_wishes_to_be_slower_hold_while_the_order_is_not_too_far_behind():
    slow = directive(style=Style.WAIT)
    assert is_binding(slow, BAND, at(120, cum="1"))
    assert not is_binding(slow, BAND, at("120.1", cum="1"))
    assert style_of(slow, BAND, at(120, cum="1")) is Style.WAIT
    assert style_of(slow, BAND, at("120.1", cum="1")) is None


def test_crossing_holds_whatever_the_order_has_done():
    assert style_of(directive(style=Style.CROSS), BAND, at(590, cum="3")) is Style.CROSS
    assert style_of(directive(style=Style.CROSS, until=60), BAND, at(60)) is None


def test_later_slices_make_up_what_the_catch_up_multiple_lets_them():
    assert make_up_qty(at(60)) == 8
    triple = parent_order(order_qty=D(10), params=StrategyParams(catch_up_max=D(3)))
    assert make_up_qty(at(60, order=triple)) == 16
    some = parent_order(order_qty=D(10), params=StrategyParams(catch_up_max=D("1.1")))
    assert make_up_qty(at(60, order=some)) == D("0.8") - 8 * D("0.001")
    assert make_up_qty(at(599)) == 0


def test_an_order_that_may_not_catch_up_is_slowed_within_a_slice_only():
    order = parent_order(order_qty=D(10), params=StrategyParams(catch_up=False))
    assert offset(directive("0.5"), 60, cum="1", order=order) == 0
    assert may_slow(BAND, at(89, cum="1", order=order))
    assert not may_slow(BAND, at(90, cum="1", order=order))
    assert may_slow(BAND, at(90, cum="2", order=order))


def test_the_second_half_of_a_slice_may_be_left_only_to_slices_that_can_make_it_up():
    some = parent_order(order_qty=D(10), params=StrategyParams(catch_up_max=D("1.2")))
    assert make_up_qty(at(270, order=some)) == D("0.995")
    assert may_slow(BAND, at("269.9", cum="4", order=some))
    assert not may_slow(BAND, at(270, cum="4.004", order=some))
    assert may_slow(BAND, at(270, cum="4.005", order=some))


def test_an_advised_child_is_never_cut_below_its_share_of_the_slice():
    assert qty_cap(directive(child="0.5"), BAND, at(60, cum="1")) == D("0.5")
    assert qty_cap(directive(child="0.01"), BAND, at(60, cum="1")) == D("0.1")
    assert qty_cap(directive(), BAND, at(60, cum="1")) is None
    assert qty_cap(directive(child="0.5"), BAND, at(60)) == D("0.5")
    assert qty_cap(directive(child="0.5"), BAND, at(61)) is None


@pytest.mark.parametrize(
    ("side", "safer", "looser"), [(Side.BUY, "49990", "50010"), (Side.SELL, "50010", "49990")]
)
def test_the_limit_price_only_ever_gets_safer(side, safer, looser):
    order = parent_order(order_qty=D(10), side=side, limit_px=D(50_000))
    assert limit_px(directive(limit=safer), BAND, at(1, order=order)) == D(safer)
    assert limit_px(directive(limit=looser), BAND, at(1, order=order)) == 50_000
    assert limit_px(directive(), BAND, at(1, order=order)) == 50_000
    assert limit_px(directive(limit=safer), BAND, at(590, order=order)) == 50_000
    free = replace(order, limit_px=None)
    assert limit_px(directive(limit=looser), BAND, at(1, order=free)) == D(looser)


def test_no_slice_is_in_force_before_the_start_and_after_the_end():
    assert slice_in_force(at(-1)) is None
    assert slice_in_force(at(600)) is None
    assert not may_slow(BAND, at(-1))
    assert offset(directive("2", start=-10), -1) == 0
    assert qty_cap(directive(child="0.5", start=-10), BAND, at(-1)) is None


def changes(moved, seconds, cum="0", order=TEN_SLICES):
    return (changes_ns(moved, BAND, at(seconds, cum=cum, order=order)) - T0) / NS_PER_S


def test_it_is_known_when_what_holds_may_change():
    assert changes(directive(), 1, cum="1") == 30  # half of the slice
    assert changes(directive(), 30, cum="1") == 60  # its end
    assert changes(directive(until=45), 30, cum="1") == 45
    assert changes(directive(), 535, cum="9") == 540  # from here on nothing slows down
    look = at(60, cum="0.25")
    lag_ns = changes_ns(directive(style=Style.WAIT), BAND, look)
    assert lag_ns == T0 + 75 * NS_PER_S + 1  # 1.25 are due: 1 behind
    assert is_binding(directive(style=Style.WAIT), BAND, replace(look, now_ns=lag_ns - 1))
    assert not is_binding(directive(style=Style.WAIT), BAND, replace(look, now_ns=lag_ns))
