"""A mean reverter: expects the mid to come back to its running mean, and trades when it is unusually far away.

With m and v exponential mean and variance of the mid, z = (mid - m) / sqrt(v), both before this look counts. It sells
at z >= enter, buys at z <= -enter, one clip per look up to its limit, and closes when |z| <= leave.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from simulation.agents.checks import wanted
from simulation.book.messages import IOC, LIMIT
from simulation.draws import Draws
from simulation.market.protocol import WAKE_AT, Intent, MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversionParams:
    """How a mean reverter decides.

    Parameters
    ----------
    memory_count
        Memory of mean and variance, looks; as many must have passed before it trades.
    enter_ratio
        Distance at which it trades, standard deviations.
    leave_ratio
        Distance at which it closes, standard deviations.
    clip_qty
        Lots of one order.
    limit_qty
        Most lots away from what it began with.
    every_ns
        Between two looks, nanoseconds.
    asset
        What it trades.
    """

    memory_count: int = 60
    enter_ratio: float = 2.0
    leave_ratio: float = 0.5
    clip_qty: int = 5
    limit_qty: int = 50
    every_ns: int = 1_000_000_000
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(
            self.memory_count > 1 and 0.0 <= self.leave_ratio < self.enter_ratio,
            "a memory, and leaving before entering",
        )
        wanted(min(self.clip_qty, self.limit_qty, self.every_ns) > 0, "sizes and a time above zero")


class MeanReverter:
    """Trades one asset against its last moves."""

    hears_fills = False

    def __init__(self, params: ReversionParams) -> None:
        self._params = params
        self._mean = 0.0
        self._variance = 0.0
        self._seen_count = 0
        self._own_qty: int | None = None

    def start(self, draws: Draws) -> int:
        """Come within the first interval, so that not all of them trade at one instant."""
        return 1 + draws.below(min(self._params.every_ns, 1 << 32))

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Compare the mid with its mean, then learn."""
        params, asset = self._params, self._params.asset
        mid = view.mid2(asset) * 0.5
        wake = (WAKE_AT, 0, 0, 0, 0, 0, view.now_ns + params.every_ns)
        if self._own_qty is None:
            self._own_qty, self._mean = view.position_qty(asset), mid
        away, deviation = mid - self._mean, sqrt(self._variance)
        share = 2.0 / (params.memory_count + 1)
        self._mean += share * away
        self._variance = (1.0 - share) * (self._variance + share * away * away)
        self._seen_count += 1
        if view.in_flight or self._seen_count <= params.memory_count or deviation <= 0.0:
            return (wake,)
        held_qty = view.position_qty(asset) - self._own_qty
        side, qty = self._wish(away / deviation, held_qty)
        px = view.ask(asset) if side > 0 else view.bid(asset)
        if qty <= 0 or not px:
            return (wake,)
        return ((LIMIT, asset, side, qty, px, IOC, 0), wake)

    def _wish(self, distance: float, held_qty: int) -> tuple[int, int]:
        params = self._params
        if abs(distance) >= params.enter_ratio:
            side = -1 if distance > 0.0 else 1
            return side, min(params.clip_qty, params.limit_qty - side * held_qty)
        if abs(distance) <= params.leave_ratio and held_qty:
            return (-1 if held_qty > 0 else 1), min(params.clip_qty, abs(held_qty))
        return 1, 0
