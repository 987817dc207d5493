"""What is done about accounts on margin as time passes: what is unsafe is reduced, what cannot be paid written off."""

from simulation.clearing.liquidation import is_ruined, liquidations, write_off
from simulation.market.exchange import Exchange


def look_after_margin(at_ns: int, exchange: Exchange) -> int:
    """Mark every asset at its mid, and enter an order for each account that has to be reduced; gives their number.

    An account's own orders are taken back first. What finds no counterparty is tried again the next time. An account
    that is left with nothing but debt is ruined: the house bears the debt at once, and it goes on with nothing.

    Parameters
    ----------
    at_ns
        Simulated time.
    """
    house = exchange.house
    for asset in range(len(exchange.books)):
        house.mark(asset, exchange.mid2(asset) // 2)
    for participant, terms in enumerate(house.terms):
        if terms is not None and house.below_maintenance(participant):
            exchange.cancel_everything(at_ns, participant)
    entered = 0
    for order in liquidations(house):
        entered += exchange.liquidate(at_ns, order.participant, order.asset, order.side, order.qty)
    for participant, terms in enumerate(house.terms):
        if terms is not None and is_ruined(house, participant):
            write_off(house, at_ns, participant)
    return entered
