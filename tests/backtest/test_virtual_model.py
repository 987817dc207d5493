"""Questions in virtual time: written whole, answered from a script or a tape, and heard after their latency."""

import json
from dataclasses import replace

import msgspec

from backtest import scripted
from backtest.counsel import VirtualModel
from backtest.run import Scene, drive
from executor.advice.context import Level, MarketContext
from executor.advice.facts import facts_document
from executor.advice.prompt import Template
from executor.adviser.playback import Replay
from executor.adviser.tape import line_of
from executor.domain.advice import Failure
from executor.domain.advice_terms import AdviserTerms, Caps, Prices
from executor.domain.commands import RequestAdvice
from executor.domain.events import AdviceFailed, AdviceReceived
from executor.domain.orders import StrategyParams
from executor.domain.timeline import NS_PER_MS, NS_PER_S
from simulation.walk_market import Walk
from tests.adviser.questions import facts
from tests.builders import T0, D, instrument, submitted

CAPS = Caps(
    parent_cost_max=D(1), hour_cost_max=D(2), day_cost_max=D(3),
    parent_calls_max=100, hour_calls_max=200, day_calls_max=300,
)  # fmt: skip
TERMS = AdviserTerms(
    model="wise", interval_s=20, deadline_ms=4_000, caps=CAPS,
    prices=Prices(prompt=D(1), cached=D("0.1"), completion=D(4)),
)  # fmt: skip
SCENE = Scene(
    walk=Walk(instrument=instrument(), start_px=D(50_000), step_ns=NS_PER_S),
    parents=(submitted(order_qty=D("0.4"), duration_s=120, params=StrategyParams(interval_s=20)),),
    terms=TERMS,
)


REQUEST = RequestAdvice(parent_id="P1", decision_id="P1-1", facts=facts(decision_id="P1-1"), within_ms=4_000)


class Kept:
    """Lets somebody else answer and keeps every question with its outcome."""

    def __init__(self, adviser):
        self.adviser = adviser
        self.calls = []

    def answer(self, question):
        outcome, latency_ns = self.adviser.answer(question)
        self.calls.append((question, outcome))
        return outcome, latency_ns


def taped(seed=1):
    kept = Kept(scripted.uninformed("wise", seed))
    done = drive(SCENE, seed, lambda _market, _seed: kept)
    return done, [line_of(question, "wise", outcome, None) for question, outcome in kept.calls]


def test_a_tape_gives_the_drive_that_it_was_recorded_in():
    done, lines = taped()
    tape = Replay(lines, "wise")
    assert drive(SCENE, 1, lambda _market, _seed: tape) == done
    assert (tape.misses, tape.left()) == (0, 0)
    assert len(lines) == done.calls > 4


def test_a_tape_of_another_market_has_no_answers():
    _, lines = taped()
    tape = Replay(lines, "wise")
    other = drive(SCENE, 2, lambda _market, _seed: tape)
    assert tape.misses > 0
    assert other.outcomes.get("APPLIED") is None


def test_a_slow_tape_is_too_late_again():
    """The same replies, each after more than the deadline: the first is late, and the other questions are new ones."""
    done, lines = taped()
    slow = [msgspec.structs.replace(line, latency_ns=line.latency_ns + 4 * NS_PER_S) for line in lines]
    late = drive(SCENE, 1, lambda _market, _seed: Replay(slow, "wise"))
    assert done.outcomes["APPLIED"] > 0
    assert late.outcomes["LATE"] == 1
    assert set(late.outcomes) <= {"LATE", "FAILED", "NOT_ASKED"}
    unadvised = [replace(report.facts, advice=None) for report in late.reports]
    assert unadvised == [report.facts for report in drive(SCENE, 1).reports]


def test_a_question_is_written_whole_and_its_answer_is_an_event():
    request = REQUEST
    kept = Kept(scripted.uninformed("wise", 1))
    level = Level(px=D(50_000), qty=D(3))
    model = VirtualModel(
        adviser=kept, template=Template(name="t", text="Be brief."), tokens_max=77,
        scenery=lambda _request, at_ns: MarketContext(at_ns=at_ns, bids=(level,)),
    )  # fmt: skip
    event, latency_ns = model.answer(request, T0 + 5)
    ((question, outcome),) = kept.calls
    assert (question.asked_ns, question.tokens_max, question.deadline_s) == (T0 + 5, 77, 4.0)
    assert question.messages[0].content == "Be brief."
    asked = json.loads(question.messages[1].content)
    assert asked["parent"] == json.loads(json.dumps(facts_document(request.facts)["parent"]))
    assert asked["context"]["bids"] == [["50000", "3"]]
    assert asked["outside_text"] == "none configured"
    assert isinstance(event, AdviceReceived)
    assert (event.raw, event.decision_id, latency_ns) == (outcome.content, "P1-1", outcome.latency_ns)
    assert event.prompt_bytes == sum(len(message.content.encode()) for message in question.messages)


def test_no_answer_is_an_event_at_the_deadline():
    model = VirtualModel(adviser=scripted.silent(), template=Template(name="t", text="."), tokens_max=9)
    event, latency_ns = model.answer(REQUEST, T0)
    assert isinstance(event, AdviceFailed)
    assert event.failure is Failure.TIMEOUT
    assert latency_ns == 4_000 * NS_PER_MS
