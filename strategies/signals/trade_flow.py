"""Trade imbalance: who has been taking, buyers or sellers."""

from dataclasses import dataclass
from typing import Final

from executor.domain.timeline import NS_PER_S
from strategies.signals.fading import fade

HALF_LIFE_NS: Final = 30 * NS_PER_S
WARM_UP_NS: Final = 30 * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFlow:
    """What is remembered.

    Parameters
    ----------
    bought_qty, sold_qty
        Fading sums of what takers bought and sold, base units.
    since_ns
        When watching began, UTC; 0 before.
    """

    at_ns: int = 0
    since_ns: int = 0
    bought_qty: float = 0.0
    sold_qty: float = 0.0


def observe(old: TradeFlow, at_ns: int, bought_qty: float, sold_qty: float) -> TradeFlow:
    """Take in what was bought and sold since the last observation, base units."""
    if not old.since_ns:
        return TradeFlow(at_ns=at_ns, since_ns=at_ns)
    left = fade(at_ns - old.at_ns, HALF_LIFE_NS)
    return TradeFlow(
        at_ns=at_ns,
        since_ns=old.since_ns,
        bought_qty=old.bought_qty * left + bought_qty,
        sold_qty=old.sold_qty * left + sold_qty,
    )


def imbalance(state: TradeFlow) -> float | None:
    """(bought - sold) / (bought + sold), -1 to 1; None before half a minute was watched or where nothing traded."""
    traded_qty = state.bought_qty + state.sold_qty
    if state.at_ns - state.since_ns < WARM_UP_NS or traded_qty <= 0.0:
        return None
    return (state.bought_qty - state.sold_qty) / traded_qty
