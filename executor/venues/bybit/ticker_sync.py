"""A contract's or a coin's ticker, put together field by field. Pure.

A snapshot says everything; a delta says what changed, and what it does not name stands as it was. An empty text is a
value: the field has none.
"""

from decimal import Decimal

from executor.domain.errors import RemoteProtocolError
from executor.venues.bybit.codec_public import TickerFrame


class TickerSync:
    """One symbol's ticker."""

    def __init__(self) -> None:
        self._numbers: dict[str, Decimal | None] | None = None

    def lose(self) -> None:
        """Forget everything: the connection ended."""
        self._numbers = None

    def apply(self, frame: TickerFrame) -> None:
        """Take in one message.

        Raises
        ------
        RemoteProtocolError
            If it is a delta and no snapshot came before it.
        """
        if frame.snapshot:
            self._numbers = {**frame.numbers, **frame.terms}
        elif self._numbers is None:
            raise RemoteProtocolError("ticker delta before a snapshot")
        else:
            self._numbers |= frame.numbers
            self._numbers |= frame.terms

    def number(self, name: str) -> Decimal | None:
        """Value of a field; None while it has none."""
        return None if self._numbers is None else self._numbers.get(name)
