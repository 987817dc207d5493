"""How fast a recording is replayed: without orders, with a strategy that is an ordinary object, and with it compiled.

`python -m benchmarks.replay FILE` plays a file that `python -m benchmarks.replay_stream FILE` made, from disk, group by
group, and prints one JSON line for each run. The same strategy on another engine is in `benchmarks.replay_peer`.
"""

import argparse
import json
import resource
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import pyarrow.parquet as pq

from benchmarks.replay_quoter import STEP_NS, CompiledQuoter, Quoter
from simulation.replay import codes
from simulation.replay.layout import Rows
from simulation.replay.machine import ReplayMachine, no_rows
from simulation.replay.terms import Delay, ReplayTerms

_COLUMNS = ["exch_ns", "kind", "side", "px", "qty", "flags"]
_NO_IDS = np.zeros(0, np.int64)


def groups(path: Path) -> Iterator[Rows]:
    """Rows of a file, one group at a time."""
    file = pq.ParquetFile(path)
    for i in range(file.num_row_groups):
        table = file.read_row_group(i, columns=_COLUMNS, use_threads=False)
        column = {name: table.column(name).chunk(0).to_numpy(zero_copy_only=False) for name in _COLUMNS}
        exch_ns = column["exch_ns"]
        yield Rows(
            exch_ns,
            exch_ns,
            column["kind"],
            column["side"],
            column["px"],
            column["qty"],
            _NO_IDS,
            column["flags"],
        )


def play(
    path: Path, how: str, terms: ReplayTerms, distance: int
) -> tuple[ReplayMachine, Quoter | CompiledQuoter | None]:
    """Play a file once; wake-ups end two steps before its last row."""
    statistics = pq.ParquetFile(path).metadata
    ends = [statistics.row_group(i).column(0).statistics for i in (0, statistics.num_row_groups - 1)]
    start_ns, end_ns = ends[0].min, ends[1].max
    wakes = (end_ns - start_ns) // STEP_NS - 2
    venue, rows = ReplayMachine(terms, start_ns=start_ns), groups(path)

    def more() -> None:
        following = next(rows, None)
        venue.feed(following if following is not None else no_rows(), final=following is None)

    if how == "compiled":
        quick = CompiledQuoter(distance, start_ns + STEP_NS, wakes)
        while quick.play(venue) == codes.MORE:
            more()
        return venue, quick
    slow = Quoter(distance) if how == "object" else None
    at_ns = start_ns
    for _ in range(wakes):
        at_ns += STEP_NS
        while venue.advance(at_ns) == codes.MORE:
            more()
        if slow is not None:
            slow.wake(venue)
    return venue, slow


def main() -> None:
    """Play, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--how", choices=("none", "object", "compiled"), default="compiled")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--distance", type=int, default=0)
    parser.add_argument("--latencies-ns", type=int, nargs=3, default=[5_000_003, 10_000_001, 10_000_003])
    parser.add_argument("--forgets-taken", action="store_true", help="assume no impact, as the peer does")
    parser.add_argument("--touches", type=Path)
    options = parser.parse_args()
    feed, entry, answer = (Delay(constant_ns=ns) for ns in options.latencies_ns)
    terms = ReplayTerms(feed=feed, entry=entry, answer=answer, keeps_taken=not options.forgets_taken)
    for _ in range(options.runs):
        wall, cpu = perf_counter(), process_time()
        venue, quoter = play(options.file, options.how, terms, options.distance)
        account = venue.account()
        result = {
            "wall_s": perf_counter() - wall,
            "cpu_s": process_time() - cpu,
            "process_cpu_s": process_time(),
            "submits": quoter.submits if quoter else 0,
            "cancels": quoter.cancels if quoter else 0,
            "fills": account.fills,
            "position": account.position,
            "traded_value": account.maker_turnover + account.taker_turnover,
            "state_hash": f"{venue.state_hash():016x}",
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        print(json.dumps(result), flush=True)
    if options.touches and quoter is not None:
        np.save(options.touches, np.asarray(quoter.touches if isinstance(quoter, Quoter) else quoter.table))


if __name__ == "__main__":
    main()
