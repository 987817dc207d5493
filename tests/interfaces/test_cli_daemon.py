"""The command line against a running interface."""

import io
import json
import socket
import sys
import threading
from pathlib import Path

import pytest
from control_double import add_market, add_parent, reply
from doors import Daemon

from executor.domain.commands import Outcome
from executor.domain.events import AmendRequested, CancelRequested, HaltRequested, RearmRequested
from executor.domain.parent_state import ParentStatus
from executor.interfaces import cli
from executor.interfaces.client import Client
from executor.interfaces.control import DaemonInfo
from executor.interfaces.control_file import ControlFile, write_control_file
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.version import version

ORDER = [
    "submit",
    "--symbol",
    "BTCUSDT",
    "--side",
    "sell",
    "--qty",
    "5",
    "--duration",
    "5m",
    "--residual",
    "leave",
]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr("executor.interfaces.follow.POLL_S", 0.01)
    monkeypatch.setattr("executor.interfaces.cli_watch.POLL_S", 0.01)

    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return call


def test_status_for_people_and_for_machines(run, daemon: Daemon):
    add_market(daemon.control.state)
    add_parent(daemon.control.state)
    code, out, err = run("status")
    assert code == ExitCode.OK
    assert "ready; not halted" in out
    assert "tst-1 EXECUTING buy 4/10 BTCUSDT 40.00 %" in out
    assert "SPREAD_WIDE" in out
    assert not err
    assert json.loads(run("status", "--json")[1])["daemon"]["pid"] == 4711
    assert json.loads(run("status", "tst-1", "--json")[1])["filled"] == "4"
    assert "SPREAD_WIDE" in run("status", "tst-1")[1]
    daemon.control.state.latched, daemon.control.state.latch_reason = True, "looks wrong"
    assert "HALTED: looks wrong" in run("status")[1]


def test_submit_sends_what_was_typed(run, daemon: Daemon):
    add_parent(daemon.control.state)
    code, out, err = run(*ORDER, "--no-catch-up", "--interval", "30s", "--idempotency-key", "mine-1")
    assert code == ExitCode.OK
    assert out.startswith("ACCEPTED tst-1: accepted")
    assert "mine-1" in err
    (event,) = daemon.control.asked
    assert (event.side.sign, str(event.order_qty), event.duration_s) == (-1, "5", 300)
    assert (event.params.catch_up, event.params.interval_s, event.idempotency_key) == (False, 30, "mine-1")
    answer = json.loads(run(*ORDER, "--json")[1])
    assert answer["parent"]["plan"]["slices_asked"] == 6


def test_every_order_gets_a_key_of_its_own(run, daemon: Daemon):
    run(*ORDER)
    run(*ORDER)
    assert len({event.idempotency_key for event in daemon.control.asked}) == 2


@pytest.mark.parametrize(
    ("outcome", "code", "exit_code"),
    [
        (Outcome.INVALID, "QTY_MIN", ExitCode.REFUSED),
        (Outcome.LOCKED, "HALTED", ExitCode.HALTED),
        (Outcome.LOCKED, "DRAINING", ExitCode.REFUSED),
        (Outcome.CONFLICT, "OPPOSITE", ExitCode.REFUSED),
    ],
)
def test_refusals_of_the_engine(run, daemon: Daemon, outcome: Outcome, code: str, exit_code: ExitCode):
    daemon.control.replies.append(reply(outcome, code=code, text="because"))
    got, out, err = run(*ORDER)
    assert got == exit_code
    assert err.startswith(f"{code} at executor submit")
    assert "/v1/" not in err
    assert not out


