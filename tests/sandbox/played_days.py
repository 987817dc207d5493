"""Tiny recordings written by the tests, and a venue that plays one by hand."""

import itertools
import json
from decimal import Decimal
from fractions import Fraction

from backtest.dataset.gather import Stream
from backtest.dataset.rows import Kind
from backtest.dataset.store import DayWriter, Source, day_of, day_path, symbol_folder
from sandbox.bybit_server.accounts import Credentials
from sandbox.bybit_server.book import Side
from sandbox.bybit_server.clock import ManualClock
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields
from sandbox.bybit_server.queue_places import Queues
from sandbox.bybit_server.recorded_market import PlaySettings, played
from sandbox.bybit_server.recording import find_recording
from tests.dataset.written import rows_of

T0_NS = 1_700_000_000_000_000_000
MS = 1_000_000
LAST = 1
STREAM = Stream("bybit", "linear", "ABCUSDT")
RULES = {
    "venue": "bybit", "category": "linear", "symbol": "ABCUSDT", "base_coin": "ABC", "quote_coin": "USDT",
    "tick_size": "0.1", "qty_step": "0.01", "min_order_qty": "0.01", "max_order_qty": "1000",
    "min_notional": "0.1", "trading": True, "tick_from": "rules",
}  # fmt: skip


def row(ms, kind, side, px, qty, flags=LAST):
    """One row, `ms` after the first instant."""
    at_ns = T0_NS + ms * MS
    return (at_ns, at_ns, int(kind), side, px, qty, 0, 0, flags)


def snapshot(bids, asks, ms=0):
    """A whole book."""
    levels = [(1, px, qty) for px, qty in bids] + [(-1, px, qty) for px, qty in asks]
    rows = [row(ms, Kind.CLEAR, 0, 0, 0, 0), *(row(ms, Kind.LEVEL, *level, 0) for level in levels)]
    return [*rows[:-1], (*rows[-1][:-1], LAST)]


def store(root, rows, *, stream=STREAM, rules=RULES, tick="0.1", lot="0.01"):
    """Write rows of one day."""
    with DayWriter(day_path(root, stream, day_of(rows[0][0]))) as writer:
        writer.write(rows_of(*rows))
        writer.close(
            tick_size=tick, lot_size=lot, tick_from="rules", lot_from="rules", recv_known=True,
            sources=[Source(name="made", sha256="0", importer="test")],
        )  # fmt: skip
    if rules is not None:
        (symbol_folder(root, stream) / "instrument.json").write_text(json.dumps(rules))
    return root


class Play:
    """A venue that plays a recording, a clock moved by hand, and one client."""

    def __init__(self, root, rows, **settings):
        self.said = []
        self.recording = find_recording(store(root, rows), "ABCUSDT")
        self.clock = ManualClock(T0_NS + 10**18)
        chosen = {"speed": Fraction(1), "say": self.said.append, **settings}
        self.exchange = Exchange(
            self.clock,
            instruments=(self.recording.instrument,),
            source=played(PlaySettings(recording=self.recording, **chosen)),
        )
        self.account = self.exchange.accounts[Credentials().uid]
        self.market = self.exchange.markets["linear", "ABCUSDT"]
        self.queues = Queues(self.market.book)
        self.exchange.advance()
        self._links = itertools.count()

    def pass_ms(self, ms):
        self.clock.advance_ms(ms)
        self.exchange.advance()

    def send(self, side, px_ticks, lots, tif="GTC"):
        body = {
            "category": "linear", "symbol": "ABCUSDT", "side": side, "orderType": "Limit", "timeInForce": tif,
            "qty": str(lots * Decimal("0.01")), "price": str(px_ticks * Decimal("0.1")),
            "orderLinkId": f"link-{next(self._links)}",
        }  # fmt: skip
        return self.account.orders[self.exchange.create(self.account, Fields(body))["orderId"]]

    def call(self, what, order, **fields):
        body = {"category": "linear", "symbol": "ABCUSDT", "orderId": order.order_id, **fields}
        return getattr(self.exchange, what)(self.account, Fields(body))

    def fills(self, order):
        """Ticks, lots and whether as maker, of every execution."""
        item = order.instrument
        return [(item.ticks(each.px), item.lots(each.qty), each.is_maker) for each in order.executions]

    def tape(self):
        item = self.market.instrument
        return [(item.ticks(trade.px), item.lots(trade.qty), trade.side.sign) for trade in self.market.trades]

    def levels(self, sign):
        """What others offer on one side."""
        side = Side.BUY if sign > 0 else Side.SELL
        prices = self.market.book.half(side).prices()
        return [(px, lots) for px in prices if (lots := self.queues.others(side, px))]
