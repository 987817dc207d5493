"""The tape: what was asked and what came back, whole, in order, without secrets, and back again with its latency."""

import asyncio
import json
import os
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_server import KEY, MODEL, always, asking, envelope, page, serving

from executor.advice.calls import Answer, Failed, Question
from executor.advice.prompt import Message
from executor.adviser.client import ModelAdviser
from executor.adviser.playback import Paced, Recorder, Replay, Scripted
from executor.adviser.tape import (
    Heard,
    TapeError,
    TapeWriter,
    call_key,
    line_of,
    outcome_of,
    read_all,
    read_tape,
)
from executor.domain.advice import Failure, Usage

USAGE = Usage(prompt_tokens=900, cached_tokens=512, completion_tokens=70, reported=True)
ANSWER = Answer(
    content='{"a":"ü"}'.encode(),
    model_id="some-model-0613",
    finish_reason="stop",
    refusal="",
    usage=USAGE,
    latency_ns=1_500_000_000,
    request_id="r-1",
)
FAILED = Failed(failure=Failure.RATE_LIMITED, detail="status 429 slow down", latency_ns=90_000_000)


def question(decision_id="P1-7", content='{"decision_id":"P1-7"}', **other):
    values = {
        "decision_id": decision_id,
        "parent_id": "P1",
        "asked_ns": 1_780_000_000_123_456_789,
        "template_hash": "ab" * 32,
        "messages": (Message(role="system", content="fixed"), Message(role="user", content=content)),
        "schema": {"type": "object"},
        "tokens_max": 100,
        "deadline_s": 4.0,
    }
    return Question(**(values | other))


def price(_question, outcome):
    return Decimal("0.0001234") if isinstance(outcome, Answer) else None


@pytest.fixture
def path(tmp_path):
    return tmp_path / "advice.jsonl"


class Silent:
    def __init__(self):
        self.told = []

    def __call__(self, message, **fields):
        self.told.append((message, fields))


def written(path, *calls):
    with TapeWriter(path) as tape:
        for asked, outcome in calls:
            tape.write(line_of(asked, MODEL, outcome, price(asked, outcome)))


def test_what_is_written_comes_back(path):
    told_nothing = replace(ANSWER, usage=None)
    written(path, (question(), ANSWER), (question("P1-8"), FAILED), (question("P1-9"), told_nothing))
    lines = list(read_tape(path))
    assert [outcome_of(line) for line in lines] == [ANSWER, FAILED, told_nothing]
    first = lines[0]
    assert (first.decision_id, first.parent_id, first.asked_ns) == ("P1-7", "P1", 1_780_000_000_123_456_789)
    assert first.key == call_key(MODEL, "ab" * 32, question().messages)
    assert Decimal(first.price) == Decimal("0.0001234")
    assert lines[1].price == ""
    assert path.stat().st_mode & 0o777 == 0o600


@given(st.text(st.characters(), max_size=40), st.binary(max_size=40))
def test_any_reply_comes_back(tmp_path_factory, text, junk):
    path = tmp_path_factory.mktemp("tape") / "t.jsonl"
    content = text.encode("utf-8", "surrogatepass") if text else junk.decode("latin-1").encode()
    written(
        path,
        (
            question(content="\u2028" + text.encode("utf-8", "replace").decode()),
            replace(ANSWER, content=content),
        ),
    )
    (line,) = read_tape(path)
    assert outcome_of(line).content == content
    assert path.read_bytes().count(b"\n") == 1


def test_each_part_of_the_question_changes_its_key():
    messages = question().messages
    keys = {
        call_key(MODEL, "ab", messages),
        call_key("other", "ab", messages),
        call_key(MODEL, "ac", messages),
        call_key(MODEL, "ab", messages[:1]),
        call_key(MODEL, "ab", tuple(reversed(messages))),
        call_key(MODEL, "ab", (messages[0], replace(messages[1], content="x"))),
    }
    assert len(keys) == 6


def test_the_tape_is_only_ever_appended_to(path):
    written(path, (question(), ANSWER))
    before = path.read_bytes()
    written(path, (question("P1-8"), FAILED))
    assert path.read_bytes().startswith(before)
    assert len(list(read_tape(path))) == 2


@pytest.mark.parametrize("cut", [1, 40, 400])
def test_a_torn_last_line_is_left_out_and_cut_off_before_the_next(path, cut):
    written(path, (question(), ANSWER), (question("P1-8"), FAILED))
    os.truncate(path, path.stat().st_size - cut)
    assert [line.decision_id for line in read_tape(path)] == ["P1-7"]
    written(path, (question("P1-9"), ANSWER))
    assert [line.decision_id for line in read_tape(path)] == ["P1-7", "P1-9"]


