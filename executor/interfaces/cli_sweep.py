"""Many runs in recorded books out of one file: `executor backtest sweep`.

What needs the packages of the extra `backtest` is imported inside the commands: the daemon starts without them.
"""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from config.problems import ConfigProblems, Problem, place
from executor.domain.errors import ExecutorError
from executor.interfaces.cli_backtest import PROCESSES_MAX, read_bps, read_order
from executor.interfaces.cli_data import USUAL_ROOT, data_errors
from executor.interfaces.cli_recorded import (
    BAND_BPS_MAX,
    PRINT_LAG_MS_MAX,
    REQUESTS_MAX,
    Wanted,
    check_wanted,
    make_plan,
    make_venue,
    read_instrument,
    ready_venue,
)
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import CommandFailed, failed
from executor.interfaces.options import USUAL_PROFILE, AsJson
from executor.interfaces.output import emit_json, progress_on_terminal, say, show, show_rich

if TYPE_CHECKING:
    from backtest.sweep import Swept
    from backtest.sweep_cell import Cell, Engine, Outcome
    from executor.domain.events import ParentSubmitted

USUAL_OUT: Final = Path("var/sweep")
_FAULTS_TOLD: Final = 10
_WHOLE: Final = (
    *("randomize_size", "randomize_timing", "reprice_ticks"),
    *("randomize_display", "peg_offset_ticks", "max_reprices"),
)


