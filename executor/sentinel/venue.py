"""The venue as the sentinel knows it: read every open order, cancel everything. Nothing else.

It shares with the daemon's own venue the signer, the estimate of the venue's clock and the wall around the HTTP client.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self
from urllib.parse import urlencode, urlsplit

import aiohttp
from yarl import URL

from executor.domain.timeline import NS_PER_MS
from executor.runtime.clock import Clock
from executor.venues.bybit.server_time import ServerTime
from executor.venues.bybit.signer import Signer, without_signed
from executor.venues.bybit.transport import NotReached, new_session

TIME_PATH: Final = "/v5/market/time"
OPEN_PATH: Final = "/v5/order/realtime"
CANCEL_ALL_PATH: Final = "/v5/order/cancel-all"
CANCEL_PATH: Final = "/v5/order/cancel"
STRATEGIES_PATH: Final = "/v5/strategy/list"
STOP_PATH: Final = "/v5/strategy/stop"
PAGE_ROWS: Final = 50
PAGES_MAX: Final = 1_000
RECENT_PAGES: Final = 4
ANSWER_BYTES_MAX: Final = 1 << 22
BARRED: Final = 403
"""HTTP status by which the venue bars an address; asking on makes it longer."""
OK: Final = 0
GONE: Final = frozenset({110001, 110008, 110010, 170139, 170142, 170143, 170190, 170213})
_CLOSED: Final = frozenset({"Rejected", "Filled", "Cancelled", "PartiallyFilledCanceled", "Deactivated"})
_STRATEGY_OPEN: Final = ("2", "5", "6")
"""Running, paused by the venue, waiting for a trigger: states in which a strategy may send orders, now or later."""
_TIME_CODES: Final = frozenset({10002, -1})
_BUSY_CODES: Final = frozenset({10006, 10018, 429, 10429})
_KEY_CODES: Final = frozenset(
    {10003, 10004, 10005, 10007, 10008, 10009, 10010, 10024, 10027, 10028, 10029, 33004, -2015}
)


class Trouble(Enum):
    """Why a request came to nothing, as far as it matters for what to do next."""

    BANNED = "the venue bars our address"
    HELD_BACK = "the request was held back because the venue bars our address"
    BUSY = "the venue asks us to be slower"
    UNREACHED = "the venue is not reached, or is closed for maintenance"
    CLOCK = "the clocks disagree"
    KEY = "the venue refuses our key"
    REFUSED = "the venue refuses the request"


class VenueTrouble(Exception):  # noqa: N818 - reads as what happened
    """A request that did not do what was wanted."""

    def __init__(self, trouble: Trouble, text: str) -> None:
        super().__init__(text)
        self.trouble = trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A part of the account that is read and cancelled by requests of its own.

    Parameters
    ----------
    reads
        Filters of the reads that together show every open order of the part. The first one is documented to show them
        all and must succeed; a venue that does not know one of the others may refuse it.
    sweeps
        Cancel-all requests that together reach every order of it that one request can name.
    """

    name: str
    category: str
    reads: tuple[Mapping[str, str], ...]
    sweeps: tuple[Mapping[str, str], ...]


