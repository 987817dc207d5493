"""Bybit as a venue: order entry, queries and streams behind one port."""

import asyncio
from random import Random

import aiohttp

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, QueryOrder, Reconcile, Subscribe
from executor.domain.errors import Disconnected, RemoteProtocolError, TransportError
from executor.domain.events import Event, InstrumentLoaded, ReconcileFailed
from executor.domain.orders import Category, NewOrder
from executor.domain.ports import Log, Post
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.account_feed import AccountFeed
from executor.venues.bybit.market_feed import MarketFeed
from executor.venues.bybit.order_entry import OrderEntry
from executor.venues.bybit.queries import Queries
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer
from risk.turnstile import Turnstile

_TIME_EVERY_S = 60.0
_RULES_EVERY_S = 600.0
_RETRY_S = 2.0


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
    ) -> None:
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
            post(ReconcileFailed(at_ns=0, category=Category.LINEAR, detail=f"unreadable row: {error}"[:200]))

        account = AccountFeed(
            http=self._sockets,
            access=self._access,
            signer=self._signer,
            time=self._time,
            post=post,
            prefix=self._prefix,
            on_unreadable=on_unreadable,
            random=self._random,
        )
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
                group.create_task(self._load_rules(post, command.category, command.symbol))
                feed = self._feeds.get(command.category)
                if feed is None:
                    feed = MarketFeed(
                        self._sockets, self._access, command.category, self._clock, post, self._random
                    )
                    self._feeds[command.category] = feed
                    await feed.add(command.symbol)
                    group.create_task(feed.stream.run())
                else:
                    group.create_task(self._add(feed, command.symbol))

    async def _add(self, feed: MarketFeed, symbol: str) -> None:
        try:
            await feed.add(symbol)
        except (Disconnected, RemoteProtocolError, TimeoutError, aiohttp.ClientError) as error:
            self._log("subscription failed", symbol=symbol, error=str(error))

    async def _load_rules(self, post: Post, category: Category, symbol: str) -> None:
        while True:
            try:
                rules = await self._queries.instrument(category, symbol)
            except (TransportError, RemoteProtocolError) as error:
                self._log("instrument rules not readable", symbol=symbol, error=str(error))
                await asyncio.sleep(_RETRY_S)
            else:
                post(InstrumentLoaded(at_ns=0, instrument=rules))
                return

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
            self._log("venue clock not measured", error=str(error))
