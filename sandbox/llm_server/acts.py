"""All that can go wrong on demand, by name, with the details of each act. Pure.

Acts belong to layers, from the model's mind down to the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Final

from sandbox.llm_server.answer import ACTIONS
from sandbox.llm_server.wire_json import JsonObject


class Layer(StrEnum):
    """Where in the making of an answer a rule strikes."""

    MIND = "mind"
    REPLY = "reply"
    TEXT = "text"
    ENVELOPE = "envelope"
    WIRE = "wire"


class Required(Enum):
    """Marks a detail that has to be given."""

    YES = 0


REQUIRED: Final = Required.YES


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One detail of an act; ``kind`` is the type of its value, ``choices`` are all that it may be."""

    kind: type
    default: object
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What can go wrong; ``standing`` acts go on until they are cleared unless ``times`` says otherwise."""

    layer: Layer
    details: Mapping[str, Detail] = field(default_factory=dict)
    standing: bool = False


def _text(default: object, *choices: str) -> Detail:
    return Detail(kind=str, default=default, choices=choices)


def _whole(default: object, low: int, high: int) -> Detail:
    return Detail(kind=int, default=default, low=low, high=high)


def _number(default: object, low: float, high: float) -> Detail:
    return Detail(kind=float, default=default, low=low, high=high)


BAD_NUMBERS: Final = {
    "nan": "NaN",
    "nan_text": '"NaN"',
    "infinity": "Infinity",
    "minus_infinity": "-Infinity",
    "infinity_text": '"Infinity"',
    "minus_one": '"-1"',
    "plus": '"+1"',
    "zero": '"0"',
    "minus_zero": '"-0"',
    "huge": '"1e308"',
    "overflow": "1e400",
    "exponent": '"1e9"',
    "arabic": '"\u0661\u0662"',
    "full_width": '"\uff11\uff12"',
    "thousands": '"1,000"',
    "underscore": '"1_000"',
    "blank": '" 1"',
    "hex": '"0x10"',
    "leading_zero": '"007"',
    "long": '"' + "9" * 400 + '"',
    "empty": '""',
    "number": "0.5",
    "true": "true",
    "false": "false",
    "null": "null",
    "array": '["1"]',
    "object": '{"value":"1"}',
}
"""What may stand where a decimal string should, by name: JSON text, some of it no JSON."""
POWERS: Final[dict[str, JsonObject]] = {
    "side": {"side": "SELL"},
    "symbol": {"symbol": "DOGEUSDT"},
    "category": {"category": "spot"},
    "limits": {"limits": {"child_qty_max": "1000000", "rate_max": "100"}},
    "mode": {"mode": "live"},
    "withdraw": {"withdraw": {"coin": "USDT", "amount": "1000", "address": "T000"}},
    "disable_stop": {"disable_stop": True},
    "client_order_id": {"client_order_id": "mine-1"},
}
"""Members that ask for a power which no reply has, by name."""
BROKEN_JSON: Final = (
    "trailing_comma",
    "single_quotes",
    "comment",
    "prose",
    "unclosed",
    "array",
    "lines",
    "bom",
    "surrogate",
)
BYTES_MAX: Final = 1 << 30
DEPTH_MAX: Final = 10**7
MS_MAX: Final = 3_600_000

ACTS: Final[dict[str, Act]] = {
    "always": Act(layer=Layer.MIND, details={"action": _text("WAIT", *ACTIONS)}, standing=True),
    "oscillate": Act(
        layer=Layer.MIND,
        details={"first": _text("AGGRESSIVE", *ACTIONS), "second": _text("CANCEL", *ACTIONS)},
        standing=True,
    ),
    "restless": Act(layer=Layer.MIND, standing=True),
    "number": Act(
        layer=Layer.REPLY, details={"key": _text("quantity"), "number": _text(REQUIRED, *BAD_NUMBERS)}
    ),
    "scale": Act(layer=Layer.REPLY, details={"key": _text("quantity"), "factor": _number(10.0, 1e-6, 1e6)}),
    "quote_for_base": Act(layer=Layer.REPLY),
    "price_off": Act(layer=Layer.REPLY, details={"factor": _number(10.0, 1e-6, 1e6)}),
    "powers": Act(layer=Layer.REPLY, details={"power": _text(REQUIRED, *POWERS)}),
    "swap_id": Act(
        layer=Layer.REPLY, details={"to": _text(REQUIRED, "decision", "snapshot", "parent", "previous")}
    ),
    "edit": Act(
        layer=Layer.REPLY,
        details={"set": Detail(kind=dict, default={}), "remove": Detail(kind=list, default=[])},
    ),
    "not_json": Act(layer=Layer.TEXT, details={"kind": _text("trailing_comma", *BROKEN_JSON)}),
    "duplicate_key": Act(layer=Layer.TEXT, details={"key": _text("action"), "value": _text("CANCEL")}),
    "fences": Act(layer=Layer.TEXT),
    "two_objects": Act(layer=Layer.TEXT),
    "leading_text": Act(layer=Layer.TEXT, details={"text": _text("Here is my decision: ")}),
    "trailing_text": Act(layer=Layer.TEXT, details={"text": _text("\nGood luck!")}),
    "truncated": Act(layer=Layer.TEXT),
    "empty": Act(layer=Layer.TEXT),
    "null": Act(layer=Layer.TEXT),
    "refusal": Act(layer=Layer.TEXT, details={"text": _text("I'm sorry, I can't assist with that.")}),
    "content_raw": Act(layer=Layer.TEXT, details={"content": _text(REQUIRED)}),
    "big_content": Act(layer=Layer.TEXT, details={"bytes": _whole(10_000_000, 1, BYTES_MAX)}),
    "deep_content": Act(layer=Layer.TEXT, details={"depth": _whole(10**6, 1, DEPTH_MAX)}),
    "other_model": Act(layer=Layer.ENVELOPE, details={"model": _text("sandbox-cheaper")}),
    "usage": Act(
        layer=Layer.ENVELOPE,
        details={"kind": _text("missing", "missing", "zero", "huge", "negative", "text")},
    ),
    "finish": Act(
        layer=Layer.ENVELOPE,
        details={"finish_reason": _text("content_filter", "content_filter", "length", "tool_calls")},
    ),
    "choices": Act(layer=Layer.ENVELOPE, details={"count": _whole(0, 0, 8)}),
    "hang_before_headers": Act(layer=Layer.WIRE),
    "hang_after_headers": Act(layer=Layer.WIRE, details={"bytes": _whole(0, 0, BYTES_MAX)}),
    "trickle": Act(layer=Layer.WIRE, details={"interval_ms": _number(1000.0, 0, MS_MAX)}),
    "delay": Act(layer=Layer.WIRE, details={"delay_ms": _number(REQUIRED, 0, MS_MAX)}),
    "status": Act(
        layer=Layer.WIRE,
        details={
            "status": _whole(500, 300, 599),
            "retry_after": _text(""),
            "message": _text(""),
            "code": _text(""),
        },
    ),
    "body_raw": Act(
        layer=Layer.WIRE,
        details={
            "status": _whole(200, 200, 599),
            "body": _text("<html><body>Bad gateway</body></html>"),
            "content_type": _text("text/html"),
        },
    ),
    "corrupt": Act(layer=Layer.WIRE),
    "redirect": Act(layer=Layer.WIRE, details={"url": _text(REQUIRED)}),
    "reset": Act(layer=Layer.WIRE, details={"bytes": _whole(0, 0, BYTES_MAX)}),
    "drop": Act(layer=Layer.WIRE),
    "half": Act(layer=Layer.WIRE),
    "big_body": Act(layer=Layer.WIRE, details={"bytes": _whole(10_000_000, 1, BYTES_MAX)}),
    "deep_body": Act(layer=Layer.WIRE, details={"depth": _whole(10**6, 1, DEPTH_MAX)}),
    "endless": Act(layer=Layer.WIRE, details={"interval_ms": _number(0.0, 0, MS_MAX)}),
    "gzip_bomb": Act(layer=Layer.WIRE, details={"bytes": _whole(300_000_000, 1, BYTES_MAX)}),
}
"""All acts by name."""
