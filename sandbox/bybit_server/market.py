"""The public state of one symbol: its book, its trades, its candles and the prices others refer to."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.book import OrderBook, Side
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.instruments import Instrument

TRADES_KEPT_MAX: Final = 1000
CANDLES_KEPT_MAX: Final = 1500
MINUTE_MS: Final = 60_000
SEQ_FIRST: Final = 140_612_148_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTrade:
    """One match as everybody sees it. ``side`` is the taker's."""

    exec_id: str
    px: Decimal
    qty: Decimal
    side: Side
    time_ms: int
    seq: int
    tick_direction: str


@dataclass(slots=True)
class Candle:
    """One minute of trading; volume in base coin, turnover in quote coin."""

    start_ms: int
    open_px: Decimal
    high_px: Decimal
    low_px: Decimal
    close_px: Decimal
    volume: Decimal
    turnover: Decimal


class Market:
    """Book, tape and reference price of one symbol."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument: Final = instrument
        self.book: Final = OrderBook()
        self.trades: Final[deque[PublicTrade]] = deque(maxlen=TRADES_KEPT_MAX)
        self.candles: Final[deque[Candle]] = deque(maxlen=CANDLES_KEPT_MAX)
        self.last_px = instrument.start_px
        self.open_px = instrument.start_px
        self.high_px = instrument.start_px
        self.low_px = instrument.start_px
        self.volume = ZERO
        self.turnover = ZERO
        self.mark_px = instrument.start_px
        self.seq = SEQ_FIRST + instrument.symbol_id * 1_000_000_000
        self._tick_direction = "ZeroPlusTick"

    def next_seq(self) -> int:
        """Advance and return the sequence number of the matching engine."""
        self.seq += 1
        return self.seq

    def set_mark(self, fair_ticks: float) -> None:
        """Move the mark (and index) price to the nearest tick of a fair value."""
        self.mark_px = self.instrument.px(max(1, round(fair_ticks)))

    def record_trade(
        self, *, exec_id: str, px: Decimal, qty: Decimal, side: Side, time_ms: int, seq: int
    ) -> PublicTrade:
        """Print a trade on the tape and count it in the candles."""
        if px != self.last_px:
            self._tick_direction = "PlusTick" if px > self.last_px else "MinusTick"
        elif not self._tick_direction.startswith("Zero"):
            self._tick_direction = f"Zero{self._tick_direction}"
        trade = PublicTrade(
            exec_id=exec_id,
            px=px,
            qty=qty,
            side=side,
            time_ms=time_ms,
            seq=seq,
            tick_direction=self._tick_direction,
        )
        self.trades.append(trade)
        self.last_px = px
        self.high_px = max(self.high_px, px)
        self.low_px = min(self.low_px, px)
        self.volume += qty
        self.turnover += px * qty
        self._count_in_candle(trade)
        return trade

    def buy_limit_px(self) -> Decimal:
        """Return the highest price at which a buy order may stand."""
        return self.instrument.px(self.instrument.ticks(self.mark_px * (1 + self.instrument.band_x)))

    def sell_limit_px(self) -> Decimal:
        """Return the lowest price at which a sell order may stand."""
        return self.instrument.px(self.instrument.ticks(self.mark_px * (1 - self.instrument.band_x)) + 1)

    def _count_in_candle(self, trade: PublicTrade) -> None:
        start_ms = trade.time_ms - trade.time_ms % MINUTE_MS
        candle = self.candles[-1] if self.candles else None
        if candle is None or candle.start_ms != start_ms:
            candle = Candle(start_ms, trade.px, trade.px, trade.px, trade.px, ZERO, ZERO)
            self.candles.append(candle)
        candle.high_px = max(candle.high_px, trade.px)
        candle.low_px = min(candle.low_px, trade.px)
        candle.close_px = trade.px
        candle.volume += trade.qty
        candle.turnover += trade.px * trade.qty
