"""One call out of the tape: the latest of its name, found from the end, whatever stands around it."""

import json

import pytest

from executor.advice.calls import Answer, Question
from executor.advice.prompt import Message
from executor.adviser import past_call as room
from executor.adviser.past_call import past_call
from executor.adviser.tape import TapeError, TapeWriter, line_of


def call(number, content="what now?", parent_id="P1"):
    question = Question(
        decision_id=f"{parent_id}-{number}",
        parent_id=parent_id,
        asked_ns=number,
        template_hash="ab" * 32,
        messages=(Message(role="system", content="fixed"), Message(role="user", content=content)),
        schema={"type": "object"},
        tokens_max=100,
        deadline_s=4.0,
    )
    answer = Answer(
        content=f"reply {number}".encode(),
        model_id="m",
        finish_reason="stop",
        refusal="",
        usage=None,
        latency_ns=1,
        request_id="",
    )
    return line_of(question, "m", answer, None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "advice.jsonl"


def written(path, *lines):
    with TapeWriter(path) as tape:
        for line in lines:
            tape.write(line)


@pytest.mark.parametrize("step", [1, 7, 64, 1_000, 262_144])
def test_every_call_is_found_however_the_file_is_cut_into_pieces(path, monkeypatch, step):
    monkeypatch.setattr(room, "_STEP_BYTES", step)
    written(path, *(call(number, "x" * number) for number in range(1, 6)))
    for number in range(1, 6):
        found = past_call(path, "P1", f"P1-{number}")
        assert found is not None
        assert found.reply == f"reply {number}"
        assert found.messages[1].content == "x" * number
    assert past_call(path, "P1", "P1-6") is None


def test_the_latest_of_a_name_counts_and_only_of_its_own_parent(path):
    written(path, call(1, "before"), call(1, "after"))
    found = past_call(path, "P1", "P1-1")
    assert found is not None
    assert found.messages[1].content == "after"
    assert past_call(path, "P2", "P1-1") is None


def test_a_question_that_names_another_decision_is_not_taken_for_it(path):
    written(path, call(1), call(2, json.dumps({"decision_id": "P1-1"})))
    found = past_call(path, "P1", "P1-1")
    assert found is not None
    assert found.reply == "reply 1"


def test_a_line_that_is_still_being_written_is_left_out(path):
    written(path, call(1))
    whole = path.read_bytes()
    path.write_bytes(whole + whole.replace(b"reply 1", b"reply 9")[:-20])
    found = past_call(path, "P1", "P1-1")
    assert found is not None
    assert found.reply == "reply 1"


def test_no_further_back_than_is_allowed(path):
    written(path, call(1), call(2))
    assert past_call(path, "P1", "P1-1", searched_bytes_max=path.stat().st_size - 10) is None
    assert past_call(path, "P1", "P1-2", searched_bytes_max=path.stat().st_size - 10) is not None


def test_a_tape_that_is_not_there_or_not_a_file_of_ours_is_an_error(path, tmp_path):
    with pytest.raises(TapeError):
        past_call(path, "P1", "P1-1")
    other = tmp_path / "other"
    written(other, call(1))
    path.symlink_to(other)
    with pytest.raises(TapeError):
        past_call(path, "P1", "P1-1")
    other.write_bytes(b'{"decision_id":"P1-1"}\n')
    with pytest.raises(TapeError):
        past_call(other, "P1", "P1-1")
