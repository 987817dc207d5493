"""The one-line summary of a market: last, best, mark, and what happened since the venue opened."""

from __future__ import annotations

from typing import Final

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.figures import short
from sandbox.bybit_server.market import Market

FUNDING_PERIOD_MS: Final = 8 * 3600 * 1000
OPEN_INTEREST: Final = "492373.72"


def ticker_shape(market: Market, server_ms: int) -> JsonObject:
    """Return the REST ticker; spot is recognised by clients from having no open interest."""
    item = market.instrument
    touch = {**_touch(market, Side.BUY, "bid1"), **_touch(market, Side.SELL, "ask1")}
    day = {
        "lastPrice": item.px_text(market.last_px),
        "prevPrice24h": item.px_text(market.open_px),
        "price24hPcnt": format(market.last_px / market.open_px - 1, ".6f"),
        "highPrice24h": item.px_text(market.high_px),
        "lowPrice24h": item.px_text(market.low_px),
        "turnover24h": format(market.turnover, ".4f"),
        "volume24h": short(market.volume),
    }
    if item.is_spot:
        return {"symbol": item.symbol, **touch, **day, "usdIndexPrice": item.px_text(market.mark_px)}
    return {
        "symbol": item.symbol,
        **day,
        "indexPrice": item.px_text(market.mark_px),
        "markPrice": item.px_text(market.mark_px),
        "prevPrice1h": item.px_text(market.open_px),
        **_contract_terms(market, server_ms),
        "predictedDeliveryPrice": "",
        "basisRate": "",
        "basisRateYear": "",
        "basis": "",
        "deliveryFeeRate": "",
        "deliveryTime": "0",
        **touch,
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
    }


def ticker_push(market: Market, server_ms: int) -> JsonObject:
    """Return the stream's ticker in full; spot shows no best prices there."""
    shape = ticker_shape(market, server_ms)
    if market.instrument.is_spot:
        return {key: value for key, value in shape.items() if not key.startswith(("bid1", "ask1"))}
    absent = (
        "predictedDeliveryPrice",
        "basisRate",
        "basisRateYear",
        "basis",
        "deliveryFeeRate",
        "deliveryTime",
    )
    push = {key: value for key, value in shape.items() if key not in absent}
    push["tickDirection"] = market.trades[-1].tick_direction if market.trades else "ZeroPlusTick"
    return push


def _touch(market: Market, side: Side, name: str) -> JsonObject:
    levels = market.book.half(side).levels(1)
    if not levels:
        return {f"{name}Price": "", f"{name}Size": ""}
    item = market.instrument
    return {
        f"{name}Price": item.px_text(item.px(levels[0][0])),
        f"{name}Size": item.qty_text(item.qty(levels[0][1])),
    }


def _contract_terms(market: Market, server_ms: int) -> JsonObject:
    next_funding_ms = server_ms - server_ms % FUNDING_PERIOD_MS + FUNDING_PERIOD_MS
    return {
        "openInterest": OPEN_INTEREST,
        "openInterestValue": format(market.mark_px * 492_373, ".2f"),
        "singleOpenInterest": "246186.86",
        "singleOpenInterestValue": format(market.mark_px * 246_186, ".2f"),
        "fundingRate": "0.0001",
        "nextFundingTime": str(next_funding_ms),
        "fundingIntervalHour": "8",
        "fundingCap": "0.00375",
    }
