"""A recording as the engine meets it: its commands go to the replay venue, and what comes back are its own events.

Whole ticks and lots become exact decimals here and nowhere else. The machine's money is quantity times price. Of an
inverse contract that is no money: its fees are reckoned here, in coin, from quantity over price.

What is heard of the book follows the live feed: a snapshot when the prices of the touch move, otherwise one a second
while messages come, never more often than the conflation interval; a book without two sides in their order is lost.

The machine skips at full speed to the next of these, to an answer, or to the instant it is told to reach. Questions
(one order, all orders, rules) take both ways of the wire and are answered after every request that was sent before
them, from what was heard by then.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from executor.domain.commands import CancelOrder, PlaceOrder, QueryOrder, Reconcile, ReplaceOrder, Subscribe
from executor.domain.errors import InvariantViolation, LocalProtocolError
from executor.domain.events import (
    BookLost,
    BookUpdated,
    Event,
    InstrumentLoaded,
    InstrumentMissing,
    OrderAbsent,
    PositionReport,
    Reconciled,
)
from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot
from executor.domain.orders import Category, Liquidity, NewOrder, TimeInForce
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import ZERO, Money, Price, Quantity
from simulation.frictions import Charges
from simulation.replay import codes
from simulation.replay.spoken import Answer, Columns, Glance, ReplayVenue
from simulation.replay.terms import Delay, ReplayTerms
from simulation.replay_answers import WORDS, answer_event, is_answer
from simulation.venue_order import VenueOrder

Request = PlaceOrder | ReplaceOrder | CancelOrder | QueryOrder | Reconcile | Subscribe
Chunk = tuple[Columns, bool]
"""Rows, and whether they are the last ones."""

QUIET_NS: Final = NS_PER_S
"""A touch whose prices do not move is told so often."""
CONFLATE_NS: Final = 100 * NS_PER_MS
_AGAIN_NS: Final = 100 * NS_PER_MS
"""A book that says nothing, or is lost, is looked at so often, as nothing else tells when it speaks."""
_WAKES: Final = codes.WAKE_ANSWER | codes.WAKE_TOUCH
_HOLDS: Final = {TimeInForce.POST_ONLY: codes.POST_ONLY, TimeInForce.IOC: codes.IOC}


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What one tick and one lot of the recorded rows are: price per base unit, base units."""

    tick_size: Price
    lot_size: Quantity


@dataclass(frozen=True, slots=True)
class _Question:
    """A question under way: from when on it is answered, and after how many requests."""

    due_ns: int
    after: int
    request: QueryOrder | Reconcile | Subscribe
    asked_ns: int


