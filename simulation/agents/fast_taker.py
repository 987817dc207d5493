"""A fast taker: reads the imbalance of the touch, takes the thin side before it moves, and is out again soon.

With q the share of the bid in what the touch shows, it buys at q >= threshold and sells at q <= 1 - threshold, at the
touch and never beyond; after `hold_ns` it closes at whatever the touch is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulation.agents.checks import wanted
from simulation.book.messages import IOC, LIMIT, MARKET
from simulation.draws import Draws
from simulation.market.protocol import WAKE_AT, Intent, MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class FastTakerParams:
    """How a fast taker decides.

    Parameters
    ----------
    threshold_bps
        Share of one side in the touch at which it acts, basis points, 5 001 .. 10 000.
    clip_qty
        Lots of one order; never more than the touch shows.
    hold_ns
        How long it holds, nanoseconds.
    every_ns
        Between two looks, nanoseconds.
    asset
        What it trades.
    """

    threshold_bps: int = 8_000
    clip_qty: int = 5
    hold_ns: int = 2_000_000_000
    every_ns: int = 10_000_000
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(5_000 < self.threshold_bps <= 10_000, "a share above a half")
        wanted(min(self.clip_qty, self.hold_ns, self.every_ns) > 0, "a size and times above zero")


class FastTaker:
    """Takes what is about to go."""

    hears_fills = False

    def __init__(self, params: FastTakerParams) -> None:
        self._params = params
        self._own_qty: int | None = None
        self._leave_ns = 0

    def start(self, draws: Draws) -> int:
        """Come within the first interval, so that not all of them trade at one instant."""
        return 1 + draws.below(min(self._params.every_ns, 1 << 32))

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Close what is due, else look for an imbalance."""
        params, asset, now_ns = self._params, self._params.asset, view.now_ns
        wake = (WAKE_AT, 0, 0, 0, 0, 0, now_ns + params.every_ns)
        if self._own_qty is None:
            self._own_qty = view.position_qty(asset)
        held_qty = view.position_qty(asset) - self._own_qty
        if view.in_flight:
            return (wake,)
        if held_qty:
            if now_ns < self._leave_ns:
                return (wake,)
            return ((MARKET, asset, -1 if held_qty > 0 else 1, abs(held_qty), 0, 0, 0), wake)
        bids, asks = view.depth(asset, 1, 1), view.depth(asset, -1, 1)
        if not bids or not asks:
            return (wake,)
        (bid_px, bid_qty), (ask_px, ask_qty) = bids[0], asks[0]
        whole = (bid_qty + ask_qty) * params.threshold_bps
        if bid_qty * 10_000 >= whole:
            side, px, qty = 1, ask_px, ask_qty
        elif ask_qty * 10_000 >= whole:
            side, px, qty = -1, bid_px, bid_qty
        else:
            return (wake,)
        self._leave_ns = now_ns + params.hold_ns
        return ((LIMIT, asset, side, min(qty, params.clip_qty), px, IOC, 0), wake)
