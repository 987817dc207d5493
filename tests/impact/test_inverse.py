"""The cost of an inverse order against an example worked by hand: contracts of one USD that pay in coin.

Buy 10,000 contracts, decided at 40,000, arrival 50,000, 8,000 filled at 62,500, the end at 62,500. One contract is
worth 0.000025, 0.00002 and 0.000016 BTC. On paper 10,000 bought at 40,000 bring 10,000 x 0.000009 = 0.09 BTC; the
fills bring nothing. So 0.09 BTC were missed: 0.05 by the delay, 0.032 in trading, 0.008 on what was not filled;
at 40,000 that is 2,000, 1,280 and 320 USD.
"""

from decimal import Decimal as D

import pytest

from executor.domain.orders import Category, Side
from impact.shortfall import CostParts, as_json, make_report
from tests.impact.test_shortfall import facts_with


def inverse(**changes):
    usual = dict(
        category=Category.INVERSE,
        symbol="BTCUSD",
        order_qty=D(10_000),
        cum_qty=D(8_000),
        cum_notional=D(8_000),
        cum_coin_qty=D("0.128"),
        fees=D(4),
        decision_px=D(40_000),
        arrival_px=D(50_000),
        end_px=D(62_500),
        market_qty=D(108_000),
        market_notional=D(108_000),
        market_coin_qty=D("2.128"),
        mid_twap_px=D(50_000),
        maker_qty=D(2_000),
        spread_captured=D(-8),
    )
    return facts_with(**{**usual, **changes})


def test_worked_example():
    report = make_report(inverse())
    assert report.shortfall_quote == CostParts(delay=D(2000), trading=D(1280), opportunity=D(320), fees=D(4))
    assert report.shortfall_bps.total == 3604
    assert report.avg_px == 62_500
    assert report.vwap_px == 50_000
    assert report.vwap_slippage_bps == report.twap_slippage_bps == 2_500
    assert report.spread_captured_bps == -10
    assert report.fees_bps == 5
    # From the arrival: 0.032 + 0.008 BTC at 50,000 and the fees are 2,004 of 10,000 USD.
    assert report.arrival_shortfall_bps == 2004


def test_average_price_is_harmonic():
    """5,000 at 40,000 and 5,000 at 62,500 are worth 0.205 BTC, on average 48,780.49, not 51,250."""
    report = make_report(inverse(cum_qty=D(10_000), cum_notional=D(10_000), cum_coin_qty=D("0.205")))
    assert report.avg_px.quantize(D("0.01")) == D("48780.49")


def test_a_sell_at_the_same_prices_gains_what_the_buy_loses():
    buy, sell = make_report(inverse(fees=D(0))), make_report(inverse(side=Side.SELL, fees=D(0)))
    assert sell.shortfall_quote.total == -buy.shortfall_quote.total


def test_the_report_names_its_units_and_the_fees_it_could_not_count():
    printed = as_json(make_report(inverse(other_fees=(("MNT", D("0.5")),))))
    assert printed["qty_unit"] == "contracts of one quote unit"
    assert printed["fees_other"] == {"MNT": "0.5"}
    assert printed["fees_complete"] is False
    assert as_json(make_report(facts_with()))["qty_unit"] == "base"
    assert as_json(make_report(facts_with()))["fees_complete"] is True


@pytest.mark.parametrize("name", ["decision_px", "arrival_px", "end_px"])
def test_a_price_of_nothing_has_no_cost(name):
    assert make_report(inverse(**{name: D(0)})).shortfall_quote is None


def test_fills_without_their_worth_in_coin_are_refused():
    with pytest.raises(ValueError, match="no coin"):
        inverse(cum_coin_qty=D(0))
