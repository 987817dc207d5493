"""Signals out of books and trades, on constructed data with known answers."""

from math import log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.timeline import NS_PER_MIN, NS_PER_S
from impact.order_flow.imbalance import Quote, order_flow_imbalance
from strategies.signals import order_flow, touch, trade_flow, volatility, volume
from strategies.signals.fading import NO_MEAN, fade, mean_after
from strategies.signals.queue import ahead_after
from tests.builders import T0, D

EXAMPLE = [
    Quote(50.00, 100, 50.10, 100),
    Quote(50.00, 80, 50.10, 100),
    Quote(50.00, 80, 50.10, 130),
    Quote(50.05, 40, 50.10, 130),
    Quote(50.05, 40, 50.15, 60),
]
"""Cont, Kukanov and Stoikov's four kinds of events: e = -20, -30, +40, +130."""


def folded(module, state, moments):
    for moment in moments:
        state = module.observe(state, *moment)
    return state


def test_a_weight_halves_in_a_half_life_and_time_never_runs_back():
    assert fade(NS_PER_S, NS_PER_S) == 0.5
    assert fade(0, NS_PER_S) == fade(-5, NS_PER_S) == 1.0


def test_a_mean_is_plain_until_a_half_life_is_covered_and_fades_later():
    short = mean_after(mean_after(NO_MEAN, 4.0, NS_PER_S, NS_PER_MIN), 1.0, 3 * NS_PER_S, NS_PER_MIN)
    assert (short.value, short.observed_ns) == (pytest.approx(7 / 4), 4 * NS_PER_S)
    old = mean_after(NO_MEAN, 8.0, 60 * NS_PER_MIN, NS_PER_MIN)
    assert mean_after(old, 0.0, NS_PER_MIN, NS_PER_MIN).value == pytest.approx(4.0)
    assert mean_after(old, 5.0, 0, NS_PER_MIN) is old


def test_order_flow_of_one_instant_is_the_published_sum():
    state = folded(order_flow, order_flow.OrderFlow(), [(T0, quote) for quote in EXAMPLE])
    assert state.flow == pytest.approx(120.0) == order_flow_imbalance(EXAMPLE)


def test_order_flow_between_two_snapshots_at_one_price_is_exact_whatever_came_between():
    moments = [Quote(50.0, qty, 50.1, 90) for qty in (100, 3, 777, 140)]
    every = folded(order_flow, order_flow.OrderFlow(), [(T0, quote) for quote in moments])
    ends = folded(order_flow, order_flow.OrderFlow(), [(T0, moments[0]), (T0, moments[-1])])
    assert every.flow == ends.flow == 40.0


def quotes(px_of):
    return [(T0 + i * NS_PER_S, Quote(px_of(i), 5, px_of(i) + 0.1, 5)) for i in range(121)]


def test_order_flow_is_told_in_its_own_usual_size_and_mirrors():
    rising = folded(order_flow, order_flow.OrderFlow(), quotes(lambda i: 50 + 0.1 * (i > 100) * (i - 100)))
    falling = folded(order_flow, order_flow.OrderFlow(), quotes(lambda i: 50 - 0.1 * (i > 100) * (i - 100)))
    up, down = order_flow.imbalance(rising), order_flow.imbalance(falling)
    assert up > 1.5
    assert down == pytest.approx(-up)


def test_order_flow_is_unknown_before_a_minute_and_where_nothing_ever_changes():
    early = folded(order_flow, order_flow.OrderFlow(), quotes(lambda i: 50 + i)[:30])
    still = folded(order_flow, order_flow.OrderFlow(), quotes(lambda i: 50))
    assert order_flow.imbalance(early) is None
    assert order_flow.imbalance(still) is None
    assert order_flow.imbalance(order_flow.OrderFlow()) is None


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=60)
)
def test_trade_imbalance_lies_between_its_ends_and_mirrors(rows):
    moments, at_ns = [(T0, 0.0, 0.0)], T0
    for gap_s, bought, sold in rows:
        at_ns += gap_s * NS_PER_S
        moments.append((at_ns, float(bought), float(sold)))
    here = trade_flow.imbalance(folded(trade_flow, trade_flow.TradeFlow(), moments))
    there = trade_flow.imbalance(
        folded(trade_flow, trade_flow.TradeFlow(), [(at, sold, bought) for at, bought, sold in moments])
    )
    if at_ns - T0 < trade_flow.WARM_UP_NS or not any(bought + sold for _, bought, sold in rows):
        assert here is there is None
    else:
        assert -1.0 <= here <= 1.0
        assert there == pytest.approx(-here)


