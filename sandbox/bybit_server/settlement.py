"""What one fill does to one client: fee, position or coins, and the order's own count."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.book import Side
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.market import Market, PublicTrade
from sandbox.bybit_server.orders import Execution, Order

FEE_PLACES: Final = Decimal("1E-10")


def settle_fill(
    account: Account, market: Market, order: Order, trade: PublicTrade, *, is_maker: bool
) -> Execution:
    """Book one fill and return its execution record.

    On spot the buyer pays the fee in base coin and the seller in quote coin; on contracts both pay in quote.
    """
    item = order.instrument
    rate = item.maker_rate if is_maker else item.taker_rate
    value = trade.px * trade.qty
    closed, pnl = ZERO, ZERO
    fee_coin = item.quote_coin
    fee = (value * rate).quantize(FEE_PLACES)
    if not item.is_spot:
        position = account.position(item)
        closed, pnl = position.apply(order.side, trade.qty, trade.px, trade.time_ms, trade.seq)
        position.book_pnl(pnl - fee)
        account.credit(fee_coin, pnl - fee)
        account.realised[fee_coin] = account.realised.get(fee_coin, ZERO) + pnl - fee
        order.closed_pnl += pnl
    elif order.side is Side.BUY:
        fee_coin = item.base_coin
        fee = (trade.qty * rate).quantize(FEE_PLACES)
        account.credit(item.quote_coin, -value)
        account.credit(fee_coin, trade.qty - fee)
    else:
        account.credit(item.base_coin, -trade.qty)
        account.credit(fee_coin, value - fee)
    order.fill(item.lots(trade.qty), value, fee_coin, fee, trade.time_ms)
    order.seq = trade.seq
    execution = Execution(
        exec_id=trade.exec_id,
        order=order,
        px=trade.px,
        qty=trade.qty,
        leaves_qty=order.leaves_qty,
        fee=fee,
        fee_coin=fee_coin,
        fee_rate=rate,
        is_maker=is_maker,
        closed_qty=closed,
        pnl=pnl,
        mark_px=market.mark_px,
        time_ms=trade.time_ms,
        seq=trade.seq,
    )
    account.executions.append(execution)
    if not order.is_open:
        account.retire(order)
    return execution
