"""The conformance list: every row of every subject, in order."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from tests.conformance.calls import Call, Rows

SUBJECTS: Final = (
    "market",
    "linear",
    "records",
    "spot",
    "inverse",
    "hedge",
    "conditional",
    "batch",
    "strategies",
    "account",
    "refusals",
    "public_streams",
    "watched_market",
    "private_streams",
    "watched_account",
    "trade_socket",
    "access",
)


def subjects() -> tuple[Rows, ...]:
    """Return the rows of each subject."""
    found = tuple(import_module(f"tests.conformance.rows_{name}").ROWS for name in SUBJECTS)
    names = [call.name for rows in found for call in rows.calls]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    return found


TABLE: Final[tuple[Call, ...]] = tuple(call for rows in subjects() for call in rows.calls)
