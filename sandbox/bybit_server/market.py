"""The public state of one symbol: its book, its trades, its candles and the prices others refer to."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Final

from sandbox.bybit_server.book import OrderBook, Side
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.instruments import Instrument
from sandbox.bybit_server.reference_prices import PremiumGauge, ReferencePrices

TRADES_KEPT_MAX: Final = 1000
CANDLES_KEPT_MAX: Final = 1500
MINUTE_MS: Final = 60_000
SEQ_FIRST: Final = 140_612_148_000_000
CONTRACT_PREMIUM_S: Final = 30
SPOT_PREMIUM_S: Final = 120


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
    """One minute of trading; volume in the unit of quantities, turnover in settle coin."""

    start_ms: int
    open_px: Decimal
    high_px: Decimal
    low_px: Decimal
    close_px: Decimal
    volume: Decimal
    turnover: Decimal


def minute_candle(candles: deque[Candle], start_ms: int, px: Decimal) -> Candle:
    """Return the candle of a minute, put in its place at ``px`` if it is new: the clock may have been set back."""
    place = len(candles)
    while place and candles[place - 1].start_ms > start_ms:
        place -= 1
    if place and candles[place - 1].start_ms == start_ms:
        return candles[place - 1]
    if len(candles) == candles.maxlen:
        candles.popleft()
        place = max(0, place - 1)
    candle = Candle(start_ms, px, px, px, px, ZERO, ZERO)
    candles.insert(place, candle)
    return candle


class Market:
    """Book, tape and reference prices of one symbol.

    Parameters
    ----------
    instrument
        Its rules, which may be changed while it trades.
    rng
        Chance behind mark and index; without it both are the fair value itself.
    """

    def __init__(self, instrument: Instrument, rng: Random | None = None) -> None:
        self.instrument = instrument
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
        self.index_px = instrument.start_px
        self.premium: Final = PremiumGauge(SPOT_PREMIUM_S if instrument.is_spot else CONTRACT_PREMIUM_S)
        self.is_played = False
        """Whether it is a recording: funding is then what was recorded, and mark and index are not the venue's."""
        self.is_silent = False
        """Whether its streams say nothing, because the recording has no more to say."""
        self.seq = SEQ_FIRST + instrument.symbol_id * 1_000_000_000
        self._reference: Final = ReferencePrices(rng)
        self._tick_direction = "ZeroPlusTick"

    def next_seq(self) -> int:
        """Advance and return the sequence number of the matching engine."""
        self.seq += 1
        return self.seq

    def follow(self, fair_ticks: float, elapsed_s: float) -> None:
        """Let index and mark follow a fair value; on spot the mark is the index."""
        item = self.instrument
        index_ticks, mark_ticks = self._reference.quote(fair_ticks, elapsed_s)
        self.index_px = item.px(max(1, round(index_ticks)))
        self.mark_px = self.index_px if item.is_spot else item.px(max(1, round(mark_ticks)))

    def measure_premium(self, at_s: int) -> None:
        """Note, at most once a second, how far the middle of the book is from the mark price."""
        if not self.premium.is_due(at_s):
            return
        bid, ask = self.book.bids.best(), self.book.asks.best()
        if bid is not None and ask is not None:
            self.premium.note(at_s, self.instrument.px(bid + ask) / 2 - self.mark_px, self.index_px)

    def source_px(self, by: str) -> Decimal:
        """Return the price a trigger names: LastPrice, MarkPrice or IndexPrice."""
        return {"MarkPrice": self.mark_px, "IndexPrice": self.index_px}.get(by, self.last_px)

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
        turnover = self.instrument.value(px, qty)
        self.volume += qty
        self.turnover += turnover
        self._count_in_candle(trade, turnover)
        return trade

    def buy_limit_px(self) -> Decimal:
        """Return the highest price at which a buy order may stand.

        Contracts: ``min(mark * (1 + Y), max(index, mark * (1 + X) + max(0, premium)))``; spot the same with the
        index for the mark and the premium whole. X and Y are the symbol's price limit ratios, the premium is the
        mean distance of the middle of the book from the mark.
        """
        item = self.instrument
        premium = self.premium.mean()
        widened = premium if item.is_spot else max(ZERO, premium)
        inner = max(self.index_px, self.mark_px * (1 + item.band_x) + widened)
        return item.px(item.ticks(min(self.mark_px * (1 + item.band_y), inner)))

    def sell_limit_px(self) -> Decimal:
        """Return the lowest price at which a sell order may stand: the mirror image."""
        item = self.instrument
        premium = self.premium.mean()
        widened = premium if item.is_spot else min(ZERO, premium)
        inner = min(self.index_px, self.mark_px * (1 - item.band_x) + widened)
        return item.px(item.ticks(max(self.mark_px * (1 - item.band_y), inner)) + 1)

    def _count_in_candle(self, trade: PublicTrade, turnover: Decimal) -> None:
        start_ms = trade.time_ms - trade.time_ms % MINUTE_MS
        candle = minute_candle(self.candles, start_ms, trade.px)
        candle.high_px = max(candle.high_px, trade.px)
        candle.low_px = min(candle.low_px, trade.px)
        candle.close_px = trade.px
        candle.volume += trade.qty
        candle.turnover += turnover
