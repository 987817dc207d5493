"""Several orders in one request: two parallel lists in the answer, and a verdict of its own for each order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import ExtendedResult, Fields, JsonObject
from sandbox.bybit_server.order_requests import read_category
from sandbox.bybit_server.refusal import RefusalError, parameter_error

CONTRACTS_MAX: Final = 20
SPOT_MAX: Final = 10

Single = Callable[[Exchange, Account, Fields], JsonObject]


def create_batch(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer order/create-batch."""
    return _each(Exchange.create, exchange, account, fields, stamped=True)


def amend_batch(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer order/amend-batch."""
    return _each(Exchange.amend, exchange, account, fields, stamped=False)


def cancel_batch(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer order/cancel-batch."""
    return _each(Exchange.cancel, exchange, account, fields, stamped=False)


def _each(
    single: Single, exchange: Exchange, account: Account, fields: Fields, *, stamped: bool
) -> ExtendedResult:
    """Do a request for each order; those the allowance has no room for fail without being looked at."""
    category = read_category(fields)
    requests = fields.values.get("request")
    orders_max = SPOT_MAX if category == "spot" else CONTRACTS_MAX
    if not isinstance(requests, list) or not requests:
        raise parameter_error("params error: request is empty")
    if len(requests) > orders_max:
        raise parameter_error(f"params error: the number of orders exceeds {orders_max}")
    rows: list[JsonObject] = []
    verdicts: list[JsonObject] = []
    for place, request in enumerate(requests):
        named = request if isinstance(request, dict) else {}
        row: JsonObject = {
            "category": category,
            "symbol": str(named.get("symbol") or ""),
            "orderId": "",
            "orderLinkId": str(named.get("orderLinkId") or ""),
        }
        if stamped:
            row["createAt"] = ""
        try:
            if place >= fields.granted:
                raise RefusalError(10006, "Too many visits. Exceeded the API Rate Limit.")
            if not isinstance(request, dict):
                raise parameter_error("params error: request invalid")
            row |= single(exchange, account, Fields({**request, "category": category}))
            if stamped:
                row["createAt"] = str(now_ms(exchange.clock))
            verdicts.append({"code": 0, "msg": "OK"})
        except RefusalError as refusal:
            verdicts.append({"code": refusal.code, "msg": refusal.text})
        rows.append(row)
    return ExtendedResult({"list": rows}, {"list": verdicts})
