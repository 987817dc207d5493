"""`executor simulate`, as an operator types it."""

import json

import pytest

from executor.interfaces.cli import main
from executor.interfaces.exit_codes import ExitCode

SMALL = """
name = "small"
title = "Small"
expects = "Little."
[run]
steps = 60
seeds = 2
[value]
px = 10_000.0
[[agents]]
name = "makers"
kind = "market-maker"
count = 2
cash = 20_000_000
position_qty = 2_000
[[agents]]
name = "noise"
kind = "noise"
count = 4
scales = true
cash = 10_000_000
position_qty = 1_000
[[expect]]
says = "somebody trades"
measure = "trades"
statistic = "least"
at_least = {least}
"""


@pytest.fixture
def scenario(tmp_path):
    def write(least=1.0):
        path = tmp_path / "small.toml"
        path.write_text(SMALL.replace("{least}", str(least)))
        return str(path)

    return write


def ran(capsys, *words):
    code = main(["simulate", *words])
    return code, capsys.readouterr()


def test_a_run_is_told_for_machines(capsys, scenario):
    code, out = ran(capsys, "--scenario", scenario(), "--seed", "7", "--agents", "8", "--json")
    told = json.loads(out.out)
    assert code == ExitCode.OK
    assert (told["seed"], told["agents"], told["measures"]["conserved"]) == (7, 8, 1.0)
    assert len(told["performance"]) == 8
    assert told["graph"]["edges"]
    again = json.loads(ran(capsys, "--scenario", scenario(), "--seed", "7", "--agents", "8", "--json")[1].out)
    assert again["event_hash"] == told["event_hash"]


def test_a_run_is_told_for_people_and_kept(capsys, scenario, tmp_path):
    words = ("--scenario", scenario(), "--html", str(tmp_path / "a.html"), "--record", str(tmp_path / "run"))
    code, out = ran(capsys, *words)
    assert code == ExitCode.OK
    assert "conserved" in out.out
    assert "Who trades with whom" in out.out
    assert (tmp_path / "a.html").read_text().startswith("<!")
    assert (tmp_path / "run" / "ledger.sqlite").exists()
    code, out = ran(capsys, *words)
    assert code == ExitCode.USAGE
    assert "not there yet" in out.err


def test_a_check_holds_a_scenario_to_its_word(capsys, scenario):
    code, out = ran(capsys, "--scenario", scenario(), "--check", "--processes", "1", "--json")
    told = json.loads(out.out)
    assert code == ExitCode.OK
    assert [one["seed"] for one in told["seeds"]] == [1, 2]
    assert [one["holds"] for one in told["expected"]["small"]] == [True]
    code, out = ran(capsys, "--scenario", scenario(least=1e9), "--check", "--processes", "1")
    assert code == ExitCode.REFUSED
    assert "FAILS" in out.out


def test_facts_stand_beside_a_price_that_has_none(capsys, scenario):
    code, out = ran(capsys, "--scenario", scenario(), "--facts", "--steps", "700", "--json")
    told = json.loads(out.out)["facts"]
    assert code == ExitCode.OK
    assert told["control_refused_by"] == [2, 3, 4, 5, 6, 8, 9]
    assert {row["gate"] for row in told["gates"]} == set(range(1, 11))
    assert next(row for row in told["gates"] if row["figure"] == "excess kurtosis")["simulated"] is not None


def test_scenarios_are_listed_and_shown(capsys):
    code, out = ran(capsys, "list", "--json")
    names = [one["name"] for one in json.loads(out.out)]
    assert code == ExitCode.OK
    assert {"default", "kyle", "flash-crash", "bubble"} <= set(names)
    code, out = ran(capsys, "show", "kyle")
    assert code == ExitCode.OK
    assert 'kind = "kyle-dealer"' in out.out
    assert json.loads(ran(capsys, "show", "kyle", "--json")[1].out)["run"]["step_s"] == 1.0


def test_what_cannot_be_run_is_refused_with_the_next_step(capsys, scenario, tmp_path):
    code, out = ran(capsys, "--scenario", "nothing")
    assert code == ExitCode.USAGE
    assert "simulate list" in out.err
    assert ran(capsys, "--scenario", scenario(), "--agents", "1")[0] == ExitCode.USAGE
    code, out = ran(capsys, "--scenario", scenario(), "--facts", "--recorded", "AAPL")
    assert code == ExitCode.USAGE
    assert "--data" in out.err
    code, out = ran(capsys, "--scenario", scenario(), "--facts", "--recorded", "X", "--data", str(tmp_path))
    assert code == ExitCode.REFUSED
    assert "nothing stored of X" in out.err


def test_a_scenario_is_set_from_history(capsys, scenario, tmp_path):
    rows = [f"2024-01-{day:02d},{100 + day % 2}" for day in range(1, 32)]
    (tmp_path / "history.csv").write_text("\n".join(["Date,Close", *rows]))
    out_file = tmp_path / "set.toml"
    words = ("calibrate", str(tmp_path / "history.csv"), "--scenario", scenario(), "--out", str(out_file))
    code, out = ran(capsys, *words)
    assert code == ExitCode.OK
    assert "value.volatility_ticks: 0 ->" in out.err
    assert ran(capsys, "--scenario", str(out_file), "--json")[0] == ExitCode.OK
    (tmp_path / "history.csv").write_text("Day,Price\n1,2\n")
    code, out = ran(capsys, *words)
    assert code == ExitCode.USAGE
    assert "no column of times" in out.err


@pytest.mark.timeout(600)  # the first of all tests compiles
def test_the_compiled_market_runs_the_same_and_says_so(capsys, scenario):
    words = (
        "--scenario",
        scenario(),
        "--seed",
        "3",
        "--steps",
        "200",
        "--seeds",
        "2",
        "--processes",
        "1",
        "--json",
    )
    plain = json.loads(ran(capsys, *words)[1].out)
    code, out = ran(capsys, *words, "--compiled")
    told = json.loads(out.out)
    assert code == ExitCode.OK
    assert (plain.pop("engine"), told.pop("engine")) == ("Python", "compiled")
    assert told == plain
    assert told["trades"] > 0
    code, out = ran(capsys, *words[:-1], "--compiled")
    assert "compiled: makers, noise; called in Python: nobody" in out.err
    assert "engine" in out.out


def test_what_the_compiled_market_has_not_got_is_named(capsys, scenario, tmp_path):
    code, out = ran(capsys, "--scenario", "kyle", "--compiled")
    assert code == ExitCode.USAGE
    assert "insider (kyle-insider): to indicate orders" in out.err
    assert "run it without --compiled" in out.err
    for words in (
        ("--compiled", "--record", str(tmp_path / "run")),
        ("--compiled", "--real-time"),
        ("--duration-s", "5"),
        ("--distributed", "--check", "--facts"),
        ("--distributed", "--compiled"),
    ):
        code, out = ran(capsys, "--scenario", scenario(), *words)
        assert code == ExitCode.USAGE
        assert words[0] in out.err
    assert "with --compiled" in out.err
