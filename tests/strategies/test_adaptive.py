"""Adaptive placement: a trader's scenarios of one slice, and what it can never change."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.decision import Style, Why, Working
from executor.domain.orders import Side, StrategyParams
from executor.domain.signals import NO_SIGNALS, Signals
from executor.domain.timeline import NS_PER_S
from strategies.adaptive import Adaptive
from strategies.base import STRATEGIES, strategy_of
from tests.builders import T0, D, instrument, parent_order, snapshot, view

AGAINST_BUYER = Signals(order_flow_imbalance=1.6, book_imbalance=0.6)
TOWARD_BUYER = Signals(order_flow_imbalance=-1.6, book_imbalance=-0.6)
RESTING = Working(style=Style.REST, px=D("50000.0"), leaves_qty=D("0.1"), queue_ahead_qty=4.9)
"""Five in all, at an hourly volume of 3 600 of which half reaches a bid: ten seconds."""


def moment(seconds, signals=NO_SIGNALS, *, side=Side.BUY, strategy="adaptive", params=None, **over):
    order = parent_order(strategy=strategy, side=side, params=params or StrategyParams())
    schedule = strategy_of(order).plan(
        order=order,
        instrument=instrument(),
        reference_px=D(50_000),
        start_ns=T0,
        end_ns=order.deadline_ns,
        cum_qty=D(0),
    )
    return view(schedule, now_ns=T0 + int(seconds * NS_PER_S), order=order, signals=signals, **over)


def decided(seconds, signals=NO_SIGNALS, **over):
    now = moment(seconds, signals, **over)
    return strategy_of(now.order).decide(now)


def test_without_signals_it_rests_and_takes_as_its_base_does():
    assert decided(41.9).why is Why.SLICE_RESTING
    assert decided(42).why is Why.SLICE_CROSSING


def test_takes_before_the_turn_when_flow_and_touch_press_against_it():
    wish = decided(21, AGAINST_BUYER)
    assert (wish.style, wish.qty, wish.why) == (Style.CROSS, D("0.1"), Why.FLOW_ADVERSE)
    sale = decided(21, TOWARD_BUYER, side=Side.SELL)
    assert (sale.style, sale.why) == (Style.CROSS, Why.FLOW_ADVERSE)


@pytest.mark.parametrize(
    "signals",
    [
        Signals(order_flow_imbalance=9.0),
        Signals(book_imbalance=1.0),
        Signals(order_flow_imbalance=1.4, book_imbalance=0.6),
        Signals(order_flow_imbalance=1.6, book_imbalance=0.4),
        replace(AGAINST_BUYER, spread_ratio=2.0),
    ],
)
def test_one_of_the_two_alone_or_a_wide_spread_is_no_reason_to_take_early(signals):
    assert decided(30, signals).why is Why.SLICE_RESTING


def test_never_takes_in_the_first_half_of_the_resting_time():
    assert decided(20.9, AGAINST_BUYER).why is Why.SLICE_RESTING


def test_keeps_its_place_in_the_queue_when_its_turn_is_near():
    signals = replace(AGAINST_BUYER, volume_hourly_qty=3_600.0)
    assert decided(31, signals, working=RESTING).why is Why.SLICE_RESTING
    assert decided(33, signals, working=RESTING).why is Why.FLOW_ADVERSE
    behind = replace(RESTING, queue_ahead_qty=None)
    assert decided(31, signals, working=behind).why is Why.FLOW_ADVERSE
    sellers_gone = replace(signals, trade_imbalance=0.5)
    assert decided(31, sellers_gone, working=RESTING).why is Why.FLOW_ADVERSE


def test_rests_beyond_the_turn_while_the_price_comes_nearer():
    wish = decided(43, TOWARD_BUYER)
    assert (wish.style, wish.why, wish.px) == (Style.REST, Why.FLOW_FAVORABLE, D("50000.0"))
    assert wish.wake_ns == T0 + int(56.4 * NS_PER_S)
    assert decided(56.4, TOWARD_BUYER).why is Why.SLICE_CROSSING


def test_rests_beyond_the_turn_while_taking_is_dear():
    assert decided(43, Signals(spread_ratio=2.0)).why is Why.SPREAD_UNUSUAL
    assert decided(43, Signals(spread_ratio=1.9)).why is Why.SLICE_CROSSING
    thin = dict(market=snapshot(best_ask_qty=D("0.05")))
    assert decided(43, Signals(depth_ratio=0.5), **thin).why is Why.DEPTH_THIN
    assert decided(43, Signals(depth_ratio=0.6), **thin).why is Why.SLICE_CROSSING
    assert decided(43, Signals(depth_ratio=0.5)).why is Why.SLICE_CROSSING


def test_rests_beyond_the_turn_when_its_turn_in_the_queue_is_near():
    signals = Signals(volume_hourly_qty=3_600.0)
    assert decided(43, signals, working=RESTING).why is Why.QUEUE_NEAR
    moved_away = snapshot("50000.1", "50000.2")
    assert decided(43, signals, working=RESTING, market=moved_away).why is Why.SLICE_CROSSING


def test_nothing_waits_longer_than_planned_while_the_price_moves_fast():
    assert decided(43, replace(TOWARD_BUYER, volatility_fast_ratio=2.0)).why is Why.SLICE_CROSSING


def test_the_clients_own_word_about_resting_and_taking_stands():
    always, never = StrategyParams(passiveness=D(0)), StrategyParams(passiveness=D(1))
    assert decided(5, TOWARD_BUYER, params=always).style is Style.CROSS
    assert decided(55, AGAINST_BUYER, params=never).style is Style.REST


def test_it_goes_about_other_schedules_as_a_wrapper_and_leaves_those_without_a_turn_alone():
    params = StrategyParams(wrappers=("adaptive",))
    early = decided(30, AGAINST_BUYER, strategy="vwap", params=params)
    assert early.why is Why.FLOW_ADVERSE
    iceberg = moment(300, AGAINST_BUYER, strategy="iceberg")
    assert Adaptive(STRATEGIES["iceberg"]).decide(iceberg) == STRATEGIES["iceberg"].decide(iceberg)


def test_named_about_a_guide_it_goes_inside():
    params = StrategyParams(wrappers=("exchange-flow", "adaptive"))
    signals = replace(AGAINST_BUYER, exchange_flow=3.0)
    hurried = decided(10, signals, strategy="twap", params=params)
    assert (hurried.qty, hurried.why) == (D("0.2"), Why.EXCHANGE_FLOW)
    plain = decided(30, AGAINST_BUYER, strategy="twap", params=params)
    assert plain.why is Why.FLOW_ADVERSE


def test_a_limit_price_that_forbids_taking_leaves_it_resting():
    now = moment(30, AGAINST_BUYER)
    limited = replace(now, order=replace(now.order, limit_px=D("50000.0")))
    assert strategy_of(limited.order).decide(limited).style is Style.REST


RATIO = st.sampled_from([None, 0.2, 1.0, 3.0])
LEAN = st.sampled_from([None, -1.0, -0.6, 0.0, 0.6, 1.0])
SIGNALS = st.builds(
    Signals,
    order_flow_imbalance=st.sampled_from([None, -3.0, -1.5, 0.0, 1.5, 3.0]),
    book_imbalance=LEAN,
    trade_imbalance=LEAN,
    spread_ratio=RATIO,
    depth_ratio=RATIO,
    volatility_fast_ratio=RATIO,
    volume_hourly_qty=st.sampled_from([None, 0.0, 36.0, 36_000.0]),
)


@given(
    SIGNALS,
    st.integers(0, 600),
    st.integers(0, 1_000),
    st.sampled_from(list(Side)),
    st.sampled_from([None, RESTING]),
)
def test_only_the_instant_of_the_turn_is_its_own(signals, seconds, done, side, working):
    """Never another quantity than the schedule's, never later than four fifths of the taking time."""
    now = moment(seconds, signals, side=side, working=working, cum=str(D(done) / 1_000))
    base, wish = STRATEGIES["twap"].decide(now), strategy_of(now.order).decide(now)
    if base.style is Style.WAIT:
        assert wish == base
        return
    assert wish.qty == base.qty
    of_slice = seconds % 60
    if of_slice < 21 or of_slice > 56:
        assert wish == base
    if wish != base:
        assert wish.style is not base.style
        assert wish.why not in {Why.SLICE_RESTING, Why.SLICE_CROSSING}


@given(SIGNALS, st.integers(0, 599), st.sampled_from([None, RESTING]))
def test_a_sale_is_the_mirror_image_of_a_purchase(signals, seconds, working):
    def turned(value):
        return None if value is None else -value

    there = replace(
        signals,
        order_flow_imbalance=turned(signals.order_flow_imbalance),
        book_imbalance=turned(signals.book_imbalance),
        trade_imbalance=turned(signals.trade_imbalance),
    )
    beside = None if working is None else replace(working, px=D("50000.1"))
    buy = decided(seconds, signals, working=working)
    sell = decided(seconds, there, side=Side.SELL, working=beside)
    assert (buy.style, buy.qty, buy.why, buy.wake_ns) == (sell.style, sell.qty, sell.why, sell.wake_ns)
