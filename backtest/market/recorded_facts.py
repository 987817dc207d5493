"""Recorded books and candles through the measures of simulated markets: the same functions, the same figures.

A recording is short: of gates that ask for 20 000 steps it can only show what it has, and says how many steps that was.
"""

from dataclasses import dataclass
from decimal import Decimal
from heapq import nlargest, nsmallest
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq

from backtest.dataset.book import Book
from backtest.dataset.errors import DataError
from backtest.dataset.gather import Stream
from backtest.dataset.instruments import read_rules
from backtest.dataset.lookup import find_days
from backtest.dataset.rows import BOOK_KINDS, Flag
from backtest.dataset.store import Day, read_info, stream_rows
from backtest.dataset.tables import tables_in
from backtest.tape import Tape, read_tape
from executor.domain.timeline import NS_PER_S
from simulation.phenomena.liquidity import Liquidity, liquidity
from simulation.phenomena.quality import Quality, market_quality
from simulation.phenomena.stylised_facts import Figure, Target, facts, facts_of_returns
from simulation.phenomena.trace import LEVELS, Floats, Ints, Trace, cut, held

STEP_USUAL_S: Final = 1.0
_DEPTH_EVERY_NS: Final = NS_PER_S
_STEPS_MIN: Final = 200
_BOOK: Final = frozenset(map(int, BOOK_KINDS))
_LAST: Final = int(Flag.LAST)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFacts:
    """Figures of one recording.

    Parameters
    ----------
    name
        Of the instrument, VENUE/CATEGORY/SYMBOL.
    step_s
        Length of the steps of its returns.
    steps
        Number of them.
    figures
        What could be measured.
    trades
        Number of takers' orders in it; 0 for candles.
    last_px
        Last mid or close, quote units.
    book, quality
        Liquidity and market quality; None for candles, which have no book.
    """

    name: str
    step_s: float
    steps: int
    figures: dict[Figure, float]
    trades: int = 0
    last_px: float = 0.0
    book: Liquidity | None = None
    quality: Quality | None = None

    def target(self) -> Target | None:
        """What a simulated market is held against in gate 10; None for candles."""
        if self.book is None:
            return None
        return Target(spread_bps=self.book.spread_bps, one_tick_share=self.book.one_tick_share)


def recorded_facts(
    root: Path,
    symbol: str,
    *,
    venue: str | None = None,
    category: str | None = None,
    step_s: float = STEP_USUAL_S,
) -> RecordedFacts:
    """Measure all stored days of an instrument with a book.

    Parameters
    ----------
    root
        Folder of the store.
    step_s
        Length of the steps, seconds, > 0.

    Raises
    ------
    DataError
        If nothing is stored of it, or it has no book, no trades or fewer than 200 steps.
    """
    tape = read_tape(root, symbol, venue=venue, category=category)
    if not tape.quotes:
        raise DataError(root, f"no book of {symbol}", "import a recording with a book")
    rules = read_rules(root, tape.stream)
    # Hidden trades print between two ticks: what is stored is then finer than what can be quoted.
    tick_px = tape.tick_px if rules is None or rules.tick_size is None else float(rules.tick_size)
    trace = trace_of(tape, tick_px, *_depths(find_days(root, symbol, venue=venue, category=category)))
    name = _name(tape.stream)
    steps = (trace.span_ns[1] - int(trace.quote_ns[0])) // round(step_s * NS_PER_S)
    if steps < _STEPS_MIN:
        raise DataError(
            root,
            f"{name}: {steps} steps of {step_s:g} s",
            "import a longer recording, or take shorter steps",
            allowed=f"{_STEPS_MIN} steps or more",
        )
    bars = cut(trace, round(step_s * NS_PER_S))
    return RecordedFacts(
        name=name,
        step_s=step_s,
        steps=len(bars.volume_qty),
        figures=facts(trace, bars),
        trades=len(trace.trade_ns),
        last_px=float(bars.mid_px[-1]),
        book=liquidity(trace),
        quality=market_quality(trace, bars),
    )


