from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.phenomena.bubbles import bubbles, deepest_fall, share_of_time
from simulation.phenomena.discovery import half_life_of, price_discovery, recovery
from simulation.phenomena.liquidity import liquidity, resilience
from simulation.phenomena.quality import autocorrelation, market_quality, paid_spread, variance_ratio
from simulation.phenomena.trace import Bars, Trace, cut, summed

S = 1_000_000_000


def a_trace(quotes, trades=(), tick_px=0.01, **more):
    """Quotes are (second, bid, bid size, ask, ask size); trades (second, px, qty, sign, mid before)."""
    times, *touch = zip(*quotes, strict=True)
    columns = list(zip(*trades, strict=True)) if trades else [()] * 5
    return Trace(
        tick_px=tick_px,
        quote_ns=ns(times),
        **dict(zip(("bid_px", "bid_qty", "ask_px", "ask_qty"), map(floats, touch), strict=True)),
        trade_ns=ns(columns[0]),
        **dict(
            zip(
                ("trade_px", "trade_qty", "trade_sign", "trade_mid_px"),
                map(floats, columns[1:]),
                strict=True,
            )
        ),
        **more,
    )


def ns(seconds):
    return (np.array(seconds, np.float64) * S).astype(np.int64)


def floats(values):
    return np.array(values, np.float64)


def bars_of(mids, values=(), step_s=1.0):
    count = len(mids) - 1
    return Bars(
        step_ns=round(step_s * S),
        at_ns=ns(np.arange(count + 1) * step_s),
        mid_px=floats(mids),
        volume_qty=np.zeros(count),
        net_qty=np.zeros(count),
        trades=np.zeros(count),
        value_px=floats(values),
    )


FLAT = (1, 100.00, 5, 100.02, 5)


def test_steps_hold_what_happened_in_them():
    trace = a_trace(
        [(0, 99, 1, 101, 1), (1.5, 100, 1, 102, 1), (4, 101, 1, 103, 1)],
        [(0.5, 101, 2, 1, 100), (1.0, 99, 3, -1, 100), (2.5, 102, 4, 1, 101)],
    )
    bars = cut(trace, S)
    assert bars.mid_px.tolist() == [100, 100, 101, 101, 102]
    assert bars.volume_qty.tolist() == [5, 0, 4, 0]
    assert bars.net_qty.tolist() == [-1, 0, 4, 0]
    assert bars.trades.tolist() == [2, 0, 1, 0]
    assert summed(trace, floats([1, 2, 4]), bars).tolist() == [0, 2, 0, 4]


def test_order_flow_imbalance_of_the_worked_example():
    quotes = [
        (0, 50.00, 100, 50.10, 100),
        (1, 50.00, 80, 50.10, 100),
        (2, 50.00, 80, 50.10, 130),
        (3, 50.05, 40, 50.10, 130),
        (4, 50.05, 40, 50.15, 60),
    ]
    assert a_trace(quotes).imbalance().tolist() == [0, -20, -30, 40, 130]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (dict(quotes=[(0, 99, 1, 101, 1), (-1, 99, 1, 101, 1)]), "time goes back"),
        (dict(quotes=[(0, 101, 1, 101, 1)]), "best ask is above"),
        (dict(quotes=[(0, 0, 1, 101, 1)]), "above zero"),
        (dict(quotes=[(0, float("nan"), 1, 101, 1)]), "not finite"),
        (dict(quotes=[FLAT], trades=[(1, 100, 1, 0, 100)]), "taker"),
        (dict(quotes=[FLAT], trades=[(1, 100, 0, 1, 100)]), "above zero"),
        (dict(quotes=[FLAT], tick_px=0.0), "tick"),
        (dict(quotes=[FLAT], bid_depth_qty=np.zeros(2)), "every quote or never"),
    ],
)
def test_arrays_that_no_market_leaves_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        a_trace(**wrong)
    with pytest.raises(ValueError, match="too few"):
        cut(a_trace([FLAT]), S)


def test_a_gap_that_halves_every_seven_seconds_is_told_so():
    times = np.arange(0, 60)
    values = np.where(times < 0, 100.0, 110.0)
    mids = values * np.exp(-0.0953 * 0.5 ** (times / 7.0))
    found = recovery(bars_of(mids, values), 0)
    assert found.half_life_s == pytest.approx(7.0, rel=1e-4)
    assert found.opened_bps == pytest.approx(-953.0)
    assert found.closed > 0.99


