"""What the engine asks Bybit: instruments, single orders, and everything of a category. Complete, or not at all.

Times of the engine are ours, times of the venue's records are the venue's: what is asked for by time is moved into the
venue's clock here, at the edge.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from pybit.unified_trading import HTTP

from executor.domain.commands import QueryOrder, Reconcile
from executor.domain.errors import RemoteProtocolError, TransportError
from executor.domain.events import (
    Event,
    ExecutionUnexplained,
    OrderAbsent,
    OrderFilled,
    OrderQueryFailed,
    PositionReport,
    Reconciled,
    ReconcileFailed,
    WalletUpdated,
)
from executor.domain.instrument import Instrument
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_MS
from executor.engine.state import MarketState
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.account_rows import decode_balances
from executor.venues.bybit.ask import Asker, Manners, QueryRefused
from executor.venues.bybit.codec import (
    as_row,
    decode_execution,
    decode_instrument,
    decode_order,
    decode_position,
    decode_rows,
)
from executor.venues.bybit.codec_fields import Row, text
from executor.venues.bybit.market_look import CANDLES, market_seen
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer

WINDOW_MS: Final = 7 * 86_400_000 - 1_000
"""Longest span of one question about the past; the venue's limit is seven days."""
_AHEAD_MS = 1_000
_AROUND_MS = 3_600_000
_PARAMETER_ERROR = 10_001
_DETAIL_LEN_MAX = 200
_NS_DIGITS_MAX = 19


