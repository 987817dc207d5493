"""A recording whose venue also works strategy orders: their requests, their pieces, and what is heard of them.

The pieces are orders in the same book as ours. They cross the same wire as ours, so a timed piece comes to the book
exactly when it is due, and what looks at the market first (a share of the volume, a best price) sees it as late as we
do. What is heard is what the venue lets be heard: fills under ids that we never gave, and the rest on being asked.
"""

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field, replace
from decimal import Decimal
from heapq import heappop, heappush
from typing import Final

from executor.domain.commands import CancelOrder, PlaceAlgo, QueryAlgo, StopAlgo
from executor.domain.errors import LocalProtocolError
from executor.domain.events import (
    AlgoOrdersSeen,
    BookUpdated,
    CancelAcked,
    Event,
    OrderAbsent,
    OrderAcked,
    OrderFilled,
    OrderRejected,
    OrderUpdated,
    Reconciled,
    VenueStatus,
)
from executor.domain.market import MarketSnapshot
from executor.domain.orders import NewOrder, Side, TimeInForce
from executor.domain.timeline import NS_PER_S
from executor.domain.units import BPS_PER_UNIT, ONE, ZERO, Price, Quantity
from simulation.replay import codes
from simulation.replay_venue import RecordedWorld, Request
from simulation.strategy_desk import Send, Sight, VenueStrategy
from simulation.venue_order import VenueOrder

REACH_BPS: Final = Decimal(40)
"""How far beyond the touch a market order of the venue may go."""
_MARK: Final = "venue-"


@dataclass(slots=True, kw_only=True)
class _Work:
    """A strategy order, and the orders it has made."""

    strategy: VenueStrategy
    strategy_id: str
    version: int = 1
    pieces: list[NewOrder] = field(default_factory=list)
    open_piece: NewOrder | None = None


