"""Bybit as a venue: order entry, queries and streams behind one port."""

import asyncio
from contextlib import suppress
from random import Random

import aiohttp

from executor.advice.context import MarketContext
from executor.domain.algo import NewAlgo
from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder, QueryAlgo, QueryOrder, Reconcile, StopAlgo, Subscribe
from executor.domain.errors import RemoteProtocolError, TransportError
from executor.domain.events import (
    AccountUnreadable,
    Event,
    StreamChanged,
)
from executor.domain.events import Stream as StreamName
from executor.domain.fees import KnownFees
from executor.domain.link_figures import LinkFigures
from executor.domain.orders import Category, NewOrder, Replacement
from executor.domain.ports import Log, Post
from executor.domain.units import BPS_PER_UNIT
from executor.engine.state import MarketState
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access, Way
from executor.venues.bybit.account_feed import AccountFeed
from executor.venues.bybit.account_queries import AccountQueries
from executor.venues.bybit.algo_entry import AlgoEntry
from executor.venues.bybit.algo_queries import AlgoQueries
from executor.venues.bybit.ask import Asker, Manners
from executor.venues.bybit.limiter import Limiter
from executor.venues.bybit.market_feed import MarketKeeper
from executor.venues.bybit.order_entry import Door, OrderEntry
from executor.venues.bybit.public_side import PublicSide
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
        ping_every_s: float = PING_EVERY_S,
        silence_s_max: float = SILENCE_S_MAX,
        keeper: MarketKeeper | None = None,
    ) -> None:
        self._keeper = keeper
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
        self._strategies = Asker(access, self._signer, self._time, manners)
        self._algo_queries = AlgoQueries(self._strategies, clock, self._time)
        self._queries = Queries(access, self._signer, clock, self._time, self._prefix, manners)

    async def __aenter__(self) -> "BybitVenue":
        """Open the HTTP clients and the ways of sending orders; nothing is connected yet."""
        access = self._access
        self._http = new_session(access.hosts, access.request_timeout_s)
        self._sockets = new_session(access.hosts)
        self._public = PublicSide(
            http=self._sockets,
            access=access,
            queries=self._queries,
            clock=self._clock,
            time=self._time,
            log=self._log,
            random=self._random,
            keeper=self._keeper,
        )
        self._rest = RestEntry(
            self._http, access.rest_url, self._signer, self._time, self._clock, self._standing
        )
        self._algos = AlgoEntry(self._rest, self._turnstile, self._standing)
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
            on_rules_doubt=self._public.doubt_rules,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._http.close()
        await self._sockets.close()
        self._queries.close()
        self._account.close()
        self._strategies.close()

    async def clock_error_ms(self) -> int | None:
        """The venue's clock minus ours, milliseconds; None if the venue did not answer."""
        await self._measure_time()
        return self._time.offset_ms if self._time.is_measured else None

    def link_figures(self) -> LinkFigures:
        """Tell how the clocks stand to each other, and how much of each budget of requests is used."""
        return LinkFigures(
            clock_offset_ms=self._time.offset_ms if self._time.is_measured else None,
            used_ratios=self._standing.used_ratios(),
        )

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

    async def place_algo(self, approved: Approved[NewAlgo]) -> Event:
        """Send one create request of a strategy order."""
        return await self._algos.place(approved)

    async def stop_algo(self, command: StopAlgo) -> Event:
        """Send one stop request of a strategy order."""
        return await self._algos.stop(command)

    async def query_algo(self, command: QueryAlgo) -> list[Event]:
        """Ask everything about one strategy order."""
        return await self._algo_queries.strategy(command)

    async def reconcile(self, command: Reconcile) -> list[Event]:
        """Read everything of one category."""
        return await self._queries.everything(command)

    def context(self, category: Category, symbol: str) -> MarketContext:
        """Describe the surroundings of a symbol's market; empty if it is not followed."""
        return self._public.context(category, symbol)

    async def look(self, category: Category, symbol: str) -> MarketState | None:
        """Look once at a market that is not followed; None if the venue has no such symbol."""
        return await self._queries.market(category, symbol)

    async def fees(self, category: Category, symbol: str) -> KnownFees:
        """What the account pays in a symbol.

        Raises
        ------
        TransportError, RemoteProtocolError
            If it could not be read.
        """
        rates = await self.account.fees(category, symbol)
        return KnownFees(
            maker_bps=rates.maker_rate * BPS_PER_UNIT,
            taker_bps=rates.taker_rate * BPS_PER_UNIT,
            source="the account's own rates",
        )

    def subscribe(self, command: Subscribe) -> None:
        """Follow a symbol: its rules and its market."""
        self._public.subscribe(command)

    async def run(self, post: Post) -> None:
        """Keep everything up until cancelled."""

        def on_unreadable(error: RemoteProtocolError) -> None:
            self._log("private row not readable", error=str(error))
            for category in self._public.categories:
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
            group.create_task(self._public.run(post))
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
                async with asyncio.timeout(wait_s):
                    await doubted.wait()
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
            words = str(error) or type(error).__name__  # a time-out says nothing of itself
            self._log("venue not reached", level="warning", url=self._access.rest_url, error=words)
