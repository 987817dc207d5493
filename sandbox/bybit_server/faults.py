"""Misbehaviour on demand: rules that make chosen requests, acks, messages or pings go wrong, and their board.

A rule names where it strikes (``on``), at which moment, what it matches, and what then happens (``act``). The
board only decides which rule hits; the doors carry the act out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random
from typing import Final

from sandbox.bybit_server.fields import JsonObject


class Moment(StrEnum):
    """When a rule may strike."""

    MID_REQUEST = "mid_request"
    BEFORE = "before_apply"
    AFTER = "after_apply"
    MESSAGE = "message"
    PING = "ping"
    SUBSCRIBE = "subscribe"
    AUTH = "auth"


_ANSWERS: Final = (Moment.BEFORE, Moment.AFTER)
_CUTS: Final = (Moment.MID_REQUEST, *_ANSWERS)
_PUSHED: Final = (Moment.MESSAGE,)
_MESSAGE_ACTS: Final[dict[str, tuple[Moment, ...]]] = {
    "drop": _PUSHED,
    "dup": _PUSHED,
    "delay": _PUSHED,
    "reorder": _PUSHED,
    "corrupt": _PUSHED,
    "truncate": _PUSHED,
    "frame_raw": _PUSHED,
    "frame_hex": _PUSHED,
    "edit": _PUSHED,
    "silence_topics": _PUSHED,
    "close": _PUSHED,
}
ACTS: Final[dict[str, dict[str, tuple[Moment, ...]]]] = {
    "rest": {
        "drop": _CUTS,
        "reset": _CUTS,
        "dup": (Moment.BEFORE,),
        **dict.fromkeys(
            (
                "delay",
                "half_close",
                "status",
                "retCode",
                "body_raw",
                "truncate",
                "corrupt",
                "redirect",
                "gzip_broken",
                "content_type",
            ),
            _ANSWERS,
        ),
    },
    "trade": {
        "dup": (Moment.BEFORE,),
        **dict.fromkeys(
            (
                "delay",
                "drop",
                "reset",
                "close",
                "retCode",
                "body_raw",
                "frame_raw",
                "frame_hex",
                "truncate",
                "corrupt",
            ),
            _ANSWERS,
        ),
        "no_pong": (Moment.PING,),
        "auth_fail": (Moment.AUTH,),
    },
    "private": {
        **_MESSAGE_ACTS,
        "no_pong": (Moment.PING,),
        "no_ack": (Moment.SUBSCRIBE,),
        "auth_fail": (Moment.AUTH,),
    },
    "public": {**_MESSAGE_ACTS, "no_pong": (Moment.PING,), "no_ack": (Moment.SUBSCRIBE,)},
}
"""Acts known at each place, with the moments they can be asked for."""
STANDING_ACTS: Final = frozenset({"reorder", "silence_topics", "no_pong", "no_ack"})
"""Acts that go on until they are cleared unless ``times`` says otherwise; all others happen once."""

RET_TEXTS: Final = {
    10000: "Server Timeout",
    10003: "API key is invalid.",
    10004: "error sign!",
    10005: "Permission denied, please check your API key permissions.",
    10006: "Too many visits. Exceeded the API Rate Limit.",
    10010: "Unmatched IP, please check your API key's bound IP addresses.",
    33004: "Your api key has expired.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultMatch:
    """What a rule applies to; empty texts match everything, texts may hold ``*``."""

    method: str = ""
    path: str = ""
    topic: str = ""
    link_id: str = ""
    symbol: str = ""
    nth: int = 0
    probability: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultDetails:
    """How an act is carried out; each act uses the few that concern it.

    ``bytes_kept`` bytes of an answer leave before it is cut; ``frame`` replaces a message; ``patch`` is a JSON
    merge patch for each row of a message, ``values`` are set verbatim (null included), ``rename`` gives keys
    other names, and ``keeps_original`` sends the true message first.
    """

    delay_s: float = 0.0
    overtakes: bool = True
    status: int = 502
    ret_code: int = 10016
    ret_msg: str = ""
    body_raw: str = "<html><body>Bad gateway</body></html>"
    content_type: str = "text/html"
    url: str = ""
    answer: str = "first"
    bytes_kept: int | None = None
    copies: int = 2
    window: int = 5
    within_s: float = 1.0
    frame: bytes = b""
    binary: bool = False
    close_code: int = 0
    patch: JsonObject = field(default_factory=dict)
    values: JsonObject = field(default_factory=dict)
    rename: JsonObject = field(default_factory=dict)
    keeps_original: bool = False

    @property
    def ret_text(self) -> str:
        """The text that goes with the code: the one asked for, or the one the venue would use."""
        return self.ret_msg or RET_TEXTS.get(self.ret_code, "Server error.")


@dataclass(slots=True, kw_only=True)
class Fault:
    """One rule. ``target`` is ``rest``, ``trade`` (order socket), ``private`` or ``public`` (pushed messages)."""

    fault_id: int
    target: str
    moment: Moment
    match: FaultMatch
    act: str
    details: FaultDetails
    times: int | None
    seen: int = 0
    fired: int = 0
    held: list[Callable[[], None]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the wire log calls it."""
        return f"{self.fault_id}:{self.act}"

    def shape(self) -> JsonObject:
        """Return the rule for the control plane's list."""
        return {
            "id": self.fault_id,
            "on": self.target,
            "match": {
                "method": self.match.method,
                "path": self.match.path,
                "topic": self.match.topic,
                "linkId": self.match.link_id,
                "symbol": self.match.symbol,
                "nth": self.match.nth,
                "p": self.match.probability,
            },
            "when": self.moment.value,
            "act": self.act,
            "times": self.times,
            "seen": self.seen,
            "fired": self.fired,
        }

    def release(self) -> None:
        """Let go of messages held back for a reordering, in the order they came."""
        held, self.held = self.held, []
        for send in held:
            send()


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultEvent:
    """What is happening; an event that concerns several topics or orders names them all."""

    method: str = ""
    path: str = ""
    topics: tuple[str, ...] = ()
    link_ids: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()


