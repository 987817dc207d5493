"""Records of questions for a model, and the terms of one, for tests that look at what is told of them."""

from executor.domain.advice import Action, AdviceOutcome, AdviceRecord, Trigger, Usage
from executor.domain.advice_terms import AdviserTerms, Band, Caps, Prices
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from tests.builders import T0, D

USAGE = Usage(prompt_tokens=1_000, cached_tokens=200, completion_tokens=100, reported=True)
ADVISER = AdviserTerms(
    model="wise",
    interval_s=30,
    deadline_ms=4_000,
    caps=Caps(
        parent_cost_max=D(1),
        hour_cost_max=D(2),
        day_cost_max=D(3),
        parent_calls_max=100,
        hour_calls_max=200,
        day_calls_max=300,
    ),
    prices=Prices(prompt=D(1), cached=D("0.1"), completion=D(4)),
    band=Band(strategies=("twap", "vwap")),
)


def advice_record(number=1, outcome=AdviceOutcome.APPLIED, **over):
    """A record of question `number`; those whose answer was judged advise to accelerate."""
    judged = outcome in (AdviceOutcome.APPLIED, AdviceOutcome.WITHOUT_EFFECT)
    answered = judged or outcome is AdviceOutcome.UNUSABLE
    usual = dict(
        decision_id=f"P1-{number}",
        parent_id="P1",
        trigger=Trigger.INTERVAL,
        asked_ns=T0,
        decided_ns=T0 + NS_PER_S,
        outcome=outcome,
        reason="",
        detail="",
        action=Action.ACCELERATE if judged else None,
        confidence=D("0.75") if judged else None,
        clips=(),
        held="ACCELERATE at 1.5 times the schedule's speed",
        reasoning="the book leans our way" if judged else "",
        risk_assessment="small" if judged else "",
        mid_px=D(50_000),
        cum_qty=D("0.25"),
        impact_bps=D("1.23456789"),
        impact_low_bps=D("0.5"),
        impact_high_bps=D(2),
        model="wise" if answered else "",
        usage=USAGE if answered else None,
        cost=D("0.00122") if answered else D(0),
        latency_ns=700 * NS_PER_MS if answered else 0,
    )
    return AdviceRecord(**{**usual, **over})
