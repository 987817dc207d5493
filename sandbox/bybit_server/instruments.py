"""The symbols the venue lists: their steps and limits, and how the instruments-info endpoint shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from sandbox.bybit_server.figures import like, short

SymbolKey: TypeAlias = tuple[str, str]
"""Category and symbol: spot and linear share the text ``BTCUSDT``."""

LINEAR: Final = "linear"
SPOT: Final = "spot"
CATEGORIES: Final = ("spot", "linear", "inverse", "option")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One listed symbol. Quantities in base coin, prices in quote coin per base coin."""

    category: str
    symbol: str
    symbol_id: int
    base_coin: str
    quote_coin: str
    tick: Decimal
    step: Decimal
    qty_min: Decimal
    limit_qty_max: Decimal
    market_qty_max: Decimal
    notional_min: Decimal
    start_px: Decimal
    maker_rate: Decimal
    taker_rate: Decimal
    band_x: Decimal
    band_y: Decimal
    leverage_max: Decimal = Decimal(100)
    px_max: Decimal = Decimal("1999999.80")

    @property
    def key(self) -> SymbolKey:
        """Category and symbol together."""
        return (self.category, self.symbol)

    @property
    def is_spot(self) -> bool:
        """Whether fills change coin balances instead of a position."""
        return self.category == SPOT

    def ticks(self, px: Decimal) -> int:
        """Return whole ticks at or below ``px``."""
        return int(px // self.tick)

    def px(self, ticks: int) -> Decimal:
        """Return the price of a number of ticks."""
        return ticks * self.tick

    def lots(self, qty: Decimal) -> int:
        """Return whole quantity steps within ``qty``."""
        return int(qty // self.step)

    def qty(self, lots: int) -> Decimal:
        """Return the quantity of a number of steps."""
        return lots * self.step

    def px_text(self, px: Decimal) -> str:
        """Return a price with the tick's number of places."""
        return like(px, self.tick)

    def qty_text(self, qty: Decimal) -> str:
        """Return a quantity with the step's number of places."""
        return like(qty, self.step)


def listed_instruments() -> tuple[Instrument, ...]:
    """Return every symbol of the venue."""
    linear_rates = {"maker_rate": Decimal("0.0002"), "taker_rate": Decimal("0.00055")}
    linear_band = {"band_x": Decimal("0.01"), "band_y": Decimal("0.02")}
    return (
        Instrument(
            category=LINEAR, symbol="BTCUSDT", symbol_id=5, base_coin="BTC", quote_coin="USDT",
            tick=Decimal("0.10"), step=Decimal("0.001"), qty_min=Decimal("0.001"),
            limit_qty_max=Decimal("1190.000"), market_qty_max=Decimal("500.000"), notional_min=Decimal(5),
            start_px=Decimal("65000.00"), **linear_rates, **linear_band,
        ),
        Instrument(
            category=LINEAR, symbol="ETHUSDT", symbol_id=6, base_coin="ETH", quote_coin="USDT",
            tick=Decimal("0.01"), step=Decimal("0.01"), qty_min=Decimal("0.01"),
            limit_qty_max=Decimal("7240.00"), market_qty_max=Decimal("3000.00"), notional_min=Decimal(5),
            start_px=Decimal("3500.00"), px_max=Decimal("199999.98"), **linear_rates, **linear_band,
        ),
        Instrument(
            category=LINEAR, symbol="XRPUSDT", symbol_id=12, base_coin="XRP", quote_coin="USDT",
            tick=Decimal("0.0001"), step=Decimal("0.1"), qty_min=Decimal("0.1"),
            limit_qty_max=Decimal("3000000.0"), market_qty_max=Decimal("1000000.0"), notional_min=Decimal(5),
            start_px=Decimal("0.6000"), px_max=Decimal("1999.9998"), leverage_max=Decimal(75),
            **linear_rates, **linear_band,
        ),
        Instrument(
            category=SPOT, symbol="BTCUSDT", symbol_id=9, base_coin="BTC", quote_coin="USDT",
            tick=Decimal("0.1"), step=Decimal("0.000001"), qty_min=Decimal("0.000011"),
            limit_qty_max=Decimal(83), market_qty_max=Decimal("41.5"), notional_min=Decimal(5),
            start_px=Decimal("65000.0"), maker_rate=Decimal("0.001"), taker_rate=Decimal("0.001"),
            band_x=Decimal("0.005"), band_y=Decimal("0.01"),
        ),
    )  # fmt: skip


def catalogue(instruments: Iterable[Instrument]) -> dict[SymbolKey, Instrument]:
    """Return the instruments by category and symbol."""
    return {instrument.key: instrument for instrument in instruments}


def instrument_shape(instrument: Instrument) -> dict[str, object]:
    """Return the instruments-info entry."""
    return _spot_shape(instrument) if instrument.is_spot else _linear_shape(instrument)


def _linear_shape(item: Instrument) -> dict[str, object]:
    places = -int(item.tick.as_tuple().exponent)
    return {
        "symbol": item.symbol,
        "symbolId": item.symbol_id,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": item.base_coin,
        "quoteCoin": item.quote_coin,
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(places),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": format(item.leverage_max, ".2f"),
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": str(item.tick),
            "maxPrice": str(item.px_max),
            "tickSize": str(item.tick),
        },
        "lotSizeFilter": {
            "maxOrderQty": str(item.limit_qty_max),
            "minOrderQty": str(item.qty_min),
            "qtyStep": str(item.step),
            "postOnlyMaxOrderQty": str(item.limit_qty_max),
            "maxMktOrderQty": str(item.market_qty_max),
            "minNotionalValue": short(item.notional_min),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
        "settleCoin": item.quote_coin,
        "copyTrading": "both",
        "upperFundingRate": "0.00375",
        "lowerFundingRate": "-0.00375",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": {"priceLimitRatioX": str(item.band_x), "priceLimitRatioY": str(item.band_y)},
        "symbolType": "",
        "displayName": "",
        "forbidUplWithdrawal": False,
    }


def _spot_shape(item: Instrument) -> dict[str, object]:
    return {
        "symbolId": item.symbol_id,
        "symbol": item.symbol,
        "baseCoin": item.base_coin,
        "quoteCoin": item.quote_coin,
        "innovation": "0",
        "status": "Trading",
        "marginTrading": "utaOnly",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": str(item.step),
            "quotePrecision": "0.0000001",
            "minOrderQty": str(item.qty_min),
            "maxOrderQty": str(item.limit_qty_max),
            "minOrderAmt": str(item.notional_min),
            "maxOrderAmt": "8000000",
            "maxLimitOrderQty": str(item.limit_qty_max),
            "maxMarketOrderQty": str(item.market_qty_max),
            "postOnlyMaxLimitOrderSize": "60000",
        },
        "priceFilter": {"tickSize": str(item.tick)},
        "riskParameters": {"priceLimitRatioX": str(item.band_x), "priceLimitRatioY": str(item.band_y)},
        "symbolType": "",
    }
