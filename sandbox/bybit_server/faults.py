"""Misbehaviour on demand: rules that make chosen requests, acks or private messages go wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Final

from sandbox.bybit_server.fields import Fields, JsonObject
from sandbox.bybit_server.refusal import parameter_error

REQUEST_ACTS: Final = frozenset({"delay", "drop", "reset", "status", "retCode", "body_raw"})
MESSAGE_TARGETS: Final = frozenset({"private", "public"})
MESSAGE_ACTS: Final = frozenset({"drop", "delay", "dup"})
BEFORE: Final = "before_apply"
AFTER: Final = "after_apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultMatch:
    """What a rule applies to; empty texts match everything, texts may hold ``*``."""

    method: str = ""
    path: str = ""
    topic: str = ""
    link_id: str = ""
    nth: int = 0
    probability: float = 1.0


@dataclass(slots=True, kw_only=True)
class Fault:
    """One rule. ``target`` is ``rest``, ``trade`` (order socket), ``private`` or ``public`` (pushed messages)."""

    fault_id: int
    target: str
    match: FaultMatch
    when: str
    act: str
    delay_s: float
    status: int
    ret_code: int
    ret_msg: str
    body_raw: str
    times: int | None
    seen: int = 0
    fired: int = 0

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
                "nth": self.match.nth,
                "p": self.match.probability,
            },
            "when": self.when,
            "act": self.act,
            "times": self.times,
            "seen": self.seen,
            "fired": self.fired,
        }


@dataclass(slots=True)
class FaultBoard:
    """All rules in force, with the one source of chance for those that fire by probability."""

    rng: Random
    faults: list[Fault] = field(default_factory=list)
    _count: int = 0

    def add(self, fields: Fields) -> Fault:
        """Add the rule described by a control request.

        Raises
        ------
        RefusalError
            10001 for an unknown target, moment or act.
        """
        match = Fields(_object(fields, "match"))
        target = fields.text("on", "rest")
        act = fields.text("act")
        if target not in {"rest", "trade"} | MESSAGE_TARGETS:
            raise parameter_error("on must be rest, trade, private or public")
        if act not in (MESSAGE_ACTS if target in MESSAGE_TARGETS else REQUEST_ACTS):
            raise parameter_error(f"act {act!r} is not known on {target}")
        when = fields.text("when", AFTER)
        if when not in {BEFORE, AFTER}:
            raise parameter_error(f"when must be {BEFORE} or {AFTER}")
        self._count += 1
        fault = Fault(
            fault_id=self._count,
            target=target,
            match=FaultMatch(
                method=match.text("method"),
                path=match.text("path"),
                topic=match.text("topic"),
                link_id=match.text("linkId"),
                nth=match.whole("nth", 0, 0, 10**9),
                probability=_number(match, "p", 1.0),
            ),
            when=when,
            act=act,
            delay_s=_number(fields, "delay", 0.0),
            status=fields.whole("status", 502, 100, 599),
            ret_code=fields.whole("retCode", 10016, -(10**6), 10**7),
            ret_msg=fields.text("retMsg", "Server error."),
            body_raw=fields.text("body_raw", "<html><body>Bad gateway</body></html>"),
            times=_times(fields),
        )
        self.faults.append(fault)
        return fault

    def clear(self) -> int:
        """Drop every rule; return how many there were."""
        count = len(self.faults)
        self.faults.clear()
        return count

    def strike(
        self,
        target: str,
        *,
        when: str = "",
        method: str = "",
        path: str = "",
        topic: str = "",
        link_id: str = "",
    ) -> Fault | None:
        """Return the first rule that hits this event, and use it up by one."""
        for fault in self.faults:
            match = fault.match
            facts = (
                (match.method, method),
                (match.path, path),
                (match.topic, topic),
                (match.link_id, link_id),
            )
            if fault.target != target or (when and fault.when != when):
                continue
            if not all(not pattern or fnmatchcase(fact, pattern) for pattern, fact in facts):
                continue
            if fault.times is not None and fault.fired >= fault.times:
                continue
            fault.seen += 1
            if match.nth and fault.seen != match.nth:
                continue
            if match.probability < 1.0 and self.rng.random() >= match.probability:
                continue
            fault.fired += 1
            return fault
        return None


def _object(fields: Fields, name: str) -> JsonObject:
    value = fields.values.get(name, {})
    if not isinstance(value, dict):
        raise parameter_error(f"{name} must be an object")
    return value


def _number(fields: Fields, name: str, default: float) -> float:
    value = fields.values.get(name)
    if value is None:
        return default
    try:
        return float(str(value))
    except ValueError as error:
        raise parameter_error(f"{name} must be a number") from error


def _times(fields: Fields) -> int | None:
    if "times" in fields.values and fields.values["times"] is None:
        return None
    return fields.whole("times", 1, 1, 10**9)
