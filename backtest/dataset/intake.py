"""From files to stored days: read, find the common steps, merge, check, and write.

The steps of prices and quantities are known only when everything was read, so the first pass keeps what it read, in
memory while it is little and else in a folder of its own; the second divides, checks and writes. Neither holds a day
as a whole.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from backtest.dataset.check import Checker, Origin, Premises, lone_bounds
from backtest.dataset.errors import DataError
from backtest.dataset.faults import Fault, Findings
from backtest.dataset.funding import read_funding, write_funding
from backtest.dataset.gather import Batch, RuleSteps, Stream
from backtest.dataset.importers.protocol import Importer, Options
from backtest.dataset.importers.registry import all_importers, importer_of
from backtest.dataset.instruments import rules_of, write_rules
from backtest.dataset.merge import Piece, merged
from backtest.dataset.rows import BOOK_KINDS, RATE_UNITS, Flag, Ints, Kind, Rows
from backtest.dataset.sources import counting, sha256_of, size_of
from backtest.dataset.store import DAY_NS, DayWriter, Info, Source, day_of, day_path
from backtest.dataset.ticks import Deduced, common_step, scaled, step_of, step_text
from executor.domain.instrument import Instrument

MEMORY_ROWS: Final = 2_000_000
_ARRAYS: Final = (
    "exch_ns",
    "recv_ns",
    "kind",
    "side",
    "px",
    "qty",
    "order_id",
    "seq",
    "flags",
    "line",
    "ident",
)
_NO_STEP: Final = (Kind.MARK, Kind.FUNDING, Kind.CLEAR, Kind.HALT)
_OFF_BOOK: Final = (*_NO_STEP, Kind.HIDDEN)
"""Kinds that say nothing of the venue's steps: hidden orders are executed between two ticks, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One day that was written, and what was found in it.

    Attributes
    ----------
    tick, lot
        Steps of the market; those that the rows count in stand in `info`, and may be finer.
    steps_from
        Where the market's steps come from: `rules` or `data`.
    """

    stream: Stream
    day: date
    path: Path
    info: Info
    tick: str
    lot: str
    steps_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an import did.

    Attributes
    ----------
    stored, funding
        Days that were written, and tables of funding rates with their numbers of rows.
    found
        Every fault, by instrument; faults of lines that belong to none stand under None.
    doubts
        What may be wrong with steps that nobody said.
    """

    stored: tuple[Stored, ...]
    funding: tuple[tuple[Path, int], ...]
    found: dict[Stream | None, Findings]
    dropped_rows: int
    doubts: tuple[str, ...]

    def everything(self) -> Findings:
        """All faults together."""
        total = Findings()
        total.merge(self.found.values())
        return total


@dataclass(slots=True)
class _Recording:
    """What one source said of one instrument: batches, or the files they were put aside in."""

    source: str
    newest_first: bool
    parts: list[Batch | tuple[Path, Batch]] = field(default_factory=list)


@dataclass(slots=True)
class _Instrument:
    """What was learned of one instrument in the first pass."""

    recordings: dict[str, _Recording] = field(default_factory=dict)
    tick: Fraction = Fraction(0)
    lot: Fraction = Fraction(0)
    book_tick: Deduced = field(default_factory=Deduced)
    book_lot: Deduced = field(default_factory=Deduced)
    rules: RuleSteps | None = None
    prices: dict[int, Ints] = field(default_factory=dict)
    recv_known: bool = True
    trades_numbered: bool = True
    sources: list[Source] = field(default_factory=list)
    void_ids: set[int] = field(default_factory=set)
    first_ns: int = 2**63 - 2
    last_ns: int = 0
    days: set[int] = field(default_factory=set)


