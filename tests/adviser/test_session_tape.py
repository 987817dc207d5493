"""A tape by what the engine asked: the surroundings do not count, everything else does, and each call answers once."""

import json
from dataclasses import replace

import pytest
from msgspec import structs

from backtest.pace import read_pace
from executor.advice.calls import Answer, Failed, Question
from executor.advice.prompt import Message
from executor.adviser.session_tape import SessionTape, question_key
from executor.adviser.tape import NOBODY_WAITED, Heard, TapeError, line_of
from executor.domain.advice import Failure
from executor.domain.timeline import NS_PER_MS

MODEL = "some-model"
ANSWER = Answer(
    content=b"{}", model_id=MODEL, finish_reason="stop", refusal="", usage=None, latency_ns=900 * NS_PER_MS,
    request_id="",
)  # fmt: skip
TIMEOUT = Failed(failure=Failure.TIMEOUT, detail="no whole answer", latency_ns=2_001 * NS_PER_MS)


def messages(**over):
    body = dict(decision_id="P1-1", parent={"side": "BUY"}, context={"bids": []}, outside_text="none") | over
    return (Message(role="system", content="fixed"), Message(role="user", content=json.dumps(body)))


def call(outcome=ANSWER, **over):
    asked = Question(
        decision_id="P1-1", parent_id="P1", asked_ns=10, template_hash="ab", messages=messages(**over),
        schema={}, tokens_max=1, deadline_s=2.0,
    )  # fmt: skip
    return line_of(asked, MODEL, outcome, None)


def heard(asked_ns=7, heard_ns=1_000, **over):
    usual = dict(
        v=2, heard="P1-1", asked_ns=asked_ns, heard_ns=heard_ns, outcome="APPLIED", reason="", detail=""
    )
    return Heard(**(usual | over))


def key(model=MODEL, template="ab", **over):
    return question_key(model, template, messages(**over))


def test_the_surroundings_are_not_part_of_what_is_looked_up():
    assert key() == key(context={"bids": [["1", "2"]]}, outside_text=[{"text": "rumour"}])


@pytest.mark.parametrize(
    "other", [key(model="other"), key(template="ac"), key(decision_id="P1-2"), key(parent={"side": "SELL"})]
)
def test_everything_else_is(other):
    assert other != key()


def test_a_call_answers_once_with_the_engine_s_own_latency():
    tape = SessionTape([call(), heard()])
    found, there = tape.take(key(), "P1-1")
    assert there
    assert (found.outcome, found.latency_ns, found.exact, found.messages) == (ANSWER, 993, True, messages())
    assert tape.take(key(), "P1-1") == (None, False)
    assert tape.left() == 0


def test_without_a_hearing_the_client_s_latency_has_to_do():
    found, _ = SessionTape([call()]).take(key(), "P1-1")
    assert (found.latency_ns, found.exact) == (ANSWER.latency_ns, False)


def test_a_hearing_belongs_to_the_last_call_before_it():
    again = call(parent={"side": "SELL"})
    tape = SessionTape([call(), heard(heard_ns=107), again, heard(heard_ns=207), call()])
    assert tape.take(key(), "P1-1")[0].latency_ns == 100
    assert tape.take(key(parent={"side": "SELL"}), "P1-1")[0].latency_ns == 200
    assert tape.take(key(), "P1-1")[0].exact is False


def test_a_call_that_was_given_up_is_there_and_has_no_answer():
    given_up = Failed(failure=Failure.TIMEOUT, detail=NOBODY_WAITED, latency_ns=0)
    assert SessionTape([call(given_up)]).take(key(), "P1-1") == (None, True)


def test_a_question_that_could_not_be_written_is_found_by_its_hearing_alone():
    unwritten = heard(outcome="FAILED", reason="UNWRITTEN", detail="too long")
    found, _ = SessionTape([unwritten]).take(key(), "P1-1")
    assert found.outcome == Failed(failure=Failure.UNWRITTEN, detail="too long", latency_ns=0)
    assert (found.latency_ns, found.exact, found.messages) == (993, True, ())


@pytest.mark.parametrize("content", ["", "[]", "{", "1"])
def test_a_call_that_is_no_question_of_ours_is_refused(content):
    spoilt = structs.replace(call(), messages=[structs.replace(call().messages[0], content=content)])
    with pytest.raises(TapeError, match="no question of ours"):
        SessionTape([spoilt])


# ---------------------------------------------------------------- at another pace


def taken(outcome=ANSWER):
    return SessionTape([call(outcome), heard(asked_ns=0, heard_ns=outcome.latency_ns + 50)]).take(
        key(), "P1-1"
    )[0]


@pytest.mark.parametrize(
    ("pace", "latency_ns", "heard_after_ns"),
    [
        ("taped", 900 * NS_PER_MS, 900 * NS_PER_MS + 50),
        ("zero", 0, 0),
        ("x0", 0, 0),
        ("x0.5", 450 * NS_PER_MS, 450 * NS_PER_MS + 25),
        ("x2", 1_800 * NS_PER_MS, 1_800 * NS_PER_MS + 100),
    ],
)
def test_an_answer_comes_so_many_times_as_late(pace, latency_ns, heard_after_ns):
    assert read_pace(pace).heard(taken(), 2_000) == (replace(ANSWER, latency_ns=latency_ns), heard_after_ns)


def test_slowed_beyond_the_deadline_it_does_not_come():
    outcome, after_ns = read_pace("x3").heard(taken(), 2_000)
    assert (outcome.failure, after_ns) == (Failure.TIMEOUT, 2_000 * NS_PER_MS)


@pytest.mark.parametrize("pace", ["taped", "zero", "x0.5", "x3"])
def test_a_call_that_ran_into_its_deadline_keeps_its_time(pace):
    assert read_pace(pace).heard(taken(TIMEOUT), 2_000) == (TIMEOUT, TIMEOUT.latency_ns + 50)
