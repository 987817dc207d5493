"""What advice is worth, counted while it is followed: the periods of directives, usual cost, predicted impact.

Nothing is decided by these figures. A period lasts as long as one directive is in force on a parent at work; a fill
belongs to the period in which it comes, also of a child that was sent before it. What fills while the schedule alone
decides, with no advice to make up for, is the usual cost. Work is done for advised parents only, and as little for
each event.
"""

from decimal import Decimal

from executor.advice.band import Directive
from executor.advice.score import AdvisedPeriod, Worth, add_bill, add_impact, add_period, add_usual
from executor.domain.advice_facts import AdviceFacts
from executor.domain.fills import Fill
from executor.domain.orders import Category
from executor.domain.parent_state import ParentStatus
from executor.domain.units import BPS_PER_UNIT, ZERO, Money
from executor.engine.accounts import fee_in_quote
from executor.engine.desk import Desk
from executor.engine.state import (
    AdviceState,
    EngineState,
    OpenPeriod,
    ParentState,
    Prediction,
    average_px,
)


def follow(desk: Desk, parent: ParentState) -> None:
    """Begin and end the parent's period as its directive does; with the parent everything is settled."""
    advice = parent.advice
    if advice is None:
        return
    directive, period = _in_force(desk, parent, advice), advice.period
    if period is not None and (directive is None or _is_over(period, directive, desk.now_ns)):
        count_due(parent, desk.now_ns)
        _close(desk.state, parent, advice, period)
    if directive is not None and advice.period is None:
        _open(desk, parent, advice, directive)
    if parent.is_final:
        _settle(desk.state, parent, advice)


def on_mid(parent: ParentState, mid_px: Decimal, now_ns: int) -> None:
    """Another mid is in force: what was due until now was due at the one before."""
    if parent.advice is not None and parent.advice.period is not None:
        count_due(parent, now_ns)
        parent.advice.period.mid_px = mid_px


def count_due(parent: ParentState, now_ns: int) -> None:
    """Count what the schedule had due until an instant; also before another schedule takes its place."""
    period = None if parent.advice is None else parent.advice.period
    if period is None or parent.schedule is None:
        return
    at_ns = min(now_ns, period.until_ns)
    if at_ns <= period.at_ns:
        return
    due_qty = parent.schedule.pro_rata_qty(at_ns) - parent.schedule.pro_rata_qty(period.at_ns)
    period.schedule_qty += due_qty
    period.schedule_value += _value(parent, due_qty, period.mid_px)
    period.at_ns = at_ns


def on_fill(desk: Desk, parent: ParentState, fill: Fill, mid_px: Decimal) -> None:
    """Book a fill to the period in force, or to the usual cost; to neither while the schedule makes up for advice.

    What fills between a period and the end of the next slice is what advice has put off: not usual, and not done
    under a directive. So neither side of the comparison knows what catching up costs.

    Parameters
    ----------
    mid_px
        Mid before the fill, quote per base.
    """
    advice = parent.advice
    if advice is None:
        return
    follow(desk, parent)
    fees = fee_in_quote(desk.state, fill) or ZERO
    period, prediction = advice.period, advice.prediction
    if period is not None:
        period.cum_qty += fill.last_qty
        period.cum_value += _value(parent, fill.last_qty, fill.last_px)
        period.fees += fees
    elif not parent.is_final and desk.now_ns >= advice.settling_ns:
        beyond_mid = fill.side.sign * (fill.last_px - mid_px) * (fill.coin_qty or fill.last_qty)
        for worth in _worths(desk.state, parent, advice):
            add_usual(worth.usual, cost=beyond_mid + fees, traded=fill.notional)
    if prediction is not None and not parent.is_final:
        prediction.cum_qty += fill.last_qty
        prediction.cum_value += _value(parent, fill.last_qty, mid_px)


def charge(state: EngineState, parent: ParentState, cost: Money) -> None:
    """Put what an answer has cost (US dollars) on the bill of the next period that begins, or of the parent."""
    if parent.advice is not None:
        parent.advice.bill += cost
        if parent.is_final:
            _settle(state, parent, parent.advice)


def predict(advice: AdviceState, facts: AdviceFacts, adjusted_bps: Decimal | None) -> None:
    """Note the estimate that came with a question, the first time that a usable answer has adjusted one.

    The law is one of whole orders, so that one question is enough for each, and comparisons of the same fills are not
    counted as many.
    """
    told = facts.impact
    if advice.prediction is not None or adjusted_bps is None or told.estimate_bps is None:
        return
    advice.prediction = Prediction(
        decision_id=facts.decision_id,
        mid_px=facts.market.mid_px,
        estimate_bps=told.estimate_bps,
        low_bps=told.low_bps or ZERO,
        high_bps=told.high_bps or told.estimate_bps,
        adjusted_bps=adjusted_bps,
    )


