"""Imbalance of what is quoted and of what is traded: order-flow imbalance, trade imbalance, microprice.

Best quotes only. Sizes are of any one unit, prices of any one unit; nothing here rounds or knows a tick.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, isfinite


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask with the sizes shown there.

    Parameters
    ----------
    bid_px, ask_px
        Quote units per base unit, > 0.
    bid_qty, ask_qty
        Base units, >= 0.
    """

    bid_px: float
    bid_qty: float
    ask_px: float
    ask_qty: float

    def __post_init__(self) -> None:
        """Refuse what is no touch of a book."""
        if not all(map(isfinite, (self.bid_px, self.bid_qty, self.ask_px, self.ask_qty))):
            raise ValueError(f"a quote is made of finite numbers, got {self}")
        if self.bid_px <= 0.0 or self.ask_px <= 0.0 or self.bid_qty < 0.0 or self.ask_qty < 0.0:
            raise ValueError(f"prices are above zero and sizes not below, got {self}")

    @property
    def mid_px(self) -> float:
        """Middle of the touch."""
        return (self.bid_px + self.ask_px) / 2.0


def queue_change(before: Quote, after: Quote) -> float:
    """What one change of the touch adds to the order-flow imbalance, base units; above zero is pressure to buy.

    e = [Pb >= Pb'] qb - [Pb <= Pb'] qb' - [Pa <= Pa'] qa + [Pa >= Pa'] qa', where ' is before, b is bid, a is ask,
    P is price, q is size and [.] is 1 where it holds. Where a price stays both of its brackets hold, and the term
    is the change of the queue: R. Cont, A. Kukanov and S. Stoikov, J. Financial Econometrics 12 (2014), arXiv
    1011.6402.
    """
    change = 0.0
    if after.bid_px >= before.bid_px:
        change += after.bid_qty
    if after.bid_px <= before.bid_px:
        change -= before.bid_qty
    if after.ask_px <= before.ask_px:
        change -= after.ask_qty
    if after.ask_px >= before.ask_px:
        change += before.ask_qty
    return change


def order_flow_imbalance(quotes: Sequence[Quote]) -> float:
    """Sum of `queue_change` along quotes in order of time, base units; 0 for fewer than two of them."""
    return fsum(queue_change(before, after) for before, after in pairwise(quotes))


def trade_imbalance(signed_qtys: Iterable[float]) -> float | None:
    """Bought less sold over both, -1 to 1: sum q / sum |q|; None where nothing was traded.

    Parameters
    ----------
    signed_qtys
        Quantities that takers took, base units, above zero for purchases.
    """
    qtys = list(signed_qtys)
    if not all(map(isfinite, qtys)):
        raise ValueError("traded quantities must be finite")
    turnover = fsum(map(abs, qtys))
    return fsum(qtys) / turnover if turnover else None


def queue_imbalance(quote: Quote) -> float | None:
    """(qb - qa) / (qb + qa), -1 to 1: above zero the bid is the longer queue; None where both are empty."""
    shown = quote.bid_qty + quote.ask_qty
    return (quote.bid_qty - quote.ask_qty) / shown if shown else None


def microprice(quote: Quote) -> float | None:
    """(qa Pb + qb Pa) / (qb + qa): the mid leaned toward the shorter queue, which gives way first.

    None where both queues are empty. It lies between bid and ask, and is mid + imbalance * spread / 2.
    """
    lean = queue_imbalance(quote)
    return None if lean is None else quote.mid_px + lean * (quote.ask_px - quote.bid_px) / 2.0
