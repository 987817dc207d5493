"""A decision exists by the deadline and a quarter of a second, whatever the provider does and whatever else happens.

Every call is faulty in one of the ways of `tests.adviser.faulty_model`, while books fall silent, streams are lost,
people pause and resume, the stop is pulled, and the daemon falls and starts again. The judge looks for an outcome of
every question, in virtual time, and that what the schedule wants is sent in the very event in which a question ends.
The same life without an adviser is the measure of what that costs the order: nothing.

700 faulty calls, 100 000 with `EXECUTOR_CAMPAIGN=full`; one life again: `EXECUTOR_LIFE=17`.
"""

import os
import sys
from collections import Counter
from random import Random

import pytest

from executor.domain.advice import AdviceOutcome, Failure
from executor.domain.advice_terms import AdviserTerms, Band, BreakerRules, Caps, Prices, Triggers
from executor.domain.commands import PlaceOrder, RequestAdvice
from executor.domain.events import (
    BookLost,
    HaltRequested,
    NewsArrived,
    PauseRequested,
    RearmRequested,
    ResumeRequested,
    Stream,
    StreamChanged,
)
from executor.domain.limits import Limits, Timings
from executor.domain.orders import ResidualRule, Side, StrategyParams
from executor.domain.parent_state import ParentStatus, Reason
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from tests.adviser.faulty_model import FAULTS, FaultyModel
from tests.builders import D
from tests.engine.advice_judge import UNANSWERED, Judge
from tests.engine.advised_floor import Fills, Floor, told_when_it_fails
from tests.engine.test_advice_campaign import SCHEDULES, WIDE

FULL = os.environ.get("EXECUTOR_CAMPAIGN") == "full"
CALLS = 100_000 if FULL else 700
SOMETIMES = {
    *FAULTS, *UNANSWERED, *(set(Failure) - {Failure.CROWDED}), AdviceOutcome.BRIDGED, AdviceOutcome.ENDED, "RESTARTED",
    "fallback acted", "paused", "silent at the deadline", "paused at the deadline", "restart", "halt", "book lost",
    "streams lost", "asked before its time",
}  # fmt: skip


class Twin:
    """One floor of a life: with an adviser, or the same without."""

    def __init__(self, seed: int, *, advised: bool) -> None:
        rng = Random(f"deadlines {seed}")
        self.advised = advised
        self.pure = rng.random() < 0.5
        self.troubled = rng.random() < 0.7
        self.deadline_ms = rng.choice((300, 1_000, 4_000, 8_000))
        terms = AdviserTerms(
            model="wise", interval_s=rng.choice((1, 3, 10, 30)), min_gap_s=rng.choice((0, 1, 2)),
            deadline_ms=self.deadline_ms, questions_max=8, prompt_bytes_max=8_000, tokens_max=700,
            caps=Caps(
                parent_cost_max=D(10**9), hour_cost_max=D(10**9), day_cost_max=D(10**9),
                parent_calls_max=10**6, hour_calls_max=10**6, day_calls_max=10**6,
            ),
            prices=Prices(prompt=D(1), cached=D("0.1"), completion=D(4)),
            band=Band(strategies=SCHEDULES),
            breaker=BreakerRules(failures_max=10**6),
            triggers=Triggers(schedule_pct=D(rng.choice((0, 5)))),
        )  # fmt: skip
        self.judge = Judge()
        self.model = FaultyModel(
            chance=Random(f"faults {seed}"),
            model="wise",
            cancels=0.0,
            now_and_then_sound=0.0 if self.pure else 0.3,
        )
        self.placed: list = []
        self.floor = Floor(
            terms=terms if advised else None,
            chance=Random(f"venue {seed}"),
            limits=Limits(**WIDE),
            timings=Timings(reconcile_s=20),
            fills=Fills(whole=True),
            symbols=2,
            witness=self.look,
            model=self.model.answer,
        )
        self.rng = Random(f"market {seed}")

    def look(self, floor, event, commands) -> None:
        self.placed += [
            (floor.now_ns, command.approved.order) for command in commands if isinstance(command, PlaceOrder)
        ]
        if not self.advised:
            return
        before = set(self.judge.records)
        self.judge(floor, event, commands)
        for name in set(self.judge.records) - before:
            record = self.judge.records[name]
            parent = floor.engine.state.parents[record.parent_id]
            if record.outcome is AdviceOutcome.LATE:
                self.judge.seen["silent at the deadline"] += not all(stall.heard for stall in floor.stalls)
                self.judge.seen["paused at the deadline"] += parent.status is ParentStatus.PAUSED
        for command in commands:
            if (
                isinstance(command, RequestAdvice)
                and floor.engine.state.parents[command.parent_id].advice.asked_no > 1
            ):
                trigger = floor.engine.state.parents[command.parent_id].advice.question.trigger
                self.judge.seen["asked before its time"] += trigger != "INTERVAL"

    def begin(self) -> None:
        floor, rng = self.floor, self.rng
        floor.open()
        for stall in floor.stalls:
            side = rng.choice(list(Side))
            for _ in range(rng.choice((1, 2))):
                rules = stall.rules
                floor.submit(
                    stall,
                    side=side,
                    order_qty=rules.round_qty(rules.smallest_qty(stall.mid_px) * rng.randint(20, 90)),
                    duration_s=rng.randint(30, 90),
                    residual=ResidualRule.LEAVE,
                    strategy=rng.choice(SCHEDULES),
                    params=StrategyParams(
                        interval_s=rng.choice((4, 10, 20)),
                        passiveness=rng.choice((D(0), D("0.5"), D(1))),
                        catch_up_max=D(rng.choice((2, 3))),
                    ),
                    advised=self.advised,
                    seed=rng.randint(0, 10**6),
                )

    def pass_a_second(self) -> None:
        floor, rng = self.floor, self.rng
        for stall in floor.stalls:
            stall.mid_px += rng.choice((0, 1, -1, 5, -5)) * stall.rules.tick_size * stall.heard
        floor.pass_time(rng.randint(100, 1_000) * NS_PER_MS)
        floor.settle()
        if self.advised:
            self.judge.look_at_waiting(floor.now_ns)
        if rng.random() < 0.1:
            floor.send(NewsArrived(at_ns=0, source="wire"))
        if self.troubled:
            self.trouble()

    def trouble(self) -> None:
        """What else goes wrong meanwhile; the same on both floors."""
        floor, rng, seen = self.floor, self.rng, self.judge.seen
        for stall in floor.stalls:
            stall.heard = rng.random() < (0.95 if stall.heard else 0.25)
        what = rng.random()
        numbers = [rng.random() for _ in floor.engine.state.parents]
        if what < 0.01:
            floor.restart()
            seen["restart"] += 1
        elif what < 0.02:
            rules = floor.stalls[0].rules
            floor.send(BookLost(at_ns=0, category=rules.category, symbol=rules.symbol, detail="gap"))
            seen["book lost"] += 1
        elif what < 0.03:
            stream = rng.choice((Stream.PRIVATE, Stream.TRADE))
            floor.send(StreamChanged(at_ns=0, stream=stream, category=None, live=False, detail="gone"))
            seen["streams lost"] += 1
        elif what < 0.1:
            floor.streams()
        elif what < 0.105:
            floor.send(HaltRequested(at_ns=0, request_id="h", operator="o", reason="r"))
            floor.settle()
            floor.pass_time(3 * NS_PER_S)
            floor.send(RearmRequested(at_ns=0, request_id="h", operator="o", reason="r"))
            seen["halt"] += 1
        for parent, number in zip(floor.parents(), numbers, strict=True):
            if parent.status is ParentStatus.PAUSED and parent.reason in {Reason.OPERATOR, Reason.HALTED}:
                if number < 0.3:
                    floor.send(ResumeRequested(at_ns=0, request_id="p", parent_id=parent.order.parent_id))
            elif number < 0.03 and not parent.is_final:
                floor.send(PauseRequested(at_ns=0, request_id="p", parent_id=parent.order.parent_id))
        floor.settle()


