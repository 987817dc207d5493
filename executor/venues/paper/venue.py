"""Paper trading behind the venue port: the market is the real one, the exchange's private side is simulated here.

Only public data is read. An order goes to the desk of its symbol, which works it in the book that is seen; what
becomes of it is written into the account's file and then told, as a venue tells it. So a restart finds the orders and
positions that were told, and a process that dies between the two has told nothing that it forgets.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from heapq import heappop, heappush
from random import Random
from typing import Final, Self

import aiohttp

from executor.advice.context import MarketContext
from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, QueryOrder, Reconcile, Subscribe
from executor.domain.errors import JournalError, Overflow
from executor.domain.events import (
    CancelAcked,
    CancelFoundNothing,
    Event,
    InstrumentLoaded,
    InstrumentMissing,
    OrderAbsent,
    OrderNotSent,
    OrderRejected,
    PositionReport,
    Reconciled,
    ReplaceNotSent,
    ReplaceRejected,
    StreamChanged,
    WalletUpdated,
)
from executor.domain.events import Stream as StreamName
from executor.domain.fees import KnownFees
from executor.domain.fills import Fill
from executor.domain.instrument import Instrument
from executor.domain.orders import Category, Liquidity, NewOrder, Replacement, Side
from executor.domain.ports import Log, Post
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import BPS_PER_UNIT, Money
from executor.engine.state import MarketState
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.codec_public import BookFrame, PublicTrades
from executor.venues.bybit.funding_queries import FundingQueries
from executor.venues.bybit.market_feed import MarketKeeper
from executor.venues.bybit.public_side import PublicSide
from executor.venues.bybit.queries import Queries
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from executor.venues.bybit.ticker_sync import TickerSync
from executor.venues.bybit.transport import new_session
from executor.venues.paper.account import Account, Amended, Ended, Executed, Key, Placed, Record
from executor.venues.paper.account_file import AccountFile
from executor.venues.paper.desk import Desk, Heard, Level
from executor.venues.paper.settling import Settling
from risk.turnstile import Turnstile
from simulation.frictions import Charges
from simulation.replay import codes
from simulation.replay.terms import ReplayTerms
from simulation.replay_answers import WORDS, answer_event, is_answer

_RECV_WINDOW_MS: Final = 5_000
_TIME_PATH: Final = "/v5/market/time"
_TIME_EVERY_S: Final = 60.0
_TIME_BYTES_MAX: Final = 10_000
_LATE_NS: Final = NS_PER_MS
"""A look a little after something is due finds it."""
_ANSWER_S_MAX: Final = 5.0
_AGAIN_S: Final = 0.1
_OFF_STEP, _UNFUNDED, _NO_MARKET = 101, 102, 103
"""Codes of refusals that are not the matching's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTerms:
    """What the simulated account and its wire are like.

    Parameters
    ----------
    replay
        Ways, queue model and rate limit; the ways are constant.
    balance
        Of every quote coin at the beginning.
    leverage
        Value of contracts that one unit of margin carries.
    """

    replay: ReplayTerms
    charges: Charges
    balance: Money
    leverage: Decimal

    @property
    def round_trip_ns(self) -> int:
        """From a request to its answer."""
        return self.replay.entry.constant_ns + self.replay.answer.constant_ns

    @property
    def round_trip_s(self) -> float:
        """The same in seconds."""
        return self.round_trip_ns / NS_PER_S


