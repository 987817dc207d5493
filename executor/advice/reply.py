"""From the bytes of a reply to advice, strictly: what is not exactly as asked has no effect, and nothing is repaired.

A model's words are the least trusted input of the daemon. This room says only whether a reply is whole, in range and an
answer to the question that was asked; what it may change is said elsewhere. It never raises, whatever the bytes are.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NoReturn

from executor.advice.clean import clean
from executor.domain.advice import REPLY_BYTES_MAX, TEXT_LEN_MAX, Action, Advice, OrderKind, Unusable
from executor.domain.units import ONE, ZERO, Price, Quantity, parse_plain

CONFIDENCE_MAX: Final = ONE
IMPACT_ADJUSTMENT_MIN: Final = Decimal("0.5")
IMPACT_ADJUSTMENT_MAX: Final = Decimal(2)
RATE_MAX: Final = Decimal(100)
"""Beyond it a rate is a mistake of unit, such as per cent; what it may really be is the band's to say."""
WAIT_S_MAX: Final = 3_600

_DETAIL_LEN_MAX: Final = 120
_DEPTH_MAX: Final = 4
"""A reply is one flat object; a parser is never given anything that could exhaust its stack."""
_KEYS: Final = (
    "decision_id",
    "snapshot_hash",
    "reasoning",
    "risk_assessment",
    "action",
    "strategy",
    "quantity",
    "order_type",
    "limit_price",
    "rate",
    "wait_seconds",
    "confidence",
    "impact_adjustment",
)
"""In the order in which a model is made to write them: the reasons before the choice."""
_TERMS: Final = frozenset({"quantity", "order_type", "limit_price", "rate"})
_BESIDE: Final = {
    Action.AGGRESSIVE: _TERMS,
    Action.PASSIVE: _TERMS,
    Action.ACCELERATE: _TERMS,
    Action.DECELERATE: _TERMS,
    Action.SWITCH_STRATEGY: _TERMS | {"strategy"},
    Action.WAIT: frozenset({"wait_seconds"}),
    Action.CANCEL: frozenset[str](),
}
"""Which of the keys that may be null mean something beside an action."""
_OPTIONAL: Final = _TERMS | {"strategy", "wait_seconds"}
_TOKENS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_BLANKS: Final = " \t\r\n"
"""What JSON allows around a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A reply without effect.

    Parameters
    ----------
    detail
        For people: printable, at most 120 characters; it may quote the reply.
    """

    reason: Unusable
    detail: str


