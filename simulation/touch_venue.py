"""A venue of one symbol that knows the touch and the public trades: it takes orders, and fills them by stated rules.

* An order that takes (IOC) finds what `simulation.taking` says, and what is left of it ends.
* A post-only order that would take is acknowledged and cancelled, new or amended.
* A resting order waits behind the touch's size at its arrival; trades at its price first use that queue up, then fill
  it. One inside the spread has nobody ahead; behind the touch its level is not known and is taken to be as long.
* A trade through its price, or a book whose other side has reached it, fills it whole.
* An amendment that moves the price or adds quantity goes to the end of the queue.

Own orders do not change the market, and a trade is used up by one order of ours after the other.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from executor.domain.commands import (
    CancelOrder,
    PlaceOrder,
    QueryOrder,
    Reconcile,
    ReplaceOrder,
    Subscribe,
)
from executor.domain.errors import LocalProtocolError
from executor.domain.events import (
    CancelAcked,
    CancelFoundNothing,
    Event,
    InstrumentLoaded,
    InstrumentMissing,
    OrderAbsent,
    OrderAcked,
    OrderRejected,
    PositionReport,
    Reconciled,
    ReplaceAcked,
    ReplaceRejected,
)
from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot
from executor.domain.orders import Category, Liquidity, NewOrder, Side, TimeInForce
from executor.domain.timeline import NS_PER_MS
from executor.domain.units import ZERO, Price, Quantity
from simulation.frictions import Charges
from simulation.moments import MarketMoment, PublicTrade
from simulation.taking import levels_taken
from simulation.venue_order import VenueOrder

Request = PlaceOrder | ReplaceOrder | CancelOrder | QueryOrder | Reconcile | Subscribe

_UNKNOWN_SYMBOL: Final = 1
_OFF_STEP: Final = 2
_NO_SUCH_ORDER: Final = 3
_BELOW_FILLED: Final = 4
_UNCHANGED: Final = 5


class TouchVenue:
    """The whole venue. It is told what happens in the market and what is asked, in order of time, and answers.

    Parameters
    ----------
    rules
        Of the only symbol; spot, or a linear contract held in one position.
    """

    def __init__(self, rules: Instrument, charges: Charges) -> None:
        if rules.category is Category.INVERSE:
            raise ValueError(f"{rules.symbol}: contracts that pay in coin are not simulated")
        self._rules = rules
        self._charges = charges
        self._book: MarketSnapshot | None = None
        self._orders: dict[str, VenueOrder] = {}
        self._open: dict[str, VenueOrder] = {}
        self._gone = {Side.BUY: ZERO, Side.SELL: ZERO}
        self._executions = 0
        self._position_qty = ZERO

    def follow(self, moment: MarketMoment) -> list[Event]:
        """Something happened in the market: what it does to resting orders."""
        told: list[Event] = []
        if isinstance(moment, PublicTrade):
            self._match(moment, told)
            return told
        self._book = moment
        self._gone = {Side.BUY: ZERO, Side.SELL: ZERO}
        for entry in tuple(self._open.values()):
            if self._would_take(entry.order, moment):
                told += self._fill(entry, entry.leaves_qty, entry.order.px, moment.ts_exchange_ns)
        return told

    def take(self, request: Request, *, asked_ns: int, at_ns: int) -> list[Event]:
        """A request arrives; the events are what is told about it, in order.

        Parameters
        ----------
        asked_ns, at_ns
            When it was sent, and when it is here, UTC.
        """
        match request:
            case PlaceOrder():
                return self._place(request.approved.order, at_ns)
            case ReplaceOrder():
                return self._amend(request, at_ns)
            case CancelOrder():
                return self._cancel(request.client_order_id, asked_ns)
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
                    at_ns=0, category=request.category, symbol=request.symbol, detail="no such symbol here"
                )
                return [missing]

    def _place(self, order: NewOrder, at_ns: int) -> list[Event]:
        name = order.client_order_id
        if name in self._orders:
            raise LocalProtocolError(f"{name} was sent twice")
        if not self._is_ours(order.category, order.symbol) or order.position_idx:
            return [_rejected(name, _UNKNOWN_SYMBOL, "no such symbol or position here")]
        if not (self._rules.is_on_step(order.qty) and self._rules.is_on_tick(order.px)) or order.qty <= ZERO:
            return [_rejected(name, _OFF_STEP, "not a whole number of steps or ticks")]
        book = self._book
        if book is None:
            return [_rejected(name, _UNKNOWN_SYMBOL, "there is no market yet")]
        entry = VenueOrder(order=order, venue_order_id=f"v{len(self._orders) + 1}")
        self._orders[name] = entry
        acked = OrderAcked(at_ns=0, client_order_id=name, venue_order_id=entry.venue_order_id, sent_sha256="")
        if order.time_in_force is TimeInForce.IOC:
            return [acked, *self._take_liquidity(entry, book, at_ns)]
        if self._would_take(order, book):
            return [acked, entry.end("post-only would have taken liquidity")]
        self._rest(entry, book)
        return [acked, entry.update()]

    def _take_liquidity(self, entry: VenueOrder, book: MarketSnapshot, at_ns: int) -> list[Event]:
        order, told = entry.order, list[Event]()
        is_buy = order.side is Side.BUY
        levels = levels_taken(
            side=order.side,
            qty=order.qty,
            limit_px=order.px,
            touch_px=book.far_touch(order.side),
            touch_qty=book.best_ask_qty if is_buy else book.best_bid_qty,
            gone_qty=self._gone[order.side],
            step_px=self._charges.walk_ticks * self._rules.tick_size,
        )
        for px, qty in levels:
            self._gone[order.side] += qty
            told += self._fill(entry, qty, px, at_ns)
        if entry.is_open:
            told.append(entry.end("nothing more within the limit price"))
        return told

    def _amend(self, request: ReplaceOrder, at_ns: int) -> list[Event]:
        new = request.approved.order
        entry = self._open.get(new.client_order_id)
        if entry is None or self._book is None:
            return [_not_amended(new.client_order_id, _NO_SUCH_ORDER, "no such open order", gone=True)]
        if new.qty <= entry.cum_qty:
            return [_not_amended(new.client_order_id, _BELOW_FILLED, "filled beyond that", gone=False)]
        if not (self._rules.is_on_step(new.qty) and self._rules.is_on_tick(new.px)):
            return [_not_amended(new.client_order_id, _OFF_STEP, "not whole steps or ticks", gone=False)]
        old = entry.order
        if (new.qty, new.px) == (old.qty, old.px):
            return [_not_amended(new.client_order_id, _UNCHANGED, "nothing would change", gone=False)]
        entry.order = replace(old, qty=new.qty, px=new.px)
        entry.version += 1
        told: list[Event] = [ReplaceAcked(at_ns=0, client_order_id=new.client_order_id)]
        if self._would_take(entry.order, self._book):
            del self._open[new.client_order_id]
            return [*told, entry.end("post-only would have taken liquidity")]
        if new.px != old.px or new.qty > old.qty:
            self._rest(entry, self._book)
        return [*told, entry.update()]

    def _cancel(self, name: str, asked_ns: int) -> list[Event]:
        entry = self._open.pop(name, None)
        if entry is None:
            return [CancelFoundNothing(at_ns=0, client_order_id=name, asked_ns=asked_ns)]
        return [CancelAcked(at_ns=0, client_order_id=name), entry.end("cancelled as asked")]

    def _read(self, request: Reconcile, asked_ns: int) -> list[Event]:
        ours = request.category is self._rules.category
        orders = self._orders.values() if ours else ()
        told: list[Event] = []
        for entry in orders:
            told += entry.executed_since(request.since_ms * NS_PER_MS)
        told += [entry.update(asked_ns=asked_ns) for entry in orders if entry.is_open]
        positions = [
            PositionReport(
                category=request.category,
                symbol=symbol,
                position_idx=0,
                qty=self._position_qty if self._is_ours(request.category, symbol) else ZERO,
            )
            for symbol in (() if request.category is Category.SPOT else request.symbols)
        ]
        done = Reconciled(
            at_ns=0,
            category=request.category,
            asked_ns=asked_ns,
            open_client_order_ids=tuple(self._open) if ours else (),
            foreign_open_orders=0,
            positions=tuple(positions),
        )
        return [*told, done]

    def _match(self, trade: PublicTrade, told: list[Event]) -> None:
        """Let a trade reach the orders on its other side: through a price whole, at it after the queue."""
        left = Decimal(trade.qty)
        for entry in tuple(self._open.values()):
            order = entry.order
            if order.side is trade.side:
                continue
            beyond = order.side.sign * (order.px - trade.px)
            if beyond > ZERO:
                told += self._fill(entry, entry.leaves_qty, order.px, trade.ts_exchange_ns)
            elif beyond == ZERO:
                used = min(entry.ahead_qty, left)
                entry.ahead_qty -= used
                qty = min(left - used, entry.leaves_qty)
                if qty > ZERO:
                    left -= qty
                    told += self._fill(entry, Quantity(qty), order.px, trade.ts_exchange_ns)

    def _fill(self, entry: VenueOrder, qty: Quantity, px: Price, at_ns: int) -> list[Event]:
        self._executions += 1
        self._position_qty += entry.order.side.sign * qty
        takes = entry.order.time_in_force is TimeInForce.IOC
        told = entry.fill(
            exec_id=f"e{self._executions}",
            qty=qty,
            px=px,
            fee=self._rules.notional(qty, px)
            * (self._charges.taker_fee_rate if takes else self._charges.maker_fee_rate),
            liquidity=Liquidity.TAKER if takes else Liquidity.MAKER,
            at_ns=at_ns,
        )
        if not entry.is_open:
            self._open.pop(entry.order.client_order_id, None)
        return told

    def _rest(self, entry: VenueOrder, book: MarketSnapshot) -> None:
        """Put an order at the end of the queue at its price."""
        order = entry.order
        ahead = book.best_bid_qty if order.side is Side.BUY else book.best_ask_qty
        inside = order.side.sign * (order.px - book.touch(order.side)) > ZERO
        entry.ahead_qty = ZERO if inside else Decimal(ahead)
        self._open.pop(order.client_order_id, None)
        self._open[order.client_order_id] = entry

    def _would_take(self, order: NewOrder, book: MarketSnapshot) -> bool:
        return order.side.sign * (order.px - book.far_touch(order.side)) >= ZERO

    def _is_ours(self, category: Category, symbol: str) -> bool:
        return (category, symbol) == (self._rules.category, self._rules.symbol)


def _rejected(name: str, code: int, text: str) -> OrderRejected:
    return OrderRejected(at_ns=0, client_order_id=name, code=code, text=text, fatal=False)


def _not_amended(name: str, code: int, text: str, *, gone: bool) -> ReplaceRejected:
    return ReplaceRejected(at_ns=0, client_order_id=name, code=code, text=text, gone=gone)
