"""One account of the venue: coin balances, positions, orders, executions, and what of it is still free."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.figures import ZERO
from sandbox.bybit_server.instruments import CATEGORIES, SPOT, Instrument, SymbolKey
from sandbox.bybit_server.orders import WORKING_STATUSES, CashMove, Execution, Order
from sandbox.bybit_server.positions import Position

RECENT_CLOSED_MAX: Final = 500
DEFAULT_BALANCES: Final[Mapping[str, Decimal]] = {
    "USDT": Decimal(1_000_000),
    "BTC": Decimal(10),
    "ETH": Decimal(100),
    "USDC": Decimal(100_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An API key, its secret (or, for RSA keys, its public half), and the account that it opens.

    ``hedged`` starts the account in hedge mode on every symbol that has it.
    """

    key: str = "sandbox-key"
    secret: str = "sandbox-secret-0123456789abcdef"  # noqa: S105 - the published key of a toy exchange
    uid: int = 100_001
    public_key_pem: str = ""
    hedged: bool = False


@dataclass(frozen=True, slots=True)
class MarginUse:
    """Initial margin in settle coin held by a position and by the orders around it."""

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
    hedged
        Whether symbols that have a hedge mode start in it.
    """

    def __init__(self, uid: int, balances: Mapping[str, Decimal], *, hedged: bool = False) -> None:
        self.uid: Final = uid
        self.balances: Final = dict(balances)
        self.realised: Final[dict[str, Decimal]] = {}
        self.positions: Final[dict[tuple[SymbolKey, int], Position]] = {}
        self.orders: Final[dict[str, Order]] = {}
        self.open_orders: Final[dict[str, Order]] = {}
        self.by_link: Final[dict[str, list[Order]]] = {}
        self.executions: Final[list[Execution]] = []
        self.recent_closed: Final[dict[str, deque[Order]]] = {
            category: deque(maxlen=RECENT_CLOSED_MAX) for category in CATEGORIES
        }
        self.margin_mode = "REGULAR_MARGIN"
        self.moves_px_to_band: Final[dict[str, bool]] = {}
        self._hedged = hedged
        self._modes: Final[dict[SymbolKey, bool]] = {}
        self._leverages: Final[dict[SymbolKey, Decimal]] = {}
        self._open_by_symbol: Final[dict[SymbolKey, dict[str, Order]]] = {}

    def is_hedged(self, instrument: Instrument) -> bool:
        """Tell whether both directions of a contract are held separately."""
        return instrument.can_hedge and self._modes.get(instrument.key, self._hedged)

    def set_hedged(self, instrument: Instrument, *, hedged: bool) -> None:
        """Choose the position mode of a contract; its empty slots of the other mode are forgotten."""
        self._modes[instrument.key] = hedged
        for slot in [slot for slot in self.positions if slot[0] == instrument.key]:
            self._leverages[instrument.key] = self.positions.pop(slot).leverage

    def slots(self, instrument: Instrument) -> tuple[Position, ...]:
        """Return the positions of a contract in its mode: one, or the long and the short one."""
        indexes = (1, 2) if self.is_hedged(instrument) else (0,)
        return tuple(self.position(instrument, index) for index in indexes)

    def position(self, instrument: Instrument, index: int = 0) -> Position:
        """Return a position slot of a contract, made on first use."""
        slot = (instrument.key, index)
        position = self.positions.get(slot)
        if position is None:
            leverage = self._leverages.get(instrument.key, Decimal(10))
            position = Position(instrument=instrument, index=index, leverage=leverage)
            self.positions[slot] = position
        return position

    def credit(self, coin: str, amount: Decimal) -> CashMove:
        """Add to a wallet balance (or take, when negative)."""
        balance = self.balances.get(coin, ZERO) + amount
        self.balances[coin] = balance
        return CashMove(coin=coin, amount=amount, balance=balance)

    def admit(self, order: Order) -> None:
        """Register an accepted order; its link id is used up for ever."""
        self.orders[order.order_id] = order
        self.open_orders[order.order_id] = order
        self._open_by_symbol.setdefault(order.instrument.key, {})[order.order_id] = order
        if order.link_id:
            self.by_link.setdefault(order.link_id, []).append(order)

    def retire(self, order: Order) -> None:
        """Move an ended order to the closed ones."""
        if self.open_orders.pop(order.order_id, None) is not None:
            del self._open_by_symbol[order.instrument.key][order.order_id]
            self.recent_closed[order.instrument.category].append(order)

    def named(self, order_id: str, link_id: str) -> list[Order]:
        """Return the orders an id names; the venue's id wins over the client's."""
        if order_id:
            order = self.orders.get(order_id)
            return [] if order is None else [order]
        return self.by_link.get(link_id, [])

    def open_in(self, key: SymbolKey) -> list[Order]:
        """Return the open orders of one symbol, oldest first."""
        return list(self._open_by_symbol.get(key, {}).values())

    def open_count(self, key: SymbolKey) -> int:
        """Return how many orders of one symbol are open, conditional ones included."""
        return len(self._open_by_symbol.get(key, ()))

    def locked(self, coin: str) -> Decimal:
        """Return what open spot orders hold back of a coin; a conditional order holds nothing."""
        held = ZERO
        for key, orders in self._open_by_symbol.items():
            if key[0] != SPOT:
                continue
            for order in orders.values():
                if not order.is_working:
                    continue
                if order.side is Side.BUY and order.instrument.quote_coin == coin:
                    held += order.leaves_qty * order.px
                elif order.side is Side.SELL and order.instrument.base_coin == coin:
                    held += order.leaves_qty
        return held

    def margin_use(
        self, position: Position, *, plus: Order | None = None, without: Order | None = None
    ) -> MarginUse:
        """Return the margin of one slot: the position now, and the worse side of its orders on top.

        An order against the position first sets its value free. ``plus`` counts as if it worked already,
        ``without`` as if it did not.
        """
        bought, sold = ZERO, ZERO
        index = position.index
        for order in self._open_by_symbol.get(position.instrument.key, {}).values():
            if order.reduce_only or order.position_idx != index or order.status not in WORKING_STATUSES:
                continue
            if order is without or order is plus:
                continue
            if order.side is Side.BUY:
                bought += order.leaves_value
            else:
                sold += order.leaves_value
        if plus is not None:
            if plus.side is Side.BUY:
                bought += plus.leaves_value
            else:
                sold += plus.leaves_value
        cost = position.cost
        if position.size > 0:
            sold -= 2 * cost
        elif position.size < 0:
            bought -= 2 * cost
        return MarginUse(position.initial_margin, max(ZERO, bought, sold) / position.leverage)

    def equity(self, coin: str, marks: Mapping[SymbolKey, Decimal]) -> Decimal:
        """Return wallet balance plus unrealised profit settled in a coin."""
        return self.balances.get(coin, ZERO) + self.unrealised_pnl(coin, marks)

    def unrealised_pnl(self, coin: str, marks: Mapping[SymbolKey, Decimal]) -> Decimal:
        """Return the open profit of all positions settled in a coin."""
        return sum(
            (
                position.unrealised_pnl(marks[key])
                for (key, _), position in self.positions.items()
                if position.size and position.instrument.settle_coin == coin
            ),
            ZERO,
        )

    def margins(self, coin: str) -> MarginUse:
        """Return the margin held by all positions and orders settled in a coin."""
        uses = [
            self.margin_use(position)
            for position in self.positions.values()
            if position.instrument.settle_coin == coin
        ]
        return MarginUse(sum((u.position for u in uses), ZERO), sum((u.orders for u in uses), ZERO))

    def available(self, coin: str, marks: Mapping[SymbolKey, Decimal]) -> Decimal:
        """Return what is free to open new contract positions."""
        use = self.margins(coin)
        return self.equity(coin, marks) - use.position - use.orders - self.locked(coin)
