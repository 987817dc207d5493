"""The square-root law of market impact: what a whole order costs by moving the price, with an honest range.

I = Y sigma sqrt(Q / V): the peak move of the price while a quantity Q is worked, where sigma is the volatility over a
time and V the volume traded in it. Both grow so with the time that it does not matter which one is taken, as long as it
is the same (Toth et al., Phys. Rev. X 1, 2011; Donier and Bonart, Market Microstructure and Liquidity 1, 2015, for
Bitcoin over four decades of size; Sato and Kanazawa, arXiv 2411.13965, find the exponent 0.489 +- 0.0015).
An order worked evenly pays two thirds of the peak on average: the mean of sqrt over [0, 1].

The same holds execution by execution (`SquareRoot`), since the law is found along the way of an order as well as at its
end (Donier and Bonart): the price is displaced by Y sigma sqrt(q / V) once q is done, however it was cut into pieces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import copysign, isfinite, sqrt
from typing import Final, Self

from impact.decay import BETA_USUAL, relaxed, times_worked
from impact.pre_trade import ImpactEstimate
from impact.protocol import Displacement, Execution, Pace, in_order, one_side, over_by, plain_number

Y_USUAL: Final = 0.9
Y_LOW: Final = 0.3
Y_HIGH: Final = 1.5
"""The factor as it was measured for Bitcoin, and the range that is plausible elsewhere."""

_AVERAGE_OF_PEAK: Final = 2.0 / 3.0
_BPS_PER_PCT: Final = 100.0


@dataclass(frozen=True, slots=True)
class SquareRoot:
    """The law along the way of one order; what was done does not wear off while the order is worked.

    With X0 done before and X1 after an execution, and u = Y sigma in basis points: before u sqrt(X0 / V), after
    u sqrt(X1 / V), and paid the mean over what it does,

        u / sqrt(V) * (integral of sqrt(q) dq from X0 to X1) / (X1 - X0) = u 2/3 (a^2 + a b + b^2) / (a + b)

    with a = sqrt(X0 / V) and b = sqrt(X1 / V), which loses no digits where a piece is small. Times the quantities these
    add up to two thirds of the peak for the whole, whatever the pieces. It is a law of orders of one side: buying and
    then selling by it would earn money (J. Gatheral, Quantitative Finance 10, 2010), so that is refused.

    Parameters
    ----------
    factor
        Y, > 0.
    """

    factor: float = Y_USUAL

    def __post_init__(self) -> None:
        """Refuse a factor that means nothing."""
        if not isfinite(self.factor) or self.factor <= 0.0:
            raise ValueError(f"the factor must be above zero, got {self.factor}")

    @property
    def name(self) -> str:
        """As people write it, factor included."""
        return f"square-root:{plain_number(self.factor)}"

    def bounds(self) -> tuple[Self, Self]:
        """Give the law with the least and the greatest plausible factor; the one that was chosen is between them."""
        kind = type(self)
        return kind(min(self.factor, Y_LOW)), kind(max(self.factor, Y_HIGH))

    def along(self, executions: Sequence[Execution], pace: Pace) -> list[Displacement]:
        """Say how far the price is displaced around each execution.

        Raises
        ------
        ValueError
            If the order has bought and sold.
        """
        in_order(executions)
        sign = one_side(executions, "the square-root law")
        unit = copysign(self.factor * pace.volatility_hourly_pct * _BPS_PER_PCT, sign)
        steps, done, before = [], 0.0, 0.0
        for own in executions:
            done += abs(own.signed_qty)
            after = sqrt(done / pace.volume_hourly_qty)
            mean = _AVERAGE_OF_PEAK * (before * before + before * after + after * after) / (before + after)
            steps.append(Displacement(unit * before, unit * after, unit * mean))
            before = after
        return steps

    def remaining_bps(self, executions: Sequence[Execution], pace: Pace, at_ns: int) -> float:
        """Say how far the price is still displaced, basis points: the peak times `relaxed` of the measured exponent."""
        over_by(executions, at_ns)
        if not executions:
            return 0.0
        peak = self.along(executions, pace)[-1].after_bps
        return peak * relaxed(times_worked(executions, at_ns), BETA_USUAL)


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
