"""Obizhaeva and Wang (J. Financial Markets 16, 2013): best way and its cost by resilience, and the ceiling of its gain.

X = 100,000, q = 5,000, lambda = 1 / (2q), so kappa = 1 / q - lambda = 1e-4, over one day.
"""

from math import inf, log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.kernel import best_trades
from impact.obizhaeva_wang import ObizhaevaWang, best_blocks, best_cost, even_cost, greatest_saving
from impact.pre_trade import average_bps
from impact.protocol import NS_PER_DAY, Execution, Pace
from impact.validator import UNIT_PACE

KAPPA = 1 / 5_000 - 1 / (2 * 5_000)
TABLE = {
    0.001: (270_327.4, 49_975.01, 49.98, 499_750.1, 499_833.3, 0.017),
    0.5: (540.655, 40_000.00, 20_000.00, 400_000.0, 426_122.6, 6.130),
    1: (270.327, 33_333.33, 33_333.33, 333_333.3, 367_879.4, 9.391),
    2: (135.164, 25_000.00, 50_000.00, 250_000.0, 283_833.8, 11.920),
    4: (67.582, 16_666.67, 66_666.67, 166_666.7, 188_644.7, 11.651),
    5: (54.065, 14_285.71, 71_428.57, 142_857.1, 160_269.5, 10.864),
    10: (27.033, 8_333.33, 83_333.33, 83_333.3, 90_000.5, 7.408),
    20: (13.516, 4_545.45, 90_909.09, 45_454.5, 47_500.0, 4.306),
    50: (5.407, 1_923.08, 96_153.85, 19_230.8, 19_600.0, 1.884),
    300: (0.901, 331.13, 99_337.75, 3_311.3, 3_322.2, 0.330),
    1000: (0.270, 99.80, 99_800.40, 998.0, 999.0, 0.100),
}
"""By rho per day: half-life in minutes of 390 a day, block, middle, cost, cost of an even rate, saving in per cent."""
DEV = {
    0.5: (40_000.0, 20_000.0, 0.4),
    1: (33_333.3333, 33_333.3333, 0.3333333333333333),
    2: (25_000.0, 50_000.0, 0.25),
    4: (16_666.6667, 66_666.6667, 0.16666666666666666),
    5: (14_285.7143, 71_428.5714, 0.14285714285714285),
    10: (8_333.3333, 83_333.3333, 0.08333333333333333),
    20: (4_545.4545, 90_909.0909, 0.045454545454545456),
    50: (1_923.0769, 96_153.8462, 0.019230769230769232),
    300: (331.1258, 99_337.7483, 0.0033112582781456954),
    1000: (99.8004, 99_800.3992, 0.000998003992015968),
}
"""By rho: block, middle, cost over kappa X^2."""


@pytest.mark.parametrize("rho", TABLE)
def test_table_by_resilience(rho):
    minutes, block, middle, cost, even, saving = TABLE[rho]
    assert log(2) / rho * 390 == pytest.approx(minutes, rel=2e-6, abs=5e-4)
    assert best_blocks(1e5, rho) == pytest.approx((block, middle), abs=0.005)
    assert best_cost(1e5, rho, KAPPA) == pytest.approx(cost, abs=0.05)
    assert even_cost(1e5, rho, KAPPA) == pytest.approx(even, abs=0.08)  # the first is 499,833.375
    assert 100 * (1 - best_cost(1.0, rho, 1.0) / even_cost(1.0, rho, 1.0)) == pytest.approx(saving, abs=5e-4)


@pytest.mark.parametrize("rho", DEV)
def test_blocks_and_cost_to_a_millionth(rho):
    block, middle, cost = DEV[rho]
    assert best_blocks(1e5, rho) == pytest.approx((block, middle), rel=1e-6)
    assert best_cost(1e5, rho, 1.0) / 1e10 == pytest.approx(cost, rel=1e-9)


def test_ceiling_of_the_saving():
    rho_t, saving = greatest_saving()
    assert rho_t == pytest.approx(2.687999, abs=1e-6)
    assert 100 * saving == pytest.approx(12.2308, abs=5e-5)
    assert 1 / (1 - saving) == pytest.approx(1.13935156, abs=5e-9)
    tried = [10 ** (power / 50) for power in range(-150, 200)]
    assert all(1 - best_cost(1, each, 1) / even_cost(1, each, 1) <= saving for each in tried)


