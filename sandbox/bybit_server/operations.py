"""What the operator of the sandbox may do to the venue: craft fills, cancels, books and price moves.

Acts upon accounts and their rules are in ``interventions``; both together are one table.
"""

from __future__ import annotations

from decimal import Decimal

from sandbox.bybit_server.agents_market import AgentsMarket
from sandbox.bybit_server.book import Side
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.interventions import Act, Interventions, decimal
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.market_source import CROWD_PREFIX, MarketSource
from sandbox.bybit_server.orders import CancelType, RejectReason, Status
from sandbox.bybit_server.outbox import PrivateMessage
from sandbox.bybit_server.private_shapes import lost_race_push
from sandbox.bybit_server.refusal import parameter_error


class Operator:
    """Interventions on one exchange; each returns what it did."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._interventions = Interventions(exchange)
        self._placed = 0

    def table(self) -> dict[str, Act]:
        """Return every act by name."""
        return {
            "fill": self.fill,
            "cancel": self.cancel,
            "lost_race": self.lost_race,
            "trade": self.trade,
            "quote": self.quote,
            "clear_crowd": self.clear_crowd,
            "freeze": self.freeze,
            "spread": self.spread,
            "jump": self.jump,
            "agents": self.agents,
            "strategy_pace": self.strategy_pace,
            **self._interventions.table(),
        }

    def fill(self, fields: Fields) -> JsonObject:
        """Fill a resting order: ``orderLinkId`` or ``orderId``, optional ``qty`` and ``price``."""
        order = self._interventions.find_order(fields)
        if not order.is_open:
            raise parameter_error("order is not open")
        item = order.instrument
        lots = item.lots(decimal(fields, "qty", order.leaves_qty))
        if not order.is_working or not 0 < lots <= order.leaves_lots:
            raise parameter_error("qty must be positive and within the order's leaves")
        self._exchange.fill_resting(order, lots, decimal(fields, "price", order.px))
        self._exchange.flush()
        return {"orderId": order.order_id, "orderStatus": order.status.value}

    def cancel(self, fields: Fields) -> JsonObject:
        """Cancel a resting order, by default as an administrator would (``cancelType``)."""
        order = self._interventions.find_order(fields)
        if not order.is_open:
            raise parameter_error("order is not open")
        cancel_type = CancelType(fields.text("cancelType", CancelType.BY_ADMIN.value))
        by_user = cancel_type is CancelType.BY_USER
        reason = RejectReason.PER_CANCEL_REQUEST if by_user else RejectReason.NO_ERROR
        self._exchange.cancel_order(order, cancel_type, reason)
        self._exchange.flush()
        return {"orderId": order.order_id, "orderStatus": order.status.value}

    def lost_race(self, fields: Fields) -> JsonObject:
        """Send the second Filled message of an order whose cancellation lost the race."""
        order = self._interventions.find_order(fields)
        if order.status is not Status.FILLED:
            raise parameter_error("order is not filled")
        item = order.instrument
        rows = (lost_race_push(order),)
        message = PrivateMessage(order.uid, "order", item.category, item.symbol, order.seq, rows)
        for sink in self._exchange.private_sinks:
            sink([message])
        return {"orderId": order.order_id}

    def trade(self, fields: Fields) -> JsonObject:
        """Let an anonymous taker trade: ``category``, ``symbol``, ``side``, ``qty``, limit ``price``."""
        market = self._interventions.find_market(fields)
        px_ticks, lots = self._size(market, fields)
        before = market.volume
        self._exchange.crowd_take(market, Side(fields.text("side")), px_ticks, lots)
        self._exchange.flush()
        return {"traded": str(market.volume - before)}

    def quote(self, fields: Fields) -> JsonObject:
        """Let an anonymous participant rest an order: ``category``, ``symbol``, ``side``, ``qty``, ``price``."""
        market = self._interventions.find_market(fields)
        px_ticks, lots = self._size(market, fields)
        self._placed += 1
        order_id = f"{CROWD_PREFIX}operator{self._placed}"
        self._exchange.crowd_add(market, order_id, Side(fields.text("side")), px_ticks, lots)
        self._exchange.flush()
        return {"quoteId": order_id}

    def clear_crowd(self, fields: Fields) -> JsonObject:
        """Withdraw every anonymous order of a symbol."""
        market = self._interventions.find_market(fields)
        crowd = [
            resting.order_id
            for side in Side
            for resting in market.book.half(side).orders()
            if resting.order_id.startswith(CROWD_PREFIX)
        ]
        for order_id in crowd:
            market.book.cancel(order_id)
        return {"withdrawn": len(crowd)}

    def freeze(self, fields: Fields) -> JsonObject:
        """Stop (``on`` true) or restart the crowd, of all symbols or of the one named."""
        flows = self._flows(fields)
        for flow in flows:
            flow.frozen = fields.flag("on")
        return {"markets": len(flows)}

    def spread(self, fields: Fields) -> JsonObject:
        """Widen the crowd's spread by ``ticks``."""
        flows = self._flows(fields)
        for flow in flows:
            flow.spread_extra_ticks = fields.whole("ticks", 0, 0, 10**6)
        return {"markets": len(flows)}

    def jump(self, fields: Fields) -> JsonObject:
        """Move the fair value by ``bps`` basis points."""
        flows = self._flows(fields)
        for flow in flows:
            flow.jump(float(str(fields.values.get("bps", 0))))
        return {"markets": len(flows)}

    def agents(self, fields: Fields) -> JsonObject:
        """Say how the agents are who make a market, where there are any."""
        flows = self._exchange.flows.values()
        return {"agents": [flow.state() for flow in flows if isinstance(flow, AgentsMarket)]}

    def strategy_pace(self, fields: Fields) -> JsonObject:
        """Let strategy orders live ``times`` as fast as the clock, at most a thousand times."""
        self._exchange.strategies.pace = float(fields.whole("times", 1, 1, 1_000))
        return {"times": self._exchange.strategies.pace}

    def forget_closed(self) -> None:
        """Empty the lists of recently closed orders, as a restart of the venue does."""
        for account in self._exchange.accounts.values():
            for recent in account.recent_closed.values():
                recent.clear()

    def _flows(self, fields: Fields) -> list[MarketSource]:
        category, symbol = fields.text("category"), fields.text("symbol")
        return [
            flow
            for key, flow in self._exchange.flows.items()
            if category in {"", key[0]} and symbol in {"", key[1]}
        ]

    @staticmethod
    def _size(market: Market, fields: Fields) -> tuple[int, int]:
        item = market.instrument
        px_ticks = item.ticks(decimal(fields, "price", Decimal(0)))
        lots = item.lots(decimal(fields, "qty", Decimal(0)))
        if px_ticks <= 0 or lots <= 0 or fields.text("side") not in set(Side):
            raise parameter_error("side, price and qty are required")
        return px_ticks, lots
