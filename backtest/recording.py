"""A recording out of the store as one run of rows: which days, in which steps, under which rules, with which holes.

Rows are read once, in order, in pieces; a piece is kept until nobody needs it any more, so that many orders can be
tried in one day without reading it again for each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import reduce
from math import gcd, lcm
from pathlib import Path
from typing import Final, NamedTuple, cast

import numpy as np

from backtest.dataset.errors import DataError
from backtest.dataset.gather import Stream
from backtest.dataset.instruments import Rules, read_rules
from backtest.dataset.lookup import find_days
from backtest.dataset.playing import pieces_of
from backtest.dataset.rows import BOOK_KINDS, Bytes, Flag, Ints, Kind, Signs
from backtest.dataset.store import Day, Info, read_info
from backtest.holding import Settlement
from backtest.receiver_clock import ReceiverClock, receiver_clock
from backtest.row_times import STALL_NS_MAX, RowTimes
from executor.domain.instrument import Instrument
from executor.domain.orders import Category
from executor.domain.timeline import NS_PER_DAY, NS_PER_S, iso_utc
from executor.domain.units import ZERO, Money, Price, Quantity
from simulation.replay import codes
from simulation.replay.layout import Rows
from simulation.replay.spoken import Columns
from simulation.replay_venue import Chunk, Steps

SILENCE_NS_MAX: Final = 60 * NS_PER_S
"""Longer without any row is held to be a gap: nobody can tell a quiet market from a recorder that stood still."""
_LOTS_MAX: Final = 10**12
_NAMES: Final = ("base_coin", "quote_coin")
"""What nobody needs to know who trades one instrument alone."""
_NO_PRICE: Final = (Kind.FUNDING, Kind.HALT, Kind.CLEAR)
"""Kinds whose numbers are no prices and quantities."""
_OF_BOOK: Final = tuple(kind for kind in BOOK_KINDS if kind is not Kind.CLEAR)
_NEVER: Final = -(1 << 62)
_LOOK_ROWS: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch in which something is missing, exchange's time."""

    from_ns: int
    to_ns: int
    why: str

    def __str__(self) -> str:
        """Name it for people."""
        return f"{iso_utc(self.from_ns)} to {iso_utc(self.to_ns)}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One instrument's stored days, in order.

    Parameters
    ----------
    steps
        What one tick and one lot of the rows mean, once they are read through `Reel`.
    rules
        Under which it is traded; what the source did not say is named in `assumed`.
    clocks
        The receiver's clock on each day, where delays are measured with it.
    """

    stream: Stream
    days: tuple[Day, ...]
    infos: tuple[Info, ...]
    steps: Steps
    rules: Instrument
    assumed: tuple[str, ...]
    clocks: tuple[ReceiverClock, ...] = ()

    @property
    def recv_known(self) -> bool:
        """Whether the receiver's times were recorded, so that the delay of the feed can be measured."""
        return all(info.recv_known for info in self.infos)

    @property
    def has_orders(self) -> bool:
        """Whether any of it is order by order, so that queues are known and not guessed."""
        return any(info.counts.get(Kind.ADD.name, 0) for info in self.infos)

    @property
    def first_ns(self) -> int:
        """Exchange's time of the first row."""
        return self.infos[0].first_exch_ns

    @property
    def last_ns(self) -> int:
        """Exchange's time of the last row."""
        return self.infos[-1].last_exch_ns

    def since(self, at_ns: int) -> "Recording":
        """Leave out the days that ended before an instant; a day begins with a whole book."""
        kept = next(
            (i for i, info in enumerate(self.infos) if info.last_exch_ns >= at_ns), len(self.infos) - 1
        )
        return replace(
            self,
            days=self.days[kept:],
            infos=self.infos[kept:],
            clocks=self.clocks[kept:] if self.clocks else (),
        )

    @property
    def faults(self) -> dict[str, dict[str, int]]:
        """What the check of each day has found, by day and name."""
        return {
            day.day.isoformat(): dict(sorted(info.faults.items()))
            for day, info in zip(self.days, self.infos, strict=True)
            if info.faults
        }

    def with_clock(self, quickest_ns: int | None) -> "Recording":
        """Judge the receiver's clock of each day, and move it where it was behind (see `receiver_clock`)."""
        return replace(
            self, clocks=tuple(receiver_clock(pieces_of(day.path), quickest_ns) for day in self.days)
        )

    def whole_ns(self) -> int | None:
        """Receiver's time of the first message after which the book has both sides; None if there is none."""
        sides: set[int] = set()
        for rows, _ in Reel(self).chunks(0):
            for begin in range(0, len(rows.kind), _LOOK_ROWS):
                part = slice(begin, begin + _LOOK_ROWS)
                columns = (
                    rows.kind[part],
                    rows.side[part],
                    rows.qty[part],
                    rows.flags[part],
                    rows.recv_ns[part],
                )
                for kind, side, qty, flags, recv_ns in zip(*columns, strict=True):
                    if kind == Kind.CLEAR:
                        sides -= {side} if side else {1, -1}
                    elif kind in {Kind.LEVEL, Kind.ADD} and qty:
                        sides.add(side)
                    if flags & Flag.LAST and len(sides) == 2:
                        return int(recv_ns)
        return None


