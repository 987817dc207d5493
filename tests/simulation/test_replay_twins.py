"""The obvious venue and the compiled one are the same after every step, whatever the recording and whatever is asked.

Streams are short and mean: time goes back, books cross, levels far away come and go, orders of all kinds meet all of
it. `EXECUTOR_CAMPAIGN=full` plays 10 000 of them.
"""

import os
from collections import Counter
from dataclasses import dataclass

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
    print_lag_ns=st.sampled_from((0, 1, 25, 100, 50_000_000)),
    price_band_bps=st.sampled_from((0, 0, 500)),
    open_orders_max=st.sampled_from((3, 100)),
    requests_per_s_max=st.sampled_from((0, 0, 5)),
    conflate_ns=st.sampled_from((0, 50)),
    prices_only=st.booleans(),
    seed=st.integers(0, 9),
    keeps_taken=st.sampled_from((True, True, True, False)),
    order_px_max=st.sampled_from((1 << 44, 1 << 44, 104)),
    order_qty_max=st.just(1 << 44),
)
sizes = st.sampled_from(
    ((0, 1), (0, 1), (0, 1), (1 << 43, 1), (0, 1 << 38), (1 << 43, 1 << 38), (1 << 31, 1 << 29))
)
"""What is added to prices, and what quantities are multiplied by: money sums outgrow 64 bits."""


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


@st.composite
def snapshot(draw):
    """The whole book anew in one message, both sides or one of them, with what is often in it missing."""
    sides = draw(st.sampled_from(((1, -1), (1, -1), (1, -1), (1,), (-1,))))
    rows = [(draw(st.integers(0, 30)), 3, codes.CLEAR, draw(st.sampled_from((0, 0, 0, 1, -1))), 0, 0, 0, 0)]
    for side in sides:
        rows += [
            (0, 3, codes.LEVEL, side, 100 - side * (px - 2), draw(st.sampled_from((1, 2, 5, 10))), 0, 0)
            for px in draw(st.lists(NEAR, min_size=1, max_size=5, unique=True))
        ]
    *before, (*last, _) = rows
    return [*before, (*last, 1)] * draw(st.sampled_from((1, 1, 3)))


@st.composite
def void(draw):
    """A book that is lost, messages that make no market, and perhaps a book again."""
    idle = st.tuples(
        st.integers(0, 30),
        st.just(3),
        st.sampled_from((codes.TRADE, codes.TRADE, codes.MARK, codes.TOUCH, codes.HALT, codes.HIDDEN)),
        SIDES,
        st.integers(97, 103),
        st.sampled_from((0, 1, 5)),
        st.just(0),
        st.just(1),
    )
    cleared = (draw(st.integers(0, 30)), 3, codes.CLEAR, 0, 0, 0, 0, draw(st.sampled_from((0, 1))))
    return [cleared, *draw(st.lists(idle, max_size=3)), *draw(st.one_of(snapshot(), snapshot(), st.just([])))]


@st.composite
def halt(draw):
    """Trading halted while levels come and go, and on again."""
    pause = (draw(st.integers(0, 30)), 3, codes.HALT, 0, 0, 1, 0, 1)
    come = st.builds(
        lambda side, px, lots: (5, 3, codes.LEVEL, side, px, lots, 0, 1), SIDES, st.integers(96, 104), LOTS
    )
    meanwhile = draw(st.lists(st.one_of(row(), come, come), max_size=6))
    return [pause, *meanwhile, (draw(st.integers(0, 30)), 3, codes.HALT, 0, 0, 0, 0, 1)]


@st.composite
def told_late(draw):
    """A level shrinks, and the prints that say why come before it or after it."""
    side, px = draw(SIDES), draw(st.integers(98, 102))
    left, prints = draw(LOTS), draw(st.lists(st.sampled_from((1, 2, 4, 10)), min_size=1, max_size=3))
    change = (draw(st.integers(0, 30)), 3, codes.LEVEL, side, px, left, 0, 1)
    told = [(draw(st.integers(0, 60)), 3, codes.TRADE, -side, px, lots, 0, 1) for lots in prints]
    at = draw(st.integers(0, len(told)))
    return [*told[:at], change, *told[at:]]


scenes = st.one_of(*[row().map(lambda one: [one])] * 12, snapshot(), void(), halt(), told_late(), told_late())
recordings = st.one_of(
    st.lists(scenes, min_size=20, max_size=50),
    st.lists(scenes, min_size=8, max_size=20),
    st.lists(scenes, min_size=1),
).map(lambda many: [each for scene in many for each in scene])


request = st.one_of(
    st.tuples(st.just("place"), SIDES, st.integers(92, 108), st.integers(0, 15), st.sampled_from(range(4))),
    st.tuples(st.just("place"), SIDES, st.integers(95, 105), st.integers(1, 9), st.sampled_from(range(4))),
    st.tuples(st.just("amend"), st.integers(0, 6), st.integers(92, 108), st.integers(0, 15)),
    st.tuples(st.just("cancel"), st.integers(0, 6)),
)
step = st.tuples(st.integers(0, 120), st.integers(0, 3), st.lists(request, max_size=3))
# Long ones first: what is short is mostly a market that nobody came to.
all_steps = st.one_of(
    st.lists(step, min_size=12, max_size=25),
    st.lists(step, min_size=4, max_size=12),
    st.lists(step, min_size=1),
)


def columns(rows, px_more, lots_times):
    """Rows with their times added up, and their numbers made larger."""
    at, table = 1_000, []
    for gap, lag, kind, side, px, lots, their_id, flags in rows:
        at += gap
        if kind == codes.FUNDING and (px_more or lots_times > 1):
            kind = codes.TOUCH  # what is paid for so much is counted by the twin alone  # noqa: PLW2901
        if kind not in {codes.FUNDING, codes.HALT, codes.CLEAR}:
            px, lots = px + px_more, lots * lots_times  # noqa: PLW2901
        table.append((at, at + lag, kind, side, px, lots, their_id, flags))
    return table


