"""One recording replayed: without orders, with a strategy that is an ordinary object, and with it compiled.

`python -m benchmarks.replay rows.parquet` plays a stored day from disk, piece by piece, and says what came of it as
JSON, a line for each run. `benchmarks.replay_table` makes the recordings, and holds this against another engine.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from numpy.typing import NDArray

from backtest.dataset.playing import pieces_of
from backtest.dataset.store import Info, read_info
from benchmarks.replay_quoter import STEP_NS, CompiledQuoter, Quoter
from simulation.replay import codes
from simulation.replay.layout import Rows
from simulation.replay.machine import ReplayMachine, no_rows
from simulation.replay.terms import Delay, ReplayTerms

Touches = list[tuple[int, int]] | NDArray[np.int64]
"""Best bid and best ask at each wake-up."""


def wakes_of(info: Info) -> int:
    """Wake-ups of a strategy that stops two steps before the last row."""
    return (info.last_exch_ns - info.first_exch_ns) // STEP_NS - 2


class Player:
    """Plays a recording once.

    Parameters
    ----------
    pieces
        Rows, from disk or from memory.
    """

    def __init__(self, info: Info, terms: ReplayTerms, pieces: Iterator[Rows]) -> None:
        self._pieces = pieces
        self._end_ns = info.last_exch_ns
        self._start_ns = info.first_exch_ns
        self._wakes = wakes_of(info)
        self.touches: Touches = []
        self.submits = self.cancels = 0
        first = next(pieces)
        self.venue = ReplayMachine(terms, start_ns=self._start_ns)
        self.venue.feed(first, final=False)

    def _more(self) -> None:
        following = next(self._pieces, None)
        self.venue.feed(following if following is not None else no_rows(), final=following is None)

    def _advance(self, until_ns: int) -> None:
        while self.venue.advance(until_ns) == codes.MORE:
            self._more()

    def play(self, how: str, distance: int) -> None:
        """Play in one of the ways."""
        match how:
            case "pass":
                self._advance(self._end_ns)
            case "look":
                seen = []
                for wake in range(1, self._wakes + 1):
                    self._advance(self._start_ns + wake * STEP_NS)
                    _, bid, _, ask, _, _, _ = self.venue.glance()
                    seen.append((bid, ask))
                self.touches = seen
            case "object":
                slow = Quoter(distance)
                for wake in range(1, self._wakes + 1):
                    self._advance(self._start_ns + wake * STEP_NS)
                    slow.wake(self.venue)
                self.submits, self.cancels, self.touches = slow.submits, slow.cancels, slow.touches
            case _:
                quick = CompiledQuoter(distance, self._start_ns + STEP_NS, self._wakes)
                while quick.play(self.venue) == codes.MORE:
                    self._more()
                self.submits, self.cancels, self.touches = quick.submits, quick.cancels, quick.table


def peak_mib() -> float:
    """Most memory that this process had; what the system counts for its children would begin with its parent's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def played(info: Info, terms: ReplayTerms, held: list[Rows], options: argparse.Namespace) -> Player:
    """Play once, from memory if the rows are there, else from the file."""
    player = Player(info, terms, iter(held) if held else pieces_of(options.file))
    player.play(options.how, options.distance)
    return player


def main() -> None:
    """Play, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--how", choices=("pass", "look", "object", "compiled"), default="compiled")
    parser.add_argument("--in-memory", action="store_true", help="have the file read before the clock runs")
    parser.add_argument("--each", type=int, default=1, help="plays of which the mean time is told")
    parser.add_argument("--asked", action="store_true", help="play once for every line that comes in")
    parser.add_argument("--distance", type=int, default=0)
    parser.add_argument("--feed-ns", type=int, help="instead of what the recording shows")
    parser.add_argument(
        "--receiver-behind-ns", type=int, default=0, help="add so much to the receiver's times"
    )
    parser.add_argument("--orders-ns", type=int, nargs=2, default=[10_000_001, 10_000_003])
    parser.add_argument("--touches", type=Path)
    options = parser.parse_args()
    entry, answer = (Delay(constant_ns=ns) for ns in options.orders_ns)
    feed = Delay(measured=True) if options.feed_ns is None else Delay(constant_ns=options.feed_ns)
    terms = ReplayTerms(feed=feed, entry=entry, answer=answer, keeps_taken=False, print_lag_ns=0)
    info = read_info(options.file)
    behind_ns = options.receiver_behind_ns
    held = (
        [piece._replace(recv_ns=piece.recv_ns + behind_ns) for piece in pieces_of(options.file)]
        if options.in_memory
        else []
    )
    touches: Touches = []
    for _ in sys.stdin if options.asked else (None,):
        wall, cpu = perf_counter(), process_time()
        for _ in range(options.each - 1):
            played(info, terms, held, options)
        player = played(info, terms, held, options)
        wall, cpu = perf_counter() - wall, process_time() - cpu
        account = player.venue.account()
        result = {
            "wall_s": wall / options.each,
            "cpu_s": cpu / options.each,
            "submits": player.submits,
            "cancels": player.cancels,
            "fills": account.fills,
            "position": account.position,
            "traded_value": account.maker_turnover + account.taker_turnover,
            "state_hash": f"{player.venue.state_hash():016x}",
            "peak_mib": peak_mib(),
        }
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
        touches = player.touches
    if options.touches:
        np.save(options.touches, np.asarray(touches))


if __name__ == "__main__":
    main()