def test_a_file_that_is_one_torn_line(path):
    path.write_bytes(b"x" * 200_000)
    assert list(read_tape(path)) == []
    written(path, (question(), ANSWER))
    assert len(list(read_tape(path))) == 1


def changed(line, **fields):
    return json.dumps(json.loads(line) | fields)


def heard_line(**fields):
    usual = dict(v=2, heard="P1-7", asked_ns=5, heard_ns=9, outcome="APPLIED", reason="", detail="")
    return json.dumps(usual | fields)


def test_calls_are_read_past_the_hearings_between_them(path):
    written(path, (question(), ANSWER))
    with path.open("a") as tape:
        tape.write(f"{heard_line()}\n")
    written(path, (question("P1-8"), FAILED))
    assert [line.decision_id for line in read_tape(path)] == ["P1-7", "P1-8"]
    heard = list(read_all(path))[1]
    assert isinstance(heard, Heard)
    assert (heard.heard, heard.heard_ns - heard.asked_ns) == ("P1-7", 4)


def test_a_tape_of_the_first_format_is_read(path):
    written(path, (question(), ANSWER))
    path.write_text(path.read_text().replace('"v":2', '"v":1'))
    assert [outcome_of(line) for line in read_tape(path)] == [ANSWER]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: "",
        lambda line: "{}",
        lambda line: line[:-2],
        lambda line: "[" * 5_000,
        lambda line: changed(line, v=3),
        lambda line: changed(line, v=0),
        lambda line: heard_line(v=1),
        lambda line: heard_line(outcome="NO_SUCH"),
        lambda line: heard_line(heard_ns=1),
        lambda line: heard_line(more=1),
        lambda line: changed(line, extra=1),
        lambda line: changed(line, latency_ns="1"),
        lambda line: changed(line, latency_ns=1.5),
        lambda line: changed(line, failure="TIMEOUT"),
        lambda line: changed(line, reply=None),
        lambda line: changed(line, reply=None, failure="NO_SUCH"),
        lambda line: changed(line, price="1e3"),
        lambda line: changed(line, model="other"),
        lambda line: line.replace('"v":2', '"v":2,"v":2'),
        lambda line: line.replace("fixed", "forged"),
        lambda line: "\x00" + line,
    ],
)
def test_any_other_line_that_is_not_ours_is_named(path, spoil):
    written(path, (question(), ANSWER), (question("P1-8"), ANSWER))
    first, second = path.read_text().splitlines()
    path.write_text(f"{first}\n{spoil(second)}\n{first}\n")
    lines = read_tape(path)
    assert next(lines).decision_id == "P1-7"
    with pytest.raises(TapeError, match=f"{path}:2: "):
        next(lines)


def test_a_line_without_end_is_not_read_into_memory(path):
    path.write_bytes(b'"' + b"x" * 3_000_000 + b'"\n')
    with pytest.raises(TapeError, match=":1: a line of more than"):
        list(read_tape(path))


def test_files_that_are_no_tape_of_ours(tmp_path, path):
    with pytest.raises(TapeError, match="No such file"):
        list(read_tape(path))
    target = tmp_path / "target"
    target.write_text("")
    path.symlink_to(target)
    with pytest.raises(TapeError), TapeWriter(path):
        pass
    with pytest.raises(TapeError), TapeWriter(tmp_path):
        pass


def test_a_full_disk_leaves_no_piece_of_a_line(path, monkeypatch):
    written(path, (question(), ANSWER))
    whole, write = path.read_bytes(), os.write
    with TapeWriter(path) as tape:
        monkeypatch.setattr(os, "write", lambda handle, raw: write(handle, raw[:20]))
        with pytest.raises(TapeError, match="only a part"):
            tape.write(line_of(question("P1-8"), MODEL, FAILED, None))
    assert path.read_bytes() == whole


# ---------------------------------------------------------------- recording


async def test_a_call_to_a_server_is_recorded_with_all_but_its_secrets(path):
    raw = page(envelope("{}"), headers=["X-Request-Id: r-9", "X-Secret-Header: canary-header"])
    with TapeWriter(path) as tape:
        async with serving(always(raw)) as heard, asking(heard.url) as client:
            recorder = Recorder(ModelAdviser(client), MODEL, tape, price, Silent())
            outcome = await recorder.ask(question())
        assert KEY in heard.requests[0]
    (line,) = read_tape(path)
    assert outcome_of(line) == outcome
    text = path.read_text().lower()
    for canary in (KEY, "bearer", "authorization", "canary-header", "127.0.0.1"):
        assert canary.lower() not in text


