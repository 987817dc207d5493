"""What one fill or payment does to one client: fee, position or coins, and the order's own count."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.book import Side
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.market import Market, PublicTrade
from sandbox.bybit_server.orders import TRADE, CashMove, Execution, Order
from sandbox.bybit_server.positions import Closing

FEE_PLACES: Final = Decimal("1E-10")


def settle_fill(
    account: Account,
    market: Market,
    order: Order,
    trade: PublicTrade,
    *,
    is_maker: bool,
    kind: str = TRADE,
    beyond: bool = False,
) -> Execution:
    """Book one fill and return its execution record.

    On spot the buyer pays the fee in base coin and the seller in quote coin; on contracts both pay in settle
    coin. With a maker rebate (negative rate) the coin is the other one.

    Parameters
    ----------
    kind
        execType of the record.
    beyond
        Whether the fill may exceed what the order has left.
    """
    item = order.instrument
    rate = item.maker_rate if is_maker else item.taker_rate
    value = item.value(trade.px, trade.qty)
    closing = Closing()
    size = ZERO
    cash: tuple[CashMove, ...]
    if item.is_spot:
        coin = item.base_coin if (order.side is Side.BUY) is (rate >= 0) else item.quote_coin
        fee = ((trade.qty if coin == item.base_coin else value) * rate).quantize(FEE_PLACES)
        sign = order.side.sign
        base = sign * trade.qty - (fee if coin == item.base_coin else ZERO)
        quote = -sign * value - (fee if coin == item.quote_coin else ZERO)
        cash = (account.credit(item.base_coin, base), account.credit(item.quote_coin, quote))
    else:
        coin = item.settle_coin
        fee = (value * rate).quantize(FEE_PLACES)
        position = account.position(item, order.position_idx)
        closing = position.apply(order.side, trade.qty, trade.px, fee, trade.time_ms, trade.seq)
        size = position.size
        position.book_pnl(closing.pnl - fee)
        cash = (account.credit(coin, closing.pnl - fee),)
        account.realised[coin] = account.realised.get(coin, ZERO) + closing.pnl - fee
        order.closed_pnl += closing.pnl
    order.fill(item.lots(trade.qty), value, coin, fee, trade.time_ms, beyond=beyond)
    order.seq = trade.seq
    execution = Execution(
        exec_id=trade.exec_id,
        order=order,
        px=trade.px,
        qty=trade.qty,
        value=value,
        leaves_qty=order.leaves_qty,
        fee=fee,
        fee_coin=coin,
        fee_rate=rate,
        is_maker=is_maker,
        closing=closing,
        mark_px=market.mark_px,
        time_ms=trade.time_ms,
        seq=trade.seq,
        kind=kind,
        cash=cash,
        position_size=size,
    )
    record(account, execution)
    if not order.is_open:
        account.retire(order)
    return execution


def settle_payment(
    account: Account,
    market: Market,
    order: Order,
    *,
    exec_id: str,
    kind: str,
    qty: Decimal,
    px: Decimal,
    fee: Decimal,
    rate: Decimal,
    time_ms: int,
) -> Execution:
    """Book an execution that moves money but no position, such as funding; ``fee`` positive is paid."""
    item = market.instrument
    index = order.position_idx
    cash = (account.credit(item.settle_coin, -fee),)
    size = ZERO
    if not item.is_spot:
        position = account.position(item, index)
        position.book_pnl(-fee)
        position.updated_ms = time_ms
        size = position.size
        account.realised[item.settle_coin] = account.realised.get(item.settle_coin, ZERO) - fee
    execution = Execution(
        exec_id=exec_id,
        order=order,
        px=px,
        qty=qty,
        value=item.value(px, qty),
        leaves_qty=ZERO,
        fee=fee,
        fee_coin=item.settle_coin,
        fee_rate=rate,
        is_maker=False,
        closing=Closing(),
        mark_px=market.mark_px,
        time_ms=time_ms,
        seq=market.next_seq(),
        kind=kind,
        cash=cash,
        position_size=size,
    )
    record(account, execution)
    return execution


def record(account: Account, execution: Execution) -> None:
    """Enter an execution into the account's list and into its order's."""
    account.executions.append(execution)
    execution.order.executions.append(execution)