class Where(StrEnum):
    """Who works the cells."""

    LOCAL = "local"
    RAY = "ray"


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="What to try: docs/backtest.md, Sweeps.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder of the results: var/sweep/FILE. What is there is not worked again."
        ),
    ] = None,
    engine: Annotated[
        Where, typer.Option("--engine", help="local: processes of this machine; ray: a Ray cluster.")
    ] = Where.LOCAL,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, max=PROCESSES_MAX, help="Cells at once; else one for each processor."
        ),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(
            "--ray-address", help="With ray: its cluster, such as 10.0.0.5:6379; else one is started here."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try every combination of what a file lists: instruments, days, sizes, strategies, latencies, queues, seeds.

    Each combination is a cell: what `executor backtest run` does, with the usual limits and without an adviser. Results
    are kept cell by cell as Parquet, so a sweep that was stopped goes on where it was; they are the same for any number
    of workers. A cell that cannot be worked is noted and stops no other; the next sweep tries it again.

    Ends with 1 if a cell could not be worked, 2 if the file cannot be used.
    """
    with data_errors():
        from backtest import sweep as sweeping  # noqa: PLC0415
        from backtest.sweep_plan import read_grid  # noqa: PLC0415
        from backtest.sweep_rows import Folder  # noqa: PLC0415

        if ray_address is not None and engine is not Where.RAY:
            raise failed(
                ExitCode.USAGE, "USAGE", "--ray-address", "--engine local", "--engine ray", "add --engine ray"
            )
        grid = read_grid(file, USUAL_ROOT)
        cells = sweeping.plan_cells(grid)
        _check(file, cells)
        pool = _engine(engine, workers, ray_address)
        target = out or USUAL_OUT / file.stem
        try:
            folder = Folder(target)
            if engine is Where.LOCAL and any(
                cell.terms["twin"] == "false" and not folder.has(cell) for cell in cells
            ):
                ready_venue()
            with progress_on_terminal("working cells") as progress:
                found = sweeping.sweep(cells, folder, work_cell, pool, progress)
        except OSError as error:
            raise failed(
                ExitCode.REFUSED, "OUT", place(target), str(error.strerror), "a folder of ours with room",
                "make room or name another one with --out; what is there is kept",
            ) from error  # fmt: skip
        record = sweeping.sweep_record(found)
        others = folder.others(cells)
        if others:
            say(f"{place(folder.cells)} also has {others} results of other cells or data")
        if as_json:
            emit_json(record)
        else:
            _tell(found, target)
            for text in sweeping.warnings(found):
                show(f"WARNING        {text}")
            show(str(record["note"]))
        if record["faulty"]:
            raise typer.Exit(ExitCode.REFUSED)


def work_cell(cell: "Cell") -> "Outcome":
    """Do for one cell what `executor backtest run` does; what goes wrong is its outcome."""
    from backtest.recorded import work  # noqa: PLC0415
    from backtest.sweep_cell import Outcome  # noqa: PLC0415
    from backtest.sweep_rows import rows_of  # noqa: PLC0415

    try:
        wanted, order = read_cell(cell)
        with data_errors():
            plan = make_plan(wanted, order)
            errands = plan.errands((cell.terms["strategy"],))
            return Outcome(
                rows_of(list(work(plan.recording, plan.conditions, errands, make_venue(plan.twin))))
            )
    except (CommandFailed, ConfigProblems) as error:
        return Outcome((), "; ".join(problem.line() for problem in error.problems))
    except ExecutorError as error:
        return Outcome((), str(error))


def read_cell(cell: "Cell") -> "tuple[Wanted, ParentSubmitted]":
    """Read a cell as `executor backtest run` reads its options.

    Raises
    ------
    CommandFailed, ConfigProblems
        If a value does not mean anything there.
    """
    from backtest.policies import BASELINES  # noqa: PLC0415
    from backtest.sweep_plan import STRATEGY_KEYS  # noqa: PLC0415

    terms = cell.terms
    order = read_order(
        {
            "side": "buy",
            **{key: _value(key, terms[key]) for key in (*STRATEGY_KEYS, "qty", "duration") if key in terms},
            # A baseline puts in its own.
            "strategy": "twap" if terms["strategy"] in BASELINES else terms["strategy"].lower(),
        }
    )
    venue, category, symbol = read_instrument(terms["symbol"])
    wanted = Wanted(
        data=cell.root, symbol=symbol, venue=venue, category=category, day=cell.day, sides=terms["side"],
        start=terms.get("start"), every=terms.get("every"), until=terms.get("until"), warmup=terms["warmup"],
        latency_feed=terms.get("latency_feed"), latency_order=terms["latency_order"],
        latency_response=terms["latency_response"], queue=terms["queue"], impact=terms["impact"],
        maker_fee=read_bps("--maker-fee", terms["maker_fee"]), taker_fee=read_bps("--taker-fee", terms["taker_fee"]),
        over_gaps=_flag("over_gaps", terms["over_gaps"]), seed=_count("seed", terms["seed"], 2**32),
        twin=_flag("twin", terms["twin"]),
        requests_per_s=_count("requests_per_s", terms["requests_per_s"], REQUESTS_MAX),
        print_lag_ms=_count("print_lag_ms", terms["print_lag_ms"], PRINT_LAG_MS_MAX),
        price_band_bps=_count("price_band_bps", terms["price_band_bps"], BAND_BPS_MAX)
        if "price_band_bps" in terms
        else None,
        profile=USUAL_PROFILE, config=None,
    )  # fmt: skip
    check_wanted(wanted)
    return wanted, order


def _value(key: str, text: str) -> object:
    """Read what an order has as a number or as yes and no; its own reader knows all other forms."""
    if key == "catch_up" and text in {"true", "false"}:
        return text == "true"
    return int(text) if key in _WHOLE and text.isdecimal() else text


def _flag(key: str, text: str) -> bool:
    if text not in {"true", "false"}:
        raise failed(ExitCode.USAGE, "USAGE", key, text, "true or false", "correct the file")
    return text == "true"


def _count(key: str, text: str, most: int) -> int:
    if not text.isdecimal() or int(text) > most:
        raise failed(
            ExitCode.USAGE, "USAGE", key, text, f"a whole number from 0 to {most}", "correct the file"
        )
    return int(text)


def _check(file: Path, cells: "Sequence[Cell]") -> None:
    """Read every cell before the first one is worked: a slip of the pen is no result."""
    problems: dict[Problem, int] = {}
    for cell in cells:
        try:
            read_cell(cell)
        except (CommandFailed, ConfigProblems) as error:
            for problem in error.problems:
                problems.setdefault(problem, cell.number)
    if problems:
        raise ConfigProblems(
            Problem(
                code=one.code,
                where=f"{place(file)} {one.where.removeprefix('--').replace('-', '_')} (cell {number})",
                got=one.got,
                allowed=one.allowed,
                next_step="correct the file; docs/backtest.md, section Sweeps, has one that works",
            )
            for one, number in problems.items()
        )


def _engine(where: Where, workers: int | None, address: str | None) -> "Engine":
    if where is Where.LOCAL:
        from backtest.sweep_local import LocalProcesses  # noqa: PLC0415

        return LocalProcesses(workers or min(os.cpu_count() or 1, PROCESSES_MAX))
    try:
        from backtest.sweep_ray import RayTasks  # noqa: PLC0415
    except ImportError as error:
        raise failed(
            ExitCode.USAGE, "PACKAGES", "--engine ray", str(error), "an environment with Ray",
            "pip install 'bybit-executor[ray]', or --engine local",
        ) from error  # fmt: skip
    return RayTasks(address, workers)


def _tell(found: "Sequence[Swept]", target: Path) -> None:
    """Show a line for each cell, with the terms in which they differ, and why cells are faulty."""
    from rich.table import Table  # noqa: PLC0415 - slow to import, and only needed for tables

    from backtest.beside import many  # noqa: PLC0415
    from backtest.sweep import varying  # noqa: PLC0415
    from impact.models import NO_MODEL  # noqa: PLC0415

    names = varying([one.cell for one in found])
    table = Table(box=None, pad_edge=False)
    charged = any(one.cell.terms["impact"] != NO_MODEL for one in found)
    beside = ("impact model bps",) if charged else ()
    figures_told = ("orders", "ended", "no fill", "in part", "mean cost bps", *beside, "by queue model")
    columns = ("cell", *names, *figures_told)
    lines = []
    for one in found:
        terms = [one.cell.terms.get(name, "-") for name in names]
        said = one.summary
        figures = ["faulty", *[""] * (len(columns) - len(names) - 2)]
        if said is not None:
            mean = "-" if said.mean_bps is None else f"{said.mean_bps:+.3f}"
            share = f"{said.queue_model_fills} of {said.fills} fills"
            impact = "-" if said.impact_bps is None else f"{said.impact_bps:+.3f}"
            counts = (said.orders, said.ended, said.unfilled, said.partly_filled)
            figures = [*map(str, counts), mean, *([impact] if charged else []), share]
        lines.append([str(one.cell.number), *terms, *figures])
    # What is the same in all lines is told once: a narrow page has room for what tells the cells apart.
    same = [at for at in range(1, len(columns)) if len(lines) > 1 and len({line[at] for line in lines}) == 1]
    for at in same:
        if any(one.summary is not None for one in found):
            show(f"{columns[at].replace('_', ' ')} {lines[0][at]} in every cell")
    kept = [at for at in range(len(columns)) if at not in same]
    for at in kept:
        table.add_column(columns[at].replace("_", " "), overflow="fold")
    for line in lines:
        table.add_row(*(line[at] for at in kept))
    show_rich(table)
    reused = sum(one.reused for one in found)
    faulty = [one for one in found if one.error is not None]
    show(
        f"\n{many(len(found), 'cell')}: {len(found) - reused - len(faulty)} worked, {reused} there before,"
        f" {len(faulty)} faulty; results in {place(target / 'cells')}"
    )
    alike: dict[str, list[str]] = {}
    for one in faulty:
        alike.setdefault(str(one.error), []).append(str(one.cell.number))
    for error, numbers in list(alike.items())[:_FAULTS_TOLD]:
        which = f"cell {numbers[0]}" if len(numbers) == 1 else f"{len(numbers)} cells ({_listed(numbers)})"
        say(f"FAULTY         {which}: {error}")
    if len(alike) > _FAULTS_TOLD:
        say(
            f"FAULTY         and {len(alike) - _FAULTS_TOLD} more reasons; each cell has a file NAME.error.json"
        )


def _listed(numbers: Sequence[str]) -> str:
    more = f", … {numbers[-1]}" if len(numbers) > _FAULTS_TOLD else ""
    return f"{', '.join(numbers[:_FAULTS_TOLD])}{more}"
