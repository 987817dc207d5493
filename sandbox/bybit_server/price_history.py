"""How mark and index prices have moved, minute by minute, since the venue opened."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.instruments import SymbolKey
from sandbox.bybit_server.market import CANDLES_KEPT_MAX, MINUTE_MS, Candle, Market, minute_candle

MARK: Final = "mark"
INDEX: Final = "index"


class PriceHistory:
    """Candles of a minute, without volume, for the prices that nobody trades at."""

    def __init__(self) -> None:
        self._candles: dict[tuple[SymbolKey, str], deque[Candle]] = {}

    def observe(self, markets: Iterable[Market], server_ms: int) -> None:
        """Note the prices of this moment."""
        start_ms = server_ms - server_ms % MINUTE_MS
        for market in markets:
            self._note(market.instrument.key, MARK, market.mark_px, start_ms)
            self._note(market.instrument.key, INDEX, market.index_px, start_ms)

    def minutes(self, key: SymbolKey, kind: str) -> tuple[Candle, ...]:
        """Return the candles of a price, oldest first."""
        return tuple(self._candles.get((key, kind), ()))

    def _note(self, key: SymbolKey, kind: str, px: Decimal, start_ms: int) -> None:
        candles = self._candles.setdefault((key, kind), deque(maxlen=CANDLES_KEPT_MAX))
        candle = minute_candle(candles, start_ms, px)
        candle.high_px, candle.low_px, candle.close_px = max(candle.high_px, px), min(candle.low_px, px), px
