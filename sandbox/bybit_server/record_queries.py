"""What a client may read about its money: closed positions, and every movement of its wallet."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import ZERO, short
from sandbox.bybit_server.order_queries import read_window
from sandbox.bybit_server.order_requests import read_category
from sandbox.bybit_server.orders import TRADE, CashMove, Execution
from sandbox.bybit_server.paging import page
from sandbox.bybit_server.refusal import parameter_error

EIGHT: Final = Decimal("1E-8")
LOG_TYPES: Final[Mapping[str, str]] = {
    "Funding": "SETTLEMENT",
    "Delivery": "DELIVERY",
    "BustTrade": "LIQUIDATION",
    "AdlTrade": "ADL",
}


def closed_pnl(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer position/closed-pnl: one row for each order that closed something, newest first."""
    category = read_category(fields)
    if category == "spot":
        raise parameter_error("params error: category invalid")
    start_ms, end_ms = read_window(exchange, fields)
    symbol = fields.text("symbol")
    by_order: dict[str, list[Execution]] = {}
    for execution in reversed(account.executions):
        item = execution.order.instrument
        wanted = item.category == category and symbol in {"", item.symbol}
        if wanted and execution.closing.qty and start_ms <= execution.time_ms <= end_ms:
            by_order.setdefault(execution.order.order_id, []).append(execution)
    chosen, cursor = page(
        list(by_order.items()), fields, limit_default=50, limit_max=100, name=lambda row: row[0]
    )
    rows = [_closed_row(account, fills) for _, fills in chosen]
    return {"category": category, "list": rows, "nextPageCursor": cursor}


def transaction_log(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer account/transaction-log: one row for each movement of a coin, newest first."""
    category, currency, kind = (fields.text(name) for name in ("category", "currency", "type"))
    start_ms, end_ms = read_window(exchange, fields)
    rows: list[tuple[Execution, CashMove]] = []
    for execution in reversed(account.executions):
        if not start_ms <= execution.time_ms <= end_ms or kind not in {"", _log_type(execution)}:
            continue
        if category in {"", execution.order.instrument.category}:
            rows += [(execution, move) for move in execution.cash if currency in {"", move.coin}]
    chosen, cursor = page(
        rows, fields, limit_default=20, limit_max=50, name=lambda row: f"{row[0].exec_id}.{row[1].coin}"
    )
    return {"list": [_log_row(*row) for row in chosen], "nextPageCursor": cursor}


def _closed_row(account: Account, fills: list[Execution]) -> JsonObject:
    order = fills[0].order
    item = order.instrument
    qty = sum((e.closing.qty for e in fills), ZERO)
    entry = sum((e.closing.cost for e in fills), ZERO)
    exits = sum((e.value * e.closing.qty / e.qty for e in fills), ZERO)
    open_fee = sum((e.closing.entry_fees for e in fills), ZERO)
    close_fee = sum((e.fee * e.closing.qty / e.qty for e in fills), ZERO)
    pnl = sum((e.pnl for e in fills), ZERO) - open_fee - close_fee
    return {
        "symbol": item.symbol,
        "orderType": order.order_type,
        "leverage": short(account.position(item, order.position_idx).leverage),
        "updatedTime": str(fills[0].time_ms),
        "side": order.side.value,
        "orderId": order.order_id,
        "closedPnl": _eight(pnl),
        "openFee": _eight(open_fee),
        "closeFee": _eight(close_fee),
        "avgEntryPrice": _eight(qty / entry if item.is_inverse else entry / qty),
        "qty": short(order.qty),
        "cumEntryValue": _eight(entry),
        "createdTime": str(order.created_ms),
        "orderPrice": item.px_text(order.px),
        "closedSize": short(qty),
        "avgExitPrice": _eight(qty / exits if item.is_inverse else exits / qty),
        "execType": fills[0].kind,
        "fillCount": str(len(fills)),
        "cumExitValue": _eight(exits),
    }


def _log_type(execution: Execution) -> str:
    return "TRADE" if execution.kind == TRADE else LOG_TYPES.get(execution.kind, "TRADE")


def _log_row(execution: Execution, move: CashMove) -> JsonObject:
    order, item = execution.order, execution.order.instrument
    funding = execution.kind == "Funding"
    fee = ZERO if funding or execution.fee_coin != move.coin else execution.fee
    return {
        "id": f"{execution.exec_id}_{move.coin}",
        "symbol": item.symbol,
        "category": item.category,
        "side": order.side.value,
        "transactionTime": str(execution.time_ms),
        "type": _log_type(execution),
        "transSubType": "",
        "qty": short(execution.qty),
        "size": short(execution.position_size),
        "currency": move.coin,
        "tradePrice": item.px_text(execution.px),
        "funding": short(-execution.fee) if funding else "",
        "fee": short(fee),
        "cashFlow": short(ZERO if funding else move.amount + fee),
        "change": short(move.amount),
        "cashBalance": short(move.balance),
        "feeRate": short(execution.fee_rate),
        "bonusChange": "",
        "tradeId": execution.exec_id,
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "extraFees": "",
    }


def _eight(value: Decimal) -> str:
    return short(value.quantize(EIGHT))
