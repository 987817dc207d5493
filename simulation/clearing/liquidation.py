"""Accounts on margin that are worth too little: what the house sells or buys for them, and who bears what is left.

The market cancels the account's open orders, enters the orders named here with `ClearingHouse.admit_liquidation`, and
looks again: what they cost may call for more. An account that has nothing left but debt is written off, and the house
bears it.
"""

from dataclasses import dataclass

from simulation.clearing.house import ClearingHouse
from simulation.clearing.ledger import CASH, Kind
from simulation.clearing.rules import BPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidation:
    """An order that the house enters for an account, at the market.

    Parameters
    ----------
    side
        +1 buys back what was borrowed, -1 sells what is held.
    qty
        Lots.
    """

    participant: int
    asset: int
    side: int
    qty: int


def liquidations(house: ClearingHouse) -> list[Liquidation]:
    """Least that brings every account below its maintenance margin back to the initial one, largest position first."""
    return [
        order
        for participant, terms in enumerate(house.terms)
        if terms is not None and house.below_maintenance(participant)
        for order in _reductions(house, participant, terms.initial_bps)
    ]


def is_ruined(house: ClearingHouse, participant: int) -> bool:
    """Whether an account owes money and has neither a position nor an open order out of which it could pay."""
    return house.cash[participant] < 0 and not _holds(house, participant)


def write_off(house: ClearingHouse, at_ns: int, participant: int) -> int:
    """Let the house bear the debt of an account that holds nothing else; gives the money, 0 if there is no debt.

    Income that the rules keep apart stays the account's: it can be spent on nothing, and so on no debt.

    Raises
    ------
    ValueError
        If the account still has positions or open orders.
    """
    if _holds(house, participant):
        raise ValueError(f"participant {participant} still holds something")
    debt = max(0, -house.cash[participant])
    house.transfer(at_ns, Kind.WRITE_OFF, house.numbers.house, participant, CASH, debt)
    return debt


def _holds(house: ClearingHouse, participant: int) -> bool:
    # Orders to buy only raise the one and orders to sell only lower the other: both are zero with none of them only.
    return any(up[participant] or down[participant] for up, down in zip(house.up, house.down, strict=True))


def _reductions(house: ClearingHouse, participant: int, initial_bps: int) -> list[Liquidation]:
    allowed = max(0, house.equity(participant) * BPS // initial_bps)
    excess = house.exposure(participant) - allowed
    lot_values = [px * house.scale for px in house.marks]
    positions = [held[participant] for held in house.shares]
    orders = []
    for asset in sorted(range(len(positions)), key=lambda one: -abs(positions[one]) * lot_values[one]):
        held = positions[asset]
        if excess <= 0 or held == 0 or lot_values[asset] == 0:
            continue
        qty = min(abs(held), -(-excess // lot_values[asset]))
        excess -= qty * lot_values[asset]
        orders.append(Liquidation(participant=participant, asset=asset, side=-1 if held > 0 else 1, qty=qty))
    return orders
