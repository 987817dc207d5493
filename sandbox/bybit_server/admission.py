"""What stands between a well-formed wish and the book: price bands, reduce-only rules, minimum value, funds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.book import Side
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.instruments import TRADING, Instrument, SymbolKey
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.order_requests import NewOrder, check_value
from sandbox.bybit_server.orders import Order, SlippageTolerance
from sandbox.bybit_server.positions import Position
from sandbox.bybit_server.refusal import RefusalError, parameter_error

OPEN_ORDERS_MAX: Final = 500
CONDITIONAL_ORDERS_MAX: Final = 10
SPOT_CONDITIONAL_ORDERS_MAX: Final = 30
PERCENT: Final = Decimal("0.01")


def check_live(instrument: Instrument, *, reduce_only: bool) -> None:
    """Refuse an order of a symbol that is not trading; one that is winding down may still be closed."""
    if instrument.status == TRADING or (instrument.status == "Delivering" and reduce_only):
        return
    if instrument.is_spot:
        raise RefusalError(170151, "This trading pair is not available for API trading.")
    raise RefusalError(110074, "This contract is not live")


def price_within_band(market: Market, side: Side, px: Decimal, *, moves: bool = True) -> Decimal:
    """Return the limit price as the venue takes it.

    A contract's price beyond the band is moved to its edge (``moves``) or refused with 110003, as the account
    has chosen; a spot price beyond it is refused.
    """
    edge = protection_price(market, side)
    if (px - edge) * side.sign <= 0:
        return px
    if not market.instrument.is_spot:
        if not moves:
            raise RefusalError(110003, "Order price is out of permissible range")
        return edge
    if side is Side.BUY:
        raise RefusalError(170193, "Buy order price cannot be higher than the limit price.")
    raise RefusalError(170194, "Sell order price cannot be lower than the limit price.")


def protection_price(market: Market, side: Side) -> Decimal:
    """Return the worst price at which an order of this side may trade."""
    return market.buy_limit_px() if side is Side.BUY else market.sell_limit_px()


def market_price(market: Market, side: Side, slippage: SlippageTolerance | None) -> Decimal:
    """Return the limit of a market order: the edge of the band, or nearer by the slippage tolerance."""
    edge = protection_price(market, side)
    best_ticks = market.book.half(side.opposite).best()
    if slippage is None or best_ticks is None:
        return edge
    item = market.instrument
    best = item.px(best_ticks)
    reach = slippage.amount * (item.tick_size if slippage.kind == "TickSize" else best * PERCENT)
    wanted = best + side.sign * reach
    px = item.px(max(1, item.ticks(wanted)))
    if side is Side.SELL and px < wanted:
        px += item.tick
    return min(px, edge) if side is Side.BUY else max(px, edge)


def admitted_lots(
    market: Market, position: Position | None, promised_qty: Decimal, wish: NewOrder, px: Decimal
) -> tuple[Decimal, int]:
    """Return quantity and lots of a new order.

    A reduce-only quantity is cut down to what can be reduced: the position less ``promised_qty``, which other
    reduce-only orders will close. An order by value gets the lots its amount can buy right now, possibly none.

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
    if wish.reduce_only and position is not None:
        qty = _reducing_qty(position, promised_qty, wish)
    else:
        check_value(item, item.value(market.mark_px if wish.px is None else px, qty))
    if wish.px is None and not item.is_spot and not market.book.fillable_lots(wish.side, ticks, 1):
        band = f"[{int(market.buy_limit_px() * 10**4)},{int(market.sell_limit_px() * 10**4)}]"
        raise parameter_error(f" [{wish.link_id}]{wish.side.lower()}: {band} invalid")
    return qty, item.lots(qty)


def promised_to_close(account: Account, position: Position, without: Order | None = None) -> Decimal:
    """Return how much of a position reduce-only orders (but ``without``) have promised to close."""
    return sum(
        (
            order.leaves_qty
            for order in account.open_in(position.instrument.key)
            if order.reduce_only
            and order.is_working
            and order.position_idx == position.index
            and order is not without
        ),
        ZERO,
    )


def reducing_room(position: Position, promised_qty: Decimal) -> Decimal:
    """Return how much of the position is not promised to be closed yet.

    Raises
    ------
    RefusalError
        110017 when there is nothing left to reduce.
    """
    room = abs(position.size) - promised_qty
    if room <= 0:
        raise RefusalError(110017, "orderQty will be truncated to zero.")
    return room


def check_open_orders(account: Account, instrument: Instrument, *, conditional: bool) -> None:
    """Refuse an order when the account already has as many open ones as the venue allows."""
    if conditional:
        waiting = sum(1 for order in account.open_in(instrument.key) if not order.is_working)
        if not instrument.is_spot and waiting >= CONDITIONAL_ORDERS_MAX:
            raise RefusalError(110009, "The number of stop orders exceeds the maximum allowable limit")
        if instrument.is_spot and waiting >= SPOT_CONDITIONAL_ORDERS_MAX:
            raise RefusalError(170810, "Cannot exceed maximum of 30 conditional orders.")
    elif instrument.is_spot:
        if sum(1 for order in account.open_orders.values() if order.instrument.is_spot) >= OPEN_ORDERS_MAX:
            raise RefusalError(170810, "Cannot exceed maximum of 500 conditional, TP/SL and active orders.")
    elif account.open_count(instrument.key) >= OPEN_ORDERS_MAX:
        working = sum(1 for order in account.open_in(instrument.key) if order.is_working)
        if working >= OPEN_ORDERS_MAX:
            raise RefusalError(110020, "Not allowed to have more than 500 active orders")


def check_funds(account: Account, order: Order, marks: Mapping[SymbolKey, Decimal]) -> None:
    """Refuse an order that the account could not pay for; the order counts as if it worked already."""
    if order.instrument.is_spot:
        _check_spot_funds(account, order)
    elif not order.reduce_only:
        _check_margin(account, order, marks)


def _reducing_qty(position: Position, promised_qty: Decimal, wish: NewOrder) -> Decimal:
    if not position.size:
        raise RefusalError(110017, "current position is zero, cannot fix reduce-only order qty")
    if position.side is wish.side:
        raise RefusalError(110017, "Reduce-only rule not satisfied")
    room = reducing_room(position, promised_qty)
    return min(wish.qty or room, room)


def _check_spot_funds(account: Account, order: Order) -> None:
    item = order.instrument
    is_buy = order.side is Side.BUY
    coin = item.quote_coin if is_buy else item.base_coin
    held = account.locked(coin)
    if order.by_value:
        held += order.qty if is_buy else item.qty(order.lots)
    elif order.order_id not in account.open_orders or not order.is_working:
        held += order.leaves_qty * order.px if is_buy else order.leaves_qty
    if account.balances.get(coin, ZERO) < held:
        raise RefusalError(170131, "Insufficient balance.")


def _check_margin(account: Account, order: Order, marks: Mapping[SymbolKey, Decimal]) -> None:
    item = order.instrument
    position = account.position(item, order.position_idx)
    before = account.margin_use(position, without=order).orders
    after = account.margin_use(position, plus=order).orders
    if after <= before:
        return
    is_listed = order.order_id in account.open_orders and order.is_working
    free = account.available(item.settle_coin, marks) - (ZERO if is_listed else after - before)
    if free - order.leaves_value * item.taker_rate < 0:
        raise RefusalError(110007, "ab not enough for new order")
