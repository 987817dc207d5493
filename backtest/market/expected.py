"""A scenario over many seeds: what each run showed, and whether that is what the scenario says it must."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Final

from backtest.market.build import build
from backtest.market.scenarios import ExpectPart, Scenario
from backtest.market.study import Measure, RunStudy
from impact.estimation.observed import Observed
from simulation.phenomena.metaorder_impact import MetaorderImpact, metaorder_impact
from simulation.phenomena.stylised_facts import (
    Figure,
    Target,
    facts_of_book,
    facts_of_orders,
    medians,
)

Told = Callable[[int, int], None]
_STATISTICS: Final[dict[str, Callable[[list[float]], float]]] = {
    "median": statistics.median,
    "mean": statistics.fmean,
    "least": min,
    "most": max,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """What is kept of one run.

    Parameters
    ----------
    event_hash
        Of everything that happened.
    messages, steps
        How many.
    measures, figures
        As in its study.
    orders
        Large orders that were worked in it.
    gains_bps
        Of each group, the median over its agents.
    """

    seed: int
    event_hash: str
    messages: int
    steps: int
    measures: dict[Measure, float]
    figures: dict[Figure, float]
    orders: tuple[Observed, ...]
    gains_bps: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One expectation and what was found.

    Parameters
    ----------
    value
        The statistic over the seeds; for `share` the share of seeds inside; None where no run has the measure.
    holds
        Whether the expectation is met.
    """

    expect: ExpectPart
    value: float | None
    holds: bool

    def record(self) -> dict[str, object]:
        """Give it for machines."""
        return {
            "says": self.expect.says,
            "measure": self.expect.measure.value,
            "statistic": self.expect.statistic,
            "value": self.value,
            "at_least": self.expect.at_least,
            "at_most": self.expect.at_most,
            "share": self.expect.share if self.expect.statistic == "share" else None,
            "holds": self.holds,
        }


def kept(study: RunStudy) -> SeedResult:
    """Keep what a check needs of a study."""
    return SeedResult(
        seed=study.seed,
        event_hash=study.summary.event_hash,
        messages=study.summary.messages,
        steps=len(study.bars.volume_qty),
        measures=study.measures,
        figures=study.figures,
        orders=study.orders,
        gains_bps={
            name: statistics.median(one.gain_bps for one in study.agents if one.name == name)
            for name in {one.name for one in study.agents}
        },
    )


def run_seeds(
    scenario: Scenario, seeds: Sequence[int], processes: int, told: Told, *, compiled: bool = False
) -> list[SeedResult]:
    """Run a scenario once for each seed.

    Parameters
    ----------
    processes
        How many at once; 1 stays in this process.
    told
        Called with the runs that are done and all that there are.
    compiled
        Whether each is run in a compiled market (`backtest.market.compiled`).

    Raises
    ------
    ValueError
        If a run left nothing to measure.
    """
    found = []
    for result in _each(partial(_compiled_one if compiled else _one, scenario), seeds, processes):
        found.append(result)
        told(len(found), len(seeds))
    return found


def verdicts(expects: Iterable[ExpectPart], results: Sequence[SeedResult]) -> tuple[Verdict, ...]:
    """Hold results against expectations."""
    return tuple(_verdict(expect, results) for expect in expects)


def figures_of(
    results: Sequence[SeedResult], target: Target | None
) -> tuple[dict[Figure, float], MetaorderImpact | None]:
    """Medians of the figures over the seeds; the impact is fitted to the orders of all of them together.

    Parameters
    ----------
    target
        Book of the symbol aimed at; None leaves gate 10 unmeasured.
    """
    runs = [dict(one.figures) for one in results]
    if target is not None:
        for run, one in zip(runs, results, strict=True):
            run.update(_of_book(one, target))
    figures = medians(runs)
    orders = [order for one in results for order in one.orders]
    try:
        found = metaorder_impact(orders)
    except ValueError:
        return figures, None  # too few orders, or no law in them: gate 7 has no figures and is not passed
    return {**figures, **facts_of_orders(found)}, found


def _one(scenario: Scenario, seed: int) -> SeedResult:
    return kept(build(scenario, seed).run())


def _compiled_one(scenario: Scenario, seed: int) -> SeedResult:
    from backtest.market.compiled import compiled_scenario  # noqa: PLC0415 - brings the compiled market

    return kept(compiled_scenario(scenario, seed).run())


def _each(work: Callable[[int], SeedResult], seeds: Sequence[int], processes: int) -> Iterator[SeedResult]:
    if processes == 1 or len(seeds) == 1:
        yield from map(work, seeds)
        return
    # Fresh processes: a fork would take along whatever this one has open.
    with ProcessPoolExecutor(min(processes, len(seeds)), get_context("spawn")) as pool:
        yield from pool.map(work, seeds)


def _of_book(one: SeedResult, target: Target) -> dict[Figure, float]:
    own = Target(
        spread_bps=one.measures[Measure.SPREAD_BPS], one_tick_share=one.measures[Measure.ONE_TICK_SHARE]
    )
    return facts_of_book(own, target)


def _verdict(expect: ExpectPart, results: Sequence[SeedResult]) -> Verdict:
    if expect.group is None:
        values = [one.measures[expect.measure] for one in results if expect.measure in one.measures]
    else:
        values = [one.gains_bps[expect.group] for one in results if expect.group in one.gains_bps]
    missing = len(results) - len(values)
    if expect.statistic == "share":
        share = sum(_inside(expect, value) for value in values) / len(results)
        return Verdict(expect=expect, value=share, holds=share >= expect.share)
    # A run that does not have the measure is outside: the others cannot speak for it.
    if not values or (missing and expect.statistic != "median") or 2 * missing >= len(results):
        return Verdict(expect=expect, value=None, holds=False)
    value = _STATISTICS[expect.statistic](values)
    return Verdict(expect=expect, value=value, holds=_inside(expect, value))


def _inside(expect: ExpectPart, value: float) -> bool:
    above = expect.at_least is None or value >= expect.at_least
    return above and (expect.at_most is None or value <= expect.at_most)
