"""What a client may read about its own account."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import short
from sandbox.bybit_server.instruments import Instrument
from sandbox.bybit_server.order_requests import read_category
from sandbox.bybit_server.orders import Execution, Order
from sandbox.bybit_server.paging import page
from sandbox.bybit_server.private_shapes import execution_shape, order_shape, position_shape, wallet_shape
from sandbox.bybit_server.refusal import parameter_error

WEEK_MS: Final = 7 * 24 * 3600 * 1000
DAY_MS: Final = 24 * 3600 * 1000
MILLISECONDS_MAX: Final = 10**14


def open_orders(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer order/realtime: working orders, or the most recent closed ones; by id, either."""
    category = read_category(fields)
    visible_ms = now_ms(exchange.clock) - exchange.query_lag_ms
    by_id = _by_id(account, category, fields)
    if by_id is not None:
        recent = account.recent_closed[category]
        rows = [o for o in by_id if o.created_ms <= visible_ms and (o.is_open or o in recent)]
        return _order_page(category, rows, fields)
    named = any(fields.text(name) for name in ("symbol", "baseCoin", "settleCoin"))
    if category == "linear" and not named:
        raise parameter_error("params error: symbol, settleCoin or baseCoin is required")
    closed = fields.whole("openOnly", 0, 0, 2) != 0
    source: Iterable[Order] = account.recent_closed[category] if closed else account.open_orders.values()
    rows = [o for o in source if o.instrument.category == category and o.created_ms <= visible_ms]
    return _order_page(category, [o for o in rows if _selected(o.instrument, fields)], fields)


