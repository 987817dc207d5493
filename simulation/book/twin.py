"""The order book as plainly as it can be said; `machine` is the same book compiled, and is held against this one."""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from simulation.book.book import BookTerms
from simulation.book.messages import (
    ACCEPTED,
    AMENDED,
    BAD_DISPLAY,
    BAD_OWNER,
    BAD_PX,
    BAD_QTY,
    BAD_SIDE,
    BAD_TIME_IN_FORCE,
    BUY,
    CANCELED,
    FILL,
    FOK,
    GTC,
    IOC,
    IS_STOP,
    NO_REASON,
    NO_ROOM,
    NOT_FILLABLE,
    NOTHING_LEFT,
    NUMBER_MAX,
    ORDER_ENDED,
    ORDER_ID_RANGE,
    ORDER_ID_USED,
    OWNER_MAX,
    POST_ONLY,
    PX_TOO_FAR,
    REJECTED,
    REQUESTED,
    SELF_TRADE,
    SELL,
    TRIGGERED,
    UNKNOWN_ORDER,
    WOULD_TAKE,
    Outcome,
)

_MASK: Final = (1 << 64) - 1


@dataclass(slots=True)
class _Order:
    """An order; a `limit_px` of 0 is none, and of a stop `px` is the trigger."""

    order_id: int
    owner: int
    side: int
    px: int
    shown: int
    hidden: int = 0
    display: int = 0
    is_post_only: bool = False
    is_stop: bool = False
    limit_px: int = 0
    arrival: int = 0

    @property
    def leaves(self) -> int:
        return self.shown + self.hidden

    def lay_open(self, qty: int) -> None:
        """Show of a quantity what may be shown."""
        self.shown = min(self.display, qty) if self.display else qty
        self.hidden = qty - self.shown


class _Queues:
    """Orders in queues by key, the highest key first."""

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.queues: dict[int, OrderedDict[int, _Order]] = {}

    def append(self, key: int, order: _Order) -> None:
        if key not in self.queues:
            insort(self.keys, key)
            self.queues[key] = OrderedDict()
        self.queues[key][order.order_id] = order

    def remove(self, key: int, order: _Order) -> None:
        queue = self.queues[key]
        del queue[order.order_id]
        if not queue:
            del self.queues[key]
            del self.keys[bisect_left(self.keys, key)]

    def first(self) -> _Order | None:
        return next(iter(self.queues[self.keys[-1]].values())) if self.keys else None


