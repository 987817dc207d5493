"""A session that played a recording without its questions: played again, they fail as they did then."""

import pytest

from backtest.pace import read_pace
from backtest.run import Scene, drive
from backtest.session import has_questions, replay_session
from executor.adviser.playback import Replay
from executor.domain.advice_terms import AdviserTerms, Caps, Prices
from executor.domain.orders import StrategyParams
from executor.domain.timeline import NS_PER_S
from executor.interfaces.cli import main
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.experiments import session_words
from executor.runtime.journal import Journal
from simulation.walk_market import Walk
from tests.builders import D, instrument, submitted

SCENE = Scene(
    walk=Walk(instrument=instrument(), start_px=D(50_000), step_ns=NS_PER_S),
    parents=(submitted(order_qty=D("0.2"), duration_s=60, params=StrategyParams(interval_s=20)),),
    terms=AdviserTerms(
        model="wise", interval_s=20, deadline_ms=4_000,
        caps=Caps(
            parent_cost_max=D(1), hour_cost_max=D(2), day_cost_max=D(3),
            parent_calls_max=100, hour_calls_max=200, day_calls_max=300,
        ),
        prices=Prices(prompt=D(1), cached=D("0.1"), completion=D(4)),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def untaped(tmp_path_factory):
    path = tmp_path_factory.mktemp("untaped") / "journal.db"
    with Journal.open(path, create=True, instance="sim") as journal:
        done = drive(SCENE, 1, lambda _market, _seed: Replay([], "wise"), journal)
    assert done.outcomes["FAILED"] == done.missed > 1
    return path, done


def test_it_is_identical_and_says_what_was_missing_then(untaped):
    path, done = untaped
    result = replay_session(path, [], read_pace("taped"))
    assert result.identical, result.difference
    assert result.rebuilt
    assert (result.misses, len(result.missed_then), result.questions) == ((), done.missed, done.calls)
    told = session_words(result, "taped")
    assert "not on the tape that the session itself played: P1-1" in told
    assert "identical: every row" in told
    assert "NOT ON THE TAPE" not in told


def test_a_question_that_nobody_recorded_is_the_same_at_any_pace(untaped):
    assert replay_session(untaped[0], [], read_pace("x2")).identical


def test_a_session_that_asked_nothing_needs_no_tape_and_one_that_asked_does(untaped, tmp_path, capsys):
    path = tmp_path / "journal.db"
    with Journal.open(path, create=True, instance="sim") as journal:
        drive(SCENE, 1, None, journal)
    assert not has_questions(path)
    assert main(["backtest", "session", str(path)]) == ExitCode.OK
    assert "0 questions asked\nidentical: every row of the journal" in capsys.readouterr().out
    assert main(["backtest", "session", str(path), "--tape", str(tmp_path / "none.jsonl")]) == ExitCode.USAGE
    assert has_questions(untaped[0])
    assert main(["backtest", "session", str(untaped[0])]) == ExitCode.USAGE
    assert "advice.jsonl: No such file" in capsys.readouterr().err
    assert main(["backtest", "session", str(tmp_path / "none.db")]) == ExitCode.DURABILITY
