"""Almgren, Thum, Hauptmann and Li (Risk 18(7), 2005), the worked table: 10 % of a day's volume of IBM and of DRI."""

from math import nan

import pytest

from impact.models import read_model
from impact.pre_trade import average_bps
from impact.protocol import NS_PER_DAY, Execution, Pace
from impact.theory.athl_2005 import EvenOrder, best_duration_days

STOCKS = {"IBM": (6.561e6, 1728e6, 157.0), "DRI": (1.929e6, 168e6, 226.0)}
"""Volume of a day, shares outstanding, volatility of a day in basis points."""
TABLE = {
    "IBM": (0.126495, 19.8597, {0.1: (22.2940, 32.2239), 0.2: (14.7086, 24.6384), 0.5: (8.4880, 18.4179)}),
    "DRI": (0.095923, 21.6787, {0.1: (32.0920, 42.9313), 0.2: (21.1728, 32.0122), 0.5: (12.2184, 23.0577)}),
}
PRINTED = {
    "IBM": (20, {0.1: (22, 32), 0.2: (15, 25), 0.5: (8, 18)}),
    "DRI": (22, {0.1: (32, 43), 0.2: (21, 32), 0.5: (12, 23)}),
}


def order(stock, days):
    volume, outstanding, sigma = STOCKS[stock]
    return EvenOrder(
        volume_share=0.1, shares_over_volume=outstanding / volume, sigma_daily_bps=sigma, duration_days=days
    )


@pytest.mark.parametrize("stock", TABLE)
@pytest.mark.parametrize("days", [0.1, 0.2, 0.5])
def test_table_of_permanent_temporary_and_realised_cost(stock, days):
    found, sigma = order(stock, days), STOCKS[stock][2]
    share, lasting, by_days = TABLE[stock]
    assert found.permanent_bps / sigma == pytest.approx(share, abs=1e-6)
    assert found.permanent_bps == pytest.approx(lasting, rel=1e-4)
    assert (found.temporary_bps, found.cost_bps) == pytest.approx(by_days[days], rel=1e-4)
    printed, rounded = PRINTED[stock]
    assert found.permanent_bps == pytest.approx(printed, abs=0.5)
    assert (found.temporary_bps, found.cost_bps) == pytest.approx(rounded[days], abs=0.5)


@pytest.mark.parametrize(
    ("aversion", "days", "cost"), [(1e-7, 0.74418682, 16.6160), (1e-6, 0.17647451, 25.7853)]
)
def test_best_duration_of_an_even_sale_of_ibm(aversion, days, cost):
    found = best_duration_days(0.1, 157.0, 656_100 * 100.0, aversion)
    assert found == pytest.approx(days, rel=1e-7)
    assert order("IBM", found).cost_bps == pytest.approx(cost, abs=5e-5)
    worth = {
        other: order("IBM", other).cost_bps * 656_100 * 100 / 1e4
        + aversion * (656_100 * 100 * 0.0157) ** 2 * other / 3
        for other in (found * 0.99, found, found * 1.01)
    }
    assert min(worth, key=worth.__getitem__) == found


def test_the_model_of_this_market_charges_the_same():
    """Where outstanding shares are as many as a day trades, since a coin has no such number."""
    model = read_model("athl")
    sigma, days = 157.0, 0.2
    paid = average_bps(
        model, [Execution(0, 10.0, round(days * NS_PER_DAY))], Pace(sigma / 100 / 24**0.5, 100 / 24), 10.0
    )
    told = EvenOrder(volume_share=0.1, shares_over_volume=1.0, sigma_daily_bps=sigma, duration_days=days)
    assert paid == pytest.approx(told.cost_bps, rel=1e-9)


def test_what_means_nothing_is_refused():
    for bad in (0.0, -1.0, nan):
        with pytest.raises(ValueError, match="above zero"):
            EvenOrder(volume_share=bad, shares_over_volume=1.0, sigma_daily_bps=1.0, duration_days=1.0)
        with pytest.raises(ValueError, match="above zero"):
            best_duration_days(0.1, 157.0, 1e6, bad)
