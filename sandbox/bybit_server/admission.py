"""What stands between a well-formed wish and the book: price bands, reduce-only rules, minimum value, funds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.book import Side
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.instruments import Instrument, SymbolKey
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.order_requests import NewOrder, check_value
from sandbox.bybit_server.orders import Order
from sandbox.bybit_server.refusal import RefusalError, parameter_error

OPEN_ORDERS_MAX: Final = 500


def price_within_band(market: Market, side: Side, px: Decimal) -> Decimal:
    """Return the limit price as the venue takes it.

    A contract's price beyond the band is moved to its edge; a spot price beyond it is refused.
    """
    edge = protection_price(market, side)
    if (px - edge) * side.sign <= 0:
        return px
    if not market.instrument.is_spot:
        return edge
    if side is Side.BUY:
        raise RefusalError(170193, "Buy order price cannot be higher than the limit price.")
    raise RefusalError(170194, "Sell order price cannot be lower than the limit price.")


def protection_price(market: Market, side: Side) -> Decimal:
    """Return the worst price at which an order of this side may trade."""
    return market.buy_limit_px() if side is Side.BUY else market.sell_limit_px()


def admitted_lots(market: Market, account: Account, wish: NewOrder, px: Decimal) -> tuple[Decimal, int]:
    """Return quantity and lots of a new order.

    A reduce-only quantity is cut down to what can be reduced. An order by value gets the lots its amount can
    buy right now, possibly none.

    Raises
    ------
    RefusalError
        Reduce-only breach, value below the minimum, or a contract market order with nothing to trade against.
    """
    item = market.instrument
    ticks = item.ticks(px)
    if wish.by_value:
        budget = int(wish.qty // (item.tick * item.step))
        return wish.qty, market.book.affordable_lots(wish.side, ticks, budget)
    qty = wish.qty
    if wish.reduce_only:
        qty = _reducing_qty(account, item, wish)
    else:
        check_value(item, qty * (market.mark_px if wish.px is None else px))
    if wish.px is None and not item.is_spot and not market.book.fillable_lots(wish.side, ticks, 1):
        band = f"[{int(market.buy_limit_px() * 10**4)},{int(market.sell_limit_px() * 10**4)}]"
        raise parameter_error(f" [{account.uid}]{wish.side.lower()}: {band} invalid")
    return qty, item.lots(qty)


def reducing_room(account: Account, instrument: Instrument, without: Order | None = None) -> Decimal:
    """Return how much of the position no reduce-only order (but ``without``) has promised to close yet.

    Raises
    ------
    RefusalError
        110017 when there is nothing left to reduce.
    """
    promised = sum(
        (o.leaves_qty for o in account.open_in(instrument.key) if o.reduce_only and o is not without), ZERO
    )
    room = abs(account.position(instrument).size) - promised
    if room <= 0:
        raise RefusalError(110017, "orderQty will be truncated to zero.")
    return room


def check_open_orders(account: Account, instrument: Instrument) -> None:
    """Refuse an order when the account already has as many working ones as the venue allows."""
    if instrument.is_spot:
        working = sum(1 for order in account.open_orders.values() if order.instrument.is_spot)
        if working >= OPEN_ORDERS_MAX:
            raise RefusalError(170810, "Cannot exceed maximum of 500 conditional, TP/SL and active orders.")
    elif len(account.open_in(instrument.key)) >= OPEN_ORDERS_MAX:
        raise RefusalError(110020, "Not allowed to have more than 500 active orders")


def check_funds(account: Account, order: Order, marks: Mapping[SymbolKey, Decimal]) -> None:
    """Refuse an order that the account could not pay for; the order counts as if it worked already."""
    if order.instrument.is_spot:
        _check_spot_funds(account, order)
    elif not order.reduce_only:
        _check_margin(account, order, marks)


def _reducing_qty(account: Account, instrument: Instrument, wish: NewOrder) -> Decimal:
    position = account.position(instrument)
    if not position.size:
        raise RefusalError(110017, "current position is zero, cannot fix reduce-only order qty")
    if position.side is wish.side:
        raise RefusalError(110017, "Reduce-only rule not satisfied")
    room = reducing_room(account, instrument)
    return min(wish.qty or room, room)


def _check_spot_funds(account: Account, order: Order) -> None:
    item = order.instrument
    coin = item.quote_coin if order.side is Side.BUY else item.base_coin
    if order.by_value:
        need = order.qty if order.side is Side.BUY else item.qty(order.lots)
        held = account.locked(coin) + need
    else:
        held = _locked_with(account, order, coin)
    if account.balances.get(coin, ZERO) < held:
        raise RefusalError(170131, "Insufficient balance.")


def _check_margin(account: Account, order: Order, marks: Mapping[SymbolKey, Decimal]) -> None:
    item = order.instrument
    account.position(item)
    listed = account.open_orders.pop(order.order_id, None)
    free_before = account.available(item.quote_coin, marks)
    account.open_orders[order.order_id] = order
    free_after = account.available(item.quote_coin, marks)
    if listed is None:
        del account.open_orders[order.order_id]
    fee = order.leaves_qty * order.px * item.taker_rate
    if free_after - fee < 0 and free_after < free_before:
        raise RefusalError(110007, "ab not enough for new order")


def _locked_with(account: Account, order: Order, coin: str) -> Decimal:
    listed = order.order_id in account.open_orders
    account.open_orders[order.order_id] = order
    held = account.locked(coin)
    if not listed:
        del account.open_orders[order.order_id]
    return held
