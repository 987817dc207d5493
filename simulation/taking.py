"""What an order finds that takes liquidity, where only the touch is known: a rule, not a book."""

from collections.abc import Iterator
from decimal import Decimal

from executor.domain.orders import Side
from executor.domain.units import ZERO, Price, Quantity


def levels_taken(
    *,
    side: Side,
    qty: Decimal,
    limit_px: Price,
    touch_px: Price,
    touch_qty: Quantity,
    gone_qty: Decimal,
    step_px: Decimal,
) -> Iterator[tuple[Price, Quantity]]:
    """Walk from the touch to the limit; each level holds the touch's own size.

    With p the far touch, q its size and d the step, level k = 0, 1, 2... offers q at p + b k d, b = +1 for a buy and
    -1 for a sell. A size of n touches therefore pays (n - 1) d / 2 more than the touch on average: impact that is
    linear in the size, as in Kyle (Econometrica 53(6), 1985), with d / (2 q) for each unit.

    Parameters
    ----------
    side
        Of the order that takes.
    touch_px, touch_qty
        The far touch, quote per base and base units.
    gone_qty
        Taken since this touch was shown, base units: it is not there any more.
    step_px
        Distance of the levels, > 0, quote per base.

    Yields
    ------
    tuple of Price and Quantity
        Best first; together never more than `qty`, never beyond the limit.
    """
    left, gone, px = qty, gone_qty, touch_px
    while left > ZERO and touch_qty > ZERO and side.sign * (limit_px - px) >= ZERO:
        there = touch_qty - min(gone, touch_qty)
        gone -= min(gone, touch_qty)
        taken = min(there, left)
        if taken > ZERO:
            left -= taken
            yield px, Quantity(taken)
        px = Price(px + side.sign * step_px)
