"""Stored days in the forms of others: plain CSV with exact decimals, and the arrays that hftbacktest reads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np

from backtest.dataset.order import out_of_order
from backtest.dataset.rows import DTYPES, RATE_UNITS, Flag, Ints, Kind
from backtest.dataset.store import read_info, read_rows, stream_rows

Told = Callable[[int, int], None]
CSV_HEADER: Final = "exch_ns,recv_ns,kind,side,price,quantity,order_id,seq,flags\n"
EVENT: Final = np.dtype(
    [
        ("ev", "u8"),
        ("exch_ts", "i8"),
        ("local_ts", "i8"),
        ("px", "f8"),
        ("qty", "f8"),
        ("order_id", "u8"),
        ("ival", "i8"),
        ("fval", "f8"),
    ]
)
_AT_EXCHANGE: Final = 1 << 31
_AT_LOCAL: Final = 1 << 30
_BUY: Final = 1 << 29
_SELL: Final = 1 << 28
_DEPTH, _TRADE, _CLEAR, _SNAPSHOT = 1, 2, 3, 4


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """Give another name to write under; the file takes its own when all of it is written, else nothing stays."""
    partial = target.with_name(f"{target.name}.partial")
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def to_csv(source: Path, target: Path, told: Told = lambda _done, _total: None) -> int:
    """Write a day as text; prices and quantities are exact. Gives the number of rows.

    Parameters
    ----------
    told
        Told how many bytes of the day were used up, and of how many.
    """
    info = read_info(source)
    size = source.stat().st_size
    tick, lot = Decimal(info.tick_size), Decimal(info.lot_size)
    rate = Decimal(1) / RATE_UNITS
    names = {int(kind): kind.name for kind in Kind}
    count = 0
    with _whole(target) as partial, partial.open("w", encoding="ascii", newline="") as file:
        file.write(CSV_HEADER)
        for rows in stream_rows(source):
            columns = (getattr(rows, name).tolist() for name in DTYPES)
            for exch, recv, kind, side, px, qty, order_id, seq, flags in zip(*columns, strict=True):
                price = px * (rate if kind == Kind.FUNDING else tick)
                file.write(
                    f"{exch},{recv},{names[kind]},{side},{price:f},{qty * lot:f},{order_id},{seq},{flags}\n"
                )
            count += len(rows)
            told(size * count // info.rows, size)
    return count


def to_hftbacktest(source: Path, target: Path) -> tuple[int, int]:
    """Write the book and the trades of a day as an `.npz` for hftbacktest; order-level rows are not converted.

    That reader wants each side's events in the order of its own clock, and no event seen before it happened: rows
    that the exchange had in another order are told to each side apart, and where the receiver's clock was behind,
    all its times are moved by one amount. Gives the number of events and the nanoseconds of that move.
    """
    info = read_info(source)
    rows = read_rows(source)
    rows = rows.take(np.isin(rows.kind, (Kind.LEVEL, Kind.TRADE, Kind.CLEAR)))
    lags = rows.recv_ns - rows.exch_ns
    moved_ns = max(0, -int(lags.min())) if len(rows) else 0
    events = np.zeros(len(rows), EVENT)
    snapshot = (rows.flags & Flag.SNAPSHOT) != 0
    what = np.where(rows.kind == Kind.TRADE, _TRADE, np.where(snapshot, _SNAPSHOT, _DEPTH))
    what = np.where(rows.kind == Kind.CLEAR, _CLEAR, what)
    sides = np.where(rows.side > 0, _BUY, np.where(rows.side < 0, _SELL, 0))
    events["ev"] = what | sides
    events["exch_ts"], events["local_ts"] = rows.exch_ns, rows.recv_ns + moved_ns
    # The other side's numbers are floats; ours end here.
    events["px"] = rows.px * float(Decimal(info.tick_size))
    events["qty"] = rows.qty * float(Decimal(info.lot_size))
    with _whole(target) as partial, partial.open("wb") as file:
        np.savez_compressed(file, data=_both_orders(events))
    return len(events), moved_ns


def _both_orders(
    events: "np.ndarray[tuple[int], np.dtype[np.void]]",
) -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    """Mark who sees an event; one that stands elsewhere in the exchange's order is told twice."""
    late = np.zeros(len(events), np.bool_)
    exch: Ints = np.ascontiguousarray(events["exch_ts"])
    late[out_of_order(exch)] = True
    events["ev"] |= np.where(late, _AT_LOCAL, _AT_LOCAL | _AT_EXCHANGE).astype(np.uint64)
    if not late.any():
        return events
    again = events[late].copy()
    again["ev"] = (again["ev"] & np.uint64(_AT_LOCAL ^ (2**64 - 1))) | np.uint64(_AT_EXCHANGE)
    again = again[np.argsort(again["exch_ts"], kind="stable")]
    in_order = np.flatnonzero(~late)
    behind = np.searchsorted(exch[in_order], again["exch_ts"], side="right")
    places = np.append(in_order, len(events))[behind]
    return np.insert(events, places, again)
