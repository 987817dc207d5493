"""What anybody may read about the venue and its markets."""

from __future__ import annotations

from typing import Final

from sandbox.bybit_server.candles import INTERVALS, Interval, candle_row, candles
from sandbox.bybit_server.clock import NS_PER_S, now_ms
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import short
from sandbox.bybit_server.instruments import TRADING, instrument_shape
from sandbox.bybit_server.market import MINUTE_MS, Market
from sandbox.bybit_server.order_requests import find_market, read_category
from sandbox.bybit_server.paging import page
from sandbox.bybit_server.price_history import INDEX, MARK
from sandbox.bybit_server.reference_prices import INTEREST
from sandbox.bybit_server.refusal import parameter_error
from sandbox.bybit_server.tickers import funding_period_ms, open_interest_qty, ticker_shape

OPEN_INTEREST_MINUTES: Final = {"5min": 5, "15min": 15, "30min": 30, "1h": 60, "4h": 240, "1d": 1440}
LISTED_STATUSES: Final = frozenset({TRADING})
OHLC_COLUMNS: Final = 5
TIME_MAX_MS: Final = 10**14
STAMPS_MAX: Final = 1000
INSURANCE_BALANCE: Final = "100000000"


def server_time(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/time."""
    now_ns = exchange.clock.now_ns()
    return {"timeSecond": str(now_ns // NS_PER_S), "timeNano": str(now_ns)}


def instruments_info(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/instruments-info; what is not trading is shown to those who ask for its status."""
    category = read_category(fields)
    symbol, base, status = (fields.text(name) for name in ("symbol", "baseCoin", "status"))
    rows = [
        market.instrument
        for key, market in exchange.markets.items()
        if key[0] == category
        and symbol in {"", key[1]}
        and (base in {"", market.instrument.base_coin} or category == "spot")
        and market.instrument.status in ({status} if status else LISTED_STATUSES)
    ]
    if category == "spot":
        return {"category": category, "list": [instrument_shape(item) for item in rows]}
    chosen, cursor = page(rows, fields, limit_default=500, limit_max=1000, name=lambda item: item.symbol)
    return {
        "category": category,
        "list": [instrument_shape(item) for item in chosen],
        "nextPageCursor": cursor,
    }


def order_book(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/orderbook; ``u`` counts in another series than the streams do."""
    market = find_market(exchange.markets, fields)
    depth = fields.whole("limit", 1 if market.instrument.is_spot else 25, 1, 1000)
    server_ms = now_ms(exchange.clock)
    item = market.instrument

    def side(levels: list[tuple[int, int]]) -> list[list[str]]:
        return [[item.px_text(item.px(px)), item.qty_text(item.qty(lots))] for px, lots in levels]

    return {
        "s": item.symbol,
        "b": side(market.book.bids.levels(depth)),
        "a": side(market.book.asks.levels(depth)),
        "ts": server_ms,
        "u": market.book.version,
        "seq": market.seq,
        "cts": server_ms,
    }


def tickers(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/tickers."""
    category = read_category(fields)
    if fields.text("symbol"):
        chosen = [find_market(exchange.markets, fields)]
    else:
        chosen = [market for key, market in exchange.markets.items() if key[0] == category]
    server_ms = now_ms(exchange.clock)
    return {"category": category, "list": [ticker_shape(market, server_ms) for market in chosen]}


def recent_trades(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/recent-trade, newest first."""
    market = find_market(exchange.markets, fields)
    item = market.instrument
    limit = fields.whole("limit", 60 if item.is_spot else 500, 1, 1000)
    rows: list[JsonObject] = [
        {
            "execId": trade.exec_id,
            "symbol": item.symbol,
            "price": item.px_text(trade.px),
            "size": item.qty_text(trade.qty),
            "side": trade.side.value,
            "time": str(trade.time_ms),
            "isBlockTrade": False,
            "isRPITrade": False,
            "seq": str(trade.seq),
        }
        for trade in reversed(market.trades)
    ]
    return {"category": item.category, "list": rows[: min(limit, 60) if item.is_spot else limit]}


def klines(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/kline from the venue's own trades, newest first."""
    market, interval = _kline_request(exchange, fields)
    rows = candles(market.candles, market.last_px, interval, now_ms(exchange.clock))
    return _kline_answer(market, fields, [candle_row(market.instrument, candle) for candle in rows])


def mark_klines(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/mark-price-kline: candles without volume, newest first."""
    return _price_klines(exchange, fields, MARK)


def index_klines(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/index-price-kline: candles without volume, newest first."""
    return _price_klines(exchange, fields, INDEX)


def funding_history(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/funding/history, newest first; the venue's past is one of the standard rate."""
    market = find_market(exchange.markets, fields)
    item = market.instrument
    if not item.is_perpetual:
        raise parameter_error("params error: symbol invalid")
    server_ms = now_ms(exchange.clock)
    start_ms, end_ms = _span(fields, server_ms)
    if start_ms and not fields.text("endTime"):
        raise parameter_error("params error: endTime is required with startTime")
    stamps = _stamps(funding_period_ms(item), start_ms, end_ms)[: fields.whole("limit", 200, 1, 200)]
    rows = [
        {"symbol": item.symbol, "fundingRate": short(INTEREST), "fundingRateTimestamp": str(stamp)}
        for stamp in stamps
    ]
    return {"category": item.category, "list": rows}


def open_interest(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/open-interest, newest first, paged."""
    market = find_market(exchange.markets, fields)
    item = market.instrument
    if item.is_spot:
        raise parameter_error("params error: category invalid")
    minutes = OPEN_INTEREST_MINUTES.get(fields.text("intervalTime"))
    if minutes is None:
        raise parameter_error("params error: intervalTime invalid")
    stamps = _stamps(minutes * MINUTE_MS, *_span(fields, now_ms(exchange.clock)))
    chosen, cursor = page(stamps, fields, limit_default=50, limit_max=200, name=str)
    qty = open_interest_qty(market)
    rows = [
        {
            "openInterest": format(qty, ".8f"),
            "singleOpenInterest": format(qty / 2, ".8f"),
            "timestamp": str(stamp),
        }
        for stamp in chosen
    ]
    return {"symbol": item.symbol, "category": item.category, "list": rows, "nextPageCursor": cursor}


def insurance(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/insurance: a pool per settle coin, which never pays."""
    coin = fields.text("coin")
    settled = sorted({key_market.instrument.settle_coin for key_market in exchange.markets.values()})
    rows = [
        {"coin": name, "symbols": "", "balance": INSURANCE_BALANCE, "value": INSURANCE_BALANCE}
        for name in settled
        if coin in {"", name}
    ]
    return {"updatedTime": str(now_ms(exchange.clock)), "list": rows}


def announcements(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer announcements/index: there are none."""
    if not fields.text("locale"):
        raise parameter_error("params error: locale is required")
    return {"total": 0, "list": []}


def system_status(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer system/status with the announced maintenance."""
    return {"list": exchange.notices.shapes(fields.text("id"), fields.text("state"))}


def price_limit(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/price-limit."""
    market = find_market(exchange.markets, Fields({"category": "linear", **fields.values}))
    item = market.instrument
    return {
        "symbol": item.symbol,
        "buyLmt": item.px_text(market.buy_limit_px()),
        "sellLmt": item.px_text(market.sell_limit_px()),
        "ts": str(now_ms(exchange.clock)),
    }


def _price_klines(exchange: Exchange, fields: Fields, kind: str) -> JsonObject:
    market, interval = _kline_request(exchange, fields)
    item = market.instrument
    if item.is_spot:
        raise parameter_error("params error: category invalid")
    px = market.mark_px if kind == MARK else market.index_px
    minutes = exchange.price_history.minutes(item.key, kind)
    rows = candles(minutes, px, interval, now_ms(exchange.clock))
    return _kline_answer(market, fields, [candle_row(item, candle)[:OHLC_COLUMNS] for candle in rows])


def _kline_request(exchange: Exchange, fields: Fields) -> tuple[Market, Interval]:
    values = {"category": "linear", **{k: v for k, v in fields.values.items() if v}}
    market = find_market(exchange.markets, Fields(values))
    interval = INTERVALS.get(fields.text("interval"))
    if interval is None:
        raise parameter_error("params error: interval invalid")
    return market, interval


def _kline_answer(market: Market, fields: Fields, rows: list[list[str]]) -> JsonObject:
    """Return the newest rows (oldest first on entry) that start between ``start`` and ``end``."""
    limit = fields.whole("limit", 200, 1, 1000)
    start_ms = fields.whole("start", 0, 0, TIME_MAX_MS)
    end_ms = fields.whole("end", TIME_MAX_MS, 0, TIME_MAX_MS)
    chosen = [row for row in rows if start_ms <= int(row[0]) <= end_ms][-limit:]
    item = market.instrument
    return {"category": item.category, "symbol": item.symbol, "list": chosen[::-1]}


def _span(fields: Fields, server_ms: int) -> tuple[int, int]:
    return (
        fields.whole("startTime", 0, 0, TIME_MAX_MS),
        min(server_ms, fields.whole("endTime", server_ms, 0, TIME_MAX_MS)),
    )


def _stamps(period_ms: int, start_ms: int, end_ms: int) -> list[int]:
    """Return the multiples of a period from ``end_ms`` back to ``start_ms``, newest first, a bounded number."""
    last = end_ms - end_ms % period_ms
    first = max(start_ms, last - (STAMPS_MAX - 1) * period_ms)
    return list(range(last, first - 1, -period_ms))
