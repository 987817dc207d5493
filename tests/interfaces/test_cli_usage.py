"""Section 4.3: what can be typed wrongly, before any daemon is asked."""

import json
import socket
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from executor.domain.errors import (
    AlreadyRunning,
    Disconnected,
    ExecutorError,
    InvariantViolation,
    JournalError,
)
from executor.interfaces import cli
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.version import version
from executor.runtime.audit import AuditResult

ORDER = [
    "submit",
    "--symbol",
    "BTCUSDT",
    "--side",
    "buy",
    "--qty",
    "5",
    "--duration",
    "5m",
    "--residual",
    "leave",
]


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def call(*words: str) -> Said:
        code = cli.main(words)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Said(code, captured.out, captured.err)

    return call


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["sttus"], "Did you mean 'status'"),
        (["config", "chek"], "Did you mean 'check'"),
        (["submit", "--qyt", "5"], "--qty"),
        (["status", "--jsn"], "--json"),
        (["submit", "--qty"], "requires an argument"),
        (["submit", "--seed", "x"], "valid integer"),
        (["cancel"], "PARENT"),
        (["pause", "a", "b"], "unexpected extra argument"),
    ],
)
def test_unknown_words_get_the_nearest_name(run, words: list[str], hint: str):
    said = run(*words)
    assert said.code == ExitCode.USAGE
    assert said.err.startswith("USAGE at executor")
    assert hint in said.err
    # Nobody listens on the sandbox's port here, which is said first.
    assert len([line for line in said.err.splitlines() if not line.startswith("hint: ")]) == 1
    assert not said.out


def test_no_words_at_all_print_the_help(run):
    said = run()
    assert said.code == ExitCode.USAGE
    assert "Commands:" in said.err + said.out


def test_every_command_explains_itself():
    runner = CliRunner()
    for name in [
        "run",
        "submit",
        "status",
        "pause",
        "resume",
        "amend",
        "cancel",
        "halt",
        "rearm",
        "report",
        "audit",
        "demo",
        "version",
    ]:
        result = runner.invoke(cli.app, [name, "--help"])
        assert result.exit_code == 0
        assert "Usage:" in result.output


@pytest.mark.parametrize(
    ("words", "where", "code"),
    [
        (["--qty", "-5"], "--qty", "QTY_FORM"),
        (["--qty=-5"], "--qty", "QTY_FORM"),
        (["--qty", "0"], "--qty", "QTY_ZERO"),
        (["--qty", "--side"], "--qty", "QTY_FORM"),
        (["--side", "BUY"], "--side", "ENUM"),
        (["--limit-price", "-1"], "--limit-price", "PRICE_FORM"),
        (["--duration", "5"], "--duration", "TIME"),
        (["--interval", "-1s"], "--interval", "TIME"),
        (["--passiveness", "2"], "--passiveness", "NUMBER_RANGE"),
        (["--randomize-size", "99"], "--randomize-size", "NUMBER"),
        (["--max-catch-up", "1e1"], "--max-catch-up", "NUMBER_FORM"),
        (["--symbol", "../x"], "--symbol", "SYMBOL"),
        (["--residual", "extend"], "--extend", "FIELD"),
        (["--deadline", "2027-01-15T08:30:00Z"], "--duration and --deadline", "FIELD"),
        (["--idempotency-key", "a b"], "--idempotency-key", "IDEMPOTENCY"),
    ],
)
def test_every_flag_is_checked_before_anything_is_sent(run, words: list[str], where: str, code: str):
    said = run(*ORDER, *words)
    assert said.code == ExitCode.USAGE
    assert f"{code} at {where}: got " in said.err


@pytest.mark.parametrize(
    "words", [["--qty", "5,0"], ["--duration", "60"], ["--interval", "x"], ["--passiveness", "1e0"]]
)
def test_the_allowed_forms_are_those_of_a_command_line(run, words: list[str]):
    said = run(*ORDER, *words)
    assert said.code == ExitCode.USAGE
    assert not [text for text in ("in quotes", "whole seconds", "send", "/v1/") if text in said.err]


