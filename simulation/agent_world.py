"""A market of agents as the engine meets it: its commands become orders in their book, and what happens its own events.

The engine is one participant among others. What it sends reaches the market after a latency, goes through the clearing
house and then the book, as everybody's does, and moves what the others see. What comes of it (acknowledgements, fills,
cancels) and the book itself are heard after a latency. Nobody models a queue or an impact here: there is a queue, and
whoever trades has an impact.

Whole ticks and lots become exact decimals here and nowhere else. Fees are those that the house charged.

The book is told as the live feed tells it: when the prices of the touch move, otherwise once a second while messages
come, never more often than the conflation interval; a book without two sides is lost.
"""

from dataclasses import replace
from decimal import Decimal
from heapq import heappop, heappush
from itertools import count
from typing import Final

from executor.domain.commands import CancelOrder, PlaceOrder, QueryOrder, Reconcile, ReplaceOrder, Subscribe
from executor.domain.errors import InvariantViolation, LocalProtocolError
from executor.domain.events import (
    BookLost,
    BookUpdated,
    CancelAcked,
    CancelFoundNothing,
    Event,
    InstrumentLoaded,
    InstrumentMissing,
    OrderAbsent,
    OrderAcked,
    OrderRejected,
    Reconciled,
    ReplaceAcked,
    ReplaceRejected,
)
from executor.domain.fills import Fill
from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot
from executor.domain.orders import Category, Liquidity, NewOrder, Replacement, TimeInForce
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import ZERO, Money, Price, Quantity
from simulation.agent_seat import SeatRecord
from simulation.book.messages import (
    ACCEPTED,
    AMENDED,
    CANCELED,
    FILL,
    IOC,
    POST_ONLY,
    REASON_WORDS,
    REQUESTED,
    WOULD_TAKE,
)
from simulation.clearing.refusals import Refusal
from simulation.frictions import Latencies
from simulation.market.engine import SimulationEngine
from simulation.market.events import REFUSED
from simulation.market.events import Event as MarketEvent
from simulation.market.protocol import Intent, amend, cancel, limit
from simulation.venue_order import VenueOrder

Request = PlaceOrder | ReplaceOrder | CancelOrder | QueryOrder | Reconcile | Subscribe

CONFLATE_NS: Final = 100 * NS_PER_MS
QUIET_NS: Final = NS_PER_S
"""A touch whose prices do not move is told so often."""
ASSET: Final = 0
"""Of several assets the first one is traded."""
_NEVER: Final = 1 << 62
_HOLDS: Final = {TimeInForce.POST_ONLY: POST_ONLY, TimeInForce.IOC: IOC}

_UNKNOWN_SYMBOL: Final = 1
_OFF_STEP: Final = 2
_NO_SUCH_ORDER: Final = 3
_BELOW_FILLED: Final = 4
_UNCHANGED: Final = 5
_OF_BOOK: Final = 100
_OF_HOUSE: Final = 200
"""Codes of refusals: ours, and those of book and house from these numbers on."""
_UNFUNDED: Final = frozenset({Refusal.CASH, Refusal.SHARES, Refusal.LENDABLE})


