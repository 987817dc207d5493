"""What the public streams say, typed: books, trades, tickers, price limits, liquidations, the state of the service.

The book is read by a typed decoder, because it is most of the traffic; everything else is rare and read strictly.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Final

import msgspec

from executor.domain.errors import RemoteProtocolError
from executor.venues.bybit.codec_fields import Row, number, positive, stamp_ms, text, whole

Level = tuple[str, str]
"""Price and size as the venue prints them."""
Counter = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Levels = Annotated[list[Level], msgspec.Meta(max_length=2_000)]

TICKER_NUMBERS: Final = (
    "markPrice",
    "indexPrice",
    "usdIndexPrice",
    "bid1Price",
    "bid1Size",
    "ask1Price",
    "ask1Size",
)
_STATES: Final = frozenset({"scheduled", "ongoing", "completed", "canceled"})
_BOOK_KEYS: Final = 10


class BookData(msgspec.Struct, gc=False):
    """Levels of one message, the number of the update and its place in the venue's one sequence."""

    s: str
    b: Levels
    a: Levels
    u: Counter
    seq: Counter


class BookFrame(msgspec.Struct, gc=False):
    """One message of `orderbook.{depth}.{symbol}`; milliseconds: `cts` by the engine, `ts` when it was sent."""

    topic: str
    type: str
    ts: Counter
    data: BookData
    cts: Counter


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTrades:
    """Trades of one symbol: quantity and price of each, and what could not be read."""

    symbol: str
    trades: tuple[tuple[Decimal, Decimal], ...]
    bad: tuple[RemoteProtocolError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TickerFrame:
    """What a ticker message says of the fields in `TICKER_NUMBERS`; a field without a value is None.

    `cs` places it in the sequence that the books' `seq` counts; `snapshot` says that fields not named have no value.
    """

    symbol: str
    snapshot: bool
    numbers: dict[str, Decimal | None]
    cs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLimitFrame:
    """The prices between which a limit order is taken."""

    symbol: str
    max_buy_px: Decimal
    min_sell_px: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationsFrame:
    """Positions that were liquidated: quantity of longs and of shorts, base units."""

    symbol: str
    long_qty: Decimal
    short_qty: Decimal
    bad: tuple[RemoteProtocolError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """One announced closure of the service, milliseconds UTC; an end of zero is not known."""

    notice_id: str
    title: str
    state: str
    begin_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFrame:
    """All that `system.status` says."""

    notices: tuple[Maintenance, ...]
    bad: tuple[RemoteProtocolError, ...]


_BOOK: Final = msgspec.json.Decoder(BookFrame)


def decode_book_text(frame: str) -> BookFrame | None:
    """Read a book message of the usual form without a detour; None when it has another form, to be read strictly.

    A key that occurs twice cannot hide: all ten keys must be there, and there are only ten colons.
    """
    try:
        book = _BOOK.decode(frame)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return book if frame.count(":") == _BOOK_KEYS else None


def decode_book(message: Row) -> BookFrame:
    """Read a book message of any form, strictly."""
    data = message.get("data")
    if not isinstance(data, dict):
        raise RemoteProtocolError("book message without data")
    try:
        return msgspec.convert({"cts": 0, "ts": 0, **message, "data": {"seq": 0, **data}}, BookFrame)
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        raise RemoteProtocolError(f"book message: {error}"[:160]) from error


def decode_trade(row: Row) -> tuple[Decimal, Decimal]:
    """Read one public trade: quantity and price."""
    return positive(row, "v"), positive(row, "p")


def decode_ticker(symbol: str, message: Row) -> TickerFrame:
    """Read a ticker message, of any category."""
    data, kind = message.get("data"), message.get("type")
    if not isinstance(data, dict) or kind not in ("snapshot", "delta"):
        raise RemoteProtocolError("ticker message without data or type")
    return TickerFrame(
        symbol=symbol,
        snapshot=kind == "snapshot",
        numbers={
            key: None if data[key] == "" else number(data, key) for key in TICKER_NUMBERS if key in data
        },
        cs=stamp_ms(message, "cs"),
    )


def decode_price_limit(symbol: str, message: Row) -> PriceLimitFrame:
    """Read a price limit message."""
    data = message.get("data")
    if not isinstance(data, dict):
        raise RemoteProtocolError("price limit message without data")
    return PriceLimitFrame(
        symbol=symbol, max_buy_px=positive(data, "buyLmt"), min_sell_px=positive(data, "sellLmt")
    )


def decode_liquidation(row: Row) -> tuple[Decimal, Decimal]:
    """Read one liquidation: quantity of a long, quantity of a short; one of them is zero.

    `S` is the side of the position, not of the order that closed it.
    """
    qty, word = positive(row, "v"), text(row, "S")
    positive(row, "p")
    if word not in {"Buy", "Sell"}:
        raise RemoteProtocolError(f"side {word!r}")
    return (qty, Decimal(0)) if word == "Buy" else (Decimal(0), qty)


def decode_notice(row: Row) -> Maintenance:
    """Read one notice of `system.status`."""
    state = text(row, "state").lower()
    if state not in _STATES:
        raise RemoteProtocolError(f"state {state!r}")
    return Maintenance(
        notice_id=text(row, "id"),
        title=text(row, "title"),
        state=state,
        begin_ms=whole(row, "begin"),
        end_ms=whole(row, "end") if row.get("end") else 0,
    )
