"""Changing an open order: price and quantity of one that works, trigger and quantity of one that waits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.admission import (
    check_funds,
    check_live,
    price_within_band,
    promised_to_close,
    reducing_room,
)
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.order_requests import Amendment, check_stops, check_trigger, check_value
from sandbox.bybit_server.orders import Order
from sandbox.bybit_server.refusal import RefusalError, parameter_error

if TYPE_CHECKING:
    from sandbox.bybit_server.exchange import Exchange


def amend_working(
    exchange: Exchange, account: Account, market: Market, order: Order, amendment: Amendment
) -> None:
    """Change price and total quantity of a working order; it may trade on the way.

    Raises
    ------
    RefusalError
        When nothing changes, the quantity is filled already, or the rules of a new order are broken; where a
        recording is played, also while it is closed.
    """
    item = order.instrument
    if market.is_played:
        check_live(market.instrument, reduce_only=order.reduce_only)
    px, qty = order.px, order.qty
    if amendment.px is not None:
        moves = account.moves_px_to_band.get(item.category, True)
        px = price_within_band(market, order.side, amendment.px, moves=moves)
    if amendment.qty is not None:
        qty = amendment.qty
    if order.reduce_only:
        position = account.position(item, order.position_idx)
        room = reducing_room(position, promised_to_close(account, position, without=order))
        qty = min(qty, order.cum_qty + room)
    if px == order.px and qty == order.qty and amendment.stops is None:
        raise parameter_error("order not modified")
    if qty <= order.cum_qty:
        if item.is_spot:
            raise RefusalError(170313, "The quantity cannot be lower than the filled quantity.")
        raise RefusalError(110064, "The order quantity must be larger than the filled quantity")
    if not order.reduce_only:
        check_value(item, item.value(px, qty))
    if amendment.stops is not None:
        check_stops(amendment.stops, order.side, px)
    before = (order.px, order.qty, order.lots)
    order.px, order.qty, order.lots = px, qty, item.lots(qty)
    try:
        check_funds(account, order, exchange.marks())
    except RefusalError:
        order.px, order.qty, order.lots = before
        raise
    order.stops = amendment.stops or order.stops
    order.updated_ms = now_ms(exchange.clock)
    order.seq = market.next_seq()
    exchange.rework(account, market, order)


def amend_waiting(exchange: Exchange, market: Market, order: Order, amendment: Amendment) -> None:
    """Change trigger, price or quantity of a conditional order that has not woken."""
    assert order.trigger is not None
    if amendment.trigger_px is not None:
        trigger = replace(order.trigger, px=amendment.trigger_px)
        check_trigger(trigger, market.source_px(trigger.by))
        order.trigger = trigger
    if amendment.px is not None and not order.is_market:
        order.px = amendment.px
    if amendment.qty is not None and not order.closes_position:
        order.qty, order.lots = amendment.qty, order.instrument.lots(amendment.qty)
    order.updated_ms = now_ms(exchange.clock)
    order.seq = market.next_seq()
