"""The last look: the exact bytes that would leave are read again and held against the approval.

The request was built from an approved order by code that could be wrong; what the venue will see is the
bytes, so the bytes are what is checked (and then signed, untouched).
"""

import json
from decimal import Decimal
from typing import Final, NoReturn

from executor.domain.approval import Approved
from executor.domain.errors import LocalProtocolError
from executor.domain.orders import Category, NewOrder, Replacement, Side
from executor.domain.units import parse_plain

_SIDES: Final = {Side.BUY: "Buy", Side.SELL: "Sell"}
_KEYS: Final = frozenset(
    {
        "category",
        "symbol",
        "side",
        "orderType",
        "qty",
        "price",
        "timeInForce",
        "orderLinkId",
    }
)
_POSITION_KEYS: Final = frozenset({"positionIdx", "reduceOnly"})
_AMEND_KEYS: Final = frozenset({"category", "symbol", "orderLinkId", "qty", "price"})


def check_create_bytes(body: bytes, approved: Approved[NewOrder], symbol: str = "") -> None:
    """Refuse a create request whose bytes do not say exactly what was approved.

    Parameters
    ----------
    symbol
        What the venue calls the approved symbol, if it is not called the same.

    Raises
    ------
    LocalProtocolError
        If a key is missing, unknown or double, or any value differs from the approved order.
    """
    order = approved.order
    sent = strict_object(body)
    spot = order.category is Category.SPOT
    if set(sent) != (_KEYS if spot else _KEYS | _POSITION_KEYS):
        raise LocalProtocolError(f"create request carries the keys {sorted(sent)}")
    expected: dict[str, object] = {
        "category": order.category.value,
        "symbol": symbol or order.symbol,
        "side": _SIDES[order.side],
        "orderType": "Limit",
        "timeInForce": order.time_in_force.value,
        "orderLinkId": order.client_order_id,
    }
    _check_words(sent, expected)
    if spot and (order.reduce_only or order.position_idx):
        raise LocalProtocolError("a spot order can neither reduce nor name a position")
    if not spot:
        _check_position(sent, order)
    _check_terms(sent, order.qty, order.px)


def check_amend_bytes(body: bytes, approved: Approved[Replacement]) -> None:
    """Refuse an amend request whose bytes do not say exactly what was approved.

    Raises
    ------
    LocalProtocolError
        If a key is missing, unknown or double, or any value differs from the approved amendment.
    """
    order = approved.order
    sent = strict_object(body)
    if set(sent) != _AMEND_KEYS:
        raise LocalProtocolError(f"amend request carries the keys {sorted(sent)}")
    expected: dict[str, object] = {
        "category": order.category.value,
        "symbol": order.symbol,
        "orderLinkId": order.client_order_id,
    }
    _check_words(sent, expected)
    _check_terms(sent, order.qty, order.px)


def _check_words(sent: dict[str, object], expected: dict[str, object]) -> None:
    for key, value in expected.items():
        if sent[key] != value:
            raise LocalProtocolError(f"request says {key}={sent[key]!r}, approved was {value!r}")


def _check_terms(sent: dict[str, object], qty: Decimal, px: Decimal) -> None:
    for key, value in (("qty", qty), ("price", px)):
        if number_of(sent[key]) != value or value <= 0:
            raise LocalProtocolError(f"request says {key}={sent[key]!r}, approved was {value}")


def _check_position(sent: dict[str, object], order: NewOrder) -> None:
    if type(sent["positionIdx"]) is not int or sent["positionIdx"] != order.position_idx:
        raise LocalProtocolError(f"request says positionIdx={sent['positionIdx']!r}")
    if sent["reduceOnly"] is not order.reduce_only:
        raise LocalProtocolError(f"request says reduceOnly={sent['reduceOnly']!r}")


def number_of(value: object) -> Decimal:
    """Read a number that is written as text, plainly.

    Raises
    ------
    LocalProtocolError
        If it is not.
    """
    if not isinstance(value, str):
        raise LocalProtocolError(f"request carries a number that is not text: {value!r}")
    try:
        return parse_plain(value)
    except ValueError as error:
        raise LocalProtocolError(str(error)) from error


def strict_object(body: bytes) -> dict[str, object]:
    """Read a JSON object in which no key stands twice and no number is written as a word.

    Raises
    ------
    LocalProtocolError
        If the bytes are none.
    """

    def refuse_constant(name: str) -> NoReturn:
        raise LocalProtocolError(f"request carries {name}")

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise LocalProtocolError("request carries a key twice")
        return dict(pairs)

    try:
        parsed = json.loads(body.decode(), object_pairs_hook=unique, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise LocalProtocolError("request is not JSON") from error
    if not isinstance(parsed, dict):
        raise LocalProtocolError("request is not an object")
    return parsed
