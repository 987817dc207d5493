"""What every strategy is: a plan made once, and a decision whenever something changed."""

from collections.abc import Callable
from functools import cache
from typing import Final, Protocol

from executor.domain.decision import Decision, Schedule, View
from executor.domain.instrument import Instrument
from executor.domain.orders import ParentOrder
from executor.domain.units import Price, Quantity
from strategies.adaptive import Adaptive
from strategies.arrival_price import ArrivalPrice
from strategies.chase import Chase
from strategies.close import Close
from strategies.iceberg import Iceberg
from strategies.pov import Pov
from strategies.sniper import Sniper
from strategies.twap import Twap
from strategies.venue_orders import VENUE_STRATEGIES
from strategies.vwap import Vwap
from strategies.wrappers.crypto import GUIDES
from strategies.wrappers.guided import Guide, Guided


class Strategy(Protocol):
    """A schedule family. Holds no state: everything it may know is in its arguments."""

    def plan(
        self,
        *,
        order: ParentOrder,
        instrument: Instrument,
        reference_px: Price,
        start_ns: int,
        end_ns: int,
        cum_qty: Quantity,
    ) -> Schedule:
        """Cut what is left of the order into slices over the interval."""

    def revise(self, view: View) -> Schedule | None:
        """Divide what is left of the plan anew, asked as each slice begins; None leaves the plan as it is.

        Times of slices, the whole, and what lies before this instant stay.
        """

    def decide(self, view: View) -> Decision:
        """Say what should be working now."""


STRATEGIES: Final[dict[str, Strategy]] = {
    "twap": Twap(),
    "vwap": Vwap(),
    "arrival-price": ArrivalPrice(),
    "close": Close(),
    "pov": Pov(),
    "iceberg": Iceberg(),
    "chase": Chase(),
    "sniper": Sniper(),
    "adaptive": Adaptive(Twap()),
}
"""By the name that people write; `strategies.reads.READS` says which parameters each reads."""
SWITCHABLE: Final = ("twap", "vwap", "arrival-price")
"""Those that an order may be switched to while it works: they keep to a schedule that ends when the old one does."""
_SCHEDULED: Final = frozenset({*SWITCHABLE, "close", "adaptive"})


def placed_adaptively(strategy: Strategy) -> Strategy:
    """Give a strategy adaptive placement, inside whatever guides it."""
    return strategy.placed() if isinstance(strategy, Guided) else Adaptive(strategy)


def guided(guide: Guide) -> Callable[[Strategy], Strategy]:
    """Make the wrapper of a guide."""
    return lambda strategy: Guided(strategy, guide)


WRAPPERS: Final[dict[str, Callable[[Strategy], Strategy]]] = {
    "adaptive": placed_adaptively,
    **{name: guided(guide) for name, guide in GUIDES.items()},
}
"""Signals that hold back or hurry any strategy, by the name that people write."""


def strategy_of(order: ParentOrder) -> Strategy:
    """The strategy of an order with its wrappers about it, the first one innermost."""
    return _wrapped(order.strategy, order.params.wrappers)


def keeps_schedule(order: ParentOrder) -> bool:
    """Whether nothing but the market keeps the order from its schedule, so that the schedule bounds what it does."""
    params = order.params
    revised = params.risk_aversion is not None or (
        params.curve is not None and params.curve.week_qty is not None
    )
    if revised or params.wrappers or params.participation_max is not None:
        return False
    return order.strategy in _SCHEDULED


@cache
def _wrapped(name: str, wrappers: tuple[str, ...]) -> Strategy:
    strategy = VENUE_STRATEGIES[name] if name in VENUE_STRATEGIES else STRATEGIES[name]
    for wrapper in wrappers:
        strategy = WRAPPERS[wrapper](strategy)
    return strategy