class Queries:
    """Reads the account for the engine. Every method ends with an answer or an event that says it could not.

    Parameters
    ----------
    prefix
        How the names of our orders begin.
    manners
        What is done around every request.
    """

    def __init__(
        self,
        access: Access,
        signer: Signer,
        clock: Clock,
        time: ServerTime,
        prefix: str,
        manners: Manners | None = None,
    ) -> None:
        manners = manners or Manners()
        self._market = Asker(access, signer, time, manners, signed=False)
        self._orders = Asker(access, signer, time, manners)
        self._account = Asker(access, signer, time, manners)
        self._clock = clock
        self._time = time
        self._prefix = prefix
        self._coins: dict[tuple[Category, str], tuple[str, str]] = {}
        self._turn = asyncio.Lock()
        self._in_line: set[str] = set()
        self._reads: dict[Category, asyncio.Task[list[Event]]] = {}

    def close(self) -> None:
        """Give all connections back."""
        for asker in (self._market, self._orders, self._account):
            asker.close()

    async def instrument(self, category: Category, symbol: str) -> Instrument | None:
        """Read the trading rules of one symbol; None if the venue answers that it has no such symbol.

        Raises
        ------
        TransportError, RemoteProtocolError
            If they could not be read.
        """
        try:
            rows = await self._market.rows(HTTP.get_instruments_info, category=category.value, symbol=symbol)
        except QueryRefused as error:
            if error.code == _PARAMETER_ERROR and "symbol" in error.text.lower():
                return None
            raise
        if not rows:
            return None
        if len(rows) != 1 or not isinstance(rows[0], dict):
            raise RemoteProtocolError(f"{len(rows)} instruments are called {symbol}")
        rules = decode_instrument(rows[0], category)
        self._coins[category, symbol] = (rules.base_coin, rules.quote_coin)
        return rules

    async def nearest_symbols(self, category: Category, symbol: str) -> list[str]:
        """Up to three existing symbols that read like a mistyped one.

        Raises
        ------
        TransportError
            If the list could not be read.
        """
        rows = await self._market.rows(HTTP.get_instruments_info, category=category.value, limit=1_000)
        names = [str(row.get("symbol")) for row in rows if isinstance(row, dict)]
        return get_close_matches(symbol, names, n=3)

    async def market(self, category: Category, symbol: str) -> MarketState | None:
        """Look at a market once: its rules, its touch and its last hour; None if the venue has no such symbol.

        Raises
        ------
        TransportError, RemoteProtocolError
            If it could not be read.
        """
        rules = await self.instrument(category, symbol)
        if rules is None:
            return None
        named = {"category": category.value, "symbol": symbol}
        tickers = await self._market.rows(HTTP.get_tickers, **named)
        candles = await self._market.rows(HTTP.get_kline, **named, interval="1", limit=CANDLES)
        return market_seen(rules, tickers, candles, self._time.now_ms() * NS_PER_MS)

    async def order(self, command: QueryOrder) -> list[Event]:
        """Look for one order everywhere: open, recently closed, history, executions.

        Orders are looked for one after the other. A question about one that waits for its turn already is answered
        together with that one, so that a slow venue does not make the line grow; it gives no events of its own.

        The last event is the answer: the order, its absence, or that neither could be read.
        """
        name = command.client_order_id
        if name in self._in_line:
            return []
        self._in_line.add(name)
        try:
            await self._turn.acquire()
        finally:
            self._in_line.discard(name)
        try:
            return await self._look_for(command)
        finally:
            self._turn.release()

    async def _look_for(self, command: QueryOrder) -> list[Event]:
        asked_ns = self._clock.now_ns()
        name, category = command.client_order_id, command.category
        scope = {"category": category.value, "symbol": command.symbol}
        find = {**scope, "orderLinkId": name}
        try:
            fills = _strict(
                await self._orders.rows(HTTP.get_executions, limit=100, **find),
                lambda row: decode_execution(row, category),
            )
            rows = await self._orders.rows(HTTP.get_open_orders, **find)
            if not rows:
                rows = await self._orders.rows(HTTP.get_open_orders, openOnly=1, **find)
            if not rows:
                rows = await self._orders.rows(HTTP.get_order_history, **find)
            traded_ms = [f.fill.ts_exchange_ns // NS_PER_MS for f in fills if isinstance(f, OrderFilled)]
            if not rows and traded_ms:
                # The history shows the last seven days unless told; an order that filled is kept for two years.
                end_ms = min(traded_ms) + _AROUND_MS
                days = {"startTime": end_ms - WINDOW_MS, "endTime": end_ms}
                rows = await self._orders.rows(HTTP.get_order_history, **find, **days)
            orders = _strict(rows, lambda row: decode_order(row, category, asked_ns))
        except (TransportError, RemoteProtocolError) as error:
            return [OrderQueryFailed(at_ns=0, client_order_id=name, detail=str(error)[:_DETAIL_LEN_MAX])]
        events: list[Event] = [*fills, *orders]
        if not events:
            return [OrderAbsent(at_ns=0, client_order_id=name, asked_ns=asked_ns)]
        if not orders:
            detail = "executions are shown, and no order that they are of"
            events.append(OrderQueryFailed(at_ns=0, client_order_id=name, detail=detail))
        return events

    async def everything(self, command: Reconcile) -> list[Event]:
        """Read every open order, the executions since the cursor, and the positions (spot: balances) of a category.

        Who asks again while a read of the same category is under way has no use for that one any more, because the
        stream was lost meanwhile. It is given up and has failed, and the new one does not wait behind it.
        """
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
            return [
                ReconcileFailed(
                    at_ns=0, category=command.category, asked_ns=asked_ns, detail="a newer read was begun"
                )
            ]
        return read.result()

    async def _read_all(self, command: Reconcile, asked_ns: int) -> list[Event]:
        category = command.category
        events: list[Event] = []
        shown: list[str] = []
        foreign = 0
        positions: list[PositionReport] = []
        try:
            if not self._time.is_measured:
                # Without the venue's clock a cursor could lie beyond what is looked for.
                await self.measure_time()
            windows = list(windows_of(command.since_ms + self._time.offset_ms, self._time.now_ms()))
            for symbol in command.symbols:
                scope = {"category": category.value, "symbol": symbol}
                rows = await self._account.rows(HTTP.get_open_orders, limit=50, **scope)
                ours = [row for row in rows if self._is_ours(row)]
                foreign += len(rows) - len(ours)
                orders = _strict(ours, lambda row: decode_order(row, category, asked_ns))
                events += orders
                shown += [order.client_order_id for order in orders]
                for start_ms, end_ms in windows:
                    rows = await self._account.rows(
                        HTTP.get_executions, limit=100, startTime=start_ms, endTime=end_ms, **scope
                    )
                    events += _executions(rows, category)
                if category is not Category.SPOT:
                    positions += _strict(
                        await self._account.rows(HTTP.get_positions, limit=200, **scope),
                        lambda row: decode_position(row, category),
                    )
            if category is Category.SPOT:
                events.append(await self._wallet(command.symbols))
        except (TransportError, RemoteProtocolError) as error:
            return [
                ReconcileFailed(
                    at_ns=0, category=category, asked_ns=asked_ns, detail=str(error)[:_DETAIL_LEN_MAX]
                )
            ]
        done = Reconciled(
            at_ns=0,
            category=category,
            asked_ns=asked_ns,
            open_client_order_ids=tuple(shown),
            foreign_open_orders=foreign,
            positions=tuple(positions),
        )
        return [*events, done]

    async def _wallet(self, symbols: Sequence[str]) -> WalletUpdated:
        """The balances of the coins that spot symbols are made of; a coin the venue does not list is not there."""
        wanted: set[str] = set()
        for symbol in symbols:
            if (Category.SPOT, symbol) not in self._coins:
                await self.instrument(Category.SPOT, symbol)
            wanted.update(self._coins.get((Category.SPOT, symbol), ()))
        rows = await self._account.rows(HTTP.get_wallet_balance, accountType="UNIFIED")
        return WalletUpdated(at_ns=0, balances=decode_balances(rows, wanted))

    async def measure_time(self) -> None:
        """Read the venue's clock.

        Raises
        ------
        TransportError, RemoteProtocolError
            If it could not be read.
        """
        sent_ns = self._clock.now_ns()
        answer = await self._market.result(HTTP.get_server_time)
        received_ns = self._clock.now_ns()
        nanoseconds = str(answer.get("timeNano"))
        if not (nanoseconds.isascii() and nanoseconds.isdigit() and len(nanoseconds) <= _NS_DIGITS_MAX):
            raise RemoteProtocolError(f"timeNano is {nanoseconds[:40]!r}")
        self._time.learn(sent_ns, received_ns, int(nanoseconds) // NS_PER_MS)

    def _is_ours(self, row: object) -> bool:
        """Whether a row is, or for all that can be read of it may be, an order of ours."""
        name = row.get("orderLinkId") if isinstance(row, dict) else None
        return not isinstance(name, str) or name.startswith(self._prefix)


def windows_of(since_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
    """Cut a span into windows no longer than the venue answers; neighbours share their border."""
    since_ms = min(since_ms, until_ms)
    for start_ms in range(since_ms, max(until_ms, since_ms + 1), WINDOW_MS):
        yield start_ms, min(start_ms + WINDOW_MS, until_ms + _AHEAD_MS)


def _executions(rows: Sequence[object], category: Category) -> list[Event]:
    """Decode executions; one that cannot be read concerns its symbol, and does not end the reading of all others.

    Raises
    ------
    RemoteProtocolError
        If a row does not even say which execution of which symbol it is.
    """
    events: list[Event] = []
    for row in map(as_row, rows):
        event: Event | None
        try:
            event = decode_execution(row, category)
        except RemoteProtocolError as error:
            event = ExecutionUnexplained(
                at_ns=0,
                category=category,
                symbol=text(row, "symbol"),
                exec_id=text(row, "execId"),
                kind=f"unreadable, {error}"[:_DETAIL_LEN_MAX],
            )
        if event is not None:
            events.append(event)
    return events


def _strict(rows: Sequence[object], decode: Callable[[Row], object]) -> list:  # type: ignore[type-arg]
    """Decode all rows, or fail: a list with one unreadable row is incomplete."""
    good, bad = decode_rows(rows, decode)
    if bad:
        raise bad[0]
    return good
