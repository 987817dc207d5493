"""The command line as a process of its own: start time, pipes, terminals, signals."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from control_double import add_parent
from doors import Daemon

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "executor.interfaces.cli"]
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

pytestmark = pytest.mark.process


def environment(**changes: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)} | changes


def run(*words: str, **changes: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *words], env=environment(**changes), cwd=ROOT, capture_output=True, timeout=20, check=False
    )


def test_help_imports_little():
    script = (
        "import sys; from executor.interfaces import cli; code = cli.main(['--help']);"
        "heavy = {'aiohttp', 'executor.app', 'ccxt', 'pybit', 'numpy', 'pandas', 'apsw', 'rich.table'};"
        "sys.exit(f'{code} {heavy & set(sys.modules)}' if code or heavy & set(sys.modules) else 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"Usage: executor" in result.stdout


def test_a_reader_that_leaves_early_is_no_error():
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = subprocess.run(
        [*COMMAND, "config", "show"],
        env=environment(),
        cwd=ROOT,
        stdout=write_end,
        stderr=subprocess.PIPE,
        timeout=20,
        check=False,
    )
    os.close(write_end)
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_terminal_without_utf8_gets_escapes(daemon: Daemon):
    parent = add_parent(daemon.control.state)
    parent.waiting = ("ключ\N{GREEK SMALL LETTER BETA}",)
    for words in (["status"], ["status", "tst-1"]):
        result = run(*words, PYTHONIOENCODING="ascii", LC_ALL="C")
        assert (result.returncode, result.stderr) == (0, b"")
        assert b"\\u043a\\u043b" in result.stdout


def test_json_is_json_and_alone_on_standard_output(daemon: Daemon):
    result = run("status", "--json")
    assert json.loads(result.stdout)["ready"] is True
    assert result.stderr == b""


def test_an_unforeseen_error_is_one_line_unless_asked(daemon: Daemon):
    write = "import sys; from executor.interfaces import cli, cli_watch;"
    break_it = "cli_watch._show_status = lambda _: 1 / 0; sys.exit(cli.main({words}))"
    for words, expected in ((["status"], 1), (["--traceback", "status"], 6)):
        result = subprocess.run(
            [sys.executable, "-c", write + break_it.format(words=words)],
            env=environment(),
            cwd=ROOT,
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert result.returncode == 1
        lines = result.stderr.decode().splitlines()
        assert (len(lines) == 1) == (expected == 1)
        assert ("Traceback" in result.stderr.decode()) == (expected != 1)


@pytest.mark.parametrize("answer_s_max", [30.0])  # the signal comes before any answer
def test_ctrl_c_in_the_middle_of_a_submission(daemon: Daemon):
    add_parent(daemon.control.state)
    daemon.control.replies.append(None)
    process = subprocess.Popen(
        [*COMMAND, *ORDER, "--idempotency-key", "key-tst-1"],
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert daemon.control.seen.wait(15)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b""), err
    assert b"INTERRUPTED at submit: got the order WAS accepted as tst-1" in err
    assert b"--idempotency-key key-tst-1" in err
