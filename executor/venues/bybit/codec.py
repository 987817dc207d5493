"""Bybit's messages and the engine's events. Total: every row becomes an event or a named error.

One bad row never hides the others: each is decoded alone, and what cannot be read comes back as a
`RemoteProtocolError` with the row's place, to be counted and asked about. Unknown fields are ignored,
unknown values are errors, never defaults.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeVar

from executor.domain.errors import RemoteProtocolError
from executor.domain.events import (
    ExecutionUnexplained,
    OrderFilled,
    OrderUpdated,
    PositionReport,
    VenueStatus,
)
from executor.domain.fills import Fill
from executor.domain.instrument import Instrument
from executor.domain.orders import Category, Liquidity, NewOrder, Side
from executor.domain.timeline import NS_PER_MS
from executor.domain.units import ZERO, Money, Price, Quantity, parse_plain, plain

Row = Mapping[str, object]
T = TypeVar("T")

SIDE_WORD: Final = {Side.BUY: "Buy", Side.SELL: "Sell"}
_SIDES: Final = {"Buy": Side.BUY, "Sell": Side.SELL}
_STATUS: Final = {
    "New": VenueStatus.NEW,
    "PartiallyFilled": VenueStatus.PARTIALLY_FILLED,
    "Filled": VenueStatus.FILLED,
    "Cancelled": VenueStatus.CANCELED,
    "PartiallyFilledCanceled": VenueStatus.CANCELED,
    "Deactivated": VenueStatus.CANCELED,
    "Rejected": VenueStatus.REJECTED,
}
_TRADE: Final = "Trade"
_KIND_CHARS_MAX: Final = 40
_TEXT_LEN_MAX: Final = 200
_INTEGER_MAX: Final = 9_000_000_000_000  # as milliseconds the year 2255, whose nanoseconds still fit 64 bits


def create_fields(order: NewOrder) -> dict[str, object]:
    """The body of a create request: exactly the fields the gate knows."""
    fields: dict[str, object] = {
        "category": order.category.value,
        "symbol": order.symbol,
        "side": SIDE_WORD[order.side],
        "orderType": "Limit",
        "qty": plain(order.qty),
        "price": plain(order.px),
        "timeInForce": order.time_in_force.value,
        "orderLinkId": order.client_order_id,
    }
    if order.category is not Category.SPOT:
        fields |= {"positionIdx": order.position_idx, "reduceOnly": order.reduce_only}
    return fields


def decode_rows(
    rows: Sequence[object], decode: Callable[[Row], T | None]
) -> tuple[list[T], list[RemoteProtocolError]]:
    """Decode each row alone; returns what could be read and what could not."""
    good: list[T] = []
    bad: list[RemoteProtocolError] = []
    for row in rows:
        try:
            if not isinstance(row, dict):
                raise RemoteProtocolError(f"row is not an object: {str(row)[:80]!r}")
            value = decode(row)
        except RemoteProtocolError as error:
            bad.append(error)
        else:
            if value is not None:
                good.append(value)
    return good, bad


def decode_order(row: Row, category: Category | None = None) -> OrderUpdated:
    """Read one order object, of the stream or of a query (where the category is the request's)."""
    word = _text(row, "orderStatus")
    if word not in _STATUS:
        raise RemoteProtocolError(f"orderStatus {word!r} has no meaning here")
    return OrderUpdated(
        at_ns=0,
        category=category or _category(row),
        symbol=_text(row, "symbol"),
        client_order_id=_text(row, "orderLinkId"),
        venue_order_id=_text(row, "orderId"),
        status=_STATUS[word],
        side=_side(row),
        qty=Quantity(_number(row, "qty")),
        px=Price(_number(row, "price")),
        cum_qty=Quantity(_number(row, "cumExecQty")),
        updated_ms=_integer(row, "updatedTime"),
        detail=f"{word} {_optional(row, 'cancelType')} {_optional(row, 'rejectReason')}".strip(),
    )


def decode_execution(row: Row, category: Category | None = None) -> OrderFilled | ExecutionUnexplained | None:
    """Read one execution; None for what moves money only (funding, settlement), which fills no order.

    What changes a position without an order of ours (liquidation, auto-deleveraging, delivery, a type never
    seen) comes back as `ExecutionUnexplained`: it must be looked into.
    """
    kind = _text(row, "execType")
    if kind in {"Funding", "Settle"}:
        return None
    category = category or _category(row)
    if kind != _TRADE:
        return ExecutionUnexplained(
            at_ns=0,
            category=category,
            symbol=_text(row, "symbol"),
            exec_id=_text(row, "execId"),
            kind=kind[:_KIND_CHARS_MAX],
        )
    side = _side(row)
    qty, px = _number(row, "execQty"), _number(row, "execPrice")
    if qty <= ZERO or px <= ZERO:
        raise RemoteProtocolError(f"execution of {qty} @ {px}")
    return OrderFilled(
        at_ns=0,
        fill=Fill(
            category=category,
            symbol=_text(row, "symbol"),
            exec_id=_text(row, "execId"),
            client_order_id=_optional(row, "orderLinkId"),
            venue_order_id=_text(row, "orderId"),
            side=side,
            last_qty=Quantity(qty),
            last_px=Price(px),
            fee=Money(_signed(row, "execFee")),
            fee_coin=_optional(row, "feeCurrency"),
            liquidity=Liquidity.MAKER if _flag(row, "isMaker") else Liquidity.TAKER,
            ts_exchange_ns=_integer(row, "execTime") * NS_PER_MS,
        ),
    )


def decode_position(row: Row, category: Category) -> PositionReport:
    """Read one position; signed, flat is zero."""
    word = _optional(row, "side")
    size = _number(row, "size") if row.get("size") else ZERO
    if size and word not in _SIDES:
        raise RemoteProtocolError(f"position side {word!r}")
    return PositionReport(
        category=category,
        symbol=_text(row, "symbol"),
        position_idx=_integer(row, "positionIdx"),
        qty=size * _SIDES[word].sign if size else ZERO,
    )


def decode_instrument(row: Row, category: Category) -> Instrument:
    """Read the trading rules of one symbol."""
    lots, prices = row.get("lotSizeFilter"), row.get("priceFilter")
    if not isinstance(lots, dict) or not isinstance(prices, dict):
        raise RemoteProtocolError(f"{row.get('symbol')}: rules without lot size or price filter")
    spot = category is Category.SPOT
    try:
        return Instrument(
            category=category,
            symbol=_text(row, "symbol"),
            base_coin=_text(row, "baseCoin"),
            quote_coin=_text(row, "quoteCoin"),
            tick_size=Price(_number(prices, "tickSize")),
            qty_step=Quantity(_number(lots, "basePrecision" if spot else "qtyStep")),
            min_order_qty=Quantity(_number(lots, "minOrderQty")),
            max_order_qty=Quantity(_number(lots, "maxLimitOrderQty" if spot else "maxOrderQty")),
            min_notional=Money(_number_or_zero(lots, "minOrderAmt" if spot else "minNotionalValue")),
            trading=_text(row, "status") == "Trading",
        )
    except ValueError as error:
        raise RemoteProtocolError(str(error)) from error


def decode_trade(row: Row) -> tuple[Decimal, Decimal]:
    """Read one public trade: quantity and price."""
    qty, px = _number(row, "v"), _number(row, "p")
    if qty <= ZERO or px <= ZERO:
        raise RemoteProtocolError(f"public trade of {qty} @ {px}")
    return qty, px


def _text(row: Row, key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not _is_printable(value):
        raise RemoteProtocolError(f"{key} is {str(value)[:80]!r}, not text")
    return value


def _optional(row: Row, key: str) -> str:
    value = row.get(key)
    return value if isinstance(value, str) and _is_printable(value) else ""


def _is_printable(text: str) -> bool:
    """Whether a text can be written down: JSON may carry halves of characters that no file can hold."""
    return len(text) <= _TEXT_LEN_MAX and text.isprintable()


def _flag(row: Row, key: str) -> bool:
    value = row.get(key)
    if not isinstance(value, bool):
        raise RemoteProtocolError(f"{key} is {str(value)[:80]!r}, not true or false")
    return value


def _number(row: Row, key: str) -> Decimal:
    text = _text(row, key)
    try:
        return parse_plain(text)
    except ValueError as error:
        raise RemoteProtocolError(f"{key} is {error}") from error


def _number_or_zero(row: Row, key: str) -> Decimal:
    return _number(row, key) if row.get(key) else ZERO


def _signed(row: Row, key: str) -> Decimal:
    text = _text(row, key)
    try:
        return -parse_plain(text[1:]) if text.startswith("-") else parse_plain(text)
    except ValueError as error:
        raise RemoteProtocolError(f"{key} is {error}") from error


def _integer(row: Row, key: str) -> int:
    """Read a whole number, not negative, small enough for everything that is done with it."""
    value = row.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 13:
        value = int(value)
    if type(value) is not int or not 0 <= value <= _INTEGER_MAX:
        raise RemoteProtocolError(f"{key} is {str(value)[:40]!r}, not a whole number")
    return value


def _side(row: Row) -> Side:
    word = _text(row, "side")
    if word not in _SIDES:
        raise RemoteProtocolError(f"side {word!r}")
    return _SIDES[word]


def _category(row: Row) -> Category:
    word = _text(row, "category")
    try:
        return Category(word)
    except ValueError as error:
        raise RemoteProtocolError(f"category {word!r}") from error
