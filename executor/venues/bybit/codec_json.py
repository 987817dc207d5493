"""From text to a JSON object, strictly: what two readers could understand differently is not understood at all."""

import json
from typing import Final, NoReturn

from executor.domain.errors import RemoteProtocolError

_ITEMS_MAX: Final = 2_000
"""Longest list in any message: a book of 1000 levels, 1024 trades, a page of 1000 instruments."""


def parse_object(text: str) -> dict[str, object]:
    """Read one JSON object.

    Raises
    ------
    RemoteProtocolError
        For anything that is not one: broken or deeply nested JSON, a key that occurs twice, NaN and infinity, a number
        of thousands of digits, a list longer than any message has.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"not JSON: {error}"[:160].encode(errors="replace").decode()) from error
    if not isinstance(value, dict):
        raise RemoteProtocolError(f"a message that is no object: {type(value).__name__}")
    return value


def rows_of(message: dict[str, object], key: str = "data") -> list[object]:
    """Read the list of rows of a message; one object alone is a list of one.

    Raises
    ------
    RemoteProtocolError
        If there are no rows, or more than any message has.
    """
    rows = message.get(key)
    if isinstance(rows, dict):
        return [rows]
    if not isinstance(rows, list):
        raise RemoteProtocolError(f"{key} is {type(rows).__name__}, not rows")
    if len(rows) > _ITEMS_MAX:
        raise RemoteProtocolError(f"{len(rows)} rows in one message")
    return rows


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RemoteProtocolError("a key occurs twice in one object")
    return found


def _constant(word: str) -> NoReturn:
    raise RemoteProtocolError(f"{word} is no number")
