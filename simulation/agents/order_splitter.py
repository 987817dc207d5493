"""Traders who cut large orders into small ones: what makes the signs of trades remember for so long.

Lengths follow a power law, so that now and then an order goes on for very long (F. Lillo, S. Mike and J. D. Farmer,
Physical Review E 71, 2005: with an exponent alpha the autocorrelation of signs fades as lag^-(alpha - 1)).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulation.agents.checks import wanted
from simulation.draws import Draws
from simulation.market.protocol import Intent, MarketView, market, wake_at


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSplitterParams:
    """What a splitter does.

    Parameters
    ----------
    mean_idle_ns
        Mean time between two large orders, exponential, nanoseconds.
    mean_wait_ns
        Mean time between two pieces of one, exponential, nanoseconds.
    tail_ratio
        alpha of P(pieces > n) = (n / least)^-alpha, above 1.
    pieces_min_count, pieces_max_count
        Shortest and longest order, pieces.
    piece_qty
        A piece is of 1 .. so many lots, each alike.
    touch_bps
        Of what is quoted at the best price across, a piece takes at most so many basis points; 0 asks nobody.
    asset
        What it trades.
    """

    mean_idle_ns: int = 60_000_000_000
    mean_wait_ns: int = 1_000_000_000
    tail_ratio: float = 1.5
    pieces_min_count: int = 1
    pieces_max_count: int = 2_000
    piece_qty: int = 5
    touch_bps: int = 0
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(self.mean_idle_ns > 0 and self.mean_wait_ns > 0, "times above zero")
        wanted(1.0 < self.tail_ratio < 10.0, "an exponent above 1")
        wanted(1 <= self.pieces_min_count <= self.pieces_max_count, "lengths in order")
        wanted(self.piece_qty >= 1, "a piece of one lot or more")
        wanted(0 <= self.touch_bps <= 10_000, "a share of 0 to 10000 basis points")


@dataclass(frozen=True, slots=True)
class WorkedOrder:
    """A large order from its first piece to its last.

    Parameters
    ----------
    side
        +1 or -1.
    begun_ns, ended_ns
        When its first and its last piece were sent, by the agent's clock.
    """

    side: int
    begun_ns: int
    ended_ns: int


class OrderSplitter:
    """Works one large order after the other, with market orders.

    Attributes
    ----------
    worked
        What has been finished.
    """

    hears_fills = False

    def __init__(self, params: OrderSplitterParams) -> None:
        self._params = params
        self._draws: Draws | None = None
        self._side = 1
        self._left = 0
        self._begun_ns = 0
        self.worked: list[WorkedOrder] = []

    def start(self, draws: Draws) -> int:
        """Wait for the first order."""
        self._draws = draws
        return draws.wait_ns(self._params.mean_idle_ns)

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Send the next piece; with the last one, wait for the next order."""
        params, draws, now_ns = self._params, self._draws, view.now_ns
        assert draws is not None, "an agent is started before it is woken"
        if not self._left:
            self._side = draws.sign()
            self._left = self._pieces(draws)
            self._begun_ns = now_ns
        qty = 1 + draws.below(params.piece_qty)
        if params.touch_bps:
            shown = view.depth(params.asset, -self._side, 1)
            qty = min(qty, max(1, shown[0][1] * params.touch_bps // 10_000)) if shown else qty
        self._left -= 1
        if self._left:
            later_ns = draws.wait_ns(params.mean_wait_ns)
        else:
            self.worked.append(WorkedOrder(self._side, self._begun_ns, now_ns))
            later_ns = draws.wait_ns(params.mean_idle_ns)
        return [market(params.asset, self._side, qty), wake_at(now_ns + later_ns)]

    def _pieces(self, draws: Draws) -> int:
        # A waiting time of mean 1 / alpha is the logarithm of a Pareto number; by doubling, without a library's power.
        params = self._params
        length = params.pieces_min_count * _exp(draws.exponential() / params.tail_ratio)
        return min(params.pieces_max_count, int(length) + (length > int(length)))


def _exp(exponent: float) -> float:
    """Raise e to a power, with the basic operations alone, so that every machine gives the same."""
    halvings = 0
    while exponent > 0.125:
        exponent /= 2.0
        halvings += 1
    term, total = 1.0, 1.0
    for number in range(1, 12):
        term *= exponent / number
        total += term
    for _ in range(halvings):
        total *= total
    return total
