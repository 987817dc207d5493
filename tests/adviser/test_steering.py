"""What should be working under a directive: the strategy's own answer, shifted and cut to the band."""

from dataclasses import replace

import pytest

from executor.advice.worst_case import path_length_bps, worst_case
from executor.domain.advice_terms import Band
from executor.domain.decision import Schedule, Style, Why, Working
from executor.domain.orders import Side, StrategyParams
from executor.domain.timeline import NS_PER_S
from executor.engine.steering import steer, switched
from strategies.twap import Twap
from strategies.vwap import Vwap
from tests.adviser.test_band import TEN_SLICES, at, directive
from tests.builders import T0, D, instrument, parent_order, snapshot

BAND = Band()
TWAP = Twap()


def steered(moved, seconds, cum, *, band=BAND, base=None, **over):
    return steer(at(seconds, cum=cum, base=cum if base is None else base, **over), TWAP, moved, band)


def test_without_a_directive_the_strategy_has_the_word():
    for seconds in (-1, 0, 59, 300, 600):
        look = at(seconds)
        assert steer(look, TWAP, None, BAND) == (TWAP.decide(look), False)
        gone = directive("2", until=0, style=Style.CROSS)
        assert steer(look, TWAP, gone, BAND) == (TWAP.decide(look), False)


def test_a_directive_that_changes_nothing_says_so():
    decision, changed = steered(directive("1.5", style=Style.REST), 300, "6", base="5")
    assert (decision.style, decision.qty, changed) == (Style.REST, D(1), True)
    decision, changed = steered(directive(style=Style.REST), 300, "5")
    assert (decision.style, decision.qty, changed) == (Style.REST, D(1), False)


def test_hurrying_wants_the_slice_and_the_lead():
    assert steered(directive("1.5", start=60), 60, "1")[0].qty == D("1.5")
    assert steered(directive("2", start=60, offset="1"), 60, "1")[0].qty == 2
    once_more = steered(directive("1.5", start=60), 120, "2.5", base="2.5")[0]
    assert once_more.qty == D("1.5")


def test_no_slice_does_more_than_its_multiple():
    wide = Band(ahead_pct_max=D(100), slice_times_max=D("1.2"))
    assert steered(directive("2", start=60, offset="4"), 60, "1", band=wide)[0].qty == D("1.2")
    assert steered(directive("2", start=60, offset="4"), 60, "1.5", base="1", band=wide)[0].qty == D("0.7")
    decision, changed = steered(directive("2", start=60, offset="4"), 60, "2.2", base="1", band=wide)
    assert (decision.style, decision.why, changed) == (Style.WAIT, Why.ON_SCHEDULE, False)


def test_a_band_narrower_than_the_catching_up_of_the_schedule_does_not_slow_it():
    narrow = Band(slice_times_max=D(1))
    assert TWAP.decide(at(300, cum="3", base="3")).qty == 2
    assert steered(directive("1.5"), 300, "3", band=narrow)[0].qty == 2


def test_slowing_down_wants_less_and_waits_when_it_has_it():
    assert steered(directive("0.5", start=60), 60, "1")[0].qty == D("0.5")
    decision, changed = steered(directive("0.5", start=60), 60, "1.5", base="1")
    assert (decision.style, decision.why, changed) == (Style.WAIT, Why.ADVICE_WAIT, True)
    assert decision.wake_ns == T0 + 90 * NS_PER_S


def test_waiting_wants_nothing_until_the_band_is_used_up():
    decision, changed = steered(directive("0", start=60, until=300, style=Style.WAIT), 60, "1")
    assert (decision.style, decision.qty, decision.px, decision.why) == (Style.WAIT, 0, None, Why.ADVICE_WAIT)
    assert (decision.wake_ns, changed) == (T0 + 90 * NS_PER_S, True)
    after = steered(directive("0", start=60, until=300, style=Style.WAIT), "120.1", "1")[0]
    assert (after.style, after.qty) == (Style.REST, D(1))  # the slice, not the lag


def test_waiting_adds_nothing_to_a_schedule_that_waits_itself():
    decision, changed = steered(directive("0", style=Style.WAIT), 60, "2", base="1")
    assert (decision.why, changed) == (Why.ON_SCHEDULE, False)


def test_aggressive_crosses_at_once_within_spread_and_limit():
    moved = directive(style=Style.CROSS)
    decision, changed = steered(moved, 60, "1")
    assert (decision.style, decision.qty, decision.why, changed) == (
        Style.CROSS,
        D(1),
        Why.SLICE_CROSSING,
        True,
    )
    wide = steered(moved, 60, "1", market=snapshot("49000", "50000"))[0]
    assert (wide.style, wide.why) == (Style.REST, Why.SPREAD_WIDE)
    bound = replace(TEN_SLICES, limit_px=D(50_000))
    assert steered(moved, 60, "1", order=bound)[0].why is Why.LIMIT_PRICE


def test_passive_rests_where_the_schedule_would_cross_until_it_may_not():
    moved = directive(style=Style.REST)
    assert TWAP.decide(at(110, cum="1", base="1")).style is Style.CROSS
    assert steered(moved, 110, "1")[0].style is Style.REST
    assert steered(moved, 590, "9")[0].style is Style.CROSS


@pytest.mark.parametrize(("side", "px"), [(Side.BUY, "49990"), (Side.SELL, "50010")])
def test_an_advised_limit_price_rests_there_and_then_gives_way(side, px):
    order = replace(TEN_SLICES, side=side)
    moved = directive(limit=px)
    decision, changed = steered(moved, 60, "1", order=order)
    assert (decision.style, decision.px, changed) == (Style.REST, D(px), True)
    assert steered(moved, 590, "9", order=order)[0].style is Style.CROSS


