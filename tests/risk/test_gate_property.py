"""The gate against the reference predicate: same answer for anything, and never an exception."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from executor.domain.approval import Approved
from executor.domain.limits import Limits
from executor.domain.orders import NewOrder
from risk.gate import Refused, judge, judge_replacement, size_cap
from risk.refusals import RefusalCode
from tests.builders import D, new_order, parent_order
from tests.risk.gate_cases import STRANGE, any_case, any_replacement, gate_view
from tests.risk.reference_gate import may_pass, may_replace

SIZE_CODES = {
    RefusalCode.PARTICIPATION,
    RefusalCode.SYMBOL_PARTICIPATION,
    RefusalCode.CHILD_NOTIONAL,
    RefusalCode.OPEN_NOTIONAL,
    RefusalCode.POSITION_NOTIONAL,
    RefusalCode.OVER_PARENT,
    RefusalCode.QTY_ABOVE_MAXIMUM,
    RefusalCode.QTY_OFF_STEP,
    RefusalCode.REDUCE_ONLY_EXCEEDS,
}


@st.composite
def cases(draw):
    return any_case(lambda choices: draw(st.sampled_from(choices)))


@st.composite
def bent_orders(draw):
    """Any numbers whatever in the order."""
    order, view, limits = any_case(lambda choices: draw(st.sampled_from(choices)))
    numbers = st.decimals(allow_nan=True, allow_infinity=True) | st.sampled_from(STRANGE)
    return replace(order, qty=draw(numbers), px=draw(numbers)), view, limits


def check(case):
    order, view, limits = case
    verdict = judge(order, view, limits, 7)
    if may_pass(order, view, limits):
        assert verdict == Approved(order=order, ticket=7, halt_epoch=view.halt_epoch)
        assert verdict.order is order
        return True
    assert isinstance(verdict, Refused)
    assert verdict.codes
    assert len(set(verdict.codes)) == len(verdict.codes)
    assert verdict.detail
    return False


@given(cases())
@example((new_order(qty=D("1E+40")), gate_view(), Limits()))
@example((new_order(px=D("1E-40")), gate_view(), Limits()))
@example(
    (
        new_order(),
        gate_view(parent_worst_case_qty=D("1E+40"), parent=parent_order(order_qty=D("1E+40"))),
        Limits(),
    )
)
@example((new_order(), gate_view(), Limits(amplification_max=D("NaN"))))
@example((new_order(), gate_view(), Limits(child_notional_max=D("sNaN"))))
@example((new_order(), gate_view(expected_volume_qty=D("9E+999999")), Limits()))
@example((new_order(), gate_view(day_notional=D("9E+999999")), Limits()))
def test_gate_approves_exactly_what_the_predicate_allows(case):
    check(case)


@given(bent_orders())
def test_any_order_is_answered_and_never_raises(case):
    check(case)


def test_cases_are_worth_something():
    """Of a seeded sample a good share passes, and every code that a pure number can cause is met."""
    random = Random(7)
    approved, met = 0, Counter()
    for _ in range(3_000):
        case = any_case(random.choice)
        approved += check(case)
        verdict = judge(*case, 7)
        if isinstance(verdict, Refused):
            met.update(verdict.codes)
    assert approved >= 600
    assert set(RefusalCode) - met.keys() == {RefusalCode.QTY_BELOW_FILLED}


@st.composite
def replacements(draw):
    return any_replacement(lambda choices: draw(st.sampled_from(choices)))


def check_replacement(case):
    new, standing, view, limits = case
    verdict = judge_replacement(new, standing, view, limits, 7)
    if may_replace(new, standing, view, limits):
        assert verdict == Approved(order=new, ticket=7, halt_epoch=view.halt_epoch)
        return True
    assert isinstance(verdict, Refused)
    assert verdict.codes
    assert len(set(verdict.codes)) == len(verdict.codes)
    assert verdict.detail
    return False


@given(replacements())
def test_gate_approves_exactly_the_amendments_the_predicate_allows(case):
    check_replacement(case)


def test_amendments_are_worth_something():
    """Of a seeded sample a good share passes, and every code that a pure number can cause is met."""
    random = Random(8)
    approved, met = 0, Counter()
    for _ in range(4_000):
        case = any_replacement(random.choice)
        approved += check_replacement(case)
        verdict = judge_replacement(*case, 7)
        if isinstance(verdict, Refused):
            met.update(verdict.codes)
    assert approved >= 600
    assert set(RefusalCode) - met.keys() == set()


@given(cases(), st.integers(1, 10_000))
def test_quantity_cut_to_the_cap_passes_every_size_limit(case, steps):
    """Also where the position may only shrink: what the cap allows is never refused for its size."""
    order, view, limits = case
    finite = [
        view.parent_worst_case_qty,
        view.position_qty,
        view.same_side_open_qty,
        view.reduce_open_qty,
        view.open_notional,
        order.px,
    ]
    finite += [view.symbol_used_qty, view.symbol_volume_qty]
    finite += [view.parent.order_qty, view.expected_volume_qty, limits.participation_pct_max]
    finite += [limits.child_notional_max, limits.open_notional_max, limits.position_notional_max]
    sound = all(isinstance(n, Decimal) and n.is_finite() and D(0) <= abs(n) < D("1E+15") for n in finite)
    # The ledger sums quantities times prices, none below zero: a negative sum cannot reach the gate.
    sound = sound and view.open_notional >= 0
    if not sound or view.instrument is None or view.instrument.category is not order.category:
        return
    cap = size_cap(view, limits, order.side, order.px)
    assert cap >= 0
    if cap > 0:
        qty = min(cap, view.instrument.qty_step * steps)
        cut: NewOrder = replace(order, qty=qty)
        verdict = judge(cut, view, limits, 7)
        if isinstance(verdict, Refused) and RefusalCode.INPUT_UNSOUND not in verdict.codes:
            assert not SIZE_CODES & set(verdict.codes), verdict
