"""What was paid for holding what an order had filled: funding, beside its cost and never in it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from executor.domain.fills import Fill
from executor.domain.instrument import Instrument
from executor.domain.orders import Category
from executor.domain.units import ZERO, Money
from simulation.replay import codes
from simulation.replay.spoken import Account
from simulation.replay_venue import Steps

_RATE_UNITS: Final = Decimal(codes.FUNDING_UNIT)


class Settlement(NamedTuple):
    """One recorded funding: when, and the rate in parts of 1e-9."""

    at_ns: int
    rate: int


def funding_paid(
    rules: Instrument,
    steps: Steps,
    account: Account,
    fills: Sequence[Fill],
    settlements: Sequence[Settlement],
) -> Money:
    """What holding has cost, quote units; below zero it was got.

    Linear contracts: what the venue itself has charged (R28), exactly. Inverse contracts pay position / mark * rate in
    coin, which is position * rate in quote units at that mark (Bybit, Funding fee calculation). The venue reckons with
    quantity times price, so there it is summed up here, over what was filled before each settlement; a fill of its very
    instant counts as later.

    Parameters
    ----------
    settlements
        Those of the time in which the order was at work; only inverse contracts need them.
    """
    if rules.category is not Category.INVERSE:
        return Money(Decimal(account.funding) * steps.tick_size * steps.lot_size / _RATE_UNITS)
    return Money(
        sum(
            (
                fill.side.sign * fill.last_qty * one.rate / _RATE_UNITS
                for one in settlements
                for fill in fills
                if fill.ts_exchange_ns < one.at_ns
            ),
            ZERO,
        )
    )
