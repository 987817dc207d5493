"""The daemon under load: many orders at once, people at the board, a scrape a second; and where it bends.

    python -m benchmarks.load [--parents 200] [--viewers 20] [--minutes 15] [--json]
    python -m benchmarks.load --bend            then doubles the orders, two minutes each, until the loop lags too much
    python -m benchmarks.load --bend --write    and writes docs/load.md

Sandbox, daemon, viewers and (where installed) Prometheus are processes of their own on this machine, which should have
nothing else to do. The exit code is 0 if every bar was met by the first run.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.load_page import write_page
from benchmarks.load_run import LAG_S_MAX, Run, run

BEND_TIMES_MAX: Final = 6
BEND_MINUTES: Final = 2.0
WORDS: Final = {
    "start": "starting exchange and daemon",
    "submit": "submitting orders",
    "begin": "waiting until all have begun",
    "measure": "measuring",
    "end": "ending everything",
    "audit": "auditing the journal",
}


def main(words: Sequence[str] | None = None) -> int:
    """Run and tell; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parents", type=_count, default=200, help="orders at once (default: %(default)s)")
    parser.add_argument(
        "--viewers", type=_count, default=20, help="people at the board (default: %(default)s)"
    )
    parser.add_argument(
        "--minutes", type=_minutes, default=15.0, help="length of the first run (default: %(default)g)"
    )
    parser.add_argument("--seed", type=int, default=7, help="of the exchange's crowd and of the orders")
    parser.add_argument("--bend", action="store_true", help="then go on with other numbers of orders")
    parser.add_argument("--write", action="store_true", help="write docs/load.md")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    words = sys.argv[1:] if words is None else words
    chosen = parser.parse_args(words)
    console = Console(stderr=True)
    runs: list[Run] = []
    gave_up = ""
    for parents, minutes in _plan(chosen.parents, chosen.minutes, runs, bends=chosen.bend):
        try:
            runs.append(_once(console, parents, chosen.viewers, minutes, chosen.seed))
        except (AssertionError, OSError) as error:
            if not runs:
                raise
            gave_up = f"With {parents} orders nothing could be measured: {error}"  # what was measured is kept
            console.print(gave_up, markup=False)
            break
        if not chosen.json:
            _say(runs[-1])
    if chosen.write:
        write_page(runs, " ".join(["python -m benchmarks.load", *words]), _machine(), gave_up)
    if chosen.json:
        told = {"machine": _machine(), "runs": [each.as_json() for each in runs], "gave_up": gave_up}
        sys.stdout.write(f"{json.dumps(told, indent=2)}\n")
    return 0 if all(bar.met for bar in runs[0].bars()) else 1


def _plan(parents: int, minutes: float, runs: list[Run], *, bends: bool) -> Iterator[tuple[int, float]]:
    """Orders and minutes of each run: the first one; then, while the loop lag says the same, twice or half as many."""
    yield parents, minutes
    first = runs[0].bars()[0].met
    while bends and runs[-1].bars()[0].met is first and len(runs) <= BEND_TIMES_MAX:
        parents = parents * 2 if first else parents // 2
        if not parents:
            return
        yield parents, BEND_MINUTES


def _once(console: Console, parents: int, viewers: int, minutes: float, seed: int) -> Run:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="executor-load-") as folder,
        Progress(*columns, console=console) as bar,
    ):
        task = bar.add_task("", total=1.0)

        def show(step: str, share: float) -> None:
            bar.update(task, description=f"{parents} orders: {WORDS[step]}", completed=share)

        return run(Path(folder), parents=parents, viewers=viewers, seconds=minutes * 60, seed=seed, tell=show)


def _say(done: Run) -> None:
    sys.stdout.write(f"{tell(done)}\n")
    sys.stdout.flush()


def tell(done: Run) -> str:
    """Say what was measured, and of each bar whether it was met."""
    shares = ", ".join(f"{name} {share:.0%}" for name, share in done.shares.items())
    lines = [
        f"{done.parents} orders, {done.viewers} viewers, {done.seconds:.0f} s, scraped by {done.scraped_by}",
        f"  per second: {done.events_per_s:.0f} events, orders {done.orders_per_s:.1f}, fills {done.fills_per_s:.1f}",
        f"  amendments per second {done.amends_per_s:.1f}; series on the page of metrics: {done.series}",
        f"  loop lag ms: {_row(done.lag_ms)}; {done.lag_within or 0:.2%} within {LAG_S_MAX * 1e3:g} ms",
        f"  asked from outside, ms: {_row(done.probe_ms)}",
        f"  engine call, us: {_row(done.engine_us)}; share of the time {done.engine_share:.0%}",
        f"  commit, ms: {_row(done.commit_ms)}; share of the time {done.commit_share:.0%}",
        f"  events that waited, at most: {done.inbox_max}; processor: {shares}",
    ]
    lines.append(
        f"  memory: {done.resident_mib[0]:.0f} to {done.resident_mib[1]:.0f} MiB, {done.orders} orders in all"
    )
    for name, took in done.answers_ms.items():
        size_kb = done.answers_kb.get(name, 0)
        lines.append(f"  {name}: {done.answers[name]} answers of {size_kb:.0f} kB, ms: {_row(took)}")
    lines += [f"  failed: {done.failed}"] if done.failed else []
    lines += [f"  refused: {done.refused}"] if done.refused else []
    for bar in done.bars():
        lines.append(f"{'met    ' if bar.met else 'NOT MET'} {bar.name}: {bar.found} (wanted: {bar.wanted})")
    return "\n".join(lines)


def _row(values: dict[str, float | None]) -> str:
    return ", ".join(
        f"{name} {value:.1f}" if value is not None else f"{name} -" for name, value in values.items()
    )


def _machine() -> str:
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = (line.partition(":")[2].strip() for line in told if line.startswith("model name"))
    cpu = next(models, platform.machine())
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not int(text):
        raise argparse.ArgumentTypeError(f"a whole number from 1, not {text!r}")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= 1_440:
        raise argparse.ArgumentTypeError(f"minutes above 0, at most 1440, not {text!r}")
    return minutes


if __name__ == "__main__":
    sys.exit(main())
