"""What an asset is truly worth at each instant, in ticks: known to the market's maker, and to agents as far as told.

A path is drawn once, step after step from its own stream, so that who looks at it, and when, changes nothing. It is
constant between its steps.
"""

from dataclasses import dataclass, field
from math import sqrt
from typing import Final, Protocol

from simulation.draws import Draws
from simulation.present_value import Dividend, perpetual_value, redeemed_value

VALUE_MIN_TICKS: Final = 1.0
"""No path falls below one tick."""


class ValuePath(Protocol):
    """A fundamental value over time."""

    def start(self, draws: Draws) -> None:
        """Begin a run with the path's own stream."""

    def at(self, now_ns: int) -> float:
        """Return the value at an instant, ticks."""

    def news(self, after_ns: int, until_ns: int) -> list[tuple[int, float]]:
        """Return what was published in (after, until]: instants and the value from then on, ticks."""


@dataclass(frozen=True, slots=True)
class Shock:
    """A change of the value at a chosen instant.

    Parameters
    ----------
    at_ns
        When, > 0.
    change_ticks
        By how much.
    """

    at_ns: int
    change_ticks: float

    def __post_init__(self) -> None:
        _check(self.at_ns > 0, f"a shock comes after the beginning, got {self.at_ns} ns")


@dataclass(slots=True)
class ConstantValue:
    """A value that only chosen shocks change.

    Parameters
    ----------
    px
        Value at the beginning, ticks.
    shocks
        In order of time.
    published
        Whether a shock is news.
    """

    px: float
    shocks: tuple[Shock, ...] = ()
    published: bool = False

    def __post_init__(self) -> None:
        _check(self.px >= VALUE_MIN_TICKS, f"a value is one tick or more, got {self.px}")
        _check(
            list(self.shocks) == sorted(self.shocks, key=lambda shock: shock.at_ns), "shocks in order of time"
        )

    def start(self, draws: Draws) -> None:
        """Nothing is drawn."""

    def at(self, now_ns: int) -> float:
        """Return the value at an instant, ticks."""
        value = self.px
        for shock in self.shocks:
            if shock.at_ns <= now_ns:
                value = max(VALUE_MIN_TICKS, value + shock.change_ticks)
        return value

    def news(self, after_ns: int, until_ns: int) -> list[tuple[int, float]]:
        """Return the shocks of an interval, if they are published."""
        if not self.published:
            return []
        return [
            (shock.at_ns, self.at(shock.at_ns)) for shock in self.shocks if after_ns < shock.at_ns <= until_ns
        ]


@dataclass(slots=True)
class MeanRevertingValue:
    """A value that is drawn back to its mean: v += k (m - v) + s sqrt(step) n, by steps.

    Parameters
    ----------
    px
        m, and the value at the beginning, ticks.
    step_ns
        Length of a step, nanoseconds.
    reversion_per_s
        How much of the distance is made good in a second, 0-1 by step; 0 is a random walk.
    volatility_ticks
        s, standard deviation of what a second adds, ticks.
    shocks
        Changes of the mean (and of the value) at chosen instants.
    """

    px: float
    step_ns: int
    reversion_per_s: float
    volatility_ticks: float
    shocks: tuple[Shock, ...] = ()
    _path: list[float] = field(default_factory=list, repr=False)
    _mean: float = 0.0
    _draws: Draws | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check(self.px >= VALUE_MIN_TICKS and self.step_ns > 0, "a value of one tick or more, and a step")
        kept = self.reversion_per_s * self.step_ns / 1e9
        _check(
            0.0 <= kept <= 1.0 and self.volatility_ticks >= 0.0,
            "a reversion of 0 to 1 a step, a volatility >= 0",
        )

    def start(self, draws: Draws) -> None:
        """Begin at the mean."""
        self._draws, self._mean = draws, self.px
        self._path = [self.px]

    def at(self, now_ns: int) -> float:
        """Return the value at an instant, ticks."""
        number = now_ns // self.step_ns
        path, draws = self._path, self._draws
        assert draws is not None, "a path is started before it is asked"
        if number >= len(path):
            step_s = self.step_ns / 1e9
            pull, spread = self.reversion_per_s * step_s, self.volatility_ticks * sqrt(step_s)
            value = path[-1]
            while number >= len(path):
                begin_ns = (len(path) - 1) * self.step_ns
                for shock in self.shocks:
                    if begin_ns < shock.at_ns <= begin_ns + self.step_ns:
                        self._mean += shock.change_ticks
                        value += shock.change_ticks
                value = value + pull * (self._mean - value) + spread * draws.normal()
                value = max(VALUE_MIN_TICKS, value)
                path.append(value)
        return path[number]

    def news(self, after_ns: int, until_ns: int) -> list[tuple[int, float]]:
        """Return nothing: it moves in silence."""
        return []


