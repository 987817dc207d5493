"""Binance by way of ccxt: spot (`binance`) and USD-M contracts (`binanceusdm`), by its documentation, never yet tried.

An id of ours is unique at Binance among open orders alone, so nothing may ever be sent twice, and absence is proved by
four looks: the order by our id, all open ones, the latest thousand, and the executions of the last hours. Executions
name the order by Binance's id only; ours is looked up. An order is believed only when its executions add up to it.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from executor.domain.approval import Approved
from executor.domain.commands import CancelOrder
from executor.domain.errors import LocalProtocolError, RemoteProtocolError
from executor.domain.events import (
    CancelAcked,
    CancelFoundNothing,
    CancelOutcomeUnknown,
    Event,
    OrderAcked,
    OrderOutcomeUnknown,
    OrderRejected,
)
from executor.domain.orders import Category, NewOrder, Side, TimeInForce
from executor.venues.through_ccxt import binance_words as words
from executor.venues.through_ccxt.dialect import Exchange, Found, RawAnswer, Request, Row, unexpected
from executor.venues.through_ccxt.rows import number_of
from executor.venues.through_ccxt.walled import LAST_ANSWER
from risk.wire import number_of as number_sent

_ID_FORM: Final = re.compile(r"\A[a-zA-Z0-9_-]{1,36}\Z", re.ASCII)
"""What both families take: the documentation of contracts allows `.`, `:` and `/` too, that of spot does not."""
_ID_TAKEN: Final = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
"""How the ids of Binance's own orders begin: liquidations, deleveraging, settlement."""
_PAGE: Final = 1_000
_PAGES_MAX: Final = 200
_LOOKS_MAX: Final = 3
_AHEAD_MS: Final = 60_000
_RECENT_MS: Final = 12 * 3_600_000
_DAY_MS: Final = 86_400_000
_NAMES_MAX: Final = 20_000
_NAMES: Final = "names of orders"
_SIDES: Final = {Side.BUY: "BUY", Side.SELL: "SELL"}
_STAMPED: Final = frozenset({"timestamp", "recvWindow", "signature"})
_LISTS: Final = {
    "openOrders": ("orderId", "clientOrderId", "status"),
    "allOrders": ("orderId", "clientOrderId", "status"),
    "myTrades": ("id", "orderId", "qty"),
    "userTrades": ("id", "orderId", "qty"),
    "positionRisk": ("symbol", "positionSide", "positionAmt"),
    "aggTrades": ("a", "q"),
}
"""What every row of a list must say: ccxt takes a row without it for one that says nothing."""
_LISTS_IN: Final = {"exchangeInfo": ("symbols",), "depth": ("bids", "asks"), "account": ("balances",)}
Pages = Callable[[dict[str, Any]], Awaitable[list[Row]]]


