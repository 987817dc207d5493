"""A market as a recording left it at an instant, known the way the engine would know it by then."""

from decimal import Decimal
from typing import Final

from backtest.dataset.book import Book
from backtest.dataset.errors import DataError
from backtest.dataset.rows import BOOK_KINDS, Flag, Kind
from backtest.dataset.store import stream_rows
from backtest.recording import Recording
from executor.domain.market import MarketSnapshot
from executor.domain.timeline import NS_PER_S, iso_utc
from executor.domain.units import ZERO, Money, Price, Quantity
from executor.engine.state import MarketState
from risk.circuit import Estimates, observe

_BOOK: Final = frozenset(map(int, BOOK_KINDS))
_HITS: Final = frozenset((int(Kind.EXECUTE), int(Kind.HIDDEN)))
_TRADE, _TOUCH, _LAST = int(Kind.TRADE), int(Kind.TOUCH), int(Flag.LAST)


def market_at(recording: Recording, at_ns: int | None) -> tuple[MarketState, int]:
    """Go through the day of an instant up to it, sampling once a second as the engine does.

    Parameters
    ----------
    at_ns
        Exchange's time, UTC; None is the end of the recording.

    Returns
    -------
    tuple
        The market, and the instant that it is of.

    Raises
    ------
    DataError
        If the instant is outside the recording, or there was no touch by then.
    """
    until_ns = recording.last_ns if at_ns is None else at_ns
    root = recording.days[0].path
    if not recording.first_ns <= until_ns <= recording.last_ns:
        span = f"{iso_utc(recording.first_ns)} to {iso_utc(recording.last_ns)}"
        raise DataError(root, f"no recording at {iso_utc(until_ns)}", "choose another instant", allowed=span)
    chosen = [
        (day, info)
        for day, info in zip(recording.days, recording.infos, strict=True)
        if info.first_exch_ns <= until_ns
    ]
    day, info = chosen[-1]
    tick, lot = Decimal(info.tick_size), Decimal(info.lot_size)
    book, lone = Book(), {1: (0, 0), -1: (0, 0)}
    touch: tuple[int, int, int, int] | None = None
    estimates, lots, seen_ns, by_book = Estimates(), 0, 0, False
    for rows in stream_rows(day.path):
        columns = (rows.exch_ns, rows.kind, rows.side, rows.px, rows.qty, rows.flags)
        for exch_ns, kind, side, px, qty, flags in zip(*(one.tolist() for one in columns), strict=True):
            if exch_ns > until_ns:
                break
            if kind == _TRADE or kind in _HITS:
                lots += qty
            if kind in _BOOK:
                by_book = True
                book.apply(kind, side, px, qty, flags)
            elif kind == _TOUCH and side:
                lone[side] = (px, qty)
            if not flags & _LAST or exch_ns - estimates.sample_ns < NS_PER_S:
                continue
            touch = (book.touch() if book.sound else None) if by_book else (*lone[1], *lone[-1])
            if touch is not None and 0 < touch[0] < touch[2]:
                seen_ns = exch_ns
                mid = tick * (touch[0] + touch[2]) / 2
                estimates = observe(estimates, exch_ns, mid, lot * lots)
        else:
            continue
        break
    if touch is None or not 0 < touch[0] < touch[2]:
        raise DataError(day.path, f"no touch by {iso_utc(until_ns)}", "choose a later instant")
    snapshot = MarketSnapshot(
        category=recording.rules.category,
        symbol=recording.rules.symbol,
        best_bid=Price(tick * touch[0]),
        best_bid_qty=Quantity(lot * touch[1]),
        best_ask=Price(tick * touch[2]),
        best_ask_qty=Quantity(lot * touch[3]),
        traded_qty=Quantity(lot * lots),
        traded_notional=Money(ZERO),
        ts_exchange_ns=seen_ns,
    )
    market = MarketState(instrument=recording.rules, snapshot=snapshot, book_ns=until_ns, estimates=estimates)
    return market, until_ns