def test_verbs(run, daemon: Daemon):
    add_parent(daemon.control.state)
    assert run("pause", "tst-1")[0] == ExitCode.OK
    assert run("resume", "tst-1")[0] == ExitCode.OK
    assert run("amend", "tst-1", "--qty", "8", "--version", "1")[0] == ExitCode.OK
    assert run("cancel", "tst-1", "--json")[0] == ExitCode.OK
    assert isinstance(daemon.control.asked[2], AmendRequested)
    assert isinstance(daemon.control.asked[3], CancelRequested)
    daemon.control.replies.append(reply(Outcome.NOT_FOUND, parent_id="tst-9", code="PARENT", text="none"))
    code, _, err = run("cancel", "tst-9")
    assert (code, err.split(" ")[0]) == (ExitCode.REFUSED, "PARENT")


def test_halt_when_nothing_is_open_says_so(run, daemon: Daemon):
    code, out, _ = run("halt", "--reason", "drill", "--operator", "ann")
    assert (code, out) == (ExitCode.OK, "halted; nothing was open\n")
    (event,) = daemon.control.asked
    assert isinstance(event, HaltRequested)
    assert (event.operator, event.reason) == ("ann", "drill")


@pytest.mark.parametrize("why", [("HALTED", "UNRECONCILED"), ("PRIVATE_STREAM_DOWN",), ()])
def test_halt_without_the_venue_does_not_say_that_nothing_was_open(run, daemon: Daemon, why: tuple[str, ...]):
    daemon.control.why_not_ready = why
    if not why:
        daemon.control.state.reconciled.clear()
    code, out, _ = run("halt")
    words = (
        "halted; every child order that ever left is proved finished; the venue could not be read just now\n"
    )
    assert (code, out) == (ExitCode.OK, words)
    assert json.loads(run("halt", "--json")[1])["venue_read"] is False
    add_parent(daemon.control.state)
    code, _, err = run("halt", "--timeout", "0")
    assert code == ExitCode.ORDERS_MAY_REMAIN
    assert "the venue could not be read" in err


@pytest.mark.parametrize("words", [["halt", "--reason", "x"], ["status"], ["cancel", "tst-1"]])
def test_a_setting_that_is_not_needed_is_a_remark(
    run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str]
):
    own = tmp_path / "own.toml"
    own.write_text("[limits]\nday_los_max = 1\n")
    monkeypatch.setenv("EXECUTOR_NUMBER", "1")
    monkeypatch.setenv("EXECUTOR_LIMITS__DAY_LOSS_MAX", "lots")
    code, out, err = run(*words, "--config", str(own))
    assert code == ExitCode.OK
    assert out
    assert [line.split(":")[0] for line in err.splitlines()] == ["ignored here"]
    assert run("config", "check")[0] == ExitCode.USAGE
    assert run(*words, "--config", str(tmp_path / "absent.toml"))[0] == ExitCode.OK, (
        "the environment names it"
    )
    monkeypatch.delenv("EXECUTOR_EXECUTOR__DATA_DIR")
    assert run(*words, "--config", str(tmp_path / "absent.toml"))[0] == ExitCode.USAGE


