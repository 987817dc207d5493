"""From the fields of an order request to typed wishes, with the refusals that need no look at the account."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.book import Side, TimeInForce
from sandbox.bybit_server.fields import Fields
from sandbox.bybit_server.figures import ZERO, is_multiple, parse_positive, short
from sandbox.bybit_server.instruments import CATEGORIES, Instrument, SymbolKey
from sandbox.bybit_server.market import Market
from sandbox.bybit_server.refusal import RefusalError, parameter_error

LINK_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,36}")
UNSUPPORTED_FIELDS: Final = ("triggerPrice", "takeProfit", "stopLoss", "bboSideType", "slippageToleranceType")
E8: Final = Decimal(10**8)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """A well-formed wish for an order. ``px`` is None for a market order; ``qty`` is quote coin if ``by_value``."""

    side: Side
    px: Decimal | None
    qty: Decimal
    tif: TimeInForce
    link_id: str
    reduce_only: bool
    close_on_trigger: bool
    market_unit: str
    smp_type: str

    @property
    def by_value(self) -> bool:
        """Whether ``qty`` is an amount of quote coin."""
        return self.market_unit == "quoteCoin"


@dataclass(frozen=True, slots=True)
class Amendment:
    """New price and new total quantity; None leaves it as it is."""

    px: Decimal | None
    qty: Decimal | None


def read_category(fields: Fields) -> str:
    """Return the category of a request."""
    category = fields.text("category")
    if category not in CATEGORIES:
        raise parameter_error("params error: category invalid")
    return category


def find_market(markets: dict[SymbolKey, Market], fields: Fields) -> Market:
    """Return the market that a request names."""
    category = read_category(fields)
    market = markets.get((category, fields.text("symbol")))
    if market is None:
        raise (
            RefusalError(170121, "Invalid symbol.")
            if category == "spot"
            else parameter_error("params error: symbol invalid")
        )
    return market


def read_new_order(market: Market, fields: Fields) -> NewOrder:
    """Check the form of a create request.

    Raises
    ------
    RefusalError
        With the code and text that the category has for the defect.
    """
    instrument = market.instrument
    for name in UNSUPPORTED_FIELDS:
        if fields.text(name) not in {"", "0"}:
            raise parameter_error(f"params error: {name} not supported")
    side = _read_side(instrument, fields)
    is_market = _read_is_market(instrument, fields)
    unit = _read_market_unit(instrument, fields, side) if is_market else ""
    _check_position_index(instrument, fields)
    return NewOrder(
        side=side,
        px=None if is_market else read_price(instrument, fields.text("price")),
        qty=_read_quantity(market, fields, is_market=is_market, unit=unit),
        tif=TimeInForce.IOC if is_market else _read_tif(instrument, fields),
        link_id=_read_link_id(fields),
        reduce_only=fields.flag("reduceOnly") and not instrument.is_spot,
        close_on_trigger=fields.flag("closeOnTrigger"),
        market_unit=unit,
        smp_type=fields.text("smpType", "None") or "None",
    )


def read_amendment(instrument: Instrument, fields: Fields) -> Amendment:
    """Check the form of an amend request."""
    px_text, qty_text = fields.text("price"), fields.text("qty")
    qty = None
    if qty_text not in {"", "0"}:
        qty = parse_positive(qty_text)
        if qty is None:
            raise parameter_error("params error: qty invalid")
        _check_step(instrument, qty)
        _check_size(instrument, qty, is_market=False)
    px = read_price(instrument, px_text) if px_text not in {"", "0"} else None
    return Amendment(px, qty)


def read_price(instrument: Instrument, text: str) -> Decimal:
    """Return a limit price that lies on the tick."""
    px = parse_positive(text)
    if px is None or px == 0:
        if instrument.is_spot:
            raise (
                RefusalError(170105, "Parameter 'price' was empty.")
                if not text
                else RefusalError(170130, "Data sent for paramter 'price' is not valid.")
            )
        raise parameter_error("params error: price invalid")
    if not is_multiple(px, instrument.tick):
        if instrument.is_spot:
            raise RefusalError(170134, "Order price has too many decimals.")
        raise parameter_error("Price invalid")
    if not instrument.is_spot and px > instrument.px_max:
        raise parameter_error("params error: price invalid")
    return px


def check_value(instrument: Instrument, value: Decimal) -> None:
    """Refuse an order whose quote value is below the venue's minimum."""
    if value >= instrument.notional_min:
        return
    if instrument.is_spot:
        raise RefusalError(170140, "Order value exceeded lower limit.")
    minimum = f"{short(instrument.notional_min)}{instrument.quote_coin}"
    raise RefusalError(110094, f"Order does not meet minimum order value {minimum}")