SCOPES: Final = (
    Scope(
        name="linear USDT",
        category="linear",
        reads=({"settleCoin": "USDT"},),
        sweeps=({"settleCoin": "USDT"},),
    ),
    Scope(
        name="linear USDC",
        category="linear",
        reads=({"settleCoin": "USDC"},),
        sweeps=({"settleCoin": "USDC"},),
    ),
    # Inverse contracts settle in the coin they are about; those beyond these two are cancelled symbol by symbol.
    Scope(
        name="inverse", category="inverse", reads=({},), sweeps=({"settleCoin": "BTC"}, {"settleCoin": "ETH"})
    ),
    # Spot hides conditional orders and take-profits from a request that does not name their kind.
    Scope(
        name="spot",
        category="spot",
        reads=({}, {"orderFilter": "StopOrder"}, {"orderFilter": "tpslOrder"}),
        sweeps=({"orderFilter": "Order"}, {"orderFilter": "StopOrder"}, {"orderFilter": "tpslOrder"}),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """One order at the venue; `kind` is how its cancel names it on spot, side and quantity are for people."""

    category: str
    symbol: str
    order_id: str
    link_id: str
    kind: str
    side: str = ""
    qty: str = ""

    @property
    def text(self) -> str:
        """For people: category, symbol, side, quantity, and our id or the venue's."""
        words = (self.category, self.symbol, self.side.lower(), self.qty, self.link_id or self.order_id)
        return " ".join(word for word in words if word)


class SweepVenue:
    """One account. Use inside `async with`.

    Parameters
    ----------
    rest_url
        Scheme, host and port, without a path.
    timeout_s
        Longest time a request may take, seconds.
    """

    def __init__(
        self, *, rest_url: str, api_key: str, api_secret: str, recv_window_ms: int, timeout_s: float
    ) -> None:
        self._url = rest_url
        self._clock = Clock()
        self._signer = Signer(api_key, api_secret, recv_window_ms)
        self._time = ServerTime(self._clock)
        self._timeout_s = timeout_s
        self._barred = False

    async def __aenter__(self) -> Self:
        """Open the HTTP client: this host alone, no redirects, no proxies, no retries."""
        host = urlsplit(self._url).hostname
        self._http = new_session(frozenset({host} if host else ()), self._timeout_s)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self._http.close()

    async def open_orders(self, scope: Scope) -> list[OpenOrder]:
        """Read every page of every open order of a scope.

        Raises
        ------
        VenueTrouble
            If any page could not be read completely: then nothing is known.
        """
        found: dict[str, OpenOrder] = {}
        for number, which in enumerate(scope.reads):
            try:
                found |= await self._every_page(scope.category, which)
            except VenueTrouble as error:
                if number == 0 or error.trouble is not Trouble.REFUSED:
                    raise
        return list(found.values())

    async def recent_texts(self, scope: Scope) -> dict[str, str]:
        """Read how the newest orders looked that are open or have just ended, at most `RECENT_PAGES` pages; for people.

        Raises
        ------
        VenueTrouble
            If they could not be read.
        """
        texts: dict[str, str] = {}
        for which in scope.reads:
            cursor = ""
            for _ in range(RECENT_PAGES):
                fields = {"category": scope.category, **which, "openOnly": "1", "limit": str(PAGE_ROWS)}
                page = await self._get(OPEN_PATH, fields | ({"cursor": cursor} if cursor else {}))
                rows = page.get("list")
                orders = (
                    [_open_order(scope.category, row, ended=True) for row in rows]
                    if isinstance(rows, list)
                    else []
                )
                texts |= {order.order_id: order.text for order in orders if order is not None}
                cursor = str(page.get("nextPageCursor") or "")
                if not cursor or not orders:
                    break
        return texts

    async def _every_page(self, category: str, which: Mapping[str, str]) -> dict[str, OpenOrder]:
        found: dict[str, OpenOrder] = {}
        cursor, seen = "", set[str]()
        for _ in range(PAGES_MAX):
            fields = {"category": category, **which, "limit": str(PAGE_ROWS)}
            page = await self._get(OPEN_PATH, fields | ({"cursor": cursor} if cursor else {}))
            rows, cursor = page.get("list"), str(page.get("nextPageCursor"))
            if not isinstance(rows, list) or not isinstance(page.get("nextPageCursor"), str):
                raise VenueTrouble(Trouble.UNREACHED, "a page of open orders without list or cursor")
            orders = [_open_order(category, row) for row in rows]
            found |= {order.order_id: order for order in orders if order is not None}
            if not cursor:
                return found
            if cursor in seen:
                raise VenueTrouble(Trouble.UNREACHED, "the same page of open orders came twice")
            seen.add(cursor)
        raise VenueTrouble(Trouble.UNREACHED, f"more than {PAGES_MAX} pages of open orders")

    async def open_strategies(self) -> list[OpenOrder]:
        """Read every page of every strategy order that may still send orders.

        Raises
        ------
        VenueTrouble
            If any page could not be read completely; REFUSED also where the venue has none.
        """
        found: dict[str, OpenOrder] = {}
        for status in _STRATEGY_OPEN:
            cursor, seen = "", set[str]()
            while True:
                fields = {"status": status, "pageSize": str(PAGE_ROWS)}
                try:
                    page = await self._get(STRATEGIES_PATH, fields | ({"cursor": cursor} if cursor else {}))
                except VenueTrouble as error:
                    if str(error).startswith("HTTP 404"):
                        raise VenueTrouble(Trouble.REFUSED, str(error)) from error
                    raise
                rows, cursor = page.get("list"), str(page.get("nextCursor"))
                if not isinstance(rows, list) or not isinstance(page.get("nextCursor"), str):
                    raise VenueTrouble(Trouble.UNREACHED, "a page of strategy orders without list or cursor")
                found |= {each.order_id: each for each in map(_open_strategy, rows)}
                if not cursor:
                    break
                if cursor in seen or len(seen) >= PAGES_MAX:
                    raise VenueTrouble(Trouble.UNREACHED, "the pages of strategy orders do not end")
                seen.add(cursor)
        return list(found.values())

    async def stop_strategy(self, strategy: OpenOrder) -> None:
        """Ask the venue to stop one strategy order; whether it has ended, the next reading tells.

        Raises
        ------
        VenueTrouble
            If it is not known that the request was taken.
        """
        await self._post(STOP_PATH, {"strategyId": strategy.order_id})

    async def cancel_all(self, category: str, which: Mapping[str, str]) -> dict[str, str]:
        """Ask the venue to cancel everything it finds by these fields; at most 500 orders go at a time.

        Returns
        -------
        dict
            The orders it has taken for cancelling: id, and a text for people.

        Raises
        ------
        VenueTrouble
            If it is not known that the request was taken.
        """
        result = await self._post(CANCEL_ALL_PATH, {"category": category, **which}, fine=GONE)
        rows = result.get("list")
        return {
            str(row.get("orderId")): f"{category} {row.get('orderLinkId') or row.get('orderId')}"
            for row in (rows if isinstance(rows, list) else [])
            if isinstance(row, dict)
        }

    async def cancel(self, order: OpenOrder) -> None:
        """Ask the venue to cancel one order; one that is gone already is fine.

        Raises
        ------
        VenueTrouble
            If it is not known that the request was taken.
        """
        fields = {"category": order.category, "symbol": order.symbol, "orderId": order.order_id}
        if order.category == "spot":
            fields["orderFilter"] = order.kind
        await self._post(CANCEL_PATH, fields, fine=GONE)

    async def measure_time(self) -> None:
        """Read the venue's clock.

        Raises
        ------
        VenueTrouble
            If it was not read.
        """
        sent_ns = self._clock.now_ns()
        result = await self._ask("GET", TIME_PATH, b"", {}, frozenset())
        try:
            server_ms = int(str(result["timeNano"])) // NS_PER_MS
        except (KeyError, ValueError) as error:
            raise VenueTrouble(Trouble.UNREACHED, "an answer without the venue's time") from error
        self._time.learn(sent_ns, self._clock.now_ns(), server_ms)

    def lift_ban(self) -> None:
        """Let requests leave again after the venue has barred us: the time it asks for is over."""
        self._barred = False

    def forget_time(self) -> None:
        """Let the next request read the venue's clock first."""
        self._time = ServerTime(self._clock)

    async def _get(self, path: str, fields: Mapping[str, str]) -> dict[str, object]:
        query = urlencode(fields, safe="%")
        return await self._signed("GET", f"{path}?{query}", query.encode(), b"", frozenset())

    async def _post(
        self, path: str, fields: Mapping[str, str], fine: frozenset[int] = frozenset()
    ) -> dict[str, object]:
        body = json.dumps(fields, separators=(",", ":")).encode("ascii")
        return await self._signed("POST", path, body, body, fine)

    async def _signed(
        self, method: str, target: str, payload: bytes, body: bytes, fine: frozenset[int]
    ) -> dict[str, object]:
        if not self._time.is_measured:
            await self.measure_time()
        headers = self._signer.headers(self._time.now_ms(), payload)
        return await self._ask(method, target, body, headers, fine)

    async def _ask(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str], fine: frozenset[int]
    ) -> dict[str, object]:
        """Send one request and give its result; while we are barred nothing is sent."""
        if self._barred:
            raise VenueTrouble(Trouble.HELD_BACK, "nothing is sent while the venue bars us")
        try:
            # The target is signed as it stands: it must leave byte for byte.
            async with self._http.request(
                method,
                URL(f"{self._url}{target}", encoded=True),
                data=body or None,
                headers=headers,
                allow_redirects=False,
            ) as response:
                raw = await response.content.read(ANSWER_BYTES_MAX)
                while not response.content.at_eof():
                    raw += await response.content.read(ANSWER_BYTES_MAX)
                    if len(raw) > ANSWER_BYTES_MAX:
                        raise VenueTrouble(Trouble.UNREACHED, "an answer without end")
                status = response.status
        except NotReached as error:
            raise VenueTrouble(Trouble.UNREACHED, str(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise VenueTrouble(Trouble.UNREACHED, f"{type(error).__name__}: {error}"[:200]) from error
        if status == BARRED:
            self._barred = True
        return _result(status, raw, fine)


def _result(status: int, raw: bytes, fine: frozenset[int]) -> dict[str, object]:
    """Take the result out of an answer, or say what kind of trouble it is."""
    if status == BARRED:
        raise VenueTrouble(Trouble.BANNED, f"HTTP 403: {_plain(raw)}")
    if status == 429:
        raise VenueTrouble(Trouble.BUSY, "HTTP 429")
    if status != 200:
        raise VenueTrouble(Trouble.UNREACHED, f"HTTP {status}: {_plain(raw)}")
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise VenueTrouble(Trouble.UNREACHED, f"an answer that is no JSON: {_plain(raw)}") from error
    code = answer.get("retCode") if isinstance(answer, dict) else None
    if type(code) is not int:
        raise VenueTrouble(Trouble.UNREACHED, f"an answer without a return code: {_plain(raw)}")
    if code == OK or code in fine:
        result = answer.get("result")
        return result if isinstance(result, dict) else {}
    text = f"{code}: {_plain(without_signed(str(answer.get('retMsg', ''))).encode())}"
    if code in _TIME_CODES:
        raise VenueTrouble(Trouble.CLOCK, text)
    if code in _BUSY_CODES:
        raise VenueTrouble(Trouble.BUSY, text)
    if code in _KEY_CODES:
        raise VenueTrouble(Trouble.KEY, text)
    is_parameter = code == 10001 or code in range(110000, 120000) or code in range(170100, 180000)
    raise VenueTrouble(Trouble.REFUSED if is_parameter else Trouble.UNREACHED, text)


def _open_order(category: str, row: object, *, ended: bool = False) -> OpenOrder | None:
    """Read one row; None if it says that the order has ended and those are not wanted.

    Raises
    ------
    VenueTrouble
        If the row cannot be read: an order that is not understood must not be missed.
    """
    match row:
        case {"orderId": str(order_id), "symbol": str(symbol), "orderStatus": str(status)} if (
            order_id and symbol
        ):
            if status in _CLOSED and not ended:
                return None
            assert isinstance(row, dict)
            link_id, stop = row.get("orderLinkId", ""), str(row.get("stopOrderType", ""))
            kind = "tpslOrder" if stop == "tpslOrder" else "StopOrder" if stop == "Stop" else "Order"
            return OpenOrder(
                category=category,
                symbol=symbol,
                order_id=order_id,
                link_id=str(link_id),
                kind=kind,
                side=str(row.get("side", "")),
                qty=str(row.get("qty", "")),
            )
        case _:
            raise VenueTrouble(Trouble.UNREACHED, f"an open order that cannot be read: {str(row)[:120]}")


def _open_strategy(row: object) -> OpenOrder:
    """Read one row of the list of strategy orders.

    Raises
    ------
    VenueTrouble
        If the row cannot be read: one that is not understood must not be missed.
    """
    match row:
        case {"strategyId": str(strategy_id), "symbol": str(symbol)} if strategy_id and symbol:
            assert isinstance(row, dict)
            return OpenOrder(
                category=str(row.get("category", "")),
                symbol=symbol,
                order_id=strategy_id,
                link_id=f"{row.get('strategyType', '')} {strategy_id}".strip(),
                kind="strategy",
                side=str(row.get("side", "")),
                qty=str(row.get("size", "")),
            )
        case _:
            raise VenueTrouble(Trouble.UNREACHED, f"a strategy order that cannot be read: {str(row)[:120]}")


def _plain(raw: bytes) -> str:
    """Shorten what the venue said to one printable line."""
    text = raw[:120].decode("ascii", errors="replace")
    return "".join(char if char.isprintable() else " " for char in text).strip()
