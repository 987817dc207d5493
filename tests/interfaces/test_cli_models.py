"""`executor simulate models`: played with a model over a socket, recorded, and played again from the recording."""

import json
import os
import sys

import pytest

from backtest.market.ledger_store import audit
from executor.interfaces import cli
from executor.interfaces.exit_codes import ExitCode
from sandbox.llm_server import DEFAULT_API_KEY
from tests.interfaces.test_cli_doctor_model import model_in_thread


@pytest.fixture(scope="module")
def address():
    with model_in_thread() as server:
        yield server.base_url


@pytest.fixture
def run(address, tmp_path, monkeypatch, capsys):
    """What a run says, with settings changed."""
    for name in [name for name in os.environ if name.startswith(("EXECUTOR_", "BYBIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path))
    usual = {
        "enabled": "true", "base_url": address, "model": "sandbox-trader", "input_price": "0.15",
        "output_price": "0.6", "capabilities_on": "tools,json_schema", "parent_cost_max": "20",
    }  # fmt: skip

    def call(*words, **changes):
        monkeypatch.setenv("EXECUTOR_ADVISER_API_KEY", DEFAULT_API_KEY)
        for name, value in (usual | changes).items():
            monkeypatch.setenv(f"EXECUTOR_ADVISER__{name.upper()}", value)
        code = cli.main(["simulate", "models", "--turns", "3", "--first-px", "2000", *map(str, words)])
        done = capsys.readouterr()
        return code, done.out, done.err

    return call


def test_a_run_is_recorded_played_again_and_its_ledger_adds_up(run, tmp_path):
    tape, ledger = tmp_path / "calls.jsonl", tmp_path / "ledger.sqlite"
    code, out, err = run("--record", tape, "--ledger", ledger, "--yes", "--json")
    assert (code, "about 30 calls for about" in err) == (ExitCode.OK, True)
    told = json.loads(out)
    assert told["bill"]["calls"] == 30
    assert told["bill"]["failed"] == told["bill"]["unasked"] == {}
    assert told["trades"] > 0
    assert len(told["traders"]) == 14
    assert audit(ledger).problems == ()
    assert DEFAULT_API_KEY not in tape.read_text()

    code, out, _ = run("--tape", tape, "--json", enabled="false")
    assert (code, json.loads(out)) == (ExitCode.OK, told)
    code, out, _ = run("--tape", tape)
    assert code == ExitCode.OK
    assert f"events {told['event_hash']}" in out
    assert "30 calls, 0 without an answer in time, 0 not asked" in out
    code, _, err = run("--tape", tape, "--seed", "2", "--noise", "5")
    assert (code, "not on the tape" in err) == (ExitCode.AUDIT_DIFFERS, True)
    code, _, err = run("--tape", tape, day_calls_max="20", hour_calls_max="20", parent_calls_max="20")
    assert (code, "10 calls of it were not asked for" in err) == (ExitCode.AUDIT_DIFFERS, True)
    for name in ("DAY", "HOUR", "PARENT"):
        os.environ.pop(f"EXECUTOR_ADVISER__{name}_CALLS_MAX")
    code, _, err = run("--record", tape)
    assert (code, "which is there" in err) == (ExitCode.USAGE, True)
    code, _, err = run("--ledger", ledger, "--tape", tape)
    assert (code, "which is there" in err) == (ExitCode.USAGE, True)


def test_nothing_is_spent_unasked_and_caps_hold(run):
    code, _, err = run()
    assert (code, "--yes" in err) == (ExitCode.USAGE, True)
    code, out, _ = run("--yes", "--json", day_calls_max="7", hour_calls_max="7", parent_calls_max="7")
    bill = json.loads(out)["bill"]
    assert (code, bill["calls"]) == (ExitCode.OK, 7)
    assert sum(bill["unasked"].values()) == 23


def test_a_model_that_never_answers_ends_the_command_with_a_hint(run):
    code, _, err = run("--yes", model="nobody-knows-it", parent_calls_max="2")
    assert (code, "executor doctor" in err) == (ExitCode.UNREACHABLE, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--strategies", "value,lucky"), "lucky"),
        (("--information", "rumours"), "rumours"),
        (("--tape", "absent.jsonl"), "absent.jsonl"),
        (("--tape", "absent.jsonl", "--record", "x"), "both"),
        (("--turns", "0"), "--turns"),
    ],
)
def test_what_is_wrong_is_said(run, words, said):
    code, _, err = run(*words)
    assert (code, said in err) == (ExitCode.USAGE, True)


def test_without_a_model_there_is_nobody_to_ask(run):
    code, _, err = run(enabled="false")
    assert (code, "no model that is asked" in err) == (ExitCode.USAGE, True)