def _read_side(instrument: Instrument, fields: Fields) -> Side:
    try:
        return Side(fields.text("side"))
    except ValueError as error:
        refusal = RefusalError(170117, "Invalid side.") if instrument.is_spot else None
        raise refusal or parameter_error("params error: side invalid") from error


def _read_is_market(instrument: Instrument, fields: Fields) -> bool:
    text = fields.text("orderType")
    if text not in {"Market", "Limit"}:
        if instrument.is_spot:
            raise RefusalError(170116, "Invalid orderType.")
        raise parameter_error("params error: orderType invalid")
    return text == "Market"


def _read_tif(instrument: Instrument, fields: Fields) -> TimeInForce:
    text = fields.text("timeInForce") or "GTC"
    try:
        return TimeInForce(text)
    except ValueError as error:
        if text == "RPI":
            raise RefusalError(
                170355 if instrument.is_spot else 110119, "RPI order is not allowed"
            ) from error
        refusal = RefusalError(170115, "Invalid timeInForce.") if instrument.is_spot else None
        raise refusal or parameter_error("params error: timeInForce invalid") from error


def _read_market_unit(instrument: Instrument, fields: Fields, side: Side) -> str:
    if not instrument.is_spot:
        return ""
    unit = fields.text("marketUnit") or ("quoteCoin" if side is Side.BUY else "baseCoin")
    if unit not in {"baseCoin", "quoteCoin"}:
        raise RefusalError(170130, "Data sent for paramter 'marketUnit' is not valid.")
    return unit


def _check_position_index(instrument: Instrument, fields: Fields) -> None:
    if not instrument.is_spot and fields.whole("positionIdx", 0, 0, 2):
        raise parameter_error("position idx not match position mode")


def _read_link_id(fields: Fields) -> str:
    link_id = fields.text("orderLinkId")
    if link_id and not LINK_ID.fullmatch(link_id):
        if len(link_id) > 36:
            raise parameter_error("order link id is longer than 36")
        raise parameter_error("params error: orderLinkId invalid")
    return link_id


def _read_quantity(market: Market, fields: Fields, *, is_market: bool, unit: str) -> Decimal:
    instrument = market.instrument
    text = fields.text("qty")
    qty = parse_positive(text)
    if qty is None:
        if not instrument.is_spot:
            raise parameter_error("params error: qty invalid")
        if not text:
            raise RefusalError(170105, "Parameter 'qty' was empty.")
        raise RefusalError(170130, "Data sent for paramter 'qty' is not valid.")
    if unit == "quoteCoin":
        if not is_multiple(qty, Decimal("0.0000001")):
            raise RefusalError(170148, "Market order amount decimal too long.")
        check_value(instrument, qty)
        return qty
    closes_all = qty == 0 and fields.flag("reduceOnly") and fields.flag("closeOnTrigger")
    if closes_all and not instrument.is_spot:
        return ZERO
    _check_step(instrument, qty)
    _check_size(instrument, qty, is_market=is_market)
    return qty


def _check_step(instrument: Instrument, qty: Decimal) -> None:
    if is_multiple(qty, instrument.step):
        return
    if instrument.is_spot:
        raise RefusalError(170137, "Order quantity has too many decimals.")
    raise parameter_error("Qty invalid")


def _check_size(instrument: Instrument, qty: Decimal, *, is_market: bool) -> None:
    qty_max = instrument.market_qty_max if is_market else instrument.limit_qty_max
    # Spot no longer enforces its listed minimum quantity: only the minimum value counts there.
    qty_min = instrument.step if instrument.is_spot else instrument.qty_min
    if qty < qty_min:
        if instrument.is_spot:
            raise RefusalError(170136, "Order quantity exceeded lower limit.")
        raise parameter_error("The number of contracts exceeds minimum limit allowed")
    if qty > qty_max:
        if instrument.is_spot:
            raise RefusalError(170124, "Order amount too large.")
        scaled, scaled_max = int(qty * E8), int(qty_max * E8)
        raise parameter_error(
            "The number of contracts exceeds maximum limit allowed: too large, "
            f"order_qty:{scaled} > max_qty:{scaled_max}"
        )
