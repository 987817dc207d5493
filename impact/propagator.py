"""The propagator: every trade displaces the price by its speed's worth, and each displacement wears off by a kernel.

J.-P. Bouchaud, Y. Gefen, M. Potters and M. Wyart, Quantitative Finance 4, 2004; J. Gatheral, No-dynamic-arbitrage and
market impact, Quantitative Finance 10, 2010.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import copysign, isfinite
from typing import Self

from impact.kernel import Kernel
from impact.protocol import (
    NS_PER_DAY,
    PLAUSIBLE_HIGH,
    PLAUSIBLE_LOW,
    Displacement,
    Execution,
    Pace,
    in_order,
    over_by,
    written,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Propagator:
    """D(t) = integral over s < t of f(v_s) G(t - s) ds, f(v) = factor sigma_d (v / V_d)^delta.

    v is the speed in quantity per day, sigma_d the daily volatility in basis points, V_d the volume of a day, and time
    is in days. What is done at an even rate pays the mean of D over its time, in closed form. What is done at once has
    a speed only where delta = 1: it moves the price by factor sigma_d q / V_d G(0) and pays half of that for itself.

    Costs are differences of integrals: of what lasts d and lies t after something else, 16 - 2 log10(t / d) digits are
    kept, six for a second in a day.

    Of these models only linear ones (delta = 1) are free of round trips that earn; `impact.validator` says which are
    not, and by how much. A curved f lets quick trades pass almost without a trace.

    Parameters
    ----------
    factor
        Coefficient, > 0.
    kernel
        How a displacement wears off.
    delta
        Exponent of the speed, > 0.
    """

    factor: float
    kernel: Kernel
    delta: float = 1.0

    def __post_init__(self) -> None:
        """Refuse parameters without a meaning."""
        for name, value in (("factor", self.factor), ("delta", self.delta)):
            if not isfinite(value) or value <= 0.0:
                raise ValueError(f"{name} must be above zero, got {value}")

    @property
    def name(self) -> str:
        """As people write it, parameters included."""
        return written("propagator", factor=self.factor, **self.kernel.parameters, delta=self.delta)

    def bounds(self) -> tuple[Self, Self]:
        """Give the model with the least and the greatest plausible factor."""
        return (
            replace(self, factor=self.factor * PLAUSIBLE_LOW),
            replace(self, factor=self.factor * PLAUSIBLE_HIGH),
        )

    def along(self, executions: Sequence[Execution], pace: Pace) -> list[Displacement]:
        """Say how far the price is displaced around each execution; the work grows with the square of their number.

        Raises
        ------
        ValueError
            If something is done at once and the model gives that no finite meaning.
        """
        in_order(executions)
        past = _Past(self.kernel)
        steps = []
        for own in executions:
            before, upto = past.displacement(own.at_ns)
            if own.over_ns:
                past.change_rate(own.at_ns, self._push(own, pace))
                after, later = past.displacement(own.end_ns)
                past.change_rate(own.end_ns, -self._push(own, pace))
                paid = (later - upto) / (own.over_ns / NS_PER_DAY)
            else:
                moved = self._jump(own, pace)
                past.jump(own.at_ns, moved)
                after = before + moved * self.kernel.value(0.0)
                paid = (before + after) / 2.0
            steps.append(Displacement(before, after, paid))
        return steps

    def remaining_bps(self, executions: Sequence[Execution], pace: Pace, at_ns: int) -> float:
        """Say how far the price is still displaced, basis points."""
        over_by(executions, at_ns)
        past = _Past(self.kernel)
        for own in executions:
            if own.over_ns:
                past.change_rate(own.at_ns, self._push(own, pace))
                past.change_rate(own.end_ns, -self._push(own, pace))
            else:
                past.jump(own.at_ns, self._jump(own, pace))
        return past.displacement(at_ns)[0]

    def _push(self, own: Execution, pace: Pace) -> float:
        """F of the speed of an execution, basis points per day."""
        share = abs(own.signed_qty) * NS_PER_DAY / own.over_ns / pace.volume_daily_qty
        return copysign(self.factor * pace.volatility_daily_bps * share**self.delta, own.signed_qty)

    def _jump(self, own: Execution, pace: Pace) -> float:
        """Integral of f over an execution at once, basis points."""
        if self.delta != 1.0 or not isfinite(self.kernel.value(0.0)):
            raise ValueError(f"{self.name} says nothing of what is done at once: give it a duration")
        return self.factor * pace.volatility_daily_bps * own.signed_qty / pace.volume_daily_qty


class _Past:
    """What has been pushed so far: changes of the rate, and jumps; lags that occur again are reckoned once."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._rates: list[tuple[int, float]] = []
        self._jumps: list[tuple[int, float]] = []
        self._integrals: dict[int, tuple[float, float]] = {}
        self._last: tuple[int, tuple[float, float]] | None = None

    def change_rate(self, at_ns: int, change: float) -> None:
        """Let the push (basis points per day) change at a time, from which on alone it acts."""
        if self._rates and self._rates[-1][0] == at_ns:
            change += self._rates.pop()[1]
        if change:
            self._rates.append((at_ns, change))

    def jump(self, at_ns: int, moved: float) -> None:
        """Let the price be moved at once (basis points)."""
        self._jumps.append((at_ns, moved))
        self._last = None

    def displacement(self, at_ns: int) -> tuple[float, float]:
        """Displacement at a time (basis points), and its integral until then (basis points times days)."""
        if self._last is None or self._last[0] != at_ns:
            self._last = at_ns, self._reckon(at_ns)
        return self._last[1]

    def _reckon(self, at_ns: int) -> tuple[float, float]:
        now = upto = 0.0
        known, integrals = self._integrals, self._kernel.integrals
        for start_ns, change in self._rates:
            lag = at_ns - start_ns
            found = known.get(lag)
            if found is None:
                found = known[lag] = integrals(lag / NS_PER_DAY)
            now += change * found[0]
            upto += change * found[1]
        for start_ns, moved in self._jumps:
            days = (at_ns - start_ns) / NS_PER_DAY
            now += moved * self._kernel.value(days)
            upto += moved * integrals(days)[0]
        return now, upto
