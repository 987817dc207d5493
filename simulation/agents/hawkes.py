"""Order flow that excites itself: every order may bring others soon after, as in a linear Hawkes process.

Drawn by its clusters (A. Hawkes and D. Oakes, J. Applied Probability 11, 1974): orders from outside come as a Poisson
process; each order has a Poisson number of children, each after an exponential delay. With n children on average the
rate is that from outside / (1 - n), and the counts of long intervals vary 1 / (1 - n)^2 times as much as Poisson ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from simulation.agents.checks import wanted
from simulation.book.messages import LIMIT, MARKET
from simulation.draws import Draws
from simulation.market.protocol import WAKE_AT, Intent, MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class HawkesParams:
    """How the flow excites itself.

    Parameters
    ----------
    mean_wait_ns
        Mean time between two orders from outside, nanoseconds.
    branching_ratio
        n, children of an order on average, 0-1.
    decay_ns
        Mean delay of a child, nanoseconds.
    same_side_bps
        How many of 10 000 children are on the side of their parent.
    market_bps
        How many of 10 000 orders are market orders; the others join the best price of their own side.
    order_max_qty
        An order is of 1 .. so many lots, each alike.
    asset
        What is traded.
    """

    mean_wait_ns: int = 2_000_000_000
    branching_ratio: float = 0.8
    decay_ns: int = 1_000_000_000
    same_side_bps: int = 7_500
    market_bps: int = 5_000
    order_max_qty: int = 10
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(min(self.mean_wait_ns, self.decay_ns, self.order_max_qty) > 0, "times and a size above zero")
        wanted(0.0 <= self.branching_ratio < 1.0, "fewer than one child on average: else the flow explodes")
        wanted(0 <= self.same_side_bps <= 10_000 and 0 <= self.market_bps <= 10_000, "shares of 0 to 10000")


class HawkesFlow:
    """A crowd whose orders bring orders.

    Attributes
    ----------
    times_ns
        When its orders were sent, by its clock.
    """

    hears_fills = False

    def __init__(self, params: HawkesParams) -> None:
        self.times_ns: list[int] = []
        self._params = params
        self._draws: Draws | None = None
        self._outside_ns = 0
        self._pending: list[tuple[int, int, int]] = []
        self._born_count = 0

    def start(self, draws: Draws) -> int:
        """Wait for the first order from outside."""
        self._draws = draws
        self._outside_ns = draws.wait_ns(self._params.mean_wait_ns)
        return self._outside_ns

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Send every order whose time has come, and bear its children."""
        params, draws, now_ns, pending = self._params, self._draws, view.now_ns, self._pending
        assert draws is not None, "an agent is started before it is woken"
        intents: list[Intent] = []
        while True:
            if pending and pending[0][0] <= min(now_ns, self._outside_ns):
                at_ns, _, side = heappop(pending)
            elif self._outside_ns <= now_ns:
                at_ns, side = self._outside_ns, draws.sign()
                self._outside_ns += draws.wait_ns(params.mean_wait_ns)
            else:
                break
            self._bear(draws, at_ns, side)
            intents.append(self._order(view, draws, side))
            self.times_ns.append(now_ns)
        next_ns = min(self._outside_ns, pending[0][0]) if pending else self._outside_ns
        intents.append((WAKE_AT, 0, 0, 0, 0, 0, next_ns))
        return intents

    def _bear(self, draws: Draws, at_ns: int, side: int) -> None:
        """Set the children of an order: as many as waiting times fit into n."""
        params = self._params
        passed = draws.exponential()
        while passed < params.branching_ratio:
            passed += draws.exponential()
            child_side = side if draws.below(10_000) < params.same_side_bps else -side
            self._born_count += 1
            heappush(self._pending, (at_ns + draws.wait_ns(params.decay_ns), self._born_count, child_side))

    def _order(self, view: MarketView, draws: Draws, side: int) -> Intent:
        params, asset = self._params, self._params.asset
        qty = 1 + draws.below(params.order_max_qty)
        own_px = view.bid(asset) if side > 0 else view.ask(asset)
        if draws.below(10_000) < params.market_bps or not own_px:
            return (MARKET, asset, side, qty, 0, 0, 0)
        return (LIMIT, asset, side, qty, own_px, 0, 0)
