"""A recording as measures and calibrations take it: its touch and its public trades, in order of time.

Every trade has the mid of the last touch *before* its own instant, by the exchange's clock where both carry it. The
order in which messages were received does not do: where the change of the book comes first, a trade would be
measured by the price that it made itself, and effective spreads come out below zero.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Final

from backtest.dataset.book import Book
from backtest.dataset.errors import DataError
from backtest.dataset.gather import Stream
from backtest.dataset.lookup import find_days
from backtest.dataset.rows import BOOK_KINDS, Flag, Kind
from backtest.dataset.store import Day, Info, read_info, stream_rows
from executor.domain.timeline import NS_PER_S
from impact.estimation.metaorders import with_mids
from impact.order_flow.imbalance import Quote
from impact.order_flow.prints import Print, collapse
from impact.order_flow.volatility import PricePoint, realised_volatility
from impact.protocol import Pace

_TRADE, _TOUCH = int(Kind.TRADE), int(Kind.TOUCH)
_HITS: Final = frozenset((int(Kind.EXECUTE), int(Kind.HIDDEN)))
_BOOK: Final = frozenset(map(int, BOOK_KINDS))
_LAST: Final = int(Flag.LAST)
_PACE_STEP_NS: Final = 60 * NS_PER_S
_NS_PER_HOUR: Final = 3_600 * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """What was quoted and traded.

    Parameters
    ----------
    tick_px
        Step of the prices, quote units.
    quote_ns, quotes
        When each touch was there, exchange's time, and the touch; empty where no book was recorded.
    prints
        Trades, each taker's order put together, with the mid before it where there is one.
    fills
        How many trades the venue told.
    by_receiver
        Whether times are the receiver's, because the quotes carry no other: then a trade and the quote before it
        cannot be told apart well enough for spreads.
    """

    stream: Stream
    tick_px: float
    quote_ns: list[int]
    quotes: list[Quote]
    prints: list[Print]
    fills: int
    by_receiver: bool = False

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last instant."""
        times = [
            *self.quote_ns[:1],
            *self.quote_ns[-1:],
            *(one.at_ns for one in self.prints[:1] + self.prints[-1:]),
        ]
        return min(times), max(times)

    def points(self) -> list[PricePoint]:
        """Mids along the way: of the touch, or where there is none, halfway between trades of either side."""
        if self.quotes:
            return [
                PricePoint(at, quote.mid_px) for at, quote in zip(self.quote_ns, self.quotes, strict=True)
            ]
        # What a trade leaves is what the next one finds.
        pairs = pairwise(self.prints)
        return [PricePoint(one.at_ns, later.mid_px) for one, later in pairs if later.mid_px is not None]

    def pace(self) -> Pace:
        """Volatility over minutes, and volume, of the whole tape.

        Raises
        ------
        ValueError
            If it is too short, nothing moved or nobody traded.
        """
        first_ns, last_ns = self.span_ns
        volatility = realised_volatility(self.points(), _PACE_STEP_NS)
        if not volatility:
            raise ValueError("the price did not move from minute to minute: the recording is too short")
        volume = sum(one.qty for one in self.prints) * _NS_PER_HOUR / (last_ns - first_ns)
        return Pace(volatility, volume)


