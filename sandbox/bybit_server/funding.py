"""Funding: what longs and shorts of a perpetual pay each other, and when."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.clock import now_ms
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.instruments import Instrument, SymbolKey
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.orders import Execution, Order
from sandbox.bybit_server.positions import Position
from sandbox.bybit_server.settlement import FEE_PLACES, settle_payment

if TYPE_CHECKING:
    from sandbox.bybit_server.exchange import Exchange

MINUTE_MS: Final = 60_000
FUNDING: Final = "Funding"


def next_funding_ms(instrument: Instrument, at_ms: int) -> int:
    """Return the first funding instant after ``at_ms``; the grid starts at midnight UTC."""
    period_ms = instrument.funding_minutes * MINUTE_MS
    return at_ms - at_ms % period_ms + period_ms


class FundingCalendar:
    """The next funding instant of every perpetual.

    Parameters
    ----------
    markets
        All markets of the venue.
    start_ms
        Instant from which payments are due.
    """

    def __init__(self, markets: Mapping[SymbolKey, Market], start_ms: int) -> None:
        self._markets = markets
        self._next_ms = {
            key: next_funding_ms(market.instrument, start_ms)
            for key, market in markets.items()
            if market.instrument.is_perpetual
        }

    def due(self, at_ms: int) -> list[Market]:
        """Return the markets whose instant has come, once for each instant since the last call."""
        found = []
        for key, next_ms in self._next_ms.items():
            if next_ms > at_ms:
                continue
            market = self._markets[key]
            period_ms = market.instrument.funding_minutes * MINUTE_MS
            found += [market] * ((at_ms - next_ms) // period_ms + 1)
            self._next_ms[key] = next_funding_ms(market.instrument, at_ms)
        return found


def pay_funding(exchange: Exchange, market: Market, rate: Decimal) -> int:
    """Let every position of a market pay or receive funding; return how many did. The caller flushes.

    A long pays ``value at the mark * rate``, a short receives it; with a negative rate the other way round. The
    amount is in settle coin.
    """
    paid = 0
    for account in exchange.accounts.values():
        for index in (0, 1, 2):
            position = account.positions.get((market.instrument.key, index))
            if position is not None and position.size:
                execution = _pay(exchange, account, market, position, rate)
                exchange.outbox(account).paid(execution)
                paid += 1
    return paid


def _pay(
    exchange: Exchange, account: Account, market: Market, position: Position, rate: Decimal
) -> Execution:
    item, size = market.instrument, abs(position.size)
    side = position.side
    assert side is not None
    amount = (item.value(market.mark_px, size) * rate * side.sign).quantize(FEE_PLACES)
    return settle_payment(
        account,
        market,
        payment_order(exchange, account, market, position, size),
        exec_id=exchange.ids.exec_id(item.category),
        kind=FUNDING,
        qty=size,
        px=market.mark_px,
        fee=amount,
        rate=rate,
        time_ms=now_ms(exchange.clock),
    )


def payment_order(
    exchange: Exchange, account: Account, market: Market, position: Position, qty: Decimal
) -> Order:
    """Return the order that a payment's record names and that exists nowhere else."""
    side = position.side
    assert side is not None
    order = exchange.new_order(
        account, market, side, qty, ZERO, position_idx=position.index, order_type="UNKNOWN"
    )
    order.create_type = ""
    return order
