"""What every public topic can do, and the topics that only pass events on: trades, liquidations, notices."""

from __future__ import annotations

from typing import Protocol

from sandbox.bybit_server.fields import JsonObject


class Feed(Protocol):
    """One topic; all its subscribers hear the same."""

    def first(self, server_ms: int) -> JsonObject | None:
        """Return what a new subscriber gets at once, if anything."""

    def due(self, now_ns: int, server_ms: int) -> list[JsonObject]:
        """Return the messages due at this moment of the monotonic clock."""


class EventFeed:
    """A topic without a state: rows are collected and sent together.

    Parameters
    ----------
    topic
        The subscription text.
    rows_max
        Rows in one message at most.
    interval_ns
        Shortest time between two messages.
    has_type
        Whether messages are marked as snapshots.
    """

    def __init__(self, topic: str, *, rows_max: int, interval_ns: int = 0, has_type: bool = True) -> None:
        self._topic = topic
        self._rows_max = rows_max
        self._interval_ns = interval_ns
        self._kind: JsonObject = {"type": "snapshot"} if has_type else {}
        self._rows: list[JsonObject] = []
        self._due_ns = 0

    def add(self, row: JsonObject) -> None:
        """Take an event."""
        self._rows.append(row)

    def first(self, server_ms: int) -> JsonObject | None:
        """Return nothing: events of the past are not told."""
        return None

    def due(self, now_ns: int, server_ms: int) -> list[JsonObject]:
        """Return what has been collected, if it is time."""
        if not self._rows or now_ns < self._due_ns:
            return []
        self._due_ns = now_ns + self._interval_ns
        rows, self._rows = self._rows, []
        return [
            {
                "topic": self._topic,
                **self._kind,
                "ts": server_ms,
                "data": rows[start : start + self._rows_max],
            }
            for start in range(0, len(rows), self._rows_max)
        ]