def test_a_relative_data_directory_is_named_in_full(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", "var/other")
    said = run("status")
    assert said.code == ExitCode.UNREACHABLE
    assert str(tmp_path / "var" / "other" / "control.json") in said.err
    assert "below this directory" in said.err


@pytest.mark.parametrize("words", [["status"], ["halt"], ["run"]])
def test_a_data_directory_that_is_a_file(run, tmp_path: Path, words: list[str]):
    (tmp_path / "data").write_text("")
    said = run(*words)
    assert said.code == ExitCode.USAGE
    assert said.err.startswith(f'DATA_DIR at "{tmp_path / "data"}": got a file')


def test_what_a_command_does_is_listed_whole(run):
    groups = [group.name for group in cli.app.registered_groups]
    assert len(groups) == 8
    for words in ([], *([name] for name in groups)):
        listed = run(*words, "--help").out.partition("Commands:")[2]
        assert listed
        assert [line for line in listed.splitlines() if line.endswith("...")] == []


def test_help_names_what_is_required_and_what_is_usual(run):
    shown = " ".join(run("submit", "--help").out.split())
    for option in ("--symbol", "--side", "--qty", "--residual"):
        assert f"{option} <str> Required." in shown
    assert "Required." not in run("amend", "--help").out
    assert "MEDIUM 0.7" in shown
    assert "docs/reference/exit-codes.md" in shown
    live = " ".join(run("run", "--help").out.split())
    assert "EXECUTOR_LIVE_CONFIRM=I-TRADE-REAL-MONEY" in live
    assert 'mode = "live"' in live


def test_the_list_of_commands_cuts_no_sentence(run):
    shown = run("--help").out
    assert "..." not in shown.partition("Commands:")[2]
    assert "..." not in run("config", "--help").out.partition("Commands:")[2]
    assert "docs/reference/exit-codes.md" in " ".join(shown.split())


def test_all_missing_flags_are_named_at_once(run):
    said = run("submit")
    assert [line.split(":")[0] for line in said.err.splitlines()] == [
        "FIELD at --symbol",
        "FIELD at --side",
        "FIELD at --qty",
        "FIELD at --residual",
    ]


def test_problems_as_json_go_to_standard_output(run):
    said = run("submit", "--json")
    assert {problem["where"] for problem in json.loads(said.out)["error"]} >= {"--symbol", "--qty"}
    assert not said.err


def test_no_daemon_names_the_path_and_how_to_start_it(run, tmp_path: Path):
    for words in (["status"], ["halt"], ORDER, ["cancel", "tst-1"], ["report", "tst-1"]):
        said = run(*words)
        assert said.code == ExitCode.UNREACHABLE
        assert str(tmp_path / "data" / "control.json") in said.err
        assert "executor run" in said.err


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example:80",
        "https://127.0.0.1:1",
        "ftp://x",
        "http://127.0.0.1",
        "http://a:b@127.0.0.1:1",
    ],
)
def test_the_token_goes_to_this_machine_only(run, url: str):
    said = run("status", "--url", url)
    assert said.code == ExitCode.USAGE
    assert said.err.startswith("CONTROL_URL")


@pytest.mark.parametrize("parent", ["../x", "a b", "\x1b[31m", "x" * 65, ""])
def test_a_parent_id_has_its_form(run, parent: str):
    said = run("cancel", "--", parent)
    assert said.code in (ExitCode.USAGE, ExitCode.UNREACHABLE)
    assert "\x1b" not in said.err


def test_bad_settings_end_with_two_and_all_their_problems(run, tmp_path: Path):
    path = tmp_path / "own.toml"
    path.write_text('[limits]\nday_los_max = 1\n[shutdown]\ndrain = "5"\n')
    for words in (["run"], ["config", "check"], ["config", "show"]):
        said = run(*words, "--config", str(path))
        assert said.code == ExitCode.USAGE
        assert "CONFIG_UNKNOWN_KEY" in said.err
        assert "CONFIG_DURATION" in said.err


def test_config_show_and_check(run):
    assert run("config", "check").code == ExitCode.OK
    rows = {row["key"]: row for row in json.loads(run("config", "show", "--json").out)}
    assert rows["executor.data_dir"]["origin"] == "environment EXECUTOR_EXECUTOR__DATA_DIR"
    assert rows["credentials.api_secret"]["value"] == "********"
    shown = run("config", "show").out
    assert all(key in shown for key in rows)
    checked = json.loads(run("config", "check", "--profile", "testnet", "--json").out)
    assert checked["remarks"][0]["code"] == "SECRET_MISSING"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("app")
    module.calls = []
    for name in ("executor.app.start", "executor.app.journal"):
        monkeypatch.setitem(sys.modules, name, module)
    return module