def test_an_address_and_a_token_need_no_settings(run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", "")
    token = str(daemon.data_dir / "token")
    assert run("halt", "--url", daemon.url, "--token-file", token, "--profile", "other")[0] == ExitCode.OK


def test_status_tells_what_is_not_explained(run, daemon: Daemon):
    add_market(daemon.control.state)
    state = daemon.control.state
    state.markets["linear:BTCUSDT"].blocked = "POSITION_DIFFERS: by 0.5"
    daemon.control.why_not_ready = ("PRIVATE_STREAM_DOWN",)
    _, out, _ = run("status")
    assert "blocked: linear:BTCUSDT: POSITION_DIFFERS: by 0.5" in out
    assert "not ready: the stream of our own orders and fills is not live (PRIVATE_STREAM_DOWN)" in out
    assert "executor rearm --operator NAME --reason TEXT" in out
    told = json.loads(run("status", "--json")[1])["blocked"]
    assert told == [
        {
            "symbol": "linear:BTCUSDT",
            "why": "POSITION_DIFFERS: by 0.5",
            "cleared_by": "executor rearm --operator NAME --reason TEXT",
        }
    ]
    daemon.control.info = DaemonInfo(
        version=version(), instance="s", venue="bybit-sandbox", profile="x", pid=1
    )
    assert "--new" not in run("status")[1]


def test_what_stopped_a_parent_is_told(run, daemon: Daemon):
    parent = add_parent(daemon.control.state)
    parent.detail = "the venue rejected 110007: not enough balance"
    assert parent.detail in run("status", "tst-1")[1]
    assert parent.detail in run("status")[1]
    assert json.loads(run("status", "tst-1", "--json")[1])["detail"] == parent.detail


def test_a_parent_that_failed_unsent_says_why_instead_of_zeros(run, daemon: Daemon):
    parent = add_parent(daemon.control.state, status=ParentStatus.FAILED, cum_qty="0")
    parent.children.clear()
    parent.detail = "the venue has no symbol BTCUSDT"
    daemon.control.reports["tst-1"] = {"parent_id": "tst-1", "venue": "sandbox"}
    code, out, _ = run(*ORDER, "--wait")
    assert code == ExitCode.REFUSED
    assert out.endswith("nothing was sent: the venue has no symbol BTCUSDT\n")
    assert "Cost report" not in out


@pytest.mark.parametrize("path", ["pause", "cancel"])
def test_refusals_name_commands_and_not_paths(run, daemon: Daemon, path: str):
    daemon.control.replies.append(reply(Outcome.LOCKED, parent_id="tst-9", code="HALTED", text="halted"))
    _, _, err = run(path, "tst-9")
    assert err.startswith(f"HALTED at executor {path} tst-9")
    assert "`executor rearm --operator NAME --reason TEXT`" in err
    _, _, err = run("status", "tst-9")
    assert err.startswith("PARENT at PARENT")
    assert "`executor list`" in err


def test_halt_that_cannot_prove_empty_lists_the_orders(run, daemon: Daemon):
    add_parent(daemon.control.state)
    code, _, err = run("halt", "--timeout", "0.05")
    assert code == ExitCode.ORDERS_MAY_REMAIN
    assert "tst-1-1 BTCUSDT" in err


def test_halt_waits_for_the_proof(run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch):
    parent = add_parent(daemon.control.state)
    monkeypatch.setattr("time.sleep", lambda _: parent.live.clear())
    code, out, _ = run("halt")
    assert (code, out) == (ExitCode.OK, "halted; all 1 open child orders are proved finished\n")


def test_rearm_needs_a_reason(run, daemon: Daemon):
    assert run("rearm")[0] == ExitCode.USAGE
    assert run("rearm", "--reason", "checked the book")[0] == ExitCode.OK
    assert isinstance(daemon.control.asked[0], RearmRequested)


def test_report(run, daemon: Daemon):
    add_parent(daemon.control.state)
    assert run("report", "tst-1")[0] == ExitCode.REFUSED
    daemon.control.reports["tst-1"] = {"parent_id": "tst-1", "venue": "sandbox"}
    assert json.loads(run("report", "tst-1", "--json")[1])["parent_id"] == "tst-1"


@pytest.mark.parametrize(
    ("status", "code"), [(ParentStatus.COMPLETE, ExitCode.OK), (ParentStatus.EXPIRED, ExitCode.REFUSED)]
)
def test_wait_follows_to_the_end(
    run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, status: ParentStatus, code: ExitCode
):
    parent = add_parent(daemon.control.state)
    monkeypatch.setattr("time.sleep", lambda _: setattr(parent, "status", status))
    got, out, err = run(*ORDER, "--wait")
    assert got == code
    assert "accepted as tst-1" in err
    assert "EXECUTING" in err
    assert status in out


def test_ctrl_c_while_watching_says_that_the_order_goes_on(
    run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
):
    add_parent(daemon.control.state)

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    code, _, err = run(*ORDER, "--wait")
    assert code == ExitCode.INTERRUPTED
    assert "WAS accepted" in err
    assert "executor cancel tst-1" in err


def test_ctrl_c_while_looking_what_becomes_of_it_leaves_name_and_key(
    run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
):
    add_parent(daemon.control.state, status=ParentStatus.INITIALIZED)

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    code, _, err = run(*ORDER, "--idempotency-key", "key-7")
    assert code == ExitCode.INTERRUPTED
    assert err.startswith("accepted as tst-1 (idempotency key key-7)\n")


def test_halt_of_a_daemon_that_does_not_list_what_was_open(
    run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
):
    post = Client.post

    def shortened(self, *words):
        answer = post(self, *words)
        del answer["were_open"]
        return answer

    monkeypatch.setattr(Client, "post", shortened)
    assert run("halt") == (ExitCode.OK, "halted; every child order is proved finished\n", "")


@pytest.mark.parametrize("was_accepted", [True, False])
def test_ctrl_c_while_sending_says_what_became_of_it(
    run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, was_accepted: bool
):
    add_parent(daemon.control.state, "tst-1")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "post", interrupt)
    key = "key-tst-1" if was_accepted else "key-other"
    code, _, err = run(*ORDER, "--idempotency-key", key)
    assert code == ExitCode.INTERRUPTED
    assert ("WAS accepted as tst-1" in err) == was_accepted
    assert ("not accepted so far" in err) != was_accepted
    assert f"--idempotency-key {key}" in err


