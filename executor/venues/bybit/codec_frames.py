"""One text frame of any socket, typed. Total: a frame has one of the forms below, or it is a named error.

What is known and of no use here comes back as `Ignored`, by its name, so that it differs from what was never heard of.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from executor.domain.errors import RemoteProtocolError
from executor.domain.events import (
    ExecutionUnexplained,
    OrderFilled,
    OrderUpdated,
    PaymentCharged,
    PositionUpdated,
    WalletUpdated,
)
from executor.venues.bybit.codec import (
    FastExecution,
    as_row,
    decode_execution,
    decode_fast_execution,
    decode_order,
    decode_position_update,
    decode_rows,
    decode_wallet,
)
from executor.venues.bybit.codec_control import ControlReply, decode_control
from executor.venues.bybit.codec_fields import Row
from executor.venues.bybit.codec_json import parse_object, rows_of
from executor.venues.bybit.codec_public import (
    BookFrame,
    LiquidationsFrame,
    PriceLimitFrame,
    PublicTrades,
    StatusFrame,
    TickerFrame,
    decode_book,
    decode_book_text,
    decode_liquidation,
    decode_notice,
    decode_price_limit,
    decode_ticker,
    decode_trade,
)

AccountEvent = (
    OrderUpdated
    | OrderFilled
    | PaymentCharged
    | ExecutionUnexplained
    | PositionUpdated
    | WalletUpdated
    | FastExecution
)
Message = dict[str, object]

_BOOK_BEGINS: Final = '{"topic":"orderbook.'
_TOPIC_LEN_MAX: Final = 100
_ACCOUNT: Final[dict[str, Callable[[Row], AccountEvent | None]]] = {
    "order": decode_order,
    "execution": decode_execution,
    "execution.fast": decode_fast_execution,
    "position": decode_position_update,
    "wallet": decode_wallet,
}
_CATEGORIES: Final = ("linear", "inverse", "spot", "option")
_NO_USE: Final = frozenset(
    {"kline", "greeks", "dcp", "insurance", "adlAlert", "adl-notice", "rfq", "trade", "lt"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that could not be read, and the id of ours that it carries; None where even that cannot be told."""

    client_order_id: str | None
    error: RemoteProtocolError


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFrame:
    """What the private stream said, in order, and what of it could not be read."""

    topic: str
    events: tuple[AccountEvent, ...]
    bad: tuple[BadRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A message that is known and not used."""

    kind: str


Frame = (
    BookFrame
    | PublicTrades
    | TickerFrame
    | PriceLimitFrame
    | LiquidationsFrame
    | StatusFrame
    | AccountFrame
    | ControlReply
    | Ignored
)


def decode_frame(text: str) -> Frame:
    """Read one text frame.

    Raises
    ------
    RemoteProtocolError
        If it is no JSON object, contradicts itself, has a topic or a shape that is not known, or lacks what its kind
        must have. Rows are read one by one: those that cannot be read are named beside those that can.
    """
    if text.startswith(_BOOK_BEGINS):
        book = decode_book_text(text)
        if book is not None:
            return book
    message = parse_object(text)
    topic = message.get("topic")
    if topic is None:
        return decode_control(message)
    if not isinstance(topic, str) or not topic.isprintable() or len(topic) > _TOPIC_LEN_MAX:
        raise RemoteProtocolError("a topic that is no text")
    return _decode_topic(topic, message)


def decode_account(topic: str, rows: Sequence[object]) -> AccountFrame:
    """Read rows of one private topic, all-in-one or of one category (`order`, `execution.fast.linear`)."""
    kind, _, last = topic.rpartition(".")
    decode = _ACCOUNT[kind if last in _CATEGORIES else topic]
    events: list[AccountEvent] = []
    unread: list[BadRow] = []
    for row in rows:
        try:
            event = decode(as_row(row))
        except RemoteProtocolError as error:
            name = row.get("orderLinkId") if isinstance(row, dict) else None
            unread.append(BadRow(client_order_id=name if isinstance(name, str) else None, error=error))
        else:
            if event is not None:
                events.append(event)
    return AccountFrame(topic=topic, events=tuple(events), bad=tuple(unread))


def _decode_topic(topic: str, message: Message) -> Frame:
    kind, _, rest = topic.partition(".")
    if kind in {"order", "execution", "position", "wallet"}:
        whole, _, last = topic.rpartition(".")
        if (whole if last in _CATEGORIES else topic) in _ACCOUNT:
            return decode_account(topic, rows_of(message))
    match kind:
        case "orderbook":
            depth, _, _ = rest.partition(".")
            return decode_book(message) if depth.isdecimal() else Ignored(kind=f"{kind}.{depth}")
        case "publicTrade":
            trades, bad = decode_rows(rows_of(message), decode_trade)
            return PublicTrades(symbol=rest, trades=tuple(trades), bad=tuple(bad))
        case "tickers":
            return decode_ticker(rest, message)
        case "priceLimit":
            return decode_price_limit(rest, message)
        case "allLiquidation":
            positions, bad = decode_rows(rows_of(message), decode_liquidation)
            return LiquidationsFrame(symbol=rest, positions=tuple(positions), bad=tuple(bad))
        case "liquidation":
            return Ignored(kind="liquidation, retired by the venue")
        case "system" if rest == "status":
            notices, bad = decode_rows(rows_of(message), decode_notice)
            return StatusFrame(notices=tuple(notices), bad=tuple(bad))
        case _ if kind in _NO_USE:
            return Ignored(kind=kind)
        case _:
            raise RemoteProtocolError(f"message of topic {topic!r} is not known")
