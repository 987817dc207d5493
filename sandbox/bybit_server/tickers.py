"""The one-line summary of a market: last, best, mark, and what happened since the venue opened."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.book import Side
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.figures import short
from sandbox.bybit_server.instruments import Instrument
from sandbox.bybit_server.market import Market

OPEN_INTEREST_USD: Final = Decimal(2_000_000_000)
MINUTE_MS: Final = 60_000
HOUR_MINUTES: Final = 60
FUNDING_CAP: Final = "0.00375"
NOT_DATED: Final = "0"


def open_interest_qty(market: Market) -> Decimal:
    """Return the open interest of both sides: base coin, on inverse contracts US dollars. It does not move."""
    item = market.instrument
    qty = OPEN_INTEREST_USD if item.is_inverse else OPEN_INTEREST_USD / item.start_px
    return 2 * item.qty(item.lots(qty))


def funding_period_ms(item: Instrument) -> int:
    """Return the time between two fundings."""
    return item.funding_minutes * MINUTE_MS


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
        return {"symbol": item.symbol, **touch, **day, "usdIndexPrice": item.px_text(market.index_px)}
    return {
        "symbol": item.symbol,
        **day,
        "indexPrice": item.px_text(market.index_px),
        "markPrice": item.px_text(market.mark_px),
        "prevPrice1h": item.px_text(market.open_px),
        **_contract_terms(market, server_ms),
        **_delivery_terms(market),
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
    absent = () if market.instrument.delivery_ms else tuple(_delivery_terms(market))
    push = {key: value for key, value in shape.items() if key not in absent}
    if market.instrument.delivery_ms:
        delivery = datetime.fromtimestamp(market.instrument.delivery_ms / 1000, UTC)
        push["deliveryTime"] = delivery.strftime("%Y-%m-%dT%H:%M:%SZ")
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
    item = market.instrument
    qty = open_interest_qty(market)
    terms: JsonObject = {
        "openInterest": short(qty),
        "openInterestValue": format(item.value(market.mark_px, qty), ".2f"),
        "singleOpenInterest": short(qty / 2),
        "singleOpenInterestValue": format(item.value(market.mark_px, qty / 2), ".2f"),
        "fundingRate": "",
        "nextFundingTime": NOT_DATED,
        "fundingIntervalHour": "",
        "fundingCap": "",
    }
    if item.is_perpetual:
        period_ms = funding_period_ms(item)
        terms |= {
            "fundingRate": short(market.premium.funding_rate()),
            "nextFundingTime": str(server_ms - server_ms % period_ms + period_ms),
            "fundingIntervalHour": str(item.funding_minutes // HOUR_MINUTES),
            "fundingCap": FUNDING_CAP,
        }
    return terms


def _delivery_terms(market: Market) -> JsonObject:
    """Return what only contracts with a date have; the basis is that of mark over index."""
    item = market.instrument
    if not item.delivery_ms:
        absent = ("predictedDeliveryPrice", "basisRate", "basisRateYear", "basis", "deliveryFeeRate")
        return {**dict.fromkeys(absent, ""), "deliveryTime": NOT_DATED}
    basis = market.mark_px - market.index_px
    return {
        "predictedDeliveryPrice": "",
        "basisRate": format(basis / market.index_px, ".8f"),
        "basisRateYear": "",
        "basis": short(basis),
        "deliveryFeeRate": "0",
        "deliveryTime": str(item.delivery_ms),
    }
