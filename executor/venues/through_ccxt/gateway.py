"""Another venue behind the port `Venue`, through ccxt: orders, questions, and looks at its market and our account.

There are no streams: markets and account are read again and again, and what is heard that way is told the engine as a
stream would tell it: live while it is read, lost as soon as it is not.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, QueryOrder, Reconcile, Subscribe
from executor.domain.errors import Overflow, TransportError
from executor.domain.events import (
    BookLost,
    BookUpdated,
    CancelOutcomeUnknown,
    Event,
    InstrumentLoaded,
    InstrumentMissing,
    OrderAbsent,
    OrderAcked,
    OrderFilled,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderQueryFailed,
    OrderUpdated,
    PositionReport,
    Reconciled,
    ReconcileFailed,
    ReplaceNotSent,
    Stream,
    StreamChanged,
    VenueRestricted,
    VenueStatus,
    WalletUpdated,
)
from executor.domain.instrument import Instrument
from executor.domain.orders import Category, NewOrder, Replacement
from executor.domain.ports import Log, Post
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.runtime.clock import Clock
from executor.venues.through_ccxt.counted import Counted
from executor.venues.through_ccxt.dialect import Dialect
from executor.venues.through_ccxt.inside import Inside
from executor.venues.through_ccxt.room import Room
from executor.venues.through_ccxt.rows import MarketUnusable, Tape
from executor.venues.through_ccxt.terms import OtherVenue
from risk.turnstile import Turnstile

T = TypeVar("T")
CLOCK_ERROR_MS_MAX: Final = 1_000
"""With a larger difference of clocks the venue's refusal of late requests bounds nothing."""
_TIME_EVERY_S: Final = 60.0
_RULES_EVERY_S: Final = 3_600.0
_BAN_S: Final = 610.0
"""Nothing at all is asked of a venue that bars our address: asking makes it longer."""
_RATE_S: Final = 5.0
"""Nothing is opened at a venue that asks for fewer requests; cancels go on."""
_IDLE_POLL_S: Final = 5.0
_SILENCE_S_MAX: Final = 5.0
_BACK_OFF_S_MAX: Final = 30.0
_OVERLAP_MS: Final = 60_000
_FILLS_KEPT_MAX: Final = 20_000
_MISSES_MAX: Final = 30
_ENDED: Final = frozenset({VenueStatus.FILLED, VenueStatus.CANCELED, VenueStatus.REJECTED})
Key = tuple[Category, str]


