"""What becomes of a question: an answer in time, of which something holds or nothing, or none.

Every question ends here exactly once. What arrives after that is booked for its cost and has no other effect.
"""

from dataclasses import replace
from typing import Final

from executor.advice import breaker, budget
from executor.advice.capabilities import is_same_model
from executor.advice.facts import RECENT_DECISIONS_MAX, alike
from executor.advice.reply import Rejected, parse_reply
from executor.advice.ruling import Standing, Stop, direct
from executor.domain.advice import Advice, AdviceOutcome, Unusable
from executor.domain.advice_terms import AdviserTerms
from executor.domain.commands import AlertCode, Severity
from executor.domain.events import AdviceFailed, AdviceReceived
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_S
from executor.engine.advice_record import Ending, is_bound, leaned_bps, record_of
from executor.engine.desk import Desk
from executor.engine.question import question_facts
from executor.engine.state import AdviceState, OpenQuestion, ParentState, Spare
from executor.engine.viewing import view_of
from executor.engine.worth import charge, predict

RECENT_MAX: Final = RECENT_DECISIONS_MAX
"""Finished questions of a parent that stay in memory; all of them are kept in the journal's tables."""
NOT_AT_WORK: Final = "NOT_AT_WORK"
CHANGED: Final = "CHANGED"
_CUT_SHORT: Final = "length"


def on_received(desk: Desk, event: AdviceReceived) -> ParentState | None:
    """Book what an answer cost; in time, and to the question that is out, put into force what may hold of it."""
    state, terms = desk.state, desk.state.adviser
    parent = state.parents.get(event.parent_id)
    if terms is None or parent is None or parent.advice is None:
        return None
    usage = budget.believed(event.usage, event.prompt_bytes, len(event.raw))
    cost = budget.cost(usage, terms.prices)
    if not budget.settle(state.spend, event.decision_id, cost, desk.now_ns):
        return None
    charge(state, parent, cost)
    told = Ending(
        outcome=AdviceOutcome.UNUSABLE,
        model=event.model,
        usage=usage,
        cost=cost,
        cost_at_most=is_bound(cost, usage),
        latency_ns=event.latency_ns,
    )
    question = parent.advice.question
    if question is None or question.facts.decision_id != event.decision_id:
        _book_late(desk, parent.advice, event.decision_id, told)
    elif desk.now_ns >= question.due_ns:
        miss(desk, parent, told)
    else:
        _judge(desk, parent, terms, question, event, told)
    return parent


def on_failed(desk: Desk, event: AdviceFailed) -> ParentState | None:
    """There will be no answer: the schedule decides, now."""
    state, terms = desk.state, desk.state.adviser
    parent = state.parents.get(event.parent_id)
    call = state.spend.reserved.get(event.decision_id)
    if terms is None or parent is None or parent.advice is None or call is None:
        return None
    cost = budget.cost_of_failure(event.failure, call.worst_cost)
    budget.settle(state.spend, event.decision_id, cost, desk.now_ns)
    charge(state, parent, cost)
    told = Ending(
        outcome=AdviceOutcome.FAILED,
        reason=event.failure.value,
        detail=event.detail,
        cost=cost,
        cost_at_most=is_bound(cost),
        latency_ns=event.latency_ns,
    )
    question = parent.advice.question
    if question is None or question.facts.decision_id != event.decision_id:
        _book_late(desk, parent.advice, event.decision_id, told)
    else:
        fail(desk, parent, told)
    return parent


def forget_calls(desk: Desk) -> None:
    """After a start nothing is under way any more: calls of before count at their worst, and have no answer.

    What was advised before held under the terms of before, and ends with them.
    """
    state = desk.state
    for name in state.open_parents:
        before = state.parents[name].advice
        if before is not None:
            forget(before)
    for decision_id, call in tuple(state.spend.reserved.items()):
        budget.settle(state.spend, decision_id, call.worst_cost, desk.now_ns)
        parent = state.parents[call.parent_id]
        charge(state, parent, call.worst_cost)
        if parent.advice is None:
            continue
        told = Ending(
            outcome=AdviceOutcome.FAILED,
            reason="RESTARTED",
            cost=call.worst_cost,
            cost_at_most=is_bound(call.worst_cost),
        )
        question = parent.advice.question
        if question is not None and question.facts.decision_id == decision_id:
            end(desk, parent, told)
        else:
            _book_late(desk, parent.advice, decision_id, told)


