"""Requests that change how an account trades: leverage and position mode."""

from __future__ import annotations

from decimal import Decimal

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import parse_positive
from sandbox.bybit_server.order_requests import find_market
from sandbox.bybit_server.refusal import RefusalError, parameter_error


def set_leverage(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Set the leverage of a contract, equal for both sides in one-way mode."""
    market = find_market(exchange.markets, fields)
    if market.instrument.is_spot:
        raise parameter_error("params error: category invalid")
    buy, sell = (parse_positive(fields.text(name)) for name in ("buyLeverage", "sellLeverage"))
    if buy is None or sell is None or buy < Decimal(1):
        raise parameter_error("params error: leverage invalid")
    if buy != sell:
        raise parameter_error("buy leverage not equal sell leverage")
    if buy > market.instrument.leverage_max:
        raise RefusalError(110013, "Cannot set leverage due to risk limit level")
    position = account.position(market.instrument)
    if position.leverage == buy:
        raise RefusalError(110043, "Set leverage not modified")
    position.leverage = buy
    return {}


def switch_mode(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Answer a change of position mode: this venue knows one-way mode only."""
    if fields.whole("mode", 0, 0, 3) == 0:
        raise RefusalError(110025, "Position mode is not modified")
    if any(position.size for position in account.positions.values()):
        raise RefusalError(110024, "You have an existing position, so position mode cannot be switched")
    raise RefusalError(110029, "This symbol does not support hedge mode")
