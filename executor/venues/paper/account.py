"""The simulated account: what was ordered, executed and ended, and what follows of it in positions and money. Pure.

It is a fold of records. A record is written down before anybody hears of what it says, so an account that is read
back has everything that was ever told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec

from executor.domain.errors import InvariantViolation
from executor.domain.events import CoinBalance, Event
from executor.domain.fills import Fill
from executor.domain.instrument import Instrument
from executor.domain.orders import Category, NewOrder
from executor.domain.units import ZERO, Money, Price, Quantity
from simulation.venue_order import VenueOrder

_SHOWN: Final = Decimal("1e-8")
"""Amounts are told to this digit."""
Key: TypeAlias = tuple[Category, str]
Promised: TypeAlias = tuple[NewOrder, Decimal]
"""An order, and what of it can still trade."""


class Placed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An order was taken into the book."""

    order: NewOrder
    venue_order_id: str
    base_coin: str
    quote_coin: str


class Amended(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It has other terms now; the quantity is the total one."""

    client_order_id: str
    qty: Quantity
    px: Price


class Executed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Some of it was executed."""

    fill: Fill


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It is out of the book, for a reason in words."""

    client_order_id: str
    detail: str


class Funded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A funding of a contract was settled: a signed position paid at the rate of its value at the mark price.

    `settled_ms` is the venue's time; `paid` is in the quote coin, and below zero where the account received it.
    """

    category: Category
    symbol: str
    settled_ms: int
    rate: Decimal
    mark_px: Price
    qty: Decimal
    paid: Money


Record: TypeAlias = Placed | Amended | Executed | Ended | Funded


@dataclass(frozen=True, slots=True)
class Holding:
    """A position: signed base units, and the mean price at which it was opened."""

    qty: Decimal = ZERO
    entry_px: Decimal = ZERO

    def after(self, signed_qty: Decimal, px: Decimal) -> tuple["Holding", Decimal]:
        """Trade against it; gives the new position and the profit that closing brought, quote units."""
        if self.qty * signed_qty >= ZERO:
            qty = self.qty + signed_qty
            return Holding(qty, (self.qty * self.entry_px + signed_qty * px) / qty), ZERO
        closed = min(abs(self.qty), abs(signed_qty)).copy_sign(self.qty)
        profit = closed * (px - self.entry_px)
        qty = self.qty + signed_qty
        if not qty:
            return Holding(), profit
        return Holding(qty, px if qty * signed_qty > ZERO else self.entry_px), profit


class Account:
    """Orders, positions and coins of one simulated account.

    Parameters
    ----------
    balance
        What there is at the beginning of every coin that a symbol is quoted in.
    leverage
        Value of contracts that one unit of margin carries.
    """

    def __init__(self, balance: Money, leverage: Decimal) -> None:
        self._balance = balance
        self._leverage = leverage
        self.orders: dict[str, VenueOrder] = {}
        self._open: dict[str, VenueOrder] = {}
        self._coins_of: dict[Key, tuple[str, str]] = {}
        self._coins: dict[str, Decimal] = {}
        self._holdings: dict[Key, Holding] = {}
        self._first_ns: dict[Key, int] = {}
        self._funded_ms: dict[Key, int] = {}
        self.executions = 0

    def learn(self, rules: Instrument) -> None:
        """Learn which coins a symbol is traded in; no order of it may be under way before."""
        self._coins_of[rules.category, rules.symbol] = (rules.base_coin, rules.quote_coin)

    def apply(self, record: Record) -> list[Event]:
        """Take in what happened; gives what is to be told of it.

        Raises
        ------
        InvariantViolation
            If it cannot have happened: an order that is not there, more executed than it has left, or a funding that
            was settled before.
        """
        match record:
            case Placed():
                name = record.order.client_order_id
                if name in self.orders:
                    raise InvariantViolation(f"{name} was placed twice")
                entry = VenueOrder(order=record.order, venue_order_id=record.venue_order_id)
                self.orders[name] = self._open[name] = entry
                self._coins_of[record.order.category, record.order.symbol] = (
                    record.base_coin,
                    record.quote_coin,
                )
                return [entry.update()]
            case Amended():
                entry = self._still_open(record.client_order_id)
                entry.order = replace(entry.order, qty=record.qty, px=record.px)
                entry.version += 1
                return [entry.update()]
            case Executed():
                fill = record.fill
                entry = self._still_open(fill.client_order_id)
                told = entry.fill(
                    exec_id=fill.exec_id,
                    qty=fill.last_qty,
                    px=fill.last_px,
                    fee=fill.fee,
                    liquidity=fill.liquidity,
                    at_ns=fill.ts_exchange_ns,
                )
                self.executions += 1
                self._book(fill)
                if not entry.is_open:
                    del self._open[fill.client_order_id]
                return told
            case Ended():
                entry = self._still_open(record.client_order_id)
                del self._open[record.client_order_id]
                return [entry.end(record.detail)]
            case Funded():
                key = (record.category, record.symbol)
                if key not in self._holdings:
                    raise InvariantViolation(f"funding of {record.symbol}, which was never traded")
                if record.settled_ms <= self.funded_ms(key):
                    raise InvariantViolation(f"funding of {record.symbol} was settled twice")
                self._funded_ms[key] = record.settled_ms
                self._pay(self._coins_of[key][1], -record.paid)
                return []

    def open_orders(self, key: Key | None = None) -> list[VenueOrder]:
        """Orders that can still trade, the oldest first; of one symbol, or all."""
        return [
            entry
            for entry in self._open.values()
            if key in {None, (entry.order.category, entry.order.symbol)}
        ]

    def position_qty(self, key: Key) -> Decimal:
        """Signed base units of a contract."""
        return self._holdings.get(key, Holding()).qty

    @property
    def contracts(self) -> list[Key]:
        """Contracts that were ever traded."""
        return list(self._holdings)

    def position_qty_at(self, key: Key, at_ns: int) -> Decimal:
        """Signed base units of a contract at an instant of the past, the executions of that instant included."""
        later = (
            fill.side.sign * fill.last_qty
            for entry in self.orders.values()
            if (entry.order.category, entry.order.symbol) == key
            for fill in entry.executions
            if fill.ts_exchange_ns > at_ns
        )
        return self.position_qty(key) - sum(later, ZERO)

    def first_execution_ns(self, key: Key) -> int | None:
        """When a contract was first traded; None if it never was."""
        return self._first_ns.get(key)

    def funded_ms(self, key: Key) -> int:
        """Which settlement of a contract was the last, by the venue's clock; 0 before the first."""
        return self._funded_ms.get(key, 0)

    def coins(self) -> tuple[CoinBalance, ...]:
        """Every coin the account has to do with, and what open orders hold back of it."""
        return self._balances(self._promised("", {}))

    def _balances(self, promised: Iterable[Promised]) -> tuple[CoinBalance, ...]:
        held: dict[str, Decimal] = {}
        for order, leaves_qty in promised:
            if order.category is Category.SPOT:
                base, quote = self._coins_of[order.category, order.symbol]
                is_buy = order.side.sign > 0
                coin, qty = (quote, leaves_qty * order.px) if is_buy else (base, leaves_qty)
                held[coin] = held.get(coin, ZERO) + qty
        quotes = {quote for _, quote in self._coins_of.values()}
        return tuple(
            CoinBalance(coin=coin, wallet_qty=self._coin(coin, quotes), locked_qty=held.get(coin, ZERO))
            for coin in sorted({*quotes, *self._coins})
        )

    def why_not(
        self, order: NewOrder, rules: Instrument, under_way: Mapping[str, NewOrder] = MappingProxyType({})
    ) -> str:
        """Why the account cannot pay for an order, new or on new terms; empty if it can.

        A contract needs margin for the position that all open orders of its direction would make together; what
        another direction would close is not counted against it.

        Parameters
        ----------
        under_way
            Orders, new or on new terms, that were sent off and of which nothing was heard yet, by name: they have their
            funds already.
        """
        others = self._promised(order.client_order_id, under_way)
        quotes = {rules.quote_coin, *(quote for _, quote in self._coins_of.values())}
        wallet = {coin.coin: coin.wallet_qty - coin.locked_qty for coin in self._balances(others)}
        quote_qty = wallet.get(rules.quote_coin, self._coin(rules.quote_coin, quotes))
        leaves_qty = self._leaves(order)
        if order.category is Category.SPOT:
            is_buy = order.side.sign > 0
            has = quote_qty if is_buy else wallet.get(rules.base_coin, ZERO)
            needs = leaves_qty * order.px if is_buy else leaves_qty
            coin = rules.quote_coin if is_buy else rules.base_coin
            return "" if needs <= has else f"{_at_least(needs)} {coin} needed, {_at_most(has)} there"
        if order.reduce_only:
            key = (order.category, order.symbol)
            promised = (
                qty for other, qty in others if other.reduce_only and (other.category, other.symbol) == key
            )
            room = -order.side.sign * self.position_qty(key) - sum(promised, ZERO)
            return "" if leaves_qty <= room else f"reduce-only: no more than {max(room, ZERO)} can be reduced"
        needs = self._margin([(order, leaves_qty), *others], rules.quote_coin)
        if needs <= quote_qty:
            return ""
        return f"margin of {_at_least(needs)} {rules.quote_coin} needed, {_at_most(quote_qty)} there"

    def _promised(self, without: str, under_way: Mapping[str, NewOrder]) -> list[Promised]:
        """All orders but one that may still trade, each on the dearer of the terms that it may have."""
        promised: list[Promised] = [
            (entry.order, entry.leaves_qty) for name, entry in self._open.items() if name not in under_way
        ]
        for name, new in under_way.items():
            entry = self._open.get(name)
            terms = [(new, self._leaves(new))]
            if entry is not None:
                terms.append((entry.order, entry.leaves_qty))
            elif name in self.orders:
                continue
            is_spot_sale = new.category is Category.SPOT and new.side.sign < 0
            promised.append(max(terms, key=lambda one: one[1] * (1 if is_spot_sale else one[0].px)))
        return [(order, qty) for order, qty in promised if order.client_order_id != without]

    def _leaves(self, order: NewOrder) -> Decimal:
        """What can still trade of an order on new terms."""
        done = self.orders.get(order.client_order_id)
        return order.qty - (ZERO if done is None else done.cum_qty)

    def _margin(self, orders: Iterable[Promised], quote_coin: str) -> Decimal:
        values: dict[Key, list[Decimal]] = {}
        for key, holding in self._holdings.items():
            if self._coins_of[key][1] == quote_coin:
                value = holding.qty * holding.entry_px
                values[key] = [value, value]
        for order, qty in orders:
            key = (order.category, order.symbol)
            of_quote = self._coins_of.get(key, ("", quote_coin))[1] == quote_coin
            if order.category is Category.SPOT or order.reduce_only or not of_quote:
                continue
            long_short = values.setdefault(key, [ZERO, ZERO])
            long_short[order.side.sign < 0] += order.side.sign * qty * order.px
        return sum((max(map(abs, both)) for both in values.values()), ZERO) / self._leverage

    def _book(self, fill: Fill) -> None:
        key = (fill.category, fill.symbol)
        self._first_ns.setdefault(key, fill.ts_exchange_ns)
        base, quote = self._coins_of[key]
        signed_qty = fill.side.sign * fill.last_qty
        paid = Decimal(fill.fee)
        if fill.category is Category.SPOT:
            self._pay(base, signed_qty)
            paid += signed_qty * fill.last_px
        else:
            self._holdings[key], profit = self._holdings.get(key, Holding()).after(signed_qty, fill.last_px)
            paid -= profit
        self._pay(quote, -paid)

    def _pay(self, coin: str, qty: Decimal) -> None:
        self._coins[coin] = self._coins.get(coin, ZERO) + qty

    def _coin(self, coin: str, quotes: Iterable[str]) -> Decimal:
        """What there is of a coin: changes are kept, so that another opening balance changes the past, too."""
        return self._coins.get(coin, ZERO) + (self._balance if coin in quotes else ZERO)

    def _still_open(self, name: str) -> VenueOrder:
        entry = self._open.get(name)
        if entry is None:
            raise InvariantViolation(f"{name} is not open")
        return entry


def _at_least(qty: Decimal) -> str:
    """An amount for people, rounded so that what falls short is never shown as enough."""
    return f"{qty.quantize(_SHOWN, ROUND_CEILING).normalize():f}"


def _at_most(qty: Decimal) -> str:
    return f"{qty.quantize(_SHOWN, ROUND_FLOOR).normalize():f}"
