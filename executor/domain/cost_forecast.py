"""What an order was expected to cost when it began, kept beside what it came to."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CostForecast:
    """The cost that a model of impact told once, basis points of what is done of an order; fees are not in it.

    Parameters
    ----------
    model
        As it is written, parameters included.
    version
        Id of the calibration that it is of; empty where nobody calibrated it.
    at_ns
        When it was reckoned, UTC; 0 before.
    expected_bps, low_bps, high_bps
        Impact and spread, and where they will plausibly be; None if something was not known when the order began.
    risk_bps
        Standard deviation that the market's own moves make; None with the others.
    """

    model: str
    version: str = ""
    at_ns: int = 0
    expected_bps: Decimal | None = None
    low_bps: Decimal | None = None
    high_bps: Decimal | None = None
    risk_bps: Decimal | None = None
