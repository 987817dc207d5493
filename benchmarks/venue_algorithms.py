"""The venue's own TWAP, iceberg and POV against ours: the same orders, at the same instants, in the same recordings.

Each is worked by the engine through the gate, both sides, in recordings of the folder that EXECUTOR_REAL_DATA names.
The venue's own are worked as Bybit documents them (`simulation.strategy_desk`, held equal to the sandbox by
a test). Run it with `python -m benchmarks.venue_algorithms`; a whole run writes its table into
docs/venue-algorithms.md.
"""

import argparse
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from math import fsum
from pathlib import Path
from typing import Final

from backtest.blocks import Blocked, holm
from backtest.dataset.errors import DataError
from backtest.recorded import Errand, plan_starts, work
from backtest.recording import find_recording
from benchmarks.algorithms import FOLDER, imported
from benchmarks.algorithms_cases import CASES, Case, Group
from benchmarks.algorithms_figures import by_moment, in_blocks, lengths_of, overlap_of
from benchmarks.algorithms_work import CHARGES, Outcome, Unit, conditions_of, outcome_of
from executor.domain.events import ParentSubmitted
from executor.domain.limits import Limits
from executor.domain.orders import Category, ResidualRule, Side, StrategyParams
from executor.domain.units import BPS_PER_UNIT, Quantity
from executor.interfaces.output import progress_on_terminal, show
from simulation.replay.machine import ReplayMachine
from simulation.replay.native import VENUE

