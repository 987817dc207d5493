"""Public market data of one category: books kept in step, trades added up, snapshots conflated for the engine.

What the engine hears of a book: a snapshot at once when the touch moves, otherwise at most once a second, and
never more often than the conflation interval. Each follows from a message of that book's own topic, at most
one conflation interval old. Trades, tickers and pongs never make a book fresh, and nothing is told again
without a new message: when a book's messages stop, its last snapshot grows old, and the gate, which takes
none older than two seconds, opens nothing. A book of 50 levels or more that says nothing for two seconds is
such a book, even if its market is only quiet; a book of one level repeats itself every three seconds, and is
fresh for two of them.

A gap ends the connection, and the next one begins with fresh snapshots. An empty side is no gap: the book is
lost until the side is filled again. Book and trades are required; ticker, price limit and liquidations are
asked for one by one, and a refusal, or no answer, costs that topic alone.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from random import Random
from typing import Protocol

import aiohttp

from executor.advice.context import MarketContext
from executor.domain.errors import Overflow, RemoteProtocolError
from executor.domain.events import BookLost, BookUpdated, StreamChanged
from executor.domain.events import Stream as StreamName
from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot
from executor.domain.orders import Category, Side
from executor.domain.ports import Log, Post
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import ZERO, Money, Price, Quantity
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.book_sync import BookSync
from executor.venues.bybit.codec_frames import Frame
from executor.venues.bybit.codec_public import (
    BookFrame,
    Level,
    LiquidationsFrame,
    PriceLimitFrame,
    PublicTrades,
    TickerFrame,
)
from executor.venues.bybit.contract_feed import ContractFeed
from executor.venues.bybit.reference_feed import ReferenceFeed
from executor.venues.bybit.scenery import Scenery
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.stream import PING_EVERY_S, SILENCE_S_MAX, RequestRefused, Stream, Unacknowledged
from executor.venues.bybit.ticker_sync import TickerSync

BOOK_DEPTHS = frozenset({1, 50, 200, 1000})
_QUIET_NS = NS_PER_S
_BAND_NS_MAX = 10 * NS_PER_S
_STAMP_MS_MAX = 9_000_000_000_000


@dataclass(slots=True)
class _Symbol:
    name: str
    book: BookSync
    reference: ReferenceFeed
    contract: ContractFeed
    scenery: Scenery
    subscribed: bool = False
    traded_qty: Decimal = ZERO
    traded_notional: Decimal = ZERO
    bought_qty: Decimal = ZERO
    long_qty: Decimal = ZERO
    short_qty: Decimal = ZERO
    band: PriceLimitFrame | None = None
    band_ns: int = 0
    ts_exchange_ns: int = 0
    posted_ns: int = 0
    posted_touch: tuple[Decimal, Decimal] = (ZERO, ZERO)
    has_sides: bool = True
    waiting: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class Tally:
    """What went by, for the log and for tests."""

    bad_messages: int = 0
    refused_topics: set[str] = field(default_factory=set)


class MarketWatcher(Protocol):
    """Somebody who sees books and trades as they come, and not only what is told of them to the engine."""

    def book(self, category: Category, frame: BookFrame) -> None:
        """Take a message that the book has taken."""

    def trades(self, category: Category, trades: PublicTrades) -> None:
        """Take public trades."""

    def ticker(self, category: Category, symbol: str, ticker: TickerSync) -> None:
        """Take a ticker that has taken a message."""

    def lost(self, category: Category, symbol: str) -> None:
        """Learn that a book is void until its next snapshot."""


class MarketKeeper(Protocol):
    """Somebody who keeps what is said of markets, word by word."""

    def frame(self, url: str, text: str) -> None:
        """Keep a text that a stream sent."""

    def lost(self, url: str) -> None:
        """Keep in mind that a stream has ended."""

    def rules(self, instrument: Instrument) -> None:
        """Keep the rules of an instrument."""


class MarketFeed:
    """The public stream of one category.

    Raises
    ------
    ValueError
        If the venue has no book of the depth that `access` names.
    """

    def __init__(
        self,
        *,
        http: aiohttp.ClientSession,
        access: Access,
        category: Category,
        clock: Clock,
        time: ServerTime,
        post: Post,
        log: Log,
        random: Random,
        ping_every_s: float = PING_EVERY_S,
        silence_s_max: float = SILENCE_S_MAX,
        watcher: MarketWatcher | None = None,
        keeper: MarketKeeper | None = None,
    ) -> None:
        if access.book_depth not in BOOK_DEPTHS:
            raise ValueError(f"no order book of {access.book_depth} levels, only {sorted(BOOK_DEPTHS)}")
        self._access = access
        self._category = category
        self._clock = clock
        self._time = time
        self._post = post
        self._log = log
        self._watcher = watcher
        self._keeper = keeper
        self._symbols: dict[str, _Symbol] = {}
        self._books: dict[str, _Symbol] = {}
        self._joined = False
        self.tally = Tally()
        self._url = url = f"{access.public_ws_url}/v5/public/{category.value}"
        self.stream = Stream(
            http=http,
            url=url,
            on_text=None if keeper is None else partial(keeper.frame, url),
            join=self._join,
            on_message=self._on_message,
            on_lost=self._on_lost,
            on_bad_frame=self._on_bad,
            log=log,
            random=random,
            ping_every_s=ping_every_s,
            silence_s_max=silence_s_max,
        )

    async def add(self, symbol: str, quote_coin: str) -> None:
        """Follow one more symbol, now and after every reconnect."""
        if symbol in self._symbols:
            return
        reference = ReferenceFeed(
            category=self._category,
            symbol=symbol,
            quote_coin=quote_coin,
            now_ns=self._clock.now_ns,
            post=self._post,
        )
        entry = _Symbol(
            name=symbol,
            book=BookSync(symbol, self._access.book_depth),
            reference=reference,
            contract=ContractFeed(
                category=self._category,
                symbol=symbol,
                ticker=reference.ticker,
                our_ns=self._time.our_ns,
                now_ns=self._clock.now_ns,
                post=self._post,
            ),
            scenery=Scenery(reference.ticker, self._time.our_ns),
        )
        self._symbols[symbol] = self._books[self._topics(symbol)[0]] = entry
        if self._joined:
            await self.stream.request("subscribe", self._topics(symbol))
            entry.subscribed = True
            await self._want(self.stream, entry)

    def context(self, symbol: str) -> MarketContext:
        """Describe the surroundings of a symbol; empty if it is not followed."""
        now_ns, entry = self._clock.now_ns(), self._symbols.get(symbol)
        if entry is None:
            return MarketContext(at_ns=now_ns)
        return entry.scenery.context(entry.book, entry.posted_ns, now_ns)

    def _topics(self, symbol: str) -> list[str]:
        return [f"orderbook.{self._access.book_depth}.{symbol}", f"publicTrade.{symbol}"]

    async def _join(self, stream: Stream) -> None:
        for entry in self._symbols.values():
            entry.subscribed = False
        refused: dict[str, RequestRefused] = {}
        while pending := [
            entry for name, entry in self._symbols.items() if not entry.subscribed and name not in refused
        ]:  # another symbol may be added meanwhile
            for entry in pending:
                try:
                    await stream.request("subscribe", self._topics(entry.name))
                    entry.subscribed = True
                except RequestRefused as error:  # one symbol the venue does not know must not cost the others
                    refused[entry.name] = error
                    self._post_lost(entry, str(error))
        if refused and len(refused) == len(self._symbols):
            raise next(iter(refused.values()))
        self._joined = True
        self._post(
            StreamChanged(
                at_ns=0, stream=StreamName.PUBLIC, category=self._category, live=True, detail="joined"
            )
        )
        for entry in list(self._symbols.values()):
            if entry.subscribed:
                await self._want(stream, entry)

    async def _want(self, stream: Stream, entry: _Symbol) -> None:
        """Ask for what can be done without, topic by topic; book and trades come already."""
        if self._joined:  # a connection may end between an answer and its reader
            entry.scenery.watch_trades(self._clock.now_ns())
        topics = [f"tickers.{entry.name}"] if entry.reference.is_wanted else []
        topics.append(f"priceLimit.{entry.name}")
        liquidations = f"allLiquidation.{entry.name}"
        if self._category is not Category.SPOT:
            topics.append(liquidations)
        for topic in topics:
            try:
                await stream.request("subscribe", [topic])
                if topic == liquidations and self._joined:
                    entry.scenery.watch_liquidations(self._clock.now_ns())
            except (RequestRefused, Unacknowledged) as error:
                if topic not in self.tally.refused_topics:
                    self.tally.refused_topics.add(topic)
                    self._log("topic refused", level="warning", topic=topic, error=str(error))

    def _on_lost(self, detail: str) -> None:
        if self._joined:
            self._post(
                StreamChanged(
                    at_ns=0, stream=StreamName.PUBLIC, category=self._category, live=False, detail=detail
                )
            )
            self._joined = False
            if self._keeper is not None:
                self._keeper.lost(self._url)
        for entry in self._symbols.values():
            entry.band = None
            entry.scenery.lose()
            entry.reference.lose()
            entry.contract.lose()
            self._lose(entry, detail)

    def _lose(self, entry: _Symbol, detail: str) -> None:
        entry.book.lose()
        entry.has_sides = True
        if self._watcher is not None:
            self._watcher.lost(self._category, entry.name)
        self._post_lost(entry, detail)

    def _post_lost(self, entry: _Symbol, detail: str) -> None:
        if entry.waiting is not None:
            entry.waiting.cancel()
            entry.waiting = None
        entry.posted_touch = (ZERO, ZERO)  # whatever comes next is news
        self._post(BookLost(at_ns=0, category=self._category, symbol=entry.name, detail=detail[:200]))

    def _on_bad(self, error: RemoteProtocolError) -> None:
        self.tally.bad_messages += 1
        if self.tally.bad_messages == 1:
            self._log("public message not readable", level="warning", error=str(error))

    def _on_message(self, frame: Frame) -> None:
        if isinstance(frame, BookFrame):
            entry = self._books.get(frame.topic)
            if entry is None:
                self.tally.bad_messages += 1
            else:
                self._on_book(entry, frame)
            return
        if not isinstance(frame, PublicTrades | TickerFrame | PriceLimitFrame | LiquidationsFrame):
            self.tally.bad_messages += 1
            return
        entry = self._symbols.get(frame.symbol)
        if entry is None:
            self.tally.bad_messages += 1
            return
        match frame:
            case PublicTrades():
                self.tally.bad_messages += len(frame.bad)
                for trade in frame.trades:
                    entry.traded_qty += trade.qty
                    entry.traded_notional += trade.qty * trade.px
                    if trade.side is Side.BUY:
                        entry.bought_qty += trade.qty
                entry.scenery.take_trades(frame.trades, self._clock.now_ns())
                if self._watcher is not None:
                    self._watcher.trades(self._category, frame)
            case TickerFrame():
                for error in frame.bad:
                    self._on_bad(error)
                try:
                    entry.reference.take(frame)
                except RemoteProtocolError as error:
                    self._on_bad(error)
                else:
                    entry.scenery.heard_ticker(self._clock.now_ns())
                    entry.contract.tell()
                    if self._watcher is not None:
                        self._watcher.ticker(self._category, entry.name, entry.reference.ticker)
            case PriceLimitFrame():
                entry.band, entry.band_ns = frame, self._clock.now_ns()
            case LiquidationsFrame():
                self.tally.bad_messages += len(frame.bad)
                entry.long_qty += frame.long_qty
                entry.short_qty += frame.short_qty
                entry.scenery.take_liquidations(frame.positions, self._clock.now_ns())
                entry.contract.tell_liquidations(frame.positions)

    def _on_book(self, entry: _Symbol, frame: BookFrame) -> None:
        try:
            entry.book.apply(frame)
        except RemoteProtocolError as error:
            self.tally.bad_messages += 1
            self._lose(entry, str(error))
            raise
        if self._watcher is not None:
            self._watcher.book(self._category, frame)
        stamp_ms = frame.cts or frame.ts
        entry.ts_exchange_ns = stamp_ms * NS_PER_MS if stamp_ms < _STAMP_MS_MAX else 0
        if entry.book.sound:
            entry.has_sides = True
            self._conflate(entry)
        elif entry.has_sides:
            entry.has_sides = False
            self._post_lost(entry, "book is one-sided")

    def _conflate(self, entry: _Symbol) -> None:
        now_ns = self._clock.now_ns()
        moved = entry.posted_touch != (entry.book.best_bid, entry.book.best_ask)
        due_ns = entry.posted_ns + (self._access.conflate_ms * NS_PER_MS if moved else _QUIET_NS)
        if now_ns >= due_ns:
            self._publish(entry)
        elif moved and entry.waiting is None:
            delay_s = (due_ns - now_ns) / NS_PER_S
            entry.waiting = asyncio.get_running_loop().call_later(delay_s, self._publish, entry)

    def _publish(self, entry: _Symbol) -> None:
        if entry.waiting is not None:
            entry.waiting.cancel()
            entry.waiting = None
        if not entry.book.sound:
            return
        entry.posted_ns = self._clock.now_ns()
        entry.posted_touch = (entry.book.best_bid, entry.book.best_ask)
        with suppress(Overflow):  # a snapshot the engine has no room for is made good by the next
            self._post(BookUpdated(at_ns=0, market=self._snapshot(entry)))

    def _snapshot(self, entry: _Symbol) -> MarketSnapshot:
        book = entry.book
        (_, bid_qty), (_, ask_qty) = book.touch
        market = MarketSnapshot(
            category=self._category,
            symbol=entry.name,
            best_bid=Price(book.best_bid),
            best_bid_qty=Quantity(Decimal(bid_qty)),
            best_ask=Price(book.best_ask),
            best_ask_qty=Quantity(Decimal(ask_qty)),
            traded_qty=Quantity(entry.traded_qty),
            traded_notional=Money(entry.traded_notional),
            ts_exchange_ns=entry.ts_exchange_ns,
            liquidated_long_qty=Quantity(entry.long_qty),
            liquidated_short_qty=Quantity(entry.short_qty),
            bought_qty=Quantity(entry.bought_qty),
        )
        if self._access.route_levels:
            bids, asks = book.nearest(1 + self._access.route_levels)
            market = replace(market, deeper_bids=_deeper(bids), deeper_asks=_deeper(asks))
        band = entry.band
        if band is None or entry.posted_ns - entry.band_ns > _BAND_NS_MAX:
            return market
        return replace(market, max_buy_px=Price(band.max_buy_px), min_sell_px=Price(band.min_sell_px))


def _deeper(levels: list[Level]) -> tuple[tuple[Price, Quantity], ...]:
    """Prices and quantities of the levels behind the best one."""
    return tuple((Price(Decimal(px)), Quantity(Decimal(qty))) for px, qty in levels[1:])
