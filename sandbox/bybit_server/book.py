"""Price-time priority limit order book in whole ticks and lots. It knows orders by id, not their owners."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final


class Side(StrEnum):
    """Direction of an order, spelled as on the wire."""

    BUY = "Buy"
    SELL = "Sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The side it trades against."""
        return Side.SELL if self is Side.BUY else Side.BUY


class TimeInForce(StrEnum):
    """What becomes of the part that does not trade at once."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    POST_ONLY = "PostOnly"


class End(Enum):
    """How a submission left the matching loop."""

    RESTS = auto()
    FILLED = auto()
    REMAINDER_DROPPED = auto()
    NOT_ALL_FILLABLE = auto()
    WOULD_TAKE = auto()
    MEETS_OWN = auto()


@dataclass(slots=True)
class Resting:
    """One order in a queue of the book."""

    order_id: str
    side: Side
    px_ticks: int
    lots: int


@dataclass(frozen=True, slots=True)
class Match:
    """One trade between the incoming order and the head of a queue."""

    maker_id: str
    px_ticks: int
    lots: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything a submission did."""

    end: End
    matches: tuple[Match, ...]
    leaves_lots: int


Queue = dict[str, Resting]


class HalfBook:
    """One side of the book: queues by price, best price first.

    Keys are prices times minus the side's sign, so that on both sides the smallest key is the best price.
    """

    def __init__(self, side: Side) -> None:
        self.side: Final = side
        self._flip: Final = -side.sign
        self._keys: list[int] = []
        self._queues: dict[int, Queue] = {}
        self._totals: dict[int, int] = {}

    def best(self) -> int | None:
        """Return the best price in ticks, or None when the side is empty."""
        return self._keys[0] * self._flip if self._keys else None

    def worst(self) -> int | None:
        """Return the price in ticks furthest from trading, or None when the side is empty."""
        return self._keys[-1] * self._flip if self._keys else None

    def total(self, px_ticks: int) -> int:
        """Return the lots resting at a price."""
        return self._totals.get(px_ticks, 0)

    def levels(self, depth: int) -> list[tuple[int, int]]:
        """Return up to ``depth`` pairs of price in ticks and lots, best first."""
        flip, totals = self._flip, self._totals
        return [(key * flip, totals[key * flip]) for key in self._keys[:depth]]

    def prices(self) -> list[int]:
        """Return every price in ticks at which something rests, best first."""
        return [key * self._flip for key in self._keys]

    def better_than(self, px_ticks: int) -> list[int]:
        """Return the prices that trade before ``px_ticks``, best first."""
        place = bisect_left(self._keys, px_ticks * self._flip)
        return [key * self._flip for key in self._keys[:place]]

    def orders(self) -> Iterator[Resting]:
        """Yield every resting order in priority sequence."""
        for key in self._keys:
            yield from self._queues[key * self._flip].values()

    def head(self) -> Resting | None:
        """Return the order that trades next."""
        if not self._keys:
            return None
        return next(iter(self._queues[self._keys[0] * self._flip].values()))

    def queue(self, px_ticks: int) -> list[Resting]:
        """Return the orders at a price, oldest first."""
        return list(self._queues.get(px_ticks, {}).values())

    def append(self, order: Resting) -> None:
        """Put an order at the end of the queue of its price."""
        queue = self._queues.get(order.px_ticks)
        if queue is None:
            queue = self._queues[order.px_ticks] = {}
            self._totals[order.px_ticks] = 0
            insort(self._keys, order.px_ticks * self._flip)
        queue[order.order_id] = order
        self._totals[order.px_ticks] += order.lots

    def lay(self, px_ticks: int, orders: list[Resting]) -> None:
        """Make these orders the queue of a price, whatever it was before."""
        if px_ticks in self._queues and not orders:
            del self._queues[px_ticks], self._totals[px_ticks]
            del self._keys[bisect_left(self._keys, px_ticks * self._flip)]
        elif orders:
            if px_ticks not in self._queues:
                insort(self._keys, px_ticks * self._flip)
            self._queues[px_ticks] = {order.order_id: order for order in orders}
            self._totals[px_ticks] = sum(order.lots for order in orders)

    def shrink(self, order: Resting, lots: int) -> None:
        """Take ``lots`` off an order, and the order off the book when nothing is left."""
        assert 0 < lots <= order.lots
        order.lots -= lots
        self._totals[order.px_ticks] -= lots
        if order.lots:
            return
        queue = self._queues[order.px_ticks]
        del queue[order.order_id]
        if not queue:
            del self._queues[order.px_ticks], self._totals[order.px_ticks]
            del self._keys[bisect_left(self._keys, order.px_ticks * self._flip)]


