"""What becomes of an advice, and that every difference from what was advised has a name."""

import pytest

from executor.advice.ruling import CLIP_TEXT, Clip, Standing, Stop, direct
from executor.domain.advice import Action, OrderKind
from executor.domain.advice_terms import Band
from executor.domain.decision import Style
from executor.domain.orders import Side, StrategyParams
from executor.domain.timeline import NS_PER_S
from tests.adviser.steered_life import advice_of
from tests.adviser.test_band import TEN_SLICES, at, directive
from tests.builders import T0, D, parent_order

BAND = Band(strategies=("vwap",))


def ruled(action, seconds=60, *, cum="1", band=BAND, before=None, switches=0, order=TEN_SLICES, **over):
    look = at(seconds, cum=cum, order=order)
    return direct(advice_of(action, **over), band, Standing(view=look, directive=before, switches=switches))


def clips(*args, **over):
    return set(ruled(*args, **over).clips)


def test_every_clip_is_said_in_a_sentence():
    assert set(CLIP_TEXT) == set(Clip)


def test_what_is_advised_within_the_band_holds_as_it_is():
    ruling = ruled(
        Action.ACCELERATE,
        rate=D("1.3"),
        qty=D("0.4"),
        limit_px=D(49_990),
        order_kind=OrderKind.LIMIT,
        confidence=D("0.5"),
        impact_adjustment=D("1.2"),
    )
    made = ruling.directive
    assert ruling.clips == ()
    assert ruling.stop is None
    assert (made.action, made.rate, made.child_qty_max, made.limit_px) == (
        Action.ACCELERATE,
        D("1.3"),
        D("0.4"),
        D(49_990),
    )
    assert (made.style, made.offset_qty, made.strategy) == (Style.REST, 0, None)
    assert (made.start_ns, made.until_ns) == (T0 + 60 * NS_PER_S, T0 + 180 * NS_PER_S)
    assert (made.confidence, made.impact_adjustment, made.decision_id) == (D("0.5"), D("1.2"), "P1-1")


def test_unsure_advice_has_no_effect_and_ends_what_was_in_force():
    ruling = ruled(Action.CANCEL, confidence=D("0.49"), before=directive("2"))
    assert (ruling.directive, ruling.stop, ruling.clips) == (None, None, (Clip.LOW_CONFIDENCE,))


@pytest.mark.parametrize(
    ("action", "asked", "rate", "named"),
    [
        (Action.ACCELERATE, None, "1.5", set()),
        (Action.DECELERATE, None, "0.67", set()),
        (Action.ACCELERATE, "9", "2", {Clip.RATE_CLIPPED}),
        (Action.ACCELERATE, "0.8", "1", {Clip.RATE_CLIPPED}),
        (Action.DECELERATE, "0.1", "0.5", {Clip.RATE_CLIPPED}),
        (Action.DECELERATE, "1.2", "1", {Clip.RATE_CLIPPED}),
        (Action.PASSIVE, "0.5", "0.5", set()),
        (Action.AGGRESSIVE, "2", "2", set()),
    ],
)
def test_the_speed_is_brought_within_its_bounds(action, asked, rate, named):
    ruling = ruled(action, rate=asked and D(asked), impact_adjustment=D(2))
    assert (ruling.directive.rate, set(ruling.clips)) == (D(rate), named)


def test_a_wait_ends_and_is_never_longer_than_allowed():
    made = ruled(Action.WAIT, wait_s=10).directive
    assert (made.rate, made.style, made.until_ns - made.start_ns) == (0, Style.WAIT, 10 * NS_PER_S)
    assert ruled(Action.WAIT).directive.until_ns == T0 + 120 * NS_PER_S
    assert ruled(Action.WAIT, wait_s=61).directive.until_ns == T0 + 120 * NS_PER_S
    assert clips(Action.WAIT, wait_s=61) == {Clip.WAIT_CLIPPED}
    assert ruled(Action.WAIT, wait_s=0).directive is None


def test_a_child_is_cut_only_and_not_to_nothing():
    assert ruled(Action.PASSIVE, qty=D("2.1")).directive.child_qty_max is None
    assert clips(Action.PASSIVE, qty=D("2.1")) == {Clip.QTY_CLIPPED}
    assert ruled(Action.PASSIVE, qty=D("0.000001")).directive.child_qty_max == D("0.1")
    assert clips(Action.PASSIVE, qty=D("0.000001")) == {Clip.QTY_RAISED}


@pytest.mark.parametrize(("side", "sign"), [(Side.BUY, 1), (Side.SELL, -1)])
def test_a_looser_limit_price_than_the_orders_is_named_and_dropped(side, sign):
    order = parent_order(order_qty=D(10), side=side, limit_px=D(50_000))
    looser, safer = D(50_000) + sign * 10, D(50_000) - sign * 10
    assert clips(Action.PASSIVE, order=order, limit_px=looser) == {Clip.LIMIT_PRICE_LOOSER}
    assert ruled(Action.PASSIVE, order=order, limit_px=looser).directive.limit_px is None
    assert clips(Action.PASSIVE, order=order, limit_px=D(50_000)) == set()
    assert ruled(Action.PASSIVE, order=order, limit_px=safer).directive.limit_px == safer


