"""The ticker stream of one symbol: contracts tell what changed, spot tells everything again."""

from __future__ import annotations

from typing import Final

from sandbox.bybit_server.clock import NS_PER_MS
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.tickers import ticker_push

SPOT_INTERVAL_NS: Final = 50 * NS_PER_MS
CONTRACT_INTERVAL_NS: Final = 100 * NS_PER_MS


class TickerFeed:
    """State of one ticker topic.

    Parameters
    ----------
    market
        The market it shows.
    server_ms
        The venue's clock, milliseconds.
    """

    def __init__(self, market: Market, server_ms: int) -> None:
        self._market = market
        self._shown = ticker_push(market, server_ms)
        self._interval_ns = SPOT_INTERVAL_NS if market.instrument.is_spot else CONTRACT_INTERVAL_NS
        self._due_ns = 0

    def first(self, server_ms: int) -> JsonObject:
        """Return all fields."""
        return self._frame("snapshot", self._shown, server_ms)

    def due(self, now_ns: int, server_ms: int) -> list[JsonObject]:
        """Return the fields that changed since the last push, if a push is due."""
        if now_ns < self._due_ns or self._market.is_silent:
            return []
        self._due_ns = now_ns + self._interval_ns
        fresh = ticker_push(self._market, server_ms)
        changed = {key: value for key, value in fresh.items() if self._shown.get(key) != value}
        self._shown = fresh
        if not changed:
            return []
        if self._market.instrument.is_spot:
            return [self.first(server_ms)]
        return [self._frame("delta", {"symbol": self._market.instrument.symbol, **changed}, server_ms)]

    def _frame(self, kind: str, data: JsonObject, server_ms: int) -> JsonObject:
        item = self._market.instrument
        topic = f"tickers.{item.symbol}"
        if item.is_spot:
            return {"topic": topic, "ts": server_ms, "type": kind, "cs": self._market.seq, "data": data}
        return {"topic": topic, "type": kind, "data": data, "cs": self._market.seq, "ts": server_ms}
