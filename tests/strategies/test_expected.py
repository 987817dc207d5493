"""What an order is expected to do: sums, the cap on participation, the share of the volume, both sides alike."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from builders import T0, instrument, parent_order, snapshot
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.orders import ResidualRule, Side, StrategyParams
from executor.domain.timeline import NS_PER_S
from impact.protocol import Pace
from strategies.base import STRATEGIES
from strategies.expected import EXECUTIONS_MAX, Timing, executions, expected_path, timing_of
from strategies.venue_orders import VENUE_STRATEGIES

D = Decimal
PACE = Pace(0.5, 3_600.0)  # one unit a second


def path_of(order, pace=PACE, rules=None, market=None):
    return expected_path(
        order,
        rules or instrument(),
        market or snapshot(),
        pace,
        cross_spread_bps_max=D(20),
        price_collar_bps_max=D(100),
    )


def order_by(strategy, **params):
    needed = {"sniper": {"trigger_px": D(50_000)}, "venue-iceberg": {"display_qty": D("0.1")}}
    given_params = {**needed.get(strategy, {}), **params}
    return parent_order(
        strategy=strategy, order_qty=D(10), params=StrategyParams(**{"interval_s": 60, **given_params})
    )


@pytest.mark.parametrize("strategy", [*STRATEGIES, *VENUE_STRATEGIES])
@pytest.mark.parametrize("residual", [ResidualRule.CROSS, ResidualRule.LEAVE])
def test_what_is_done_and_what_is_left_is_the_whole_order(strategy, residual):
    order = replace(order_by(strategy), residual=residual)
    path = path_of(order)
    assert path.expected_qty + path.left_qty == order.order_qty
    assert sum(one.qty for one in path.schedule.slices) == order.order_qty
    assert all(one.expected_qty >= 0 for one in path.slices)
    told = executions(order, path)
    assert sum(one.signed_qty for one in told) == pytest.approx(float(path.expected_qty))
    assert all(later.at_ns >= one.end_ns for one, later in pairwise(told))


@pytest.mark.parametrize("strategy", [*STRATEGIES, *VENUE_STRATEGIES])
def test_a_sale_is_the_mirror_of_a_purchase(strategy):
    buy = order_by(strategy)
    sell = replace(buy, side=Side.SELL)
    bought, sold = path_of(buy), path_of(sell)
    assert bought == sold
    mirrored = [replace(one, signed_qty=-one.signed_qty) for one in executions(sell, sold)]
    assert executions(buy, bought) == mirrored


def test_a_schedule_without_a_cap_is_done_as_planned():
    path = path_of(order_by("twap"))
    assert path.timing is Timing.SCHEDULE
    assert [one.expected_qty for one in path.slices] == [D(1)] * 10
    assert [one.others_qty for one in path.slices] == [D(60)] * 10
    assert path.slices[0].participation == D(1) / D(61)
    assert path.done_ns == T0 + 600 * NS_PER_S
    assert path.residual_qty == path.left_qty == 0


def test_pieces_below_the_minimum_are_counted_as_merged():
    path = path_of(order_by("twap", interval_s=1), rules=instrument(min_order_qty=D(1), qty_step=D(1)))
    assert (path.schedule.asked, len(path.slices), path.merged) == (600, 10, 590)


@given(
    cap=st.decimals("0.001", "0.5", places=3),
    hourly=st.floats(60.0, 100_000.0),
    strategy=st.sampled_from(["twap", "vwap", "arrival-price", "close", "pov"]),
)
def test_the_cap_on_participation_is_never_exceeded(cap, hourly, strategy):
    params = {"participation_max": cap} | ({"participation": cap} if strategy == "pov" else {})
    path = path_of(order_by(strategy, **params), Pace(0.5, hourly))
    done = others = D(0)
    for one in path.slices:
        done, others = done + one.expected_qty, others + one.others_qty
        assert done <= cap * (done + others) + D("1e-20")
    assert path.residual_qty == 0  # what the cap forbids before the deadline it forbids after it
    assert done + path.left_qty == 10


def test_a_share_of_the_volume_is_done_when_so_much_has_traded():
    # 1 unit a second of others, a fifth of everything: a quarter of a unit a second, 10 units in 40 s of volume.
    path = path_of(order_by("pov", participation=D("0.2"), interval_s=10))
    assert path.slices[0].expected_qty == 0  # nothing has traded before the first slice
    assert [one.expected_qty for one in path.slices[1:]] == [D("2.5")] * 4
    assert path.done_ns == T0 + 50 * NS_PER_S
    assert path.slices[2].participation == D("0.2")


def test_a_share_that_is_not_enough_leaves_the_rest_to_the_residual_rule():
    order = order_by("pov", participation=D("0.01"))
    crossing, leaving = path_of(order), path_of(replace(order, residual=ResidualRule.LEAVE))
    assert crossing.residual_qty == leaving.left_qty > 4
    assert crossing.left_qty == leaving.residual_qty == 0
    assert crossing.done_ns == order.deadline_ns
    last = executions(order, crossing)[-1]
    assert (last.at_ns, last.over_ns) == (order.deadline_ns, 0)


def test_what_only_rests_has_a_soonest_end_and_what_waits_has_none():
    # All that is taken from one side: half a unit a second.
    assert path_of(order_by("iceberg")).done_ns == T0 + 20 * NS_PER_S
    assert path_of(order_by("sniper")).done_ns is None
    assert path_of(order_by("iceberg"), Pace(0.5, 1e-15)).done_ns is None, "in no year that a calendar has"
    assert {timing_of(name) for name in STRATEGIES} == set(Timing)


def test_a_risk_aversion_is_divided_by_the_market_as_its_first_slice_would_be():
    even = path_of(order_by("arrival-price", risk_aversion=D("0.000000000001")))
    early = path_of(order_by("arrival-price", risk_aversion=D("0.001")))
    assert even.slices[0].expected_qty == D(1)
    assert early.slices[0].expected_qty > D(2)


def test_a_long_plan_is_shown_to_a_model_in_bounded_pieces():
    order = replace(order_by("twap", interval_s=1), deadline_ns=T0 + 1_000 * NS_PER_S)
    path = path_of(order)
    told = executions(order, path)
    assert len(path.slices) == 1_000
    assert len(told) <= EXECUTIONS_MAX
    assert sum(one.signed_qty for one in told) == pytest.approx(10.0)
    assert (told[0].at_ns, told[-1].end_ns) == (order.start_ns, order.deadline_ns)


def test_an_order_below_the_minimum_does_nothing():
    path = path_of(replace(order_by("twap"), order_qty=D("0.00001")))
    assert path.slices == ()
    assert path.expected_qty == 0
    assert executions(order_by("twap"), path) == []
