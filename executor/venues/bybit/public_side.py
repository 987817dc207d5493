"""The public half of Bybit: the rules of the symbols that are followed, and their market data. It needs no key."""

import asyncio
from random import Random
from typing import Final

import aiohttp

from executor.advice.context import MarketContext
from executor.domain.commands import Subscribe
from executor.domain.errors import Disconnected, Overflow, RemoteProtocolError, TransportError
from executor.domain.events import InstrumentLoaded, InstrumentMissing
from executor.domain.orders import Category
from executor.domain.ports import Log, Post
from executor.domain.timeline import NS_PER_S
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.market_feed import MarketFeed, MarketKeeper, MarketWatcher
from executor.venues.bybit.queries import Queries
from executor.venues.bybit.server_time import ServerTime

_RULES_EVERY_S = 600.0
_RULES_LOOK_S = 30.0
_RULES_AGAIN_S = 10.0
_DOUBTS_MAX: Final = 1_000
_WANTED_MAX: Final = 1_000
_UNREAD: Final = (TransportError, RemoteProtocolError, Overflow)
_RETRY_S: Final = 2.0
_RETRY_S_MAX: Final = 30.0


class PublicSide:
    """Rules and market data of the symbols that were asked for.

    Parameters
    ----------
    http
        For the streams.
    queries
        Of which the public ones are asked.
    watcher
        Sees the books and trades themselves, before the engine hears what is told of them; None where nobody does.
    keeper
        Keeps what the streams say, word by word, and the rules; None where nobody does.
    """

    def __init__(
        self,
        *,
        http: aiohttp.ClientSession,
        access: Access,
        queries: Queries,
        clock: Clock,
        time: ServerTime,
        log: Log,
        random: Random,
        watcher: MarketWatcher | None = None,
        keeper: MarketKeeper | None = None,
    ) -> None:
        self._http = http
        self._access = access
        self._queries = queries
        self._clock = clock
        self._time = time
        self._log = log
        self._random = random
        self._watcher = watcher
        self._keeper = keeper
        self._wanted: asyncio.Queue[Subscribe] = asyncio.Queue(maxsize=_WANTED_MAX)
        self._feeds: dict[Category, MarketFeed] = {}
        self._known: set[tuple[Category, str]] = set()
        self._quote_coins: dict[tuple[Category, str], str] = {}
        self._doubted: asyncio.Queue[tuple[Category, str]] = asyncio.Queue(maxsize=_DOUBTS_MAX)

    @property
    def categories(self) -> list[Category]:
        """Of the symbols that are followed."""
        return sorted({category for category, _ in self._known})

    def context(self, category: Category, symbol: str) -> MarketContext:
        """Describe the surroundings of a symbol's market; empty if it is not followed."""
        feed = self._feeds.get(category)
        return MarketContext(at_ns=self._clock.now_ns()) if feed is None else feed.context(symbol)

    def subscribe(self, command: Subscribe) -> None:
        """Follow a symbol: its rules and its market."""
        self._wanted.put_nowait(command)

    async def run(self, post: Post) -> None:
        """Keep everything up until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_rules(post))
            group.create_task(self._reread_rules(post))
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
                http=self._http,
                access=self._access,
                category=category,
                clock=self._clock,
                time=self._time,
                post=post,
                log=self._log,
                random=self._random,
                watcher=self._watcher,
                keeper=self._keeper,
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
        if self._keeper is not None:
            self._keeper.rules(rules)
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

    def doubt_rules(self, category: Category, symbol: str) -> None:
        """Read the rules of a symbol again, because the venue refused an order as if they had changed."""
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
