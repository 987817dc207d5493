"""Percentage of volume, slice by slice: what others trade calls for what we trade."""

from dataclasses import replace

import pytest

from executor.domain.decision import Style, Why
from executor.domain.orders import Side, StrategyParams
from executor.domain.timeline import NS_PER_S
from strategies.pov import Pov, due_qty
from tests.builders import T0, D, instrument, parent_order, view

POV = Pov()
FIFTH = D("0.2")


def moment(
    seconds=60,
    *,
    qty="10",
    market="0",
    in_slice="0",
    last="100",
    cum="0",
    base="0",
    params=None,
    side=Side.BUY,
):
    """An order of ten minutes in slices of one, of which the market has traded so much since it began."""
    order = parent_order(order_qty=D(qty), side=side, params=params or StrategyParams(participation=FIFTH))
    plan = POV.plan(
        order=order, instrument=instrument(), reference_px=D(50_000), start_ns=T0, end_ns=order.deadline_ns,
        cum_qty=D(0),
    )  # fmt: skip
    return view(
        plan,
        now_ns=T0 + seconds * NS_PER_S,
        order=order,
        cum=cum,
        base=base,
        market_qty=D(market),
        plan_market_qty=D(market),
        slice_market_qty=D(in_slice),
        last_slice_market_qty=D(last),
    )


@pytest.mark.parametrize("side", Side)
def test_a_fifth_of_the_volume_is_a_quarter_of_what_others_trade(side):
    """8 traded by others, and our 2 make 10, of which 2 are a fifth."""
    wish = POV.decide(moment(market="8", side=side))
    assert (wish.style, wish.qty, wish.why) == (Style.REST, D(2), Why.SLICE_RESTING)


def test_our_own_prints_are_not_volume_to_follow():
    """10 printed, 2 of them ours: we have the fifth, and nothing is due, however often our own fills are printed."""
    look = moment(market="10", cum="2", base="2")
    assert due_qty(look) == 2
    assert POV.decide(look).why is Why.ON_SCHEDULE


def test_what_is_traded_within_the_slice_counts_from_the_next_one_on():
    assert POV.decide(moment(market="8", in_slice="8")).why is Why.ON_SCHEDULE
    assert POV.decide(moment(market="16", in_slice="8")).qty == D(2)


def test_it_rests_first_and_takes_what_is_still_due_when_the_resting_time_is_over():
    assert POV.decide(moment(60, market="8")).style is Style.REST
    late = POV.decide(moment(110, market="8", cum="0.5"))
    assert (late.style, late.qty) == (Style.CROSS, D("1.5"))


def test_a_quiet_market_calls_for_nothing():
    assert POV.decide(moment(market="0")).why is Why.ON_SCHEDULE


def test_what_was_missed_is_made_up_within_the_cap_of_a_slice():
    """40 by others call for 10; the slice before had 8, of which a fifth is 1.6: with catch-up at most twice that."""
    behind = moment(market="40", last="8")
    assert POV.decide(behind).qty == D("3.2")
    alone = replace(behind.order, params=StrategyParams(participation=FIFTH, catch_up=False))
    assert POV.decide(replace(behind, order=alone)).qty == D("1.6")
    assert POV.decide(moment(market="43", last="8", cum="3", base="0")).qty == D("0.2"), (
        "what this slice did counts"
    )


def test_a_rest_too_small_to_order_later_joins():
    """1.9995 of 2 would leave 0.0005, which nobody takes: so much stays that it can still be ordered."""
    look = moment(qty="2", market="7.998")
    assert POV.decide(look).qty == D("1.999")
    tiny = moment(qty="0.0015", market="100")
    assert POV.decide(tiny).qty == D("0.001")


def test_without_a_known_volume_nothing_is_done():
    assert POV.decide(replace(moment(market="8"), plan_market_qty=None)).style is Style.WAIT
    assert POV.decide(replace(moment(market="8"), slice_market_qty=None)).style is Style.WAIT


def test_a_plan_made_anew_forgets_what_was_due_before():
    """After a pause or an amendment only the volume since then is followed."""
    old = moment(market="40", cum="1", base="1")
    fresh = replace(old.schedule, base_qty=D(1))
    look = replace(old, schedule=fresh, plan_market_qty=D(4))
    assert POV.decide(look).qty == D(1)