def candle_facts(root: Path, symbol: str) -> RecordedFacts:
    """Measure stored candles of an instrument: gates 1 to 4, and 5 where they have a volume.

    Raises
    ------
    DataError
        If none are stored, those of more than one instrument are, or some are missing in between.
    """
    found = [one for one in tables_in(root) if one.kind.startswith("klines-") and one.stream.symbol == symbol]
    if len(found) != 1:
        raise DataError(
            root,
            f"{len(found)} tables of candles of {symbol}",
            "import one, or name another symbol",
            allowed="one table",
        )
    table = pq.read_table(found[0].path)
    names = table.schema.names
    starts: Ints = table.column("start_ns").to_numpy()
    closes: Floats = table.column("close").to_numpy().astype(np.float64)
    step_ns = 60 * NS_PER_S * int(found[0].kind.removeprefix("klines-").removesuffix("m"))
    if len(starts) < _STEPS_MIN or bool((np.diff(starts) != step_ns).any()):
        raise DataError(
            found[0].path,
            f"{len(starts)} candles, or not one after the other",
            "import candles without gaps",
            allowed=f"{_STEPS_MIN} or more without a gap",
        )
    volume = table.column("volume").to_numpy().astype(np.float64)[1:] if "volume" in names else None
    return RecordedFacts(
        name=_name(found[0].stream),
        step_s=step_ns / NS_PER_S,
        steps=len(starts) - 1,
        figures=facts_of_returns(np.diff(np.log(closes)), volume),
    )


def trace_of(tape: Tape, tick_px: float, depth_ns: Ints, bids: Floats, asks: Floats) -> Trace:
    """Bring a tape into the arrays that every measure takes.

    Parameters
    ----------
    tick_px
        Step of what can be quoted.
    depth_ns, bids, asks
        Quantity on the best levels at some instants; empty where no book was recorded.
    """
    quote_ns = np.array(tape.quote_ns, np.int64)
    touch = np.array([(one.bid_px, one.bid_qty, one.ask_px, one.ask_qty) for one in tape.quotes])
    sound = touch[:, 2] > touch[:, 0]  # where two streams are merged, a touch may cross for an instant
    prints = [one for one in tape.prints if one.mid_px is not None]
    has_depth = len(depth_ns) > 0
    return Trace(
        tick_px=tick_px,
        quote_ns=quote_ns[sound],
        bid_px=touch[sound, 0],
        bid_qty=touch[sound, 1],
        ask_px=touch[sound, 2],
        ask_qty=touch[sound, 3],
        bid_depth_qty=held(depth_ns, bids, quote_ns[sound]) if has_depth else np.zeros(0),
        ask_depth_qty=held(depth_ns, asks, quote_ns[sound]) if has_depth else np.zeros(0),
        trade_ns=np.array([one.at_ns for one in prints], np.int64),
        trade_px=np.array([one.px for one in prints]),
        trade_qty=np.array([one.qty for one in prints]),
        trade_sign=np.array([float(one.sign) for one in prints]),
        trade_mid_px=np.array([one.mid_px for one in prints if one.mid_px is not None]),
    )


def _depths(days: list[Day]) -> tuple[Ints, Floats, Floats]:
    """Look at the best levels of both sides once a second."""
    times: list[int] = []
    sides: tuple[list[float], list[float]] = ([], [])
    for day in days:
        book, next_ns = Book(), 0
        lot = float(Decimal(read_info(day.path).lot_size))
        for rows in stream_rows(day.path):
            columns = (rows.exch_ns, rows.kind, rows.side, rows.px, rows.qty, rows.flags)
            for at_ns, kind, side, px, qty, flags in zip(*(one.tolist() for one in columns), strict=True):
                if kind not in _BOOK:
                    continue
                book.apply(kind, side, px, qty, flags)
                if flags & _LAST and at_ns >= next_ns and book.sound and book.bids and book.asks:
                    times.append(max(at_ns, times[-1] if times else at_ns))
                    next_ns = at_ns + _DEPTH_EVERY_NS
                    sides[0].append(lot * sum(book.bids[at] for at in nlargest(LEVELS, book.bids)))
                    sides[1].append(lot * sum(book.asks[at] for at in nsmallest(LEVELS, book.asks)))
    return np.array(times, np.int64), np.array(sides[0]), np.array(sides[1])


def _name(stream: Stream) -> str:
    return f"{stream.venue}/{stream.category}/{stream.symbol}"
