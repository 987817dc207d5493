"""What is written down of a question: how it ended, what was advised, and what holds, in figures and in words."""

from dataclasses import dataclass, replace
from decimal import Decimal

from executor.advice.ruling import Ruling
from executor.domain.advice import Advice, AdviceOutcome, AdviceRecord, Usage
from executor.domain.advice_facts import ImpactFacts
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.units import ONE, ZERO, plain
from executor.engine.state import OpenQuestion, ParentState


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a question ended; the record takes the rest from the parent.

    Parameters
    ----------
    reason
        Code that says why; empty where there is nothing to say.
    cost_at_most
        Whether `cost` is the most that the call can have cost, for nobody has counted.
    """

    outcome: AdviceOutcome
    reason: str = ""
    detail: str = ""
    advice: Advice | None = None
    ruling: Ruling | None = None
    model: str = ""
    usage: Usage | None = None
    cost: Decimal = ZERO
    cost_at_most: bool = False
    latency_ns: int = 0


def record_of(parent: ParentState, question: OpenQuestion, told: Ending, now_ns: int) -> AdviceRecord:
    """Write down a question that has just ended, with what holds of advice from now on."""
    facts, advice = question.facts, told.advice
    impact = facts.impact
    if advice is not None:
        impact = replace(impact, estimate_bps=leaned_bps(impact, advice.impact_adjustment))
    return AdviceRecord(
        decision_id=facts.decision_id,
        parent_id=parent.order.parent_id,
        trigger=question.trigger,
        asked_ns=question.asked_ns,
        decided_ns=now_ns,
        outcome=told.outcome,
        reason=told.reason,
        detail=told.detail,
        action=None if advice is None else advice.action,
        confidence=None if advice is None else advice.confidence,
        rate=None if advice is None else advice.rate,
        wishes=() if advice is None else wishes_of(advice),
        clips=() if told.ruling is None else tuple(clip.value for clip in told.ruling.clips),
        held=held(parent),
        reasoning="" if advice is None else advice.reasoning,
        risk_assessment="" if advice is None else advice.risk_assessment,
        mid_px=facts.market.mid_px,
        cum_qty=parent.cum_qty,
        impact_bps=impact.estimate_bps,
        impact_low_bps=impact.low_bps,
        impact_high_bps=impact.high_bps,
        model=told.model,
        usage=told.usage,
        cost=told.cost,
        cost_at_most=told.cost_at_most,
        latency_ns=told.latency_ns,
    )


def held(parent: ParentState) -> str:
    """What holds now, in words."""
    advice = parent.advice
    if parent.status is ParentStatus.PAUSED and parent.reason is Reason.ADVICE:
        return "nothing: the order is PAUSED until a person resumes or cancels it"
    if not parent.is_working:
        return f"nothing: the parent is {parent.status}"
    if advice is None or advice.directive is None:
        name = parent.order.strategy if advice is None else advice.switch_to or parent.order.strategy
        return f"the schedule decides ({name})"
    directive = advice.directive
    parts = [f"{directive.action} {_speed(directive.rate)}"]
    if directive.style is not None:
        parts.append(f"style {directive.style}")
    if directive.child_qty_max is not None:
        parts.append(f"children up to {directive.child_qty_max:f}")
    if directive.limit_px is not None:
        parts.append(f"limit {directive.limit_px:f}")
    if directive.strategy is not None:
        parts.append(f"schedule {directive.strategy}")
    return ", ".join(parts)


def _speed(rate: Decimal) -> str:
    if rate == ONE:
        return "at the schedule's speed"
    return f"at {rate:f} times the schedule's speed" if rate else "with nothing opened meanwhile"


def wishes_of(advice: Advice) -> tuple[str, ...]:
    """What was advised besides action, speed and confidence, in words."""
    parts = (
        ("schedule", advice.strategy),
        ("children up to", advice.qty),
        ("as a", None if advice.order_kind is None else f"{advice.order_kind.value} order"),
        ("limit price", advice.limit_px),
        ("for", None if advice.wait_s is None else f"{advice.wait_s} s"),
        ("impact times", None if advice.impact_adjustment == ONE else advice.impact_adjustment),
    )
    return tuple(
        f"{what} {plain(value) if isinstance(value, Decimal) else value}"
        for what, value in parts
        if value is not None
    )


def leaned_bps(told: ImpactFacts, factor: Decimal) -> Decimal | None:
    """An estimate of impact times the advised factor, within its range; None where nothing was estimated.

    An opinion may lean, it may not leave what is plausible.
    """
    if told.estimate_bps is None:
        return None
    low, high = told.low_bps or ZERO, told.high_bps or told.estimate_bps
    return min(max(told.estimate_bps * factor, low), high)


def is_bound(cost: Decimal, usage: Usage | None = None) -> bool:
    """Whether a cost is the most that a call can have cost: no answer came, or nobody counted its tokens."""
    return cost > ZERO and (usage is None or not usage.reported)
