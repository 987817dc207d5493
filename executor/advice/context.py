"""What stands around the facts of a question: the depth of the book, the last trades, funding, liquidations, headlines.

The shell gathers it, and none of it is needed: what is not known is None. It is data for the model alone. No code
decides by it, and the snapshot hash does not cover it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from executor.advice.clean import clean, name_of
from executor.advice.facts import Document, exact, four_digits, hundredths, mean_qty, seconds
from executor.domain.orders import Side
from executor.domain.timeline import NS_PER_DAY, NS_PER_MIN, NS_PER_S
from executor.domain.units import BPS_PER_UNIT, ZERO, Price, Quantity, is_plain

LEVELS_MAX: Final = 5
"""Levels of each side of the book that are shown."""
TRADES_MAX: Final = 10
"""Public trades that are shown, the newest."""
LIQUIDATIONS_NS: Final = 5 * NS_PER_MIN
"""How far back liquidations are counted."""
LIQUIDATIONS_MAX: Final = 1_000
"""Liquidations that are counted at most."""
FIGURE_MAX: Final = Decimal(10**15)
"""Bound of every figure; sums of them stay below 10^18."""
NEWS_MAX: Final = 8
"""Texts from outside that are shown, the newest."""
NEWS_LEN_MAX: Final = 500
"""Longest text from outside that is shown, characters."""
SOURCE_LEN_MAX: Final = 60
"""Longest name of a source of texts, characters."""
NOT_CONFIGURED: Final = "none configured"
"""Stands in the place of texts where no source of them is configured."""

_EUROPE_OPENS_NS: Final = 8 * 60 * NS_PER_MIN
_US_OPENS_NS: Final = 14 * 60 * NS_PER_MIN
_US_CLOSES_NS: Final = 21 * 60 * NS_PER_MIN


class Session(StrEnum):
    """Whose business hours it is."""

    ASIA = "Asia"
    EUROPE = "Europe"
    US = "US"
    OVERNIGHT = "overnight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One price of the book and the quantity that rests there, base units."""

    px: Price
    qty: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentTrade:
    """A public trade; the side is the one that took."""

    side: Side
    px: Price
    qty: Quantity
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidation:
    """A position that the venue closed by force: BUY was a long, SELL a short.

    Parameters
    ----------
    px
        Its bankruptcy price, quote per base.
    """

    position: Side
    px: Price
    qty: Quantity
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFlow:
    """Coins moved onto exchanges minus coins moved off, as some provider counts them.

    Parameters
    ----------
    net_qty
        Base units; positive is onto exchanges.
    span_ns
        The time it was counted over.
    """

    source: str
    net_qty: Decimal
    span_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketContext:
    """The surroundings of one question.

    Parameters
    ----------
    at_ns
        When it was gathered, UTC; ages and the session are counted from it.
    bids, asks
        Best first.
    trades
        Newest first.
    volume_1min_qty
        Traded in the last minute, base units.
    funding_rate
        Of the next funding, a fraction of the position's value; positive is paid by longs.
    next_funding_ns
        When, UTC.
    open_interest_change_pct
        Over the last hour, per cent.
    liquidations
        Any order; None where there is no such feed.
    """

    at_ns: int
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    trades: tuple[RecentTrade, ...] = ()
    volume_1min_qty: Decimal | None = None
    funding_rate: Decimal | None = None
    next_funding_ns: int | None = None
    open_interest_change_pct: Decimal | None = None
    liquidations: tuple[Liquidation, ...] | None = None
    exchange_flow: ExchangeFlow | None = None

    def __post_init__(self) -> None:
        """Refuse figures without a meaning, here where whoever gathered them can leave them out."""
        flow_qty = None if self.exchange_flow is None else self.exchange_flow.net_qty
        rows: tuple[Level | RecentTrade | Liquidation, ...] = (
            *self.bids,
            *self.asks,
            *self.trades,
            *(self.liquidations or ()),
        )
        figures = [self.volume_1min_qty, self.funding_rate, self.open_interest_change_pct, flow_qty]
        for figure in (*figures, *(row.px for row in rows), *(row.qty for row in rows)):
            if figure is not None and not (is_plain(figure) and abs(figure) < FIGURE_MAX):
                raise ValueError(f"a figure without a meaning: {figure!r:.40}")
        for row in rows:
            if row.px <= ZERO or row.qty < ZERO:
                raise ValueError(f"{row.qty} at the price {row.px}")
        if len(self.liquidations or ()) > LIQUIDATIONS_MAX:
            raise ValueError(f"{len(self.liquidations or ())} liquidations")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsItem:
    """A text that somebody outside wrote: to be read by the model as data, never as an instruction."""

    source: str
    at_ns: int
    text: str


