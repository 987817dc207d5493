"""What a clearing house writes down: every trade, and every other movement of cash or shares, as rows of integers.

A row moves something from one account to another, so that all rows added up give every account, and nothing else can.
Accounts are numbered: participants from 0, then the house, then the world outside (who issues shares, pays dividends
and brought the money in), then one account of income for each participant (`Numbers`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

CASH: Final = -1
"""In the place of an asset: money."""


class Kind(IntEnum):
    """Why something moved outside of a trade."""

    DEPOSIT = 1
    DELIVERY = 2
    DIVIDEND = 3
    INTEREST = 4
    LENDING_FEE = 5
    FUNDING = 6
    REDEMPTION = 7
    ROUNDING = 8
    WRITE_OFF = 9


class Trade(NamedTuple):
    """A settled trade; the house writes it as a plain tuple in this order.

    Parameters
    ----------
    at_ns
        Simulated time.
    number
        Place among all rows, from 1.
    px, qty
        Ticks and lots.
    taker_side
        +1 if the buyer crossed, -1 if the seller did.
    buy_fee, sell_fee
        Money; below zero a rebate.
    """

    at_ns: int
    number: int
    asset: int
    px: int
    qty: int
    buyer: int
    seller: int
    buy_order: int
    sell_order: int
    taker_side: int
    buy_fee: int
    sell_fee: int


class Transfer(NamedTuple):
    """Any other movement; written as a plain tuple in this order.

    Parameters
    ----------
    at_ns
        Simulated time.
    number
        Place among all rows, from 1.
    kind
        A `Kind`.
    source, target
        Accounts.
    asset
        `CASH` for money.
    amount
        Money or lots, > 0.
    """

    at_ns: int
    number: int
    kind: int
    source: int
    target: int
    asset: int
    amount: int


TradeRow = tuple[int, int, int, int, int, int, int, int, int, int, int, int]
TransferRow = tuple[int, int, int, int, int, int, int]


class Ledger(Protocol):
    """Takes rows in the order of their numbers."""

    def trade(self, row: TradeRow) -> None:
        """Keep a settled trade, see `Trade`."""

    def transfer(self, row: TransferRow) -> None:
        """Keep another movement, see `Transfer`."""


@dataclass(slots=True)
class MemoryLedger:
    """Keeps all rows in two lists."""

    trades: list[TradeRow] = field(default_factory=list)
    transfers: list[TransferRow] = field(default_factory=list)

    def trade(self, row: TradeRow) -> None:
        """Keep a settled trade."""
        self.trades.append(row)

    def transfer(self, row: TransferRow) -> None:
        """Keep another movement."""
        self.transfers.append(row)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Which account has which number.

    Parameters
    ----------
    participants
        How many there are.
    """

    participants: int

    @property
    def house(self) -> int:
        """The clearing house's own account: fees, and what rounding leaves."""
        return self.participants

    @property
    def outside(self) -> int:
        """Whoever brings money and shares in, and takes them out; its balance is the market's, below zero."""
        return self.participants + 1

    def income(self, participant: int) -> int:
        """Account of a participant's income where that is kept apart."""
        return self.participants + 2 + participant

    @property
    def accounts(self) -> int:
        """How many accounts there are."""
        return 2 * self.participants + 2


@dataclass(frozen=True, slots=True)
class Balances:
    """What every account holds.

    Parameters
    ----------
    cash
        Money by account.
    shares
        Lots by asset, then by account.
    """

    cash: list[int]
    shares: list[list[int]]


def added_up(
    participants: int, assets: int, scale: int, trades: Iterable[TradeRow], transfers: Iterable[TransferRow]
) -> Balances:
    """Balances of all accounts out of nothing but the rows.

    Parameters
    ----------
    scale
        Money of one tick times one lot.
    """
    numbers = Numbers(participants)
    cash = [0] * numbers.accounts
    shares = [[0] * numbers.accounts for _ in range(assets)]
    for row in trades:
        trade = Trade(*row)
        value = trade.px * trade.qty * scale
        cash[trade.buyer] -= value + trade.buy_fee
        cash[trade.seller] += value - trade.sell_fee
        cash[numbers.house] += trade.buy_fee + trade.sell_fee
        shares[trade.asset][trade.buyer] += trade.qty
        shares[trade.asset][trade.seller] -= trade.qty
    for moved in transfers:
        transfer = Transfer(*moved)
        held = cash if transfer.asset == CASH else shares[transfer.asset]
        held[transfer.source] -= transfer.amount
        held[transfer.target] += transfer.amount
    return Balances(cash=cash, shares=shares)
