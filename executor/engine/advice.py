"""When a model is asked about a parent, and what holds of its last advice.

The schedule works on while a question is out. One question at a time for a parent, one outcome for each: something of
the advice holds within the band, or the schedule decides. At the deadline that is settled in the very tick, by the
engine's own timer; what arrives afterwards is booked and has no effect.
"""

from decimal import Decimal
from typing import Final

from executor.advice import breaker, budget
from executor.advice.band import Directive
from executor.advice.facts import snapshot_hash
from executor.domain.advice import Failure, Trigger
from executor.domain.advice_facts import AdviceFacts
from executor.domain.advice_terms import AdviserTerms
from executor.domain.commands import RequestAdvice
from executor.domain.decision import View
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.domain.units import Money
from executor.engine.advice_outcome import forbid, miss
from executor.engine.desk import Desk
from executor.engine.markets import volatility_pct
from executor.engine.question import question_facts
from executor.engine.state import AdviceState, EngineState, OpenQuestion, ParentState

_PCT: Final = Decimal(100)


def consider(desk: Desk, parent: ParentState, view: View) -> Directive | None:
    """Settle what is overdue, ask if it is time to, and give what holds of the last advice."""
    terms, advice = desk.state.adviser, parent.advice
    if terms is None or advice is None:
        return None
    expire(desk, parent)
    if advice.directive is not None and desk.now_ns >= advice.directive.until_ns:
        advice.directive = None
    if advice.question is None:
        trigger = _trigger(desk.state, parent, advice, terms, view)
        if trigger is not None:
            _ask(desk, parent, advice, terms, view, trigger)
    watch(desk, parent)
    return advice.directive


def on_timer(desk: Desk, parent_id: str) -> list[ParentState]:
    """A deadline has come, or it is time to ask: the parent is looked at again."""
    parent = desk.state.parents.get(parent_id)
    if parent is None or parent.is_final:
        return []
    expire(desk, parent)
    if parent.advice is not None and parent.advice.question is not None:
        watch(desk, parent)  # a parent that is not at work is not looked at again before the deadline
    return [parent]


def on_news(desk: Desk) -> list[ParentState]:
    """Something was reported: whoever may ask before its time is looked at again."""
    parents = [desk.state.parents[name] for name in desk.state.open_parents]
    advised = [parent for parent in parents if parent.advice is not None]
    for parent in advised:
        assert parent.advice is not None
        parent.advice.news = True
    return advised


def expire(desk: Desk, parent: ParentState) -> None:
    """Settle an overdue question, whatever the parent is doing."""
    advice = parent.advice
    if advice is not None and advice.question is not None and desk.now_ns >= advice.question.due_ns:
        miss(desk, parent)


def watch(desk: Desk, parent: ParentState) -> None:
    """Wake up at the deadline of a question, or when the next one is due."""
    advice = parent.advice
    assert advice is not None
    if advice.question is None and _is_too_late(desk.state, parent, max(advice.next_ns, desk.now_ns)):
        return  # no question could be answered before the end: waking up for one would go on and on
    at_ns = advice.next_ns if advice.question is None else advice.question.due_ns
    desk.set_timer(f"advice:{parent.order.parent_id}", max(at_ns, desk.now_ns + NS_PER_MS))


