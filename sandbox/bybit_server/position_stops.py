"""Take-profit and stop-loss of a whole position: conditional market orders that close it and go when it goes.

The venue keeps them as orders of its own making, one of each kind for a position (mode Full).
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.orders import CancelType, Order, RejectReason, Status, Stops, Trigger
from sandbox.bybit_server.positions import Position

if TYPE_CHECKING:
    from sandbox.bybit_server.exchange import Exchange

TAKE_PROFIT = "TakeProfit"
STOP_LOSS = "StopLoss"


def put_stops(exchange: Exchange, account: Account, position: Position, stops: Stops) -> None:
    """Put stops on a position that is not flat; a price of None leaves that kind as it is."""
    if stops.take_profit_px is not None:
        put_stop(exchange, account, position, TAKE_PROFIT, stops.take_profit_px, stops.take_profit_by)
    if stops.stop_loss_px is not None:
        put_stop(exchange, account, position, STOP_LOSS, stops.stop_loss_px, stops.stop_loss_by)


def put_stop(
    exchange: Exchange, account: Account, position: Position, kind: str, px: Decimal, by: str
) -> None:
    """Put one kind of stop on a position, or move the one that is there."""
    side = position.side
    assert side is not None
    trigger = Trigger(px=px, rises=(side.sign > 0) is (kind == TAKE_PROFIT), by=by)
    order = _stop(position, kind)
    if order is not None:
        order.trigger = trigger
        order.updated_ms = now_ms(exchange.clock)
        exchange.changed(order)
        return
    market = exchange.markets[position.instrument.key]
    order = exchange.new_order(
        account, market, side.opposite, abs(position.size), Decimal(0), position_idx=position.index
    )
    order.reduce_only = order.close_on_trigger = True
    order.create_type = f"CreateBy{kind}"
    order.stop_order_type = kind
    order.order_filter = "StopOrder"
    order.trigger = trigger
    order.status = Status.UNTRIGGERED
    if kind == TAKE_PROFIT:
        position.take_profit = order
    else:
        position.stop_loss = order
    exchange.wait_for_trigger(account, order)


def clear_stop(exchange: Exchange, position: Position, kind: str) -> None:
    """Take one kind of stop off a position."""
    order = _stop(position, kind)
    if order is not None and order.status is Status.UNTRIGGERED:
        exchange.cancel_order(order, CancelType.BY_TP_SL_TS_CLEAR, RejectReason.NO_ERROR)


def follow_position(exchange: Exchange, position: Position) -> None:
    """Let the stops have the size of their position, and go when it is flat or has turned round."""
    for kind in (TAKE_PROFIT, STOP_LOSS):
        order = _stop(position, kind)
        if order is None or order.status is not Status.UNTRIGGERED:
            continue
        size = abs(position.size)
        if not size or position.side is order.side:
            clear_stop(exchange, position, kind)
        elif order.qty != size:
            order.qty, order.lots = size, order.instrument.lots(size)
            order.updated_ms = now_ms(exchange.clock)
            exchange.changed(order)


def forget_stop(account: Account, order: Order) -> None:
    """Note that a stop has ended, by whatever cause."""
    position = account.position(order.instrument, order.position_idx)
    if position.take_profit is order:
        position.take_profit = None
    if position.stop_loss is order:
        position.stop_loss = None


def stops_of(position: Position) -> Stops:
    """Return the stops that a position has."""
    stops = Stops()
    profit, loss = position.take_profit, position.stop_loss
    if profit is not None and profit.trigger is not None:
        stops = replace(stops, take_profit_px=profit.trigger.px, take_profit_by=profit.trigger.by)
    if loss is not None and loss.trigger is not None:
        stops = replace(stops, stop_loss_px=loss.trigger.px, stop_loss_by=loss.trigger.by)
    return stops


def _stop(position: Position, kind: str) -> Order | None:
    return position.take_profit if kind == TAKE_PROFIT else position.stop_loss