class OrderBook:
    """Both sides and the matching loop."""

    def __init__(self) -> None:
        self.bids: Final = HalfBook(Side.BUY)
        self.asks: Final = HalfBook(Side.SELL)
        self._orders: dict[str, Resting] = {}
        self.version = 0

    def half(self, side: Side) -> HalfBook:
        """Return the side on which orders of ``side`` rest."""
        return self.bids if side is Side.BUY else self.asks

    def find(self, order_id: str) -> Resting | None:
        """Return a resting order by id."""
        return self._orders.get(order_id)

    def would_take(self, side: Side, px_ticks: int) -> bool:
        """Tell whether an order at ``px_ticks`` would trade on arrival."""
        best = self.half(side.opposite).best()
        return best is not None and (px_ticks - best) * side.sign >= 0

    def fillable_lots(self, side: Side, limit_ticks: int, enough_lots: int, own: Container[str] = ()) -> int:
        """Return the lots an order could take up to its limit from others; counting stops at ``enough_lots``."""
        lots = 0
        for resting in self.half(side.opposite).orders():
            if resting.order_id in own:
                continue
            if (limit_ticks - resting.px_ticks) * side.sign < 0 or lots >= enough_lots:
                break
            lots += resting.lots
        return min(lots, enough_lots)

    def affordable_lots(self, side: Side, limit_ticks: int, budget: int) -> int:
        """Return the lots an order can trade for an amount in ticks times lots, up to its limit price."""
        lots = 0
        for resting in self.half(side.opposite).orders():
            if (limit_ticks - resting.px_ticks) * side.sign < 0:
                break
            taken = min(resting.lots, budget // resting.px_ticks)
            lots += taken
            budget -= taken * resting.px_ticks
            if taken < resting.lots:
                break
        return lots

    def submit(
        self,
        order_id: str,
        side: Side,
        px_ticks: int,
        lots: int,
        tif: TimeInForce,
        own: Container[str] = (),
    ) -> Outcome:
        """Match an incoming order, then rest or drop what is left according to its time in force.

        It halts in front of an order of ``own``, which it must not trade with: what is left is then nowhere, and
        the caller decides which of the two has to go.
        """
        assert lots > 0
        assert order_id not in self._orders
        if tif is TimeInForce.POST_ONLY and self.would_take(side, px_ticks):
            return Outcome(End.WOULD_TAKE, (), lots)
        if tif is TimeInForce.FOK and self.fillable_lots(side, px_ticks, lots, own) < lots:
            return Outcome(End.NOT_ALL_FILLABLE, (), lots)
        matches, leaves_lots, meets_own = self._match(side, px_ticks, lots, own)
        if not leaves_lots:
            return Outcome(End.FILLED, matches, 0)
        if meets_own:
            return Outcome(End.MEETS_OWN, matches, leaves_lots)
        if tif is TimeInForce.IOC:
            return Outcome(End.REMAINDER_DROPPED, matches, leaves_lots)
        self._rest(Resting(order_id, side, px_ticks, leaves_lots))
        return Outcome(End.RESTS, matches, leaves_lots)

    def cancel(self, order_id: str) -> int | None:
        """Remove a resting order; return the lots it had left, or None when it is not there."""
        order = self._orders.pop(order_id, None)
        if order is None:
            return None
        lots = order.lots
        self.half(order.side).shrink(order, lots)
        self.version += 1
        return lots

    def lay(self, side: Side, px_ticks: int, orders: list[Resting]) -> None:
        """Make these orders the queue of a price, the first to trade first; nothing is matched.

        A recorded book is laid down as it was, crossed or not.
        """
        half = self.half(side)
        for gone in half.queue(px_ticks):
            del self._orders[gone.order_id]
        half.lay(px_ticks, orders)
        self._orders.update({order.order_id: order for order in orders})
        self.version += 1

    def take_from(self, order_id: str, lots: int) -> Match:
        """Trade against one resting order wherever it stands in its queue."""
        order = self._orders[order_id]
        self.half(order.side).shrink(order, lots)
        if not order.lots:
            del self._orders[order_id]
        self.version += 1
        return Match(order_id, order.px_ticks, lots)

    def amend(
        self, order_id: str, px_ticks: int, lots: int, tif: TimeInForce, own: Container[str] = ()
    ) -> Outcome:
        """Give a resting order a new price and new leaves.

        Less quantity at the same price keeps its place in the queue; any other change sends the order to
        the back, and it may trade on the way.
        """
        order = self._orders[order_id]
        if px_ticks == order.px_ticks and lots <= order.lots:
            if lots < order.lots:
                self.half(order.side).shrink(order, order.lots - lots)
                self.version += 1
            return Outcome(End.RESTS, (), lots)
        self.cancel(order_id)
        return self.submit(order_id, order.side, px_ticks, lots, tif, own)

    def _match(
        self, side: Side, limit_ticks: int, lots: int, own: Container[str]
    ) -> tuple[tuple[Match, ...], int, bool]:
        opposite = self.half(side.opposite)
        matches: list[Match] = []
        meets_own = False
        while lots:
            maker = opposite.head()
            if maker is None or (limit_ticks - maker.px_ticks) * side.sign < 0:
                break
            if maker.order_id in own:
                meets_own = True
                break
            traded = min(lots, maker.lots)
            matches.append(Match(maker.order_id, maker.px_ticks, traded))
            opposite.shrink(maker, traded)
            if not maker.lots:
                del self._orders[maker.order_id]
            lots -= traded
        if matches:
            self.version += 1
        return tuple(matches), lots, meets_own

    def _rest(self, order: Resting) -> None:
        self._orders[order.order_id] = order
        self.half(order.side).append(order)
        self.version += 1
