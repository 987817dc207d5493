"""The anonymous crowd of one symbol: seeded participants who quote around a fair value, cancel, and trade.

The crowd lives on a fixed grid of virtual time, so its behaviour depends on the seed and on what the clients
did at which step, never on how fast the machine is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Final

from sandbox.bybit_server.book import OrderBook, Side
from sandbox.bybit_server.clock import NS_PER_MS, NS_PER_S
from sandbox.bybit_server.instruments import Instrument
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.market_source import CROWD_PREFIX, FlowVenue, SourceFactory

STEP_NS: Final = 25 * NS_PER_MS
QUIET_STEP_NS: Final = 500 * NS_PER_MS
QUIET_BELOW: Final = 0.5
CATCH_UP_STEPS_MAX: Final = 1200
LEVELS: Final = 60
LEVELS_KEPT: Final = 90
JUMPS_PER_S: Final = 0.5
REVERSION_PER_S: Final = 1 / 1800
CANCELS_PER_S: Final = 12.0
ADDS_PER_S: Final = 16.0
SPREAD_CHANGES_PER_S: Final = 1.5
TAKER_REACH_TICKS: Final = 15
SAME_SIDE_PROBABILITY: Final = 0.6
SPREAD_EXTRAS_TICKS: Final = (0, 0, 0, 0, 0, 0, 1, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowShape:
    """How lively one symbol is: USDT resting per level, trades per second and USDT per trade, on average."""

    level_notional: float
    trades_per_s: float
    trade_notional: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSettings:
    """Options of the crowd shared by all symbols."""

    intensity: float = 1.0
    volatility_hourly: float = 0.008
    frozen: bool = False


LINEAR_BTC: Final = FlowShape(level_notional=160_000, trades_per_s=7.0, trade_notional=13_000)
LINEAR_OTHER: Final = FlowShape(level_notional=60_000, trades_per_s=4.0, trade_notional=6_000)
SPOT_ANY: Final = FlowShape(level_notional=40_000, trades_per_s=3.0, trade_notional=4_000)


def flow_shape(instrument: Instrument) -> FlowShape:
    """Return the liveliness of a symbol."""
    if instrument.is_spot:
        return SPOT_ANY
    return LINEAR_BTC if instrument.base_coin == "BTC" else LINEAR_OTHER


def step_notional(instrument: Instrument) -> Decimal:
    """Return the worth of one quantity step in quote coin; an inverse step is quote coin already."""
    return instrument.step if instrument.is_inverse else instrument.start_px * instrument.step


class BackgroundFlow:
    """The crowd of one market.

    Parameters
    ----------
    venue
        Where its orders go.
    market
        The market it trades in.
    rng
        Its own seeded source of randomness.
    settings
        Intensity, volatility and whether it starts frozen.
    start_ns
        First instant of its time grid.
    """

    def __init__(
        self, venue: FlowVenue, market: Market, rng: Random, settings: FlowSettings, start_ns: int
    ) -> None:
        self._venue = venue
        self._market = market
        self._rng = rng
        instrument = market.instrument
        shape = flow_shape(instrument)
        lot_notional = float(step_notional(instrument))
        self._level_lots = max(2.0, shape.level_notional / lot_notional)
        wanted = [self._level_lots * (0.5 + 0.1 * min(distance, 10)) for distance in range(LEVELS)]
        self._wanted_lots = [(target, 0.3 * target) for target in wanted]
        self._trade_lots = max(1.0, shape.trade_notional / lot_notional)
        self._grid_ticks = instrument.ticks(instrument.tick_size)
        self._grid_lots = instrument.lots(instrument.qty_step)
        self._step_ns = STEP_NS if instrument.liveliness >= QUIET_BELOW else QUIET_STEP_NS
        self._step_s = self._step_ns / NS_PER_S
        self._liveliness = instrument.liveliness
        self._trades_per_step = shape.trades_per_s * settings.intensity * instrument.liveliness * self._step_s
        self._anchor_ticks = float(instrument.ticks(instrument.start_px))
        self._jump_ticks = self._anchor_ticks * settings.volatility_hourly / 60 / math.sqrt(JUMPS_PER_S)
        self.fair_ticks = self._anchor_ticks + 0.5
        self.frozen = settings.frozen
        self.spread_extra_ticks = 0
        self._spread_mood_ticks = 0
        self._next_step_ns = start_ns + self._step_ns
        self._orders = 0
        self._taker_side = Side.BUY
        if not self.frozen:
            self._quote(probability=1.0)
            market.follow(self.fair_ticks, 0.0)

    def regrid(self) -> None:
        """Learn new steps: withdraw everything, and quote again on the new grid."""
        instrument = self._market.instrument
        self._grid_ticks = instrument.ticks(instrument.tick_size)
        self._grid_lots = instrument.lots(instrument.qty_step)
        for side in Side:
            for resting in list(self._book.half(side).orders()):
                if resting.order_id.startswith(CROWD_PREFIX):
                    self._venue.crowd_cancel(self._market, resting.order_id)
        if not self.frozen:
            self._quote(probability=1.0)

    @property
    def _book(self) -> OrderBook:
        return self._market.book

    def advance(self, now_ns: int) -> None:
        """Live through every grid step up to ``now_ns``; after a very long gap only the last part of it."""
        due = (now_ns - self._next_step_ns) // self._step_ns + 1
        if due <= 0:
            return
        self._next_step_ns += due * self._step_ns
        if self.frozen:
            return
        for _ in range(min(due, CATCH_UP_STEPS_MAX)):
            self._step()

    def jump(self, bps: float) -> None:
        """Move the fair value, and what it reverts to, by basis points."""
        self.fair_ticks *= 1 + bps / 10_000
        self._anchor_ticks *= 1 + bps / 10_000
        self._market.follow(self.fair_ticks, 0.0)

    def _step(self) -> None:
        self._move_fair()
        for side in Side:
            self._withdraw_stale(side)
            self._pick_off(side)
        for _ in range(self._poisson(self._trades_per_step)):
            self._trade()
        self._quote(probability=0.35)
        self._churn()

    def _move_fair(self) -> None:
        rng = self._rng
        self.fair_ticks += (self._anchor_ticks - self.fair_ticks) * REVERSION_PER_S * self._step_s
        if rng.random() < JUMPS_PER_S * self._step_s:
            self.fair_ticks = max(10.0, self.fair_ticks + rng.gauss(0.0, self._jump_ticks))
        if rng.random() < SPREAD_CHANGES_PER_S * self._step_s:
            self._spread_mood_ticks = rng.choice(SPREAD_EXTRAS_TICKS)
        self._market.follow(self.fair_ticks, self._step_s)

    def _touch(self, side: Side) -> int:
        grid = self._grid_ticks
        extra = self._spread_mood_ticks + self.spread_extra_ticks
        bid = (math.floor(self.fair_ticks) // grid - extra // 2) * grid
        return bid if side is Side.BUY else bid + (1 + extra) * grid

    def _withdraw_stale(self, side: Side) -> None:
        touch = self._touch(side)
        half = self._book.half(side)
        for px in half.better_than(touch):
            for resting in half.queue(px):
                if resting.order_id.startswith(CROWD_PREFIX):
                    self._venue.crowd_cancel(self._market, resting.order_id)
        worst = half.worst()
        while worst is not None and (touch - worst) * side.sign > LEVELS_KEPT * self._grid_ticks:
            crowd = [r for r in half.queue(worst) if r.order_id.startswith(CROWD_PREFIX)]
            for resting in crowd:
                self._venue.crowd_cancel(self._market, resting.order_id)
            if half.worst() == worst:
                break
            worst = half.worst()

    def _pick_off(self, side: Side) -> None:
        """Trade with orders of clients that the fair value has moved through."""
        limit = self._touch(side)
        if self._book.would_take(side, limit) and self._rng.random() < 0.5:
            self._venue.crowd_take(self._market, side, limit, self._size(3 * self._trade_lots))

    def _trade(self) -> None:
        rng = self._rng
        if rng.random() > SAME_SIDE_PROBABILITY:
            self._taker_side = self._taker_side.opposite
        side = self._taker_side
        best = self._book.half(side.opposite).best()
        if best is None:
            return
        # After a jump a client's far order may be the best for a moment; nobody gives away so much.
        far = self._touch(side.opposite) + side.sign * LEVELS_KEPT * self._grid_ticks
        limit = side.sign * min(side.sign * best + TAKER_REACH_TICKS * self._grid_ticks, side.sign * far)
        self._venue.crowd_take(self._market, side, max(1, limit), self._size(self._trade_lots))

    def _quote(self, probability: float) -> None:
        """Refill thin levels near the touch, each with the given probability."""
        chance = self._rng.random
        for side in Side:
            total = self._book.half(side).total
            px, away = self._touch(side), -side.sign * self._grid_ticks
            for target, thin in self._wanted_lots:
                if px > 0 and total(px) < thin and chance() < probability:
                    self._add(side, px, self._size(target))
                px += away

    def _churn(self) -> None:
        """Add and cancel at random levels, so that queues move even when nobody trades."""
        rng = self._rng
        for _ in range(self._poisson(ADDS_PER_S * self._liveliness * self._step_s)):
            side = rng.choice(tuple(Side))
            distance = min(LEVELS - 1, int(rng.expovariate(0.15)))
            px = self._touch(side) - side.sign * distance * self._grid_ticks
            if px > 0 and self._book.half(side).total(px) < 3 * self._level_lots:
                self._add(side, px, self._size(0.3 * self._level_lots))
        for _ in range(self._poisson(CANCELS_PER_S * self._liveliness * self._step_s)):
            side = rng.choice(tuple(Side))
            distance = min(LEVELS - 1, int(rng.expovariate(0.15)))
            px = self._touch(side) - side.sign * distance * self._grid_ticks
            queue = self._book.half(side).queue(px)
            crowd = [resting for resting in queue if resting.order_id.startswith(CROWD_PREFIX)]
            if len(crowd) > 1:
                self._venue.crowd_cancel(self._market, rng.choice(crowd).order_id)

    def _add(self, side: Side, px_ticks: int, lots: int) -> None:
        if self._book.would_take(side, px_ticks):
            return
        self._orders += 1
        self._venue.crowd_add(self._market, f"{CROWD_PREFIX}{self._orders}", side, px_ticks, lots)

    def _size(self, lots_mean: float) -> int:
        """Draw a size whose spread is that of a gamma variable with shape two: few dust, few giants."""
        lots = round(self._rng.gammavariate(2.0, lots_mean / 2))
        return max(1, lots // self._grid_lots) * self._grid_lots

    def _poisson(self, mean: float) -> int:
        floor, product, count = math.exp(-mean), self._rng.random(), 0
        while product > floor:
            product *= self._rng.random()
            count += 1
        return count


def crowd(settings: FlowSettings) -> SourceFactory:
    """Return what makes the crowd of every market."""

    def source(venue: FlowVenue, market: Market, rng: Random, start_ns: int) -> BackgroundFlow:
        return BackgroundFlow(venue, market, rng, settings, start_ns)

    return source
