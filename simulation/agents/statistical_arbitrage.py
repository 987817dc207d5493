"""A statistical arbitrageur: two assets whose prices belong together; it sells the one that is dear, buys the other.

The gap is g = mid A - ratio x mid B; m and v are its exponential mean and variance, z = (g - m) / sqrt(v). At |z| >=
enter it takes both sides at once, A against `ratio` as many lots of B; at |z| <= leave it closes both. A leg that was
not filled is made good at the next look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from simulation.agents.checks import wanted
from simulation.book.messages import IOC, LIMIT
from simulation.draws import Draws
from simulation.market.protocol import WAKE_AT, Intent, MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class PairParams:
    """How a statistical arbitrageur decides.

    Parameters
    ----------
    asset, other_asset
        A and B.
    hedge_ratio
        Ticks that A moves for one of B, and lots of B for one of A, > 0.
    memory_count
        Memory of mean and variance, looks; as many must have passed before it trades.
    enter_ratio
        Distance at which it trades, standard deviations.
    leave_ratio
        Distance at which it closes, standard deviations.
    pair_qty
        Lots of A that it holds against B.
    every_ns
        Between two looks, nanoseconds.
    """

    asset: int = 0
    other_asset: int = 1
    hedge_ratio: float = 1.0
    memory_count: int = 60
    enter_ratio: float = 2.0
    leave_ratio: float = 0.5
    pair_qty: int = 10
    every_ns: int = 1_000_000_000

    def __post_init__(self) -> None:
        wanted(
            self.asset != self.other_asset and self.hedge_ratio > 0.0, "two assets, and a ratio above zero"
        )
        wanted(
            self.memory_count > 1 and 0.0 <= self.leave_ratio < self.enter_ratio,
            "a memory, and leaving before entering",
        )
        wanted(min(self.pair_qty, self.every_ns) > 0, "a size and a time above zero")


class StatisticalArbitrageur:
    """Trades the gap between two assets."""

    hears_fills = False

    def __init__(self, params: PairParams) -> None:
        self._params = params
        self._mean = 0.0
        self._variance = 0.0
        self._seen_count = 0
        self._own_qtys: tuple[int, int] | None = None
        self._stance = 0

    def start(self, draws: Draws) -> int:
        """Come within the first interval, so that not all of them trade at one instant."""
        return 1 + draws.below(min(self._params.every_ns, 1 << 32))

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Compare the gap with its mean, learn, and bring both legs to where they belong."""
        params = self._params
        one, other = params.asset, params.other_asset
        gap = view.mid2(one) * 0.5 - params.hedge_ratio * (view.mid2(other) * 0.5)
        wake = (WAKE_AT, 0, 0, 0, 0, 0, view.now_ns + params.every_ns)
        if self._own_qtys is None:
            self._own_qtys, self._mean = (view.position_qty(one), view.position_qty(other)), gap
        away, deviation = gap - self._mean, sqrt(self._variance)
        share = 2.0 / (params.memory_count + 1)
        self._mean += share * away
        self._variance = (1.0 - share) * (self._variance + share * away * away)
        self._seen_count += 1
        if self._seen_count > params.memory_count and deviation > 0.0:
            distance = away / deviation
            if abs(distance) >= params.enter_ratio:
                self._stance = -1 if distance > 0.0 else 1
            elif abs(distance) <= params.leave_ratio:
                self._stance = 0
        if view.in_flight:
            return (wake,)
        legs = (
            self._leg(view, one, self._own_qtys[0], self._stance * params.pair_qty),
            self._leg(
                view, other, self._own_qtys[1], -self._stance * round(params.hedge_ratio * params.pair_qty)
            ),
        )
        return (*(leg for leg in legs if leg is not None), wake)

    @staticmethod
    def _leg(view: MarketView, asset: int, own_qty: int, target_qty: int) -> Intent | None:
        missing_qty = target_qty - (view.position_qty(asset) - own_qty)
        side = 1 if missing_qty > 0 else -1
        px = view.ask(asset) if side > 0 else view.bid(asset)
        return (LIMIT, asset, side, abs(missing_qty), px, IOC, 0) if missing_qty and px else None
