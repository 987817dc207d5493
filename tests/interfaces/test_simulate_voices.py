"""`executor simulate` with language-model traders, asked over a socket, recorded and played again; and in real time."""

import json
import os
import sys

import pytest

from executor.interfaces import cli
from executor.interfaces.exit_codes import ExitCode
from sandbox.llm_server import DEFAULT_API_KEY
from tests.interfaces.test_cli_doctor_model import model_in_thread

MODELS = """
[[agents]]
name = "models"
kind = "language-model"
count = 2
cash = 20_000_000
position_qty = 1_000
listens = [{ source = "value", every_s = 5.0 }]
params = { strategy = "value", turn_s = 10.0, answer_s = 3.0, order_max_qty = 50 }
"""
RULED = """
name = "small"
title = "Small"
expects = "Little."
[run]
steps = 30
[value]
px = 7_000.0
shocks = [{ at_s = 5.0, change_ticks = 3_000.0 }]
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
cash = 10_000_000
position_qty = 1_000
[[expect]]
says = "somebody trades"
measure = "trades"
at_least = 1.0
"""


@pytest.fixture(scope="module")
def address():
    with model_in_thread() as server:
        yield server.base_url


@pytest.fixture
def run(address, tmp_path, monkeypatch, capsys):
    for name in [name for name in os.environ if name.startswith(("EXECUTOR_", "BYBIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path))
    monkeypatch.setenv("EXECUTOR_ADVISER_API_KEY", DEFAULT_API_KEY)
    usual = {
        "enabled": "true", "base_url": address, "model": "sandbox-trader", "input_price": "0.15",
        "output_price": "0.6", "capabilities_on": "tools,json_schema", "parent_cost_max": "20",
    }  # fmt: skip
    for name, value in usual.items():
        monkeypatch.setenv(f"EXECUTOR_ADVISER__{name.upper()}", value)
    for name, text in (("ruled", RULED), ("mixed", RULED + MODELS)):
        (tmp_path / f"{name}.toml").write_text(text)

    def call(name, *words):
        code = cli.main(["simulate", "--scenario", str(tmp_path / f"{name}.toml"), *map(str, words)])
        done = capsys.readouterr()
        return code, done.out, done.err

    return call


def test_a_model_is_asked_recorded_and_played_again(run, tmp_path):
    calls = tmp_path / "calls.jsonl"
    code, out, err = run("mixed", "--model", "live", "--calls", calls, "--yes", "--json")
    assert (code, "about 6 calls for about" in err) == (ExitCode.OK, True)
    told = json.loads(out)
    assert told["models"]["bill"]["calls"] == 6
    assert [one["asked"] for one in told["models"]["turns"]] == [3, 3]
    assert sum(one["orders"] for one in told["models"]["turns"]) > 0
    code, out, _ = run("mixed", "--tape", calls, "--json")
    assert (code, json.loads(out)) == (ExitCode.OK, told)
    code, _, err = run("mixed", "--tape", calls)
    assert (code, "6 calls, 0 without an answer in time" in err) == (ExitCode.OK, True)
    code, _, err = run("mixed", "--tape", calls, "--seed", "9")
    assert (code, "not on the tape" in err) == (ExitCode.AUDIT_DIFFERS, True)


def test_without_a_model_rules_answer_and_nothing_is_spent(run):
    code, out, _ = run("mixed", "--json")
    models = json.loads(out)["models"]
    assert (code, models["bill"], len(models["turns"])) == (ExitCode.OK, None, 2)
    code, _, err = run("mixed")
    assert (code, "2 language-model agents, 6 turns" in err) == (ExitCode.OK, True)
    assert json.loads(run("ruled", "--json")[1])["models"] is None
    code, _, err = run("mixed", "--model", "live")
    assert (code, "--yes" in err) == (ExitCode.USAGE, True)


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("mixed", ("--model", "oracle"), "rules or live"),
        ("mixed", ("--model", "live", "--yes", "--seeds", "2"), "one run"),
        ("mixed", ("--model", "live", "--yes", "--check", "--seeds", "1"), "one run"),
        ("mixed", ("--calls", "calls.jsonl"), "--model live"),
        ("mixed", ("--model", "live", "--tape", "calls.jsonl"), "asks nobody"),
        ("ruled", ("--model", "live", "--yes"), "language-model"),
        ("mixed", ("--tape", "nowhere.jsonl"), "recorded calls"),
    ],
)
def test_what_does_not_go_together_is_refused(run, name, words, said):
    code, _, err = run(name, *words)
    assert (code, said in err) == (ExitCode.USAGE, True)


def test_real_time_changes_when_and_not_what(run):
    code, out, err = run("mixed", "--real-time", "--speed", "10000", "--json")
    assert (code, "10000 simulated seconds in one" in err) == (ExitCode.OK, True)
    assert json.loads(out)["event_hash"] == json.loads(run("mixed", "--json")[1])["event_hash"]
