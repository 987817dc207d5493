"""A contract position: signed size, what it cost, and the profit that closing part of it realises.

The cost is kept, not the entry price: costs add up exactly on linear and inverse contracts alike, so that what
one side of a trade gains the other loses to the last digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.instruments import VALUE_PLACES, Instrument

if TYPE_CHECKING:
    from sandbox.bybit_server.orders import Order


@dataclass(frozen=True, slots=True)
class Closing:
    """What a fill closed of a position: quantity, its entry cost, the fees its entry had paid, and the profit."""

    qty: Decimal = ZERO
    cost: Decimal = ZERO
    entry_fees: Decimal = ZERO
    pnl: Decimal = ZERO


@dataclass(slots=True, kw_only=True, eq=False)
class Position:
    """One position slot of an account; ``index`` is the wire's positionIdx, ``cost`` the entry value in settle coin."""

    instrument: Instrument
    index: int = 0
    size: Decimal = ZERO
    cost: Decimal = ZERO
    entry_fees: Decimal = ZERO
    leverage: Decimal = Decimal(10)
    realised_pnl: Decimal = ZERO
    cycle_pnl: Decimal = ZERO
    created_ms: int = 0
    updated_ms: int = 0
    seq: int = -1
    take_profit: Order | None = None
    stop_loss: Order | None = None

    @property
    def side(self) -> Side | None:
        """Direction, or None when flat."""
        if not self.size:
            return None
        return Side.BUY if self.size > 0 else Side.SELL

    @property
    def entry_px(self) -> Decimal:
        """Average entry price, 0 when flat: cost by size, on inverse size by cost."""
        if not self.size or not self.cost:
            return ZERO
        size = abs(self.size)
        return size / self.cost if self.instrument.is_inverse else self.cost / size

    @property
    def initial_margin(self) -> Decimal:
        """What its cost ties up at its leverage, in settle coin."""
        return self.cost / self.leverage

    def unrealised_pnl(self, mark_px: Decimal) -> Decimal:
        """Return the profit of closing at ``mark_px``, before fees."""
        if not self.size:
            return ZERO
        worth = self.instrument.value(mark_px, abs(self.size))
        return self._profit(worth, self.cost)

    def apply(self, side: Side, qty: Decimal, px: Decimal, fee: Decimal, at_ms: int, seq: int) -> Closing:
        """Count a fill; return what it closed."""
        item = self.instrument
        value = item.value(px, qty)
        signed = qty * side.sign
        closing = Closing()
        opened, opened_value = qty, value
        if self.size * signed < 0:
            closed = min(qty, abs(self.size))
            closed_value = value if closed == qty else item.value(px, closed)
            closing = self._close(closed, closed_value)
            # The opened part is the rest of the fill's value, so that no digit is lost in rounding twice.
            opened, opened_value = qty - closed, value - closed_value
        if not self.size:
            self.created_ms = self.created_ms or at_ms
            self.cycle_pnl = ZERO
        self.size += signed
        self.cost += opened_value
        if opened:
            self.entry_fees += fee * opened / qty
        self.updated_ms = at_ms
        self.seq = seq
        return closing

    def book_pnl(self, amount: Decimal) -> None:
        """Count realised profit (or a fee, negative) in the running totals."""
        self.cycle_pnl += amount
        self.realised_pnl += amount

    def _close(self, closed: Decimal, closed_value: Decimal) -> Closing:
        size = abs(self.size)
        if closed == size:
            cost, fees = self.cost, self.entry_fees
        else:
            cost = (self.cost * closed / size).quantize(VALUE_PLACES)
            fees = self.entry_fees * closed / size
        self.cost -= cost
        self.entry_fees -= fees
        return Closing(closed, cost, fees, self._profit(closed_value, cost))

    def _profit(self, worth: Decimal, cost: Decimal) -> Decimal:
        gain = cost - worth if self.instrument.is_inverse else worth - cost
        return gain if self.size > 0 else -gain
