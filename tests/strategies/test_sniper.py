"""Sniper: what it waits for, and how much it takes."""

from dataclasses import replace

import pytest

from executor.domain.decision import Style, Why
from executor.domain.orders import Side, StrategyParams
from strategies.sniper import Sniper
from tests.builders import T0, D, instrument, parent_order, snapshot, view

SNIPER = Sniper()


def moment(
    *,
    bid="50000.0",
    ask="50000.1",
    bid_qty="0.4",
    ask_qty="0.3",
    side=Side.BUY,
    cum="0",
    limit=None,
    rules=None,
    **params,
):
    order = parent_order(side=side, limit_px=limit, params=StrategyParams(**params))
    rules = rules or instrument()
    plan = SNIPER.plan(
        order=order,
        instrument=rules,
        reference_px=D(50_000),
        start_ns=T0,
        end_ns=order.deadline_ns,
        cum_qty=D(0),
    )
    market = snapshot(bid, ask, best_bid_qty=D(bid_qty), best_ask_qty=D(ask_qty))
    return view(plan, order=order, market=market, cum=cum, instrument=rules)


@pytest.mark.parametrize(("side", "px", "qty"), [(Side.BUY, "50000.1", "0.3"), (Side.SELL, "50000.0", "0.4")])
def test_it_takes_what_is_displayed_at_its_price_and_not_a_tick_beyond(side, px, qty):
    wish = SNIPER.decide(moment(side=side, trigger_qty=D("0.3")))
    assert (wish.style, wish.px, wish.qty, wish.why) == (Style.CROSS, D(px), D(qty), Why.TRIGGERED)


def test_it_never_takes_more_than_is_left():
    assert SNIPER.decide(moment(trigger_qty=D("0.1"), cum="0.9")).qty == D("0.1")


def test_it_waits_for_enough():
    assert SNIPER.decide(moment(trigger_qty=D("0.31"))).why is Why.NO_TRIGGER


def test_it_waits_for_the_price_or_a_better_one():
    assert SNIPER.decide(moment(trigger_px=D("50000.0"))).why is Why.NO_TRIGGER
    assert SNIPER.decide(moment(trigger_px=D("50000.1"))).style is Style.CROSS
    assert SNIPER.decide(moment(bid="49990.0", ask="49990.1", trigger_px=D("50000.0"))).style is Style.CROSS
    assert SNIPER.decide(moment(side=Side.SELL, trigger_px=D("50000.1"))).why is Why.NO_TRIGGER
    assert SNIPER.decide(moment(side=Side.SELL, trigger_px=D("50000.0"))).style is Style.CROSS


def test_of_two_triggers_both_must_be_there():
    both = moment(trigger_px=D("50000.1"), trigger_qty=D("0.3"))
    assert SNIPER.decide(both).style is Style.CROSS
    assert SNIPER.decide(moment(trigger_px=D("50000.1"), trigger_qty=D("0.4"))).why is Why.NO_TRIGGER
    assert SNIPER.decide(moment(trigger_px=D("50000.0"), trigger_qty=D("0.3"))).why is Why.NO_TRIGGER


def test_what_may_not_be_crossed_is_waited_for_and_nothing_is_shown_meanwhile():
    any_size = dict(trigger_qty=D("0.001"))
    assert SNIPER.decide(moment(limit=D("50000.0"), **any_size)).why is Why.LIMIT_PRICE
    assert SNIPER.decide(moment(ask="50200.0", **any_size)).why is Why.SPREAD_WIDE
    look = moment(**any_size)
    banded = replace(look, market=replace(look.market, max_buy_px=D("50000.0")))
    assert SNIPER.decide(banded).why is Why.PRICE_BAND


def test_it_leaves_nothing_that_could_not_be_ordered():
    """0.995 of 1 is displayed; at 50 000 the venue takes 0.010 or more, so 0.990 are taken."""
    rules = instrument(min_notional=D(500))
    assert SNIPER.decide(moment(ask_qty="0.995", trigger_qty=D("0.1"), rules=rules)).qty == D("0.990")
    assert (
        SNIPER.decide(moment(ask_qty="0.008", trigger_qty=D("0.001"), rules=rules)).why is Why.BELOW_MINIMUM
    )