def test_an_answer_that_does_not_come_is_looked_up(run, daemon: Daemon):
    add_parent(daemon.control.state, "tst-1")
    daemon.control.replies.append(None)
    code, _, err = run(*ORDER, "--idempotency-key", "key-tst-1")
    assert code == ExitCode.REFUSED
    assert err.startswith("TIMEOUT at submit: got the order WAS accepted as tst-1")


def test_a_wrong_token_and_a_dead_daemon(run, daemon: Daemon, tmp_path: Path):
    other = tmp_path / "token"
    other.write_text("Qw3rTy7UiOpAs9DfGhJkLzXcVbNm1234567890abcdEFGH\n")
    other.chmod(0o600)
    code, _, err = run("status", "--token-file", str(other))
    assert (code, err.split(" ")[0]) == (ExitCode.UNREACHABLE, "AUTH")
    code, _, err = run("status", "--url", "http://127.0.0.1:1")
    assert (code, err.split(" ")[0]) == (ExitCode.UNREACHABLE, "DAEMON_NOT_RUNNING")


def test_a_terminal_shows_a_live_board(run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch):
    parent = add_parent(daemon.control.state)
    daemon.control.reports["tst-1"] = {"parent_id": "tst-1", "venue": "sandbox"}
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("time.sleep", lambda _: setattr(parent, "status", ParentStatus.COMPLETE))
    code, out, err = run(*ORDER, "--wait")
    assert code == ExitCode.OK
    assert "SPREAD_WIDE" in err
    assert "Cost report of tst-1" in out
    assert "Cost report of tst-1" in run("report", "tst-1")[1]
    assert json.loads(run(*ORDER, "--wait", "--json")[1])["report"]["venue"] == "sandbox"


def test_something_else_listens_there(run, daemon: Daemon):
    for raw in (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"SSH-2.0-x\r\n"):
        with socket.create_server(("127.0.0.1", 0)) as server:
            answering = threading.Thread(target=_answer_once, args=(server, raw))
            answering.start()
            code, _, err = run("status", "--url", f"http://127.0.0.1:{server.getsockname()[1]}")
            answering.join(5)
        assert code == ExitCode.UNREACHABLE
        assert err.split(" ")[0] in ("ANSWER", "CONNECTION_LOST")