def read_tape(root: Path, symbol: str, *, venue: str | None = None, category: str | None = None) -> Tape:
    """Read all stored days of an instrument.

    Raises
    ------
    DataError
        If there are none, more than one instrument is meant, or there is no trade.
    """
    days = find_days(root, symbol, venue=venue, category=category)
    read = _Read()
    for day in days:
        info = read_info(day.path)
        read.tick = max(read.tick, Decimal(info.tick_size))
        _read_day(day, info, read)
    if not read.prints:
        raise DataError(root, f"no trade of {symbol}", "import a recording with public trades")
    # Where the venue's own best bid and ask came more often than the book, it knows of changes that the book skips.
    quotes = max(read.by_book, read.by_venue, key=len)
    by_receiver = _without_clock(quotes, read.prints)
    quotes.sort(key=itemgetter(1 if by_receiver else 0))
    quote_ns = [recv_ns if by_receiver else exch_ns for exch_ns, recv_ns, _ in quotes]
    touches = [quote for _, _, quote in quotes]
    # The fills of one order share the exchange's instant, never the receiver's.
    read.prints.sort(key=itemgetter(0))
    trades = collapse(Print(exch_ns, *told) for exch_ns, _, told in read.prints)
    if by_receiver:
        received = {exch_ns: recv_ns for exch_ns, recv_ns, _ in reversed(read.prints)}
        moved = (replace(one, at_ns=received[one.at_ns]) for one in trades)
        trades = sorted(moved, key=lambda one: one.at_ns)
    known = [_with_mid(one, quote_ns, touches) for one in trades] if quotes else with_mids(trades)
    return Tape(
        stream=days[0].stream,
        tick_px=float(read.tick),
        quote_ns=quote_ns,
        quotes=touches,
        prints=[one for one in known if one is not None],
        fills=len(read.prints),
        by_receiver=by_receiver,
    )


_Touch = tuple[int, int, Quote]
_Trade = tuple[int, int, tuple[int, float, float]]


@dataclass(slots=True)
class _Read:
    """What was read so far, each with the exchange's and the receiver's time."""

    tick: Decimal = field(default_factory=Decimal)
    by_book: list[_Touch] = field(default_factory=list)
    by_venue: list[_Touch] = field(default_factory=list)
    prints: list[_Trade] = field(default_factory=list)


def _without_clock(quotes: Sequence[_Touch], prints: Sequence[_Trade]) -> bool:
    """Whether quotes carry the receiver's time alone, and trades the exchange's: that gives them no common order."""
    return (
        bool(quotes) and all(one[0] == one[1] for one in quotes) and any(one[0] != one[1] for one in prints)
    )


def _with_mid(trade: Print, quote_ns: Sequence[int], quotes: Sequence[Quote]) -> Print | None:
    at = bisect_left(quote_ns, trade.at_ns) - 1
    if at < 0:
        return None
    return Print(trade.at_ns, trade.sign, trade.px, trade.qty, quotes[at].mid_px)


def _read_day(day: Day, info: Info, read: _Read) -> None:
    """Go through one day; a touch that does not differ from the one before is left out."""
    tick, lot = float(Decimal(info.tick_size)), float(Decimal(info.lot_size))
    book, lone = Book(), {1: (0, 0), -1: (0, 0)}
    last: dict[bool, tuple[int, int, int, int] | None] = {True: None, False: None}
    changed = {True: False, False: False}
    for exch_ns, recv_ns, kind, side, px, qty, flags in _rows_of(day):
        if kind == _TRADE or kind in _HITS:
            # Of an order that was hit the side is the resting one's.
            sign = side if kind == _TRADE else -side
            if sign and qty > 0 and px > 0:
                read.prints.append((exch_ns, recv_ns, (sign, px * tick, qty * lot)))
        if kind in _BOOK:
            book.apply(kind, side, px, qty, flags)
            changed[True] = True
        elif kind == _TOUCH and side:
            lone[side] = (px, qty)
            changed[False] = True
        if not flags & _LAST:
            continue
        for whole, into in ((True, read.by_book), (False, read.by_venue)):
            if not changed[whole]:
                continue
            changed[whole] = False
            touch = (book.touch() if book.sound else None) if whole else (*lone[1], *lone[-1])
            if touch is not None and touch != last[whole] and 0 < touch[0] < touch[2]:
                last[whole] = touch
                quote = Quote(touch[0] * tick, touch[1] * lot, touch[2] * tick, touch[3] * lot)
                into.append((exch_ns, recv_ns, quote))


def _rows_of(day: Day) -> Iterator[tuple[int, int, int, int, int, int, int]]:
    for rows in stream_rows(day.path):
        columns = (rows.exch_ns, rows.recv_ns, rows.kind, rows.side, rows.px, rows.qty, rows.flags)
        yield from zip(*(column.tolist() for column in columns), strict=True)
