"""Conditional orders that wait for a price, by symbol."""

from __future__ import annotations

from sandbox.bybit_server.instruments import SymbolKey
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.orders import Order


class TriggerDesk:
    """Every order in status Untriggered, oldest first."""

    def __init__(self) -> None:
        self._waiting: dict[SymbolKey, dict[str, Order]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, order: Order) -> None:
        """Let an order wait."""
        self._waiting.setdefault(order.instrument.key, {})[order.order_id] = order

    def remove(self, order: Order) -> None:
        """Let an order wait no longer; one that does not wait is ignored."""
        waiting = self._waiting.get(order.instrument.key)
        if waiting is not None:
            waiting.pop(order.order_id, None)
            if not waiting:
                del self._waiting[order.instrument.key]

    def due(self, markets: dict[SymbolKey, Market]) -> Order | None:
        """Return the first order whose price has come, or None."""
        for key, waiting in self._waiting.items():
            market = markets[key]
            for order in waiting.values():
                if order.trigger is not None and order.trigger.is_met(market.source_px(order.trigger.by)):
                    return order
        return None
