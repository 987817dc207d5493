"""Candles of any length from those of a minute: intervals of the calendar, and no holes where nobody traded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.figures import ZERO, short
from sandbox.bybit_server.instruments import Instrument
from sandbox.bybit_server.market import MINUTE_MS, Candle, Market

DAY_MS: Final = 1440 * MINUTE_MS
WEEK_MS: Final = 7 * DAY_MS
FIRST_MONDAY_MS: Final = 4 * DAY_MS
MONTHS: Final = 12
MINUTES: Final = (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)


@dataclass(frozen=True, slots=True)
class Interval:
    """A length of candles, named as on the wire: minutes, ``D``, ``W`` from Monday, ``M`` by the calendar."""

    name: str

    def start_of(self, at_ms: int) -> int:
        """Return the start of the interval around an instant, milliseconds UTC."""
        if self.name == "M":
            day = datetime.fromtimestamp(at_ms / 1000, UTC)
            return _month_ms(day.year, day.month)
        if self.name == "W":
            return at_ms - (at_ms - FIRST_MONDAY_MS) % WEEK_MS
        return at_ms - at_ms % (DAY_MS if self.name == "D" else int(self.name) * MINUTE_MS)

    def end_of(self, start_ms: int) -> int:
        """Return the start of the interval behind the one that starts at ``start_ms``."""
        if self.name == "M":
            day = datetime.fromtimestamp(start_ms / 1000, UTC)
            return _month_ms(day.year + day.month // MONTHS, day.month % MONTHS + 1)
        if self.name == "W":
            return start_ms + WEEK_MS
        return start_ms + (DAY_MS if self.name == "D" else int(self.name) * MINUTE_MS)


INTERVALS: Final = {name: Interval(name) for name in (*map(str, MINUTES), "D", "W", "M")}


def candles(minutes: Iterable[Candle], px: Decimal, interval: Interval, until_ms: int) -> list[Candle]:
    """Return all candles from the first minute on, oldest first, the open one last.

    An interval without a minute of its own is flat at the price before it; if there is no minute at all, there
    is one candle, flat at ``px``.
    """
    merged: list[Candle] = []
    for minute in minutes:
        start_ms = interval.start_of(minute.start_ms)
        if merged and merged[-1].start_ms == start_ms:
            _absorb(merged[-1], minute)
        else:
            merged += _flat_until(merged, interval, start_ms)
            merged.append(replace(minute, start_ms=start_ms))
    last_ms = interval.start_of(until_ms)
    if not merged:
        return [Candle(last_ms, px, px, px, px, ZERO, ZERO)]
    return merged + _flat_until(merged, interval, interval.end_of(last_ms))


def candle_at(market: Market, interval: Interval, start_ms: int) -> Candle:
    """Return the candle that starts at ``start_ms``, flat if nobody has traded in it."""
    end_ms = interval.end_of(start_ms)
    px = market.open_px
    found: Candle | None = None
    for minute in market.candles:
        if minute.start_ms < start_ms:
            px = minute.close_px
        elif minute.start_ms >= end_ms:
            break
        elif found is None:
            found = replace(minute, start_ms=start_ms)
        else:
            _absorb(found, minute)
    return found or Candle(start_ms, px, px, px, px, ZERO, ZERO)


def candle_row(item: Instrument, candle: Candle) -> list[str]:
    """Return a candle as the REST list shows it: start, open, high, low, close, volume, turnover."""
    return [
        str(candle.start_ms),
        item.px_text(candle.open_px),
        item.px_text(candle.high_px),
        item.px_text(candle.low_px),
        item.px_text(candle.close_px),
        short(candle.volume),
        short(candle.turnover),
    ]


def _flat_until(merged: list[Candle], interval: Interval, end_ms: int) -> list[Candle]:
    """Return flat candles that follow the last one, up to ``end_ms``."""
    flat: list[Candle] = []
    if merged:
        px = merged[-1].close_px
        start_ms = interval.end_of(merged[-1].start_ms)
        while start_ms < end_ms:
            flat.append(Candle(start_ms, px, px, px, px, ZERO, ZERO))
            start_ms = interval.end_of(start_ms)
    return flat


def _absorb(whole: Candle, minute: Candle) -> None:
    whole.high_px = max(whole.high_px, minute.high_px)
    whole.low_px = min(whole.low_px, minute.low_px)
    whole.close_px = minute.close_px
    whole.volume += minute.volume
    whole.turnover += minute.turnover


def _month_ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000
