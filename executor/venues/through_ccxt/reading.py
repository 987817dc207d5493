"""What is asked of another venue, and what its answers say. Runs in the room of its ccxt; complete, or an error."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from executor.domain.errors import RemoteProtocolError, TransportError
from executor.domain.events import CoinBalance, OrderFilled, OrderUpdated, PositionReport
from executor.domain.instrument import Instrument
from executor.domain.orders import Category
from executor.domain.places import at_venue
from executor.domain.timeline import NS_PER_MS
from executor.runtime.clock import Clock
from executor.venues.bybit.server_time import ServerTime
from executor.venues.through_ccxt.dialect import Dialect, Exchange, Row
from executor.venues.through_ccxt.rows import (
    MarketUnusable,
    Tape,
    number_of,
    read_fill,
    read_instrument,
    read_order,
    read_positions,
    read_touch,
)
from executor.venues.through_ccxt.terms import OtherVenue

_BOOK_LEVELS: Final = 20
_TRADES: Final = 50
_BOOK_AGE_MS_MAX: Final = 10_000


class Reader:
    """Asks one venue.

    Parameters
    ----------
    prefix
        How the names of our orders begin.
    """

    def __init__(
        self, exchange: Exchange, dialect: Dialect, terms: OtherVenue, prefix: str, clock: Clock
    ) -> None:
        self._exchange = exchange
        self._dialect = dialect
        self._terms = terms
        self._prefix = prefix
        self._clock = clock
        self.time = ServerTime(clock)

    def unified(self, category: Category, symbol: str) -> str:
        """Ccxt's name of a symbol of ours, with or without the name of the venue.

        Raises
        ------
        MarketUnusable
            If none is configured.
        """
        try:
            return self._terms.markets[category, symbol.partition("@")[0]]
        except KeyError as error:
            raise MarketUnusable(f"{symbol}: no {category} market of that name is configured") from error

    def market(self, category: Category, symbol: str) -> Row:
        """What ccxt knows of a market; its list must be loaded."""
        market: Row = self._exchange.market(self.unified(category, symbol))
        return market

    async def instrument(self, category: Category, symbol: str, *, anew: bool) -> Instrument:
        """A symbol's rules, out of the list of all markets, which is read anew if that is wanted.

        Raises
        ------
        MarketUnusable
            If they do not fit what is traded here.
        """
        markets = await self._exchange.load_markets(anew)
        name = self.unified(category, symbol)
        if name not in markets:
            raise MarketUnusable(f"{self._terms.name} has no market {name}")
        return read_instrument(markets[name], category, symbol, self._exchange.precisionMode)

    async def measure_time(self) -> None:
        """Read the venue's clock."""
        sent_ns = self._clock.now_ns()
        server_ms = int(await self._exchange.fetch_time())
        self.time.learn(sent_ns, self._clock.now_ns(), server_ms)

    async def book(self, category: Category, symbol: str) -> tuple[Row, int]:
        """Read a book, and its time by the venue's clock, milliseconds.

        Raises
        ------
        RemoteProtocolError
            If it is crossed, one-sided, or old.
        """
        book = await self._exchange.fetch_order_book(self.unified(category, symbol), _BOOK_LEVELS)
        now_ms = self._clock.now_ns() // NS_PER_MS + self.time.offset_ms
        told = book.get("timestamp")
        ts_ms = int(told) if told else now_ms
        if now_ms - ts_ms > _BOOK_AGE_MS_MAX:
            raise RemoteProtocolError(f"a book of {(now_ms - ts_ms) // 1_000} s ago")
        read_touch(book)
        return book, ts_ms

    async def tape(self, category: Category, symbol: str, tape: Tape) -> None:
        """Count the public trades that are new."""
        tape.take(await self._exchange.fetch_trades(self.unified(category, symbol), None, _TRADES))

    async def order(
        self, category: Category, symbol: str, name: str
    ) -> tuple[list[OrderFilled], list[OrderUpdated]]:
        """Everything of one order: its executions and its state."""
        asked_ns = self._clock.now_ns()
        written = self._dialect.written(name)
        found = await self._dialect.find(self._exchange, self.unified(category, symbol), written)
        venue = self._terms.name
        strange = [row for row in found.orders if self._dialect.order_name(row) != written]
        if strange:
            raise RemoteProtocolError(f"asked for {name}, and shown {self._dialect.order_name(strange[0])}")
        orders = [read_order(row, category, symbol, name, venue, asked_ns) for row in found.orders]
        return [self._fill(row, category, symbol, name) for row in found.trades], orders

    async def open_orders(self, category: Category, symbol: str) -> tuple[list[OrderUpdated], int]:
        """Our open orders in a market, and how many of others there are."""
        asked_ns = self._clock.now_ns()
        rows = await self._dialect.open_orders(self._exchange, self.unified(category, symbol))
        ours = [(row, self._name(row)) for row in rows]
        orders = [
            read_order(row, category, symbol, name, self._terms.name, asked_ns) for row, name in ours if name
        ]
        return orders, len(rows) - len(orders)

    async def fills(self, category: Category, symbol: str, since_ms: int) -> list[OrderFilled]:
        """All executions in a market since an instant of our clock, milliseconds."""
        if not self.time.is_measured:
            await self.measure_time()
        offset_ms = self.time.offset_ms
        rows = await self._dialect.trades_since(
            self._exchange, self.unified(category, symbol), since_ms + offset_ms, self.time.now_ms()
        )
        return [self._fill(row, category, symbol, self._dialect.order_name(row)) for row in rows]

    async def positions(self, symbols: Sequence[str]) -> tuple[PositionReport, ...]:
        """Positions of linear contracts, empty ones too."""
        names = {self.unified(Category.LINEAR, symbol): symbol for symbol in symbols}
        return read_positions(await self._exchange.fetch_positions(list(names)), names)

    async def balances(self, symbols: Sequence[str]) -> tuple[CoinBalance, ...]:
        """Balances of the coins of spot markets, each named with its venue: for people."""
        told: Mapping[str, Any] = await self._exchange.fetch_balance({"type": "spot"})
        coins = dict.fromkeys(
            coin
            for symbol in symbols
            for coin in (
                self.market(Category.SPOT, symbol)["base"],
                self.market(Category.SPOT, symbol)["quote"],
            )
        )
        return tuple(
            CoinBalance(
                coin=at_venue(coin, self._terms.name),
                wallet_qty=_amount(told[coin], "total"),
                locked_qty=_amount(told[coin], "used"),
            )
            for coin in coins
            if isinstance(told.get(coin), Mapping)
        )

    def _name(self, row: Row) -> str:
        """Our id of an order of ours; empty for those of others."""
        name = self._dialect.read(self._dialect.order_name(row))
        return name if name.startswith(self._prefix) else ""

    def _fill(self, row: Row, category: Category, symbol: str, written: str) -> OrderFilled:
        name = self._dialect.read(self._dialect.order_name(row) or written)
        return read_fill(row, category, symbol, name, self._terms.name)


def failures() -> tuple[type[BaseException], ...]:
    """Everything that a venue's answer, or ccxt's reading of it, may raise; ccxt must have been imported."""
    from ccxt.base.errors import BaseError  # noqa: PLC0415 - slow to import, and only ever in a room's thread

    from executor.venues.bybit.answers import NotSent  # noqa: PLC0415
    from executor.venues.through_ccxt.walled import Incomplete  # noqa: PLC0415

    return (
        BaseError,
        Incomplete,
        NotSent,
        RemoteProtocolError,
        TransportError,
        OSError,
        TimeoutError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
    )


def told(error: BaseException) -> str:
    """An error in one short line."""
    text = f"{type(error).__name__}: {error}"[:200]
    return text.encode(errors="backslashreplace").decode()


def _amount(row: Mapping[str, Any], key: str) -> Decimal:
    return number_of("a balance", row.get(key) or "0")
