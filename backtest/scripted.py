"""Advisers whose worth is known beforehand, to test the measurement with: it must find exactly that worth.

One never answers, one answers too late, one says nothing, one answers at random, and one knows what nobody can know
in a real market.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Final

from executor.advice.calls import Answer, Failed, Outcome, Question
from executor.adviser.playback import Scripted
from executor.domain.advice import Action, Failure, OrderKind, Usage
from executor.domain.orders import Side
from executor.domain.timeline import NS_PER_MS, NS_PER_S

LATENCY_NS: Final = 800 * NS_PER_MS
"""Time an answer takes that is in time."""
_BYTES_PER_TOKEN: Final = 4
_UNINFORMED: Final = (Action.AGGRESSIVE, Action.PASSIVE, Action.WAIT, Action.ACCELERATE, Action.DECELERATE)
"""Advice to cancel would pause the order until a person looks, and here is none."""

Drift = Callable[[int], float]
"""Where the market drifts at an instant; positive is up."""


def silent() -> Scripted:
    """Never answers: every question ends at its deadline."""
    return Scripted(_nothing)


def late(model: str) -> Scripted:
    """Answers well, one nanosecond after the deadline."""

    def answer(question: Question) -> Outcome:
        latency_ns = int(question.deadline_s * NS_PER_S) + 1
        return _answer(question, model, latency_ns, action=Action.AGGRESSIVE, rate="2", confidence="1")

    return Scripted(answer)


def unchanged(model: str) -> Scripted:
    """Answers in time and says nothing: no advice of confidence 0 has any effect."""

    def answer(question: Question) -> Outcome:
        return _answer(question, model, LATENCY_NS, action=Action.ACCELERATE, rate="1.5", confidence="0")

    return Scripted(answer)


def uninformed(model: str, seed: int) -> Scripted:
    """Draws valid replies from a seed: whatever it gains or loses says nothing about the market."""
    chance = Random(f"{seed}:uninformed")  # noqa: S311 - advice is no cryptography

    def answer(question: Question) -> Outcome:
        action = chance.choice(_UNINFORMED)
        waits = action is Action.WAIT
        rate = None if waits else _between(chance, *_RATES.get(action, (50, 200)))
        kind = None if waits else chance.choice((None, *_KINDS.get(action, tuple(OrderKind))))
        return _answer(
            question,
            model,
            LATENCY_NS,
            action=action,
            rate=rate,
            order_type=kind,
            wait_seconds=str(chance.randint(1, 60)) if waits else None,
            confidence=_between(chance, 50, 100),
            impact_adjustment=_between(chance, 50, 200),
        )

    return Scripted(answer)


def informed(model: str, drift: Drift) -> Scripted:
    """Knows where the market drifts, and nothing else: it hurries ahead of it and lets it come."""

    def answer(question: Question) -> Outcome:
        asked = json.loads(question.messages[-1].content)
        side = Side[asked["parent"]["side"]]
        if side.sign * drift(question.asked_ns) > 0:
            return _answer(
                question, model, LATENCY_NS, action=Action.AGGRESSIVE, rate=asked["band"]["rate_max"]
            )
        return _answer(
            question, model, LATENCY_NS, action=Action.WAIT, wait_seconds=asked["band"]["wait_s_max"]
        )

    return Scripted(answer)


_RATES: Final = {Action.ACCELERATE: (101, 200), Action.DECELERATE: (50, 99)}
_KINDS: Final = {Action.PASSIVE: (OrderKind.LIMIT,)}


def _nothing(question: Question) -> Outcome:
    return Failed(
        failure=Failure.TIMEOUT, detail="no answer", latency_ns=int(question.deadline_s * NS_PER_S) + 1
    )


def _between(chance: Random, low: int, high: int) -> str:
    """A number of hundredths, as a reply writes it."""
    hundredths = chance.randint(low, high)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _answer(question: Question, model: str, latency_ns: int, **over: object) -> Answer:
    """Write a whole reply to a question; what it cost is estimated, as nobody counts."""
    asked = json.loads(question.messages[-1].content)
    reply: dict[str, object] = {
        "decision_id": asked["decision_id"],
        "snapshot_hash": asked["snapshot_hash"],
        "reasoning": "scripted",
        "risk_assessment": "scripted",
        "action": None,
        "strategy": None,
        "quantity": None,
        "order_type": None,
        "limit_price": None,
        "rate": None,
        "wait_seconds": None,
        "confidence": "0.9",
        "impact_adjustment": "1",
        **over,
    }
    content = json.dumps(reply).encode()
    prompt_bytes = sum(len(message.content.encode()) for message in question.messages)
    return Answer(
        content=content,
        model_id=model,
        finish_reason="stop",
        refusal="",
        usage=Usage(
            prompt_tokens=prompt_bytes // _BYTES_PER_TOKEN,
            cached_tokens=0,
            completion_tokens=len(content) // _BYTES_PER_TOKEN,
            reported=False,
        ),
        latency_ns=latency_ns,
        request_id="",
    )
