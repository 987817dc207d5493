"""The live engine in a market of investors who wait: four times the order moves the price about twice as far."""

import os

import pytest

from backtest.market.executing import Stage
from backtest.market.scenarios import load
from backtest.market.with_and_without import LOOKS, Fixed, moves_of_seed
from executor.domain.limits import Limits, Timings
from executor.domain.orders import Side, StrategyParams
from tests.builders import D, submitted

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
SEEDS, QTY, DURATION_S = (range(1, 4), 250, 480) if FULL else (range(1, 2), 100, 240)
WIDE = Limits(
    references_min=0,
    participation_pct_max=D(100),
    volatility_hourly_pct_max=D(1_000),
    child_notional_max=D(10**12),
    cross_spread_bps_max=D(1_000),
    price_collar_bps_max=D(2_000),
    orders_per_min_max=60,
    position_notional_max=D(10**12),
    open_notional_max=D(10**12),
    day_notional_max=D(10**12),
    day_loss_max=D(10**12),
    children_per_parent_max=100_000,
    children_per_hour_max=100_000,
    amplification_max=D(1_000),
)


def parent(qty, side):
    params = StrategyParams(interval_s=20)
    return submitted(strategy="twap", order_qty=D(qty), duration_s=DURATION_S, side=side, params=params)


@pytest.mark.timeout(600)
def test_impact_grows_with_the_root_of_the_order_and_most_of_it_is_still_there_later():
    stage = Stage(scenario=load("latent"), limits=WIDE, timings=Timings(residual_window_s=5), warmup_s=15)
    peaks, later = {"small": 0.0, "large": 0.0}, 0.0
    for seed in SEEDS:
        for side in Side:
            asked = Fixed(orders=(("small", parent(QTY, side)), ("large", parent(4 * QTY, side))))
            found = moves_of_seed(stage, asked, seed)
            assert found.untouched
            for one in found.orders:
                assert (one.failure, one.filled_share) == ("", 1.0)
                assert one.moves[LOOKS.index(1.0)] > 0.0
                peaks[one.policy] += one.moves[LOOKS.index(1.0)]
                later += one.moves[LOOKS.index(2.0)]
    # The root says 2, in proportion it would be 4; one seed alone is a rough measure.
    assert 1.5 < peaks["large"] / peaks["small"] < (2.6 if FULL else 3.4)
    # So short a time after it, hardly anybody has thought again.
    assert 0.5 < later / (peaks["large"] + peaks["small"]) < 1.0
