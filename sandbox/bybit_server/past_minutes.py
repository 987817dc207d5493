"""The hour before a sandbox was started, as candles of a minute: a venue is not as old as its process.

They are drawn as lively as the crowd is, walk backwards from the price it begins at, and nothing else knows of them: no
trade, no order and no ticker is of that time.
"""

from __future__ import annotations

from decimal import Decimal
from math import sqrt
from random import Random
from typing import Final

from sandbox.bybit_server.flow import FlowSettings, flow_shape, step_notional
from sandbox.bybit_server.market import MINUTE_MS, Candle, Market

PAST_MINUTES: Final = 90
_MINUTES_PER_HOUR: Final = 60
_SECONDS: Final = 60
_SHAPE: Final = 4.0
"""Of the gamma variable that a minute's volume is: it varies by half of its mean."""


def past_minutes(market: Market, settings: FlowSettings, rng: Random, now_ms: int) -> list[Candle]:
    """Draw the candles of the minutes before an instant, oldest first; none where nobody trades.

    Parameters
    ----------
    now_ms
        Milliseconds UTC; its own minute is not among them.
    """
    item, shape = market.instrument, flow_shape(market.instrument)
    trades_per_s = shape.trades_per_s * settings.intensity * item.liveliness
    if settings.frozen or trades_per_s <= 0.0:
        return []
    mean_lots = trades_per_s * _SECONDS * shape.trade_notional / float(step_notional(item))
    deviation = settings.volatility_hourly / sqrt(_MINUTES_PER_HOUR)
    first_ms = now_ms - now_ms % MINUTE_MS
    close_px, drawn = float(item.start_px), list[Candle]()
    for number in range(1, PAST_MINUTES + 1):
        open_px = close_px / (1.0 + rng.gauss(0.0, deviation))
        reach = [abs(rng.gauss(0.0, deviation / 2.0)) for _ in range(2)]
        high_px, low_px = max(open_px, close_px) * (1.0 + reach[0]), min(open_px, close_px) * (1.0 - reach[1])
        volume = item.qty(max(1, round(rng.gammavariate(_SHAPE, mean_lots / _SHAPE))))
        opened, high, low, closed = (_on_grid(market, px) for px in (open_px, high_px, low_px, close_px))
        drawn.append(
            Candle(
                start_ms=first_ms - number * MINUTE_MS,
                open_px=opened,
                high_px=max(high, opened, closed),
                low_px=min(low, opened, closed),
                close_px=closed,
                volume=volume,
                turnover=item.value(closed, volume),
            )
        )
        close_px = open_px
    return drawn[::-1]


def _on_grid(market: Market, px: float) -> Decimal:
    grid = market.instrument.tick_size
    return max(grid, Decimal(round(px / float(grid))) * grid)
