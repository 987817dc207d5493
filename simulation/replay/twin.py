"""The obvious replay venue: dicts, lists and plain numbers. `kernel` must do the same; rules: docs/replay.md."""

from collections import deque
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from math import log
from typing import Final, Self

from simulation.replay import codes
from simulation.replay.spoken import Account, Answer, Columns, Glance
from simulation.replay.terms import Delay, ReplayTerms

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_NOT_KNOWN: Final = 1 << 200
"""More ahead than any book holds."""


def mix(value: int) -> int:
    """Scramble 64 bits, one to one (the finisher of splitmix64)."""
    value &= _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def absorb(state: int, value: int) -> int:
    """Add a number to a hash, in order."""
    return mix((state ^ (value & _MASK)) + _GOLDEN)


def decrease_ahead(model: int, ahead: int, before: int, after: int, gone: int) -> int:
    """Say how much waits ahead after a level shrank for no trade that was seen.

    Parameters
    ----------
    ahead
        Before, in parts of a lot.
    before, after
        Lots on the level that can trade, before and after.
    gone
        Lots that left, not counting those that trades already explained.
    """
    if model != codes.RISK_AVERSE and gone > 0:
        behind = max(before * codes.AHEAD_UNIT - ahead, 0)
        weight_ahead, weight_behind = _weight(model, ahead), _weight(model, behind)
        if weight_ahead + weight_behind > 0:
            all_gone = gone * codes.AHEAD_UNIT
            from_ahead = int(weight_ahead / (weight_ahead + weight_behind) * all_gone)
            ahead -= from_ahead + max(all_gone - from_ahead - behind, 0)
    return min(max(ahead, 0), after * codes.AHEAD_UNIT)


def _weight(model: int, parts: int) -> float:
    lots = parts / codes.AHEAD_UNIT
    if model == codes.PROPORTIONAL:
        return lots
    if model == codes.SQUARE:
        return lots * lots
    if model == codes.CUBE:
        return lots * lots * lots
    return log(1.0 + lots)


@dataclass(slots=True, eq=False)
class _Order:
    order_id: int
    side: int
    px: int
    qty: int
    leaves: int
    hold: int
    ahead: int = 0
    traded: int = 0
    span: int = 0
    lent: int = 0
    lent_before: int = 0
    arrival: int = 0


@dataclass(frozen=True, slots=True)
class _Request:
    at_ns: int
    what: int
    order_id: int
    side: int
    px: int
    qty: int
    hold: int


_Row = tuple[int, int, int, int, int, int, int, int]