class AgentWorld:
    """One seat in a market of agents, and the wires to it.

    Parameters
    ----------
    market
        With an `EmptySeat` in it, at the number of `record`; it may have run for a while.
    participant
        Number of that seat; a cash account.
    record
        What the market and its house write to.
    rules
        Of what is traded: spot, one tick of the market for its price step and one lot for its quantity step.
    epoch_ns
        Instant that is 0 in the market, UTC.
    latencies
        Of the wires.
    conflate_ns
        Least time between two snapshots of the book.

    Raises
    ------
    ValueError
        If contracts on margin are asked for: the seat has a cash account.
    """

    def __init__(
        self,
        *,
        market: SimulationEngine,
        participant: int,
        record: SeatRecord,
        rules: Instrument,
        epoch_ns: int,
        latencies: Latencies,
        conflate_ns: int = CONFLATE_NS,
    ) -> None:
        if rules.category is not Category.SPOT:
            raise ValueError(f"{rules.symbol}: a cash account trades spot, got {rules.category}")
        self._market = market
        self._exchange = market.exchange
        self._participant = participant
        self._record = record
        self._rules = rules
        self._epoch_ns = epoch_ns
        self._latencies = latencies
        self._conflate_ns = conflate_ns
        self._heap: list[tuple[int, int, Event]] = []
        self._numbers = count()
        self._orders: dict[str, VenueOrder] = {}
        self._ids: dict[str, int] = {}
        self._by_id: dict[int, VenueOrder] = {}
        self._executions = 0
        self.first_arrival_ns: int | None = None
        """When the first order of ours reached the market, nanoseconds of its own time; None as long as none has."""
        self._sound = False
        self._told_px = (0, 0)
        self._told_ns = -_NEVER
        self._told_messages = -1
        self._look_ns = self.now_ns

    @property
    def now_ns(self) -> int:
        """How far it has gone on, UTC."""
        return self._epoch_ns + self._market.now_ns

    @property
    def orders(self) -> tuple[VenueOrder, ...]:
        """Orders of ours that reached the market, in the order of their arrival."""
        return tuple(self._orders.values())

    def send(self, request: Request, at_ns: int) -> None:
        """Take a request that leaves us at an instant.

        Raises
        ------
        ValueError
            If that has passed.
        """

        def arrive(now_ns: int) -> None:
            self._hear_rows()
            self._tell(now_ns, self._take(request, asked_ns=at_ns, now_ns=now_ns))

        self._market.at(at_ns + self._latencies.entry_ns - self._epoch_ns, arrive)

    def advance(self, until_ns: int) -> Event | None:
        """Go on to an instant, but not beyond the first thing that is heard."""
        while self.now_ns <= until_ns:
            if self._heap and self._heap[0][0] <= self.now_ns:
                return heappop(self._heap)[2]
            self._market.run(until_ns=min(until_ns, self._next_ns()) - self._epoch_ns)
            self._hear_rows()
            self._look()
            if self.now_ns >= until_ns and not (self._heap and self._heap[0][0] <= until_ns):
                return None
        return None

    def _next_ns(self) -> int:
        """When something happens next: in the market, on its way to us, or with the feed."""
        event_ns = self._market.next_ns
        due_ns = self._look_ns if event_ns is None else min(self._look_ns, event_ns + self._epoch_ns)
        return max(min(due_ns, self._heap[0][0]) if self._heap else due_ns, self.now_ns)

    def _tell(self, at_ns: int, events: list[Event]) -> None:
        """Let something be heard that happened at an instant of the market."""
        heard_ns = at_ns + self._epoch_ns + self._latencies.answer_ns
        for event in events:
            heappush(self._heap, (heard_ns, next(self._numbers), event))

    # ------------------------------------------------------------------ the book

    def _look(self) -> None:
        """Tell of the book if it is time; whatever changes it comes by here."""
        now_ns, book, exchange = self.now_ns, self._exchange.books[ASSET], self._exchange
        touch = (book.best_bid, book.best_ask)
        self._look_ns = _NEVER
        if not (touch[0] and touch[1]):
            self._lose(now_ns)
            return
        moved = touch != self._told_px
        due_ns = self._told_ns + (self._conflate_ns if moved else QUIET_NS)
        if now_ns < due_ns:
            self._look_ns = due_ns
        elif moved or exchange.messages > self._told_messages:
            self._sound, self._told_px, self._told_ns = True, touch, now_ns
            self._told_messages = exchange.messages
            self._look_ns = now_ns + QUIET_NS
            at_ns = now_ns + self._latencies.feed_ns
            heappush(
                self._heap,
                (at_ns, next(self._numbers), BookUpdated(at_ns=at_ns, market=self._snapshot(now_ns))),
            )

    def _snapshot(self, now_ns: int) -> MarketSnapshot:
        tick, lot = self._rules.tick_size, self._rules.qty_step
        exchange = self._exchange
        book = exchange.books[ASSET]
        (bid_px, bid_qty), (ask_px, ask_qty) = book.depth(1, 1)[0], book.depth(-1, 1)[0]
        volume, signed = exchange.volumes_qty[ASSET], exchange.signed_qty[ASSET]
        return MarketSnapshot(
            category=self._rules.category,
            symbol=self._rules.symbol,
            best_bid=Price(bid_px * tick),
            best_bid_qty=Quantity(bid_qty * lot),
            best_ask=Price(ask_px * tick),
            best_ask_qty=Quantity(ask_qty * lot),
            traded_qty=Quantity(volume * lot),
            traded_notional=Money(self._record.traded * tick * lot),
            ts_exchange_ns=now_ns,
            bought_qty=Quantity((volume + signed) // 2 * lot),
        )

    def _lose(self, now_ns: int) -> None:
        if self._sound:
            self._sound, self._told_px = False, (0, 0)
            lost = BookLost(
                at_ns=0,
                category=self._rules.category,
                symbol=self._rules.symbol,
                detail="no two sides in the book",
            )
            heappush(self._heap, (now_ns + self._latencies.feed_ns, next(self._numbers), lost))

    # ------------------------------------------------------------------ requests

    def _take(self, request: Request, *, asked_ns: int, now_ns: int) -> list[Event]:
        """A request has arrived; the events are what is told about it, in order."""
        match request:
            case PlaceOrder():
                return self._place(request.approved.order, now_ns)
            case ReplaceOrder():
                return self._amend(request.approved.order, now_ns)
            case CancelOrder():
                return self._cancel(request.client_order_id, asked_ns, now_ns)
            case QueryOrder():
                entry = self._orders.get(request.client_order_id)
                if entry is None:
                    return [OrderAbsent(at_ns=0, client_order_id=request.client_order_id, asked_ns=asked_ns)]
                return [*entry.executed_since(0), entry.update(asked_ns=asked_ns)]
            case Reconcile():
                return self._read(request, asked_ns)
            case Subscribe():
                if self._is_ours(request.category, request.symbol):
                    return [InstrumentLoaded(at_ns=0, instrument=self._rules)]
                missing = InstrumentMissing(
                    at_ns=0, category=request.category, symbol=request.symbol, detail="not traded here"
                )
                return [missing]

    def _place(self, order: NewOrder, now_ns: int) -> list[Event]:
        name, rules = order.client_order_id, self._rules
        if name in self._orders:
            raise LocalProtocolError(f"{name} was sent twice")
        if not self._is_ours(order.category, order.symbol) or order.position_idx:
            return [_rejected(name, _UNKNOWN_SYMBOL, "no such symbol or position here")]
        if (
            not (rules.is_on_step(order.qty) and rules.is_on_tick(order.px))
            or min(order.qty, order.px) <= ZERO
        ):
            return [_rejected(name, _OFF_STEP, "not a whole number of steps or ticks")]
        if self.first_arrival_ns is None:
            self.first_arrival_ns = now_ns
        intent = limit(
            ASSET, order.side.sign, self._lots(order.qty), self._ticks(order.px), _HOLDS[order.time_in_force]
        )
        entry = VenueOrder(order=order, venue_order_id="")
        head = self._deliver(now_ns, intent)
        acked = OrderAcked(at_ns=0, client_order_id=name, venue_order_id=f"v{head.order_id}", sent_sha256="")
        entry.venue_order_id = acked.venue_order_id
        if head.kind == ACCEPTED:
            self._orders[name] = entry
            self._ids[name] = head.order_id
            self._by_id[head.order_id] = entry
            return [acked, entry.update(), *self._rows()]
        self._orders[name] = entry
        if head.kind != REFUSED and head.reason == WOULD_TAKE:
            return [acked, entry.end("post-only would have taken liquidity")]
        entry.end("rejected")
        return [self._refused_order(name, head)]

    def _refused_order(self, name: str, head: MarketEvent) -> OrderRejected:
        if head.kind == REFUSED:
            refusal = Refusal(head.reason)
            return _rejected(name, _OF_HOUSE + head.reason, refusal.sentence, unfunded=refusal in _UNFUNDED)
        return _rejected(name, _OF_BOOK + head.reason, REASON_WORDS.get(head.reason, "no message"))

    def _amend(self, new: Replacement, now_ns: int) -> list[Event]:
        name = new.client_order_id
        entry = self._orders.get(name)
        if entry is None or not entry.is_open:
            return [_not_amended(name, _NO_SUCH_ORDER, "no such open order", gone=True)]
        if new.qty <= entry.cum_qty:
            return [_not_amended(name, _BELOW_FILLED, "filled beyond that", gone=False)]
        if not (self._rules.is_on_step(new.qty) and self._rules.is_on_tick(new.px)):
            return [_not_amended(name, _OFF_STEP, "not whole steps or ticks", gone=False)]
        if (new.qty, new.px) == (entry.order.qty, entry.order.px):
            return [_not_amended(name, _UNCHANGED, "nothing would change", gone=False)]
        leaves = self._lots(Quantity(new.qty - entry.cum_qty))
        head = self._deliver(now_ns, amend(self._ids[name], self._ticks(new.px), leaves))
        if head.kind != AMENDED:
            of = _OF_HOUSE if head.kind == REFUSED else _OF_BOOK
            words = Refusal(head.reason).sentence if head.kind == REFUSED else REASON_WORDS[head.reason]
            return [_not_amended(name, of + head.reason, words, gone=False)]
        entry.order = replace(entry.order, qty=new.qty, px=new.px)
        entry.version += 1
        return [ReplaceAcked(at_ns=0, client_order_id=name), entry.update(), *self._rows()]

    def _cancel(self, name: str, asked_ns: int, now_ns: int) -> list[Event]:
        entry = self._orders.get(name)
        if entry is None or not entry.is_open:
            return [CancelFoundNothing(at_ns=0, client_order_id=name, asked_ns=asked_ns)]
        head = self._deliver(now_ns, cancel(self._ids[name]))
        if (head.kind, head.reason) != (CANCELED, REQUESTED):
            raise InvariantViolation(f"{name} is open here and was not canceled: {head}")
        return [CancelAcked(at_ns=0, client_order_id=name), entry.end("cancelled as asked"), *self._rows()]

    def _read(self, request: Reconcile, asked_ns: int) -> list[Event]:
        entries = tuple(self._orders.values()) if request.category is self._rules.category else ()
        told: list[Event] = []
        for entry in entries:
            told += entry.executed_since(request.since_ms * NS_PER_MS)
        still_open = [entry for entry in entries if entry.is_open]
        told += [entry.update(asked_ns=asked_ns) for entry in still_open]
        done = Reconciled(
            at_ns=0,
            category=request.category,
            asked_ns=asked_ns,
            open_client_order_ids=tuple(entry.order.client_order_id for entry in still_open),
            foreign_open_orders=0,
            positions=(),
        )
        return [*told, done]

    def _deliver(self, now_ns: int, intent: Intent) -> MarketEvent:
        """Let one intent of ours through to house and book; gives the row that says what became of the intent itself.

        The rows that it caused beyond that are left for `_rows`.
        """
        self._exchange.deliver(now_ns, self._participant, (intent,))
        self._market.log.digest()  # hands the rows on
        return self._record.own.popleft()

    def _hear_rows(self) -> None:
        """Tell what the others did to our orders since the last time, each at its instant."""
        self._market.log.digest()
        while self._record.own:
            row = self._record.own.popleft()
            self._tell(row.at_ns, self._of_row(row))

    def _rows(self) -> list[Event]:
        """What else a message of ours caused."""
        told: list[Event] = []
        while self._record.own:
            told += self._of_row(self._record.own.popleft())
        return told

    def _of_row(self, row: MarketEvent) -> list[Event]:
        if row.kind == FILL:
            takes = row.owner == self._participant
            return self._fill(self._by_id[row.order_id if takes else row.maker_order_id], row, takes=takes)
        if row.kind == CANCELED:
            return [self._by_id[row.order_id].end(REASON_WORDS[row.reason])]
        raise InvariantViolation(f"nobody asked for this: {row}")

    def _fill(self, entry: VenueOrder, row: MarketEvent, *, takes: bool) -> list[Event]:
        self._executions += 1
        steps = self._rules.tick_size * self._rules.qty_step
        fee = Decimal(self._record.fees.popleft()) * steps / self._exchange.house.scale
        return entry.fill(
            exec_id=f"e{self._executions}",
            qty=Quantity(row.qty * self._rules.qty_step),
            px=Price(row.px * self._rules.tick_size),
            fee=fee,
            liquidity=Liquidity.TAKER if takes else Liquidity.MAKER,
            at_ns=row.at_ns + self._epoch_ns,
        )

    def _ticks(self, px: Price) -> int:
        return int(px / self._rules.tick_size)

    def _lots(self, qty: Quantity) -> int:
        return int(qty / self._rules.qty_step)

    def _is_ours(self, category: Category, symbol: str) -> bool:
        return (category, symbol) == (self._rules.category, self._rules.symbol)


def check_account(
    world: AgentWorld, market: SimulationEngine, participant: int, before: tuple[int, int], rules: Instrument
) -> None:
    """Hold what was told of fills against the account that the house keeps, to the last unit.

    Parameters
    ----------
    before
        Cash of the house's units, and lots, that the account began with.

    Raises
    ------
    InvariantViolation
        If they differ, or cash or shares of the whole market are not what was put in.
    """
    house = market.exchange.house
    fills: list[Fill] = [fill for order in world.orders for fill in order.executions]
    money = sum((fill.side.sign * fill.notional + fill.fee for fill in fills), ZERO)
    qty = sum((fill.side.sign * fill.last_qty for fill in fills), ZERO)
    unit = rules.tick_size * rules.qty_step / house.scale
    spent = (before[0] - house.cash[participant]) * unit
    gained = (house.shares[ASSET][participant] - before[1]) * rules.qty_step
    if (spent, gained) != (money, qty) or not house.conserved():
        raise InvariantViolation(
            f"house and messages disagree: spent {spent} and {money}, gained {gained} and {qty},"
            f" the market as a whole {'' if house.conserved() else 'not '}conserved"
        )


def _rejected(name: str, code: int, text: str, *, unfunded: bool = False) -> OrderRejected:
    return OrderRejected(at_ns=0, client_order_id=name, code=code, text=text, fatal=False, unfunded=unfunded)


def _not_amended(name: str, code: int, text: str, *, gone: bool) -> ReplaceRejected:
    return ReplaceRejected(at_ns=0, client_order_id=name, code=code, text=text, gone=gone)
