"""Recorded sessions of Bybit's public streams: JSON lines with everything said and heard, or a log of frames."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from backtest.dataset.errors import DataError
from backtest.dataset.faults import Fault, Findings
from backtest.dataset.gather import BATCH_ROWS, Batch, Gatherer, Stream, id_hash
from backtest.dataset.importers.bybit_frames import (
    MS,
    BookChain,
    BookMessage,
    TickerMessage,
    TradeMessage,
    depth_of,
)
from backtest.dataset.importers.bybit_rules import read_rules, steps_of
from backtest.dataset.importers.protocol import Options
from backtest.dataset.rows import Flag, Kind
from backtest.dataset.sources import blocks, head_of
from executor.domain.instrument import Instrument

_CATEGORY: Final = re.compile(r"/v5/public/(linear|inverse|spot)\b")
_REPLY: Final = "/v5/market/instruments-info"
_TOUCH: Final = (("bid1Price", "bid1Size", 1), ("ask1Price", "ask1Size", -1))


class Record(msgspec.Struct):
    """One line of a session."""

    t: str
    conn: str = ""
    ts: msgspec.Raw = msgspec.Raw(b"0")
    addr: str = ""
    url: str = ""
    data: str = ""
    process_begins: bool = False
    frames: int = 0


class Topic(msgspec.Struct):
    """The part of a frame that says what it is."""

    topic: str = ""


@dataclass(slots=True)
class _Feed:
    """What is followed of one instrument; times of the last frame, and when what came by it ended, if it did."""

    into: Gatherer
    chain: BookChain = field(default_factory=BookChain)
    depth: int = 0
    ticker: dict[str, object] = field(default_factory=dict)
    exch_ns: int = 0
    recv_ns: int = 0
    lost_ns: int | None = None

    def heard(self, exch_ns: int, recv_ns: int, line: int) -> None:
        """Take the times of a frame; the first after a loss ends the book where the loss was."""
        if not self.into.is_time(exch_ns) or not self.into.is_time(recv_ns):
            return  # what comes with such a time is told where its rows are taken in
        if self.lost_ns is not None:
            # As old as the frame before it was, so that its times are in order with those around.
            lag_ns = self.recv_ns - self.exch_ns
            self.into.clear(
                exch_ns=min(max(self.lost_ns - lag_ns, self.exch_ns), exch_ns),
                recv_ns=self.lost_ns,
                line=line,
                flags=int(Flag.GAP),
            )
            self.into.end_message()
            self.chain.last_u, self.lost_ns = None, None
        self.exch_ns, self.recv_ns = exch_ns, recv_ns


class BybitCapture:
    """Reads a session as JSON lines (`header`, `http`, `connect`, `send`, `recv`, `lost`) and a `.ws.txt` log.

    The widest book topic of a symbol is its book; `orderbook.1` beside a wider one is its touch, as the best
    prices of the ticker are.
    """

    name = "bybit_capture"

    def __init__(self) -> None:
        self.instruments: dict[tuple[str, str], Instrument] = {}
        self._record = msgspec.json.Decoder(Record).decode
        self._topic = msgspec.json.Decoder(Topic).decode
        self._book = msgspec.json.Decoder(BookMessage).decode
        self._trades = msgspec.json.Decoder(TradeMessage).decode
        self._ticker = msgspec.json.Decoder(TickerMessage).decode
        self._feeds: dict[tuple[str, str], _Feed] = {}

    def sniff(self, path: Path) -> bool:
        """Tell by the first line."""
        head = head_of(path, 512)
        return bool(re.match(rb'\{"t": ?"(header|connect)"|wss?://\S*/v5/public/\w+ <', head))

    def read(self, path: Path, options: Options, found: Findings) -> Iterator[Batch]:
        """Read the frames as they were received, connection by connection if the file holds them so."""
        log = head_of(path, 4).startswith(b"ws")
        categories: dict[str, str] = {}
        for feed in self._feeds.values():
            feed.into.source = path.name
        for number, lines in blocks(path):
            for line, text in enumerate(lines, start=number):
                if not text:
                    continue
                try:
                    record = _of_log(text) if log else self._record(text)
                    self._take(record, categories, path.name, line, options, found)
                except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
                    found.add(Fault.UNREADABLE, path.name, line, str(error)[:120])
            yield from self._full(BATCH_ROWS)
        yield from self._full(1)

    def _full(self, rows: int) -> Iterator[Batch]:
        for feed in self._feeds.values():
            if len(feed.into) >= rows and (batch := feed.into.flush()) is not None:
                yield batch

    def _take(
        self,
        record: Record,
        categories: dict[str, str],
        source: str,
        line: int,
        options: Options,
        found: Findings,
    ) -> None:
        """Take in one line."""
        if record.t == "http" and _REPLY in record.url:
            self.instruments.update(read_rules(record.data))
        elif record.t in {"connect", "send"}:
            named = _CATEGORY.search(record.addr)
            if named is not None:
                categories[record.conn] = named[1]
        elif record.t == "header" and record.process_begins:
            for feed in self._feeds.values():
                feed.lost_ns = feed.lost_ns or feed.recv_ns
        elif record.t == "lost":
            for (of, _), feed in self._feeds.items():
                if of == categories.get(record.conn):
                    feed.lost_ns = max(_seconds_ns(bytes(record.ts)), feed.recv_ns)
        elif record.t == "dropped":
            found.note("frames were dropped by the recorder", record.frames)
        elif record.t == "recv":
            topic = self._topic(record.data.encode()).topic
            if not topic:
                return
            words = topic.split(".")
            category = options.category or categories.get(record.conn)
            if category is None:
                raise DataError(
                    f"{source}:{line}", "a frame before its connection was named", "give --category"
                )
            feed = self._feed(category, words[-1], source, found)
            recv_ns = _seconds_ns(bytes(record.ts))
            depth = depth_of(topic)
            if depth is not None:
                self._take_book(feed, depth, record.data, recv_ns, line)
            elif words[0] == "publicTrade":
                self._take_trades(feed, record.data, recv_ns, line, found)
            elif words[0] == "tickers":
                self._take_ticker(feed, record.data, recv_ns, line)
            else:
                found.note(f"frames of {words[0]} are not kept")

    def _feed(self, category: str, symbol: str, source: str, found: Findings) -> _Feed:
        feed = self._feeds.get((category, symbol))
        if feed is None:
            rules = steps_of(self.instruments.get((category, symbol)))
            stream = Stream("bybit", category, symbol)
            feed = self._feeds[category, symbol] = _Feed(
                Gatherer(stream=stream, source=source, found=found, rules=rules)
            )
        feed.into.found = found
        return feed

    def _take_book(self, feed: _Feed, depth: int, text: str, recv_ns: int, line: int) -> None:
        message = self._book(text.encode())
        if message.data.s != feed.into.stream.symbol:
            raise ValueError(f"a book of {message.data.s} under the topic {message.topic}")
        if depth > feed.depth:
            feed.depth, feed.chain.last_u = depth, None
        feed.heard((message.cts or message.ts) * MS, recv_ns, line)
        if depth == feed.depth:
            feed.chain.take(message, recv_ns, line, feed.into)
        elif depth == 1:
            for side, levels in ((1, message.data.b), (-1, message.data.a)):
                feed.into.add(
                    [px for px, _ in levels],
                    [qty for _, qty in levels],
                    exch_ns=(message.cts or message.ts) * MS,
                    recv_ns=recv_ns,
                    kind=Kind.TOUCH,
                    side=side,
                    line=line,
                    seq=message.data.seq,
                )
            feed.into.end_message()

    def _take_trades(self, feed: _Feed, text: str, recv_ns: int, line: int, found: Findings) -> None:
        message = self._trades(text.encode())
        feed.heard(message.ts * MS, recv_ns, line)
        for trade in message.data:
            side = {"Buy": 1, "Sell": -1}.get(trade.S)
            if trade.s != feed.into.stream.symbol:
                found.add(Fault.WRONG_SYMBOL, feed.into.source, line, trade.s[:40])
            elif side is None:
                found.add(Fault.BAD_SIDE, feed.into.source, line, trade.S[:40])
            else:
                feed.into.add(
                    [trade.p],
                    [trade.v],
                    exch_ns=trade.T * MS,
                    recv_ns=recv_ns,
                    kind=Kind.TRADE,
                    side=side,
                    line=line,
                    seq=trade.seq,
                    ident=id_hash(trade.i),
                )
        feed.into.end_message()

    def _take_ticker(self, feed: _Feed, text: str, recv_ns: int, line: int) -> None:
        message = self._ticker(text.encode())
        if message.type == "snapshot":
            feed.ticker.clear()
        feed.ticker.update(message.data)
        changed = message.data.keys()
        at_ns = message.ts * MS
        feed.heard(at_ns, recv_ns, line)
        if any(px in changed or qty in changed for px, qty, _ in _TOUCH):
            for px, qty, side in _TOUCH:
                if feed.ticker.get(px) and feed.ticker.get(qty):
                    feed.into.add(
                        [str(feed.ticker[px])],
                        [str(feed.ticker[qty])],
                        exch_ns=at_ns,
                        recv_ns=recv_ns,
                        kind=Kind.TOUCH,
                        side=side,
                        line=line,
                        seq=message.cs,
                    )
        if "markPrice" in changed:
            feed.into.add(
                [str(feed.ticker["markPrice"])],
                ["0"],
                exch_ns=at_ns,
                recv_ns=recv_ns,
                kind=Kind.MARK,
                side=0,
                line=line,
                seq=message.cs,
            )
        feed.into.end_message()


def _of_log(text: bytes) -> Record:
    """Read one line of a `.ws.txt` log: `<url> <-> <t>`, `<url> <- <t>: <json>` or `<t>: <json>`."""
    words = text.decode()
    if words.startswith("ws"):
        return Record(t="connect", addr=words.split(" ", 1)[0])
    at, _, body = words.partition(": ")
    return Record(t="recv", ts=msgspec.Raw(at.encode()), data=body)


def _seconds_ns(text: bytes) -> int:
    """Seconds as they were written, to the nanosecond, without the rounding of a float."""
    whole, _, part = text.partition(b".")
    if not whole.isdigit() or not (part.isdigit() or not part) or len(whole) > 11:
        raise ValueError(f"{text.decode('latin-1')[:40]!r} is no time")
    return int(whole) * 1_000_000_000 + int((part + b"000000000")[:9])
