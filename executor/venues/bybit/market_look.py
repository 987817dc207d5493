"""A market at one glance, out of what Bybit answers without a key: for a plan of a symbol that nobody follows yet."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final

from executor.domain.errors import RemoteProtocolError
from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot
from executor.domain.timeline import NS_PER_MIN, NS_PER_MS
from executor.domain.units import ZERO, Money, Price, Quantity
from executor.engine.plan_preview import paced
from executor.engine.state import MarketState
from executor.venues.bybit.codec import as_row
from executor.venues.bybit.codec_fields import Row, number, positive, whole
from impact.order_flow.volatility import PricePoint, realised_volatility

CANDLES: Final = 61
"""Minutes that are asked for, the open one included."""
CANDLES_MIN: Final = 10
"""Whole minutes from which volatility and volume are told; of fewer nothing is."""
_MINUTE_MS: Final = 60_000
_MINUTES_PER_HOUR: Final = 60
_FIELDS: Final = ("start", "open", "high", "low", "close", "volume")


def market_seen(
    rules: Instrument, tickers: Sequence[object], candles: Sequence[object], at_ns: int
) -> MarketState:
    """Put a market together from the answers about its ticker and its candles of a minute.

    Volatility is that of the closes of the whole minutes, volume their mean; neither is told of fewer than ten, nor
    where the price did not move or nobody traded.

    Parameters
    ----------
    at_ns
        Now by the venue's clock, UTC: a minute that is not over by then does not count.

    Raises
    ------
    RemoteProtocolError
        If an answer is not of this market, or not what it should be.
    """
    if len(tickers) != 1:
        raise RemoteProtocolError(f"{len(tickers)} tickers of {rules.symbol}")
    ticker = as_row(tickers[0])
    if ticker.get("symbol") != rules.symbol:
        raise RemoteProtocolError(f"a ticker of another symbol than {rules.symbol}")
    snapshot = MarketSnapshot(
        category=rules.category,
        symbol=rules.symbol,
        best_bid=Price(positive(ticker, "bid1Price")),
        best_bid_qty=Quantity(number(ticker, "bid1Size")),
        best_ask=Price(positive(ticker, "ask1Price")),
        best_ask_qty=Quantity(number(ticker, "ask1Size")),
        traded_qty=Quantity(ZERO),
        traded_notional=Money(ZERO),
        ts_exchange_ns=at_ns,
    )
    if snapshot.best_bid >= snapshot.best_ask:
        raise RemoteProtocolError(f"the book of {rules.symbol} is crossed")
    market = MarketState(instrument=rules, snapshot=snapshot, book_ns=at_ns)
    volatility, volume = _pace(candles, at_ns)
    return paced(market, volatility, volume)


def _pace(candles: Sequence[object], at_ns: int) -> tuple[float | None, float | None]:
    rows = sorted((_candle(each) for each in candles), key=lambda row: whole(row, "start"))
    starts = [whole(row, "start") for row in rows]
    if any(later - one != _MINUTE_MS for one, later in pairwise(starts)):
        raise RemoteProtocolError("candles with a hole between them")
    over = [row for row, start in zip(rows, starts, strict=True) if (start + _MINUTE_MS) * NS_PER_MS <= at_ns]
    if len(over) < CANDLES_MIN:
        return None, None
    points = [
        PricePoint((whole(row, "start") + _MINUTE_MS) * NS_PER_MS, float(positive(row, "close")))
        for row in over
    ]
    volume = sum((number(row, "volume") for row in over), ZERO) / len(over) * Decimal(_MINUTES_PER_HOUR)
    return realised_volatility(points, NS_PER_MIN) or None, float(volume) or None


def _candle(row: object) -> Row:
    if not isinstance(row, list) or len(row) < len(_FIELDS):
        raise RemoteProtocolError("a candle that is none")
    return dict(zip(_FIELDS, row, strict=False))
