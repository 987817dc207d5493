"""The venue's own second opinions about a symbol: mark and index price, out of its ticker, in measured doses.

A source is told when its price has changed, at most once a second, and again every three seconds while ticker
messages arrive, so that a price that stands still is not taken for one that is no longer told. Nothing is
told without a message.
"""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Final

from executor.domain.errors import Overflow
from executor.domain.events import ReferenceUpdated
from executor.domain.orders import Category
from executor.domain.ports import Post
from executor.domain.timeline import NS_PER_S
from executor.domain.units import ZERO, Price
from executor.venues.bybit.codec_public import TickerFrame
from executor.venues.bybit.ticker_sync import TickerSync

MARK: Final = "mark"
INDEX: Final = "index"
_OF_A_CONTRACT: Final = {MARK: "markPrice", INDEX: "indexPrice"}
_OF_A_COIN: Final = {INDEX: "usdIndexPrice"}
_DOLLARS: Final = frozenset({"USDT", "USDC", "USD"})
_CHANGED_NS: Final = NS_PER_S
_KEPT_NS: Final = 3 * NS_PER_S


class ReferenceFeed:
    """References of one symbol.

    Parameters
    ----------
    quote_coin
        A spot symbol's index is in dollars, so it says something only of what is quoted in dollars.
    now_ns
        UTC, nanoseconds.
    """

    def __init__(
        self, *, category: Category, symbol: str, quote_coin: str, now_ns: Callable[[], int], post: Post
    ) -> None:
        self._category, self._symbol = category, symbol
        if category is not Category.SPOT:
            self._sources = _OF_A_CONTRACT
        else:
            self._sources = _OF_A_COIN if quote_coin in _DOLLARS else {}
        self._now_ns = now_ns
        self._post = post
        self.ticker = TickerSync()
        self._told: dict[str, tuple[Decimal | None, int]] = {}

    @property
    def is_wanted(self) -> bool:
        """Whether the ticker of this symbol has anything to say."""
        return bool(self._sources)

    def take(self, frame: TickerFrame) -> None:
        """Take in one ticker message and tell what is due.

        Raises
        ------
        RemoteProtocolError
            If the message does not follow from what came before it.
        """
        self.ticker.apply(frame)
        now_ns = self._now_ns()
        for source, name in self._sources.items():
            px = self.ticker.number(name) or None  # a price of zero is none
            told_px, told_ns = self._told.get(source, (None, 0))
            due_ns = told_ns + (_CHANGED_NS if px != told_px else _KEPT_NS)
            if now_ns >= due_ns and (px is not None or told_px is not None):
                with suppress(Overflow):  # what finds no room is made good by the next message
                    self._tell(source, px)
                    self._told[source] = (px, now_ns)

    def lose(self) -> None:
        """Withdraw what was told: the connection ended.

        Raises
        ------
        Overflow
            If there is no room; to be called again.
        """
        self.ticker.lose()
        for source, (px, _) in list(self._told.items()):
            if px is not None:
                self._tell(source, None)
            del self._told[source]

    def _tell(self, source: str, px: Decimal | None) -> None:
        price = None if px is None or px <= ZERO else Price(px)
        self._post(
            ReferenceUpdated(at_ns=0, category=self._category, symbol=self._symbol, source=source, px=price)
        )
