"""A model of which every answer is faulty, in every way of the catalogue (105 to 119), each time in another."""

import json
from dataclasses import dataclass

from executor.domain.advice import Failure
from executor.domain.commands import RequestAdvice
from executor.domain.events import AdviceFailed
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from tests.adviser.model_replies import ModelDouble

ENVELOPES = {
    "109 truncated": {"finish_reason": "length"},
    "109 refusal": {"refusal": "I cannot help with that"},
    "109 empty": {"raw": b""},
    "109 blank": {"raw": b" \n "},
    "115 other model": {"model": "somebody-else"},
    "115 no model": {"model": ""},
    "116 oversized": {"raw": b'{"a":"' + b"x" * 17_000 + b'"}'},
    "116 deep": {"raw": b"[" * 8_000},
}
NUMBERS = ("NaN", "Infinity", "-1", "1e9", "\u0661\u0662", "", "0x1")


@dataclass(kw_only=True)
class FaultyModel(ModelDouble):
    """Draws one fault for each request; `seen` counts them by name.

    Parameters
    ----------
    now_and_then_sound
        Share of answers that are sound and in time after all: only so can an earlier advice stand in for a late one.
    """

    now_and_then_sound: float = 0.0

    def answer(self, floor, request: RequestAdvice) -> None:
        self.heard(floor, request)
        if self.chance.random() < self.now_and_then_sound:
            self.seen["sound"] += 1
            floor.later(
                floor.now_ns + self.in_time_ns(request), self.received(request, self.pristine(request))
            )
            return
        name = self.chance.choice(FAULTS)
        self.seen[name] += 1
        self.seen["faulty"] += 1
        for delay_ns, event in self.fault(name, request):
            floor.later(floor.now_ns + delay_ns, event)

    def in_time_ns(self, request: RequestAdvice) -> int:
        within_ns = request.within_ms * NS_PER_MS
        return self.chance.choice((0, NS_PER_MS, within_ns // 2, within_ns - 1))

    def fault(self, name: str, request: RequestAdvice) -> list:
        """What comes back, and after how long."""
        within_ns = request.within_ms * NS_PER_MS
        sound, early_ns = self.pristine(request), self.in_time_ns(request)
        if name in ENVELOPES:
            return [(early_ns, self.received(request, **{"raw": sound, **ENVELOPES[name]}))]
        match name:
            case "105 never":
                return [(90 * NS_PER_S, self.failed(request, Failure.TIMEOUT))]
            case "105 at the deadline":
                return [(within_ns, self.received(request, sound))]
            case "105 timeout at the deadline":
                return [(within_ns, self.failed(request, Failure.TIMEOUT))]
            case "106 failure":
                failure = self.chance.choice(list(Failure))
                self.seen[failure] += 1
                return [(early_ns, self.failed(request, failure))]
            case "107 late":
                return [
                    (
                        within_ns + self.chance.choice((1, NS_PER_MS, 7 * NS_PER_S)),
                        self.received(request, sound),
                    )
                ]
            case "107 broken, then sound":
                broken = self.received(request, sound[:-3])
                return [(early_ns, broken), (early_ns, self.received(request, sound))]
            case "107 late twice":
                late = self.received(request, sound)
                return [(within_ns + 1, late), (within_ns + NS_PER_S, late)]
            case "108 stale echo":
                other = self.chance.choice(self.asked)
                raw = (
                    self.pristine(other)
                    if other is not request
                    else sound.replace(request.decision_id.encode(), b"P0-1")
                )
                return [(early_ns, self.received(request, raw))]
            case "108 other facts":
                raw = json.dumps({**self.document(request), "snapshot_hash": "0" * 16}).encode()
                return [(early_ns, self.received(request, raw))]
            case "109 two objects":
                return [(early_ns, self.received(request, sound + sound))]
            case "109 cut":
                return [(early_ns, self.received(request, sound[: self.chance.randrange(1, len(sound))]))]
            case "110 no number":
                raw = json.dumps(
                    {**self.document(request), "confidence": self.chance.choice(NUMBERS)}
                ).encode()
                return [(early_ns, self.received(request, raw))]
            case "112 powers":
                raw = json.dumps({**self.document(request), "side": "SELL"}).encode()
                return [(early_ns, self.received(request, raw))]
            case _:
                raise AssertionError(name)

    def failed(self, request: RequestAdvice, failure: Failure) -> AdviceFailed:
        return AdviceFailed(
            at_ns=0, parent_id=request.parent_id, decision_id=request.decision_id, failure=failure, detail="no",
            latency_ns=NS_PER_MS,
        )  # fmt: skip


FAULTS = (
    "105 never",
    "105 at the deadline",
    "105 timeout at the deadline",
    "106 failure",
    "107 late",
    "107 broken, then sound",
    "107 late twice",
    "108 stale echo",
    "108 other facts",
    "109 two objects",
    "109 cut",
    "110 no number",
    "112 powers",
    *ENVELOPES,
)
"""Also the usage that is reported is absurd or missing every other time (119)."""
