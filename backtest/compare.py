"""Is advice worth its bill? The same parents in the same markets, with and without it, pair by pair.

Both members of a pair have one seed: the market is the same to the last trade, so that what it does to both cancels and
what is left is what the advice did. Beside the gain stands what it cost.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from multiprocessing import get_context
from typing import Final

from backtest.run import FELL_BACK, Drive, MakeAdviser, Scene, drive
from backtest.statistics import Paired, paired, sign_flip_p
from executor.domain.advice import AdviceOutcome
from executor.domain.units import BPS_PER_UNIT, ZERO, Bps, Money

_LATE: Final = frozenset({AdviceOutcome.LATE, AdviceOutcome.BRIDGED})
_USABLE: Final = frozenset({AdviceOutcome.APPLIED, AdviceOutcome.WITHOUT_EFFECT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One seed, worked twice."""

    plain: Drive
    advised: Drive

    @property
    def gain_bps(self) -> Bps:
        """What advice saved, basis points of the value at arrival; negative is what it lost. Its bill is not in it."""
        return Bps(self.plain.cost_bps - self.advised.cost_bps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All pairs, and what they say together.

    Parameters
    ----------
    gain
        Of the pairs' gains, basis points.
    bill
        Of all advised drives, in the currency of the price table.
    bill_bps
        The same, basis points of the value that was worked, one unit of that currency taken for one of the quote's.
    calls
        Questions that were sent.
    outcomes
        What became of all questions, by name.
    reasons
        Why the schedule decided alone, by name.
    sign_p
        Probability of gains so far from zero if advice changed nothing, without a normal mean: see `sign_flip_p`.
    missed
        Questions that the tape that was played does not hold.
    """

    pairs: tuple[Pair, ...]
    gain: Paired
    sign_p: float
    bill: Money
    bill_bps: Bps
    calls: int
    outcomes: dict[str, int]
    reasons: dict[str, int]
    missed: int

    @property
    def questions(self) -> int:
        """Questions that were to be asked, whether anybody was or not."""
        return sum(self.outcomes.values())

    @property
    def usable(self) -> int:
        """Questions that had an answer in time which could be used, whether it changed anything or not."""
        return sum(self.outcomes.get(kind.value, 0) for kind in _USABLE)

    @property
    def fallback_rate(self) -> float:
        """Share of the questions after which the schedule decided alone, 0-1."""
        return self._share(FELL_BACK)

    @property
    def late_rate(self) -> float:
        """Share of the questions without an answer by the deadline, 0-1."""
        return self._share(_LATE)

    def _share(self, kinds: frozenset[AdviceOutcome]) -> float:
        return sum(self.outcomes.get(kind.value, 0) for kind in kinds) / max(self.questions, 1)

    @property
    def net_gain_bps(self) -> Decimal:
        """Mean gain less the bill, basis points."""
        return Decimal(repr(self.gain.mean)) - self.bill_bps


def compare(
    scene: Scene,
    seeds: Iterable[int],
    make_adviser: MakeAdviser,
    confidence: float = 0.95,
    processes: int = 1,
) -> Comparison:
    """Work the parents of a scene twice in the market of each seed, and hold the costs against each other.

    Parameters
    ----------
    seeds
        One for each pair, all different, two at least.
    make_adviser
        Makes a fresh adviser for each advised drive; sent to other processes where there are several.

    Raises
    ------
    ValueError
        If there are fewer than two seeds, or one of them twice: its pair would count as evidence twice.
    backtest.run.DriveError
        If a drive did not come to an end that could be measured.
    """
    return summed(work_pairs(scene, checked(seeds), make_adviser, processes), confidence)


def checked(seeds: Iterable[int]) -> tuple[int, ...]:
    """Seeds that make a comparison.

    Raises
    ------
    ValueError
        If there are fewer than two, or one of them twice.
    """
    chosen = tuple(seeds)
    if len(chosen) < 2 or len(set(chosen)) != len(chosen):
        raise ValueError(f"two different seeds are needed at least, and none twice: {chosen}")
    return chosen


def work_pairs(
    scene: Scene, seeds: Sequence[int], make_adviser: MakeAdviser, processes: int = 1
) -> Iterator[Pair]:
    """Work each seed twice, in the order of the seeds: how many processes share the work changes no pair."""
    work = partial(work_pair, scene, make_adviser)
    if processes <= 1:
        yield from map(work, seeds)
        return
    # Fresh processes: a fork would take along whatever this one has open.
    with ProcessPoolExecutor(min(processes, len(seeds)), get_context("spawn")) as pool:
        yield from pool.map(work, seeds)


def work_pair(scene: Scene, make_adviser: MakeAdviser, seed: int) -> Pair:
    """Work one seed without an adviser and with one."""
    return Pair(plain=drive(scene, seed), advised=drive(scene, seed, make_adviser))


def summed(worked: Iterable[Pair], confidence: float = 0.95) -> Comparison:
    """Sum pairs up.

    Raises
    ------
    ValueError
        If there are fewer than two.
    """
    pairs = tuple(worked)
    advised = [pair.advised for pair in pairs]
    gains = [float(pair.gain_bps) for pair in pairs]
    bill = sum((one.bill for one in advised), ZERO)
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for one in advised:
        outcomes.update(one.outcomes)
        reasons.update(one.reasons)
    return Comparison(
        pairs=pairs,
        gain=paired(gains, confidence),
        sign_p=sign_flip_p(gains),
        bill=Money(bill),
        bill_bps=Bps(bill * BPS_PER_UNIT / sum((one.paper_notional for one in advised), ZERO)),
        calls=sum(one.calls for one in advised),
        outcomes=dict(outcomes),
        reasons=dict(reasons),
        missed=sum(one.missed for one in advised),
    )