def find_recording(
    root: Path,
    symbol: str,
    *,
    venue: str | None = None,
    category: str | None = None,
    day: date | None = None,
) -> Recording:
    """Find what is stored of one symbol: all of it, or one day by itself.

    Raises
    ------
    DataError
        If there is nothing, more than one stream, or a file that cannot be used; or orders cannot be simulated in it.
    """
    wanted = find_days(root, symbol, venue=venue, category=category, day=day)
    stream = wanted[0].stream
    infos = tuple(read_info(each.path) for each in wanted)
    steps = Steps(
        tick_size=Price(_common_step([Decimal(info.tick_size) for info in infos])),
        lot_size=Quantity(_common_step([Decimal(info.lot_size) for info in infos])),
    )
    rules, assumed = _rules(root, stream, read_rules(root, stream), steps)
    return Recording(
        stream=stream, days=tuple(wanted), infos=infos, steps=steps, rules=rules, assumed=assumed
    )


def _rules(
    root: Path, stream: Stream, known: Rules | None, steps: Steps
) -> tuple[Instrument, tuple[str, ...]]:
    """Complete the rules that were stored; gives the names of what had to be assumed."""
    if stream.category not in set(Category):
        raise DataError(
            root,
            f"{stream.symbol} is {stream.category}",
            f"orders are simulated in {', '.join(Category)} markets",
        )
    usual: dict[str, object] = {
        "base_coin": stream.symbol,
        "quote_coin": "quote",
        "tick_size": steps.tick_size,
        "qty_step": steps.lot_size,
        "min_order_qty": steps.lot_size,
        "max_order_qty": steps.lot_size * _LOTS_MAX,
        "min_notional": Money(ZERO),
    }
    said = {name: getattr(known, name, None) for name in usual}
    fields = {name: usual[name] if said[name] is None else said[name] for name in usual}
    if fields["tick_size"] % steps.tick_size or fields["qty_step"] % steps.lot_size:  # type: ignore[operator]
        # The venue has changed its steps since the recording: what was recorded counts.
        fields |= {"tick_size": steps.tick_size, "qty_step": steps.lot_size}
        said |= {"tick_size": None, "qty_step": None}
    instrument = Instrument(category=Category(stream.category), symbol=stream.symbol, **fields)  # type: ignore[arg-type]
    return instrument, tuple(name for name in usual if said[name] is None and name not in _NAMES)