def test_a_gap_that_does_not_close_is_refused():
    with pytest.raises(ValueError, match="shape is not in the data"):
        recovery(bars_of(np.linspace(100, 101, 50), np.full(50, 110.0)), 0)
    with pytest.raises(ValueError, match="opened no gap"):
        recovery(bars_of([110.0] * 20, [110.0] * 20), 0)
    assert half_life_of(np.linspace(1.0, 2.0, 50), 1.0) is None


def test_price_that_is_the_value_plus_a_constant_gap():
    values = 100.0 * np.exp(np.cumsum(np.random.default_rng(1).standard_normal(1_000) * 1e-3))
    found = price_discovery(bars_of(values * np.exp(0.002), values))
    assert found.deviation_bps == pytest.approx(20.0)
    assert found.bias_bps == pytest.approx(20.0)
    assert found.tracking_error_bps == pytest.approx(0.0, abs=1e-6)
    assert found.information_ratio == pytest.approx(1.0)


def test_half_life_of_a_gap_that_follows_an_autoregression():
    draws = np.random.default_rng(2).standard_normal(40_000) * 1e-3
    gap = np.zeros(40_000)
    for at in range(1, 40_000):
        gap[at] = 0.9 * gap[at - 1] + draws[at]
    found = price_discovery(bars_of(100.0 * np.exp(gap), np.full(40_000, 100.0)))
    assert found.gap_half_life_s == pytest.approx(np.log(2) / -np.log(0.9), rel=0.05)
    assert found.tracking_error_bps == pytest.approx(10.0 / np.sqrt(1 - 0.81), rel=0.03)
    assert found.information_ratio is None  # the value stands still


def test_a_bubble_has_a_start_a_peak_and_an_end():
    premium = [0, 0.02, 0.06, 0.12, 0.30, 0.15, 0.08, 0.04, 0, 0.07, 0.02]
    bars = bars_of([100.0 * (1 + one) for one in premium], [100.0] * len(premium))
    found = bubbles(bars)
    assert [(one.start_ns, one.peak_ns, one.end_ns, one.open) for one in found] == [
        (2 * S, 4 * S, 7 * S, False)
    ]
    assert found[0].peak == pytest.approx(0.30)
    assert found[0].duration_s == 5.0
    assert share_of_time(found, bars) == pytest.approx(0.5)
    assert bubbles(bars, lasts_s=6.0) == ()
    assert bubbles(bars, overvalued=0.5) == ()


def test_a_bubble_that_lasts_to_the_end_is_open():
    found = bubbles(bars_of([100, 104, 120, 130], [100.0] * 4))
    assert (found[0].open, found[0].end_ns) == (True, 3 * S)


@given(st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=60))
def test_bubbles_do_not_overlap_and_each_crosses_the_bound(premium):
    bars = bars_of([100.0 * (1 + one) for one in premium], [100.0] * len(premium))
    found = bubbles(bars)
    assert all(one.start_ns <= one.peak_ns <= one.end_ns and one.peak > 0.10 for one in found)
    assert all(one.end_ns <= later.start_ns for one, later in pairwise(found))
    assert 0.0 <= share_of_time(found, bars) <= 1.0
    assert bool(found) == bool((bars.mid_px / bars.value_px - 1.0 > 0.10).any())


def test_the_deepest_fall_and_what_came_back():
    bars = bars_of([100, 101, 100, 90, 80.8, 85, 91, 96, 99])
    found = deepest_fall(bars, within_s=5, after_s=3)
    assert (found.start_ns, found.bottom_ns) == (S, 4 * S)
    assert found.depth == pytest.approx(0.2)
    assert found.recovered == pytest.approx((96 - 80.8) / 20.2)
    # In one second at most a tenth was lost, and a slow fall is no crash.
    assert deepest_fall(bars, within_s=1, after_s=3).depth == pytest.approx(0.1022, abs=1e-4)
    assert deepest_fall(bars_of([100, 101, 102]), 1, 1).depth == 0.0