def order_history(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer order/history: ended orders inside a time window; unfilled ones are forgotten after a day."""
    category = read_category(fields)
    start_ms, end_ms = _window(exchange, fields)
    status = fields.text("orderStatus")
    server_ms = now_ms(exchange.clock)
    visible_ms, day_ago_ms = server_ms - exchange.query_lag_ms, server_ms - DAY_MS
    by_id = _by_id(account, category, fields)
    rows = [
        order
        for order in (account.orders.values() if by_id is None else by_id)
        if not order.is_open
        and order.updated_ms <= visible_ms
        and order.instrument.category == category
        and (order.cum_lots or order.updated_ms >= day_ago_ms)
        and (
            by_id is not None
            or (_selected(order.instrument, fields) and start_ms <= order.created_ms <= end_ms)
        )
        and (not status or order.status.value == status)
    ]
    return _order_page(category, rows, fields)


def executions(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer execution/list, newest first. With an order named, every other filter is ignored."""
    category = read_category(fields)
    start_ms, end_ms = _window(exchange, fields)
    order_id, link_id, kind = (fields.text(name) for name in ("orderId", "orderLinkId", "execType"))
    visible_ms = now_ms(exchange.clock) - exchange.query_lag_ms
    rows: list[Execution] = []
    for execution in reversed(account.executions):
        order = execution.order
        if order.instrument.category != category or execution.time_ms > visible_ms:
            continue
        if order_id or link_id:
            wanted = order.order_id == order_id if order_id else order.link_id == link_id
        else:
            in_window = start_ms <= execution.time_ms <= end_ms
            wanted = in_window and kind in {"", "Trade"} and _selected(order.instrument, fields)
        if wanted:
            rows.append(execution)
    chosen, cursor = page(
        rows, fields, limit_default=50, limit_max=100, name=lambda e: f"{e.exec_id}.{e.order.order_id}"
    )
    return {"category": category, "list": [execution_shape(e) for e in chosen], "nextPageCursor": cursor}


def positions(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer position/list: a flat row too when the symbol is named, else what is not flat."""
    category = read_category(fields)
    if category == "spot":
        raise parameter_error("params error: category invalid")
    symbol, settle = fields.text("symbol"), fields.text("settleCoin")
    if category == "linear" and not (symbol or settle):
        raise parameter_error("params error: symbol or settleCoin is required")
    if symbol:
        market = exchange.markets.get((category, symbol))
        if market is None:
            raise parameter_error("params error: symbol invalid")
        rows = [account.position(market.instrument)]
    else:
        rows = [
            position
            for position in account.positions.values()
            if position.size
            and position.instrument.category == category
            and settle in {"", position.instrument.quote_coin}
        ]
    marks = exchange.marks()
    chosen, cursor = page(
        rows, fields, limit_default=20, limit_max=200, name=lambda p: f"{p.instrument.symbol}.{p.index}"
    )
    shapes = [position_shape(account, p, marks[p.instrument.key]) for p in chosen]
    return {"category": category, "list": shapes, "nextPageCursor": cursor}


def wallet_balance(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer account/wallet-balance for the coins named, or for all that are not zero."""
    if fields.text("accountType") != "UNIFIED":
        raise parameter_error("accountType only support UNIFIED.")
    named = [coin for coin in fields.text("coin").split(",") if coin]
    coins = named or [coin for coin, amount in account.balances.items() if amount]
    for coin in named:
        account.credit(coin, Decimal(0))
    return {"list": [wallet_shape(account, exchange.marks(), coins)]}


def fee_rate(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer account/fee-rate."""
    category = read_category(fields)
    symbol = fields.text("symbol")
    rows: list[JsonObject] = [
        {
            "symbol": market.instrument.symbol,
            "takerFeeRate": short(market.instrument.taker_rate),
            "makerFeeRate": short(market.instrument.maker_rate),
        }
        for key, market in exchange.markets.items()
        if key[0] == category and symbol in {"", key[1]}
    ]
    if symbol and not rows:
        raise parameter_error("params error: symbol invalid")
    return {"category": category, "list": rows} if category == "spot" else {"list": rows}


def account_info(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer account/info."""
    return {
        "marginMode": "REGULAR_MARGIN",
        "updatedTime": "1697078946000",
        "unifiedMarginStatus": 6,
        "dcpStatus": "OFF",
        "timeWindow": 0,
        "smpGroup": 0,
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
    }


def key_info(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer user/query-api."""
    return {
        "id": "13770661",
        "note": "sandbox",
        "apiKey": next(key for key, entry in exchange.keys.items() if entry.uid == account.uid),
        "readOnly": 0,
        "secret": "",
        "permissions": {
            "ContractTrade": ["Order", "Position"],
            "Spot": ["SpotTrade"],
            "Wallet": [],
            "Options": [],
            "Derivatives": ["DerivativesTrade"],
        },
        "ips": ["*"],
        "type": 1,
        "deadlineDay": 83,
        "expiredAt": "2099-05-15T03:21:05Z",
        "createdAt": "2022-10-16T02:24:40Z",
        "unified": 0,
        "uta": 1,
        "userID": account.uid,
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": "",
        "isMaster": True,
        "parentUid": "0",
        "kycLevel": "LEVEL_DEFAULT",
        "kycRegion": "",
    }


def coin_info(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer asset/coin/query-info with one chain per coin."""
    wanted = fields.text("coin")
    coins = sorted(
        {market.instrument.base_coin for market in exchange.markets.values()}
        | {market.instrument.quote_coin for market in exchange.markets.values()}
    )
    rows: list[JsonObject] = [
        {
            "name": coin,
            "coin": coin,
            "remainAmount": "10000000",
            "chains": [
                {
                    "chainType": coin,
                    "confirmation": "6",
                    "withdrawFee": "0",
                    "depositMin": "0",
                    "withdrawMin": "0",
                    "minAccuracy": "8",
                    "chain": coin,
                    "chainDeposit": "1",
                    "chainWithdraw": "1",
                    "withdrawPercentageFee": "0",
                    "contractAddress": "",
                    "safeConfirmNumber": "6",
                }
            ],
        }
        for coin in coins
        if wanted in {"", coin}
    ]
    return {"rows": rows}


def _by_id(account: Account, category: str, fields: Fields) -> list[Order] | None:
    """Return the order an id names (the venue's id wins), or None when no id is given."""
    order_id, link_id = fields.text("orderId"), fields.text("orderLinkId")
    if not (order_id or link_id):
        return None
    order = account.orders.get(order_id) if order_id else account.by_link.get(link_id)
    return [] if order is None or order.instrument.category != category else [order]


def _selected(instrument: Instrument, fields: Fields) -> bool:
    symbol, base, settle = (fields.text(name) for name in ("symbol", "baseCoin", "settleCoin"))
    if symbol:
        return instrument.symbol == symbol
    return base in {"", instrument.base_coin} and settle in {"", instrument.quote_coin}


def _window(exchange: Exchange, fields: Fields) -> tuple[int, int]:
    """Return the time window asked for, at most seven days, by default the last seven."""
    server_ms = now_ms(exchange.clock)
    start_ms = fields.whole("startTime", 0, 0, MILLISECONDS_MAX)
    end_ms = fields.whole("endTime", 0, 0, MILLISECONDS_MAX)
    if start_ms and end_ms and end_ms - start_ms > WEEK_MS:
        raise parameter_error("The time range between startTime and endTime cannot exceed 7 days.")
    if not start_ms and not end_ms:
        return server_ms - WEEK_MS, server_ms
    return start_ms or end_ms - WEEK_MS, end_ms or start_ms + WEEK_MS


def _order_page(category: str, rows: list[Order], fields: Fields) -> JsonObject:
    newest_first = sorted(rows, key=lambda order: order.created_ms)[::-1]
    chosen, cursor = page(
        newest_first, fields, limit_default=20, limit_max=50, name=lambda order: order.order_id
    )
    return {"category": category, "list": [order_shape(order) for order in chosen], "nextPageCursor": cursor}
