"""What a client may do to strategy orders and read about them: create, stop, the list, and the orders of one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, TypeVar

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import short
from sandbox.bybit_server.paging import page
from sandbox.bybit_server.refusal import parameter_error
from sandbox.bybit_server.strategies import POV, REMARKS, TWAP, State, Strategy, SubOrder
from sandbox.bybit_server.strategy_requests import family

T = TypeVar("T")

PAGE_DEFAULT: Final = 20
PAGE_MAX: Final = 50
_SECONDS_MAX: Final = 10**11
_CENT: Final = Decimal("0.01")


def create_strategy(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer strategy/create."""
    return exchange.strategies.create(account, fields)


def stop_strategy(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer strategy/stop."""
    return exchange.strategies.stop(account, fields)


def list_strategies(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer strategy/list: newest first, narrowed by id, symbol, status, family, kind and time of creation."""
    begin_ms, end_ms = _window(fields)
    status = fields.text("status")
    chosen = []
    for strategy in reversed(exchange.strategies.of[account.uid].values()):
        wish = strategy.wish
        facts = (
            ("strategyId", strategy.strategy_id),
            ("symbol", wish.instrument.symbol),
            ("category", family(wish.instrument)),
            ("strategyType", wish.kind),
        )
        if any(fields.text(name) not in {"", fact} for name, fact in facts):
            continue
        if status not in {"", str(int(strategy.state))} or not begin_ms <= strategy.created_ms <= end_ms:
            continue
        chosen.append(strategy)
    rows, cursor = _page(chosen, fields, [strategy.strategy_id for strategy in chosen])
    return {"list": [_strategy_row(strategy) for strategy in rows], "nextCursor": cursor, "prevCursor": ""}


def list_strategy_orders(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer strategy/order-list: the orders that one strategy has made, newest first."""
    strategy_id = fields.text("strategyId")
    if not strategy_id:
        raise parameter_error("params error: strategyId is required")
    strategy = exchange.strategies.of[account.uid].get(strategy_id)
    begin_ms, end_ms = _window(fields)
    status = fields.text("status")
    chosen = [
        sub
        for sub in reversed([] if strategy is None else strategy.orders)
        if status in {"", str(sub.status)} and begin_ms <= sub.created_ms <= end_ms
    ]
    rows, cursor = _page(chosen, fields, [sub.order_id for sub in chosen])
    return {
        "list": [] if strategy is None else [_order_row(strategy, sub) for sub in rows],
        "nextCursor": cursor,
        "prevCursor": "",
    }


def _page(rows: Sequence[T], fields: Fields, names: list[str]) -> tuple[Sequence[T], str]:
    """Cut out one page; these endpoints call the limit ``pageSize``."""
    asked = Fields({"limit": fields.text("pageSize"), "cursor": fields.text("cursor")})
    places = dict(zip(map(id, rows), names, strict=True))
    return page(rows, asked, limit_default=PAGE_DEFAULT, limit_max=PAGE_MAX, name=lambda row: places[id(row)])


def _window(fields: Fields) -> tuple[int, int]:
    begin_s = fields.whole("beginTimeE0", 0, 0, _SECONDS_MAX)
    end_s = fields.whole("endTimeE0", _SECONDS_MAX, 0, _SECONDS_MAX)
    return begin_s * 1000, end_s * 1000 + 999


def _strategy_row(strategy: Strategy) -> JsonObject:
    wish = strategy.wish
    item = wish.instrument
    cum_qty, cum_value = strategy.cum_qty, strategy.cum_value
    average = (cum_qty / cum_value if item.is_inverse else cum_value / cum_qty) if cum_value else None
    ended_ms = strategy.ended_ms or strategy.updated_ms
    is_twap = wish.kind == TWAP
    row: JsonObject = {
        "strategyId": strategy.strategy_id,
        "category": family(item),
        "symbol": item.symbol,
        "side": wish.side.value,
        "size": short(wish.size),
        "duration": wish.duration_s,
        "status": int(strategy.state),
        "executedDuration": (ended_ms - strategy.started_ms) // 1000
        if is_twap and strategy.started_ms
        else 0,
        "executedSize": short(cum_qty),
        "executedAvgPrice": "" if average is None else short(average.quantize(_CENT)),
        "executedStartTimeE3": str(strategy.started_ms),
        "executedEndTimeE3": str(strategy.ended_ms),
        "createdTimeE3": str(strategy.created_ms),
        "updatedTimeE3": str(strategy.updated_ms),
        "isRandom": wish.is_random,
        "limitPrice": "" if wish.limit_px is None else item.px_text(wish.limit_px),
        "reduceOnly": wish.reduce_only,
        "terminateType": int(strategy.ended),
        "terminateRemark": REMARKS[strategy.ended],
        "strategyName": "",
        "triggerCount": str(len(strategy.orders)),
        "tradingCount": "0",
        "realizedPnl": "0",
        "strategyType": wish.kind,
        "chasePrice": "Bid1" if wish.side.sign > 0 else "Ask1",
        "chasePercentE4": str(wish.distance_e4 or 0),
        "chaseDistance": "-1" if wish.takes else "0" if wish.distance is None else short(wish.distance),
        "maxChasePrice": "" if wish.guard_px is None else item.px_text(wish.guard_px),
        "chaseOrderPrice": "",
        "arbitrageOrders": [],
        "strategyPrefer": "limit" if wish.limit_px is not None else "quickExecution",
        "isRebalance": False,
        "interval": wish.interval_s or 30,
        "leverageType": 0,
        # 1 is post-only when listing, although 0 is when creating.
        "postOnly": int(wish.post_only),
        "triggerPrice": "0" if wish.trigger is None else item.px_text(wish.trigger.px),
        "isTriggered": wish.trigger is not None and strategy.state is not State.UNTRIGGERED,
        "strategyTp": "",
        "strategySl": "",
        "orderType": "UNKNOWN",
        "orderPriceOffset": "",
        "positionValue": "",
        "filledPositionValue": "",
    }
    if wish.kind == POV:
        row["povParams"] = {
            "mode": wish.mode,
            "participationRate": short(wish.rate_pct),
            "referenceWindow": str(wish.window_s),
            "depthReference": wish.depth,
        }
    return row


def _order_row(strategy: Strategy, sub: SubOrder) -> JsonObject:
    wish, order = strategy.wish, sub.order
    item = wish.instrument
    is_market = order is None or order.is_market
    dealt_ms = order.executions[-1].time_ms if order is not None and order.executions else 0
    return {
        "strategyId": strategy.strategy_id,
        "orderId": sub.order_id,
        "symbol": item.symbol,
        "side": wish.side.value,
        "size": short(sub.qty),
        "price": "" if is_market or order is None else item.px_text(order.px),
        "status": str(sub.status),
        "executedSize": short(sub.cum_qty),
        "dealTimeE3": str(dealt_ms),
        "parentOrderId": sub.retry_of,
        "createdTimeE3": str(sub.created_ms),
        "updatedTimeE3": str(sub.created_ms if order is None else order.updated_ms),
        "code": sub.code,
        "msg": sub.text,
        "category": family(item),
        "positionIdx": wish.position_idx,
        "leverageType": 0,
        "tpPrice": "",
        "slPrice": "",
        "orderType": "UNKNOWN",
        "orderPriceOffset": "0",
        "positionValue": "",
        "filledPositionValue": "",
    }