def miss(desk: Desk, parent: ParentState, told: Ending | None = None) -> None:
    """The deadline has come without an answer: an earlier advice may stand in once, else the schedule decides."""
    late = replace(told or Ending(outcome=AdviceOutcome.LATE), outcome=AdviceOutcome.LATE, reason="TIMEOUT")
    late = replace(late, detail="no answer by the deadline")
    if not _bridge(desk, parent, late):
        fail(desk, parent, late)


def fail(desk: Desk, parent: ParentState, told: Ending) -> None:
    """No usable answer: the schedule decides, the fallback where it is another than the one in force."""
    terms, advice = desk.state.adviser, parent.advice
    assert terms is not None
    assert advice is not None
    _count_failure(desk, terms, told.reason)
    _leave_to_schedule(parent, advice, terms, desk.now_ns)
    end(desk, parent, told)


def forbid(desk: Desk, parent: ParentState, reason: str) -> None:
    """Nobody may be asked: what was advised before ends, for nobody can say any more whether it is still meant.

    The schedule decides as after a failure, but it says nothing about the server. What has ended here does not stand in
    for a late answer either.
    """
    terms, advice = desk.state.adviser, parent.advice
    assert terms is not None
    assert advice is not None
    _leave_to_schedule(parent, advice, terms, desk.now_ns)
    end(desk, parent, Ending(outcome=AdviceOutcome.NOT_ASKED, reason=reason))


def forget(advice: AdviceState) -> None:
    """Let nothing hold of what was advised so far, nor stand in, nor take over later."""
    advice.directive = advice.spare = None
    advice.switch_to = ""


def _leave_to_schedule(parent: ParentState, advice: AdviceState, terms: AdviserTerms, now_ns: int) -> None:
    """End what holds of advice; the fallback takes over where it is another than the schedule in force."""
    forget(advice)
    if terms.fallback and terms.fallback != parent.order.strategy and parent.is_working:
        advice.switch_to = terms.fallback
        advice.switch_until_ns = now_ns + terms.band.hold_s_max * NS_PER_S


def end(desk: Desk, parent: ParentState, told: Ending) -> None:
    """Write down how the question that is out has ended; there is none out afterwards."""
    advice = parent.advice
    assert advice is not None
    question, advice.question = advice.question, None
    assert question is not None
    record = record_of(parent, question, told, desk.now_ns)
    advice.recent.append(record)
    del advice.recent[:-RECENT_MAX]
    advice.outcomes[told.outcome.value] = advice.outcomes.get(told.outcome.value, 0) + 1
    desk.parents[parent.order.parent_id] = None
    desk.decisions.append(record)


def _judge(
    desk: Desk,
    parent: ParentState,
    terms: AdviserTerms,
    question: OpenQuestion,
    event: AdviceReceived,
    told: Ending,
) -> None:
    """An answer in time: read it strictly, and put into force what may hold of it."""
    read = _read(event, question, terms)
    if isinstance(read, Rejected):
        fail(desk, parent, replace(told, reason=read.reason.value, detail=read.detail))
        return
    _count_success(desk, terms)
    told = replace(told, advice=read)
    view = view_of(desk, parent)
    advice = parent.advice
    assert advice is not None
    predict(advice, question.facts, leaned_bps(question.facts.impact, read.impact_adjustment))
    at_work = view is not None and parent.is_working
    if view is None or not at_work or question.facts.parent_version != parent.version:
        # What was said before is no longer meant, also where this can not take its place.
        forget(advice)
        reason = CHANGED if at_work else NOT_AT_WORK
        end(desk, parent, replace(told, outcome=AdviceOutcome.WITHOUT_EFFECT, reason=reason))
        return
    ruling = direct(
        read, terms.band, Standing(view=view, directive=advice.directive, switches=advice.switches)
    )
    advice.spare = Spare(advice=read, facts=question.facts, heard_ns=desk.now_ns)
    advice.directive = ruling.directive
    if ruling.directive is not None and ruling.directive.strategy is not None:
        advice.switch_to, advice.switch_until_ns = ruling.directive.strategy, ruling.directive.until_ns
        advice.switches += 1
    if ruling.stop is not None:
        _stop(desk, parent, ruling.stop, read)
    acted = ruling.directive is not None or ruling.stop is not None
    outcome = AdviceOutcome.APPLIED if acted else AdviceOutcome.WITHOUT_EFFECT
    end(desk, parent, replace(told, outcome=outcome, ruling=ruling))


