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
from sandbox.bybit_server.orders import SlippageTolerance, Stops, Trigger
from sandbox.bybit_server.refusal import RefusalError, parameter_error

LINK_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,36}")
SPOT_FILTERS: Final = ("Order", "tpslOrder", "StopOrder")
TRIGGER_SOURCES: Final = ("LastPrice", "IndexPrice", "MarkPrice")
SMP_TYPES: Final = ("None", "CancelMaker", "CancelTaker", "CancelBoth")
BBO_LEVEL_MAX: Final = 5
E8: Final = Decimal(10**8)
SLIPPAGE_TICKS_MAX: Final = 10_000
SLIPPAGE_CENTS_MAX: Final = 1000


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
    position_idx: int
    order_filter: str
    trigger: Trigger | None
    stops: Stops | None
    slippage: SlippageTolerance | None

    @property
    def by_value(self) -> bool:
        """Whether ``qty`` is an amount of quote coin."""
        return self.market_unit == "quoteCoin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What of an order is to become different; None leaves it as it is."""

    px: Decimal | None
    qty: Decimal | None
    trigger_px: Decimal | None
    stops: Stops | None


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


def read_new_order(market: Market, fields: Fields, *, hedged: bool) -> NewOrder:
    """Check the form of a create request.

    Parameters
    ----------
    hedged
        Whether the account holds both directions of this symbol apart.

    Raises
    ------
    RefusalError
        With the code and text that the category has for the defect.
    """
    instrument = market.instrument
    side = _read_side(instrument, fields)
    is_market = _read_is_market(instrument, fields)
    unit = _read_market_unit(instrument, fields, side) if is_market else ""
    position_idx = read_position_index(instrument, fields, hedged=hedged)
    closes = position_idx == (2 if side is Side.BUY else 1)
    reduce_only = (fields.flag("reduceOnly") or closes) and not instrument.is_spot
    trigger = _read_trigger(market, fields, side)
    slippage = read_slippage(fields, is_plain_market=is_market and trigger is None)
    px = None
    if not is_market:
        px = _bbo_px(market, fields, side) or read_price(instrument, fields.text("price"))
    stops = read_stops(instrument, fields)
    if stops is not None and reduce_only:
        raise parameter_error("params error: reduceOnly order can not set tp/sl")
    return NewOrder(
        side=side,
        px=px,
        qty=_read_quantity(market, fields, is_market=is_market, unit=unit, may_split=reduce_only),
        tif=TimeInForce.IOC if is_market else _read_tif(instrument, fields),
        link_id=_read_link_id(fields),
        reduce_only=reduce_only,
        close_on_trigger=fields.flag("closeOnTrigger"),
        market_unit=unit,
        smp_type=_read_smp_type(fields),
        position_idx=position_idx,
        order_filter=_read_filter(instrument, fields, trigger),
        trigger=trigger,
        stops=stops,
        slippage=slippage,
    )


def read_amendment(market: Market, fields: Fields, *, reduce_only: bool) -> Amendment:
    """Check the form of an amend request."""
    instrument = market.instrument
    px_text, qty_text, trigger_text = (fields.text(name) for name in ("price", "qty", "triggerPrice"))
    qty = None
    if qty_text not in {"", "0"}:
        qty = parse_positive(qty_text)
        if qty is None:
            raise parameter_error("params error: qty invalid")
        _check_step(instrument, qty)
        if not reduce_only:
            _check_size(instrument, qty, is_market=False)
    return Amendment(
        px=read_price(instrument, px_text) if px_text not in {"", "0"} else None,
        qty=qty,
        trigger_px=read_price(instrument, trigger_text) if trigger_text not in {"", "0"} else None,
        stops=read_stops(instrument, fields),
    )


def read_position_index(instrument: Instrument, fields: Fields, *, hedged: bool) -> int:
    """Return the positionIdx of a request, which must fit the account's position mode."""
    if instrument.is_spot:
        return 0
    index = fields.whole("positionIdx", 0, 0, 2)
    if (index != 0) is not hedged:
        raise parameter_error("position idx not match position mode")
    return index


def read_stops(instrument: Instrument, fields: Fields) -> Stops | None:
    """Return the take-profit and stop-loss of a request; "0" is none, as is the absence of both."""
    profit, loss = fields.text("takeProfit"), fields.text("stopLoss")
    if profit in {"", "0"} and loss in {"", "0"}:
        return None
    if instrument.is_spot:
        raise RefusalError(170130, "Data sent for paramter 'takeProfit' is not valid.")
    if fields.text("tpslMode") not in {"", "Full"}:
        raise parameter_error("params error: tpslMode not supported")
    return Stops(
        take_profit_px=None if profit in {"", "0"} else read_price(instrument, profit),
        stop_loss_px=None if loss in {"", "0"} else read_price(instrument, loss),
        take_profit_by=read_source(fields, "tpTriggerBy"),
        stop_loss_by=read_source(fields, "slTriggerBy"),
    )


def check_stops(stops: Stops, side: Side, base_px: Decimal) -> None:
    """Refuse a take-profit or stop-loss on the wrong side of a position's base price."""
    word = "higher" if side is Side.BUY else "lower"
    other = "lower" if side is Side.BUY else "higher"
    if stops.take_profit_px is not None and (stops.take_profit_px - base_px) * side.sign <= 0:
        scaled = f"{int(stops.take_profit_px * E8)} set for {side} position should be {word} than"
        raise parameter_error(f"TakeProfit:{scaled} base_price:{int(base_px * E8)}??{stops.take_profit_by}")
    if stops.stop_loss_px is not None and (stops.stop_loss_px - base_px) * side.sign >= 0:
        scaled = f"{int(stops.stop_loss_px * E8)} set for {side} position should {other} than"
        raise parameter_error(f"StopLoss:{scaled} base_price:{int(base_px * E8)}??{stops.stop_loss_by}")


