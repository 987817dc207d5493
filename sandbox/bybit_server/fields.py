"""Typed reading of request fields. An explicit JSON null counts as absent, as it does on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import parse_qsl

from sandbox.bybit_server.refusal import parameter_error

JsonObject: TypeAlias = dict[str, object]


class ExtendedResult(dict[str, object]):
    """A result that comes with something for the ``retExtInfo`` of its envelope."""

    def __init__(self, result: Mapping[str, object], ext_info: JsonObject) -> None:
        super().__init__(result)
        self.ext_info = ext_info


def ext_info_of(result: Mapping[str, object]) -> JsonObject:
    """Return what a result has for ``retExtInfo``, for most nothing."""
    return result.ext_info if isinstance(result, ExtendedResult) else {}


class Fields:
    """Read-only view of a decoded body or query string.

    Parameters
    ----------
    values
        Fields by name.
    caller
        API key that signed the request.
    granted
        How many orders of a batch its allowance has room for.
    """

    def __init__(self, values: Mapping[str, object], *, caller: str = "", granted: int = 1) -> None:
        self.values = values
        self.caller = caller
        self.granted = granted

    @classmethod
    def from_query(cls, raw_query: str) -> Fields:
        """Decode a query string exactly as it stands in the URL."""
        return cls(dict(parse_qsl(raw_query, keep_blank_values=True)))

    @classmethod
    def from_body(cls, raw_body: bytes) -> Fields:
        """Decode a JSON object; an empty body is an empty object."""
        if not raw_body:
            return cls({})
        try:
            value = json.loads(raw_body, parse_float=Decimal)
        except ValueError as error:
            raise parameter_error("params error: body is not JSON") from error
        if not isinstance(value, dict):
            raise parameter_error("params error: body is not an object")
        return cls(value)

    def text(self, name: str, default: str = "") -> str:
        """Return a text field; whole numbers are accepted as their digits."""
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise parameter_error(f"params error: {name} invalid")

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number in [low, high], given as number or digits."""
        text = self.text(name)
        if text == "":
            return default
        if not text.lstrip("-").isdecimal():
            raise parameter_error(f"params error: {name} invalid")
        number = int(text)
        if not low <= number <= high:
            raise parameter_error(f"params error: {name} invalid")
        return number

    def flag(self, name: str) -> bool:
        """Return a boolean field, false when absent."""
        value = self.values.get(name)
        if value is None:
            return False
        if isinstance(value, bool):
            return value
        if value in {"true", "false"}:
            return value == "true"
        raise parameter_error(f"params error: {name} invalid")
