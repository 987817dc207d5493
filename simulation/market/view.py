"""What one agent sees of a running market: read from the books and the house as it is asked, nothing is copied."""

from collections.abc import Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from simulation.market.exchange import Exchange
from simulation.market.information import Inbox
from simulation.market.protocol import Fill, OpenOrder, Told


class LiveView:
    """A `MarketView` of one participant.

    Parameters
    ----------
    exchange
        The market.
    participant
        Whose view it is.
    inboxes
        What it is told beyond prices.

    Attributes
    ----------
    asked_ns
        Instant at which what is seen left the market.
    """

    __slots__ = (
        *("_books", "_exchange", "_inboxes"),
        *("asked_ns", "fills", "in_flight", "now_ns", "open_orders", "participant"),
    )

    def __init__(self, exchange: Exchange, participant: int, inboxes: Sequence[Inbox]) -> None:
        self.participant = participant
        self.now_ns = 0
        self.in_flight = 0
        self.fills: Sequence[Fill] = ()
        self.open_orders: Mapping[int, OpenOrder] = MappingProxyType(exchange.open_orders[participant])
        self._exchange = exchange
        self._books = exchange.books
        self._inboxes = inboxes
        self.asked_ns = 0

    def bid(self, asset: int) -> int:
        """Return the best bid, ticks; 0 if there is none."""
        return self._books[asset].best_bid

    def ask(self, asset: int) -> int:
        """Return the best ask, ticks; 0 if there is none."""
        return self._books[asset].best_ask

    def mid2(self, asset: int) -> int:
        """Return twice the mid, ticks; twice the last price while a side is empty."""
        return self._exchange.mid2(asset)

    def last_px(self, asset: int) -> int:
        """Return the price of the last trade, ticks; before any, the asset's first price."""
        return self._exchange.last_pxs[asset]

    def depth(self, asset: int, side: int, levels: int) -> Sequence[tuple[int, int]]:
        """Return (px, qty) of the best levels of bids (+1) or asks (-1), best first."""
        return self._books[asset].depth(side, levels)

    def volume_qty(self, asset: int) -> int:
        """Return lots traded since the beginning."""
        return self._exchange.volumes_qty[asset]

    def signed_qty(self, asset: int) -> int:
        """Return lots that takers bought less lots that takers sold since the beginning."""
        return self._exchange.signed_qty[asset]

    @property
    def cash(self) -> int:
        """Money free to be spent."""
        return self._exchange.house.free[self.participant]

    def position_qty(self, asset: int) -> int:
        """Return lots owned; below zero if borrowed."""
        return self._exchange.house.shares[asset][self.participant]

    @property
    def refused(self) -> int:
        """How many own intents the market has refused so far."""
        return self._exchange.refused[self.participant]

    @property
    def told(self) -> Sequence[Told]:
        """What the agent was told since it last asked, in order of publication."""
        inboxes = self._inboxes
        if len(inboxes) == 1:
            return inboxes[0].collect(self.asked_ns)
        return sorted(chain.from_iterable(inbox.collect(self.asked_ns) for inbox in inboxes))

    @property
    def scale(self) -> int:
        """Money for one tick times one lot."""
        return self._exchange.house.scale
