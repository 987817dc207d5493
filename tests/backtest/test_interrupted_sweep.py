"""Ctrl-C at a sweep: it reaches workers that have just been started, and they have nothing to say."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

SWEEP = """
import time
from backtest.sweep_local import LocalProcesses
print("ready", flush=True)
try:
    list(LocalProcesses(2)(time.sleep, [300, 300]))
except KeyboardInterrupt:
    print("interrupted")
"""


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def hears_interrupts(pid: int) -> bool:
    """Whether Python has begun there: it has its handler of SIGINT by then."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & 1 << signal.SIGINT - 1)


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    until, pause = time.monotonic() + 30, threading.Event()
    while not is_so():
        assert time.monotonic() < until, what
        pause.wait(0.002)  # soon enough to meet them while they start, and not in their way


def test_workers_that_are_starting_end_without_a_word():
    sweep = subprocess.Popen(
        [sys.executable, "-c", SWEEP], start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert sweep.stdout.readline() == "ready\n"
        # The third child is the one that looks after what the workers share.
        wait_until(lambda: len(children(sweep.pid)) == 3, "the workers were not started")
        begun = children(sweep.pid)
        wait_until(lambda: all(map(hears_interrupts, begun[1:])), "they have not begun")
        os.killpg(sweep.pid, signal.SIGINT)
        assert sweep.communicate(timeout=30) == ("interrupted\n", "")
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in begun), "a worker stayed")
    finally:
        if sweep.poll() is None:
            os.killpg(sweep.pid, signal.SIGKILL)
