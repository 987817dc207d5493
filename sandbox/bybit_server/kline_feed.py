"""The candle stream of one symbol and interval, and the stream of its price limits."""

from __future__ import annotations

from typing import Final

from sandbox.bybit_server.candles import Interval, candle_at
from sandbox.bybit_server.clock import NS_PER_MS, NS_PER_S
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.figures import short
from sandbox.bybit_server.market import Market

CANDLE_INTERVAL_NS: Final = NS_PER_S
LIMIT_INTERVAL_NS: Final = 300 * NS_PER_MS


class KlineFeed:
    """The open candle once a second while it changes, and each candle once more when it has closed.

    Parameters
    ----------
    market
        The market it shows.
    interval
        Length of the candles.
    server_ms
        The venue's clock, milliseconds.
    """

    def __init__(self, market: Market, interval: Interval, server_ms: int) -> None:
        self._market = market
        self._interval = interval
        self._start_ms = interval.start_of(server_ms)
        self._due_ns = 0
        self._shown: JsonObject = {}

    def first(self, server_ms: int) -> JsonObject:
        """Return the open candle."""
        return self._frame(self._row(server_ms, closed=False), server_ms)

    def due(self, now_ns: int, server_ms: int) -> list[JsonObject]:
        """Return the candle just closed, if one has, and the open one if it has changed."""
        if self._market.is_silent:
            return []
        messages = []
        start_ms = self._interval.start_of(server_ms)
        if start_ms != self._start_ms:
            messages.append(self._frame(self._row(server_ms, closed=True), server_ms))
            self._start_ms, self._due_ns = start_ms, 0
        if now_ns >= self._due_ns:
            self._due_ns = now_ns + CANDLE_INTERVAL_NS
            row = self._row(server_ms, closed=False)
            if row != self._shown:
                self._shown = row
                messages.append(self._frame(row, server_ms))
        return messages

    def _row(self, server_ms: int, *, closed: bool) -> JsonObject:
        candle = candle_at(self._market, self._interval, self._start_ms)
        item = self._market.instrument
        return {
            "start": candle.start_ms,
            "end": self._interval.end_of(candle.start_ms) - 1,
            "interval": self._interval.name,
            "open": item.px_text(candle.open_px),
            "close": item.px_text(candle.close_px),
            "high": item.px_text(candle.high_px),
            "low": item.px_text(candle.low_px),
            "volume": short(candle.volume),
            "turnover": short(candle.turnover),
            "confirm": closed,
        }

    def _frame(self, row: JsonObject, server_ms: int) -> JsonObject:
        return {
            "topic": f"kline.{self._interval.name}.{self._market.instrument.symbol}",
            "data": [{**row, "timestamp": server_ms}],
            "ts": server_ms,
            "type": "snapshot",
        }


class PriceLimitFeed:
    """The highest price for a buyer and the lowest for a seller, three times a second.

    Parameters
    ----------
    market
        The market it shows.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._due_ns = 0

    def first(self, server_ms: int) -> JsonObject:
        """Return the limits as they are."""
        item = self._market.instrument
        return {
            "topic": f"priceLimit.{item.symbol}",
            "data": {
                "symbol": item.symbol,
                "buyLmt": item.px_text(self._market.buy_limit_px()),
                "sellLmt": item.px_text(self._market.sell_limit_px()),
            },
            "ts": server_ms,
        }

    def due(self, now_ns: int, server_ms: int) -> list[JsonObject]:
        """Return the limits, if it is time."""
        if now_ns < self._due_ns or self._market.is_silent:
            return []
        self._due_ns = now_ns + LIMIT_INTERVAL_NS
        return [self.first(server_ms)]
