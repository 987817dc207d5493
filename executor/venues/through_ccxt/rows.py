"""ccxt's unified rows and the engine's events. Total: an event or a named error; nothing is guessed.

The exchange is made with `number = str`, so every number of an order, an execution or a rule is text. A book alone has
floats, which are written back as the shortest decimal that means them: for prices of up to fifteen digits that is what
the venue wrote.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Final

from executor.domain.errors import RemoteProtocolError
from executor.domain.events import OrderFilled, OrderUpdated, PositionReport, VenueStatus
from executor.domain.fills import Fill
from executor.domain.instrument import Instrument
from executor.domain.market import MarketSnapshot
from executor.domain.orders import Category, Liquidity, Side
from executor.domain.timeline import NS_PER_MS
from executor.domain.units import ZERO, Money, Price, Quantity, is_plain
from executor.venues.through_ccxt.dialect import Row

TICK_SIZE: Final = 4
DECIMAL_PLACES: Final = 2
"""ccxt's names of two ways to say a precision; the third, significant digits, no instrument of ours can have."""
NO_MAXIMUM: Final = Quantity(Decimal(10) ** 15)
"""Where a venue names no largest quantity, ours have no bound by it; the limits of the house remain."""
_PLACES_MAX: Final = 18
_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
_OPEN: Final = frozenset({"open", "canceling"})
_ENDED: Final = frozenset({"closed", "canceled", "cancelled", "expired", "expired_in_match"})
_LIQUIDITY: Final = {"maker": Liquidity.MAKER, "taker": Liquidity.TAKER}
_SHOWN: Final = 40


class MarketUnusable(ValueError):  # noqa: N818 - reads as what a person is told
    """A market whose rules do not fit what this daemon trades."""


def read_instrument(market: Row, category: Category, symbol: str, precision_mode: int) -> Instrument:
    """Read a market's rules.

    Parameters
    ----------
    symbol
        Ours, with the name of the venue.
    precision_mode
        How the exchange says a precision, ccxt's number.

    Raises
    ------
    MarketUnusable
        With words, if it is no spot market and no linear perpetual of whole units.
    """
    _refuse_kind(market, category)
    limits = _object(market, "limits")
    amount, cost = _object(limits, "amount"), _object(limits, "cost")
    steps = _object(market, "precision")
    maximum = _rule(amount, "max")
    try:
        return Instrument(
            category=category,
            symbol=symbol,
            base_coin=_word(market, "base"),
            quote_coin=_word(market, "quote"),
            tick_size=Price(_step(steps, "price", precision_mode)),
            qty_step=Quantity(_step(steps, "amount", precision_mode)),
            min_order_qty=Quantity(_rule(amount, "min") or ZERO),
            max_order_qty=NO_MAXIMUM if maximum is None else Quantity(maximum),
            min_notional=Money(_rule(cost, "min") or ZERO),
            trading=market.get("active") is not False,
        )
    except (RemoteProtocolError, ValueError) as error:
        raise MarketUnusable(f"{market.get('symbol')}: {error}") from error


def _refuse_kind(market: Row, category: Category) -> None:
    name = market.get("symbol")
    if category is Category.SPOT:
        if market.get("spot") is not True:
            raise MarketUnusable(f"{name} is no spot market")
        return
    if category is not Category.LINEAR:
        raise MarketUnusable(f"{name}: {category} contracts of other venues are not traded here")
    if market.get("swap") is not True or market.get("linear") is not True:
        what = "an inverse contract" if market.get("inverse") else "no linear perpetual"
        raise MarketUnusable(f"{name} is {what}")
    size = _rule(market, "contractSize")
    if size != 1:
        raise MarketUnusable(
            f"{name}: one contract is {size} {market.get('base')}; only contracts of one unit are traded here"
        )


def read_order(
    row: Row, category: Category, symbol: str, name: str, venue: str, asked_ns: int
) -> OrderUpdated:
    """Read one order.

    Parameters
    ----------
    name
        Our id of it.
    asked_ns
        When the reading began, UTC nanoseconds.

    Raises
    ------
    RemoteProtocolError
        If it lacks anything, or says something unheard of.
    """
    qty, cum_qty = _quantity(row, "amount"), _quantity(row, "filled")
    if cum_qty > qty:
        raise RemoteProtocolError(f"{name}: {cum_qty} of {qty} filled")
    updated = row.get("lastUpdateTimestamp") or row.get("lastTradeTimestamp") or row.get("timestamp")
    return OrderUpdated(
        at_ns=0,
        category=category,
        symbol=symbol,
        client_order_id=name,
        venue_order_id=order_id_at(_word(row, "id"), venue),
        status=_status(row, qty, cum_qty),
        side=_side(row),
        qty=Quantity(qty),
        px=Price(_quantity(row, "price")),
        cum_qty=Quantity(cum_qty),
        updated_ms=_whole("time of an order", updated),
        detail=str(row.get("status")),
        asked_ns=asked_ns,
    )


