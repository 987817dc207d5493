"""The crowd: reproducible, lively, two-sided, and willing to trade with a client who waits at the touch."""

import math
from collections import Counter
from itertools import pairwise

import pytest

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.clock import ManualClock
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields
from sandbox.bybit_server.flow import FlowSettings
from sandbox.bybit_server.instruments import listed_instruments

CALM = FlowSettings(volatility_hourly=0.0)


def lived(seconds, step_ms=250, watch=lambda market: None, **settings):
    clock = ManualClock()
    seed = settings.pop("seed", 7)
    exchange = Exchange(clock, seed=seed, flow=FlowSettings(**settings), instruments=listed_instruments()[:1])
    market = exchange.markets["linear", "BTCUSDT"]
    for _ in range(seconds * 1000 // step_ms):
        clock.advance_ms(step_ms)
        exchange.advance()
        watch(market)
    return exchange, market


def tape(market):
    return [(trade.px, trade.qty, trade.side) for trade in market.trades]


def test_the_seed_decides_and_the_step_of_the_caller_does_not():
    assert tape(lived(20)[1]) == tape(lived(20, step_ms=50)[1])
    assert tape(lived(20)[1]) != tape(lived(20, seed=8)[1])


def test_spread_volume_and_depth_are_those_of_a_liquid_contract():
    spreads: Counter[int] = Counter()
    depths = []

    def watch(market):
        spreads[market.book.asks.best() - market.book.bids.best()] += 1
        depths.append(market.book.bids.levels(1)[0][1] / 1000)

    _, market = lived(120, watch=watch)
    assert sum(spreads[ticks] for ticks in (1, 2, 3)) / spreads.total() > 0.9
    assert 1.0 < float(market.volume) / 120 < 3.0
    assert 4 < len(market.trades) / 120 < 12
    assert 0.5 < sum(depths) / len(depths) < 5
    assert len(market.book.bids.levels(999)) >= 40


def test_hourly_volatility_is_moderate():
    px = []
    lived(400, step_ms=1000, watch=lambda market: px.append(float(market.mark_px)))
    returns = [math.log(b / a) for a, b in pairwise(px)]
    hourly = math.sqrt(sum(r * r for r in returns) / len(returns) * 3600)
    assert 0.004 < hourly < 0.015


def test_calm_settings_keep_the_price_in_place():
    _, market = lived(60, volatility_hourly=0.0)
    assert abs(market.last_px - market.instrument.start_px) < 3


@pytest.mark.parametrize("side", list(Side))
def test_an_order_at_the_touch_is_filled_in_parts_within_seconds(side):
    clock = ManualClock()
    exchange = Exchange(clock, flow=CALM, instruments=listed_instruments()[:1])
    account = next(iter(exchange.accounts.values()))
    market = exchange.markets["linear", "BTCUSDT"]
    body = {"category": "linear", "symbol": "BTCUSDT", "side": side.value, "orderType": "Limit", "qty": "1.5"}
    exchange.create(
        account,
        Fields(
            {
                **body,
                "price": str(market.instrument.px(market.book.half(side).best())),
                "timeInForce": "PostOnly",
            }
        ),
    )
    order = next(iter(account.orders.values()))
    for _ in range(300):
        clock.advance_ms(100)
        exchange.advance()
    assert order.status.value == "Filled"
    assert len(account.executions) > 1
    assert all(execution.is_maker for execution in account.executions)


def test_an_order_that_the_price_has_passed_is_picked_off():
    clock = ManualClock()
    exchange = Exchange(clock, flow=CALM, instruments=listed_instruments()[:1])
    account = next(iter(exchange.accounts.values()))
    body = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "2"}
    exchange.create(account, Fields({**body, "price": "64990.0"}))
    exchange.flows["linear", "BTCUSDT"].jump(-10)
    for _ in range(50):
        clock.advance_ms(100)
        exchange.advance()
    assert next(iter(account.orders.values())).status.value == "Filled"


def test_a_frozen_crowd_does_nothing():
    _, market = lived(5, frozen=True)
    assert not market.trades
    assert market.book.bids.best() is None


def test_a_wider_spread_is_wider():
    clock = ManualClock()
    exchange = Exchange(clock)
    market = exchange.markets["linear", "BTCUSDT"]
    exchange.flows["linear", "BTCUSDT"].spread_extra_ticks = 40
    for _ in range(40):
        clock.advance_ms(100)
        exchange.advance()
    assert market.book.asks.best() - market.book.bids.best() > 20


def test_a_client_far_from_the_market_is_not_filled_by_a_jump():
    """For a moment after a jump the crowd has withdrawn, and a far order is the best of its side."""
    clock = ManualClock()
    exchange = Exchange(clock, seed=7, flow=FlowSettings(intensity=5.0), instruments=listed_instruments()[:1])
    (account,) = exchange.accounts.values()
    flow = exchange.flows["linear", "BTCUSDT"]
    clock.advance_ms(1_000)
    exchange.advance()
    far = dict(category="linear", symbol="BTCUSDT", orderType="Limit", qty="0.001", timeInForce="GTC")
    exchange.create(account, Fields({**far, "side": "Buy", "price": "50000", "orderLinkId": "b"}))
    exchange.create(account, Fields({**far, "side": "Sell", "price": "80000", "orderLinkId": "s"}))
    for number in range(1_000):
        flow.jump(30 if number % 2 else -30)
        clock.advance_ms(100)
        exchange.advance()
    assert len(account.open_orders) == 2