def _read(event: AdviceReceived, question: OpenQuestion, terms: AdviserTerms) -> Advice | Rejected:
    """Read a reply, whose envelope must be sound as well."""
    if not is_same_model(terms.model, event.model, terms.model_aliases):
        return Rejected(
            reason=Unusable.OTHER_MODEL, detail=f"{event.model!r} answered for {terms.model!r}"[:120]
        )
    if event.refusal:
        return Rejected(reason=Unusable.REFUSED, detail=event.refusal[:120])
    if event.finish_reason == _CUT_SHORT:
        return Rejected(reason=Unusable.TRUNCATED, detail="the answer was cut short at the most tokens")
    if not event.raw.strip():
        return Rejected(reason=Unusable.EMPTY, detail="an empty answer")
    return parse_reply(
        event.raw,
        decision_id=question.facts.decision_id,
        snapshot_hash=question.snapshot_hash,
        strategies=frozenset(terms.band.strategies),
    )


def _stop(desk: Desk, parent: ParentState, stop: Stop, advised: Advice) -> None:
    """End the work on a parent as advised, or let a person look at it."""
    if stop is Stop.CANCEL:
        parent.goal, parent.goal_reason = ParentStatus.CANCELED, Reason.ADVICE
    else:
        desk.move_parent(parent, ParentStatus.PAUSED, Reason.ADVICE)
    what = "cancelled" if stop is Stop.CANCEL else "paused"
    desk.alert(
        Severity.WARNING,
        AlertCode.ADVICE_TO_CANCEL,
        parent.order.parent_id,
        f"the model advises to cancel, so it is {what}: {advised.reasoning}",
    )


def _bridge(desk: Desk, parent: ParentState, late: Ending) -> bool:
    """Let an earlier advice stand in for a late answer, once, if little has changed since."""
    terms, advice = desk.state.adviser, parent.advice
    assert terms is not None
    assert advice is not None
    spare, view = advice.spare, view_of(desk, parent)
    if spare is None or view is None or not parent.is_working:
        return False
    if desk.now_ns > spare.heard_ns + terms.band.hold_s_max * NS_PER_S:
        return False  # advice that would have run out by itself is not brought back
    present = question_facts(desk.state, parent, view, terms.band, spare.facts.decision_id)
    if not alike(spare.facts, present, terms.alike):
        return False
    advice.spare = None
    ruling = direct(
        spare.advice, terms.band, Standing(view=view, directive=advice.directive, switches=advice.switches)
    )
    if ruling.directive is None:
        return False
    advice.directive = replace(ruling.directive, strategy=None)
    _count_failure(desk, terms, late.reason)
    end(
        desk,
        parent,
        replace(
            late, outcome=AdviceOutcome.BRIDGED, detail=f"{spare.facts.decision_id} stands in", ruling=ruling
        ),
    )
    return True


def _count_success(desk: Desk, terms: AdviserTerms) -> None:
    """Count a usable answer; say when it ends a time in which the server was left alone."""
    before = desk.state.breaker.phase
    breaker.succeeded(desk.state.breaker)
    if desk.state.breaker.phase is not before:
        desk.alert(
            Severity.INFO,
            AlertCode.ADVISER_BACK,
            "",
            f"{terms.model} has answered: it is asked as usual again",
        )


def _count_failure(desk: Desk, terms: AdviserTerms, reason: str) -> None:
    """Count a call that brought nothing; say when the server is left alone from now on, and what was the last reason.

    Parameters
    ----------
    reason
        Code of the failure; what the server said itself is in the records.
    """
    state = desk.state
    before = state.breaker.phase
    breaker.failed(state.breaker, terms.breaker, desk.now_ns)
    if state.breaker.phase is breaker.BreakerPhase.OPEN and before is not breaker.BreakerPhase.OPEN:
        wait_s = (state.breaker.until_ns - desk.now_ns) // 1_000_000_000
        desk.alert(
            Severity.WARNING,
            AlertCode.ADVISER_SILENT,
            "",
            f"{state.breaker.failures} calls in a row brought nothing usable, the last one: {reason}; nobody is asked"
            f" for {wait_s} s, the schedules go on",
        )


def _book_late(desk: Desk, advice: AdviceState, decision_id: str, told: Ending) -> None:
    """What arrives after the question has ended: its cost and its latency go into the record, nothing else changes."""
    for index, record in enumerate(advice.recent):
        if record.decision_id == decision_id:
            late = replace(
                record,
                cost=told.cost,
                cost_at_most=told.cost_at_most,
                usage=told.usage,
                model=told.model,
                latency_ns=told.latency_ns,
            )
            advice.recent[index] = late
            desk.decisions.append(late)
            return