class RecordedWorld:
    """One symbol's recording and the orders that are tried in it.

    Parameters
    ----------
    venue
        Either twin; rows it has not been handed come from `chunks`.
    terms
        Those of the venue.
    steps
        Of the rows; those of `rules` are multiples of them.
    charges
        Fees; the rest of it has no meaning here.
    conflate_ns
        Least time between two snapshots of the book.

    Raises
    ------
    ValueError
        If its steps are none of the recording's.
    """

    def __init__(
        self,
        *,
        venue: ReplayVenue,
        chunks: Iterator[Chunk],
        terms: ReplayTerms,
        steps: Steps,
        rules: Instrument,
        charges: Charges,
        conflate_ns: int = CONFLATE_NS,
    ) -> None:
        if rules.tick_size % steps.tick_size or rules.qty_step % steps.lot_size:
            raise ValueError(f"{rules.symbol}: its steps are no multiples of those of the recording")
        self.venue = venue
        self._chunks = chunks
        self._steps = steps
        self._rules = rules
        self._charges = charges
        self._conflate_ns = conflate_ns
        self._round_trip = _usual_ns(terms.entry), _usual_ns(terms.answer)
        self._told: deque[Event] = deque()
        self._orders: list[VenueOrder] = []
        self._numbers: dict[str, int] = {}
        self._cancels: dict[int, deque[int]] = {}
        self._questions: deque[_Question] = deque()
        self._sent = self._answered = self._fills = 0
        self._position_lots = 0
        self._taken_lots = self._taken_value = 0
        self._book_sound = False
        self._touch_moved = True
        self._told_px = (0, 0)
        self._told_ns = self._told_row_ns = -codes.NEVER
        self._look_ns = venue.now_ns

    @property
    def now_ns(self) -> int:
        """How far it has gone on."""
        return self.venue.now_ns

    @property
    def orders(self) -> tuple[VenueOrder, ...]:
        """Orders of ours, as far as was heard of them, in the order of their creation."""
        return tuple(self._orders)

    @property
    def rules(self) -> Instrument:
        """Under which orders are tried."""
        return self._rules

    @property
    def round_trip_ns(self) -> int:
        """How long a question and its answer are under way now."""
        entry_ns, answer_ns = (self.venue.lag_ns if usual is None else usual for usual in self._round_trip)
        return entry_ns + answer_ns

    def work(self, order: NewOrder, hold: int, at_ns: int) -> None:
        """Take an order that the venue's own desk makes for us at an instant.

        Parameters
        ----------
        hold
            GTC, POST_ONLY or IOC of `simulation.replay.codes`.

        Raises
        ------
        LocalProtocolError
            If it was sent before, or is off the steps.
        """
        self._play(at_ns, 0)
        self._look_ns = min(self._look_ns, at_ns)
        self._place(order, hold)

    def send(self, request: Request, at_ns: int) -> None:
        """Take a request that leaves us at an instant.

        Raises
        ------
        LocalProtocolError
            If it cannot have come from our engine: an order sent twice or never, another symbol, off the steps.
        """
        self._play(at_ns, 0)
        self._look_ns = min(self._look_ns, at_ns)  # what came meanwhile was looked at by nobody
        match request:
            case PlaceOrder():
                order = request.approved.order
                self._place(order, _HOLDS[order.time_in_force])
            case ReplaceOrder():
                new = request.approved.order
                self._venue_request(new.category, new.symbol)
                self.venue.amend(self._number(new.client_order_id), self._ticks(new.px), self._lots(new.qty))
            case CancelOrder():
                self._venue_request(request.category, request.symbol)
                number = self._number(request.client_order_id)
                self._cancels.setdefault(number, deque()).append(at_ns)
                self.venue.cancel(number)
            case QueryOrder() | Reconcile() | Subscribe():
                self._questions.append(_Question(at_ns + self.round_trip_ns, self._sent, request, at_ns))

    def advance(self, until_ns: int) -> Event | None:
        """Go on to an instant, but not beyond the first thing that is heard."""
        while until_ns >= self.venue.now_ns:
            if self._told:
                return self._told.popleft()
            reason = self._play(min(until_ns, self._next_ns()), _WAKES)
            self._touch_moved |= reason == codes.TOUCH_MOVED
            for answer in self.venue.answers():
                self._hear(answer)
            self._reply()
            self._look()
            if not self._told and self.venue.now_ns >= until_ns:
                return None
        return None

    def _play(self, until_ns: int, wake: int) -> int:
        """Let the machine run, with new rows whenever it asks."""
        while (reason := self.venue.advance(until_ns, wake)) == codes.MORE:
            rows, final = next(self._chunks)
            self.venue.feed(rows, final=final)
        return reason

    def _next_ns(self) -> int:
        """When something of our own is next to be done."""
        if self._questions and self._questions[0].after <= self._answered:
            return min(self._look_ns, self._questions[0].due_ns)
        return self._look_ns

    # ------------------------------------------------------------------ the book

    def _look(self) -> None:
        """Tell of the book if it is time."""
        now_ns = self.venue.now_ns
        if now_ns < self._look_ns and not self._touch_moved:
            return
        glance = self.venue.glance()
        if not 0 < glance.bid_px < glance.ask_px:
            self._lose("no two sides in their order")
            self._look_ns = now_ns + _AGAIN_NS
            return
        moved = self._touch_moved or (glance.bid_px, glance.ask_px) != self._told_px
        due_ns = self._told_ns + (self._conflate_ns if moved else QUIET_NS)
        self._touch_moved = False
        if now_ns < due_ns:
            self._touch_moved, self._look_ns = moved, due_ns
        elif moved or self.venue.row_ns > self._told_row_ns:
            self._tell_book(glance)
            self._look_ns = now_ns + QUIET_NS
        else:
            self._look_ns = now_ns + _AGAIN_NS

    def _tell_book(self, glance: Glance) -> None:
        tick, lot = self._steps.tick_size, self._steps.lot_size
        now_ns = self.venue.now_ns
        self._book_sound, self._told_ns, self._told_row_ns = True, now_ns, self.venue.row_ns
        self._told_px = (glance.bid_px, glance.ask_px)
        market = MarketSnapshot(
            category=self._rules.category,
            symbol=self._rules.symbol,
            best_bid=Price(glance.bid_px * tick),
            best_bid_qty=Quantity(glance.bid_qty * lot),
            best_ask=Price(glance.ask_px * tick),
            best_ask_qty=Quantity(glance.ask_qty * lot),
            traded_qty=Quantity((glance.traded_qty + self._taken_lots) * lot),
            traded_notional=Money((glance.traded_value + self._taken_value) * tick * lot),
            ts_exchange_ns=now_ns - self.venue.lag_ns,
        )
        self._told.append(BookUpdated(at_ns=now_ns, market=market))

    def _lose(self, detail: str) -> None:
        if self._book_sound:
            self._book_sound, self._told_px = False, (0, 0)
            rules = self._rules
            self._told.append(BookLost(at_ns=0, category=rules.category, symbol=rules.symbol, detail=detail))
        self._touch_moved = False

    # ------------------------------------------------------------------ requests

    def _place(self, order: NewOrder, hold: int) -> None:
        name = order.client_order_id
        if name in self._numbers:
            raise LocalProtocolError(f"{name} was sent twice")
        self._venue_request(order.category, order.symbol)
        self._orders.append(VenueOrder(order=order, venue_order_id=f"v{len(self._orders) + 1}"))
        number = self._numbers[name] = len(self._orders)
        self.venue.place(number, order.side.sign, self._ticks(order.px), self._lots(order.qty), hold)

    def _venue_request(self, category: Category, symbol: str) -> None:
        if not self._is_ours(category, symbol):
            raise LocalProtocolError(f"{symbol} is not the recorded symbol")
        self._sent += 1

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            raise LocalProtocolError(f"{name} was never sent")
        return number

    def _ticks(self, px: Price) -> int:
        return _whole(px / self._steps.tick_size, "price")

    def _lots(self, qty: Quantity) -> int:
        return _whole(qty / self._steps.lot_size, "quantity")

    def _is_ours(self, category: Category, symbol: str) -> bool:
        return (category, symbol) == (self._rules.category, self._rules.symbol)

    # ------------------------------------------------------------------ answers

    def _hear(self, answer: Answer) -> None:
        """Put one answer of the machine into the engine's words."""
        entry = self._orders[answer.order_id - 1]
        told = self._told
        if is_answer(answer.kind, answer.detail):
            self._answered += 1
            of_cancel = answer.kind in {codes.ENDED, codes.CANCEL_REJECTED}
            said = answer_event(
                answer.kind,
                answer.detail,
                entry.order.client_order_id,
                venue_order_id=entry.venue_order_id,
                asked_ns=self._cancels[answer.order_id].popleft() if of_cancel else 0,
            )
            told.append(said)
        match answer.kind:
            case codes.ACCEPTED:
                told.append(entry.update())
            case codes.REJECTED:
                entry.end(WORDS.get(answer.detail, ""))
            case codes.FILLED:
                told += self._fill(entry, answer)
            case codes.ENDED:
                told.append(entry.end(WORDS.get(answer.detail, "")))
            case codes.AMENDED:
                entry.order = replace(
                    entry.order,
                    px=Price(answer.px * self._steps.tick_size),
                    qty=Quantity(answer.qty * self._steps.lot_size),
                )
                entry.version += 1
                told.append(entry.update())
            case _:
                pass  # a request that came to nothing changes no order

    def _fill(self, entry: VenueOrder, answer: Answer) -> list[Event]:
        takes = answer.detail == codes.TAKER
        qty, px = Quantity(answer.qty * self._steps.lot_size), Price(answer.px * self._steps.tick_size)
        rate = self._charges.taker_fee_rate if takes else self._charges.maker_fee_rate
        self._fills += 1
        self._position_lots += answer.side * answer.qty
        if takes:
            # The recording has no print of what we took; what came to us as we waited, somebody printed.
            self._taken_lots += answer.qty
            self._taken_value += answer.px * answer.qty
        told = entry.fill(
            exec_id=f"e{self._fills}",
            qty=qty,
            px=px,
            fee=(qty / px if self._rules.category is Category.INVERSE else qty * px) * rate,
            liquidity=Liquidity.TAKER if takes else Liquidity.MAKER,
            at_ns=answer.at_ns,
        )
        if entry.leaves_qty != answer.leaves * self._steps.lot_size:
            raise InvariantViolation(f"{entry.order.client_order_id}: {entry.leaves_qty} is not what is left")
        return told

    def _reply(self) -> None:
        """Answer the questions whose time has come, in the order in which they were asked."""
        while (
            self._questions
            and self._questions[0].after <= self._answered
            and self._questions[0].due_ns <= self.venue.now_ns
        ):
            asked = self._questions.popleft()
            match asked.request:
                case QueryOrder():
                    self._told += self._of_order(asked.request.client_order_id, asked.asked_ns)
                case Reconcile():
                    self._told += self._read(asked.request, asked.asked_ns)
                case Subscribe():
                    self._told.append(self._of_symbol(asked.request))

    def _of_order(self, name: str, asked_ns: int) -> list[Event]:
        number = self._numbers.get(name)
        if number is None:
            return [OrderAbsent(at_ns=0, client_order_id=name, asked_ns=asked_ns)]
        entry = self._orders[number - 1]
        return [*entry.executed_since(0), entry.update(asked_ns=asked_ns)]

    def _of_symbol(self, request: Subscribe) -> Event:
        if self._is_ours(request.category, request.symbol):
            return InstrumentLoaded(at_ns=0, instrument=self._rules)
        return InstrumentMissing(
            at_ns=0, category=request.category, symbol=request.symbol, detail="not the recorded symbol"
        )

    def _read(self, request: Reconcile, asked_ns: int) -> list[Event]:
        ours = request.category is self._rules.category
        orders = self._orders if ours else []
        told: list[Event] = []
        for entry in orders:
            told += entry.executed_since(request.since_ms * NS_PER_MS)
        still_open = [entry for entry in orders if entry.is_open]
        told += [entry.update(asked_ns=asked_ns) for entry in still_open]
        held_qty = self._position_lots * self._steps.lot_size
        positions = [
            PositionReport(
                category=request.category,
                symbol=symbol,
                position_idx=0,
                qty=held_qty if self._is_ours(request.category, symbol) else ZERO,
            )
            for symbol in (() if request.category is Category.SPOT else request.symbols)
        ]
        done = Reconciled(
            at_ns=0,
            category=request.category,
            asked_ns=asked_ns,
            open_client_order_ids=tuple(entry.order.client_order_id for entry in still_open),
            foreign_open_orders=0,
            positions=tuple(positions),
        )
        return [*told, done]


def _usual_ns(delay: Delay) -> int | None:
    """How long one way takes usually; None where the recording says it."""
    if delay.measured:
        return None
    return sorted(delay.samples_ns)[len(delay.samples_ns) // 2] if delay.samples_ns else delay.constant_ns


def _whole(count: Decimal, what: str) -> int:
    if count != int(count):
        raise LocalProtocolError(f"a {what} off the steps of the recording")
    return int(count)
