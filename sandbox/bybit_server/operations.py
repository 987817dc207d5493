"""What the operator of the sandbox may do to the venue: craft fills, cancels, books and price moves."""

from __future__ import annotations

from decimal import Decimal

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import parse_positive
from sandbox.bybit_server.flow import CROWD_PREFIX, BackgroundFlow
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.orders import CancelType, Order, RejectReason, Status
from sandbox.bybit_server.outbox import PrivateMessage
from sandbox.bybit_server.private_shapes import lost_race_push
from sandbox.bybit_server.refusal import RefusalError, parameter_error


class Operator:
    """Interventions on one exchange; each returns what it did."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._placed = 0

    def fill(self, fields: Fields) -> JsonObject:
        """Fill a resting order: ``orderLinkId`` or ``orderId``, optional ``qty`` and ``price``."""
        order = self._order(fields)
        if not order.is_open:
            raise parameter_error("order is not open")
        item = order.instrument
        lots = item.lots(_decimal(fields, "qty", order.leaves_qty))
        if not 0 < lots <= order.leaves_lots:
            raise parameter_error("qty must be positive and within the order's leaves")
        self._exchange.fill_resting(order, lots, _decimal(fields, "price", order.px))
        self._exchange.flush()
        return {"orderId": order.order_id, "orderStatus": order.status.value}

    def cancel(self, fields: Fields) -> JsonObject:
        """Cancel a resting order, by default as an administrator would (``cancelType``)."""
        order = self._order(fields)
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
        order = self._order(fields)
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
        market = self._market(fields)
        px_ticks, lots = self._size(market, fields)
        before = market.volume
        self._exchange.crowd_take(market, Side(fields.text("side")), px_ticks, lots)
        self._exchange.flush()
        return {"traded": str(market.volume - before)}

    def quote(self, fields: Fields) -> JsonObject:
        """Let an anonymous participant rest an order: ``category``, ``symbol``, ``side``, ``qty``, ``price``."""
        market = self._market(fields)
        px_ticks, lots = self._size(market, fields)
        self._placed += 1
        order_id = f"{CROWD_PREFIX}operator{self._placed}"
        self._exchange.crowd_add(market, order_id, Side(fields.text("side")), px_ticks, lots)
        self._exchange.flush()
        return {"quoteId": order_id}

    def clear_crowd(self, fields: Fields) -> JsonObject:
        """Withdraw every anonymous order of a symbol."""
        market = self._market(fields)
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

    def lag(self, fields: Fields) -> JsonObject:
        """Let queries about orders and executions trail the matching by ``ms`` milliseconds."""
        self._exchange.query_lag_ms = fields.whole("ms", 0, 0, 600_000)
        return {"ms": self._exchange.query_lag_ms}

    def forget_closed(self) -> None:
        """Empty the lists of recently closed orders, as a restart of the venue does."""
        for account in self._exchange.accounts.values():
            for recent in account.recent_closed.values():
                recent.clear()

    def _order(self, fields: Fields) -> Order:
        order_id, link_id = fields.text("orderId"), fields.text("orderLinkId")
        for account in self._exchange.accounts.values():
            order = account.orders.get(order_id) or account.by_link.get(link_id)
            if order is not None:
                return order
        raise RefusalError(110001, "order not exists")

    def _market(self, fields: Fields) -> Market:
        key = (fields.text("category", "linear"), fields.text("symbol", "BTCUSDT"))
        market = self._exchange.markets.get(key)
        if market is None:
            raise parameter_error("symbol invalid")
        return market

    def _flows(self, fields: Fields) -> list[BackgroundFlow]:
        category, symbol = fields.text("category"), fields.text("symbol")
        return [
            flow
            for key, flow in self._exchange.flows.items()
            if category in {"", key[0]} and symbol in {"", key[1]}
        ]

    @staticmethod
    def _size(market: Market, fields: Fields) -> tuple[int, int]:
        item = market.instrument
        px_ticks = item.ticks(_decimal(fields, "price", Decimal(0)))
        lots = item.lots(_decimal(fields, "qty", Decimal(0)))
        if px_ticks <= 0 or lots <= 0 or fields.text("side") not in set(Side):
            raise parameter_error("side, price and qty are required")
        return px_ticks, lots


def _decimal(fields: Fields, name: str, default: Decimal) -> Decimal:
    value = fields.values.get(name)
    if value is None:
        return default
    parsed = parse_positive(str(value))
    if parsed is None:
        raise parameter_error(f"{name} invalid")
    return parsed
