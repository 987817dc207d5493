"""The power law of market impact with any exponent: the square root is one of the family, 0.4 to 0.7 are measured."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import copysign, isfinite
from typing import Final, Self

from impact.decay import BETA_USUAL, relaxed, times_worked
from impact.protocol import (
    PLAUSIBLE_HIGH,
    PLAUSIBLE_LOW,
    Displacement,
    Execution,
    Pace,
    in_order,
    one_side,
    over_by,
    written,
)

_SMALL: Final = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLaw:
    """I(Q) = Y sigma_d (Q / V_d)^delta: the displacement once Q of an order is done, whatever its pieces and speed.

    sigma_d is the daily volatility in basis points, V_d the volume of a day. An order pays the mean over its way,
    which is 1 / (1 + delta) of the peak. Only with delta = 1/2 does it not matter that both are of a day: volatility
    grows with the root of time, volume with time. B. Toth and others (Phys. Rev. X 1, 2011) find 0.5 to 0.6 for
    futures, Y. Sato and K. Kanazawa (arXiv 2411.13965) 0.489 +- 0.0015 for Tokyo's stocks. It is a law of orders of
    one side, as the square root is: by a curved law that stays, a round trip would earn.

    Parameters
    ----------
    factor
        Y, > 0.
    delta
        Exponent, 0 < delta <= 1.
    """

    factor: float
    delta: float

    def __post_init__(self) -> None:
        """Refuse parameters without a meaning."""
        if not isfinite(self.factor) or self.factor <= 0.0:
            raise ValueError(f"the factor must be above zero, got {self.factor}")
        if not 0.0 < self.delta <= 1.0:
            raise ValueError(f"the exponent is above 0 and up to 1, got {self.delta}")

    @property
    def name(self) -> str:
        """As people write it, parameters included."""
        return written("power-law", factor=self.factor, delta=self.delta)

    def bounds(self) -> tuple[Self, Self]:
        """Give the law with the least and the greatest plausible factor."""
        return (
            replace(self, factor=self.factor * PLAUSIBLE_LOW),
            replace(self, factor=self.factor * PLAUSIBLE_HIGH),
        )

    def along(self, executions: Sequence[Execution], pace: Pace) -> list[Displacement]:
        """Say how far the price is displaced around each execution.

        Raises
        ------
        ValueError
            If the order has bought and sold.
        """
        in_order(executions)
        unit = copysign(self.factor * pace.volatility_daily_bps, one_side(executions, "a power law"))
        steps, done = [], 0.0
        for own in executions:
            more = done + abs(own.signed_qty) / pace.volume_daily_qty
            steps.append(
                Displacement(unit * done**self.delta, unit * more**self.delta, unit * self._mean(done, more))
            )
            done = more
        return steps

    def remaining_bps(self, executions: Sequence[Execution], pace: Pace, at_ns: int) -> float:
        """Say how far the price is still displaced, basis points: the peak times `relaxed` of the measured exponent."""
        over_by(executions, at_ns)
        if not executions:
            return 0.0
        peak = self.along(executions, pace)[-1].after_bps
        return peak * relaxed(times_worked(executions, at_ns), BETA_USUAL)

    def _mean(self, done: float, more: float) -> float:
        """Mean of q^delta between two shares of the volume."""
        if more - done < _SMALL * more:  # the difference of two powers would lose its digits
            return float(((done + more) / 2.0) ** self.delta)
        power = 1.0 + self.delta
        return float(more**power - done**power) / (power * (more - done))
