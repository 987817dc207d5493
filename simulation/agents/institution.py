"""An institution: works one large order evenly over a stretch of time, patiently at first, and never behind for long.

At each look so much is due as time has passed. What was due at the look before and is not done crosses the spread; what
has become due since waits at the best price of its own side, or crosses too if the institution is not patient.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulation.agents.checks import wanted
from simulation.book.messages import CANCEL, LIMIT, MARKET
from simulation.draws import Draws
from simulation.market.protocol import WAKE_AT, Intent, MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class InstitutionParams:
    """The large order.

    Parameters
    ----------
    side
        +1 to buy, -1 to sell.
    order_qty
        Lots in all.
    begin_ns
        When it begins, by its own clock, nanoseconds.
    duration_ns
        How long it takes, nanoseconds.
    slices_count
        Looks in that time.
    patient
        Whether what has just become due waits at the touch first.
    asset
        What is traded.
    """

    side: int
    order_qty: int
    begin_ns: int = 0
    duration_ns: int = 3_600_000_000_000
    slices_count: int = 60
    patient: bool = False
    asset: int = 0

    def __post_init__(self) -> None:
        wanted(self.side in {1, -1} and self.order_qty > 0, "a side and a size")
        wanted(
            self.begin_ns >= 0 and 0 < self.slices_count <= self.duration_ns,
            "a time that can be cut into slices",
        )


class Institution:
    """Works one large order."""

    hears_fills = False

    def __init__(self, params: InstitutionParams) -> None:
        self._params = params
        self._own_qty: int | None = None
        self._looks_count = 0

    def start(self, draws: Draws) -> int:
        """Begin at the stated time; nothing is drawn."""
        return max(1, self._params.begin_ns)

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Do what is due."""
        params, asset = self._params, self._params.asset
        if self._own_qty is None:
            self._own_qty = view.position_qty(asset)
        done_qty = params.side * (view.position_qty(asset) - self._own_qty)
        intents: list[Intent] = [(CANCEL, 0, 0, 0, 0, 0, order_id) for order_id in view.open_orders]
        overdue_qty = params.order_qty * self._looks_count // params.slices_count - done_qty
        self._looks_count = min(self._looks_count + 1, params.slices_count)
        due_qty = params.order_qty * self._looks_count // params.slices_count - done_qty
        # What is on its way may yet be filled: to send it again could buy it twice.
        if view.in_flight:
            overdue_qty = due_qty = 0
        touch_px = view.bid(asset) if params.side > 0 else view.ask(asset)
        crossing_qty = max(0, overdue_qty) if params.patient and touch_px else max(0, due_qty)
        if crossing_qty:
            intents.append((MARKET, asset, params.side, crossing_qty, 0, 0, 0))
        waiting_qty = due_qty - crossing_qty
        if waiting_qty > 0:
            intents.append((LIMIT, asset, params.side, waiting_qty, touch_px, 0, 0))
        if done_qty < params.order_qty:
            slice_ns = params.duration_ns // params.slices_count
            intents.append((WAKE_AT, 0, 0, 0, 0, 0, view.now_ns + slice_ns))
        return intents
