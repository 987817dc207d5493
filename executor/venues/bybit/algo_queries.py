"""Reading strategy orders: the one that was asked for, the orders it has made, and the proof that it has ended.

The venue's word that a strategy has ended is not believed alone. Every order that it has made must have ended too, what
they executed must add up to what the strategy says, and none of them may be among the open orders. Until then it counts
as open, and stays reserved.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from pybit.unified_trading import HTTP

from executor.domain.algo import AlgoKind
from executor.domain.commands import QueryAlgo
from executor.domain.errors import RemoteProtocolError, TransportError
from executor.domain.events import (
    AlgoOrdersSeen,
    Event,
    OrderAbsent,
    OrderQueryFailed,
    OrderUpdated,
    VenueStatus,
)
from executor.domain.timeline import NS_PER_MS
from executor.domain.units import ZERO, Quantity
from executor.runtime.clock import Clock
from executor.venues.bybit.algo_bytes import family_word
from executor.venues.bybit.ask import Asker
from executor.venues.bybit.codec import as_row
from executor.venues.bybit.codec_fields import Row, number_or_zero, optional_text, text, whole
from executor.venues.bybit.codec_fields import side as read_side
from executor.venues.bybit.server_time import ServerTime

PAGE_ROWS: Final = 50
PAGES_MAX: Final = 200
_OPEN: Final = frozenset({2, 5, 6})
_ENDED: Final = frozenset({3, 4})
_ORDER_ENDED: Final = frozenset({3, 5, 6, 7})
_CLOCKS_MS: Final = 2_000
"""How much earlier or later than by our clock a strategy of ours may be stamped: what the clocks may differ by."""
_OVERLAP_S: Final = 60
_DETAIL_LEN_MAX: Final = 200


def _list_page(client: HTTP, **query: str | int) -> object:
    return client._submit_request(  # pybit has no method for these endpoints
        method="GET", path=f"{client.endpoint}/v5/strategy/list", query=query, auth=True
    )


def _orders_page(client: HTTP, **query: str | int) -> object:
    return client._submit_request(
        method="GET", path=f"{client.endpoint}/v5/strategy/order-list", query=query, auth=True
    )


class AlgoQueries:
    """Reads strategy orders for the engine. Every method ends with an answer or an event that says it could not."""

    def __init__(self, asker: Asker, clock: Clock, time: ServerTime) -> None:
        self._asker = asker
        self._clock = clock
        self._time = time
        self._read_until_s: dict[str, int] = {}

    async def strategy(self, command: QueryAlgo) -> list[Event]:
        """Look for one strategy order; the last event is the answer: it, its absence, or that neither is known."""
        name = command.algo.order.client_order_id
        asked_ns = self._clock.now_ns()
        try:
            row = await self._find(command)
            if row is None:
                return [OrderAbsent(at_ns=0, client_order_id=name, asked_ns=asked_ns)]
            return await self._tell(command, row, asked_ns)
        except (TransportError, RemoteProtocolError) as error:
            return [OrderQueryFailed(at_ns=0, client_order_id=name, detail=str(error)[:_DETAIL_LEN_MAX])]

    async def _find(self, command: QueryAlgo) -> Row | None:
        """The strategy by its id; without one, the only one that can be it."""
        if command.strategy_id:
            rows = await self._pages(_list_page, strategyId=command.strategy_id)
            mine = [row for row in rows if row.get("strategyId") == command.strategy_id]
        else:
            order = command.algo.order
            since_ms = command.since_ns // NS_PER_MS + self._time.offset_ms - _CLOCKS_MS
            rows = await self._pages(
                _list_page,
                category=family_word(order.category, order.symbol),
                symbol=order.symbol,
                strategyType=command.algo.terms.kind.value,
                beginTimeE0=max(since_ms // 1_000, 0),
            )
            until_ms = command.until_ns // NS_PER_MS + self._time.offset_ms + _CLOCKS_MS
            mine = [row for row in rows if _may_be(command, row, since_ms, until_ms)]
        if len(mine) > 1:
            if all([await self._has_ended(command, row) for row in mine]):
                return None  # whichever is ours, nothing of it can be filled any more
            raise RemoteProtocolError(
                f"{len(mine)} strategy orders could be {command.algo.order.client_order_id}"
            )
        return mine[0] if mine else None

    async def _has_ended(self, command: QueryAlgo, row: Row) -> bool:
        """Whether a strategy that may be the one has ended by proof."""
        if whole(row, "status") not in _ENDED:
            return False
        subs = await self._pages(_orders_page, strategyId=text(row, "strategyId"))
        return not await self._why_open(command, subs, number_or_zero(row, "executedSize"))

    async def _tell(self, command: QueryAlgo, row: Row, asked_ns: int) -> list[Event]:
        order = command.algo.order
        strategy_id, status = text(row, "strategyId"), whole(row, "status")
        if status not in _OPEN | _ENDED:
            raise RemoteProtocolError(f"strategy status {status} has no meaning here")
        ended = status in _ENDED
        begin_s = 0 if ended else self._read_until_s.get(strategy_id, 0)
        narrowed = {"beginTimeE0": begin_s} if begin_s else {}
        subs = await self._pages(_orders_page, strategyId=strategy_id, **narrowed)
        cum_qty = number_or_zero(row, "executedSize")
        detail = f"{status} {optional_text(row, 'terminateRemark')}".strip()
        venue_status = VenueStatus.PARTIALLY_FILLED if cum_qty else VenueStatus.NEW
        if ended:
            why_open = await self._why_open(command, subs, cum_qty)
            if why_open:
                detail = f"{detail}: {why_open}"
            else:
                venue_status = VenueStatus.FILLED if cum_qty >= order.qty else VenueStatus.CANCELED
        ids = tuple(dict.fromkeys(text(sub, "orderId") for sub in subs))
        self._remember(strategy_id, subs)
        told = (
            []
            if not ids
            else [
                AlgoOrdersSeen(
                    at_ns=0,
                    client_order_id=order.client_order_id,
                    strategy_id=strategy_id,
                    venue_order_ids=ids,
                )
            ]
        )
        update = OrderUpdated(
            at_ns=0,
            category=order.category,
            symbol=text(row, "symbol"),
            client_order_id=order.client_order_id,
            venue_order_id=strategy_id,
            status=venue_status,
            side=read_side(row),
            qty=Quantity(number_or_zero(row, "size")),
            px=order.px,
            cum_qty=Quantity(cum_qty),
            updated_ms=whole(row, "updatedTimeE3"),
            detail=detail[:_DETAIL_LEN_MAX],
            asked_ns=asked_ns,
        )
        return [*told, update]

    async def _why_open(self, command: QueryAlgo, subs: list[Row], cum_qty: Decimal) -> str:
        """Why a strategy that is said to have ended may still have something open; empty if nothing can be."""
        working = [sub for sub in subs if whole(sub, "status") not in _ORDER_ENDED]
        if working:
            return f"{len(working)} of its orders have not ended"
        executed = sum((number_or_zero(sub, "executedSize") for sub in subs), ZERO)
        if executed != cum_qty:
            return f"its orders executed {executed} and it says {cum_qty}"
        order = command.algo.order
        scope = {"category": order.category.value, "symbol": order.symbol}
        rows = await self._asker.rows(HTTP.get_open_orders, limit=PAGE_ROWS, **scope)
        ids = {text(sub, "orderId") for sub in subs}
        still = [row for row in map(as_row, rows) if row.get("orderId") in ids]
        return f"{len(still)} of its orders are open" if still else ""

    def _remember(self, strategy_id: str, subs: list[Row]) -> None:
        """From when on the next reading must look: the oldest order that had not ended, or the newest of all."""
        if not subs:
            return
        open_ms = [whole(sub, "createdTimeE3") for sub in subs if whole(sub, "status") not in _ORDER_ENDED]
        newest_ms = max(whole(sub, "createdTimeE3") for sub in subs)
        self._read_until_s[strategy_id] = max(min([*open_ms, newest_ms]) // 1_000 - _OVERLAP_S, 0)

    async def _pages(self, question: object, **query: str | int) -> list[Row]:
        """All pages of one list, or an error; these endpoints name their cursor in a way of their own."""
        rows: list[Row] = []
        cursors: set[str] = set()
        for _ in range(PAGES_MAX):
            page = await self._asker.result(question, pageSize=PAGE_ROWS, **query)  # type: ignore[arg-type]
            listed = page.get("list")
            if not isinstance(listed, list):
                raise TransportError("an answer without a list")
            rows += map(as_row, listed)
            cursor = page.get("nextCursor")
            if not isinstance(cursor, str):
                raise TransportError("a page without a cursor")
            if not cursor:
                return rows
            if cursor in cursors:
                raise TransportError("the pages go in a circle")
            cursors.add(cursor)
            query["cursor"] = cursor
        raise TransportError(f"more than {PAGES_MAX} pages")


def _may_be(command: QueryAlgo, row: Row, since_ms: int, until_ms: int) -> bool:
    """Whether a listed strategy could be the one that was sent: what it trades, how, and since when."""
    order, terms = command.algo.order, command.algo.terms
    if text(row, "strategyId") in command.not_ids:
        return False
    if not since_ms <= whole(row, "createdTimeE3") <= until_ms:
        return False
    same = (
        row.get("symbol") == order.symbol
        and read_side(row) is order.side
        and number_or_zero(row, "size") == order.qty
        and row.get("strategyType") == terms.kind.value
        and row.get("reduceOnly", order.reduce_only) is order.reduce_only
    )
    return same and (terms.kind is not AlgoKind.TWAP or _times(row) == (terms.duration_s, terms.interval_s))


def _times(row: Mapping[str, object]) -> tuple[object, object]:
    return row.get("duration"), row.get("interval")
