"""What stands around one symbol's book, remembered for as long as a question to the model can be about it. Pure.

Figures are left out rather than shown for more than they are. What was watched for a shorter time than it is counted
over has no count yet, what was not heard of lately has no value, and a lost connection ends both: a sum across it would
have a hole. The open interest alone outlives a connection, because it is a level and not a flow.

Nothing is decided by any of this, and none of it is told to the engine. Instants are put on our own clock as they
arrive, never later than their arrival, so that every age is counted by the clock that stamps the context. A venue's
clock that is ahead makes nothing look fresher than it is, and messages that were held up look as old as they are.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from executor.advice.context import (
    FIGURE_MAX,
    LEVELS_MAX,
    LIQUIDATIONS_MAX,
    LIQUIDATIONS_NS,
    TRADES_MAX,
    Level,
    Liquidation,
    MarketContext,
    RecentTrade,
)
from executor.domain.timeline import NS_PER_MIN, NS_PER_S
from executor.domain.units import ZERO, Price, Quantity
from executor.venues.bybit.book_sync import BookSync
from executor.venues.bybit.codec_public import (
    FUNDING_RATE,
    NEXT_FUNDING_TIME,
    OPEN_INTEREST,
    LiquidatedPosition,
    PublicTrade,
)
from executor.venues.bybit.codec_public import Level as BookLevel
from executor.venues.bybit.ticker_sync import TickerSync

BOOK_NS_MAX: Final = 2 * NS_PER_S
"""Age from which levels are not shown; the gate takes no older book either."""
TICKER_NS_MAX: Final = 2 * NS_PER_MIN
"""Silence of the ticker after which nothing that it said is shown; it speaks many times a minute."""
VOLUME_NS: Final = NS_PER_MIN
"""How far back the traded volume is counted."""
INTEREST_NS: Final = 60 * NS_PER_MIN
"""How far back the open interest is compared."""
_INTEREST_NS_MAX: Final = 65 * NS_PER_MIN  # after a hole in the samples an hour may not be called one
_SAMPLE_NS: Final = NS_PER_MIN
_SAMPLES_MAX: Final = 1 + _INTEREST_NS_MAX // _SAMPLE_NS
_SECONDS: Final = VOLUME_NS // NS_PER_S
_SECONDS_KEPT: Final = 2 * _SECONDS
_PER_CENT: Final = Decimal(100)
_PCT_STEP: Final = Decimal("0.0001")


class Scenery:
    """The surroundings of one symbol.

    Parameters
    ----------
    ticker
        The symbol's, kept by whoever reads it.
    our_ns
        What our clock shows at a millisecond of the venue's clock.
    """

    def __init__(self, ticker: TickerSync, our_ns: Callable[[int], int]) -> None:
        self._ticker = ticker
        self._our_ns = our_ns
        self._trades: deque[RecentTrade] = deque(maxlen=TRADES_MAX)
        self._qty_by_second: dict[int, Decimal] = {}
        self._liquidations: deque[Liquidation] = deque(maxlen=LIQUIDATIONS_MAX)
        self._interest: deque[tuple[int, Decimal]] = deque(maxlen=_SAMPLES_MAX)
        self._trades_since_ns: int | None = None
        self._liquidations_since_ns: int | None = None
        self._ticker_ns: int | None = None

    def watch_trades(self, now_ns: int) -> None:
        """From this moment on no trade is missed."""
        self._trades_since_ns = now_ns

    def watch_liquidations(self, now_ns: int) -> None:
        """From this moment on no liquidation is missed."""
        self._liquidations_since_ns = now_ns

    def lose(self) -> None:
        """Begin anew: the connection ended. What was counted until then is outside of every span that begins later."""
        self._trades.clear()
        self._trades_since_ns = self._liquidations_since_ns = self._ticker_ns = None

    def take_trades(self, trades: Sequence[PublicTrade], now_ns: int) -> None:
        """Take in one message, the oldest trade first."""
        volume = self._qty_by_second
        for trade in trades:
            at_ns = self._arrived_ns(trade.at_ms, now_ns)
            self._trades.append(
                RecentTrade(side=trade.side, px=Price(trade.px), qty=Quantity(trade.qty), at_ns=at_ns)
            )
            second = at_ns // NS_PER_S
            volume[second] = volume.get(second, ZERO) + trade.qty
        if len(volume) > _SECONDS_KEPT:
            self._qty_by_second = {
                second: qty for second, qty in volume.items() if second > now_ns // NS_PER_S - _SECONDS
            }

    def take_liquidations(self, positions: Sequence[LiquidatedPosition], now_ns: int) -> None:
        """Take in one message."""
        self._liquidations.extend(
            Liquidation(
                position=row.position,
                px=Price(row.px),
                qty=Quantity(row.qty),
                at_ns=self._arrived_ns(row.at_ms, now_ns),
            )
            for row in positions
        )

    def heard_ticker(self, now_ns: int) -> None:
        """Look at the ticker after a message that it took in."""
        self._ticker_ns = now_ns
        if self._interest and now_ns - self._interest[-1][0] < _SAMPLE_NS:
            return
        interest = self._ticker.number(OPEN_INTEREST)
        if interest is not None:
            self._interest.append((now_ns, interest))

    def context(self, book: BookSync, book_ns: int, now_ns: int) -> MarketContext:
        """Describe the surroundings as they are known; a figure without a meaning is left out.

        Parameters
        ----------
        book_ns
            When the book was last known to be in step.
        """
        bids, asks = book.nearest(LEVELS_MAX) if now_ns - book_ns <= BOOK_NS_MAX else ([], [])
        rate, next_ns = self._funding(now_ns)
        return _described(
            now_ns,
            bids=_levels(bids),
            asks=_levels(asks),
            trades=tuple(reversed(self._trades)),
            volume_1min_qty=self._volume_qty(now_ns),
            funding_rate=rate,
            next_funding_ns=next_ns,
            open_interest_change_pct=self._interest_change_pct(now_ns),
            liquidations=self._recent_liquidations(now_ns),
        )

    def _arrived_ns(self, at_ms: int, now_ns: int) -> int:
        return min(self._our_ns(at_ms), now_ns) if at_ms else now_ns

    def _volume_qty(self, now_ns: int) -> Decimal | None:
        """Quantity of the last minute, to the second; None before a whole minute was watched."""
        if self._trades_since_ns is None or now_ns - self._trades_since_ns < VOLUME_NS:
            return None
        first = now_ns // NS_PER_S - _SECONDS
        return sum((qty for second, qty in self._qty_by_second.items() if second > first), ZERO)

    def _is_ticker_fresh(self, now_ns: int) -> bool:
        return self._ticker_ns is not None and now_ns - self._ticker_ns <= TICKER_NS_MAX

    def _funding(self, now_ns: int) -> tuple[Decimal | None, int | None]:
        """Rate and instant of the next funding; neither once it has passed, when the rate is the last one's."""
        if not self._is_ticker_fresh(now_ns):
            return None, None
        rate, next_ms = self._ticker.number(FUNDING_RATE), self._ticker.number(NEXT_FUNDING_TIME)
        if not next_ms:
            return rate, None
        next_ns = self._our_ns(int(next_ms))
        return (rate, next_ns) if next_ns > now_ns else (None, None)

    def _interest_change_pct(self, now_ns: int) -> Decimal | None:
        """Compare the open interest with the newest sample that is an hour old; None without one."""
        current = self._ticker.number(OPEN_INTEREST) if self._is_ticker_fresh(now_ns) else None
        before = next(
            (
                interest
                for at_ns, interest in reversed(self._interest)
                if INTEREST_NS <= now_ns - at_ns <= _INTEREST_NS_MAX
            ),
            None,
        )
        if current is None or not before:
            return None
        change_pct = (current - before) / before * _PER_CENT
        return change_pct.quantize(_PCT_STEP) if abs(change_pct) < FIGURE_MAX else None

    def _recent_liquidations(self, now_ns: int) -> tuple[Liquidation, ...] | None:
        """Liquidations of the last minutes; None before as many minutes were watched."""
        if self._liquidations_since_ns is None or now_ns - self._liquidations_since_ns < LIQUIDATIONS_NS:
            return None
        return tuple(row for row in self._liquidations if now_ns - row.at_ns <= LIQUIDATIONS_NS)


def _levels(rows: Sequence[BookLevel]) -> tuple[Level, ...]:
    return tuple(Level(px=Price(Decimal(px)), qty=Quantity(Decimal(qty))) for px, qty in rows)


def _described(at_ns: int, **figures: Any) -> MarketContext:  # noqa: ANN401 - each is checked where it is set
    """Put a context together figure by figure, without those that it refuses."""
    context = MarketContext(at_ns=at_ns)
    for name, figure in figures.items():
        with suppress(ValueError):
            context = replace(context, **{name: figure})
    return context
