"""What is wrong with rows: a pure reading of them in order; nothing is changed but the mark of what is suspect.

What an importer alone can see (unreadable lines, strangers, messages that contradict themselves) it tells itself.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from backtest.dataset.book import Book
from backtest.dataset.faults import Fault, Findings
from backtest.dataset.order import out_of_order
from backtest.dataset.rows import BOOK_KINDS, Bytes, Flag, Ints, Kind, Mask, Rows

LAG_MAX_NS: Final = 60_000_000_000
LONE_LAG_NS: Final = 500_000_000
"""A message whose lag differs by so much from the four around it, which agree among themselves, is doubtful: what is
truly late holds up what comes behind it. Ticker frames wait for their turn at the exchange and are not judged so."""
LONE_LAG_SPREAD: Final = 5
FAR_FACTOR: Final = 10.0
"""A price is far where this factor lies between it and the next price of its instrument; the widest such hole in the
genuine recordings this was tried on is a factor 5."""
JUMP_FACTOR: Final = 1.5
"""A trade is far where this factor lies between it and the median of the 21 trades around it."""
JUMP_TRADES: Final = 21
_PRICED: Final = (
    Kind.LEVEL,
    Kind.TRADE,
    Kind.TOUCH,
    Kind.ADD,
    Kind.REDUCE,
    Kind.DELETE,
    Kind.EXECUTE,
    Kind.HIDDEN,
)
_SIZED: Final = (Kind.TRADE, Kind.ADD, Kind.REDUCE, Kind.EXECUTE, Kind.HIDDEN)
_GROUPS: Final = (
    ("book", BOOK_KINDS),
    ("trades", (Kind.TRADE, Kind.HIDDEN)),
    ("touch", (Kind.TOUCH,)),
    ("mark", (Kind.MARK,)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """What is known before the rows are read.

    Parameters
    ----------
    tick_multiple, lot_multiple
        Ticks and lots of the store in one tick and lot of the rules; 1 where they are the same or not known.
    px_low, px_high
        Prices outside stand alone, far from all others; None where that is not known.
    recv_known
        Whether the source has a receiver's time.
    trades_numbered
        Whether ids of trades follow on by one.
    void_ids
        Ids of that numbering that are no trades, in ascending order.
    """

    tick_multiple: int = 1
    lot_multiple: int = 1
    px_low: float | None = None
    px_high: float | None = None
    recv_known: bool = True
    trades_numbered: bool = False
    void_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where rows came from, row by row.

    Parameters
    ----------
    sources
        Names of files, or of the stored day.
    source
        Which of them, row by row.
    line
        Line or row there, from 1.
    ident
        What two trades must not share; 0 where there is nothing.
    """

    sources: tuple[str, ...]
    source: Ints
    line: Ints
    ident: Ints


