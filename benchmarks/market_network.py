"""The market's network among people who mean no good: `python -m benchmarks.market_network`.

Fifty processes take the seats of one market. At first all are honest; then five are killed with SIGKILL, one floods
with good orders, and one sends whatever is no message, other people's names and used proofs. These two are paused and
let go in turn, so that what they do to the others is seen beside the same machine without them. In the end everything
is counted again: the events out of what came in, the ledger out of its rows, the answers that the others waited for.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from backtest.market.network.hosting import Outcome, check, read_status

AGENTS: Final = 50
KILLED: Final = 5
PHASE_S: Final = 15.0
SILENT_MS: Final = 3_000
WINDOW_S: Final = 2.5
"""Of attack and pause in turn: less than what makes a liar silent, so that both compare under the same load."""
SETTLE_S: Final = 1.0
MAKERS: Final = 3
_START_S_MAX: Final = 120.0
_PAUSE_S: Final = 0.2

SCENARIO: Final = """
name = "network"
title = "A market over a wire"
expects = "Nobody is hurt by others."
[run]
steps = 1_000
[value]
kind = "constant"
px = 10_000.0
[fees]
taker_ppm = 100
maker_ppm = -20
[[agents]]
name = "makers"
kind = "market-maker"
count = {makers}
cash = 200_000_000
position_qty = 20_000
params = {{ base_spread_bps = 20.0, quote_qty = 50, limit_qty = 5_000, every_s = 0.5 }}
[[agents]]
name = "noise"
kind = "noise"
count = {noise}
cash = 100_000_000
position_qty = 10_000
params = {{ mean_wait_s = {wait_s}, reach_ticks = 40, order_max_qty = 5, open_max_count = 20 }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """How large it is.

    Parameters
    ----------
    agents
        Processes, the two liars among them.
    killed
        How many are killed.
    phase_s
        Length of each of the two phases, seconds.
    wait_s
        Mean time between two looks of an agent, seconds.
    """

    agents: int = AGENTS
    killed: int = KILLED
    phase_s: float = PHASE_S
    wait_s: float = 0.5

    @property
    def flooder(self) -> int:
        """Seat of the one who floods."""
        return self.agents - 2

    @property
    def liar(self) -> int:
        """Seat of the one who sends what is no message."""
        return self.agents - 1

    @property
    def victims(self) -> list[int]:
        """Seats of those who are killed, a maker among them."""
        return [MAKERS - 1, *range(MAKERS + 1, MAKERS + self.killed)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a campaign found.

    Parameters
    ----------
    problems
        What does not agree, in words; there is none.
    waits_us
        Median time that those who live on waited for answers, the 99th percentile, microseconds, and how many there
        were: before the attack, in the pauses of the two liars, and while they were at work.
    before, attacked
        What the hub's status said at the end of each phase.
    reports
        Of the agents that ended by themselves.
    noticed
        What they found missing.
    outcome
        Of the market.
    memory_kb
        Resident memory of the hub and of the largest of two agents.
    """

    problems: list[str]
    waits_us: Mapping[str, tuple[float, float, int]]
    before: dict[str, Any]
    attacked: dict[str, Any]
    reports: Mapping[int, dict[str, Any]]
    noticed: Mapping[int, dict[str, int]]
    outcome: Outcome
    memory_kb: Mapping[str, int]


def run(campaign: Campaign, folder: Path) -> Found:
    """Run a campaign in a new folder."""
    file = folder / "scenario.toml"
    noise = campaign.agents - MAKERS
    file.write_text(SCENARIO.format(makers=MAKERS, noise=noise, wait_s=campaign.wait_s))
    market = folder / "market"
    honest = [seat for seat in range(campaign.agents) if seat < campaign.flooder]
    with _processes() as processes:
        words = ("--scenario", str(file), "--seed", "7", "--silent-ms", str(SILENT_MS))
        hub = _start(processes, "executor.interfaces.cli", "market", "hub", str(market), *words)
        _wait((market / "status.json").exists, "the hub's start", hub)
        agents = {
            seat: _start(processes, "backtest.market.network.agent", str(_seat(market, seat)))
            for seat in honest
        }
        _wait(lambda: _present(market) >= len(honest), "everybody's arrival", hub)
        windows: list[tuple[str, int, int]] = [("before", time.monotonic_ns(), 0)]
        _pass(campaign.phase_s)
        before = read_status(market)
        windows[0] = ("before", windows[0][1], time.monotonic_ns())
        for seat in campaign.victims:
            agents[seat].send_signal(signal.SIGKILL)
        liars = [
            _start(processes, "benchmarks.market_network_liars", what, str(_seat(market, seat)))
            for what, seat in (("flood", campaign.flooder), ("garbage", campaign.liar))
        ]
        _pass(SILENT_MS / 1_000 + WINDOW_S)  # they have come by then, and the dead are given up
        for number in range(round(2 * campaign.phase_s / WINDOW_S)):
            name = ("attacked", "paused")[number % 2]
            for liar in liars:
                liar.send_signal(signal.SIGSTOP if name == "paused" else signal.SIGCONT)
            _pass(SETTLE_S)
            begun_ns = time.monotonic_ns()
            _pass(WINDOW_S - SETTLE_S)
            windows.append((name, begun_ns, time.monotonic_ns()))
        attacked = read_status(market)
        memory_kb = {"hub": _memory_kb(hub), "agent": max(_memory_kb(agents[seat]) for seat in honest[:2])}
        for liar in liars:
            liar.send_signal(signal.SIGCONT)
        hub.send_signal(signal.SIGTERM)
        codes = {seat: agent.wait(60) for seat, agent in agents.items()}
        for one in (hub, *liars):
            one.wait(60)
    outcome, problems = check(market)
    living = [seat for seat in honest if seat not in campaign.victims]
    reports = {
        seat: json.loads((market / f"agent-{seat:03}.json").read_text())
        for seat in (*living, campaign.flooder, campaign.liar)
    }
    problems += [f"the agent of seat {seat} ended with {codes[seat]}" for seat in living if codes[seat]]
    problems += [
        f"seat {seat} was killed, and ended with {codes[seat]} and {attacked['seats'][seat]['open_orders']} orders"
        for seat in campaign.victims
        if attacked["seats"][seat]["open_orders"] or codes[seat] != -signal.SIGKILL
    ]
    if not any(before["seats"][seat]["open_orders"] for seat in campaign.victims):
        problems.append("nobody who was killed had an order open")
    if reports[campaign.liar]["counts"].get("seats stolen"):
        problems.append("a seat was stolen")
    lost = {seat: reports[seat]["noticed"] for seat in living if reports[seat]["noticed"]}
    return Found(
        problems=problems,
        waits_us={
            name: _waits(reports, living, [(begin, end) for one, begin, end in windows if one == name])
            for name in ("before", "paused", "attacked")
        },
        before=before,
        attacked=attacked,
        reports=reports,
        noticed=lost,
        outcome=outcome,
        memory_kb=memory_kb,
    )


def _waits(
    reports: Mapping[int, dict[str, Any]], seats: Sequence[int], windows: Sequence[tuple[int, int]]
) -> tuple[float, float, int]:
    """Median and 99th percentile of the answers to what was sent in some windows, microseconds, and their number."""
    waits = sorted(
        answer_ns / 1_000
        for seat in seats
        for asked_ns, answer_ns in zip(reports[seat]["asked_ns"], reports[seat]["answer_ns"], strict=True)
        if any(begin_ns <= asked_ns < end_ns for begin_ns, end_ns in windows)
    )
    return (median(waits), waits[len(waits) * 99 // 100], len(waits)) if waits else (0.0, 0.0, 0)


def _seat(market: Path, seat: int) -> Path:
    return market / "seats" / f"{seat:03}.json"


def _present(market: Path) -> int:
    return sum(seat["present"] for seat in read_status(market)["seats"])


def _start(processes: "list[subprocess.Popen[bytes]]", *words: str) -> "subprocess.Popen[bytes]":
    processes.append(subprocess.Popen([sys.executable, "-m", *words], stdin=subprocess.DEVNULL))  # noqa: S603 - ourselves
    return processes[-1]


@contextmanager
def _processes() -> "Iterator[list[subprocess.Popen[bytes]]]":
    """Whatever was started ends with the block."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        yield started
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait()


def _wait(condition: Callable[[], bool], what: str, hub: "subprocess.Popen[bytes]") -> None:
    end_s = time.monotonic() + _START_S_MAX
    while not condition():
        if hub.poll() is not None or time.monotonic() > end_s:
            raise RuntimeError(f"{what} did not happen")
        _pass(_PAUSE_S)


def _pass(seconds: float) -> None:
    time.sleep(seconds)


def _memory_kb(process: "subprocess.Popen[bytes]") -> int:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _tell(campaign: Campaign, found: Found) -> None:
    write = sys.stdout.write
    outcome, counts = found.outcome, found.outcome.desk["counts"]
    rows = (
        ("processes", campaign.agents),
        ("killed with SIGKILL", len(campaign.victims)),
        ("events", outcome.events),
        ("trades", sum(outcome.desk["trades"])),
        ("messages that reached the hub", counts["messages"]),
        ("refused for their rate", counts.get("refused rate", 0)),
        ("garbage, of all kinds", sum(count for name, count in counts.items() if name.startswith("garbage"))),
        (
            "refused for other reasons",
            sum(c for n, c in counts.items() if n.startswith("refused") and n != "refused rate"),
        ),
        ("memory of the hub (MB)", f"{found.memory_kb['hub'] / 1024:.0f}"),
        ("memory of an agent (MB)", f"{found.memory_kb['agent'] / 1024:.0f}"),
    )
    for name, value in rows:
        write(f"{name:34} {value}\n")
    for name, (middle_us, late_us, count) in found.waits_us.items():
        write(
            f"answers to others, {name:9}       median {middle_us:.0f} us, 99 % {late_us:.0f} us, of {count}\n"
        )
    for name, count in sorted(counts.items()):
        write(f"  hub: {name:40} {count}\n")
    for seat, who in ((campaign.flooder, "flooder"), (campaign.liar, "liar")):
        write(f"  {who}: {found.reports[seat]['counts']}\n")
    write(f"  noticed by the others as missing: {found.noticed or 'nothing'}\n")
    write("".join(f"PROBLEM {problem}\n" for problem in found.problems) or "nothing is wrong\n")


def main() -> int:
    """Run the campaign; ends with 1 if anything does not agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=AGENTS)
    parser.add_argument("--killed", type=int, default=KILLED)
    parser.add_argument("--phase-s", type=float, default=PHASE_S)
    parser.add_argument("--wait-s", type=float, default=0.5)
    given = parser.parse_args()
    campaign = Campaign(agents=given.agents, killed=given.killed, phase_s=given.phase_s, wait_s=given.wait_s)
    with tempfile.TemporaryDirectory() as folder:
        found = run(campaign, Path(folder))
    _tell(campaign, found)
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