class StrategyWorld:
    """A recorded world with the venue's own desk in it.

    Parameters
    ----------
    inner
        The recording, and the orders that are tried in it.
    """

    def __init__(self, inner: RecordedWorld) -> None:
        self._inner = inner
        self._works: dict[str, _Work] = {}
        self._of_piece: dict[str, _Work] = {}
        self._booked: set[str] = set()
        self._told: deque[Event] = deque()
        self._coming: list[tuple[int, int, QueryAlgo | Event]] = []
        self._numbers = 0
        self._market: MarketSnapshot | None = None
        self._last_px = ZERO
        self._traded_ns: list[int] = []
        self._traded_qty: list[Decimal] = []

    @property
    def now_ns(self) -> int:
        """How far it has gone on."""
        return self._inner.now_ns

    @property
    def orders(self) -> tuple[VenueOrder, ...]:
        """Orders of ours, and those that the venue made for them."""
        return self._inner.orders

    def send(self, request: Request, at_ns: int) -> None:
        """Take a request about an ordinary order, or a question, that leaves us at an instant."""
        self._inner.send(request, at_ns)

    def send_algo(self, request: PlaceAlgo | StopAlgo | QueryAlgo, at_ns: int) -> None:
        """Take a request about a strategy order.

        Raises
        ------
        LocalProtocolError
            If it cannot have come from our engine: a strategy order sent twice, or stopped and never sent.
        """
        match request:
            case PlaceAlgo():
                self._begin(request, at_ns)
            case StopAlgo():
                work = self._works.get(request.client_order_id)
                if work is None or work.strategy_id != request.strategy_id:
                    raise LocalProtocolError(f"{request.client_order_id} was never sent")
                work.strategy.end("stopped as asked")
                self._answer(at_ns, CancelAcked(at_ns=0, client_order_id=request.client_order_id))
            case QueryAlgo():
                self._answer(at_ns, request)

    def advance(self, until_ns: int) -> Event | None:
        """Go on to an instant, but not beyond the first thing that is heard."""
        while until_ns >= self.now_ns:
            if self._told:
                return self._told.popleft()
            edge_ns = min(until_ns, max(self._next_ns(), self.now_ns))
            heard = self._inner.advance(edge_ns)
            if heard is not None:
                self._hear(heard)
            while self._coming and self._coming[0][0] <= self.now_ns:
                self._reply(heappop(self._coming)[2])
            for work in self._works.values():
                self._step(work)
            if heard is None and not self._told and self.now_ns >= until_ns:
                return None
        return None

    def _next_ns(self) -> int:
        due = [one.strategy.next_ns for one in self._works.values() if not one.strategy.ended]
        due = [at_ns for at_ns in due if at_ns > self.now_ns]
        if self._coming:
            due.append(self._coming[0][0])
        return min(due, default=codes.NEVER)

    # ------------------------------------------------------------------ strategies

    def _begin(self, request: PlaceAlgo, at_ns: int) -> None:
        algo = request.approved.order
        name = algo.order.client_order_id
        if name in self._works:
            raise LocalProtocolError(f"{name} was sent twice")
        strategy = VenueStrategy(algo=algo, rules=self._inner.rules, begun_ns=at_ns)
        work = _Work(strategy=strategy, strategy_id=f"s{len(self._works) + 1}")
        self._works[name] = work
        self._answer(
            at_ns,
            OrderAcked(at_ns=0, client_order_id=name, venue_order_id=work.strategy_id, sent_sha256=""),
        )

    def _step(self, work: _Work) -> None:
        """Let a strategy order do everything that it can do now."""
        while self._market is not None:
            wanted = work.strategy.step(self.now_ns, lambda: self._sight(work))
            if wanted is None:
                return
            if isinstance(wanted, Send):
                self._place(work, wanted)
            elif work.open_piece is not None:
                order = work.open_piece
                cancel = CancelOrder(
                    category=order.category, symbol=order.symbol, client_order_id=order.client_order_id
                )
                self._inner.send(cancel, self.now_ns)

    def _place(self, work: _Work, wanted: Send) -> None:
        assert self._market is not None, "it was looked at"
        algo = work.strategy.algo.order
        side, rules = algo.side, self._inner.rules
        px = wanted.px
        if px is None:
            touch = self._market.best_ask if side is Side.BUY else self._market.best_bid
            px = rules.round_px(side, Price(touch * (ONE + side.sign * REACH_BPS / BPS_PER_UNIT)))
        order = replace(
            algo,
            client_order_id=f"{_MARK}{work.strategy_id}-{len(work.pieces) + 1}",
            qty=wanted.qty,
            px=px,
            time_in_force=TimeInForce.IOC if wanted.px is None else TimeInForce.POST_ONLY,
        )
        work.pieces.append(order)
        work.open_piece = order
        self._of_piece[order.client_order_id] = work
        hold = codes.IOC if wanted.px is None else codes.GTC
        self._inner.work(order, hold, self.now_ns)

    def _sight(self, work: _Work) -> Sight:
        market = self._market
        assert market is not None, "nothing is decided before the first book"
        since_ns = self.now_ns - work.strategy.algo.terms.window_s * NS_PER_S
        place = max(bisect_right(self._traded_ns, since_ns) - 1, 0)
        buys = work.strategy.algo.order.side is Side.BUY
        return Sight(
            best_px=market.best_bid if buys else market.best_ask,
            last_px=self._last_px or market.mid_px,
            seen_qty=self._traded_qty[-1] - self._traded_qty[place],
        )

    # ------------------------------------------------------------------ what is heard

    def _hear(self, event: Event) -> None:
        match event:
            case BookUpdated():
                self._look(event.market)
                self._told.append(event)
            case OrderFilled() if event.fill.client_order_id in self._of_piece:
                self._told.append(self._unnamed(event))
                if event.fill.exec_id not in self._booked:
                    self._booked.add(event.fill.exec_id)
                    work = self._of_piece[event.fill.client_order_id]
                    work.version += 1
                    work.strategy.filled(event.fill.last_qty)
            case OrderUpdated() if event.client_order_id in self._of_piece:
                if event.status not in {VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED}:
                    self._close(event.client_order_id)
            case OrderRejected() if event.client_order_id in self._of_piece:
                self._close(event.client_order_id)
            case Reconciled():
                kept = tuple(name for name in event.open_client_order_ids if name not in self._of_piece)
                self._told.append(replace(event, open_client_order_ids=kept))
            case _ if getattr(event, "client_order_id", "") in self._of_piece:
                pass  # an answer to a request of the venue's own desk
            case _:
                self._told.append(event)

    def _close(self, name: str) -> None:
        work = self._of_piece[name]
        if work.open_piece is not None and work.open_piece.client_order_id == name:
            work.open_piece = None
            work.version += 1
            work.strategy.closed(self.now_ns)

    def _look(self, market: MarketSnapshot) -> None:
        before = self._market
        if before is not None and market.traded_qty > before.traded_qty:
            value = market.traded_notional - before.traded_notional
            self._last_px = value / (market.traded_qty - before.traded_qty)
        self._market = market
        self._traded_ns.append(self.now_ns)
        self._traded_qty.append(market.traded_qty)

    @staticmethod
    def _unnamed(event: OrderFilled) -> OrderFilled:
        """An execution as the stream tells it: under the id of an order that we did not send, and no name."""
        piece_id = event.fill.client_order_id
        return replace(event, fill=replace(event.fill, client_order_id="", venue_order_id=piece_id))

    def _answer(self, asked_ns: int, answer: QueryAlgo | Event) -> None:
        self._numbers += 1
        heappush(self._coming, (asked_ns + self._inner.round_trip_ns, self._numbers, answer))

    def _reply(self, answer: QueryAlgo | Event) -> None:
        if not isinstance(answer, QueryAlgo):
            self._told.append(answer)
            return
        name = answer.algo.order.client_order_id
        asked_ns = self.now_ns - self._inner.round_trip_ns
        work = self._works.get(name)
        if work is None:
            self._told.append(OrderAbsent(at_ns=0, client_order_id=name, asked_ns=asked_ns))
            return
        strategy, order = work.strategy, work.strategy.algo.order
        status = VenueStatus.PARTIALLY_FILLED if strategy.cum_qty else VenueStatus.NEW
        if not strategy.is_open:
            status = VenueStatus.FILLED if strategy.leaves_qty <= ZERO else VenueStatus.CANCELED
        self._told.append(
            AlgoOrdersSeen(
                at_ns=0,
                client_order_id=name,
                strategy_id=work.strategy_id,
                venue_order_ids=tuple(one.client_order_id for one in work.pieces),
            )
        )
        self._told.append(
            OrderUpdated(
                at_ns=0,
                category=order.category,
                symbol=order.symbol,
                client_order_id=name,
                venue_order_id=work.strategy_id,
                status=status,
                side=order.side,
                qty=order.qty,
                px=order.px,
                cum_qty=Quantity(strategy.cum_qty),
                updated_ms=work.version,
                detail=strategy.ended,
                asked_ns=asked_ns,
            )
        )
