"""The cost figures of every parent that has series, kept so fresh that reading them takes no time.

A cost report goes over all child orders of a parent, which takes milliseconds for a long one: two hundred of them in
one scrape would stop the event loop. So they are made beside the work, a few at a time and in turn, and a scrape takes
what is there. How old that is, is itself a metric.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from time import perf_counter
from typing import Final

from executor.engine.report import parent_facts
from executor.engine.state import EngineState, ParentState
from executor.runtime import metrics
from executor.runtime.exposition import beginning, number
from executor.runtime.metrics import Metric
from impact.shortfall import CostReport, make_report

TURN_S: Final = 0.004
"""Longest time that one turn takes, but for its last parent."""
RECKONED_MAX: Final = 34
"""Most samples of one parent."""
Sample = tuple[Metric, tuple[str, ...], Decimal | float]


@dataclass(slots=True)
class _Kept:
    lines: tuple[tuple[Metric, str], ...]
    age_line: str
    made_ns: int
    is_settled: bool


class ParentCosts:
    """What was last reckoned of each parent.

    Parameters
    ----------
    state
        Gives the engine's state as it is now.
    now_ns
        Gives the present, UTC nanoseconds.
    """

    def __init__(self, state: Callable[[], EngineState], now_ns: Callable[[], int]) -> None:
        self._state = state
        self._now_ns = now_ns
        self._kept: dict[str, _Kept] = {}

    def refresh(self, shown: Iterable[ParentState], turn_s: float = TURN_S) -> None:
        """Reckon the parents that waited longest anew, until the turn is over; forget those that are shown no more.

        Parameters
        ----------
        turn_s
            Seconds; one parent at least is reckoned.
        """
        parents = {parent.order.parent_id: parent for parent in shown}
        for name in self._kept.keys() - parents.keys():
            del self._kept[name]
        waiting = [name for name in parents if not self._is_settled(name)]
        waiting.sort(key=lambda name: self._kept[name].made_ns if name in self._kept else 0)
        end_s = perf_counter() + turn_s
        for name in waiting:
            self._reckon(parents[name])
            if perf_counter() >= end_s:
                break

    def lines(self, parent: ParentState) -> Iterator[tuple[Metric, str]]:
        """Give what was last reckoned of a parent, and how long ago, in lines; nothing before its first turn."""
        kept = self._kept.get(parent.order.parent_id)
        if kept is None:
            return
        yield from kept.lines
        if not kept.is_settled:
            age_s = max(self._now_ns() - kept.made_ns, 0) / 1e9
            yield metrics.PARENT_FIGURES_AGE_SECONDS, f"{kept.age_line}{number(age_s)}\n"

    def _is_settled(self, name: str) -> bool:
        return name in self._kept and self._kept[name].is_settled

    def _reckon(self, parent: ParentState) -> None:
        state = self._state()
        report = make_report(parent_facts(state, parent))
        filled = sum(1 for name in parent.children if state.children[name].cum_qty)
        name = parent.order.parent_id
        self._kept[name] = _Kept(
            lines=tuple(_written(_known(name, report, filled))),
            age_line=beginning(metrics.PARENT_FIGURES_AGE_SECONDS, (name,)),
            made_ns=self._now_ns(),
            is_settled=parent.is_final and not parent.live and not parent.marks_pending,
        )


def _written(samples: Iterable[Sample]) -> Iterator[tuple[Metric, str]]:
    """Write samples down, those of one metric together."""
    for metric, group in groupby(samples, key=itemgetter(0)):
        yield (
            metric,
            "".join(f"{beginning(metric, labels)}{number(value)}\n" for _, labels, value in group),
        )


def _known(name: str, report: CostReport, filled: int) -> Iterator[Sample]:
    for metric, labels, value in _figures(report, filled):
        if value is not None:
            yield metric, (name, *labels), value


def _figures(report: CostReport, filled: int) -> Iterator[tuple[Metric, tuple[str, ...], Decimal | None]]:
    facts = report.facts
    for benchmark, px in (
        ("decision", facts.decision_px),
        ("arrival", facts.arrival_px),
        ("average", report.avg_px),
        ("market_vwap", report.vwap_px),
        ("mid_twap", facts.mid_twap_px),
        ("last_mid", facts.end_px),
    ):
        yield metrics.PARENT_PRICE_QUOTE, (benchmark,), px
    for benchmark, bps in (
        ("arrival", report.arrival_slippage_bps),
        ("vwap", report.vwap_slippage_bps),
        ("twap", report.twap_slippage_bps),
        ("close", report.close_slippage_bps),
        ("midpoint", report.midpoint_slippage_bps),
    ):
        yield metrics.PARENT_SLIPPAGE_BPS, (benchmark,), bps
    if report.split_bps is not None:
        for part, bps in report.split_bps.named().items():
            yield metrics.PARENT_COST_BPS, (part,), bps
    if report.shortfall_bps is not None:
        yield metrics.PARENT_TOTAL_SHORTFALL_BPS, (), report.shortfall_bps.total
    for mark in facts.mark_outs:
        yield metrics.PARENT_MARK_OUT_BPS, (str(mark.horizon_s),), mark.gain_bps
    yield metrics.PARENT_REVERSION_BPS, (), facts.reversion_bps
    yield metrics.PARENT_MAKER_RATIO, (), report.maker_share
    yield metrics.PARENT_SPREAD_CAPTURED_BPS, (), report.spread_captured_bps
    if facts.orders_sent:
        yield metrics.PARENT_HIT_RATIO, (), Decimal(filled) / facts.orders_sent
    if facts.forecast is not None:
        for estimate, bps in (
            ("expected", facts.forecast.expected_bps),
            ("low", facts.forecast.low_bps),
            ("high", facts.forecast.high_bps),
            ("risk", facts.forecast.risk_bps),
        ):
            yield metrics.PARENT_FORECAST_BPS, (estimate,), bps
