"""The obvious venue and the compiled one are the same after every step, whatever the recording and whatever is asked.

Streams are short and mean: time goes back, books cross, levels far away come and go, orders of all kinds meet all of
it. `EXECUTOR_CAMPAIGN=full` plays 10 000 of them.
"""

import os

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from simulation.replay import codes
from simulation.replay.layout import Rows
from simulation.replay.machine import ReplayMachine
from simulation.replay.terms import Delay, ReplayTerms
from simulation.replay.twin import ReplayTwin

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
pytestmark = pytest.mark.timeout(7_200 if FULL else 600)

SIDES = st.sampled_from((1, -1))
NEAR = st.integers(0, 11)
LOTS = st.sampled_from((0, 0, 1, 2, 5, 10))
delays = st.one_of(
    st.builds(Delay, constant_ns=st.integers(0, 30)),
    st.builds(Delay, samples_ns=st.lists(st.integers(0, 50), min_size=1, max_size=4).map(tuple)),
    st.just(Delay(measured=True)),
)
all_terms = st.builds(
    ReplayTerms,
    feed=delays,
    entry=delays,
    answer=delays,
    queue_model=st.sampled_from(range(5)),
    price_band_bps=st.sampled_from((0, 0, 500)),
    open_orders_max=st.sampled_from((3, 100)),
    requests_per_s_max=st.sampled_from((0, 0, 5)),
    conflate_ns=st.sampled_from((0, 50)),
    prices_only=st.booleans(),
    seed=st.integers(0, 9),
    keeps_taken=st.sampled_from((True, True, True, False)),
)


@st.composite
def row(draw):
    """Time after the one before, delay, kind, side, price, lots, order of others, flags."""
    kind = draw(
        st.sampled_from(
            (*[codes.LEVEL] * 10, *[codes.TRADE] * 4, *range(1, 13), *[codes.ADD] * 2, codes.EXECUTE)
        )
    )
    side, lots = draw(SIDES), draw(LOTS)
    px = 100 - side * draw(NEAR) if draw(st.integers(0, 4)) else 100 + draw(st.integers(-90, 1_000))
    their_id = 0
    if kind == codes.CLEAR:
        kind, side = (
            (codes.CLEAR, draw(st.sampled_from((0, 0, 1, -1))))
            if draw(st.booleans())
            else (codes.LEVEL, side)
        )
    elif kind == codes.TRADE:
        side, lots = draw(st.sampled_from((1, -1, 1, -1, 0))), max(lots, 1)
    elif codes.ADD <= kind <= codes.EXECUTE:
        their_id, lots = draw(st.integers(0, 6)), max(lots, 1)
    elif kind == codes.HALT:
        lots = draw(st.sampled_from((0, 0, 0, 1)))
    elif kind == codes.FUNDING:
        px, side = draw(st.sampled_from((-100_000, 100_000, 12_345))), 0
    flags = draw(st.sampled_from((1, 1, 0)))
    return draw(st.integers(-2, 30)), draw(st.integers(0, 40)), kind, side, px, lots, their_id, flags


request = st.one_of(
    st.tuples(st.just("place"), SIDES, st.integers(92, 108), st.integers(0, 15), st.sampled_from(range(4))),
    st.tuples(st.just("place"), SIDES, st.integers(95, 105), st.integers(1, 9), st.sampled_from(range(4))),
    st.tuples(st.just("amend"), st.integers(0, 6), st.integers(92, 108), st.integers(0, 15)),
    st.tuples(st.just("cancel"), st.integers(0, 6)),
)
step = st.tuples(st.integers(0, 120), st.integers(0, 3), st.lists(request, max_size=3))


def columns(rows):
    """Rows with their times added up."""
    at, table = 1_000, []
    for gap, lag, *rest in rows:
        at += gap
        table.append((at, at + lag, *rest))
    return table


def drive(venue, table, cut, steps):
    """Play all of it; what can be seen after each step."""
    chunks = [table[:cut], table[cut:]]
    placed, seen = 0, []
    first = table[0][0] if table else 1_000
    venue_time = first
    for ahead, wake, requests in steps:
        venue_time = max(venue.now_ns, first) + ahead
        while (reason := venue.advance(venue_time, wake)) == codes.MORE:
            chunk = chunks.pop(0)
            venue.feed(Rows(*zip(*chunk, strict=True)) if chunk else Rows(*([()] * 8)), final=not chunks)
        seen.append(
            (reason, venue.now_ns, venue.glance(), venue.account(), venue.state_hash(), venue.answers())
        )
        for what, *terms in requests:
            if what == "place":
                placed += 1
                venue.place(placed, *terms)
            else:
                getattr(venue, what)(placed - terms[0], *terms[1:])
    return seen


@settings(max_examples=10_000 if FULL else 200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    terms=all_terms,
    rows=st.lists(row(), min_size=1, max_size=60),
    cut=st.integers(0, 60),
    steps=st.lists(step, min_size=1, max_size=25),
)
@pytest.mark.campaign
def test_both_venues_are_the_same_after_every_step(terms, rows, cut, steps):
    table = columns([(0, 0, codes.LEVEL, 1, 99, 5, 0, 0), (0, 0, codes.LEVEL, -1, 101, 5, 0, 1), *rows])
    obvious = drive(ReplayTwin(terms), table, cut, steps)
    compiled = drive(ReplayMachine(terms, window=128, room=16), table, cut, steps)
    for number, (one, other) in enumerate(zip(obvious, compiled, strict=True)):
        assert one == other, f"step {number}"
    for *_, answers in obvious:
        for answer in answers:
            event(f"answer {answer.kind}, detail {answer.detail}")


@pytest.mark.parametrize("model", range(5))
def test_nothing_is_filled_twice_and_money_adds_up(model):
    """Fills of an order never exceed it, and position and cash are their sums."""
    at, rows = 1_000, []
    for i in range(3_000):
        at += i * 7919 % 23
        side = 1 if i * 31 % 7 < 3 else -1
        kind = codes.TRADE if i % 5 == 0 else codes.LEVEL
        px = (
            1_000 + (i * 37 % 11) - 5 if kind == codes.TRADE else 1_000 - side * (1 + i * 53 % 9) + (i // 600)
        )
        rows.append((at, at, kind, side, px, 1 + i * 17 % 13 if kind == codes.TRADE else i * 29 % 12, 0, 1))
    venue = ReplayMachine(ReplayTerms(queue_model=model), window=128, room=16)
    venue.feed(Rows(*zip(*rows, strict=True)), final=True)
    placed, filled, position, cash = {}, {}, 0, 0
    for until in range(1_000, at + 1_000, 100):
        venue.advance(until)
        for one in venue.answers():
            if one.kind == codes.FILLED:
                filled[one.order_id] = filled.get(one.order_id, 0) + one.qty
                position += one.side * one.qty
                cash -= one.side * one.qty * one.px
                assert filled[one.order_id] + one.leaves == placed[one.order_id]
        if until < at:
            order_id = len(placed) + 1
            placed[order_id] = 1 + order_id % 9
            side = 1 if order_id % 2 else -1
            venue.place(order_id, side, 1_000 - side * (order_id % 4 - 1), placed[order_id], order_id % 4)
    account = venue.account()
    assert account.fills > 50
    assert (account.position, account.cash) == (position, cash)
