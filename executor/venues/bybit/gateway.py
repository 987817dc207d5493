"""Bybit as a venue: order entry, queries and streams behind one port."""

import asyncio
from contextlib import suppress
from random import Random

import aiohttp

from executor.advice.context import MarketContext
from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, QueryOrder, Reconcile, Subscribe
from executor.domain.errors import Disconnected, Overflow, RemoteProtocolError, TransportError
from executor.domain.events import (
    AccountUnreadable,
    Event,
    InstrumentLoaded,
    InstrumentMissing,
    StreamChanged,
)
from executor.domain.events import Stream as StreamName
from executor.domain.orders import Category, NewOrder, Replacement
from executor.domain.ports import Log, Post
from executor.domain.timeline import NS_PER_S
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access, Way
from executor.venues.bybit.account_feed import AccountFeed
from executor.venues.bybit.account_queries import AccountQueries
from executor.venues.bybit.ask import Asker, Manners
from executor.venues.bybit.limiter import Limiter
from executor.venues.bybit.market_feed import MarketFeed
from executor.venues.bybit.order_entry import Door, OrderEntry
from executor.venues.bybit.queries import Queries
from executor.venues.bybit.rest_entry import RestEntry
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from executor.venues.bybit.socket_entry import SocketEntry
from executor.venues.bybit.standing import Standing
from executor.venues.bybit.status_feed import StatusFeed
from executor.venues.bybit.stream import PING_EVERY_S, SILENCE_S_MAX
from executor.venues.bybit.transport import new_session
from risk.turnstile import Turnstile

_TIME_EVERY_S = 60.0
_RULES_EVERY_S = 600.0
_RULES_LOOK_S = 30.0
_RULES_AGAIN_S = 10.0
_DOUBTS_MAX = 1_000
_UNREAD = (TransportError, RemoteProtocolError, Overflow)
_RETRY_S = 2.0
_RETRY_S_MAX = 30.0


