"""Small recordings written by the tests themselves: a book of five levels a side that wanders, with public trades."""

from datetime import date
from pathlib import Path
from random import Random

from backtest.dataset.gather import Stream
from backtest.dataset.instruments import rules_of, write_rules
from backtest.dataset.rows import Flag, Kind
from backtest.dataset.store import DayWriter, Source, day_of, day_path
from backtest.results import Run
from executor.domain.timeline import NS_PER_S
from tests.builders import T0, D, instrument
from tests.dataset.written import rows_of

STREAM = Stream("bybit", "linear", "BTCUSDT")
LEVELS = 5
STEP_NS = NS_PER_S // 4


def wander(seconds, seed=1, *, start_ns=T0, lag_ns=3_000_000, trades=True):
    """Rows of a market that moves a tick now and then: a snapshot, then about four messages or trades a second."""
    chance, bid = Random(seed), 500_000
    rows, at_ns, seq = [], start_ns, 0

    def row(kind, side, px, qty, flags=0):
        nonlocal seq
        seq += 1
        rows.append((at_ns, at_ns + lag_ns, kind, side, px, qty, 0, seq, flags))

    row(Kind.CLEAR, 0, 0, 0, Flag.SNAPSHOT)
    for side, first in ((1, bid), (-1, bid + 1)):
        for depth in range(LEVELS):
            row(Kind.LEVEL, side, first - side * depth, chance.randint(200, 2_000), Flag.SNAPSHOT)
    rows[-1] = (*rows[-1][:-1], Flag.SNAPSHOT | Flag.LAST)
    while at_ns < start_ns + seconds * NS_PER_S:
        at_ns += chance.randint(1, 2 * STEP_NS)
        what = chance.random()
        if what < 0.4 and trades:
            side = chance.choice((1, -1))
            px = bid + (side > 0) + side * (chance.random() < 0.2)
            row(Kind.TRADE, side, px, chance.randint(1, 900), Flag.LAST)
        elif what < 0.55:
            move = chance.choice((1, -1))
            old, bid = bid, bid + move
            row(Kind.LEVEL, 1, old if move < 0 else bid, 0 if move < 0 else chance.randint(200, 2_000))
            row(
                Kind.LEVEL,
                -1,
                bid + 1 if move < 0 else old + 1,
                chance.randint(200, 2_000) if move < 0 else 0,
            )
            row(Kind.LEVEL, 1, bid - LEVELS + 1 if move < 0 else old - LEVELS + 1, 300 if move < 0 else 0)
            row(Kind.LEVEL, -1, old + LEVELS if move < 0 else bid + LEVELS, 0 if move < 0 else 300, Flag.LAST)
        else:
            side = chance.choice((1, -1))
            px = bid - chance.randrange(LEVELS) if side > 0 else bid + 1 + chance.randrange(LEVELS)
            row(Kind.LEVEL, side, px, chance.randint(200, 2_000), Flag.LAST)
    return rows


def still(seconds, *between, bid, ask, lots):
    """Rows of a market that stands still: a level a side, a trade every half second, and what is said.

    Parameters
    ----------
    between
        Seconds after the start, and a kind, side, ticks and lots.
    """
    rows = [
        (T0, T0, Kind.CLEAR, 0, 0, 0, 0, 0, Flag.SNAPSHOT),
        (T0, T0, Kind.LEVEL, 1, bid, lots, 0, 0, Flag.SNAPSHOT),
        (T0, T0, Kind.LEVEL, -1, ask, lots, 0, 0, Flag.SNAPSHOT | Flag.LAST),
    ]
    trades = [(half / 2, Kind.TRADE, 1, ask, lots) for half in range(1, 2 * seconds)]
    for at_s, *said in sorted([*trades, *between], key=lambda one: one[0]):
        at_ns = T0 + int(at_s * NS_PER_S)
        rows.append((at_ns, at_ns, *said, 0, 0, Flag.LAST))
    return rows


def as_run(recording, conditions, worked, every_s):
    """What was worked in a recording, as results are made of it."""
    return Run(recording=recording, conditions=conditions, worked=worked, every_s=every_s)


def store(
    root: Path,
    rows,
    *,
    stream=STREAM,
    steps=("0.1", "0.001"),
    recv_known=True,
    rules=True,
    day: date | None = None,
    **over,
):
    """Write rows as a day of the store, and beside it the instrument's rules: the usual ones but for what is named."""
    path = day_path(root, stream, day or day_of(rows[0][1]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with DayWriter(path) as writer:
        writer.write(rows_of(*rows))
        writer.close(
            tick_size=steps[0], tick_from="rules", lot_size=steps[1], lot_from="rules", recv_known=recv_known,
            sources=[Source(name="made", sha256="00", importer="test")],
        )  # fmt: skip
    if rules:
        known = instrument(tick_size=D(steps[0]), qty_step=D(steps[1]), category=stream.category, **over)
        write_rules(root, stream, rules_of(stream, known, *steps, "rules"))
    return root