class _Refusal(ValueError):  # noqa: N818 - it is shown as a refusal
    """Carries the reason out of the depth of a parser."""

    def __init__(self, reason: Unusable, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class _Number:
    """A JSON number; it is never converted, because a number must be written as text."""


_NUMBER: Final = _Number()


def parse_reply(
    raw: bytes, *, decision_id: str, snapshot_hash: str, strategies: frozenset[str]
) -> Advice | Rejected:
    """Read one reply.

    Parameters
    ----------
    decision_id, snapshot_hash
        Of the question; the reply must repeat both.
    strategies
        Schedules that may be switched to.

    Returns
    -------
    Advice or Rejected
        Advice repeats the question's identity and has every figure within its range; its texts are cleaned for
        display. A reply with several faults is rejected for the first: form, identity, values, agreement.
    """
    try:
        found = _read_object(raw)
        _check_echo(found, "decision_id", decision_id, Unusable.OTHER_DECISION)
        _check_echo(found, "snapshot_hash", snapshot_hash, Unusable.OTHER_SNAPSHOT)
        action = _action(found)
        advice = Advice(
            decision_id=decision_id,
            snapshot_hash=snapshot_hash,
            action=action,
            strategy=_strategy(found, strategies),
            qty=_quantity(found),
            order_kind=_order_kind(found),
            limit_px=_limit_px(found),
            rate=_optional_number(found, "rate", above=ZERO, most=RATE_MAX),
            wait_s=_wait_s(found),
            confidence=_number(found, "confidence", least=ZERO, most=CONFIDENCE_MAX),
            impact_adjustment=_number(
                found, "impact_adjustment", least=IMPACT_ADJUSTMENT_MIN, most=IMPACT_ADJUSTMENT_MAX
            ),
            reasoning=_prose(found, "reasoning"),
            risk_assessment=_prose(found, "risk_assessment"),
        )
        _check_agreement(found, advice)
    except _Refusal as refusal:
        return Rejected(reason=refusal.reason, detail=clean(refusal.detail, _DETAIL_LEN_MAX))
    return advice


def reply_schema(strategies: frozenset[str]) -> dict[str, object]:
    """Describe a reply as a JSON schema, in the subset that strict structured outputs take.

    Every key is required, nothing else is allowed, and absence is null. Patterns and bounds are left out,
    because not every provider takes them; `parse_reply` checks them. Without strategies the switch cannot be named.
    """
    actions = [action.value for action in Action if strategies or action is not Action.SWITCH_STRATEGY]
    number = "plain decimal number as text"
    described: dict[str, dict[str, object]] = {
        "decision_id": _text_schema("copy of the question's decision_id"),
        "snapshot_hash": _text_schema("copy of the question's snapshot_hash"),
        "reasoning": _text_schema("why, in at most three sentences"),
        "risk_assessment": _text_schema("what could go wrong with it, in at most two sentences"),
        "action": {"type": "string", "enum": actions, "description": "what to do"},
        "strategy": _choice_schema(sorted(strategies), "schedule to change to; only with SWITCH_STRATEGY"),
        "quantity": _text_schema(
            f"largest next child order in the unit of order_qty; {number}", nullable=True
        ),
        "order_type": _choice_schema([kind.value for kind in OrderKind], "how child orders work"),
        "limit_price": _text_schema(f"worst price, only with LIMIT; {number}", nullable=True),
        "rate": _text_schema(f"speed as a multiple of the schedule; {number}", nullable=True),
        "wait_seconds": _text_schema("whole seconds as text, only with WAIT", nullable=True),
        "confidence": _text_schema(f"0 to 1; {number}"),
        "impact_adjustment": _text_schema(f"factor on the impact estimate, 0.5 to 2; {number}"),
    }
    return {
        "type": "object",
        "properties": {key: described[key] for key in _KEYS},
        "required": list(_KEYS),
        "additionalProperties": False,
    }


def _text_schema(description: str, *, nullable: bool = False) -> dict[str, object]:
    return {"type": ["string", "null"] if nullable else "string", "description": description}


def _choice_schema(choices: Iterable[str], description: str) -> dict[str, object]:
    names = list(choices)
    if not names:
        return {"type": "null", "description": "null: there is nothing to choose from"}
    return {"type": ["string", "null"], "enum": [*names, None], "description": description}


def _read_object(raw: bytes) -> dict[str, object]:
    """Read one flat JSON object that has exactly the keys of a reply."""
    if len(raw) > REPLY_BYTES_MAX:
        raise _Refusal(Unusable.TOO_LARGE, f"{len(raw)} bytes")
    try:
        text = raw.decode("utf-8").strip(_BLANKS)
    except UnicodeDecodeError as error:
        raise _Refusal(Unusable.NOT_UTF8, f"byte {error.start} is not UTF-8") from None
    if not text:
        raise _Refusal(Unusable.EMPTY, "nothing but blanks")
    _check_depth(text)
    try:
        value, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise _Refusal(Unusable.NOT_JSON, f"{error.msg} at character {error.pos}: {text[:40]}") from None
    if not isinstance(value, dict):
        raise _Refusal(Unusable.NOT_ONE_OBJECT, f"not an object: {text[:40]}")
    if end != len(text):
        raise _Refusal(Unusable.NOT_ONE_OBJECT, f"after the object: {text[end : end + 40]}")
    for key in value:
        if key not in _KEYS:
            raise _Refusal(Unusable.KEY_UNKNOWN, f"a key that is not asked for: {key}")
    for key in _KEYS:
        if key not in value:
            raise _Refusal(Unusable.KEY_MISSING, f"{key} is missing")
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for token in _TOKENS.finditer(text):
        first = token.group()[0]
        if first in "[{":
            depth += 1
            if depth > _DEPTH_MAX:
                raise _Refusal(Unusable.TOO_DEEP, f"nested deeper than {_DEPTH_MAX}")
        elif first in "]}":
            depth -= 1


def _object_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _Refusal(Unusable.KEY_TWICE, f"a key twice: {key}")
        found[key] = value
    return found


def _no_constant(word: str) -> NoReturn:
    raise _Refusal(Unusable.NOT_JSON, f"{word} is not JSON")


def _unconverted(_digits: str) -> _Number:
    return _NUMBER


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object_once,
    parse_constant=_no_constant,
    parse_int=_unconverted,
    parse_float=_unconverted,
)


