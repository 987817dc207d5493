"""Cutting a quantity: exact in steps, never below the minimum, in order, and reproducible."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.decision import Schedule
from executor.domain.timeline import NS_PER_S
from strategies.schedule import make_schedule
from tests.builders import T0, D, instrument


def cut(**over):
    usual = dict(
        instrument=instrument(),
        reference_px=D(50_000),
        start_ns=T0,
        end_ns=T0 + 600 * NS_PER_S,
        base_qty=D(0),
        total_qty=D(1),
        slices=10,
        randomize_size_pct=0,
        randomize_timing_pct=0,
        seed="1",
    )
    return make_schedule(**{**usual, **over})


@st.composite
def requests(draw):
    step = draw(st.sampled_from([D("0.001"), D(1), D("0.25")]))
    rules = instrument(
        qty_step=step,
        min_order_qty=step * draw(st.integers(1, 20)),
        max_order_qty=step * 10**6,
        min_notional=D(draw(st.integers(0, 10_000))),
    )
    slices = draw(st.integers(1, 60))
    return dict(
        instrument=rules,
        reference_px=D(draw(st.integers(1, 100_000))),
        base_qty=step * draw(st.integers(0, 1_000)),
        total_qty=step * draw(st.integers(0, 100_000)) + draw(st.sampled_from([D(0), step / 3])),
        slices=slices,
        end_ns=T0 + slices * NS_PER_S * draw(st.integers(1, 60)) + draw(st.integers(0, 999)),
        randomize_size_pct=draw(st.sampled_from([0, 1, 30, 50])),
        randomize_timing_pct=draw(st.sampled_from([0, 1, 30, 50])),
        seed=str(draw(st.integers(0, 1_000))),
    )


@given(requests())
def test_schedule_is_exact_ordered_and_above_the_minimum(request_):
    rules, base, total = (request_[name] for name in ("instrument", "base_qty", "total_qty"))
    schedule = cut(**request_)
    rounded, least = rules.round_qty(total), rules.smallest_qty(request_["reference_px"])
    assert schedule.base_qty == base
    assert schedule.asked == request_["slices"]
    if rounded < least:
        assert schedule.slices == ()
        return
    assert 1 <= len(schedule.slices) <= request_["slices"]
    assert sum(piece.qty for piece in schedule.slices) == rounded <= total
    assert all(rules.is_on_step(piece.qty) and piece.qty >= least for piece in schedule.slices)
    assert schedule.slices[-1].target_qty == base + rounded
    target = base
    for piece in schedule.slices:
        target += piece.qty
        assert piece.target_qty == target
        assert piece.start_ns < piece.end_ns
    assert all(one.end_ns == two.start_ns for one, two in pairwise(schedule.slices))
    assert (schedule.slices[0].start_ns, schedule.slices[-1].end_ns) == (T0, request_["end_ns"])
    fewer = len(schedule.slices) < request_["slices"]
    assert not fewer or rounded < least * (len(schedule.slices) + 1)


@given(requests())
def test_randomisation_stays_within_its_bound(request_):
    """No piece pays for the others: each stays within its share of the even size, give or take a step."""
    schedule = cut(**request_)
    count = len(schedule.slices)
    if not count:
        return
    step = request_["instrument"].qty_step
    even_qty = sum(piece.qty for piece in schedule.slices) / count
    even_ns = (request_["end_ns"] - T0) / count
    for number, piece in enumerate(schedule.slices):
        assert abs(piece.qty - even_qty) <= even_qty * request_["randomize_size_pct"] / 100 + step
        away_ns = abs(piece.start_ns - T0 - number * even_ns)
        assert away_ns <= even_ns * request_["randomize_timing_pct"] / 100 + 1


def test_randomisation_is_used():
    """Over many pieces the sizes and the starts spread over a good part of what is allowed."""
    schedule = cut(
        total_qty=D(100), slices=100, end_ns=T0 + 6_000 * NS_PER_S, randomize_size_pct=50, seed="7"
    )
    sizes = [piece.qty for piece in schedule.slices]
    assert min(sizes) < D("0.6")
    assert max(sizes) > D("1.4")
    timed = cut(slices=100, end_ns=T0 + 6_000 * NS_PER_S, randomize_timing_pct=50, seed="7")
    lengths = [piece.end_ns - piece.start_ns for piece in timed.slices]
    assert min(lengths) < 30 * NS_PER_S
    assert max(lengths) > 90 * NS_PER_S


@given(requests())
def test_same_seed_same_plan(request_):
    assert cut(**request_) == cut(**request_)


def test_other_seed_other_plan():
    spread = dict(randomize_size_pct=20, randomize_timing_pct=20)
    assert cut(**spread, seed="1") != cut(**spread, seed="2")
    assert cut(seed="1") == cut(seed="2")


def test_plain_case_is_even():
    schedule = cut()
    assert [piece.qty for piece in schedule.slices] == [D("0.1")] * 10
    assert [piece.end_ns - piece.start_ns for piece in schedule.slices] == [60 * NS_PER_S] * 10


def test_pieces_below_the_minimum_are_merged_before_the_start():
    schedule = cut(instrument=instrument(min_notional=D(12_000)), total_qty=D(1))
    assert schedule.asked == 10
    assert [piece.qty for piece in schedule.slices] == [D("0.25")] * 4


def test_minimum_wins_over_randomisation():
    schedule = cut(total_qty=D("0.01"), slices=10, randomize_size_pct=50)
    assert [piece.qty for piece in schedule.slices] == [D("0.001")] * 10


@pytest.mark.parametrize(
    "over", [dict(total_qty=D("0.0009")), dict(total_qty=D(0)), dict(end_ns=T0), dict(end_ns=T0 - 1)]
)
def test_nothing_to_plan_is_an_empty_plan(over):
    assert cut(**over).slices == ()


@given(requests(), st.lists(st.integers(-10, 110), min_size=2, max_size=10))
def test_pro_rata_is_monotone_and_never_ahead(request_, per_cents):
    schedule = cut(**request_)
    whole_ns = request_["end_ns"] - T0
    reached = [schedule.pro_rata_qty(T0 + whole_ns * part // 100) for part in sorted(per_cents)]
    assert reached == sorted(reached)
    top = schedule.slices[-1].target_qty if schedule.slices else schedule.base_qty
    assert all(schedule.base_qty <= qty <= top for qty in reached)


def test_slice_in_force():
    schedule = cut()
    assert schedule.slice_at(T0 - 1) == -1
    assert schedule.slice_at(T0) == 0
    assert schedule.slice_at(T0 + 60 * NS_PER_S - 1) == 0
    assert schedule.slice_at(T0 + 60 * NS_PER_S) == 1
    assert schedule.slice_at(T0 + 10_000 * NS_PER_S) == 9
    assert schedule.pro_rata_qty(T0 + 90 * NS_PER_S) == D("0.15")
    assert Schedule(base_qty=D(3), slices=(), asked=1).pro_rata_qty(T0) == D(3)