def drive(venue, table, cut, steps, px_more=0, lots_times=1):
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
            match what:
                case "place":
                    placed += 1
                    side, px, lots, hold = terms
                    venue.place(placed, side, px + px_more, lots * lots_times, hold)
                case "amend":
                    before, px, lots = terms
                    venue.amend(placed - before, px + px_more, lots * lots_times)
                case _:
                    venue.cancel(placed - terms[0])
    return seen


@settings(max_examples=10_000 if FULL else 100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    terms=all_terms,
    rows=recordings,
    begun=st.sampled_from((True, True, True, False)),
    cut=st.integers(0, 60),
    steps=all_steps,
    larger=sizes,
)
@pytest.mark.campaign
def test_both_venues_are_the_same_after_every_step(terms, rows, begun, cut, steps, larger):
    book = [(0, 0, codes.LEVEL, 1, 99, 5, 0, 0), (0, 0, codes.LEVEL, -1, 101, 5, 0, 1)]
    table = columns([*book, *rows] if begun else rows, *larger)
    obvious = drive(ReplayTwin(terms), table, cut, steps, *larger)
    compiled = drive(ReplayMachine(terms, window=128, room=16), table, cut, steps, *larger)
    for number, (one, other) in enumerate(zip(obvious, compiled, strict=True)):
        assert one == other, f"step {number}"
    for *_, answers in obvious:
        for answer in answers:
            event(f"answer {answer.kind}, detail {answer.detail}")


@dataclass(slots=True)
class Instant:
    """What a recording says of one instant of the exchange's clock.

    Parameters
    ----------
    printed, shown
        Lots that were traded, and lots on levels that were written.
    halted
        Throughout; `resumed` if trading went on in it.
    market
        Whether, at its end, there has been a message with both sides since the book was void.
    """

    printed: int = 0
    shown: int = 0
    halted: bool = True
    resumed: bool = False
    market: bool = False


class Chronicle:
    """A recording read without any order in it: what there was to be had, instant by instant and level by level."""

    def __init__(self, table):
        self.instants = {}
        self.offered = Counter()
        self._book, self._before, self._ids = {}, {}, {}
        at, halted, market = 0, False, False
        for exch_ns, _, kind, side, px, lots, their_id, flags in table:
            at = max(at, exch_ns)
            now = self.instants.setdefault(at, Instant())
            now.halted = now.halted and halted and kind != codes.HALT
            if kind in {codes.TRADE, codes.EXECUTE}:
                now.printed += lots
            match kind:
                case codes.LEVEL:
                    self._write(now, side, px, lots)
                case codes.ADD:
                    self._ids[their_id] = lots
                    self._write(now, side, px, self._book.get((side, px), 0) + lots)
                case codes.REDUCE | codes.DELETE | codes.EXECUTE:
                    known = self._ids.get(their_id, 0) if their_id else 0
                    gone = known if kind == codes.DELETE and known else lots
                    if known:
                        self._ids[their_id] = known - gone if kind != codes.DELETE and known > gone else 0
                    self._write(now, side, px, max(self._book.get((side, px), 0) - gone, 0))
                case codes.CLEAR:
                    market = False
                    for key in [key for key in self._book if side in {0, key[0]}]:
                        self._before[key] = max(self._book.pop(key), self._before.get(key, 0))
                    if side == 0:
                        self._ids.clear()
                case codes.HALT:
                    now.resumed |= halted and lots == 0
                    halted = lots != 0
            if flags and not market and {one for one, _ in self._book} == {1, -1}:
                market = True
                self._before.clear()
            now.market = market

    def _write(self, now, side, px, lots):
        """What a level has more than it had in the last whole book, too, is new."""
        old = max(self._book.pop((side, px), 0), self._before.pop((side, px), 0))
        if lots > 0:
            self._book[side, px] = lots
            now.shown += lots
            self.offered[side, px] += max(lots - old, 0)


@settings(max_examples=10_000 if FULL else 100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    terms=all_terms,
    rows=recordings,
    begun=st.sampled_from((True, True, True, False)),
    cut=st.integers(0, 60),
    steps=all_steps,
)
@pytest.mark.campaign
def test_nothing_is_filled_or_let_in_without_a_cause_in_the_recording(terms, rows, begun, cut, steps):
    """What waited was filled by what was printed or shown at that instant, what took by what was ever offered there."""
    book = [(0, 0, codes.LEVEL, 1, 99, 5, 0, 0), (0, 0, codes.LEVEL, -1, 101, 5, 0, 1)]
    table = columns([*book, *rows] if begun else rows, 0, 1)
    told = Chronicle(table)
    answers = [one for *_, heard in drive(ReplayTwin(terms), table, cut, steps) for one in heard]
    made, taken = Counter(), Counter()
    for one in answers:
        if one.kind == codes.FILLED:
            if one.detail == codes.MAKER:
                made[one.at_ns] += one.qty
            else:
                taken[-one.side, one.px] += one.qty
        elif one.kind == codes.ACCEPTED:
            before = [at_ns for at_ns in told.instants if at_ns <= one.at_ns]
            assert before
            assert told.instants[max(before)].market
    for at_ns, lots in made.items():
        now = told.instants[at_ns]
        if now.halted:
            assert lots <= now.printed
        elif terms.keeps_taken and not now.resumed:
            assert lots <= now.printed + now.shown
    if terms.keeps_taken:
        assert taken <= told.offered
    event(f"made {bool(made)}, taken {bool(taken)}")


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
