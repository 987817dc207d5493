"""The one decision a language model may take, `submit_order`, and the strict reading of it.

What is not exactly as asked has no effect and is never repaired: the agent then holds, and the reason is counted. The
reading never raises, whatever the bytes are.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn

NAME: Final = "submit_order"
REPLY_BYTES_MAX: Final = 8_192
REASONING_LEN_MAX: Final = 1_000
_KEYS: Final = ("reasoning", "action", "quantity", "order_type", "limit_price")
"""In the order in which a model is made to write them: the reason before the choice."""
_PRICE: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?\Z", re.ASCII)


class Action(StrEnum):
    """What a model may do."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class Invalid(StrEnum):
    """Why a reply is no decision."""

    TOO_LARGE = "TOO_LARGE"
    NOT_JSON = "NOT_JSON"
    NOT_ONE_OBJECT = "NOT_ONE_OBJECT"
    KEYS = "KEYS"
    BAD_ACTION = "BAD_ACTION"
    BAD_QUANTITY = "BAD_QUANTITY"
    BAD_ORDER_TYPE = "BAD_ORDER_TYPE"
    BAD_PRICE = "BAD_PRICE"
    OFF_TICK = "OFF_TICK"
    BAD_REASONING = "BAD_REASONING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a model wants.

    Parameters
    ----------
    side
        +1 to buy, -1 to sell, 0 to hold.
    qty
        Lots; 0 to hold.
    px
        Limit, ticks; 0 takes at the market, or holds.
    reasoning
        In the model's words, printable.
    """

    side: int
    qty: int
    px: int
    reasoning: str


class _Refusal(ValueError):  # noqa: N818 - carries a reason out of a parser
    def __init__(self, reason: Invalid) -> None:
        super().__init__(reason)
        self.reason = reason


def schema() -> Mapping[str, object]:
    """Parameters of the function as a JSON schema that servers accept as strict."""
    return {
        "type": "object",
        "properties": {
            "reasoning": {"type": "string"},
            "action": {"type": "string", "enum": [str(action) for action in Action]},
            "quantity": {"type": "integer"},
            "order_type": {"type": ["string", "null"], "enum": ["LIMIT", "MARKET", None]},
            "limit_price": {"type": ["string", "null"]},
        },
        "required": list(_KEYS),
        "additionalProperties": False,
    }


def read_decision(raw: bytes, *, qty_max: int, price_digits: int) -> Decision | Invalid:
    """Read one call's arguments.

    Parameters
    ----------
    qty_max
        Most lots of one order.
    price_digits
        Digits behind the point that a price may have: 2 if a tick is 0.01.
    """
    if len(raw) > REPLY_BYTES_MAX:
        return Invalid.TOO_LARGE
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_never)
    except _Refusal as refusal:
        return refusal.reason
    except (ValueError, RecursionError):
        return Invalid.NOT_JSON
    if not isinstance(found, dict):
        return Invalid.NOT_ONE_OBJECT
    if found.keys() != set(_KEYS):
        return Invalid.KEYS
    try:
        return _decision(found, qty_max, price_digits)
    except _Refusal as refusal:
        return refusal.reason


def _decision(found: Mapping[str, object], qty_max: int, price_digits: int) -> Decision:
    action, qty, kind, price, reasoning = (
        found[key] for key in ("action", "quantity", "order_type", "limit_price", "reasoning")
    )
    if not isinstance(reasoning, str):
        raise _Refusal(Invalid.BAD_REASONING)
    if not isinstance(action, str) or action not in set(Action):
        raise _Refusal(Invalid.BAD_ACTION)
    if type(qty) is not int or not 0 <= qty <= qty_max or (qty == 0) != (action == Action.HOLD):
        raise _Refusal(Invalid.BAD_QUANTITY)
    words = _printable(reasoning)
    if action == Action.HOLD:
        if kind is not None or price is not None:
            raise _Refusal(Invalid.BAD_ORDER_TYPE if kind is not None else Invalid.BAD_PRICE)
        return Decision(side=0, qty=0, px=0, reasoning=words)
    if kind not in ("LIMIT", "MARKET"):
        raise _Refusal(Invalid.BAD_ORDER_TYPE)
    px = _ticks(price, price_digits) if kind == "LIMIT" else 0
    if kind == "MARKET" and price is not None:
        raise _Refusal(Invalid.BAD_PRICE)
    return Decision(side=1 if action == Action.BUY else -1, qty=qty, px=px, reasoning=words)


def _ticks(price: object, digits: int) -> int:
    """Whole ticks of a price as text."""
    if not isinstance(price, str) or not _PRICE.match(price):
        raise _Refusal(Invalid.BAD_PRICE)
    whole, _, behind = price.partition(".")
    behind = behind.rstrip("0")
    if len(behind) > digits:
        raise _Refusal(Invalid.OFF_TICK)
    ticks = int(whole + behind.ljust(digits, "0"))
    if ticks == 0:
        raise _Refusal(Invalid.BAD_PRICE)
    return ticks


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refusal(Invalid.KEYS)
    return found


def _never(_: str) -> NoReturn:
    raise _Refusal(Invalid.NOT_JSON)


def _printable(text: str) -> str:
    plain = "".join(char if char.isprintable() else " " for char in text[:REASONING_LEN_MAX])
    return " ".join(plain.split())