def deadline_ns(parent: ParentState, terms: AdviserTerms) -> int:
    """How long an answer is waited for: as configured, but never longer than half a slice."""
    return min(terms.deadline_ms * NS_PER_MS, parent.order.params.interval_s * NS_PER_S // 2)


def _ask(
    desk: Desk, parent: ParentState, advice: AdviceState, terms: AdviserTerms, view: View, trigger: Trigger
) -> None:
    """Send a question, unless a cap or the breaker forbids it: then that is its outcome."""
    state = desk.state
    advice.asked_no += 1
    advice.last_asked_ns = desk.now_ns
    advice.next_ns = desk.now_ns + terms.interval_s * NS_PER_S
    advice.news = False
    facts = question_facts(state, parent, view, terms.band, f"{parent.order.parent_id}-{advice.asked_no}")
    advice.watched_spread_bps = facts.market.spread_bps
    advice.watched_volatility_pct = facts.market.volatility_hourly_pct
    advice.watched_off = _is_off(parent, desk.now_ns, terms.triggers.schedule_pct)
    within_ns = deadline_ns(parent, terms)
    hashed = _hash_of(facts)
    advice.question = OpenQuestion(
        trigger=trigger,
        asked_ns=desk.now_ns,
        due_ns=desk.now_ns + within_ns,
        facts=facts,
        snapshot_hash=hashed,
    )
    worst = budget.worst_cost(terms.prompt_bytes_max, terms.tokens_max, terms.prices)
    refusal = _why_not(state, terms, parent.order.parent_id, worst) if hashed else Failure.UNWRITTEN.value
    if refusal:
        forbid(desk, parent, refusal)
        return
    budget.reserve(state.spend, facts.decision_id, parent.order.parent_id, worst, desk.now_ns)
    breaker.asked(state.breaker, terms.breaker, desk.now_ns)
    desk.out.append(
        RequestAdvice(
            parent_id=parent.order.parent_id,
            decision_id=facts.decision_id,
            facts=facts,
            within_ms=within_ns // NS_PER_MS,
        )
    )


def _hash_of(facts: AdviceFacts) -> str:
    """Name of the facts; empty if one of them is a figure that cannot be written, for then nobody is asked."""
    try:
        return snapshot_hash(facts)
    except ValueError:
        return ""


def _why_not(state: EngineState, terms: AdviserTerms, parent_id: str, worst: Money) -> str:
    """Why nobody may be asked now; empty if somebody may."""
    over = budget.why_not(state.spend, terms.caps, worst, state.now_ns, parent_id)
    if over is not None:
        return over.value
    if not breaker.may_ask(state.breaker, state.now_ns):
        return "BREAKER_OPEN"
    # A call that nobody waits for any more is still under way.
    return "CROWDED" if len(state.spend.reserved) >= terms.questions_max else ""


def _trigger(
    state: EngineState, parent: ParentState, advice: AdviceState, terms: AdviserTerms, view: View
) -> Trigger | None:
    """Why to ask now; None to ask later. Never when the answer could not come before the end."""
    if _is_too_late(state, parent, state.now_ns):
        return None
    if state.now_ns >= advice.next_ns:
        return Trigger.INTERVAL
    if state.now_ns < advice.last_asked_ns + terms.min_gap_s * NS_PER_S:
        return None
    return _event(state, parent, advice, terms, view)


def _is_off(parent: ParentState, at_ns: int, pct: Decimal) -> bool:
    """Whether an order is further from its schedule than `pct` of it and one slice, which belongs to slicing."""
    schedule = parent.schedule
    if schedule is None or not schedule.slices:
        return False
    piece = schedule.slices[max(schedule.slice_at(at_ns), 0)]
    off: Decimal = abs(parent.cum_qty - schedule.pro_rata_qty(at_ns))
    return (off - piece.qty) * _PCT > pct * parent.order.order_qty


def _is_too_late(state: EngineState, parent: ParentState, asked_ns: int) -> bool:
    """Whether the answer to a question of an instant could not come before the end of the order."""
    terms = state.adviser
    return terms is None or asked_ns + deadline_ns(parent, terms) >= parent.order.deadline_ns


def _event(
    state: EngineState, parent: ParentState, advice: AdviceState, terms: AdviserTerms, view: View
) -> Trigger | None:
    """What has happened since the last question that a model should hear of."""
    rules = terms.triggers
    if advice.news:
        return Trigger.NEWS
    if view.market.spread_bps > advice.watched_spread_bps * rules.spread_times:
        return Trigger.SPREAD
    volatility = volatility_pct(state, state.markets[parent.market_key])
    before = advice.watched_volatility_pct
    if volatility is not None and before is not None and volatility > before * rules.volatility_times:
        return Trigger.VOLATILITY
    if _is_off(parent, state.now_ns, rules.schedule_pct) and not advice.watched_off:
        return Trigger.SCHEDULE
    since_ns = max(parent.last_fill_ns, parent.last_order_ns, advice.last_asked_ns)
    if parent.live and state.now_ns - since_ns > rules.drought_s * NS_PER_S:
        return Trigger.DROUGHT
    return None