def _answer_once(server: socket.socket, raw: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(4_096)
        connection.sendall(raw)


def test_a_bad_data_directory_is_a_configuration_error(run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EXECUTOR_EXECUTOR__DATA_DIR", "")
    code, _, err = run("status")
    assert (code, err.split(" ")[0]) == (ExitCode.USAGE, "CONFIG_PATH")


def test_another_version_is_said(run, daemon: Daemon):
    token_file = str(daemon.data_dir / "token")
    write_control_file(
        daemon.data_dir, ControlFile(url=daemon.url, pid=1, version="9.9.9", token_file=token_file)
    )
    code, _, err = run("status")
    assert code == ExitCode.OK
    assert "VERSION_MISMATCH" in err
    assert "9.9.9" in err


@pytest.mark.parametrize(("typed", "asked"), [("BTCUSDT 5", 1), ("yes", 0)])
def test_real_money_asks_on_the_terminal(
    run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, typed: str, asked: int
):
    daemon.control.info = DaemonInfo(version=version(), instance="l", venue="bybit-live", profile="x", pid=1)
    terminal = io.StringIO(f"{typed}\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    _, _, err = run(*ORDER)
    assert "Type BTCUSDT 5" in err
    assert len(daemon.control.asked) == asked


def test_real_money_asks_for_the_words_again(run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch):
    daemon.control.info = DaemonInfo(version=version(), instance="l", venue="live", profile="live", pid=1)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    code, _, err = run(*ORDER)
    assert (code, err.split(" ")[0]) == (ExitCode.USAGE, "LIVE_NOT_CONFIRMED")
    assert run(*ORDER, "--yes-live", "BTCUSDT 50")[0] == ExitCode.USAGE
    assert not daemon.control.asked
    assert run(*ORDER, "--yes-live", "BTCUSDT 5")[0] == ExitCode.OK
    assert len(daemon.control.asked) == 1


def test_escape_sequences_in_data_are_shown_not_sent(run, daemon: Daemon):
    parent = add_parent(daemon.control.state)
    parent.waiting = ("\x1b]0;owned\x07", "\u202eabc", "a\nb")
    daemon.control.state.latched, daemon.control.state.latch_reason = True, "\x1b[2J\x9b31m"
    for words in (["status"], ["status", "tst-1"], ["status", "--json"]):
        code, out, _ = run(*words)
        assert code == ExitCode.OK
        assert not set(out) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert "\\x1b]0;owned\\x07" in run("status")[1]


def test_no_secret_appears_in_any_output(
    run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    canary = "cAnArYcAnArYcAnArYcAnArYcAnArYcAnArY"
    monkeypatch.setenv("BYBIT_TESTNET_API_KEY", canary[:18])
    monkeypatch.setenv("BYBIT_TESTNET_API_SECRET", canary)
    monkeypatch.setenv("BYBIT_API_SECRET", canary)
    monkeypatch.setenv("EXECUTOR_ADVISER_API_KEY", f"sk-{canary}-model")
    add_parent(daemon.control.state)
    inline = tmp_path / "inline.toml"
    inline.write_text(
        f'[venue]\napi_secret = "{canary}"\nrest_url = "https://x:{canary}@y"\n[log]\nlevel = "{canary}"\n'
    )
    advised = tmp_path / "advised.toml"
    advised.write_text(
        '[adviser]\nenabled = true\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\n'
        "input_price = 1\noutput_price = 1\n"
    )
    texts = []
    for profile in ("sandbox", "testnet", "live"):
        for words in (
            ["config", "show"],
            ["config", "show", "--json"],
            ["config", "check"],
            ["config", "check", "--config", str(inline)],
            ["config", "check", "--json", "--config", str(inline)],
            ["config", "show", "--config", str(advised)],
            ["config", "show", "--json", "--config", str(advised)],
            ["doctor", "--json", "--config", str(advised)] if profile == "sandbox" else ["version"],
            ["news", "CPI at 14:30"],
            ["decisions", "tst-1"],
            ["status"],
            ["status", "--json"],
            ["status", "nobody"],
            [*ORDER, "--json"],
            ["halt", "--timeout", "0"],
        ):
            texts += map(str, run(*words, "--profile", profile))
    texts.append((daemon.data_dir / "control.json").read_text())
    for text in texts:
        assert "cAnArY" not in text
        assert daemon.token not in text
        assert daemon.token[:8] not in text
