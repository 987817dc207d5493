"""What one step of the venue has to tell its clients, put into the order in which the venue tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.instruments import Instrument, SymbolKey
from sandbox.bybit_server.orders import Execution, Order
from sandbox.bybit_server.private_shapes import (
    execution_push,
    fast_execution_push,
    order_push,
    position_push,
    wallet_shape,
)

KINDS_IN_ORDER: Final = ("execution.fast", "execution", "order", "position")


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
        self._executions: list[Execution] = []
        self._orders: dict[str, Order] = {}
        self._symbols: dict[SymbolKey, Instrument] = {}
        self._coins: dict[str, None] = {}

    def executed(self, execution: Execution) -> None:
        """Note a fill."""
        self._executions.append(execution)
        self.touched(execution.order)

    def touched(self, order: Order) -> None:
        """Note that an order, its position and the coins it holds may have changed."""
        instrument = order.instrument
        self._orders[order.order_id] = order
        self._symbols[instrument.key] = instrument
        self._coins[instrument.quote_coin] = None
        if instrument.is_spot:
            self._coins[instrument.base_coin] = None

    def drain(
        self, marks: Mapping[SymbolKey, Decimal], seqs: Mapping[SymbolKey, int]
    ) -> list[PrivateMessage]:
        """Return the messages due, with the state as it is now, and forget the changes."""
        messages: list[PrivateMessage] = []
        account = self._account
        for kind in KINDS_IN_ORDER:
            for key, instrument in self._symbols.items():
                rows = self._rows(kind, instrument, marks)
                if rows:
                    messages.append(PrivateMessage(account.uid, kind, key[0], key[1], seqs[key], tuple(rows)))
        if self._coins:
            rows = [wallet_shape(account, marks, tuple(self._coins))]
            messages.append(PrivateMessage(account.uid, "wallet", "", "wallet", 0, tuple(rows)))
        self._executions, self._orders, self._symbols, self._coins = [], {}, {}, {}
        return messages

    def _rows(
        self, kind: str, instrument: Instrument, marks: Mapping[SymbolKey, Decimal]
    ) -> list[JsonObject]:
        fills = [e for e in self._executions if e.order.instrument is instrument]
        if kind == "execution.fast":
            return [fast_execution_push(execution) for execution in fills]
        if kind == "execution":
            return [execution_push(execution) for execution in fills]
        if kind == "order":
            return [order_push(o) for o in self._orders.values() if o.instrument is instrument]
        if kind == "position" and not instrument.is_spot:
            position = self._account.position(instrument)
            return [position_push(self._account, position, marks[instrument.key])]
        return []
