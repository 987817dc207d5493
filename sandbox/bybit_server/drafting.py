"""From a well-formed wish to orders that may enter the book: limits, bands, quantities and funds of the account."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.admission import (
    admitted_lots,
    check_funds,
    check_live,
    check_open_orders,
    market_price,
    price_within_band,
    promised_to_close,
)
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.order_requests import NewOrder, check_stops, find_market, read_new_order
from sandbox.bybit_server.orders import Order, Status
from sandbox.bybit_server.refusal import RefusalError

if TYPE_CHECKING:
    from sandbox.bybit_server.exchange import Exchange


def draft_orders(exchange: Exchange, account: Account, fields: Fields) -> list[Order]:
    """Return the orders a create request makes: one, or several when a closing order is too large for one."""
    market = find_market(exchange.markets, fields)
    item = market.instrument
    wish = read_new_order(market, fields, hedged=account.is_hedged(item))
    check_live(item, reduce_only=wish.reduce_only)
    if wish.link_id and wish.link_id in account.by_link:
        raise RefusalError(110072, "OrderLinkedID is duplicate")
    check_open_orders(account, item, conditional=wish.trigger is not None)
    if wish.stops is not None:
        check_stops(wish.stops, wish.side, wish.px or market.last_px)
    if wish.trigger is not None:
        return [_draft(exchange, account, market, wish, wish.px or ZERO, wish.qty, item.lots(wish.qty))]
    px = _admitted_px(account, market, wish)
    position = None if item.is_spot else account.position(item, wish.position_idx)
    promised = ZERO if position is None or not wish.reduce_only else promised_to_close(account, position)
    qty, lots = admitted_lots(market, position, promised, wish, px)
    qty_max = item.market_qty_max if wish.px is None else item.limit_qty_max
    if not wish.reduce_only or qty <= qty_max:
        order = _draft(exchange, account, market, wish, px, qty, lots)
        check_funds(account, order, exchange.marks())
        return [order]
    parts = [qty_max] * int(qty // qty_max) + ([qty % qty_max] if qty % qty_max else [])
    return [_draft(exchange, account, market, wish, px, part, item.lots(part)) for part in parts]


def _admitted_px(account: Account, market: Market, wish: NewOrder) -> Decimal:
    if wish.px is None:
        return market_price(market, wish.side, wish.slippage)
    moves = account.moves_px_to_band.get(market.instrument.category, True)
    return price_within_band(market, wish.side, wish.px, moves=moves)


def _draft(
    exchange: Exchange, account: Account, market: Market, wish: NewOrder, px: Decimal, qty: Decimal, lots: int
) -> Order:
    item = market.instrument
    order_id = exchange.ids.order_id(item.category)
    stamp_ms = now_ms(exchange.clock)
    return Order(
        order_id=order_id,
        link_id=wish.link_id or (str(int(order_id) + 1) if item.is_spot else ""),
        uid=account.uid,
        instrument=item,
        side=wish.side,
        order_type="Market" if wish.px is None else "Limit",
        tif=wish.tif,
        px=px,
        qty=qty,
        lots=lots,
        reduce_only=wish.reduce_only,
        close_on_trigger=wish.close_on_trigger,
        market_unit=wish.market_unit,
        smp_type=wish.smp_type,
        position_idx=wish.position_idx,
        order_filter=wish.order_filter,
        stop_order_type="" if wish.trigger is None else _stop_order_type(wish.order_filter),
        trigger=wish.trigger,
        stops=wish.stops,
        slippage=wish.slippage,
        status=Status.NEW if wish.trigger is None else Status.UNTRIGGERED,
        created_ms=stamp_ms,
        updated_ms=stamp_ms,
        last_px_on_created=market.last_px,
        seq=market.next_seq(),
    )


def pre_check(exchange: Exchange, account: Account, fields: Fields) -> JsonObject:
    """Check an order without placing it; the margin rates are in units of 0.01 %."""
    order = draft_orders(exchange, account, fields)[0]
    marks = exchange.marks()
    coin = order.instrument.settle_coin
    equity = account.equity(coin, marks)
    use = account.margins(coin)
    before = use.position + use.orders
    after = before
    if not order.instrument.is_spot and not order.reduce_only:
        position = account.position(order.instrument, order.position_idx)
        after += account.margin_use(position, plus=order).orders - account.margin_use(position).orders

    def rate_e4(margin: Decimal) -> int:
        return int(margin / equity * 10**4) if equity > 0 else 0

    return {
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "preImrE4": rate_e4(before),
        "preMmrE4": rate_e4(before / 20),
        "postImrE4": rate_e4(after),
        "postMmrE4": rate_e4(after / 20),
    }


def _stop_order_type(order_filter: str) -> str:
    return "tpslOrder" if order_filter == "tpslOrder" else "Stop"
