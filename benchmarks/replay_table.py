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
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
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
_FAR_PLAYS: Final = 20
"""One takes a hundredth of a second."""
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

    runs: list[dict[str, Any]] = field(default_factory=list)
    whole_s: list[float] = field(default_factory=list)

    @property
    def cpu_s(self) -> float:
        """Median of the CPU times."""
        return float(median(run["cpu_s"] for run in self.runs))

    @property
    def peak_mib(self) -> float:
        """Largest memory of any run."""
        return max(float(run["peak_mib"]) for run in self.runs)

    def times(self, other: "Measured") -> list[float]:
        """How many times as long the other took, round by round."""
        return [theirs["cpu_s"] / ours["cpu_s"] for ours, theirs in zip(self.runs, other.runs, strict=True)]


def measure(interpreter: str, module: str, words: Sequence[object], processes: int = 1) -> Measured:
    """Run a program, some times over."""
    found = Measured()
    for _ in range(processes):
        began = perf_counter()
        command = [interpreter, "-m", module, *map(str, words)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own programs
        found.whole_s.append(perf_counter() - began)
        found.runs.extend(json.loads(line) for line in done.stdout.splitlines())
    return found


def in_turns(commands: Mapping[str, Sequence[object]], rounds: int) -> dict[str, Measured]:
    """Have programs play in turns, so that all of them meet the same moods of the machine; the first turn is not told.

    Parameters
    ----------
    commands
        By name: the interpreter, the module and its words. Each plays once for every line that it is given.
    """
    found = {name: Measured() for name in commands}
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(
                subprocess.Popen(  # noqa: S603 - our own programs
                    [str(interpreter), "-m", str(module), *map(str, words), "--asked"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for name, (interpreter, module, *words) in commands.items()
        }
        for turn in range(rounds + 1):
            for name, process in running.items():
                line = asked(process)
                if turn:  # the first links or compiles
                    found[name].runs.append(line)
        for process in running.values():
            process.communicate()
    return found


def asked(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Have a program play once."""
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both ends were asked for")
    process.stdin.write("\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{process.args!r} ended with {process.wait()}")
    answer: dict[str, Any] = json.loads(line)
    return answer


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
    ratio = ""
    if against is not None:
        times = sorted(measured.times(against))
        ratio = f"{median(times):6.2f} x ({times[0]:.2f} to {times[-1]:.2f})"
    tell(f"{name:<34} {measured.cpu_s:8.3f} s {rows / measured.cpu_s / 1e6:7.2f} M/s {ratio}")


def compare_generated(folder: Path, count: int, rounds: int, peer: str | None) -> bool:
    """Play the made recording; False where the two engines disagree."""
    day, events = folder / "made" / "rows.parquet", folder / "made.npz"
    write_day(make_rows(count, seed=1), day, feed_ns=_FEED_NS)
    wakes = wakes_of(read_info(day))
    touches = folder / "ours.npy", folder / "theirs.npy"
    ours = [day, "--feed-ns", _FEED_NS]
    commands: dict[str, list[object]] = {
        how: [sys.executable, "benchmarks.replay", *ours, "--in-memory", "--how", how]
        for how in ("object", "compiled", "pass")
    }
    commands["compiled"] += ["--touches", touches[0]]
    words = [events, "--steps", 0.1, 0.001, "--wakes", wakes, "--touches", touches[1]]
    if peer is not None:
        to_hftbacktest(day, events)
        commands["theirs"] = [peer, "benchmarks.replay_peer", *words, "--in-memory"]
    found = in_turns(commands, rounds)
    slow, quick, idle, theirs = *(found[how] for how in ("object", "compiled", "pass")), found.get("theirs")
    whole = measure(sys.executable, "benchmarks.replay", [*ours, "--how", "compiled"], rounds)
    answer = {name: slow.runs[0][name] for name in _COMPARED}
    tell(f"made recording: {count} rows, {wakes} wake-ups; {answer}")
    if slow.runs[0]["state_hash"] != quick.runs[0]["state_hash"]:
        tell("DIFFERENT: the strategy as an object and compiled")
        return False
    if theirs is not None:
        wrong = differences(quick, theirs, touches)
        if wrong:
            tell("DIFFERENT: " + "; ".join(wrong))
            return False
        tell(f"equal with {_PEER}: best prices at every wake-up, {', '.join(_COMPARED)}")
        row(f"{_PEER}, HashMap book, compiled", count, theirs)
    row("ours, strategy as an object", count, slow, theirs)
    row("ours, strategy compiled", count, quick, theirs)
    row("ours, without orders", count, idle)
    tell(
        f"{'ours, whole process from disk':<34} {median(whole.whole_s):8.3f} s wall, peak {whole.peak_mib:.0f} MiB"
    )
    if peer is not None:
        from_disk = measure(peer, "benchmarks.replay_peer", words, min(rounds, 3))
        tell(
            f"{_PEER + ', whole process from disk':<34} {median(from_disk.whole_s):8.3f} s wall,"
            f" peak {from_disk.peak_mib:.0f} MiB"
        )
    return True


def compare_far(folder: Path, recordings: Path, rounds: int, peer: str | None) -> bool:
    """Play a recording with quotes far from the touch, without orders; False where the two engines disagree."""
    files = [recordings / "binance" / name for name in _FAR]
    *_, stored = Intake(folder / "far", Options()).run(files).stored
    info = read_info(stored.path)
    touches = folder / "far-ours.npy", folder / "far-theirs.npy"
    passing: list[object] = ["--in-memory", "--how", "pass", "--each", _FAR_PLAYS]
    commands: dict[str, list[object]] = {"ours": [sys.executable, "benchmarks.replay", stored.path, *passing]}
    tell(f"{stored.stream.symbol} of {_FAR[-1]}: {info.rows} rows, quotes far away, no orders")
    if peer is not None:
        events = folder / "far.npz"
        _, behind_ns = to_hftbacktest(stored.path, events)
        looking = ["--in-memory", "--how", "look", "--receiver-behind-ns", behind_ns, "--touches", touches[0]]
        looked = measure(sys.executable, "benchmarks.replay", [stored.path, *looking])
        words = [events, "--steps", info.tick_size, info.lot_size, "--wakes", wakes_of(info)]
        theirs_looked = measure(
            peer, "benchmarks.replay_peer", [*words, "--in-memory", "--how", "look", "--touches", touches[1]]
        )
        wrong = differences(looked, theirs_looked, touches)
        if wrong:
            tell("DIFFERENT: " + "; ".join(wrong))
            return False
        commands["theirs"] = [peer, "benchmarks.replay_peer", *words, *passing]
    found = in_turns(commands, rounds)
    if peer is not None:
        row(f"{_PEER}, HashMap book", info.rows, found["theirs"])
    row("ours", info.rows, found["ours"], found.get("theirs"))
    return True


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=8_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    peer = peer_interpreter()
    if peer is None:
        tell(_INSTALL)
    with TemporaryDirectory() as name:
        equal = compare_generated(Path(name), options.rows, options.rounds, peer)
        recorded = os.environ.get("EXECUTOR_REAL_DATA")
        if recorded is None:
            tell("EXECUTOR_REAL_DATA is not set: no recording with quotes far away")
        else:
            equal = compare_far(Path(name), Path(recorded), options.rounds, peer) and equal
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
