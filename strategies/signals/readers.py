"""Who reads which signal. Only what an open order's strategy or wrapper reads is collected."""

from enum import StrEnum, auto
from functools import cache
from typing import Final


class Kind(StrEnum):
    """What can be collected of one market."""

    ORDER_FLOW = auto()
    TRADE_FLOW = auto()
    TOUCH = auto()
    QUEUE = auto()
    VOLATILITY = auto()
    VOLUME = auto()
    ESTIMATES = auto()
    LIQUIDATIONS = auto()
    CLUSTERS = auto()
    OPEN_INTEREST = auto()
    CONTRACT = auto()
    EXCHANGE_FLOW = auto()


Kinds = frozenset[Kind]

READ_BY_STRATEGY: Final[dict[str, Kinds]] = {
    "adaptive": frozenset(
        {
            Kind.ORDER_FLOW,
            Kind.TRADE_FLOW,
            Kind.TOUCH,
            Kind.QUEUE,
            Kind.VOLATILITY,
            Kind.VOLUME,
            Kind.ESTIMATES,
        }
    ),
    "arrival-price": frozenset({Kind.ESTIMATES}),
}
READ_BY_WRAPPER: Final[dict[str, Kinds]] = {
    "adaptive": READ_BY_STRATEGY["adaptive"],
    "funding": frozenset({Kind.CONTRACT}),
    "liquidations": frozenset({Kind.LIQUIDATIONS, Kind.CLUSTERS}),
    "open-interest": frozenset({Kind.OPEN_INTEREST}),
    "exchange-flow": frozenset({Kind.EXCHANGE_FLOW}),
    "session": frozenset(),
}
_NOTHING: Final[Kinds] = frozenset()
_KEPT_ANYWAY: Final = frozenset({Kind.ESTIMATES, Kind.CONTRACT, Kind.EXCHANGE_FLOW})
"""Kinds for which nothing is collected with the snapshots."""


@cache
def signals_read(strategy: str, wrappers: tuple[str, ...]) -> Kinds:
    """Kinds that an order with this strategy and these wrappers reads; most read none."""
    own = READ_BY_STRATEGY.get(strategy, _NOTHING)
    return own.union(*(READ_BY_WRAPPER[name] for name in wrappers))


@cache
def signals_collected(strategy: str, wrappers: tuple[str, ...]) -> Kinds:
    """Those of them for which every snapshot must be looked at."""
    return signals_read(strategy, wrappers) - _KEPT_ANYWAY
