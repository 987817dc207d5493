"""Asking Bybit, through pybit: instruments, orders, executions, positions. Complete, or not at all.

pybit's own retries and request logging are off, redirects and the environment's proxies too. It blocks, so
each call runs in a worker thread; one client serves one call at a time.
"""

import asyncio
from collections.abc import Callable, Sequence
from difflib import get_close_matches

import requests
from pybit.exceptions import FailedRequestError, InvalidRequestError
from pybit.unified_trading import HTTP

from executor.domain.commands import QueryOrder, Reconcile
from executor.domain.errors import RemoteProtocolError, TransportError
from executor.domain.events import Event, OrderAbsent, OrderQueryFailed, Reconciled, ReconcileFailed
from executor.domain.instrument import Instrument
from executor.domain.orders import Category
from executor.runtime.clock import Clock
from executor.venues.bybit.access import Access
from executor.venues.bybit.codec import (
    Row,
    decode_execution,
    decode_instrument,
    decode_order,
    decode_position,
    decode_rows,
)
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer

_PAGES_MAX = 1_000
_WINDOW_MS = 7 * 86_400_000 - 1_000
_AHEAD_MS = 1_000
_NO_RETRY = {-999}
_PARAMETER_ERROR = 10_001


class _Client(HTTP):  # type: ignore[misc]
    """pybit, signing with our signer and the venue's time instead of the wall clock."""

    def sign_with(self, signer: Signer, time: ServerTime) -> None:
        """Take the signer and the clock to use."""
        self._signer, self._server_time = signer, time

    def _prepare_headers(self, payload: str, recv_window: int, content_type: str = "") -> dict[str, str]:
        return self._signer.headers(self._server_time.now_ms(), payload.encode())


