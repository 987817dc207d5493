"""What an importer hands on: rows of one stream with exact numbers and the line each came from."""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from typing import Final

import numpy as np

from backtest.dataset.faults import Fault, Findings
from backtest.dataset.rows import DTYPES, Bytes, Flag, Ints, Kind, Mask, Signs
from backtest.dataset.ticks import Exact, exact

BATCH_ROWS: Final = 200_000
TIME_NS_MAX: Final = (1 << 62) - 2
"""In the year 2116; a replay knows no later instant."""
_ID_MAX: Final = (1 << 63) - 1
_NAME: Final = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,39}\Z", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Stream:
    """Which instrument rows belong to; the names become names of folders, so their form is narrow."""

    venue: str
    category: str
    symbol: str

    def __post_init__(self) -> None:
        """Refuse what could not be the name of a folder."""
        for name in (self.venue, self.category, self.symbol):
            if not _NAME.match(name):
                raise ValueError(f"{name!r} is no name of a venue, category or symbol")

    @staticmethod
    def is_name(text: str) -> bool:
        """Tell whether a text can name a venue, a category or a symbol."""
        return bool(_NAME.match(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows of one stream out of one source, in its order, still in decimals.

    Parameters
    ----------
    px, qty
        Whole numbers at the decimal scales `px_scale` and `qty_scale`.
    line
        Line of the source, from 1.
    ident
        What two trades must not share: their id, or a hash of it; 0 where there is none.
    void_ids
        Ids of the venue's numbering that are no trades and have no row.
    Others as in `Rows`.
    """

    stream: Stream
    source: str
    exch_ns: Ints
    recv_ns: Ints
    kind: Bytes
    side: Signs
    px: Ints
    qty: Ints
    order_id: Ints
    seq: Ints
    flags: Bytes
    line: Ints
    ident: Ints
    px_scale: int
    qty_scale: int
    recv_known: bool = True
    newest_first: bool = False
    trades_numbered: bool = False
    rules: "RuleSteps | None" = None
    void_ids: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.exch_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSteps:
    """Tick and lot size as the venue's own rules state them."""

    tick: Fraction
    lot: Fraction


def id_hash(text: str) -> int:
    """Sixty-three bits of a hash of a trade id that is no number.

    Among five million ids of a day the chance that any two that differ share one is below one in 700,000.
    """
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


@dataclass(slots=True, kw_only=True)
class Gatherer:
    """Collects the messages of one stream and makes batches of them.

    Parameters
    ----------
    stream, source
        What is collected and out of which file.
    found
        Where rows whose numbers cannot be kept are told.
    """

    stream: Stream
    source: str
    found: Findings
    recv_known: bool = True
    trades_numbered: bool = False
    rules: RuleSteps | None = None
    void_ids: list[int] = field(default_factory=list)
    _px: list[str] = field(default_factory=list)
    _qty: list[str] = field(default_factory=list)
    _runs: list[tuple[int, int, int, int, int, int, int, int, int, int]] = field(default_factory=list)
    _message: int = 0

    def __len__(self) -> int:
        return len(self._px)

    def add(
        self,
        px: list[str],
        qty: list[str],
        *,
        exch_ns: int,
        recv_ns: int,
        kind: Kind,
        side: int,
        line: int,
        seq: int = 0,
        flags: int = 0,
        ident: int = 0,
    ) -> None:
        """Take rows that share everything but price and quantity; whose times or ids cannot be kept are told."""
        if px and self.can_keep(exch_ns=exch_ns, recv_ns=recv_ns, line=line, seq=seq, ident=ident):
            self._px += px
            self._qty += qty
            self._runs.append((len(px), exch_ns, recv_ns, kind, side, seq, flags, line, ident, self._message))

    def can_keep(self, *, exch_ns: int, recv_ns: int, line: int, seq: int = 0, ident: int = 0) -> bool:
        """Whether the times and ids of a message fit into their columns; if not, it is told.

        Who follows a book asks before a message changes anything, so that one left out is missed by the next.
        """
        if self.is_time(exch_ns) and self.is_time(recv_ns) and abs(seq) <= _ID_MAX and abs(ident) <= _ID_MAX:
            return True
        told = " ".join(
            f"{name} {value if abs(value) <= 10 * _ID_MAX else 'of too many digits'}"
            for name, value in (("time", exch_ns), ("received", recv_ns), ("id", seq), ("trade", ident))
        )
        self.found.add(Fault.BAD_NUMBER, self.source, line, told)
        return False

    @staticmethod
    def is_time(at_ns: int) -> bool:
        """Whether an instant is one that can be kept."""
        return 0 <= at_ns <= TIME_NS_MAX

    def clear(self, *, exch_ns: int, recv_ns: int, line: int, seq: int = 0, flags: int = 0) -> None:
        """Take the beginning of a snapshot, or the end of what is known."""
        self.add(
            ["0"],
            ["0"],
            exch_ns=exch_ns,
            recv_ns=recv_ns,
            kind=Kind.CLEAR,
            side=0,
            line=line,
            seq=seq,
            flags=flags,
        )

    def end_message(self) -> None:
        """Say that the book is consistent after what was added last."""
        self._message += 1

    def flush(self) -> Batch | None:
        """Give what was collected since the last time; None if nothing was."""
        if not self._px:
            return None
        px, qty = exact(self._px), exact(self._qty)
        columns = list(zip(*self._runs, strict=True))
        counts = np.array(columns[0])
        exch, recv, kind, side, seq, flags, line, ident, message = (
            np.repeat(np.array(column, np.int64), counts) for column in columns[1:]
        )
        keep = self._kept(px, qty, line)
        if keep is not None:
            exch, recv, kind, side, seq, flags, line, ident, message = (
                column[keep] for column in (exch, recv, kind, side, seq, flags, line, ident, message)
            )
        void_ids = tuple(self.void_ids)
        self._px, self._qty, self._runs, self.void_ids = [], [], [], []
        if len(message):
            last = np.append(message[1:] != message[:-1], message[-1] != self._message)
            flags |= last * int(Flag.LAST)
        return Batch(
            stream=self.stream,
            source=self.source,
            exch_ns=exch,
            recv_ns=recv,
            kind=kind.astype(DTYPES["kind"]),
            side=side.astype(DTYPES["side"]),
            px=px.values if keep is None else px.values[keep],
            qty=qty.values if keep is None else qty.values[keep],
            order_id=np.zeros(len(exch), np.int64),
            seq=seq,
            flags=flags.astype(DTYPES["flags"]),
            line=line,
            ident=ident,
            px_scale=px.scale,
            qty_scale=qty.scale,
            recv_known=self.recv_known,
            trades_numbered=self.trades_numbered,
            rules=self.rules,
            void_ids=void_ids,
        )

    def _kept(self, px: Exact, qty: Exact, line: Ints) -> Mask | None:
        """Tell of rows with bad numbers, and give which are left; None if all are good."""
        if px.bad is None and qty.bad is None:
            return None
        bad = np.zeros(len(line), np.bool_)
        for numbers, texts, what in ((px, self._px, "price"), (qty, self._qty, "quantity")):
            if numbers.bad is not None:
                bad |= numbers.bad
                for place in np.flatnonzero(numbers.bad).tolist():
                    self.found.add(
                        Fault.BAD_NUMBER, self.source, int(line[place]), f"{what} {texts[place][:40]!r}"
                    )
        return ~bad
