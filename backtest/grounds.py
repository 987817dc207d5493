"""On what a simulated fill rests: on what the recording shows, or on a model of the queue that nobody saw.

A fill carries the exchange's time of the row that caused it, so the cause is found again among the rows of that
instant. Rules: docs/replay.md.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from backtest.dataset.rows import Kind
from backtest.recording import Instant, Reel
from executor.domain.fills import Fill
from executor.domain.orders import Liquidity
from simulation.replay import codes
from simulation.replay_venue import Steps

MODEL_NAMES: Final = {
    codes.RISK_AVERSE: "risk-averse",
    codes.PROPORTIONAL: "proportional",
    codes.SQUARE: "square",
    codes.CUBE: "cube",
    codes.LOGARITHMIC: "log",
}
"""Queue models by the names that people write (R14)."""


class Ground(StrEnum):
    """Why an order was filled."""

    TAKEN = "taken"
    """It took lots that the recorded book shows (R17)."""
    PRINT_THROUGH = "print-through"
    """Somebody is recorded to have traded beyond its price, at least as much as it was filled (R12)."""
    BOOK_REACHED = "book-reached"
    """The recorded book has come to its price from the other side (R13)."""
    ORDER_LEVEL = "order-level"
    """An order behind it is recorded to have been executed (R16)."""
    QUEUE_MODEL = "queue-model"
    """Somebody traded at its price, and a model said that nobody waited ahead of it any more (R11, R14)."""


def ground_of(fill: Fill, steps: Steps, reel: Reel) -> Ground:
    """Find out why an order was filled; the rows of that instant must still be kept."""
    if fill.liquidity is Liquidity.TAKER:
        return Ground.TAKEN
    return _of_resting(fill.side.sign, int(fill.last_px / steps.tick_size), reel.rows_at(fill.ts_exchange_ns))


def _of_resting(side: int, px: int, rows: Instant) -> Ground:
    """Of the possible causes the one that asks for the least belief; a print at the price comes before the book."""
    beyond = side * (px - rows.px)
    if ((rows.kind == Kind.EXECUTE) & (rows.side == side) & (beyond >= 0)).any():
        return Ground.ORDER_LEVEL
    against = rows.side == -side
    prints = (rows.kind == Kind.TRADE) & against
    if (prints & (beyond > 0)).any():
        return Ground.PRINT_THROUGH
    if (prints & (beyond == 0)).any():
        return Ground.QUEUE_MODEL
    levels = (rows.kind == Kind.LEVEL) | (rows.kind == Kind.ADD)
    if (levels & against & (beyond >= 0) & (rows.qty > 0)).any():
        return Ground.BOOK_REACHED
    return Ground.QUEUE_MODEL


def warning(grounds: Iterable[Ground], model: str) -> str | None:
    """Say how many fills nobody can vouch for; None if there is none."""
    listed = list(grounds)
    modelled = sum(one is Ground.QUEUE_MODEL for one in listed)
    if not modelled:
        return None
    return (
        f"{modelled} of {len(listed)} fills come from the queue model {model}, not from prints alone: how many orders"
        " waited ahead was not recorded"
    )
