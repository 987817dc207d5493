"""A TWAP order through the whole engine on a recording: rows a second, and which share of the time is whose.

`python -m benchmarks.replay_engine` makes a recording of 8 million rows, or takes a store with `--data` and `--symbol`.
One order lasts nearly all of it. A first run warms up; of the others the median counts, in CPU time of one core.
"""

import argparse
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time_ns
from typing import Final
from unittest.mock import patch

from backtest.dataset.gather import Stream
from backtest.dataset.playing import pieces_of
from backtest.dataset.store import day_of, day_path
from backtest.recorded import Conditions, Errand, Worked, plan_starts, work
from backtest.recording import Recording, Reel, find_recording
from benchmarks.replay_stream import START_NS, make_rows, write_day
from executor.domain.commands import Command
from executor.domain.events import Event, ParentSubmitted
from executor.domain.orders import ResidualRule, Side, StrategyParams, Urgency
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import Quantity
from executor.engine.engine import Engine
from simulation.frictions import Charges
from simulation.replay import codes
from simulation.replay.machine import ReplayMachine
from simulation.replay.terms import Delay, ReplayTerms
from simulation.replay_venue import CONFLATE_NS

_FEED_NS: Final = 5_000_003
_STREAM: Final = Stream("made", "linear", "BTCUSDT")
_LATENCY: Final = Delay(constant_ns=10 * NS_PER_MS)
TERMS: Final = ReplayTerms(
    feed=Delay(measured=True), entry=_LATENCY, answer=_LATENCY, conflate_ns=CONFLATE_NS, prices_only=True
)


class TimedEngine(Engine):
    """The engine, and how long all engines of this kind were at work."""

    def __init__(self, spent_ns: list[int]) -> None:
        super().__init__()
        self._spent_ns = spent_ns

    def on_event(self, event: Event) -> tuple[Command, ...]:
        """Take an event as ever."""
        begun_ns = process_time_ns()
        commands = super().on_event(event)
        self._spent_ns[0] += process_time_ns() - begun_ns
        return commands