@dataclass(slots=True, kw_only=True)
class Checker:
    """Reads rows piece by piece and remembers what it needs of those before.

    Attributes
    ----------
    book
        The book after the last row.
    """

    found: Findings
    premises: Premises
    book: Book = field(default_factory=Book)
    _begun: bool = False
    _idents: list[Ints] = field(default_factory=list)
    _last_id: dict[int, int] = field(default_factory=dict)
    _latest: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)

    def feed(self, rows: Rows, origin: Origin, *, drop: bool = False) -> tuple[Rows, int]:
        """Find what is wrong with the next rows.

        Gives the rows with the suspect ones marked. With `drop`, the rows whose fault makes them useless alone are
        left out, and their number is given.
        """
        if not len(rows):
            return rows, 0
        useless = (rows.flags & Flag.SUSPECT) != 0
        suspect = np.zeros(len(rows), np.bool_)
        kind = rows.kind
        priced, sized = np.isin(kind, _PRICED), np.isin(kind, _SIZED)
        trades = kind == Kind.TRADE
        alone = (
            (Fault.ZERO_PRICE, priced & (rows.px == 0)),
            (Fault.ZERO_QTY, sized & (rows.qty == 0)),
            (Fault.NEGATIVE, (priced & (rows.px < 0)) | ((priced | sized) & (rows.qty < 0))),
            (Fault.FAR_PRICE, self._far(rows, priced, trades)),
        )
        for fault, where in alone:
            useless |= self._tell(fault, where, rows, origin)
        self._tell(Fault.OFF_TICK, priced & (rows.px % self.premises.tick_multiple != 0), rows, origin)
        self._tell(
            Fault.OFF_LOT, (priced | sized) & (rows.qty % self.premises.lot_multiple != 0), rows, origin
        )
        useless |= self._trade_ids(rows, origin, trades)
        if self.premises.recv_known:
            lag = np.abs(rows.recv_ns - rows.exch_ns) > LAG_MAX_NS
            for one in (Kind.LEVEL, Kind.TRADE):
                lag |= _lone_lag(rows, (kind == one) & ((rows.flags & (Flag.SNAPSHOT | Flag.SUSPECT)) == 0))
            suspect |= self._tell(Fault.LAG, lag & (kind != Kind.FUNDING), rows, origin)
        suspect |= self._times(rows, origin)
        flags: Bytes = rows.flags | ((suspect | useless) * np.uint8(Flag.SUSPECT)).astype(np.uint8)
        dropped = 0
        if drop and bool(useless.any()):
            _hand_on_marks(flags, useless)
            keep = ~useless
            rows, flags, dropped = rows.take(keep), flags[keep], int(useless.sum())
            origin = Origin(
                sources=origin.sources,
                source=origin.source[keep],
                line=origin.line[keep],
                ident=origin.ident[keep],
            )
        marked = rows.with_flags(flags)
        self._gaps(marked, origin)
        self._books(marked, origin)
        return marked, dropped

    def _tell(self, fault: Fault, where: Mask, rows: Rows, origin: Origin) -> Mask:
        for place in np.flatnonzero(where).tolist():
            self._add(fault, origin, place, f"price {int(rows.px[place])} ticks, {int(rows.qty[place])} lots")
        return where

    def _add(self, fault: Fault, origin: Origin, place: int, text: str) -> None:
        self.found.add(fault, origin.sources[int(origin.source[place])], int(origin.line[place]), text)

    def _far(self, rows: Rows, priced: Mask, trades: Mask) -> Mask:
        far = np.zeros(len(rows), np.bool_)
        if self.premises.px_low is not None and self.premises.px_high is not None:
            outside = (rows.px < self.premises.px_low) | (rows.px > self.premises.px_high)
            far |= priced & (rows.px > 0) & outside
        places = np.flatnonzero(trades & (rows.px > 0))
        if len(places) >= 3:
            px = rows.px[places].astype(np.float64)
            width = min(JUMP_TRADES, len(px))
            medians = np.median(sliding_window_view(px, width), axis=1)
            around = medians[np.clip(np.arange(len(px)) - width // 2, 0, len(medians) - 1)]
            ratio = px / around
            far[places[(ratio > JUMP_FACTOR) | (ratio < 1 / JUMP_FACTOR)]] = True
        return far

    def _times(self, rows: Rows, origin: Origin) -> Mask:
        """Blame the rows without which times are in order, each source and sort of row for itself."""
        blamed = np.zeros(len(rows), np.bool_)
        for number in np.unique(origin.source).tolist():
            own = origin.source == number
            if self.premises.recv_known:
                blamed |= self._in_order(Fault.RECEIVED_BACK, "all", number, own, rows.recv_ns, origin)
            for name, kinds in _GROUPS:
                mine = own & np.isin(rows.kind, kinds)
                if name == "book":
                    # What came before a snapshot and is applied once more behind it is older than the snapshot.
                    mine &= (rows.flags & Flag.SNAPSHOT) == 0
                blamed |= self._in_order(Fault.TIME_BACK, name, number, mine, rows.exch_ns, origin)
        return blamed

    def _in_order(
        self, fault: Fault, group: str, number: int, mine: Mask, times: Ints, origin: Origin
    ) -> Mask:
        blamed = np.zeros(len(mine), np.bool_)
        places = np.flatnonzero(mine)
        if not len(places):
            return blamed
        before = self._latest.get((number, fault + group))
        values = times[places] if before is None else np.concatenate([[before[0]], times[places]])
        wrong = out_of_order(values)
        if before is not None:
            if wrong and wrong[0] == 0:
                self.found.add(fault, origin.sources[number], before[1], f"{before[0]} ns")
                wrong = wrong[1:]
            wrong = [place - 1 for place in wrong]
        for place in wrong:
            where = int(places[place])
            blamed[where] = True
            self._add(fault, origin, where, f"{int(times[where])} ns")
        sound = places[~blamed[places]]
        if len(sound):
            latest = int(sound[-1])
            self._latest[number, fault + group] = (int(times[latest]), int(origin.line[latest]))
        return blamed

    def _trade_ids(self, rows: Rows, origin: Origin, trades: Mask) -> Mask:
        blamed = np.zeros(len(rows), np.bool_)
        places = np.flatnonzero(trades & (origin.ident != 0))
        if not len(places):
            return blamed
        idents = origin.ident[places]
        _, firsts = np.unique(idents, return_index=True)
        again = np.ones(len(idents), np.bool_)
        again[firsts] = False
        for known in self._idents:
            at = np.minimum(np.searchsorted(known, idents), len(known) - 1)
            again |= known[at] == idents
        for place in places[again].tolist():
            blamed[place] = True
            self._add(Fault.DUPLICATE_TRADE, origin, place, f"trade id {int(rows.seq[place]) or '(hashed)'}")
        self._idents.append(np.unique(idents))
        if len(self._idents) > 8:
            self._idents = [np.unique(np.concatenate(self._idents))]
        if self.premises.trades_numbered:
            self._missing(rows, origin, places[~again])
        return blamed

    def _missing(self, rows: Rows, origin: Origin, places: Ints) -> None:
        for number in np.unique(origin.source[places]).tolist():
            own = places[origin.source[places] == number]
            ids = rows.seq[own]
            before = self._last_id.get(number, int(ids[0]) - 1)
            steps = np.diff(ids, prepend=before)
            for place in np.flatnonzero(steps > 1).tolist():
                last, void = int(ids[place]), self.premises.void_ids
                passed = bisect_left(void, last) - bisect_left(void, last - int(steps[place]))
                missing = int(steps[place]) - 1 - passed
                if missing > 0:
                    self._add(
                        Fault.MISSING_TRADES, origin, int(own[place]), f"{missing} missing before {last}"
                    )
            self._last_id[number] = int(ids[-1])

    def _gaps(self, rows: Rows, origin: Origin) -> None:
        of_book = np.flatnonzero(np.isin(rows.kind, BOOK_KINDS))
        for place in of_book[(rows.flags[of_book] & Flag.GAP) != 0].tolist():
            if not self._begun and place == of_book[0]:
                self.found.note("the book begins without a snapshot")
            else:
                self._add(Fault.GAP, origin, place, f"update id {int(rows.seq[place])} does not follow")
        self._begun = self._begun or bool(len(of_book))

    def _books(self, rows: Rows, origin: Origin) -> None:
        """Rebuild the book, and look at its best prices where it is consistent."""
        book, last = self.book, int(Flag.LAST)
        places = np.flatnonzero(np.isin(rows.kind, BOOK_KINDS))
        columns = (rows.kind, rows.side, rows.px, rows.qty, rows.flags)
        listed = (each[places].tolist() for each in columns)
        for place, kind, side, px, qty, flags in zip(places.tolist(), *listed, strict=True):
            book.apply(kind, side, px, qty, flags)
            if not flags & last or not book.sound:
                continue
            bid, ask = book.best_bid, book.best_ask
            if bid is not None and ask is not None and bid >= ask:
                fault = Fault.LOCKED if bid == ask else Fault.CROSSED
                self._add(fault, origin, place, f"bid {bid} ticks, ask {ask} ticks")


def _lone_lag(rows: Rows, mine: Mask) -> Mask:
    """Find messages whose lag no other near them shares; the rows of a message share one receive time."""
    lone = np.zeros(len(rows), np.bool_)
    places = np.flatnonzero(mine)
    if len(places) < 5:
        return lone
    recv = rows.recv_ns[places]
    begins = np.append(True, recv[1:] != recv[:-1])
    number = np.cumsum(begins) - 1
    lags = (recv - rows.exch_ns[places])[begins]
    if len(lags) < 5:
        return lone
    own = np.arange(len(lags))
    start = np.clip(own - 2, 0, len(lags) - 5)
    around = sliding_window_view(lags, 5)[start]
    others = around[np.arange(5)[None, :] != (own - start)[:, None]].reshape(len(lags), 4)
    apart = np.abs(lags - np.median(others, axis=1))
    spread = others.max(axis=1) - others.min(axis=1)
    doubtful = (apart > LONE_LAG_NS) & (spread < apart / LONE_LAG_SPREAD)
    lone[places[doubtful[number]]] = True
    return lone


def _hand_on_marks(flags: Bytes, gone: Mask) -> None:
    """Give the marks that belong to a message to the next of its rows that stays."""
    for place in np.flatnonzero(gone)[::-1].tolist():
        if flags[place] & Flag.GAP and not flags[place] & Flag.LAST and place + 1 < len(flags):
            flags[place + 1] |= Flag.GAP
    for place in np.flatnonzero(gone).tolist():
        nearer = place - 1
        while nearer >= 0 and gone[nearer] and not flags[nearer] & Flag.LAST:
            nearer -= 1
        if flags[place] & Flag.LAST and nearer >= 0 and not flags[nearer] & Flag.LAST:
            flags[nearer] |= Flag.LAST


def lone_bounds(prices: Ints) -> tuple[float, float] | None:
    """Bounds of the prices that do not stand alone, given all distinct ones in ascending order; None if all are near.

    Going out from the median, a hole of more than the factor ends what is near. Where many prices lie beyond it,
    they are no lone ones, and nothing is far.
    """
    near = prices[prices > 0].astype(np.float64)
    if len(near) < 3:
        return None
    holes = np.flatnonzero(near[1:] / near[:-1] > FAR_FACTOR)
    if not len(holes):
        return None
    middle = len(near) // 2
    below, above = holes[holes < middle], holes[holes >= middle]
    low = int(below[-1]) + 1 if len(below) else 0
    high = int(above[0]) if len(above) else len(near) - 1
    alone = low + len(near) - 1 - high
    if alone > max(3, len(near) // 100):
        return None
    return float(near[low]), float(near[high])
