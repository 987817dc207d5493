"""What every algorithm costs in the genuine recordings, whether it completes, and what was foretold of it.

Every strategy, every guide about a TWAP and two baselines work the same orders, both sides, in every recording of the
folder that EXECUTOR_REAL_DATA names; the recordings are imported first. Each case is kept when it is done, so that a
run that was stopped goes on. Run it with `python -m benchmarks.algorithms [--quick] [--json] [--plot FILE]`; a
whole run writes its tables into docs/algorithms-measured.md.
"""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from backtest.dataset.errors import DataError
from backtest.dataset.importers.protocol import Options
from backtest.dataset.intake import Intake
from backtest.dataset.store import catalogue
from benchmarks.algorithms_cases import CASES, FILES, Case, algorithms_of, unknown_files
from benchmarks.algorithms_figures import measure
from benchmarks.algorithms_page import page_of
from benchmarks.algorithms_tables import markdown, placed
from benchmarks.algorithms_work import Unit, keep_unit, read_unit, work_unit
from executor.interfaces.output import progress_on_terminal, say, show
from simulation.replay.machine import ReplayMachine
from simulation.replay.native import VENUE

FOLDER: Final = Path("var/algorithms")
PAGE: Final = Path("docs/algorithms-measured.md")
_CODE: Final = (
    "backtest",
    "executor/advice",
    "executor/domain",
    "executor/engine",
    "impact",
    "risk",
    "simulation",
    "strategies",
)
_BENCH: Final = ("algorithms_cases.py", "algorithms_work.py")


@dataclass(frozen=True, slots=True)
class Task:
    """A case to be worked by one algorithm, and where the result is kept."""

    case: Case
    algorithm: str
    every_s: int
    path: Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Work what is missing, sum up, and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.algorithms", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a sixth of the orders or less; the page is left as it is"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    parser.add_argument(
        "--plot", type=Path, help="write predicted against realised cost as an HTML page to this file"
    )
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="store and results, kept for the next run: %(default)s"
    )
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
    try:
        imported(Path(source), store)
    except DataError as error:
        parser.error(str(error))
    tasks = list(planned(store, options.folder / "results", quick=options.quick))
    units = worked(tasks, store, options.workers)
    found = measure(units)
    if options.plot is not None:
        options.plot.write_text(page_of(found), encoding="utf-8")
    if options.json:
        show(json.dumps(found.record(), indent=2))
    else:
        show(markdown(found))
    if not options.quick:
        options.page.write_text(
            placed(options.page.read_text(encoding="utf-8"), markdown(found)), encoding="utf-8"
        )


def imported(source: Path, store: Path) -> None:
    """Bring the recordings into the store, those that are not there.

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    for name in unknown_files(source):
        say(f"{name}: no case names it, it is left out")
    marks = store / "imported"
    marks.mkdir(parents=True, exist_ok=True)
    with progress_on_terminal("importing recordings") as progress:
        for number, files in enumerate(FILES):
            progress(number, len(FILES))
            mark = marks / sha256("\n".join(files).encode()).hexdigest()
            if not mark.exists():
                Intake(store, Options(), replace=True).run([source / one for one in files])
                mark.touch()


def planned(store: Path, results: Path, *, quick: bool) -> Iterator[Task]:
    """Name everything that there is to work; a result belongs to the code and the data that it was computed from."""
    results.mkdir(parents=True, exist_ok=True)
    code = _hash_of_code()
    stored: dict[str, list[str]] = {}
    for day in catalogue(store):
        stream = day.stream
        stored.setdefault(f"{stream.venue}/{stream.category}/{stream.symbol}", []).append(
            f"{day.name} {day.path.stat().st_size}"
        )
    for case in CASES:
        if case.name not in stored:
            say(f"{case.name}: not among the recordings, it is left out")
            continue
        every_s = case.quick_s if quick else case.every_s
        for algorithm in algorithms_of(case):
            mark = sha256(repr((code, stored[case.name], case, algorithm, every_s)).encode()).hexdigest()
            yield Task(case, algorithm, every_s, results / f"{mark[:24]}.json")


def worked(tasks: Sequence[Task], store: Path, workers: int) -> list[Unit]:
    """Work what is missing, in several processes, and give all results in the order of the tasks."""
    missing = [task for task in tasks if not task.path.exists()]
    done = len(tasks) - len(missing)
    if missing:
        VENUE.linked()  # compiled once, before the processes ask for it
    with progress_on_terminal("working orders") as progress, ProcessPoolExecutor(workers) as pool:
        progress(done, len(tasks))
        for ended in as_completed([pool.submit(_work, store, task) for task in missing]):
            ended.result()
            done += 1
            progress(done, len(tasks))
    return [read_unit(task.path) for task in tasks]


def _work(store: Path, task: Task) -> None:
    keep_unit(task.path, work_unit(store, task.case, task.algorithm, task.every_s, ReplayMachine))


def _hash_of_code() -> str:
    root = Path(__file__).resolve().parents[1]
    found = sha256()
    files = [path for folder in _CODE for path in (root / folder).rglob("*.py")]
    for path in sorted([*files, *(root / "benchmarks" / name for name in _BENCH)]):
        found.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


if __name__ == "__main__":
    main()
