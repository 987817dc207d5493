"""Commands that need more packages than the daemon does say so, each under its own name, where they are missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from executor.interfaces.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]
WITHOUT = ("llvmlite", "numba", "numpy", "plotly", "pyarrow", "zmq", "zstandard")
COMMANDS = (
    ("backtest run --symbol BTCUSDT --qty 0.2", "executor backtest run"),
    ("backtest run --market agents --scenario noise --qty 1", "executor backtest run"),
    ("backtest compare --strategies TWAP,CROSS --symbol BTCUSDT --qty 0.2", "executor backtest compare"),
    ("data info", "executor data info"),
    ("market hub hub", "executor market hub"),
    ("simulate", "executor simulate"),
    ("simulate --scenario bubble --steps 100", "executor simulate"),
    ("simulate list", "executor simulate list"),
    ("simulate impact", "executor simulate impact"),
    ("tca", "executor tca"),
)
SCRIPT = f"""
import contextlib, io, json, sys
sys.modules.update(dict.fromkeys({WITHOUT}))
from executor.interfaces.cli import main
for line in sys.stdin:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main(line.split())
    print(json.dumps([code, said.getvalue()]))
"""


@pytest.mark.process
def test_a_missing_package_is_named_with_what_brings_it(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input="\n".join(words for words, _ in COMMANDS),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(COMMANDS)
    for (words, named), (code, said) in zip(COMMANDS, answers, strict=True):
        assert code == ExitCode.USAGE, words
        assert said.startswith(f"PACKAGES at {named}: got no package"), said
        assert "`make backtest` in a checkout" in said
