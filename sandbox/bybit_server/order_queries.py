"""What a client may read about its orders and executions, as far as the venue still remembers them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.instruments import Instrument
from sandbox.bybit_server.order_requests import read_category
from sandbox.bybit_server.orders import OPEN_STATUSES, Execution, Order
from sandbox.bybit_server.paging import page
from sandbox.bybit_server.private_shapes import execution_shape
from sandbox.bybit_server.refusal import parameter_error
from sandbox.bybit_server.visibility import order_as_of

DAY_MS: Final = 24 * 3600 * 1000
WEEK_MS: Final = 7 * DAY_MS
UNFILLED_KEPT_MS: Final = DAY_MS
FILLED_KEPT_MS: Final = 730 * DAY_MS
MILLISECONDS_MAX: Final = 10**14

Seen = tuple[Order, JsonObject]


def open_orders(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer order/realtime: open orders, or the most recent closed ones; by id, either."""
    category = read_category(fields)
    named = any(fields.text(name) for name in ("symbol", "baseCoin", "settleCoin"))
    order_id, link_id = fields.text("orderId"), fields.text("orderLinkId")
    if category == "linear" and not (named or order_id or link_id):
        raise parameter_error("params error: symbol, settleCoin or baseCoin is required")
    visible_ms = exchange.query_lag.visible_ms("realtime")
    recent = account.recent_closed[category]
    if order_id or link_id:
        orders = [o for o in account.named(order_id, link_id) if o.is_open or o in recent]
        rows = [row for row in _seen(orders, visible_ms) if row[0].instrument.category == category]
        return _order_page(category, rows, fields)
    closed = fields.whole("openOnly", 0, 0, 2) != 0
    kind = _filter(category, fields)
    # A query that trails may still show as open what has ended since, so both lists are looked through.
    source: Iterable[Order] = recent if closed else account.open_orders.values()
    if not closed and exchange.query_lag.is_on:
        source = [*recent, *account.open_orders.values()]
    chosen = [
        order
        for order in source
        if order.instrument.category == category
        and kind in {"", order.order_filter}
        and _selected(order.instrument, fields)
    ]
    rows = [
        row for row in _seen(chosen, visible_ms) if (row[1]["orderStatus"] in OPEN_STATUSES) is not closed
    ]
    rows.sort(key=lambda row: row[0].created_ms)
    return _order_page(category, rows[::-1], fields)


def order_history(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer order/history: ended orders inside a time window; unfilled ones are forgotten after a day."""
    category = read_category(fields)
    start_ms, end_ms = read_window(exchange, fields)
    status = fields.text("orderStatus")
    kind = fields.text("orderFilter")
    visible_ms = exchange.query_lag.visible_ms("history")
    order_id, link_id = fields.text("orderId"), fields.text("orderLinkId")
    chosen: list[Order] = []
    if order_id or link_id:
        chosen = account.named(order_id, link_id)
    else:
        for order in reversed(account.orders.values()):
            if order.created_ms < start_ms:
                break
            wanted = order.created_ms <= end_ms and kind in {"", order.order_filter}
            if wanted and _selected(order.instrument, fields):
                chosen.append(order)
    rows = [
        (order, shape)
        for order, shape in _seen(chosen, visible_ms)
        if order.instrument.category == category
        and shape["orderStatus"] not in OPEN_STATUSES
        and status in {"", shape["orderStatus"]}
        and _is_kept(exchange, order)
    ]
    return _order_page(category, rows, fields)


def executions(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer execution/list, newest first. With an order named, every other filter is ignored."""
    category = read_category(fields)
    start_ms, end_ms = read_window(exchange, fields)
    order_id, link_id, kind = (fields.text(name) for name in ("orderId", "orderLinkId", "execType"))
    visible_ms = exchange.query_lag.visible_ms("execution")
    oldest_ms = now_ms(exchange.clock) - FILLED_KEPT_MS + exchange.aged_ms
    rows: list[Execution] = []
    if order_id or link_id:
        found = [e for order in account.named(order_id, link_id) for e in order.executions]
        if order_id and not found:
            found = [e for e in account.executions if e.order.order_id == order_id]
        rows = sorted(found, key=lambda e: e.time_ms)[::-1]
    else:
        for execution in reversed(account.executions):
            wanted = start_ms <= execution.time_ms <= end_ms and kind in {"", execution.kind}
            if wanted and _selected(execution.order.instrument, fields):
                rows.append(execution)
    rows = [
        e for e in rows if e.order.instrument.category == category and oldest_ms <= e.time_ms <= visible_ms
    ]
    chosen, cursor = page(
        rows, fields, limit_default=50, limit_max=100, name=lambda e: f"{e.exec_id}.{e.order.order_id}"
    )
    return {"category": category, "list": [execution_shape(e) for e in chosen], "nextPageCursor": cursor}


def read_window(exchange: Exchange, fields: Fields) -> tuple[int, int]:
    """Return the time window asked for, at most seven days, by default the last seven.

    Raises
    ------
    RefusalError
        10001 when it is longer, or ends before it begins.
    """
    server_ms = now_ms(exchange.clock)
    start_ms = fields.whole("startTime", 0, 0, MILLISECONDS_MAX)
    end_ms = fields.whole("endTime", 0, 0, MILLISECONDS_MAX)
    if start_ms and end_ms and end_ms - start_ms > WEEK_MS:
        raise parameter_error("The time range between startTime and endTime cannot exceed 7 days.")
    if start_ms and end_ms and end_ms < start_ms:
        raise parameter_error("params error: startTime is later than endTime")
    if not start_ms and not end_ms:
        return server_ms - WEEK_MS, server_ms
    return start_ms or end_ms - WEEK_MS, end_ms or start_ms + WEEK_MS


def _seen(orders: Iterable[Order], visible_ms: int) -> list[Seen]:
    """Return the orders that were there at an instant, with how they looked."""
    return [(order, shape) for order in orders if (shape := order_as_of(order, visible_ms)) is not None]


def _is_kept(exchange: Exchange, order: Order) -> bool:
    """Tell whether the venue still remembers an ended order: a day without fills, two years with."""
    age_ms = now_ms(exchange.clock) + exchange.aged_ms - order.updated_ms
    return age_ms <= (FILLED_KEPT_MS if order.cum_lots else UNFILLED_KEPT_MS)


def _filter(category: str, fields: Fields) -> str:
    """Return which kind of order is meant: on spot plain ones unless said otherwise, on contracts all."""
    return fields.text("orderFilter") or ("Order" if category == "spot" else "")


def _selected(instrument: Instrument, fields: Fields) -> bool:
    symbol, base, settle = (fields.text(name) for name in ("symbol", "baseCoin", "settleCoin"))
    if symbol:
        return instrument.symbol == symbol
    return base in {"", instrument.base_coin} and settle in {"", instrument.settle_coin}


def _order_page(category: str, rows: list[Seen], fields: Fields) -> JsonObject:
    chosen, cursor = page(rows, fields, limit_default=20, limit_max=50, name=lambda row: row[0].order_id)
    return {"category": category, "list": [shape for _, shape in chosen], "nextPageCursor": cursor}
