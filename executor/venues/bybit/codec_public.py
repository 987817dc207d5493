"""What the public streams say, typed: books, trades, tickers, price limits, liquidations, the state of the service.

The book is read by a typed decoder, because it is most of the traffic; everything else is rare and read strictly.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Final

import msgspec

from executor.domain.errors import RemoteProtocolError
from executor.domain.orders import Side
from executor.domain.units import ZERO
from executor.venues.bybit.codec_fields import (
    SIDES,
    Row,
    number,
    positive,
    shown,
    signed,
    stamp_ms,
    text,
    whole,
)

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
FUNDING_RATE: Final = "fundingRate"
NEXT_FUNDING_TIME: Final = "nextFundingTime"
OPEN_INTEREST: Final = "openInterest"
_TICKER_TERMS: Final[dict[str, Callable[[Row, str], Decimal]]] = {
    FUNDING_RATE: signed,
    NEXT_FUNDING_TIME: lambda row, key: Decimal(whole(row, key)),
    OPEN_INTEREST: number,
}
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


class PublicTrade(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One trade: the side that took, and when, by the matching engine's clock; zero where that is not said.

    A struct, like the book: a burst brings a thousand of them in one message.
    """

    side: Side
    qty: Decimal
    px: Decimal
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTrades:
    """Trades of one symbol, the oldest first, and what could not be read."""

    symbol: str
    trades: tuple[PublicTrade, ...]
    bad: tuple[RemoteProtocolError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TickerFrame:
    """What a ticker message says of its fields; one without a value is None.

    `cs` places it in the sequence that the books' `seq` counts; `snapshot` says that fields not named have no value.

    Parameters
    ----------
    numbers
        The fields in `TICKER_NUMBERS`. Prices are told by them, so one that cannot be read spoils the message.
    terms
        Funding rate, time of the next funding (milliseconds UTC) and open interest. Nothing is decided by them: one
        that cannot be read has no value and is named in `bad`.
    """

    symbol: str
    snapshot: bool
    numbers: dict[str, Decimal | None]
    cs: int
    terms: dict[str, Decimal | None] = field(default_factory=dict)
    bad: tuple[RemoteProtocolError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLimitFrame:
    """The prices between which a limit order is taken."""

    symbol: str
    max_buy_px: Decimal
    min_sell_px: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidatedPosition:
    """One position that was liquidated: BUY was a long; its bankruptcy price; when, zero where that is not said."""

    position: Side
    qty: Decimal
    px: Decimal
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationsFrame:
    """Positions of one symbol that were liquidated, and what could not be read."""

    symbol: str
    positions: tuple[LiquidatedPosition, ...]
    bad: tuple[RemoteProtocolError, ...]

    @property
    def long_qty(self) -> Decimal:
        """Quantity of the longs."""
        return sum((row.qty for row in self.positions if row.position is Side.BUY), ZERO)

    @property
    def short_qty(self) -> Decimal:
        """Quantity of the shorts."""
        return sum((row.qty for row in self.positions if row.position is Side.SELL), ZERO)


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


def decode_trade(row: Row) -> PublicTrade:
    """Read one public trade."""
    return PublicTrade(
        side=_side(row), qty=positive(row, "v"), px=positive(row, "p"), at_ms=stamp_ms(row, "T")
    )


def decode_ticker(symbol: str, message: Row) -> TickerFrame:
    """Read a ticker message, of any category."""
    data, kind = message.get("data"), message.get("type")
    if not isinstance(data, dict) or kind not in ("snapshot", "delta"):
        raise RemoteProtocolError("ticker message without data or type")
    terms: dict[str, Decimal | None] = {}
    bad: list[RemoteProtocolError] = []
    for key, read in _TICKER_TERMS.items():
        if key in data:
            try:
                terms[key] = None if data[key] == "" else read(data, key)
            except RemoteProtocolError as error:
                terms[key] = None
                bad.append(error)
    return TickerFrame(
        symbol=symbol,
        snapshot=kind == "snapshot",
        numbers={
            key: None if data[key] == "" else number(data, key) for key in TICKER_NUMBERS if key in data
        },
        cs=stamp_ms(message, "cs"),
        terms=terms,
        bad=tuple(bad),
    )


def decode_price_limit(symbol: str, message: Row) -> PriceLimitFrame:
    """Read a price limit message."""
    data = message.get("data")
    if not isinstance(data, dict):
        raise RemoteProtocolError("price limit message without data")
    return PriceLimitFrame(
        symbol=symbol, max_buy_px=positive(data, "buyLmt"), min_sell_px=positive(data, "sellLmt")
    )


def decode_liquidation(row: Row) -> LiquidatedPosition:
    """Read one liquidation. `S` is the side of the position, not of the order that closed it."""
    return LiquidatedPosition(
        position=_side(row), qty=positive(row, "v"), px=positive(row, "p"), at_ms=stamp_ms(row, "T")
    )


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


def _side(row: Row) -> Side:
    word = row.get("S")
    if not isinstance(word, str) or word not in SIDES:
        raise RemoteProtocolError(f"side {shown(word)}")
    return SIDES[word]
