"""Raw captures of Binance's streams: `<receive time> <frame>` a line, with the snapshot of the book inline."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from backtest.dataset.faults import Fault, Findings
from backtest.dataset.gather import BATCH_ROWS, Batch, Gatherer, Stream
from backtest.dataset.importers.protocol import Options
from backtest.dataset.rows import Flag, Kind
from backtest.dataset.sources import blocks, head_of
from executor.domain.instrument import Instrument

Levels = list[tuple[str, str]]
MS: Final = 1_000_000
EARLY_FRAMES_MAX: Final = 5_000
_TIME_UNIT: Final = {13: 1_000_000, 16: 1_000, 19: 1}
"""Nanoseconds of the unit of a receive time, by its number of digits."""


class Frame(msgspec.Struct):
    """One frame of a combined stream."""

    stream: str
    data: msgspec.Raw


class Depth(msgspec.Struct):
    """Changes of the book; contracts say the id before (`pu`), spot does not."""

    s: str
    E: int
    U: int
    u: int
    b: Levels
    a: Levels
    T: int = 0
    pu: int | None = None


class Trade(msgspec.Struct):
    """One public trade; `m` says that the buyer was the maker."""

    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool
    X: str = ""


class BookTicker(msgspec.Struct):
    """Best bid and ask; that of spot has no time."""

    s: str
    u: int
    b: str
    B: str
    a: str
    A: str
    T: int = 0
    e: str = ""


class MarkPrice(msgspec.Struct):
    """The mark price of a contract."""

    s: str
    E: int
    p: str


class Snapshot(msgspec.Struct):
    """A whole book, as the REST service gives it; it does not say of what."""

    lastUpdateId: int  # noqa: N815 - the venue's word
    bids: Levels
    asks: Levels
    T: int = 0


class _StrangerError(Exception):
    """A frame speaks of another instrument than its stream."""


@dataclass(slots=True)
class _Feed:
    """What is followed of one instrument: `early` holds frames that a snapshot may still need."""

    into: Gatherer
    last_u: int | None = None
    whole: bool = False
    early: deque[tuple[Depth, int]] = field(default_factory=lambda: deque(maxlen=EARLY_FRAMES_MAX))


class BinanceCapture:
    """Reads captures of one symbol a file; the next file of the same symbol continues its book.

    Frames that came before the snapshot are kept as they came, under a void book; those of them that end after
    the snapshot's id are applied once more behind it.
    """

    name = "binance_capture"

    def __init__(self) -> None:
        self.instruments: dict[tuple[str, str], Instrument] = {}
        self._feeds: dict[tuple[str, str], _Feed] = {}
        self._frame = msgspec.json.Decoder(Frame).decode
        self._depth = msgspec.json.Decoder(Depth).decode
        self._trade = msgspec.json.Decoder(Trade).decode
        self._ticker = msgspec.json.Decoder(BookTicker).decode
        self._mark = msgspec.json.Decoder(MarkPrice).decode
        self._snapshot = msgspec.json.Decoder(Snapshot).decode

    def sniff(self, path: Path) -> bool:
        """Tell by a receive time before the first frame."""
        return bool(re.match(rb"\d{13,19} \{\"(stream|lastUpdateId)\":", head_of(path, 64)))

    def read(self, path: Path, options: Options, found: Findings) -> Iterator[Batch]:
        """Read the frames as they were received."""
        source = path.name
        seen: dict[str, _Feed] = {}
        waiting: tuple[Snapshot, int, int] | None = None
        category = options.category
        for number, lines in blocks(path):
            for line, text in enumerate(lines, start=number):
                if not text:
                    continue
                at, _, body = text.partition(b" ")
                unit = _TIME_UNIT.get(len(at)) if at.isdigit() else None
                try:
                    if unit is None:
                        raise ValueError(f"{at.decode('latin-1')[:40]!r} is no receive time")
                    recv_ns = int(at) * unit
                    if body.startswith(b'{"lastUpdateId"'):
                        if len(seen) > 1:
                            raise ValueError("a snapshot, but of which symbol?")
                        waiting = (self._snapshot(body), recv_ns, line)
                    else:
                        frame = self._frame(body)
                        message = self._message(frame)
                        if message is None:
                            found.note(f"frames of {frame.stream.partition('@')[2][:20]} are not kept")
                            continue
                        if not frame.stream.upper().startswith(f"{message.s}@"):
                            raise _StrangerError(f"{message.s} in {frame.stream[:40]}")
                        category = category or _category_of(message)
                        feed = seen.get(message.s)
                        if feed is None:
                            feed = seen[message.s] = self._feed(category, message.s, source, found)
                        if waiting is not None:
                            # The snapshot came before anything that says of what.
                            _take_snapshot(feed, *waiting, found)
                            waiting = None
                        _take(feed, message, recv_ns, line)
                    if waiting is not None and seen:
                        _take_snapshot(next(iter(seen.values())), *waiting, found)
                        waiting = None
                except _StrangerError as error:
                    found.add(Fault.WRONG_SYMBOL, source, line, str(error))
                except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
                    found.add(Fault.UNREADABLE, source, line, str(error)[:120])
            yield from self._full(BATCH_ROWS)
        yield from self._full(1)

    def _message(self, frame: Frame) -> Depth | Trade | BookTicker | MarkPrice | None:
        kind = frame.stream.partition("@")[2].partition("@")[0]
        match kind:
            case "depth":
                return self._depth(frame.data)
            case "trade":
                return self._trade(frame.data)
            case "bookTicker":
                return self._ticker(frame.data)
            case "markPrice":
                return self._mark(frame.data)
            case _:
                return None

    def _feed(self, category: str, symbol: str, source: str, found: Findings) -> _Feed:
        feed = self._feeds.get((category, symbol))
        if feed is None:
            stream = Stream("binance", category, symbol)
            into = Gatherer(stream=stream, source=source, found=found, trades_numbered=True)
            feed = self._feeds[category, symbol] = _Feed(into)
        feed.into.source, feed.into.found = source, found
        return feed

    def _full(self, rows: int) -> Iterator[Batch]:
        for feed in self._feeds.values():
            if len(feed.into) >= rows and (batch := feed.into.flush()) is not None:
                yield batch


def _category_of(message: Depth | Trade | BookTicker | MarkPrice) -> str:
    """Tell contracts from spot by what only the frames of contracts have."""
    contract = True
    match message:
        case Depth():
            contract = message.pu is not None
        case Trade():
            contract = message.X != ""
        case BookTicker():
            contract = message.e != ""
        case MarkPrice():
            pass
    if not contract:
        return "spot"
    return "inverse" if "_" in message.s else "linear"


def _take(feed: _Feed, message: Depth | Trade | BookTicker | MarkPrice, recv_ns: int, line: int) -> None:
    """Turn one message into rows."""
    match message:
        case Depth():
            _take_depth(feed, message, recv_ns, line)
        case Trade(X="NA"):
            # Numbered among the trades, and none: no price, no quantity.
            if feed.into.can_keep(exch_ns=0, recv_ns=recv_ns, line=line, ident=message.t):
                feed.into.void_ids.append(message.t)
        case Trade():
            feed.into.add(
                [message.p],
                [message.q],
                exch_ns=message.T * MS,
                recv_ns=recv_ns,
                kind=Kind.TRADE,
                side=-1 if message.m else 1,
                line=line,
                seq=message.t,
                ident=message.t,
            )
        case BookTicker():
            at_ns = message.T * MS or recv_ns
            for side, px, qty in ((1, message.b, message.B), (-1, message.a, message.A)):
                feed.into.add(
                    [px],
                    [qty],
                    exch_ns=at_ns,
                    recv_ns=recv_ns,
                    kind=Kind.TOUCH,
                    side=side,
                    line=line,
                    seq=message.u,
                )
        case MarkPrice():
            feed.into.add(
                [message.p],
                ["0"],
                exch_ns=message.E * MS,
                recv_ns=recv_ns,
                kind=Kind.MARK,
                side=0,
                line=line,
            )
    feed.into.end_message()


def follows(depth: Depth, last_u: int) -> bool:
    """Tell whether a message continues a book that ended at an id.

    That of a contract names the id before; the first after a snapshot reaches over the snapshot's id.
    """
    reaches = depth.U <= last_u + 1 <= depth.u + 1
    return reaches if depth.pu is None else (depth.pu == last_u or reaches)


def _take_depth(feed: _Feed, depth: Depth, recv_ns: int, line: int) -> None:
    """Apply a message, or pass over one that the snapshot holds already; a break voids the book."""
    if feed.whole and feed.last_u is not None and depth.u <= feed.last_u:
        feed.into.found.note("depth frames that the snapshot held already")
        return
    if not feed.into.can_keep(exch_ns=_exch_ns(depth), recv_ns=recv_ns, line=line, seq=depth.u):
        return
    if feed.last_u is None or not follows(depth, feed.last_u):
        feed.whole = False
        feed.early.clear()
        feed.into.clear(exch_ns=_exch_ns(depth), recv_ns=recv_ns, line=line, seq=depth.u, flags=int(Flag.GAP))
    if not feed.whole:
        feed.early.append((depth, line))
    feed.last_u = depth.u
    _add_levels(feed.into, depth, recv_ns, line)


def _take_snapshot(feed: _Feed, snapshot: Snapshot, recv_ns: int, line: int, found: Findings) -> None:
    """Begin the book with a snapshot, then apply what came before it and ends after it."""
    last_u = snapshot.lastUpdateId
    if feed.whole and feed.last_u is not None and last_u <= feed.last_u:
        found.note("snapshots of a book that was whole already")
        return
    exch_ns = snapshot.T * MS or recv_ns
    if not feed.into.can_keep(exch_ns=exch_ns, recv_ns=recv_ns, line=line, seq=last_u):
        return
    snap = int(Flag.SNAPSHOT)
    feed.into.clear(exch_ns=exch_ns, recv_ns=recv_ns, line=line, seq=last_u, flags=snap)
    for side, levels in ((1, snapshot.bids), (-1, snapshot.asks)):
        feed.into.add(
            [px for px, _ in levels],
            [qty for _, qty in levels],
            exch_ns=exch_ns,
            recv_ns=recv_ns,
            kind=Kind.LEVEL,
            side=side,
            line=line,
            seq=last_u,
            flags=snap,
        )
    feed.into.end_message()
    early = list(feed.early)
    feed.early.clear()
    feed.last_u, feed.whole = last_u, True
    for depth, at_line in early:
        if depth.u > last_u:
            found.note("early depth frames applied once more behind the snapshot")
            _take_depth(feed, depth, recv_ns, at_line)


def _exch_ns(depth: Depth) -> int:
    return (depth.T or depth.E) * MS


def _add_levels(into: Gatherer, depth: Depth, recv_ns: int, line: int) -> None:
    for side, levels in ((1, depth.b), (-1, depth.a)):
        into.add(
            [px for px, _ in levels],
            [qty for _, qty in levels],
            exch_ns=_exch_ns(depth),
            recv_ns=recv_ns,
            kind=Kind.LEVEL,
            side=side,
            line=line,
            seq=depth.u,
        )
    into.end_message()
