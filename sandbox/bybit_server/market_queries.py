"""What anybody may read about the venue and its markets."""

from __future__ import annotations

from typing import Final

from sandbox.bybit_server.clock import NS_PER_S, now_ms
from sandbox.bybit_server.exchange import Exchange
from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.figures import short
from sandbox.bybit_server.instruments import instrument_shape
from sandbox.bybit_server.market import Candle, Market
from sandbox.bybit_server.order_requests import find_market, read_category
from sandbox.bybit_server.paging import page
from sandbox.bybit_server.refusal import parameter_error
from sandbox.bybit_server.tickers import ticker_shape

KLINE_MINUTES: Final = {"1": 1, "3": 3, "5": 5, "15": 15, "30": 30, "60": 60, "120": 120, "240": 240}


def server_time(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/time."""
    now_ns = exchange.clock.now_ns()
    return {"timeSecond": str(now_ns // NS_PER_S), "timeNano": str(now_ns)}


def instruments_info(exchange: Exchange, fields: Fields) -> JsonObject:
    """Answer market/instruments-info; everything listed is in status Trading."""
    category = read_category(fields)
    symbol, base, status = (fields.text(name) for name in ("symbol", "baseCoin", "status"))
    rows = [
        market.instrument
        for key, market in exchange.markets.items()
        if key[0] == category
        and symbol in {"", key[1]}
        and base in {"", market.instrument.base_coin}
        and status in {"", "Trading"}
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
    values = {"category": "linear", **{k: v for k, v in fields.values.items() if v}}
    market = find_market(exchange.markets, Fields(values))
    minutes = KLINE_MINUTES.get(fields.text("interval"))
    if minutes is None:
        raise parameter_error("params error: interval invalid")
    limit = fields.whole("limit", 200, 1, 1000)
    start_ms = fields.whole("start", 0, 0, 10**14)
    end_ms = fields.whole("end", 10**14, 0, 10**14)
    chosen = [c for c in _merged(market, minutes) if start_ms <= c.start_ms <= end_ms][-limit:]
    item = market.instrument
    rows = [
        [
            str(candle.start_ms),
            item.px_text(candle.open_px),
            item.px_text(candle.high_px),
            item.px_text(candle.low_px),
            item.px_text(candle.close_px),
            short(candle.volume),
            short(candle.turnover),
        ]
        for candle in reversed(chosen)
    ]
    return {"category": item.category, "symbol": item.symbol, "list": rows}


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


def _merged(market: Market, minutes: int) -> list[Candle]:
    span_ms = minutes * 60_000
    merged: list[Candle] = []
    for candle in market.candles:
        start_ms = candle.start_ms - candle.start_ms % span_ms
        if merged and merged[-1].start_ms == start_ms:
            last = merged[-1]
            last.high_px = max(last.high_px, candle.high_px)
            last.low_px = min(last.low_px, candle.low_px)
            last.close_px = candle.close_px
            last.volume += candle.volume
            last.turnover += candle.turnover
        else:
            merged.append(
                Candle(
                    start_ms,
                    candle.open_px,
                    candle.high_px,
                    candle.low_px,
                    candle.close_px,
                    candle.volume,
                    candle.turnover,
                )
            )
    return merged
