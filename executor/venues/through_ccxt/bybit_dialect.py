"""Bybit by way of ccxt: another account, or the sandbox as another venue; its answers are those our gateway knows."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder
from executor.domain.errors import RemoteProtocolError
from executor.domain.events import Event
from executor.domain.orders import CLIENT_ORDER_ID_LEN_MAX, Category, NewOrder, TimeInForce
from executor.venues.bybit.answers import cancelled, created, read_answer
from executor.venues.bybit.queries import windows_of
from executor.venues.through_ccxt.dialect import Exchange, Found, RawAnswer, Request, Row, unexpected
from executor.venues.through_ccxt.walled import LAST_ANSWER
from risk.wire import check_create_bytes, strict_object

_CREATE: Final = "/v5/order/create"
_CANCEL: Final = "/v5/order/cancel"
_LISTS: Final = (
    "/v5/order/realtime",
    "/v5/order/history",
    "/v5/execution/list",
    "/v5/position/list",
    "/v5/account/wallet-balance",
    "/v5/market/instruments-info",
    "/v5/market/recent-trade",
)
_PAGE: Final = 50
_TRADES_PAGE: Final = 100
_PAGES_MAX: Final = 200
_AROUND_MS: Final = 3_600_000
_WEEK_MS: Final = 7 * 86_400_000 - 1_000
_TIME_IN_FORCE: Final = {TimeInForce.POST_ONLY: "PO", TimeInForce.IOC: "IOC"}
_CATEGORIES: Final = {True: "spot", False: "linear"}


class BybitDialect:
    """Bybit v5, unified account, one-way positions."""

    exchange = "bybit"
    hosts = frozenset({"api.bybit.com"})
    test_hosts = frozenset({"api-testnet.bybit.com"})
    categories = frozenset({Category.SPOT, Category.LINEAR})

    def options(self, recv_window_ms: int) -> Mapping[str, object]:
        """Spot and linear markets only; a unified account, which is not asked for before every order."""
        return {
            "fetchMarkets": {"types": ["spot", "linear"]},
            "enableUnifiedMargin": False,
            "enableUnifiedAccount": True,
            "unifiedMarginStatus": 5,
            "recvWindow": recv_window_ms,
        }

    def urls(self, rest_url: str) -> Mapping[str, object]:
        """Every kind of request at one address."""
        return {"api": dict.fromkeys(("spot", "futures", "v2", "public", "private"), rest_url)}

    def written(self, name: str) -> str:
        """Our ids have Bybit's form."""
        if not 0 < len(name) <= CLIENT_ORDER_ID_LEN_MAX:
            raise ValueError(f"{name} has more than {CLIENT_ORDER_ID_LEN_MAX} characters")
        return name

    def read(self, text: str) -> str:
        """Our ids stand there as they are."""
        return text

    def create_params(self, order: NewOrder) -> Mapping[str, object]:
        """The position is named for contracts, as it is in our own gateway."""
        params: dict[str, object] = {
            "clientOrderId": order.client_order_id,
            "timeInForce": _TIME_IN_FORCE[order.time_in_force],
        }
        if order.category is not Category.SPOT:
            params |= {"reduceOnly": order.reduce_only, "positionIdx": order.position_idx}
        return params

    def cancel_params(self, name: str) -> Mapping[str, object]:
        """By our id."""
        return {"orderLinkId": name}

    def check_create(self, request: Request, approved: Approved[NewOrder], market: Row) -> None:
        """The body is the one that our own gateway sends, but for the order of its keys."""
        _check_path(request, _CREATE)
        check_create_bytes(request.body.encode(), approved, str(market["id"]))

    def check_cancel(self, request: Request, name: str, market: Row) -> None:
        """One order of one market, by our id."""
        _check_path(request, _CANCEL)
        wanted = {
            "category": _CATEGORIES[market.get("spot") is True],
            "symbol": market["id"],
            "orderLinkId": name,
        }
        sent = strict_object(request.body.encode())
        if sent != wanted:
            raise unexpected("cancel", sent, wanted)

    def created(self, order: NewOrder, answer: RawAnswer, sent_sha256: str) -> Event:
        """As in our own gateway."""
        return created(order, read_answer(_envelope(answer), "result", {}), sent_sha256)

    def cancelled(self, command: CancelOrder, answer: RawAnswer, asked_ns: int) -> Event:
        """As in our own gateway."""
        return cancelled(command, read_answer(_envelope(answer), "result", {}), asked_ns)

    def why_not_whole(self, url: str, answer: RawAnswer) -> str:
        """Return code 0, and a list where one was asked for: ccxt takes a missing list for an empty one."""
        try:
            message = _envelope(answer)
        except RemoteProtocolError as error:
            return str(error)
        if type(message.get("retCode")) is not int or message["retCode"]:
            return f"return code {str(message.get('retCode'))[:20]}"
        result = message.get("result")
        if not isinstance(result, dict):
            return "an answer without a result"
        path = urlsplit(url).path
        return (
            "an answer without a list" if path in _LISTS and not isinstance(result.get("list"), list) else ""
        )

    async def find(self, exchange: Exchange, symbol: str, name: str) -> Found:
        """Executions, open and recently closed orders, history: as our own gateway looks."""
        by_name: dict[str, Any] = {"orderLinkId": name}
        trades = await _pages(partial(_trades, exchange, symbol, by_name))
        rows = await _pages(lambda more: exchange.fetch_open_orders(symbol, None, None, by_name | more))
        if not rows:
            closed = by_name | {"openOnly": 1}
            rows = await _pages(lambda more: exchange.fetch_open_orders(symbol, None, None, closed | more))
        if not rows:
            rows = await _pages(
                lambda more: exchange.fetch_canceled_and_closed_orders(symbol, None, None, by_name | more)
            )
        if not rows and trades:
            end_ms = min(int(row["timestamp"]) for row in trades) + _AROUND_MS
            days = by_name | {"startTime": end_ms - _WEEK_MS, "endTime": end_ms}
            rows = await _pages(
                lambda more: exchange.fetch_canceled_and_closed_orders(symbol, None, None, days | more)
            )
        return Found(orders=rows, trades=trades)

    async def open_orders(self, exchange: Exchange, symbol: str) -> Sequence[Row]:
        """All pages."""
        return await _pages(lambda more: exchange.fetch_open_orders(symbol, None, _PAGE, more))

    async def trades_since(
        self, exchange: Exchange, symbol: str, since_ms: int, now_ms: int
    ) -> Sequence[Row]:
        """All pages of all weeks."""
        rows: list[Row] = []
        for start_ms, end_ms in windows_of(since_ms, now_ms):
            days = {"startTime": start_ms, "endTime": end_ms}
            rows += await _pages(partial(_trades, exchange, symbol, days))
        return rows

    def order_name(self, row: Row) -> str:
        """The id stands in the row as Bybit wrote it."""
        told = row.get("info")
        name = told.get("orderLinkId") if isinstance(told, Mapping) else None
        return name if isinstance(name, str) else ""


