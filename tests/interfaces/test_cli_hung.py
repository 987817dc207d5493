"""Commands to a daemon that hangs or is gone: what was sent, what may still happen, and what works without it."""

import os
import re
import socket
import sys
import time
from pathlib import Path

import pytest
from control_double import add_parent
from doors import Daemon

from executor.domain.events import CancelRequested, HaltRequested
from executor.interfaces import cli
from executor.interfaces.control_file import ControlFile, write_control_file
from executor.interfaces.exit_codes import ExitCode
from executor.interfaces.failure import failed
from executor.interfaces.pulse import why_hung
from executor.watch.heartbeat import DAEMON_NAME, Heartbeat, HeartbeatFile, Life, this_boot

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
GONE_PID = 2**22 - 1


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def beat(data_dir: Path, age_s: float, life: Life = Life.RUNNING) -> None:
    """Leave the heartbeat of this process, as old as that."""
    stamp_ns = time.monotonic_ns() - int(age_s * 1_000_000_000)
    file = HeartbeatFile(data_dir / DAEMON_NAME, boot_id=this_boot(), mono_ns=lambda: stamp_ns)
    file.write(life)
    file.close()


def name(daemon: Daemon, url: str, pid: int) -> None:
    """Say in control.json that a daemon of this process id listens there."""
    token_file = str(daemon.data_dir / "token")
    write_control_file(daemon.data_dir, ControlFile(url=url, pid=pid, version="", token_file=token_file))


@pytest.fixture
def silent(daemon: Daemon, monkeypatch: pytest.MonkeyPatch):
    """A socket that takes connections and never says anything, as a stopped process does."""
    monkeypatch.setattr("executor.interfaces.client.HUNG_ANSWER_S_MAX", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        name(daemon, f"http://127.0.0.1:{server.getsockname()[1]}", os.getpid())
        beat(daemon.data_dir, 20)
        yield daemon


@pytest.mark.parametrize(
    ("words", "fate"),
    [
        (["status"], "it changes nothing"),
        (["halt", "--reason", "x"], "was sent and MAY take effect"),
        (["cancel", "tst-1"], "was sent and MAY take effect"),
    ],
)
def test_without_an_answer_it_says_what_may_have_happened_and_what_works(run, silent: Daemon, words, fate):
    code, _, err = run(*words)
    assert (code, err.split(" ")[0]) == (ExitCode.UNREACHABLE, "NO_ANSWER")
    assert f"executor {words[0]}" in err
    assert re.search(r"its last heartbeat was 2\d s ago", err), err
    assert fate in err
    assert "`executor kill`" in err


def test_nothing_that_could_trade_is_left_with_a_daemon_that_hangs(run, daemon: Daemon):
    add_parent(daemon.control.state)
    name(daemon, daemon.url, os.getpid())
    beat(daemon.data_dir, 20)
    for words in (ORDER, ["resume", "tst-1"], ["amend", "tst-1", "--qty", "11"], ["rearm", "--reason", "x"]):
        code, _, err = run(*words)
        assert (code, err.split(" ")[0]) == (ExitCode.UNREACHABLE, "DAEMON_HUNG")
        assert "nothing was sent" in err
        assert "`executor kill`" in err
    assert not daemon.control.asked
    # What stops is sent all the same: late is better than never.
    assert run("cancel", "tst-1")[0] == ExitCode.OK
    assert run("halt", "--reason", "x", "--timeout", "0")[0] == ExitCode.ORDERS_MAY_REMAIN
    assert [type(event) for event in daemon.control.asked] == [CancelRequested, HaltRequested]


def test_a_daemon_that_beats_is_asked_as_ever(run, daemon: Daemon):
    name(daemon, daemon.url, os.getpid())
    beat(daemon.data_dir, 1)
    assert run(*ORDER, "--no-wait")[0] == ExitCode.OK
    assert len(daemon.control.asked) == 1


def test_a_daemon_that_died_is_told_from_one_that_was_never_there(run, daemon: Daemon):
    name(daemon, "http://127.0.0.1:1", GONE_PID)
    for words in (["halt", "--reason", "x"], ["status"], ["cancel", "tst-1"]):
        code, _, err = run(*words)
        assert (code, err.split(" ")[0]) == (ExitCode.UNREACHABLE, "DAEMON_NOT_RUNNING")
        assert f"its process {GONE_PID} has ended without a last word" in err
        assert "nothing was sent" in err
        assert "`executor kill`" in err
    (daemon.data_dir / "control.json").unlink()
    code, _, err = run("halt", "--reason", "x")
    assert (code, err.split(" ")[0]) == (ExitCode.UNREACHABLE, "DAEMON_NOT_RUNNING")
    assert "has ended" not in err
    assert "`executor kill`" in err


def test_a_halt_that_was_taken_counts_although_the_daemon_then_falls_silent(
    run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
):
    add_parent(daemon.control.state)
    true_get = cli.cli_watch.Client.get

    def gone(client, path):
        name(daemon, "http://127.0.0.1:1", GONE_PID)
        return true_get(type(client)(cli.cli_watch.connect("sandbox", None, None, None)._endpoint), path)

    monkeypatch.setattr(cli.cli_watch.Client, "get", gone)
    code, _, err = run("halt", "--reason", "x")
    assert code == ExitCode.ORDERS_MAY_REMAIN
    assert "the daemon took the stop and then went silent" in err
    assert isinstance(daemon.control.asked[0], HaltRequested)


def test_a_followed_order_is_said_to_be_accepted_when_the_daemon_is_lost(
    run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
):
    def lost(*_):
        raise failed(ExitCode.UNREACHABLE, "NO_ANSWER", "executor status", "no answer", "an answer", "wait")

    monkeypatch.setattr("executor.interfaces.cli_orders.follow", lost)
    code, _, err = run(*ORDER, "--wait")
    assert code == ExitCode.UNREACHABLE
    assert "the order WAS accepted as tst-1" in err


def test_when_a_daemon_counts_as_hung():
    now_ns = time.monotonic_ns()
    fresh = Heartbeat(boot_id="b", pid=7, start_id="s", count=1, mono_ns=now_ns, life=Life.RUNNING)
    later_ns = now_ns + 4_000_000_000
    assert why_hung(fresh, 7, "b", now_ns + 3_000_000_000) == ""
    assert "4 s ago" in why_hung(fresh, 7, "b", later_ns)
    assert why_hung(fresh, 8, "b", later_ns) == "", "a beat of another process says nothing"
    assert why_hung(fresh, 7, "c", later_ns) == "", "nor does one of another boot"
    assert why_hung(None, 7, "b", later_ns) == ""
    starting = Heartbeat(boot_id="b", pid=7, start_id="s", count=1, mono_ns=now_ns, life=Life.STARTING)
    assert why_hung(starting, 7, "b", later_ns) == ""
    assert "31 s ago" in why_hung(starting, 7, "b", now_ns + 31_000_000_000)
    ended = Heartbeat(boot_id="b", pid=7, start_id="s", count=1, mono_ns=now_ns, life=Life.ENDED)
    assert why_hung(ended, 7, "b", later_ns) == ""
