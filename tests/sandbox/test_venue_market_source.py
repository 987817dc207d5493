"""A market made by somebody else than the crowd: a source that plays what it is told, through the same seam."""

from decimal import Decimal

import pytest

from sandbox.bybit_server.accounts import Credentials
from sandbox.bybit_server.book import Side
from sandbox.bybit_server.clock import ManualClock
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields
from sandbox.bybit_server.market_source import CROWD_PREFIX


class Script:
    """Quotes one price on each side, and moves it by a tick a second."""

    frozen = False
    spread_extra_ticks = 0

    def __init__(self, venue, market, rng, start_ns):
        self.venue, self.market, self.start_ns = venue, market, start_ns
        self.quotes = []

    def advance(self, now_ns):
        if self.frozen:
            return
        for order_id in self.quotes:
            self.venue.crowd_cancel(self.market, order_id)
        middle = 650_000 + (now_ns - self.start_ns) // 1_000_000_000
        self.quotes = [f"{CROWD_PREFIX}b{middle}", f"{CROWD_PREFIX}a{middle}"]
        self.venue.crowd_add(self.market, self.quotes[0], Side.BUY, middle - 1, 1000)
        self.venue.crowd_add(self.market, self.quotes[1], Side.SELL, middle + 1, 1000)

    def jump(self, bps):
        raise NotImplementedError

    def regrid(self):
        raise NotImplementedError


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def exchange(clock):
    return Exchange(clock, source=Script)


def test_the_book_is_what_the_source_makes_of_it(clock, exchange):
    market = exchange.markets["linear", "BTCUSDT"]
    touches = []
    for _ in range(3):
        exchange.advance()
        touches.append((market.book.bids.best(), market.book.asks.best()))
        clock.advance_ms(1000)
    assert touches == [(649_999 + step, 650_001 + step) for step in range(3)]


def test_clients_trade_with_the_source(exchange):
    exchange.advance()
    account = exchange.accounts[Credentials().uid]
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.400"}
    ack = exchange.create(account, Fields(order))
    filled = account.orders[ack["orderId"]]
    assert (filled.cum_qty, filled.avg_px) == (Decimal("0.4"), Decimal("65000.1"))
    assert exchange.markets["linear", "BTCUSDT"].volume == Decimal("0.4")


def test_a_frozen_source_does_nothing(clock, exchange):
    for source in exchange.flows.values():
        source.frozen = True
    exchange.advance()
    assert exchange.markets["linear", "BTCUSDT"].book.bids.best() is None