def _envelope(answer: RawAnswer) -> Mapping[str, object]:
    message = answer.parsed()
    if not isinstance(message, dict):
        raise RemoteProtocolError("an answer that is no object")
    return message


def _check_path(request: Request, path: str) -> None:
    parts = urlsplit(request.url)
    if request.method != "POST" or parts.path != path or parts.query:
        raise unexpected("address", f"{request.method} {parts.path}?{parse_qs(parts.query)}", f"POST {path}")


def _trades(
    exchange: Exchange, symbol: str, what: dict[str, Any], more: dict[str, Any]
) -> Awaitable[list[Row]]:
    asked: Awaitable[list[Row]] = exchange.fetch_my_trades(symbol, None, _TRADES_PAGE, what | more)
    return asked


async def _pages(ask: Callable[[dict[str, Any]], Awaitable[list[Row]]]) -> list[Row]:
    """All pages of one list.

    Raises
    ------
    RemoteProtocolError
        If they do not end.
    """
    rows: list[Row] = []
    cursors: set[str] = set()
    more: dict[str, Any] = {}
    for _ in range(_PAGES_MAX):
        rows += await ask(more)
        cursor = _cursor()
        if not cursor:
            return rows
        if cursor in cursors:
            raise RemoteProtocolError("the pages go in a circle")
        cursors.add(cursor)
        more = {"cursor": cursor}
    raise RemoteProtocolError(f"more than {_PAGES_MAX} pages")


def _cursor() -> str:
    answer = LAST_ANSWER.get()
    result = None if answer is None else _envelope(answer).get("result")
    cursor = result.get("nextPageCursor") if isinstance(result, dict) else None
    return cursor if isinstance(cursor, str) else ""
