"""Misbehaviour on demand: rules that make chosen answers go wrong, and their board.

A rule names what it does (``act``), whom it strikes and how often. Of each layer one rule at most strikes a
request, so that faults of two layers can meet.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import Final

from sandbox.llm_server.acts import ACTS, Layer
from sandbox.llm_server.chat_request import CHAT_PATH
from sandbox.llm_server.wire_json import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultMatch:
    """What a rule applies to; empty texts match everything, texts may hold ``*``."""

    path: str = CHAT_PATH
    model: str = ""
    decision_id: str = ""
    nth: int = 0
    probability: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultEvent:
    """The request that is about to be answered."""

    path: str
    model: str = ""
    decision_id: str = ""


@dataclass(slots=True, kw_only=True)
class Fault:
    """One rule in force."""

    fault_id: int
    act: str
    match: FaultMatch
    details: Mapping[str, object]
    times: int | None
    seen: int = 0
    fired: int = 0

    @property
    def name(self) -> str:
        """What the log calls it."""
        return f"{self.fault_id}:{self.act}"

    def text(self, name: str) -> str:
        """Return a detail that is a text."""
        value = self.details[name]
        assert isinstance(value, str)
        return value

    def whole(self, name: str) -> int:
        """Return a detail that is a whole number."""
        value = self.details[name]
        assert isinstance(value, int)
        return value

    def number(self, name: str) -> float:
        """Return a detail that is a number."""
        value = self.details[name]
        assert isinstance(value, float)
        return value

    def members(self, name: str) -> JsonObject:
        """Return a detail that is an object."""
        value = self.details[name]
        assert isinstance(value, dict)
        return value

    def rows(self, name: str) -> list[object]:
        """Return a detail that is an array."""
        value = self.details[name]
        assert isinstance(value, list)
        return value

    def shape(self) -> JsonObject:
        """Return the rule for the control plane's list."""
        return {
            "id": self.fault_id,
            "act": self.act,
            "match": {
                "path": self.match.path,
                "model": self.match.model,
                "decision_id": self.match.decision_id,
                "nth": self.match.nth,
                "p": self.match.probability,
            },
            "details": dict(self.details),
            "times": self.times,
            "seen": self.seen,
            "fired": self.fired,
        }


class FaultBoard:
    """All rules in force, and the place where held answers wait.

    Parameters
    ----------
    chance
        Decides for the rules that strike with a probability.
    """

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._number = 0
        self._gate = asyncio.Event()
        self.faults: list[Fault] = []
        self.fired: Final[Counter[str]] = Counter()

    def add(self, act: str, match: FaultMatch, details: Mapping[str, object], times: int | None) -> Fault:
        """Put up a rule."""
        self._number += 1
        fault = Fault(fault_id=self._number, act=act, match=match, details=details, times=times)
        self.faults.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> int:
        """Drop one rule, or every rule, and let go of all that is held; return how many rules there were."""
        chosen = [fault for fault in self.faults if fault_id is None or fault.fault_id == fault_id]
        self.faults = [fault for fault in self.faults if fault not in chosen]
        gate, self._gate = self._gate, asyncio.Event()
        gate.set()
        return len(chosen)

    def strike(self, layer: Layer, event: FaultEvent) -> Fault | None:
        """Return the first rule of a layer that hits this request, and use it up by one."""
        for fault in self.faults:
            if ACTS[fault.act].layer is not layer or not _fits(fault.match, event):
                continue
            if fault.times is not None and fault.fired >= fault.times:
                continue
            fault.seen += 1
            if fault.match.nth and fault.seen != fault.match.nth:
                continue
            if fault.match.probability < 1.0 and self._chance.random() >= fault.match.probability:
                continue
            fault.fired += 1
            self.fired[fault.act] += 1
            return fault
        return None

    async def hold(self, length_s: float | None = None) -> bool:
        """Wait until the rules are cleared, or for a length of time; return whether they were cleared."""
        try:
            async with asyncio.timeout(length_s):
                await self._gate.wait()
        except TimeoutError:
            return False
        return True


def _fits(match: FaultMatch, event: FaultEvent) -> bool:
    return (
        _like(match.path, event.path)
        and _like(match.model, event.model)
        and _like(match.decision_id, event.decision_id)
    )


def _like(pattern: str, fact: str) -> bool:
    return not pattern or fnmatchcase(fact, pattern)
