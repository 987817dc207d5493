"""A record of every order request as it arrived, so that a test can judge what a client really sent."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from sandbox.bybit_server.fields import JsonObject

ENTRIES_MAX: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WireEntry:
    """One request. ``applied`` tells whether it reached the venue, ``answered`` whether the client was told."""

    time_ms: int
    path: str
    raw: str
    ret_code: int | None
    applied: bool
    answered: bool

    def shape(self) -> JsonObject:
        """Return the entry for the control plane."""
        return {
            "time": self.time_ms,
            "path": self.path,
            "raw": self.raw,
            "retCode": self.ret_code,
            "applied": self.applied,
            "answered": self.answered,
        }


class WireLog:
    """The last requests, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[WireEntry] = deque(maxlen=ENTRIES_MAX)

    def add(self, entry: WireEntry) -> None:
        """Append an entry."""
        self._entries.append(entry)

    def shapes(self) -> list[JsonObject]:
        """Return all entries for the control plane."""
        return [entry.shape() for entry in self._entries]
