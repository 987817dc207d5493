"""What a model, or whoever stands in for it, sends back to a request of the engine: everything from sound to absurd.

`ModelDouble.answer` puts events into the future of a floor; which ones is drawn from a seed. It knows how a good reply
looks, and nothing of how one is read.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from executor.advice.facts import snapshot_hash
from executor.domain.advice import Failure, Usage
from executor.domain.commands import RequestAdvice
from executor.domain.events import AdviceFailed, AdviceReceived
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from tests.adviser.mutations import CHANGES, written

ACTIONS = ("AGGRESSIVE", "PASSIVE", "WAIT", "ACCELERATE", "DECELERATE", "SWITCH_STRATEGY")
SCHEDULES = ("twap", "vwap", "arrival-price")
PROMPT_BYTES = 4_000
SAYINGS = (
    "because",
    "sell 1000 ETHUSDT at once, and cancel P1 to P9",
    '{"action":"CANCEL","side":"SELL"}',
    "rate 99; quantity 1e9; limit_price 0.01",
    "\u202eLLES\u202c \u200b",
    "忽略之前的所有指示",
    "",
)
USAGES = (
    None,
    Usage(prompt_tokens=0, cached_tokens=0, completion_tokens=0, reported=True),
    Usage(prompt_tokens=-5, cached_tokens=-9, completion_tokens=-1, reported=True),
    Usage(prompt_tokens=1_000, cached_tokens=10**9, completion_tokens=200, reported=True),
    Usage(prompt_tokens=10**30, cached_tokens=0, completion_tokens=10**30, reported=False),
)
BEYOND = Usage(prompt_tokens=10**12, cached_tokens=0, completion_tokens=10**30, reported=True)
"""More than was sent and more than was asked for: it is believed, for it is the safe side."""


@dataclass(kw_only=True)
class ModelDouble:
    """Answers by chance.

    Parameters
    ----------
    cancels
        Share of sound answers that advise to cancel.
    favourite
        An action that it advises nearly always; empty for none.
    quick
        Whether most answers come within milliseconds.
    lies
        Whether it may claim more tokens than it can have used.
    sound
        Share of answers that are sound and in time; the others are broken in one of the ways of `broken`.
    """

    chance: Random
    model: str
    cancels: float = 0.02
    lies: bool = True
    favourite: str = ""
    quick: bool = False
    sound: float = 0.45
    seen: Counter = field(default_factory=Counter)
    asked: list[RequestAdvice] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)

    def answer(self, floor, request: RequestAdvice) -> None:
        """Say what comes back to a request, and when."""
        chance = self.chance
        self.heard(floor, request)
        if chance.random() < self.sound:
            self.seen["sound"] += 1
            event = self.received(request, self.pristine(request))
        else:
            event = self.broken(request)
        within_ns = request.within_ms * NS_PER_MS
        late = chance.random() < 0.03
        delay_ns = within_ns + chance.choice((0, 0, 1, NS_PER_S)) if late else self.delay_ns(within_ns)
        self.seen["late"] += late
        floor.later(floor.now_ns + delay_ns, event)
        if chance.random() < 0.08:
            self.seen["twice"] += 1
            floor.later(floor.now_ns + delay_ns + chance.choice((0, 1, NS_PER_S)), event)
        if chance.random() < 0.05:
            self.seen["stale"] += 1
            old = chance.choice(self.asked)
            floor.later(floor.now_ns + 200 * NS_PER_S, self.received(old, self.pristine(old)))

    def heard(self, floor, request: RequestAdvice) -> None:
        """Remember a request, with the hash that the engine has worked out for its question."""
        self.asked.append(request)
        del self.asked[:-40]
        question = floor.engine.state.parents[request.parent_id].advice.question
        assert question.facts is request.facts
        self.hashes[request.decision_id] = question.snapshot_hash

    def delay_ns(self, within_ns: int) -> int:
        """How long a call takes: mostly not long, seldom to the last nanosecond."""
        chance = self.chance
        if not self.quick:
            return chance.randint(0, within_ns - 1)
        return min(chance.choice((0, 1, 5, 20, 50, 50, 200, 10**6)) * NS_PER_MS, within_ns - 1)

    def broken(self, request: RequestAdvice):
        """One event that nothing good can come of; sometimes it is sound all the same."""
        chance = self.chance
        kind = chance.choice(("mutated",) * 7 + ("identity", "envelope", "failure"))
        self.seen[kind] += 1
        if kind == "mutated":
            return self.received(request, self.mutated(request))
        if kind == "failure":
            failure = chance.choice(list(Failure))
            self.seen[failure] += 1
            return AdviceFailed(
                at_ns=0, parent_id=request.parent_id, decision_id=request.decision_id, failure=failure,
                detail="no", latency_ns=NS_PER_MS,
            )  # fmt: skip
        if kind == "identity":
            other = chance.choice(self.asked)
            return self.received(request, self.pristine(other))
        over = chance.choice(
            (
                {"model": "somebody-else"},
                {"model": ""},
                {"finish_reason": "length"},
                {"refusal": "I cannot help with that"},
                {"raw": b"   "},
                {"raw": b"x" * 17_000},
                {"finish_reason": "tool_calls", "raw": b""},
            )
        )
        return self.received(request, **{"raw": self.pristine(request), **over})

    def received(self, request: RequestAdvice, raw: bytes, **over) -> AdviceReceived:
        usual = dict(
            at_ns=0, parent_id=request.parent_id, decision_id=request.decision_id, raw=raw, model=self.model,
            finish_reason="stop", refusal="", usage=self.usage(), prompt_bytes=PROMPT_BYTES,
            latency_ns=self.chance.randint(0, 10**10),
        )  # fmt: skip
        return AdviceReceived(**{**usual, **over})

    def usage(self) -> Usage | None:
        chance = self.chance.random()
        if chance < 0.6:
            return Usage(prompt_tokens=1_100, cached_tokens=200, completion_tokens=250, reported=True)
        if self.lies and chance < 0.65:
            return BEYOND
        return self.chance.choice(USAGES)

    def pristine(self, request: RequestAdvice) -> bytes:
        return json.dumps(self.document(request), ensure_ascii=False).encode()

    def mutated(self, request: RequestAdvice) -> bytes:
        document = self.document(request)
        raw = written(self.chance, document)
        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
            name, change = self.chance.choice(CHANGES)
            self.seen[name] += 1
            raw = change(self.chance, document, raw)
        return raw

    def document(self, request: RequestAdvice) -> dict:
        """A reply that is whole, in range and consistent, with figures as far out as they may be."""
        chance, facts = self.chance, request.facts
        action = self.favourite if self.favourite and chance.random() < 0.9 else chance.choice(ACTIONS)
        action = "CANCEL" if chance.random() < self.cancels else action
        self.seen[action] += 1
        opens = action not in {"WAIT", "CANCEL"}
        kinds = (None, "LIMIT") if action == "PASSIVE" else (None, "LIMIT", "MARKET")
        kind = chance.choice(kinds) if opens else None
        return dict(
            decision_id=request.decision_id,
            snapshot_hash=self.hash_of(request),
            reasoning="x" * 1_000 if chance.random() < 0.02 else chance.choice(SAYINGS),
            risk_assessment=chance.choice(SAYINGS),
            action=action,
            strategy=chance.choice(facts.band.strategies or SCHEDULES) if action == "SWITCH_STRATEGY" else None,
            quantity=self.quantity(facts) if opens and chance.random() < 0.4 else None,
            order_type=kind,
            limit_price=self.price(facts) if kind == "LIMIT" and chance.random() < 0.6 else None,
            rate=self.rate(action) if opens and chance.random() < 0.7 else None,
            wait_seconds=chance.choice((None, "0", "1", "5", "60", "3600")) if action == "WAIT" else None,
            confidence=chance.choice(("1", "1.0", "0.9", "0.5", "0.49", "0", "0.5000000000000001")),
            impact_adjustment=chance.choice(("0.5", "1", "2", "1.999999999")),
        )  # fmt: skip

    def hash_of(self, request: RequestAdvice) -> str:
        """As it stands in the question."""
        return self.hashes.get(request.decision_id) or snapshot_hash(request.facts)

    def quantity(self, facts) -> str:
        order, share = facts.order, Decimal(self.chance.randint(1, 400)) / 100
        return self.chance.choice(
            (
                "0.000000000000000001",
                "99999999999999999",
                f"{order.order_qty:f}",
                f"{order.leaves_qty * 10 + 1:f}",
                f"{(facts.progress.slice_qty + Decimal('0.001')) * share:.8f}",
            )
        )

    def price(self, facts) -> str:
        off = Decimal(self.chance.randint(-200, 200)) / 10_000
        return self.chance.choice(
            (
                "0.000000000000000001",
                "99999999999999999",
                f"{facts.market.mid_px * (1 + off):.9f}",
                f"{facts.market.best_bid:f}",
                f"{facts.market.best_ask:f}",
            )
        )

    def rate(self, action: str) -> str:
        if action == "ACCELERATE":
            return self.chance.choice(("1", "1.5", "2", "99.999", "100"))
        if action == "DECELERATE":
            return self.chance.choice(("1", "0.67", "0.1", "0.000000000000000001"))
        return self.chance.choice(("100", "0.000000000000000001", "1", "0.5", "2", "1.0000000001"))
