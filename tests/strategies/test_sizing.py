"""What of a wish may be ordered: the share of the market, and what must stay behind."""

from dataclasses import replace

import pytest

from executor.domain.decision import Schedule, Style, Why, Working
from executor.domain.orders import StrategyParams
from strategies.placement import cross, rest
from strategies.sizing import capped, joined
from tests.builders import T0, D, instrument, parent_order, view

PLAN = Schedule(base_qty=D(0), slices=(), asked=1)
RULES = instrument(min_notional=D(500))
"""At 50 000 it takes 0.010 or more."""


def moment(*, cum="0", market="0", cap="0.2", working=None, qty="1"):
    order = parent_order(
        order_qty=D(qty), params=StrategyParams(participation_max=None if cap is None else D(cap))
    )
    return view(PLAN, order=order, instrument=RULES, cum=cum, market_qty=D(market), working=working)


@pytest.mark.parametrize(
    ("asked", "gets"),
    [("0.5", "0.5"), ("1", "1"), ("2", "1"), ("0.995", "0.990"), ("0.98", "0.98"), ("0", "0")],
)
def test_it_leaves_nothing_or_enough(asked, gets):
    assert joined(moment(), D(asked), D(50_000)) == D(gets)


def test_too_little_for_two_orders_waits_to_be_one():
    left = moment(cum="0.985")
    assert joined(left, D("0.012"), D(50_000)) == 0
    assert joined(left, D("0.015"), D(50_000)) == D("0.015")


def test_a_fifth_of_the_volume_is_not_exceeded_our_own_trade_included():
    """With 4 traded, 1 more makes 5, of which 1 is a fifth."""
    look = moment(market="1.6")
    wish = rest(look, D(1), Why.SLICE_RESTING, T0 + 1)
    assert capped(look, wish).qty == D("0.4")
    assert capped(moment(market="4"), wish) == wish
    assert capped(moment(market="4", cum="0.8"), wish).why is Why.PARTICIPATION_MAX


def test_it_holds_of_orders_that_take_as_well():
    look = moment(market="1.6")
    assert capped(look, cross(look, D(1), Why.RESIDUAL_CROSSING)).qty == D("0.4")


def test_at_the_start_and_without_a_known_volume_nothing_is_done():
    wish = rest(moment(), D(1), Why.SLICE_RESTING, T0 + 1)
    assert capped(moment(), wish).why is Why.PARTICIPATION_MAX
    assert capped(replace(moment(), market_qty=None), wish).why is Why.VOLUME_UNKNOWN
    assert capped(replace(moment(cap=None), market_qty=None), wish) == wish


def test_an_order_at_rest_grows_only_when_it_can_be_twice_as_large():
    """Every change costs it its place in the queue."""
    working = Working(style=Style.REST, px=D("50000.0"), leaves_qty=D("0.1"))
    wish = rest(moment(), D(1), Why.SLICE_RESTING, T0 + 1)
    assert capped(moment(market="0.6", working=working), wish).qty == D("0.1")
    assert capped(moment(market="0.8", working=working), wish).qty == D("0.2")
