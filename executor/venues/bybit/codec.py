"""Rows of the account, of streams and of queries alike, and the engine's events. Total: an event or a named error.

One bad row never hides the others: each is decoded alone, and what cannot be read comes back as a
`RemoteProtocolError`, to be counted and asked about. Unknown fields are ignored, unknown values are errors, never
defaults. Rows about options are no business of this daemon and become nothing.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from executor.domain.errors import RemoteProtocolError
from executor.domain.events import (
    CoinBalance,
    ExecutionUnexplained,
    OrderFilled,
    OrderUpdated,
    PaymentCharged,
    PositionReport,
    PositionUpdated,
    VenueStatus,
    WalletUpdated,
)
from executor.domain.fills import Fill
from executor.domain.instrument import Instrument
from executor.domain.orders import Category, Liquidity, Side
from executor.domain.timeline import NS_PER_MS
from executor.domain.units import ZERO, Money, Price, Quantity
from executor.venues.bybit.codec_fields import (
    SIDES,
    Row,
    flag,
    number,
    number_or_zero,
    optional_text,
    positive,
    shown,
    signed,
    text,
    whole,
)
from executor.venues.bybit.codec_fields import category as read_category
from executor.venues.bybit.codec_fields import side as read_side

T = TypeVar("T")

_STATUS: Final = {
    "New": VenueStatus.NEW,
    "Untriggered": VenueStatus.NEW,  # waits for its trigger: open, and nothing of it is executed
    "Triggered": VenueStatus.NEW,  # on its way from the trigger into the book
    "PartiallyFilled": VenueStatus.PARTIALLY_FILLED,
    "Filled": VenueStatus.FILLED,
    "Cancelled": VenueStatus.CANCELED,
    "PartiallyFilledCanceled": VenueStatus.CANCELED,
    "Deactivated": VenueStatus.CANCELED,
    "Rejected": VenueStatus.REJECTED,
}
_OPTION: Final = "option"
_TRADE: Final = "Trade"
_MOVES: Final = frozenset({"AdlTrade", "BustTrade", "Delivery", "BlockTrade", "MovePosition", "FutureSpread"})
"""Kinds that change a position without an order of ours."""
_PAYMENTS: Final = frozenset({"Funding", "Settle"})
_KIND_CHARS_MAX: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class FastExecution:
    """An execution as the fast stream tells it: early, without its kind and without its fee."""

    category: Category
    symbol: str
    exec_id: str
    client_order_id: str
    venue_order_id: str
    side: Side
    last_qty: Quantity
    last_px: Price
    liquidity: Liquidity
    ts_exchange_ns: int


def as_row(row: object) -> Row:
    """Pass an object, and nothing else."""
    if not isinstance(row, dict):
        raise RemoteProtocolError(f"row is not an object: {shown(row)}")
    return row


def decode_rows(
    rows: Sequence[object], decode: Callable[[Row], T | None]
) -> tuple[list[T], list[RemoteProtocolError]]:
    """Decode each row alone; returns what could be read and what could not."""
    good: list[T] = []
    bad: list[RemoteProtocolError] = []
    for row in rows:
        try:
            value = decode(as_row(row))
        except RemoteProtocolError as error:
            bad.append(error)
        else:
            if value is not None:
                good.append(value)
    return good, bad


def decode_order(row: Row, category: Category | None = None, asked_ns: int = 0) -> OrderUpdated | None:
    """Read one order object, of the stream or of a query; None for an option.

    A market order that waits for its trigger has no price; it is shown as zero.

    Parameters
    ----------
    category
        The request's, of a query; None of the stream, whose rows name theirs.
    asked_ns
        When the query began, UTC nanoseconds; 0 of the stream.
    """
    if _is_option(row, category):
        return None
    word = text(row, "orderStatus")
    if word not in _STATUS:
        raise RemoteProtocolError(f"orderStatus {word!r} has no meaning here")
    return OrderUpdated(
        at_ns=0,
        category=category or read_category(row),
        symbol=text(row, "symbol"),
        client_order_id=text(row, "orderLinkId"),
        venue_order_id=text(row, "orderId"),
        status=_STATUS[word],
        side=read_side(row),
        qty=Quantity(number(row, "qty")),
        px=Price(number_or_zero(row, "price") if row.get("orderType") == "Market" else number(row, "price")),
        cum_qty=Quantity(number(row, "cumExecQty")),
        updated_ms=whole(row, "updatedTime"),
        detail=f"{word} {optional_text(row, 'cancelType')} {optional_text(row, 'rejectReason')}".strip(),
        asked_ns=asked_ns,
    )


def decode_execution(
    row: Row, category: Category | None = None
) -> OrderFilled | PaymentCharged | ExecutionUnexplained | None:
    """Read one execution; None for an option. Funding and settlement move money only and fill no order.

    What changes a position without an order of ours (liquidation, auto-deleveraging, delivery, a type never
    seen) comes back as `ExecutionUnexplained`: it must be looked into.
    """
    if _is_option(row, category):
        return None
    kind = text(row, "execType")
    category = category or read_category(row)
    if kind in _PAYMENTS:
        return PaymentCharged(
            at_ns=0,
            category=category,
            symbol=text(row, "symbol"),
            exec_id=text(row, "execId"),
            kind=kind,
            amount=Money(signed(row, "execFee")),
            px=Price(number_or_zero(row, "execPrice")),
            ts_exchange_ns=whole(row, "execTime") * NS_PER_MS,
        )
    if kind != _TRADE:
        fill = None
        if kind in _MOVES:
            with suppress(
                RemoteProtocolError
            ):  # without its numbers it is still one that must be looked into
                fill = _decode_fill(row, category)
        return ExecutionUnexplained(
            at_ns=0,
            category=category,
            symbol=text(row, "symbol"),
            exec_id=text(row, "execId"),
            kind=kind[:_KIND_CHARS_MAX],
            fill=fill,
        )
    return OrderFilled(at_ns=0, fill=_decode_fill(row, category))


def decode_fast_execution(row: Row) -> FastExecution | None:
    """Read one row of `execution.fast`; None for an option."""
    if _is_option(row, None):
        return None
    return FastExecution(
        category=read_category(row),
        symbol=text(row, "symbol"),
        exec_id=text(row, "execId"),
        client_order_id=optional_text(row, "orderLinkId"),
        venue_order_id=text(row, "orderId"),
        side=read_side(row),
        last_qty=Quantity(positive(row, "execQty")),
        last_px=Price(positive(row, "execPrice")),
        liquidity=Liquidity.MAKER if flag(row, "isMaker") else Liquidity.TAKER,
        ts_exchange_ns=whole(row, "execTime") * NS_PER_MS,
    )


def decode_position(row: Row, category: Category) -> PositionReport:
    """Read one position; signed, flat is zero."""
    word = optional_text(row, "side")
    size = number(row, "size") if text(row, "size") else ZERO
    if size and word not in SIDES:
        raise RemoteProtocolError(f"position side {word!r}")
    return PositionReport(
        category=category,
        symbol=text(row, "symbol"),
        position_idx=whole(row, "positionIdx"),
        qty=size * SIDES[word].sign if size else ZERO,
    )


def decode_position_update(row: Row) -> PositionUpdated | None:
    """Read one position of the stream, which names its category; None for an option."""
    if _is_option(row, None):
        return None
    return PositionUpdated(at_ns=0, report=decode_position(row, read_category(row)))


def decode_wallet(row: Row) -> WalletUpdated:
    """Read one wallet: the coins it names. A balance may be negative, where a coin is borrowed."""
    coins = row.get("coin")
    if not isinstance(coins, list):
        raise RemoteProtocolError("a wallet without coins")
    good, bad = decode_rows(coins, _decode_coin)
    if bad:
        raise bad[0]
    return WalletUpdated(at_ns=0, balances=tuple(good))


def decode_instrument(row: Row, category: Category) -> Instrument:
    """Read the trading rules of one symbol."""
    lots, prices = row.get("lotSizeFilter"), row.get("priceFilter")
    if not isinstance(lots, dict) or not isinstance(prices, dict):
        raise RemoteProtocolError(f"{row.get('symbol')}: rules without lot size or price filter")
    spot = category is Category.SPOT
    limit_qty = "maxLimitOrderQty" if spot and "maxLimitOrderQty" in lots else "maxOrderQty"
    try:
        return Instrument(
            category=category,
            symbol=text(row, "symbol"),
            base_coin=text(row, "baseCoin"),
            quote_coin=text(row, "quoteCoin"),
            tick_size=Price(number(prices, "tickSize")),
            qty_step=Quantity(number(lots, "basePrecision" if spot else "qtyStep")),
            min_order_qty=Quantity(number(lots, "minOrderQty")),
            max_order_qty=Quantity(number(lots, limit_qty)),
            min_notional=Money(number_or_zero(lots, "minOrderAmt" if spot else "minNotionalValue")),
            trading=text(row, "status") == "Trading",
        )
    except ValueError as error:
        raise RemoteProtocolError(str(error)) from error


def _decode_fill(row: Row, category: Category) -> Fill:
    return Fill(
        category=category,
        symbol=text(row, "symbol"),
        exec_id=text(row, "execId"),
        client_order_id=optional_text(row, "orderLinkId"),
        venue_order_id=text(row, "orderId"),
        side=read_side(row),
        last_qty=Quantity(positive(row, "execQty")),
        last_px=Price(positive(row, "execPrice")),
        fee=Money(signed(row, "execFee")),
        fee_coin=optional_text(row, "feeCurrency"),
        liquidity=Liquidity.MAKER if flag(row, "isMaker") else Liquidity.TAKER,
        ts_exchange_ns=whole(row, "execTime") * NS_PER_MS,
    )


def _decode_coin(row: Row) -> CoinBalance:
    return CoinBalance(
        coin=text(row, "coin"),
        wallet_qty=signed(row, "walletBalance"),
        locked_qty=number_or_zero(row, "locked"),
    )


def _is_option(row: Row, category: Category | None) -> bool:
    return category is None and row.get("category") == _OPTION
