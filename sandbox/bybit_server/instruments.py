"""The symbols the venue lists: their steps and limits, the value of a quantity, and the instruments-info entry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, TypeAlias

from sandbox.bybit_server.figures import ZERO, like, short

SymbolKey: TypeAlias = tuple[str, str]
"""Category and symbol: spot and linear share the text ``BTCUSDT``."""

LINEAR: Final = "linear"
SPOT: Final = "spot"
INVERSE: Final = "inverse"
CATEGORIES: Final = (SPOT, LINEAR, INVERSE, "option")
TRADING: Final = "Trading"
VALUE_PLACES: Final = Decimal("1E-18")
DELIVERY_MS: Final = 1_830_240_000_000
"""31 December 2027, 08:00 UTC: the delivery of the dated futures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One listed symbol.

    Quantities are base coin, on inverse contracts US dollars; prices are quote coin per base coin. ``tick`` and
    ``step`` are the units in which the book counts and never change; ``tick_size`` and ``qty_step`` are what
    new orders must be multiples of, by default the same.
    """

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
    contract: str = ""
    settle_coin: str = ""
    leverage_max: Decimal = Decimal(100)
    px_max: Decimal = Decimal("1999999.80")
    delivery_ms: int = 0
    funding_minutes: int = 480
    status: str = TRADING
    liveliness: float = 1.0
    tick_size: Decimal = ZERO
    qty_step: Decimal = ZERO

    def __post_init__(self) -> None:
        """Let what is not said follow from what is."""
        defaults = {"tick_size": self.tick, "qty_step": self.step, "settle_coin": self.quote_coin}
        for name, value in defaults.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)
        if self.tick_size % self.tick or self.qty_step % self.step:
            raise ValueError("tick size and quantity step must be whole multiples of the book's units")

    @property
    def key(self) -> SymbolKey:
        """Category and symbol together."""
        return (self.category, self.symbol)

    @property
    def is_spot(self) -> bool:
        """Whether fills change coin balances instead of a position."""
        return self.category == SPOT

    @property
    def is_inverse(self) -> bool:
        """Whether quantities are US dollars and money is the base coin."""
        return self.category == INVERSE

    @property
    def is_perpetual(self) -> bool:
        """Whether funding is paid."""
        return self.contract.endswith("Perpetual")

    @property
    def can_hedge(self) -> bool:
        """Whether both directions may be held at once: USDT perpetuals only."""
        return self.contract == "LinearPerpetual" and self.settle_coin == "USDT"

    def ticks(self, px: Decimal) -> int:
        """Return whole ticks at or below ``px``."""
        return int(px // self.tick)

    def px(self, ticks: int) -> Decimal:
        """Return the price of a number of ticks."""
        return ticks * self.tick

    def lots(self, qty: Decimal) -> int:
        """Return whole quantity units within ``qty``."""
        return int(qty // self.step)

    def qty(self, lots: int) -> Decimal:
        """Return the quantity of a number of units."""
        return lots * self.step

    def value(self, px: Decimal, qty: Decimal) -> Decimal:
        """Return what a quantity is worth in settle coin: price times quantity, on inverse quantity by price."""
        if self.is_inverse:
            return (qty / px).quantize(VALUE_PLACES)
        return px * qty

    def px_text(self, px: Decimal) -> str:
        """Return a price with the tick's number of places."""
        return like(px, self.tick)

    def qty_text(self, qty: Decimal) -> str:
        """Return a quantity with the step's number of places."""
        return like(qty, self.step)


