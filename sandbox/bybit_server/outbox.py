"""What one step of the venue has to tell its clients, put into the order in which the venue tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.instruments import Instrument, SymbolKey
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.orders import TRADE, Execution, Order
from sandbox.bybit_server.private_shapes import (
    execution_push,
    fast_execution_push,
    order_push,
    position_push,
    wallet_shape,
)


@dataclass(frozen=True, slots=True)
class PrivateMessage:
    """One message of one topic kind to one user; ``category`` is empty for the wallet."""

    uid: int
    kind: str
    category: str
    symbol: str
    seq: int
    rows: tuple[JsonObject, ...]


class Outbox:
    """Changes of one user's state since the last drain."""

    def __init__(self, account: Account) -> None:
        self._account: Final = account
        self._fills: dict[SymbolKey, list[Execution]] = {}
        self._order_rows: dict[SymbolKey, list[JsonObject]] = {}
        self._orders: dict[SymbolKey, dict[str, Order]] = {}
        self._positions: dict[SymbolKey, dict[int, None]] = {}
        self._coins: dict[str, None] = {}

    def executed(self, execution: Execution) -> None:
        """Note a fill of an order."""
        self._fills.setdefault(execution.order.instrument.key, []).append(execution)
        self.touched(execution.order)

    def paid(self, execution: Execution) -> None:
        """Note an execution that belongs to no order, such as funding."""
        self._fills.setdefault(execution.order.instrument.key, []).append(execution)
        self.moved(execution.order.instrument, execution.order.position_idx)

    def touched(self, order: Order) -> None:
        """Note that an order, its position and the coins it holds may have changed."""
        self._orders.setdefault(order.instrument.key, {})[order.order_id] = order
        self.moved(order.instrument, order.position_idx)

    def passed(self, order: Order) -> None:
        """Note a state of an order that it will have left by the time of the drain."""
        self._order_rows.setdefault(order.instrument.key, []).append(order_push(order))

    def moved(self, instrument: Instrument, position_idx: int) -> None:
        """Note that a position and the coins behind it may have changed."""
        if instrument.is_spot:
            self._coins[instrument.quote_coin] = None
            self._coins[instrument.base_coin] = None
        else:
            self._positions.setdefault(instrument.key, {})[position_idx] = None
            self._coins[instrument.settle_coin] = None

    def paid_in(self, coin: str) -> None:
        """Note that a wallet balance has changed for no trade's sake."""
        self._coins[coin] = None

    def drain(
        self,
        markets: Mapping[SymbolKey, Market],
        marks: Mapping[SymbolKey, Decimal],
    ) -> list[PrivateMessage]:
        """Return the messages due, with the state as it is now, and forget the changes.

        The order is that of the venue: fast executions, executions, orders, positions, wallet.
        """
        account = self._account
        messages: list[PrivateMessage] = []

        def add(kind: str, key: SymbolKey, rows: Iterable[JsonObject]) -> None:
            message_rows = tuple(rows)
            if message_rows:
                messages.append(
                    PrivateMessage(account.uid, kind, key[0], key[1], markets[key].seq, message_rows)
                )

        for key, fills in self._fills.items():
            add("execution.fast", key, (fast_execution_push(e) for e in fills if e.kind == TRADE))
        for key, fills in self._fills.items():
            add("execution", key, (execution_push(e) for e in fills))
        for key in self._order_rows | self._orders:
            current = (order_push(order) for order in self._orders.get(key, {}).values())
            add("order", key, (*self._order_rows.get(key, ()), *current))
        for key, indexes in self._positions.items():
            slots = (account.position(markets[key].instrument, index) for index in indexes)
            add("position", key, (position_push(account, slot, marks[key]) for slot in slots))
        if self._coins:
            wallet = wallet_shape(account, marks, tuple(self._coins))
            messages.append(PrivateMessage(account.uid, "wallet", "", "wallet", 0, (wallet,)))
        self._fills, self._order_rows, self._orders, self._positions, self._coins = {}, {}, {}, {}, {}
        return messages
