"""A momentum trader: two moving averages of the mid; it follows the short one, with a stop and a goal.

It samples the mid at even times. When the mean of the last `short_count` lies above that of the last `long_count` by
the entry margin it buys for a share of its cash, when below by as much it sells. It leaves at a loss of `stop_bps` or a
gain of `profit_bps` from the mid at which it entered. All comparisons are of whole numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulation.agents.checks import wanted
from simulation.book.messages import MARKET
from simulation.draws import Draws
from simulation.market.protocol import WAKE_AT, Intent, MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentumParams:
    """How a momentum trader decides.

    Parameters
    ----------
    short_count, long_count
        Samples of the two averages.
    entry_bps
        How far the short average must lie from the long one, basis points of the long one.
    stop_bps
        Loss at which it leaves, basis points of the price of entry.
    profit_bps
        Gain at which it leaves, the same.
    cash_bps
        Share of its free cash that an entry is worth, basis points.
    order_max_qty
        Most lots of one entry.
    every_ns
        Between two samples, nanoseconds.
    sells_first
        Whether it also enters by selling, out of what it holds or, on margin, what it can borrow.
    asset
        What it trades.
    """

    short_count: int = 5
    long_count: int = 20
    entry_bps: int = 200
    stop_bps: int = 500
    profit_bps: int = 1_500
    cash_bps: int = 2_500
    order_max_qty: int = 1_000
    every_ns: int = 1_000_000_000
    sells_first: bool = True
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(
            0 < self.short_count < self.long_count <= 10_000,
            "a short average, and a longer one of at most 10000",
        )
        wanted(min(self.entry_bps, self.stop_bps, self.profit_bps) > 0, "margins above zero")
        wanted(
            self.stop_bps < 10_000 and 0 < self.cash_bps <= 10_000,
            "a stop below all, and a share of 1 to 10000",
        )
        wanted(min(self.order_max_qty, self.every_ns) > 0, "a size and a time above zero")


class MomentumTrader:
    """Follows the price of one asset."""

    hears_fills = False

    def __init__(self, params: MomentumParams) -> None:
        self._params = params
        self._mids2 = [0] * params.long_count
        self._seen_count = 0
        self._short_sum = 0
        self._long_sum = 0
        self._own_qty: int | None = None
        self._entry_mid2 = 0

    def start(self, draws: Draws) -> int:
        """Come within the first interval, so that not all of them trade at one instant."""
        return 1 + draws.below(min(self._params.every_ns, 1 << 32))

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Sample the mid, then enter or leave."""
        params = self._params
        mid2 = view.mid2(params.asset)
        self._sample(mid2)
        wake = (WAKE_AT, 0, 0, 0, 0, 0, view.now_ns + params.every_ns)
        position_qty = view.position_qty(params.asset)
        if self._own_qty is None:
            self._own_qty = position_qty
        if view.in_flight:
            return (wake,)
        held_qty = position_qty - self._own_qty
        if held_qty:
            return (*self._leave(mid2, held_qty), wake)
        return (*self._enter(view, mid2), wake)

    def _sample(self, mid2: int) -> None:
        params, mids2, count = self._params, self._mids2, self._seen_count
        long_count, short_count = params.long_count, params.short_count
        place = count % long_count
        # Places not written yet hold zero, so that both sums are right from the beginning.
        self._short_sum += mid2 - (mids2[(count - short_count) % long_count] if count >= short_count else 0)
        self._long_sum += mid2 - mids2[place]
        mids2[place] = mid2
        self._seen_count = count + 1

    def _enter(self, view: MarketView, mid2: int) -> tuple[Intent, ...]:
        params = self._params
        if self._seen_count < params.long_count:
            return ()
        short, long = self._short_sum * params.long_count * 10_000, self._long_sum * params.short_count
        if short > long * (10_000 + params.entry_bps):
            side = 1
        elif params.sells_first and short < long * (10_000 - params.entry_bps):
            side = -1
        else:
            return ()
        qty = view.cash // 10_000 * params.cash_bps * 2 // (mid2 * view.scale)
        qty = min(qty, params.order_max_qty)
        if qty <= 0:
            return ()
        self._entry_mid2 = mid2
        return ((MARKET, params.asset, side, qty, 0, 0, 0),)

    def _leave(self, mid2: int, held_qty: int) -> tuple[Intent, ...]:
        params, entry_mid2 = self._params, self._entry_mid2
        side = 1 if held_qty > 0 else -1
        gain = side * (mid2 - entry_mid2) * 10_000
        if -params.stop_bps * entry_mid2 < gain < params.profit_bps * entry_mid2:
            return ()
        return ((MARKET, params.asset, -side, abs(held_qty), 0, 0, 0),)
