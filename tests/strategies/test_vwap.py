"""Volume-weighted schedules: curves of one's own, sessions, and what the market has traded since the plan was made."""

from dataclasses import replace
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.orders import Side, StrategyParams
from executor.domain.timeline import NS_PER_HOUR, NS_PER_S
from executor.domain.volume_curve import SessionWeights, VolumeCurve
from strategies.base import STRATEGIES
from strategies.schedule import NEXT_SLICE_CHANGE_MIN
from strategies.volume_correction import CORRECTION_MAX, corrected
from strategies.volume_curve import USUAL_CURVE
from tests.builders import D, instrument, parent_order, view
from tests.strategies.test_volume_curve import DAY, FLAT, MONDAY, peaked

VWAP = STRATEGIES["vwap"]
WEEK_QTY = D(168_000)
EVEN = VolumeCurve(name="even", weights_ppm=FLAT.weights_ppm, week_qty=WEEK_QTY)
"""A thousand an hour."""


def ordered(curve=None, *, hours=4, qty="100", interval_s=1_200, start_ns=MONDAY, **over):
    params = StrategyParams(
        interval_s=interval_s, curve=curve, **{k: over.pop(k) for k in ("session_weights",) if k in over}
    )
    return parent_order(
        strategy="vwap",
        params=params,
        order_qty=D(qty),
        start_ns=start_ns,
        deadline_ns=start_ns + hours * NS_PER_HOUR,
        **over,
    )


def planned(order):
    return VWAP.plan(
        order=order,
        instrument=instrument(),
        reference_px=D(50_000),
        start_ns=order.start_ns,
        end_ns=order.deadline_ns,
        cum_qty=D(0),
    )


def after(order, schedule, index, traded, cum=None):
    """The view at the start of a slice, the market having traded so much, and the order what was planned."""
    done = schedule.slices[index - 1].target_qty if index else schedule.base_qty
    return view(
        schedule,
        now_ns=schedule.slices[index].start_ns,
        order=order,
        cum=str(done if cum is None else cum),
        plan_market_qty=None if traded is None else D(str(traded)),
    )


def checked(before, revised, index):
    """What must hold of every revision."""
    assert revised.base_qty == before.base_qty
    assert revised.slices[:index] == before.slices[:index]
    assert [(one.start_ns, one.end_ns) for one in revised.slices] == [
        (one.start_ns, one.end_ns) for one in before.slices
    ]
    assert revised.slices[-1].target_qty == before.slices[-1].target_qty
    reached = revised.base_qty
    for one in revised.slices:
        assert one.qty >= instrument().smallest_qty(D(50_000))
        reached += one.qty
        assert one.target_qty == reached
    return revised


def test_a_curve_of_ones_own_is_followed():
    quiet = ordered(VolumeCurve(name="late", weights_ppm=peaked(3, 900_000)))
    sizes = [float(one.qty) for one in planned(quiet).slices]
    assert sum(sizes[:9]) < 1.0 < 99.0 < sum(sizes[9:])
    assert all(
        isclose(one, 100 / 12, rel_tol=1e-3) for one in [float(s.qty) for s in planned(ordered(FLAT)).slices]
    )


def test_a_weekend_is_quieter_than_the_week():
    friday = MONDAY + 4 * DAY + 12 * NS_PER_HOUR
    sizes = [float(one.qty) for one in planned(ordered(hours=24, start_ns=friday, interval_s=3_600)).slices]
    before, later = sizes[11], sizes[12]
    assert isclose(later / before, 0.485 * 3.73 / 3.67, rel_tol=1e-2)


def test_a_session_is_preferred():
    hours = dict(hours=24, interval_s=3_600)
    plain = [float(one.qty) for one in planned(ordered(FLAT, **hours)).slices]
    more = [
        float(one.qty)
        for one in planned(ordered(FLAT, session_weights=SessionWeights(us=D(3)), **hours)).slices
    ]
    assert isclose(more[17] / more[3], 3.0, rel_tol=1e-3)
    assert isclose(more[14] / more[3], 2.0, rel_tol=1e-3), "Europe and the United States are both open"
    assert isclose(sum(more), sum(plain), rel_tol=1e-12)


def test_a_market_that_trades_as_usual_changes_nothing():
    order = ordered(EVEN)
    schedule = planned(order)
    for index in range(len(schedule.slices)):
        others = index * 1_000 / 3
        own = schedule.slices[index - 1].target_qty if index else 0
        assert VWAP.revise(after(order, schedule, index, D(repr(others)) + own)) is None


def test_a_busier_market_hurries_and_a_quieter_one_slows_within_the_cap():
    order = ordered(EVEN)
    schedule = planned(order)
    usual = float(schedule.slices[3].qty)
    busy = checked(schedule, VWAP.revise(after(order, schedule, 3, 4_000)), 3)
    assert isclose(float(busy.slices[3].qty), (1 + CORRECTION_MAX) * usual, abs_tol=0.002)
    assert busy.slices[-1].qty < schedule.slices[-1].qty
    quiet = checked(schedule, VWAP.revise(after(order, schedule, 3, 30)), 3)
    assert isclose(float(quiet.slices[3].qty), (1 - CORRECTION_MAX) * usual, abs_tol=0.002)
    assert quiet.slices[-1].qty > schedule.slices[-1].qty


