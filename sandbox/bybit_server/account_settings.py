"""Requests that change how an account trades: leverage, modes, stops of a position, disconnect protection."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.dcp import PRODUCTS
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import parse_positive
from sandbox.bybit_server.instruments import Instrument
from sandbox.bybit_server.order_requests import (
    check_stops,
    find_market,
    read_category,
    read_position_index,
    read_stops,
)
from sandbox.bybit_server.orders import Stops
from sandbox.bybit_server.position_stops import STOP_LOSS, TAKE_PROFIT, clear_stop, put_stops, stops_of
from sandbox.bybit_server.positions import Position
from sandbox.bybit_server.refusal import RefusalError, parameter_error

ISOLATED: Final = "ISOLATED_MARGIN"
PORTFOLIO: Final = "PORTFOLIO_MARGIN"
MARGIN_MODES: Final = (ISOLATED, "REGULAR_MARGIN", PORTFOLIO)
ONE_WAY, HEDGE = 0, 3
DCP_WINDOW_S_MIN: Final = 3
DCP_WINDOW_S_MAX: Final = 300


def set_leverage(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Set the leverage of a contract; the two sides may differ only when held apart and margined apart."""
    market = find_market(exchange.markets, fields)
    item = market.instrument
    if item.is_spot:
        raise parameter_error("params error: category invalid")
    if account.margin_mode == PORTFOLIO:
        raise RefusalError(110038, "Not allowed to change leverage due to portfolio mode")
    buy, sell = (parse_positive(fields.text(name)) for name in ("buyLeverage", "sellLeverage"))
    if buy is None or sell is None or min(buy, sell) < Decimal(1):
        raise parameter_error("params error: leverage invalid")
    apart = account.is_hedged(item) and account.margin_mode == ISOLATED
    if buy != sell and not apart:
        raise parameter_error("buy leverage not equal sell leverage")
    if max(buy, sell) > item.leverage_max:
        raise RefusalError(110013, "Cannot set leverage due to risk limit level")
    wanted = [(slot, sell if slot.index == 2 else buy) for slot in account.slots(item)]
    if all(slot.leverage == leverage for slot, leverage in wanted):
        raise RefusalError(110043, "Set leverage not modified")
    for slot, leverage in wanted:
        slot.leverage = leverage
    return {}


def switch_mode(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Choose one-way or hedge mode for a symbol, or for every symbol that settles in a coin."""
    category, mode = read_category(fields), fields.whole("mode", -1, -1, HEDGE)
    if mode not in {ONE_WAY, HEDGE}:
        raise parameter_error("params error: mode invalid")
    items = _items_named(exchange, category, fields)
    hedged = mode == HEDGE
    able = [item for item in items if item.can_hedge]
    if hedged and not able:
        raise RefusalError(110029, "This symbol does not support hedge mode")
    changing = [item for item in able if account.is_hedged(item) is not hedged]
    if not changing:
        raise RefusalError(110025, "Position mode is not modified")
    for item in changing:
        if any(slot.size for slot in account.slots(item)):
            raise RefusalError(
                110024, "You have an existing position, so the position mode cannot be switched"
            )
        if account.open_count(item.key):
            raise RefusalError(110028, "There are open orders, so you cannot switch position mode")
    for item in changing:
        account.set_hedged(item, hedged=hedged)
    return {}


def trading_stop(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Put, move or take off ("0") the take-profit and stop-loss of a whole position."""
    market = find_market(exchange.markets, fields)
    item = market.instrument
    if item.is_spot:
        raise parameter_error("params error: category invalid")
    if fields.text("trailingStop") not in {"", "0"}:
        raise parameter_error("params error: trailingStop not supported")
    index = read_position_index(item, fields, hedged=account.is_hedged(item))
    position = account.position(item, index)
    side = position.side
    if side is None:
        raise parameter_error("can not set tp/sl/ts for zero position")
    before = stops_of(position)
    stops = read_stops(item, fields) or Stops()
    check_stops(stops, side, market.last_px)
    put_stops(exchange, account, position, stops)
    _take_off(exchange, position, fields)
    if stops_of(position) == before:
        raise RefusalError(34040, "not modified")
    exchange.outbox(account).moved(item, index)
    exchange.flush()
    return {}


def set_margin_mode(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Choose isolated, cross or portfolio margin for the whole account."""
    mode = fields.text("setMarginMode")
    if mode not in MARGIN_MODES:
        raise parameter_error("params error: setMarginMode invalid")
    account.margin_mode = mode
    return {}


def set_limit_px_action(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Choose whether a contract price beyond the band is moved to its edge or refused."""
    category = read_category(fields)
    if "modifyEnable" not in fields.values:
        raise parameter_error("params error: modifyEnable is required")
    account.moves_px_to_band[category] = fields.flag("modifyEnable")
    return {}


def set_disconnect_protection(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Switch disconnect protection on for a product, by default options."""
    product = fields.text("product") or "OPTIONS"
    if product not in PRODUCTS:
        raise parameter_error("params error: product invalid")
    window_s = fields.whole("timeWindow", 0, DCP_WINDOW_S_MIN, DCP_WINDOW_S_MAX)
    if not window_s:
        raise parameter_error("params error: timeWindow invalid")
    exchange.dcp.set_window(account.uid, product, window_s)
    return {}


def disconnect_protection(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer account/query-dcp-info."""
    rows: list[JsonObject] = [
        {"product": product, "dcpStatus": "ON", "timeWindow": str(window_s)}
        for product, window_s in exchange.dcp.windows_s(account.uid).items()
    ]
    return {"dcpInfos": rows}


def _items_named(exchange: Exchange, category: str, fields: Fields) -> list[Instrument]:
    symbol, coin = fields.text("symbol"), fields.text("coin")
    if symbol:
        return [find_market(exchange.markets, fields).instrument]
    if not coin:
        raise parameter_error("params error: symbol or coin is required")
    return [
        market.instrument
        for key, market in exchange.markets.items()
        if key[0] == category and market.instrument.settle_coin == coin
    ]


def _take_off(exchange: Exchange, position: Position, fields: Fields) -> None:
    for name, kind in (("takeProfit", TAKE_PROFIT), ("stopLoss", STOP_LOSS)):
        if fields.text(name) == "0":
            clear_stop(exchange, position, kind)
