"""The form of an answer: one object with the same keys every time, figures as decimal strings. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from sandbox.llm_server.question import Facts
from sandbox.llm_server.wire_json import JsonObject

ACTIONS: Final = ("AGGRESSIVE", "PASSIVE", "WAIT", "ACCELERATE", "DECELERATE", "SWITCH_STRATEGY", "CANCEL")
HUNDREDTH: Final = Decimal("0.01")


def answer(
    facts: Facts,
    action: str,
    *,
    confidence: Decimal,
    reasoning: str,
    risk: str,
    strategy: str | None = None,
    quantity: Decimal | None = None,
    order_type: str | None = None,
    limit_price: Decimal | None = None,
    rate: Decimal | None = None,
    wait_s: Decimal | None = None,
    impact_adjustment: Decimal = Decimal(1),
) -> JsonObject:
    """Return the reply object; it echoes the ids of the question."""
    return {
        "decision_id": facts.decision_id,
        "snapshot_hash": facts.snapshot_hash,
        "action": action,
        "strategy": strategy,
        "quantity": _shown(quantity),
        "order_type": order_type,
        "limit_price": _shown(limit_price),
        "rate": _shown(rate),
        "wait_seconds": _shown(wait_s),
        "confidence": shown(confidence),
        "impact_adjustment": shown(impact_adjustment),
        "reasoning": reasoning,
        "risk_assessment": risk,
    }


def shown(number: Decimal) -> str:
    """Return a number as digits: no exponent, no zeros behind that say nothing."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def _shown(number: Decimal | None) -> str | None:
    return None if number is None else shown(number)