def _common_step(steps: Sequence[Decimal]) -> Decimal:
    """Give the greatest step of which all are multiples, exactly."""
    ratios = [step.as_integer_ratio() for step in steps]
    below = lcm(*(ratio[1] for ratio in ratios))
    above = reduce(gcd, (ratio[0] * (below // ratio[1]) for ratio in ratios))
    return Decimal(above) / Decimal(below)


class Instant(NamedTuple):
    """What happened at one instant, column by column."""

    kind: Bytes
    side: Signs
    px: Ints
    qty: Ints


@dataclass(frozen=True, slots=True)
class _Piece:
    rows: Rows
    times: Ints
    final: bool


class Reel:
    """The rows of a recording, piece by piece, in common steps."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._kept: dict[int, _Piece] = {}
        self._count = 0
        self._last_ns = _NEVER
        self._whole = False
        self._void = False
        self._missing: list[Gap] = []
        self._settlements: list[Settlement] = []
        self._times = RowTimes()
        self._source = self._read()
        self._ahead = next(self._source, None)

    def chunks(self, first: int) -> "ReelReader":
        """Read from a piece on that is still kept, or comes next."""
        return ReelReader(self, first)

    def chunk(self, number: int) -> Chunk | None:
        """One piece, and whether it is the last; None where there is none."""
        while number >= self._count and self._ahead is not None:
            rows, self._ahead = self._ahead, next(self._source, None)
            times = self._note_gaps(rows)
            self._note_settlements(rows, times)
            self._kept[self._count] = _Piece(rows, times, self._ahead is None)
            self._count += 1
        piece = self._kept.get(number)
        return None if piece is None else (cast("Columns", piece.rows), piece.final)

    def forget_before(self, number: int) -> None:
        """Let go of what nobody will ask for again."""
        for old in [one for one in self._kept if one < number]:
            del self._kept[old]

    def forget_until(self, at_ns: int) -> None:
        """Let go of what ends before an instant of the exchange's clock."""
        for old in [
            number for number, piece in self._kept.items() if len(piece.times) and piece.times[-1] < at_ns
        ]:
            del self._kept[old]

    def forget_all(self) -> None:
        """Let go of everything that was read."""
        self._kept.clear()

    def gaps(self, from_ns: int, to_ns: int) -> list[Gap]:
        """Stretches within an interval in which something is missing; reads on to its end."""
        while self._ahead is not None and self._last_ns < to_ns:
            self.chunk(self._count)
        return [gap for gap in self._missing if gap.to_ns > from_ns and gap.from_ns < to_ns]

    def settlements(self, from_ns: int, to_ns: int) -> list[Settlement]:
        """Fundings from one instant to another, both included, as far as was read."""
        return [one for one in self._settlements if from_ns <= one.at_ns <= to_ns]

    def rows_at(self, at_ns: int) -> "Instant":
        """Rows of one instant of the exchange's clock, among those that are kept."""
        found = [
            (piece.rows, slice(*np.searchsorted(piece.times, (at_ns, at_ns + 1)).tolist()))
            for _, piece in sorted(self._kept.items())
        ]
        return Instant(
            *(np.concatenate([getattr(rows, name)[at] for rows, at in found]) for name in Instant._fields)
        )

    def _read(self) -> Iterator[Rows]:
        steps, before = self._recording.steps, None
        clocks = self._recording.clocks or (None,) * len(self._recording.days)
        for day, info, clock in zip(self._recording.days, self._recording.infos, clocks, strict=True):
            if before is not None and day.day != before + timedelta(days=1):
                until_ns = info.first_exch_ns
                self._missing.append(
                    Gap(
                        from_ns=until_ns - NS_PER_DAY,
                        to_ns=until_ns,
                        why=f"no day is stored before {day.day}",
                    )
                )
            before = day.day
            ticks = int(Decimal(info.tick_size) / steps.tick_size)
            lots = int(Decimal(info.lot_size) / steps.lot_size)
            for piece in pieces_of(day.path):
                rows = self._times.mended(piece)
                if clock is not None and clock.moved_ns:
                    rows = rows._replace(recv_ns=rows.recv_ns + clock.moved_ns)
                _refuse_too_large(rows, ticks, lots, day.path)
                yield _in_common_steps(self._without_remains(rows), ticks, lots)

    def _without_remains(self, rows: Rows) -> Rows:
        """Take out what is told of a book after a gap, until the next snapshot: changes of nobody knows what."""
        clears = np.flatnonzero(rows.kind == Kind.CLEAR)
        voids = (rows.flags[clears] & (Flag.GAP | Flag.SNAPSHOT)) == Flag.GAP
        if not self._void and not voids.any():
            return rows
        starts, states = np.append(0, clears), np.append(self._void, voids)
        self._void = bool(states[-1])
        void = states[np.searchsorted(starts, np.arange(len(rows.kind)), side="right") - 1]
        # They become rows that change nothing, so that messages keep their ends.
        return rows._replace(
            kind=np.where(void & np.isin(rows.kind, _OF_BOOK), np.uint8(Kind.TOUCH), rows.kind)
        )

    def _note_gaps(self, rows: Rows) -> Ints:
        """Find where something is missing; gives the times of the rows, of which none is before its predecessor."""
        if not len(rows.kind):
            return rows.exch_ns
        is_first = self._last_ns == _NEVER
        before = int(rows.exch_ns[0]) if is_first else self._last_ns
        times = np.maximum(np.maximum.accumulate(rows.exch_ns), before)
        gone = np.diff(times, prepend=before)
        flagged = (rows.flags & Flag.GAP) != 0
        if not self._whole:
            # Before the first whole book nothing is known that could be missing.
            whole = (rows.flags & Flag.SNAPSHOT) != 0
            self._whole = bool(whole.any())
            flagged[: int(whole.argmax()) if self._whole else None] = False
        for at in np.flatnonzero(flagged | (gone > SILENCE_NS_MAX)).tolist():
            why = "messages are missing" if flagged[at] else f"no row for {gone[at] / NS_PER_S:.0f} s"
            self._missing.append(Gap(from_ns=int(times[at] - gone[at]), to_ns=int(times[at]) + 1, why=why))
        self._note_stalls(rows.exch_ns, times)
        self._last_ns = int(times[-1])
        return times

    def _note_stalls(self, told_ns: Ints, times: Ints) -> None:
        """Find rows that come after one from their future: when they happened is not known."""
        stalled = times - told_ns > STALL_NS_MAX
        if not stalled.any():
            return
        edges = np.flatnonzero(np.diff(stalled.astype(np.int8), prepend=0, append=0)).tolist()
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            ahead_ns = int((times - told_ns)[begin:end].max())
            why = f"a time that is {ahead_ns / NS_PER_S:.0f} s ahead of {end - begin} rows after it"
            from_ns, to_ns = int(told_ns[begin:end].min()), int(times[end - 1]) + 1
            self._missing.append(Gap(from_ns=from_ns, to_ns=to_ns, why=why))

    def _note_settlements(self, rows: Rows, times: Ints) -> None:
        for at in np.flatnonzero(rows.kind == Kind.FUNDING).tolist():
            self._settlements.append(Settlement(int(times[at]), int(rows.px[at])))


class ReelReader:
    """Goes through the pieces of a reel; where it is, is known."""

    def __init__(self, reel: Reel, first: int) -> None:
        self.number = first
        self._reel = reel

    def __iter__(self) -> "ReelReader":
        return self

    def __next__(self) -> Chunk:
        chunk = self._reel.chunk(self.number)
        if chunk is None:
            raise StopIteration
        self.number += 1
        return chunk


def _refuse_too_large(rows: Rows, ticks: int, lots: int, path: Path) -> None:
    """Refuse numbers with which nothing can be reckoned in 64 bits; so large none is that was recorded."""
    if not len(rows.kind):
        return
    px = max(int(rows.px.max()), -int(rows.px.min())) * ticks
    if max(px, int(rows.qty.max()) * lots) >= 1 << codes.NUMBER_BITS or int(rows.qty.min()) < 0:
        raise DataError(
            path,
            f"a price or quantity of 2 ** {codes.NUMBER_BITS} steps or more, or a quantity below zero",
            "import it again with --repair; where days count in different steps, take them one by one",
        )


def _in_common_steps(rows: Rows, ticks: int, lots: int) -> Rows:
    if ticks == lots == 1:
        return rows
    priced = ~np.isin(rows.kind, _NO_PRICE)
    return rows._replace(
        px=np.where(priced, rows.px * ticks, rows.px), qty=np.where(priced, rows.qty * lots, rows.qty)
    )
