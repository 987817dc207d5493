"""What an agent may see and what it may ask: the whole of the wire between an agent and the market.

An agent is woken, looks, and answers with intents. It is called at the instant at which what it sees left the market;
by its own clock it is later by the latency of its feed, and what it asks reaches the market later again by the latency
of its orders. So nothing it acts on can lie in its future, and a view is the market itself instead of a copy of it.

Prices are whole ticks, quantities whole lots, money whole units, times whole nanoseconds from 0; a side is +1 or -1.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from simulation.book.messages import AMEND, CANCEL, GTC, LIMIT, MARKET, STOP
from simulation.draws import Draws

CANCEL_ALL: Final = 6
WAKE_AT: Final = 7
INDICATE: Final = 8

NEVER: Final = -1
"""A first wake-up that does not come: such an agent is woken by its fills and by what it is told alone."""

Intent = tuple[int, int, int, int, int, int, int]
"""(what, asset, side, qty, px, tif, extra), as the functions below make it; an agent that sends much writes it out."""

Fill = tuple[int, int, int, int, int, int, int]
"""(order id, asset, own side, px, qty, 1 as maker and 0 as taker, instant in the market, nanoseconds)."""

OpenOrder = tuple[int, int, int, int]
"""(asset, side, px, leaves qty); the price of a stop is its trigger."""

Told = tuple[int, str, int, float]
"""(published at, nanoseconds; a `market.information.Source`; asset; what it says: ticks, of flow signed lots)."""


def limit(asset: int, side: int, qty: int, px: int, tif: int = GTC, display_qty: int = 0) -> Intent:
    """Ask for a limit order.

    Parameters
    ----------
    asset
        Number of the asset.
    side
        +1 to buy, -1 to sell.
    qty
        Lots, > 0.
    px
        Ticks, > 0.
    tif
        Time in force, a code of `simulation.book.messages`.
    display_qty
        Lots shown of an iceberg; 0 shows all.
    """
    return (LIMIT, asset, side, qty, px, tif, display_qty)


def market(asset: int, side: int, qty: int) -> Intent:
    """Ask for so many lots at any price that the account can pay; what finds none is canceled."""
    return (MARKET, asset, side, qty, 0, 0, 0)


def stop(asset: int, side: int, qty: int, trigger_px: int, px: int = 0) -> Intent:
    """Ask for an order that waits for the last price to reach a trigger, ticks; at a limit px, or any price for 0."""
    return (STOP, asset, side, qty, px, 0, trigger_px)


def cancel(order_id: int) -> Intent:
    """Ask for the rest of an order of one's own to be taken back."""
    return (CANCEL, 0, 0, 0, 0, 0, order_id)


def amend(order_id: int, px: int, qty: int) -> Intent:
    """Ask for another price, ticks, and another open quantity, lots, of an order of one's own."""
    return (AMEND, 0, 0, qty, px, 0, order_id)


def cancel_all(asset: int) -> Intent:
    """Ask for every own order in an asset to be taken back."""
    return (CANCEL_ALL, asset, 0, 0, 0, 0, 0)


def indicate(asset: int, side: int, qty: int) -> Intent:
    """Say which order one is about to send: whoever listens to the flow learns its side and lots, and no name."""
    return (INDICATE, asset, side, qty, 0, 0, 0)


def wake_at(at_ns: int) -> Intent:
    """Ask to be woken when the own clock reads so many nanoseconds."""
    return (WAKE_AT, 0, 0, 0, 0, 0, at_ns)


class MarketView(Protocol):
    """What one agent sees at one wake-up: public prices, its own account, what it was told. Valid during the call."""

    @property
    def now_ns(self) -> int:
        """The agent's own clock, nanoseconds."""

    @property
    def participant(self) -> int:
        """The agent's own number."""

    def bid(self, asset: int) -> int:
        """Return the best bid, ticks; 0 if there is none."""

    def ask(self, asset: int) -> int:
        """Return the best ask, ticks; 0 if there is none."""

    def mid2(self, asset: int) -> int:
        """Return twice the mid, ticks, so that it is whole; twice the last price while a side is empty."""

    def last_px(self, asset: int) -> int:
        """Return the price of the last trade, ticks; before any, the asset's first price."""

    def depth(self, asset: int, side: int, levels: int) -> Sequence[tuple[int, int]]:
        """Return (px, qty) of the best levels of bids (+1) or asks (-1), best first."""

    def volume_qty(self, asset: int) -> int:
        """Return lots traded since the beginning."""

    def signed_qty(self, asset: int) -> int:
        """Return lots that takers bought less lots that takers sold since the beginning."""

    @property
    def cash(self) -> int:
        """Money free to be spent: not what open buy orders have reserved."""

    def position_qty(self, asset: int) -> int:
        """Return lots owned, those reserved by open sell orders included; below zero if borrowed."""

    @property
    def open_orders(self) -> Mapping[int, OpenOrder]:
        """Own orders that wait in the market, by order id, oldest first."""

    @property
    def in_flight(self) -> int:
        """How many own intents have not reached the market yet."""

    @property
    def refused(self) -> int:
        """How many own intents the market has refused so far."""

    @property
    def fills(self) -> Sequence[Fill]:
        """Own fills since the last wake-up, for an agent that hears them."""

    @property
    def told(self) -> Sequence[Told]:
        """What the agent was told since the last wake-up."""

    @property
    def scale(self) -> int:
        """Money for one tick times one lot."""


class Agent(Protocol):
    """One participant. What it keeps between wake-ups is its own; it has a stream of random numbers and no clock."""

    hears_fills: bool
    """Whether its own fills are kept for it and wake it."""

    def start(self, draws: Draws) -> int:
        """Begin a run: return when to be woken first, nanoseconds by its own clock, or `NEVER`.

        Parameters
        ----------
        draws
            The agent's own stream.
        """

    def on_wakeup(self, view: MarketView) -> Sequence[Intent]:
        """Look, and say what is wanted.

        Parameters
        ----------
        view
            The market as it reached the agent.
        """
