"""What the outcomes of all orders are worth: costs with intervals, differences to a TWAP, completion, and forecasts.

Both sides of a moment met the same market and count as one observation, and neighbouring moments are not independent:
every interval is that of `backtest.blocks`. Forecasts are judged on the later half of each recording; what is fitted
is learned from the earlier half, without those orders that were still at work when the later half began.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import fsum
from typing import Final

from backtest.blocks import Blocked, blocked, holm, usual_block
from benchmarks.algorithms_cases import Group
from benchmarks.algorithms_work import CHARGES, Outcome, Told, Unit
from executor.domain.parent_state import ParentStatus
from executor.domain.timeline import NS_PER_S
from executor.domain.units import BPS_PER_UNIT
from impact.scoring import CalibrationBin, Forecast, calibration_bins, widening
from strategies.base import STRATEGIES
from strategies.priced import Z_USUAL

PLAIN: Final = "twap"
ADAPTIVE: Final = "adaptive"
SUMMED: Final = (Group.COINS, Group.SHARES, Group.LONG)
"""Groups with orders enough for a mean; of the others only completion is told."""
PROMISED: Final = 0.95
TOLD: Final = "as told"
LEARNED: Final = "learned"
"""How a forecast comes to the share that crosses: as `executor plan` holds it, or from the earlier half."""
_MOMENTS_MIN: Final = 2
_MAKER_BPS: Final = float(CHARGES.maker_fee_rate * BPS_PER_UNIT)
_TAKER_BPS: Final = float(CHARGES.taker_fee_rate * BPS_PER_UNIT)
_WHOLE: Final = 0.999

Moment = tuple[str, int]
"""A case and the number of a moment in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One algorithm in one group.

    Parameters
    ----------
    complete
        Orders that ended as COMPLETE.
    filled, maker_share
        Mean share of the orders that was filled, and of the fills that waited; 0-1.
    participation_pct
        Mean own share of all that traded during an order's life, per cent.
    guessed
        Share of the fills that rest on a model of the queue, 0-1.
    less_plain
        Of the cost less that of a TWAP, moment by moment; None of the TWAP itself. `p_holm` allows for all rows.
    by_case
        Mean cost in each recording, basis points.
    tracking_pct, share_pct
        Means of the tracking error and of the own share until the deadline (`benchmarks.algorithms_work.Tracked`).
    """

    algorithm: str
    parents: int
    complete: int
    filled: float
    maker_share: float | None
    participation_pct: float | None
    guessed: float
    cost: Blocked
    less_plain: Blocked | None
    p_holm: float | None
    by_case: dict[str, float]
    less_by_case: dict[str, float]
    tracking_pct: float | None
    share_pct: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summed:
    """All algorithms in one group, over the moments at which each has a cost on both sides.

    Parameters
    ----------
    overlap
        How many neighbouring moments live at the same time, by the order that lived longest.
    """

    group: str
    cases: tuple[str, ...]
    moments: int
    left_out: int
    overlap: int
    duration_s: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """How the orders of all algorithms ended in one recording.

    Parameters
    ----------
    statuses
        Number of orders by status and reason.
    short
        Algorithms with orders that were not filled, with their number and their mean filled share.
    unmeasured
        Orders without a cost, by why.
    refused
        Why none could be worked; empty if they were.
    """

    case: str
    group: str
    parents: int
    statuses: dict[str, int]
    filled: float
    short: dict[str, tuple[int, float]]
    unmeasured: dict[str, int]
    refused: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Forecasts of one algorithm, or of all of them, on the later half.

    Parameters
    ----------
    fitted, scored
        Orders of the earlier and of the later half.
    untold
        Orders of either half of which nothing could be foretold.
    crossing
        Share of the fills that took in the earlier half, 0-1; None of several algorithms.
    predicted_bps, realised_bps
        Means over the later half; `bias` is of realised less predicted, moment by moment.
    inside
        Share of the outcomes that were inside their intervals of 95 %, moment by moment.
    wider
        Factor on the intervals with which 95 % of the earlier half would have been inside; None for too few.
    inside_wider
        The share inside with that factor.
    """

    group: str
    algorithm: str
    how: str
    fitted: int
    scored: int
    untold: int
    crossing: float | None
    predicted_bps: float
    realised_bps: float
    bias: Blocked
    inside: Blocked
    wider: float | None
    inside_wider: Blocked | None
    bins: tuple[CalibrationBin, ...]
    points: tuple[Forecast, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Everything that is told."""

    parents: int
    summed: tuple[Summed, ...]
    completions: tuple[Completion, ...]
    judged: tuple[Judged, ...]

    def record(self) -> dict[str, object]:
        """As plain values, without the single forecasts."""
        record = asdict(self)
        for one in record["judged"]:
            del one["points"]
        return record


def measure(units: Sequence[Unit]) -> Measured:
    """Sum everything up."""
    summed, judged = [], list[Judged]()
    for group in SUMMED:
        chosen = [unit for unit in units if unit.group == group and unit.outcomes]
        if chosen:
            summed.append(sum_up(group.value, chosen))
            judged += judge(group.value, chosen)
    return Measured(
        parents=sum(len(unit.outcomes) for unit in units),
        summed=tuple(summed),
        completions=tuple(complete(units)),
        judged=tuple(judged),
    )


def sum_up(group: str, units: Sequence[Unit]) -> Summed:
    """Costs of all algorithms of a group, and of each against a TWAP.

    Raises
    ------
    ValueError
        If a recording has fewer than two moments that can be compared.
    """
    algorithms = list(dict.fromkeys(unit.algorithm for unit in units))
    costs = {name: by_moment([one for one in units if one.algorithm == name], _cost) for name in algorithms}
    every = list(dict.fromkeys(key for found in costs.values() for key in found))
    shared = [key for key in every if all(key in found for found in costs.values())]
    series = {name: [costs[name][key] for key in shared] for name in algorithms}
    lengths, overlap = lengths_of(shared), overlap_of(units)
    plain = series.get(PLAIN)
    others = [name for name in algorithms if plain is not None and name != PLAIN]
    less = {
        name: in_blocks(
            [one - own for one, own in zip(series[name], plain or (), strict=True)], lengths, overlap
        )
        for name in others
    }
    p_holm = dict(zip(others, holm([less[name].p for name in others]), strict=True))
    rows = []
    for name in algorithms:
        outcomes = [one for unit in units if unit.algorithm == name for one in unit.outcomes]
        tracked = [one.tracked for one in outcomes if one.tracked is not None]
        fills = sum(one.fills for one in outcomes)
        by_case = _means_by_case(shared, series[name])
        rows.append(
            Row(
                algorithm=name,
                parents=len(outcomes),
                complete=sum(one.status == ParentStatus.COMPLETE for one in outcomes),
                filled=_mean([one.filled for one in outcomes]) or 0.0,
                maker_share=_mean([one.maker_share for one in outcomes if one.maker_share is not None]),
                participation_pct=_mean(
                    [one.participation_pct for one in outcomes if one.participation_pct is not None]
                ),
                guessed=sum(one.guessed for one in outcomes) / fills if fills else 0.0,
                cost=in_blocks(series[name], lengths, overlap),
                less_plain=less.get(name),
                p_holm=p_holm.get(name),
                by_case=by_case,
                less_by_case=(
                    {}
                    if name not in less or plain is None
                    else {case: by_case[case] - own for case, own in _means_by_case(shared, plain).items()}
                ),
                tracking_pct=_mean([one.mean_pct for one in tracked]),
                share_pct=_mean([one.share_pct for one in tracked]),
            )
        )
    return Summed(
        group=group,
        cases=tuple(dict.fromkeys(unit.case for unit in units)),
        moments=len(shared),
        left_out=len(every) - len(shared),
        overlap=overlap,
        duration_s=max(unit.duration_s for unit in units),
        rows=tuple(rows),
    )


def complete(units: Sequence[Unit]) -> list[Completion]:
    """How the orders ended, recording by recording."""
    found = []
    for group, case in dict.fromkeys((unit.group, unit.case) for unit in units):
        chosen = [unit for unit in units if (unit.group, unit.case) == (group, case)]
        outcomes = [one for unit in chosen for one in unit.outcomes]
        short = {}
        for unit in chosen:
            left = [one.filled for one in unit.outcomes if one.status != ParentStatus.COMPLETE]
            if left:
                short[unit.algorithm] = (len(left), fsum(left) / len(left))
        found.append(
            Completion(
                case=case,
                group=group,
                parents=len(outcomes),
                statuses=dict(Counter(f"{one.status or 'refused'} {one.reason}".strip() for one in outcomes)),
                filled=_mean([one.filled for one in outcomes]) or 0.0,
                short=short,
                unmeasured=dict(Counter(one.failure for one in outcomes if one.failure)),
                refused=next((unit.refused for unit in chosen if unit.refused), ""),
            )
        )
    return found


def judge(group: str, units: Sequence[Unit]) -> list[Judged]:
    """Hold forecasts against outcomes: as told, and with the share that takes as each algorithm had it before."""
    found, pooled = [], dict[str, tuple[list[_Foretold], list[_Foretold], int]]()
    names = [name for name in dict.fromkeys(unit.algorithm for unit in units) if name in STRATEGIES]
    overlap = overlap_of(units)
    for name in names:
        chosen = [unit for unit in units if unit.algorithm == name]
        earlier, later = _halves(chosen)
        untold = sum(one.told is None or one.cost_bps is None for unit in chosen for one in unit.outcomes)
        takers = [1.0 - one.outcome.maker_share for one in earlier if one.outcome.maker_share is not None]
        if not takers or not later:
            continue
        crossing = fsum(takers) / len(takers)
        for how, share in ((TOLD, None), (LEARNED, crossing)):
            parts = [[_forecast(one, share) for one in half] for half in (earlier, later)]
            all_of = pooled.setdefault(how, ([], [], 0))
            pooled[how] = ([*all_of[0], *parts[0]], [*all_of[1], *parts[1]], all_of[2] + untold)
            one = _judged(group, name, how, parts[0], parts[1], overlap, untold, share)
            if one is not None:
                found.append(one)
    for how, (earlier_all, later_all, untold) in pooled.items():
        one = _judged(group, "all", how, earlier_all, later_all, overlap, untold, None)
        if one is not None:
            found.append(one)
    return found


@dataclass(frozen=True, slots=True)
class _Order:
    case: str
    outcome: Outcome
    told: Told
    cost_bps: float
    since_split_ns: int
    name: str


@dataclass(frozen=True, slots=True)
class _Foretold:
    moment: Moment
    forecast: Forecast


def _halves(units: Sequence[Unit]) -> tuple[list[_Order], list[_Order]]:
    """Orders of the earlier half of each recording, without those that reach into the later one, and of that."""
    earlier, later = list[_Order](), list[_Order]()
    for unit in units:
        starts = sorted({one.start_ns for one in unit.outcomes})
        split_ns = starts[len(starts) // 2]
        for one in unit.outcomes:
            if one.told is None or one.cost_bps is None or one.told.done_share < _WHOLE:
                continue
            name = f"{unit.case} {one.number} {'buy' if one.side > 0 else 'sell'} {unit.algorithm}"
            order = _Order(unit.case, one, one.told, one.cost_bps, one.start_ns - split_ns, name)
            if one.start_ns >= split_ns:
                later.append(order)
            elif max(one.ended_ns, one.start_ns + unit.duration_s * NS_PER_S) <= split_ns:
                earlier.append(order)
    return earlier, later


def _forecast(order: _Order, crossing: float | None) -> _Foretold:
    """What was told, or the same with a share that crosses; times count from the split of the own recording."""
    told = order.told
    expected, low, high = told.expected_bps, told.low_bps, told.high_bps
    if crossing is not None:
        certain = crossing * (told.spread_bps / 2.0 + _TAKER_BPS) + (1.0 - crossing) * _MAKER_BPS
        reach = Z_USUAL * told.risk_bps
        expected = told.impact_bps + certain
        low, high = told.impact_low_bps + certain - reach, told.impact_high_bps + certain + reach
    return _Foretold(
        (order.case, order.outcome.number),
        Forecast(
            name=order.name,
            at_ns=order.since_split_ns,
            predicted_bps=expected,
            low_bps=low,
            high_bps=high,
            realised_bps=order.cost_bps,
        ),
    )


def _judged(
    group: str,
    algorithm: str,
    how: str,
    earlier: Sequence[_Foretold],
    later: Sequence[_Foretold],
    overlap: int,
    untold: int,
    crossing: float | None,
) -> Judged | None:
    """Judge the later half; None where a recording has fewer than two moments in it."""
    of_moment: dict[Moment, list[Forecast]] = {}
    for one in later:
        of_moment.setdefault(one.moment, []).append(one.forecast)
    kept = {case for case, count in Counter(case for case, _ in of_moment).items() if count >= _MOMENTS_MIN}
    moments = sorted((key for key in of_moment if key[0] in kept), key=lambda key: list(of_moment).index(key))
    if not moments:
        return None
    moments = [
        key for case in dict.fromkeys(case for case, _ in moments) for key in moments if key[0] == case
    ]
    lengths = lengths_of(moments)
    points = [one for key in moments for one in of_moment[key]]

    def of(figure: Callable[[Forecast], float]) -> Blocked:
        means = [fsum(map(figure, of_moment[key])) / len(of_moment[key]) for key in moments]
        return in_blocks(means, lengths, overlap)

    factor = _widening([one.forecast for one in earlier])
    return Judged(
        group=group,
        algorithm=algorithm,
        how=how,
        fitted=len(earlier),
        scored=len(points),
        untold=untold,
        crossing=crossing,
        predicted_bps=fsum(one.predicted_bps for one in points) / len(points),
        realised_bps=fsum(one.realised_bps for one in points) / len(points),
        bias=of(lambda one: one.realised_bps - one.predicted_bps),
        inside=of(lambda one: float(one.reach <= 1.0)),
        wider=factor,
        inside_wider=None if factor is None else of(lambda one: float(one.reach <= factor)),
        bins=tuple(calibration_bins(points)) if len(points) >= 5 else (),
        points=tuple(points),
    )


def _widening(earlier: Sequence[Forecast]) -> float | None:
    try:
        return widening(earlier, PROMISED)
    except ValueError:
        return None  # too few orders came before


def _cost(outcome: Outcome) -> float | None:
    return outcome.cost_bps


def by_moment(units: Sequence[Unit], figure: Callable[[Outcome], float | None]) -> dict[Moment, float]:
    """Mean of both sides at each moment, recording by recording; without those of which a side is not known."""
    sides: dict[Moment, list[float | None]] = {}
    for unit in units:
        for one in unit.outcomes:
            sides.setdefault((unit.case, one.number), []).append(figure(one))
    found = {}
    for key, values in sides.items():
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            found[key] = fsum(known) / len(known)
    return found


def _means_by_case(moments: Sequence[Moment], values: Sequence[float]) -> dict[str, float]:
    of_case: dict[str, list[float]] = {}
    for (case, _), value in zip(moments, values, strict=True):
        of_case.setdefault(case, []).append(value)
    return {case: fsum(each) / len(each) for case, each in of_case.items()}


def in_blocks(values: Sequence[float], lengths: Sequence[int], overlap: int) -> Blocked:
    """Sum values up, moment by moment, in blocks of the usual length."""
    return blocked(values, usual_block(min(lengths), overlap), lengths=lengths)


def lengths_of(moments: Sequence[Moment]) -> tuple[int, ...]:
    """Count the moments of each recording, in order."""
    return tuple(Counter(case for case, _ in moments).values())


def overlap_of(units: Sequence[Unit]) -> int:
    """As `backtest.contest.overlap_of`, by the case in which most moments live at the same time."""
    most = 1
    for unit in units:
        step_ns = unit.every_s * NS_PER_S
        for one in unit.outcomes:
            lived_ns = max(one.ended_ns - one.start_ns, unit.duration_s * NS_PER_S)
            most = max(most, -(-(lived_ns - step_ns // 10) // step_ns))
    return most


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None


def shown(row: Row) -> bool:
    """Whether an algorithm is shown to cost something else than a TWAP, all tests of its table together."""
    less, p_holm = row.less_plain, row.p_holm
    if less is None or p_holm is None or not less.can_show:
        return False
    return p_holm < 1 - less.confidence and not less.low <= 0 <= less.high
