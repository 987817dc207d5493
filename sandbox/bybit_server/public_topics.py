"""Which public topics there are: from a subscription text to the feed that serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sandbox.bybit_server.book_faults import Distortions
from sandbox.bybit_server.book_feed import INTERVALS_NS, BookFeed
from sandbox.bybit_server.candles import INTERVALS
from sandbox.bybit_server.clock import NS_PER_MS
from sandbox.bybit_server.feeds import EventFeed, Feed
from sandbox.bybit_server.instruments import SymbolKey
from sandbox.bybit_server.kline_feed import KlineFeed, PriceLimitFeed
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.ticker_feed import TickerFeed

TRADES_PER_MESSAGE_MAX: Final = 1024
LIQUIDATION_INTERVAL_NS: Final = 500 * NS_PER_MS
STATUS_CATEGORY: Final = "misc/status"
STATUS_TOPIC: Final = "system.status"


class TopicTable:
    """Makes the feeds of one category.

    Parameters
    ----------
    category
        ``linear``, ``spot``, ..., or ``misc/status`` for the venue's announcements.
    markets
        All markets of the venue.
    distortions
        What is to be wrong with books.
    """

    def __init__(self, category: str, markets: Mapping[SymbolKey, Market], distortions: Distortions) -> None:
        self._category = category
        self._markets = markets
        self._distortions = distortions

    def knows(self, topic: str) -> bool:
        """Tell whether a topic exists."""
        return self._maker(topic) is not None

    def make(self, topic: str, server_ms: int) -> Feed:
        """Return a new feed of a topic that exists."""
        maker = self._maker(topic)
        assert maker is not None
        return maker(server_ms)

    def _maker(self, topic: str) -> Callable[[int], Feed] | None:
        if self._category == STATUS_CATEGORY:
            return _events(topic, rows_max=1, has_type=False) if topic == STATUS_TOPIC else None
        kind, _, rest = topic.partition(".")
        detail, _, symbol = rest.rpartition(".")
        market = self._markets.get((self._category, symbol))
        if market is None:
            return None
        match kind:
            case "orderbook" if (
                detail.isdecimal() and detail == str(int(detail)) and int(detail) in INTERVALS_NS
            ):
                return lambda server_ms: BookFeed(market, int(detail), self._distortions)
            case "kline" if detail in INTERVALS:
                return lambda server_ms: KlineFeed(market, INTERVALS[detail], server_ms)
            case "tickers" if not detail:
                return lambda server_ms: TickerFeed(market, server_ms)
            case "publicTrade" if not detail:
                return _events(topic, rows_max=TRADES_PER_MESSAGE_MAX)
            case "priceLimit" if not detail:
                return lambda server_ms: PriceLimitFeed(market)
            case "allLiquidation" if not detail and not market.instrument.is_spot:
                return _events(topic, rows_max=TRADES_PER_MESSAGE_MAX, interval_ns=LIQUIDATION_INTERVAL_NS)
            case _:
                return None


def _events(
    topic: str, *, rows_max: int, interval_ns: int = 0, has_type: bool = True
) -> Callable[[int], Feed]:
    return lambda server_ms: EventFeed(topic, rows_max=rows_max, interval_ns=interval_ns, has_type=has_type)