def test_limits_are_two_blocks_and_an_even_rate():
    assert best_blocks(1.0, 0.0) == (0.5, 0.0)
    assert best_cost(1.0, 0.0, 1.0) == even_cost(1.0, 0.0, 1.0) == 0.5
    block, middle = best_blocks(1.0, 1e9)
    assert (block, middle) == (pytest.approx(0, abs=1e-8), pytest.approx(1, abs=1e-8))


def model(rho, lasting=0.0):
    return ObizhaevaWang(passing=1.0, half_life_s=86_400 * log(2) / rho, lasting=lasting)


@pytest.mark.parametrize("rho", [0.5, 2, 10, 50])
def test_the_model_charges_blocks_and_rate_as_the_paper_does(rho):
    block, middle = best_blocks(1.0, rho)
    way = [
        Execution(0, block),
        Execution(0, middle, NS_PER_DAY),
        Execution(NS_PER_DAY, block),
    ]
    assert average_bps(model(rho), way, UNIT_PACE, 1.0) == pytest.approx(best_cost(1.0, rho, 1.0), rel=1e-9)
    even = [Execution(0, 1.0, NS_PER_DAY)]
    assert average_bps(model(rho), even, UNIT_PACE, 1.0) == pytest.approx(even_cost(1.0, rho, 1.0), rel=1e-9)
    stays = average_bps(model(rho, 0.3), even, UNIT_PACE, 1.0) - average_bps(model(rho), even, UNIT_PACE, 1.0)
    assert stays == pytest.approx(0.15, rel=1e-9), "half of what an order displaces for good, it pays"


@given(st.floats(0.1, 50), st.lists(st.floats(0.01, 1), min_size=2, max_size=20))
def test_no_way_saves_more_than_the_ceiling(rho, weights):
    """Whatever is traded at 20 even times of the day costs more than the best way, which saves no more than 12.23 %."""
    whole = sum(weights)
    apart_ns = NS_PER_DAY // (len(weights) - 1)
    way = [Execution(number * apart_ns, weight / whole) for number, weight in enumerate(weights)]
    cost = average_bps(model(rho), way, UNIT_PACE, 1.0)
    assert cost >= best_cost(1.0, rho, 1.0) - 1e-9
    assert best_cost(1.0, rho, 1.0) >= (1 - greatest_saving()[1]) * even_cost(1.0, rho, 1.0) - 1e-12


def test_many_trades_at_even_times_come_to_the_continuous_way():
    """The best trades of a quadratic programme: blocks at the ends, an even rate between, at the same cost."""
    rho, count = 5.0, 101
    times = [number / (count - 1) for number in range(count)]
    trades = best_trades(lambda lag: 2.718281828459045 ** (-rho * lag), times, 1.0)
    block, middle = best_blocks(1.0, rho)
    assert (trades[0], trades[-1]) == pytest.approx((block, block), rel=0.03)
    assert sum(trades[1:-1]) == pytest.approx(middle, rel=0.03)
    way = [Execution(round(time * NS_PER_DAY), trade) for time, trade in zip(times, trades, strict=True)]
    assert average_bps(model(rho), way, UNIT_PACE, 1.0) == pytest.approx(best_cost(1.0, rho, 1.0), rel=1e-3)


def test_half_of_what_wears_off_is_left_after_the_half_life():
    found = ObizhaevaWang(passing=1.0, half_life_s=300.0, lasting=0.25)
    done, pace = [Execution(0, 10.0)], Pace(1.0, 100.0)
    unit = pace.volatility_daily_bps / pace.volume_daily_qty * 10
    left = [found.remaining_bps(done, pace, seconds * 10**9) / unit for seconds in (0, 300, 600, 10**6)]
    assert left == pytest.approx([1.25, 0.75, 0.5, 0.25])


def test_what_means_nothing_is_refused():
    for bad in (0.0, -1.0, nan, inf):
        with pytest.raises(ValueError, match="above zero"):
            ObizhaevaWang(passing=bad, half_life_s=1.0)
        with pytest.raises(ValueError, match="above zero"):
            ObizhaevaWang(passing=1.0, half_life_s=bad)
    with pytest.raises(ValueError, match="below zero"):
        ObizhaevaWang(passing=1.0, half_life_s=1.0, lasting=-0.1)
    for bad in (-1.0, nan, inf):
        for told in (
            best_blocks,
            lambda *inputs: best_cost(*inputs, 1.0),
            lambda *inputs: even_cost(*inputs, 1.0),
        ):
            with pytest.raises(ValueError, match="rho T"):
                told(1.0, bad)
