"""The demonstration ends as a whole, and says how to go on in words that can be typed."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from executor.interfaces.demo import own_command

ROOT = Path(__file__).parents[2]


def test_the_hint_names_the_command_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "bin" / "python"))
    assert own_command() == "venv/bin/executor"
    monkeypatch.setattr(sys, "executable", "/opt/a b/bin/python")
    assert own_command() == "'/opt/a b/bin/executor'"


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_says_that_everything_ended(tmp_path: Path, number: int):
    demo = subprocess.Popen(
        [sys.executable, "-m", "executor.interfaces.cli", "demo", "--seconds", "60"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert demo.stderr is not None
    said = b""
    while b"accepted as" not in said:
        assert select.select([demo.stderr], [], [], 15)[0], said
        piece = os.read(demo.stderr.fileno(), 4_096)
        assert piece, said
        said += piece
    os.killpg(demo.pid, number)
    _, rest = demo.communicate(timeout=18)
    assert demo.returncode == 130
    assert b"stopped; exchange, model and daemon are ended" in rest
    assert b"goes on" not in rest
    assert b"until the next demo replaces it" in rest
    with pytest.raises(ProcessLookupError):
        os.kill(_pid_of_daemon(tmp_path), 0)


def _pid_of_daemon(home: Path) -> int:
    return int((home / "var" / "sample-run" / "executor.lock").read_text())