@dataclass(slots=True)
class CorrelatedValue:
    """A value that goes with another one, and besides a way of its own: o + beta p (v / v0 - 1).

    Parameters
    ----------
    own
        o; its mean is p, ticks.
    of
        v, the value of another asset, which is started before.
    of_px
        v0, what that begins with, ticks.
    beta_ratio
        Per cent that it moves for one of the other.
    """

    own: MeanRevertingValue
    of: ValuePath
    of_px: float
    beta_ratio: float = 1.0

    def __post_init__(self) -> None:
        _check(self.of_px >= VALUE_MIN_TICKS, f"a value of one tick or more, got {self.of_px}")

    def start(self, draws: Draws) -> None:
        """Begin the way of its own."""
        self.own.start(draws)

    def at(self, now_ns: int) -> float:
        """Return the value at an instant, ticks."""
        moved = self.beta_ratio * self.own.px * (self.of.at(now_ns) / self.of_px - 1.0)
        return max(VALUE_MIN_TICKS, self.own.at(now_ns) + moved)

    def news(self, after_ns: int, until_ns: int) -> list[tuple[int, float]]:
        """Return nothing: it moves in silence."""
        return []


@dataclass(slots=True)
class JumpingValue:
    """A value that jumps at random instants (a Poisson process) by a normal amount.

    Parameters
    ----------
    px
        Value at the beginning, ticks.
    mean_wait_ns
        Mean time between jumps, nanoseconds.
    jump_ticks
        Standard deviation of a jump, ticks.
    published
        Whether each jump is news: a value driven by news. Otherwise it is for those who have signals.
    """

    px: float
    mean_wait_ns: int
    jump_ticks: float
    published: bool = False
    _jumps: list[tuple[int, float]] = field(default_factory=list, repr=False)
    _draws: Draws | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check(
            self.px >= VALUE_MIN_TICKS and self.mean_wait_ns > 0,
            "a value of one tick or more, and a waiting time",
        )
        _check(self.jump_ticks >= 0.0, f"a jump is not below zero in size, got {self.jump_ticks}")

    def start(self, draws: Draws) -> None:
        """Begin before the first jump."""
        self._draws = draws
        self._jumps = [(0, self.px)]

    def at(self, now_ns: int) -> float:
        """Return the value at an instant, ticks."""
        self._reach(now_ns)
        jumps = self._jumps
        place = len(jumps) - 1
        while jumps[place][0] > now_ns:
            place -= 1
        return jumps[place][1]

    def news(self, after_ns: int, until_ns: int) -> list[tuple[int, float]]:
        """Return the jumps of an interval, if they are published."""
        if not self.published:
            return []
        self._reach(until_ns)
        found = []
        for at_ns, value in reversed(self._jumps):
            # What it is worth at the beginning is no news.
            if at_ns <= max(after_ns, 0):
                break
            if at_ns <= until_ns:
                found.append((at_ns, value))
        return found[::-1]

    def _reach(self, now_ns: int) -> None:
        jumps, draws = self._jumps, self._draws
        assert draws is not None, "a path is started before it is asked"
        while jumps[-1][0] <= now_ns:
            at_ns, value = jumps[-1]
            moved = max(VALUE_MIN_TICKS, value + self.jump_ticks * draws.normal())
            jumps.append((at_ns + draws.wait_ns(self.mean_wait_ns), moved))


