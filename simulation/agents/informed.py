"""An informed trader: has signals of the value, trades while the price is wrong by more than its edge, and hides.

It averages its signals, takes at the touch only, at most a share of what is shown there, and waits while the spread is
wider than it is used to. Its orders so look like anybody's, and it pays little for what it knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulation.agents.checks import wanted
from simulation.book.messages import IOC, LIMIT
from simulation.draws import Draws
from simulation.market.protocol import WAKE_AT, Intent, MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class InformedParams:
    """How an informed trader decides.

    Parameters
    ----------
    edge_bps
        It trades if its estimate lies so much beyond the best price across, basis points.
    touch_bps
        Most of the lots shown there for one order, basis points; at least one lot.
    signal_ratio
        Weight of a new signal in its estimate, above 0 to 1.
    spread_ratio
        It waits while the spread is more than so many times its running mean.
    limit_qty
        Most lots away from what it began with.
    order_max_qty
        Most lots of one order.
    mean_wait_ns
        Mean time between two looks, exponential, nanoseconds.
    asset
        What it trades.
    """

    edge_bps: float = 10.0
    touch_bps: int = 3_000
    signal_ratio: float = 0.5
    spread_ratio: float = 1.5
    limit_qty: int = 1_000
    order_max_qty: int = 50
    mean_wait_ns: int = 1_000_000_000
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(
            self.edge_bps >= 0.0 and 0 < self.touch_bps <= 10_000,
            "an edge of 0 or more, a share of 1 to 10000",
        )
        wanted(
            0.0 < self.signal_ratio <= 1.0 and self.spread_ratio >= 1.0,
            "a weight of 0 to 1, a spread of 1 or more",
        )
        wanted(min(self.limit_qty, self.order_max_qty, self.mean_wait_ns) > 0, "sizes and a time above zero")


class InformedTrader:
    """Trades one asset on signals of its own."""

    hears_fills = False

    def __init__(self, params: InformedParams) -> None:
        self._params = params
        self._draws: Draws | None = None
        self._estimate = 0.0
        self._spread = 0.0
        self._own_qty: int | None = None

    def start(self, draws: Draws) -> int:
        """Come by chance."""
        self._draws = draws
        return draws.wait_ns(self._params.mean_wait_ns)

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Learn from signals and spread, then trade if it pays and does not show."""
        params, draws, asset = self._params, self._draws, self._params.asset
        assert draws is not None, "an agent is started before it is woken"
        for _, _, told_asset, signal in view.told:
            if told_asset == asset:
                known = self._estimate
                self._estimate = known + params.signal_ratio * (signal - known) if known else signal
        if self._own_qty is None:
            self._own_qty = view.position_qty(asset)
        wake = (WAKE_AT, 0, 0, 0, 0, 0, view.now_ns + draws.wait_ns(params.mean_wait_ns))
        bid, ask = view.bid(asset), view.ask(asset)
        if not bid or not ask or not self._estimate:
            return (wake,)
        usual = self._spread or float(ask - bid)
        self._spread = usual + 0.05 * (ask - bid - usual)
        if view.in_flight or ask - bid > params.spread_ratio * usual:
            return (wake,)
        edge = params.edge_bps / 10_000.0
        if self._estimate >= ask * (1.0 + edge):
            side, px = 1, ask
        elif self._estimate <= bid * (1.0 - edge):
            side, px = -1, bid
        else:
            return (wake,)
        shown_qty = view.depth(asset, -side, 1)[0][1]
        room_qty = params.limit_qty - side * (view.position_qty(asset) - self._own_qty)
        qty = min(max(1, shown_qty * params.touch_bps // 10_000), params.order_max_qty, room_qty)
        return ((LIMIT, asset, side, qty, px, IOC, 0), wake) if qty > 0 else (wake,)
