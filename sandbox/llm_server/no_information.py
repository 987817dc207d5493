"""The model that knows nothing: it answers at random, in the right form. Whoever is no better, helps nobody."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from sandbox.llm_server.answer import ACTIONS, HUNDREDTH, answer
from sandbox.llm_server.question import Facts
from sandbox.llm_server.wire_json import JsonObject


def guess(facts: Facts, seed: str) -> tuple[JsonObject, str]:
    """Return a reply drawn at random, the same one for the same question and seed, and a thought about it."""
    chance = Random(f"{seed}.{facts.decision_id}.{facts.snapshot_hash}")  # noqa: S311 - replayable chance
    action = chance.choice(ACTIONS)
    others = [name for name in facts.strategies if name != facts.strategy]
    if action == "SWITCH_STRATEGY" and not others:
        action = "WAIT"
    rate: Decimal | None = None
    if action == "ACCELERATE":
        rate = _between(chance, Decimal(1), max(Decimal(1), facts.rate_max))
    elif action == "DECELERATE":
        rate = _between(chance, min(Decimal(1), facts.rate_min), Decimal(1))
    reply = answer(
        facts,
        action,
        confidence=_between(chance, Decimal(0), Decimal(1)),
        reasoning="Drawn by lot; the question was not looked at.",
        risk="Unknown.",
        strategy=chance.choice(others) if action == "SWITCH_STRATEGY" else None,
        order_type={"AGGRESSIVE": "MARKET", "PASSIVE": "LIMIT"}.get(action),
        limit_price=facts.near_px if action == "PASSIVE" else None,
        rate=rate,
        wait_s=Decimal(chance.randint(1, max(1, int(facts.wait_s_max)))) if action == "WAIT" else None,
        impact_adjustment=_between(chance, Decimal("0.5"), Decimal(2)),
    )
    return reply, f"The lot says {action}."


def _between(chance: Random, low: Decimal, high: Decimal) -> Decimal:
    return (low + (high - low) * chance.randint(0, 100) / 100).quantize(HUNDREDTH)