class TimedMachine(ReplayMachine):
    """The compiled venue, and how long it was at work."""

    spent_ns: list[int]

    def advance(self, until_ns: int, wake: int = 0) -> int:
        """Let time pass as ever."""
        begun_ns = process_time_ns()
        reason = super().advance(until_ns, wake)
        self.spent_ns[0] += process_time_ns() - begun_ns
        return reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run.

    Parameters
    ----------
    all_s, engine_s, venue_s
        CPU time of everything, of the engine alone, and of the compiled venue alone; the rest is reading the rows and
        putting ticks into the engine's words.
    """

    rows: int
    events: int
    fills: int
    all_s: float
    engine_s: float
    venue_s: float

    @property
    def rows_per_s(self) -> float:
        """Rows of the recording in a second of all."""
        return self.rows / self.all_s


def measure(recording: Recording, order: ParentSubmitted, conditions: Conditions) -> Measured:
    """Work one order from the first instant at which it can begin."""
    engine_ns, venue_ns = [0], [0]

    def make_venue(terms: ReplayTerms) -> ReplayMachine:
        venue = TimedMachine(terms)
        venue.spent_ns = venue_ns
        return venue

    (start_ns,) = plan_starts(recording, conditions, order, start_ns=None, every_s=None)
    errand = Errand(number=1, start_ns=start_ns, order=order, policy="TWAP")
    with patch("backtest.recorded.Engine", lambda: TimedEngine(engine_ns)):
        begun_ns = process_time_ns()
        (worked,) = work(recording, conditions, [errand], make_venue)
        all_ns = process_time_ns() - begun_ns
    if worked.drive is None:
        raise SystemExit(f"the order came to no end: {worked.failure}")
    return Measured(
        rows=_rows_until(recording, worked),
        events=worked.events,
        fills=len(worked.fills),
        all_s=all_ns / NS_PER_S,
        engine_s=engine_ns[0] / NS_PER_S,
        venue_s=venue_ns[0] / NS_PER_S,
    )


def replay_only(recording: Recording, until_ns: int) -> float:
    """CPU seconds of the same rows without engine and orders, read from disk as well."""
    begun_ns = process_time_ns()
    reel = Reel(recording)
    venue, reader = ReplayMachine(TERMS), reel.chunks(0)
    while venue.advance(until_ns) == codes.MORE:
        rows, final = next(reader)
        venue.feed(rows, final=final)
        reel.forget_before(reader.number)
    return (process_time_ns() - begun_ns) / NS_PER_S


def _rows_until(recording: Recording, worked: Worked) -> int:
    """Rows that were played until the order had ended."""
    assert worked.drive is not None, "it has ended"
    end_ns = worked.drive.reports[0].facts.finished_ns
    return sum(int((rows.exch_ns <= end_ns).sum()) for day in recording.days for rows in pieces_of(day.path))


def make_order(recording: Recording, qty: str, conditions: Conditions, interval_s: int) -> ParentSubmitted:
    """Make an order that lasts nearly as long as the recording."""
    spare_s = conditions.warmup_s + conditions.timings.residual_window_s + 15
    return ParentSubmitted(
        at_ns=0,
        request_id="",
        idempotency_key="",
        body_sha256="",
        category=recording.rules.category,
        symbol=recording.rules.symbol,
        side=Side.BUY,
        order_qty=Quantity(Decimal(qty)),
        duration_s=(recording.last_ns - recording.first_ns) // NS_PER_S - spare_s,
        residual=ResidualRule.CROSS,
        extend_s=0,
        limit_px=None,
        urgency=Urgency.MEDIUM,
        strategy="twap",
        params=StrategyParams(interval_s=interval_s),
        reduce_only=False,
        position_idx=0,
        decision_px=None,
        seed=1,
    )


def tell(recording: Recording, qty: str, interval_s: int, runs: int) -> None:
    """Measure and print."""
    conditions = Conditions(terms=TERMS, charges=Charges())
    order = make_order(recording, qty, conditions, interval_s)
    measure(recording, order, conditions)
    found = [measure(recording, order, conditions) for _ in range(runs)]
    alone_s = median(replay_only(recording, recording.last_ns) for _ in range(runs))
    one = sorted(found, key=lambda each: each.all_s)[len(found) // 2]
    rest_s = one.all_s - one.engine_s - one.venue_s
    share = {"engine": one.engine_s, "venue": one.venue_s, "rest": rest_s}
    told = {name: f"{spent:.2f} s ({spent / one.all_s:.0%})" for name, spent in share.items()}
    lines = [
        (
            f"TWAP of {order.duration_s} s in slices of {interval_s} s, {one.fills} fills, through the whole engine:"
            f" {one.rows / 1e6:.2f} M rows in {one.all_s:.2f} s, {one.rows_per_s / 1e6:.2f} M rows/s, median of {runs}"
        ),
        f"  engine {told['engine']}: {one.events} events of {one.engine_s / one.events * 1e6:.0f} us",
        f"  compiled venue {told['venue']}; reading, and the words between them, {told['rest']}",
        f"  the same rows without engine and orders: {one.rows / alone_s / 1e6:.2f} M rows/s",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> None:
    """Measure a stored recording, or a made one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="a store")
    parser.add_argument("--symbol", default=_STREAM.symbol)
    parser.add_argument("--venue")
    parser.add_argument("--qty", default="2")
    parser.add_argument("--interval", type=int, default=60, help="of a slice, seconds")
    parser.add_argument("--rows", type=int, default=8_000_000, help="of a made recording")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        root = options.data
        if root is None:
            root = Path(folder)
            rows = make_rows(options.rows, seed=1)
            write_day(rows, day_path(root, _STREAM, day_of(START_NS)), feed_ns=_FEED_NS)
        recording = find_recording(root, options.symbol, venue=options.venue)
        tell(recording, options.qty, options.interval, options.runs)


if __name__ == "__main__":
    main()
