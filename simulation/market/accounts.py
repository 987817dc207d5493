"""What each participant is worth over time: money, and what it holds at the mid."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulation.clearing.ledger import Trade, TradeRow
from simulation.market.exchange import Exchange

if TYPE_CHECKING:
    from simulation.phenomena.performance import Performance


class EquityRecord:
    """The equity of every participant at even times.

    Parameters
    ----------
    every_ns
        Distance of two looks, nanoseconds.

    Attributes
    ----------
    equities
        By look and then participant, money.
    """

    def __init__(self, every_ns: int) -> None:
        if every_ns <= 0:
            raise ValueError(f"a distance above zero, got {every_ns} ns")
        self.every_ns = every_ns
        self.equities: list[list[int]] = []

    def look(self, exchange: Exchange) -> None:
        """Write down what everybody is worth now; half a unit of money is dropped."""
        house = exchange.house
        numbers, scale = house.numbers, house.scale
        mids2 = [exchange.mid2(asset) for asset in range(len(exchange.books))]
        self.equities.append(
            [
                house.cash[who]
                + house.cash[numbers.income(who)]
                + sum(held[who] * mid2 for held, mid2 in zip(house.shares, mids2, strict=True)) * scale // 2
                for who in range(numbers.participants)
            ]
        )

    def performance(
        self,
        participant: int,
        scale: int,
        asset: int,
        first_px: int,
        trades: Sequence[TradeRow],
        position_qty: int,
    ) -> "Performance":
        """Measure one participant (`simulation.phenomena.performance`).

        Parameters
        ----------
        scale
            Money of one tick times one lot.
        asset
            The asset whose trades and position are measured; equity is of all.
        first_px
            What the first position counts for, ticks.
        trades
            Rows of the ledger.
        position_qty
            What it began with, lots.
        """
        import numpy as np  # noqa: PLC0415 - a market runs without it

        from simulation.phenomena.performance import AgentFill, performance  # noqa: PLC0415 - brings numpy

        fills = []
        for trade in map(Trade._make, trades):
            if trade.asset == asset and participant in (trade.buyer, trade.seller):
                side = 1 if trade.buyer == participant else -1
                fee = trade.buy_fee if side > 0 else trade.sell_fee
                fills.append(AgentFill(trade.at_ns, side * trade.qty, float(trade.px * scale), float(fee)))
        return performance(
            np.array([row[participant] for row in self.equities], dtype=np.float64),
            self.every_ns,
            fills,
            position=float(position_qty),
            position_px=float(first_px * scale),
        )
