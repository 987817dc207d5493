"""Public market data of one category: books kept in step, trades added up, snapshots conflated for the engine.

A snapshot is posted at once when the touch moves, otherwise at most once a second, and never more often
than the conflation interval. A gap ends the connection, and the next one
begins with fresh snapshots.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

import aiohttp

from executor.domain.errors import Overflow, RemoteProtocolError
from executor.domain.events import BookLost, BookUpdated, StreamChanged
from executor.domain.events import Stream as StreamName
from executor.domain.market import MarketSnapshot
from executor.domain.orders import Category
from executor.domain.ports import Log, Post
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import ZERO, Money, Price, Quantity
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.book_sync import BookSync
from executor.venues.bybit.codec import decode_rows, decode_trade
from executor.venues.bybit.stream import Message, Stream

_QUIET_NS = NS_PER_S
_STAMP_MS_MAX = 9_000_000_000_000


@dataclass(slots=True)
class _Symbol:
    book: BookSync = field(default_factory=BookSync)
    traded_qty: Decimal = ZERO
    traded_notional: Decimal = ZERO
    ts_exchange_ns: int = 0
    posted_ns: int = 0
    posted_touch: tuple[Decimal, Decimal] = (ZERO, ZERO)
    waiting: asyncio.TimerHandle | None = None


class MarketFeed:
    """The public stream of one category."""

    def __init__(
        self,
        *,
        http: aiohttp.ClientSession,
        access: Access,
        category: Category,
        clock: Clock,
        post: Post,
        log: Log,
        random: Random,
    ) -> None:
        self._access = access
        self._category = category
        self._clock = clock
        self._post = post
        self._symbols: dict[str, _Symbol] = {}
        self._joined = False
        self.bad_messages = 0
        self.stream = Stream(
            http=http,
            url=f"{access.public_ws_url}/v5/public/{category.value}",
            join=self._join,
            on_message=self._on_message,
            on_lost=self._on_lost,
            log=log,
            random=random,
        )

    async def add(self, symbol: str) -> None:
        """Follow one more symbol, now and after every reconnect."""
        if symbol in self._symbols:
            return
        self._symbols[symbol] = _Symbol()
        if self._joined:
            await self.stream.request("subscribe", self._topics(symbol))

    def _topics(self, symbol: str) -> list[str]:
        return [f"orderbook.{self._access.book_depth}.{symbol}", f"publicTrade.{symbol}"]

    async def _join(self, stream: Stream) -> None:
        refusals: list[RemoteProtocolError] = []
        for symbol in list(self._symbols):
            try:
                await stream.request("subscribe", self._topics(symbol))
            except (
                RemoteProtocolError
            ) as error:  # one symbol the venue does not know must not cost the others
                refusals.append(error)
                self._post(BookLost(at_ns=0, category=self._category, symbol=symbol, detail=str(error)[:200]))
        if refusals and len(refusals) == len(self._symbols):
            raise refusals[0]
        self._joined = True
        self._post(StreamChanged(at_ns=0, stream=StreamName.PUBLIC, live=True, detail=self._category.value))

    def _on_lost(self, detail: str) -> None:
        if self._joined:
            self._post(StreamChanged(at_ns=0, stream=StreamName.PUBLIC, live=False, detail=detail))
            self._joined = False
        for name, symbol in self._symbols.items():
            self._lose(name, symbol, detail)

    def _lose(self, name: str, symbol: _Symbol, detail: str) -> None:
        symbol.book.lose()
        if symbol.waiting is not None:
            symbol.waiting.cancel()
            symbol.waiting = None
        self._post(BookLost(at_ns=0, category=self._category, symbol=name, detail=detail))

    def _on_message(self, message: Message) -> None:
        topic = str(message.get("topic"))
        kind, _, rest = topic.partition(".")
        name = rest.rpartition(".")[2]
        symbol = self._symbols.get(name)
        if symbol is None:
            self.bad_messages += 1
        elif kind == "orderbook":
            self._on_book(name, symbol, message)
        elif kind == "publicTrade":
            self._on_trades(symbol, message)

    def _on_trades(self, symbol: _Symbol, message: Message) -> None:
        rows = message.get("data")
        good, bad = decode_rows(rows if isinstance(rows, list) else [], decode_trade)
        self.bad_messages += len(bad)
        for qty, px in good:
            symbol.traded_qty += qty
            symbol.traded_notional += qty * px

    def _on_book(self, name: str, symbol: _Symbol, message: Message) -> None:
        data, kind = message.get("data"), message.get("type")
        try:
            if not isinstance(data, dict) or not isinstance(kind, str):
                raise RemoteProtocolError("book message without data")
            symbol.book.apply(kind, data)
        except RemoteProtocolError as error:
            self.bad_messages += 1
            self._lose(name, symbol, str(error))
            raise
        stamp = message.get("cts") or message.get("ts")
        if not isinstance(stamp, int) or not 0 < stamp < _STAMP_MS_MAX:
            stamp = 0
        symbol.ts_exchange_ns = stamp * NS_PER_MS
        self._conflate(name, symbol)

    def _conflate(self, name: str, symbol: _Symbol) -> None:
        now_ns = self._clock.now_ns()
        moved = symbol.posted_touch != (symbol.book.best_bid, symbol.book.best_ask)
        due_ns = symbol.posted_ns + (self._access.conflate_ms * NS_PER_MS if moved else _QUIET_NS)
        if now_ns >= due_ns:
            self._publish(name, symbol)
        elif moved and symbol.waiting is None:
            delay_s = (due_ns - now_ns) / NS_PER_S
            symbol.waiting = asyncio.get_running_loop().call_later(delay_s, self._publish, name, symbol)

    def _publish(self, name: str, symbol: _Symbol) -> None:
        if symbol.waiting is not None:
            symbol.waiting.cancel()
            symbol.waiting = None
        book = symbol.book
        if not book.sound:
            return
        symbol.posted_ns = self._clock.now_ns()
        symbol.posted_touch = (book.best_bid, book.best_ask)
        with suppress(Overflow):  # a snapshot the engine has no room for is made good by the next
            self._post(self._snapshot(name, symbol))

    def _snapshot(self, name: str, symbol: _Symbol) -> BookUpdated:
        book = symbol.book
        return BookUpdated(
            at_ns=0,
            market=MarketSnapshot(
                category=self._category,
                symbol=name,
                best_bid=Price(book.best_bid),
                best_bid_qty=Quantity(book.bids[book.best_bid]),
                best_ask=Price(book.best_ask),
                best_ask_qty=Quantity(book.asks[book.best_ask]),
                traded_qty=Quantity(symbol.traded_qty),
                traded_notional=Money(symbol.traded_notional),
                ts_exchange_ns=symbol.ts_exchange_ns,
            ),
        )