class TwinBook:
    """`book.OrderBook` in plain Python."""

    def __init__(self, terms: BookTerms | None = None) -> None:
        self._terms = terms or BookTerms()
        self._resting = {BUY: _Queues(), SELL: _Queues()}
        self._stops = {BUY: _Queues(), SELL: _Queues()}
        self._waiting: dict[int, _Order] = {}
        self._used: set[int] = set()
        self._arrivals = 0
        self._last_px = self._traded_high = self._traded_low = 0
        self._outcomes: list[Outcome] = []

    # ------------------------------------------------------------------ messages

    def limit(
        self, order_id: int, owner: int, side: int, px: int, qty: int, tif: int = GTC, display: int = 0, /
    ) -> int:
        """Trade up to a price, and let the rest wait if the time in force allows."""
        self._outcomes = []
        rests = tif in {GTC, POST_ONLY}
        if reason := self._bad_order(order_id, owner, side, qty):
            pass
        elif not 1 <= px <= NUMBER_MAX:
            reason = BAD_PX
        elif tif not in {GTC, IOC, FOK, POST_ONLY}:
            reason = BAD_TIME_IN_FORCE
        elif not 0 <= display <= NUMBER_MAX or (display and not rests):
            reason = BAD_DISPLAY
        elif rests and self._is_full():
            reason = NO_ROOM
        elif rests and self._too_far(px):
            reason = PX_TOO_FAR
        elif tif == POST_ONLY and self._crosses(side, px):
            reason = WOULD_TAKE
        elif tif == FOK:
            reason = self._unfillable(owner, side, px, qty)
        if reason:
            return self._reject(reason, order_id, owner, side, px, qty)
        order = _Order(
            order_id, owner, side, px, qty, display=display, is_post_only=tif == POST_ONLY, limit_px=px
        )
        self._accept(order)
        self._work(order, rests=rests)
        return self._end()

    def market(self, order_id: int, owner: int, side: int, qty: int, /) -> int:
        """Trade at any price; what finds nothing is canceled."""
        self._outcomes = []
        if reason := self._bad_order(order_id, owner, side, qty):
            return self._reject(reason, order_id, owner, side, 0, qty)
        order = _Order(order_id, owner, side, 0, qty)
        self._accept(order)
        self._work(order, rests=False)
        return self._end()

    def cancel(self, order_id: int, /) -> int:
        """Take a waiting order or stop away."""
        self._outcomes = []
        order = self._waiting.get(order_id)
        if order is None:
            return self._reject(self._unknown(order_id), order_id, 0, 0, 0, 0)
        self._remove(order)
        self._cancel_rest(order, REQUESTED)
        return self._end()

    def amend(self, order_id: int, px: int, qty: int, /) -> int:
        """Give a resting order another price, and another quantity that is left open."""
        self._outcomes = []
        order = self._waiting.get(order_id)
        reason = NO_REASON
        if order is None:
            reason = self._unknown(order_id)
        elif order.is_stop:
            reason = IS_STOP
        elif not 1 <= px <= NUMBER_MAX:
            reason = BAD_PX
        elif not 1 <= qty <= NUMBER_MAX:
            reason = BAD_QTY
        elif self._too_far(px):
            reason = PX_TOO_FAR
        elif order.is_post_only and self._crosses(order.side, px):
            reason = WOULD_TAKE
        if reason or order is None:
            return self._reject(reason, order_id, 0, 0, px, qty)
        if px == order.px and qty <= order.leaves:
            order.hidden = max(0, qty - order.shown)
            order.shown = qty - order.hidden
            self._tell(AMENDED, NO_REASON, order, qty)
            return self._end()
        self._remove(order)
        order.px = order.limit_px = px
        order.shown, order.hidden = qty, 0
        self._tell(AMENDED, NO_REASON, order, qty)
        self._work(order, rests=True)
        return self._end()

    def stop(self, order_id: int, owner: int, side: int, trigger_px: int, px_or_0: int, qty: int, /) -> int:
        """Have an order come when somebody trades at the trigger price or beyond."""
        self._outcomes = []
        if reason := self._bad_order(order_id, owner, side, qty):
            pass
        elif not 1 <= trigger_px <= NUMBER_MAX or not 0 <= px_or_0 <= NUMBER_MAX:
            reason = BAD_PX
        elif self._is_full():
            reason = NO_ROOM
        elif self._span(self._stops[side].keys, -side * trigger_px) >= self._terms.window:
            reason = PX_TOO_FAR
        if reason:
            return self._reject(reason, order_id, owner, side, trigger_px, qty)
        self._arrivals += 1
        order = _Order(
            order_id, owner, side, trigger_px, qty, is_stop=True, limit_px=px_or_0, arrival=self._arrivals
        )
        self._accept(order)
        # Buy stops come when the price rises to them: the lowest is the first.
        self._stops[side].append(-side * trigger_px, order)
        self._waiting[order_id] = order
        return self._end()

    # ------------------------------------------------------------------ what is refused

    def _bad_order(self, order_id: int, owner: int, side: int, qty: int) -> int:
        if not 1 <= order_id < self._terms.ids_max:
            return ORDER_ID_RANGE
        if order_id in self._used:
            return ORDER_ID_USED
        if not 0 <= owner <= OWNER_MAX:
            return BAD_OWNER
        if side not in {BUY, SELL}:
            return BAD_SIDE
        return NO_REASON if 1 <= qty <= NUMBER_MAX else BAD_QTY

    def _unknown(self, order_id: int) -> int:
        if not 1 <= order_id < self._terms.ids_max:
            return ORDER_ID_RANGE
        return ORDER_ENDED if order_id in self._used else UNKNOWN_ORDER

    def _is_full(self) -> bool:
        return len(self._waiting) >= self._terms.orders_max

    def _too_far(self, px: int) -> bool:
        ends = [px]
        for side, queues in self._resting.items():
            ends += [side * key for key in (queues.keys[:1] + queues.keys[-1:])]
        return max(ends) - min(ends) >= self._terms.window

    @staticmethod
    def _span(keys: list[int], key: int) -> int:
        ends = [key, *keys[:1], *keys[-1:]]
        return max(ends) - min(ends)

    def _crosses(self, side: int, px: int) -> bool:
        theirs = self._resting[-side].keys
        return bool(theirs) and side * px >= -theirs[-1]

    def _unfillable(self, owner: int, side: int, px: int, qty: int) -> int:
        """Why a fill-or-kill cannot be filled: what stands against it, or what it would cause at most."""
        theirs, found, pieces = self._resting[-side], 0, 0
        for key in reversed(theirs.keys):
            if side * px < -key or found >= qty:
                break
            for order in theirs.queues[key].values():
                pieces += 1
                if order.owner != owner:
                    found += order.leaves
                    pieces += -(-order.hidden // order.display) if order.display else 0
        if found < qty:
            return NOT_FILLABLE
        return NO_ROOM if pieces > self._terms.outcomes_max - 2 else NO_REASON

    # ------------------------------------------------------------------ what happens

    def _accept(self, order: _Order) -> None:
        self._used.add(order.order_id)
        self._tell(ACCEPTED, NO_REASON, order, order.shown)

    def _work(self, order: _Order, *, rests: bool) -> None:
        """Trade with what stands across; then wait, or not."""
        side, theirs = order.side, self._resting[-order.side]
        while order.shown and (maker := theirs.first()):
            if order.limit_px and side * order.limit_px < side * maker.px:
                break
            if len(self._outcomes) > self._terms.outcomes_max - 2:
                self._cancel_rest(order, NO_ROOM)
                return
            if maker.owner == order.owner:
                self._remove(maker)
                self._cancel_rest(maker, SELF_TRADE)
            else:
                self._trade(order, maker)
        if not order.shown:
            return
        if not rests:
            self._cancel_rest(order, NOTHING_LEFT)
            return
        order.lay_open(order.shown)
        self._resting[side].append(side * order.px, order)
        self._waiting[order.order_id] = order

    def _trade(self, taker: _Order, maker: _Order) -> None:
        qty, px = min(taker.shown, maker.shown), maker.px
        taker.shown -= qty
        maker.shown -= qty
        self._last_px = px
        self._traded_high = max(self._traded_high, px)
        self._traded_low = min(self._traded_low or px, px)
        if maker.shown == 0:
            self._remove(maker)
            if maker.hidden:
                maker.lay_open(maker.hidden)
                self._resting[maker.side].append(maker.side * px, maker)
                self._waiting[maker.order_id] = maker
        self._outcomes.append(
            Outcome(
                FILL,
                NO_REASON,
                taker.order_id,
                taker.owner,
                taker.side,
                px,
                qty,
                taker.shown,
                maker.order_id,
                maker.owner,
                maker.leaves,
            )
        )

    def _end(self) -> int:
        """Let stops come that the trades have reached, one after the other."""
        while self._traded_high and len(self._outcomes) <= self._terms.outcomes_max - 3:
            reached = [stop for side in (BUY, SELL) if (stop := self._stops[side].first())]
            reached = [
                stop
                for stop in reached
                if (stop.px <= self._traded_high if stop.side == BUY else stop.px >= self._traded_low)
            ]
            if not reached:
                self._traded_high = self._traded_low = 0
                break
            order = min(reached, key=lambda stop: stop.arrival)
            self._remove(order)
            order.px, order.is_stop, order.arrival = order.limit_px, False, 0
            self._tell(TRIGGERED, NO_REASON, order, order.shown)
            if order.px and self._too_far(order.px):
                self._cancel_rest(order, PX_TOO_FAR)
            else:
                self._work(order, rests=order.px > 0)
        return len(self._outcomes)

    def _remove(self, order: _Order) -> None:
        del self._waiting[order.order_id]
        if order.is_stop:
            self._stops[order.side].remove(-order.side * order.px, order)
        else:
            self._resting[order.side].remove(order.side * order.px, order)

    # ------------------------------------------------------------------ what is told

    def _cancel_rest(self, order: _Order, reason: int) -> None:
        qty = order.leaves
        order.shown = order.hidden = 0
        self._tell(CANCELED, reason, order, qty)

    def _tell(self, kind: int, reason: int, order: _Order, qty: int) -> None:
        self._outcomes.append(
            Outcome(
                kind, reason, order.order_id, order.owner, order.side, order.px, qty, order.leaves, 0, 0, 0
            )
        )

    def _reject(self, reason: int, order_id: int, owner: int, side: int, px: int, qty: int) -> int:
        self._outcomes.append(Outcome(REJECTED, reason, order_id, owner, side, px, qty, 0, 0, 0, 0))
        return -reason

    @property
    def outcomes(self) -> list[Outcome]:
        """What the last message caused, in order."""
        return self._outcomes

    def plain_outcomes(self) -> Iterator[tuple[int, ...]]:
        """Give the outcomes of the last message as plain tuples, once and before the next one."""
        return iter(self._outcomes)

    # ------------------------------------------------------------------ what can be seen

    @property
    def best_bid(self) -> int:
        """Highest price bid in ticks; 0 is none."""
        keys = self._resting[BUY].keys
        return keys[-1] if keys else 0

    @property
    def best_ask(self) -> int:
        """Lowest price asked in ticks; 0 is none."""
        keys = self._resting[SELL].keys
        return -keys[-1] if keys else 0

    @property
    def last_px(self) -> int:
        """Price of the last trade in ticks; 0 is none yet."""
        return self._last_px

    def depth(self, side: int, levels: int) -> list[tuple[int, int]]:
        """List the best levels of a side, best first: price in ticks, and lots shown there."""
        queues = self._resting[side]
        return [
            (side * key, sum(order.shown for order in queues.queues[key].values()))
            for key in queues.keys[: -levels - 1 : -1]
        ]

    def leaves(self, order_id: int) -> int:
        """Lots that an order or stop has open; 0 if it does not wait."""
        order = self._waiting.get(order_id)
        return order.leaves if order else 0

    def state_hash(self) -> int:
        """Sum up all that the book holds, in 64 bits."""
        state = 0
        last = (self._last_px, self._traded_high, self._traded_low, self._arrivals)
        for value in (*last, len(self._used), len(self._waiting)):
            state = _absorb(state, value)
        for queues in chain(self._resting.values(), self._stops.values()):
            for key in reversed(queues.keys):
                for order in queues.queues[key].values():
                    for value in (order.order_id, order.owner, order.px, order.shown, order.hidden):
                        state = _absorb(state, value)
                    flags = (order.side == SELL) + 2 * order.is_post_only + 4 * order.is_stop
                    for value in (order.display, order.limit_px, order.arrival, flags):
                        state = _absorb(state, value)
        return state


def _absorb(state: int, value: int) -> int:
    mixed = ((state ^ value) + 0x9E3779B97F4A7C15) & _MASK
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _MASK
    return mixed ^ (mixed >> 31)