@dataclass(slots=True)
class RedrawnValue:
    """A value that is drawn anew each round, normal around one mean: the rounds know nothing of each other.

    Parameters
    ----------
    px
        The mean, ticks.
    deviation_ticks
        Standard deviation, ticks.
    round_ns
        Length of a round, nanoseconds.
    """

    px: float
    deviation_ticks: float
    round_ns: int
    _path: list[float] = field(default_factory=list, repr=False)
    _draws: Draws | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check(
            self.px >= VALUE_MIN_TICKS and self.deviation_ticks >= 0.0,
            "a value of one tick or more, a deviation",
        )
        _check(self.round_ns > 0, f"a round has a length, got {self.round_ns} ns")

    def start(self, draws: Draws) -> None:
        """Begin before the first round."""
        self._draws = draws
        self._path = []

    def at(self, now_ns: int) -> float:
        """Return the value at an instant, ticks."""
        path, draws = self._path, self._draws
        assert draws is not None, "a path is started before it is asked"
        while len(path) <= now_ns // self.round_ns:
            path.append(max(VALUE_MIN_TICKS, self.px + self.deviation_ticks * draws.normal()))
        return path[now_ns // self.round_ns]

    def news(self, after_ns: int, until_ns: int) -> list[tuple[int, float]]:
        """Return nothing: who learns of a round has subscribed to the value."""
        return []


@dataclass(slots=True)
class DividendValue:
    """A value by its dividends and the riskless rate (`simulation.present_value`); what is paid is news.

    The market pays the dividends; redemption at the end is for whoever runs it (`simulation.clearing.income.redeem`).

    Parameters
    ----------
    dividend
        What a lot pays each period, ticks.
    probability
        Of the greater payment, 0-1.
    rate
        Interest of a period, 0-1.
    period_ns
        Length of a period, nanoseconds; the first payment comes at its end.
    periods
        After how many the asset is redeemed; 0 is never.
    redemption_px
        What a lot is then paid back, ticks.
    """

    dividend: Dividend
    probability: float
    rate: float
    period_ns: int
    periods: int = 0
    redemption_px: float = 0.0
    _paid: list[float] = field(default_factory=list, repr=False)
    _draws: Draws | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check(
            self.period_ns > 0 and self.periods >= 0,
            "a period has a length, and there are none or some of them",
        )
        _check(self.at(0) >= VALUE_MIN_TICKS, "dividends that are worth a tick or more")

    def start(self, draws: Draws) -> None:
        """Begin before the first payment."""
        self._draws = draws
        self._paid = []

    def at(self, now_ns: int) -> float:
        """Return the value at an instant, ticks."""
        expected = self.dividend.expected(self.probability)
        if not self.periods:
            return perpetual_value(expected, self.rate)
        left = max(0, self.periods - now_ns // self.period_ns)
        return max(VALUE_MIN_TICKS, redeemed_value(expected, self.rate, left, self.redemption_px))

    def payment(self, number: int) -> float:
        """Return what a lot is paid at the end of a period, the first being 1, ticks."""
        paid, draws = self._paid, self._draws
        assert draws is not None, "a path is started before it is asked"
        while len(paid) < number:
            sign = 1.0 if draws.bernoulli(self.probability) else -1.0
            paid.append(self.dividend.base + sign * self.dividend.variation)
        return paid[number - 1]

    def news(self, after_ns: int, until_ns: int) -> list[tuple[int, float]]:
        """Return the payments of an interval, ticks a lot."""
        first, last = max(1, after_ns // self.period_ns + 1), until_ns // self.period_ns
        if self.periods:
            last = min(last, self.periods)
        return [(number * self.period_ns, self.payment(number)) for number in range(first, last + 1)]


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
