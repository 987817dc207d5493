"""The book of a market of agents where a venue keeps it: every order goes there, and what others do comes from there.

Participants of the venue whom nobody here knows sit together in one seat, the guests'. An agent that meets an order of
theirs trades with that seat; what they take of the agents' orders is entered as an order of that seat (`begin`). So the
clearing house sees two sides to every trade, and the agents' cash and lots add up.

The venue has no stops, no hidden quantities and no amendments for agents: those are rejected here.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from backtest.market.venue_line import Did, Go, Levels, Line, No
from simulation.book.messages import (
    ACCEPTED,
    BAD_DISPLAY,
    BAD_KIND,
    CANCELED,
    FILL,
    FOK,
    GTC,
    IOC,
    NO_REASON,
    NOT_FILLABLE,
    NOTHING_LEFT,
    REQUESTED,
    SELF_TRADE,
    UNKNOWN_ORDER,
    WOULD_TAKE,
    Outcome,
)

Row = tuple[int, ...]
"""The fields of an `Outcome`, in order."""

Meet = Callable[[int, int, int], int]
"""Have the guests rest an order that is about to trade: side, px, qty; gives its number."""

_REASONS: Final = {"would-take": WOULD_TAKE, "not-fillable": NOT_FILLABLE, "unknown": UNKNOWN_ORDER}


class VenueBook:
    """An `OrderBook` at the other end of a line.

    Parameters
    ----------
    line
        To the venue.
    guests
        Number of the guests' seat.

    Attributes
    ----------
    meet
        How the guests' orders come into the market; to be set before the first message.
    best_bid, best_ask
        Best prices, ticks; 0 is none.
    last_px
        Price of the last trade of an agent, ticks; 0 is none yet.
    """

    def __init__(self, line: Line, guests: int) -> None:
        self._line: Final = line
        self._guests: Final = guests
        self._orders: dict[int, list[int]] = {}
        self._rows: list[Row] = []
        self._taken: deque[tuple[tuple[int, int], ...]] = deque()
        self._gone: set[int] = set()
        self._depths: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}
        self.meet: Meet = _nobody
        self.best_bid = 0
        self.best_ask = 0
        self.last_px = 0

    def begin(self, go: Go) -> list[tuple[int, int, int, int]]:
        """Learn what happened since the last moment.

        Returns
        -------
        list
            What is to be entered now, in order: the guests' orders as (side, worst px, qty, 0), and cancels of orders
            that are gone as (0, 0, 0, order id). As they arrive they are answered from what was learned.

        Raises
        ------
        ValueError
            If it concerns an order that does not rest.
        """
        self._see(go.bid_px, go.ask_px)
        due = []
        for side, parts in go.taken:
            pxs = [self._orders[order_id][2] for order_id, _ in parts if order_id in self._orders]
            if len(pxs) < len(parts) or side not in {1, -1}:
                raise ValueError(f"the venue says that orders were taken which do not rest: {parts}")
            self._taken.append(parts)
            due.append((side, max(pxs) if side > 0 else min(pxs), sum(qty for _, qty in parts), 0))
        for order_id in go.gone:
            if order_id not in self._orders:
                raise ValueError(f"the venue says that order {order_id} is gone, which did not rest")
            self._gone.add(order_id)
            due.append((0, 0, 0, order_id))
        return due

    def owner(self, order_id: int) -> int:
        """Whose order it is that rests under this number."""
        return self._orders[order_id][0]

    @property
    def is_settled(self) -> bool:
        """Whether all that `begin` has learned has been entered."""
        return not (self._taken or self._gone)

    # ------------------------------------------------------------------ messages

    def limit(
        self, order_id: int, owner: int, side: int, px: int, qty: int, tif: int = GTC, display: int = 0, /
    ) -> int:
        """Send an order; one of the guests is already there."""
        if owner == self._guests:
            return self._guest(order_id, side, px, qty, tif)
        if display:
            return self._reject(BAD_DISPLAY)
        self._line.send("limit", order_id, owner, side, px, qty, tif)
        match self._line.receive():
            case Did(happened=happened, leaves_qty=leaves) as did:
                pass
            case No() as no if no.why in _REASONS:
                self._see(no.bid_px, no.ask_px)
                return self._reject(_REASONS[no.why])
            case said:
                raise ValueError(f"the venue answers an order with {said}")
        self._see(did.bid_px, did.ask_px)
        open_qty = qty
        rows: list[Row] = [(ACCEPTED, NO_REASON, order_id, owner, side, px, qty, qty, 0, 0, 0)]
        for maker_id, traded_px, traded_qty in happened:
            if not traded_qty:
                rows.append(self._cancel(maker_id, SELF_TRADE))
                continue
            open_qty -= traded_qty
            met = maker_id or self.meet(-side, traded_px, traded_qty)
            rows.append(self._fill(order_id, owner, side, traded_qty, open_qty, met))
        if open_qty != leaves:
            raise ValueError(f"{qty} lots less {happened} do not leave {leaves}")
        if leaves and tif in {IOC, FOK}:
            rows.append((CANCELED, NOTHING_LEFT, order_id, owner, side, px, leaves, 0, 0, 0, 0))
        elif leaves:
            self._orders[order_id] = [owner, side, px, leaves]
        self._rows = rows
        return len(rows)

    def market(self, order_id: int, owner: int, side: int, qty: int, /) -> int:
        """Reject: the market makes limits of them."""
        return self._reject(BAD_KIND)

    def cancel(self, order_id: int, /) -> int:
        """Withdraw an order; one that is gone is gone."""
        if order_id in self._gone:
            self._gone.remove(order_id)
        elif order_id not in self._orders:
            return self._reject(UNKNOWN_ORDER)
        elif self._orders[order_id][0] != self._guests:
            self._line.send("cancel", order_id)
            match self._line.receive():
                case Did() as did if did.leaves_qty == self._orders[order_id][3]:
                    self._see(did.bid_px, did.ask_px)
                case said:
                    raise ValueError(f"the venue answers the cancel of {self._orders[order_id]} with {said}")
        self._rows = [self._cancel(order_id, REQUESTED)]
        return 1

    def amend(self, order_id: int, px: int, qty: int, /) -> int:
        """Reject."""
        return self._reject(BAD_KIND)

    def stop(self, order_id: int, owner: int, side: int, trigger_px: int, px_or_0: int, qty: int, /) -> int:
        """Reject."""
        return self._reject(BAD_KIND)

    # ------------------------------------------------------------------ what is known

    @property
    def outcomes(self) -> list[Outcome]:
        """What the last message caused, in order."""
        return [Outcome(*row) for row in self._rows]

    def plain_outcomes(self) -> Iterator[Row]:
        """Give the outcomes of the last message as plain tuples."""
        return iter(self._rows)

    def depth(self, side: int, levels: int) -> tuple[tuple[int, int], ...]:
        """List the best levels of a side; asked for once between two changes."""
        known = self._depths.get((side, levels))
        if known is None:
            self._line.send("depth", side, levels)
            match self._line.receive():
                case Levels(levels=known):
                    self._depths[side, levels] = known
                case said:
                    raise ValueError(f"the venue answers a question for levels with {said}")
        return known

    def leaves(self, order_id: int) -> int:
        """Lots that an agent's order has open; 0 if it does not wait."""
        order = self._orders.get(order_id)
        return order[3] if order else 0

    def state_hash(self) -> int:
        """Sum up the agents' own orders; the rest is not here."""
        return hash(tuple((order_id, *order) for order_id, order in self._orders.items()))

    # ------------------------------------------------------------------ what happens

    def _guest(self, order_id: int, side: int, px: int, qty: int, tif: int) -> int:
        """Enter what the guests did: an order that is about to be met, or one that took."""
        accepted = (ACCEPTED, NO_REASON, order_id, self._guests, side, px, qty, qty, 0, 0, 0)
        if tif == GTC:
            self._orders[order_id] = [self._guests, side, px, qty]
            self._rows = [accepted]
            return 1
        open_qty = qty
        rows: list[Row] = [accepted]
        for maker_id, traded_qty in self._taken.popleft():
            open_qty -= traded_qty
            rows.append(self._fill(order_id, self._guests, side, traded_qty, open_qty, maker_id))
        self._rows = rows
        return len(rows)

    def _fill(self, order_id: int, owner: int, side: int, qty: int, open_qty: int, maker_id: int) -> Row:
        maker, maker_side, px, leaves = self._orders.get(maker_id, (0, side, 0, 0))
        if not 0 < qty <= leaves or open_qty < 0 or maker_side == side:
            raise ValueError(f"{qty} lots of order {maker_id} traded, of which {leaves} rest")
        self._orders[maker_id][3] = leaves - qty
        if leaves == qty:
            del self._orders[maker_id]
        self.last_px = px
        return (FILL, NO_REASON, order_id, owner, side, px, qty, open_qty, maker_id, maker, leaves - qty)

    def _cancel(self, order_id: int, reason: int) -> Row:
        if order_id not in self._orders:
            raise ValueError(f"the venue withdrew order {order_id}, which does not rest")
        owner, side, px, leaves = self._orders.pop(order_id)
        return (CANCELED, reason, order_id, owner, side, px, leaves, 0, 0, 0, 0)

    def _reject(self, reason: int) -> int:
        self._rows = []
        return -reason

    def _see(self, bid_px: int, ask_px: int) -> None:
        self.best_bid, self.best_ask = bid_px, ask_px
        self._depths.clear()


def _nobody(side: int, px: int, qty: int) -> int:
    raise ValueError(f"somebody outside trades {qty} lots at {px}, and has no seat")