async def test_a_call_that_fails_is_recorded_too(path):
    with TapeWriter(path) as tape:
        async with (
            serving(always(page({"error": {"message": KEY}}, "500 Oh"))) as heard,
            asking(heard.url) as client,
        ):
            recorder = Recorder(ModelAdviser(client), MODEL, tape, price, Silent())
            outcome = await recorder.ask(question())
    (line,) = read_tape(path)
    assert outcome_of(line) == outcome
    assert KEY not in path.read_text()


async def test_whoever_stops_waiting_leaves_a_line(path):
    begun = asyncio.Event()

    class Never:
        async def ask(self, _question):
            begun.set()
            await asyncio.Event().wait()

    with TapeWriter(path) as tape:
        waiting = asyncio.create_task(Recorder(Never(), MODEL, tape, price, Silent()).ask(question()))
        await begun.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    (line,) = read_tape(path)
    assert (line.failure, line.detail) == ("TIMEOUT", "nobody waited any longer")


async def test_a_tape_that_cannot_be_written_is_told_once_and_stops_nobody(path, monkeypatch):
    log = Silent()
    with TapeWriter(path) as tape:
        recorder = Recorder(Paced(Scripted([replace(ANSWER, latency_ns=0)] * 2)), MODEL, tape, price, log)
        monkeypatch.setattr(os, "write", lambda _handle, _raw: 0)
        for _ in range(2):
            assert isinstance(await recorder.ask(question()), Answer)
    assert recorder.unwritten == 2
    assert len(log.told) == 1


# ---------------------------------------------------------------- playing again


def replay_of(path):
    return Replay(read_tape(path), MODEL)


def test_a_replay_answers_what_was_answered_after_as_long(path):
    written(path, (question(), ANSWER), (question("P1-8"), FAILED))
    replay = replay_of(path)
    assert replay.answer(question("P1-8")) == (FAILED, 90_000_000)
    assert replay.answer(question()) == (ANSWER, 1_500_000_000)
    assert (replay.misses, replay.left()) == (0, 0)


@pytest.mark.parametrize(
    "other", [question("P1-8"), question(content="{}"), question(template_hash="cd" * 32)], ids=repr
)
def test_a_question_that_is_not_on_the_tape_is_a_failure_of_the_run(path, other):
    written(path, (question(), ANSWER))
    replay = replay_of(path)
    outcome, latency_ns = replay.answer(other)
    assert (outcome.failure, latency_ns) == (Failure.NOT_ON_TAPE, 0)
    assert (replay.misses, replay.left()) == (1, 1)


def test_a_call_answers_once_and_repeated_ones_in_their_order(path):
    written(path, (question(), ANSWER), (question(), FAILED))
    replay = replay_of(path)
    assert [type(replay.answer(question())[0]) for _ in range(2)] == [Answer, Failed]
    assert replay.answer(question())[0].failure is Failure.NOT_ON_TAPE
    assert replay.misses == 1


def test_a_reply_that_came_late_comes_late_again(path):
    written(path, (question(), ANSWER))
    outcome, latency_ns = replay_of(path).answer(question(deadline_s=1.0))
    assert (outcome.failure, latency_ns) == (Failure.TIMEOUT, 1_000_000_000)


def test_a_script_in_order_and_then_nobody():
    scripted = Scripted([ANSWER, FAILED])
    assert [scripted.answer(question())[0] for _ in range(2)] == [ANSWER, FAILED]
    assert scripted.answer(question())[0].failure is Failure.NOT_ON_TAPE


def test_a_script_may_be_a_function_of_the_question():
    scripted = Scripted(lambda asked: replace(ANSWER, content=asked.decision_id.encode(), latency_ns=7))
    outcome, latency_ns = scripted.answer(question("P9-1"))
    assert (outcome.content, latency_ns) == (b"P9-1", 7)
    late, latency_ns = scripted.answer(question("P9-1", deadline_s=0.000000006))
    assert (late.failure, latency_ns) == (Failure.TIMEOUT, 6)


async def test_on_the_running_clock_an_answer_takes_its_time():
    loop = asyncio.get_running_loop()
    begun = loop.time()
    outcome = await Paced(Scripted([replace(ANSWER, latency_ns=50_000_000)])).ask(question())
    assert isinstance(outcome, Answer)
    assert loop.time() - begun >= 0.05
