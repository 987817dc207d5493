"""A venue with agents in this process, and a clock moved by hand."""

import itertools
import json
from fractions import Fraction

import msgspec

from backtest.market.scenarios import Scenario, parse
from backtest.market.venue_agents import VenueMarket
from backtest.market.venue_line import Said
from sandbox.bybit_server.accounts import Credentials
from sandbox.bybit_server.agents_link import Agents, Heard
from sandbox.bybit_server.agents_market import AgentsCall, AgentsMarket, agents, agents_play
from sandbox.bybit_server.book import Side
from sandbox.bybit_server.clock import ManualClock
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields
from sandbox.bybit_server.market_source import CROWD_PREFIX
from sandbox.bybit_server.operations import Operator

DECODE = msgspec.json.Decoder(Said).decode
MAKERS = {
    "name": "makers", "kind": "market-maker", "count": 2, "cash": 20_000_000, "position_qty": 2_000,
    "feed_ms": 1.0, "order_ms": 1.0,
    "params": {"base_spread_bps": 10.0, "quote_qty": 20, "limit_qty": 500, "levels_count": 3, "every_s": 0.5},
}  # fmt: skip
VALUE = {
    "name": "value", "kind": "value", "count": 4, "cash": 20_000_000, "position_qty": 1_000,
    "feed_ms": 20.0, "order_ms": 20.0,
    "listens": [{"source": "signal", "every_s": 2.0, "noise_ticks": 3.0}],
    "params": {"discount_bps": 3, "premium_bps": 3, "order_max_qty": 10, "mean_wait_s": 1.0, "patience_s": 1.0},
}  # fmt: skip
NOISE = {
    "name": "noise", "kind": "noise", "count": 4, "scales": True, "cash": 10_000_000, "position_qty": 1_000,
    "feed_ms": 20.0, "order_ms": 20.0, "params": {"mean_wait_s": 1.0, "reach_ticks": 30, "order_max_qty": 5},
}  # fmt: skip


def scenario(*groups, warm_up_s=5.0):
    """Return a small market about 10 000 ticks."""
    return parse(
        {
            "name": "small",
            "title": "t",
            "expects": "e",
            "run": {"steps": 1000, "warm_up_s": warm_up_s},
            "value": {"px": 10_000.0},
            "agents": list(groups or (MAKERS, VALUE, NOISE)),
        },
        "here",
    )


class Ground:
    """Agents on a venue, two clients, and the operator."""

    def __init__(self, market: VenueMarket, side: Agents, pace: Fraction) -> None:
        self.said: list[str] = []
        self.theirs = market
        self.play = agents_play(AgentsCall(command=(), pace=pace, say=self.said.append), side)
        self.clock = ManualClock()
        keys = (Credentials(), Credentials(key="other", secret="other-secret", uid=2))
        self.exchange = Exchange(
            self.clock, credentials=keys, instruments=(self.play.instrument,), source=agents(self.play)
        )
        self.account = self.exchange.accounts[Credentials().uid]
        self.other = self.exchange.accounts[2]
        (self.source,) = self.exchange.flows.values()
        assert isinstance(self.source, AgentsMarket)
        (self.market,) = self.exchange.markets.values()
        self.item = self.market.instrument
        self._links = itertools.count()

    def pass_ms(self, ms, step_ms=100):
        for _ in range(ms // step_ms):
            self.clock.advance_ms(step_ms)
            self.exchange.advance()

    def touch(self):
        return self.market.book.bids.best(), self.market.book.asks.best()

    def mid(self):
        return sum(self.touch()) / 2

    def send(self, side, lots, px_ticks=None, account=None, **fields):
        body = {
            "category": "linear", "symbol": "BTCUSDT", "side": side, "orderType": "Limit" if px_ticks else "Market",
            "qty": str(self.item.qty(lots)), "orderLinkId": f"link-{next(self._links)}", **fields,
        }  # fmt: skip
        if px_ticks:
            body["price"] = str(self.item.px(px_ticks))
        account = account or self.account
        return account.orders[self.exchange.create(account, Fields(body))["orderId"]]

    def do(self, name, **fields):
        return Operator(self.exchange).table()[name](Fields({"symbol": "BTCUSDT", **fields}))

    def tape(self):
        item = self.item
        return [(item.ticks(trade.px), item.lots(trade.qty), trade.side.sign) for trade in self.market.trades]

    def net_lots(self):
        """Lots that all clients together are long."""
        return sum(
            self.item.lots(abs(place.size)) * (1 if place.size > 0 else -1)
            for account in self.exchange.accounts.values()
            for place in account.positions.values()
        )

    def guests_qty(self):
        """Lots that the seat of all clients holds."""
        market = self.theirs.engine.exchange
        return market.house.shares[0][len(market.open_orders) - 1]

    def check(self):
        """Both sides hold the same: orders, touch, and the clients' trades; and the agents' accounts add up."""
        market, book = self.theirs.engine.exchange, self.market.book
        guests = len(market.open_orders) - 1
        resting = {
            int(order.order_id.removeprefix(CROWD_PREFIX)): (order.side.sign, order.px_ticks, order.lots)
            for side in Side
            for order in book.half(side).orders()
            if order.order_id.removeprefix(CROWD_PREFIX).isdecimal()
            and order.order_id.startswith(CROWD_PREFIX)
        }
        known = {number: order[1:] for orders in market.open_orders for number, order in orders.items()}
        assert known == resting
        assert market.open_orders[guests] == {}
        if self.theirs.engine.now_ns // 1_000_000 == self.source.state()["lived_ms"]:
            # While they have nothing to do they are not told of the touch.
            touch = tuple(px or 0 for px in self.touch())
            assert (market.books[0].best_bid, market.books[0].best_ask) == touch
        assert all(sum(lots) == 0 for lots in market.house.shares)
        assert sum(market.house.cash) == 0
        return self.guests_qty()


class Here:
    """Agents in this process: the venue's words and theirs go through JSON, and through nothing else."""

    pid = 0

    def __init__(self, wanted: Scenario, seed: int) -> None:
        self.market = VenueMarket(wanted, seed, self)
        self._answer = None
        self._said: list[Heard] = []

    def send(self, word, *numbers):
        self._said.append((word, tuple(json.loads(json.dumps(numbers)))))

    def receive(self):
        return DECODE(json.dumps(self._answer(self._said.pop())))

    def hello(self):
        self.market.hello()
        return self._said.pop()

    def moment(self, go, answer):
        self._answer = answer
        assert self.market.live(DECODE(json.dumps(("go", *go)))) == []
        return self._said.pop()

    def close(self):
        pass


def ground(*groups, seed=3, warm_up_s=5.0, pace=Fraction(1)):
    """A venue with a small market of agents."""
    here = Here(scenario(*groups, warm_up_s=warm_up_s), seed)
    return Ground(here.market, here, pace)
