"""`executor decisions` and what other commands say of advice: from a daemon, and from the journal it has left."""

import json
import sys
from io import StringIO

import pytest
from control_double import add_parent
from doors import Daemon
from rich.console import Console

from executor.advice.breaker import BreakerPhase
from executor.advice.ruling import CLIP_TEXT, Clip
from executor.advice.worst_case import Switching, WorstCase
from executor.domain.advice import AdviceOutcome
from executor.domain.timeline import NS_PER_S
from executor.engine.state import AdviceState, Prediction
from executor.interfaces import cli
from executor.interfaces.advice_views import decisions_view
from executor.interfaces.cli_advice import decisions_table
from executor.interfaces.exit_codes import ExitCode
from executor.runtime.journal import Journal
from tests.advice_records import ADVISER, advice_record
from tests.builders import D
from tests.runtime.advised_drive import HOSTILE, tell_advised_story

ORDER = [
    *("submit", "--symbol", "BTCUSDT", "--side", "sell", "--qty", "5"),
    *("--duration", "5m", "--residual", "leave", "--no-wait"),
]


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*words):
        code = cli.main(words)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return call


@pytest.fixture
def asked(daemon: Daemon):
    """A daemon with one advised parent and three questions about it."""
    parent = add_parent(daemon.control.state, "P1")
    parent.advice = AdviceState()
    records = [
        advice_record(1, clips=(Clip.RATE_CLIPPED.value,), reasoning=HOSTILE, wishes=("as a LIMIT order",)),
        advice_record(2, AdviceOutcome.UNUSABLE, reason="KEY_TWICE", held="the schedule decides (twap)"),
        advice_record(3, AdviceOutcome.LATE, reason="TIMEOUT"),
    ]
    daemon.control.reports["P1"] = {"decisions": records}
    return daemon.control


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A data directory with the journal of an advised parent and no daemon."""
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(data_dir))
    with Journal.open(data_dir / "journal.db", create=True, instance="x") as journal:
        tell_advised_story(journal)
    return data_dir


def test_each_question_is_one_row(run, asked):
    code, out, _ = run("decisions", "P1")
    assert code == ExitCode.OK
    rows = [line for line in out.splitlines() if line.startswith("P1-")]
    assert [row.split(" ")[0] for row in rows] == ["P1-1", "P1-2", "P1-3"]
    assert CLIP_TEXT[Clip.RATE_CLIPPED] in out
    for word in ("INTERVAL", "APPLIED", "ACCELERATE", "0.75", "700 ms", "0.0012", "KEY_TWICE", "TIMEOUT"):
        assert word in out, word
    assert '"[bold]calm[/bold] <script>alert(1)</script> \\x1b[2Jgone"' in out
    assert "\x1b" not in out
    for words in ("as a LIMIT order", "why: the answer named a key twice", "why: no answer by the deadline"):
        assert words in out, words
    assert [each["decision_id"] for each in json.loads(run("decisions", "P1", "--json")[1])["decisions"]] == [
        "P1-1",
        "P1-2",
        "P1-3",
    ]


@pytest.mark.parametrize("name", ["P1-1", "1"])
def test_one_question_is_shown_in_full_and_its_words_are_only_text(run, asked, name):
    code, out, _ = run("decisions", "P1", name)
    assert code == ExitCode.OK
    assert "[bold]calm[/bold] <script>alert(1)</script> \\x1b[2Jgone" in out
    assert "\x1b" not in out
    assert CLIP_TEXT[Clip.RATE_CLIPPED] in out
    assert "1000 asked (200 of them cached), 100 answered" in out
    assert "1.2346 (0.5000 to 2.0000)" in out
    assert json.loads(run("decisions", "P1", name, "--json")[1])["reasoning"] == HOSTILE


def test_a_question_that_is_not_there_is_said(run, asked):
    code, _, err = run("decisions", "P1", "9")
    assert code == ExitCode.REFUSED
    assert err.startswith("DECISION")
    assert "P1-1 to P1-3" in err


def test_nothing_to_list_is_said_in_words(run, daemon: Daemon):
    parent = add_parent(daemon.control.state)
    assert run("decisions", "tst-1")[1] == "tst-1 is not advised: no model is asked about it\n"
    parent.advice = AdviceState()
    out = run("decisions", "tst-1")[1]
    assert out.endswith("no question has ended yet\n")
    assert "what advice was worth is not known" in out
    assert run("decisions", "P9")[0] == ExitCode.REFUSED
    assert run("decisions", "no such id")[0] == ExitCode.USAGE


def test_without_a_daemon_they_are_read_from_the_journal(run, home):
    code, out, err = run("decisions", "P1", "--json")
    assert code == ExitCode.OK
    assert "no daemon runs; this is read from" in err
    outcomes = {each["decision_id"]: each["outcome"] for each in json.loads(out)["decisions"]}
    assert outcomes == {"P1-1": "APPLIED", "P1-2": "UNUSABLE", "P1-3": "LATE"}
    head = run("decisions", "P1")[1].partition("P1-1")[0]
    assert "at most 15.0 % of the order ahead of its schedule, 15.0 % behind" in head
    assert "by the plan in force, known since 20" in head
    assert " ".join(json.loads(out)["worth"]["text"].split()) in " ".join(head.split())
    first = run("decisions", "P1", "1")[1]
    assert "[bold]calm[/bold] <script>alert(1)</script>" in first
    assert "\x1b" not in first
    assert CLIP_TEXT[Clip.RATE_CLIPPED] in first
    assert run("decisions", "P2")[1] == "P2 is not advised: no model is asked about it\n"
    assert run("decisions", "P3")[0] == ExitCode.REFUSED


def test_the_report_has_a_part_about_advice_for_advised_parents_only(run, home):
    report = json.loads(run("report", "P1", "--json")[1])
    assert report["advice"]["by_outcome"] == {"APPLIED": 1, "UNUSABLE": 1, "LATE": 1}
    assert report["advice"]["mean_latency_ms"] == 700
    shown = run("report", "P1")[1]
    rows = {
        line.split("│")[0].strip(): [part.strip() for part in line.split("│")] for line in shown.splitlines()
    }
    assert rows["acted on"][1] == "1 of 3 sent = 33.33 %"
    assert rows["spent, US dollars"][2] == report["advice"]["cost_bps"]
    assert rows["schedule had to decide"][1] == "66.67 %"
    assert rows["worst: ahead / behind"][1] == "15.00 % / 15.00 %"
    assert (
        rows["if switched: moved by"][1]
        == f"{report['advice']['worst_case']['switching']['schedule_moved_pct']} %"
    )
    assert rows["by crossing, no fees"][2] == "30.0000"
    assert rows["value of following it"][2] == f"{report['advice']['worth']['value_bps'] or '-'}"
    assert rows["standard error"][1] == f"{report['advice']['worth']['periods']} periods"
    assert "advice" not in json.loads(run("report", "P2", "--json")[1])
    assert "acted on" not in run("report", "P2")[1]


@pytest.mark.parametrize(("words", "wish"), [([], True), (["--advised"], True), (["--no-advised"], False)])
def test_submit_says_whether_a_model_is_asked(run, daemon: Daemon, words, wish):
    add_parent(daemon.control.state)
    daemon.control.state.adviser = ADVISER
    assert run(*ORDER, *words)[0] == ExitCode.OK
    assert daemon.control.asked[0].advised is wish


def test_submit_refuses_advice_of_nobody(run, daemon: Daemon):
    code, _, err = run(*ORDER, "--advised")
    assert code == ExitCode.REFUSED
    assert err.startswith("ADVISER at --advised")
    assert "[adviser] enabled" in err


def test_status_names_a_silent_model_and_whether_a_parent_is_advised(run, asked):
    asked.state.adviser = ADVISER
    asked.state.breaker.phase = BreakerPhase.OPEN
    asked.state.breaker.until_ns = asked.at_ns + 20 * NS_PER_S
    assert "the model is silent: nobody asks it for 20 s more" in run("status")[1]
    asked.state.breaker.until_ns = asked.at_ns
    out = run("status")[1]
    assert "the model is silent: the next question tries it" in out
    assert "nobody asks it" not in out
    asked.state.parents["P1"].advice.asked_no = 3
    assert "yes, 3 questions so far; the schedule decides" in run("status", "P1")[1]


LONG = "The book leans our way, and nothing else calls for haste as far as anybody can see. " * 6


@pytest.mark.parametrize(("columns", "width"), [(None, 100), ("72", 72), ("150", 150)])
def test_every_line_is_wrapped_at_its_words_and_no_reason_is_cut(run, asked, monkeypatch, columns, width):
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    parent = asked.state.parents["P1"]
    asked.reports["P1"]["decisions"][1] = advice_record(2, reasoning=LONG.strip())
    parent.advice.worst = WorstCase(
        ahead_pct=D(30), behind_pct=D(26), participation_times=D(2), complete_ns=0, crossing_bps=D(30),
        timing_bps=None, bill_max=D(1), may_cancel=False,
        switching=Switching(
            moved_pct=D(100), ahead_pct=D(100), behind_pct=D(100), slice_pct=D(100), timing_bps=None
        ),
    )  # fmt: skip
    parent.advice.bounds_before = 1
    out = run("decisions", "P1")[1]
    assert max(len(line) for line in out.splitlines()) <= width
    flat = " ".join(out.split())
    assert f'P1-2: "{LONG.strip()}"' in flat
    assert "before these it had others, 1 time(s)" in flat
    assert "at most 2 times a slice's quantity" in flat
    assert "a switch moves the schedule itself, by at most 100.0 % of the order, and never its end" in flat
    words = {word for line in out.splitlines() for word in line.split()}
    assert {"crossing", "volatility", "haste"} <= words


def test_a_cost_that_nobody_has_counted_is_called_a_bound(run, asked):
    asked.reports["P1"]["decisions"][2] = advice_record(
        3, AdviceOutcome.FAILED, reason="TIMEOUT", cost=D("0.0054"), cost_at_most=True
    )
    assert run("decisions", "P1")[1].count("at most $") == 1
    assert "at most $0.0054" in run("decisions", "P1")[1]
    assert "at most 0.0054" in run("decisions", "P1", "3")[1]
    told = json.loads(run("decisions", "P1", "--json")[1])["decisions"]
    assert [each["cost_at_most"] for each in told] == [False, False, True]


def test_how_far_the_mids_moved_is_not_called_impact(run, asked):
    asked.state.parents["P1"].advice.prediction = Prediction(
        decision_id="P1-1", mid_px=D(100), estimate_bps=D(4), low_bps=D(2), high_bps=D(8), adjusted_bps=D(6),
        realised_bps=D("10.268"),
    )  # fmt: skip
    flat = " ".join(run("decisions", "P1")[1].split())
    assert "the mids were 10.2680 bps worse than then, most of which is what the market did anyway" in flat


def test_the_table_fits_80_columns(asked):
    table = decisions_table(
        decisions_view(asked.reports["P1"], asked.state, asked.state.parents["P1"])["decisions"]
    )
    out = StringIO()
    Console(file=out, width=80, color_system=None).print(table)
    assert "…" not in out.getvalue()
    assert "2023-11-14 22:13:20" in out.getvalue()
    assert "UNUSABLE" in out.getvalue()
