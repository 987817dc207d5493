"""A contract position: signed size, entry price, and the profit that closing part of it realises."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.instruments import Instrument


@dataclass(slots=True, kw_only=True, eq=False)
class Position:
    """One position slot of an account; ``index`` is the wire's positionIdx."""

    instrument: Instrument
    index: int = 0
    size: Decimal = ZERO
    entry_px: Decimal = ZERO
    leverage: Decimal = Decimal(10)
    realised_pnl: Decimal = ZERO
    cycle_pnl: Decimal = ZERO
    created_ms: int = 0
    updated_ms: int = 0
    seq: int = -1

    @property
    def side(self) -> Side | None:
        """Direction, or None when flat."""
        if not self.size:
            return None
        return Side.BUY if self.size > 0 else Side.SELL

    def value(self) -> Decimal:
        """Return the quote value at entry."""
        return abs(self.size) * self.entry_px

    def unrealised_pnl(self, mark_px: Decimal) -> Decimal:
        """Return the profit of closing at ``mark_px``, before fees."""
        return self.size * (mark_px - self.entry_px)

    def apply(self, side: Side, qty: Decimal, px: Decimal, at_ms: int, seq: int) -> tuple[Decimal, Decimal]:
        """Count a fill; return the quantity it closed and the profit it realised."""
        signed = qty * side.sign
        closed = min(qty, abs(self.size)) if self.size * signed < 0 else ZERO
        pnl = closed * (px - self.entry_px) * (1 if self.size > 0 else -1)
        opened = qty - closed
        if not self.size:
            self.created_ms = self.created_ms or at_ms
            self.cycle_pnl = ZERO
        if opened and closed:
            self.entry_px = px
        elif opened:
            self.entry_px = (self.value() + opened * px) / (abs(self.size) + opened)
        self.size += signed
        if not self.size:
            self.entry_px = ZERO
        self.updated_ms = at_ms
        self.seq = seq
        return closed, pnl

    def book_pnl(self, amount: Decimal) -> None:
        """Count realised profit (or a fee, negative) in the running totals."""
        self.cycle_pnl += amount
        self.realised_pnl += amount
