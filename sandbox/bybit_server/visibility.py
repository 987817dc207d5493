"""How far queries trail the matching: each kind of query shows the books as they were a while ago."""

from __future__ import annotations

from typing import Final

from sandbox.bybit_server.clock import Clock, now_ms
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.orders import Order
from sandbox.bybit_server.private_shapes import order_shape

QUERIES: Final = ("realtime", "history", "execution")


class QueryLag:
    """Milliseconds by kind of query; while any is above zero, orders keep the states they have passed.

    Parameters
    ----------
    clock
        Stamps the states.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lag_ms = dict.fromkeys(QUERIES, 0)

    @property
    def is_on(self) -> bool:
        """Whether any query trails."""
        return any(self._lag_ms.values())

    def set(self, query: str, lag_ms: int) -> None:
        """Let one kind of query trail."""
        self._lag_ms[query] = lag_ms

    def visible_ms(self, query: str) -> int:
        """Return the instant whose state the query shows."""
        return now_ms(self._clock) - self._lag_ms[query]

    def note(self, order: Order) -> None:
        """Keep the present state of an order for queries that trail."""
        order.views.append((order.updated_ms, order_shape(order)))


def order_as_of(order: Order, visible_ms: int) -> JsonObject | None:
    """Return how an order looked at an instant, None when it was not there yet."""
    if order.created_ms > visible_ms:
        return None
    if order.updated_ms <= visible_ms:
        return order_shape(order)
    for stamp_ms, shape in reversed(order.views):
        if stamp_ms <= visible_ms:
            return shape
    return None
