"""Where clients wait in the queue of one price of a recorded book.

A recording knows the total of a level, so the lots of others in it are one amount, parted by the orders of
clients: so many ahead of the first, so many between it and the next. Reading and laying down that order is all
that is done here; what it should become is decided by who plays the recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sandbox.bybit_server.book import OrderBook, Resting, Side
from sandbox.bybit_server.market_source import CROWD_PREFIX


@dataclass(slots=True)
class Place:
    """An order of a client, and how many lots of others trade before it."""

    order: Resting
    ahead_lots: int


class Queues:
    """The queues of one book, seen as lots of others with places of clients between them."""

    def __init__(self, book: OrderBook) -> None:
        self._book: Final = book
        self._left_behind: dict[str, int] = {}

    def others(self, side: Side, px_ticks: int) -> int:
        """Return the lots at a price that belong to no client."""
        return sum(r.lots for r in self._book.half(side).queue(px_ticks) if _is_others(r))

    def places(self, side: Side, px_ticks: int) -> list[Place]:
        """Return the clients' orders at a price, the first to trade first."""
        ahead, found = 0, []
        for resting in self._book.half(side).queue(px_ticks):
            if _is_others(resting):
                ahead += resting.lots
            else:
                found.append(Place(resting, self._left_behind.get(resting.order_id, ahead)))
        return found

    def lay(self, side: Side, px_ticks: int, others_lots: int, places: list[Place]) -> None:
        """Let so many lots of others rest at a price, with clients in their places between them.

        A place that is further back than there are lots is kept in mind until there are: after the book was
        cleared, its snapshot must not carry a client forward.
        """
        queue: list[Resting] = []
        laid, pieces = 0, 0
        for place in places:
            ahead = min(place.ahead_lots, others_lots)
            if ahead > laid:
                queue.append(Resting(_piece_id(side, px_ticks, pieces), side, px_ticks, ahead - laid))
                laid, pieces = ahead, pieces + 1
            queue.append(place.order)
            if place.ahead_lots > others_lots:
                self._left_behind[place.order.order_id] = place.ahead_lots
            else:
                self._left_behind.pop(place.order.order_id, None)
        if others_lots > laid:
            queue.append(Resting(_piece_id(side, px_ticks, pieces), side, px_ticks, others_lots - laid))
        self._book.lay(side, px_ticks, queue)

    def clear(self, side: Side) -> None:
        """Take all lots of others off a side; clients stay, and remember how many were ahead of them."""
        self._left_behind = {
            order_id: ahead for order_id, ahead in self._left_behind.items() if self._book.find(order_id)
        }
        for px_ticks in self._book.half(side).prices():
            self.lay(side, px_ticks, 0, self.places(side, px_ticks))

    def reached(self, side: Side, px_ticks: int) -> list[Resting]:
        """Return the clients' orders resting on ``side`` that trade at ``px_ticks`` or before it, best first."""
        found = []
        for resting in self._book.half(side).orders():
            if (resting.px_ticks - px_ticks) * side.sign < 0:
                break
            if not _is_others(resting):
                found.append(resting)
        return found


def _is_others(resting: Resting) -> bool:
    return resting.order_id.startswith(CROWD_PREFIX)


def _piece_id(side: Side, px_ticks: int, number: int) -> str:
    return f"{CROWD_PREFIX}{side}.{px_ticks}.{number}"
