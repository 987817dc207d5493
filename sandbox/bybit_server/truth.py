"""The venue's own books, complete and without paging: what a test compares a client's beliefs with."""

from __future__ import annotations

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.figures import short
from sandbox.bybit_server.orders import Execution, Order


def truth(exchange: Exchange) -> JsonObject:
    """Return every account in full. Figures are exact decimal strings, times are milliseconds."""
    return {
        "accounts": {
            str(uid): {**_account(account), "strategies": _strategies(exchange, uid)}
            for uid, account in exchange.accounts.items()
        }
    }


def _strategies(exchange: Exchange, uid: int) -> list[JsonObject]:
    return [
        {
            "strategyId": strategy.strategy_id,
            "strategyType": strategy.wish.kind,
            "symbol": strategy.wish.instrument.symbol,
            "side": strategy.wish.side.value,
            "size": short(strategy.wish.size),
            "executedSize": short(strategy.cum_qty),
            "open": strategy.is_open,
            "terminateType": int(strategy.ended),
            "orderIds": [sub.order_id for sub in strategy.orders],
        }
        for strategy in exchange.strategies.of[uid].values()
    ]


def _account(account: Account) -> JsonObject:
    return {
        "orders": [_order(order) for order in account.orders.values()],
        "executions": [_execution(execution) for execution in account.executions],
        "positions": [
            {
                "category": position.instrument.category,
                "symbol": position.instrument.symbol,
                "positionIdx": position.index,
                "size": short(position.size),
                "entryPrice": short(position.entry_px),
                "cumRealisedPnl": short(position.realised_pnl),
                "leverage": short(position.leverage),
            }
            for position in account.positions.values()
        ],
        "wallet": {coin: short(amount) for coin, amount in account.balances.items()},
    }


def _order(order: Order) -> JsonObject:
    return {
        "category": order.instrument.category,
        "symbol": order.instrument.symbol,
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "side": order.side.value,
        "positionIdx": order.position_idx,
        "orderType": order.order_type,
        "timeInForce": order.tif.value,
        "qty": short(order.qty),
        "price": short(order.px),
        "cumExecQty": short(order.cum_qty),
        "cumExecValue": short(order.cum_value),
        "status": order.status.value,
        "cancelType": order.cancel_type.value,
        "rejectReason": order.reject_reason.value,
        "reduceOnly": order.reduce_only,
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
    }


def _execution(execution: Execution) -> JsonObject:
    order = execution.order
    return {
        "category": order.instrument.category,
        "symbol": order.instrument.symbol,
        "execId": execution.exec_id,
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "side": order.side.value,
        "qty": short(execution.qty),
        "price": short(execution.px),
        "fee": short(execution.fee),
        "feeCoin": execution.fee_coin,
        "execType": execution.kind,
        "isMaker": execution.is_maker,
        "execTime": str(execution.time_ms),
    }
