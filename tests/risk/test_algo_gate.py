"""The gate for strategy orders: one that may pass, one thing wrong at a time, and what the planner cuts it to."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.algo import AlgoKind, AlgoTerms, NewAlgo, largest_piece, least_piece, pieces
from executor.domain.limits import Limits
from executor.domain.orders import TimeInForce
from risk.algo_room import algo_cap
from risk.gate import Refused, judge_algo
from risk.refusals import RefusalCode as Code
from tests.builders import D, instrument, new_order, parent_order
from tests.risk.gate_cases import gate_view

TWAP = AlgoTerms(kind=AlgoKind.TWAP, duration_s=300, interval_s=30)
ICEBERG = AlgoTerms(kind=AlgoKind.ICEBERG, display_qty=D("0.1"))
POV = AlgoTerms(kind=AlgoKind.POV, duration_s=900, interval_s=30, rate_pct=D(5), window_s=60)
LIMITS = Limits()


def algo(terms=TWAP, qty="1", **over):
    order = new_order(qty=D(qty), px=D("50100.0"), time_in_force=TimeInForce.IOC)
    return NewAlgo(order=replace(order, **over), terms=terms)


def view(**over):
    usual = dict(parent=parent_order(order_qty=D(100)), symbol_used_qty=D(0), symbol_volume_qty=D(1_000))
    return gate_view(**{**usual, **over})


def codes(wish, look=None, limits=LIMITS):
    verdict = judge_algo(wish, look or view(), limits, 1)
    return set(verdict.codes) if isinstance(verdict, Refused) else set()


@pytest.mark.parametrize("terms", [TWAP, ICEBERG, POV], ids=str)
def test_a_sound_one_passes_as_it_stands(terms):
    verdict = judge_algo(algo(terms), view(), LIMITS, 7)
    assert (verdict.order, verdict.ticket) == (algo(terms), 7)


@pytest.mark.parametrize(
    ("wish", "over", "limits", "wanted"),
    [
        (algo(), dict(latched=True), {}, {Code.HALTED}),
        (algo(), dict(parent=parent_order(order_qty=D("0.5"))), {}, {Code.OVER_PARENT}),
        (algo(qty="0.0095"), {}, {}, {Code.QTY_OFF_STEP, Code.QTY_BELOW_MINIMUM}),
        (algo(qty="0.005"), {}, {}, {Code.QTY_BELOW_MINIMUM}),
        (algo(replace(TWAP, interval_s=5)), {}, dict(order_gap_s_min=D(6)), {Code.ORDER_GAP}),
        (algo(), dict(orders_day=4_991), {}, {Code.ORDERS_PER_DAY}),
        (algo(), dict(parent_children=991), {}, {Code.REPEAT_PARENT}),
        (algo(), {}, dict(child_notional_max=D(5_000)), {Code.CHILD_NOTIONAL}),
        (algo(), {}, dict(open_notional_max=D(50_000)), {Code.OPEN_NOTIONAL}),
        (algo(), {}, dict(position_notional_max=D(50_000)), {Code.POSITION_NOTIONAL}),
        (algo(), dict(expected_volume_qty=D("0.9")), {}, {Code.PARTICIPATION}),
        (algo(px=D("51000.0")), {}, {}, {Code.PRICE_COLLAR, Code.PRICE_BENCHMARK}),
        (algo(POV), {}, dict(child_notional_max=D(50_000)), {Code.CHILD_NOTIONAL}),
        (algo(replace(POV, rate_pct=D(11))), {}, {}, {Code.PARTICIPATION}),
        (algo(replace(POV, rate_pct=D(0))), {}, {}, {Code.PARTICIPATION}),
        (algo(ICEBERG), dict(expected_volume_qty=D("0.9")), {}, {Code.PARTICIPATION}),
    ],
)
def test_one_thing_wrong_is_refused_and_named(wish, over, limits, wanted):
    assert codes(wish, view(**over), Limits(**limits)) == wanted


@pytest.mark.parametrize(
    "terms",
    [
        replace(TWAP, interval_s=0),
        replace(TWAP, duration_s=10),
        replace(ICEBERG, display_qty=D(0)),
        replace(ICEBERG, display_qty=D("NaN")),
        replace(POV, rate_pct=D(-1)),
    ],
    ids=str,
)
def test_terms_that_say_nothing_are_refused(terms):
    assert codes(algo(terms)) == {Code.INPUT_UNSOUND}


STEPS = st.integers(1, 5_000).map(lambda steps: D(steps) / 1_000)
TERMS = st.one_of(
    st.builds(
        lambda interval_s, number, noisy: replace(
            TWAP, interval_s=interval_s, duration_s=interval_s * number, noisy=noisy
        ),
        st.sampled_from([5, 10, 15, 30, 60, 120]),
        st.integers(1, 200),
        st.booleans(),
    ),
    st.builds(lambda qty: replace(ICEBERG, display_qty=qty), STEPS),
    st.builds(lambda pct: replace(POV, rate_pct=D(pct)), st.integers(1, 10)),
)


@given(TERMS, STEPS)
def test_no_piece_is_larger_than_said_and_the_pieces_make_the_whole(terms, qty):
    rules = instrument()
    number, largest, least = (
        pieces(terms, qty),
        largest_piece(terms, qty, rules),
        least_piece(terms, qty, rules),
    )
    assert largest <= qty
    assert least <= largest
    assert number * largest >= qty or terms.noisy


@given(TERMS, STEPS, st.integers(1, 300).map(D), st.integers(1_000, 400_000).map(D))
def test_what_the_planner_cuts_it_to_breaks_no_limit_of_size(terms, qty, volume, child_notional_max):
    limits = Limits(child_notional_max=child_notional_max, open_notional_max=D(60_000))
    look = view(expected_volume_qty=volume)
    wish = algo(terms, str(qty))
    cut = min(qty, algo_cap(wish, look, limits))
    if cut <= 0 or terms.kind is AlgoKind.ICEBERG:
        return
    sizes = {
        Code.CHILD_NOTIONAL,
        Code.OPEN_NOTIONAL,
        Code.OVER_PARENT,
        Code.POSITION_NOTIONAL,
        Code.PARTICIPATION,
    }
    found = codes(algo(terms, str(cut)), look, limits)
    assert not found & sizes, (cut, found)
