"""`executor backtest compare`: what it prints, what it refuses, and a real model in virtual time with its bill."""

import io
import json
import subprocess
import sys

import pytest

from executor.adviser.tape import read_tape
from executor.interfaces.cli import main
from executor.interfaces.exit_codes import ExitCode
from sandbox.llm_server import DEFAULT_API_KEY
from tests.backtest.recorded_days import store, wander

COMPARE = ["backtest", "compare"]
SHORT = ["--duration", "60s", "--seeds", "2"]


def run(capsys, *words):
    """Exit code, standard output and standard error of a comparison."""
    code = main([*COMPARE, *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_of_an_adviser_that_is_not_heard_only_its_silence_and_its_cost_are_told(capsys):
    code, out, _ = run(capsys, "--adviser", "silent", *SHORT)
    assert code == ExitCode.OK
    assert "There was no advice: no question had a usable answer" in out
    assert "Advice changed" not in out
    assert "left the order to its schedule" in out
    assert "reasons         " in out
    assert "never what a real one would pay" in out
    code, out, _ = run(capsys, "--adviser", "silent", *SHORT, "--json")
    told = json.loads(out)
    assert (told["gain_bps"]["mean"], told["gain_bps"]["t"]) == (0, None)
    assert set(told["outcomes"]) <= {"LATE", "NOT_ASKED", "ENDED"}, "whoever has ended needs no schedule"
    left = told["questions"] - told["outcomes"].get("ENDED", 0)
    assert sum(told["fallback_reasons"].values()) == left == told["fallback_rate"] * told["questions"] > 0
    assert told["net_gain_bps"] == -told["bill"]["bps"] < 0
    assert told["pairs_for_half_a_bp"] is None


def test_an_adviser_without_effect_changes_nothing_and_that_is_said(capsys):
    code, out, _ = run(capsys, "--adviser", "unchanged", *SHORT)
    assert code == ExitCode.OK
    assert "Advice changed nothing at all" in out
    assert "reasons" not in out


def test_foresight_gains_and_says_so(capsys):
    code, out, _ = run(capsys, "--adviser", "foresight", "--seeds", "1-8")
    assert code == ExitCode.OK
    assert "Advice gains here: the interval is above zero" in out


def test_each_pair_is_told_by_its_seed(capsys):
    code, out, _ = run(capsys, "--adviser", "uninformed", "--duration", "60s", "--seeds", "7-9", "--json")
    told = json.loads(out)
    assert code == ExitCode.OK
    assert [each["seed"] for each in told["each"]] == [7, 8, 9]
    assert all(
        each["gain_bps"] == pytest.approx(each["plain_cost_bps"] - each["advised_cost_bps"])
        for each in told["each"]
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--adviser", "oracle"], "--adviser"),
        (["--adviser", "late", "--seeds", "1"], "--seeds"),
        (["--adviser", "late", "--seeds", "9-3"], "--seeds"),
        (["--adviser", "late", "--seeds", "many"], "--seeds"),
        (["--adviser", "late", "--qty", "-1"], "--qty"),
        (["--adviser", "late", "--strategy", "guess"], "--strategy"),
        (["--adviser", "late", "--taker-fee", "NaN"], "--taker-fee"),
        (["--adviser", "late", "--volatility", "-1"], "cannot walk"),
        (["--adviser", "late", "--record", "tape.jsonl"], "--record"),
        (["--adviser", "tape:/no/such/tape"], "No such file"),
        (["--adviser", "model"], "no model that is asked"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_compared_is_refused_with_a_reason(capsys, words, says):
    code, out, err = run(capsys, *words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert says in err


def test_an_order_that_cannot_be_worked_is_said(capsys):
    code, _, err = run(capsys, "--adviser", "late", *SHORT, "--qty", "1000")
    assert code == ExitCode.REFUSED
    assert err.startswith("DRIVE at the simulated order: got seed 1: ")


@pytest.fixture(scope="module")
def model_url():
    """A local model in a process of its own: the comparison needs this one's loop."""
    words = [
        sys.executable,
        "-m",
        "sandbox.llm_server",
        "--port",
        "0",
        "--control-port",
        "0",
        "--latency-ms",
        "20",
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        ready = process.stdout.readline()
        assert ready.startswith("llm ready"), ready
        yield dict(word.split("=") for word in ready.split()[2:])["llm"]
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture
def dead(tmp_path, monkeypatch):
    """Options that name a model at an address where nobody answers."""
    monkeypatch.delenv("EXECUTOR_ADVISER_API_KEY", raising=False)
    path = tmp_path / "dead.toml"
    path.write_text(
        '[adviser]\nenabled = true\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\ninput_price = 1\n'
        "output_price = 4\ninterval_s = 15\n"
    )
    return ["--config", str(path)]


@pytest.fixture
def config(tmp_path, monkeypatch, model_url):
    monkeypatch.setenv("EXECUTOR_ADVISER_API_KEY", DEFAULT_API_KEY)

    def write(**over):
        values = dict(
            enabled="true", base_url=f'"{model_url}"', model='"sandbox-trader"', input_price='"0.15"',
            output_price='"0.6"', deadline_s='"2"', interval_s="15", capabilities_on='["json_schema"]',
        )  # fmt: skip
        path = tmp_path / "model.toml"
        path.write_text(
            "[adviser]\n" + "".join(f"{key} = {value}\n" for key, value in (values | over).items())
        )
        return str(path)

    return write


@pytest.mark.process
def test_a_model_is_asked_recorded_and_played_again_for_nothing(capsys, config, tmp_path):
    words = ["--config", config(), *SHORT]
    tape = tmp_path / "calls.jsonl"
    code, out, err = run(capsys, "--adviser", "model", *words, "--record", str(tape), "--yes", "--json")
    assert code == ExitCode.OK, err
    assert "US dollars" in err
    live = json.loads(out)
    foreseen = float(err.partition(" calls for about ")[2].partition(" US dollars")[0])
    assert float(live["bill"]["usd"]) / 2 < foreseen < 2 * float(live["bill"]["usd"])
    lines = list(read_tape(tape))
    assert len(lines) == live["calls"] > 2
    assert all(line.latency_ns >= 20_000_000 and line.reply for line in lines)
    assert float(live["bill"]["usd"]) == pytest.approx(sum(float(line.price) for line in lines))
    code, out, _ = run(capsys, "--adviser", f"tape:{tape}", *words, "--json")
    assert code == ExitCode.OK
    assert {**json.loads(out), "adviser": "model"} == live
    code, out, err = run(capsys, "--adviser", f"tape:{tape}", *words, "--qty", "0.5")
    assert code == ExitCode.AUDIT_DIFFERS
    assert "not on the tape" in err


@pytest.mark.process
def test_a_model_is_asked_about_orders_in_recorded_books_and_played_again(capsys, config, tmp_path):
    store(tmp_path / "market", wander(200))
    recorded = [
        "--data",
        str(tmp_path / "market"),
        "--symbol",
        "BTCUSDT",
        "--warmup",
        "15s",
        "--twin",
        "--json",
    ]
    order = ["--qty", "0.06", "--duration", "40s", "--interval", "20s", "--side", "both"]
    words = ["backtest", "run", *recorded, *order, "--config", config()]
    tape = tmp_path / "calls.jsonl"
    assert main([*words, "--adviser", "model", "--record", str(tape), "--yes"]) == ExitCode.OK
    live = capsys.readouterr()
    assert "US dollars" in live.err
    asked = [sum(parent["questions"].values()) for parent in json.loads(live.out)["parents"]]
    assert min(asked) > 0
    assert len(list(read_tape(tape))) == sum(asked)
    assert main([*words, "--adviser", f"tape:{tape}"]) == ExitCode.OK
    assert capsys.readouterr().out == live.out
    assert main([*words, "--adviser", "silent", "--record", str(tape)]) == ExitCode.USAGE


def test_a_model_that_is_not_there_ends_it_at_once_with_the_reason(capsys, dead, tmp_path):
    tape = tmp_path / "calls.jsonl"
    code, out, err = run(capsys, "--adviser", "model", *dead, *SHORT, "--yes", "--record", str(tape))
    assert (code, out) == (ExitCode.UNREACHABLE, "")
    assert "MODEL_UNREACHABLE at [adviser]: got the first 3 calls all failed" in err
    assert "executor doctor" in err
    assert not tape.exists(), "the same command can be given again"


def test_calls_that_were_recorded_are_not_written_over(capsys, dead, tmp_path):
    tape = tmp_path / "calls.jsonl"
    tape.write_text("paid for\n")
    words = ["--adviser", "model", *dead, *SHORT, "--yes", "--record", str(tape)]
    code, _, err = run(capsys, *words)
    assert (code, tape.read_text()) == (ExitCode.USAGE, "paid for\n")
    assert "add --overwrite" in err
    code, _, err = run(capsys, *words, "--overwrite")
    assert code == ExitCode.UNREACHABLE


@pytest.mark.process
def test_a_model_that_refuses_the_key_ends_it_at_once(capsys, config, monkeypatch):
    monkeypatch.setenv("EXECUTOR_ADVISER_API_KEY", "sk-another-9Xq4Vw7Zt")
    code, _, err = run(capsys, "--adviser", "model", "--config", config(), *SHORT, "--yes")
    assert code == ExitCode.UNREACHABLE
    assert "MODEL_NOT_AUTHORISED" in err


@pytest.mark.process
def test_a_model_that_is_always_too_late_is_no_success(capsys, config):
    words = ["--config", config(), *SHORT, "--deadline", "5", "--yes"]
    code, out, err = run(capsys, "--adviser", "model", *words)
    assert code == ExitCode.UNREACHABLE
    assert "There was no advice" in out
    assert "MODEL: none of " in err
    assert "executor doctor" in err


@pytest.mark.process
def test_money_is_spent_only_with_consent_and_within_the_caps(capsys, config, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
    code, _, err = run(capsys, "--adviser", "model", "--config", config(), *SHORT)
    assert code == ExitCode.USAGE
    assert "--yes" in err
    few = config(day_calls_max="3", hour_calls_max="3", parent_calls_max="3")
    code, _, err = run(capsys, "--adviser", "model", "--config", few, *SHORT, "--yes")
    assert code == ExitCode.REFUSED
    assert "could break a cap of the day (3 calls" in err