class _Binance:
    """What both families have in common."""

    exchange: str
    hosts: frozenset[str]
    test_hosts: frozenset[str]
    categories: frozenset[Category]
    _path: str
    _refused: frozenset[int]
    _fatal: frozenset[int]
    _window_ms: int
    _cancelled_name: str

    def written(self, name: str) -> str:
        """Our ids have Binance's form, as long as none begins as those of its own orders do."""
        if not _ID_FORM.match(name) or name.startswith(_ID_TAKEN):
            raise ValueError(f"{name[:60]!r} is no id for an order at Binance")
        return name

    def read(self, text: str) -> str:
        """Our ids stand there as they are."""
        return text

    def cancel_params(self, name: str) -> Mapping[str, object]:
        """By our id."""
        return {"origClientOrderId": name}

    def check_cancel(self, request: Request, name: str, market: Row) -> None:
        """One order of one market, by our id; everything stands in the address."""
        self._check_address(request, "DELETE")
        if request.body:
            raise unexpected("body", request.body, "")
        sent = _signed(urlsplit(request.url).query)
        wanted = {"symbol": market["id"], "origClientOrderId": name}
        if sent != wanted:
            raise unexpected("cancel", sent, wanted)

    def check_create(self, request: Request, approved: Approved[NewOrder], market: Row) -> None:
        """The body says what was approved, nothing twice and nothing more; the address says nothing."""
        self._check_address(request, "POST")
        if urlsplit(request.url).query:
            raise unexpected("query", urlsplit(request.url).query, "")
        order = approved.order
        sent = _signed(request.body)
        wanted = self._wanted(order) | {
            "symbol": str(market["id"]),
            "side": _SIDES[order.side],
            "newClientOrderId": order.client_order_id,
            "newOrderRespType": "RESULT",
        }
        told = {key: value for key, value in sent.items() if key not in {"quantity", "price"}}
        if told != wanted:
            raise unexpected("create", told, wanted)
        for key, value in (("quantity", order.qty), ("price", order.px)):
            if number_sent(sent.get(key)) != value or value <= 0:
                raise unexpected(key, sent.get(key), value)

    def _wanted(self, order: NewOrder) -> dict[str, str]:
        raise NotImplementedError

    def _check_address(self, request: Request, method: str) -> None:
        path = urlsplit(request.url).path
        if request.method != method or path != f"{self._path}/order":
            raise unexpected("address", f"{request.method} {path}", f"{method} {self._path}/order")

    def created(self, order: NewOrder, answer: RawAnswer, sent_sha256: str) -> Event:
        """Accepted under our id, refused in words that prove it, or unknown."""
        name = order.client_order_id
        if answer.status in words.REFUSING_STATUS:
            code, text = words.read_refusal(answer)
            return self._refusal(name, code, text)
        told = answer.parsed()
        venue_id = told.get("orderId") if isinstance(told, dict) else None
        if not isinstance(told, dict) or told.get("clientOrderId") != name or not _is_id(venue_id):
            return OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail="accepted, but not under our id")
        return OrderAcked(
            at_ns=0, client_order_id=name, venue_order_id=str(venue_id), sent_sha256=sent_sha256
        )

    def _refusal(self, name: str, code: int, text: str) -> Event:
        because = words.REJECTED_BECAUSE.get(text) if code == words.NEW_ORDER_REJECTED else None
        is_spot_word = because is not None and Category.SPOT in self.categories
        if not is_spot_word and code not in self._refused | self._fatal:
            return OrderOutcomeUnknown(at_ns=0, client_order_id=name, detail=f"{code}: {text}")
        if code in words.POSITION_MODE:
            text = f"the account is in hedge mode, and one-way is needed: {text}"
        return OrderRejected(
            at_ns=0,
            client_order_id=name,
            code=code,
            text=text,
            fatal=code in self._fatal or because is True,
            unfunded=code in words.UNFUNDED or text == words.NO_FUNDS,
        )

    def cancelled(self, command: CancelOrder, answer: RawAnswer, asked_ns: int) -> Event:
        """Cancelled under our id; no such open order; or unknown."""
        name = command.client_order_id
        if answer.status in words.REFUSING_STATUS:
            code, text = words.read_refusal(answer)
            if (code, text) == (words.CANCEL_REJECTED, words.UNKNOWN_ORDER):
                return CancelFoundNothing(at_ns=0, client_order_id=name, asked_ns=asked_ns)
            return CancelOutcomeUnknown(at_ns=0, client_order_id=name, detail=f"{code}: {text}")
        told = answer.parsed()
        if (
            isinstance(told, dict)
            and told.get(self._cancelled_name) == name
            and told.get("status") == "CANCELED"
        ):
            return CancelAcked(at_ns=0, client_order_id=name)
        return CancelOutcomeUnknown(at_ns=0, client_order_id=name, detail="cancelled, but not under our id")

    def why_not_whole(self, url: str, answer: RawAnswer) -> str:
        """Status 200, no code of an error, and a list where one was asked for."""
        try:
            told = answer.parsed()
        except RemoteProtocolError as error:
            return str(error)
        last = urlsplit(url).path.rpartition("/")[2]
        if last in _LISTS:
            return self._why_not_list(last, told)
        if not isinstance(told, dict) or "code" in told:
            return "an answer that is no object, or an error"
        lists = _LISTS_IN.get(last, ())
        return "" if all(isinstance(told.get(key), list) for key in lists) else "an answer without a list"

    def _why_not_list(self, last: str, told: object) -> str:
        if not isinstance(told, list):
            return "an answer without a list"
        if not all(isinstance(row, dict) and all(key in row for key in _LISTS[last]) for row in told):
            return "a list with a row that says less than it must"
        if last == "positionRisk" and any(row["positionSide"] != "BOTH" for row in told):
            return "positions in hedge mode; one-way is needed"
        return ""

    async def find(self, exchange: Exchange, symbol: str, name: str) -> Found:
        """One order and its executions, which must add up to it; or the proof that there is none."""
        row = await _asked_for(exchange, symbol, None, {"origClientOrderId": name})
        if row is None:
            listed = [
                *await self.open_orders(exchange, symbol),
                *await _whole(exchange.fetch_orders(symbol, None, None, {"limit": _PAGE})),
            ]
            _remember(exchange, symbol, listed)
            row = next((each for each in listed if self.order_name(each) == name), None)
        if row is None:
            now_ms = int(exchange.milliseconds())
            trades = await self.trades_since(exchange, symbol, now_ms - _RECENT_MS, now_ms)
            return Found(orders=(), trades=[each for each in trades if self.order_name(each) == name])
        for _ in range(_LOOKS_MAX):
            trades = await self._executions(exchange, symbol, row)
            if _sum(trades) == number_of("filled", row.get("filled")):
                return Found(orders=[row], trades=trades)
            again = await _asked_for(exchange, symbol, None, {"origClientOrderId": name})
            if again is None:
                break
            row = again
        raise RemoteProtocolError("its executions do not add up to what it says is filled")

    async def _executions(self, exchange: Exchange, symbol: str, order: Row) -> list[Row]:
        by_order: dict[str, Any] = {"orderId": order["id"]}
        rows = await self._pages(exchange, symbol, by_order | self._since(order), by_order, None)
        named = [dict(each) | {"clientOrderId": self.order_name(order)} for each in rows]
        return [self._unlike_others(each) for each in named]

    def _since(self, order: Row) -> dict[str, Any]:
        raise NotImplementedError

    async def open_orders(self, exchange: Exchange, symbol: str) -> Sequence[Row]:
        """All at once: the list has no pages."""
        return await _whole(exchange.fetch_open_orders(symbol))

    async def trades_since(
        self, exchange: Exchange, symbol: str, since_ms: int, now_ms: int
    ) -> Sequence[Row]:
        """All pages of all windows, each execution with our id of its order."""
        rows: list[Row] = []
        for start_ms, end_ms in self._windows(since_ms, now_ms + _AHEAD_MS):
            span = {"startTime": start_ms, "endTime": end_ms}
            rows += await self._pages(exchange, symbol, span, {}, end_ms)
        names = await _names_of(exchange, symbol, dict.fromkeys(str(row.get("order")) for row in rows))
        named = [dict(row) | {"clientOrderId": names[str(row.get("order"))]} for row in rows]
        unique = {str(row["id"]): row for row in map(self._unlike_others, named)}
        return list(unique.values())

    def _windows(self, since_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
        """Windows no longer than what is answered; neighbours share their border."""
        for start_ms in range(min(since_ms, until_ms - 1), until_ms, self._window_ms):
            yield start_ms, min(start_ms + self._window_ms, until_ms)

    async def _pages(
        self, exchange: Exchange, symbol: str, first: dict[str, Any], then: dict[str, Any], end_ms: int | None
    ) -> list[Row]:
        """All executions from a first page on, by ascending id, as long as they are not after `end_ms`."""
        rows: list[Row] = []
        asked = first
        for _ in range(_PAGES_MAX):
            page = await _whole(exchange.fetch_my_trades(symbol, None, None, asked | {"limit": _PAGE}))
            rows += [row for row in page if end_ms is None or int(row["timestamp"]) <= end_ms]
            if len(page) < _PAGE or (end_ms is not None and int(page[-1]["timestamp"]) > end_ms):
                return rows
            asked = then | {"fromId": max(int(row["id"]) for row in page) + 1}
        raise RemoteProtocolError(f"more than {_PAGES_MAX} pages")

    def _unlike_others(self, row: Row) -> Row:
        """An execution with an id of its own: Binance's is unique in its market, and both sides of a trade have it."""
        return {**row, "id": f"{row['order']}-{row['id']}"}

    def order_name(self, row: Row) -> str:
        """Our id of an order as Binance says it; an execution carries what was looked up."""
        name = row.get("clientOrderId")
        return name if isinstance(name, str) else ""


class BinanceSpotDialect(_Binance):
    """Binance spot."""

    exchange = "binance"
    hosts = frozenset({"api.binance.com"})
    test_hosts = frozenset({"testnet.binance.vision"})
    categories = frozenset({Category.SPOT})
    _path = "/api/v3"
    _refused = words.SPOT_REFUSED
    _fatal = words.SPOT_FATAL
    _window_ms = _DAY_MS - 1_000
    _cancelled_name = "origClientOrderId"

    def options(self, recv_window_ms: int) -> Mapping[str, object]:
        """Spot markets only; nothing is asked about margin, which is at another address."""
        return {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "fetchMargins": False,
            "newOrderRespType": {"market": "RESULT", "limit": "RESULT"},
            "recvWindow": recv_window_ms,
        }

    def urls(self, rest_url: str) -> Mapping[str, object]:
        """The paths of spot at one address."""
        return {"api": dict.fromkeys(("public", "private"), f"{rest_url}{self._path}")}

    def create_params(self, order: NewOrder) -> Mapping[str, object]:
        """Post-only is a kind of order here (`LIMIT_MAKER`)."""
        is_maker = order.time_in_force is TimeInForce.POST_ONLY
        kind: dict[str, object] = {"postOnly": True} if is_maker else {"timeInForce": "IOC"}
        return {"clientOrderId": order.client_order_id, **kind}

    def _wanted(self, order: NewOrder) -> dict[str, str]:
        if order.reduce_only or order.position_idx:
            raise LocalProtocolError("a spot order can neither reduce nor name a position")
        if order.time_in_force is TimeInForce.POST_ONLY:
            return {"type": "LIMIT_MAKER"}
        return {"type": "LIMIT", "timeInForce": "IOC"}

    def _since(self, order: Row) -> dict[str, Any]:
        """Executions of one order are all shown, whatever their age; a time cannot be asked for beside it."""
        return {}


class BinanceUsdmDialect(_Binance):
    """Binance USD-M contracts, one-way positions."""

    exchange = "binanceusdm"
    hosts = frozenset({"fapi.binance.com"})
    test_hosts: frozenset[str] = frozenset()
    """Ccxt refuses to send to the old one."""
    categories = frozenset({Category.LINEAR})
    _path = "/fapi/v1"
    _refused = words.LINEAR_REFUSED
    _fatal = words.LINEAR_FATAL
    _window_ms = 7 * _DAY_MS - 1_000
    _cancelled_name = "clientOrderId"

    def options(self, recv_window_ms: int) -> Mapping[str, object]:
        """Linear markets only; leverage brackets, which no order needs, are not asked for."""
        return {
            "defaultType": "swap",
            "defaultSubType": "linear",
            "fetchMarkets": {"types": ["linear"]},
            "fetchMargins": False,
            "leverageBrackets": {},
            "recvWindow": recv_window_ms,
        }

    def urls(self, rest_url: str) -> Mapping[str, object]:
        """The paths of contracts at one address."""
        kinds = {
            f"fapi{kind}{n}": f"/fapi/{n or 'V1'}" for kind in ("Public", "Private") for n in ("", "V2", "V3")
        }
        return {"api": {kind: f"{rest_url}{path.lower()}" for kind, path in kinds.items()}}

    def create_params(self, order: NewOrder) -> Mapping[str, object]:
        """The side of the position is named, so that an account in hedge mode refuses."""
        is_maker = order.time_in_force is TimeInForce.POST_ONLY
        kind: dict[str, object] = {"postOnly": True} if is_maker else {"timeInForce": "IOC"}
        return {
            "clientOrderId": order.client_order_id,
            "reduceOnly": order.reduce_only,
            "positionSide": "BOTH",
            **kind,
        }

    def _wanted(self, order: NewOrder) -> dict[str, str]:
        if order.position_idx:
            raise LocalProtocolError("positions are one-way at other venues")
        return {
            "type": "LIMIT",
            "timeInForce": "GTX" if order.time_in_force is TimeInForce.POST_ONLY else "IOC",
            "reduceOnly": "true" if order.reduce_only else "false",
            "positionSide": "BOTH",
        }

    def _since(self, order: Row) -> dict[str, Any]:
        """Without a time, no execution older than a week is shown."""
        return {"startTime": int(order["timestamp"])}


def _is_id(value: object) -> bool:
    return type(value) is int and value > 0


def _signed(text: str) -> dict[str, str]:
    """What a signed text says beside its stamp.

    Raises
    ------
    LocalProtocolError
        If it has no stamp, ends otherwise than with its signature, or says anything twice.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise LocalProtocolError("a request that is no list of names and values") from error
    told = dict(pairs)
    if len(told) != len(pairs) or not set(told) >= _STAMPED or pairs[-1][0] != "signature":
        raise LocalProtocolError(f"a signed request with {[key for key, _ in pairs]}")
    if not all(told[key].isascii() and told[key].isdigit() for key in ("timestamp", "recvWindow")):
        raise LocalProtocolError("a request without a time")
    return {key: value for key, value in told.items() if key not in _STAMPED}


async def _whole(asked: Awaitable[list[Row]]) -> list[Row]:
    """A list of which ccxt left nothing out.

    Raises
    ------
    RemoteProtocolError
        If it did.
    """
    rows = await asked
    answer = LAST_ANSWER.get()
    told = None if answer is None else answer.parsed()
    if not isinstance(told, list) or len(told) != len(rows):
        raise RemoteProtocolError("a list of which ccxt read only a part")
    return rows


async def _asked_for(
    exchange: Exchange, symbol: str, order_id: str | None, how: dict[str, Any]
) -> Row | None:
    """One order; None if Binance says in so many words that there is none."""
    from ccxt.base.errors import OrderNotFound  # noqa: PLC0415 - slow to import, and only ever in a room's thread

    try:
        row: Row = await exchange.fetch_order(order_id, symbol, how)
    except OrderNotFound:
        if words.says(LAST_ANSWER.get(), words.NO_SUCH_ORDER):
            return None
        raise
    return row


async def _names_of(exchange: Exchange, symbol: str, order_ids: Iterable[str]) -> Mapping[str, str]:
    """Our id of each of Binance's.

    Raises
    ------
    RemoteProtocolError
        If it does not know one of them.
    """
    names: dict[str, str] = {}
    for order_id in order_ids:
        known = _known(exchange).get((symbol, order_id))
        if known is None:
            row = await _asked_for(exchange, symbol, order_id, {})
            if row is None or str(row.get("id")) != order_id:
                raise RemoteProtocolError(f"an execution of order {order_id[:40]}, which is not known")
            _remember(exchange, symbol, [row])
            known = str(row.get("clientOrderId") or "")
        names[order_id] = known
    return names


def _remember(exchange: Exchange, symbol: str, orders: Iterable[Row]) -> None:
    known = _known(exchange)
    known |= {(symbol, str(row.get("id"))): str(row.get("clientOrderId") or "") for row in orders}
    while len(known) > _NAMES_MAX:
        del known[next(iter(known))]


def _known(exchange: Exchange) -> dict[tuple[str, str], str]:
    """Names of orders by market and Binance's id, kept with the exchange: they never change."""
    known: dict[tuple[str, str], str] = exchange.options.setdefault(_NAMES, {})
    return known


def _sum(trades: Sequence[Row]) -> object:
    return sum(number_of("an execution", row.get("amount")) for row in trades)