def _status(row: Row, qty: Decimal, cum_qty: Decimal) -> VenueStatus:
    """In our words; "closed" of an order that is not full is an end short of it."""
    word = row.get("status")
    if word in _OPEN:
        return VenueStatus.PARTIALLY_FILLED if cum_qty else VenueStatus.NEW
    if word in _ENDED:
        return VenueStatus.FILLED if cum_qty == qty else VenueStatus.CANCELED
    if word == "rejected":
        return VenueStatus.REJECTED
    raise RemoteProtocolError(f"an order of status {str(word)[:_SHOWN]!r}")


def read_fill(row: Row, category: Category, symbol: str, name: str, venue: str) -> OrderFilled:
    """Read one execution of ours; `name` is our id of the order, empty where the venue does not say.

    Raises
    ------
    RemoteProtocolError
        If it lacks anything.
    """
    liquidity = _LIQUIDITY.get(str(row.get("takerOrMaker")))
    if liquidity is None:
        raise RemoteProtocolError(f"an execution that is {str(row.get('takerOrMaker'))[:_SHOWN]!r}")
    fee, coin = _fee(row)
    qty, px = _quantity(row, "amount"), _quantity(row, "price")
    if qty <= ZERO or px <= ZERO:
        raise RemoteProtocolError(f"an execution of {qty} at {px}")
    return OrderFilled(
        at_ns=0,
        fill=Fill(
            category=category,
            symbol=symbol,
            exec_id=_word(row, "id"),
            client_order_id=name,
            venue_order_id=order_id_at(_word(row, "order"), venue),
            side=_side(row),
            last_qty=Quantity(qty),
            last_px=Price(px),
            fee=Money(fee),
            fee_coin=coin,
            liquidity=liquidity,
            ts_exchange_ns=_whole("time of an execution", row.get("timestamp")) * NS_PER_MS,
        ),
    )


def _fee(row: Row) -> tuple[Decimal, str]:
    """The fee and its coin; a cost is positive. No fee at all is told by a venue as an empty one."""
    fees = row.get("fees")
    told = [each for each in fees if isinstance(each, Mapping)] if isinstance(fees, list) else []
    if len(told) > 1:
        raise RemoteProtocolError(f"an execution with {len(told)} fees")
    one = told[0] if told else row.get("fee")
    if not isinstance(one, Mapping) or one.get("cost") is None:
        return ZERO, ""
    coin = one.get("currency")
    if not isinstance(coin, str) or not coin:
        raise RemoteProtocolError("a fee without a coin")
    return number_of("fee", one.get("cost")), coin


def read_positions(rows: Sequence[Row], names: Mapping[str, str]) -> tuple[PositionReport, ...]:
    """Read positions of linear contracts; a market that is not listed in a whole answer has none.

    Parameters
    ----------
    names
        Our symbol of each unified one that was asked for.

    Raises
    ------
    RemoteProtocolError
        If a row cannot be read.
    """
    held: dict[str, list[Decimal]] = {symbol: [] for symbol in names.values()}
    for row in rows:
        symbol = names.get(str(row.get("symbol")))
        if symbol is None:
            continue
        qty = number_of("position", row.get("contracts") or "0")
        if qty == ZERO:
            continue
        side = row.get("side")
        if side not in {"long", "short"}:
            raise RemoteProtocolError(f"a position that is {str(side)[:_SHOWN]!r}")
        held[symbol].append(abs(qty) if side == "long" else -abs(qty))
    reports = []
    for symbol, each in held.items():
        apart = len(each) > 1
        for qty in each or [ZERO]:
            idx = (1 if qty > ZERO else 2) if apart else 0
            reports.append(PositionReport(category=Category.LINEAR, symbol=symbol, position_idx=idx, qty=qty))
    return tuple(reports)


def read_touch(book: Row) -> tuple[Price, Quantity, Price, Quantity]:
    """Best bid and its quantity, best ask and its quantity; the order in which levels are listed does not matter.

    Raises
    ------
    RemoteProtocolError
        If a side is empty or unreadable, or the book is crossed.
    """
    bid, bid_qty = max(_levels(book, "bids"))
    ask, ask_qty = min(_levels(book, "asks"))
    if not ZERO < bid < ask:
        raise RemoteProtocolError(f"a crossed book: {bid} and {ask}")
    return Price(bid), Quantity(bid_qty), Price(ask), Quantity(ask_qty)


def _levels(book: Row, side: str) -> list[tuple[Decimal, Decimal]]:
    levels = book.get(side)
    if not isinstance(levels, list) or not levels:
        raise RemoteProtocolError(f"a book without {side}")
    return [(_float(level, 0), _float(level, 1)) for level in levels]


