"""What a contract's ticker says beside its prices, and liquidations of others, told to the engine in measured doses.

Funding rate, its next instant, open interest, mark and index price: told when any of them has changed, at most once in
five seconds, and again every half minute while ticker messages arrive, so that figures that stand still are not taken
for figures that are no longer told. Nothing is told without a message. A coin has none of these.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Final

from executor.domain.errors import Overflow
from executor.domain.events import ContractUpdated, PositionsLiquidated
from executor.domain.market import ForcedClose
from executor.domain.orders import Category
from executor.domain.ports import Post
from executor.domain.timeline import NS_PER_S
from executor.domain.units import Price, Quantity
from executor.venues.bybit.codec_public import (
    FUNDING_RATE,
    NEXT_FUNDING_TIME,
    OPEN_INTEREST,
    LiquidatedPosition,
)
from executor.venues.bybit.ticker_sync import TickerSync

CHANGED_NS: Final = 5 * NS_PER_S
KEPT_NS: Final = 30 * NS_PER_S
_FIELDS: Final = (FUNDING_RATE, NEXT_FUNDING_TIME, OPEN_INTEREST, "markPrice", "indexPrice")
_NOTHING: Final = (None,) * len(_FIELDS)


class ContractFeed:
    """Figures of one symbol.

    Parameters
    ----------
    ticker
        The symbol's, kept by whoever reads it.
    our_ns
        What our clock shows at a millisecond of the venue's clock.
    now_ns
        UTC, nanoseconds.
    """

    def __init__(
        self,
        *,
        category: Category,
        symbol: str,
        ticker: TickerSync,
        our_ns: Callable[[int], int],
        now_ns: Callable[[], int],
        post: Post,
    ) -> None:
        self._category, self._symbol = category, symbol
        self._ticker = ticker
        self._our_ns, self._now_ns = our_ns, now_ns
        self._post = post
        self._told: tuple[Decimal | None, ...] = _NOTHING
        self._told_ns = 0

    def tell(self) -> None:
        """Tell what is due, after a message that the ticker took in."""
        if self._category is Category.SPOT:
            return
        now_ns = self._now_ns()
        if now_ns < self._told_ns + CHANGED_NS:
            return
        figures = tuple(self._ticker.number(name) for name in _FIELDS)
        if figures == self._told and (figures == _NOTHING or now_ns < self._told_ns + KEPT_NS):
            return
        with suppress(Overflow):  # what finds no room is made good by the next message
            self._tell(figures)
            self._told, self._told_ns = figures, now_ns

    def tell_liquidations(self, positions: Sequence[LiquidatedPosition]) -> None:
        """Tell of positions that were closed by force; what finds no room is in the sums of the next snapshot."""
        told = tuple(
            ForcedClose(position=row.position, qty=Quantity(row.qty), px=Price(row.px)) for row in positions
        )
        if told:
            with suppress(Overflow):
                self._post(
                    PositionsLiquidated(at_ns=0, category=self._category, symbol=self._symbol, positions=told)
                )

    def lose(self) -> None:
        """Withdraw what was told: the connection ended.

        Raises
        ------
        Overflow
            If there is no room; to be called again.
        """
        if self._told != _NOTHING:
            self._tell(_NOTHING)
        self._told, self._told_ns = _NOTHING, 0

    def _tell(self, figures: tuple[Decimal | None, ...]) -> None:
        rate, next_ms, interest, mark, index = figures
        self._post(
            ContractUpdated(
                at_ns=0,
                category=self._category,
                symbol=self._symbol,
                funding_rate=rate,
                next_funding_ns=self._our_ns(int(next_ms)) if next_ms else None,
                open_interest=None if interest is None else Quantity(interest),
                mark_px=None if mark is None else Price(mark),
                index_px=None if index is None else Price(index),
            )
        )