def listed_instruments() -> tuple[Instrument, ...]:
    """Return every symbol of the venue."""
    btc = Instrument(
        category=LINEAR, symbol="BTCUSDT", symbol_id=5, contract="LinearPerpetual", base_coin="BTC",
        quote_coin="USDT", tick=Decimal("0.10"), step=Decimal("0.001"), qty_min=Decimal("0.001"),
        limit_qty_max=Decimal("1190.000"), market_qty_max=Decimal("500.000"), notional_min=Decimal(5),
        start_px=Decimal("65000.00"), maker_rate=Decimal("0.0002"), taker_rate=Decimal("0.00055"),
        band_x=Decimal("0.01"), band_y=Decimal("0.02"),
    )  # fmt: skip
    inverse = replace(
        btc, category=INVERSE, symbol="BTCUSD", symbol_id=1, contract="InversePerpetual", quote_coin="USD",
        settle_coin="BTC", step=Decimal(1), qty_step=Decimal(1), qty_min=Decimal(1), notional_min=ZERO,
        limit_qty_max=Decimal(25_000_000), market_qty_max=Decimal(5_000_000), liveliness=0.2,
    )  # fmt: skip
    return (
        btc,
        _perpetual(
            btc, "ETH", 6, tick="0.01", step="0.01", limit_max="7240.00", market_max="3000.00", px="3500.00",
            px_max="199999.98",
        ),
        replace(
            _perpetual(
                btc, "XRP", 12, tick="0.0001", step="0.1", limit_max="3000000.0", market_max="1000000.0",
                px="0.6000", px_max="1999.9998",
            ),
            leverage_max=Decimal(75),
        ),
        replace(
            _perpetual(
                btc, "SOL", 56, tick="0.010", step="0.1", limit_max="79770.0", market_max="14280.0",
                px="150.000", px_max="19999.980",
            ),
            liveliness=0.1,
        ),
        replace(
            _perpetual(
                btc, "DOGE", 27, tick="0.00001", step="1", limit_max="24000000", market_max="4600000",
                px="0.15000", px_max="199.99998",
            ),
            leverage_max=Decimal(75), liveliness=0.1,
        ),
        replace(
            btc, symbol="BTCPERP", symbol_id=201, quote_coin="USDC", settle_coin="USDC", liveliness=0.1,
        ),
        replace(
            btc, symbol="BTCUSDT-31DEC27", symbol_id=401, contract="LinearFutures", delivery_ms=DELIVERY_MS,
            start_px=Decimal("65300.00"), liveliness=0.1,
        ),
        inverse,
        replace(
            inverse, symbol="ETHUSD", symbol_id=2, base_coin="ETH", settle_coin="ETH", tick=Decimal("0.01"),
            tick_size=Decimal("0.01"), start_px=Decimal("3500.00"), px_max=Decimal("199999.98"),
            liveliness=0.1,
        ),
        replace(
            inverse, symbol="BTCUSDZ27", symbol_id=301, contract="InverseFutures", delivery_ms=DELIVERY_MS,
            start_px=Decimal("65300.00"), liveliness=0.1,
        ),
        Instrument(
            category=SPOT, symbol="BTCUSDT", symbol_id=9, base_coin="BTC", quote_coin="USDT",
            tick=Decimal("0.1"), step=Decimal("0.000001"), qty_min=Decimal("0.000011"),
            limit_qty_max=Decimal(83), market_qty_max=Decimal("41.5"), notional_min=Decimal(5),
            start_px=Decimal("65000.0"), maker_rate=Decimal("0.001"), taker_rate=Decimal("0.001"),
            band_x=Decimal("0.005"), band_y=Decimal("0.01"),
        ),
    )  # fmt: skip


def _perpetual(
    like_it: Instrument,
    base_coin: str,
    symbol_id: int,
    *,
    tick: str,
    step: str,
    limit_max: str,
    market_max: str,
    px: str,
    px_max: str,
) -> Instrument:
    """Return a USDT perpetual of another coin, with the fees and the band of ``like_it``."""
    return replace(
        like_it,
        symbol=f"{base_coin}USDT",
        symbol_id=symbol_id,
        base_coin=base_coin,
        tick=Decimal(tick),
        tick_size=Decimal(tick),
        step=Decimal(step),
        qty_step=Decimal(step),
        qty_min=Decimal(step),
        limit_qty_max=Decimal(limit_max),
        market_qty_max=Decimal(market_max),
        start_px=Decimal(px),
        px_max=Decimal(px_max),
    )


def catalogue(instruments: Iterable[Instrument]) -> dict[SymbolKey, Instrument]:
    """Return the instruments by category and symbol."""
    return {instrument.key: instrument for instrument in instruments}


def instrument_shape(instrument: Instrument) -> dict[str, object]:
    """Return the instruments-info entry."""
    return _spot_shape(instrument) if instrument.is_spot else _contract_shape(instrument)


def _contract_shape(item: Instrument) -> dict[str, object]:
    places = -int(item.tick.as_tuple().exponent)
    perpetual = item.is_perpetual
    return {
        "symbol": item.symbol,
        "symbolId": item.symbol_id,
        "contractType": item.contract,
        "status": item.status,
        "baseCoin": item.base_coin,
        "quoteCoin": item.quote_coin,
        "launchTime": "1585526400000",
        "deliveryTime": str(item.delivery_ms),
        "deliveryFeeRate": "" if perpetual else "0.0005",
        "priceScale": str(places),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": format(item.leverage_max, ".2f"),
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": str(item.tick_size),
            "maxPrice": str(item.px_max),
            "tickSize": str(item.tick_size),
        },
        "lotSizeFilter": {
            "maxOrderQty": str(item.limit_qty_max),
            "minOrderQty": str(item.qty_min),
            "qtyStep": str(item.qty_step),
            "postOnlyMaxOrderQty": str(item.limit_qty_max),
            "maxMktOrderQty": str(item.market_qty_max),
            "minNotionalValue": short(item.notional_min) if item.notional_min else "",
        },
        "unifiedMarginTrade": True,
        "fundingInterval": item.funding_minutes if perpetual else 0,
        "settleCoin": item.settle_coin,
        "copyTrading": "both" if item.can_hedge else "none",
        "upperFundingRate": "0.00375" if perpetual else "",
        "lowerFundingRate": "-0.00375" if perpetual else "",
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
        "status": item.status,
        "marginTrading": "utaOnly",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": str(item.qty_step),
            "quotePrecision": "0.0000001",
            "minOrderQty": str(item.qty_min),
            "maxOrderQty": str(item.limit_qty_max),
            "minOrderAmt": str(item.notional_min),
            "maxOrderAmt": "8000000",
            "maxLimitOrderQty": str(item.limit_qty_max),
            "maxMarketOrderQty": str(item.market_qty_max),
            "postOnlyMaxLimitOrderSize": "60000",
        },
        "priceFilter": {"tickSize": str(item.tick_size)},
        "riskParameters": {"priceLimitRatioX": str(item.band_x), "priceLimitRatioY": str(item.band_y)},
        "symbolType": "",
    }
