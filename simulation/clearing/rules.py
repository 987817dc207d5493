"""What a clearing house charges and allows."""

from dataclasses import dataclass
from typing import Final

PPM: Final = 1_000_000
"""Parts of a million in one."""
BPS: Final = 10_000
"""Basis points in one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearingRules:
    """Rules of one market.

    Parameters
    ----------
    taker_fee_ppm
        Of the value of a trade, parts per million, from whoever crossed; 0 to one million.
    maker_fee_ppm
        The same from whoever rested; below zero it is a rebate, never above what the taker pays.
    order_qty_max
        Most lots of one order.
    lendable_lots
        Lots of each asset that can be lent to those who sell short, all of them together; none for assets not named.
    margin_only
        Assets that only accounts on margin may trade: those with funding. Selling them needs no loan.
    income_apart
        Whether dividends and interest go to an account of their own, which buys nothing.
    """

    taker_fee_ppm: int = 0
    maker_fee_ppm: int = 0
    order_qty_max: int = 1_000_000_000
    lendable_lots: tuple[int, ...] = ()
    margin_only: frozenset[int] = frozenset()
    income_apart: bool = False

    def __post_init__(self) -> None:
        """Refuse rules under which money would have to be made."""
        if not 0 <= self.taker_fee_ppm <= PPM:
            raise ValueError(f"a taker pays 0 to {PPM} parts per million, got {self.taker_fee_ppm}")
        if not -self.taker_fee_ppm <= self.maker_fee_ppm <= PPM:
            raise ValueError(f"a rebate is at most what the taker pays, got {self.maker_fee_ppm} ppm")
        if self.order_qty_max < 1 or any(lots < 0 for lots in self.lendable_lots):
            raise ValueError("the largest order is one lot or more, and nothing below zero can be lent")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginTerms:
    """What an account on margin may do; an account without terms spends its cash and sells its shares.

    Parameters
    ----------
    initial_bps
        Own money that a position needs when it is entered, basis points of its value: 10 000 is no leverage, 2 000 is
        five times.
    maintenance_bps
        Own money below which it is liquidated, basis points of its value; at most the initial margin.
    short
        Whether more may be sold than is owned.
    """

    initial_bps: int = BPS
    maintenance_bps: int = BPS // 4
    short: bool = False

    def __post_init__(self) -> None:
        """Refuse margins that would liquidate what was just allowed."""
        if not 0 < self.maintenance_bps <= self.initial_bps <= 10 * BPS:
            raise ValueError(f"0 < maintenance <= initial <= {10 * BPS} basis points, got {self}")


def protection_px(side: int, touch_px: int, reach_bps: int = 1_000) -> int:
    """Worst price of an order that names none: so far beyond the best opposite price, ticks.

    A market order is admitted at this price and enters the book as one that takes at it or better, and rests nowhere.
    What is reserved is therefore known before it trades, and no thin book can carry it further.

    Parameters
    ----------
    side
        +1 to buy, -1 to sell.
    touch_px
        Best opposite price, ticks, > 0.
    reach_bps
        How far beyond, basis points; ten per cent by default.
    """
    if touch_px <= 0 or reach_bps < 0 or side not in (1, -1):
        raise ValueError(f"no price follows from side {side}, {touch_px} ticks and {reach_bps} basis points")
    # Rounded away from the touch: a reach of some share of a tick is a tick.
    if side > 0:
        return -(-touch_px * (BPS + reach_bps) // BPS)
    return max(1, touch_px * (BPS - reach_bps) // BPS)