class QueryRefused(TransportError):  # noqa: N818 - reads as what happened
    """The venue answered with an error code instead of what was asked."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Queries:
    """Reads the account. Every method ends with an answer or an event that says it could not."""

    def __init__(self, access: Access, signer: Signer, clock: Clock, time: ServerTime, prefix: str) -> None:
        self._http = _Client(
            api_key=signer.api_key,
            api_secret=access.api_secret,
            recv_window=signer.recv_window_ms,
            timeout=access.request_timeout_s,
            retry_codes=_NO_RETRY,
            max_retries=1,
            force_retry=False,
            log_requests=False,
        )
        self._http.sign_with(signer, time)
        self._http.endpoint = access.rest_url
        self._http.client.trust_env = False
        self._http.client.max_redirects = 0
        self._clock = clock
        self._time = time
        self._prefix = prefix
        self._one = asyncio.Lock()

    async def instrument(self, category: Category, symbol: str) -> Instrument | None:
        """Read the trading rules of one symbol; None if the venue answers that it has no such symbol.

        Raises
        ------
        TransportError, RemoteProtocolError
            If they could not be read.
        """
        try:
            rows = await self._rows(self._http.get_instruments_info, category=category.value, symbol=symbol)
        except QueryRefused as error:
            if error.code == _PARAMETER_ERROR and "symbol" in error.text.lower():
                return None
            raise
        if not rows:
            return None
        if len(rows) != 1 or not isinstance(rows[0], dict):
            raise RemoteProtocolError(f"{len(rows)} instruments are called {symbol}")
        return decode_instrument(rows[0], category)

    async def nearest_symbols(self, category: Category, symbol: str) -> list[str]:
        """Up to three existing symbols that read like a mistyped one.

        Raises
        ------
        TransportError
            If the list could not be read.
        """
        rows = await self._rows(self._http.get_instruments_info, category=category.value, limit=1_000)
        names = [str(row.get("symbol")) for row in rows if isinstance(row, dict)]
        return get_close_matches(symbol, names, n=3)

    async def order(self, command: QueryOrder) -> list[Event]:
        """Look for one order everywhere: open, recently closed, history, executions."""
        asked_ns = self._clock.now_ns()
        name, category = command.client_order_id, command.category
        find = {"category": category.value, "symbol": command.symbol, "orderLinkId": name}
        try:
            fills = await self._rows(self._http.get_executions, **find)
            orders = await self._rows(self._http.get_open_orders, **find)
            if not orders:
                orders = await self._rows(self._http.get_open_orders, openOnly=1, **find)
            if not orders:
                orders = await self._rows(self._http.get_order_history, **find)
            events: list[Event] = [*_strict(fills, lambda row: decode_execution(row, category))]
            events += _strict(orders, lambda row: decode_order(row, category))
        except (TransportError, RemoteProtocolError) as error:
            return [OrderQueryFailed(at_ns=0, client_order_id=name, detail=str(error)[:200])]
        return events or [OrderAbsent(at_ns=0, client_order_id=name, asked_ns=asked_ns)]

    async def everything(self, command: Reconcile) -> list[Event]:
        """Read every open order, the executions since the cursor, and the positions of a category."""
        asked_ns = self._clock.now_ns()
        category = command.category
        events: list[Event] = []
        shown: list[str] = []
        foreign = 0
        positions = []
        try:
            for symbol in command.symbols:
                scope = {"category": category.value, "symbol": symbol}
                rows = await self._rows(self._http.get_open_orders, limit=50, **scope)
                ours = [row for row in rows if self._is_ours(row)]
                foreign += len(rows) - len(ours)
                orders = _strict(ours, lambda row: decode_order(row, category))
                events += orders
                shown += [order.client_order_id for order in orders]
                for start_ms, end_ms in _windows(command.since_ms, self._time.now_ms()):
                    events += _strict(
                        await self._rows(
                            self._http.get_executions, limit=100, startTime=start_ms, endTime=end_ms, **scope
                        ),
                        lambda row: decode_execution(row, category),
                    )
                if category is not Category.SPOT:
                    positions += _strict(
                        await self._rows(self._http.get_positions, **scope),
                        lambda row: decode_position(row, category),
                    )
        except (TransportError, RemoteProtocolError) as error:
            return [ReconcileFailed(at_ns=0, category=category, asked_ns=asked_ns, detail=str(error)[:200])]
        done = Reconciled(
            at_ns=0,
            category=category,
            asked_ns=asked_ns,
            open_client_order_ids=tuple(shown),
            foreign_open_orders=foreign,
            positions=tuple(positions),
        )
        return [*events, done]

    def _is_ours(self, row: object) -> bool:
        """Whether a row is, or for all that can be read of it may be, an order of ours."""
        name = row.get("orderLinkId") if isinstance(row, dict) else None
        return not isinstance(name, str) or name.startswith(self._prefix)

    async def _rows(self, ask: Callable[..., object], **parameters: str | int) -> list[object]:
        """All pages of one list.

        Raises
        ------
        TransportError
            If any page failed, or the pages do not end.
        """
        rows: list[object] = []
        cursors: set[str] = set()
        for _ in range(_PAGES_MAX):
            page = await self._call(ask, **parameters)
            listed = page.get("list")
            if not isinstance(listed, list):
                raise TransportError("an answer without a list")
            rows += listed
            cursor = page.get("nextPageCursor")
            if not isinstance(cursor, str) or not cursor:
                return rows
            if cursor in cursors:
                raise TransportError("the pages go in a circle")
            cursors.add(cursor)
            parameters["cursor"] = cursor
        raise TransportError(f"more than {_PAGES_MAX} pages")

    async def _call(self, ask: Callable[..., object], **parameters: str | int) -> Row:
        async with self._one:
            try:
                answer = await asyncio.to_thread(ask, **parameters)
            except (InvalidRequestError, FailedRequestError) as error:
                text = str(error.message).encode(errors="backslashreplace").decode()
                raise QueryRefused(int(error.status_code), text) from error
            except (
                requests.RequestException,
                # pybit trusts the form of an answer and fails over one that has another
                ValueError,
                KeyError,
                TypeError,
                AttributeError,
                RecursionError,
            ) as error:
                raise TransportError(f"{type(error).__name__}: {error}") from error
        # pybit takes an answer without a return code for a success; here it proves nothing.
        if not isinstance(answer, dict) or type(answer.get("retCode")) is not int or answer["retCode"]:
            raise TransportError("an answer without a return code")
        result = answer.get("result")
        if not isinstance(result, dict):
            raise TransportError("an answer without a result")
        return result


def _strict(rows: Sequence[object], decode: Callable[[Row], object]) -> list:  # type: ignore[type-arg]
    """Decode all rows, or fail: a list with one unreadable row is incomplete."""
    good, bad = decode_rows(rows, decode)
    if bad:
        raise bad[0]
    return good


def _windows(since_ms: int, until_ms: int) -> list[tuple[int, int]]:
    """Cut a span into windows no longer than the venue answers."""
    starts = range(since_ms, max(until_ms, since_ms + 1), _WINDOW_MS)
    return [(start, min(start + _WINDOW_MS, until_ms + _AHEAD_MS)) for start in starts]
