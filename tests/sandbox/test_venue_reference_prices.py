"""Mark and index wander a little, apart and reproducibly; bands and funding are made of the premium."""

from decimal import Decimal
from random import Random

import pytest

from sandbox.bybit_server.clock import ManualClock
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.flow import FlowSettings
from sandbox.bybit_server.funding import next_funding_ms
from sandbox.bybit_server.instruments import listed_instruments
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.reference_prices import PremiumGauge, ReferencePrices

HOUR_MS = 3_600_000


def btc():
    return Market(listed_instruments()[0])


def test_mark_and_index_stay_near_the_fair_value_but_not_on_it():
    prices = ReferencePrices(Random(1))
    quotes = [prices.quote(650_000.0, 1.0) for _ in range(20_000)]
    index_bps = [(index / 650_000 - 1) * 1e4 for index, _ in quotes]
    mark_bps = [(mark / index - 1) * 1e4 for index, mark in quotes]

    def deviation(values):
        return (sum(v * v for v in values) / len(values)) ** 0.5

    assert 0.35 < deviation(index_bps) < 0.65
    assert 1.1 < deviation(mark_bps) < 1.9
    assert max(map(abs, mark_bps)) < 10
    assert [ReferencePrices(Random(1)).quote(650_000.0, 1.0)] == quotes[:1]
    assert ReferencePrices(None).quote(650_000.0, 1.0) == (650_000.0, 650_000.0)


def test_a_living_market_shows_all_three():
    clock = ManualClock()
    exchange = Exchange(clock, flow=FlowSettings())
    for _ in range(40):
        clock.advance_ms(500)
        exchange.advance()
    for key in (("linear", "BTCUSDT"), ("inverse", "BTCUSD")):
        market = exchange.markets[key]
        assert market.index_px != market.mark_px
        assert abs(market.mark_px / market.index_px - 1) < Decimal("0.002")
        assert market.mark_px % market.instrument.tick == 0
        assert market.premium.mean() != 0
    spot = exchange.markets["spot", "BTCUSDT"]
    assert spot.index_px == spot.mark_px


def test_the_gauge_is_a_mean_over_its_window():
    gauge = PremiumGauge(3)
    for second, distance in enumerate((10, 20, 30, 40)):
        assert gauge.is_due(second)
        gauge.note(second, Decimal(distance), Decimal(1000))
        assert not gauge.is_due(second)
    assert gauge.mean() == 30


@pytest.mark.parametrize(
    ("premium", "index", "buy", "sell"),
    [
        ("0", "65000", "65650.00", "64350.10"),
        ("100", "65000", "65750.00", "64350.10"),
        ("-100", "65000", "65650.00", "64250.10"),
        ("5000", "65000", "66300.00", "64350.10"),
        ("0", "66000", "66000.00", "64350.10"),
        ("0", "64000", "65650.00", "64000.10"),
    ],
)
def test_the_band_of_a_contract(premium, index, buy, sell):
    market = btc()
    market.index_px = Decimal(index)
    market.premium.note(0, Decimal(premium), market.index_px)
    assert (market.buy_limit_px(), market.sell_limit_px()) == (Decimal(buy), Decimal(sell))


@pytest.mark.parametrize(
    ("premium", "rate"),
    [("0", "0.0001"), ("0.0003", "0.0001"), ("0.001", "0.0005"), ("-0.001", "-0.0005"), ("0.01", "0.00375")],
)
def test_the_funding_rate_follows_the_premium(premium, rate):
    gauge = PremiumGauge(30)
    gauge.note(0, Decimal(premium) * 65000, Decimal(65000))
    assert gauge.funding_rate() == Decimal(rate)


def test_funding_is_due_on_its_grid(bench):
    item = bench.market().instrument
    now_ms = bench.clock.now_ns() // 10**6
    due_ms = next_funding_ms(item, now_ms)
    assert due_ms % (8 * HOUR_MS) == 0
    assert 0 < due_ms - now_ms <= 8 * HOUR_MS
    bench.crowd("Sell", "65000", "1")
    bench.send("Buy", "1")
    bench.clock.advance_ms(due_ms - now_ms - 1)
    bench.exchange.advance()
    assert all(e.kind == "Trade" for e in bench.account.executions)
    bench.clock.advance_ms(1000)
    bench.exchange.advance()
    bench.exchange.advance()
    kinds = [e.kind for e in bench.account.executions]
    assert kinds == ["Trade", "Funding"]
    bench.clock.advance_ms(16 * HOUR_MS)
    bench.exchange.advance()
    assert [e.kind for e in bench.account.executions] == ["Trade", *["Funding"] * 3]
    paid = sum(e.fee for e in bench.account.executions if e.kind == "Funding")
    assert paid == 3 * Decimal(65000) * Decimal("0.0001")