def test_it_is_said_when_it_is_too_late_to_slow_down():
    for action in (Action.WAIT, Action.DECELERATE, Action.PASSIVE):
        ruling = ruled(action, 540, cum="9")
        assert (ruling.directive, ruling.clips) == (None, (Clip.TOO_LATE_TO_SLOW,))
    crossing = ruled(Action.AGGRESSIVE, 540, cum="9", rate=D("0.5"), qty=D("0.2"), limit_px=D(49_000))
    assert crossing.clips == (Clip.TOO_LATE_TO_SLOW,)
    made = crossing.directive
    assert (made.style, made.rate, made.child_qty_max, made.limit_px) == (Style.CROSS, 1, None, None)
    assert clips(Action.ACCELERATE, 540, cum="9") == set()


def test_it_is_said_when_the_order_is_too_far_behind_or_may_not_catch_up():
    assert clips(Action.WAIT, 121, cum="1") == {Clip.TOO_FAR_BEHIND}
    assert ruled(Action.WAIT, 121, cum="1").directive.style is Style.WAIT  # it may hold once it has caught up
    fixed = parent_order(order_qty=D(10), params=StrategyParams(catch_up=False))
    assert clips(Action.DECELERATE, order=fixed) == {Clip.NO_CATCH_UP}
    assert clips(Action.ACCELERATE, order=fixed) == set()


def test_it_is_said_when_the_order_is_as_far_ahead_as_it_may_be():
    ruling = ruled(Action.ACCELERATE, cum="2.5")
    assert ruling.clips == (Clip.TOO_FAR_AHEAD,)
    assert ruling.directive.offset_qty == 1


def start(action, cum, before=None, **over):
    return ruled(action, cum=cum, before=before, impact_adjustment=D(2), **over).directive.offset_qty


def test_to_hurry_starts_from_a_lead_but_never_from_a_lag():
    assert start(Action.ACCELERATE, "1.25") == D("0.25")
    assert start(Action.ACCELERATE, "0.5") == 0
    assert start(Action.ACCELERATE, "1", directive(offset="0.5")) == D("0.5")
    assert start(Action.AGGRESSIVE, "0.5", directive(offset="-0.5")) == 0


def test_to_slow_down_starts_from_a_lag_but_never_from_a_lead():
    assert start(Action.DECELERATE, "0.5") == D("-0.5")
    assert start(Action.DECELERATE, "1.25", directive(offset="0.5")) == 0
    assert start(Action.DECELERATE, "0", directive("0.5", until=600)) == -1  # the band, not what is missing


def test_advice_without_a_speed_keeps_the_lead_or_lag_that_advice_has_made():
    assert start(Action.PASSIVE, "1", directive("1.5")) == D("0.5")
    assert start(Action.PASSIVE, "1.25") == 0
    assert start(Action.PASSIVE, "1", directive("1.5", until=60)) == 0


def test_a_market_order_that_rests_is_a_contradiction():
    assert clips(Action.PASSIVE, order_kind=OrderKind.MARKET) == {Clip.ORDER_KIND_IGNORED}
    assert ruled(Action.PASSIVE, order_kind=OrderKind.MARKET).directive.style is Style.REST
    assert clips(Action.AGGRESSIVE, order_kind=OrderKind.LIMIT) == set()
    assert ruled(Action.ACCELERATE, order_kind=OrderKind.MARKET).directive.style is Style.CROSS


@pytest.mark.parametrize(
    ("action", "over"),
    [
        (Action.WAIT, dict(qty=D(1))),
        (Action.WAIT, dict(rate=D(1))),
        (Action.CANCEL, dict(limit_px=D(1))),
        (Action.PASSIVE, dict(wait_s=1)),
        (Action.PASSIVE, dict(strategy="vwap")),
    ],
)
def test_a_figure_that_the_action_has_no_use_for_is_named(action, over):
    assert Clip.NOT_FOR_THIS_ACTION in clips(action, **over)


def test_a_schedule_is_switched_only_to_another_that_is_allowed_and_not_too_often():
    assert ruled(Action.SWITCH_STRATEGY, strategy="vwap").directive.strategy == "vwap"
    assert clips(Action.SWITCH_STRATEGY, strategy="vwap") == set()
    assert clips(Action.SWITCH_STRATEGY, strategy="twap") == {Clip.STRATEGY_NOT_ALLOWED}
    assert clips(Action.SWITCH_STRATEGY, strategy="vwap", switches=3) == {Clip.SWITCHES_USED_UP}
    wide = Band(strategies=("twap",))
    refused = ruled(Action.SWITCH_STRATEGY, strategy="twap", band=wide)
    assert (refused.directive, refused.clips) == (None, (Clip.STRATEGY_IN_FORCE,))
    brief = Band(strategies=("vwap",), hold_s_max=0)
    assert ruled(Action.SWITCH_STRATEGY, strategy="vwap", band=brief).directive.strategy == "vwap"


def test_advice_to_cancel_pauses_unless_it_may_cancel():
    paused = ruled(Action.CANCEL, before=directive("2"))
    assert (paused.directive, paused.stop, paused.clips) == (None, Stop.PAUSE, (Clip.CANCEL_NOT_ALLOWED,))
    ended = ruled(Action.CANCEL, band=Band(cancel_allowed=True))
    assert (ended.directive, ended.stop, ended.clips) == (None, Stop.CANCEL, ())


def test_there_is_nothing_to_change_outside_the_schedule():
    assert clips(Action.PASSIVE, -1, cum="0") == {Clip.NOTHING_SCHEDULED}
    assert ruled(Action.PASSIVE, 600, cum="9").directive is None