class Intake:
    """One import: files in, days out.

    Parameters
    ----------
    root
        The store; None only checks.
    options
        What the files leave open.
    rules
        Tick and lot size, if they were given by hand.
    repair
        Leave out rows with faults that make them useless alone.
    replace
        Write over days that are there.
    examples_max
        How many places of each fault are kept.
    """

    def __init__(
        self,
        root: Path | None,
        options: Options,
        *,
        rules: RuleSteps | None = None,
        repair: bool = False,
        replace: bool = False,
        examples_max: int = 20,
    ) -> None:
        self.root, self.options, self.rules = root, options, rules
        self.repair, self.replace = repair, replace
        self.importers: list[Importer] = all_importers()
        self._examples_max = examples_max
        self._known: dict[Stream, _Instrument] = {}
        self._found: dict[Stream | None, Findings] = {None: Findings(examples_max)}
        self._funding: dict[Stream, list[tuple[Ints, Ints]]] = {}
        self._in_memory = 0
        self._aside: tempfile.TemporaryDirectory[str] | None = None
        self._asides = 0

    def run(
        self, paths: Sequence[Path], named: str | None = None, told: Callable[[int, int], None] | None = None
    ) -> Outcome:
        """Read all files, then write all days.

        Parameters
        ----------
        told
            Told how many bytes of the files were read, and of how many.

        Raises
        ------
        DataError
            If a file cannot be read, or a day is there already; then nothing was written.
        """
        chosen = [(path, importer_of(path, self.importers, named)) for path in paths]
        done, total = 0, sum(size_of(path) for path in paths)

        def read(count: int) -> None:
            nonlocal done
            done += count
            if told is not None:
                told(min(done, total), total)

        try:
            with counting(read):
                for path, importer in chosen:
                    self._read(path, importer)
            instruments = {
                key: instrument
                for importer in self.importers
                for key, instrument in importer.instruments.items()
            }
            return self._write(instruments)
        finally:
            if self._aside is not None:
                self._aside.cleanup()

    def _read(self, path: Path, importer: Importer) -> None:
        source: Source | None = None
        rows = 0
        for batch in importer.read(path, self.options, self._found[None]):
            rows += len(batch)
            if not len(batch):
                continue
            if source is None:
                fingerprint = "" if path.is_dir() else sha256_of(path)
                source = Source(name=path.name, sha256=fingerprint, importer=importer.name)
            if bool((batch.kind == Kind.FUNDING).all()):
                rates = _ticks(batch, Fraction(1))
                self._funding.setdefault(batch.stream, []).append((batch.exch_ns, rates))
                continue
            known = self._known.setdefault(batch.stream, _Instrument())
            if source not in known.sources:
                known.sources.append(source)
            self._learn(known, batch)
            key = f"{len(known.sources) if not path.is_dir() else path.name}/{batch.source}"
            recording = known.recordings.setdefault(key, _Recording(batch.source, batch.newest_first))
            recording.parts.append(self._put_aside(batch))
        if not rows:
            self._found[None].note(f"no row came out of {path.name}")

    def _learn(self, known: _Instrument, batch: Batch) -> None:
        stepped = ~np.isin(batch.kind, _NO_STEP)
        px = batch.px[stepped]
        known.tick = step_of(px, batch.px_scale, known.tick)
        known.lot = step_of(batch.qty[stepped], batch.qty_scale, known.lot)
        on_book = ~np.isin(batch.kind, _OFF_BOOK)
        known.book_tick.learn(batch.px[on_book], batch.px_scale)
        known.book_lot.learn(batch.qty[on_book], batch.qty_scale)
        known.rules = batch.rules or known.rules
        known.void_ids.update(batch.void_ids)
        known.first_ns = min(known.first_ns, int(batch.recv_ns.min()))
        known.last_ns = max(known.last_ns, int(batch.recv_ns.max()))
        known.recv_known = known.recv_known and batch.recv_known
        if bool((batch.kind == Kind.TRADE).any()):
            known.trades_numbered = known.trades_numbered and batch.trades_numbered
        distinct = np.unique(px)
        before = known.prices.get(batch.px_scale)
        known.prices[batch.px_scale] = (
            distinct if before is None else np.unique(np.concatenate([before, distinct]))
        )
        known.days.update(np.unique(batch.recv_ns // DAY_NS).tolist())

    def _put_aside(self, batch: Batch) -> Batch | tuple[Path, Batch]:
        """Keep a batch in memory, or its columns in a file when much is kept already."""
        self._in_memory += len(batch)
        if self._in_memory <= MEMORY_ROWS:
            return batch
        if self._aside is None:
            self._aside = tempfile.TemporaryDirectory(prefix="executor-import-")
        path = Path(self._aside.name) / f"{self._asides}.npz"
        self._asides += 1
        np.savez(path, **{name: getattr(batch, name) for name in _ARRAYS})
        return path, _with_arrays(batch, {name: getattr(batch, name)[:0] for name in _ARRAYS})

    def _refuse_what_is_there(self) -> None:
        """Refuse before the first day is written, not in the middle."""
        if self.root is None or self.replace:
            return
        for stream, known in sorted(self._known.items()):
            for number in sorted(known.days):
                path = day_path(self.root, stream, day_of(number * DAY_NS))
                if path.exists():
                    raise DataError(
                        path,
                        "a day that is stored already",
                        "add --replace to write over it, or name another store with --data",
                        allowed="a day that is not stored yet",
                    )

    def _write(self, instruments: dict[tuple[str, str], Instrument]) -> Outcome:
        stored: list[Stored] = []
        funding: list[tuple[Path, int]] = []
        doubts: list[str] = []
        dropped = 0
        self._refuse_what_is_there()
        if self.root is not None:
            for stream, settled in self._funding.items():
                at_ns, rates = (np.concatenate(columns) for columns in zip(*settled, strict=True))
                funding.append((write_funding(self.root, stream, at_ns, rates), len(at_ns)))
        for stream, known in sorted(self._known.items()):
            found = self._found.setdefault(stream, Findings(self._examples_max))
            instrument = (
                instruments.get((stream.category, stream.symbol)) if stream.venue == "bybit" else None
            )
            writing = _Writing(
                root=self.root,
                stream=stream,
                known=known,
                rules=self.rules or known.rules,
                found=found,
                strays=self._found[None],
                repair=self.repair,
            )
            days = writing.run()
            dropped += writing.dropped_rows
            stored += days
            doubts += writing.doubts()
            if self.root is not None:
                tick, lot = map(step_text, writing.market_steps)
                write_rules(self.root, stream, rules_of(stream, instrument, tick, lot, writing.steps_from))
        return Outcome(
            stored=tuple(stored),
            funding=tuple(funding),
            found=self._found,
            dropped_rows=dropped,
            doubts=tuple(doubts),
        )


def _with_arrays(batch: Batch, arrays: dict[str, Any]) -> Batch:
    return replace(batch, **arrays)


def _pieces(
    recording: _Recording, number: int, sources: tuple[str, ...], tick: Fraction, lot: Fraction
) -> Iterator[Piece]:
    """Give a recording in whole ticks and lots, oldest first."""
    for part in reversed(recording.parts) if recording.newest_first else recording.parts:
        batch = part if isinstance(part, Batch) else _with_arrays(part[1], dict(np.load(part[0])))
        rows = Rows(
            exch_ns=batch.exch_ns,
            recv_ns=batch.recv_ns,
            kind=batch.kind,
            side=batch.side,
            px=_ticks(batch, tick),
            qty=scaled(batch.qty, 1 / (lot * 10**batch.qty_scale)),
            order_id=batch.order_id,
            seq=batch.seq,
            flags=batch.flags,
        )
        origin = Origin(
            sources=sources, source=np.full(len(rows), number, np.int64), line=batch.line, ident=batch.ident
        )
        piece = Piece(rows=rows, origin=origin)
        yield piece.take(slice(None, None, -1)) if recording.newest_first else piece


def _ticks(batch: Batch, tick: Fraction) -> Ints:
    """Divide prices by the tick; mark prices are rounded to the nearest, rates are no prices."""
    px = scaled(batch.px, 1 / (tick * 10**batch.px_scale))
    for kind, factor in ((Kind.MARK, 1 / tick), (Kind.FUNDING, Fraction(RATE_UNITS))):
        mine = np.flatnonzero(batch.kind == kind)
        if len(mine):
            exact = factor / 10**batch.px_scale
            px = px.copy()
            px[mine] = [round(int(value) * exact) for value in batch.px[mine].tolist()]
    return px


@dataclass(slots=True, kw_only=True)
class _Writing:
    """The second pass over one instrument."""

    root: Path | None
    stream: Stream
    known: _Instrument
    rules: RuleSteps | None
    found: Findings
    strays: Findings
    repair: bool
    dropped_rows: int = 0
    steps: tuple[Fraction, Fraction] = (Fraction(0), Fraction(0))

    @property
    def market_steps(self) -> tuple[Fraction, Fraction]:
        """Tick and lot of the market: what its rules say, else what its book implies."""
        if self.rules is not None:
            return self.rules.tick, self.rules.lot
        return self.known.book_tick.step or self.steps[0], self.known.book_lot.step or self.steps[1]

    @property
    def steps_from(self) -> str:
        """Where these come from."""
        return "data" if self.rules is None else "rules"

    def doubts(self) -> list[str]:
        """What may be wrong with steps that nobody said."""
        if self.rules is not None:
            return []
        return [
            f"{self.stream.symbol}: {name} {step_text(step)} is deduced and may be too coarse, as"
            f" {' and '.join(reasons)}; --tick and --lot give the venue's own"
            for name, step, deduced in zip(
                ("tick", "lot"), self.market_steps, (self.known.book_tick, self.known.book_lot), strict=True
            )
            if (reasons := deduced.doubts())
        ]

    def run(self) -> list[Stored]:
        """Write every day of the instrument."""
        known = self.known
        tick, lot = known.tick or Fraction(1), known.lot or Fraction(1)
        if self.rules is not None:
            tick, lot = common_step(tick, self.rules.tick), common_step(lot, self.rules.lot)
        self.steps = tick, lot
        ruled_tick, ruled_lot = (tick, lot) if self.rules is None else (self.rules.tick, self.rules.lot)
        distinct = [scaled(px, 1 / (tick * 10**scale)) for scale, px in known.prices.items()]
        bounds = lone_bounds(np.unique(np.concatenate(distinct)))
        checker = Checker(
            found=self.found,
            premises=Premises(
                tick_multiple=int(ruled_tick / tick),
                lot_multiple=int(ruled_lot / lot),
                px_low=None if bounds is None else bounds[0],
                px_high=None if bounds is None else bounds[1],
                recv_known=known.recv_known,
                trades_numbered=known.trades_numbered,
                void_ids=tuple(sorted(known.void_ids)),
            ),
        )
        recordings = list(known.recordings.values())
        sources = self._names()
        readers = [
            _pieces(recording, number, sources, tick, lot) for number, recording in enumerate(recordings)
        ]
        pieces = merged([*readers, self._settlements()])
        days: list[Stored] = []
        try:
            self._days(pieces, checker, days)
        except OverflowError as error:
            raise DataError(
                self.stream.symbol, f"a number too large for its steps: {error}", "give --tick and --lot"
            ) from error
        return days

    def _settlements(self) -> Iterator[Piece]:
        """Give the funding settlements of the store that fall between the first and the last row."""
        if self.root is None:
            return
        rows = read_funding(self.root, self.stream, self.known.first_ns, self.known.last_ns + 1)
        number = np.full(len(rows), len(self.known.recordings), np.int64)
        nothing = np.zeros(len(rows), np.int64)
        yield Piece(
            rows=rows, origin=Origin(sources=self._names(), source=number, line=nothing, ident=nothing)
        )

    def _names(self) -> tuple[str, ...]:
        return (*(recording.source for recording in self.known.recordings.values()), "funding.parquet")

    def _days(self, pieces: Iterator[Piece], checker: Checker, days: list[Stored]) -> None:
        """Check and write, one day after the other."""
        # A receive time that is wrong leads to another day and back, so no day is closed before the end.
        opened: dict[date, _OpenDay] = {}
        current: _OpenDay | None = None
        try:
            for piece in pieces:
                for part in _by_day(piece):
                    day = day_of(int(part.rows.recv_ns[0]))
                    if current is None or day != current.day:
                        if current is not None and current.writer is not None:
                            current.writer.flush()
                        if day not in opened:
                            opened[day] = self._opened(day, checker, part.rows)
                        current = opened[day]
                    before = Counter(self.found.counts)
                    rows, dropped = checker.feed(part.rows, part.origin, drop=self.repair)
                    current.faults += self.found.counts - before
                    current.dropped_rows += dropped
                    self.dropped_rows += dropped
                    if current.writer is not None:
                        current.writer.write(rows)
            for _, each in sorted(opened.items()):
                days += self._closed(each)
        finally:
            for each in opened.values():
                if each.writer is not None:
                    each.writer.abandon()

    def _opened(self, day: date, checker: Checker, rows: Rows) -> "_OpenDay":
        """Begin a day, with the book as it stands if the day does not bring its own."""
        opened = _OpenDay(day=day)
        if self.root is not None:
            opened.writer = DayWriter(day_path(self.root, self.stream, day))
            start = _carried(checker, rows)
            opened.carried_rows = len(start)
            opened.writer.write(start)
        return opened

    def _closed(self, day: "_OpenDay") -> list[Stored]:
        if day.writer is None:
            return []
        (tick, lot), (market_tick, market_lot) = self.steps, self.market_steps
        with day.writer as writer:
            info = writer.close(
                tick_size=step_text(tick),
                tick_from=self.steps_from if tick == market_tick else "data",
                lot_size=step_text(lot),
                lot_from=self.steps_from if lot == market_lot else "data",
                sources=self.known.sources,
                recv_known=self.known.recv_known,
                trades_numbered=self.known.trades_numbered,
                void_ids=tuple(sorted(self.known.void_ids)),
                carried_rows=day.carried_rows,
                dropped_rows=day.dropped_rows,
                faults={str(fault): count for fault, count in sorted(day.faults.items())},
                left_out={
                    str(fault): self.strays.counts[fault] for fault in Fault if self.strays.counts[fault]
                },
            )
        return [
            Stored(
                stream=self.stream,
                day=day.day,
                path=writer.path,
                info=info,
                tick=step_text(market_tick),
                lot=step_text(market_lot),
                steps_from=self.steps_from,
            )
        ]


@dataclass(slots=True, kw_only=True)
class _OpenDay:
    """A day that is being written; without a writer it is only checked."""

    day: date
    faults: Counter[Fault] = field(default_factory=Counter)
    writer: DayWriter | None = None
    carried_rows: int = 0
    dropped_rows: int = 0


def _by_day(piece: Piece) -> Iterator[Piece]:
    """Cut where the day of the receive time changes."""
    days = piece.rows.recv_ns // DAY_NS
    cuts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
    for start, end in pairwise(cuts):
        if end > start:
            yield piece.take(slice(start, end))


def _carried(checker: Checker, rows: Rows) -> Rows:
    """Give the book at the end of the day before as a snapshot, where the next rows go on with it."""
    of_book = np.flatnonzero(np.isin(rows.kind, BOOK_KINDS))
    book = checker.book
    if not book.sound or not len(of_book) or rows.kind[of_book[0]] == Kind.CLEAR:
        return rows.take(slice(0, 0))
    levels = [(1, px, qty) for px, qty in sorted(book.bids.items(), reverse=True)]
    levels += [(-1, px, qty) for px, qty in sorted(book.asks.items())]
    side, px, qty = np.array([(0, 0, 0), *levels], np.int64).T
    count = len(side)
    at_ns = np.full(count, rows.recv_ns[0], np.int64)
    nothing = np.zeros(count, np.int64)
    flags = np.full(count, Flag.SNAPSHOT, np.uint8)
    flags[-1] |= Flag.LAST
    kind = np.full(count, Kind.LEVEL, np.uint8)
    kind[0] = Kind.CLEAR
    return Rows(
        exch_ns=np.full(count, rows.exch_ns[of_book[0]], np.int64),
        recv_ns=at_ns,
        kind=kind,
        side=side.astype(np.int8),
        px=np.ascontiguousarray(px),
        qty=np.ascontiguousarray(qty),
        order_id=nothing,
        seq=nothing,
        flags=flags,
    )
