"""The shell in virtual time: what comes when, what is late, and what is written down."""

import json
from collections import deque

import pytest

from executor.advice.facts import snapshot_hash
from executor.domain.advice import Action, AdviceOutcome, Failure, Usage
from executor.domain.advice_terms import AdviserTerms, Caps, Prices
from executor.domain.commands import PlaceOrder, RequestAdvice, SetTimer
from executor.domain.errors import LocalProtocolError
from executor.domain.events import (
    AdviceFailed,
    AdviceReceived,
    BookUpdated,
    EngineStarted,
    InstrumentLoaded,
    NewsArrived,
    OrderAcked,
    Stream,
    StreamChanged,
    TimerFired,
)
from executor.domain.limits import Limits, Timings
from executor.domain.orders import StrategyParams
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from executor.engine.engine import Engine
from executor.runtime.audit import audit
from executor.runtime.journal import Journal
from executor.runtime.virtual import VirtualRuntime
from simulation.drawn_world import DrawnWorld
from simulation.frictions import Charges, Latencies
from simulation.moments import PublicTrade
from simulation.touch_venue import TouchVenue
from simulation.walk_market import Walk, WalkMarket
from tests.builders import T0, D, instrument, submitted

TERMS = AdviserTerms(
    model="wise",
    interval_s=30,
    deadline_ms=4_000,
    caps=Caps(
        parent_cost_max=D(1), hour_cost_max=D(2), day_cost_max=D(3),
        parent_calls_max=100, hour_calls_max=200, day_calls_max=300,
    ),
    prices=Prices(prompt=D(1), cached=D("0.1"), completion=D(4)),
)  # fmt: skip
LATENCIES = Latencies(entry_ns=7 * NS_PER_MS, answer_ns=11 * NS_PER_MS, feed_ns=3 * NS_PER_MS)
WITHIN_NS = 4_000 * NS_PER_MS


