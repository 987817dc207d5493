"""Bybit as a venue: order entry, queries and streams behind one port."""

import asyncio
from random import Random

import aiohttp

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, QueryOrder, Reconcile, Subscribe
from executor.domain.errors import Disconnected, Overflow, RemoteProtocolError, TransportError
from executor.domain.events import AccountUnreadable, Event, InstrumentLoaded, InstrumentMissing
from executor.domain.orders import Category, NewOrder
from executor.domain.ports import Log, Post
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.account_feed import AccountFeed
from executor.venues.bybit.market_feed import MarketFeed
from executor.venues.bybit.order_entry import GuardedRequest, OrderEntry
from executor.venues.bybit.queries import Queries
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from executor.venues.bybit.stream import PING_EVERY_S, SILENCE_S_MAX
from risk.turnstile import Turnstile

_TIME_EVERY_S = 60.0
_RULES_EVERY_S = 600.0
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
        self._queries = Queries(access, self._signer, clock, self._time, self._prefix)
        self._wanted: asyncio.Queue[Subscribe] = asyncio.Queue(maxsize=1_000)
        self._feeds: dict[Category, MarketFeed] = {}
        self._known: set[tuple[Category, str]] = set()

    async def __aenter__(self) -> "BybitVenue":
        """Open the HTTP client."""
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._access.request_timeout_s),
            trust_env=False,
            connector=aiohttp.TCPConnector(limit=32, keepalive_timeout=60),
            request_class=GuardedRequest,
        )
        self._sockets = aiohttp.ClientSession(trust_env=False)
        self._entry = OrderEntry(
            self._http, self._access.rest_url, self._signer, self._time, self._clock, self._turnstile
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._http.close()
        await self._sockets.close()

    async def clock_error_ms(self) -> int | None:
        """The venue's clock minus ours, milliseconds; None if the venue did not answer."""
        await self._measure_time()
        return self._time.offset_ms if self._time.is_measured else None

    async def place(self, approved: Approved[NewOrder]) -> Event:
        """Send one create request."""
        return await self._entry.place(approved)

    async def cancel(self, command: CancelOrder) -> Event:
        """Send one cancel request."""
        return await self._entry.cancel(command)

    async def query(self, command: QueryOrder) -> list[Event]:
        """Ask everything about one order."""
        return await self._queries.order(command)

    async def reconcile(self, command: Reconcile) -> list[Event]:
        """Read everything of one category."""
        return await self._queries.everything(command)

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
            log=self._log,
            random=self._random,
            ping_every_s=self._ping_every_s,
            silence_s_max=self._silence_s_max,
        )
        if not self._time.is_measured:
            await self._measure_time()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_time())
            group.create_task(self._keep_rules(post))
            group.create_task(account.stream.run())
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
                post=post,
                log=self._log,
                random=self._random,
            )
            self._feeds[category] = feed
            await feed.add(symbol)
            group.create_task(feed.stream.run())
        else:
            await self._add(feed, symbol)

    async def _add(self, feed: MarketFeed, symbol: str) -> None:
        try:
            await feed.add(symbol)
        except (Disconnected, RemoteProtocolError, TimeoutError, aiohttp.ClientError) as error:
            self._log("subscription failed", level="warning", symbol=symbol, error=str(error))
            await feed.stream.drop()  # the next connection subscribes to every symbol anew

    async def _load_rules(self, post: Post, category: Category, symbol: str) -> bool:
        """Read the rules of a symbol until it works; False if the venue says there is none."""
        told, wait_s = "", _RETRY_S
        while True:
            try:
                rules = await self._queries.instrument(category, symbol)
                if rules is None:
                    nearest = await self._queries.nearest_symbols(category, symbol)
                    hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
                    detail = f"Bybit has no {category} symbol {symbol}{hint}"
                    post(InstrumentMissing(at_ns=0, category=category, symbol=symbol, detail=detail))
                    return False
                post(InstrumentLoaded(at_ns=0, instrument=rules))
            except (TransportError, RemoteProtocolError, Overflow) as error:
                if str(error) != told:
                    told = str(error)
                    self._log("instrument rules not readable", level="warning", symbol=symbol, error=told)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, _RETRY_S_MAX)
            else:
                return True

    async def _keep_rules(self, post: Post) -> None:
        while True:
            await asyncio.sleep(_RULES_EVERY_S)
            for category, symbol in sorted(self._known):
                await self._load_rules(post, category, symbol)

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(_TIME_EVERY_S)
            await self._measure_time()

    async def _measure_time(self) -> None:
        try:
            await self._entry.measure_time()
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError) as error:
            self._log("venue not reached", level="warning", url=self._access.rest_url, error=str(error))
