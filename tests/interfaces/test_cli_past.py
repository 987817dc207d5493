"""Without a daemon, `list` and `report` read the journal it has left; everything else says that it needs one."""

import json
import sys

import pytest

from executor.interfaces import cli
from executor.interfaces.exit_codes import ExitCode
from executor.runtime.journal import Journal
from tests.runtime.drives import JournaledRig, wander


@pytest.fixture
def home(tmp_path, monkeypatch):
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(data_dir))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    return data_dir


@pytest.fixture
def state(home):
    with Journal.open(home / "journal.db", create=True, instance="x") as journal:
        rig = JournaledRig(journal)
        wander(rig, 2, 25)
        journal.commit()
    assert rig.engine.state.parents
    return rig.engine.state


def test_orders_and_what_they_cost_are_told_from_the_journal(home, state, capsys):
    assert cli.main(["list", "--all"]) == ExitCode.OK
    said = capsys.readouterr()
    assert f"no daemon runs; this is read from {home}/journal.db" in said.err
    assert {line.split(" ")[0] for line in said.out.splitlines()} == set(state.parents)
    assert cli.main(["list", "--json"]) == ExitCode.OK
    listed = json.loads(capsys.readouterr().out)["parents"]
    assert {each["id"]: each["status"] for each in listed} == {
        name: parent.status for name, parent in state.parents.items()
    }
    assert cli.main(["report", "P1", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["parent_id"] == "P1"
    assert cli.main(["report", "P1"]) == ExitCode.OK
    assert "Cost report of P1" in capsys.readouterr().out
    assert sorted(path.name for path in home.iterdir()) == ["journal.db"]


def test_an_unknown_order_and_a_damaged_journal_are_said(home, state, capsys):
    assert cli.main(["report", "P999"]) == ExitCode.REFUSED
    assert "`executor list`" in capsys.readouterr().err
    (home / "journal.db").write_bytes(b"no database")
    assert cli.main(["report", "P1"]) == ExitCode.DURABILITY
    assert capsys.readouterr().err.startswith("DB_DAMAGED")


def test_without_a_journal_or_with_an_address_the_daemon_is_what_is_missing(home, capsys):
    assert cli.main(["list"]) == ExitCode.UNREACHABLE
    assert capsys.readouterr().err.startswith("DAEMON_NOT_RUNNING")
    (home / "token").write_text("Qw3rTy7UiOpAs9DfGhJkLzXcVbNm1234567890abcdEFGH\n")
    (home / "token").chmod(0o600)
    words = ["--url", "http://127.0.0.1:1", "--token-file", str(home / "token")]
    assert cli.main(["report", "P1", *words]) == ExitCode.UNREACHABLE
    assert capsys.readouterr().err.startswith("DAEMON_NOT_RUNNING")