class Watched(Engine):
    """An engine that keeps what it saw and said."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_event(self, event):
        commands = super().on_event(event)
        self.seen.append((event, commands))
        return commands

    def of(self, kind):
        return [event for event, _ in self.seen if isinstance(event, kind)]

    def said(self, kind):
        return [
            (event.at_ns, command)
            for event, commands in self.seen
            for command in commands
            if isinstance(command, kind)
        ]


class After:
    """Answers every question well, after a given time."""

    def __init__(self, latency_ns, *, fails=False):
        self.latency_ns = latency_ns
        self.fails = fails
        self.asked = []

    def answer(self, request, at_ns):
        self.asked.append(at_ns)
        whose = dict(
            at_ns=0, parent_id=request.parent_id, decision_id=request.decision_id, latency_ns=self.latency_ns
        )
        if self.fails:
            return AdviceFailed(**whose, failure=Failure.TIMEOUT, detail="no answer"), self.latency_ns
        reply = dict(
            decision_id=request.decision_id, snapshot_hash=snapshot_hash(request.facts), reasoning="because",
            risk_assessment="small", action="ACCELERATE", strategy=None, quantity=None, order_type=None,
            limit_price=None, rate=None, wait_seconds=None, confidence="0.9", impact_adjustment="1",
        )  # fmt: skip
        usage = Usage(prompt_tokens=1_000, cached_tokens=0, completion_tokens=100, reported=True)
        answer = AdviceReceived(
            **whose, raw=json.dumps(reply).encode(), model="wise", finish_reason="stop", refusal="", usage=usage,
            prompt_bytes=4_000,
        )  # fmt: skip
        return answer, self.latency_ns


def runtime(*, counsel=None, journal=None, market=None, seed=1, advised=True, **order):
    walk = Walk(instrument=instrument(), start_px=D(50_000), step_ns=500 * NS_PER_MS)
    made = VirtualRuntime(
        engine=Watched(),
        world=DrawnWorld(
            market=market or WalkMarket(walk, seed=seed, start_ns=T0),
            venue=TouchVenue(instrument(), Charges()),
            latencies=LATENCIES,
            start_ns=T0,
        ),
        start_ns=T0,
        counsel=counsel,
        journal=journal,
    )
    started = EngineStarted(
        at_ns=T0, version="t", instance="x", venue="v", limits=Limits(references_min=0), timings=Timings(),
        sentinel_required=False, seed=1, adviser=TERMS,
    )  # fmt: skip
    made.post(started, T0)
    made.post(InstrumentLoaded(at_ns=T0, instrument=instrument()), T0)
    for stream in Stream:
        category = instrument().category if stream is Stream.PUBLIC else None
        made.post(StreamChanged(at_ns=T0, stream=stream, category=category, live=True, detail=""), T0)
    usual = dict(order_qty=D("0.5"), duration_s=60, params=StrategyParams(interval_s=20), advised=advised)
    made.post(submitted(**{**usual, **order}), T0 + 15 * NS_PER_S)
    return made


def finished(made):
    made.run(T0 + 300 * NS_PER_S, lambda state: bool(state.parents) and not state.open_parents)
    made.finish()
    return made


def test_a_parent_is_worked_to_its_end_and_every_fill_is_booked():
    made = finished(runtime(advised=False))
    parent = made.engine.state.parents["P1"]
    assert parent.is_final
    assert parent.cum_qty == D("0.5")
    assert made.replies[0].parent_id == "P1"
    assert made.events == len(made.engine.seen)
    (ledger,) = made.engine.state.ledgers.values()
    assert ledger.position_qty == D("0.5")
    assert made.now_ns < T0 + 100 * NS_PER_S


def test_time_never_goes_back_and_timers_fire_when_they_are_due():
    made = finished(runtime(counsel=After(700 * NS_PER_MS)))
    times = [event.at_ns for event, _ in made.engine.seen]
    assert times == sorted(times)
    fired = {(event.key, event.at_ns) for event in made.engine.of(TimerFired)}
    last = {}
    for event, commands in made.engine.seen:
        if isinstance(event, TimerFired):
            assert event.at_ns == last.pop(event.key)
        last.update({one.key: max(one.at_ns, event.at_ns) for one in commands if isinstance(one, SetTimer)})
    assert len(fired) > 5


def test_everything_takes_its_latency():
    made = finished(runtime(advised=False))
    for sent_ns, command in made.engine.said(PlaceOrder):
        name = command.approved.order.client_order_id
        (acked,) = [event for event in made.engine.of(OrderAcked) if event.client_order_id == name]
        assert acked.at_ns - sent_ns == LATENCIES.entry_ns + LATENCIES.answer_ns
    books = made.engine.of(BookUpdated)
    assert len(books) > 50
    assert all(event.at_ns - event.market.ts_exchange_ns == LATENCIES.feed_ns for event in books)


def test_an_answer_in_time_holds_when_it_arrives():
    made = finished(runtime(counsel=After(700 * NS_PER_MS)))
    first = made.decisions["P1-1"]
    assert (first.outcome, first.action) == (AdviceOutcome.APPLIED, Action.ACCELERATE)
    assert first.decided_ns - first.asked_ns == 700 * NS_PER_MS
    assert made.engine.of(AdviceReceived)[0].at_ns == first.decided_ns


@pytest.mark.parametrize(
    ("latency_ns", "late"), [(WITHIN_NS - 1, False), (WITHIN_NS, True), (WITHIN_NS + 1, True)]
)
def test_the_deadline_is_a_nanosecond_sharp(latency_ns, late):
    made = finished(runtime(counsel=After(latency_ns)))
    first = made.decisions["P1-1"]
    assert (first.outcome is AdviceOutcome.LATE) == late
    assert first.decided_ns - first.asked_ns == min(latency_ns, WITHIN_NS)
    assert first.latency_ns == latency_ns  # also of a late one, which is booked for its cost
    assert first.cost > 0


@pytest.mark.parametrize(
    "counsel", [After(WITHIN_NS, fails=True), After(6 * NS_PER_S)], ids=["no answer", "late"]
)
def test_without_an_answer_in_time_the_parent_is_worked_as_without_an_adviser(counsel):
    asked = finished(runtime(counsel=counsel))
    plain = finished(runtime(advised=False))
    assert counsel.asked
    assert {one.outcome for one in asked.decisions.values()} <= {AdviceOutcome.LATE, AdviceOutcome.NOT_ASKED}
    assert asked.engine.said(PlaceOrder) == plain.engine.said(PlaceOrder)


def test_the_same_inputs_write_the_same_journal_and_an_audit_replays_it(tmp_path):
    heads = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        path = tmp_path / f"{name}.db"
        with Journal.open(path, create=True, instance="x") as journal:
            made = finished(runtime(counsel=After(700 * NS_PER_MS), journal=journal, seed=seed))
            assert journal.report("P1")
            assert len(journal.decisions("P1")) == len(made.decisions) > 1
        result = audit(path)
        assert result.identical, result.first_difference
        assert result.events == made.events
        assert result.checkpoints == 1
        heads.append(result.head_sha256)
    assert heads[0] == heads[1] != heads[2]


def test_a_market_that_ends_does_not_end_time():
    walk = Walk(instrument=instrument(), start_px=D(50_000), step_ns=NS_PER_S)
    endless = WalkMarket(walk, seed=1, start_ns=T0)
    made = runtime(market=iter([next(endless) for _ in range(40)]), advised=False)
    made.run(T0 + 200 * NS_PER_S)
    assert made.now_ns == T0 + 200 * NS_PER_S
    assert made.engine.state.now_ns > T0 + 100 * NS_PER_S  # the engine's timers go on


def test_the_market_is_never_drawn_ahead_of_the_clock():
    """Who knows the market by its generator can know only what has happened."""
    walk = Walk(instrument=instrument(), start_px=D(50_000), step_ns=NS_PER_S)
    drawn = deque()

    def watched():
        for moment in WalkMarket(walk, seed=1, start_ns=T0):
            drawn.append(moment)
            yield moment

    made = runtime(market=watched(), advised=False)
    made.run(T0 + 30 * NS_PER_S)
    assert len([one for one in drawn if one.ts_exchange_ns > T0 + 30 * NS_PER_S]) == 1
    assert any(isinstance(one, PublicTrade) for one in drawn)


def test_running_in_pieces_is_running_at_once():
    whole, pieces = runtime(advised=False), runtime(advised=False)
    whole.run(T0 + 60 * NS_PER_S)
    for second in range(1, 61):
        pieces.run(T0 + second * NS_PER_S)
    assert pieces.engine.seen == whole.engine.seen


def test_what_is_posted_for_the_past_happens_now():
    made = runtime(advised=False)
    made.run(T0 + 20 * NS_PER_S)
    made.post(NewsArrived(at_ns=0, source="s"), T0)
    made.run(T0 + 20 * NS_PER_S)
    (news,) = made.engine.of(NewsArrived)
    assert news.at_ns == T0 + 20 * NS_PER_S


def test_nothing_happens_before_now():
    walk = Walk(instrument=instrument(), start_px=D(50_000), step_ns=NS_PER_S)
    happened = [next(WalkMarket(walk, seed=1, start_ns=T0 + second * NS_PER_S)) for second in (20, 10)]
    with pytest.raises(LocalProtocolError, match="ns ago"):
        runtime(market=iter(happened), advised=False).run(T0 + 60 * NS_PER_S)
    with pytest.raises(LocalProtocolError, match="ns ago"):
        runtime(counsel=After(-1)).run(T0 + 60 * NS_PER_S)


def test_terms_without_anybody_to_ask_are_a_mistake_of_ours():
    made = runtime(counsel=None)
    with pytest.raises(LocalProtocolError, match="nobody to ask"):
        made.run(T0 + 60 * NS_PER_S)
    assert made.engine.said(RequestAdvice)
