"""Cutting lists into pages with opaque cursors that survive one escaping too many or too few."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import quote, unquote

from sandbox.bybit_server.fields import Fields
from sandbox.bybit_server.refusal import parameter_error

T = TypeVar("T")


def page(
    rows: Sequence[T], fields: Fields, *, limit_default: int, limit_max: int, name: Callable[[T], str]
) -> tuple[Sequence[T], str]:
    """Return one page of ``rows`` and the cursor of the next, empty at the end.

    ``name`` identifies a row, so that a page continues behind the row where the last one stopped even if
    newer rows have come in front.
    """
    limit = fields.whole("limit", limit_default, 1, 10**6)
    limit = min(limit, limit_max)
    start = 0
    cursor = unquote(unquote(fields.text("cursor")))
    if cursor:
        last_name = cursor.partition(":")[2]
        places = [index for index, row in enumerate(rows) if name(row) == last_name]
        if not places:
            raise parameter_error("params error: cursor invalid")
        start = places[0] + 1
    chosen = rows[start : start + limit]
    is_last = start + limit >= len(rows)
    return chosen, "" if is_last or not chosen else quote(f"page_token:{name(chosen[-1])}", safe="")
