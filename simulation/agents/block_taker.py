"""Takers in a hurry: they come by chance, buy or sell by chance, and take all they want at once.

Sizes follow a power law, as those of trades do (X. Gabaix, P. Gopikrishnan, V. Plerou and H. E. Stanley, Nature 423,
2003). One such agent stands for a crowd. Its large orders go through several levels: fat tails without memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulation.agents.checks import wanted
from simulation.agents.power_law import pareto
from simulation.draws import Draws
from simulation.market.protocol import Intent, MarketView, market, wake_at


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTakerParams:
    """What the crowd does.

    Parameters
    ----------
    mean_wait_ns
        Mean time between two orders, exponential, nanoseconds.
    tail_ratio
        alpha of P(lots > n) = (n / least)^-alpha, above 1.
    order_min_qty, order_max_qty
        Smallest and largest order, lots.
    asset
        What it trades.
    """

    mean_wait_ns: int = 5_000_000_000
    tail_ratio: float = 1.5
    order_min_qty: int = 1
    order_max_qty: int = 100
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(self.mean_wait_ns > 0, "a time above zero")
        wanted(1.0 < self.tail_ratio < 10.0, "an exponent above 1")
        wanted(1 <= self.order_min_qty <= self.order_max_qty, "sizes in order, one lot or more")


class BlockTaker:
    """A crowd that takes."""

    hears_fills = False

    def __init__(self, params: BlockTakerParams) -> None:
        self._params = params
        self._draws: Draws | None = None

    def start(self, draws: Draws) -> int:
        """Come by chance."""
        self._draws = draws
        return draws.wait_ns(self._params.mean_wait_ns)

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Take, and come again."""
        params, draws = self._params, self._draws
        assert draws is not None, "an agent is started before it is woken"
        side = draws.sign()
        lots = params.order_min_qty * pareto(draws, params.tail_ratio)
        qty = min(params.order_max_qty, int(lots) + (lots > int(lots)))
        return (
            market(params.asset, side, qty),
            wake_at(view.now_ns + draws.wait_ns(params.mean_wait_ns)),
        )