def _float(level: object, place: int) -> Decimal:
    value = level[place] if isinstance(level, list | tuple) and len(level) > place else None
    if isinstance(value, bool) or not isinstance(value, float | int) or not isfinite(value):
        raise RemoteProtocolError(f"a level of {str(level)[:_SHOWN]}")
    number = Decimal(repr(value))
    if not is_plain(number) or number <= ZERO:
        raise RemoteProtocolError(f"a level of {str(level)[:_SHOWN]}")
    return number


class Tape:
    """Running totals of a market's public trades, each counted once; what is older than the feed is not counted."""

    _KEPT_MAX = 2_000

    def __init__(self) -> None:
        self.traded_qty = Quantity(ZERO)
        self.traded_notional = Money(ZERO)
        self.bought_qty = Quantity(ZERO)
        self._seen: dict[str, None] = {}
        self._begun = False

    def take(self, rows: Sequence[Row]) -> None:
        """Count what is new in a list of the latest trades.

        Raises
        ------
        RemoteProtocolError
            If one cannot be read; those before it are counted.
        """
        for row in rows:
            name = _word(row, "id")
            if name in self._seen:
                continue
            qty, px, side = _quantity(row, "amount"), _quantity(row, "price"), _side(row)
            self._seen[name] = None
            if self._begun:
                self.traded_qty = Quantity(self.traded_qty + qty)
                self.traded_notional = Money(self.traded_notional + qty * px)
                self.bought_qty = Quantity(self.bought_qty + (qty if side is Side.BUY else ZERO))
        self._begun = True
        while len(self._seen) > self._KEPT_MAX:
            del self._seen[next(iter(self._seen))]

    def snapshot(self, category: Category, symbol: str, book: Row, ts_ms: int) -> MarketSnapshot:
        """The market with this book; `ts_ms` is its time by the venue's clock, milliseconds."""
        bid, bid_qty, ask, ask_qty = read_touch(book)
        return MarketSnapshot(
            category=category,
            symbol=symbol,
            best_bid=bid,
            best_bid_qty=bid_qty,
            best_ask=ask,
            best_ask_qty=ask_qty,
            traded_qty=self.traded_qty,
            traded_notional=self.traded_notional,
            bought_qty=self.bought_qty,
            ts_exchange_ns=ts_ms * NS_PER_MS,
        )


def order_id_at(text: str, venue: str) -> str:
    """A venue's id of an order so that no other venue's can be the same."""
    return f"{text}@{venue}"


def _object(row: Row, key: str) -> Row:
    value = row.get(key)
    if not isinstance(value, Mapping):
        raise MarketUnusable(f"{row.get('symbol', 'a market')} says nothing of {key}")
    return value


def _rule(row: Row, key: str) -> Decimal | None:
    value = row.get(key)
    return None if value is None else number_of(key, value)


def _step(steps: Row, key: str, mode: int) -> Decimal:
    value = _rule(steps, key)
    if value is None:
        raise MarketUnusable(f"no step of {key} is said")
    if mode == TICK_SIZE:
        return value
    if mode == DECIMAL_PLACES and value == value.to_integral_value() and abs(value) <= _PLACES_MAX:
        return Decimal(1).scaleb(-int(value))
    raise MarketUnusable(f"its {key} is said in significant digits, which no fixed step is")


def _side(row: Row) -> Side:
    side = _SIDES.get(str(row.get("side")))
    if side is None:
        raise RemoteProtocolError(f"a side of {str(row.get('side'))[:_SHOWN]!r}")
    return side


def _word(row: Row, key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value or len(value) > 2 * _SHOWN or not value.isascii():
        raise RemoteProtocolError(f"{key} is {str(value)[:_SHOWN]!r}")
    return value


def _quantity(row: Row, key: str) -> Decimal:
    value = number_of(key, row.get(key))
    if value < ZERO:
        raise RemoteProtocolError(f"{key} is {value}")
    return value


def number_of(what: str, value: object) -> Decimal:
    """Read a number that is text, or whole; a float would not be exact.

    Raises
    ------
    RemoteProtocolError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RemoteProtocolError(f"{what} is {str(value)[:_SHOWN]!r}")
    text = str(value)
    try:
        number = Decimal(text) if text.isascii() and len(text) <= _SHOWN and "_" not in text else None
    except InvalidOperation:
        number = None
    if number is None or not is_plain(number):
        raise RemoteProtocolError(f"{what} is {text[:_SHOWN]!r}")
    return number


def _whole(what: str, value: object) -> int:
    number = number_of(what, value)
    if number <= ZERO or number != number.to_integral_value():
        raise RemoteProtocolError(f"{what} is {value!r}")
    return int(number)
