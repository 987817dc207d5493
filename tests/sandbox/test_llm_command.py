"""The command line of the language model: it announces its addresses, and ends cleanly when told to."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from sandbox.llm_server import DEFAULT_API_KEY, Latency
from sandbox.llm_server.__main__ import main, parse
from tests.sandbox.venue_support import poll_until

ROOT = Path(__file__).parents[2]


def test_options_of_the_command_line():
    words = ["--port", "0", "--control-port", "9", "--seed", "3", "--latency-ms", "250"]
    options, ready = parse([*words, "--latency-sigma", "0.4", "--api-key", "a", "--api-key", "b"])
    assert (options.port, options.control_port, options.seed, ready) == (0, 9, 3, None)
    assert options.latency == Latency(median_ms=250, sigma=0.4)
    assert options.api_keys == ("a", "b")
    assert parse([])[0].api_keys == (DEFAULT_API_KEY,)


@pytest.mark.parametrize(
    "words", [["--port", "65536"], ["--latency-ms", "-1"], ["--latency-sigma", "nan"], ["--api-key", ""]]
)
def test_options_that_make_no_sense(words, capsys):
    with pytest.raises(SystemExit):
        parse(words)
    assert "error: " in capsys.readouterr().err


def test_a_port_in_use_is_one_line(capsys):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        assert main(["--port", str(holder.getsockname()[1]), "--control-port", "0"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("llm: ")
    assert said.err.count("\n") == 1


@pytest.mark.process
def test_start_and_stop(tmp_path):
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-W", "error", "-m", "sandbox.llm_server", "--port", "0"]
    command += ["--control-port", "0", "--seed", "3", "--latency-ms", "5", "--ready-file", str(ready)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        poll_until(ready.exists)
        places = json.loads(ready.read_text())
        request = urllib.request.Request(
            f"{places['llm']}/models", headers={"Authorization": f"Bearer {DEFAULT_API_KEY}"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            assert json.loads(response.read())["object"] == "list"
        with urllib.request.urlopen(f"{places['control']}/_truth", timeout=30) as response:
            assert json.loads(response.read())["paths"] == {"/v1/models": 1}
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert out == f"llm ready llm={places['llm']} control={places['control']}\n"
    assert (process.returncode, err) == (0, "")
