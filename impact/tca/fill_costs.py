"""What each fill adds to the trading cost of its order: spread, temporary and permanent impact, in exact sums.

With b = +1 for a buy and -1 for a sell, q and p quantity and price of a fill, m the mid before it and a the best price
of the other side before it (all quote per base), the trading cost b (N - s P0) of an order is the sum over its fills of

    spread        b q (p - m)   of a fill that waited, mostly below zero: it earns
                  b q (a - m)   of a fill that took: half the spread
    temporary     b q (p - a)   of a fill that took: how far it went beyond the touch; nobody else pays it
    permanent     q A           A: how far the mid has moved against the order in the windows of its own earlier fills
    timing        q (b (m - P0) - A)

A window opens with each fill that took, at the mid before it, and ends `WINDOW_S` later or at the mid before the
order's next fill, whichever comes first: windows do not overlap, so no move is counted twice. What a fill that waited
is followed by was made by whoever took: it is in the timing, and mark-outs show it. A is all that a single order can
tell of its own impact: the market's own moves of these seconds are in it and cancel only in the mean of many orders,
and where fills follow each other within seconds nearly every move counts as ours. What a sweep moves and the market
takes back within the window is not in A, unless the next fill came before.

The names are those of R. Almgren and N. Chriss, "Optimal execution of portfolio transactions", J. Risk 3(2), 2001
(temporary: paid by the trade itself beyond half a spread; permanent: carried on to all later ones); arrival and mid
before the fill are those of A. Perold (1988) and of R. Huang and H. Stoll, "Dealer versus auction markets", J.
Financial Economics 41(3), 1996. Inverse contracts pay in coin: a price p enters as its value -1/p, and all is in coin
(`impact.shortfall.cost_parts` says why). Checked by hand and against a slow twin in
`tests/impact/test_decomposition.py`.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from executor.domain.orders import Category, Side
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ONE, ZERO

WINDOW_S: Final = 10
"""How long after a fill that took the moves of the mid count as its impact, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedFill:
    """A fill with the book before it.

    Parameters
    ----------
    qty
        Base units; contracts of one quote unit for inverse.
    px, mid_px, far_touch_px
        Of the fill, the mid before it, and the best price of the other side before it; quote per base.
    waited
        Whether it rested in the book.
    ts_exchange_ns
        By the venue's clock, UTC.
    """

    key: str
    category: Category
    side: Side
    qty: Decimal
    px: Decimal
    mid_px: Decimal
    far_touch_px: Decimal
    waited: bool
    ts_exchange_ns: int


@dataclass(slots=True, kw_only=True)
class FillCosts:
    """Sums over fills; positive is a cost. Quote units; coin for inverse contracts.

    Parameters
    ----------
    qty
        Quantity of the fills that are in the sums, base units; of others the book before them is not known.
    """

    qty: Decimal = ZERO
    spread: Decimal = ZERO
    temporary: Decimal = ZERO
    permanent: Decimal = ZERO

    def add(self, other: "FillCosts") -> None:
        """Take in the sums over other fills."""
        self.qty += other.qty
        self.spread += other.spread
        self.temporary += other.temporary
        self.permanent += other.permanent


@dataclass(slots=True, kw_only=True)
class ImpactPath:
    """How far the mid has moved in the windows of an order's own fills.

    Parameters
    ----------
    moved
        Sum over the windows that have ended, against the order; quote units per base unit, coin for each contract.
    open_key
        Fill whose window is open; empty for none.
    open_px, until_ns
        Mid before that fill (quote per base), and the latest end of its window by the venue's clock.
    """

    moved: Decimal = ZERO
    open_key: str = ""
    open_px: Decimal = ZERO
    until_ns: int = 0


def costs_of(path: ImpactPath, fill: BookedFill, mid_at_end_px: Decimal) -> FillCosts:
    """Tell what a fill costs by the windows before it, and open its own.

    Parameters
    ----------
    path
        Is led on to this fill.
    mid_at_end_px
        Mid at the latest end of the window that is open; needed only where that is before the fill. Quote per base.
    """
    if path.open_key:
        in_time = fill.ts_exchange_ns <= path.until_ns
        end_window(path, fill.category, fill.side, fill.mid_px if in_time else mid_at_end_px)
    if not fill.waited:
        path.open_key, path.open_px = fill.key, fill.mid_px
        path.until_ns = fill.ts_exchange_ns + WINDOW_S * NS_PER_S
    paid, middle, touch = (_value(fill.category, px) for px in (fill.px, fill.mid_px, fill.far_touch_px))
    size = fill.side.sign * fill.qty
    return FillCosts(
        qty=fill.qty,
        spread=size * ((paid if fill.waited else touch) - middle),
        temporary=ZERO if fill.waited else size * (paid - touch),
        permanent=fill.qty * path.moved,
    )


def end_window(path: ImpactPath, category: Category, side: Side, mid_px: Decimal) -> None:
    """Count the move of the window that is open, up to a mid (quote per base)."""
    path.moved += side.sign * (_value(category, mid_px) - _value(category, path.open_px))
    path.open_key = ""


def _value(category: Category, px: Decimal) -> Decimal:
    return -ONE / px if category is Category.INVERSE else px
