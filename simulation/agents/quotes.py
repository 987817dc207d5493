"""From the quotes that stand in the book to those that are wanted, by the fewest messages an account can pay for."""

from collections.abc import Iterable

from simulation.book.messages import CANCEL, LIMIT
from simulation.market.protocol import Intent, MarketView


def requoted(view: MarketView, asset: int, side: int, quotes: Iterable[tuple[int, int]]) -> list[Intent]:
    """Cancel own orders of a side that are not wanted, and send what is missing.

    What the account cannot pay is left out, from the last quote on: it is never asked for more than its money and lots.

    Parameters
    ----------
    side
        +1 or -1.
    quotes
        Prices and lots, ticks, those first that matter most; lots at one price are one order.
    """
    mine = [
        (order_id, px, leaves_qty)
        for order_id, (its_asset, its_side, px, leaves_qty) in view.open_orders.items()
        if its_side == side and its_asset == asset
    ]
    # What open orders have reserved is free again once they are canceled; those that stay need it as before.
    money = view.cash // view.scale + (sum(px * leaves_qty for _, px, leaves_qty in mine) if side > 0 else 0)
    missing = _affordable(quotes, side, money, view.position_qty(asset))
    intents: list[Intent] = []
    for order_id, px, leaves_qty in mine:
        if missing.get(px) == leaves_qty:
            del missing[px]
        else:
            intents.append((CANCEL, 0, 0, 0, 0, 0, order_id))
    intents += [(LIMIT, asset, side, qty, px, 0, 0) for px, qty in missing.items()]
    return intents


def _affordable(quotes: Iterable[tuple[int, int]], side: int, money: int, lots: int) -> dict[int, int]:
    """Lots by price of those quotes that can be paid, ticks times lots or lots; the last of them perhaps in part."""
    found: dict[int, int] = {}
    for px, wanted_qty in quotes:
        if px <= 0:
            continue
        qty = min(wanted_qty, money // px if side > 0 else lots)
        if qty > 0:
            found[px] = found.get(px, 0) + qty
            money -= px * qty
            lots -= qty
        if qty < wanted_qty:
            break
    return found
