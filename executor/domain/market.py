"""The market as the engine sees it: a conflated snapshot of one symbol."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from executor.domain.orders import Category, Side
from executor.domain.units import BPS_PER_UNIT, ZERO, Bps, Money, Price, Quantity

_NONE_QTY: Final = Quantity(ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondOpinion:
    """A price of a symbol from another source than its book, and when it came.

    Parameters
    ----------
    px
        Quote per base.
    at_ns
        When the engine took it in, UTC.
    """

    px: Price
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractFigures:
    """What a ticker says of a contract beside its book, and when it was last heard; None for what it does not say.

    Parameters
    ----------
    funding_rate
        What longs pay at the next funding instant, as a share of the position's value; negative where shorts pay.
    next_funding_ns
        That instant, UTC.
    open_interest
        Open positions of one side, base units.
    mark_px, index_px
        Quote per base.
    """

    at_ns: int
    funding_rate: Decimal | None = None
    next_funding_ns: int | None = None
    open_interest: Quantity | None = None
    mark_px: Price | None = None
    index_px: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForcedClose:
    """A position that the venue closed by force: BUY was a long, SELL a short.

    Parameters
    ----------
    px
        Its bankruptcy price, quote per base.
    """

    position: Side
    qty: Quantity
    px: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSnapshot:
    """Touch of the book and what has traded since the feed began.

    Parameters
    ----------
    traded_qty, traded_notional
        Running totals of the quantity, and of quantity times price, of all public trades since the feed of this
        process began (they fall back to zero when the process restarts).
    ts_exchange_ns
        Time of the book by the venue's clock, UTC.
    max_buy_px, min_sell_px
        Limits beyond which the venue refuses a limit price or moves it; None while they are not known.
    liquidated_long_qty, liquidated_short_qty
        Running totals of liquidated positions since the feed of this process began, base units.
    bought_qty
        What of `traded_qty` takers bought; None where nobody says who took.
    deeper_bids, deeper_asks
        Prices and quantities behind the touch, best first, as far as they are told (`market.route_levels`).
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
    max_buy_px: Price | None = None
    min_sell_px: Price | None = None
    liquidated_long_qty: Quantity = _NONE_QTY
    liquidated_short_qty: Quantity = _NONE_QTY
    bought_qty: Quantity | None = None
    deeper_bids: tuple[tuple[Price, Quantity], ...] = ()
    deeper_asks: tuple[tuple[Price, Quantity], ...] = ()

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