class PaperVenue:
    """One simulated account in one real market. Use inside `async with`.

    Parameters
    ----------
    access
        Where the public data comes from; keys and private addresses are empty.
    file
        What is known of the account.
    keeper
        Keeps what the streams say; None where nobody does.
    """

    def __init__(
        self,
        *,
        access: Access,
        instance: str,
        clock: Clock,
        turnstile: Turnstile,
        log: Log,
        seed: int,
        terms: PaperTerms,
        file: AccountFile,
        keeper: MarketKeeper | None = None,
    ) -> None:
        self._keeper = keeper
        self._access = access
        self._prefix = f"{instance}-"
        self._clock = clock
        self._turnstile = turnstile
        self._log = log
        self._random = Random(seed)  # noqa: S311 - spreads reconnects, guards nothing
        self._terms = terms
        self._file = file
        self.account = Account(terms.balance, terms.leverage)
        for record in file.read():
            self.account.apply(record)
        self._rules: dict[Key, Instrument] = {}
        self._desks: dict[Key, Desk] = {}
        self._sent: dict[str, tuple[NewOrder, asyncio.Future[Event]]] = {}
        self._asked: dict[str, deque[asyncio.Future[Event]]] = {}
        self._due: list[tuple[int, Key]] = []
        self._woken = asyncio.Event()
        self._untold: deque[Event] = deque()
        self._post: Post | None = None
        self._time = ServerTime(clock)
        nobody = Signer("", "", _RECV_WINDOW_MS)
        self._queries = Queries(access, nobody, clock, self._time, self._prefix)
        self._fundings = FundingQueries(access, nobody, self._time)
        self._settling = Settling(
            account=self.account,
            queries=self._fundings,
            clock=clock,
            time=self._time,
            keep=lambda record: self._keep([record]),
            hear=self._look,
            log=log,
        )
        self._amending: dict[str, NewOrder] = {}

    async def __aenter__(self) -> Self:
        """Open the HTTP clients; nothing is connected yet."""
        self._http = new_session(self._access.hosts, self._access.request_timeout_s)
        self._sockets = new_session(self._access.hosts)
        self._public = PublicSide(
            http=self._sockets,
            access=self._access,
            queries=self._queries,
            clock=self._clock,
            time=self._time,
            log=self._log,
            random=self._random,
            watcher=self,
            keeper=self._keeper,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._http.close()
        await self._sockets.close()
        self._queries.close()
        self._fundings.close()

    async def clock_error_ms(self) -> int | None:
        """The venue's clock minus ours, milliseconds; None if the venue did not answer."""
        await self._measure_time()
        return self._time.offset_ms if self._time.is_measured else None

    def context(self, category: Category, symbol: str) -> MarketContext:
        """Describe the surroundings of a symbol's market; empty if it is not followed."""
        return self._public.context(category, symbol)

    async def look(self, category: Category, symbol: str) -> MarketState | None:
        """Look once at a market that is not followed; None if the venue has no such symbol."""
        return await self._queries.market(category, symbol)

    async def fees(self, _category: Category, _symbol: str) -> KnownFees:
        """What the simulated account pays in every symbol."""
        charges = self._terms.charges
        return KnownFees(
            maker_bps=charges.maker_fee_rate * BPS_PER_UNIT,
            taker_bps=charges.taker_fee_rate * BPS_PER_UNIT,
            source="the rates of [paper]",
        )

    def subscribe(self, command: Subscribe) -> None:
        """Follow a symbol: its rules and its market."""
        self._public.subscribe(command)

    async def run(self, post: Post) -> None:
        """Keep the market data coming, and the orders going, until cancelled."""
        self._post = post
        for stream in (StreamName.PRIVATE, StreamName.TRADE):
            self._tell(
                StreamChanged(at_ns=0, stream=stream, category=None, live=True, detail="simulated here")
            )

        def loaded(event: Event) -> None:
            if isinstance(event, InstrumentLoaded):
                event = self._open_desk(event)
            post(event)

        async with asyncio.TaskGroup() as group:
            group.create_task(self._public.run(loaded))
            group.create_task(self._keep_time())
            group.create_task(self._look_when_due())
            group.create_task(self._tell_the_rest())
            group.create_task(self._settling.run())

    # ------------------------------------------------------------------ requests

    async def place(self, approved: Approved[NewOrder]) -> Event:
        """Send one order to its desk."""
        order = approved.order
        name, key = order.client_order_id, (order.category, order.symbol)
        refusal = self._turnstile.why_closed(approved)
        if refusal:
            return OrderNotSent(at_ns=0, client_order_id=name, detail=refusal)
        desk, rules = self._desks.get(key), self._rules.get(key)
        if desk is None or rules is None:
            return _rejected(name, _NO_MARKET, "there is no market to simulate in yet")
        if order.position_idx or not (
            rules.is_on_step(order.qty) and rules.is_on_tick(order.px) and order.qty >= rules.min_order_qty
        ):
            return _rejected(name, _OFF_STEP, "not a quantity, price or position of this symbol")
        self._look(key)
        poor = self.account.why_not(order, rules, self._under_way())
        if poor:
            return _rejected(name, _UNFUNDED, poor, unfunded=True)
        answer: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._sent[name] = (order, answer)
        desk.place(order, self._clock.now_ns())
        return await self._await(key, answer)

    async def replace(self, approved: Approved[Replacement]) -> Event:
        """Send new terms of an order to its desk."""
        new = approved.order
        refusal = self._turnstile.why_closed(approved)
        if refusal:
            return ReplaceNotSent(at_ns=0, client_order_id=new.client_order_id, detail=refusal)
        desk = self._desks.get((new.category, new.symbol))
        if desk is None:
            return ReplaceNotSent(
                at_ns=0, client_order_id=new.client_order_id, detail="there is no market yet"
            )
        key = (new.category, new.symbol)
        self._look(key)
        entry = self.account.orders.get(new.client_order_id)
        if entry is not None and entry.is_open:
            changed = replace(entry.order, qty=new.qty, px=new.px)
            poor = self.account.why_not(changed, self._rules[key], self._under_way())
            if poor:
                return ReplaceRejected(
                    at_ns=0, client_order_id=new.client_order_id, code=_UNFUNDED, text=poor, gone=False
                )
            self._amending[new.client_order_id] = changed
        answer = self._expect(new.client_order_id)
        desk.amend(new.client_order_id, new.px, new.qty, self._clock.now_ns())
        try:
            return await self._await(key, answer)
        finally:
            self._amending.pop(new.client_order_id, None)

    async def cancel(self, command: CancelOrder) -> Event:
        """Send a cancel to the order's desk; without a market it ends at once."""
        name, key = command.client_order_id, (command.category, command.symbol)
        asked_ns, desk = self._clock.now_ns(), self._desks.get(key)
        if desk is None:
            entry = self.account.orders.get(name)
            if entry is None or not entry.is_open:
                return CancelFoundNothing(at_ns=0, client_order_id=name, asked_ns=asked_ns)
            self._keep([Ended(client_order_id=name, detail="cancelled as asked")])
            return CancelAcked(at_ns=0, client_order_id=name)
        answer = self._expect(name)
        desk.cancel(name, asked_ns)
        event = await self._await(key, answer)
        if isinstance(event, CancelFoundNothing):
            return CancelFoundNothing(at_ns=0, client_order_id=name, asked_ns=asked_ns)
        return event

    async def query(self, command: QueryOrder) -> list[Event]:
        """Say everything about one order."""
        asked_ns = self._clock.now_ns()
        await asyncio.sleep(self._terms.round_trip_s)
        self._look((command.category, command.symbol))
        entry = self.account.orders.get(command.client_order_id)
        if entry is None:
            return [OrderAbsent(at_ns=0, client_order_id=command.client_order_id, asked_ns=asked_ns)]
        return [*entry.executed_since(0), entry.update(asked_ns=asked_ns)]

    async def reconcile(self, command: Reconcile) -> list[Event]:
        """Say everything of one category."""
        asked_ns = self._clock.now_ns()
        await asyncio.sleep(self._terms.round_trip_s)
        for key in self._desks:
            self._look(key)
        ours = [entry for entry in self.account.orders.values() if entry.order.category is command.category]
        told: list[Event] = []
        for entry in ours:
            told += entry.executed_since(command.since_ms * NS_PER_MS)
        still_open = [entry for entry in ours if entry.is_open]
        told += [entry.update(asked_ns=asked_ns) for entry in still_open]
        is_spot = command.category is Category.SPOT
        if is_spot:
            told.append(WalletUpdated(at_ns=0, balances=self.account.coins()))
        names = [entry.order.client_order_id for entry in still_open]
        done = Reconciled(
            at_ns=0,
            category=command.category,
            asked_ns=asked_ns,
            open_client_order_ids=tuple(name for name in names if name.startswith(self._prefix)),
            foreign_open_orders=sum(not name.startswith(self._prefix) for name in names),
            positions=tuple(
                PositionReport(
                    category=command.category,
                    symbol=symbol,
                    position_idx=0,
                    qty=self.account.position_qty((command.category, symbol)),
                )
                for symbol in (() if is_spot else command.symbols)
            ),
        )
        return [*told, done]

    # ------------------------------------------------------------------ the market, as `MarketWatcher`

    def book(self, category: Category, frame: BookFrame) -> None:
        """Let the desk of a symbol see a message of its book."""
        self._watch(
            (category, frame.data.s),
            lambda desk, now_ns: desk.book(
                [
                    Level(side, Decimal(px), Decimal(qty))
                    for side, levels in ((1, frame.data.b), (-1, frame.data.a))
                    for px, qty in levels
                ],
                whole=frame.type == "snapshot" or frame.data.u == 1,
                at_ns=now_ns,
            ),
        )

    def trades(self, category: Category, trades: PublicTrades) -> None:
        """Let the desk of a symbol see public trades."""

        def see(desk: Desk, now_ns: int) -> None:
            for trade in trades.trades:
                desk.trade(trade.side.sign, trade.px, trade.qty, now_ns)

        self._watch((category, trades.symbol), see)

    def ticker(self, category: Category, symbol: str, ticker: TickerSync) -> None:
        """Hear of fundings."""
        self._settling.ticker((category, symbol), ticker)

    def lost(self, category: Category, symbol: str) -> None:
        """Tell the desk of a symbol that its book is void."""
        self._watch((category, symbol), lambda desk, now_ns: desk.lose(now_ns))

    def _watch(self, key: Key, see: Callable[[Desk, int], None]) -> None:
        desk = self._desks.get(key)
        if desk is not None:
            see(desk, self._clock.now_ns())
            if self.account.open_orders(key):
                # What this made happen is heard after the way of an answer.
                self._look_later(key, self._terms.replay.answer.constant_ns)

    def _open_desk(self, event: InstrumentLoaded) -> Event:
        """Learn the rules of a symbol; the first time its orders go back into the book."""
        rules = event.instrument
        key = (rules.category, rules.symbol)
        if rules.category is Category.INVERSE:
            detail = "contracts that pay in coin are not simulated"
            return InstrumentMissing(at_ns=0, category=rules.category, symbol=rules.symbol, detail=detail)
        self._rules[key] = rules
        self.account.learn(rules)
        if key not in self._desks:
            resting = [(entry.order, entry.cum_qty) for entry in self.account.open_orders(key)]
            self._desks[key] = Desk(self._terms.replay, rules.tick_size, resting, at_ns=self._clock.now_ns())
            if resting:
                self._log(
                    "paper orders rest again, last in their queues", symbol=rules.symbol, orders=len(resting)
                )
        return event

    # ------------------------------------------------------------------ what the desks say

    def _look(self, key: Key) -> None:
        """Take what a desk has to say by now: into the file first, then to whoever waits, then to the engine."""
        desk = self._desks.get(key)
        if desk is None:
            return
        for heard in desk.hear(self._clock.now_ns()):
            record = self._record(heard)
            if record is not None:
                self._keep([record])
            self._answer(heard)

    def _look_later(self, key: Key, delay_ns: int) -> None:
        heappush(self._due, (self._clock.now_ns() + delay_ns + _LATE_NS, key))
        self._woken.set()

    async def _look_when_due(self) -> None:
        """Take what the desks say when it is due; an account that cannot be kept ends everything."""
        while True:
            self._woken.clear()
            wait_s = (self._due[0][0] - self._clock.now_ns()) / NS_PER_S if self._due else None
            if wait_s is None or wait_s > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._woken.wait()
                continue
            self._look(heappop(self._due)[1])

    def _record(self, heard: Heard) -> Record | None:
        """What has to be remembered of it."""
        name = heard.client_order_id
        match heard.kind:
            case codes.ACCEPTED:
                order, _ = self._sent[name]
                rules = self._rules[order.category, order.symbol]
                return Placed(
                    order=order,
                    venue_order_id=f"paper-{len(self.account.orders) + 1}",
                    base_coin=rules.base_coin,
                    quote_coin=rules.quote_coin,
                )
            case codes.FILLED:
                return Executed(fill=self._fill(heard))
            case codes.AMENDED:
                return Amended(client_order_id=name, qty=heard.qty, px=heard.px)
            case codes.ENDED:
                return Ended(client_order_id=name, detail=WORDS[heard.detail])
            case _:
                return None

    def _fill(self, heard: Heard) -> Fill:
        entry = self.account.orders[heard.client_order_id]
        order, takes = entry.order, heard.detail == codes.TAKER
        rules, charges = self._rules[order.category, order.symbol], self._terms.charges
        rate = charges.taker_fee_rate if takes else charges.maker_fee_rate
        return Fill(
            category=order.category,
            symbol=order.symbol,
            exec_id=f"paper-{self.account.executions + 1}",
            client_order_id=order.client_order_id,
            venue_order_id=entry.venue_order_id,
            side=Side(order.side),
            last_qty=heard.qty,
            last_px=heard.px,
            fee=Money(rules.notional(heard.qty, heard.px) * rate),
            fee_coin="",
            liquidity=Liquidity.TAKER if takes else Liquidity.MAKER,
            ts_exchange_ns=heard.at_ns,
        )

    def _answer(self, heard: Heard) -> None:
        """Give whoever asked their answer."""
        name = heard.client_order_id
        if not is_answer(heard.kind, heard.detail):
            return
        placed = self.account.orders.get(name)
        event = answer_event(
            heard.kind,
            heard.detail,
            name,
            venue_order_id="" if placed is None else placed.venue_order_id,
            asked_ns=0,
        )
        if heard.kind in {codes.ACCEPTED, codes.REJECTED}:
            _, waiting = self._sent.pop(name)
        else:
            waiting = self._asked[name].popleft()
            if not self._asked[name]:
                del self._asked[name]
        if not waiting.done():
            waiting.set_result(event)

    def _keep(self, records: list[Record]) -> None:
        """Write down what happened, and tell it."""
        self._file.write(records)
        for record in records:
            for event in self.account.apply(record):
                self._tell(event)

    def _tell(self, event: Event) -> None:
        """Post an event; what finds no room waits, and everything behind it."""
        self._untold.append(event)
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        while self._untold and self._post is not None:
            try:
                self._post(self._untold[0])
            except Overflow:
                return
            self._untold.popleft()

    async def _tell_the_rest(self) -> None:
        while True:
            await asyncio.sleep(_AGAIN_S)
            self._tell_waiting()

    def _under_way(self) -> dict[str, NewOrder]:
        """Orders, new or on new terms, of which nothing was heard yet."""
        return {name: order for name, (order, _) in self._sent.items()} | self._amending

    def _expect(self, name: str) -> asyncio.Future[Event]:
        answer: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(name, deque()).append(answer)
        return answer

    async def _await(self, key: Key, answer: asyncio.Future[Event]) -> Event:
        """Wait for an answer that is due after both ways of the wire.

        Raises
        ------
        JournalError
            If the account cannot be kept any more: then nobody takes what the desks say.
        """
        if self._file.is_broken:
            raise JournalError("the simulated account cannot be kept: no request is answered any more")
        self._look_later(key, self._terms.round_trip_ns)
        async with asyncio.timeout(self._terms.round_trip_s + _ANSWER_S_MAX):
            return await answer

    # ------------------------------------------------------------------ the venue's clock

    async def _keep_time(self) -> None:
        while True:
            await self._measure_time()
            await asyncio.sleep(_TIME_EVERY_S)

    async def _measure_time(self) -> None:
        sent_ns = self._clock.now_ns()
        url = f"{self._access.rest_url}{_TIME_PATH}"
        try:
            async with self._http.get(url, allow_redirects=False) as response:
                body = json.loads(await response.content.read(_TIME_BYTES_MAX))
            told_ns = int(str(body["result"]["timeNano"]))
        except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError) as error:
            words = str(error) or type(error).__name__  # a time-out says nothing of itself
            self._log("venue not reached", level="warning", url=self._access.rest_url, error=words)
        else:
            self._time.learn(sent_ns, self._clock.now_ns(), told_ns // NS_PER_MS)


def _rejected(name: str, code: int, text: str, *, unfunded: bool = False) -> OrderRejected:
    return OrderRejected(at_ns=0, client_order_id=name, code=code, text=text, fatal=False, unfunded=unfunded)
