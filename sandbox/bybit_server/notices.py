"""What the venue announces about itself: maintenance, and whether it refuses orders meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.refusal import RefusalError

STATES: Final = ("scheduled", "ongoing", "completed", "canceled")
NOTICES_KEPT_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One announcement. Times in milliseconds; ``refuses`` closes the order endpoints while it is ongoing."""

    notice_id: str
    title: str
    state: str
    begin_ms: int
    end_ms: int
    refuses: bool

    def shape(self) -> JsonObject:
        """Return the entry of the status list and of the status stream."""
        return {
            "id": self.notice_id,
            "title": self.title,
            "state": self.state,
            "begin": str(self.begin_ms),
            "end": str(self.end_ms),
            "href": "",
            "serviceTypes": [2, 3, 4, 5],
            "product": [1, 2],
            "uidSuffix": [],
            "maintainType": 1,
            "env": 1,
        }


class NoticeBoard:
    """All announcements by id, the newest word about each."""

    def __init__(self) -> None:
        self._notices: dict[str, Notice] = {}
        self.sinks: Final[list[Callable[[Notice], None]]] = []

    def post(self, notice: Notice) -> None:
        """Announce, or say something new about an earlier announcement."""
        self._notices[notice.notice_id] = notice
        if len(self._notices) > NOTICES_KEPT_MAX:
            del self._notices[next(iter(self._notices))]
        for sink in self.sinks:
            sink(notice)

    def shapes(self, notice_id: str = "", state: str = "") -> list[JsonObject]:
        """Return the announcements with this id and in this state; empty texts select all."""
        return [
            notice.shape()
            for notice in self._notices.values()
            if notice_id in {"", notice.notice_id} and state in {"", notice.state}
        ]

    def refuse_if_closed(self) -> None:
        """Raise the refusal of a venue that is under maintenance."""
        if any(notice.refuses and notice.state == "ongoing" for notice in self._notices.values()):
            raise RefusalError(10016, "Server is under maintenance.")

    def withdraw_all(self) -> None:
        """Forget every announcement."""
        self._notices.clear()
