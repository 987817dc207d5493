"""A record of every request in the order of arrival, so that a test can judge what a client really sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from sandbox.bybit_server.clock import NS_PER_MS, Clock
from sandbox.bybit_server.fields import JsonObject

ENTRIES_MAX: Final = 100_000
HEADERS_KEPT: Final = (
    "x-bapi-api-key",
    "x-bapi-timestamp",
    "x-bapi-recv-window",
    "x-bapi-sign",
    "x-bapi-sign-type",
    "content-type",
    "referer",
    "x-referer",
    "user-agent",
)


@dataclass(slots=True, kw_only=True)
class Arrival:
    """One request, noted when its first bytes came and completed as its fate is known.

    ``raw`` is the body of a POST, the query of a GET, the whole frame on a socket. ``applied`` counts how often
    it reached the venue, ``answered`` tells whether the client was told, ``faults`` which rules hit it.
    """

    number: int
    time_ns: int
    transport: str
    method: str
    path: str
    headers: dict[str, str]
    raw: str = ""
    ret_code: int | None = None
    http_status: int | None = None
    applied: int = 0
    answered: bool = False
    faults: list[str] = field(default_factory=list)

    def shape(self) -> JsonObject:
        """Return the entry for the control plane."""
        return {
            "n": self.number,
            "time": self.time_ns // NS_PER_MS,
            "time_ns": self.time_ns,
            "transport": self.transport,
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "raw": self.raw,
            "retCode": self.ret_code,
            "status": self.http_status,
            "applied": self.applied > 0,
            "applied_count": self.applied,
            "answered": self.answered,
            "faults": self.faults,
        }


class WireLog:
    """The last requests, oldest first.

    Parameters
    ----------
    clock
        Stamps the arrivals.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._arrivals: deque[Arrival] = deque(maxlen=ENTRIES_MAX)
        self._elsewhere: deque[Arrival] = deque(maxlen=ENTRIES_MAX)
        self._count = 0

    def arrived(
        self, transport: str, method: str, path: str, headers: Mapping[str, str], raw: str = ""
    ) -> Arrival:
        """Note a request and return its entry, to be completed."""
        arrival = self._arrival(transport, method, path, headers, raw)
        self._arrivals.append(arrival)
        return arrival

    def arrived_elsewhere(self, method: str, path: str, headers: Mapping[str, str], raw: str) -> None:
        """Note a request that a redirection has led to another server."""
        self._elsewhere.append(self._arrival("elsewhere", method, path, headers, raw))

    def shapes(self, *, path: str = "", since: int = 0) -> list[JsonObject]:
        """Return the entries behind number ``since`` whose path is like ``path``."""
        return [
            arrival.shape()
            for arrival in self._arrivals
            if arrival.number > since and (not path or fnmatchcase(arrival.path, path))
        ]

    def elsewhere_shapes(self) -> list[JsonObject]:
        """Return the requests that followed a redirection."""
        return [arrival.shape() for arrival in self._elsewhere]

    def clear(self) -> int:
        """Forget everything noted so far; numbers go on."""
        count = len(self._arrivals)
        self._arrivals.clear()
        self._elsewhere.clear()
        return count

    def _arrival(
        self, transport: str, method: str, path: str, headers: Mapping[str, str], raw: str
    ) -> Arrival:
        self._count += 1
        return Arrival(
            number=self._count,
            time_ns=self._clock.now_ns(),
            transport=transport,
            method=method,
            path=path,
            headers={name: headers[name] for name in HEADERS_KEPT if name in headers},
            raw=raw,
        )
