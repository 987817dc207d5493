"""A local order book kept in step with Bybit's snapshot-and-delta stream. Pure.

A snapshot replaces everything, at any time; so does whatever carries update number 1, which is a restart of the
service. A delta must follow its predecessor by exactly one; anything else is a gap, and a book with a gap is no book
until the next snapshot. Depth 1 is sent as snapshots alone and counts differently, so no number is expected there.

Levels are keyed by integer price in units of 1e-18, so that "65140" and "65140.0" are one level, and keep the texts the
venue printed. Asks are keyed by the negative price, so that the best of either side is the largest key. It is
remembered, and looked for among all levels only when it was deleted. A text that was read and found sound once is not
read again, which is where the time would go.
"""

import re
from decimal import Decimal
from heapq import nlargest

from executor.domain.errors import RemoteProtocolError
from executor.domain.orders import Side
from executor.domain.units import ZERO
from executor.venues.bybit.codec_public import BookFrame, Level

_SCALE = 18
_IS_PLAIN = re.compile(
    r"[0-9]{1,18}+(?:\.[0-9]{1,18}+)?+"
).fullmatch  # as `executor.domain.units.parse_plain` has it
_NOWHERE = -(10**40)  # below every key
_TEXTS_MAX = 20_000
_LEVELS_MAX = 5_000


class _Keys(dict[str, int]):
    """Key of a price by its text; a text that is no positive plain number raises."""

    def __init__(self, side: Side) -> None:
        super().__init__()
        self._sign = side.sign

    def __missing__(self, text: str) -> int:
        if not _IS_PLAIN(text):
            raise _unreadable(text)
        whole, _, fraction = text.partition(".")
        key = self._sign * int(whole + fraction.ljust(_SCALE, "0"))
        if not key:
            raise RemoteProtocolError(f"book level at price {text}")
        if len(self) >= _TEXTS_MAX:
            self.clear()
        self[text] = key
        return key


class _Half:
    """One side of a book."""

    __slots__ = ("_keys", "best", "levels", "px")

    def __init__(self, side: Side) -> None:
        self._keys = _Keys(side)
        self.levels: dict[int, Level] = {}
        self.best = _NOWHERE
        self.px = ZERO

    def clear(self) -> None:
        """Forget every level."""
        self.levels.clear()
        self.best, self.px = _NOWHERE, ZERO

    def best_of(self, count: int) -> list[Level]:
        """Levels nearest to the touch, best first: one pass over the keys, none of them sorted but the few sought."""
        levels = self.levels
        return [levels[key] for key in nlargest(count, levels)]

    def merge(self, rows: list[Level]) -> None:
        """Write levels over those that stand; nothing at a price deletes it, if there was something."""
        keys, levels, best = self._keys, self.levels, self.best
        for level in rows:
            px, qty = level
            key = keys[px]
            if qty == "0":
                levels.pop(key, None)
            elif not _IS_PLAIN(qty):
                raise _unreadable(qty)
            elif qty.strip("0."):
                levels[key] = level
                if key > best:  # noqa: PLR1730 - `max` would cost as much as all the rest of this loop
                    best = key
            else:
                levels.pop(key, None)
        if best not in levels:
            best = max(levels, default=_NOWHERE)
        if best != self.best:
            self.best, self.px = best, Decimal(levels[best][0]) if levels else ZERO
        if len(levels) > _LEVELS_MAX:
            raise RemoteProtocolError(f"a side of a book with {len(levels)} levels")


class BookSync:
    """One symbol's book at one depth.

    Parameters
    ----------
    symbol
        The only one whose messages are taken.
    depth
        Levels of a side that the stream shows: 1, 50, 200 or 1000 (500 in archives).
    """

    def __init__(self, symbol: str, depth: int) -> None:
        self._symbol = symbol
        self._counts = depth > 1
        self._bids, self._asks = _Half(Side.BUY), _Half(Side.SELL)
        self._update_id = 0
        self._seq = 0
        self._in_step = False

    @property
    def sound(self) -> bool:
        """Whether the book is in step and has two sides."""
        return self._in_step and bool(self._bids.levels) and bool(self._asks.levels)

    @property
    def touch(self) -> tuple[Level, Level]:
        """Best bid and best ask of a sound book, price and size as the venue printed them."""
        return self._bids.levels[self._bids.best], self._asks.levels[self._asks.best]

    def nearest(self, count: int) -> tuple[list[Level], list[Level]]:
        """Bids and asks nearest to the touch, best first, as the venue printed them; none of a book that is not sound.

        Parameters
        ----------
        count
            Levels of each side at most.
        """
        return (self._bids.best_of(count), self._asks.best_of(count)) if self.sound else ([], [])

    @property
    def best_bid(self) -> Decimal:
        """Highest price somebody buys at; zero when nobody does."""
        return self._bids.px

    @property
    def best_ask(self) -> Decimal:
        """Lowest price somebody sells at; zero when nobody does."""
        return self._asks.px

    @property
    def bids(self) -> dict[Decimal, Decimal]:
        """All bids, price to size."""
        return {Decimal(px): Decimal(qty) for px, qty in self._bids.levels.values()}

    @property
    def asks(self) -> dict[Decimal, Decimal]:
        """All asks, price to size."""
        return {Decimal(px): Decimal(qty) for px, qty in self._asks.levels.values()}

    def lose(self) -> None:
        """Forget the book: the connection ended, or it can not be trusted."""
        self._bids.clear()
        self._asks.clear()
        self._in_step = False

    def apply(self, frame: BookFrame) -> None:
        """Take in one message of the `orderbook` topic.

        A side may be empty: such a book is in step and not sound, and becomes sound again by itself.

        Raises
        ------
        RemoteProtocolError
            If the message cannot be read, is another symbol's, leaves a gap, goes back in the venue's sequence, or
            leaves the book crossed or locked. The book is then unsound until the next snapshot.
        """
        data, kind = frame.data, frame.type
        in_step, self._in_step = self._in_step, False
        if data.s != self._symbol:
            raise RemoteProtocolError(f"book of {data.s[:40]!r} where {self._symbol} is expected")
        if kind == "snapshot" or (kind == "delta" and data.u == 1):
            self.lose()
        elif kind != "delta":
            raise RemoteProtocolError(f"book message of type {kind[:40]!r}")
        elif not in_step:
            raise RemoteProtocolError("book delta before a snapshot")
        elif self._counts and data.u != self._update_id + 1:
            raise RemoteProtocolError(f"book gap: update {data.u} after {self._update_id}")
        elif data.seq < self._seq:
            raise RemoteProtocolError(f"book goes back: sequence {data.seq} after {self._seq}")
        bids, asks = self._bids, self._asks
        if data.b:
            bids.merge(data.b)
        if data.a:
            asks.merge(data.a)
        if bids.best + asks.best >= 0:  # the key of an ask is its negative price
            raise RemoteProtocolError(f"book is crossed: {bids.px} / {asks.px}")
        self._update_id, self._seq, self._in_step = data.u, data.seq, True


def _unreadable(text: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"book level: not a plain decimal number: {text[:80]!r}")
