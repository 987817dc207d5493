"""Inverse contracts: quantities in dollars, money in coin, entry prices by harmonic means. And coarse steps."""

from decimal import Decimal

import pytest

from sandbox.bybit_server.account_queries import positions, wallet_balance
from sandbox.bybit_server.record_queries import closed_pnl
from tests.sandbox.venue_support import refusal_of

INVERSE = {"category": "inverse", "symbol": "BTCUSD"}
PLACES = Decimal("1E-8")


def value(qty, px):
    return (Decimal(qty) / Decimal(px)).quantize(Decimal("1E-18"))


def test_the_entry_price_is_dollars_by_coins(bench):
    bench.crowd("Sell", "65000", "10000", **INVERSE)
    bench.crowd("Sell", "65100", "30000", **INVERSE)
    bench.send("Buy", "40000", **INVERSE)
    (row,) = bench.ask(positions, **INVERSE)["list"]
    coins = value(10000, 65000) + value(30000, 65100)
    assert Decimal(row["positionValue"]) == coins.quantize(PLACES)
    assert Decimal(row["avgPrice"]) == (40000 / coins).quantize(PLACES)
    assert row["size"] == "40000"
    assert Decimal(row["positionIM"]) == (coins / 10).quantize(PLACES)


@pytest.mark.parametrize(("side", "exit_px"), [("Buy", "65500.0"), ("Sell", "64500.0")])
def test_profit_and_fees_are_paid_in_the_coin(bench, side, exit_px):
    other = "Sell" if side == "Buy" else "Buy"
    bench.crowd(other, "65000.0", "50000", **INVERSE)
    bench.send(side, "50000", **INVERSE)
    bench.crowd(side, exit_px, "50000", **INVERSE)
    bench.send(other, "50000", reduceOnly=True, **INVERSE)
    entry, end = value(50000, "65000.0"), value(50000, exit_px)
    fees = sum((coins * Decimal("0.00055")).quantize(Decimal("1E-10")) for coins in (entry, end))
    assert abs(entry - end) - fees > 0
    assert bench.account.balances["BTC"] == 10 + abs(entry - end) - fees
    assert bench.account.balances["USDT"] == 1_000_000
    assert {e.fee_coin for e in bench.account.executions} == {"BTC"}
    (row,) = bench.ask(closed_pnl, **INVERSE)["list"]
    assert Decimal(row["closedPnl"]) == (abs(entry - end) - fees).quantize(PLACES)
    assert row["avgEntryPrice"] == "65000"


def test_a_position_that_turns_round_opens_with_the_rest(bench):
    bench.crowd("Sell", "65000", "10000", **INVERSE)
    bench.send("Buy", "10000", **INVERSE)
    bench.crowd("Buy", "64000", "99999", **INVERSE)
    bench.send("Sell", "30001", "64400", **INVERSE, timeInForce="IOC")
    assert bench.account.position(bench.market("inverse", "BTCUSD").instrument).size == 10000
    bench.crowd("Buy", "64600", "99999", **INVERSE)
    bench.send("Sell", "30001", **INVERSE)
    position = bench.account.position(bench.market("inverse", "BTCUSD").instrument)
    assert position.size == -20001
    assert position.entry_px.quantize(Decimal("0.01")) == Decimal("64600.00")


def test_margin_is_short_in_the_coin_alone(bench):
    assert refusal_of(bench.send, "Buy", "7000000", "65000", **INVERSE) == 110007
    assert bench.send("Buy", "6000000", "65000", **INVERSE).is_open
    balance = bench.ask(wallet_balance, accountType="UNIFIED", coin="BTC")["list"][0]["coin"][0]
    assert Decimal(balance["totalOrderIM"]) == (value(6000000, 65000) / 10).quantize(PLACES)


def test_quantities_are_whole_dollars_without_a_least_value(bench):
    assert refusal_of(bench.send, "Buy", "1.5", "65000", **INVERSE) == 10001
    assert refusal_of(bench.send, "Buy", "0", "65000", **INVERSE) == 10001
    assert bench.send("Buy", "1", "65000", **INVERSE).is_open


def test_other_settle_coins_keep_their_own_books(bench):
    bench.crowd("Sell", "65000", "1", symbol="BTCPERP")
    bench.send("Buy", "1", symbol="BTCPERP")
    fee = Decimal(65000) * Decimal("0.00055")
    assert bench.account.balances["USDC"] == 100_000 - fee
    assert bench.account.balances["USDT"] == 1_000_000
    held = bench.ask(positions, symbol=None, settleCoin="USDC")["list"]
    assert [row["symbol"] for row in held] == ["BTCPERP"]
    bench.crowd("Sell", "3500", "7000", category="inverse", symbol="ETHUSD")
    bench.send("Buy", "7000", category="inverse", symbol="ETHUSD")
    assert bench.account.balances["ETH"] == 100 - 2 * Decimal("0.00055")


@pytest.mark.parametrize(
    ("symbol", "px", "good", "bad"), [("DOGEUSDT", "0.15", "100", "100.5"), ("SOLUSDT", "150", "0.3", "0.35")]
)
def test_coarse_steps_are_enforced(bench, symbol, px, good, bad):
    assert bench.send("Buy", good, px, symbol=symbol).is_open
    assert refusal_of(bench.send, "Buy", bad, px, symbol=symbol) == 10001


def test_dated_futures_trade_like_the_others(bench):
    for category, symbol, qty in (("linear", "BTCUSDT-31DEC27", "0.5"), ("inverse", "BTCUSDZ27", "5000")):
        bench.crowd("Sell", "65300", qty, category=category, symbol=symbol)
        order = bench.send("Buy", qty, category=category, symbol=symbol)
        assert order.status.value == "Filled"
        assert refusal_of(bench.do, "funding", category=category, symbol=symbol) == 10001