def play(seed: int) -> Twin:
    advised, plain = Twin(seed, advised=True), Twin(seed, advised=False)
    with told_when_it_fails(seed, __file__):
        advised.begin()
        plain.begin()
        for _ in range(400):
            if not (advised.floor.engine.state.open_parents or plain.floor.engine.state.open_parents):
                break
            advised.pass_a_second()
            plain.pass_a_second()
            compare(advised, plain)
        advised.floor.pass_time(200 * NS_PER_S, books=False)
        advised.judge.final()
    return advised


def _by_name(placed) -> dict:
    named = {order.client_order_id: (at_ns, order) for at_ns, order in placed}
    assert len(named) == len(placed)
    return named


def compare(advised: Twin, plain: Twin) -> None:
    """Advice that never is one costs nothing; else the order is behind by no more than the band (and two slices).

    An engine wakes itself at most once a millisecond, and a question may be what wakes it at the very instant: by so
    much the same order may leave at another time.
    """
    if advised.pure:
        ours, theirs = _by_name(advised.placed), _by_name(plain.placed)
        assert {name: order for name, (_, order) in ours.items()} == {
            name: order for name, (_, order) in theirs.items()
        }
        assert all(abs(at_ns - theirs[name][0]) <= NS_PER_MS for name, (at_ns, _) in ours.items())
        return
    for name, parent in plain.floor.engine.state.parents.items():
        other = advised.floor.engine.state.parents[name]
        if parent.schedule is None or not parent.schedule.slices or advised.judge.parents[name].stopped:
            continue
        band = advised.floor.terms.band
        slices = (*parent.schedule.slices, *other.schedule.slices)
        allowed = band.behind_pct_max * parent.order.order_qty / 100 + 2 * max(piece.qty for piece in slices)
        assert other.cum_qty >= parent.cum_qty - allowed, (name, other.cum_qty, parent.cum_qty, allowed)


@pytest.mark.campaign
@pytest.mark.timeout(14_400 if FULL else 300)
def test_every_question_has_its_outcome_in_time_and_the_order_goes_on():
    seen, seed = Counter(), 0
    while seen["faulty"] < CALLS:
        life = play(seed)
        seen += life.judge.seen + life.model.seen
        seed += 1
        if FULL and seed % 100 == 0:
            sys.stderr.write(f"{seed} lives, {seen['faulty']} faulty calls\n")
    assert not {str(what) for what in SOMETIMES if not seen[what]}


def test_one_life():
    play(int(os.environ.get("EXECUTOR_LIFE", "1")))
