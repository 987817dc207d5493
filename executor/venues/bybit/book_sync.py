"""A local order book kept in step with Bybit's snapshot-and-delta stream. Pure.

A snapshot replaces everything, at any time. A delta must follow its predecessor by exactly one; anything
else is a gap, and a book with a gap is no book until the next snapshot.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from executor.domain.errors import RemoteProtocolError
from executor.domain.units import ZERO, parse_plain


class BookSync:
    """One symbol's book at one depth."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.best_bid: Decimal = ZERO
        self.best_ask: Decimal = ZERO
        self.update_id = 0
        self.sound = False

    def lose(self) -> None:
        """Forget the book: the connection ended, or it can not be trusted."""
        self.bids.clear()
        self.asks.clear()
        self.sound = False

    def apply(self, kind: str, data: Mapping[str, object]) -> None:
        """Take in one message of the `orderbook` topic.

        Raises
        ------
        RemoteProtocolError
            If the message cannot be read, leaves a gap, or leaves the book crossed or one-sided. The book
            is then unsound until the next snapshot.
        """
        try:
            self._apply(kind, data)
        except RemoteProtocolError:
            self.sound = False
            raise

    def _apply(self, kind: str, data: Mapping[str, object]) -> None:
        update_id = data.get("u")
        if not isinstance(update_id, int) or isinstance(update_id, bool):
            raise RemoteProtocolError(f"book update id {update_id!r}")
        bids, asks = _levels(data.get("b")), _levels(data.get("a"))
        if kind == "snapshot" or update_id == 1:
            self.bids = {px: qty for px, qty in dict(bids).items() if qty}
            self.asks = {px: qty for px, qty in dict(asks).items() if qty}
        elif kind == "delta":
            if not self.sound:
                raise RemoteProtocolError("book delta before a snapshot")
            if update_id != self.update_id + 1:
                raise RemoteProtocolError(f"book gap: update {update_id} after {self.update_id}")
            _merge(self.bids, bids)
            _merge(self.asks, asks)
        else:
            raise RemoteProtocolError(f"book message of type {kind!r}")
        self.update_id = update_id
        if not self.bids or not self.asks:
            raise RemoteProtocolError("book is one-sided")
        self.best_bid, self.best_ask = max(self.bids), min(self.asks)
        if self.best_bid >= self.best_ask:
            raise RemoteProtocolError(f"book is crossed: {self.best_bid} / {self.best_ask}")
        self.sound = True


def _merge(side: dict[Decimal, Decimal], levels: Iterable[tuple[Decimal, Decimal]]) -> None:
    for px, qty in levels:
        if qty:
            side[px] = qty
        else:
            side.pop(px, None)  # a level we do not have may be deleted


def _levels(rows: object) -> list[tuple[Decimal, Decimal]]:
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise RemoteProtocolError("book without levels")
    try:
        levels = [(parse_plain(px), parse_plain(qty)) for px, qty in rows]
    except (ValueError, TypeError) as error:
        raise RemoteProtocolError(f"book level: {error}") from error
    if any(px <= ZERO for px, _ in levels):
        raise RemoteProtocolError("book level at price zero")
    return levels
