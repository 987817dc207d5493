"""What every strategy is: a plan made once, and a decision whenever something changed."""

from typing import Final, Protocol

from executor.domain.decision import Decision, Schedule, View
from executor.domain.instrument import Instrument
from executor.domain.orders import ParentOrder
from executor.domain.units import Price, Quantity
from strategies.arrival_price import ArrivalPrice
from strategies.twap import Twap
from strategies.vwap import Vwap


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

    def decide(self, view: View) -> Decision:
        """Say what should be working now."""


STRATEGIES: Final[dict[str, Strategy]] = {"twap": Twap(), "vwap": Vwap(), "arrival-price": ArrivalPrice()}
