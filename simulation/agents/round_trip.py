"""Traders who leave as they came: each buys or sells by chance at the touch, and undoes it a little later.

A crowd of them makes most of the volume of a market and none of its moves: what they have open together stays small,
however long they go on. They ask nothing of the market, so that they do the same in two markets that differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from simulation.agents.checks import wanted
from simulation.draws import Draws
from simulation.market.protocol import Intent, MarketView, market, wake_at


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTripParams:
    """How they come and go.

    Parameters
    ----------
    mean_wait_ns
        Mean time between two who come, exponential, nanoseconds.
    mean_hold_ns
        Mean time until one leaves, exponential, nanoseconds.
    order_max_qty
        Each trades 1 .. so many lots, each alike.
    asset
        What they trade.
    """

    mean_wait_ns: int = 1_000_000_000
    mean_hold_ns: int = 2_000_000_000
    order_max_qty: int = 1
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(min(self.mean_wait_ns, self.mean_hold_ns) > 0, "times above zero")
        wanted(1 <= self.order_max_qty < 1 << 32, "one lot or more")


class RoundTrippers:
    """A crowd of short-term traders."""

    hears_fills = False

    def __init__(self, params: RoundTripParams) -> None:
        self._params = params
        self._draws: Draws | None = None
        self._coming_ns = 0
        self._leaving: list[tuple[int, int, int]] = []

    def start(self, draws: Draws) -> int:
        """Wait for the first to come."""
        self._draws = draws
        self._coming_ns = draws.wait_ns(self._params.mean_wait_ns)
        return self._coming_ns

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Send everybody whose time has come."""
        params, draws, now_ns, leaving = self._params, self._draws, view.now_ns, self._leaving
        assert draws is not None, "an agent is started before it is woken"
        intents: list[Intent] = []
        while leaving and leaving[0][0] <= now_ns:
            _, side, qty = heappop(leaving)
            intents.append(market(params.asset, side, qty))
        while self._coming_ns <= now_ns:
            side, qty = draws.sign(), 1 + draws.below(params.order_max_qty)
            intents.append(market(params.asset, side, qty))
            heappush(leaving, (self._coming_ns + draws.wait_ns(params.mean_hold_ns), -side, qty))
            self._coming_ns += draws.wait_ns(params.mean_wait_ns)
        next_ns = min(self._coming_ns, leaving[0][0]) if leaving else self._coming_ns
        return [*intents, wake_at(max(next_ns, now_ns + 1))]