def test_run_passes_settings_and_gives_the_exit_code(run, app, monkeypatch: pytest.MonkeyPatch):
    released = []

    def run_daemon(settings, profile, *, init, new, sentinel_words, release):
        app.calls.append((settings.executor.mode, profile, init, new, sentinel_words))
        released.append(release)
        return 8

    app.run_daemon = run_daemon
    assert run("run", "--init").code == ExitCode.HALTED
    assert app.calls == [("sandbox", "sandbox", True, False, ["--profile", "sandbox"])]
    assert run("run", "--no-sentinel").code == ExitCode.HALTED
    assert app.calls.pop()[-1] is None
    assert run("run", "--profile", "testnet").code == ExitCode.USAGE, "no keys"
    assert run("run", "--profile", "live", "--yes-live").code == ExitCode.USAGE, "no money limits"
    assert len(app.calls) == 1
    assert run("run", "--release-limits", " all is well ").code == ExitCode.HALTED
    assert released[:2] == [None, None]
    assert (released[2].reason, bool(released[2].operator)) == ("all is well", True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AlreadyRunning("pid 4"), ExitCode.ALREADY_RUNNING),
        (JournalError("damaged"), ExitCode.DURABILITY),
        (Disconnected("gone"), ExitCode.UNREACHABLE),
        (InvariantViolation("over-fill"), ExitCode.ORDERS_MAY_REMAIN),
        (ExecutorError("other"), ExitCode.REFUSED),
    ],
)
def test_every_error_has_its_exit_code(run, app, error: ExecutorError, code: ExitCode):
    def run_daemon(*_, **__):
        raise error

    app.run_daemon = run_daemon
    said = run("run")
    assert said.code == code
    assert str(error) in said.err
    # Nobody listens on the sandbox's port here, which is said first.
    assert len([line for line in said.err.splitlines() if not line.startswith("hint: ")]) == 1


def test_audit(run, app, tmp_path: Path):
    database = tmp_path / "journal.db"
    said = run("audit", str(database))
    assert (said.code, said.err.split(" ")[0]) == (ExitCode.DURABILITY, "DB_READ")
    database.write_bytes(b"")
    app.run_audit = lambda _path, _progress: AuditResult(5, 3, 1, True, None, "ab")
    assert run("audit", str(database)).out.startswith("5 events, 3 commands, 1 checkpoints: identical\n")
    app.run_audit = lambda _path, _progress: AuditResult(5, 3, 1, False, "row 4", "ab")
    said = run("audit", str(database), "--json")
    assert said.code == ExitCode.AUDIT_DIFFERS
    assert json.loads(said.out)["first_difference"] == "row 4"


def test_demo(run, monkeypatch: pytest.MonkeyPatch):
    calls = []
    monkeypatch.setattr("executor.interfaces.demo.run_demo", lambda **words: calls.append(words) or 0)
    assert run("demo", "--seconds", "30", "--seed", "3", "--json").code == ExitCode.OK
    assert calls == [{"json_output": True, "seconds": 30, "seed": 3, "stay": None, "open_it": False}]
    assert run("demo", "--no-stay", "--open").code == ExitCode.OK
    assert (calls[1]["stay"], calls[1]["open_it"]) == (False, True)


def test_sandbox_hands_its_arguments_on(run, monkeypatch: pytest.MonkeyPatch):
    called = []
    monkeypatch.setattr("os.execv", lambda program, words: called.append((program, words)))
    run("sandbox", "--port", "0", "--help")
    ((program, words),) = called
    assert program == sys.executable
    assert words[:3] == [sys.executable, "-m", "sandbox"]
    assert words[3] == "--agents-by"
    assert words[4].endswith("-m backtest.market.venue_agents")
    assert words[5:] == ["--port", "0", "--help"]


def test_ctrl_c_anywhere_else_points_to_the_status(run, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("executor.interfaces.cli_watch.connect", interrupt)
    said = run("status")
    assert said.code == ExitCode.INTERRUPTED
    assert "executor status" in said.err


def test_version(run):
    assert run("version").code == ExitCode.OK
    assert set(json.loads(run("version", "--json").out)) == {"version"}
    assert run("--version") == run("version") == Said(ExitCode.OK, f"{version()}\n", "")
    assert run("--version", "status").out == run("version").out


def test_exit_codes_are_documented_and_unique():
    assert [int(code) for code in ExitCode] == [*range(6), *range(7, 11), 130]


@pytest.mark.parametrize("listens", [True, False])
def test_a_daemon_on_this_machine_whose_exchange_is_not_there_is_told_how_to_start_it(
    run, app, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listens: bool
):
    app.run_daemon = lambda *_, **__: 0
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", str(tmp_path / "data"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not listens:
            server.close()
        monkeypatch.setenv("EXECUTOR_VENUE__REST_URL", f"http://127.0.0.1:{port}")
        said = run("run")
    assert said.code == ExitCode.OK
    assert (f"`executor sandbox --port {port}`" in said.err) is not listens
