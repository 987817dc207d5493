"""What a plan will cost: spread and impact, the market's own risk, and what is left afterwards."""

import itertools
from decimal import Decimal
from math import isclose, nan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.decision import Schedule, Slice
from executor.domain.orders import Side
from executor.domain.units import Quantity
from impact.almgren_chriss import AlmgrenChriss, holdings
from impact.pre_trade import average_bps, planned, pre_trade, timing_risk_bps
from impact.protocol import Execution, Pace
from impact.square_root import SquareRoot
from tests.impact.laws import MODELS, NS_PER_MIN, PACES, evenly, plans

PACE = Pace(0.6, 1_000.0)
HOUR_NS = 60 * NS_PER_MIN


def asked(**over):
    return {"order_qty": 50.0, "notional_quote": 1e6, "spread_bps": 2.0, **over}


def test_spread_and_impact_add_up_and_turn_into_money():
    done = evenly(50.0, 60)
    found = pre_trade(SquareRoot(), done, PACE, **asked(crossing=0.25))
    assert found.spread_bps == 0.25
    assert found.impact.estimate_bps == average_bps(SquareRoot(), done, PACE, 50.0)
    assert found.expected_bps == found.impact.estimate_bps + 0.25
    assert found.expected_quote == pytest.approx(found.expected_bps * 100)
    assert found.risk_quote == pytest.approx(found.risk_bps * 100)
    low, high = found.interval_bps(2.0)
    assert low == found.impact.low_bps + 0.25 - 2 * found.risk_bps
    assert high == found.impact.high_bps + 0.25 + 2 * found.risk_bps


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.name)
def test_a_sale_is_told_as_a_purchase_is(model):
    bought, sold = (pre_trade(model, evenly(50.0, 60, sign), PACE, **asked()) for sign in (1, -1))
    assert bought == sold
    after_s, left = zip(*bought.remaining_bps, strict=True)
    assert after_s == (60.0, 300.0, 900.0, 3600.0)
    assert list(left) == sorted(left, reverse=True)
    assert left[-1] >= 0


def test_an_even_order_carries_a_third_of_the_variance():
    """The cost of an even order varies by sigma sqrt(T / 3)."""
    found = timing_risk_bps(evenly(1.0, 60), PACE, 1.0)
    assert isclose(found, 60.0 / sqrt(3), rel_tol=1e-9)
    assert isclose(timing_risk_bps([Execution(0, 1.0, HOUR_NS)], PACE, 1.0), found, rel_tol=1e-9)
    assert timing_risk_bps([Execution(0, 1.0)], PACE, 1.0) == 0
    assert timing_risk_bps([], PACE, 1.0) == 0


def test_half_an_hour_of_waiting_for_half_the_order():
    done = [Execution(0, 1.0), Execution(HOUR_NS // 2, 1.0)]
    assert isclose(timing_risk_bps(done, PACE, 2.0), 60.0 * sqrt(0.5 * 0.25), rel_tol=1e-9)


@given(plans(), PACES)
def test_risk_has_no_unit_of_quantity_and_grows_with_time(done, pace):
    whole = sum(one.signed_qty for one in done)
    risk = timing_risk_bps(done, pace, whole)
    slower = [Execution(4 * one.at_ns, one.signed_qty, 4 * one.over_ns) for one in done]
    assert isclose(timing_risk_bps(slower, pace, whole), 2 * risk, rel_tol=1e-9)
    lots = [Execution(one.at_ns, one.signed_qty / 1000, one.over_ns) for one in done]
    assert isclose(timing_risk_bps(lots, pace, whole / 1000), risk, rel_tol=1e-9, abs_tol=1e-12)


def test_a_trader_in_a_hurry_pays_more_and_risks_less():
    """Along the trajectories of Almgren and Chriss cost rises and risk falls, and even trading costs least."""
    told = []
    for kappa_t in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0):
        left = holdings(50.0, kappa_t / 60, [float(minute) for minute in range(61)])
        plan = [
            Execution(number * NS_PER_MIN, before - after, NS_PER_MIN)
            for number, (before, after) in enumerate(itertools.pairwise(left))
        ]
        told.append(pre_trade(AlmgrenChriss(), plan, PACE, **asked()))
    costs, risks = [one.expected_bps for one in told], [one.risk_bps for one in told]
    assert costs == sorted(costs)
    assert risks == sorted(risks, reverse=True)
    even = pre_trade(AlmgrenChriss(), evenly(50.0, 60), PACE, **asked())
    assert isclose(told[0].expected_bps, even.expected_bps, rel_tol=1e-9)


@given(st.sampled_from(list(Side)))
def test_a_schedule_becomes_executions_over_its_slices(side):
    slices = tuple(
        Slice(start_ns=start, end_ns=start + 10, qty=Quantity(Decimal(qty)), target_qty=Quantity(Decimal(3)))
        for start, qty in ((0, "1"), (10, "0"), (20, "2.5"))
    )
    schedule = Schedule(base_qty=Quantity(Decimal(0)), slices=slices, asked=3)
    assert planned(schedule, side) == [
        Execution(0, 1.0 * side.sign, 10),
        Execution(20, 2.5 * side.sign, 10),
    ]


@pytest.mark.parametrize(
    ("over", "match"),
    [
        ({"spread_bps": -1.0}, "spread"),
        ({"spread_bps": nan}, "spread"),
        ({"notional_quote": nan}, "value"),
        ({"crossing": 1.5}, "no more than all"),
        ({"crossing": -0.1}, "crosses"),
        ({"order_qty": 0.0}, "what was ordered"),
    ],
)
def test_what_is_not_known_is_not_guessed(over, match):
    with pytest.raises(ValueError, match=match):
        pre_trade(SquareRoot(), evenly(50.0, 60), PACE, **asked(**over))


def test_a_plan_of_nothing_or_out_of_order_is_refused():
    with pytest.raises(ValueError, match="without a slice"):
        pre_trade(SquareRoot(), [], PACE, **asked())
    with pytest.raises(ValueError, match="order of time"):
        pre_trade(SquareRoot(), evenly(50.0, 60)[::-1], PACE, **asked())
