"""How much stands before a resting order at its price: an upper bound, made from what everybody is shown.

Nobody is told where an order stands. What is known: when it came, everything there stood before it; whatever trades
against its side trades with what stands before it first; and of what is shown at its price all but itself may stand
before it, never more.
"""

from decimal import Decimal


def ahead_after(
    ahead_qty: float | None, level_qty: Decimal, own_qty: Decimal, traded_qty: float | None
) -> float:
    """Tell how much stands before an order, base units, one snapshot later.

    Parameters
    ----------
    ahead_qty
        As before; None where the order has just come: then all that is shown stands before it.
    level_qty
        Shown at its price, itself included.
    own_qty
        Still open of it.
    traded_qty
        Traded against its side since; None where nobody said who took, and then the bound stays.
    """
    if ahead_qty is None:
        return float(level_qty)
    return max(min(ahead_qty - (traded_qty or 0.0), float(level_qty - own_qty)), 0.0)