class ReplayTwin:
    """The whole venue, both ends of the wire."""

    def __init__(self, terms: ReplayTerms, *, start_ns: int = 0) -> None:
        self.now_ns = start_ns
        self._terms = terms
        self._rows: deque[_Row] = deque()
        self._final = False
        self._book: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self._taken: dict[tuple[int, int], int] = {}
        self._theirs: dict[int, tuple[int, int]] = {}
        self._orders: list[_Order] = []
        self._requests: deque[_Request] = deque()
        self._answers: deque[Answer] = deque()
        self._coming: deque[Glance] = deque()
        self._seen = self._shown = Glance(0, 0, 0, 0, 0, 0, 0)
        most = terms.requests_per_s_max
        self._admitted = tuple(deque[int](maxlen=most) for _ in (codes.PLACE, codes.AMEND, codes.CANCEL))
        self._row_ns = self._local_ns = self._request_ns = self._answer_ns = 0
        self._feed_lag_ns = self._feed_delay_ns = 0
        self._messages = self._sent = self._told = self._arrivals = 0
        self._message_begun = False
        self._touch_at_ns, self._touch_last_ns = codes.NEVER, -codes.NEVER
        self._position = self._cash = self._fills = 0
        self._turnover = {codes.MAKER: 0, codes.TAKER: 0}
        self._funding = self._mark = self._last_px = 0
        self._halted = self._ready = False
        self._traded_qty = self._traded_value = 0

    # ------------------------------------------------------------------ our end

    @property
    def row_ns(self) -> int:
        """Exchange's time of the latest row that was played."""
        return self._row_ns

    @property
    def lag_ns(self) -> int:
        """How much later than the exchange we saw the latest message."""
        return self._feed_lag_ns

    def fork(self) -> Self:
        """Make a second venue that goes on from here."""
        return deepcopy(self)

    def feed(self, rows: Columns, *, final: bool) -> None:
        """Hand over the next rows."""
        self._final = final
        columns = (
            rows.exch_ns,
            rows.recv_ns,
            rows.kind,
            rows.side,
            rows.px,
            rows.qty,
            rows.order_id,
            rows.flags,
        )
        self._rows.extend(tuple(map(int, row)) for row in zip(*columns, strict=True))  # type: ignore[misc]

    def place(self, order_id: int, side: int, px: int, qty: int, hold: int = codes.GTC) -> None:
        """Send an order off."""
        self._send(codes.PLACE, order_id, side, px, qty, hold)

    def amend(self, order_id: int, px: int, qty: int) -> None:
        """Send an amendment off: new price, new total quantity."""
        self._send(codes.AMEND, order_id, 0, px, qty, 0)

    def cancel(self, order_id: int) -> None:
        """Send a cancel off."""
        self._send(codes.CANCEL, order_id, 0, 0, 0, 0)

    def put_back(self, order_id: int, side: int, px: int, qty: int) -> None:
        """Let an order rest that rested before the venue began; nobody knows how many are ahead of it.

        It is no request: there is no limit to them, and no answer. The first level or snapshot that tells of its
        price shortens the queue to what is there. Of the twin alone: only what begins anew in a market needs it.
        """
        self._arrivals += 1
        order = _Order(order_id, side, px, qty, qty, codes.POST_ONLY, arrival=self._arrivals)
        order.ahead = 2 * _NOT_KNOWN
        self._orders.append(order)

    def answers(self) -> list[Answer]:
        """Take what was heard by now."""
        heard = []
        while self._answers and self._answers[0].due_ns <= self.now_ns:
            heard.append(self._answers.popleft())
        return heard

    def glance(self) -> Glance:
        """See the market."""
        return self._seen

    def account(self) -> Account:
        """Read position and money, as the exchange has them."""
        return Account(
            self._position,
            self._cash,
            self._turnover[codes.MAKER],
            self._turnover[codes.TAKER],
            self._funding,
            self._fills,
        )

    def advance(self, until_ns: int, wake: int = 0) -> int:
        """Let time pass until an instant, or until what is waited for (R3, R5)."""
        until_ns = max(until_ns, self.now_ns)
        hears, looks = bool(wake & codes.WAKE_ANSWER), bool(wake & codes.WAKE_TOUCH)
        while True:
            if hears and self._answers and self._answers[0].due_ns <= self.now_ns:
                return codes.ANSWER
            if not self._rows and not self._final:
                while not looks and self._coming and self._coming[0].seen_ns <= self._row_ns:
                    self._see(self._coming.popleft(), looks=looks)
                return codes.MORE
            row_ns = max(self._row_ns, self._rows[0][0]) if self._rows else codes.NEVER
            request_ns = self._requests[0].at_ns if self._requests else codes.NEVER
            local_ns = until_ns
            if hears and self._answers:
                local_ns = min(local_ns, self._answers[0].due_ns)
            if looks:
                local_ns = min(local_ns, self._touch_at_ns)
                if self._coming:
                    local_ns = min(local_ns, self._coming[0].seen_ns)
            if min(row_ns, request_ns) <= local_ns:
                if row_ns <= request_ns:
                    self._follow(self._rows.popleft())
                else:
                    self._take(self._requests.popleft())
                continue
            self.now_ns = max(self.now_ns, local_ns)
            while self._coming and self._coming[0].seen_ns <= self.now_ns:
                self._see(self._coming.popleft(), looks=looks)
            if hears and self._answers and self._answers[0].due_ns <= self.now_ns:
                return codes.ANSWER
            if looks and self._touch_at_ns <= self.now_ns:
                self._touch_at_ns, self._touch_last_ns = codes.NEVER, self.now_ns
                return codes.TOUCH_MOVED
            if self.now_ns >= until_ns:
                quiet = not (self._rows or self._requests or self._answers or self._coming)
                return codes.END if quiet else codes.UNTIL

    def _send(self, what: int, order_id: int, side: int, px: int, qty: int, hold: int) -> None:
        delay_ns = self._draw(self._terms.entry, 1, self._sent)
        self._sent += 1
        self._request_ns = max(self._request_ns, self.now_ns + delay_ns, self._row_ns)
        self._requests.append(_Request(self._request_ns, what, order_id, side, px, qty, hold))

    def _see(self, glance: Glance, *, looks: bool) -> None:
        width = (1, 3) if self._terms.prices_only else (1, 2, 3, 4)
        moved = any(glance[field] != self._seen[field] for field in width)
        self._seen = glance
        if looks and moved and self._touch_at_ns == codes.NEVER:
            self._touch_at_ns = max(glance.seen_ns, self._touch_last_ns + self._terms.conflate_ns)

    # ------------------------------------------------------------------ the wire

    def _draw(self, delay: Delay, wire: int, number: int) -> int:
        if delay.source == codes.MEASURED:
            return self._feed_lag_ns
        if delay.source == codes.SAMPLED:
            drawn = absorb(absorb(self._terms.seed, wire), number) >> 1
            return delay.samples_ns[drawn % len(delay.samples_ns)]
        return delay.constant_ns

    def _tell(self, at_ns: int, kind: int, order: _Order, px: int, qty: int, detail: int) -> None:
        delay_ns = self._draw(self._terms.answer, 2, self._told)
        self._told += 1
        self._answer_ns = max(self._answer_ns, at_ns + delay_ns)
        self._answers.append(
            Answer(self._answer_ns, at_ns, kind, order.order_id, order.side, px, qty, order.leaves, detail)
        )

    def _say(self, at_ns: int, kind: int, order: _Order, reason: int = codes.NO_REASON) -> None:
        self._tell(at_ns, kind, order, order.px, order.qty, reason)

    def _show(self, local_ns: int) -> None:
        """Send the touch on its way to us, if it is not as it was sent last (R6)."""
        bid_px, bid_qty = self._best(1)
        ask_px, ask_qty = self._best(-1)
        glance = Glance(local_ns, bid_px, bid_qty, ask_px, ask_qty, self._traded_qty, self._traded_value)
        if glance[1:] != self._shown[1:]:
            self._shown = glance
            self._coming.append(glance)

    # ------------------------------------------------------------------ the exchange's book

    def _follow(self, row: _Row) -> None:
        exch_ns, recv_ns, kind, side, px, qty, their_id, flags = row
        self._row_ns = at_ns = max(self._row_ns, exch_ns)
        if self._terms.feed.source == codes.MEASURED:
            self._feed_delay_ns = max(recv_ns - at_ns, 0)
        elif not self._message_begun:
            self._feed_delay_ns = self._draw(self._terms.feed, 0, self._messages)
        self._message_begun = True
        self._local_ns = max(self._local_ns, at_ns + self._feed_delay_ns)
        self._feed_lag_ns = self._local_ns - at_ns
        if kind == codes.LEVEL:
            self._set_level(side, px, qty, at_ns)
        elif kind == codes.TRADE:
            self._print(px, qty)
            self._match(side, px, qty, at_ns)
        elif kind == codes.CLEAR:
            self._clear(side)
        elif kind == codes.ADD:
            self._arrivals += 1
            if their_id:
                self._theirs[their_id] = (self._arrivals, qty)
            self._set_level(side, px, self._lots(side, px) + qty, at_ns)
        elif kind in {codes.REDUCE, codes.DELETE, codes.EXECUTE}:
            self._take_off(kind, side, px, qty, their_id, at_ns)
        elif kind == codes.HIDDEN:
            self._print(px, qty)
        elif kind == codes.HALT:
            resumes = self._halted and qty == 0
            self._halted = qty != 0
            if resumes:
                self._match_all(at_ns)
        elif kind == codes.FUNDING:
            self._funding += self._position * (self._mark or self._last_px) * px
        elif kind == codes.MARK:
            self._mark = px
        if flags & codes.LAST:
            if not self._ready and self._book[1] and self._book[-1]:
                self._settle(at_ns)
                self._ready = True
            self._message_begun = False
            self._messages += 1
            self._show(self._local_ns)

    def _clear(self, side: int) -> None:
        for one in (1, -1) if side == 0 else (side,):
            self._book[one].clear()
        self._ready = False
        if side == 0:
            self._theirs.clear()

    def _settle(self, at_ns: int) -> None:
        """A snapshot is whole: nobody is where it shows nobody, and no more is taken than it shows (R8, R18)."""
        for order in self._orders:
            levels = self._book[order.side]
            if order.px not in levels and any(order.side * (order.px - px) > 0 for px in levels):
                self._shorten(order, 0, at_ns)
        shown = {(side, px): min(lots, self._lots(side, px)) for (side, px), lots in self._taken.items()}
        self._taken = {key: lots for key, lots in shown.items() if lots > 0}

    def _print(self, px: int, qty: int) -> None:
        self._traded_qty += qty
        self._traded_value += px * qty
        self._last_px = px

    def _lots(self, side: int, px: int) -> int:
        return self._book[side].get(px, 0)

    def _there(self, side: int, px: int) -> int:
        """Lots on a level that can trade: what is recorded less what we took."""
        return max(self._lots(side, px) - self._taken.get((side, px), 0), 0)

    def _keep_taken(self, side: int, px: int, lots: int) -> None:
        if self._terms.keeps_taken:
            self._taken[side, px] = self._taken.get((side, px), 0) + lots

    def _levels(self, side: int) -> Iterator[tuple[int, int]]:
        """Levels of one side that have something to trade, best first."""
        for px in sorted(self._book[side], reverse=side > 0):
            there = self._there(side, px)
            if there > 0:
                yield px, there

    def _best(self, side: int) -> tuple[int, int]:
        return next(self._levels(side), (0, 0))

    def _set_level(self, side: int, px: int, lots: int, at_ns: int, *, exact: bool = False) -> None:
        """Write a new total (R10), let queues shorten (R14), and let what came trade against us (R13)."""
        before, old = self._there(side, px), self._lots(side, px)
        if lots > 0:
            self._book[side][px] = lots
        else:
            self._book[side].pop(px, None)
        if lots < old and (side, px) in self._taken:
            left = self._taken.pop((side, px)) - (old - lots)
            if left > 0:
                self._taken[side, px] = left
        after = self._there(side, px)
        for order in self._orders:
            if (order.side, order.px) == (side, px):
                model = codes.RISK_AVERSE if exact else self._terms.queue_model
                gone = before - after - order.traded
                ahead = decrease_ahead(model, order.ahead, before, after, gone)
                if exact:
                    order.ahead = ahead
                else:
                    self._shorten(order, ahead, at_ns)
                if lots < old:
                    order.traded = 0
        if after > before and not self._halted:
            self._match_level(side, px, at_ns)

    def _shorten(self, order: _Order, ahead: int, at_ns: int) -> None:
        """Fewer wait ahead for no trade that was seen: one that is still to be heard may be why (R15)."""
        if self._terms.print_lag_ns and order.ahead < _NOT_KNOWN:
            self._forget_old(order, at_ns)
            order.lent += order.ahead - ahead
        order.ahead = ahead

    def _forget_old(self, order: _Order, at_ns: int) -> None:
        """What left ahead is kept in mind by spans of time: this one, and the one before."""
        span = at_ns // self._terms.print_lag_ns if self._terms.print_lag_ns else 0
        if span != order.span:
            order.lent_before = order.lent if span == order.span + 1 else 0
            order.span, order.lent = span, 0

    def _match_all(self, at_ns: int) -> None:
        """Trading goes on: what stands across trades."""
        for side in (1, -1):
            for px, _ in list(self._levels(side)):
                self._match_level(side, px, at_ns)

    def _match_level(self, side: int, px: int, at_ns: int) -> None:
        """A recorded level has reached our orders on the other side: it trades with the best of them first."""
        left = self._there(side, px)
        while left > 0:
            reached = [order for order in self._orders if order.side == -side and side * (px - order.px) >= 0]
            if not reached:
                return
            best = max(reached, key=lambda order: order.side * order.px)
            lots = min(left, best.leaves)
            left -= lots
            self._keep_taken(side, px, lots)
            self._fill(best, best.px, lots, codes.MAKER, at_ns)

    def _match(self, side: int, px: int, qty: int, at_ns: int) -> None:
        """A public trade reaches our orders on its other side (R11, R12)."""
        if side == 0:
            return
        passed = [order for order in self._orders if order.side == -side and side * (px - order.px) > 0]
        left, eaten = self._fill_passed(passed, qty, at_ns), 0
        for order in passed:
            order.ahead = order.lent = order.lent_before = 0
        for order in [order for order in self._orders if order.side == -side and order.px == px]:
            self._forget_old(order, at_ns)
            needed = max(order.ahead + order.lent_before + order.lent - eaten, 0)
            used = min(-(-needed // codes.AHEAD_UNIT), left)
            eaten += min(used * codes.AHEAD_UNIT, needed)
            left -= used
            lots = min(left, order.leaves)
            if lots > 0:
                left -= lots
                self._fill(order, order.px, lots, codes.MAKER, at_ns)
        eaten += left * codes.AHEAD_UNIT
        for order in self._orders:
            if order.side == -side and order.px == px:
                of_lent_before = min(order.lent_before, eaten)
                of_lent = min(order.lent, eaten - of_lent_before)
                order.lent_before -= of_lent_before
                order.lent -= of_lent
                order.ahead = max(order.ahead - (eaten - of_lent_before - of_lent), 0)
                order.traded += qty

    def _fill_passed(self, passed: list[_Order], lots: int, at_ns: int) -> int:
        """Somebody traded beyond orders of ours: they get his lots first, the best price first; gives what is left."""
        for order in sorted(passed, key=lambda order: -order.side * order.px):
            filled = min(lots, order.leaves)
            if filled > 0:
                lots -= filled
                self._fill(order, order.px, filled, codes.MAKER, at_ns)
        return lots

    def _take_off(self, kind: int, side: int, px: int, qty: int, their_id: int, at_ns: int) -> None:
        """An order of somebody else shrinks, goes, or is hit: queues are known exactly (R16)."""
        arrival, left = self._theirs.get(their_id, (0, 0))
        if arrival:
            if kind == codes.DELETE:
                qty = left
            if left > qty and kind != codes.DELETE:
                self._theirs[their_id] = (arrival, left - qty)
            else:
                del self._theirs[their_id]
        if kind == codes.EXECUTE:
            self._print(px, qty)
            self._execute(side, px, qty, arrival, at_ns)
        for order in self._orders:
            if (order.side, order.px) == (side, px) and order.arrival > arrival:
                order.ahead = max(order.ahead - qty * codes.AHEAD_UNIT, 0)
        self._set_level(side, px, max(self._lots(side, px) - qty, 0), at_ns, exact=True)

    def _execute(self, side: int, px: int, qty: int, arrival: int, at_ns: int) -> None:
        passed = [order for order in self._orders if order.side == side and side * (order.px - px) > 0]
        left = self._fill_passed(passed, qty, at_ns)
        for order in [order for order in self._orders if (order.side, order.px) == (side, px)]:
            lots = min(left, order.leaves)
            if order.arrival < arrival and lots > 0:
                left -= lots
                self._fill(order, order.px, lots, codes.MAKER, at_ns)

    def _fill(self, order: _Order, px: int, lots: int, liquidity: int, at_ns: int) -> None:
        order.leaves -= lots
        self._position += order.side * lots
        self._cash -= order.side * px * lots
        self._turnover[liquidity] += px * lots
        self._fills += 1
        self._tell(at_ns, codes.FILLED, order, px, lots, liquidity)
        if order.leaves == 0 and order in self._orders:
            self._orders.remove(order)

    # ------------------------------------------------------------------ the exchange's order desk

    def _take(self, request: _Request) -> None:
        at_ns, order_id = request.at_ns, request.order_id
        resting = next((order for order in self._orders if order.order_id == order_id), None)
        asked = _Order(order_id, request.side, request.px, request.qty, 0, request.hold)
        failure = (codes.REJECTED, codes.AMEND_REJECTED, codes.CANCEL_REJECTED)[request.what]
        if not self._admit(request.what, at_ns):
            self._say(at_ns, failure, asked, codes.RATE_LIMIT)
        elif request.what == codes.PLACE:
            reason = self._refusal(asked)
            if not reason and len(self._orders) >= self._terms.open_orders_max:
                reason = codes.OPEN_ORDERS
            if reason:
                self._say(at_ns, failure, asked, reason)
                return
            asked.leaves = asked.qty
            self._say(at_ns, codes.ACCEPTED, asked)
            self._enter(asked, at_ns)
        elif resting is None:
            self._say(at_ns, failure, asked, codes.UNKNOWN_ORDER)
        elif request.what == codes.CANCEL:
            self._orders.remove(resting)
            resting.leaves = 0
            self._say(at_ns, codes.ENDED, resting, codes.AS_ASKED)
        else:
            self._amend(resting, asked, at_ns)

    def _amend(self, order: _Order, asked: _Order, at_ns: int) -> None:
        done = order.qty - order.leaves
        asked.side = order.side
        reason = self._refusal(asked)
        if not reason and asked.qty <= done:
            reason = codes.BELOW_FILLED
        if not reason and (asked.px, asked.qty) == (order.px, order.qty):
            reason = codes.UNCHANGED
        if reason:
            asked.leaves = order.leaves
            self._say(at_ns, codes.AMEND_REJECTED, asked, reason)
            return
        keeps_place = asked.px == order.px and asked.qty < order.qty
        order.px, order.qty, order.leaves = asked.px, asked.qty, asked.qty - done
        self._say(at_ns, codes.AMENDED, order)
        if not keeps_place:
            self._orders.remove(order)
            self._enter(order, at_ns)

    def _admit(self, what: int, at_ns: int) -> bool:
        """Whether the venue looks at a request at all (R24)."""
        times = self._admitted[what]
        if times.maxlen and len(times) == times.maxlen and times[0] > at_ns - codes.NS_PER_S:
            return False
        times.append(at_ns)
        return True

    def _refusal(self, asked: _Order) -> int:
        if self._halted:
            return codes.HALTED
        if not self._ready:
            return codes.NO_MARKET
        if not (0 < asked.px <= self._terms.order_px_max and 0 < asked.qty <= self._terms.order_qty_max):
            return codes.BAD_TERMS
        reference, band = self._mark or self._last_px, self._terms.price_band_bps
        if band and reference and asked.side * (asked.px - reference) * codes.BPS > band * reference:
            return codes.PRICE_BAND
        return codes.NO_REASON

    def _enter(self, order: _Order, at_ns: int) -> None:
        """An order comes to the book: it takes what it may, and rests or ends (R17 to R22)."""
        side = order.side
        ours = [
            other.px for other in self._orders if other.side == -side and side * (order.px - other.px) >= 0
        ]
        wall = min(side * px for px in ours) if ours else codes.NEVER
        offered = [
            (px, there)
            for px, there in self._levels(-side)
            if side * (order.px - px) >= 0 and side * px < wall
        ]
        if order.hold == codes.POST_ONLY and (offered or ours):
            self._end(order, codes.WOULD_TAKE, at_ns)
            return
        if order.hold == codes.FOK and sum(there for _, there in offered) < order.leaves:
            self._end(order, codes.NOT_WHOLE, at_ns)
            return
        for px, there in offered:
            lots = min(there, order.leaves)
            if lots > 0:
                self._keep_taken(-side, px, lots)
                self._fill(order, px, lots, codes.TAKER, at_ns)
        if order.leaves and ours:
            self._end(order, codes.SELF_TRADE, at_ns)
        elif order.leaves and order.hold in {codes.IOC, codes.FOK}:
            self._end(order, codes.NOTHING_MORE, at_ns)
        elif order.leaves:
            self._arrivals += 1
            order.ahead = self._there(side, order.px) * codes.AHEAD_UNIT
            order.traded, order.arrival = 0, self._arrivals
            order.span = order.lent = order.lent_before = 0
            self._orders.append(order)
        if offered:
            self._local_ns = max(self._local_ns, at_ns + self._feed_lag_ns)
            self._show(self._local_ns)

    def _end(self, order: _Order, reason: int, at_ns: int) -> None:
        order.leaves = 0
        self._say(at_ns, codes.ENDED, order, reason)

    # ------------------------------------------------------------------ the sum of it

    def state_hash(self) -> int:
        """Sum everything up in 64 bits."""
        state = 0
        funding, funding_rest = divmod(self._funding, codes.FUNDING_UNIT)
        for value in (
            self.now_ns,
            self._row_ns,
            self._position,
            *_parts(self._cash),
            *_parts(self._turnover[codes.MAKER]),
            *_parts(self._turnover[codes.TAKER]),
            funding,
            funding_rest,
            self._fills,
            self._mark,
            self._last_px,
            int(self._halted),
            int(self._ready),
            *_in_parts(self._seen),
            *_in_parts(self._shown)[5:],
            self._book_hash(),
        ):
            state = absorb(state, value)
        for order in self._orders:
            for value in (
                order.order_id, order.side, order.px, order.qty, order.leaves, order.ahead, order.traded, order.span,
                order.lent, order.lent_before,
            ):  # fmt: skip
                state = absorb(state, value)
        for request in self._requests:
            state = absorb(absorb(absorb(state, request.at_ns), request.what), request.order_id)
        for answer in self._answers:
            for value in answer:
                state = absorb(state, value)
        for glance in self._coming:
            for value in _in_parts(glance):
                state = absorb(state, value)
        return state

    def _book_hash(self) -> int:
        total = 0
        for side, levels in self._book.items():
            for px, lots in levels.items():
                total += absorb(absorb(absorb(1, side), px), lots)
        for (side, px), lots in self._taken.items():
            total += absorb(absorb(absorb(2, side), px), lots)
        return total & _MASK


def _parts(value: int) -> tuple[int, int]:
    """A sum of money in two numbers, as 64 bits are not enough for it: the rest first."""
    return value % codes.VALUE_UNIT, value // codes.VALUE_UNIT


def _in_parts(glance: Glance) -> tuple[int, ...]:
    return (*glance[:6], *_parts(glance.traded_value))
