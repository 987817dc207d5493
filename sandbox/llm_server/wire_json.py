"""JSON as this server reads and writes it: exact decimals in, compact text out, one kind of error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeAlias

JsonObject: TypeAlias = dict[str, object]
JSON_TYPE: Final = "application/json"


class NotAnObjectError(ValueError):
    """What was read is no JSON object."""


def read_object(text: str | bytes) -> JsonObject:
    """Return the JSON object in a text, numbers with a point as ``Decimal``.

    Raises
    ------
    NotAnObjectError
        The text is not JSON, or is something else than an object.
    """
    try:
        value = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise NotAnObjectError("not JSON") from error
    if not isinstance(value, dict):
        raise NotAnObjectError("not an object")
    return value


def compact(value: object) -> str:
    """Return a value as JSON without blanks, letters of all scripts as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_number)


def on_the_wire(value: object) -> bytes:
    """Return a value as the bytes of a body, ASCII alone: half a surrogate pair has no other form."""
    return json.dumps(value, separators=(",", ":"), default=_number).encode("ascii")


def compact_with_raw(value: Mapping[str, object], raw: Mapping[str, str]) -> str:
    """Return an object as JSON in which some members are given as text, JSON or not, and stand there verbatim."""
    members = {key: compact(member) for key, member in value.items()} | dict(raw)
    return "{" + ",".join(f"{compact(key)}:{text}" for key, text in members.items()) + "}"


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
