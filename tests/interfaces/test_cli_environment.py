"""What the command line reads of the environment, and what it says when it is interrupted, command by command."""

import typer

from config.load import load_settings
from config.written import read_environment
from executor.interfaces import cli


def commands(command, path=()):
    """Every command under its whole name."""
    for name, one in getattr(command, "commands", {}).items():
        if hasattr(one, "commands"):
            yield from commands(one, (*path, name))
        else:
            yield " ".join((*path, name)), one


ALL = dict(commands(typer.main.get_command(cli.app)))


def test_no_variable_that_an_option_reads_stops_a_command_that_loads_settings():
    names = {param.envvar for command in ALL.values() for param in command.params if param.envvar is not None}
    assert {"EXECUTOR_PROFILE", "EXECUTOR_MARKET_DATA", "EXECUTOR_TRADES_URL", "EXECUTOR_BOOKS_URL"} <= names
    environ = dict.fromkeys(names, "var/market")
    assert read_environment(environ, ()) == ({}, [])
    load_settings("sandbox", None, environ, yes_live=False).require()


def test_every_command_that_needs_no_daemon_says_what_to_do_after_an_interrupt():
    by_name = set(cli._AFTER_INTERRUPT)
    groups = {name.split()[0] for name in ALL if " " in name}
    assert by_name <= set(ALL) | groups
    assert groups <= by_name
    assert groups == set(cli._GROUPS)


def test_an_interrupt_tells_what_was_interrupted_and_what_to_do(capsys, monkeypatch, tmp_path):
    def interrupted(*_words, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr("backtest.sweep_plan.read_grid", interrupted)
    monkeypatch.setattr("backtest.dataset.tables.tables_in", interrupted)
    said = []
    for words in (["backtest", "sweep", "x.toml"], ["data", "info", "--data", str(tmp_path)]):
        assert cli.main(words) == 130
        said.append(capsys.readouterr().err.splitlines()[-1])
    assert said[0].startswith("INTERRUPTED at executor backtest sweep: got Ctrl-C")
    assert said[0].endswith("next: run it again: what is finished is kept")
    assert said[1].startswith("INTERRUPTED at executor data info")
    assert "executor status" not in "".join(said)