class CcxtVenue:
    """One account at one other venue. Use inside `async with`.

    Parameters
    ----------
    instance
        Our name, with which the names of our orders begin.
    """

    def __init__(
        self,
        terms: OtherVenue,
        dialect: Dialect,
        *,
        instance: str,
        clock: Clock,
        turnstile: Turnstile,
        log: Log,
    ) -> None:
        self.name = terms.name
        self.counted = Counted()
        self._terms = terms
        self._dialect = dialect
        self._prefix = f"{instance}-"
        self._clock = clock
        self._turnstile = turnstile
        self._log = log
        self._room = Room(f"ccxt {terms.name}")
        self._inside: Inside | None = None
        self._opening = asyncio.Lock()
        self._asking = asyncio.Lock()
        self._banned_until_ns = 0
        self._closed_until_ns = 0
        self._followed: dict[Key, None] = {}
        self._loaded: set[Key] = set()
        self._at_work: dict[str, Key] = {}
        self._stir = asyncio.Event()
        self._new_market = asyncio.Event()
        self._misses: dict[str, int] = {}
        self._good_ns: dict[Category, int] = {}
        self._reads: dict[Category, asyncio.Task[list[Event]]] = {}
        self._post: Post = _nobody
        self._told: dict[tuple[Stream, Category | None], bool] = {}
        self._shown: dict[str, OrderUpdated] = {}
        self._fills: dict[str, None] = {}

    async def __aenter__(self) -> "CcxtVenue":
        """Start the thread; ccxt is imported and the venue asked when `run` begins, or a first question comes."""
        self._loop = asyncio.get_running_loop()
        self._room.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections and end the thread."""
        inside, self._inside = self._inside, None
        if inside is not None:
            with suppress(TransportError, TimeoutError):
                async with asyncio.timeout(_SILENCE_S_MAX):
                    await self._room.ask(inside.close)
        await self._room.close()

    async def open(self) -> None:
        """Import ccxt, read the venue's markets and its clock; `run` does so by itself.

        Raises
        ------
        TransportError
            If the venue does not answer.
        """
        await self._opened()

    async def place(self, approved: Approved[NewOrder]) -> Event:
        """Send one create request, at most once, and say what is known of its outcome."""
        order = approved.order
        inside = self._inside
        refusal = self._turnstile.why_closed(approved) or self._why_not_open(inside)
        if refusal or inside is None:
            return OrderNotSent(at_ns=0, client_order_id=order.client_order_id, detail=refusal)
        try:
            event = await self._room.ask(
                lambda: inside.place(
                    approved, lambda: self._turnstile.why_void(approved) or self._why_not_open(inside)
                )
            )
        except TransportError as error:  # the room is closed: it never got there
            return OrderNotSent(at_ns=0, client_order_id=order.client_order_id, detail=str(error))
        if isinstance(event, OrderAcked | OrderOutcomeUnknown):
            self._at_work[order.client_order_id] = order.category, order.symbol
            self._stir.set()
        return event

    async def replace(self, approved: Approved[Replacement]) -> Event:
        """Never sent: hardly a venue changes an order in one step. The engine cancels and places anew."""
        return ReplaceNotSent(
            at_ns=0,
            client_order_id=approved.order.client_order_id,
            detail="orders of other venues are not amended",
        )

    async def cancel(self, command: CancelOrder) -> Event:
        """Send one cancel request and say what is known of its outcome."""
        try:
            inside = await self._opened()
            event = await self._room.ask(lambda: inside.cancel(command))
        except TransportError as error:
            return CancelOutcomeUnknown(at_ns=0, client_order_id=command.client_order_id, detail=str(error))
        self._stir.set()
        return event

    async def query(self, command: QueryOrder) -> list[Event]:
        """Ask everything about one order; the last event is the answer."""
        name = command.client_order_id
        asked_ns = self._clock.now_ns()
        try:
            async with self._asking:
                fills, orders = await self._order(command.category, command.symbol, name)
        except TransportError as error:
            return [OrderQueryFailed(at_ns=0, client_order_id=name, detail=str(error))]
        if not fills and not orders:
            return [OrderAbsent(at_ns=0, client_order_id=name, asked_ns=asked_ns)]
        if not orders:
            detail = "executions are shown, and no order that they are of"
            return [*fills, OrderQueryFailed(at_ns=0, client_order_id=name, detail=detail)]
        return [*fills, *orders]

    async def reconcile(self, command: Reconcile) -> list[Event]:
        """Read everything of one category; a newer read ends an older one."""
        before = self._reads.get(command.category)
        if before is not None:
            before.cancel()
        asked_ns = self._clock.now_ns()
        read = self._reads[command.category] = asyncio.create_task(self._read_all(command, asked_ns))
        try:
            await asyncio.wait([read])
        finally:
            read.cancel()
            if self._reads.get(command.category) is read:
                del self._reads[command.category]
        if read.cancelled():
            return [self._read_failed(command.category, asked_ns, "a newer read was begun")]
        return read.result()

    def subscribe(self, command: Subscribe) -> None:
        """Follow a symbol: its rules, its market, our orders in it."""
        self._followed[command.category, command.symbol] = None
        self._new_market.set()

    async def run(self, post: Post) -> None:
        """Keep looking until cancelled."""
        self._post = post
        watched: set[Key] = set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_open())
            group.create_task(self._watch_account())
            while True:
                for key in [key for key in self._followed if key not in watched]:
                    watched.add(key)
                    group.create_task(self._watch_market(*key))
                await self._new_market.wait()
                self._new_market.clear()

    # ------------------------------------------------------------------ asking

    async def _opened(self) -> Inside:
        """The exchange, made when it is first needed.

        Raises
        ------
        TransportError
            If the venue does not answer.
        """
        if self._clock.now_ns() < self._banned_until_ns:
            raise TransportError(f"{self.name} bars our address")
        async with self._opening:
            if self._inside is None:
                made = await self._room.ask(self._make)
                try:
                    await self._room.ask(made.load)
                except TransportError:
                    await self._room.ask(made.close)
                    raise
                self._inside = made
            return self._inside

    async def _make(self) -> Inside:
        return Inside(self._terms, self._dialect, self._prefix, self._clock, self._on_barred)

    async def _ask(self, question: Callable[[Inside], Coroutine[Any, Any, T]]) -> T:
        try:
            inside = await self._opened()
            answer = await self._room.ask(lambda: inside.asked(lambda: question(inside)))
        except TransportError:
            self.counted.unanswered += 1
            raise
        self.counted.answered += 1
        return answer

    async def _order(
        self, category: Category, symbol: str, name: str
    ) -> tuple[list[OrderFilled], list[OrderUpdated]]:
        return await self._ask(lambda inside: inside.reader.order(category, symbol, name))

    async def _read_all(self, command: Reconcile, asked_ns: int) -> list[Event]:
        category = command.category
        events: list[Event] = []
        shown: list[str] = []
        foreign = 0
        positions: tuple[PositionReport, ...] = ()
        try:
            for symbol in command.symbols:
                orders, others = await self._open_orders(category, symbol)
                events += [*orders, *await self._new_fills(category, symbol, command.since_ms)]
                shown += [order.client_order_id for order in orders]
                foreign += others
            if category is Category.SPOT:
                balances = await self._ask(lambda inside: inside.reader.balances(command.symbols))
                events.append(WalletUpdated(at_ns=0, balances=balances))
            else:
                positions = await self._ask(lambda inside: inside.reader.positions(command.symbols))
        except TransportError as error:
            return [self._read_failed(category, asked_ns, str(error))]
        done = Reconciled(
            at_ns=0,
            category=category,
            asked_ns=asked_ns,
            open_client_order_ids=tuple(shown),
            foreign_open_orders=foreign,
            positions=positions,
            venue=self.name,
        )
        return [*events, done]

    async def _open_orders(self, category: Category, symbol: str) -> tuple[list[OrderUpdated], int]:
        return await self._ask(lambda inside: inside.reader.open_orders(category, symbol))

    async def _new_fills(self, category: Category, symbol: str, since_ms: int) -> list[OrderFilled]:
        return await self._ask(lambda inside: inside.reader.fills(category, symbol, since_ms))

    def _read_failed(self, category: Category, asked_ns: int, detail: str) -> ReconcileFailed:
        return ReconcileFailed(at_ns=0, category=category, asked_ns=asked_ns, detail=detail, venue=self.name)

    # ------------------------------------------------------------------ looking

    async def _keep_open(self) -> None:
        """Open the exchange, keep its clock measured, and say whether orders can be sent."""
        failures = 0
        while True:
            try:
                await self._ask(lambda inside: inside.reader.measure_time())
                self.counted.read_ns["clock"] = self._clock.now_ns()
                failures = 0
            except TransportError as error:
                failures += 1
                self._tell_once(failures, "venue not reached", error)
            refusal = self._why_not_open(self._inside)
            self._say(Stream.TRADE, None, not refusal, refusal or "each order is a request of its own")
            await asyncio.sleep(_TIME_EVERY_S if not failures else _back_off_s(failures))

    async def _watch_market(self, category: Category, symbol: str) -> None:
        """Read rules and market of one symbol, over and over."""
        tape = Tape()
        failures, ruled_ns = 0, None
        while True:
            try:
                now_ns = self._clock.now_ns()
                if ruled_ns is None or now_ns - ruled_ns > _RULES_EVERY_S * NS_PER_S:
                    anew = ruled_ns is not None
                    rules = await self._rules(category, symbol, anew=anew)
                    self._post(InstrumentLoaded(at_ns=0, instrument=rules))
                    ruled_ns = now_ns
                    self._loaded.add((category, symbol))
                    self._stir.set()
                await self._ask(lambda inside: inside.reader.tape(category, symbol, tape))
                book, ts_ms = await self._ask(lambda inside: inside.reader.book(category, symbol))
                self._post(BookUpdated(at_ns=0, market=tape.snapshot(category, symbol, book, ts_ms)))
            except MarketUnusable as error:
                self._log("market unusable", level="error", venue=self.name, symbol=symbol, error=str(error))
                if self._tried(
                    InstrumentMissing(at_ns=0, category=category, symbol=symbol, detail=str(error)[:200])
                ):
                    return
                await asyncio.sleep(self._terms.poll_s)
                continue
            except (TransportError, Overflow) as error:
                failures += 1
                self._tell_once(failures, "market not read", error, symbol=symbol)
                self._lose_market(category, symbol, str(error)[:200], is_new=failures == 1)
                await asyncio.sleep(_back_off_s(failures))
                continue
            failures = 0
            self._good_ns[category] = self.counted.read_ns[f"market {category}"] = self._clock.now_ns()
            self._say(Stream.PUBLIC, category, True, "read again and again")
            await asyncio.sleep(self._terms.poll_s)

    async def _rules(self, category: Category, symbol: str, *, anew: bool) -> Instrument:
        inside = await self._opened()
        return await self._room.ask(lambda: inside.rules(category, symbol, anew=anew))

    def _lose_market(self, category: Category, symbol: str, detail: str, *, is_new: bool) -> None:
        """Say that a book is lost; and that the market data of a category is, when no symbol of it is read any more."""
        if is_new:
            self._tried(BookLost(at_ns=0, category=category, symbol=symbol, detail=detail))
        silent_ns = self._clock.now_ns() - self._good_ns.get(category, 0)
        if silent_ns > _SILENCE_S_MAX * NS_PER_S:
            self._say(Stream.PUBLIC, category, False, detail)

    async def _watch_account(self) -> None:
        """Read our orders and executions: often while an order is at work, seldom otherwise."""
        failures, read_ns = 0, self._clock.now_ns()
        cursor_ms = read_ns // NS_PER_MS - _OVERLAP_MS
        while True:
            if not self._loaded:
                await self._stirred(_IDLE_POLL_S)
                continue
            began_ns = self._clock.now_ns()
            try:
                await self._look_at_account(cursor_ms)
            except (TransportError, Overflow) as error:
                failures += 1
                self._tell_once(failures, "account not read", error)
                if self._clock.now_ns() - read_ns > _SILENCE_S_MAX * NS_PER_S:
                    self._say(Stream.PRIVATE, None, False, str(error)[:200])
                await asyncio.sleep(min(_back_off_s(failures), self._terms.poll_s))
                continue
            failures, read_ns = 0, began_ns
            self.counted.read_ns["account"] = read_ns
            cursor_ms = began_ns // NS_PER_MS - _OVERLAP_MS
            self._say(Stream.PRIVATE, None, True, "read again and again")
            await self._stirred(_IDLE_POLL_S if not self._at_work else self._terms.poll_s)
            if self._at_work:
                await asyncio.sleep(
                    self._terms.poll_s / 4
                )  # a venue shows an order a moment after its answer

    async def _look_at_account(self, cursor_ms: int) -> None:
        """Read open orders and executions of every market, and what has left the open orders one by one."""
        open_names: set[str] = set()
        for category, symbol in list(self._loaded):
            orders, _ = await self._open_orders(category, symbol)
            fills = await self._new_fills(category, symbol, cursor_ms)
            self._show(fills, orders)
            open_names.update(order.client_order_id for order in orders)
        for name, (category, symbol) in list(self._at_work.items()):
            if name not in open_names:
                fills, orders = await self._order(category, symbol, name)
                self._show(fills, orders)
                misses = self._misses[name] = self._misses.get(name, 0) + (not orders)
                if misses > _MISSES_MAX or any(order.status in _ENDED for order in orders):
                    self._at_work.pop(name, None)  # of one that is never shown the engine asks by itself
                    self._misses.pop(name, None)

    def _show(self, fills: list[OrderFilled], orders: list[OrderUpdated]) -> None:
        """Post what was not posted before."""
        for each in fills:
            if each.fill.key not in self._fills:
                self._post(each)  # raises when the inbox is full: then it was not shown
                self._fills[each.fill.key] = None
        while len(self._fills) > _FILLS_KEPT_MAX:
            del self._fills[next(iter(self._fills))]
        for order in orders:
            before = self._shown.get(order.client_order_id)
            if before is None or _differs(before, order):
                self._post(order)
                self._shown[order.client_order_id] = order
            if order.status in _ENDED:
                self._shown.pop(order.client_order_id, None)
            else:
                self._at_work.setdefault(order.client_order_id, (order.category, order.symbol))

    # ------------------------------------------------------------------ saying

    def _why_not_open(self, inside: Inside | None) -> str:
        """Why nothing may be sent that opens; empty if it may."""
        if inside is None or not inside.reader.time.is_measured:
            return f"{self.name} has not answered yet"
        if self._clock.now_ns() < self._closed_until_ns:
            return f"{self.name} asked for fewer requests"
        offset_ms = inside.reader.time.offset_ms
        if abs(offset_ms) > CLOCK_ERROR_MS_MAX:
            return f"the clock of {self.name} minus ours is {offset_ms} ms, allowed are {CLOCK_ERROR_MS_MAX} either way"
        return ""

    def _say(self, stream: Stream, category: Category | None, live: bool, detail: str) -> None:
        """Tell the engine of a change."""
        if self._told.get((stream, category)) is not live and self._tried(
            StreamChanged(
                at_ns=0, stream=stream, category=category, live=live, detail=detail, venue=self.name
            )
        ):
            self._told[stream, category] = live

    def _tried(self, event: Event) -> bool:
        """Post what can be told again later; whether there was room for it."""
        try:
            self._post(event)
        except Overflow:
            return False
        return True

    def _tell_once(self, failures: int, message: str, error: Exception, **fields: object) -> None:
        if failures == 1:
            self._log(message, level="warning", venue=self.name, error=str(error), **fields)

    def _on_barred(self, text: str, is_ban: bool) -> None:
        """Called in the room's thread."""
        self._loop.call_soon_threadsafe(self._bar, text, is_ban)

    def _bar(self, text: str, is_ban: bool) -> None:
        self.counted.barred += 1
        until_ns = self._clock.now_ns() + int((_BAN_S if is_ban else _RATE_S) * NS_PER_S)
        if is_ban:
            self._banned_until_ns = until_ns
        if until_ns - self._closed_until_ns > NS_PER_S:
            self._closed_until_ns = until_ns
            self._tried(VenueRestricted(at_ns=0, until_ns=until_ns, detail=text, venue=self.name))

    async def _stirred(self, wait_s: float) -> None:
        """Wait for something new, or for the time to pass."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._stir.wait()
        self._stir.clear()


def _differs(before: OrderUpdated, after: OrderUpdated) -> bool:
    return (before.status, before.cum_qty, before.updated_ms) != (
        after.status,
        after.cum_qty,
        after.updated_ms,
    )


def _back_off_s(failures: int) -> float:
    return float(min(2 ** (failures - 1), _BACK_OFF_S_MAX))


def _nobody(event: Event) -> None:
    """Where events go before anybody listens: a restriction told then is told again by the next refusal."""