class BybitVenue:
    """One account at one Bybit environment. Use inside `async with`."""

    def __init__(
        self,
        *,
        access: Access,
        instance: str,
        recv_window_ms: int,
        clock: Clock,
        turnstile: Turnstile,
        log: Log,
        seed: int,
        ping_every_s: float = PING_EVERY_S,
        silence_s_max: float = SILENCE_S_MAX,
    ) -> None:
        self._ping_every_s = ping_every_s
        self._silence_s_max = silence_s_max
        self._access = access
        self._prefix = f"{instance}-"
        self._clock = clock
        self._turnstile = turnstile
        self._log = log
        self._random = Random(seed)  # noqa: S311 - spreads reconnects, guards nothing
        self._signer = Signer(access.api_key, access.api_secret, recv_window_ms)
        self._time = ServerTime(clock)
        self._standing = Standing(Limiter(), clock, self._time, log)
        manners = Manners(
            admit=self._standing.admit_query,
            on_ban=self._standing.on_ban,
            on_auth_refused=self._standing.on_auth_refused,
            on_rate_limit=self._standing.on_query_limit,
            on_code=self._standing.on_code,
        )
        self._account = Asker(access, self._signer, self._time, manners)
        self.account = AccountQueries(self._account)
        self._queries = Queries(access, self._signer, clock, self._time, self._prefix, manners)
        self._wanted: asyncio.Queue[Subscribe] = asyncio.Queue(maxsize=1_000)
        self._feeds: dict[Category, MarketFeed] = {}
        self._known: set[tuple[Category, str]] = set()
        self._quote_coins: dict[tuple[Category, str], str] = {}
        self._doubted: asyncio.Queue[tuple[Category, str]] = asyncio.Queue(maxsize=_DOUBTS_MAX)

    async def __aenter__(self) -> "BybitVenue":
        """Open the HTTP clients and the ways of sending orders; nothing is connected yet."""
        access = self._access
        self._http = new_session(access.hosts, access.request_timeout_s)
        self._sockets = new_session(access.hosts)
        self._rest = RestEntry(
            self._http, access.rest_url, self._signer, self._time, self._clock, self._standing
        )
        self._trade = self._new_trade_socket() if access.trade_ws_url else None
        door: Door = self._rest
        spare: Door | None = self._trade
        if self._trade is not None and access.order_entry is Way.WEBSOCKET:
            door, spare = self._trade, self._rest
        self._entry = OrderEntry(
            door=door,
            spare=spare,
            turnstile=self._turnstile,
            standing=self._standing,
            clock=self._clock,
            cancel_s_max=access.request_timeout_s,
            on_rules_doubt=self._doubt_rules,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._http.close()
        await self._sockets.close()
        self._queries.close()
        self._account.close()

    async def clock_error_ms(self) -> int | None:
        """The venue's clock minus ours, milliseconds; None if the venue did not answer."""
        await self._measure_time()
        return self._time.offset_ms if self._time.is_measured else None

    async def place(self, approved: Approved[NewOrder]) -> Event:
        """Send one create request."""
        return await self._entry.place(approved)

    async def replace(self, approved: Approved[Replacement]) -> Event:
        """Send one amend request."""
        return await self._entry.replace(approved)

    async def cancel(self, command: CancelOrder) -> Event:
        """Send one cancel request."""
        return await self._entry.cancel(command)

    async def query(self, command: QueryOrder) -> list[Event]:
        """Ask everything about one order."""
        return await self._queries.order(command)

    async def reconcile(self, command: Reconcile) -> list[Event]:
        """Read everything of one category."""
        return await self._queries.everything(command)

    def context(self, category: Category, symbol: str) -> MarketContext:
        """Describe the surroundings of a symbol's market; empty if it is not followed."""
        feed = self._feeds.get(category)
        return MarketContext(at_ns=self._clock.now_ns()) if feed is None else feed.context(symbol)

    def subscribe(self, command: Subscribe) -> None:
        """Follow a symbol: its rules and its market."""
        self._wanted.put_nowait(command)

    async def run(self, post: Post) -> None:
        """Keep everything up until cancelled."""

        def on_unreadable(error: RemoteProtocolError) -> None:
            self._log("private row not readable", error=str(error))
            for category in sorted({category for category, _ in self._known}):
                post(AccountUnreadable(at_ns=0, category=category, detail=str(error)[:200]))

        account = AccountFeed(
            http=self._sockets,
            access=self._access,
            signer=self._signer,
            time=self._time,
            post=post,
            prefix=self._prefix,
            on_unreadable=on_unreadable,
            on_auth_refused=self._standing.on_auth_refused,
            log=self._log,
            random=self._random,
            ping_every_s=self._ping_every_s,
            silence_s_max=self._silence_s_max,
        )
        if not self._time.is_measured:
            await self._measure_time()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._standing.tell(post))
            group.create_task(self._keep_time())
            group.create_task(self._keep_rules(post))
            group.create_task(self._reread_rules(post))
            group.create_task(self._keep_trade())
            group.create_task(account.stream.run())
            if self._access.status_feed:
                status = StatusFeed(
                    http=self._sockets,
                    access=self._access,
                    clock=self._clock,
                    post=post,
                    log=self._log,
                    random=self._random,
                )
                group.create_task(status.run())
            while True:
                command = await self._wanted.get()
                if (command.category, command.symbol) in self._known:
                    continue
                self._known.add((command.category, command.symbol))
                group.create_task(self._follow(group, post, command.category, command.symbol))

    async def _follow(self, group: asyncio.TaskGroup, post: Post, category: Category, symbol: str) -> None:
        """Read the rules first: a symbol that does not exist must not spoil the subscription of the others."""
        if not await self._load_rules(post, category, symbol):
            self._known.discard((category, symbol))
            return
        feed = self._feeds.get(category)
        if feed is None:
            feed = MarketFeed(
                http=self._sockets,
                access=self._access,
                category=category,
                clock=self._clock,
                time=self._time,
                post=post,
                log=self._log,
                random=self._random,
            )
            self._feeds[category] = feed
            await feed.add(symbol, self._quote_coins[category, symbol])
            group.create_task(feed.stream.run())
        else:
            await self._add(feed, symbol, self._quote_coins[category, symbol])

    async def _add(self, feed: MarketFeed, symbol: str, quote_coin: str) -> None:
        try:
            await feed.add(symbol, quote_coin)
        except (Disconnected, RemoteProtocolError, TimeoutError, aiohttp.ClientError) as error:
            self._log("subscription failed", level="warning", symbol=symbol, error=str(error))
            await feed.stream.drop()  # the next connection subscribes to every symbol anew

    async def _load_rules(self, post: Post, category: Category, symbol: str) -> bool:
        """Read the rules of a symbol until it works; False if the venue says there is none."""
        told, wait_s = "", _RETRY_S
        while True:
            try:
                return await self._read_rules(post, category, symbol)
            except _UNREAD as error:
                if str(error) != told:
                    told = str(error)
                    self._tell_unread(symbol, told)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, _RETRY_S_MAX)

    async def _read_rules(self, post: Post, category: Category, symbol: str) -> bool:
        rules = await self._queries.instrument(category, symbol)
        if rules is None:
            detail = await self._why_unlisted(category, symbol)
            post(InstrumentMissing(at_ns=0, category=category, symbol=symbol, detail=detail))
            return False
        self._quote_coins[category, symbol] = rules.quote_coin
        post(InstrumentLoaded(at_ns=0, instrument=rules))
        return True

    async def _read_rules_again(self, post: Post, category: Category, symbol: str) -> bool:
        """Try once to read rules that were read before: one symbol that cannot be read must not hold up the others."""
        try:
            await self._read_rules(post, category, symbol)
        except _UNREAD as error:
            self._tell_unread(symbol, str(error))
            return False
        return True

    def _tell_unread(self, symbol: str, detail: str) -> None:
        self._log("instrument rules not readable", level="warning", symbol=symbol, error=detail)

    async def _why_unlisted(self, category: Category, symbol: str) -> str:
        """Say in words that a symbol is not among those that trade."""
        if (category, symbol) in self._quote_coins:
            return f"Bybit no longer lists {category} {symbol} among the symbols that trade"
        nearest = await self._queries.nearest_symbols(category, symbol)
        hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
        return f"Bybit has no {category} symbol {symbol}{hint}"

    async def _keep_rules(self, post: Post) -> None:
        """Read all rules again from time to time; what could not be read is tried again soon."""
        due_ns: dict[tuple[Category, str], int] = {}
        while True:
            await asyncio.sleep(_RULES_LOOK_S)
            for key in sorted(self._known):
                now_ns = self._clock.now_ns()
                next_ns = now_ns + int(_RULES_EVERY_S * NS_PER_S)
                if now_ns >= due_ns.setdefault(key, next_ns) and await self._read_rules_again(post, *key):
                    due_ns[key] = next_ns

    def _doubt_rules(self, category: Category, symbol: str) -> None:
        if not self._doubted.full():
            self._doubted.put_nowait((category, symbol))

    async def _reread_rules(self, post: Post) -> None:
        """Read the rules of a symbol again when the venue refused an order as if they had changed."""
        read_ns: dict[tuple[Category, str], int] = {}
        while True:
            key = await self._doubted.get()
            since_ns = self._clock.now_ns() - read_ns.get(key, 0)
            is_due = since_ns >= int(_RULES_AGAIN_S * NS_PER_S)
            if is_due and await self._read_rules_again(post, *key):
                read_ns[key] = self._clock.now_ns()

    def _new_trade_socket(self) -> SocketEntry:
        return SocketEntry(
            http=self._sockets,
            url=self._access.trade_ws_url,
            signer=self._signer,
            time=self._time,
            clock=self._clock,
            standing=self._standing,
            timeout_s=self._access.request_timeout_s,
            on_change=self._on_trade_change,
            log=self._log,
            random=self._random,
            ping_every_s=self._ping_every_s,
            silence_s_max=self._silence_s_max,
        )

    def _on_trade_change(self, live: bool, detail: str) -> None:
        """Tell the engine of the socket that takes orders, unless it is the spare way only."""
        if self._access.order_entry is Way.WEBSOCKET:
            self._standing.say(
                StreamChanged(at_ns=0, stream=StreamName.TRADE, category=None, live=live, detail=detail)
            )

    async def _keep_trade(self) -> None:
        """Keep the order socket up: always when orders go over it, otherwise from when a cancel needs it."""
        if self._access.order_entry is Way.REST:
            detail = "each order is a request of its own"
            self._standing.say(
                StreamChanged(at_ns=0, stream=StreamName.TRADE, category=None, live=True, detail=detail)
            )
        if self._trade is not None:
            if self._access.order_entry is Way.REST:
                await self._trade.wanted.wait()
            await self._trade.stream.run()

    async def _keep_time(self) -> None:
        doubted = self._standing.clock_doubted
        while True:
            wait_s = _TIME_EVERY_S if self._time.is_measured else _RETRY_S
            with suppress(TimeoutError):
                await asyncio.wait_for(doubted.wait(), wait_s)
            doubted.clear()
            await self._measure_time()

    async def _measure_time(self) -> None:
        try:
            await self._rest.measure_time()
        except (
            aiohttp.ClientError,
            TimeoutError,
            TransportError,
            RemoteProtocolError,
            ValueError,
        ) as error:
            self._log("venue not reached", level="warning", url=self._access.rest_url, error=str(error))
