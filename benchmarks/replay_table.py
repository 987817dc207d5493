"""How fast recordings are replayed, against hftbacktest where that is installed. `python -m benchmarks.replay_table`.

The made recording is the same for both, with the same latencies, queue model and strategy; best prices at each wake-up,
submits, cancels and fills have to be equal before any time is told. Speeds are CPU time on one core, from rows that
are in memory; the last rows are whole processes that begin with the file on disk.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

import numpy as np

from backtest.dataset.convert import to_hftbacktest
from backtest.dataset.importers.protocol import Options
from backtest.dataset.intake import Intake
from backtest.dataset.store import read_info
from benchmarks.replay import wakes_of
from benchmarks.replay_stream import make_rows, write_day

_FEED_NS: Final = 5_000_003
_COMPARED: Final = ("submits", "cancels", "fills", "position", "traded_value")
_FAR: Final = ("usdm/btcusdt_20230404.dat.gz", "usdm/btcusdt_20230405.dat.gz")
_PEER: Final = "hftbacktest"
_INSTALL: Final = f"""\
{_PEER} is not installed: only our own rows follow. To have it beside them, in an environment of its own:
  python3 -m venv /tmp/peer && /tmp/peer/bin/pip install '{_PEER}>=2.4'
  EXECUTOR_BENCH_PEER=/tmp/peer/bin/python make bench