def _check_echo(found: dict[str, object], key: str, asked: str, reason: Unusable) -> None:
    told = _string(found, key)
    if told != asked:
        raise _Refusal(reason, f"{key} {told} instead of {asked}")


def _action(found: dict[str, object]) -> Action:
    word = _string(found, "action")
    try:
        return Action(word)
    except ValueError:
        raise _Refusal(Unusable.BAD_ACTION, f"no such action: {word}") from None


def _strategy(found: dict[str, object], strategies: frozenset[str]) -> str | None:
    name = _optional_string(found, "strategy")
    if name is not None and name not in strategies:
        raise _Refusal(Unusable.BAD_STRATEGY, f"not one of the strategies offered: {name}")
    return name


def _order_kind(found: dict[str, object]) -> OrderKind | None:
    word = _optional_string(found, "order_type")
    if word is None:
        return None
    try:
        return OrderKind(word)
    except ValueError:
        raise _Refusal(Unusable.BAD_ORDER_TYPE, f"neither LIMIT nor MARKET: {word}") from None


def _quantity(found: dict[str, object]) -> Quantity | None:
    value = _optional_number(found, "quantity", above=ZERO)
    return None if value is None else Quantity(value)


def _limit_px(found: dict[str, object]) -> Price | None:
    value = _optional_number(found, "limit_price", above=ZERO)
    return None if value is None else Price(value)


def _wait_s(found: dict[str, object]) -> int | None:
    value = _optional_number(found, "wait_seconds", most=Decimal(WAIT_S_MAX))
    if value is None:
        return None
    if value != value.to_integral_value():
        raise _Refusal(Unusable.BAD_NUMBER, f"wait_seconds is not whole: {value}")
    return int(value)


def _prose(found: dict[str, object], key: str) -> str:
    text = _string(found, key)
    if len(text) > TEXT_LEN_MAX:
        raise _Refusal(Unusable.OUT_OF_RANGE, f"{key} has {len(text)} characters")
    return clean(text, TEXT_LEN_MAX)


def _check_agreement(found: dict[str, object], advice: Advice) -> None:
    """Refuse a reply whose parts do not fit each other: nobody can say which of them was meant."""
    action = advice.action
    for key in _KEYS:
        if key in _OPTIONAL and found[key] is not None and key not in _BESIDE[action]:
            raise _Refusal(Unusable.CONTRADICTION, f"{key} has no meaning with {action.value}")
    if action is Action.SWITCH_STRATEGY and advice.strategy is None:
        raise _Refusal(Unusable.CONTRADICTION, "SWITCH_STRATEGY without a strategy")
    if advice.limit_px is not None and advice.order_kind is not OrderKind.LIMIT:
        raise _Refusal(Unusable.CONTRADICTION, "limit_price without order_type LIMIT")
    if action is Action.PASSIVE and advice.order_kind is OrderKind.MARKET:
        raise _Refusal(Unusable.CONTRADICTION, "PASSIVE with order_type MARKET")
    if advice.rate is not None and (
        (action is Action.ACCELERATE and advice.rate < ONE)
        or (action is Action.DECELERATE and advice.rate > ONE)
    ):
        raise _Refusal(Unusable.CONTRADICTION, f"{action.value} with the rate {advice.rate}")


def _string(found: dict[str, object], key: str) -> str:
    value = found[key]
    if not isinstance(value, str):
        raise _Refusal(Unusable.BAD_TYPE, f"{key} is {_kind(value)}, not text")
    return value


def _optional_string(found: dict[str, object], key: str) -> str | None:
    return None if found[key] is None else _string(found, key)


def _number(
    found: dict[str, object],
    key: str,
    *,
    least: Decimal = ZERO,
    above: Decimal | None = None,
    most: Decimal | None = None,
) -> Decimal:
    text = _string(found, key)
    try:
        value = parse_plain(text)
    except ValueError:
        raise _Refusal(Unusable.BAD_NUMBER, f"{key} is not a plain decimal number: {text[:40]}") from None
    if value < least or (above is not None and value <= above) or (most is not None and value > most):
        raise _Refusal(Unusable.OUT_OF_RANGE, f"{key} is {text}")
    return value


def _optional_number(
    found: dict[str, object], key: str, *, above: Decimal | None = None, most: Decimal | None = None
) -> Decimal | None:
    return None if found[key] is None else _number(found, key, above=above, most=most)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case _Number():
            return "a JSON number"
        case list():
            return "a list"
        case _:
            return "an object"
