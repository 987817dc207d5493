"""One symbol's orders in the book that is seen: the replay venue of docs/replay.md, fed as the market happens. Pure.

Quantities are counted in units so fine that every number a venue prints is a whole one, prices in parts of the tick,
so that the tick may become finer while orders rest. Rows are stamped with the instant at which they are seen here, so
the feed takes no time, and the way of an order is counted until it meets the book that is seen by then.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, NamedTuple

from executor.domain.orders import NewOrder, TimeInForce
from executor.domain.units import Price, Quantity
from simulation.replay import codes
from simulation.replay.spoken import Answer
from simulation.replay.terms import ReplayTerms
from simulation.replay.twin import ReplayTwin

PER_TICK: Final = 10_000
"""Units of price in a tick."""
_LOT: Final = Decimal("1e-18")
_PX_MAX: Final = 1 << 200
"""No order's price is beyond it: what a price may be is asked before."""
_HOLDS: Final = {TimeInForce.POST_ONLY: codes.POST_ONLY, TimeInForce.IOC: codes.IOC}


class Level(NamedTuple):
    """A price with the total that is there; zero removes it."""

    side: int
    px: Decimal
    qty: Decimal


class Heard(NamedTuple):
    """What the simulated exchange said of an order; quantities are those of the whole order."""

    client_order_id: str
    kind: int
    px: Price
    qty: Quantity
    detail: int
    at_ns: int


@dataclass(slots=True)
class _Rows:
    """Rows of one instant, column by column."""

    exch_ns: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    side: list[int] = field(default_factory=list)
    px: list[int] = field(default_factory=list)
    qty: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)

    @property
    def recv_ns(self) -> list[int]:
        """Seen when it happened."""
        return self.exch_ns

    @property
    def order_id(self) -> list[int]:
        """Nobody's orders are known."""
        return [0] * len(self.kind)

    def add(self, at_ns: int, kind: int, side: int, px: int, qty: int, flags: int = 0) -> None:
        for column, value in zip(
            (self.exch_ns, self.kind, self.side, self.px, self.qty, self.flags),
            (at_ns, kind, side, px, qty, flags),
            strict=True,
        ):
            column.append(value)


class Desk:
    """Takes orders of one symbol, and works them in its book.

    Parameters
    ----------
    terms
        With constant ways; the feed takes no time.
    tick_size
        Price step of the symbol.
    resting
        Orders that were open before, with what of them was executed: they go to the end of the queue at their price.
    at_ns
        Now; nothing may be told it of an earlier instant.
    """

    def __init__(
        self,
        terms: ReplayTerms,
        tick_size: Decimal,
        resting: Iterable[tuple[NewOrder, Decimal]] = (),
        *,
        at_ns: int,
    ) -> None:
        self._px_unit = tick_size / PER_TICK
        self._venue = ReplayTwin(replace(terms, order_px_max=_PX_MAX), start_ns=at_ns)
        self._venue.feed(_Rows(), final=True)
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._executed_before: dict[int, int] = {}
        for order, executed_qty in resting:
            self._put_back(order, executed_qty)

    # ------------------------------------------------------------------ the market

    def book(self, levels: Iterable[Level], *, whole: bool, at_ns: int) -> None:
        """See a message of the book: a whole one, or what changed."""
        rows = _Rows()
        if whole:
            rows.add(at_ns, codes.CLEAR, 0, 0, 0)
        for level in levels:
            rows.add(at_ns, codes.LEVEL, level.side, self._px(level.px), _lots(level.qty))
        if rows.flags:
            rows.flags[-1] = codes.LAST
            self._see(rows, at_ns)

    def trade(self, side: int, px: Decimal, qty: Decimal, at_ns: int) -> None:
        """See a public trade; the side is the aggressor's."""
        rows = _Rows()
        rows.add(at_ns, codes.TRADE, side, self._px(px), _lots(qty), codes.LAST)
        self._see(rows, at_ns)

    def lose(self, at_ns: int) -> None:
        """The book is void until a whole one comes; places in the queues are kept in mind."""
        rows = _Rows()
        rows.add(at_ns, codes.CLEAR, 0, 0, 0)
        self._see(rows, at_ns)

    # ------------------------------------------------------------------ requests

    def place(self, order: NewOrder, at_ns: int) -> None:
        """Send an order off."""
        self._pass(at_ns)
        number = self._name(order.client_order_id)
        hold = _HOLDS[order.time_in_force]
        self._venue.place(number, order.side.sign, self._px(order.px), _lots(order.qty), hold)

    def amend(self, name: str, px: Decimal, qty: Decimal, at_ns: int) -> None:
        """Send new terms off: price, and total quantity."""
        self._pass(at_ns)
        number = self._numbers.get(name) or self._name(name)
        self._venue.amend(number, self._px(px), _lots(qty) - self._executed_before.get(number, 0))

    def cancel(self, name: str, at_ns: int) -> None:
        """Send a cancel off."""
        self._pass(at_ns)
        number = self._numbers.get(name) or self._name(name)
        self._venue.cancel(number)

    def hear(self, at_ns: int) -> Iterator[Heard]:
        """Let time pass, and give what was heard by now."""
        self._pass(at_ns)
        for answer in self._venue.answers():
            yield self._heard(answer)

    def _heard(self, answer: Answer) -> Heard:
        number = answer.order_id
        before = 0 if answer.kind == codes.FILLED else self._executed_before.get(number, 0)
        return Heard(
            client_order_id=self._names[number - 1],
            kind=answer.kind,
            px=Price(_plain(answer.px * self._px_unit)),
            qty=Quantity(_plain((answer.qty + before) * _LOT)),
            detail=answer.detail,
            at_ns=answer.at_ns,
        )

    # ------------------------------------------------------------------ the machine

    def _put_back(self, order: NewOrder, executed_qty: Decimal) -> None:
        """Let an order rest again, with everybody ahead.

        The first whole book then shortens the queue to what is there, and one that has come to the order's price
        meanwhile trades with it at that price.
        """
        number, before = self._name(order.client_order_id), _lots(executed_qty)
        self._executed_before[number] = before
        self._venue.put_back(number, order.side.sign, self._px(order.px), _lots(order.qty) - before)

    def _px(self, px: Decimal) -> int:
        return _whole(px, self._px_unit)

    def _name(self, name: str) -> int:
        self._names.append(name)
        self._numbers[name] = len(self._names)
        return self._numbers[name]

    def _see(self, rows: _Rows, at_ns: int) -> None:
        # Nothing is known of what is still to come, so what is known is always all there is.
        self._venue.feed(rows, final=True)
        self._pass(at_ns)

    def _pass(self, at_ns: int) -> None:
        self._venue.advance(at_ns)


def _lots(qty: Decimal) -> int:
    return _whole(qty, _LOT)


def _whole(number: Decimal, unit: Decimal) -> int:
    count = number / unit
    assert count == count.to_integral_value(), f"{number} is no multiple of {unit}"
    return int(count)


def _plain(number: Decimal) -> Decimal:
    """Without trailing zeros, and without an exponent."""
    return number.normalize() + 0