def test_liquidity_is_weighted_by_time():
    trace = a_trace(
        [(0, 99.99, 30, 100.01, 10), (3, 99.99, 10, 100.00, 10), (4, 99.99, 10, 100.00, 10)],
        [(1, 100.01, 3, 1, 100), (2, 100.01, 5, 1, 100)],
    )
    found = liquidity(trace)
    assert found.spread_bps == pytest.approx((3 * 2.0 + 0.01 / 99.995 * 1e4) / 4, rel=1e-9)
    assert found.one_tick_share == pytest.approx(0.25)
    assert (found.bid_depth_qty, found.ask_depth_qty, found.depth_qty) == (25.0, 10.0, 17.5)
    assert found.imbalance == pytest.approx(0.5 * 0.75)
    assert found.trade_qty == 4.0
    assert found.resilience_s is None  # too few trades
    deeper = replace(trace, bid_depth_qty=floats([300, 300, 300]), ask_depth_qty=floats([100, 100, 100]))
    assert liquidity(deeper).imbalance == pytest.approx(0.5)


def test_resilience_of_a_spread_that_closes_by_half_every_two_seconds():
    quotes, trades = [], []
    for number in range(60):
        begin = 100.0 * number
        for step in range(200):
            wide = 0.01 + 0.08 * 0.5 ** (step * 0.1 / 2.0)
            quotes.append((begin + step * 0.1, 100 - wide / 2, 1, 100 + wide / 2, 1))
        trades.append((begin, 100, 10 + number % 2, 1, 100))
        trades += [(begin + 50 + k, 100, 1, -1, 100) for k in range(4)]
    assert resilience(a_trace(quotes, trades), 10.0) == pytest.approx(2.0, rel=0.05)


def test_effective_realised_and_impact_of_the_worked_example():
    trace = a_trace(
        [(0, 99.99, 1, 100.01, 1), (5, 100.02, 1, 100.04, 1), (12, 100.02, 1, 100.04, 1)],
        [(1, 100.05, 2, 1, 100.00)],
    )
    found = paid_spread(trace, later_s=10)
    assert (found.effective_bps, found.realised_bps, found.impact_bps) == pytest.approx((10, 4, 6))
    assert paid_spread(trace, later_s=20) is None


def test_variance_ratio_of_two_steps_is_one_and_the_autocorrelation():
    moves = np.random.default_rng(3).standard_normal(5_000)
    centred = moves - moves.mean()
    rho = float(centred[1:] @ centred[:-1]) / float(centred @ centred)
    assert variance_ratio(moves, 2)[0] == pytest.approx(1 + rho)
    assert abs(variance_ratio(moves, 10)[1]) < 3.0


def test_variance_ratio_of_moves_that_turn_back():
    # Moving averages e_t - .5 e_(t-1) have rho_1 = -.4 and none beyond, so VR(10) = 1 - 2 (.9) (.4).
    noise = np.random.default_rng(4).standard_normal(100_001)
    moves = noise[1:] - 0.5 * noise[:-1]
    ratio, z = variance_ratio(moves, 10)
    assert ratio == pytest.approx(0.28, abs=0.02)
    assert z < -30.0
    assert autocorrelation(moves, 1) == pytest.approx(-0.4, abs=0.01)
    with pytest.raises(ValueError, match="too few"):
        variance_ratio(moves[:10], 10)
    with pytest.raises(ValueError, match="did not move"):
        variance_ratio(np.zeros(100), 10)


def test_quality_of_a_market_that_stands_still():
    trace = a_trace([(k, *FLAT[1:]) for k in range(50)])
    found = market_quality(trace, cut(trace, S))
    assert found.volatility_hourly_pct == 0.0
    assert (found.variance_ratio, found.autocorrelation, found.spreads, found.roll_px) == (
        None,
        None,
        None,
        None,
    )


def test_volatility_of_a_price_that_steps_by_one_basis_point_a_second():
    mids = [100.0 * np.exp(1e-4 * (k % 2)) for k in range(100)]
    trace = a_trace([(k, mid - 0.01, 1, mid + 0.01, 1) for k, mid in enumerate(mids)])
    found = market_quality(trace, cut(trace, S))
    assert found.volatility_hourly_pct == pytest.approx(100 * 1e-4 * 60, rel=0.02)
    assert found.autocorrelation == pytest.approx(-1.0, abs=0.03)
