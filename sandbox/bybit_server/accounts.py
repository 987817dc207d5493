"""One account of the venue: coin balances, positions, orders, executions, and what of it is still free."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.instruments import CATEGORIES, Instrument, SymbolKey
from sandbox.bybit_server.orders import Execution, Order
from sandbox.bybit_server.positions import Position

RECENT_CLOSED_MAX: Final = 500
DEFAULT_BALANCES: Final[Mapping[str, Decimal]] = {"USDT": Decimal(1_000_000), "BTC": Decimal(10)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An API key, its secret, and the account that it opens."""

    key: str = "sandbox-key"
    secret: str = "sandbox-secret-0123456789abcdef"  # noqa: S105 - the published key of a toy exchange
    uid: int = 100_001


@dataclass(frozen=True, slots=True)
class MarginUse:
    """Initial margin in quote coin held by a position and by the orders around it."""

    position: Decimal
    orders: Decimal


class Account:
    """State of one user.

    Parameters
    ----------
    uid
        The venue's number for the user.
    balances
        Opening wallet balance by coin.
    """

    def __init__(self, uid: int, balances: Mapping[str, Decimal]) -> None:
        self.uid: Final = uid
        self.balances: Final = dict(balances)
        self.realised: Final[dict[str, Decimal]] = {}
        self.positions: Final[dict[tuple[SymbolKey, int], Position]] = {}
        self.orders: Final[dict[str, Order]] = {}
        self.open_orders: Final[dict[str, Order]] = {}
        self.by_link: Final[dict[str, Order]] = {}
        self.executions: Final[list[Execution]] = []
        self.recent_closed: Final[dict[str, deque[Order]]] = {
            category: deque(maxlen=RECENT_CLOSED_MAX) for category in CATEGORIES
        }

    def position(self, instrument: Instrument) -> Position:
        """Return the one-way position slot of a contract, made on first use."""
        slot = (instrument.key, 0)
        if slot not in self.positions:
            self.positions[slot] = Position(instrument=instrument)
        return self.positions[slot]

    def credit(self, coin: str, amount: Decimal) -> None:
        """Add to a wallet balance (or take, when negative)."""
        self.balances[coin] = self.balances.get(coin, ZERO) + amount

    def admit(self, order: Order) -> None:
        """Register an accepted order; its link id is used up for ever."""
        self.orders[order.order_id] = order
        self.open_orders[order.order_id] = order
        if order.link_id:
            self.by_link[order.link_id] = order

    def retire(self, order: Order) -> None:
        """Move an ended order to the closed ones."""
        if self.open_orders.pop(order.order_id, None) is not None:
            self.recent_closed[order.instrument.category].append(order)

    def open_in(self, key: SymbolKey) -> list[Order]:
        """Return the open orders of one symbol, oldest first."""
        return [order for order in self.open_orders.values() if order.instrument.key == key]

    def locked(self, coin: str) -> Decimal:
        """Return what open spot orders hold back of a coin."""
        held = ZERO
        for order in self.open_orders.values():
            instrument = order.instrument
            if not instrument.is_spot:
                continue
            if order.side is Side.BUY and instrument.quote_coin == coin:
                held += order.leaves_qty * order.px
            elif order.side is Side.SELL and instrument.base_coin == coin:
                held += order.leaves_qty
        return held

    def margin_use(self, position: Position, extra: Iterable[tuple[Side, Decimal, Decimal]]) -> MarginUse:
        """Return the margin of one contract: position now, and the worse side of orders on top.

        ``extra`` holds side, quantity and price of orders not yet accepted.
        """
        bought, sold = position.size, position.size
        worst_px = position.entry_px
        orders = [
            (order.side, order.leaves_qty, order.px)
            for order in self.open_in(position.instrument.key)
            if not order.reduce_only
        ]
        for side, qty, px in [*orders, *extra]:
            worst_px = max(worst_px, px)
            if side is Side.BUY:
                bought += qty
            else:
                sold -= qty
        exposure = max(abs(position.size), abs(bought), abs(sold))
        held = position.value() / position.leverage
        return MarginUse(held, max(ZERO, exposure * worst_px / position.leverage - held))

    def equity(self, coin: str, marks: Mapping[SymbolKey, Decimal]) -> Decimal:
        """Return wallet balance plus unrealised profit settled in a coin."""
        return self.balances.get(coin, ZERO) + self.unrealised_pnl(coin, marks)

    def unrealised_pnl(self, coin: str, marks: Mapping[SymbolKey, Decimal]) -> Decimal:
        """Return the open profit of all positions settled in a coin."""
        return sum(
            (
                position.unrealised_pnl(marks[key])
                for (key, _), position in self.positions.items()
                if position.instrument.quote_coin == coin
            ),
            ZERO,
        )

    def margins(self, coin: str) -> MarginUse:
        """Return the margin held by all positions and orders settled in a coin."""
        uses = [
            self.margin_use(position, ())
            for position in self.positions.values()
            if position.instrument.quote_coin == coin
        ]
        return MarginUse(sum((u.position for u in uses), ZERO), sum((u.orders for u in uses), ZERO))

    def available(self, coin: str, marks: Mapping[SymbolKey, Decimal]) -> Decimal:
        """Return what is free to open new contract positions."""
        use = self.margins(coin)
        return self.equity(coin, marks) - use.position - use.orders - self.locked(coin)