def interrupt(state: EngineState) -> None:
    """After a start periods end where the last incarnation saw them: the time between is nobody's."""
    for name in state.open_parents:
        parent = state.parents[name]
        if parent.advice is not None and parent.advice.period is not None:
            _close(state, parent, parent.advice, parent.advice.period)


def _in_force(desk: Desk, parent: ParentState, advice: AdviceState) -> Directive | None:
    """The directive that shapes the parent's work at this instant; never before or after its schedule."""
    directive, schedule = advice.directive, parent.schedule
    if directive is None or schedule is None or not schedule.slices:
        return None
    if desk.state.adviser is None or not parent.is_working:
        return None
    at_work = schedule.slices[0].start_ns <= desk.now_ns < schedule.slices[-1].end_ns
    return directive if at_work and directive.in_force(desk.now_ns) else None


def _is_over(period: OpenPeriod, directive: Directive, now_ns: int) -> bool:
    """Whether a period has run out, or is of another directive."""
    mine = (period.decision_id, period.start_ns) == (directive.decision_id, directive.start_ns)
    return not mine or now_ns >= period.until_ns


def _open(desk: Desk, parent: ParentState, advice: AdviceState, directive: Directive) -> None:
    market = desk.state.markets[parent.market_key]
    assert market.snapshot is not None
    assert parent.schedule is not None
    mid_px = market.snapshot.mid_px
    advice.period = OpenPeriod(
        decision_id=directive.decision_id,
        start_ns=directive.start_ns,
        until_ns=min(directive.until_ns, parent.schedule.slices[-1].end_ns),
        at_ns=desk.now_ns,
        mid_px=mid_px,
        start_px=mid_px,
        spread_bps=market.snapshot.spread_bps,
        bill=advice.bill,
    )
    advice.bill = ZERO


def _close(state: EngineState, parent: ParentState, advice: AdviceState, period: OpenPeriod) -> None:
    """Score a period."""
    closed = AdvisedPeriod(
        side=parent.order.side,
        category=parent.order.category,
        schedule_qty=period.schedule_qty,
        schedule_value=period.schedule_value,
        cum_qty=period.cum_qty,
        cum_value=period.cum_value,
        fees=period.fees,
        start_px=period.start_px,
        end_px=period.mid_px,
        spread_bps=period.spread_bps,
        bill=Money(period.bill),
    )
    advice.period = None
    advice.settling_ns = _settled_ns(parent, period.at_ns)
    for worth in _worths(state, parent, advice):
        add_period(worth.score, closed)


def _settled_ns(parent: ParentState, at_ns: int) -> int:
    """End of the slice after the one that an instant lies in, or of the last: until then the schedule catches up."""
    if parent.schedule is None or not parent.schedule.slices:
        return at_ns
    slices = parent.schedule.slices
    return slices[min(max(parent.schedule.slice_at(at_ns), 0) + 1, len(slices) - 1)].end_ns


def _settle(state: EngineState, parent: ParentState, advice: AdviceState) -> None:
    """Score what no period will take any more: the rest of the bill, and the impact of the whole order.

    What an estimate predicts is how far the mids move, on average over what is filled, from the mid when it was told:
    the average over an order worked evenly, without spread and fees. So the mids before the fills are compared, not the
    prices, and of completed orders only, for of a part it said nothing.
    """
    worths = _worths(state, parent, advice)
    if advice.bill:
        for worth in worths:
            add_bill(worth.score, Money(advice.bill))
        advice.bill = ZERO
    told = advice.prediction
    if told is None or told.realised_bps is not None or parent.status is not ParentStatus.COMPLETE:
        return
    mid_px = average_px(parent.order.category, told.cum_qty, told.cum_value, told.cum_value)
    if mid_px is None:
        return
    told.realised_bps = parent.order.side.sign * (mid_px - told.mid_px) / told.mid_px * BPS_PER_UNIT
    for worth in worths:
        for score, predicted_bps in ((worth.plain, told.estimate_bps), (worth.adjusted, told.adjusted_bps)):
            add_impact(
                score,
                predicted_bps=predicted_bps,
                low_bps=told.low_bps,
                high_bps=told.high_bps,
                realised_bps=told.realised_bps,
            )


def _worths(state: EngineState, parent: ParentState, advice: AdviceState) -> tuple[Worth, Worth]:
    """Where all of it counts: for the parent, and for its market."""
    return advice.worth, state.worths.setdefault(parent.market_key, Worth())


def _value(parent: ParentState, qty: Decimal, px: Decimal) -> Decimal:
    """Value of a quantity at a price: quote units; of inverse contracts the coin that they are worth."""
    return qty / px if parent.order.category is Category.INVERSE else qty * px
