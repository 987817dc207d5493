"""A market of one symbol that walks at random from a seed: a price path, a spread, touch sizes and public trades.

It does not react to anybody. Two drives from one seed therefore see the same path, whatever is sent: what they differ
in is the sending. Each process has a generator of its own, so that changing one leaves the others as they are.
"""

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from math import floor, isfinite, sqrt
from operator import itemgetter
from random import Random
from typing import Final

from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot
from executor.domain.orders import Side
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import ZERO, Money, Price, Quantity
from simulation.moments import MarketMoment, PublicTrade

_S_PER_HOUR: Final = 3_600
_S_PER_MIN: Final = 60
_BPS: Final = 10_000
_START: Final = itemgetter(0)
_TOUCH_QTY: Final = Quantity(Decimal(2))
_TRADE_QTY: Final = Quantity(Decimal("0.5"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How a market walks.

    Parameters
    ----------
    start_px
        Mid at the start, quote per base.
    step_ns
        Time between two looks at the book.
    volatility_hourly_pct
        Standard deviation of the mid's move in an hour, per cent of the start price.
    drift_bps_per_min
        Drift while one is in force, basis points of the start price per minute; its sign is drawn anew each time.
        This is what an informed adviser can know and nobody else can.
    drift_hold_s
        Mean time one drift lasts, seconds; exponential.
    spread_ticks_max
        Widest spread; one tick half of the time, two a quarter of it, and so on.
    redraws_per_s
        How often spread and touch sizes are drawn anew.
    touch_qty
        Mean size of a touch, base units; exponential.
    trades_per_s, trade_qty
        Mean number of public trades in a second (Poisson), and their mean size, base units; exponential.
    through_share
        Share of trades that reach one tick beyond the touch, 0-1.
    """

    instrument: Instrument
    start_px: Price
    step_ns: int = 100 * NS_PER_MS
    volatility_hourly_pct: float = 0.5
    drift_bps_per_min: float = 0.0
    drift_hold_s: float = 120.0
    spread_ticks_max: int = 3
    redraws_per_s: float = 1.0
    touch_qty: Quantity = _TOUCH_QTY
    trades_per_s: float = 2.0
    trade_qty: Quantity = _TRADE_QTY
    through_share: float = 0.1

    def __post_init__(self) -> None:
        """Refuse a walk that would stand still or leave the road."""
        rates = (self.drift_hold_s, self.redraws_per_s, self.trades_per_s)
        sound = (
            self.start_px > ZERO
            and self.step_ns > 0
            and all(isfinite(rate) and rate > 0 for rate in rates)
            and min(self.touch_qty, self.trade_qty) >= self.instrument.qty_step
            and self.spread_ticks_max >= 1
            and isfinite(self.volatility_hourly_pct)
            and self.volatility_hourly_pct >= 0
            and isfinite(self.drift_bps_per_min)
            and 0 <= self.through_share <= 1
        )
        if not sound:
            raise ValueError(f"a market that cannot walk: {self}")


class WalkMarket:
    """What happens in the market, in order and without end.

    Parameters
    ----------
    start_ns
        The first look at the book comes one step later, UTC.
    """

    def __init__(self, walk: Walk, *, seed: int, start_ns: int) -> None:
        self._walk = walk
        self._path = Random(f"{seed}:path")  # noqa: S311 - a market is no cryptography
        self._shape = Random(f"{seed}:shape")  # noqa: S311
        self._flow = Random(f"{seed}:flow")  # noqa: S311
        self._turns = Random(f"{seed}:drift")  # noqa: S311
        tick, step = walk.instrument.tick_size, walk.instrument.qty_step
        self._start_ticks = float(walk.start_px / tick)
        self._touch_lots = float(walk.touch_qty / step)
        self._trade_lots = float(walk.trade_qty / step)
        self._step_s = walk.step_ns / NS_PER_S
        hourly_ticks = walk.volatility_hourly_pct / 100 * self._start_ticks
        self._step_ticks = hourly_ticks * sqrt(self._step_s / _S_PER_HOUR)
        self._drifts: list[tuple[int, float]] = []
        self._drift_ends_ns = start_ns
        self._now_ns = start_ns
        self._mid = self._start_ticks
        self._spread = self._draw_spread()
        self._bid = self._place_bid()
        self._bid_lots = self._lots(self._shape, self._touch_lots)
        self._ask_lots = self._lots(self._shape, self._touch_lots)
        self._next_trade_ns = start_ns + self._trade_gap_ns()
        self._traded_qty, self._traded_notional = ZERO, ZERO
        self._ready: deque[MarketMoment] = deque()

    def __iter__(self) -> "WalkMarket":
        """The market is its own iterator."""
        return self

    def __next__(self) -> MarketMoment:
        """What happens next."""
        if not self._ready:
            self._advance()
        return self._ready.popleft()

    def drift_bps_per_min(self, at_ns: int) -> float:
        """Drift in force at an instant, basis points of the start price per minute; positive is up."""
        while self._drift_ends_ns <= at_ns:
            sign = self._turns.choice((-1.0, 1.0))
            self._drifts.append((self._drift_ends_ns, sign * self._walk.drift_bps_per_min))
            hold_s = self._turns.expovariate(1 / self._walk.drift_hold_s)
            self._drift_ends_ns += max(int(hold_s * NS_PER_S), 1)
        index = bisect_right(self._drifts, at_ns, key=_START) - 1
        return self._drifts[max(index, 0)][1]

    def _advance(self) -> None:
        """One step: trades at the book that stands, then the book moves."""
        end_ns = self._now_ns + self._walk.step_ns
        while self._next_trade_ns <= end_ns:
            self._ready.append(self._trade(self._next_trade_ns))
            self._next_trade_ns += self._trade_gap_ns()
        drift_ticks_per_s = self.drift_bps_per_min(self._now_ns) * self._start_ticks / _BPS / _S_PER_MIN
        self._now_ns = end_ns
        self._mid += drift_ticks_per_s * self._step_s + self._step_ticks * self._path.gauss(0.0, 1.0)
        lowest = float(self._walk.spread_ticks_max + 2)
        if self._mid < lowest:
            self._mid = 2 * lowest - self._mid
        self._reshape()
        self._ready.append(self._snapshot())

    def _reshape(self) -> None:
        """Place the touch around the mid; a touch that moved has another size."""
        old_bid, old_ask = self._bid, self._bid + self._spread
        redraw = self._shape.random() < self._walk.redraws_per_s * self._step_s
        if redraw:
            self._spread = self._draw_spread()
        self._bid = self._place_bid()
        if redraw or self._bid != old_bid:
            self._bid_lots = self._lots(self._shape, self._touch_lots)
        if redraw or self._bid + self._spread != old_ask:
            self._ask_lots = self._lots(self._shape, self._touch_lots)

    def _place_bid(self) -> int:
        return floor(self._mid - self._spread / 2 + 0.5)

    def _draw_spread(self) -> int:
        ticks = 1
        while ticks < self._walk.spread_ticks_max and self._shape.random() < 0.5:
            ticks += 1
        return ticks

    def _lots(self, random: Random, mean: float) -> int:
        return max(1, round(random.expovariate(1 / mean)))

    def _trade_gap_ns(self) -> int:
        return max(1, int(self._flow.expovariate(self._walk.trades_per_s) * NS_PER_S))

    def _trade(self, at_ns: int) -> PublicTrade:
        rules = self._walk.instrument
        side = self._flow.choice((Side.BUY, Side.SELL))
        touch = self._bid + self._spread if side is Side.BUY else self._bid
        beyond = side.sign if self._flow.random() < self._walk.through_share else 0
        px = Price(rules.tick_size * (touch + beyond))
        qty = Quantity(rules.qty_step * self._lots(self._flow, self._trade_lots))
        self._traded_qty += qty
        self._traded_notional += rules.notional(qty, px)
        return PublicTrade(side=side, px=px, qty=qty, ts_exchange_ns=at_ns)

    def _snapshot(self) -> MarketSnapshot:
        rules = self._walk.instrument
        return MarketSnapshot(
            category=rules.category,
            symbol=rules.symbol,
            best_bid=Price(rules.tick_size * self._bid),
            best_bid_qty=Quantity(rules.qty_step * self._bid_lots),
            best_ask=Price(rules.tick_size * (self._bid + self._spread)),
            best_ask_qty=Quantity(rules.qty_step * self._ask_lots),
            traded_qty=Quantity(self._traded_qty),
            traded_notional=Money(self._traded_notional),
            ts_exchange_ns=self._now_ns,
        )