def test_trade_imbalance_counts_by_quantity():
    moments = [(T0, 9.0, 0.0), (T0 + 40 * NS_PER_S, 3.0, 1.0)]
    assert trade_flow.imbalance(folded(trade_flow, trade_flow.TradeFlow(), moments)) == pytest.approx(0.5)


def test_a_spread_is_wide_and_a_book_thin_against_their_own_past():
    calm = [(T0 + i * NS_PER_S, Quote(100.0, 10, 100.1, 10)) for i in range(121)]
    state = folded(touch, touch.TouchMeans(), [*calm, (T0 + 121 * NS_PER_S, Quote(100.0, 2, 100.3, 3))])
    assert touch.spread_ratio(state) == pytest.approx(3.0, rel=1e-2)
    assert touch.depth_ratio(state) == pytest.approx(0.25, rel=1e-9)
    assert touch.spread_ratio(folded(touch, touch.TouchMeans(), calm[:59])) is None
    assert touch.depth_ratio(folded(touch, touch.TouchMeans(), calm[:59])) is None


def test_the_microprice_leans_to_the_side_that_gives_way_first():
    assert touch.microprice_bps(Quote(99.0, 30, 101.0, 10)) == pytest.approx(50.0)
    assert touch.microprice_bps(Quote(99.0, 10, 101.0, 30)) == pytest.approx(-50.0)
    assert touch.microprice_bps(Quote(99.0, 0, 101.0, 0)) is None


def mids(swing, seconds):
    return [(T0 + i * NS_PER_S, 100.0 * (1 + swing(i) * (-1) ** i)) for i in range(seconds)]


def test_volatility_of_a_square_wave_is_its_closed_form():
    state = folded(volatility, volatility.Variances(), mids(lambda i: 1e-4, 900))
    per_s = log((1 + 1e-4) / (1 - 1e-4)) ** 2
    assert state.usual.value == pytest.approx(per_s)
    assert volatility.fast_ratio(state) == pytest.approx(1.0)
    assert volatility.slow_ratio(state) == pytest.approx(1.0)


def test_volatility_over_several_horizons_sees_a_storm_at_once_in_the_short_one():
    state = folded(volatility, volatility.Variances(), mids(lambda i: 1e-4 if i < 1_770 else 5e-4, 1_800))
    fast, slow = volatility.fast_ratio(state), volatility.slow_ratio(state)
    assert fast > slow > 1.0
    assert fast > 2.5
    early = folded(volatility, volatility.Variances(), mids(lambda i: 1e-4, 500))
    assert volatility.fast_ratio(early) is volatility.slow_ratio(early) is None


def test_volatility_samples_once_a_second():
    state = volatility.observe(volatility.Variances(), T0, 100.0)
    assert volatility.observe(state, T0 + NS_PER_S - 1, 105.0) is state


def test_volume_speed_against_the_usual():
    total, moments = 0.0, []
    for i in range(1_800):
        total += 2.0 if i < 1_740 else 8.0
        moments.append((T0 + i * NS_PER_S, total))
    state = folded(volume, volume.Volume(), moments)
    assert volume.ratio(state) == pytest.approx(5 / (2 * (1_739 + 4 * 60) / 1_799), rel=0.02)
    assert volume.ratio(folded(volume, volume.Volume(), moments[:500])) is None
    assert sqrt(state.recent.value) == pytest.approx(sqrt(5), rel=0.05)


def test_the_queue_is_what_was_shown_less_what_traded_and_never_more_than_is_left():
    ahead = ahead_after(None, D("12"), D("1"), 5.0)
    assert ahead == 12.0
    assert ahead_after(ahead, D("13"), D("1"), 4.0) == 8.0
    assert ahead_after(ahead, D("7"), D("1"), 4.0) == 6.0
    assert ahead_after(ahead, D("13"), D("1"), 40.0) == 0.0
    assert ahead_after(ahead, D("13"), D("1"), None) == 12.0
    assert ahead_after(ahead, D("0.5"), D("1"), None) == 0.0