NOTHING_SPECIAL: Final = FaultEvent()


@dataclass(slots=True)
class FaultBoard:
    """All rules in force, with the one source of chance for those that fire by probability."""

    rng: Random
    faults: list[Fault] = field(default_factory=list)
    _count: int = 0

    def add(
        self,
        *,
        target: str,
        moment: Moment,
        act: str,
        match: FaultMatch,
        details: FaultDetails,
        times: int | None,
    ) -> Fault:
        """Put up a rule."""
        self._count += 1
        fault = Fault(
            fault_id=self._count,
            target=target,
            moment=moment,
            match=match,
            act=act,
            details=details,
            times=times,
        )
        self.faults.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> int:
        """Drop one rule, or every rule; return how many there were."""
        chosen = [fault for fault in self.faults if fault_id is None or fault.fault_id == fault_id]
        self.faults = [fault for fault in self.faults if fault not in chosen]
        for fault in chosen:
            fault.release()
        return len(chosen)

    def strike(self, target: str, moment: Moment, event: FaultEvent = NOTHING_SPECIAL) -> Fault | None:
        """Return the first rule that hits this event, and use it up by one."""
        for fault in self.faults:
            if fault.target != target or fault.moment is not moment or not _fits(fault.match, event):
                continue
            if fault.times is not None and fault.fired >= fault.times:
                continue
            fault.seen += 1
            if fault.match.nth and fault.seen != fault.match.nth:
                continue
            if fault.match.probability < 1.0 and self.rng.random() >= fault.match.probability:
                continue
            fault.fired += 1
            return fault
        return None


def _fits(match: FaultMatch, event: FaultEvent) -> bool:
    return (
        _any_like(match.method, (event.method,))
        and _any_like(match.path, (event.path,))
        and _any_like(match.topic, event.topics)
        and _any_like(match.link_id, event.link_ids)
        and _any_like(match.symbol, event.symbols)
    )


def _any_like(pattern: str, facts: Iterable[str]) -> bool:
    return not pattern or any(fnmatchcase(fact, pattern) for fact in facts)