def test_own_prints_hurry_nobody():
    """Where everything that was traded but the usual is our own, the market is as usual."""
    order = ordered(EVEN)
    schedule = planned(order)
    done = schedule.slices[2].target_qty
    assert VWAP.revise(after(order, schedule, 3, 1_000 + done)) is None
    assert VWAP.revise(after(order, schedule, 3, 1_700 + done)) is not None
    assert VWAP.revise(after(order, schedule, 3, 1_000, cum=D(60))) is None, "little was others'"


@pytest.mark.parametrize("curve", [None, FLAT, USUAL_CURVE])
def test_without_a_usual_volume_the_plan_stays(curve):
    order = ordered(curve)
    assert VWAP.revise(after(order, planned(order), 3, 9_000)) is None


def test_without_the_market_s_volume_the_plan_stays():
    order = ordered(EVEN)
    assert VWAP.revise(after(order, planned(order), 3, None)) is None
    empty = view(replace(planned(order), slices=()), order=order, plan_market_qty=D(9_000))
    assert VWAP.revise(empty) is None


@given(
    st.lists(st.sampled_from([0, 1, 40, 333, 900, 20_000]), min_size=11, max_size=11),
    st.sampled_from([EVEN, replace(USUAL_CURVE, week_qty=WEEK_QTY)]),
    st.booleans(),
)
def test_whatever_the_market_does_every_slice_stays_within_the_cap_and_the_whole_is_done(
    volumes, curve, late
):
    order = ordered(curve, start_ns=MONDAY + (5 * DAY if late else 11 * NS_PER_HOUR))
    first = schedule = planned(order)
    traded = 0
    for index in range(1, len(first.slices)):
        traded += volumes[index - 1]
        seen = after(order, schedule, index, traded + schedule.slices[index - 1].target_qty)
        revised = VWAP.revise(seen)
        if revised is not None:
            schedule = checked(schedule, revised, index)
    # A revision that would not matter is not made, which leaves up to that share of a slice to the later ones.
    spare = NEXT_SLICE_CHANGE_MIN + 0.02
    for one, usual in zip(schedule.slices[:-1], first.slices[:-1], strict=True):
        assert abs(float(one.qty / usual.qty) - 1.0) <= CORRECTION_MAX + spare
    assert schedule.slices[-1].target_qty == order.order_qty


@given(
    st.lists(st.floats(0.01, 10.0), min_size=1, max_size=40),
    st.lists(st.floats(0.0, 1e6), min_size=40, max_size=40),
    st.lists(st.floats(1e-3, 1e3), min_size=40, max_size=40),
)
def test_corrected_parts_stay_within_the_cap_and_sum_exactly(usual, traded, levels):
    """However often it is corrected; the level of each moment is another one."""
    whole, reached = sum(usual), 0.0
    for index in range(len(usual)):
        parts = corrected(
            usual, index, reached, traded[index], [levels[index] * one for one in usual[index:]]
        )
        assert isclose(sum(parts), 1.0 - reached, abs_tol=1e-9)
        for part, one in zip(parts, usual[index:], strict=True):
            assert (
                (1 - CORRECTION_MAX) * one / whole - 1e-9 <= part <= (1 + CORRECTION_MAX) * one / whole + 1e-9
            )
        reached += parts[0]
    assert isclose(reached, 1.0, abs_tol=1e-9)


def test_a_revision_of_a_sale_mirrors_that_of_a_purchase():
    buy, sell = ordered(EVEN), ordered(EVEN, side=Side.SELL)
    assert planned(buy) == planned(sell)
    bought = VWAP.revise(after(buy, planned(buy), 3, 4_000))
    assert bought is not None
    assert bought == VWAP.revise(after(sell, planned(sell), 3, 4_000))


def test_a_market_and_an_order_ten_times_as_large_have_a_plan_ten_times_as_large():
    small, large = ordered(EVEN), ordered(replace(EVEN, week_qty=10 * WEEK_QTY), qty="1000")
    one = VWAP.revise(after(small, planned(small), 4, 1_900))
    ten = VWAP.revise(after(large, planned(large), 4, 19_000))
    for few, many in zip(one.slices, ten.slices, strict=True):
        assert abs(float(10 * few.qty - many.qty)) <= 0.02


def test_the_last_slice_has_nothing_to_divide():
    order = ordered(EVEN)
    assert VWAP.revise(after(order, planned(order), 11, 90_000)) is None
    assert (
        VWAP.revise(replace(after(order, planned(order), 11, 90_000), now_ns=order.deadline_ns + NS_PER_S))
        is None
    )
