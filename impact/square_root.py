"""The square-root law of market impact: what a whole order costs by moving the price, with an honest range.

I = Y sigma sqrt(Q / V): the peak move of the price while a quantity Q is worked, where sigma is the volatility over a
time and V the volume traded in it. Both grow so with the time that it does not matter which one is taken, as long as it
is the same (Toth et al., Phys. Rev. X 1, 2011; Donier and Bonart, Market Microstructure and Liquidity 1, 2015, for
Bitcoin over four decades of size; Sato and Kanazawa, arXiv 2411.13965, find the exponent 0.489 +- 0.0015).
An order worked evenly pays two thirds of the peak on average: the mean of sqrt over [0, 1].
"""

from dataclasses import dataclass
from decimal import Decimal
from math import isfinite, sqrt
from typing import Final

Y_USUAL: Final = 0.9
Y_LOW: Final = 0.3
Y_HIGH: Final = 1.5
"""The factor as it was measured for Bitcoin, and the range that is plausible elsewhere."""

_AVERAGE_OF_PEAK: Final = 2.0 / 3.0
_BPS_PER_PCT: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactEstimate:
    """Expected average impact cost of an order and its plausible range, basis points of its value."""

    estimate_bps: float
    low_bps: float
    high_bps: float


def estimate(
    *, qty: Decimal | float, volatility_hourly_pct: Decimal | float, volume_hourly_qty: Decimal | float
) -> ImpactEstimate | None:
    """Average impact cost of working a quantity; None where an input says nothing.

    Parameters
    ----------
    qty
        What is to be worked, base units, >= 0.
    volatility_hourly_pct
        Standard deviation of the return over an hour, per cent.
    volume_hourly_qty
        Volume traded in an hour, base units, > 0.
    """
    size, volatility_pct, volume = float(qty), float(volatility_hourly_pct), float(volume_hourly_qty)
    if not all(isfinite(value) and value >= 0.0 for value in (size, volatility_pct, volume)) or not volume:
        return None
    unit = _AVERAGE_OF_PEAK * volatility_pct * _BPS_PER_PCT * sqrt(size / volume)
    return ImpactEstimate(estimate_bps=Y_USUAL * unit, low_bps=Y_LOW * unit, high_bps=Y_HIGH * unit)
