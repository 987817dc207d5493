"""A trend follower: holds more, the further a fast mean of the mid lies from a slow one, up to a limit.

With fast and slow exponential means of the mid, target = limit x clamp((fast / slow - 1) / full, -1, 1). At each look
it trades towards the target, at most a step, with an order that takes at the touch and rests nowhere. Several of them
with different memories give a market the horizons that a single rule lacks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulation.agents.checks import wanted
from simulation.book.messages import IOC, LIMIT
from simulation.draws import Draws
from simulation.market.protocol import WAKE_AT, Intent, MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendParams:
    """How a trend follower decides.

    Parameters
    ----------
    fast_count, slow_count
        Memories of the two means, looks: each look counts 2 / (count + 1).
    full_bps
        Distance of the means at which the target is the limit, basis points.
    limit_qty
        Most lots away from what it began with.
    step_qty
        Most lots of one order.
    every_ns
        Between two looks, nanoseconds.
    asset
        What it trades.
    """

    fast_count: int = 10
    slow_count: int = 50
    full_bps: float = 100.0
    limit_qty: int = 100
    step_qty: int = 10
    every_ns: int = 1_000_000_000
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(0 < self.fast_count < self.slow_count, "a fast memory, and a slower one")
        wanted(self.full_bps > 0.0, "a distance above zero")
        wanted(min(self.limit_qty, self.step_qty, self.every_ns) > 0, "sizes and a time above zero")


class TrendFollower:
    """Holds what the trend of one asset says."""

    hears_fills = False

    def __init__(self, params: TrendParams) -> None:
        self._params = params
        self._fast = 0.0
        self._slow = 0.0
        self._own_qty: int | None = None

    def start(self, draws: Draws) -> int:
        """Come within the first interval, so that not all of them trade at one instant."""
        return 1 + draws.below(min(self._params.every_ns, 1 << 32))

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Learn, and trade towards the target."""
        params, asset = self._params, self._params.asset
        mid = view.mid2(asset) * 0.5
        wake = (WAKE_AT, 0, 0, 0, 0, 0, view.now_ns + params.every_ns)
        if self._own_qty is None:
            self._own_qty, self._fast, self._slow = view.position_qty(asset), mid, mid
            return (wake,)
        self._fast += 2.0 / (params.fast_count + 1) * (mid - self._fast)
        self._slow += 2.0 / (params.slow_count + 1) * (mid - self._slow)
        if view.in_flight:
            return (wake,)
        strength = (self._fast / self._slow - 1.0) * 10_000.0 / params.full_bps
        target_qty = round(params.limit_qty * max(-1.0, min(1.0, strength)))
        missing_qty = target_qty - (view.position_qty(asset) - self._own_qty)
        side = 1 if missing_qty > 0 else -1
        px = view.ask(asset) if side > 0 else view.bid(asset)
        if not missing_qty or not px:
            return (wake,)
        return ((LIMIT, asset, side, min(abs(missing_qty), params.step_qty), px, IOC, 0), wake)
