"""What clients have asked and what became of it, for tests and for people; nobody's key is kept."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sandbox.bybit_server.clock import NS_PER_MS, Clock
from sandbox.llm_server.wire_json import JsonObject

ENTRIES_MAX: Final = 10_000
TEXT_LEN_MAX: Final = 100_000
HIDDEN: Final = "***"
SECRET_HEADERS: Final = frozenset({"authorization", "api-key", "cookie", "proxy-authorization", "x-api-key"})


class Fate(StrEnum):
    """What became of a request."""

    OPEN = "open"
    ANSWERED = "answered"
    CUT = "cut"
    ABANDONED = "abandoned"


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request, noted when it came and completed as its fate is known.

    ``content`` is what the model said, true or spoilt; ``usage`` is what the call truly used, whatever the client
    was told; ``faults`` are the rules that hit it.
    """

    number: int
    arrived_ns: int
    method: str
    path: str
    headers: dict[str, str]
    request_id: str
    raw: str = ""
    model: str = ""
    decision_id: str = ""
    snapshot_hash: str = ""
    action: str = ""
    status: int | None = None
    content: str | None = None
    usage: JsonObject | None = None
    latency_ms: int | None = None
    fate: Fate = Fate.OPEN
    faults: list[str] = field(default_factory=list)

    def shape(self) -> JsonObject:
        """Return the entry for the control plane."""
        return {
            "n": self.number,
            "arrived_ns": self.arrived_ns,
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "request_id": self.request_id,
            "raw": self.raw,
            "model": self.model,
            "decision_id": self.decision_id,
            "snapshot_hash": self.snapshot_hash,
            "action": self.action,
            "status": self.status,
            "content": self.content,
            "usage": self.usage,
            "latency_ms": self.latency_ms,
            "fate": self.fate.value,
            "faults": self.faults,
        }


class RequestLog:
    """The last requests, oldest first, and counts of all of them.

    Parameters
    ----------
    clock
        Stamps the arrivals.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=ENTRIES_MAX)
        self._number = 0
        self._open = 0
        self._open_max = 0
        self._counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("paths", "statuses", "fates", "models", "actions", "tokens")
        }

    def arrived(self, method: str, path: str, headers: Mapping[str, str], request_id: str) -> Entry:
        """Note a request and return its entry, to be completed."""
        self._number += 1
        self._open += 1
        self._open_max = max(self._open, self._open_max)
        self._counts["paths"][path] += 1
        entry = Entry(
            number=self._number,
            arrived_ns=self._clock.now_ns(),
            method=method,
            path=path,
            headers={name.lower(): _harmless(name, value) for name, value in headers.items()},
            request_id=request_id,
        )
        self._entries.append(entry)
        return entry

    def completed(self, entry: Entry, *, action: str, content: str | None, usage: JsonObject) -> None:
        """Note what a model has said and used; it is used even if the client never hears of it."""
        entry.action, entry.usage = action, usage
        entry.content = None if content is None else content[:TEXT_LEN_MAX]
        self._counts["models"][entry.model] += 1
        self._counts["actions"][action or "none"] += 1
        details = usage["prompt_tokens_details"]
        cached = details["cached_tokens"] if isinstance(details, dict) else 0
        for name, tokens in (
            ("prompt", usage["prompt_tokens"]),
            ("completion", usage["completion_tokens"]),
            ("cached", cached),
        ):
            self._counts["tokens"][name] += int(str(tokens))

    def ended(self, entry: Entry, fate: Fate, status: int | None) -> None:
        """Note what became of a request."""
        self._open -= 1
        entry.fate, entry.status = fate, status
        entry.latency_ms = (self._clock.now_ns() - entry.arrived_ns) // NS_PER_MS
        self._counts["fates"][fate.value] += 1
        if status is not None:
            self._counts["statuses"][str(status)] += 1

    def shapes(self, *, since: int = 0, path: str = "") -> list[JsonObject]:
        """Return the entries behind number ``since``, of one path if it is named."""
        return [
            entry.shape()
            for entry in self._entries
            if entry.number > since and (not path or entry.path == path)
        ]

    def clear(self) -> int:
        """Forget the entries; counts and numbers go on."""
        count = len(self._entries)
        self._entries.clear()
        return count

    def truth(self) -> JsonObject:
        """Return the counts since the start. Tokens are the true ones."""
        return {
            "requests": self._number,
            "open": self._open,
            "open_max": self._open_max,
            **{name: dict(counter) for name, counter in self._counts.items()},
        }


def _harmless(name: str, value: str) -> str:
    if name.lower() not in SECRET_HEADERS:
        return value
    scheme, blank, _ = value.partition(" ")
    return f"{scheme} {HIDDEN}" if blank else HIDDEN
