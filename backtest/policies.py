"""Ways to work one and the same order that can be held against each other: strategies, and two baselines.

A policy is only a choice of the order's own terms, so that every one of them goes through the same engine and gate.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Final

from executor.domain.events import ParentSubmitted
from executor.domain.orders import StrategyParams
from executor.domain.units import ONE, ZERO, Quantity
from strategies.base import STRATEGIES

Policy = Callable[[ParentSubmitted, int], ParentSubmitted]
"""Changes the terms of an order; what is random in it comes from the seed."""

CROSS: Final = "CROSS"
RANDOM: Final = "RANDOM"
_INTERVALS_S: Final = (5, 10, 20, 30, 60, 120)
_JITTER_PCT: Final = 50
_SNIPED_PARTS: Final = 10


def _scheduled(strategy: str) -> Policy:
    return lambda order, _seed: replace(order, strategy=strategy)


def _sniper(order: ParentSubmitted, seed: int) -> ParentSubmitted:
    """Whenever the other side shows a tenth of the order, unless the order says what it waits for."""
    params = order.params
    if params.trigger_px is None and params.trigger_qty is None:
        params = replace(params, trigger_qty=Quantity(order.order_qty / _SNIPED_PARTS))
    return replace(order, strategy="sniper", params=params)


def _cross(order: ParentSubmitted, seed: int) -> ParentSubmitted:
    """All of it at arrival: one slice that rests for no time; what is not there at once is taken as it comes."""
    params = StrategyParams(interval_s=order.duration_s, passiveness=ZERO, catch_up_max=ONE)
    return replace(order, strategy="twap", params=params)


def _random(order: ParentSubmitted, seed: int) -> ParentSubmitted:
    """Slices of random number, size and start, resting for a random share of their time: it knows nothing."""
    chance = Random(f"{seed}:random policy")  # noqa: S311 - a baseline is no cryptography
    fitting = [one for one in _INTERVALS_S if one <= order.duration_s] or [order.duration_s]
    params = StrategyParams(
        interval_s=chance.choice(fitting),
        randomize_size_pct=_JITTER_PCT,
        randomize_timing_pct=_JITTER_PCT,
        passiveness=Decimal(chance.randint(0, 100)) / 100,
    )
    return replace(order, strategy="twap", params=params)


POLICIES: Final[dict[str, Policy]] = {
    **{name.upper(): _scheduled(name) for name in STRATEGIES},
    "SNIPER": _sniper,
    CROSS: _cross,
    RANDOM: _random,
}
"""By the name that people write, in capitals."""
BASELINES: Final = (CROSS, RANDOM)
