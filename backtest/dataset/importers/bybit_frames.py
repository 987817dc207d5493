"""Bybit's public frames, as its stream sends them and its archive keeps them, and how its books follow on."""

from dataclasses import dataclass
from typing import Final

import msgspec

from backtest.dataset.gather import Gatherer
from backtest.dataset.rows import Flag, Kind

Levels = list[tuple[str, str]]
MS: Final = 1_000_000


class BookData(msgspec.Struct):
    """What one book message changes."""

    s: str
    b: Levels
    a: Levels
    u: int
    seq: int = 0


class BookMessage(msgspec.Struct):
    """A snapshot or a delta; `cts` is the matching engine's time, which early archives lack."""

    topic: str
    type: str
    ts: int
    data: BookData
    cts: int = 0


class TradeData(msgspec.Struct):
    """One public trade."""

    T: int
    s: str
    S: str
    v: str
    p: str
    i: str
    seq: int = 0


class TradeMessage(msgspec.Struct):
    """Trades that were pushed together."""

    topic: str
    ts: int
    data: list[TradeData]


class TickerMessage(msgspec.Struct):
    """A ticker: whole for spot, first whole and then changes for contracts."""

    topic: str
    type: str
    ts: int
    data: dict[str, object]
    cs: int = 0


@dataclass(slots=True)
class BookChain:
    """Follows the update ids of one book.

    Attributes
    ----------
    last_u
        Id of the last message; None before the first.
    """

    last_u: int | None = None

    def take(self, message: BookMessage, recv_ns: int | None, line: int, into: Gatherer) -> None:
        """Turn one message into rows; a delta that does not follow on voids the book first."""
        data = message.data
        exch_ns = (message.cts or message.ts) * MS
        at_ns = exch_ns if recv_ns is None else recv_ns
        if not into.can_keep(exch_ns=exch_ns, recv_ns=at_ns, line=line, seq=data.seq):
            return
        flags = 0
        if message.type == "snapshot":
            flags = int(Flag.SNAPSHOT)
            into.clear(exch_ns=exch_ns, recv_ns=at_ns, line=line, seq=data.seq, flags=flags)
        elif self.last_u is None or data.u != self.last_u + 1:
            into.clear(exch_ns=exch_ns, recv_ns=at_ns, line=line, seq=data.seq, flags=int(Flag.GAP))
        self.last_u = data.u
        for side, levels in ((1, data.b), (-1, data.a)):
            into.add(
                [px for px, _ in levels],
                [qty for _, qty in levels],
                exch_ns=exch_ns,
                recv_ns=at_ns,
                kind=Kind.LEVEL,
                side=side,
                line=line,
                seq=data.seq,
                flags=flags,
            )
        into.end_message()


def depth_of(topic: str) -> int | None:
    """Number of levels of a book topic; None if it is no book topic."""
    words = topic.split(".")
    return int(words[1]) if len(words) == 3 and words[0] == "orderbook" and words[1].isdigit() else None
