"""The command line: it announces its addresses, and ends cleanly when told to."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from sandbox.__main__ import main, parse
from tests.sandbox.venue_support import poll_until

ROOT = Path(__file__).parents[2]


def test_options_of_the_command_line():
    options, ready = parse(["--port", "0", "--seed", "3", "--frozen", "--key", "a:b", "--key", "c:d:9"])
    assert (options.rest_port, options.seed, options.flow.frozen, ready) == (0, 3, True, None)
    assert [(entry.key, entry.secret, entry.uid) for entry in options.credentials] == [
        ("a", "b", 100_001),
        ("c", "d", 9),
    ]
    for words in (["--key", "nosecret"], ["--key", "a:b:c"], ["--port", "65536"], ["--port", "-1"]):
        with pytest.raises(SystemExit):
            parse(words)


def test_a_port_in_use_is_one_line(capsys):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        assert main(["--port", str(holder.getsockname()[1]), "--control-port", "0"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("sandbox: ")
    assert said.err.count("\n") == 1


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "start", [["sandbox"], ["executor.interfaces.cli", "sandbox"]], ids=["module", "verb"]
)
def test_start_and_stop(tmp_path, number, start):
    ready = tmp_path / "ready.json"
    command = [
        sys.executable,
        "-m",
        *start,
        "--port",
        "0",
        "--control-port",
        "0",
        "--ready-file",
        str(ready),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        poll_until(ready.exists)
        places = json.loads(ready.read_text())
        with urllib.request.urlopen(f"{places['rest']}/v5/market/time", timeout=30) as response:
            assert json.loads(response.read())["retCode"] == 0
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    line = " ".join(f"{name}={place}" for name, place in places.items())
    assert out == f"sandbox ready {line}\n"
    assert (process.returncode, err) == (0, "")
