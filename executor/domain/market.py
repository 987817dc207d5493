"""The market as the engine sees it: a conflated snapshot of one symbol."""

from dataclasses import dataclass

from executor.domain.orders import Category, Side
from executor.domain.units import BPS_PER_UNIT, Bps, Money, Price, Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSnapshot:
    """Touch of the book and what has traded since the feed began.

    Parameters
    ----------
    traded_qty, traded_notional
        Running totals of all public trades since the feed of this process began (they fall back to zero
        when the process restarts); base and quote units.
    ts_exchange_ns
        Time of the book by the venue's clock, UTC.
    """

    category: Category
    symbol: str
    best_bid: Price
    best_bid_qty: Quantity
    best_ask: Price
    best_ask_qty: Quantity
    traded_qty: Quantity
    traded_notional: Money
    ts_exchange_ns: int

    @property
    def mid_px(self) -> Price:
        """Middle of the touch."""
        return Price((self.best_bid + self.best_ask) / 2)

    @property
    def spread_bps(self) -> Bps:
        """Width of the touch relative to the mid."""
        return Bps((self.best_ask - self.best_bid) / self.mid_px * BPS_PER_UNIT)

    def touch(self, side: Side) -> Price:
        """Price at which an order of this side rests first: best bid for a buy, best ask for a sell."""
        return self.best_bid if side is Side.BUY else self.best_ask

    def far_touch(self, side: Side) -> Price:
        """Price at which an order of this side trades at once."""
        return self.best_ask if side is Side.BUY else self.best_bid