def check_trigger(trigger: Trigger, current_px: Decimal) -> None:
    """Refuse a trigger that the market has reached already."""
    if not trigger.is_met(current_px):
        return
    if trigger.rises:
        raise RefusalError(110092, f"expect Rising, but trigger_price[{trigger.px}] <= current[{current_px}]")
    raise RefusalError(110093, f"expect Falling, but trigger_price[{trigger.px}] >= current[{current_px}]")


def read_source(fields: Fields, name: str) -> str:
    """Return which price triggers, by default the last one."""
    by = fields.text(name) or "LastPrice"
    if by not in TRIGGER_SOURCES:
        raise parameter_error(f"params error: {name} invalid")
    return by


def read_slippage(fields: Fields, *, is_plain_market: bool) -> SlippageTolerance | None:
    """Return the slippage tolerance of a market order.

    Raises
    ------
    RefusalError
        110108 for ticks outside 1-10000, 110109 for a percentage outside 0.01-10.
    """
    kind, text = fields.text("slippageToleranceType"), fields.text("slippageTolerance")
    if kind in {"", "UNKNOWN"}:
        return None
    if not is_plain_market:
        raise parameter_error("params error: slippageTolerance is for market orders only")
    amount = parse_positive(text)
    if kind == "TickSize":
        if amount is None or amount % 1 or not 1 <= amount <= SLIPPAGE_TICKS_MAX:
            raise RefusalError(110108, "slippageTolerance must be an integer between 1 and 10000")
    elif kind == "Percent":
        cents = None if amount is None else amount * 100
        if amount is None or cents is None or cents % 1 or not 1 <= cents <= SLIPPAGE_CENTS_MAX:
            raise RefusalError(
                110109, "slippageTolerance must be between 0.01 and 10 with up to two decimals"
            )
    else:
        raise parameter_error("params error: slippageToleranceType invalid")
    return SlippageTolerance(kind, text, amount)


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
    if not is_multiple(px, instrument.tick_size):
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


def _read_smp_type(fields: Fields) -> str:
    smp_type = fields.text("smpType") or "None"
    if smp_type not in SMP_TYPES:
        raise parameter_error("params error: smpType invalid")
    return smp_type


def _read_filter(instrument: Instrument, fields: Fields, trigger: Trigger | None) -> str:
    """Return which kind of order it is: plain, or waiting for a trigger."""
    if not instrument.is_spot:
        return "Order" if trigger is None else "StopOrder"
    kind = fields.text("orderFilter") or "Order"
    if kind not in SPOT_FILTERS or (kind == "Order") is not (trigger is None):
        raise RefusalError(170130, "Data sent for paramter 'orderFilter' is not valid.")
    return kind


def _read_trigger(market: Market, fields: Fields, side: Side) -> Trigger | None:
    """Return the trigger of a conditional order; without a direction it is the one that is still to come."""
    text = fields.text("triggerPrice")
    if text in {"", "0"}:
        return None
    item = market.instrument
    px = read_price(item, text)
    by = "LastPrice" if item.is_spot else read_source(fields, "triggerBy")
    current_px = market.source_px(by)
    direction = 0 if item.is_spot else fields.whole("triggerDirection", 0, 0, 2)
    rises = px > current_px if direction == 0 else direction == 1
    if px == current_px and direction == 0:
        rises = side is Side.BUY
    trigger = Trigger(px=px, rises=rises, by=by)
    check_trigger(trigger, current_px)
    return trigger


def _bbo_px(market: Market, fields: Fields, side: Side) -> Decimal | None:
    """Return the price of a level of the own side (Queue) or the other (Counterparty), if one is asked for."""
    kind = fields.text("bboSideType")
    if not kind or market.instrument.is_spot:
        return None
    if kind not in {"Queue", "Counterparty"}:
        raise parameter_error("params error: bboSideType invalid")
    level = fields.whole("bboLevel", 1, 1, BBO_LEVEL_MAX)
    levels = market.book.half(side if kind == "Queue" else side.opposite).levels(level)
    if len(levels) < level:
        raise RefusalError(110118, "There is no price at this level of the order book")
    return market.instrument.px(levels[-1][0])


def _read_link_id(fields: Fields) -> str:
    link_id = fields.text("orderLinkId")
    if link_id and not LINK_ID.fullmatch(link_id):
        if len(link_id) > 36:
            raise parameter_error("order link id is longer than 36")
        raise parameter_error("params error: orderLinkId invalid")
    return link_id


def _read_quantity(market: Market, fields: Fields, *, is_market: bool, unit: str, may_split: bool) -> Decimal:
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
    if not may_split:
        _check_size(instrument, qty, is_market=is_market)
    elif qty < instrument.qty_min:
        raise parameter_error("The number of contracts exceeds minimum limit allowed")
    return qty


def _check_step(instrument: Instrument, qty: Decimal) -> None:
    if is_multiple(qty, instrument.qty_step):
        return
    if instrument.is_spot:
        raise RefusalError(170137, "Order quantity has too many decimals.")
    raise parameter_error("Qty invalid")


def _check_size(instrument: Instrument, qty: Decimal, *, is_market: bool) -> None:
    qty_max = instrument.market_qty_max if is_market else instrument.limit_qty_max
    # Spot no longer enforces its listed minimum quantity: only the minimum value counts there.
    qty_min = instrument.qty_step if instrument.is_spot else instrument.qty_min
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