PAGE: Final = Path("docs/venue-algorithms.md")
BEGIN: Final = "<!-- measured: begin; `python -m benchmarks.venue_algorithms` writes what follows -->"
END: Final = "<!-- measured: end -->"
PAIRS: Final = {"venue-twap": "twap", "venue-iceberg": "iceberg", "venue-pov": "pov"}
LIMITS: Final = Limits(
    references_min=0,
    reference_age_s_max=Decimal(60),
    participation_pct_max=Decimal(100),
    child_notional_max=Decimal(1_000_000),
)
"""The usual ones but for these, for both sides alike. A book may be silent for a minute: shares often are for
seconds, and each such doubt stops the venue's algorithm. And a strategy order is not cut to what might be sent at
once. Either mostly leaves too little time for another strategy order."""
_SHARE: Final = Decimal("0.01")
_PARTS: Final = 10
_USUAL_S: Final = 60
_TAKER_BPS: Final = float(CHARGES.taker_fee_rate * BPS_PER_UNIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Orders of one recording, worked by one of the venue's algorithms and by ours.

    Parameters
    ----------
    venues
        The venue's strategy.
    """

    case: Case
    venues: str

    @property
    def ours(self) -> str:
        """Ours of the same kind."""
        return PAIRS[self.venues]


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """One of the two, by its means over the orders that both have a cost.

    Parameters
    ----------
    with_tail
        Cost if what was not filled had been taken at the mid of the end, for the fee; basis points.
    complete
        Orders that were filled whole.
    tail, maker_share
        Mean share of the orders that was not filled, and of the fills that waited; 0-1.
    participation_pct
        Mean own share of all that traded during an order's life, per cent.
    """

    algorithm: str
    cost: Blocked
    with_tail: Blocked
    complete: int
    tail: float
    maker_share: float | None
    participation_pct: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A pair of algorithms in one group of recordings.

    Parameters
    ----------
    pairs, left_out
        Orders that both worked to a cost, both sides counted, and those of which one has none.
    less_ours, less_ours_with_tail
        The venue's less ours, moment by moment; basis points.
    p_holm
        Of `less_ours_with_tail`, with all rows of the table allowed for.
    """

    group: str
    cases: tuple[str, ...]
    duration_s: int
    every_s: int
    moments: int
    pairs: int
    left_out: int
    overlap: int
    venues: Half
    ours: Half
    less_ours: Blocked
    less_ours_with_tail: Blocked
    p_holm: float


def matches(*, quick: bool) -> list[Match]:
    """Orders of at least the time that the venue takes, about a hundredth of what trades in it."""
    sized = {(case.group, case.name): case for case in CASES}
    found = []
    for venues in ("venue-twap", "venue-iceberg"):
        for (group, _), case in sized.items():
            if group in {Group.COINS, Group.SHARES}:
                longer = Quantity(case.qty * 300 / case.duration_s)
                every_s = (15 if group is Group.COINS else 600) * (4 if quick else 1)
                long_case = replace(
                    case, qty=longer, duration_s=300, interval_s=30, every_s=every_s, warmup_s=_USUAL_S
                )
                found.append(Match(case=long_case, venues=venues))
    for (group, _), case in sized.items():
        if (
            group is Group.LONG
        ):  # a POV takes a whole per cent at least, so the order is a per cent of the volume
            longer = Quantity(case.qty * 4)
            every_s = 1200 * (4 if quick else 1)
            long_case = replace(case, qty=longer, every_s=every_s, warmup_s=2 * _USUAL_S)
            found.append(Match(case=long_case, venues="venue-pov"))
    return found


def worked(root: Path, match: Match, seed: int = 1) -> list[Unit]:
    """Work all orders of a match by both."""
    case = match.case
    venue, category, symbol = case.parts
    recording = find_recording(root, symbol, venue=venue, category=category)
    if match.venues == "venue-pov":  # offered for contracts only: the shares are worked as if they were one
        recording = replace(recording, rules=replace(recording.rules, category=Category.LINEAR))
    if recording.recv_known:
        recording = recording.with_clock(None)
    plain = replace(conditions_of(recording, case, seed), plan_terms=None, limits=LIMITS)
    order = replace(
        case.order(seed),
        category=recording.rules.category,
        order_qty=recording.rules.round_qty(case.qty),
        residual=ResidualRule.LEAVE,
    )
    starts = plan_starts(recording, plain, order, start_ns=None, every_s=case.every_s)
    units = []
    for algorithm in (match.venues, match.ours):
        conditions = replace(plain, venue_algorithms=algorithm == match.venues)
        errands = [
            Errand(
                number=number,
                start_ns=start_ns,
                order=replace(_by(order, algorithm, recording.rules.round_qty), side=side),
                policy=algorithm,
            )
            for number, start_ns in enumerate(starts, start=1)
            for side in Side
        ]
        outcomes = tuple(
            outcome_of(one, case, None) for one in work(recording, conditions, errands, ReplayMachine)
        )
        units.append(
            Unit(
                case=case.name,
                group=case.group.value,
                algorithm=algorithm,
                every_s=case.every_s,
                duration_s=case.duration_s,
                outcomes=outcomes,
            )
        )
    return units


def _by(order: ParentSubmitted, algorithm: str, round_qty: Callable[[Decimal], Quantity]) -> ParentSubmitted:
    params = StrategyParams(interval_s=order.params.interval_s)
    if algorithm in {"venue-iceberg", "iceberg"}:
        params = replace(params, display_qty=round_qty(order.order_qty / _PARTS))
    if algorithm in {"venue-pov", "pov"}:
        params = replace(params, participation=_SHARE)
    return replace(order, strategy=algorithm, params=params)


def sum_up(units: Sequence[Unit]) -> list[Result]:
    """Hold each pair of algorithms against each other, group by group."""
    found: list[Result] = []
    for venues, ours in PAIRS.items():
        for group in Group:
            of_group = [one for one in units if one.group == group.value and one.algorithm in {venues, ours}]
            of_pair = [
                one
                for one in of_group
                if {each.algorithm for each in of_group if each.case == one.case} == {venues, ours}
            ]
            if of_pair:
                found.append(_held(group, of_pair, venues, ours))
    adjusted = holm([one.less_ours_with_tail.p for one in found])
    return [replace(one, p_holm=p) for one, p in zip(found, adjusted, strict=True)]


def _held(group: Group, units: Sequence[Unit], venues: str, ours: str) -> Result:
    by_name = {name: [one for one in units if one.algorithm == name] for name in (venues, ours)}
    costs = {name: by_moment(each, _cost) for name, each in by_name.items()}
    whole = {name: by_moment(each, _with_tail) for name, each in by_name.items()}
    shared = [moment for moment in costs[venues] if moment in costs[ours]]
    if not shared:
        raise DataError(
            Path(), f"no moment of {group} has a cost by {venues} and by {ours}", "an order that fills"
        )
    lengths, overlap = lengths_of(shared), overlap_of(units)

    def blocks(values: Callable[[tuple[str, int]], float]) -> Blocked:
        return in_blocks([values(moment) for moment in shared], lengths, overlap)

    def side(name: str) -> Half:
        kept = [
            one for unit in by_name[name] for one in unit.outcomes if (unit.case, one.number) in set(shared)
        ]
        return Half(
            algorithm=name,
            cost=blocks(lambda moment: costs[name][moment]),
            with_tail=blocks(lambda moment: whole[name][moment]),
            complete=sum(one.filled == 1.0 for one in kept),
            tail=1.0 - fsum(one.filled for one in kept) / len(kept),
            maker_share=_mean([one.maker_share for one in kept]),
            participation_pct=_mean([one.participation_pct for one in kept]),
        )

    all_moments = {(unit.case, one.number) for unit in units for one in unit.outcomes}
    return Result(
        group=group.value,
        cases=tuple(dict.fromkeys(unit.case for unit in units)),
        duration_s=max(unit.duration_s for unit in units),
        every_s=max(unit.every_s for unit in units),
        moments=len(shared),
        pairs=2 * len(shared),
        left_out=2 * (len(all_moments) - len(shared)),
        overlap=overlap,
        venues=side(venues),
        ours=side(ours),
        less_ours=blocks(lambda moment: costs[venues][moment] - costs[ours][moment]),
        less_ours_with_tail=blocks(lambda moment: whole[venues][moment] - whole[ours][moment]),
        p_holm=1.0,
    )


def _cost(one: Outcome) -> float | None:
    return one.cost_bps


def _with_tail(one: Outcome) -> float | None:
    return None if one.cost_bps is None else one.cost_bps + (1.0 - one.filled) * _TAKER_BPS


def _mean(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return fsum(known) / len(known) if known else None


def markdown(results: Sequence[Result]) -> str:
    """Tell all of it as tables."""
    lines = [f"{sum(one.pairs for one in results)} pairs of orders in all.", ""]
    lines += [
        "| recordings | algorithm | orders | cost, bps | 95 % interval | whole | tail | waited | participation |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in results:
        for side in (one.venues, one.ours):
            cells = [
                one.group,
                f"`{side.algorithm}`",
                str(one.pairs),
                f"{side.cost.mean:+.3f}",
                _interval(side.cost),
                f"{100 * side.complete / one.pairs:.0f} %",
                f"{100 * side.tail:.2f} %",
                "-" if side.maker_share is None else f"{100 * side.maker_share:.0f} %",
                "-" if side.participation_pct is None else f"{side.participation_pct:.2f} %",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "| recordings | the venue's less ours | pairs | blocks | bps | 95 % interval | tail taken | 95 % | p |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in results:
        cells = [
            one.group,
            f"`{one.venues.algorithm}` less `{one.ours.algorithm}`",
            str(one.pairs),
            str(one.less_ours.blocks),
            f"{one.less_ours.mean:+.3f}",
            _interval(one.less_ours),
            f"{one.less_ours_with_tail.mean:+.3f}",
            _interval(one.less_ours_with_tail),
            f"{one.p_holm:.4f}" if one.less_ours_with_tail.can_show else "-",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "What was worked:", ""]
    for one in results:
        left_out = f"; {one.left_out} orders without a cost on both are left out" if one.left_out else ""
        lines.append(
            f"- {one.group}, `{one.venues.algorithm}`: {', '.join(one.cases)}; orders of {one.duration_s} s, one every"
            f" {one.every_s} s, {one.moments} moments, up to {one.overlap} live at the same time{left_out}."
        )
    return "\n".join([*lines, ""])


def _interval(one: Blocked) -> str:
    return f"{one.low:+.3f} to {one.high:+.3f}" if one.can_show else "-"


def placed(page: str, text: str) -> str:
    """Put the tables between the marks of the page.

    Raises
    ------
    ValueError
        If the page has no marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Work every match, sum up, and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.venue_algorithms", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a quarter of the orders; the page is left as it is"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the store is kept: %(default)s")
    parser.add_argument(
        "--page", type=Path, default=PAGE, help="Markdown that a whole run writes into: %(default)s"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes at a time: %(default)s")
    options = parser.parse_args(arguments)
    source = os.environ.get("EXECUTOR_REAL_DATA")
    if not source or not Path(source).is_dir():
        parser.error("EXECUTOR_REAL_DATA does not name the folder of recordings")
    if options.workers < 1:
        parser.error("--workers: one process at least")
    store = options.folder / "store"
    units: list[Unit] = []
    try:
        imported(Path(source), store)
        VENUE.linked()  # compiled once, before the processes ask for it
        with (
            progress_on_terminal("working orders") as progress,
            ProcessPoolExecutor(options.workers) as pool,
        ):
            chosen = matches(quick=options.quick)
            asked = [pool.submit(worked, store, match) for match in chosen]
            for number, one in enumerate(asked, start=1):
                units += one.result()
                progress(number, len(asked))
        results = sum_up(units)
    except DataError as error:
        parser.error(str(error))
    if options.json:
        show(json.dumps([asdict(one) for one in results], indent=2))
    else:
        show(markdown(results))
    if not options.quick:
        page = options.page.read_text(encoding="utf-8")
        options.page.write_text(placed(page, markdown(results)), encoding="utf-8")


if __name__ == "__main__":
    main()
