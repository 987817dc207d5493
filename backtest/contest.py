"""Several policies on the same orders in the same recorded books, pair by pair, with what the differences are worth."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import fsum
from typing import Final

from backtest.blocks import Blocked, blocked, holm, usual_block
from backtest.recorded import Worked
from executor.domain.timeline import NS_PER_S

MOMENTS_MIN: Final = 4
"""With fewer moments there is no interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """One policy against another: cost of the first less cost of the second, basis points; negative favours the first.

    Parameters
    ----------
    found
        Of the differences, one for each moment (the mean of its sides).
    p_holm
        The p-value with all other duels of the contest allowed for.
    """

    first: str
    second: str
    found: Blocked
    p_holm: float

    @property
    def winner(self) -> str | None:
        """Who was cheaper; None where chance is not excluded by all tests together, or there are too few blocks."""
        found = self.found
        if not found.can_show or self.p_holm >= 1 - found.confidence or found.low <= 0 <= found.high:
            return None
        return self.first if found.mean < 0 else self.second


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Costs of all policies, and every pair of them.

    Parameters
    ----------
    moments
        Moments at which every policy came to an end that can be measured, on every side.
    left_out
        How many did not.
    lengths
        How many of the moments each recording has, in order.
    overlap
        How many neighbouring moments live at the same time.
    costs
        Of each policy, in order of time: mean cost of the sides of a moment, basis points.
    """

    moments: tuple[int, ...]
    left_out: int
    lengths: tuple[int, ...]
    overlap: int
    costs: dict[str, tuple[float, ...]]
    duels: tuple[Duel, ...]

    def mean_bps(self, policy: str) -> float:
        """Mean cost of a policy, basis points."""
        return fsum(self.costs[policy]) / len(self.costs[policy])


class ContestError(ValueError):
    """There is too little to hold against each other."""


def overlap_of(worked: Sequence[Worked], every_s: int) -> int:
    """How many neighbouring moments live at the same time, by the order that lived longest.

    What an order has in common with the next one for less than a tenth of the step (its last answers) is not counted.
    """
    step_ns = every_s * NS_PER_S
    longest_ns = max((one.lived_ns for one in worked), default=0)
    return max(-(-(longest_ns - step_ns // 10) // step_ns), 1)


def contest(
    worked: Sequence[Worked],
    *,
    every_s: int,
    firsts: Sequence[int] = (1,),
    confidence: float = 0.95,
    power: float = 0.8,
    block: int | None = None,
) -> Contest:
    """Hold all policies of a run against each other.

    Both sides of a moment count as one observation, since they met the same market. A block is three times as long as
    moments overlap in time, and nothing goes on from the end of one recording in the next.

    Parameters
    ----------
    firsts
        Number of the first moment of each recording, in order; without it all are from one.
    every_s
        Time from one moment to the next.
    block
        Moments of a block; None takes the usual number.

    Raises
    ------
    ContestError
        If fewer than four moments can be compared, or a recording has only one of them.
    """
    policies = list(dict.fromkeys(one.errand.policy for one in worked))
    by_moment: dict[int, dict[str, list[float | None]]] = {}
    for one in worked:
        cost = None if one.drive is None else float(one.drive.cost_bps)
        by_moment.setdefault(one.errand.number, {}).setdefault(one.errand.policy, []).append(cost)
    whole: dict[int, dict[str, float]] = {}
    for number, costs in sorted(by_moment.items()):
        means = {name: _mean(costs.get(name, [None])) for name in policies}
        if None not in means.values():
            whole[number] = {name: mean for name, mean in means.items() if mean is not None}
    if len(whole) < MOMENTS_MIN:
        raise ContestError(
            f"{len(whole)} of {len(by_moment)} moments can be compared, four are needed at least"
        )
    overlap = overlap_of(worked, every_s)
    series = {name: tuple(costs[name] for costs in whole.values()) for name in policies}
    lengths = tuple(Counter(bisect_right(firsts, number) for number in whole).values())
    length = usual_block(min(lengths), overlap) if block is None else block
    pairs = list(combinations(policies, 2))
    try:
        found = [
            blocked(
                [a - b for a, b in zip(series[first], series[second], strict=True)],
                length,
                lengths=lengths,
                confidence=confidence,
                power=power,
                tests=len(pairs),
            )
            for first, second in pairs
        ]
    except ValueError as error:
        raise ContestError(str(error)) from error
    adjusted = holm([one.p for one in found])
    return Contest(
        moments=tuple(whole),
        left_out=len(by_moment) - len(whole),
        lengths=lengths,
        overlap=overlap,
        costs=series,
        duels=tuple(
            Duel(first=first, second=second, found=one, p_holm=p)
            for (first, second), one, p in zip(pairs, found, adjusted, strict=True)
        ),
    )


def _mean(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return fsum(known) / len(known) if len(known) == len(costs) else None