def test_a_limit_price_out_of_the_world_waits_on_advice():
    near = dict(price_collar_bps_max=D(100))
    decision, changed = steered(directive(limit="0.000001"), 60, "1", **near)
    assert (decision.style, decision.why, changed) == (Style.WAIT, Why.ADVICE_WAIT, True)


def test_an_advised_child_is_smaller_and_leaves_no_dust():
    rules = instrument(min_order_qty=D("0.3"))
    assert steered(directive(child="0.4"), 60, "1", instrument=rules)[0].qty == D("0.4")
    assert steered(directive(child="0.8"), 60, "1", instrument=rules)[0].qty == D("0.7")
    assert steered(directive(child="0.4"), 60, "1.5", base="1", instrument=rules)[0].qty == D("0.5")


def test_a_lead_stops_early_enough_before_the_next_target():
    rules = instrument(min_order_qty=D("0.6"))
    assert steered(directive("1.5", start=60), 60, "1", instrument=rules)[0].qty == D("1.4")
    all_but = instrument(min_order_qty=D(1))
    assert steered(directive("1.5", start=60), 60, "1", instrument=all_but)[0].qty == 1


def test_a_resting_order_too_small_to_be_placed_anew_is_not_taken_away():
    rules = instrument(min_order_qty=D("0.1"))
    working = Working(style=Style.REST, px=D("50000.0"), leaves_qty=D("0.05"))
    decision, changed = steered(
        directive(style=Style.CROSS), 60, "1.95", base="1", instrument=rules, working=working
    )
    assert (decision.style, decision.qty, changed) == (Style.REST, D("0.05"), False)


def test_a_switch_carries_lead_and_lag_over():
    order = replace(TEN_SLICES, strategy="vwap")
    for cum in ("1.5", "2.25", "2.75"):
        plan = switched(at(150, cum=cum), order, Vwap())
        assert plan.base_qty == D("2.5")
        assert plan.slices[-1].target_qty == 10
        assert plan.slices[0].start_ns == T0 + 150 * NS_PER_S
        assert plan.slices[-1].end_ns == order.deadline_ns


def test_a_switch_carries_no_lag_that_can_not_be_made_up():
    fixed = parent_order(order_qty=D(10), strategy="vwap", params=StrategyParams(catch_up=False))
    assert switched(at(150, cum="2.25", order=fixed), fixed, Vwap()).base_qty == D("2.25")


def test_no_switch_without_a_slice_or_to_a_plan_that_leaves_dust():
    order = replace(TEN_SLICES, strategy="vwap")
    assert switched(at(-1), order, Vwap()) is None
    assert switched(at(600), order, Vwap()) is None
    rules = instrument(min_order_qty=D("0.9"))
    assert switched(at(599, cum="9.1", instrument=rules), order, Vwap()) is None
    assert switched(at(0, cum="9.5", instrument=rules), order, Vwap()) is None


def test_the_worst_case_is_known_before_anybody_is_asked():
    look = at(0)
    worst = worst_case(
        BAND,
        TEN_SLICES,
        look.schedule,
        least_qty=D(0),
        switchable=False,
        spread_bps=D(20),
        cross_cap_bps=D(10),
        path_bps=D(50),
        bill_max=D(3),
    )
    assert (worst.ahead_pct, worst.behind_pct, worst.participation_times) == (20, 20, 2)
    assert worst.complete_ns == TEN_SLICES.deadline_ns
    assert (worst.crossing_bps, worst.timing_bps, worst.may_cancel, worst.bill_max) == (30, 10, False, 3)
    with pytest.raises(ValueError, match="without slices"):
        worst_case(
            BAND,
            TEN_SLICES,
            Schedule(base_qty=D(0), slices=(), asked=1),
            least_qty=D(0),
            switchable=False,
            spread_bps=D(0),
            cross_cap_bps=D(0),
            path_bps=D(0),
            bill_max=D(3),
        )


def test_a_price_of_which_nothing_is_known_has_no_bound():
    worst = worst_case(
        BAND,
        TEN_SLICES,
        at(0).schedule,
        least_qty=D(0),
        switchable=True,
        spread_bps=D(20),
        cross_cap_bps=D(10),
        path_bps=None,
        bill_max=D(3),
    )
    assert worst.timing_bps is None
    assert worst.switching.timing_bps is None


def test_the_length_of_a_path_grows_with_volatility_time_and_finer_steps():
    hour, minute = 3_600 * NS_PER_S, 60 * NS_PER_S
    # One step of an hour at 1 % an hour: the mean absolute value of a normal variable, 0.7979 of 100 bps.
    assert path_length_bps(D(1), hour, hour) == D("79.7885")
    assert path_length_bps(D(2), hour, hour) == D("159.5769")
    # Sixty steps of a minute, each 100/sqrt(60) * 0.7979 bps.
    assert path_length_bps(D(1), hour, minute) == D("618.0387")
    assert path_length_bps(D(1), 4 * hour, 4 * minute) == 2 * path_length_bps(D(1), hour, minute)
    assert path_length_bps(D(1), minute, hour) == D("10.3006"), "never less than one step"


def test_never_more_than_is_left():
    assert steered(directive("2"), 540, "9")[0].qty == 1


def test_an_order_that_stays_behind_on_purpose_still_does_its_slices():
    some = replace(TEN_SLICES, params=StrategyParams(catch_up_max=D("1.2")))
    assert steered(directive(offset="-0.5"), 300, "4", order=some)[0].qty == D("1.2")
