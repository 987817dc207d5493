"""How advice is shown: the questions about a parent, what holds of the last answer, and what all of it came to.

Reasoning and risk assessment are a model's words: text to be read, cut and cleaned by nobody here, and escaped wherever
it is printed.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from executor.advice.breaker import BreakerPhase
from executor.advice.budget import Bill
from executor.advice.ruling import CLIP_TEXT, Clip
from executor.advice.tally import as_json, tally
from executor.adviser.tape import Line
from executor.domain.advice import AdviceOutcome, AdviceRecord
from executor.domain.timeline import NS_PER_MS, NS_PER_S, iso_utc
from executor.domain.units import ZERO, Money, plain
from executor.engine.state import EngineState, ParentState
from executor.interfaces.advice_reasons import OUTCOME_TEXT, reason_text
from executor.interfaces.worth_views import order_value, worst_case_view, worth_view

Json = dict[str, object]
DECISIONS: Final = "decisions"
"""Where a cost report holds the records of the questions about its parent."""
_SHOWN: Final = Decimal("0.0001")


def decisions_view(report: Mapping[str, object], state: EngineState, parent: ParentState) -> Json:
    """Show the most that advice can do to a parent, what it was worth, and every question about it, newest last."""
    records = _records(report)
    then = [*(record.cum_qty for record in records[1:]), parent.cum_qty]
    return {
        "parent_id": parent.order.parent_id,
        "advised": parent.advice is not None,
        "worst_case": worst_case_view(parent),
        "worth": worth_view(state, parent),
        "decisions": [
            _decision(record) | {"filled_until_next": plain(filled - record.cum_qty)}
            for record, filled in zip(records, then, strict=False)
        ],
    }


def call_view(line: Line) -> Json:
    """Show one call to the model: every word that was sent, and the reply as it came, before anybody judged it."""
    return {
        "decision_id": line.decision_id,
        "parent_id": line.parent_id,
        "asked": {"utc": iso_utc(line.asked_ns), "ns": line.asked_ns},
        "model": line.model,
        "messages": [{"role": spoken.role, "content": spoken.content} for spoken in line.messages],
        "reply": line.reply,
        "refusal": line.refusal,
        "finish_reason": line.finish_reason,
        "failure": line.failure,
        "detail": line.detail,
        "answered_by": line.model_id,
        "latency_ms": line.latency_ns // NS_PER_MS,
    }


def advice_part(report: Mapping[str, object], state: EngineState, parent: ParentState) -> Json:
    """Say what advice about a parent came to: outcomes, what held, what it cost in money and relative to the order."""
    bill = state.spend.parents.get(parent.order.parent_id, Bill())
    value = order_value(parent) or Money(ZERO)
    return as_json(tally(_records(report), cost=Money(bill.cost), notional=value)) | {
        "worst_case": worst_case_view(parent),
        "worth": worth_view(state, parent),
    }


def advice_view(parent: ParentState, now_ns: int) -> Json | None:
    """Show what is asked about a parent at this instant and what holds of the last answer; None if nobody is asked."""
    advice = parent.advice
    if advice is None:
        return None
    directive = advice.directive if parent.is_working else None
    in_force: Json | None = None
    until_ns = 0 if directive is None else min(directive.until_ns, _end_ns(parent))
    if directive is not None and directive.in_force(now_ns) and now_ns < until_ns:
        in_force = {
            "decision_id": directive.decision_id,
            "action": directive.action.value,
            "rate": plain(directive.rate),
            "style": None if directive.style is None else directive.style.value,
            "child_qty_max": _plain(directive.child_qty_max),
            "limit_price": _plain(directive.limit_px),
            "strategy": directive.strategy,
            "confidence": plain(directive.confidence),
            "until": {"utc": iso_utc(until_ns), "ns": until_ns},
            "left_s": -((now_ns - until_ns) // NS_PER_S),
        }
    question = None if parent.is_final else advice.question
    return {
        "questions": advice.asked_no,
        "outcomes": dict(sorted(advice.outcomes.items())),
        "waiting_for": None if question is None else question.facts.decision_id,
        "in_force": in_force,
    }


def adviser_view(state: EngineState, now_ns: int) -> Json | None:
    """Show the model as the daemon sees it: whether it is asked and what it has cost; None where there is none."""
    if state.adviser is None:
        return None
    is_open = state.breaker.phase is BreakerPhase.OPEN
    return {
        "model": state.adviser.model,
        "breaker": state.breaker.phase.value,
        "asked_again_in_s": max(-((now_ns - state.breaker.until_ns) // NS_PER_S), 0) if is_open else 0,
        "questions_out": len(state.spend.reserved),
    }


def _end_ns(parent: ParentState) -> int:
    """When advice can shape nothing any more: with the last slice, or before one is planned with the order."""
    schedule = parent.schedule
    return (
        schedule.slices[-1].end_ns if schedule is not None and schedule.slices else parent.order.deadline_ns
    )


def _records(report: Mapping[str, object]) -> list[AdviceRecord]:
    listed = report.get(DECISIONS, ())
    return (
        [each for each in listed if isinstance(each, AdviceRecord)]
        if isinstance(listed, list | tuple)
        else []
    )


def _decision(record: AdviceRecord) -> Json:
    usage = record.usage
    return {
        "decision_id": record.decision_id,
        "trigger": record.trigger.value,
        "asked": {"utc": iso_utc(record.asked_ns), "ns": record.asked_ns},
        "decided": {"utc": iso_utc(record.decided_ns), "ns": record.decided_ns},
        "outcome": record.outcome.value,
        "reason": record.reason,
        "detail": record.detail,
        "action": None if record.action is None else record.action.value,
        "confidence": _plain(record.confidence),
        "rate": _plain(record.rate),
        "wishes": list(record.wishes),
        "held": record.held,
        "why": _why(record),
        "clips": [{"code": code, "text": _clip_text(code)} for code in record.clips],
        "reasoning": record.reasoning,
        "risk_assessment": record.risk_assessment,
        "mid_price": plain(record.mid_px),
        "filled": plain(record.cum_qty),
        "impact_bps": _rounded(record.impact_bps),
        "impact_low_bps": _rounded(record.impact_low_bps),
        "impact_high_bps": _rounded(record.impact_high_bps),
        "model": record.model,
        "usage": (
            None
            if usage is None
            else {
                "prompt_tokens": usage.prompt_tokens,
                "cached_tokens": usage.cached_tokens,
                "completion_tokens": usage.completion_tokens,
                "reported": usage.reported,
            }
        ),
        "cost_usd": plain(record.cost),
        "cost_at_most": record.cost_at_most,
        "decided_after_ms": _after_ms(record),
        "latency_ms": record.latency_ns // NS_PER_MS if record.latency_ns else None,
    }


def _why(record: AdviceRecord) -> list[str]:
    """Say why what was done is not what was advised; that it is, where nothing stands between the two."""
    told = [reason_text(record.reason)] if record.reason else []
    clips = [_clip_text(code) for code in record.clips]
    if record.outcome is AdviceOutcome.APPLIED and not clips:
        return ["as advised"]
    if record.outcome is AdviceOutcome.APPLIED:
        return clips
    return [*told, *clips, OUTCOME_TEXT[record.outcome].format(after_ms=_after_ms(record))]


def _after_ms(record: AdviceRecord) -> int:
    """How long after the question its outcome was settled."""
    return (record.decided_ns - record.asked_ns) // NS_PER_MS


def _clip_text(code: str) -> str:
    return CLIP_TEXT[Clip(code)] if code in Clip.__members__ else code


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _rounded(value: Decimal | None) -> str | None:
    return None if value is None else plain(value.quantize(_SHOWN))