(or into this one: pip install 'bybit-executor[bench]')
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Runs of one thing: JSON lines of the program, and how long its processes took from start to end."""

    runs: list[dict[str, Any]]
    whole_s: list[float] = field(default_factory=list)

    @property
    def cpu_s(self) -> float:
        """Median of the CPU times."""
        return float(median(run["cpu_s"] for run in self.runs))

    @property
    def peak_mib(self) -> float:
        """Largest memory of any run."""
        return max(float(run["peak_mib"]) for run in self.runs)


def measure(interpreter: str, module: str, words: Sequence[object], processes: int = 1) -> Measured:
    """Run a program, some times over."""
    lines, spans = [], []
    for _ in range(processes):
        began = perf_counter()
        command = [interpreter, "-m", module, *map(str, words)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own programs
        spans.append(perf_counter() - began)
        lines += [json.loads(line) for line in done.stdout.splitlines()]
    return Measured(lines, spans)


def peer_interpreter() -> str | None:
    """Find an interpreter that has the peer: the one that was named, or this one."""
    for candidate in (os.environ.get("EXECUTOR_BENCH_PEER"), sys.executable):
        if candidate is None or shutil.which(candidate) is None:
            continue
        probe = [candidate, "-c", f"import {_PEER}"]
        if subprocess.run(probe, check=False, capture_output=True).returncode == 0:  # noqa: S603
            return candidate
    return None


def differences(ours: Measured, theirs: Measured, touches: tuple[Path, Path]) -> list[str]:
    """Say in what two plays differ; nothing if they are equal."""
    one, other = ours.runs[0], theirs.runs[0]
    found = [f"{name}: {one[name]} and {other[name]}" for name in _COMPARED if one[name] != other[name]]
    seen = [np.load(path) for path in touches]
    if seen[0].shape != seen[1].shape:
        return [*found, f"wake-ups: {len(seen[0])} and {len(seen[1])}"]
    unequal = np.flatnonzero((seen[0] != seen[1]).any(axis=1))
    if len(unequal):
        found.append(
            f"best prices at {len(unequal)} of {len(seen[0])} wake-ups, first at number {unequal[0]}"
        )
    return found


def tell(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def row(name: str, rows: int, measured: Measured, against: Measured | None = None) -> None:
    """Print a row of the table."""
    ratio = "" if against is None else f"{against.cpu_s / measured.cpu_s:6.1f} x"
    tell(f"{name:<34} {measured.cpu_s:8.3f} s {rows / measured.cpu_s / 1e6:7.2f} M/s {ratio}")


def compare_generated(folder: Path, count: int, runs: int, peer: str | None) -> bool:
    """Play the made recording; False where the two engines disagree."""
    day, events = folder / "made" / "rows.parquet", folder / "made.npz"
    write_day(make_rows(count, seed=1), day, feed_ns=_FEED_NS)
    wakes = wakes_of(read_info(day))
    touches = folder / "ours.npy", folder / "theirs.npy"
    ours = [day, "--feed-ns", _FEED_NS, "--touches", touches[0]]
    held = [*ours, "--in-memory", "--runs", runs + 1]
    slow, quick, idle = (
        measure(sys.executable, "benchmarks.replay", [*held, "--how", how])
        for how in ("object", "compiled", "pass")
    )
    for each in (slow, quick, idle):
        del each.runs[0]  # the first links or compiles
    whole = measure(sys.executable, "benchmarks.replay", [*ours, "--how", "compiled"], runs)
    answer = {name: slow.runs[0][name] for name in _COMPARED}
    tell(f"made recording: {count} rows, {wakes} wake-ups; {answer}")
    if slow.runs[0]["state_hash"] != quick.runs[0]["state_hash"]:
        tell("DIFFERENT: the strategy as an object and compiled")
        return False
    theirs = None
    words = [events, "--steps", 0.1, 0.001, "--wakes", wakes, "--touches", touches[1]]
    if peer is not None:
        to_hftbacktest(day, events)
        theirs = measure(peer, "benchmarks.replay_peer", [*words, "--in-memory", "--runs", runs + 1])
        del theirs.runs[0]
        wrong = differences(quick, theirs, touches)
        if wrong:
            tell("DIFFERENT: " + "; ".join(wrong))
            return False
        tell(f"equal with {_PEER}: best prices at every wake-up, {', '.join(_COMPARED)}")
        row(f"{_PEER}, HashMap book, compiled", count, theirs)
        row("ours, strategy as an object", count, slow, theirs)
        row("ours, strategy compiled", count, quick, theirs)
    else:
        row("ours, strategy as an object", count, slow)
        row("ours, strategy compiled", count, quick)
    row("ours, without orders", count, idle)
    tell(
        f"{'ours, whole process from disk':<34} {median(whole.whole_s):8.3f} s wall, peak {whole.peak_mib:.0f} MiB"
    )
    if peer is not None and theirs is not None:
        from_disk = measure(peer, "benchmarks.replay_peer", words, min(runs, 3))
        tell(
            f"{_PEER + ', whole process from disk':<34} {median(from_disk.whole_s):8.3f} s wall,"
            f" peak {from_disk.peak_mib:.0f} MiB"
        )
    return True


def compare_far(folder: Path, recordings: Path, runs: int, peer: str | None) -> bool:
    """Play a recording with quotes far from the touch, without orders; False where the two engines disagree."""
    files = [recordings / "binance" / name for name in _FAR]
    *_, stored = Intake(folder / "far", Options()).run(files).stored
    info = read_info(stored.path)
    touches = folder / "far-ours.npy", folder / "far-theirs.npy"
    ours = measure(
        sys.executable,
        "benchmarks.replay",
        [stored.path, "--in-memory", "--how", "pass", "--runs", runs + 1],
    )
    del ours.runs[0]
    tell(f"{stored.stream.symbol} of {_FAR[-1]}: {info.rows} rows, quotes far away, no orders")
    if peer is None:
        row("ours", info.rows, ours)
        return True
    events = folder / "far.npz"
    _, behind_ns = to_hftbacktest(stored.path, events)
    looking = ["--in-memory", "--how", "look", "--receiver-behind-ns", behind_ns, "--touches", touches[0]]
    looked = measure(sys.executable, "benchmarks.replay", [stored.path, *looking])
    words = [events, "--in-memory", "--steps", info.tick_size, info.lot_size, "--wakes", wakes_of(info)]
    theirs_looked = measure(
        peer, "benchmarks.replay_peer", [*words, "--how", "look", "--touches", touches[1]]
    )
    theirs = measure(peer, "benchmarks.replay_peer", [*words, "--how", "pass", "--runs", runs + 1])
    del theirs.runs[0]
    wrong = differences(looked, theirs_looked, touches)
    if wrong:
        tell("DIFFERENT: " + "; ".join(wrong))
        return False
    row(f"{_PEER}, HashMap book", info.rows, theirs)
    row("ours", info.rows, ours, theirs)
    return True


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=8_000_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    peer = peer_interpreter()
    if peer is None:
        tell(_INSTALL)
    with TemporaryDirectory() as name:
        equal = compare_generated(Path(name), options.rows, options.runs, peer)
        recorded = os.environ.get("EXECUTOR_REAL_DATA")
        if recorded is None:
            tell("EXECUTOR_REAL_DATA is not set: no recording with quotes far away")
        else:
            equal = compare_far(Path(name), Path(recorded), options.runs, peer) and equal
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