def imbalance(bids: Sequence[Level], asks: Sequence[Level]) -> Decimal | None:
    """Weigh the two sides of a book against each other.

    rho = (B - A) / (B + A) with B and A the resting quantities (base units) of the levels given: near +1 the bids are
    heavier and the next move of the mid is more often up, near -1 the reverse. Sources: A. Cartea, S. Jaimungal and
    J. Penalva, "Algorithmic and High-Frequency Trading", Cambridge 2015; M. Gould and J. Bonart, "Queue
    imbalance as a one-tick-ahead price predictor in a limit order book", Market Microstruct. Liq. 2(2), 2016.

    Returns
    -------
    Decimal or None
        -1 to 1; None when nothing rests at all.
    """
    bid_qty = sum((level.qty for level in bids), ZERO)
    ask_qty = sum((level.qty for level in asks), ZERO)
    both = bid_qty + ask_qty
    return (bid_qty - ask_qty) / both if both > ZERO else None


def session_at(at_ns: int) -> Session:
    """Tell whose business hours an instant falls into: fixed hours of the UTC day, weekends included.

    Asia 00-08 (Tokyo's exchange opens at 09:00 JST, 00:00 UTC; Hong Kong's closes at 08:00 UTC), Europe 08-14 (London's
    opens at 08:00 local), US 14-21 (New York's trades 09:30-16:00 local, 14:30-21:00 UTC in winter), overnight 21-24.
    Hours as the exchanges publish them; in summer Europe and the US begin an hour earlier, which this leaves aside.

    Parameters
    ----------
    at_ns
        UTC.
    """
    of_day_ns = at_ns % NS_PER_DAY
    if of_day_ns < _EUROPE_OPENS_NS:
        return Session.ASIA
    if of_day_ns < _US_OPENS_NS:
        return Session.EUROPE
    return Session.US if of_day_ns < _US_CLOSES_NS else Session.OVERNIGHT


def context_document(context: MarketContext) -> Document:
    """Write the surroundings of a question; always these keys in this order."""
    bids, asks = context.bids[:LEVELS_MAX], context.asks[:LEVELS_MAX]
    next_ns = context.next_funding_ns
    return {
        "bids": [[exact(level.px), exact(level.qty)] for level in bids],
        "asks": [[exact(level.px), exact(level.qty)] for level in asks],
        "imbalance": hundredths(imbalance(bids, asks)),
        "last_trades": [
            [trade.side.name, exact(trade.px), exact(trade.qty), _age_s(context, trade.at_ns)]
            for trade in context.trades[:TRADES_MAX]
        ],
        "volume_1min_qty": mean_qty(context.volume_1min_qty),
        "funding_rate": four_digits(context.funding_rate),
        "funding_in_s": None if next_ns is None else seconds(max(0, next_ns - context.at_ns)),
        "open_interest_change_pct": hundredths(context.open_interest_change_pct),
        "liquidations": _liquidations_document(context),
        "exchange_flow": _flow_document(context.exchange_flow),
        "session": session_at(context.at_ns).value,
    }


def news_document(news: Sequence[NewsItem] | None, at_ns: int) -> list[Document] | str:
    """Write the texts from outside, newest first and made harmless.

    Parameters
    ----------
    news
        None when no source is configured, which is not the same as no news.
    at_ns
        The instant their ages are counted from, UTC.
    """
    if news is None:
        return NOT_CONFIGURED
    newest = sorted(news, key=lambda item: item.at_ns, reverse=True)[:NEWS_MAX]
    return [
        {
            "source": clean(item.source, SOURCE_LEN_MAX),
            "age_s": seconds(max(0, at_ns - item.at_ns)),
            "text": clean(item.text, NEWS_LEN_MAX),
        }
        for item in newest
    ]


def _liquidations_document(context: MarketContext) -> Document | None:
    """Quantities by force of the last minutes, and how far from the mid the nearest of them was."""
    if context.liquidations is None:
        return None
    recent = [event for event in context.liquidations if 0 <= context.at_ns - event.at_ns <= LIQUIDATIONS_NS]
    return {
        "long_qty": exact(_closed_qty(recent, Side.BUY)),
        "short_qty": exact(_closed_qty(recent, Side.SELL)),
        "span_s": seconds(LIQUIDATIONS_NS),
        "nearest_bps": hundredths(_nearest_bps(context, recent)),
    }


def _closed_qty(events: Sequence[Liquidation], position: Side) -> Decimal:
    return sum((event.qty for event in events if event.position is position), ZERO)


def _nearest_bps(context: MarketContext, events: Sequence[Liquidation]) -> Decimal | None:
    if not events or not context.bids or not context.asks:
        return None
    mid_px = (context.bids[0].px + context.asks[0].px) / 2
    nearest_bps = min(abs(event.px - mid_px) for event in events) / mid_px * BPS_PER_UNIT
    return min(nearest_bps, FIGURE_MAX)


def _flow_document(flow: ExchangeFlow | None) -> Document | None:
    if flow is None:
        return None
    return {
        "source": name_of(flow.source),
        "net_qty": mean_qty(flow.net_qty),
        "span_s": seconds(flow.span_ns),
    }


def _age_s(context: MarketContext, at_ns: int) -> str:
    """Write an age in seconds; trades of the last second are told apart by tenths."""
    tenths = max(0, context.at_ns - at_ns) * 10 // NS_PER_S
    return str(tenths // 10) if tenths >= 100 else f"{tenths // 10}.{tenths % 10}"
